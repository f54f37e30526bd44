/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which instructions a unit is made of (docs/design/translator.md, "A unit"): decoded blocks that
 * follow one another in a page, and what they branch to behind that. What has not been decoded
 * there so far is decoded first. unit_ahead() walks blocks before there is a unit, gather() what
 * is in it: both go the same way.
 */
#include "target/i386/translate/unit.h"

enum { INSN_BYTES = 15, UNIT_ENOUGH = 16, UNIT_LONG = 48, AHEAD_MAX = 64 };

static const Insn *last_of(const Block *b)
{
    return &b->insn[b->count - 1];
}

bool next_page_is(Cpu *c, NextPage *next)
{
    if (!next->asked) {
        next->asked = true;
        next->there = block_next_page(c, &next->phys);
    }
    return next->there;
}

/* ---- the rules, for a unit of so many instructions ---- */

/* From UNIT_ENOUGH on a block that has a unit ends it: else code that is jumped into at many places
 * would be translated for each of them. What is shorter is translated again: indirect jumps of
 * their own are predicted better. NULL: it ends. */
static const Block *goes_on(const Block *b, unsigned count)
{
    return b && (count < UNIT_ENOUGH || !b->trans) ? b : NULL;
}

/* Behind an instruction that does not lead to the next: is what a branch in front of it leads to,
 * the nearest, part of the unit, too? */
static bool goes_on_apart(bool plain, unsigned count)
{
    return plain && count < UNIT_LONG;
}

/* The nearest place from `at` on in the page, so far, and `to`, which may be anywhere. GUEST_PAGE:
 * none. */
static unsigned nearer(unsigned nearest, int64_t to, unsigned at)
{
    return to >= at && to < nearest ? to : nearest;
}

/* ---- what there is ---- */

/* The nearest that a branch of the unit leads to. */
static unsigned branched_to(const Unit *u, unsigned at)
{
    unsigned nearest = GUEST_PAGE;

    for (unsigned n = 0; n < u->count; n++) {
        if (inner_possible(u->insn[n].i)) {
            nearest = nearer(nearest, unit_target(u, n), at);
        }
    }
    return nearest;
}

static const Block *gather_on(const Unit *u, uint64_t page, unsigned at)
{
    unsigned to = goes_on_apart(u->plain, u->count) ? branched_to(u, at) : GUEST_PAGE;

    return to < GUEST_PAGE ? goes_on(block_at(u->c, page | to), u->count) : NULL;
}

/* Blocks that follow one another in a page that begins at offset `base`. Returns the offset behind
 * them; -1: control does not get there, or the unit is full. */
static int32_t gather(Unit *u, const Block *b, unsigned base)
{
    unsigned most = u->c->unit_max;
    bool gap = false;

    for (;;) {
        unsigned at = base + b->phys % GUEST_PAGE;
        uint64_t page = b->phys & -(uint64_t)GUEST_PAGE;

        if (u->count && u->count + b->count > most) {
            return -1;
        }
        if (u->count && at + b->bytes - 1 > base + (unsigned)u->high) {
            return -1;
        }
        for (unsigned n = 0; n < b->count && u->count < most; n++) {
            u->insn[u->count++] = (UnitInsn){&b->insn[n], at};
            at += b->insn[n].len;
        }
        if (u->count == most) {
            return -1;
        }
        if (!falls_through(last_of(b))) {
            gap = true;
            b = base ? NULL : gather_on(u, page, at);
            if (!b) {
                return -1;
            }
            continue;
        }
        b = at >= base + GUEST_PAGE ? NULL : block_at(u->c, page | at % GUEST_PAGE);
        b = goes_on(b, u->count);
        if (!b) {
            return gap ? -1 : (int32_t)at;
        }
    }
}

bool leads_back(const Unit *u, unsigned first)
{
    for (unsigned n = first; n < u->count; n++) {
        if (u->insn[n].i->operand[0].kind == OPERAND_REL && unit_target(u, n) == u->insn[0].at) {
            return true;
        }
    }
    return false;
}

/* On in the page behind, from offset `at`. over: the instruction in between, or NULL. */
static void gather_next_page(Unit *u, const Block *over, int32_t at, uint64_t phys2)
{
    const Block *b;

    if (over) {
        u->page2 = over->code2;
        u->version2 = over->version2;
        at = gather(u, over, 0);
    }
    b = at < 0 ? NULL : block_at(u->c, phys2 | at % GUEST_PAGE);
    if (b) {
        u->page2 = b->code;
        u->version2 = over ? u->version2 : b->version;
        gather(u, b, GUEST_PAGE);
    }
    u->phys2 = phys2;
}

