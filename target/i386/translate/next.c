/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What translated code asks of C: to fill the TLB, to deliver the page fault that comes of it, and
 * where code goes on behind an instruction that was called and may have changed the mode (docs/
 * design/translator.md, "System code"). Neither way leads through the loop when nothing is out of
 * the ordinary and the place is in the jump table of the view.
 * Not here: page faults of x87 and vector instructions, which may have others that come first: they
 * are left to the loop.
 */
#include "target/i386/rt/fpu.h"
#include "target/i386/rt/host.h"
#include "target/i386/rt/walk.h"
#include "target/i386/translate/unit.h"

/* ---- the TLB ---- */

static bool filled(Cpu *c, uint64_t linear, unsigned size, bool write)
{
    const TlbTable *t = c->tlb;
    unsigned slot = tlb_slot(linear);

    return tlb_hit(write ? t->write[slot] : t->read[slot], linear, size);
}

/* Every unit by itself: a test mode, or links are not wanted. */
static bool alone(const Cpu *c)
{
    return c->host->lockstep || c->unlinked;
}

/* The page fault of the instruction at s.rip, unless the interpreter is to find out. */
static uint32_t fault(Cpu *c, uint64_t linear, uint32_t info, uint32_t error)
{
    if (!(info & FILL_PLAIN) || alone(c)) {
        return FILL_ONE;
    }
    pend_page_fault(c, linear, error);
    deliver_pending(c); /* a shutdown is seen by who looks around */
    c->next_rip = c->s.rip;
    return FILL_NEXT;
}

/* The instruction at s.rip is run here, for it is known to be a device that it wants. */
static uint32_t device(Cpu *c, uint32_t info)
{
    if (!(info & FILL_PLAIN) || alone(c)) {
        return FILL_ONE;
    }
    run_one(c);
    c->next_rip = c->s.rip;
    return FILL_NEXT;
}

uint32_t trans_fill(Cpu *c, uint64_t linear, uint32_t info)
{
    unsigned size = info >> 16 & 0xff;
    bool write = info & FILL_WRITE, live = c->fpu_live;
    uint32_t error;

    if (c->view != VIEW_SLOW && device_page(c, c->view, linear, write)) {
        return device(c, info);
    }
    c->fills++;
    if (linear % GUEST_PAGE + size > GUEST_PAGE ||
        (c->code_size == CODE_64 && !canonical(c, linear))) {
        return FILL_ONE;
    }
    if (!mem_refill_try(c, linear, write ? ACCESS_WRITE : ACCESS_READ, &error)) {
        return fault(c, linear, info, error);
    }
    if (live) {
        fpu_live(c);
    }
    return filled(c, linear, size, write) && !c->block_break &&
                   c->code_generation == c->code->generation
             ? FILL_DONE
             : FILL_ONE;
}

/* ---- going on ---- */

/* The code there begins at once, so the instruction that RF is about is as good as begun, unless
 * breakpoints ask for it. */
static bool only_rf(const Cpu *c)
{
    return c->s.rflags & FLAG_RF && !(c->mode & MODE_STEP) && !c->s.sti_shadow && !c->s.ss_shadow;
}

const void *trans_next(Cpu *c)
{
    unsigned slot = jump_slot(c->next_rip);
    uint64_t rf = only_rf(c) ? FLAG_RF : 0;
    const JumpTable *t;

    c->s.rip = c->code_size == CODE_64 ? c->next_rip : (uint32_t)c->next_rip;
    if (c->view == VIEW_SLOW || alone(c) || c->code_generation != c->code->generation) {
        return NULL;
    }
    if (unlikely(window_astray(c))) {
        window_update(c);
    }
    jump_check(c);
    t = &c->jumps[c->view];
    if (t->word[slot] + c->code_tag + c->s.rip && !trans_resolve(c, c->s.rip)) {
        return NULL;
    }
    c->s.rflags &= ~rf;
    if (c->block_break ? !rt_ordinary(c) : !c->go) {
        c->s.rflags |= rf;
        return NULL;
    }
    return (const void *)t->word[slot + 1];
}
