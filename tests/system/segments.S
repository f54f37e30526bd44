# SPDX-License-Identifier: GPL-2.0-or-later
# Segments of protected mode: limits, expand-down, rights, null, not present, privileges; gates and
# returns between levels; LAR, LSL, VERR, VERW, ARPL (SDM volume 3, "Protection").
    .include "start.inc"
    .code32
main32:
    call limits
    call loading
    call levels
    call gates
    call questions
    FINISH

limits:
    SET_DESCRIPTOR FREE, 0x10000, 0xfff, 0x93, 4        # 4 KB of data
    mov $FREE, %eax
    mov %eax, %fs
    TRY
    movl $1, %fs:0xffc
    CAUGHT
    CHECK "the last doubleword of a segment", VECTOR, -1
    TRY
    movl $1, %fs:0xffd
    CAUGHT
    CHECK "a doubleword across the limit: #GP", VECTOR, 13
    CHECK "... with error code 0", ERROR, 0
    TRY
    movb $1, %fs:0x1000
    CAUGHT
    CHECK "a byte beyond the limit: #GP", VECTOR, 13
    TRY
    movl $1, %fs:-2
    CAUGHT
    CHECK "an access that wraps at 4 GB: #GP", VECTOR, 13
    SET_DESCRIPTOR FREE, 0x10000, 0xfff, 0x97, 4        # expand-down: above 0xfff
    mov $FREE, %eax
    mov %eax, %fs
    TRY
    movl $1, %fs:0x1000
    CAUGHT
    CHECK "expand-down: the first bytes", VECTOR, -1
    TRY
    movl $1, %fs:0xffc
    CAUGHT
    CHECK "expand-down: at the limit: #GP", VECTOR, 13
    SET_DESCRIPTOR FREE, 0x10000, 0xfff, 0x97, 0        # ... to 64 KB
    mov $FREE, %eax
    mov %eax, %fs
    TRY
    movl $1, %fs:0xfffe
    CAUGHT
    CHECK "expand-down, 16 bits: across 64 KB: #GP", VECTOR, 13
    SET_DESCRIPTOR FREE, 0x10000, 0xfff, 0x91, 4        # read-only
    mov $FREE, %eax
    mov %eax, %fs
    TRY
    movl $1, %fs:0
    CAUGHT
    CHECK "a store to a read-only segment: #GP", VECTOR, 13
    TRY
    movl %cs:0xf0000, %eax
    CAUGHT
    CHECK "a load from readable code", VECTOR, -1
    TRY
    movl %eax, %cs:0x5000
    CAUGHT
    CHECK "a store to code: #GP", VECTOR, 13
    # A stack that ends: #SS.
    SET_DESCRIPTOR FREE, 0, 0x7fff, 0x93, 4
    mov %esp, %ebx
    mov $FREE, %eax
    mov %eax, %ss
    TRY
    mov $0x8002, %ebp
    mov (%ebp), %eax
    CAUGHT
    mov $DATA0, %eax
    mov %eax, %ss
    mov %ebx, %esp
    CHECK "beyond the limit of SS: #SS", VECTOR, 12
    ret

