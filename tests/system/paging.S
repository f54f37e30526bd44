# SPDX-License-Identifier: GPL-2.0-or-later
# Paging without PAE and with it: present, rights, WP, sizes, accessed and dirty bits, reserved bits,
# NX, error codes, global pages (SDM volume 3, "Paging").
    .include "start.inc"
    .set DIR, 0x10000
    .set TABLE, 0x11000         # the first 4 MB
    .set TEST, 0x200000         # the page that changes
    .set TEST_PTE, TABLE + 0x800
    .set USER_FLAGS, 0x3002
    .set PAE_PDPT, 0x14000
    .set PAE_PD, 0x15000
    .set PAE_PT, 0x16000        # 0x17000 is the second half
    .set PAE_PTE, PAE_PT + 0x1000

    # Level 3, at a label.
    .macro LEVEL3 label
    pushl $DATA3
    pushl $STACK3
    pushl $2
    pushl $CODE3
    pushl $\label
    mov $DATA3, %eax
    mov %eax, %ds
    mov %eax, %es
    iret
\label:
    .endm

    # Write the entry of the test page, and let the TLB know.
    .macro PTE flags
    movl $(TEST + \flags), TEST_PTE
    invlpg TEST
    .endm

    .code32
main32:
    movb $0xee, IDT + 0x21 * 8 + 5
    call narrow
    jmp wide

narrow:
    mov $DIR, %edi
    mov $1024, %ecx
    xor %eax, %eax
    rep stosl
    mov $7, %eax
    mov $TABLE, %edi
1:  stosl
    add $0x1000, %eax
    cmp $0x400007, %eax
    jb 1b
    movl $(TABLE + 7), DIR
    mov $DIR, %eax
    mov %eax, %cr3
    mov %cr0, %eax
    or $0x80000000, %eax
    mov %eax, %cr0
    movl $0x1234, TEST
    mov TEST, %ebx
    CHECK "paging is on", %ebx, 0x1234

    PTE 0
    TRY
    mov TEST + 4, %eax
    CAUGHT
    CHECK "a page that is not present: #PF", VECTOR, 14
    CHECK "... read at level 0", ERROR, 0
    mov %cr2, %ebx
    CHECK "... CR2 has the address", %ebx, TEST+4
    TRY
    movl $1, TEST
    CAUGHT
    CHECK "... written", ERROR, 2
    TRY
    LEVEL3 user_a
    mov TEST, %eax
    CAUGHT
    CHECK "... read at level 3", ERROR, 4
    TRY
    LEVEL3 user_b
    movl $1, TEST
    CAUGHT
    CHECK "... written at level 3", ERROR, 6
    PTE 3
    TRY
    LEVEL3 user_c
    mov TEST, %eax
    CAUGHT
    CHECK "a page of the supervisor at level 3", ERROR, 5
    PTE 5
    TRY
    LEVEL3 user_d
    movl $1, TEST
    CAUGHT
    CHECK "a store to a read-only page at level 3", ERROR, 7
    TRY
    movl $0x55, TEST
    CAUGHT
    CHECK "... is no fault at level 0 without CR0.WP", VECTOR, -1
    CHECK "... and is done", TEST, 0x55
    mov %cr0, %eax
    or $0x10000, %eax
    mov %eax, %cr0
    TRY
    movl $1, TEST
    CAUGHT
    CHECK "... but with it", ERROR, 3
    # A and D
    PTE 7
    mov TEST, %eax
    mov TEST_PTE, %ebx
    CHECK "a load sets A", %ebx, TEST+0x27
    movl %eax, TEST
    mov TEST_PTE, %ebx
    CHECK "a store sets D", %ebx, TEST+0x67
    PTE 7
    lock incl TEST
    mov TEST_PTE, %ebx
    CHECK "a locked access sets both", %ebx, TEST+0x67
    # A TLB entry that was read through must not let a store pass without D.
    PTE 7
    mov TEST, %eax
    PTE 7
    movl %eax, TEST
    mov TEST_PTE, %ebx
    CHECK "a store after INVLPG sets D", %ebx, TEST+0x67
    # page crossing: the second page is missing, the first is not written
    movl $0, TEST - 4
    PTE 0
    TRY
    movl $-1, TEST - 2
    CAUGHT
    mov %cr2, %ebx
    CHECK "a store across pages faults in the second", %ebx, TEST
    CHECK "... and leaves the first alone", TEST-4, 0
    # 4 MB pages
    mov %cr4, %eax
    or $0x10, %eax
    mov %eax, %cr4
    movl $0x000087, DIR + 4     # 4 MB to 8 MB are 0 to 4 MB again
    movl $0x777, SCRATCH
    mov 0x400000 + SCRATCH, %ebx
    CHECK "a 4 MB page", %ebx, 0x777
    mov DIR + 4, %ebx
    CHECK "... has A", %ebx, 0xa7
    movl $0x778, 0x400000 + SCRATCH
    mov DIR + 4, %ebx
    CHECK "... and D", %ebx, 0xe7
    CHECK "... one memory", SCRATCH, 0x778
    movl $0x200087, DIR + 4
    invlpg 0x400000
    TRY
    mov 0x400000, %eax
    CAUGHT
    CHECK "... with a reserved bit: #PF", ERROR, 9
    # 0x21 of the directory: user rights of both levels count
    PTE 7
    movl $(TABLE + 5), DIR + 4
    mov %cr3, %eax
    mov %eax, %cr3
    TRY
    movl $1, TEST + 0x400000
    CAUGHT
    CHECK "write rights of the directory entry count", ERROR, 3
    mov %cr0, %eax
    and $~0x10000, %eax
    mov %eax, %cr0
    # global pages survive a CR3 load
    mov %cr4, %eax
    or $0x80, %eax
    mov %eax, %cr4
    PTE 0x107
    movl $0x11, TEST
    movl $(TEST + 0x1000 + 0x107), TEST_PTE
    movl $0x22, TEST + 0x1000
    mov %cr3, %eax
    mov %eax, %cr3
    mov TEST, %ebx
    CHECK "a global page survives a CR3 load", %ebx, 0x11
    invlpg TEST
    mov TEST, %ebx
    CHECK "... but not INVLPG", %ebx, 0x22
    mov %cr4, %eax
    and $~0x90, %eax
    mov %eax, %cr4
    mov %cr0, %eax
    and $0x7fffffff, %eax
    mov %eax, %cr0
    mov TEST, %ebx
    CHECK "without paging addresses are physical", %ebx, 0x11
    ret

    .macro PAE_ENTRY low, high
    movl $(TEST + \low), PAE_PTE
    movl $\high, PAE_PTE + 4
    invlpg TEST
    .endm

