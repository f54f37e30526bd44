/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ROM for kvm_smoke.py: sums numbers and prints the sums on the debug port 0xe9, first in 16-bit
 * code, after an interrupt, then in 32-bit code (where hosts that interpret know no INT). Ends by the
 * port of isa-debug-exit.
 */
        .include "rom.inc"
        .equ    BASE, 0xf0000

        .text
        .code16
start:  xorw    %ax, %ax
        movw    %ax, %ss
        movw    $0x7000, %sp
        movw    %ax, %ds
        movw    $taken16, 4 * 0x60      /* an interrupt through the vector table */
        movw    $0xf000, 4 * 0x60 + 2
        int     $0x60
        movw    $100, %cx
        xorl    %eax, %eax
1:      addw    %cx, %ax
        loop    1b
        call    digits16                /* 5050 */
        movw    $0x413e, %bx            /* 'A' and 'B' into the clock's RAM, and out again */
        call    cmos_put
        movw    $0x423f, %bx
        call    cmos_put
        movw    $0x413e, %bx
        call    cmos_say
        movw    $0x423f, %bx
        call    cmos_say
        lgdtl   %cs:gdt_at
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $8, $BASE + flat

cmos_put:
        movb    %bl, %al
        outb    %al, $0x70
        movb    %bh, %al
        outb    %al, $0x71
        ret
cmos_say:
        movb    %bl, %al
        outb    %al, $0x70
        inb     $0x71, %al
        outb    %al, $0xe9
        ret

taken16:
        movb    $'!', %al
        outb    %al, $0xe9
        iret

digits16:
        movw    $10, %bx
        xorw    %cx, %cx
2:      xorw    %dx, %dx
        divw    %bx
        pushw   %dx
        incw    %cx
        testw   %ax, %ax
        jnz     2b
3:      popw    %ax
        addb    $'0', %al
        outb    %al, $0xe9
        loop    3b
        movb    $'\n', %al
        outb    %al, $0xe9
        ret

        .code32
flat:   movw    $16, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $0x7000, %esp
        movl    $1000, %ecx
        xorl    %eax, %eax
1:      addl    %ecx, %eax
        loop    1b
        movl    $10, %ebx               /* 500500 */
2:      xorl    %edx, %edx
        divl    %ebx
        pushl   %edx
        incl    %ecx
        testl   %eax, %eax
        jnz     2b
3:      popl    %eax
        addb    $'0', %al
        outb    %al, $0xe9
        loop    3b
        movb    $'\n', %al
        outb    %al, $0xe9
        movw    $0x501, %dx
        movb    $3, %al
        outb    %al, %dx
4:      hlt
        jmp     4b

        FLAT_GDT

        RESET_VECTOR start