loading:
    xor %eax, %eax
    mov %eax, %fs
    TRY
    movl %fs:0, %eax
    CAUGHT
    CHECK "a load through a null selector: #GP", VECTOR, 13
    TRY
    xor %eax, %eax
    mov %eax, %ss
    CAUGHT
    CHECK "a null selector in SS: #GP", VECTOR, 13
    TRY
    mov $0x108, %eax
    mov %eax, %fs
    CAUGHT
    CHECK "a selector beyond the GDT: #GP", VECTOR, 13
    CHECK "... names it", ERROR, 0x108
    TRY
    mov $0xc, %eax
    mov %eax, %fs
    CAUGHT
    CHECK "a selector of an LDT that is not there: #GP", ERROR, 0xc
    SET_DESCRIPTOR FREE, 0, 0xfffff, 0x13, 0xc          # not present
    TRY
    mov $FREE, %eax
    mov %eax, %fs
    CAUGHT
    CHECK "a segment that is not present: #NP", VECTOR, 11
    CHECK "... names it, RPL cleared", ERROR, FREE
    TRY
    mov $FREE, %eax
    mov %eax, %ss
    CAUGHT
    CHECK "a stack that is not present: #SS", VECTOR, 12
    SET_DESCRIPTOR FREE, 0, 0xfffff, 0x99, 0xc          # execute-only
    TRY
    mov $FREE, %eax
    mov %eax, %fs
    CAUGHT
    CHECK "execute-only code as data: #GP", VECTOR, 13
    TRY
    mov $TSS_SEL, %eax
    mov %eax, %fs
    CAUGHT
    CHECK "a TSS as data: #GP", VECTOR, 13
    SET_DESCRIPTOR FREE, 0, 0xfffff, 0x92, 0xc
    mov $FREE, %eax
    mov %eax, %fs
    movzbl GDT + 5 + FREE, %ecx
    CHECK "loading a segment sets its accessed bit", %ecx, 0x93
    # An LDT with one segment.
    SET_DESCRIPTOR FREE, SCRATCH, 0xf, 0x82, 0
    movl $0x5000ffff, SCRATCH + 8
    movl $0x00009300, SCRATCH + 12
    mov $FREE, %eax
    lldt %ax
    TRY
    mov $0xc, %eax
    mov %eax, %fs
    movl $0x1234, %fs:0x10
    CAUGHT
    CHECK "a segment of the LDT", VECTOR, -1
    CHECK "... at its base", 0x5010, 0x1234
    sldt %eax
    CHECK "SLDT", %eax, FREE
    xor %eax, %eax
    mov %eax, %fs
    lldt %ax
    ret

# Go to level 3 at 77 forward's label in eax.
to_level3:
    pop %ecx
    push $DATA3
    push $STACK3
    push $2
    push $CODE3
    push %eax
    mov $DATA3, %eax
    mov %eax, %ds
    mov %eax, %es
    iret

    .macro LEVEL3 label
    mov $\label, %eax
    call to_level3
\label:
    .endm

levels:
    TRY
    LEVEL3 level3_a
    cli
    CAUGHT
    CHECK "CLI at level 3: #GP", VECTOR, 13
    CHECK "... from level 3", FAULT_CS, CODE3
    CHECK "... whose stack pointer was saved", FAULT_SP, STACK3
    TRY
    LEVEL3 level3_b
    hlt
    CAUGHT
    CHECK "HLT at level 3: #GP", VECTOR, 13
    TRY
    LEVEL3 level3_c
    mov %cr0, %eax
    CAUGHT
    CHECK "MOV from CR0 at level 3: #GP", VECTOR, 13
    TRY
    LEVEL3 level3_d
    mov $DATA0, %eax
    mov %eax, %fs
    CAUGHT
    CHECK "a segment of level 0 at level 3: #GP", VECTOR, 13
    CHECK "... names it", ERROR, DATA0
    TRY
    LEVEL3 level3_e
    int $0x20
    CAUGHT
    CHECK "INT through a gate of level 0: #GP", VECTOR, 13
    CHECK "... names the gate", ERROR, 0x102
    movb $0xee, IDT + 0x21 * 8 + 5
    TRY
    LEVEL3 level3_f
    int $0x21
    CAUGHT
    CHECK "INT through a gate of level 3", VECTOR, 0x21
    TRY
    LEVEL3 level3_g
    out %al, $0x80
    CAUGHT
    CHECK "OUT at level 3 without a bitmap: #GP", VECTOR, 13
    # A bitmap that allows port 0x80 only.
    SET_DESCRIPTOR TSS_SEL, TSS, 0xff, 0x89, 0
    mov $(TSS + 0x68), %edi
    mov $0x20, %ecx
    mov $-1, %eax
    rep stosl
    movb $0xfe, TSS + 0x68 + 0x10
    mov $TSS_SEL, %eax
    ltr %ax
    TRY
    LEVEL3 level3_h
    out %al, $0x80
    int $0x21
    CAUGHT
    CHECK "OUT to a port that the bitmap allows", VECTOR, 0x21
    TRY
    LEVEL3 level3_i
    out %ax, $0x80
    CAUGHT
    CHECK "... but not to the next one with it: #GP", VECTOR, 13
    movzbl GDT + 5 + TSS_SEL, %eax
    CHECK "LTR marks the TSS busy", %eax, 0x8b
    TRY
    mov $TSS_SEL, %eax
    ltr %ax
    CAUGHT
    CHECK "LTR of a busy TSS: #GP", VECTOR, 13
    # IRET to an outer level takes away segments of the inner one.
    mov $DATA0, %eax
    mov %eax, %gs
    TRY
    LEVEL3 level3_j
    mov %gs, %ebx
    int $0x21
    CAUGHT
    CHECK "segments of level 0 do not come along to level 3", %ebx, 0
    # Flags: IOPL and IF stay at level 3.
    TRY
    LEVEL3 level3_k
    pushl $0x3202
    popf
    pushf
    pop %ebx
    int $0x21
    CAUGHT
    CHECK "POPF at level 3 changes neither IOPL nor IF", %ebx, 0x2
    ret

