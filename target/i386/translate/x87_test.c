/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the last x87 instruction and its operand were, as FNSTENV tells and as faults find it,
 * translated (x87.c) against interpreted: in loops that write it down only where they are left, in
 * the window, in strips and without either (on a host without BMI2 all are interpreted). When
 * somebody wants the CPU: poll_test.c.
 */
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

#include <string.h>

enum {
    FROM = 0x80000,
    TO = 0xc0000,
    ENV = 0x70000,
    MISSING = BARE_MISSING,
};
#define HEAP  0x555555400000ull
#define STACK 0x7fffff600000ull

/* rsi, rdi, rdx: where the test says; rcx: rounds; r15: where FNSTENV may write. */
#define LOOP(name, text)                                                \
    GUEST(name, ".code64\n fninit\n fldl (%r15)\n" text                 \
                "\n 8: fnstenv 64(%r15)\n out %al, $0xf4\n 9: jmp 9b\n" \
                " 7: .double 0.75");
/* clang-format off */
#define LOOPS(k) \
    k(walks, "1: fldl (%rsi)\n fmull 0x400(%rsi)\n fld1\n faddp\n fstpl (%rdi)\n add $8, %rsi\n add $8, %rdi\n dec %rcx\n jnz 1b") \
    k(one, "1: fldl (%rdi)\n fld1\n faddp\n fstpl (%rdi)\n add $8, %rdi\n sub $1, %rcx\n jnz 1b") \
    k(begins, "1: fld1\n faddl (%rsi)\n add $8, %rsi\n fstpl (%rdi)\n lea 8(%rdi), %rdi\n dec %rcx\n jne 1b") \
    k(down, "1: fldl -8(%rsi,%rcx,8)\n fstpl -8(%rdi,%rcx,8)\n dec %rcx\n jne 1b") \
    k(loads, "1: add (%rdx), %rbx\n fldl (%rsi)\n fstps (%rdi)\n sub $-4, %rdi\n add $8, %rsi\n add $8, %rdx\n inc %rbx\n dec %ecx\n jne 1b") \
    k(edges, "1: fldl (%rsi)\n fstpl (%rdi)\n add $8, %rsi\n dec %rcx\n test $1, %cl\n jnz 1b\n add $8, %rdi\n test %rcx, %rcx\n jnz 1b") \
    k(framed, "mov %rsi, %r8\n mov %rdi, %r9\n xor %r10, %r10\n 1: fldl (%r8,%r10,8)\n fstpl 4(%r9,%r10,4)\n inc %r10\n add $4, %r9\n cmp %rcx, %r10\n jne 1b") \
    k(swaps, "1: fldl (%rsi)\n fstpl 0x800(%rsi)\n xchg %rdi, %rsi\n add $8, %rsi\n dec %rcx\n jne 1b") \
    k(constant, "1: fldl (%rsi)\n fmull 7f(%rip)\n fstp %st(0)\n add $8, %rsi\n dec %rcx\n jne 1b") \
    k(segment, "1: fldl (%rsi)\n fstpl %gs:(%rdi)\n add $8, %rdi\n dec %rcx\n jne 1b") \
    k(narrow, "1: fldl (%esi)\n fstpl (%edi)\n add $8, %rdi\n dec %rcx\n jne 1b") \
    k(narrow_step, "1: fldl (%rsi)\n fstpl (%rdi)\n add $8, %edi\n dec %rcx\n jne 1b") \
    k(no_memory, "1: fld1\n fadd %st(1)\n fstp %st(1)\n add (%rsi), %rax\n add $8, %rsi\n dec %rcx\n jne 1b") \
    k(nested, "mov %rcx, %rbx\n 2: mov %rdi, %r12\n mov $5, %ebp\n 1: fldl (%rsi)\n fstpl (%r12)\n add $8, %r12\n dec %ebp\n jne 1b\n fnstenv (%r15)\n" \
              " mov 12(%r15), %r13d\n add %r13, 200(%r15)\n fldl 300(%r15)\n add $8, %rsi\n dec %rbx\n jne 2b") \
    k(skips, "1: fldl (%rsi)\n testb $9, (%rsi)\n jz 2f\n fadd %st(0)\n fstl 8(%rdi)\n 2: fstpl (%rdi)\n add $8, %rsi\n add $8, %rdi\n dec %rcx\n jne 1b") \
    k(skips_last, "1: fldl (%rsi)\n fstp %st(0)\n testb $9, (%rsi)\n jz 2f\n fld1\n fstpl 8(%rdi)\n 2: add $8, %rsi\n add $8, %rdi\n dec %rcx\n jne 1b") \
    k(leaves, "1: fldl (%rsi)\n fstpl (%rdi)\n add $8, %rsi\n add $16, %rdi\n testb $0xf8, (%rsi)\n jz 8f\n dec %rcx\n jne 1b") \
    k(guesses, "movabs $0x2aaaaa200000, %r13\n 1: xor %r13, %rdx\n add (%rdx), %rbx\n fldl (%rsi)\n fstpl (%rdi)\n add $8, %rdx\n add $8, %rdi\n dec %rcx\n jne 1b") \
    k(stack, "1: fldl (%rsp)\n fstpl (%rsi)\n push (%rsi)\n add $8, %rsi\n dec %rcx\n jne 1b") \
    k(controls, "1: fldl (%rsi)\n fnstcw (%rdi)\n fstpl (%rdi)\n fnstsw %ax\n add $8, %rsi\n dec %rcx\n jne 1b")
