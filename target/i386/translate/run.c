/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Into translated code, and the jump tables (docs/design/translator.md, "Blocks and links").
 */
#include "target/i386/rt/host.h"
#include "target/i386/rt/walk.h"
#include "target/i386/translate/unit.h"

void trans_thread(Cpu *c)
{
    __asm__ volatile("wrgsbase %0" : : "r"(c)); /* nothing else of the process uses gs */
}

/* ---- jump tables ---- */

/* No rip of that slot. */
static uint64_t jump_no_tag(unsigned slot)
{
    return slot ? 0 : -(1ull << JUMP_SHIFT);
}

/* The code's address stays: a call whose push had the TLB filled may be on its way there. */
static void slot_clear(JumpTable *t, unsigned slot)
{
    t->word[slot] = jump_no_tag(slot);
    t->used[slot / 64] &= ~(1ull << slot % 64);
}

static void word_clear(JumpTable *t, unsigned w, uint64_t bits)
{
    t->used[w] &= ~bits;
    for (; bits; bits &= bits - 1) {
        unsigned slot = w * 64 + __builtin_ctzll(bits);

        t->word[slot] = jump_no_tag(slot);
    }
}

static void table_clear(JumpTable *t, bool global_too)
{
    for (unsigned n = 0; n < sizeof t->any / sizeof t->any[0]; n++) {
        for (uint64_t words = t->any[n]; words; words &= words - 1) {
            unsigned w = n * 64 + __builtin_ctzll(words);

            word_clear(t, w, t->used[w] & (global_too ? ~0ull : ~t->global[w]));
            t->any[n] &= t->used[w] ? ~0ull : ~(1ull << w % 64);
        }
    }
    if (global_too) {
        __builtin_memset(t->near, 0, sizeof t->near);
    }
    if (!(t->used[0] & 1)) {
        t->word[0] = jump_no_tag(0);
    }
    t->based &= !global_too;
}

void jump_flush(Cpu *c, bool global_too)
{
    for (unsigned v = 0; v < JUMP_VIEWS; v++) {
        table_clear(&c->jumps[v], global_too);
    }
}

/* Forget the rips of a word of `used` whose upper bits, from `shift` up, are those of an
 * address. */
static void word_forget(JumpTable *t, unsigned w, uint64_t linear, unsigned shift)
{
    for (uint64_t bits = t->used[w]; bits; bits &= bits - 1) {
        unsigned slot = w * 64 + __builtin_ctzll(bits);

        if (!((linear ^ -t->word[slot]) >> shift)) {
            slot_clear(t, slot);
        }
    }
}

/* The rips of a page have neighbouring slots. */
static void table_forget(JumpTable *t, uint64_t linear)
{
    unsigned first = jump_slot(linear & -(uint64_t)GUEST_PAGE) / 64;

    for (unsigned w = first; w < first + (GUEST_PAGE >> JUMP_SHIFT) / 64; w++) {
        word_forget(t, w, linear, 12);
    }
}

/* Was anything jumped to whose address is the same from bit `reach` up? */
static bool table_knows(const JumpTable *t, uint64_t linear, unsigned reach)
{
    unsigned first = (linear & -(1ull << reach)) / GUEST_PAGE % JUMP_NEAR / 64;

    for (unsigned w = 0; w < 1u << (reach - 12 - 6); w++) {
        if (t->near[first + w]) {
            return true;
        }
    }
    return false;
}

/* Those of a large page, and units that end there. */
static void table_forget_near(JumpTable *t, uint64_t linear, unsigned reach)
{
    if (reach < REACH_HUGE && !table_knows(t, linear, reach)) {
        return; /* nor does a unit end there that begins in the page before: both are noted */
    }
    for (unsigned n = 0; n < sizeof t->any / sizeof t->any[0]; n++) {
        for (uint64_t words = t->any[n]; words; words &= words - 1) {
            word_forget(t, n * 64 + __builtin_ctzll(words), linear, reach);
        }
    }
    table_forget(t, (linear & -(1ull << reach)) - GUEST_PAGE);
}