gate_target:                    # level 0, two parameters
    mov %cs, %esi
    mov 8(%esp), %ebx           # cs, eip below them
    mov 12(%esp), %ecx
    mov 16(%esp), %ebp          # outer esp
    lret $8

conforming_target:
    mov %cs, %esi
    lret

gates:
    SET_GATE GDT+FREE, CODE0, gate_target, 0xec, 2
    TRY
    LEVEL3 level3_l
    pushl $0x22222222
    pushl $0x11111111
    lcall $FREE, $0
    mov %esp, %edi
    int $0x21
    CAUGHT
    CHECK "a call gate to level 0 and back", VECTOR, 0x21
    CHECK "... runs at level 0", %esi, CODE0
    CHECK "... with the first parameter", %ebx, 0x11111111
    CHECK "... and the second", %ecx, 0x22222222
    CHECK "... and the outer stack's pointer", %ebp, STACK3-8
    CHECK "... RET takes the parameters from the outer stack too", %edi, STACK3
    SET_GATE GDT+FREE, CODE0, gate_target, 0x8c, 2
    TRY
    LEVEL3 level3_m
    lcall $FREE, $0
    CAUGHT
    CHECK "a call gate of level 0 from level 3: #GP", VECTOR, 13
    CHECK "... names the gate", ERROR, FREE
    SET_GATE GDT+FREE, CODE0, gate_target, 0x6c, 2
    TRY
    LEVEL3 level3_n
    lcall $FREE, $0
    CAUGHT
    CHECK "a call gate that is not present: #NP", VECTOR, 11
    TRY
    LEVEL3 level3_o
    ljmp $CODE0, $gates
    CAUGHT
    CHECK "a jump to a more privileged segment: #GP", VECTOR, 13
    SET_DESCRIPTOR FREE, 0, 0xfffff, 0x9e, 0xc          # conforming
    TRY
    LEVEL3 level3_p
    lcall $FREE, $conforming_target
    int $0x21
    CAUGHT
    CHECK "conforming code is called", VECTOR, 0x21
    CHECK "... at the level of the caller", %esi, FREE+3
    TRY
    LEVEL3 level3_q
    pushl $CODE0
    pushl $gates
    lret
    CAUGHT
    CHECK "a return to a more privileged level: #GP", VECTOR, 13
    TRY
    lcall $0, $0
    CAUGHT
    CHECK "a far call to a null selector: #GP", ERROR, 0
    TRY
    ljmp $DATA0, $0
    CAUGHT
    CHECK "a far jump to data: #GP", ERROR, DATA0
    ret

questions:
    mov $CODE0, %eax
    lar %ax, %ebx
    setz %cl
    movzbl %cl, %ecx
    CHECK "LAR sees code", %ecx, 1
    CHECK "... and its rights", %ebx, 0xc09b00
    mov $DATA16, %eax
    lsl %ax, %ebx
    CHECK "LSL: bytes", %ebx, 0xffff
    mov $CODE0, %eax
    lsl %ax, %ebx
    CHECK "LSL: pages", %ebx, 0xffffffff
    mov $CODE0, %eax
    verw %ax
    setz %cl
    movzbl %cl, %ecx
    CHECK "VERW refuses code", %ecx, 0
    mov $CODE0, %eax
    verr %ax
    setz %cl
    movzbl %cl, %ecx
    CHECK "VERR takes readable code", %ecx, 1
    mov $0x7000, %eax
    verr %ax
    setz %cl
    movzbl %cl, %ecx
    CHECK "VERR refuses what is beyond the table", %ecx, 0
    mov $0x10, %eax
    mov $3, %ecx
    arpl %cx, %ax
    movzwl %ax, %eax
    CHECK "ARPL raises RPL", %eax, 0x13
    ret
    .include "end.inc"