/* clang-format on */
LOOPS(LOOP)

/* The same in compatibility mode, of which all data lies in one chunk. */
#define LOOP_32(name, text)                             \
    GUEST(name, ".code32\n fninit\n fldl (%ebp)\n" text \
                "\n 8: fnstenv 64(%ebp)\n out %al, $0xf4\n 9: jmp 9b");
/* clang-format off */
#define LOOPS_32(k) \
    k(walks_32, "1: fldl (%esi)\n fmull 0x400(%esi)\n fld1\n faddp\n fstpl (%edi)\n add $8, %esi\n add $8, %edi\n dec %ecx\n jnz 1b") \
    k(down_32, "1: fldl -8(%esi,%ecx,8)\n fstpl -8(%edi,%ecx,8)\n dec %ecx\n jne 1b") \
    k(loads_32, "1: add (%edx), %ebx\n fldl (%esi)\n fstps (%edi)\n sub $-4, %edi\n add $8, %esi\n add $8, %edx\n dec %ecx\n jne 1b") \
    k(pushes_32, "1: push (%esi)\n fldl (%edi)\n fadds (%esp)\n pop %eax\n fstpl (%edi)\n add $4, %esi\n add $8, %edi\n dec %ecx\n jne 1b") \
    k(skips_32, "1: fldl (%esi)\n testb $9, (%esi)\n jz 2f\n fadd %st(0)\n fstl 8(%edi)\n 2: fstpl (%edi)\n add $8, %esi\n add $8, %edi\n dec %ecx\n jne 1b") \
    k(narrow_32, "1: fldl (%esi)\n fstpl (%di)\n inc %di\n add $8, %esi\n dec %ecx\n jne 1b")
/* clang-format on */
LOOPS_32(LOOP_32)

typedef enum Way { INTERPRETED, PLAIN, WINDOW, WAYS } Way;

static BareCpu *cpu_new(Way way, bool flat)
{
    BareCpu *b = bare_new_as(CODE_64, way != INTERPRETED);

    bare_map_small(b, HEAP, 0);
    bare_map_small(b, STACK, 1);
    b->c->window.always = bare_window(b) && way == WINDOW;
    if (flat) {
        const uint64_t pages = (BARE_SMALL + 0x2000) | 7; /* HEAP's */

        memcpy(b->ram + BARE_TABLES + 0x3000, &pages, sizeof pages);
        bare_flat32(b);
    }
    return b;
}

typedef struct Run {
    const uint8_t *code, *end;
    uint64_t from, to, other, rounds;
} Run;

static void run_guest(BareCpu *b, const Run *r)
{
    uint64_t *gpr = b->c->s.gpr;

    for (unsigned n = 0; n < 0x80000; n += 4) {
        *(uint32_t *)(b->ram + FROM + n) = n * 2654435761u | 1;
    }
    b->c->last_count = 0;
    memset(gpr, 0, sizeof b->c->s.gpr);
    bare_load(b, r->code, r->end);
    gpr[R_SI] = r->from;
    gpr[R_DI] = r->to;
    gpr[R_DX] = r->other;
    gpr[R_CX] = r->rounds;
    gpr[R_SP] = FROM + 0x8000;
    gpr[R_BP] = ENV;
    b->c->s.rip = BARE_CODE;
    if (b->c->code_size == CODE_64) {
        gpr[R_SP] += STACK;
        gpr[15] = HEAP + ENV;
        b->c->s.rip += HEAP;
    }
    b->c->s.seg[SEG_GS].base = 0x10;
    b->c->s.activity = CPU_RUNNING;
    cpu_attended(b->c);
    tlb_flush(b->c);
    bare_run(b);
}

