# SPDX-License-Identifier: GPL-2.0-or-later
# Long mode: gates, stacks, canonical addresses, SYSCALL, compatibility mode, segment bases
# (SDM volume 3, "IA-32e mode", "Interrupt and exception handling").
    .include "start.inc"
    .set LONG_CALL, FREE
    .set COMPAT, 0x80           # 32-bit code of level 0
    .set COMPAT3, 0x88          # CODE32, DATA, CODE64 of level 3 in SYSRET's order
    .code32
main32:
    SET_DESCRIPTOR COMPAT, 0, 0xfffff, 0x9b, 0xc
    SET_DESCRIPTOR COMPAT3, 0, 0xfffff, 0xfb, 0xc
    SET_DESCRIPTOR COMPAT3+8, 0, 0xfffff, 0xf3, 0xc
    SET_DESCRIPTOR COMPAT3+16, 0, 0xfffff, 0xfb, 0xa
    jmp to_long
    .include "long.inc"

    .code64
main64:
    call events
    call addresses
    call bases
    call levels
    call compatibility
    call calls
    jmp finish64

events:
    mov %rsp, %rbx
    TRY64
    ud2
    CAUGHT
    CHECK64 "UD2: #UD", VECTOR, 6
    CHECK64 "... has no error code", ERROR, 0
    CHECK64 "... was at level 0", FAULT_CS, CODE64
    CHECK64 "... whose stack pointer is saved", FAULT_SP, STACK0-8
    mov SCRATCH, %rax
    and $15, %eax
    CHECK64 "the frame of an event is aligned to 16 bytes", %rax, 8
    push %rbx
    TRY64
    ud2
    CAUGHT
    pop %rbx
    mov SCRATCH, %rax
    and $15, %eax
    CHECK64 "... wherever the stack pointer was", %rax, 8
    movb $1, IDT64 + 6 * 16 + 4
    TRY64
    ud2
    CAUGHT
    CHECK64 "an IST entry switches stacks at level 0 too", SCRATCH, STACK_TSS-0x800-40
    movb $0, IDT64 + 6 * 16 + 4
    mov FAULT_FLAGS, %rax
    and $0x10000, %eax
    CHECK64 "a fault's image of RFLAGS has RF", %rax, 0x10000
    TRY64
    int $0x22
    CAUGHT
    CHECK64 "INT", VECTOR, 0x22
    mov FAULT_FLAGS, %rax
    and $0x10000, %eax
    CHECK64 "... has no RF", %rax, 0
    TRY64
    int $0x80
    CAUGHT
    CHECK64 "INT beyond the IDT: #GP", VECTOR, 13
    CHECK64 "... names the entry", ERROR, 0x402
    movw $COMPAT, IDT64 + 0x23 * 16 + 2
    TRY64
    int $0x23
    CAUGHT
    CHECK64 "a gate to 32-bit code: #GP", ERROR, COMPAT
    movb $0x85, IDT64 + 0x24 * 16 + 5
    TRY64
    int $0x24
    CAUGHT
    CHECK64 "a task gate in long mode: #GP", ERROR, 0x122
    movl $0x8000, IDT64 + 0x25 * 16 + 8
    TRY64
    int $0x25
    CAUGHT
    CHECK64 "a gate to an address that is not canonical: #GP", VECTOR, 13
    TRY64
    pushfq
    orq $0x4000, (%rsp)
    popfq
    iretq
    CAUGHT
    CHECK64 "IRET with NT in long mode: #GP", VECTOR, 13
    # a double fault
    movb $0, IDT64 + 13 * 16 + 5
    TRY64
    int $0x80
    CAUGHT
    CHECK64 "#GP whose gate is not there: #DF", VECTOR, 8
    CHECK64 "... with error code 0", ERROR, 0
    movb $0x8e, IDT64 + 13 * 16 + 5
    ret

