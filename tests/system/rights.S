# SPDX-License-Identifier: GPL-2.0-or-later
# Paging in long mode: NX, SMEP, SMAP with AC, protection keys, 1 GB pages, reserved bits, PCID and
# INVPCID, and five levels (SDM volume 3, "Paging").
    .include "start.inc"
    .set TEST, 0x200000
    .set TEST_PTE, PT + 0x1000
    .set PML5, 0x18000
    .code32
main32:
    mov %cr4, %eax
    jmp to_long
    .include "long.inc"
    .code64

    .macro PTE64 low, high=0
    movl $(TEST + \low), TEST_PTE
    movl $\high, TEST_PTE + 4
    invlpg TEST
    .endm

    .macro USER label
    pushq $DATA3
    pushq $STACK3
    pushq $2
    pushq $CODE64_3
    pushq $\label
    iretq
\label:
    .endm

    .macro CR4_SET bit
    mov %cr4, %rax
    bts $\bit, %rax
    mov %rax, %cr4
    .endm
    .macro CR4_CLEAR bit
    mov %cr4, %rax
    btr $\bit, %rax
    mov %rax, %cr4
    .endm

main64:
    movb $0xee, IDT64 + 0x21 * 16 + 5
    call entries
    call supervisor
    call keys
    call contexts
    jmp five_levels

entries:
    PTE64 7, 0x80000000
    movb $0xc3, TEST
    TRY64
    call TEST
    CAUGHT
    CHECK64 "NX: a call: #PF", ERROR, 0x11
    TRY64
    USER user_a
    jmp TEST
    CAUGHT
    CHECK64 "NX: a jump at level 3", ERROR, 0x15
    PTE64 7, 0x40000            # a bit above the physical addresses: 50
    TRY64
    mov TEST, %eax
    CAUGHT
    CHECK64 "an address that the CPU does not have: #PF", ERROR, 9
    PTE64 7, 0x7f00000
    TRY64
    mov TEST, %eax
    CAUGHT
    CHECK64 "bits 52 to 58 are ignored", VECTOR, -1
    # 1 GB pages: linear 1 GB is physical 0
    movl $0x87, PDPT + 8
    movq $0x99, SCRATCH
    mov $0x40000000, %ebx
    mov SCRATCH(%rbx), %rcx
    CHECK64 "a 1 GB page", %rcx, 0x99
    mov PDPT + 8, %rcx
    CHECK64 "... is marked accessed", %rcx, 0xa7
    movl $0x2087, PDPT + 16
    mov $0x80000000, %ebx
    TRY64
    mov (%rbx), %rax
    CAUGHT
    CHECK64 "... with a reserved bit: #PF", ERROR, 9
    movl $(PD + 0x87), PML4 + 8
    mov $0x8000000000, %rbx
    TRY64
    mov (%rbx), %rax
    CAUGHT
    CHECK64 "PS in level 4 is reserved: #PF", ERROR, 9
    # locked and 16-byte accesses across pages
    PTE64 0
    TRY64
    lock incl TEST - 2
    CAUGHT
    CHECK64 "a locked access into a missing page: #PF", ERROR, 2
    mov %cr2, %rcx
    CHECK64 "... there", %rcx, TEST
    ret

supervisor:
    PTE64 7
    movb $0xc3, TEST
    # our own code, data and stacks are the supervisor's from here on
    xor %ecx, %ecx
1:  andb $~4, PT(, %rcx, 8)
    inc %ecx
    cmp $0x200, %ecx
    jb 1b
    mov %cr3, %rax
    mov %rax, %cr3
    CR4_SET 20
    TRY64
    call TEST
    CAUGHT
    CHECK64 "SMEP: a call into a page of the user: #PF", ERROR, 0x11
    CR4_SET 21
    TRY64
    mov TEST, %eax
    CAUGHT
    CHECK64 "SMAP: a load from it: #PF", ERROR, 1
    TRY64
    mov %eax, TEST
    CAUGHT
    CHECK64 "... a store", ERROR, 3
    TRY64
    stac
    mov TEST, %eax
    CAUGHT
    CHECK64 "... not with AC", VECTOR, -1
    clac
    TRY64
    mov TEST, %eax
    CAUGHT
    CHECK64 "... again without", ERROR, 1
    # implicit accesses do not ask AC: an LDT in the user's page
    stac
    movl $0x0000ffff, TEST + 8
    movl $0x00cf9300, TEST + 12
    SET_DESCRIPTOR FREE, TEST, 0xf, 0x82, 0
    movq $0, GDT + FREE + 8
    mov $FREE, %ecx
    lldt %cx
    TRY64
    mov $0xc, %ecx
    mov %ecx, %fs
    CAUGHT
    clac
    CHECK64 "SMAP: a descriptor in a page of the user: #PF, AC or not", VECTOR, 14
    CR4_CLEAR 21
    CR4_CLEAR 20
    ret

keys:
    xor %ecx, %ecx
