/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which accesses of a unit lie near one another (docs/design/translator.md, "Shared checks"):
 * before it is emitted, each instruction's addresses are written as an unknown value plus a
 * constant (known.c). Accesses off the same value, with nothing in between that leaves translated
 * code and comes back, may share one check of the range they span. Not here: 16-bit addresses,
 * absolute moves (MOV rAX, moffs), vector indices.
 */
#include "target/i386/translate/known.h"

/* ---- what it accesses ---- */

/* Less than a constant above 0, and as it stands in the register: a sum of 32 bits that has wrapped
 * is one that the host's sums of 64 bits do not know. */
static bool looks_up(const Knowledge *k, Known index)
{
    return index.byte && (k->code64 || (index.plus >= 0 && index.plus < SMALL_PLUS));
}

static void add(Unit *u, const Knowledge *k, uint64_t key, int64_t at, unsigned size, bool write)
{
    key |= (uint64_t)k->stretch << STRETCH_SHIFT;
    u->access[u->accesses++] =
        (Access){.key = key, .at = at, .insn = u->now, .size = size, .write = write};
}

/* ---- the window: what says in which chunk the access is ---- */

static void set_anchor(Unit *u, Anchor anchor, uint64_t chunk, int64_t near)
{
    Access *a = &u->access[u->accesses - 1];

    a->anchor = anchor;
    a->chunk = chunk | (a->key >> STRETCH_SHIFT << STRETCH_SHIFT);
    a->near = near;
}

/* A small index leads from its base no farther than the window's guards. */
static void anchor(Unit *u, const Insn *i, Known base, Known index)
{
    const Access *a = &u->access[u->accesses - 1];
    bool plain = i->seg < SEG_FS;

    if (plain && known_small(base) && known_small(index)) {
        set_anchor(u, ANCHOR_NONE, 0, 0);
    } else if (plain && known_small(index)) {
        set_anchor(u, ANCHOR_BASE, base.of, base.plus);
    } else if (plain && known_small(base) && !i->scale) {
        set_anchor(u, ANCHOR_INDEX, index.of, index.plus);
    } else {
        set_anchor(u, ANCHOR_SUM, a->key, a->at - i->disp);
    }
}

static void add_operand(Unit *u, const Knowledge *k, const Insn *i, unsigned size, bool write)
{
    Known base = {.of = VALUE_NONE, .small = true}, index = base;

    if (i->addrsize == 2 || !segment_plain(u, i, write)) {
        return;
    }
    if (i->base == REG_IP) {
        base = known_ip(u);
    } else if (i->base < 16) {
        base = k->reg[i->base];
    }
    if (i->index < 16) {
        index = k->reg[i->index];
    }
    add(u, k,
        base.of | (uint64_t)index.of << 16 | (uint64_t)i->scale << 32 |
            (uint64_t)(i->seg >= SEG_FS ? i->seg : 0) << 40 | (uint64_t)i->addrsize << 48,
        base.plus + index.plus * (1 << i->scale) + i->disp, size, write);
    anchor(u, i, base, index);
    u->access[u->accesses - 1].plus[0] = base.plus;
    u->access[u->accesses - 1].plus[1] = index.plus;
    u->access[u->accesses - 1].byte = looks_up(k, base) | looks_up(k, index) << 1;
}

static void add_stack(Unit *u, const Knowledge *k, unsigned reg, int by, unsigned size, bool write)
{
    add(u, k, k->reg[reg].of | (uint64_t)VALUE_NONE << 16 | (uint64_t)known_width(k) << 48,
        k->reg[reg].plus + by, size, write);
    set_anchor(u, ANCHOR_BASE, k->reg[reg].of, k->reg[reg].plus);
    u->access[u->accesses - 1].plus[0] = k->reg[reg].plus;
}

static void add_stack_accesses(Unit *u, const Knowledge *k, const Insn *i)
{
    bool memory = i->operand[0].kind == OPERAND_MEM;
    int width = (int)known_width(k);

    if (memory && i->op != OP_POP) {
        add_operand(u, k, i, width, false);
    }
    switch (i->op) {
    case OP_PUSH:
    case OP_CALL:
        add_stack(u, k, R_SP, -width, width, true);
        break;
    case OP_POP:
    case OP_RET:
        add_stack(u, k, R_SP, 0, width, false);
        break;
    case OP_LEAVE:
        add_stack(u, k, R_BP, 0, width, false);
        break;
    default:
        break;
    }
}

bool share_accesses(Unit *u, const Knowledge *k, const Insn *i)
{
    if (unit_far(u)) {
        return false;
    }
    if (does_nothing(i) || i->op == OP_JCC || i->op == OP_LEA) {
        return true;
    }
    switch (i->op) {
    case OP_PUSH:
    case OP_POP:
    case OP_LEAVE:
    case OP_CALL:
    case OP_RET:
    case OP_JMP:
        if (!stack_plain(u, i) || (i->op == OP_POP && i->operand[0].kind != OPERAND_GPR)) {
            return false;
        }
        add_stack_accesses(u, k, i);
        return true;
    default:
        break;
    }
    if (!copy_possible(u, i)) {
        return false;
    }
    for (unsigned n = 0; n < 4; n++) {
        if (i->operand[n].kind == OPERAND_MEM) {
            add_operand(u, k, i, i->operand[n].size, copy_writes(i));
        }
    }
    return true;
}

/* What stands behind a loop is run once: its accesses would only widen the ranges of the loop's. */
static bool loops(const Insn *i)
{
    return i->op == OP_JCC && (int32_t)i->imm < 0;
}

/* ---- the plan ---- */

