/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RET, and CALL and JMP through registers and memory, whose usual targets in the page are known
 * when the unit is made (docs/design/translator.md, "Blocks and links"): compared in front of the
 * look into the jump table, they lead on like direct branches. What they are says rt/went.h; a RET
 * that nobody has seen, in a unit that calls its own top, goes behind such calls. Not in units of
 * two pages, and not where CS has a base or a limit.
 */
#include "target/i386/translate/unit.h"

/* ---- which ---- */

/* The most frequent place that is left. */
static unsigned most(const Went *w, unsigned but)
{
    unsigned best = 0;

    for (unsigned n = 0; n < WENT_PLACES; n++) {
        if (!(but >> n & 1) && ((but >> best & 1) || w->at[n] > w->at[best])) {
            best = n;
        }
    }
    return best;
}

/* They must be three quarters of what was seen. */
static void usual_seen(const Unit *u, const Went *w, unsigned max, Usual *k)
{
    unsigned all = w->elsewhere, these = 0, taken = 0;

    for (unsigned n = 0; n < WENT_PLACES; n++) {
        all += w->at[n];
    }
    while (k->count < max) {
        unsigned best = most(w, taken);

        if (w->at[best] * 8 <= all || !in_page(u, w->to[best])) {
            break;
        }
        these += w->at[best];
        taken |= 1u << best;
        k->to[k->count++] = w->to[best];
    }
    if (these * 4 < all * 3) {
        k->count = 0;
    }
}

static void add(const Unit *u, Usual *k, unsigned max, int32_t to)
{
    for (unsigned n = 0; n < k->count; n++) {
        if (k->to[n] == to) {
            return;
        }
    }
    if (k->count < max && in_page(u, to)) {
        k->to[k->count++] = to;
    }
}

/* Behind a call of the top, as far as it has been decoded: is there another? */
static void usual_behind(const Unit *u, int32_t at, unsigned max, Usual *k)
{
    enum { BLOCKS = 4 };

    for (unsigned n = 0; n < BLOCKS && at < GUEST_PAGE; n++) {
        const Block *b = block_at(u->c, u->page | at);
        const Insn *last = b ? &b->insn[b->count - 1] : NULL;

        if (!b) {
            return;
        }
        at += b->bytes;
        if (calls_near(last, at, u->insn[0].at)) {
            add(u, k, max, at);
        } else if (!falls_through(last)) {
            return;
        }
    }
}

static void usual_guess(const Unit *u, unsigned max, Usual *k)
{
    for (unsigned n = 0; n < u->count; n++) {
        int32_t next = u->insn[n].at + u->insn[n].i->len;

        if (calls_near(u->insn[n].i, next, u->insn[0].at)) {
            add(u, k, max, next);
            usual_behind(u, next, max, k);
        }
    }
}

Usual usual_find(const Unit *u)
{
    const Insn *i = unit_now(u)->i;
    Usual k = {.count = 0};
    const Went *w;

    if (!u->plain || u->page2 || u->alone) {
        return k;
    }
    w = went_find(u->c, u->page | unit_now(u)->at);
    if (w) {
        usual_seen(u, w, USUAL_MAX, &k);
    } else if (i->op == OP_RET) {
        usual_guess(u, USUAL_MAX, &k);
    }
    return k;
}

/* ---- compared ---- */

/* rcx = the place less rbp, plus `more`. */
static void emit_difference(Unit *u, const Usual *k, unsigned n, int32_t more)
{
    Emit *e = &u->e;

    if (n) {
        lea_base(e, SCRATCH_C, SCRATCH_C, k->to[n] - k->to[n - 1] + more, true);
        return;
    }
    addend_lost(u);
    if (u->code64) {
        load_gs(e, SCRATCH_B, CPU_AT(page_rip));
    } else {
        load_gs32(e, SCRATCH_B, CPU_AT(page_rip));
    }
    mov_rr(e, SCRATCH_C, SCRATCH_A);
    not_reg(e, SCRATCH_C);
    lea_index(e, SCRATCH_C, SCRATCH_C, SCRATCH_B, 0, k->to[n] + 1 + more, true);
}

Hole usual_other(Unit *u, const Usual *k, unsigned n)
{
    Emit *e = &u->e;
    Hole hit, other;

    if (u->cache->quick_loop) {
        emit_difference(u, k, n, 1);
        return loop8(e);
    }
    emit_difference(u, k, n, 0);
    hit = jrcxz8(e);
    other = jmp8(e);
    fill8(e, hit);
    return other;
}

Hole usual_other_far(Unit *u, const Usual *k, unsigned n)
{
    Emit *e = &u->e;
    Hole hit, other;

    emit_difference(u, k, n, 0);
    hit = jrcxz8(e);
    other = jmp32(e);
    fill8(e, hit);
    return other;
}
