/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loops that run without checks (strip.c) against the interpreter: the whole state and all memory
 * must be the same behind them, or at the fault in them (on a host without BMI2 both are
 * interpreted). Host faults: tests/cpu.
 */
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

#include <string.h>

enum {
    TABLE = 0xc000, /* the first 2 MB in small pages */
    FROM = 0x40000, /* pages of numbers: to 0x80000  */
    TO = 0x80000,
    ALIAS = 0x100000,        /* the same memory as FROM       */
    NO_STRIP = 0x7f7f7f7f,   /* where none ends */
    MISSING = FROM + 0x6000, /* what a test takes away        */
};

/* rsi: from, rdi: to, rcx: rounds */
/* clang-format off */
GUEST(up, ".code64\n 1: mov (%rsi), %rax\n add $8, %rsi\n add %rax, (%rdi)\n add $8, %rdi\n"
          " sub $1, %rcx\n jnz 1b\n pushf\n hlt");
GUEST(down, ".code64\n 1: mov -8(%rsi), %rax\n sub $8, %rsi\n mov %eax, -4(%rdi)\n lea -4(%rdi), %rdi\n"
            " dec %ecx\n jnz 1b\n pushf\n hlt");
GUEST(ends, ".code64\n lea (%rsi,%rcx,8), %rdx\n 1: mov (%rsi), %rax\n add $8, %rsi\n xor -8(%rsi), %rbx\n"
            " mov %rax, (%rdi)\n add $8, %rdi\n cmp %rdx, %rsi\n jne 1b\n pushf\n hlt");
GUEST(odd, ".code64\n 1: mov (%rsi), %eax\n add $7, %rsi\n add %rax, %rdx\n add %al, (%rdi)\n sub $-3, %rdi\n"
           " dec %rcx\n jne 1b\n pushf\n hlt");
GUEST(feeds, ".code64\n 1: mov (%rsi), %eax\n lea 1(%rax,%rax,2), %eax\n mov %eax, 4(%rsi)\n add $4, %rsi\n"
             " sub $1, %ecx\n jne 1b\n pushf\n hlt");
GUEST(pushes, ".code64\n 1: push %rcx\n mov (%rsp), %rax\n add %rax, %rdx\n push (%rsi)\n add $8, %rsi\n pop %rbx\n"
              " adc %rbx, %rdx\n sub $1, %rcx\n jne 1b\n pushf\n hlt");
GUEST(indexed, ".code64\n xor %eax, %eax\n 1: mov (%rsi,%rax,4), %edx\n adc 7f(%rip), %edx\n mov %edx, (%rdi,%rax,4)\n"
               " inc %rax\n cmp %rcx, %rax\n jb 1b\n pushf\n hlt\n 7: .long 0x12345");
GUEST(looks_up, ".code64\n 1: movzbl (%rsi), %eax\n inc %rsi\n addl $1, (%rdi,%rax,4)\n movzbl -1(%rsi), %edx\n"
                " dec %rcx\n jne 1b\n pushf\n hlt");
GUEST(near_code, ".code64\n 1: lea 7f(%rip), %rbx\n movzbl (%rsi), %eax\n inc %rsi\n and $15, %eax\n mov (%rbx,%rax,8), %rdx\n add 8(%rbx), %rdx\n"
                 " add %rdx, (%rdi)\n add $8, %rdi\n dec %rcx\n jne 1b\n pushf\n hlt\n 7: .fill 20, 8, 0x9abcdef");
GUEST(framed, ".code64\n mov %rsi, %r8\n mov %rdi, %r9\n 1: mov (%r8), %r10\n add $8, %r8\n mov %r10, (%r9)\n"
              " sub $-8, %r9\n add (%r8), %r11\n sub $1, %rcx\n jne 1b\n pushf\n hlt");
GUEST(searches, ".code64\n xor %ebx, %ebx\n 1: cmp %rbx, (%rsi)\n je 2f\n add $8, %rsi\n cmp (%rdi), %rdx\n jb 2f\n"
                " dec %rcx\n jne 1b\n 2: pushf\n hlt");