void jump_flush_page(Cpu *c, uint64_t linear, unsigned reach)
{
    unsigned page = linear / GUEST_PAGE % JUMP_NEAR;

    for (unsigned v = 0; v < JUMP_VIEWS; v++) {
        JumpTable *t = &c->jumps[v];

        if (t->based) { /* tags are not linear addresses */
            table_clear(t, true);
        } else if (reach != REACH_PAGE) {
            table_forget_near(t, linear, reach);
        } else if (t->near[page / 64] >> page % 64 & 1) {
            table_forget(t, linear);
            table_forget(t, linear - GUEST_PAGE); /* units of two pages */
        }
    }
}

static void note_page(JumpTable *t, uint64_t linear)
{
    t->near[linear / GUEST_PAGE % JUMP_NEAR / 64] |= 1ull << linear / GUEST_PAGE % 64;
}

/* The word of a slot that is not used may be the code of the one in front of it. */
static void slot_give(JumpTable *t, unsigned slot)
{
    if (slot < JUMP_SLOTS && t->used[slot / 64] >> slot % 64 & 1) {
        slot_clear(t, slot);
    }
}

/* Its two words belong to it alone. */
static void slot_take(JumpTable *t, unsigned slot, bool global)
{
    slot_give(t, slot - 1);
    slot_give(t, slot + 1);
    t->used[slot / 64] |= 1ull << slot % 64;
    t->any[slot / 64 / 64] |= 1ull << slot / 64 % 64;
    t->global[slot / 64] &= ~(1ull << slot % 64);
    t->global[slot / 64] |= (uint64_t)global << slot % 64;
}

static bool insert(Cpu *c, uint64_t rip, const Trans *t)
{
    unsigned slot = jump_slot(rip);
    JumpTable *table = &c->jumps[c->view];
    uint64_t linear = c->code_base + rip, next = linear + (t->page2 ? GUEST_PAGE : 0);
    bool global = fetch_global(c, linear) && fetch_global(c, next);

    if (table->mode != c->mode || t->key.mode != c->mode || table->limit != c->code_limit ||
        c->code_generation != c->code->generation ||
        jump_slot(-(uintptr_t)t->far) == slot + 1) { /* it would look like the next slot's tag */
        return false;
    }
    table->based |= c->code_tag != 0;
    slot_take(table, slot, global);
    table->word[slot] = -(rip + c->code_tag);
    table->word[slot + 1] = (uintptr_t)t->far;
    note_page(table, linear);
    note_page(table, next);
    return true;
}

void jump_insert(Cpu *c, const Trans *t)
{
    insert(c, c->s.rip, t);
}

/* What was fetched from that page before says where it lies: so a new process, whose table is
 * empty, finds code that others have left, without the loop. */
bool trans_resolve(Cpu *c, uint64_t rip)
{
    uint64_t linear = c->code_base + rip;
    const Fetch *f = fetch_at(c, linear);
    const Trans *t;

    if (!(c->mode & MODE_PLAIN) || c->view == VIEW_SLOW || c->host->lockstep || c->unlinked ||
        unlikely(c->debug != NULL) || f->tag != fetch_tag(c, linear) || !f->code) {
        return false;
    }
    t = trans_known(c, c->mode, f->code, f->phys | linear % GUEST_PAGE);
    return t && !t->page2 && insert(c, rip, t);
}

/* ---- in ---- */

void trans_forget(Cpu *c)
{
    block_flush(c); /* the jump tables, too */
    c->code_generation = c->code->generation;
}

void jump_check(Cpu *c)
{
    JumpTable *table = &c->jumps[c->view];

    if (unlikely(table->mode != c->mode || table->limit != c->code_limit)) {
        table_clear(table, true);
        table->mode = c->mode;
        table->limit = c->code_limit;
    }
}

TransExit trans_run(Cpu *c, const Trans *t)
{
    jump_check(c);
    c->page_rip = c->s.rip - t->phys % GUEST_PAGE;
    c->entries++;
    return c->code->enter(c, t->entry);
}
