/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SYSCALL, SYSRET, IRETQ and delivery in 64-bit mode, from random states and with random flags,
 * selectors, stacks and addresses: translated code, with the short ways of syscall.c and rt/fast.c,
 * ends as the interpreter does by the general ones, which watched data ask for. Looked at wherever
 * the guest stops: each few rounds of its loop, and where an interrupt that waits could be taken.
 * Not here: code of 32 bits, call gates (tests/system).
 */
#include "target/i386/rt/mem.h"
#include "tests/lib/barecpu.h"
#include "tests/lib/random.h"
#include "tests/lib/test.h"

#include <string.h>

/* The upper 2 MB are the kernel's, for SMAP. */
enum {
    KERNEL = 2 << 20,
    IDT = KERNEL + 0x1000,
    TSS = KERNEL + 0x2000,
    STACKS = KERNEL + 0x4000, /* of the loop, RSP0 and IST1, 4 KB each */
    TABLE = KERNEL + 0x10000,
    ROUNDS = 100,
    STATES = 300,
    ENTRY = 0x100, /* two of SYSCALL, 0x40 apart */
    HANDLER = 0x180,
    USER = 0x200, /* eight pieces of code, 0x20 apart */
};

typedef struct Step {
    uint64_t how, rip, flags, sp, cs, ss, flags2, data;
} Step;

/* rbx steps; rsi: the next one; rbp: a sum of all that was seen. */
GUEST(levels,
      ".code64\n jmp 2f\n"
      "1: dec %ebx\n jz 9f\n test $3, %bl\n jnz 2f\n hlt\n"
      "2: mov (%rsi), %rax\n mov 8(%rsi), %rcx\n mov 16(%rsi), %r11\n mov 24(%rsi), %r8\n"
      " mov 32(%rsi), %r9\n mov 40(%rsi), %r10\n mov 48(%rsi), %r13\n mov 56(%rsi), %rdi\n"
      " add $64, %rsi\n test $1, %al\n jz 3f\n mov %r8, %rsp\n add %rdi, %rdi\n sysretq\n"
      "3: mov $0x205000, %esp\n test $6, %al\n jnz 4f\n sub $4, %rsp\n"
      "4: push %r10\n push %r8\n push %r11\n push %r9\n push %rcx\n add %rdi, %rdi\n iretq\n"
      "9: hlt\n"
      ".org levels + 0x100\n adc %rcx, %rbp\n rol $7, %rbp\n add %r11, %rbp\n add %rsp, %rbp\n"
      " jmp 1b\n"
      ".org levels + 0x140\n rol $5, %rbp\n swapgs\n adc %r11, %rbp\n mov %cs, %edx\n"
      " add %rdx, %rbp\n mov %ss, %edx\n add %rdx, %rbp\n jmp 1b\n"
      ".org levels + 0x180\n rol $3, %rbp\n adc %rsp, %rbp\n pushf\n add (%rsp), %rbp\n"
      " add 8(%rsp), %rbp\n rol %rbp\n add 16(%rsp), %rbp\n rol %rbp\n add 24(%rsp), %rbp\n"
      " rol %rbp\n add 32(%rsp), %rbp\n rol %rbp\n add 40(%rsp), %rbp\n mov $0x205000, %esp\n"
      " jmp 1b\n"
      ".org levels + 0x200\n mov %ss, %r14d\n mov %cs, %r15d\n adc %r14, %rbp\n syscall\n"
      ".org levels + 0x220\n pushf\n pop %r14\n adc %r14, %rbp\n int $0x80\n"
      ".org levels + 0x240\n mov 0x40000123, %eax\n"
      ".org levels + 0x260\n ud2\n"
      ".org levels + 0x280\n syscall\n"
      ".org levels + 0x2a0\n push %r13\n popf\n syscall\n"
      ".org levels + 0x2c0\n sti\n syscall\n"
      ".org levels + 0x2e0\n 5: dec %dil\n jnz 5b\n syscall");

/* ---- making ---- */

static BareCpu *made(bool translate)
{
    static const DebugWatch nothing = {0x380000, 0x380000, DEBUG_WRITE};
    static const DebugPlan plan = {.watches = &nothing, .watch_count = 1};
    BareCpu *b = bare_new_as(CODE_64, translate);

    bare_load(b, levels, levels_end);
    if (!translate) {
        rt_debug(b->c, &plan);
    }
    return b;
}