addresses:
    movb $1, IDT64 + 12 * 16 + 4        # a stack that works
    movb $1, IDT64 + 14 * 16 + 4
    mov $0x0000800000000000, %rbx
    TRY64
    mov (%rbx), %rax
    CAUGHT
    CHECK64 "a load from where addresses are not canonical: #GP", VECTOR, 13
    TRY64
    mov %rbx, %rbp
    mov (%rbp), %rax
    CAUGHT
    CHECK64 "... through RBP: #SS", VECTOR, 12
    TRY64
    mov %rbx, %rsp
    push %rax
    CAUGHT
    CHECK64 "a push next to the hole: an ordinary fault", VECTOR, 14
    TRY64
    lea 0x100(%rbx), %rsp
    push %rax
    CAUGHT
    CHECK64 "a push inside the hole: #SS", VECTOR, 12
    mov $0x00007ffffffffffc, %rbx
    TRY64
    mov (%rbx), %rax
    CAUGHT
    CHECK64 "a load that reaches into the hole: #GP", VECTOR, 13
    TRY64
    mov $0x0000900000000000, %rbx
    jmp *%rbx
    CAUGHT
    CHECK64 "a jump into the hole: #GP", VECTOR, 13
    # 32-bit addresses wrap.
    movq $0x1234, SCRATCH + 0x40
    mov $-0x10, %rcx
    mov SCRATCH + 0x50(%ecx), %rbx
    CHECK64 "32-bit addresses wrap at 4 GB", %rbx, 0x1234
    # segment limits do not count, null selectors neither
    xor %eax, %eax
    mov %eax, %ds
    TRY64
    mov SCRATCH, %rax
    CAUGHT
    CHECK64 "a null DS does not matter", VECTOR, -1
    mov $DATA0, %eax
    mov %eax, %ds
    ret

bases:
    mov $0xc0000100, %ecx
    mov $SCRATCH, %eax
    xor %edx, %edx
    wrmsr
    movq $0x5678, SCRATCH + 0x10
    mov %fs:0x10, %rbx
    CHECK64 "FS base by MSR", %rbx, 0x5678
    TRY64
    mov $0xc0000101, %ecx
    mov $0x8000, %edx
    wrmsr
    CAUGHT
    CHECK64 "a base that is not canonical: #GP", VECTOR, 13
    mov $0xc0000101, %ecx
    mov $0x1111, %eax
    xor %edx, %edx
    wrmsr
    mov $0xc0000102, %ecx
    mov $0x2222, %eax
    wrmsr
    swapgs
    mov $0xc0000101, %ecx
    rdmsr
    CHECK64 "SWAPGS: the kernel's base is active", %rax, 0x2222
    mov $0xc0000102, %ecx
    rdmsr
    CHECK64 "... and the user's is kept", %rax, 0x1111
    TRY64
    rdfsbase %rbx
    CAUGHT
    CHECK64 "RDFSBASE without CR4.FSGSBASE: #UD", VECTOR, 6
    mov %cr4, %rax
    or $0x10000, %eax
    mov %rax, %cr4
    rdfsbase %rbx
    CHECK64 "RDFSBASE", %rbx, SCRATCH
    mov $0x3333, %ebx
    wrgsbase %rbx
    mov $0xc0000101, %ecx
    rdmsr
    CHECK64 "WRGSBASE", %rax, 0x3333
    TRY64
    mov $0xc0000102, %ecx
    mov $0x12345678, %ecx
    rdmsr
    CAUGHT
    CHECK64 "a model-specific register that is not there: #GP", VECTOR, 13
    TRY64
    mov %cr4, %rax
    and $~0x20, %eax
    mov %rax, %cr4
    CAUGHT
    CHECK64 "CR4.PAE cannot go in long mode: #GP", VECTOR, 13
    TRY64
    mov %cr0, %rax
    mov $1, %ebx
    shl $32, %rbx
    or %rbx, %rax
    mov %rax, %cr0
    CAUGHT
    CHECK64 "CR0 has 32 bits: #GP", VECTOR, 13
    mov %cr8, %rax
    CHECK64 "CR8", %rax, 0
    ret

    # To 64-bit code of level 3 at a label.
    .macro USER label
    pushq $DATA3
    pushq $STACK3
    pushq $2
    pushq $CODE64_3
    pushq $\label
    iretq
\label:
    .endm

    .macro USER32 label
    pushq $(COMPAT3 + 8 + 3)
    pushq $STACK3
    pushq $2
    pushq $(COMPAT3 + 3)
    pushq $\label
    iretq
\label:
    .endm

levels:
    movb $0xee, IDT64 + 0x21 * 16 + 5
    TRY64
    USER user_a
    cli
    CAUGHT
    CHECK64 "CLI at level 3: #GP", VECTOR, 13
    CHECK64 "... on the stack of the TSS", SCRATCH, STACK_TSS-40
    CHECK64 "... from level 3", FAULT_CS, CODE64_3
    CHECK64 "... with its stack", FAULT_SP, STACK3
    TRY64
    USER user_b
    mov %ss, %ebx
    int $0x21
    CAUGHT
    CHECK64 "IRET to level 3 loads SS", %rbx, DATA3
    SET_GATE64 GDT+LONG_CALL, CODE64, long_target, 0xec
    TRY64
    USER user_c
    lcall *far_pointer
    mov %rsp, %rdi
    int $0x21
    CAUGHT
    CHECK64 "a call gate to level 0 and back", VECTOR, 0x21
    CHECK64 "... ran at level 0", %rsi, CODE64
    CHECK64 "... with a null SS", %rbp, 0
    CHECK64 "... and came back to the stack", %rdi, STACK3
    TRY64
    USER user_d
    swapgs
    CAUGHT
    CHECK64 "SWAPGS at level 3: #GP", VECTOR, 13
    TRY64
    USER user_e
    mov $0x10, %ecx
    rdmsr
    CAUGHT
    CHECK64 "RDMSR at level 3: #GP", VECTOR, 13
    # UMIP
    mov %cr4, %rax
    or $0x800, %eax
    mov %rax, %cr4
    TRY64
    USER user_f
    sgdt SCRATCH
    CAUGHT
    CHECK64 "SGDT at level 3 with CR4.UMIP: #GP", VECTOR, 13
    ret