GUEST(stays, ".code64\n 1: add (%rsi), %rax\n incl (%rdi)\n shl %cl, %rax\n dec %ecx\n jne 1b\n pushf\n hlt");
GUEST(vectors, ".code64\n 1: movdqu (%rsi), %xmm0\n paddd %xmm0, %xmm1\n movdqu %xmm1, (%rdi)\n add $16, %rsi\n"
               " add $16, %rdi\n dec %rcx\n jne 1b\n pushf\n hlt");
GUEST(doubles, ".code64\n fninit\n 1: fldl (%rsi)\n add $8, %rsi\n fadd %st(0)\n fstpl (%rdi)\n add $8, %rdi\n dec %rcx\n"
               " jne 1b\n pushf\n hlt");
GUEST(times, ".code64\n mov %rcx, %r12\n mov %rsi, %r13\n 2: mov %r12, %rcx\n mov %r13, %rsi\n"
             " 1: add %rcx, (%rsi)\n add $8, %rsi\n dec %rcx\n jne 1b\n dec %edx\n jne 2b\n pushf\n hlt");
GUEST(skips, ".code64\n xor %ebx, %ebx\n 1: mov (%rsi,%rbx,4), %eax\n test $3, %al\n jz 2f\n add $7, %eax\n cmp %edx, %eax\n"
             " jb 3f\n addq 7f(%rip), %r15\n 2: lea 1(%r15,%rax), %r15\n mov %eax, (%rdi,%rbx,8)\n adc %r15, %r14\n"
             " 3: inc %rbx\n cmp %rcx, %rbx\n jne 1b\n pushf\n hlt\n 7: .quad 0x1122334455667788");
GUEST(advances, ".code64\n 1: movzbl (%rsi), %eax\n inc %rsi\n test $5, %al\n jz 2f\n mov %al, (%rdi)\n inc %rdi\n"
                " 2: dec %rcx\n jne 1b\n pushf\n hlt");
/* What `ja` jumps over is run when the loop has long been translated. */
GUEST(rarely, ".code64\n xor %ebx, %ebx\n 1: mov (%rsi), %eax\n add $4, %rsi\n cmp %rdx, %rcx\n ja 2f\n inc %rbx\n"
              " lea 3(%rax,%rbx), %eax\n 2: mov %eax, (%rdi)\n add $4, %rdi\n dec %rcx\n jne 1b\n pushf\n hlt");
GUEST(x87_skips, ".code64\n fninit\n 1: fldl (%rsi)\n testb $9, (%rsi)\n jz 2f\n fadd %st(0)\n fstl 8(%rdi)\n"
                 " 2: fstpl (%rdi)\n add $8, %rsi\n add $16, %rdi\n dec %rcx\n jne 1b\n fnstenv 0x30000\n pushf\n hlt");
GUEST(saves, ".code64\n fninit\n 1: testb $0x30, (%rsi)\n jnz 2f\n fnstenv (%rdi)\n 2: add $8, %rsi\n dec %rcx\n"
             " jne 1b\n pushf\n hlt");
/* What is jumped over ends with an opcode that there is not: behind it comes only who has jumped. */
GUEST(x87_over, ".code64\n fninit\n 1: fldl (%rsi)\n fstp %st(0)\n test %rcx, %rcx\n jnz 2f\n fldl 8(%rsi)\n"
                " lock\n .byte 0x01, 0xc3\n 2: fnstenv (%rdi)\n add $8, %rsi\n dec %rcx\n jnz 1b\n pushf\n hlt");
GUEST(leaves, ".code64\n fninit\n 1: fldl (%rsi)\n fldl 8(%rsi)\n faddp\n fstp %st(0)\n dec %rcx\n jz 2f\n jmp 1b\n"
              " .org leaves + 0x1000\n 2: fnstenv (%rdi)\n pushf\n hlt");
GUEST(tables, ".code64\n lea 0x1234(%rsi), %r9\n mov $-1, %edx\n 1: mov %edx, %r8d\n xor (%rsi), %dl\n movzbl %dl, %ebx\n"
              " shr $8, %r8d\n mov (%rdi,%rbx,4), %edx\n xor %r8d, %edx\n mov (%rsi), %eax\n and $0xff, %eax\n"
              " addb $3, 0x1800(%rdi,%rax)\n add -8(%r9,%rax,8), %r10\n inc %rsi\n sub $1, %rcx\n jne 1b\n pushf\n hlt");
