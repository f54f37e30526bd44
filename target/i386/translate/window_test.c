/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses in the direct window (window.c) against the interpreter: registers, flags and memory
 * must be the same behind them, or at the fault in them, for addresses in several chunks, guesses
 * that were wrong, and addresses that no chunk has (on a host without BMI2 both are interpreted).
 * What is mapped: rt/window_test.c.
 */
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>

/* Linear addresses of the same small pages, from physical 0 on. */
#define HEAP  0x555555400000ull /* slot 2 */
#define STACK 0x7fffff600000ull /* slot 3 */
#define OTHER 0x7effff600000ull /* slot 3, too, but the other's chunk */
#define NONE  0x80007fff12345678ull

enum {
    FROM = 0x80000,
    TO = 0xc0000,
    MISSING = BARE_MISSING,
};

/* rsi: what there is, rdi: what the test is about, rdx: another; rcx: rounds. Flags come from a
 * comparison that can be run again, and from one that cannot. */
#define KIND(name, text)                                                                  \
    GUEST(name, ".code64\n mov (%rsi), %rax\n cmp %rcx, %rdx\n mov 8(%rsi), %ebx\n" text  \
                "\n adc %rbx, %rbx\n lahf\n out %al, $0xf4\n 9: jmp 9b\n");               \
    GUEST(name##_kept, ".code64\n mov (%rsi), %rax\n adc (%rsi), %rdx\n push %rcx\n" text \
                       "\n adc %rbx, %rbx\n lahf\n out %al, $0xf4\n 9: jmp 9b\n");
/* clang-format off */
#define KINDS(k) \
    k(loads, "mov (%rdi), %rax") k(loads_frame, "mov (%rdi), %r9\n mov %rdi, %r8\n mov 4(%r8), %r10d") \
    k(stores, "mov %ax, 2(%rdi)") k(stores_constant, "movl $0x12345678, (%rdi)") k(adds, "add %rax, (%rdi)") \
    k(adds_to, "add (%rdi), %rax") k(carries, "adcb $3, (%rdi)") k(locks, "lock xadd %rax, (%rdi)") \
    k(compares, "lock cmpxchg %rdx, (%rdi)") k(exchanges, "xchg %ebx, (%rdi)") k(bits, "btsl $5, (%rdi)") \
    k(multiplies, "mull (%rdi)\n test %eax, %edx") k(divides, "xor %edx, %edx\n divl (%rdi)\n test %eax, %edx") k(shifts, "shll %cl, (%rdi)") \
    k(widens, "movzwl (%rdi), %r11d") k(high, "mov (%rdi), %ch\n mov %ah, 1(%rdi)") k(swaps, "mov %rdi, %rsp\n push %rax") \
    k(pops, "mov %rdi, %rsp\n pop %rbp\n pop %r9") k(pops_sp, "mov %rdi, %rsp\n pop %rsp") \
    k(pushes, "mov %rdi, %rsp\n push %r10\n push $-3") k(pushes_memory, "mov %rdi, %rsp\n push (%rsi)\n push (%rsp)") \
    k(reads_pushed, "push (%rdi)") k(leaves, "mov %rdi, %rbp\n leave") k(calls, "lea 8(%rdi), %rsp\n call 1f\n 1: stc") \
    k(returns, "lea 1f(%rip), %rax\n mov %rax, (%rdi)\n mov %rdi, %rsp\n ret\n 1: nop") k(calls_far, "call *(%rdi)") \
    k(segment, "mov %gs:(%rdi), %rax") k(absolute, "mov 0x80010, %eax\n mov 0x80000(,%rdx,4), %edx\n mov (%rdi), %al") \
    k(indexed, "mov 16(%rsi,%rdx,8), %rbp\n add -8(%rdi,%rdx,8), %rbp") k(vectors, "movdqu (%rdi), %xmm1\n movups %xmm1, 16(%rdi)") \
    k(aligned, "movaps (%rdi), %xmm0\n movaps %xmm0, (%rdi)") k(scalar, "cvtsi2sdl (%rdi), %xmm2\n movsd %xmm2, (%rdi)") \
    k(x87, "fninit\n fildl (%rsi)\n faddl 8(%rsi)\n fstpl (%rdi)\n fnstenv -64(%rsi)") \
    k(x87_reads, "fninit\n fld1\n fldt (%rdi)\n fnstcw 12(%rdi)\n fnstenv -64(%rsi)") \
    k(strings, "movsb\n stosl\n lodsw") k(repeats, "rep movsb") k(moves, "mov (%rdi), %rdi\n mov (%rdi), %rdi\n mov (%rdi), %rax") \
    k(narrow, "mov (%edi), %eax")
