# SPDX-License-Identifier: GPL-2.0-or-later
# Task switches: CALL, JMP and IRET, task gates, a fault in a task of its own, 16- and 32-bit TSS,
# busy bits, links, NT, CR0.TS, the debug trap bit (SDM volume 3, "Task management").
    .include "start.inc"
    .set GATE, FREE
    .set TASK_STACK, 0xb000

    .code32
main32:
    call calls
    call jumps
    call gates
    call faults
    call small
    FINISH

    # Make a task of TSS_B: its eip, flags, stack and segments.
    .macro TASK eip
    mov $TSS_B, %edi
    mov $26, %ecx
    xor %eax, %eax
    rep stosl
    movl $\eip, TSS_B + 0x20
    movl $2, TSS_B + 0x24
    movl $0xabcd, TSS_B + 0x28          # eax
    movl $TASK_STACK, TSS_B + 0x38
    movl $DATA0, TSS_B + 0x48           # es
    movl $CODE0, TSS_B + 0x4c
    movl $DATA0, TSS_B + 0x50
    movl $DATA0, TSS_B + 0x54
    SET_DESCRIPTOR TSS_B_SEL, TSS_B, 0x67, 0x89, 0
    .endm

calls:
    TASK task_a
    clts
    mov $0x1234, %ebp
    lcall $TSS_B_SEL, $0
    mov %ebp, %edi
    CHECK "CALL of a TSS: the task ran", SCRATCH, 0xabcd
    CHECK "... and came back with the registers of the caller", %edi, 0x1234
    CHECK "... its link was the caller's TSS", SCRATCH+4, TSS_SEL
    mov SCRATCH + 8, %ebx
    and $0x4000, %ebx
    CHECK "... it had NT", %ebx, 0x4000
    CHECK "... its TSS was busy", SCRATCH+12, 0x8b
    CHECK "... the caller's too", SCRATCH+16, 0x8b
    movzbl GDT + 5 + TSS_B_SEL, %ebx
    CHECK "... it is not any more", %ebx, 0x89
    str %ebx
    CHECK "... TR is the caller's", %ebx, TSS_SEL
    mov %cr0, %ebx
    and $8, %ebx
    CHECK "a task switch sets CR0.TS", %ebx, 8
    mov TSS_B + 0x20, %ebx
    CHECK "the task's TSS goes on behind its IRET", %ebx, task_a_end
    pushf
    pop %ebx
    and $0x4000, %ebx
    CHECK "NT is gone again", %ebx, 0
    TRY
    movb $0x8b, GDT + 5 + TSS_B_SEL
    lcall $TSS_B_SEL, $0
    CAUGHT
    CHECK "CALL of a busy TSS: #GP", ERROR, TSS_B_SEL
    SET_DESCRIPTOR TSS_B_SEL, TSS_B, 0x66, 0x89, 0
    TRY
    lcall $TSS_B_SEL, $0
    CAUGHT
    CHECK "CALL of a TSS that is too small: #TS", VECTOR, 10
    CHECK "... names it", ERROR, TSS_B_SEL
    SET_DESCRIPTOR TSS_B_SEL, TSS_B, 0x67, 0x09, 0
    TRY
    lcall $TSS_B_SEL, $0
    CAUGHT
    CHECK "CALL of a TSS that is not present: #NP", VECTOR, 11
    ret

task_a:
    mov %eax, SCRATCH
    movzwl TSS_B, %eax
    mov %eax, SCRATCH + 4
    pushf
    pop %eax
    mov %eax, SCRATCH + 8
    movzbl GDT + 5 + TSS_B_SEL, %eax
    mov %eax, SCRATCH + 12
    movzbl GDT + 5 + TSS_SEL, %eax
    mov %eax, SCRATCH + 16
    iret
task_a_end:
    ud2

jumps:
    TASK task_b
    movl $0, SCRATCH
    ljmp $TSS_B_SEL, $0
    CHECK "JMP to a TSS and back", SCRATCH, 0x89
    CHECK "... without NT", SCRATCH+4, 0
    movzbl GDT + 5 + TSS_SEL, %ebx
    CHECK "... busy moves with it", %ebx, 0x8b
    ret

task_b:
    movzbl GDT + 5 + TSS_SEL, %eax
    mov %eax, SCRATCH
    pushf
    pop %eax
    and $0x4000, %eax
    mov %eax, SCRATCH + 4
    ljmp $TSS_SEL, $0

