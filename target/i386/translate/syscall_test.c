/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SYSCALL and SYSRET in translated code end as the interpreter has them (on a host without BMI2
 * both runs are interpreted).
 */
#include "target/i386/rt/mem.h"
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

enum { USER = 0x40, KERNEL = 0x80 };

/* rbx rounds; r12 is given to SYSRET as the flags, with CF, IF, DF and the rest as they come. */
GUEST(rounds,
      ".code64\n 1: lea 2f(%rip), %rcx\n mov %r12, %r11\n sysretq\n"
      ".org rounds + 0x40\n 2: mov %ss, %r14d\n mov %cs, %r15d\n adc %rdx, %rdi\n add %rdi, %rax\n"
      " syscall\n"
      ".org rounds + 0x80\n 3: adc %rcx, %rsi\n add %r11, %rbp\n dec %ebx\n jnz 1b\n hlt");

static BareCpu *made(bool translate)
{
    BareCpu *b = bare_new_as(CODE_64, translate);

    bare_load(b, rounds, rounds_end);
    b->c->s.efer |= EFER_SCE;
    b->c->s.star = 0x0013000800000000;
    b->c->s.lstar = BARE_CODE + KERNEL;
    b->c->s.sfmask = FLAG_IF | FLAG_DF | FLAG_AC | FLAG_CF | FLAG_OF;
    b->c->s.gpr[R_BX] = 20;
    b->c->s.gpr[R_DX] = 0x7777777777777777;
    b->c->s.gpr[12] = FLAG_CF | FLAG_DF | FLAG_SF | FLAG_ID;
    return b;
}

static void same(BareCpu *a, BareCpu *b)
{
    const X86State *s = &a->c->s, *t = &b->c->s;

    for (unsigned n = 0; n < 16; n++) {
        check(s->gpr[n], t->gpr[n]);
    }
    for (unsigned n = SEG_CS; n <= SEG_SS; n++) {
        check(s->seg[n].selector, t->seg[n].selector);
        check(s->seg[n].attr, t->seg[n].attr);
        check(s->seg[n].limit, t->seg[n].limit);
        check(s->seg[n].base, t->seg[n].base);
    }
    check(s->rip, t->rip);
    check(s->rflags, t->rflags);
    check(a->c->cpl, b->c->cpl);
    check(a->c->mode, b->c->mode);
    check(a->c->view, b->c->view);
    check(a->c->tlb - a->c->tlb_view, b->c->tlb - b->c->tlb_view);
    check(bare_fault(a), bare_fault(b));
}

static void both(void (*set)(BareCpu *b))
{
    BareCpu *a = made(false), *b = made(true);

    set(a);
    set(b);
    rt_state_loaded(a->c);
    rt_state_loaded(b->c);
    check(bare_run(a), bare_run(b));
    same(a, b);
    bare_free(a);
    bare_free(b);
}

static void usual(BareCpu *b)
{
    b->c->s.seg[SEG_SS].base = 0x1000;
}

TEST("translated SYSCALL and SYSRET: registers, flags, CS and SS as interpreted")
{
    BareCpu *b = made(true);

    bare_run(b);
    check(b->c->s.gpr[R_BX], 0);
    check(b->c->s.gpr[R_CX], BARE_CODE + USER + 0xe);
    check(b->c->s.gpr[14] & 0xffff, 0x1b);
    check(b->c->s.gpr[15] & 0xffff, 0x23);
    check(b->c->cpl, 0);
    bare_free(b);
    both(usual);
}

static void with_smap(BareCpu *b)
{
    b->c->s.cr4 |= CR4_SMAP;
}

static void ac_stays(BareCpu *b)
{
    b->c->s.cr4 |= CR4_SMAP;
    b->c->s.gpr[12] |= FLAG_AC;
    b->c->s.sfmask = 0;
}

TEST("translated SYSCALL with SMAP, and with AC that SFMASK leaves")
{
    both(with_smap);
    both(ac_stays);
}

static void window(BareCpu *b)
{
    b->c->s.gpr[12] |= FLAG_IF;
    rt_want_window(b->c, true);
}

static void not_enabled(BareCpu *b)
{
    b->c->s.efer &= ~(uint64_t)EFER_SCE;
}

static void stepped(BareCpu *b)
{
    b->c->s.gpr[12] |= FLAG_TF;
}

TEST("translated SYSRET: to an open window, without EFER.SCE, to TF")
{
    both(window);
    both(not_enabled);
    both(stepped);
}