KINDS(KIND)

GUEST(walks, ".code64\n 1: mov (%rsi), %rax\n add $8, %rsi\n add %rax, (%rdi)\n lea 8(%rdi), %rdi\n push %rax\n"
             " add 1(%rsp), %rbx\n pop %rax\n sub $1, %rcx\n jnz 1b\n out %al, $0xf4\n 9: jmp 9b");
GUEST(indexes, ".code64\n xor %eax, %eax\n 1: mov (%rsi,%rax,4), %ebp\n movzbl (%rsi,%rax), %r8d\n add %ebp, (%rdx,%r8,4)\n"
               " adc 7f(%rip), %ebp\n mov %ebp, (%rdi,%rax,4)\n inc %rax\n cmp %rcx, %rax\n jb 1b\n out %al, $0xf4\n 9: jmp 9b\n 7: .long 0x12345");
GUEST(seven, ".code64\n mov %rsi, %r8\n mov %rdi, %r9\n mov %rdx, %r10\n lea (%rsi,%rcx), %r11\n mov %rcx, %r12\n neg %r12\n sub %r12, %r9\n"
             " 1: mov (%rsi), %rax\n add (%rdi,%rbx), %rax\n add (%r8,%rbx,2), %rax\n add %rax, (%r9,%r12)\n add %gs:(%r10,%rbx), %rax\n"
             " add (%r11), %rax\n add %rax, 8(%r10,%r12)\n add $8, %rbx\n add $8, %r11\n dec %rcx\n jne 1b\n out %al, $0xf4\n 9: jmp 9b");
GUEST(looks_up, ".code64\n lea 7f(%rip), %r9\n 1: lea 6f(%rip), %rbx\n mov (%rsi), %eax\n sar $24, %eax\n cltq\n add (%rdi,%rax,8), %rbp\n"
                " and $7, %eax\n add (%rbx,%rax,8), %rbp\n add (%r9,%rax,4), %rbp\n movzbl 1(%rsi), %edx\n add %rdx, %rdx\n adc %rbp, (%rdi,%rdx,8)\n"
                " movzbl 2(%rsi), %edx\n shl $3, %rdx\n xor %rbp, (%rdi,%rdx,4)\n add %rdx, %rdx\n mov (%rdi,%rdx), %r8\n add $4, %rsi\n add $2, %rbx\n"
                " add 8(%rbx), %r8\n dec %rcx\n jne 1b\n out %al, $0xf4\n 9: jmp 9b\n 7: .fill 24, 4, 0x12345678\n 6: .fill 24, 8, 0x9abcdef");
GUEST(stack_first, ".code64\n push %rcx\n push %rcx\n 1: add 8(%rsp), %rax\n add %rax, (%rdi)\n add $8, %rdi\n dec %rcx\n mov %rax, 8(%rsp)\n jnz 1b\n nop\n"
                   " jmp 2f\n .skip 100\n 2: out %al, $0xf4\n 9: jmp 9b");
GUEST(apart, ".code64\n 3: mov %rdx, %rbx\n 1: mov (%rsi,%rbx,8), %rax\n add %rax, (%rdi,%rbx,8)\n adc %rax, (%rsi,%rbx,4)\n inc %rbx\n test $15, %bl\n jnz 1b\n"
             " add 16(%rsi), %rax\n add %rax, 24(%rdi)\n xor $-16, %rdx\n dec %rcx\n jnz 3b\n out %al, $0xf4\n 9: jmp 9b");
