# SPDX-License-Identifier: GPL-2.0-or-later
# Real mode, then debug registers and single-step: limits and wrap-around, the interrupt vector
# table, "unreal" segments, far transfers, IRET; what TF, RF and DR7 do
# (SDM volume 3, "8086 emulation", "Debug, branch profile").
    .set REAL_MODE_FIRST, 1
    .set LOG, 0x4200            # real-mode results: words
    .include "start.inc"

    # In real mode: vector n goes to a label.
    .macro IVT n, label
    movw $(\label - image), %es:\n * 4
    movw $0xf000, %es:\n * 4 + 2
    .endm

    # Run code that faults and note the vector in the log at si. ss:sp are put back.
    .macro TRY16
    movw $0xff, %es:VECTOR
    movw $(77f - image), %es:RESUME
    mov %sp, %es:SAVED_SP
    .endm
    .macro CAUGHT16
77:
    movw %es:VECTOR, %ax
    movw %ax, %es:(%si)
    add $2, %si
    .endm

    .code16
main16:
    mov $LOG, %si
    .irp n, 0, 1, 3, 4, 5, 6, 8, 12, 13
    IVT \n, real_\n
    .endr
    IVT 0x42, real_int
    movw $0x1000, %ax
    mov %ax, %ds
    TRY16
    mov %ds:0xffff, %ax
    CAUGHT16                            # 0: 13
    TRY16
    movb %ds:0xffff, %al
    CAUGHT16                            # 1: none
    TRY16
    mov $0x10000, %ebx
    mov %ds:(%ebx), %al
    CAUGHT16                            # 2: 13
    TRY16
    mov %ss:0xffff, %ax
    CAUGHT16                            # 3: 12
    TRY16
    ud2
    CAUGHT16                            # 4: 6
    TRY16
    lldt %ax
    CAUGHT16                            # 5: 6
    TRY16
    xor %ax, %ax
    div %ax
    CAUGHT16                            # 6: 0
    # a push at SP 0 wraps to FFFE
    mov %sp, %bp
    mov $0, %sp
    pushw $0x5a5a
    mov %sp, %ax
    mov %bp, %sp
    mov %ax, %es:(%si)                  # 7: fffe
    add $2, %si
    # INT n: flags, IF and TF
    sti
    int $0x42
    cli
    and $0x3200, %ax
    and $0x3200, %bx
    mov %ax, %es:(%si)                  # 8: flags inside: IF clear
    mov %bx, %es:2(%si)                 # 9: flags on the stack: IF set
    add $4, %si
    # far call and return
    lcall $0xf000, $(far_routine - image)
    mov %cx, %es:(%si)                  # 10: 0xca11
    add $2, %si
    # SMSW, and "unreal" mode: a big limit stays behind
    lgdtl %cs:gdt_big - image
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    mov $8, %bx
    mov %bx, %ds
    and $0xfe, %al
    mov %eax, %cr0
    ljmp $0xf000, $(1f - image)
1:  xor %ax, %ax
    mov %ax, %ds
    movl $0x12345678, %ebx
    mov $0x110000, %edi
    TRY16
    movl %ebx, %ds:(%edi)
    CAUGHT16                            # 11: none
    mov %ds:2(%edi), %ax
    mov %ax, %es:(%si)                  # 12: 0x1234
    add $2, %si
    smsw %ax
    and $1, %ax
    mov %ax, %es:(%si)                  # 13: 0
    ret

    .irp n, 0, 1, 3, 4, 5, 6, 8, 12, 13
real_\n:
    movw $\n, %es:VECTOR
    jmp real_caught
    .endr
real_caught:
    mov %es:SAVED_SP, %sp
    jmp *%es:RESUME
real_int:
    pushf
    pop %ax
    mov %sp, %bp
    mov 4(%bp), %bx
    iret
far_routine:
    mov $0xca11, %cx
    lret

    .balign 8
gdt_unreal:
    .quad 0
    DESCRIPTOR 0, 0xfffff, 0x93, 0xc
gdt_big:
    .word 15
    .long gdt_unreal

    .macro RESULT name, n, wanted
    movzwl LOG + 2 * \n, %ecx
    CHECK "\name", %ecx, \wanted
    .endm

    .code32
main32:
    RESULT "real mode: a word at offset FFFF: #GP", 0, 13
    RESULT "... a byte is inside", 1, 0xff
    RESULT "... a 32-bit offset beyond 64 KB: #GP", 2, 13
    RESULT "... through SS: #SS", 3, 12
    RESULT "... UD2", 4, 6
    RESULT "... LLDT is undefined", 5, 6
    RESULT "... a division by zero", 6, 0
    RESULT "... a push at SP 0 wraps", 7, 0xfffe
    RESULT "... INT clears IF", 8, 0
    RESULT "... and pushes it", 9, 0x200
    RESULT "... far call and return", 10, 0xca11
    RESULT "a limit loaded in protected mode stays", 11, 0xff
    RESULT "... and memory above 1 MB is there", 12, 0x1234
    RESULT "SMSW", 13, 0
    call stepping
    call breakpoints
    FINISH

    # DR6's conditions; then clear them.
    .macro DR6 name, wanted
    mov %dr6, %ecx
    and $0xe00f, %ecx
    xor %eax, %eax
    mov %eax, %dr6
    CHECK "\name", %ecx, \wanted
    .endm

    .macro SET_TF
    pushf
    orl $0x100, (%esp)
    popf
    .endm

