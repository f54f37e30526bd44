# SPDX-License-Identifier: GPL-2.0-or-later
# From reset to flat 32-bit code with SSE, on the first CPU (bsp_main) and, by SIPI to page 8, on the others
# (ap_main, with a number from 1 on). SDM volume 3, "Processor management and initialization", "Multiple-processor initialization".
# With USER both run at level 3, with paging: RAM at its own address, in pages of 4 MB (2 MB in 64-bit code), but the first of these
# in pages of 4 KB, of which those of the ROM are a copy of it in RAM. 64-bit code has its stack, and all of this once more, at HIGH.
# There is no IDT: whatever faults ends the guest.
#define HIGH        0x555500000000
#define TABLES      0x600000    /* of two levels: a directory, a table */
#define TABLES64    0x602000    /* PML4, PDPT, four directories, a table, the PDPT for HIGH */
#define COPY        0x700000    /* of the ROM */
#define USER_DATA   0x23
#ifdef __x86_64__
#define USER_CODE   0x2b
#else
#define USER_CODE   0x1b
#endif

    .section .text.start, "ax"
    .code16
start16:
    cli
    lgdtl %cs:(gdt_pointer - start16)
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl $8, $bsp32

    .code32
bsp32:
    mov $0x10, %eax
    mov %eax, %ss
    mov $0x70000, %esp
    call set_up
    mov $ap16, %esi             # the other CPUs begin in RAM
    mov $0x8000, %edi
    mov $(ap16_end - ap16), %ecx
    rep movsb
#ifdef USER
    call make_tables
    mov $bsp_user, %ecx
    jmp to_user
#else
    call bsp_main
1:  hlt
    jmp 1b
#endif
ap32:
    mov $0x10, %eax
    mov %eax, %ss
    mov %eax, %ds
    mov $1, %ebx
    lock xadd %ebx, numbers
    inc %ebx
    mov %ebx, %esp              # 16 KB each
    shl $14, %esp
    add $0x70000, %esp
    call set_up
#ifdef USER
    mov $ap_user, %ecx
    jmp to_user
#else
    push %ebx
    call ap_main
2:  hlt
    jmp 2b
#endif

set_up:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov %cr0, %eax
    and $~0xe, %eax             # EM, TS, MP
    or $0x22, %eax              # NE, MP
    mov %eax, %cr0
    mov %cr4, %eax
    or $0x600, %eax
    mov %eax, %cr4
    fninit
    cld
    ret

#ifdef USER
make_tables:
    mov $0xf0000, %esi
    mov $COPY, %edi
    mov $0x4000, %ecx
    rep movsl
    mov $TABLES, %edi           # large pages, of which the first is a table
    mov $0x87, %eax
1:  stosl
    add $4 << 20, %eax
    jnc 1b
    movl $(TABLES + 0x1007), TABLES
    mov $7, %eax                # small ones
2:  stosl
    add $0x1000, %eax
    cmp $(4 << 20) + 7, %eax
    jb 2b
    mov $(TABLES + 0x1000 + 0xf0 * 4), %edi
    mov $(COPY + 7), %eax       # the ROM's
3:  stosl
    add $0x1000, %eax
    cmp $(COPY + 0x10007), %eax
    jb 3b
    mov $TABLES64, %edi
    xor %eax, %eax
    mov $0x2000, %ecx           # the same for 64-bit code
    rep stosl
    movl $(TABLES64 + 0x1007), TABLES64
    movl $(TABLES64 + 0x7007), TABLES64 + (HIGH >> 39) * 8
    movl $(TABLES64 + 0x2007), TABLES64 + 0x7000 + (HIGH >> 30 & 511) * 8
    mov $(TABLES64 + 0x1000), %edi
    mov $(TABLES64 + 0x2007), %eax
4:  stosl
    add $4, %edi
    add $0x1000, %eax
    cmp $(TABLES64 + 0x6007), %eax
    jb 4b
    mov $(TABLES64 + 0x2000), %edi
    mov $0x87, %eax
5:  stosl
    add $4, %edi
    add $2 << 20, %eax
    jnc 5b
    movl $(TABLES64 + 0x6007), TABLES64 + 0x2000
    mov $(TABLES + 0x1000), %esi
    mov $(TABLES64 + 0x6000), %edi
    mov $512, %ecx
6:  movsl
    add $4, %edi
    loop 6b
    ret

# On at ecx with the stack as it is; keeps ebx.
to_user:
#ifdef __x86_64__
    mov $TABLES64, %eax
    mov %eax, %cr3
    mov %cr4, %eax
    or $0x20, %eax              # PAE
    mov %eax, %cr4
    push %ecx
    mov $0xc0000080, %ecx
    rdmsr
    or $0x100, %eax             # LME
    wrmsr
    pop %ecx
#else
    mov $TABLES, %eax
    mov %eax, %cr3
    mov %cr4, %eax
    or $0x10, %eax              # PSE
    mov %eax, %cr4
#endif
    mov %cr0, %eax
    or $0x80000000, %eax
    mov %eax, %cr0
#ifdef __x86_64__
    ljmp $0x30, $1f
    .code64
1:  movabs $HIGH, %rax
    add %rax, %rsp              # before level 3 begins: it gets chunks for what registers say
    mov %ecx, %ecx
#endif
    mov $USER_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
#ifdef __x86_64__
    mov %rsp, %rdx
    push %rax
    push %rdx
    push $0x3002                # IOPL 3
    push $USER_CODE
    push %rcx
    iretq

bsp_user:
    call bsp_main
    jmp stay
ap_user:
    mov %ebx, %edi
    call ap_main
#else
    mov %esp, %edx
    push %eax
    push %edx
    push $0x3002                # IOPL 3
    push $USER_CODE
    push %ecx
    iret

bsp_user:
    call bsp_main
    jmp stay
ap_user:
    push %ebx
    call ap_main
#endif
stay:
    pause
    jmp stay
#endif

    .code16
ap16:
    cli
    mov $0xf000, %ax
    mov %ax, %ds
    lgdtl gdt_pointer - start16
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl $8, $ap32
ap16_end:

    .balign 8
gdt:
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff, 0x00affb000000ffff, 0x00af9b000000ffff
gdt_pointer:
    .word 55
    .long gdt

    .bss
    .balign 4
numbers: .long 0

    .section .reset, "ax"
    .code16
    ljmp $0xf000, $0
    .fill 11, 1, 0