GUEST(both, ".code64\n xor %ebx, %ebx\n 1: mov (%rsi,%rbx), %rax\n add %rax, 8(%rdi,%rbx,2)\n push 16(%rsi,%rbx,2)\n"
            " pop %rdx\n add %fs:8(%rsi), %rdx\n add $8, %rsi\n sub $2, %rbx\n cmp %rcx, %rdx\n setb (%rdi)\n"
            " dec %ecx\n jne 1b\n pushf\n hlt");
GUEST(stills, ".code64\n lea 4(%rsi), %r8\n 1: push %rdx\n addl $3, (%rsi)\n rolw 4(%r8)\n mov 7f(%rip), %eax\n"
              " add %eax, -8(%rdi)\n adc (%rsi,%rcx), %ch\n mov 0x41003, %bl\n xor %bl, 0x80(%rdi,%r10,8)\n"
              " pop %rdx\n sub $1, %cl\n lea 1(%rdx), %rdx\n test $0xfff, %edx\n jne 1b\n pushf\n hlt\n 7: .long 0x55667");
/* 32-bit code: upwards, downwards, from below 0 up to it, with a base that is none, looked up by a byte. */
GUEST(up_32, ".code32\n 1: mov (%esi), %eax\n add $4, %esi\n adc %eax, (%edi)\n lea 4(%edi), %edi\n"
             " sub $1, %ecx\n jnz 1b\n pushf\n hlt");
GUEST(down_32, ".code32\n 1: dec %ecx\n mov (%esi,%ecx,4), %eax\n mov %eax, -4(%edi,%ecx,8)\n add %ecx, %edx\n"
               " test %ecx, %ecx\n jne 1b\n pushf\n hlt");
GUEST(ends_32, ".code32\n lea (%esi,%ecx,4), %esi\n neg %ecx\n 1: mov (%esi,%ecx,4), %eax\n add %eax, (%edi)\n"
               " add %eax, 0x41000(,%ecx,2)\n add $3, %edi\n inc %ecx\n jne 1b\n pushf\n hlt");
GUEST(wraps_32, ".code32\n lea 0x3f00(%esi), %esi\n mov $-0x3f00, %ebx\n 1: mov (%esi,%ebx), %al\n"
                " mov %al, 0x4000(%edi,%ebx)\n inc %ebx\n cmp %ecx, %ebx\n jne 1b\n pushf\n hlt");
GUEST(less_32, ".code32\n 1: movzbl (%esi), %eax\n add $-6, %eax\n add $8, %esi\n add %ecx, 6(%edi,%eax)\n dec %ecx\n jnz 1b\n hlt");
GUEST(more_32, ".code32\n 1: movzbl (%esi), %eax\n add $0x7fffffff, %eax\n add $0x7fffffff, %eax\n add $8, %esi\n add %ecx, 2(%edi,%eax)\n dec %ecx\n jnz 1b\n hlt");
GUEST(tables_32, ".code32\n 1: movzbl (%esi), %eax\n inc %esi\n addl $1, (%edi,%eax,4)\n push %eax\n xor %bl, %al\n"
                 " movzbl %al, %ebx\n sbb 0x42000(%ebx), %dl\n pop %ebp\n dec %ecx\n jne 1b\n pushf\n hlt");
/* Follows a list of which every other node has rdi's bits the other way. */
GUEST(follows, ".code64\n mov %rsi, %rbx\n mov %rsi, %rax\n mov $50, %edx\n 2: lea 0x1010(%rbx), %rbx\n xor %rdi, %rbx\n"
               " mov %rbx, (%rax)\n mov %rbx, %rax\n dec %edx\n jne 2b\n mov %rsi, (%rbx)\n 1: mov (%rsi), %rsi\n"
               " adc %rsi, %rdx\n sub $1, %rcx\n mov (%rsi), %rsi\n jne 1b\n pushf\n hlt");
/* MXCSR: division by zero is not masked. There is one 0.0, in the middle. */
GUEST(divides, ".code64\n movl $0x1d80, -8(%rsp)\n ldmxcsr -8(%rsp)\n movq $0, 0x900(%rsi)\n xor %ebx, %ebx\n"
               " 1: movsd (%rdi), %xmm2\n add $8, %rdi\n divsd (%rsi), %xmm2\n add $8, %rsi\n movq %xmm2, -8(%rdi)\n"
               " sub $1, %rcx\n lea 1(%rbx), %rbx\n jne 1b\n hlt");