1:  orb $4, PT(, %rcx, 8)
    inc %ecx
    cmp $0x200, %ecx
    jb 1b
    mov %cr3, %rax
    mov %rax, %cr3
    TRY64
    xor %ecx, %ecx
    rdpkru
    CAUGHT
    CHECK64 "RDPKRU without CR4.PKE: #UD", VECTOR, 6
    CR4_SET 22
    PTE64 7, 0x28000000         # key 5
    xor %ecx, %ecx
    xor %edx, %edx
    mov $0x400, %eax            # key 5: no access
    wrpkru
    TRY64
    mov TEST, %eax
    CAUGHT
    CHECK64 "a key that forbids all: #PF", ERROR, 0x21
    mov $0x800, %eax            # no writes
    xor %ecx, %ecx
    xor %edx, %edx
    wrpkru
    TRY64
    mov TEST, %eax
    CAUGHT
    CHECK64 "a key that forbids stores: a load", VECTOR, -1
    TRY64
    mov %eax, TEST
    CAUGHT
    CHECK64 "... a store at level 0 without CR0.WP", VECTOR, -1
    mov %cr0, %rax
    bts $16, %rax
    mov %rax, %cr0
    TRY64
    mov %eax, TEST
    CAUGHT
    CHECK64 "... with it: #PF", ERROR, 0x23
    TRY64
    USER user_b
    mov %eax, TEST
    CAUGHT
    CHECK64 "... at level 3: #PF", ERROR, 0x27
    movb $0xc3, SCRATCH
    TRY64
    xor %ecx, %ecx
    rdpkru
    mov %eax, %ebx
    CAUGHT
    CHECK64 "RDPKRU", %rbx, 0x800
    xor %ecx, %ecx
    xor %edx, %edx
    xor %eax, %eax
    wrpkru
    mov %cr0, %rax
    btr $16, %rax
    mov %rax, %cr0
    CR4_CLEAR 22
    ret

contexts:
    PTE64 7
    CR4_SET 7
    CR4_SET 17
    mov TEST, %eax
    # the entry changes; a load of CR3 that may keep translations, then INVPCID of all
    movl $(TEST + 0x1007), TEST_PTE
    invlpg TEST
    movl $0xbeef, TEST
    PTE64 7
    movl $0xcafe, TEST
    mov TEST, %eax
    movl $(TEST + 0x1007), TEST_PTE
    mov $2, %eax
    invpcid invpcid_zero, %rax
    mov TEST, %ecx
    CHECK64 "INVPCID of everything", %rcx, 0xbeef
    movl $(TEST + 7), TEST_PTE
    xor %eax, %eax
    invpcid invpcid_test, %rax
    mov TEST, %ecx
    CHECK64 "INVPCID of an address", %rcx, 0xcafe
    TRY64
    mov $4, %eax
    invpcid invpcid_zero, %rax
    CAUGHT
    CHECK64 "INVPCID of a kind that is not there: #GP", VECTOR, 13
    mov %cr3, %rax
    or $5, %rax
    bts $63, %rax
    mov %rax, %cr3
    mov %cr3, %rcx
    and $0xfff, %ecx
    CHECK64 "CR3 has the context, not bit 63", %rcx, 5
    TRY64
    mov %cr0, %rax
    btr $31, %rax
    mov %rax, %cr0
    CAUGHT
    CHECK64 "paging cannot go off with CR4.PCIDE: #GP", VECTOR, 13
    mov $PML4, %eax
    mov %rax, %cr3
    CR4_CLEAR 17
    ret

five_levels:
    TRY64
    CR4_SET 12
    CAUGHT
    CHECK64 "CR4.LA57 cannot change in long mode: #GP", VECTOR, 13
    # through compatibility mode to 32-bit code without paging, and back with five levels
    ljmp *to_compat
to_compat:
    .long compat
    .word CODE0
    .code32
compat:
    mov $DATA0, %eax
    mov %eax, %ss
    mov %eax, %ds
    mov %eax, %es
    mov %cr0, %eax
    btr $31, %eax
    mov %eax, %cr0
    mov $PML5, %edi
    mov $0x400, %ecx
    xor %eax, %eax
    rep stosl
    movl $(PML4 + 7), PML5
    movl $(PML4 + 7), PML5 + 8          # linear 2^48 is physical 0 again
    mov $PML5, %eax
    mov %eax, %cr3
    mov %cr4, %eax
    bts $12, %eax
    mov %eax, %cr4
    mov %cr0, %eax
    bts $31, %eax
    mov %eax, %cr0
    ljmp $CODE64, $five
    .code64
five:
    movq $0x5757, SCRATCH
    mov $0x0001000000000000, %rbx
    TRY64
    mov SCRATCH(%rbx), %rcx
    CAUGHT
    CHECK64 "five levels: an address above 2^48", VECTOR, -1
    CHECK64 "... leads where it should", %rcx, 0x5757
    mov PML5 + 8, %rcx
    CHECK64 "... and marks the top entry", %rcx, PML4+0x27
    mov $0x0100000000000000, %rbx
    TRY64
    mov (%rbx), %rax
    CAUGHT
    CHECK64 "2^56 is not canonical: #GP", VECTOR, 13
    jmp finish64

    .balign 16
invpcid_zero:
    .quad 0, 0
invpcid_test:
    .quad 0, TEST
    .include "end.inc"