/* Branches in the page cannot go to a unit of two pages directly. So there are two only where the
 * first instruction lies in both, and for a loop over the page's end. */
void unit_gather(Unit *u, const Block *b, NextPage *next)
{
    int32_t at = 0;
    unsigned count;

    u->crossing = -1;
    if (b->code2) {
        gather_next_page(u, b, 0, b->phys2);
        return;
    }
    at = gather(u, b, 0);
    count = u->count;
    if (u->plain && at > GUEST_PAGE - INSN_BYTES && next_page_is(u->c, next)) {
        const Block *over = at < GUEST_PAGE ? block_over(u->c, b->page | at, next->phys) : NULL;

        if (!over && at < GUEST_PAGE) {
            return;
        }
        gather_next_page(u, over, at, next->phys);
        if (!leads_back(u, count)) {
            u->count = count;
            u->page2 = NULL;
            u->crossing = over ? at : -1;
        }
    }
}

/* ---- ahead ---- */

/* Does what has been decoded from an offset of the page lead back to `top`? */
static bool loops_from(Cpu *c, uint64_t page, unsigned at, unsigned top)
{
    enum { BLOCKS = 4 };
    const Block *b = block_at(c, page | at);

    for (unsigned n = 0; b && n < BLOCKS && at + b->bytes < GUEST_PAGE; n++) {
        at += b->bytes;
        if (last_of(b)->op == OP_JCC && branch_target(last_of(b), at) == top) {
            return true;
        }
        b = falls_through(last_of(b)) ? block_at(c, page | at) : NULL;
    }
    return false;
}

/* Does the branch at its end jump over a little that has not been run yet, in a loop? */
static bool jumps_over(Cpu *c, const Block *b, unsigned next, unsigned top)
{
    int64_t to = branch_target(last_of(b), next);

    return last_of(b)->op == OP_JCC && to > next && to <= next + AHEAD_MAX && to < GUEST_PAGE &&
           loops_from(c, b->page, to, top);
}

/* Targets of the branches in a unit to be. */
typedef struct Ways {
    unsigned count;
    int64_t to[INNERS];
} Ways;

static void way_note(Ways *w, const Block *b, unsigned next)
{
    if (inner_possible(last_of(b)) && w->count < INNERS) {
        w->to[w->count++] = branch_target(last_of(b), next);
    }
}

/* The same of a unit to be. */
static unsigned way_on(const Ways *w, unsigned at)
{
    unsigned nearest = GUEST_PAGE;

    for (unsigned n = 0; n < w->count; n++) {
        nearest = nearer(nearest, w->to[n], at);
    }
    return nearest;
}

/* A function that calls itself: what is behind such a call is decoded, so that it is known where it
 * may return to (usual.c). false: start over. */
static bool behind_call(Cpu *c, const Block *b, unsigned next, unsigned top)
{
    const Block *made;

    return !calls_near(last_of(b), next, top) || next >= GUEST_PAGE ||
           block_at(c, b->page | next) || block_ahead(c, next, &made);
}

/* What a unit would end at because it has not been run yet is decoded: what a branch in a loop
 * jumps over, and what is branched to behind RET, CALL or JMP. false: start over. */
bool unit_ahead(Cpu *c, const Block *b)
{
    unsigned count = 0, at = b->phys % GUEST_PAGE, top = at;
    bool same = true;
    Ways ways = {0};

    if (b->code2) {
        return true;
    }
    while (b && same) {
        const Block *before = b;
        bool falls = falls_through(last_of(b));

        count += b->count;
        at += b->bytes;
        way_note(&ways, b, at);
        if (!behind_call(c, b, at, top)) {
            return false;
        }
        at = falls ? at : way_on(&ways, at);
        if (count >= c->unit_max || at >= GUEST_PAGE ||
            (!falls && !goes_on_apart(c->mode & MODE_PLAIN, count))) {
            break;
        }
        b = block_at(c, before->page | at);
        if (!b && (!falls || jumps_over(c, before, at, top))) {
            same = block_ahead(c, at, &b);
        }
        b = goes_on(b, count);
    }
    return same;
}