/* An aligned load that no longer is one when it crosses into another page: by rdx. */
GUEST(aligned, ".code64\n 1: movdqu (%rsi), %xmm0\n add $16, %rsi\n movdqa %xmm0, (%rdi)\n add $16, %rdi\n"
               " dec %rdx\n jne 1b\n mov $1000, %edx\n inc %rdi\n jmp 1b");
/* Writes `inc %ebx; ret` or `dec %edx; ret`, all over two pages, and calls what it has written. */
GUEST(writes, ".code64\n mov $0xc3c3c3c3c3c3c3ff, %rax\n 2: xor $0x0900, %rax\n mov %rdi, %rsi\n mov $1024, %ecx\n"
              " 1: mov %rax, (%rsi)\n add $8, %rsi\n dec %ecx\n jne 1b\n call *%rdi\n lea 0x1000(%rdi), %rbp\n"
              " call *%rbp\n dec %r12d\n jne 2b\n pushf\n hlt");
/* clang-format on */

static uint64_t *table(const BareCpu *b)
{
    return (uint64_t *)(b->ram + TABLE);
}

static BareCpu *loaded(CodeSize size, const uint8_t *code, const uint8_t *end, bool translated)
{
    BareCpu *b = bare_new_as(size, translated);

    b->c->translate_after = 8;           /* what lies on both sides of a branch is known by then */
    for (uint64_t n = 0; n < 512; n++) { /* of no use where there is no paging */
        table(b)[n] = n << 12 | 0x67;
    }
    for (uint64_t n = 0; n < 64; n++) {
        table(b)[(ALIAS >> 12) + n] = (FROM + (n << 12)) | 0x67;
    }
    ((uint64_t *)(b->ram + BARE_TABLES + 0x3000))[0] = TABLE | 7;
    for (unsigned n = 0; n < 0x40000; n += 4) {
        *(uint32_t *)(b->ram + FROM + n) = n * 2654435761u | 1;
    }
    bare_load(b, code, end);
    return b;
}

typedef struct Run {
    const uint8_t *code, *end;
    CodeSize size;
    uint64_t from, to, rounds, other; /* other: rdx and r12 */
    bool vain;                        /* no strip need come about */
    uint64_t entry;                   /* of the table, for MISSING; 0: not there, 1: as it was */
} Run;

static BareCpu *run_from(const Run *r, bool translated)
{
    BareCpu *b = loaded(r->size, r->code, r->end, translated);
    uint64_t *gpr = b->c->s.gpr;

    gpr[R_SI] = r->from;
    gpr[R_DI] = r->to;
    gpr[R_CX] = r->rounds;
    gpr[R_DX] = gpr[12] = r->other;
    b->c->s.seg[SEG_FS].base = 0x1000;
    if (r->entry != 1) {
        table(b)[MISSING >> 12] = r->entry;
    }
    tlb_flush(b->c);
    b->c->strip_end = NO_STRIP;
    bare_run(b);
    return b;
}

static void same_exceptions(const BareCpu *a, const BareCpu *b)
{
    check(b->c->last_count, a->c->last_count);
    check(bare_fault(b), bare_fault(a));
    check(b->c->last[0].rip, a->c->last[0].rip);
    check(b->c->last[0].cr2, a->c->last[0].cr2);
    check(b->c->last[0].error, a->c->last[0].error);
}

/* Is there a translator on this host? */
static bool translates(void)
{
    BareCpu *b = loaded(CODE_64, stays, stays_end, true);
    bool there = b->code != NULL;

    bare_free(b);
    return there;
}

/* Interpreted and translated, they must come to the same. */
static void same(Run r)
{
    BareCpu *a = run_from(&r, false), *b = run_from(&r, true);

    for (unsigned n = 0; n < 16; n++) {
        check(b->c->s.gpr[n], a->c->s.gpr[n]);
    }
    check(b->c->s.rip, a->c->s.rip);
    check(b->c->s.rflags, a->c->s.rflags);
    same_exceptions(a, b);
    check(memcmp(a->ram + FROM, b->ram + FROM, BARE_RAM - FROM), 0);
    check(memcmp(a->ram + BARE_CODE, b->ram + BARE_CODE, FROM - BARE_CODE), 0);
    check(b->c->strip_end != NO_STRIP || r.vain, b->code != NULL || r.vain);
    bare_free(a);
    bare_free(b);
}