gates:
    TASK task_c
    movw $0, IDT + 0x28 * 8
    movw $TSS_B_SEL, IDT + 0x28 * 8 + 2
    movw $0x8500, IDT + 0x28 * 8 + 4
    movl $0, SCRATCH
    int $0x28
    CHECK "INT through a task gate", SCRATCH, 0x77
    TASK task_c
    movl $0, SCRATCH
    movl $TSS_B_SEL << 16, GDT + GATE
    movl $0x8500, GDT + GATE + 4
    lcall $GATE, $0
    CHECK "CALL through a task gate", SCRATCH, 0x77
    # an exception with an error code: on the task's stack
    TASK task_d
    movw $TSS_B_SEL, IDT + 13 * 8 + 2
    movw $0x8500, IDT + 13 * 8 + 4
    mov $0x108, %eax
    mov %eax, %fs
    CHECK "a fault through a task gate: its error code", SCRATCH, 0x108
    CHECK "... on the task's stack", SCRATCH+4, TASK_STACK-4
    mov $(stubs + 16 * 13), %eax
    mov %ax, IDT + 13 * 8
    movw $CODE0, IDT + 13 * 8 + 2
    movw $0x8e00, IDT + 13 * 8 + 4
    # a stack that cannot take #SS: a double fault on a task of its own
    TASK task_e
    movw $TSS_B_SEL, IDT + 8 * 8 + 2
    movw $0x8500, IDT + 8 * 8 + 4
    SET_DESCRIPTOR GATE, 0, 0x7fff, 0x93, 4
    mov %esp, %ebx
    mov $GATE, %eax
    mov %eax, %ss
    mov $0x9000, %esp
    push %eax
after_double:
    mov $DATA0, %eax
    mov %eax, %ss
    mov %ebx, %esp
    CHECK "a push beyond the limit and no stack for #SS: #DF in its own task", SCRATCH, 0xdf
    mov $(stubs + 16 * 8), %eax
    mov %ax, IDT + 8 * 8
    movw $CODE0, IDT + 8 * 8 + 2
    movw $0x8e00, IDT + 8 * 8 + 4
    ret

task_c:
    movl $0x77, SCRATCH
    iret

task_d:
    mov %esp, SCRATCH + 4
    pop %eax
    mov %eax, SCRATCH
    movl $0, TSS + 0x28                 # eax of the faulting task: a null selector
    iret

task_e:
    movl $0xdf, SCRATCH
    movl $after_double, TSS + 0x20
    iret

faults:
    # A new task with a bad segment faults in the new task.
    TASK task_f
    movl $0x108, TSS_B + 0x58           # fs
    TRY
    lcall $TSS_B_SEL, $0
    CAUGHT
    CHECK "a task with a bad FS: #TS", VECTOR, 10
    CHECK "... names the selector", ERROR, 0x108
    CHECK "... at the first instruction of the task", FAULT_IP, task_f
    str %ebx
    CHECK "... whose TSS is current", %ebx, TSS_B_SEL
    SET_DESCRIPTOR TSS_SEL, TSS, 0x67, 0x89, 0
    mov $TSS_SEL, %eax
    ltr %ax
    # the trap bit
    TASK task_f
    movl $1, TSS_B + 0x64
    TRY
    lcall $TSS_B_SEL, $0
    CAUGHT
    CHECK "the T bit of a TSS: #DB", VECTOR, 1
    mov %dr6, %ebx
    and $0xe00f, %ebx
    CHECK "... with DR6.BT", %ebx, 0x8000
    xor %eax, %eax
    mov %eax, %dr6
    SET_DESCRIPTOR TSS_SEL, TSS, 0x67, 0x89, 0
    mov $TSS_SEL, %eax
    ltr %ax
    # IRET with NT to a TSS that is not busy
    movw $TSS_B_SEL, TSS
    SET_DESCRIPTOR TSS_B_SEL, TSS_B, 0x67, 0x89, 0
    TRY
    pushf
    orl $0x4000, (%esp)
    popf
    iret
    CAUGHT
    CHECK "IRET to a task that is not busy: #TS", ERROR, TSS_B_SEL
    pushl $2
    popf
    ret
task_f:
    ud2

small:
    # A 16-bit TSS.
    mov $TSS_C, %edi
    mov $22, %ecx
    xor %eax, %eax
    rep stosw
    movw $(task_g - image), TSS_C + 14
    movw $2, TSS_C + 16
    movw $0x4242, TSS_C + 18            # ax
    movw $0xb000, TSS_C + 26            # sp
    movw $DATA16, TSS_C + 34            # es
    movw $CODE16, TSS_C + 36
    movw $DATA16, TSS_C + 38
    movw $DATA16, TSS_C + 40
    lcall $TSS_C_SEL, $0
    mov SCRATCH, %ebx
    CHECK "a 16-bit TSS", %ebx, 0x4242
    ret
    .code16
task_g:
    movzwl %ax, %eax
    mov %eax, SCRATCH
    iret
    .include "end.inc"
