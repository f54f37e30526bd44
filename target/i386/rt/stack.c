/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stack as calls, gates and returns use it (SDM volume 3, "Stack switching", "Task state
 * segment"; volume 1, "Procedure calls, interrupts, and exceptions"): the current one, one that
 * will be current if nothing faults, and the ones that a TSS holds.
 */
#include "target/i386/rt/sys.h"
#include "target/i386/rt/walk.h"

static uint64_t wrap(uint64_t sp, unsigned width)
{
    return width == 8 ? sp : width == 4 ? (uint32_t)sp : (uint16_t)sp;
}

static uint64_t linear_of(Cpu *c, uint64_t sp, unsigned size, bool write)
{
    return seg_linear(c, SEG_SS, sp, size, write);
}

/* Another width than the pointer's leaves the upper bits alone. */
void stack_move(Cpu *c, uint64_t sp, unsigned width)
{
    if (width == 2) {
        c->s.gpr[R_SP] = (c->s.gpr[R_SP] & ~0xffffull) | (uint16_t)sp;
    } else {
        c->s.gpr[R_SP] = sp;
    }
}

void push(Cpu *c, uint64_t value, unsigned size)
{
    uint64_t sp = wrap(c->s.gpr[R_SP] - size, c->stack_size);

    mem_write(c, linear_of(c, sp, size, true), value, size);
    stack_move(c, sp, c->stack_size);
}

uint64_t pop(Cpu *c, unsigned size)
{
    uint64_t sp = wrap(c->s.gpr[R_SP], c->stack_size);
    uint64_t value = mem_read(c, linear_of(c, sp, size, false), size);

    stack_move(c, wrap(sp + size, c->stack_size), c->stack_size);
    return value;
}

unsigned stack_width(const Cpu *c, const X86Segment *cs, const X86Segment *ss)
{
    return long_mode(c) && cs->attr & ATTR_L ? 8 : ss->attr & ATTR_DB ? 4 : 2;
}

Stack stack_current(Cpu *c)
{
    return (Stack){.ss = c->s.seg[SEG_SS],
                   .sp = wrap(c->s.gpr[R_SP], c->stack_size),
                   .width = c->stack_size,
                   .cpl = c->cpl};
}

/* The linear address of a place on a stack that may not be the current one. */
static uint64_t stack_linear(Cpu *c, const Stack *k, uint64_t sp, unsigned size)
{
    const X86Segment *g = &k->ss;
    uint64_t last = sp + size - 1;
    bool down = (g->attr & (ATTR_CODE | ATTR_DOWN_CONFORM)) == ATTR_DOWN_CONFORM;
    bool good = k->width == 8 ? canonical(c, sp) && canonical(c, last)
              : down          ? sp > g->limit && last <= (g->attr & ATTR_DB ? 0xffffffff : 0xffff)
                              : last <= g->limit || g->limit == 0xffffffff;

    if (unlikely(!good)) {
        why(c, "stack pointer %x is outside the stack segment with selector %x, whose limit is %x",
            sp, g->selector, g->limit);
        raise_error(c, EXC_SS, k->error | c->external);
    }
    return k->width == 8 ? sp : (uint32_t)(g->base + sp);
}

void stack_push(Cpu *c, Stack *k, uint64_t value, unsigned size)
{
    uint64_t sp = wrap(k->sp - size, k->width);
    uint64_t linear = stack_linear(c, k, sp, size);

    if (k->cpl == 3) {
        mem_write_slow(c, linear, value, size, ACCESS_WRITE);
    } else {
        mem_write_system(c, linear, value, size);
    }
    k->sp = sp;
}

uint64_t stack_pop(Cpu *c, Stack *k, unsigned size)
{
    uint64_t linear = stack_linear(c, k, k->sp, size);
    uint64_t value = k->cpl == 3 ? mem_read_slow(c, linear, size, ACCESS_READ)
                                 : mem_read_system(c, linear, size);

    k->sp = wrap(k->sp + size, k->width);
    return value;
}

void stack_set(Cpu *c, const Stack *k)
{
    c->s.seg[SEG_SS] = k->ss;
    stack_move(c, k->sp, k->width);
}

/* ---- stacks in the TSS ---- */

static uint64_t tss_field(Cpu *c, unsigned offset, unsigned size)
{
    const X86Segment *tr = &c->s.seg[SEG_TR];

    if (offset + size - 1 > tr->limit) {
        why(c, "the TSS with selector %x ends at %x, before the stack pointer at %x", tr->selector,
            tr->limit, offset);
        raise_error(c, EXC_TS, selector_error(c, tr->selector));
    }
    return mem_read_system(c, tr->base + offset, size);
}

Stack tss_stack(Cpu *c, unsigned cpl)
{
    bool wide = c->s.seg[SEG_TR].attr & 8;
    uint64_t sp = wide ? tss_field(c, 4 + 8 * cpl, 4) : tss_field(c, 2 + 4 * cpl, 2);
    uint16_t ss = wide ? tss_field(c, 8 + 8 * cpl, 2) : tss_field(c, 4 + 4 * cpl, 2);
    Stack k = {.ss = stack_segment(c, ss, cpl, EXC_TS), .sp = sp, .cpl = cpl};

    k.width = k.ss.attr & ATTR_DB ? 4 : 2;
    k.sp = wrap(sp, k.width);
    k.error = ss & 0xfffc;
    return k;
}

uint64_t tss_pointer64(Cpu *c, unsigned cpl, unsigned ist)
{
    uint64_t sp = tss_field(c, ist ? 36 + 8 * (ist - 1) : 4 + 8 * cpl, 8);

    if (!canonical(c, sp)) {
        why(c, "the stack pointer %x in the TSS is not canonical", sp, 0, 0);
        raise_error(c, EXC_SS, c->external);
    }
    return sp;
}