#define RUN_AS(as, name, ...) \
    same((Run){.code = name, .end = name##_end, .size = as, .entry = 1, __VA_ARGS__})
#define RUN(name, ...)    RUN_AS(CODE_64, name, __VA_ARGS__)
#define RUN_32(name, ...) RUN_AS(CODE_32, name, __VA_ARGS__)

TEST("strips: up through two arrays, at each alignment of one to the other, over pages")
{
    for (unsigned n = 0; n < 24; n++) {
        RUN(up, .from = FROM + 3 * n, .to = TO + 0xf70 + n * 5, .rounds = 1200);
        RUN(ends, .from = FROM + 0xfe0 + n, .to = TO + n * 171, .rounds = 1024 + n);
    }
}

TEST("strips: down, with a flag that the loop's end leaves alone")
{
    for (unsigned n = 0; n < 24; n++) {
        RUN(down, .from = FROM + 0x5000 + n * 3, .to = TO + 0x5000 + n, .rounds = 1500);
    }
}

TEST("strips: steps that divide no page, operands over a page's end")
{
    for (unsigned n = 0; n < 8; n++) {
        RUN(odd, .from = FROM + n, .to = TO + n * 511, .rounds = 3000);
    }
}

TEST("strips: a store that is the next round's load, in one array and by another linear address")
{
    RUN(feeds, .from = FROM + 0xff0, .rounds = 3000);
    for (unsigned n = 0; n < 32; n += 4) {
        RUN(up, .from = FROM + 0x100, .to = ALIAS + 0xf8 + n, .rounds = 1400);
        RUN(ends, .from = ALIAS + n, .to = FROM + 8, .rounds = 1400);
        RUN(down, .from = FROM + 0x4000, .to = ALIAS + 0x4004 - n, .rounds = 1400);
    }
}

TEST("strips: the stack, an index, a table that is looked up, registers that are in memory")
{
    RUN(pushes, .from = FROM + 0x4ff, .rounds = 1000);
    RUN(indexed, .from = FROM + 0x7fe, .to = TO + 1, .rounds = 3000);
    RUN(looks_up, .from = FROM + 5, .to = TO + 0xdff, .rounds = 10000);
    RUN(framed, .from = FROM + 3, .to = TO + 0x10, .rounds = 2000);
}

TEST("strips: ways out in the middle")
{
    for (unsigned n = 0; n < 4; n++) {
        RUN(searches, .from = FROM + n, .to = TO, .rounds = 700, .other = n & 1);
        RUN(searches, .from = TO - 0x1800, .to = TO, .rounds = 2000);
    }
}

TEST("strips: addresses that do not move: as many rounds as one may go without a look at the world")
{
    RUN(stays, .from = FROM, .to = TO, .rounds = 20000);
}

TEST("strips: vectors, the x87, and a table beside the code")
{
    for (unsigned n = 0; n < 3; n++) {
        RUN(near_code, .from = FROM + n, .to = TO + n * 8, .rounds = 3000);
        RUN(vectors, .from = FROM + n, .to = TO + n * 8, .rounds = 1000);
        RUN(doubles, .from = FROM + n * 4, .to = TO, .rounds = 2000);
    }
}

TEST("strips: branches to the loop's inside")
{
    for (unsigned n = 0; n < 6; n++) {
        RUN(skips, .from = FROM + n, .to = TO + n * 0x333, .rounds = 4000, .other = n << 30);
        RUN(advances, .from = FROM + n * 0x123, .to = TO, .rounds = 9000);
        RUN(x87_skips, .from = FROM + n * 0x77, .to = TO, .rounds = 1000 + n);
    }
}

TEST("strips: a branch in the loop that was taken each time when it was translated")
{
    for (unsigned n = 0; n < 4; n++) {
        RUN(rarely, .from = FROM + n, .to = TO + n * 0x333, .rounds = 3000, .other = n * 700);
    }
}

TEST("strips: an instruction on the way that ends the unit, in front of where a branch leads")
{
    RUN(saves, .from = FROM, .to = TO, .rounds = 3000, .vain = true);
}

TEST("x87: its pointers stay where a branch to another page is done for the first time")
{
    RUN(leaves, .from = FROM, .to = TO, .rounds = 100, .vain = true);
}

TEST("x87: its pointers are those of the way that was taken, where an undefined opcode ends the "
     "other")
{
    RUN(x87_over, .from = FROM, .to = TO, .rounds = 100, .vain = true);
}

TEST("strips: tables that are looked up by a byte, in one page and in two")
{
    for (unsigned n = 0; n < 8; n++) {
        RUN(tables, .from = FROM + n * 0x123, .to = TO + n * 0x200, .rounds = 9000);
        RUN(tables, .from = FROM, .to = FROM + 0x1000 + n, .rounds = 9000);
    }
}

TEST("strips: base and index that move, pushed operands, a segment's base, what does not move at "
     "all")
{
    for (unsigned n = 0; n < 6; n++) {
        RUN(both, .from = FROM + 0x8000 + n, .to = TO + 0x8000 + n * 5, .rounds = 3000);
        RUN(stills, .from = FROM + 0xff0 + n, .to = TO + 0x900, .rounds = 0x7000 + n, .other = 5);
    }
}

TEST("strips: a page that is not there, at each place of the round and each alignment")
{
    for (unsigned n = 0; n < 24; n++) {
        RUN(up, .from = MISSING - 0xf00 - n, .to = TO, .rounds = 3000, .entry = 0);
        RUN(up, .from = FROM, .to = MISSING - 0xf00 - n, .rounds = 3000, .entry = 0);
        RUN(ends, .from = FROM, .to = MISSING - 0xf00 - n, .rounds = 3000, .entry = 0);
        RUN(down, .from = MISSING + 0x1f00 + n, .to = TO + 0x2000, .rounds = 3000, .entry = 0);
        RUN(odd, .from = MISSING - 0xf00 - n, .to = TO, .rounds = 3000, .entry = 0);
        RUN(vectors, .from = FROM, .to = MISSING - 0xf00 - n, .rounds = 3000, .entry = 0);
        RUN(doubles, .from = FROM, .to = MISSING - 0xf00 - n, .rounds = 3000, .entry = 0);
        RUN(looks_up, .from = FROM, .to = MISSING - 0x390 - n, .rounds = 3000, .vain = true,
            .entry = 0);
        RUN(skips, .from = FROM, .to = MISSING - 0x1f00 - n, .rounds = 3000, .entry = 0);
        RUN(tables, .from = MISSING - 0x2800 - n, .to = TO, .rounds = 9000, .entry = 0);
        RUN(x87_skips, .from = MISSING - 0xf00 - n, .to = TO, .rounds = 5000, .entry = 0);
    }
}

TEST("strips: 32-bit code, whose registers and addresses wrap")
{
    for (unsigned n = 0; n < 8; n++) {
        RUN_32(up_32, .from = FROM + n, .to = TO + n * 0x333, .rounds = 3000);
        RUN_32(down_32, .from = FROM + n, .to = TO + n * 5, .rounds = 2000 + n);
        RUN_32(ends_32, .from = FROM + n, .to = TO, .rounds = 3000, .vain = true);
        RUN_32(wraps_32, .from = FROM + n, .to = TO, .rounds = n * 100, .vain = true);
        RUN_32(tables_32, .from = FROM + n, .to = TO + n * 0x200, .rounds = 5000);
        RUN_32(less_32, .from = FROM + n, .to = TO + n * 0x200, .rounds = 5000);
        RUN_32(more_32, .from = FROM + n, .to = TO + n * 0x200, .rounds = 5000);
    }
}

/* A table whose end is at the beginning of the first page; what 64-bit code of the same address
 * space had right behind 4 GB, and the TLB still has, goes on behind the last page on the host. */
static BareCpu *table_over_4g(bool translated)
{
    BareCpu *b = loaded(CODE_64, tables_32, tables_32_end, translated);
    uint64_t *pdpt = (uint64_t *)(b->ram + BARE_TABLES + 0x2000);
    uint64_t *more = (uint64_t *)(b->ram + TO);

    more[511] = (TO + 0x1000) | 7; /* of 3 GB */
    more[512 + 511] = (FROM + 0x4000) | 0x67;
    more[1024] = (TO + 0x3000) | 7; /* of 4 GB */
    more[1536] = (FROM + 0x5000) | 0x67;
    table(b)[0] = (FROM + 0x8000) | 0x67;
    pdpt[3] = TO | 7;
    pdpt[4] = (TO + 0x2000) | 7;
    memset(b->ram + FROM, 17, 500); /* at first only what lies in front of the end is looked up */
    tlb_flush(b->c);
    mem_write(b->c, 1ull << 32, 5, 1);
    for (unsigned n = 0; n < SEG_LDTR; n++) {
        b->c->s.seg[n].attr = (b->c->s.seg[n].attr & ~ATTR_L) | ATTR_DB | ATTR_G;
        b->c->s.seg[n].limit = 0xffffffff;
    }
    cpu_mode_changed(b->c);
    b->c->s.gpr[R_SI] = FROM;
    b->c->s.gpr[R_DI] = 0xfffffe00;
    b->c->s.gpr[R_CX] = 3000;
    bare_run(b);
    return b;
}

TEST(
    "strips: 32-bit code, a table looked up by a byte wraps at 4 GB, where 64-bit code has gone on")
{
    BareCpu *one = table_over_4g(false), *other = table_over_4g(true);

    check(other->c->s.gpr[R_CX], 0);
    check(memcmp(one->ram + FROM, other->ram + FROM, 0x40000), 0);
    check(memcmp(one->c->s.gpr, other->c->s.gpr, sizeof one->c->s.gpr), 0);
    bare_free(one);
    bare_free(other);
}

/* A list, followed by translated code: has any addend been guessed? */
static bool guesses(uint64_t toggle)
{
    Run r = {.size = CODE_64,
             .code = follows,
             .end = follows_end,
             .from = FROM,
             .to = toggle,
             .rounds = 1000,
             .entry = 1};
    BareCpu *b = run_from(&r, true);
    bool any = false;

    for (unsigned n = 0; n < GUESSES; n++) {
        any |= b->c->guess[n].addend != 0;
    }
    bare_free(b);
    return any;
}

TEST("guessed addends: lists in pages one behind the other, and in others in turns")
{
    check(guesses(0), translates());
    RUN(follows, .from = FROM, .rounds = 1000, .vain = true);
    RUN(follows, .from = FROM, .to = FROM ^ ALIAS, .rounds = 300000, .vain = true);
}

TEST("strips: a device in the way")
{
    enum { DEVICE = 0x500000 };

    RUN(up, .from = MISSING - 0xf04, .to = TO, .rounds = 700, .entry = DEVICE | 0x67);
    RUN(ends, .from = FROM, .to = MISSING - 0xf04, .rounds = 700, .entry = DEVICE | 0x67);
}

TEST("strips: host faults in them are the guest's, with its state as it was")
{
    for (unsigned n = 0; n < 4; n++) {
        RUN(divides, .from = FROM + 0xc00, .to = TO + 0xc00 + n * 8, .rounds = 2000);
        RUN(aligned, .from = FROM + 0xc00, .to = TO + 0xc00, .rounds = 2000, .other = 100 + n);
    }
}

/* Runs `times` again: was there a strip the second time? */
static bool tries_again(unsigned rounds)
{
    Run r = {.size = CODE_64,
             .code = times,
             .end = times_end,
             .from = FROM + 0xff0,
             .rounds = rounds,
             .other = 300,
             .entry = 1};
    BareCpu *b = run_from(&r, true);
    bool tried;

    b->c->strip_end = NO_STRIP;
    b->c->s.activity = CPU_RUNNING;
    b->c->s.rip = BARE_CODE;
    b->c->s.gpr[R_CX] = rounds;
    b->c->s.gpr[R_DX] = r.other;
    bare_run(b);
    tried = b->c->strip_end != NO_STRIP;
    bare_free(b);
    return tried;
}

TEST("strips: short loops are left as they are after some attempts, long ones are not")
{
    for (unsigned n = 3; n < 12; n++) {
        check(tries_again(n), false);
        RUN(times, .from = FROM + 0xff0, .rounds = n, .other = 300);
    }
    check(tries_again(100), translates());
}

TEST("strips: memory that becomes code, and is written to again")
{
    RUN(writes, .to = TO + 8, .other = 40);
    RUN(writes, .to = BARE_CODE + 0x100, .other = 40);
}
