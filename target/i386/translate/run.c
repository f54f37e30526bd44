/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Into translated code, and the jump tables (docs/design/translator.md, "Blocks and links").
 */
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

static void table_clear(JumpTable *t, bool global_too)
{
    for (unsigned w = 0; w < JUMP_SLOTS / 64; w++) {
        uint64_t bits = t->used[w] & (global_too ? ~0ull : ~t->global[w]);

        t->used[w] &= ~bits;
        t->near[w] = global_too ? 0 : t->near[w];
        for (; bits; bits &= bits - 1) {
            t->tag[w * 64 + __builtin_ctzll(bits)] = 0;
        }
    }
    if (!(t->used[0] & 1)) {
        t->tag[0] = jump_no_tag(0);
    }
    t->based &= !global_too;
}

void jump_flush(Cpu *c, bool global_too)
{
    for (unsigned v = 0; v < JUMP_VIEWS; v++) {
        table_clear(&c->jumps[v], global_too);
    }
}

/* Forget a rip if its upper bits, from `shift` up, are those of an address. */
static void slot_forget(JumpTable *t, unsigned slot, uint64_t linear, unsigned shift)
{
    if (!((linear ^ -t->tag[slot]) >> shift)) {
        t->tag[slot] = jump_no_tag(slot);
    }
}

/* The rips of a page have neighbouring slots. */
static void table_forget(JumpTable *t, uint64_t linear)
{
    unsigned slot = jump_slot(linear & -(uint64_t)GUEST_PAGE);

    for (unsigned n = 0; n < GUEST_PAGE >> JUMP_SHIFT; n++) {
        slot_forget(t, slot + n, linear, 12);
    }
}

/* Was anything jumped to whose address is the same from bit `reach` up? */
static bool table_knows(const JumpTable *t, uint64_t linear, unsigned reach)
{
    unsigned first = (linear & -(1ull << reach)) / GUEST_PAGE % JUMP_SLOTS / 64;

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
    if (reach < REACH_HUGE && !table_knows(t, linear, reach) &&
        !table_knows(t, (linear & -(1ull << reach)) - GUEST_PAGE, reach)) {
        return;
    }
    for (unsigned w = 0; w < JUMP_SLOTS / 64; w++) {
        for (uint64_t bits = t->used[w]; bits; bits &= bits - 1) {
            slot_forget(t, w * 64 + __builtin_ctzll(bits), linear, reach);
        }
    }
    table_forget(t, (linear & -(1ull << reach)) - GUEST_PAGE);
}

void jump_flush_page(Cpu *c, uint64_t linear, unsigned reach)
{
    unsigned page = linear / GUEST_PAGE % JUMP_SLOTS;

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
    t->near[linear / GUEST_PAGE % JUMP_SLOTS / 64] |= 1ull << linear / GUEST_PAGE % 64;
}

void jump_insert(Cpu *c, const Trans *t)
{
    unsigned slot = jump_slot(c->s.rip);
    JumpTable *table = &c->jumps[c->view];
    uint64_t linear = c->code_base + c->s.rip, next = linear + (t->page2 ? GUEST_PAGE : 0);
    bool global = fetch_global(c, linear) && fetch_global(c, next);

    if (table->mode != c->mode || table->limit != c->code_limit ||
        c->code_generation != c->code->generation) {
        return;
    }
    table->based |= c->code_tag != 0;
    table->tag[slot] = -(c->s.rip + c->code_tag);
    table->page[slot] = c->s.rip - t->phys % GUEST_PAGE;
    table->code[slot] = (uintptr_t)t->entry;
    note_page(table, linear);
    note_page(table, next);
    table->used[slot / 64] |= 1ull << slot % 64;
    table->global[slot / 64] &= ~(1ull << slot % 64);
    table->global[slot / 64] |= (uint64_t)global << slot % 64;
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
