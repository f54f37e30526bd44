# SPDX-License-Identifier: GPL-2.0-or-later
# Virtual-8086 mode: entry by IRET, segments, what is sensitive to IOPL, events to the monitor,
# I/O bitmap; VME's interrupt redirection and virtual interrupt flag; PVI
# (SDM volume 3, "8086 emulation", "Virtual-8086 mode extensions").
    .include "start.inc"
    .set CODE86, 0xf000
    .set STACK86, 0x600         # segment; sp 0x1000: linear 0x7000

    # Run 16-bit code at a label with these flags, until it faults or interrupts to level 0.
    .macro V86 label, flags
    TRY
    pushl $0x1000               # gs
    pushl $0x0f00               # fs
    pushl $0x0410               # ds: linear 0x4100, SCRATCH
    pushl $0x0e00               # es
    pushl $STACK86
    pushl $0x1000
    pushl $(0x20002 | \flags)
    pushl $CODE86
    pushl $(\label - image)
    iret
    CAUGHT
    .endm

    .code32
main32:
    movb $0xee, IDT + 0x21 * 8 + 5
    SET_DESCRIPTOR TSS_SEL, TSS, 0x1ff, 0x89, 0
    movw $0x88, TSS + 102               # redirection map at 0x68, I/O map at 0x88
    mov $(TSS + 0x68), %edi
    mov $0x60, %ecx
    mov $-1, %eax
    rep stosl
    mov $TSS_SEL, %eax
    ltr %ax
    call plain
    call monitor
    call vme
    call pvi
    FINISH

plain:
    movl $0, SCRATCH
    V86 hello, 0x3000
    CHECK "INT at IOPL 3 arrives at level 0", VECTOR, 0x21
    CHECK "... code ran with DS at selector * 16", SCRATCH, 0x2222
    mov FAULT_CS, %ebx
    CHECK "... its CS is the 8086's", %ebx, CODE86
    mov FAULT_FLAGS, %ebx
    and $0x20000, %ebx
    CHECK "... VM is in the image", %ebx, 0x20000
    mov FAULT_SP, %ebx
    CHECK "... with ESP", %ebx, 0x1000
    # caught cut the stack back, but the frame above is still there: es ds fs gs
    mov STACK_TSS - 4, %ebx
    CHECK "GS lies on top of the stack", %ebx, 0x1000
    mov STACK_TSS - 16, %ebx
    CHECK "... ES at the end", %ebx, 0x0e00
    mov STACK_TSS - 20, %ebx
    CHECK "... then SS", %ebx, STACK86
    V86 wraps, 0x3000
    CHECK "a word at offset FFFF: #GP", VECTOR, 13
    V86 stack_wraps, 0x3000
    CHECK "a push at SP 1: #SS", VECTOR, 12
    V86 hello, 0
    CHECK "INT at IOPL 0: #GP", VECTOR, 13
    CHECK "... with error code 0", ERROR, 0
    V86 int3, 0
    CHECK "INT3 is not sensitive to IOPL, but its gate has a level: #GP", ERROR, 0x1a
    ret

monitor:
    V86 do_cli, 0
    CHECK "CLI at IOPL 0: #GP", VECTOR, 13
    V86 do_pushf, 0
    CHECK "PUSHF at IOPL 0: #GP", VECTOR, 13
    V86 do_popf, 0
    CHECK "POPF at IOPL 0: #GP", VECTOR, 13
    V86 do_iret, 0
    CHECK "IRET at IOPL 0: #GP", VECTOR, 13
    V86 do_hlt, 0x3000
    CHECK "HLT: #GP, whatever IOPL", VECTOR, 13
    V86 do_mov_cr, 0x3000
    CHECK "MOV from CR0: #GP", VECTOR, 13
    V86 do_lldt, 0x3000
    CHECK "LLDT: #UD", VECTOR, 6
    V86 do_out, 0x3000
    CHECK "OUT is not sensitive to IOPL: #GP by the bitmap", VECTOR, 13
    movb $0xfe, TSS + 0x88 + 0x10
    V86 do_out, 0
    CHECK "... and goes where the bitmap allows", VECTOR, 6
    V86 do_popf_if, 0x3000
    CHECK "POPF at IOPL 3 changes IF, not IOPL nor VM", VECTOR, 6
    mov FAULT_FLAGS, %ebx
    and $0x23200, %ebx
    CHECK "... as its image says", %ebx, 0x23200
    ret

vme:
    mov %cr4, %eax
    or $1, %eax
    mov %eax, %cr4
    movb $0xfb, TSS + 0x68 + 8          # INT 42 hex is the program's
    movw $(handler - image), 0x42 * 4
    movw $CODE86, 0x42 * 4 + 2
    movl $0, SCRATCH
    V86 redirected, 0x80000             # VIF
    CHECK "VME: INT goes through the program's own table", SCRATCH, 0x4242
    CHECK "... and IRET comes back", VECTOR, 6
    mov SCRATCH + 4, %ebx
    and $0xffff, %ebx
    CHECK "... the image on its stack has IF from VIF, and IOPL 3", %ebx, 0x3202
    mov SCRATCH + 8, %ebx
    and $0x200, %ebx
    CHECK "... inside, IF is clear", %ebx, 0
    mov FAULT_FLAGS, %ebx
    and $0x80000, %ebx
    CHECK "... and VIF is set again behind it", %ebx, 0x80000
    V86 do_cli, 0x80000
    mov FAULT_FLAGS, %ebx
    and $0x80200, %ebx
    CHECK "VME: CLI clears VIF", %ebx, 0
    V86 do_sti, 0
    mov FAULT_FLAGS, %ebx
    and $0x80200, %ebx
    CHECK "VME: STI sets VIF", %ebx, 0x80000
    V86 do_sti, 0x100000
    CHECK "VME: STI with VIP: #GP", VECTOR, 13
    V86 hello, 0
    CHECK "VME: an INT that is not redirected: #GP at IOPL 0", VECTOR, 13
    mov %cr4, %eax
    and $~1, %eax
    mov %eax, %cr4
    ret

pvi:
    mov %cr4, %eax
    or $2, %eax
    mov %eax, %cr4
    TRY
    pushl $DATA3
    pushl $STACK3
    pushl $2
    pushl $CODE3
    pushl $pvi_user
    iret
pvi_user:
    sti
    ud2
    CAUGHT
    CHECK "PVI: STI at level 3", VECTOR, 6
    mov FAULT_FLAGS, %ebx
    and $0x80200, %ebx
    CHECK "... sets VIF", %ebx, 0x80000
    mov %cr4, %eax
    and $~2, %eax
    mov %eax, %cr4
    ret

    .code16
hello:
    movw $0x2222, 0
    int $0x21
int3:
    int3
wraps:
    mov 0xffff, %ax
stack_wraps:
    mov $1, %sp
    push %ax
do_cli:
    cli
    ud2
do_sti:
    sti
    ud2
do_pushf:
    pushf
do_popf:
    popf
do_iret:
    iret
do_hlt:
    hlt
do_mov_cr:
    mov %cr0, %eax
do_lldt:
    lldt %ax
do_out:
    out %al, $0x80
    ud2
do_popf_if:
    push $0x0202
    popf
    ud2
redirected:
    int $0x42
    ud2
handler:
    movw $0x4242, 0
    push %bp
    mov %sp, %bp
    mov 6(%bp), %ax
    mov %ax, 4
    pop %bp
    pushf
    pop %ax
    mov %ax, 8
    iret
    .include "end.inc"