static void compare(BareCpu *b, BareCpu *a)
{
    const X86Fpu *x = &a->c->s.fpu, *y = &b->c->s.fpu;

    for (unsigned n = 0; n < 16; n++) {
        check(b->c->s.gpr[n], a->c->s.gpr[n]);
    }
    check(b->c->s.rip, a->c->s.rip);
    check(b->c->s.rflags, a->c->s.rflags);
    check(y->fip, x->fip);
    check(y->fdp, x->fdp);
    check(y->fop, x->fop);
    check(y->fcs, x->fcs);
    check(y->fds, x->fds);
    check(b->c->last_count, a->c->last_count);
    check(bare_fault(b), bare_fault(a));
    check(memcmp(a->ram + ENV, b->ram + ENV, BARE_RAM - ENV), 0);
}

/* Twice: the second time the code is there when the loop is entered. */
static void all_ways(BareCpu *cpu[WAYS], const Run *r)
{
    for (unsigned n = 0; n < 2; n++) {
        for (Way way = INTERPRETED; way < WAYS; way++) {
            run_guest(cpu[way], r);
            if (way != INTERPRETED) {
                compare(cpu[way], cpu[INTERPRETED]);
            }
        }
    }
}

#define RUN(name, text) \
    r.code = name;      \
    r.end = name##_end; \
    all_ways(cpu, &r);

static void each_in(bool flat, Run r)
{
    BareCpu *cpu[WAYS];

    for (Way way = INTERPRETED; way < WAYS; way++) {
        cpu[way] = cpu_new(way, flat);
    }
    if (flat) {
        LOOPS_32(RUN)
    } else {
        LOOPS(RUN)
    }
    for (Way way = INTERPRETED; way < WAYS; way++) {
        bare_free(cpu[way]);
    }
}

static void each(Run r)
{
    each_in(false, r);
}

TEST("x87: its pointers behind loops, in few rounds and many, in each chunk")
{
    for (unsigned n = 1; n < 4; n++) {
        each((Run){.from = HEAP + FROM, .to = HEAP + TO, .other = HEAP + FROM, .rounds = n});
    }
    each((Run){.from = FROM, .to = TO + 3, .other = STACK + TO, .rounds = 700});
    each((Run){.from = STACK + FROM, .to = HEAP + TO, .other = STACK + FROM, .rounds = 1000});
    each((Run){.from = HEAP + FROM + 4, .to = TO, .other = STACK + FROM, .rounds = 333});
}

TEST("x87: its pointers at faults in each access, in the first rounds and in later ones")
{
    for (unsigned n = 0; n < 0x2000; n = n * 5 + 8) {
        const uint64_t at = MISSING - n, from = FROM, to = TO;

        each((Run){.from = HEAP + at, .to = HEAP + to, .other = HEAP + from, .rounds = 2000});
        each((Run){.from = HEAP + from, .to = STACK + at, .other = HEAP + from, .rounds = 2000});
        each((Run){.from = from, .to = HEAP + to, .other = STACK + at, .rounds = 2000});
        each((Run){.from = from, .to = at, .other = at, .rounds = 2000});
    }
}

TEST("x87: its pointers at faults over a page's end, and where no chunk is")
{
    for (unsigned n = 1; n < 8; n += 3) {
        each((Run){.from = FROM, .to = MISSING - 0x400 - n, .other = HEAP + TO, .rounds = 999});
        each((Run){.from = HEAP + FROM, .to = 0x550000000000ull - 80 + n, .rounds = 999});
        each((Run){.from = 0x800000000000ull - 80 + n, .to = TO, .other = TO, .rounds = 999});
    }
}

static void each_flat(Run r)
{
    each_in(true, r);
}

TEST("x87: its pointers in 32-bit code: behind loops, and at faults")
{
    for (unsigned n = 1; n < 1000; n = n * 3 + 2) {
        each_flat((Run){.from = FROM, .to = TO + n, .other = FROM + n, .rounds = n});
    }
    for (uint64_t n = 0; n < 0x1000; n = n * 5 + 8) {
        const uint64_t at = MISSING - n;

        each_flat((Run){.from = at, .to = TO, .other = FROM, .rounds = 900});
        each_flat((Run){.from = FROM, .to = at, .other = FROM, .rounds = 900});
        each_flat((Run){.from = FROM, .to = TO, .other = at, .rounds = 900});
    }
}
