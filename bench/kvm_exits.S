/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ROM that measures what exits cost: each kind many times between two readings of the TSC, then a
 * line "NAME TICKS" (for one) on the debug port 0xe9. Runs on any PC without a firmware, in 32-bit
 * code. Used by kvm_exits.py. Not measured: exits of 64-bit code, several CPUs.
 */
        .equ    TIMES, 1000
        .equ    LAPIC, 0xfee00000
        .equ    HPET, 0xfed00000
        .equ    VECTOR, 0x40
        .include "rom.inc"
        .equ    BASE, 0xf0000           /* where the ROM's last 64 KB are seen below 1 MB */

        .text
        .code32

        .macro  measure name, fn
        movl    $BASE + \fn, %ebx
        movl    $BASE + name_\name, %esi
        call    one_kind
        .endm

start:  movl    $0x8000, %esp
        call    interrupts_ready
        measure cpuid, do_cpuid
        measure msr, do_msr
        measure port_read, do_port_read
        measure port_write, do_port_write
        measure mmio_read, do_mmio
        measure ipi, do_ipi
        measure timer, do_timer
        movl    $BASE + name_end, %esi
        call    say
        movw    $0x501, %dx
        movb    $0, %al
        outb    %al, %dx
9:      hlt
        jmp     9b

/* ---- what is measured ---- */

do_cpuid:
        pushl   %ebx
        xorl    %eax, %eax
        cpuid
        popl    %ebx
        ret
do_msr: movl    $0x1b, %ecx             /* the local APIC's base: the kernel's */
        rdmsr
        ret
do_port_read:
        inb     $0x71, %al              /* the clock's register that was chosen last */
        ret
do_port_write:
        movb    $0x8f, %al
        outb    %al, $0x70
        ret
do_mmio:
        movl    HPET, %eax              /* its capabilities */
        ret
do_ipi: movl    $0, taken
        movl    $0x44000 | VECTOR, LAPIC + 0x300 /* to self */
1:      cmpl    $0, taken
        je      1b
        ret
do_timer:
        movl    $0, taken
        movl    $VECTOR, LAPIC + 0x320  /* once */
        movl    $0xb, LAPIC + 0x3e0
        movl    $1, LAPIC + 0x380
1:      cmpl    $0, taken
        je      1b
        ret

/* ---- measuring ---- */

one_kind:                               /* ebx: what; esi: its name */
        pushl   %esi
        call    *%ebx                   /* once for the kernel's caches */
        movl    $TIMES, %edi
        rdtsc
        pushl   %edx
        pushl   %eax
1:      call    *%ebx
        decl    %edi
        jnz     1b
        rdtsc
        popl    %ecx
        subl    %ecx, %eax
        popl    %ecx
        sbbl    %ecx, %edx
        movl    $TIMES, %ecx
        divl    %ecx
        popl    %esi
        pushl   %eax
        call    say
        popl    %eax
        call    number
        ret

/* ---- printing ---- */

say:    lodsb
        testb   %al, %al
        jz      1f
        outb    %al, $0xe9
        jmp     say
1:      ret

number: xorl    %ecx, %ecx
        movl    $10, %ebp
1:      xorl    %edx, %edx
        divl    %ebp
        pushl   %edx
        incl    %ecx
        testl   %eax, %eax
        jnz     1b
2:      popl    %eax
        addb    $'0', %al
        outb    %al, $0xe9
        decl    %ecx
        jnz     2b
        movb    $'\n', %al
        outb    %al, $0xe9
        ret

/* ---- interrupts ---- */

        .equ    idt, 0x1000
        .equ    taken, 0x2000

interrupts_ready:
        movl    $BASE + handler, %eax
        movw    %ax, idt + 8 * VECTOR
        movw    $8, idt + 8 * VECTOR + 2
        movw    $0x8e00, idt + 8 * VECTOR + 4
        shrl    $16, %eax
        movw    %ax, idt + 8 * VECTOR + 6
        lidt    BASE + idt_at
        movb    $0xff, %al              /* the old controllers stay silent */
        outb    %al, $0x21
        outb    %al, $0xa1
        movl    $0x1ff, LAPIC + 0xf0
        sti
        ret

handler:
        movl    $1, taken
        movl    $0, LAPIC + 0xb0
        iret

        FLAT_GDT
idt_at: .word   8 * 256 - 1
        .long   idt

name_cpuid:      .asciz "cpuid "
name_msr:        .asciz "msr "
name_port_read:  .asciz "port-read "
name_port_write: .asciz "port-write "
name_mmio_read:  .asciz "mmio-read "
name_ipi:        .asciz "ipi "
name_timer:      .asciz "timer "
name_end:        .asciz "end\n"

/* ---- from reset to 32 bits ---- */

        .code16
        .org    0xff00
enter:  cli
        lgdtl   %cs:gdt_at
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $8, $BASE + flat
        .code32
flat:   movw    $16, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $BASE + start, %eax
        jmp     *%eax

        RESET_VECTOR enter
