# SPDX-License-Identifier: GPL-2.0-or-later
# A ROM whose reset vector leads to a boot sector of ours: it is copied to 0x7c00 and runs through
# 16-, 32- and 64-bit code. Assembled into 64 KB that end below 1 MB.
    .equ SECTOR, 0x7c00
    .equ TABLES, 0x9000
    .text
    .code16
rom:
    cli
    cld
    xor %ax, %ax
    mov %ax, %es
    mov %ax, %ss
    mov $SECTOR, %sp
    mov %cs, %ax
    mov %ax, %ds
    mov $(sector - rom), %si
    mov $SECTOR, %di
    mov $256, %cx
    rep movsw
    ljmpw $0, $SECTOR

    .org 0x1000
sector:
    mov %ss, %ax
    mov %ax, %ds
    pushw $0x1234
    pop %bx
    lgdtl (gdt_pointer - sector + SECTOR)
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl $8, $(code32 - sector + SECTOR)

    .code32
code32:
    mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $0x8000, %esp
    mov $TABLES, %edi       # four pages of tables: the first 2 MB by one large page
    mov %edi, %cr3
    xor %eax, %eax
    mov $0xc00, %ecx
    rep stosl
    movl $(TABLES + 0x1003), TABLES
    movl $(TABLES + 0x2003), TABLES + 0x1000
    movl $0x83, TABLES + 0x2000
    mov $0x20, %eax
    mov %eax, %cr4
    mov $0xc0000080, %ecx
    rdmsr
    or $0x100, %eax
    wrmsr
    mov %cr0, %eax
    or $0x80000000, %eax
    mov %eax, %cr0
    ljmp $24, $(code64 - sector + SECTOR)

    .code64
code64:
    movabs $0x1122334455667788, %rax
    push %rax
    pop %r8
    lea counter(%rip), %rdi
again:
    incq (%rdi)
    add %r8, %r9
    jmp again

    .balign 8
counter:
    .quad 0
gdt:
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long gdt - sector + SECTOR

    .code16
    .org 0xfff0
    ljmpw $0xf000, $0
    .org 0x10000