/* A branch to an instruction that follows stays in the unit. */
static void note_inner(Unit *u, const Knowledge *k, Knowledge *known)
{
    const Insn *i = unit_now(u)->i;
    int to = unit_behind(u, unit_target(u, u->now));

    if (inner_possible(i) && to >= 0 && !u->page2 && !u->strip.wanted && u->inners < INNERS &&
        (u->code64 || u->plain)) {
        known[u->inners] = *k;
        u->inner[u->inners++] = (Inner){.from = u->now, .to = to};
    }
}

/* What is known in front of the instruction in work, on all ways there. */
static void arrive(const Unit *u, Knowledge *k, const Knowledge *known)
{
    bool any = unit_falls_to(u, u->now);

    for (unsigned n = 0; n < u->inners; n++) {
        if (u->inner[n].to == u->now && any) {
            known_meet(k, &known[n]);
        } else if (u->inner[n].to == u->now) {
            uint16_t values = k->values;
            uint8_t stretches = k->stretches;

            *k = known[n];
            k->values = values;
            k->stretches = stretches;
            any = true;
        }
    }
}

void share_plan(Unit *u)
{
    Knowledge known[INNERS];
    Knowledge k = known_at_top(u);

    u->edges = (Edges){.steady = 0xffff};
    u->inners = 0;
    u->accesses = 0;
    for (u->now = 0; u->now < u->count; u->now++) {
        const Insn *i = unit_now(u)->i;

        u->first_access[u->now] = u->accesses;
        arrive(u, &k, known);
        loop_edge(u, &k);
        note_inner(u, &k, known);
        if (share_accesses(u, &k, i)) {
            known_follow(u, &k, i);
        } else {
            known_forget(&k);
        }
        if (!u->window && loops(i)) {
            k.stretch = ++k.stretches;
        }
    }
    u->first_access[u->count] = u->accesses;
}

/* ---- shares ---- */

/* Of the instruction in work, the nth. */
static const Access *access_now(const Unit *u, unsigned n)
{
    unsigned at = u->first_access[u->now] + n;

    return !u->alone && at < u->first_access[u->now + 1] ? &u->access[at] : NULL;
}

const Access *share_access(const Unit *u, unsigned n, unsigned size, bool write)
{
    const Access *a = access_now(u, n);

    return a && a->size == size && a->write == write ? a : NULL;
}

Share *share_find(Unit *u, const Access *a)
{
    for (unsigned n = 0; n < SHARES; n++) {
        Share *s = &u->share[n];

        if (s->key == a->key && u->now <= s->last && a->at >= s->low &&
            a->at + a->size <= s->high && s->write >= a->write) {
            return s;
        }
    }
    return NULL;
}

/* Does an instruction use r11 for something else than that share? Where in doubt, yes. */
static bool disturbs(const Unit *u, unsigned n, const Share *s)
{
    const Insn *i = u->insn[n].i;

    for (unsigned k = u->first_access[n]; k < u->first_access[n + 1]; k++) {
        const Access *a = &u->access[k];

        if (a->key != s->key || a->at < s->low || a->at + a->size > s->high ||
            a->write > s->write) {
            return true;
        }
    }
    return !does_nothing(i) && i->op != OP_JCC && frame_used(i);
}

/* Where ways meet of which one began in front of the instruction in work. */
static unsigned next_meeting(const Unit *u)
{
    unsigned until = u->count;

    for (unsigned n = 0; n < u->inners; n++) {
        const Inner *inner = &u->inner[n];

        if (inner->from < u->now && inner->to > u->now && inner->to < until) {
            until = inner->to;
        }
    }
    return until;
}

/* The longest run of accesses behind `a` that one check may do for. What may be jumped over is not
 * a reason to ask for the right to write. */
static unsigned extend(Unit *u, const Access *a, Share *s)
{
    unsigned members = 1, jumps = u->now, until = next_meeting(u);
    const Access *end = &u->access[u->first_access[until]];

    for (; jumps < u->count && u->insn[jumps].i->op != OP_JCC; jumps++) {
    }
    for (const Access *b = a + 1; b < end; b++) {
        int64_t low = b->at < s->low ? b->at : s->low, high = b->at + b->size;

        high = high > s->high ? high : s->high;
        if (b->key >> STRETCH_SHIFT != a->key >> STRETCH_SHIFT) {
            break;
        }
        if (b->key != a->key || high - low > SHARE_RANGE ||
            (b->write && !s->write && b->insn > jumps)) {
            continue;
        }
        s->low = low;
        s->high = high;
        s->write |= b->write;
        s->last = b->insn;
        members++;
    }
    return members;
}

Share *share_make(Unit *u, const Access *a)
{
    Share made = {.key = a->key,
                  .low = a->at,
                  .high = a->at + a->size,
                  .write = a->write,
                  .made = u->now,
                  .last = u->now};
    Share *s = NULL;

    if (extend(u, a, &made) < 2) {
        return NULL;
    }
    for (unsigned n = 0; n < SHARES && !s; n++) {
        s = !u->share[n].key || u->share[n].last < u->now ? &u->share[n] : NULL;
    }
    if (!s) {
        return NULL;
    }
    for (unsigned n = u->now; n <= made.last && !made.kept; n++) {
        made.kept = disturbs(u, n, &made);
    }
    *s = made;
    return s;
}

void share_drop(Unit *u)
{
    for (unsigned n = 0; n < SHARES; n++) {
        u->share[n].key = 0;
    }
    u->withins = 0;
    linear_lost(u);
    addend_lost(u);
    u->strip.spoiled = true; /* it counts on what goes */
}