static void put(BareCpu *b, uint64_t at, uint64_t value)
{
    memcpy(b->ram + at, &value, sizeof value);
}

static void fill_tables(BareCpu *b, Random *r)
{
    put(b, BARE_TABLES + 0x3000 + 8, KERNEL | 0xe3);
    memcpy(b->ram + KERNEL, b->ram + BARE_TABLES, 5 * 8);
    put(b, KERNEL + 5 * 8, 0x00cff3000000ffff);
    put(b, KERNEL + 6 * 8, 0x00affb000000ffff);
    b->c->s.gdtr = (X86Table){.base = KERNEL, .limit = 7 * 8 - 1};
    b->c->s.idtr = (X86Table){.base = IDT, .limit = 0xfff};
    for (unsigned vector = 0; vector < 256; vector++) {
        uint64_t bits = random_bits(r), at = BARE_CODE + HANDLER;

        put(b, IDT + 16 * vector,
            (at & 0xffff) | at >> 16 << 48 | 0x18 << 16 | 0x8e00ull << 32 | (bits & 1) << 32 |
                (bits & 6 ? 0x6000ull : 0) << 32 | (bits >> 3 & 1) << 40);
        put(b, IDT + 16 * vector + 8, 0);
    }
    put(b, TSS + 4, STACKS + 0x1ff8 - random_below(r, 16));
    put(b, TSS + 36, STACKS + 0x2ff8 - random_below(r, 16));
}

static uint64_t one_of(Random *r, const uint64_t *from, unsigned count, uint64_t odd)
{
    return random_below(r, 12) ? from[random_below(r, count)] : odd;
}

static uint64_t random_flags(Random *r)
{
    uint64_t bits = random_bits(r), usual = FLAGS_ARITH | FLAG_DF | FLAG_IF | FLAG_ID | FLAG_RF;

    return (bits & usual) | (random_below(r, 4) ? 0 : random_bits(r) & random_bits(r));
}

static uint64_t random_address(Random *r)
{
    uint64_t bits = random_bits(r);

    return bits & 1 ? bits : (uint64_t)((int64_t)bits >> (16 + (bits >> 1 & 3)));
}

static void random_step(Random *r, Step *s)
{
    static const uint64_t cs[] = {0x33, 0x33, 0x33, 0x18, 0x18, 0x30, 0x1b};
    static const uint64_t ss[] = {0x2b, 0x2b, 0x2b, 0x10, 0, 3, 0x13};

    *s = (Step){
        .how = random_bits(r),
        .rip = BARE_CODE + USER + 0x20 * random_below(r, 8),
        .flags = random_flags(r),
        .sp = random_below(r, 8) ? BARE_STACK - random_below(r, 64) * 8 : random_address(r),
        .cs = one_of(r, cs, 7, random_bits(r)),
        .ss = one_of(r, ss, 7, random_bits(r)),
        .flags2 = random_flags(r),
        .data = random_bits(r),
    };
    if (!random_below(r, 10)) {
        s->rip = random_address(r);
    }
    if ((s->cs & 0xfff8) == 8 || (s->cs & 0xfff8) == 0x20) { /* code of 32 and 16 bits */
        s->cs = 0;
    }
}

static void random_state(BareCpu *b, Random *r)
{
    X86State *s = &b->c->s;

    fill_tables(b, r);
    memset(b->ram + STACKS, 0, 0x3000);
    for (unsigned n = 0; n < ROUNDS; n++) {
        random_step(r, (Step *)(b->ram + TABLE) + n);
    }
    for (unsigned n = 0; n < 16; n++) {
        s->gpr[n] = random_bits(r);
    }
    s->gpr[R_BX] = ROUNDS;
    s->gpr[R_SI] = TABLE;
    s->rip = BARE_CODE;
    s->rflags =
        FLAG_ONE | (random_flags(r) & (FLAGS_ARITH | FLAG_DF | FLAG_IF | FLAG_ID | FLAG_AC));
    s->seg[SEG_TR] = (X86Segment){.selector = 0x40, .attr = 0x8b, .limit = 103, .base = TSS};
    s->seg[SEG_SS].base = random_bits(r) & 0x1000;
    s->efer |= random_below(r, 8) ? EFER_SCE : 0;
    s->star = random_below(r, 4) ? 0x0023001800000000 : random_bits(r);
    s->lstar = BARE_CODE + ENTRY + 0x40 * random_below(r, 2);
    s->sfmask = random_below(r, 2) ? FLAG_IF | FLAG_DF | FLAG_AC | FLAG_TF | FLAG_NT
                                   : (uint32_t)random_bits(r);
    s->cr4 |= random_below(r, 2) ? CR4_SMAP : 0;
    s->cr0 |= random_below(r, 4) ? 0 : CR0_AM;
    s->seg[SEG_GS].base = random_bits(r) >> 20;
    s->kernel_gs_base = random_bits(r) >> 20;
}