wide:
    mov $PAE_PDPT, %edi
    mov $0x1000, %ecx
    xor %eax, %eax
    rep stosl
    movl $(PAE_PD + 1), PAE_PDPT
    movl $(PAE_PT + 7), PAE_PD
    movl $(PAE_PT + 0x1007), PAE_PD + 8
    mov $7, %eax
    mov $PAE_PT, %edi
1:  mov %eax, (%edi)
    add $8, %edi
    add $0x1000, %eax
    cmp $0x400007, %eax
    jb 1b
    mov %cr4, %eax
    or $0x20, %eax
    mov %eax, %cr4
    mov $PAE_PDPT, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    rdmsr
    or $0x800, %eax
    wrmsr
    mov %cr0, %eax
    or $0x80000000, %eax
    mov %eax, %cr0
    movl $0x1235, TEST
    mov TEST, %ebx
    CHECK "PAE paging is on", %ebx, 0x1235
    PAE_ENTRY 7, 0x80000000
    movb $0xc3, TEST
    TRY
    call TEST
    CAUGHT
    CHECK "a call into a page with NX: #PF", VECTOR, 14
    CHECK "... a fetch", ERROR, 0x11
    mov %cr2, %ebx
    CHECK "... CR2 has the address", %ebx, TEST
    PAE_ENTRY 7, 0
    TRY
    call TEST
    CAUGHT
    CHECK "... without NX it is code", VECTOR, -1
    PAE_ENTRY 7, 0x40000000
    TRY
    mov TEST, %eax
    CAUGHT
    CHECK "a reserved bit: #PF", ERROR, 9
    PAE_ENTRY 7, 0x80000000
    mov $0xc0000080, %ecx
    rdmsr
    and $~0x800, %eax
    wrmsr
    invlpg TEST
    TRY
    mov TEST, %eax
    CAUGHT
    CHECK "NX without EFER.NXE is reserved: #PF", ERROR, 9
    rdmsr
    or $0x800, %eax
    wrmsr
    # 2 MB pages
    movl $0x200087, PAE_PD + 8
    invlpg TEST
    movl $0x4321, TEST + 0x123450
    mov PAE_PD + 8, %ebx
    CHECK "a 2 MB page: A and D", %ebx, 0x2000e7
    movl $0x200187 + 0x2000, PAE_PD + 16
    TRY
    mov 0x400000, %eax
    CAUGHT
    CHECK "... with a reserved bit: #PF", ERROR, 9
    # page-directory pointers are loaded with CR3
    movl $0, PAE_PDPT
    invlpg TEST
    TRY
    mov TEST, %eax
    CAUGHT
    CHECK "page-directory pointers are kept by the CPU", VECTOR, -1
    movl $(PAE_PD + 0x21), PAE_PDPT
    TRY
    mov %cr3, %eax
    mov %eax, %cr3
    CAUGHT
    CHECK "a reserved bit in one: MOV CR3 raises #GP", VECTOR, 13
    movl $(PAE_PD + 1), PAE_PDPT
    # SMEP and SMAP
    movl $(PAE_PT + 0x1007), PAE_PD + 8
    PAE_ENTRY 7, 0
    movb $0xc3, TEST
    mov %cr4, %ecx
    mov %ecx, %eax
    or $0x100000, %eax
    movl $0xf0003, PAE_PT + 0xf0 * 8  # our own code is the supervisor's
    movl $0xf1003, PAE_PT + 0xf1 * 8
    movl $0xf2003, PAE_PT + 0xf2 * 8
    mov %eax, %cr4
    TRY
    call TEST
    CAUGHT
    CHECK "SMEP: a fetch from a user page: #PF", ERROR, 0x11
    mov %ecx, %cr4
    TRY
    call TEST
    CAUGHT
    CHECK "... and without", VECTOR, -1
    FINISH
    .include "end.inc"