long_target:
    mov %cs, %esi
    mov %ss, %ebp
    lretq

far_pointer:
    .long 0
    .word LONG_CALL + 3

compatibility:
    mov %rsp, SCRATCH + 8
    ljmp *to_compat
    .code32
compat:
    mov $DATA0, %ecx
    mov %ecx, %ds
    mov %ecx, %ss
    mov $0x40000000, %eax
    inc %eax                    # 40: no REX prefix here
    mov %eax, SCRATCH
    pushl $0x55
    mov %esp, %ebx
    ljmp $CODE64, $back_to_64
    .code64
back_to_64:
    mov SCRATCH + 8, %rsp
    CHECK64 "compatibility mode decodes as 32-bit code", SCRATCH, 0x40000001
    TRY64
    USER32 user_g
    .code32
    cli
    .code64
    CAUGHT
    CHECK64 "a fault in compatibility mode arrives in 64-bit code", VECTOR, 13
    CHECK64 "... from 32-bit code", FAULT_CS, COMPAT3+3
    ret
to_compat:
    .long compat
    .word COMPAT

calls:
    mov $0xc0000081, %ecx
    xor %eax, %eax
    mov $(((COMPAT3 + 3) << 16) | CODE64), %edx
    wrmsr
    mov $0xc0000082, %ecx
    mov $syscall_target, %eax
    xor %edx, %edx
    wrmsr
    mov $0xc0000084, %ecx
    mov $0x47700, %eax
    wrmsr
    TRY64
    USER user_h
    std
    syscall
after_syscall:
    mov %cs, %ebx
    mov %ss, %ebp
    pushfq
    pop %rdi
    int $0x21
    CAUGHT
    CHECK64 "SYSCALL and SYSRET", VECTOR, 0x21
    CHECK64 "... the target's code segment", %r8, CODE64
    CHECK64 "... and stack segment", %r9, CODE64+8
    CHECK64 "... RCX is the return address", %r10, after_syscall
    CHECK64 "... R11 has the flags", %r12, 0x402
    CHECK64 "... those in SFMASK are cleared", %r13, 0x2
    CHECK64 "... SYSRET's code segment", %rbx, COMPAT3+16+3
    CHECK64 "... and stack segment", %rbp, COMPAT3+8+3
    CHECK64 "... and flags", %rdi, 0x402
    TRY64
    mov $0x800000000000, %rcx
    mov $2, %r11d
    sysretq
    CAUGHT
    CHECK64 "SYSRET to an address that is not canonical: #GP", VECTOR, 13
    # SYSENTER
    mov $0x174, %ecx
    mov $CODE64, %eax
    xor %edx, %edx
    wrmsr
    mov $0x175, %ecx
    mov $(STACK0 - 0x100), %eax
    wrmsr
    mov $0x176, %ecx
    mov $sysenter_target, %eax
    wrmsr
    TRY64
    USER user_i
    sysenter
    CAUGHT
    CHECK64 "SYSENTER", VECTOR, 0x21
    CHECK64 "... its stack", %rbx, STACK0-0x100
    CHECK64 "... its code segment", %rsi, CODE64
    TRY64
    mov $0xc0000080, %ecx
    rdmsr
    and $~1, %eax
    wrmsr
    USER user_j
    syscall
    CAUGHT
    CHECK64 "SYSCALL without EFER.SCE: #UD", VECTOR, 6
    ret

syscall_target:
    mov %cs, %r8d
    mov %ss, %r9d
    mov %rcx, %r10
    mov %r11, %r12
    mov %rsp, %r14
    mov $STACK0 - 0x200, %esp
    pushfq
    pop %r13
    mov %r14, %rsp
    sysretq

sysenter_target:
    mov %rsp, %rbx
    mov %cs, %esi
    int $0x21
    .include "end.inc"