GUEST(apart_framed, ".code64\n mov %rsi, %r8\n mov %rdi, %r9\n 3: mov %rdx, %r10\n 1: mov (%r8,%r10,8), %rax\n add %rax, (%r9,%r10,8)\n inc %r10\n test $15, %r10b\n"
                    " jnz 1b\n add 16(%r8), %rax\n add %rax, 24(%r9)\n add $16, %rdx\n dec %rcx\n jnz 3b\n out %al, $0xf4\n 9: jmp 9b");
GUEST(strides, ".code64\n mov %rdx, %r12\n 1: mov (%rdi), %eax\n add %r12, %rdi\n add (%rsi), %eax\n dec %ecx\n je 2f\n"
               " mov %eax, 4(%rsi)\n jmp 1b\n 2: out %al, $0xf4\n 9: jmp 9b");
GUEST(changes, ".code64\n 1: mov (%rdi), %eax\n xchg %rdi, %rdx\n add %rax, 8(%rdi)\n add $4, %rdi\n dec %ecx\n jne 1b\n out %al, $0xf4\n 9: jmp 9b");
GUEST(skips, ".code64\n 1: mov (%rsi), %rax\n add $8, %rsi\n test $4, %al\n jz 2f\n mov (%rdi), %rbx\n add %rax, 16(%rdx)\n"
             " lea 8(%rdx), %rdx\n 2: add %rbx, (%rdi)\n adc %rax, 8(%rdi)\n cmp %rax, %rbx\n jb 3f\n xor %rax, (%rdx)\n 3: setc %bl\n"
             " sub $1, %rcx\n jnz 1b\n out %al, $0xf4\n 9: jmp 9b");
GUEST(skips_x87, ".code64\n 1: mov (%rsi), %eax\n add $4, %rsi\n test $4, %al\n jz 2f\n filds (%rdi)\n fistpl 4(%rdx)\n 2: inc %rdi\n"
                 " add %rax, (%rdx)\n dec %ecx\n jnz 1b\n fnstenv (%rdx)\n out %al, $0xf4\n 9: jmp 9b");
GUEST(recurses, ".code64\n lea 5f(%rip), %rbx\n mov %rdi, %rsp\n call 1f\n out %al, $0xf4\n 9: jmp 9b\n 1: push %rcx\n mov %rsp, %rax\n"
                " sub $1, %rcx\n jbe 2f\n call 1b\n 2: pop %rcx\n add (%rsi), %rdx\n lea (%rdx,%rcx), %rdx\n ret\n 5: ");
/* Thirty times; only the last time more than one step. */
#define DRIFT(name, first, step, access)                                                                          \
    GUEST(name, ".code64\n add %rcx, (%rsi)\n mov $30, %ebx\n mov %ecx, %ebp\n 4: mov $1, %ecx\n dec %ebx\n"        \
                " cmovz %ebp, %ecx\n lea " first "(%rdx), %rax\n mov %rdi, %rsp\n cmovnz %rax, %rsp\n 1: " step      \
                "\n dec %ecx\n jnz 1b\n " access "\n test %ebx, %ebx\n jnz 4b\n out %al, $0xf4\n 9: jmp 9b")
DRIFT(sinks, "0x1000000", "lea -0x1000000(%rsp), %rsp", "push %rsi\n pop %r13");
DRIFT(climbs, "-0x1000000", "add $0x800000, %rsp\n test $1, %cl\n jz 2f\n lea (%rax,%rcx), %rax\n 2: sub $-0x800000, %rsp",
      "mov (%rsp), %r13\n add %r13, 8(%rsp)");
GUEST(switches, ".code64\n 1: push %rcx\n xchg %rsp, %rdi\n test $3, %cl\n jz 2f\n add %rcx, 8(%rsp)\n mov %rsp, %rbp\n sub %rax, %rsp\n lea (%rsp), %rsp\n"
                " add (%rbp), %rbx\n leave\n mov %rbp, %rax\n and $24, %eax\n 2: dec %ecx\n jnz 1b\n out %al, $0xf4\n 9: jmp 9b");
