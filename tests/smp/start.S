# SPDX-License-Identifier: GPL-2.0-or-later
# From reset to flat 32-bit code with SSE, on the first CPU (bsp_main) and, by SIPI to page 8, on the others
# (ap_main, with a number from 1 on). SDM volume 3, "Processor management and initialization", "Multiple-processor initialization".
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
    call bsp_main
1:  hlt
    jmp 1b
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
    push %ebx
    call ap_main
2:  hlt
    jmp 2b

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
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
    .word 23
    .long gdt

    .bss
    .balign 4
numbers: .long 0

    .section .reset, "ax"
    .code16
    ljmp $0xf000, $0
    .fill 11, 1, 0