stepping:
    TRY
    SET_TF
    nop
step_1:
    nop
    CAUGHT
    CHECK "TF: #DB behind the next instruction", VECTOR, 1
    CHECK "... there", FAULT_IP, step_1
    DR6 "... DR6.BS", 0x4000
    mov FAULT_FLAGS, %ebx
    and $0x100, %ebx
    CHECK "... TF is in the image", %ebx, 0x100
    pushf
    pop %ebx
    and $0x100, %ebx
    CHECK "... and clear in the handler", %ebx, 0
    TRY
    mov $DATA0, %ebx
    SET_TF
    mov %ebx, %ss
    nop
step_2:
    nop
    CAUGHT
    CHECK "MOV SS puts the trap off by one instruction", FAULT_IP, step_2
    DR6 "... it comes", 0x4000
    TRY
    SET_TF
    int $0x21
    CAUGHT
    CHECK "INT with TF: the handler is not stepped", VECTOR, 0x21
    TRY
    .byte 0xf1
step_3:
    CAUGHT
    CHECK "INT1: #DB", VECTOR, 1
    CHECK "... behind it", FAULT_IP, step_3
    DR6 "... no condition", 0
    ret

    # DR7 with breakpoint 0: kind, length.
    .macro ARM address, kind, length
    mov $\address, %eax
    mov %eax, %dr0
    mov $(0x402 | (\kind << 16) | (\length << 18)), %eax
    mov %eax, %dr7
    .endm

breakpoints:
    ARM bp_1, 0, 0
    TRY
    nop
bp_1:
    nop
    CAUGHT
    CHECK "an instruction breakpoint: #DB", VECTOR, 1
    CHECK "... in front of it", FAULT_IP, bp_1
    DR6 "... DR6.B0", 1
    # with RF the instruction runs
    ARM bp_2, 0, 0
    TRY
    pushl $0x10002
    pushl $CODE0
    pushl $bp_2
    iret
bp_2:
    nop
    ud2
    CAUGHT
    CHECK "RF lets the instruction run", VECTOR, 6
    DR6 "... with no condition", 0
    ARM SCRATCH, 1, 3
    TRY
    movb $1, SCRATCH + 3
bp_3:
    nop
    CAUGHT
    CHECK "a store into four bytes that are watched: #DB", VECTOR, 1
    CHECK "... behind it", FAULT_IP, bp_3
    DR6 "... DR6.B0", 1
    TRY
    mov SCRATCH, %ebx
    movb $1, SCRATCH + 4
    movb $1, SCRATCH - 1
    CAUGHT
    CHECK "a load, and stores beside them: nothing", VECTOR, -1
    ARM SCRATCH, 3, 0
    TRY
    mov SCRATCH, %ebx
bp_4:
    nop
    CAUGHT
    CHECK "a load that is watched", FAULT_IP, bp_4
    DR6 "... DR6.B0", 1
    TRY
    push SCRATCH
    pop %ebx
    CAUGHT
    CHECK "a push from there", VECTOR, 1
    DR6 "... DR6.B0", 1
    TRY
    lock incl SCRATCH
    CAUGHT
    CHECK "a locked access", VECTOR, 1
    DR6 "... DR6.B0", 1
    TRY
    mov $SCRATCH, %esi
    mov $SCRATCH + 0x100, %edi
    mov $4, %ecx
    rep movsb
    CAUGHT
    CHECK "a string operation", VECTOR, 1
    DR6 "... DR6.B0", 1
    # general detect
    mov $0x2400, %eax
    mov %eax, %dr7
    TRY
    mov %dr0, %eax
    CAUGHT
    CHECK "MOV DR with DR7.GD: #DB", VECTOR, 1
    DR6 "... DR6.BD", 0x2000
    mov %dr7, %ebx
    and $0x2000, %ebx
    CHECK "... which clears GD", %ebx, 0
    mov $0x400, %eax
    mov %eax, %dr7
    # DR4 and DR5
    mov %dr4, %ebx
    and $0xffff0ff0, %ebx
    CHECK "DR4 is DR6", %ebx, 0xffff0ff0
    mov %cr4, %eax
    or $8, %eax
    mov %eax, %cr4
    TRY
    mov %dr4, %ebx
    CAUGHT
    CHECK "... but not with CR4.DE: #UD", VECTOR, 6
    # I/O
    ARM 0x80, 2, 0
    TRY
    out %al, $0x80
    CAUGHT
    CHECK "an I/O breakpoint", VECTOR, 1
    DR6 "... DR6.B0", 1
    mov $0x400, %eax
    mov %eax, %dr7
    ret
    .include "end.inc"
