/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest code of kvm_guests.c: 16-bit but for one, copied to 0x1000 and run there with all segments at 0, and DS
 * and ES with limits of 4 GB. Port 0xf0 tells a step, 0xf1 a letter; 0xff ends.
 */
        .section .rodata
        .code16

        .macro  guest name
        .balign 16
        .globl  guest_\name, guest_\name\()_end
guest_\name:
        .endm
        .macro  done name
        outb    %al, $0xff
9:      hlt
        jmp     9b
guest_\name\()_end:
        .endm
        .macro  step n
        movb    $\n, %al
        outb    %al, $0xf0
        .endm
/* Pages of 0x80000 and on: 0 and 3, then 5, then 3 again. */
guest dirty
        movl    $0x80000, %ebx
        movb    $1, (%ebx)
        movb    $1, 0x3000(%ebx)
        step    1
        movb    $1, 0x5000(%ebx)
        step    2
        movb    $2, 0x3000(%ebx)
        step    3
        done    dirty

/* 3000 pages from 16 MB on. */
guest many
        movl    $0x1000000, %ebx
        movw    $3000, %cx
1:      movb    $1, (%ebx)
        addl    $0x1000, %ebx
        loop    1b
        done    many

/* Two doorbells: a port, any value; a word in memory, one value only. */
guest bells
        outb    %al, $0xe0
        outb    %al, $0xe0
        movl    $0xd0010, %ebx
        movw    $7, (%ebx)
        movw    $8, (%ebx)
        done    bells

/* An interrupt by message: the local APIC is switched on as x2APIC, so no MMIO is needed. */
guest irq
        movw    $0x1000 + irq_handler - guest_irq, 4 * 0x60
        movw    $0, 4 * 0x60 + 2
        movl    $0x1b, %ecx
        movl    $0xfee00d00, %eax
        xorl    %edx, %edx
        wrmsr
        movl    $0x80f, %ecx
        movl    $0x1ff, %eax
        wrmsr
        sti
        step    1
1:      hlt
        jmp     1b
irq_handler:
        movb    $'i', %al
        outb    %al, $0xf1
        done    irq

/* An interrupt of the 8259's ends HLT. */
guest halt
        movw    $0x1000 + halt_handler - guest_halt, 4 * 0x60
        movw    $0, 4 * 0x60 + 2
        sti
        step    1
1:      hlt
        jmp     1b
halt_handler:
        movb    $'h', %al
        outb    %al, $0xf1
        done    halt

guest nmi
        movw    $0x1000 + nmi_handler - guest_nmi, 4 * 2
        movw    $0, 4 * 2 + 2
        step    1
1:      pause
        jmp     1b
nmi_handler:
        movb    $'n', %al
        outb    %al, $0xf1
        done    nmi

/* The system management interrupt's code is guest_smm, at 0x48000. */
guest smi
        step    1
        movb    $'b', %al               /* back */
        outb    %al, $0xf1
        done    smi
guest smm
        movb    $'s', %al
        outb    %al, $0xf1
        rsm
guest_smm_end:

/* The TSC around a pause, to 0x7000 and 0x7008. */
guest pause
        rdtsc
        movl    %eax, 0x7000
        movl    %edx, 0x7004
        step    1
        rdtsc
        movl    %eax, 0x7008
        movl    %edx, 0x700c
        done    pause

/* No interrupt table, and an undefined instruction. */
guest triple
        lidtl   %cs:0x1000 + 1f - guest_triple
        ud2
1:      .word   0
        .long   0
        done    triple

/* 32-bit code: AVX registers from 0x9000 and on; CPUID's size of an XSAVE area to 0x9100; the registers
 * to 0x9040 and on. */
        .code32
guest avx
        vmovups 0x9000, %ymm5
        vmovups 0x9020, %ymm7
        movl    $0xd, %eax
        xorl    %ecx, %ecx
        cpuid
        movl    %ebx, 0x9100
        step    1
        vmovups %ymm5, 0x9040
        vmovups %ymm7, 0x9060
        done    avx
        .code16

/* Tells a step and waits. */
guest wait
        step    1
1:      pause
        jmp     1b
        done    wait

        .section .note.GNU-stack, "", @progbits