/* ---- comparing ---- */

/* RF ends where code is entered, also if that faults: nobody reads it behind a shutdown. */
static bool same(const BareCpu *a, const BareCpu *b)
{
    const X86State *s = &a->c->s, *t = &b->c->s;
    uint64_t no_matter = s->activity == CPU_SHUTDOWN ? FLAG_RF : 0;
    bool all = !memcmp(s->gpr, t->gpr, sizeof s->gpr) && !memcmp(s->seg, t->seg, sizeof s->seg) &&
               s->rip == t->rip && (s->rflags | no_matter) == (t->rflags | no_matter) &&
               s->cr2 == t->cr2 && s->kernel_gs_base == t->kernel_gs_base &&
               s->activity == t->activity && a->c->cpl == b->c->cpl &&
               a->c->last_count == b->c->last_count &&
               !memcmp(a->ram + STACKS, b->ram + STACKS, 0x3000);

    check(all, true);
    for (unsigned n = 0; n < 16 && !all; n++) {
        check(t->gpr[n], s->gpr[n]);
    }
    for (unsigned n = 0; n < 6 && !all; n++) {
        check(t->seg[n].selector | t->seg[n].attr << 16, s->seg[n].selector | s->seg[n].attr << 16);
        check(t->seg[n].base, s->seg[n].base);
    }
    if (!all) {
        check(t->rip, s->rip);
        check(t->rflags, s->rflags);
        check(b->c->last_count, a->c->last_count);
    }
    return all;
}

static void go_on(BareCpu *b, bool want)
{
    b->c->s.activity = CPU_RUNNING;
    rt_want_window(b->c, want);
    cpu_attended(b->c);
}

/* To the last HLT, or a shutdown; an interrupt is taken by nobody, so that it may be
 * awaited again. */
static bool run_both(BareCpu *a, BareCpu *b, Random *r)
{
    for (unsigned n = 0; n < 4 * ROUNDS; n++) {
        RtExit exit = bare_run(a), other = bare_run(b);
        bool want = !rt_can_interrupt(a->c) && random_below(r, 2);

        check(other, exit);
        if (!same(a, b) || other != exit || !a->c->s.gpr[R_BX] || exit == RT_SHUTDOWN) {
            return other == exit;
        }
        go_on(a, want);
        go_on(b, want);
    }
    check(false, true);
    return false;
}

TEST("levels: SYSCALL, SYSRET, IRETQ and delivery from random states: translated as interpreted")
{
    BareCpu *a = made(false), *b = made(true);
    const X86State begin = a->c->s;
    unsigned halts = 0;
    bool good = true;

    for (uint64_t seed = 1; seed <= STATES && good; seed++) {
        Random of_a = {seed}, of_b = {seed};

        rt_reset(a->c, false, true);
        rt_reset(b->c, false, true);
        a->c->s = b->c->s = begin;
        random_state(a, &of_a);
        random_state(b, &of_b);
        rt_state_loaded(a->c);
        rt_state_loaded(b->c);
        rt_want_window(a->c, false);
        rt_want_window(b->c, false);
        good = run_both(a, b, &of_a) && same(a, b);
        halts += a->c->s.activity == CPU_HALTED && !a->c->s.gpr[R_BX];
        check(good ? 0 : (int64_t)seed, 0);
    }
    check(halts > STATES / 4, true);
    bare_free(a);
    bare_free(b);
}