GUEST(skips_stack, ".code64\n 1: test $1, %cl\n jz 2f\n push %rcx\n pop %rax\n 2: lea -0x1000000(%rsp), %rsp\n dec %ecx\n jnz 1b\n mov %rdi, %rsp\n"
                   " push %rax\n out %al, $0xf4\n 9: jmp 9b");
/* clang-format on */

typedef struct Run {
    const uint8_t *code, *end;
    uint64_t from, to, other, rounds;
    uint64_t again; /* rdi in a second run, for which the code is there: 0: no second run */
} Run;

/* Two CPUs, one that interprets and one that translates, with the window. */
typedef struct Pair {
    BareCpu *cpu[2];
} Pair;

/* At CPL 3. Where the host has no room for the window, both go without. */
static BareCpu *cpu_new(bool translated)
{
    BareCpu *b = bare_new_as(CODE_64, translated);

    bare_map_small(b, HEAP, 0);
    bare_map_small(b, STACK, 1);
    bare_map_small(b, OTHER, 2);
    b->c->window.always = bare_window(b) && translated;
    return b;
}

static Pair pair_new(void)
{
    return (Pair){{cpu_new(false), cpu_new(true)}};
}

static void pair_free(Pair p)
{
    bare_free(p.cpu[0]);
    bare_free(p.cpu[1]);
}

static void start(BareCpu *b, const Run *r, uint64_t to)
{
    uint64_t *gpr = b->c->s.gpr;

    memset(gpr, 0, sizeof b->c->s.gpr);
    gpr[R_SI] = r->from;
    gpr[R_DI] = to;
    gpr[R_DX] = r->other;
    gpr[R_CX] = r->rounds;
    gpr[R_SP] = FROM + 0x8000;
    b->c->s.seg[SEG_GS].base = 0x10;
    b->c->s.activity = CPU_RUNNING;
    b->c->s.rip = BARE_CODE;
    if (b->c->code_size == CODE_64) {
        gpr[R_SP] += STACK;
        b->c->s.rip += HEAP;
    }
    cpu_attended(b->c);
}

static void run_guest(BareCpu *b, const Run *r)
{
    for (unsigned n = 0; n < 0x80000; n += 4) {
        *(uint32_t *)(b->ram + FROM + n) = n * 2654435761u | 1;
    }
    b->c->last_count = 0;
    bare_load(b, r->code, r->end);
    start(b, r, r->to);
    tlb_flush(b->c); /* the chunks are chosen by what registers say */
    check(b->c->mode & MODE_WINDOW, b->c->window.always ? MODE_WINDOW : 0);
    bare_run(b);
    if (r->again && bare_fault(b) < 0) {
        start(b, r, r->again);
        bare_run(b);
    }
}

static void run_both(Pair p, Run r)
{
    const Cpu *a = p.cpu[0]->c, *b = p.cpu[1]->c;

    run_guest(p.cpu[0], &r);
    run_guest(p.cpu[1], &r);
    for (unsigned n = 0; n < 16; n++) {
        check(b->s.gpr[n], a->s.gpr[n]);
    }
    check(b->s.rip, a->s.rip);
    check(b->s.rflags, a->s.rflags);
    check(b->last_count, a->last_count);
    check(bare_fault(p.cpu[1]), bare_fault(p.cpu[0]));
    if (a->last_count) {
        check(b->last[0].rip, a->last[0].rip);
        check(b->last[0].cr2, a->last[0].cr2);
        check(b->last[0].error, a->last[0].error);
    }
    check(memcmp(p.cpu[0]->ram + FROM, p.cpu[1]->ram + FROM, BARE_RAM - FROM), 0);
}

#define RUN(name, ...) run_both(p, (Run){.code = name, .end = name##_end, __VA_ARGS__})

/* Every kind of access. */
static void each_kind(uint64_t from, uint64_t to, uint64_t again)
{
    Pair p = pair_new();

#define BOTH(name, text)                                                        \
    RUN(name, .from = from, .to = to, .other = 3, .rounds = 2, .again = again); \
    RUN(name##_kept, .from = from, .to = to, .other = 3, .rounds = 2, .again = again);
    KINDS(BOTH)
    pair_free(p);
}

TEST("window: every kind of access, in each chunk, and first in another than the guess")
{
    each_kind(HEAP + FROM, HEAP + TO, STACK + TO);
    each_kind(STACK + FROM, OTHER + TO, FROM);
    each_kind(OTHER + FROM + 8, TO + 3, OTHER + TO + 0xffd);
}

TEST("window: every kind of access where the page is not there, at its start and over its ends")
{
    each_kind(HEAP + FROM, HEAP + MISSING + 0x10, 0);
    each_kind(HEAP + FROM, STACK + MISSING - 1, 0);
    each_kind(FROM, OTHER + MISSING + 0xff8, 0);
    each_kind(STACK + FROM, HEAP + TO, STACK + MISSING + 0xffd);
}

TEST("window: every kind of access at addresses that no chunk has, and by a chunk's ends")
{
    each_kind(HEAP + FROM, NONE, 0);
    each_kind(HEAP + FROM, ~0ull - 2, 0);
    each_kind(HEAP + FROM, 0x7ffffffffffcull, 0);
    each_kind(HEAP + FROM, HEAP + TO, 0x550000000004ull);
    each_kind(HEAP + FROM, STACK + TO, 0x00ff7fff00000000ull);
}

TEST("window: loops through arrays, in chunks as guessed and in others, into what is not there")
{
    Pair p = pair_new();
    static const uint64_t chunk[] = {HEAP, STACK, OTHER, 0};

    for (unsigned n = 0; n < 16; n++) {
        uint64_t from = chunk[n & 3] + FROM + n, to = chunk[n >> 2] + TO + 3 * n;

        RUN(walks, .from = from, .to = to, .rounds = 1500, .again = chunk[n & 3] + TO);
        RUN(walks, .from = from, .to = chunk[n >> 2] + MISSING - 0x1f00 - n, .rounds = 3000);
        RUN(looks_up, .from = from, .to = to + 0x400, .rounds = 500);
        RUN(stack_first, .from = from, .to = to, .rounds = 70, .again = chunk[n & 3] + TO);
        RUN(apart, .from = from + 0x400, .to = to + 0x400, .other = 0, .rounds = 60);
        RUN(apart, .from = from + 0x400, .to = to + 0x400, .other = -16, .rounds = 60);
        RUN(apart, .from = from, .to = HEAP + TO, .other = (STACK - HEAP) / 8, .rounds = 2);
        RUN(apart, .from = from, .to = to, .other = 0x123456780, .rounds = 2);
        RUN(apart_framed, .from = from, .to = to, .other = n * 16, .rounds = 60);
        RUN(apart_framed, .from = from, .to = chunk[n >> 2] + MISSING - 0x500, .rounds = 60);
        RUN(looks_up, .from = from, .to = chunk[n >> 2] + MISSING - 0x900, .rounds = 500);
        RUN(seven, .from = from, .to = to, .other = chunk[n >> 1 & 3] + TO, .rounds = 700);
        RUN(indexes, .from = from, .to = to, .other = chunk[n & 1] + TO + 0x8000, .rounds = 900);
        RUN(indexes, .from = chunk[n & 3] + MISSING - 0x800, .to = to, .other = to, .rounds = 900);
    }
    pair_free(p);
}

TEST("window: steps that no constant says, over chunks, and pointers that change places")
{
    Pair p = pair_new();
    RUN(strides, .from = HEAP + FROM, .to = HEAP + TO, .other = 72, .rounds = 2000);
    RUN(strides, .from = HEAP + FROM, .to = HEAP + TO, .other = STACK - HEAP, .rounds = 2);
    RUN(strides, .from = HEAP + FROM, .to = STACK + TO, .other = HEAP - STACK, .rounds = 20);
    RUN(changes, .from = 0, .to = HEAP + TO, .other = STACK + TO + 5, .rounds = 1001);
    RUN(changes, .from = 0, .to = OTHER + TO, .other = STACK + TO + 5, .rounds = 1001);
    pair_free(p);
}

TEST("window: branches that skip accesses, of which some have not been looked at elsewhere")
{
    Pair p = pair_new();
    static const uint64_t chunk[] = {HEAP, STACK, OTHER, 0};

    for (unsigned n = 0; n < 16; n++) {
        uint64_t from = chunk[n & 3] + FROM, to = chunk[n >> 2] + TO + n;

        RUN(skips, .from = from, .to = to, .other = OTHER + TO + 0x4000, .rounds = 700);
        RUN(skips, .from = from, .to = to, .other = chunk[n & 3] + MISSING - 0x400, .rounds = 700);
        RUN(skips_x87, .from = from, .to = to, .other = chunk[n & 3] + TO - 0x200, .rounds = 300);
        RUN(skips_x87, .from = from, .to = chunk[n & 1] + MISSING - 99, .other = to, .rounds = 300);
    }
    pair_free(p);
}

TEST("window: recursion, on a stack as guessed, on another, and on one that ends")
{
    Pair p = pair_new();
    for (unsigned n = 0; n < 4; n++) {
        RUN(recurses, .from = HEAP + FROM, .to = STACK + TO + n, .rounds = 300);
        RUN(recurses, .from = FROM, .to = OTHER + TO + n, .rounds = 300);
        RUN(recurses, .from = OTHER + FROM, .to = HEAP + MISSING + 0x1800 + n, .rounds = 300);
    }
    pair_free(p);
}

/* Where another chunk has an address, in a chunk. */
static uint64_t like(uint64_t chunk, uint64_t linear)
{
    return (chunk & -WINDOW_CHUNK) | (linear & (WINDOW_CHUNK - 1));
}

/* 65536 times 16 MB are a chunk. On the host chunks lie so far from one another as they are large,
 * and two guards. */
TEST("window: rSP goes by small steps to another chunk, accesses nothing on the way, and then "
     "something")
{
    Pair p = pair_new();
    for (unsigned n = 65534; n < 65539; n++) {
        RUN(sinks, .from = HEAP + FROM, .to = STACK + TO, .other = STACK + TO, .rounds = n);
        RUN(climbs, .from = HEAP + FROM, .to = OTHER + TO, .other = OTHER + TO, .rounds = n);
    }
    for (unsigned n = 65536 + 2 * (WINDOW_GUARD >> 24), k = 0; k < 2; k++) {
        RUN(sinks, .from = HEAP + TO, .to = like(STACK, HEAP + TO), .other = STACK + TO,
            .rounds = n + k);
        RUN(climbs, .from = STACK + TO, .to = like(HEAP, STACK + TO), .other = HEAP + TO,
            .rounds = n + k);
    }
    RUN(skips_stack, .from = HEAP + FROM, .to = STACK + TO, .rounds = 20);
    RUN(sinks, .from = HEAP + FROM, .to = OTHER + TO, .other = OTHER + TO, .rounds = 300000);
    pair_free(p);
}

TEST("window: rSP changes places with others, in its chunk and in each of the others")
{
    Pair p = pair_new();
    static const uint64_t chunk[] = {HEAP, STACK, OTHER, 0};

    for (unsigned n = 0; n < 4; n++) {
        RUN(switches, .from = HEAP + FROM, .to = chunk[n] + TO + 0x4000, .rounds = 200);
        RUN(switches, .from = HEAP + FROM, .to = chunk[n] + MISSING + 0x10f8 - 8 * n,
            .rounds = 200);
    }
    pair_free(p);
}

/* ---- 32-bit code ---- */

/* clang-format off */
GUEST(flat, ".code32\n 1: mov (%esi), %eax\n add %eax, 4(%edi)\n lea 8(%edi), %ebp\n movzwl (%ebp,%ecx,4), %ebx\n push %ebx\n add -4(%ebp), %eax\n"
            " adc %eax, (%edi,%ecx,8)\n mov %gs:(%esi), %bh\n pop %ebx\n call 2f\n inc %esi\n dec %ecx\n jnz 1b\n out %al, $0xf4\n 9: jmp 9b\n"
            " 2: enter $16, $0\n mov %ebx, -4(%ebp)\n cmp %eax, -4(%ebp)\n leave\n jb 3f\n xor %eax, (%edi)\n 3: ret");
GUEST(wraps, ".code32\n 1: mov 8(%edi), %eax\n add %eax, 0x7f000000(%edi,%edx)\n add %eax, -0x1000(%edi,%ecx,8)\n sub $0x40, %edi\n dec %ecx\n jnz 1b\n"
             " out %al, $0xf4\n 9: jmp 9b");
GUEST(sinks32, ".code32\n 1: mov %edi, %esp\n push %eax\n pop %ebx\n mov 4(%esp), %eax\n pushw %ax\n pop %bp\n dec %ecx\n jnz 1b\n mov %edx, %esp\n"
               " push %eax\n out %al, $0xf4\n 9: jmp 9b");
/* clang-format on */

static BareCpu *flat_new(bool translated)
{
    BareCpu *b = cpu_new(translated);

    bare_flat32(b);
    return b;
}

TEST("window: 32-bit code: loops, calls, segments with bases, into what is not there")
{
    Pair p = {{flat_new(false), flat_new(true)}};
    for (unsigned n = 0; n < 4; n++) {
        RUN(flat, .from = FROM + n, .to = TO + 3 * n, .rounds = 300);
        RUN(flat, .from = FROM, .to = MISSING - 0x400 - n, .rounds = 300);
    }
    pair_free(p);
}

TEST("window: 32-bit code: addresses wrap at 4 GB, and stacks end there")
{
    Pair p = {{flat_new(false), flat_new(true)}};
    for (unsigned n = 0; n < 4; n++) {
        RUN(wraps, .to = TO + n, .other = 0x81000000, .rounds = 200);
        RUN(wraps, .to = 0x1000 + n, .other = 0x81000000 + FROM, .rounds = 200);
        RUN(wraps, .to = FROM, .other = 0x81000000 + TO, .rounds = 0xffffff00 + 8 * n);
        RUN(sinks32, .to = TO + n, .other = n, .rounds = 50);
        RUN(sinks32, .to = 0xfffffff0 + 4 * n, .other = 0, .rounds = 50);
        RUN(sinks32, .to = 8 - 2 * n, .other = TO, .rounds = 50);
    }
    pair_free(p);
}

/* Its pages are of 4 KB, or pieces of one of 4 MB. */
TEST("window: 32-bit code, tables of two levels: loops, calls, into what is not there")
{
    Pair p = {{flat_new(false), flat_new(true)}};
    uint64_t large = 4 << 20;

    for (unsigned n = 0; n < 2; n++) {
        bare_paging32(p.cpu[n]);
        ((uint32_t *)(p.cpu[n]->ram + BARE_TABLE32))[MISSING / GUEST_PAGE] = 0;
    }
    for (unsigned n = 0; n < 4; n++) {
        RUN(flat, .from = FROM + n, .to = TO + 3 * n, .rounds = 300);
        RUN(flat, .from = large + FROM + n, .to = large + TO + 3 * n, .rounds = 300);
        RUN(flat, .from = large + FROM, .to = TO + n, .rounds = 300);
        RUN(flat, .from = large + FROM, .to = MISSING - 0x400 - n, .rounds = 300);
        RUN(wraps, .to = large + TO + n, .other = 0x81000000, .rounds = 200);
    }
    check(p.cpu[1]->c->window.store ? p.cpu[1]->c->window.count > 0 : true, true);
    pair_free(p);
}
