/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a round of the loop that a unit begins with does to registers, and how the loop's accesses
 * move from round to round, for strips (docs/design/translator.md, "Strips"); and how registers
 * stand where any branch leads to the unit's top, for the window. Not here: loops with loops
 * inside, and the values of registers narrower than the code.
 */
#include "target/i386/translate/known.h"

enum { JUMPS = 4 };

/* What is known where a branch to the inside jumps. */
typedef struct Landing {
    unsigned to;
    Knowledge known;
} Landing;

/* The instruction in work leads back to the top: what is a register now that was, say, 5 there? */
static void find_loop(Unit *u, const Knowledge *k)
{
    u->loop.there = true;
    u->loop.last = u->now;
    u->loop.met &= (2ull << u->now) - 1;
    for (unsigned n = 0; n < 16; n++) {
        u->loop.step[n] = k->reg[n].plus;
        u->loop.steady |= (k->reg[n].of == FIRST_VALUE + n) << n;
    }
}

/* The branch in work. false: nothing more can be said. */
static bool follow_branch(Unit *u, const Knowledge *k, Landing *jump, unsigned *jumps)
{
    const Insn *i = unit_now(u)->i;
    int64_t at = unit_target(u, u->now);
    int to = unit_behind(u, at);

    if (at == u->insn[0].at) {
        find_loop(u, k);
        return false;
    }
    if (to >= 0 && to < LOOP_MAX) {
        if (*jumps == JUMPS) {
            return false;
        }
        jump[(*jumps)++] = (Landing){to, *k};
        u->loop.met |= 1ull << to;
    }
    return (int32_t)i->imm >= 0;
}

void loop_plan(Unit *u)
{
    Knowledge k = known_at_top(u);
    Landing jump[JUMPS];
    unsigned jumps = 0;

    u->loop = (Loop){0};
    u->accesses = 0;
    for (u->now = 0; u->now < u->count && u->now < LOOP_MAX; u->now++) {
        const Insn *i = unit_now(u)->i;

        for (unsigned n = 0; n < jumps; n++) {
            if (jump[n].to == u->now) {
                known_meet(&k, &jump[n].known);
            }
        }
        u->first_access[u->now] = u->accesses;
        if (!share_accesses(u, &k, i) || !falls_through(i)) {
            return;
        }
        u->first_access[u->now + 1] = u->accesses;
        known_follow(u, &k, i);
        if (i->op == OP_JCC && !follow_branch(u, &k, jump, &jumps)) {
            return;
        }
    }
}

/* A key's value as a register, and how far that moves in a round. */
static bool moves(const Unit *u, uint64_t value, bool byte, uint8_t *reg, int64_t *step)
{
    *step = 0;
    *reg = REG_NONE;
    if (byte || value == VALUE_NONE || value == VALUE_IP) {
        *reg = value == VALUE_IP ? REG_IP : REG_NONE;
        return true;
    }
    if (value < FIRST_VALUE || value >= FIRST_VALUE + 16 ||
        !(u->loop.steady >> (value - FIRST_VALUE) & 1)) {
        return false;
    }
    *reg = value - FIRST_VALUE;
    *step = u->loop.step[*reg];
    return true;
}

bool loop_motion(const Unit *u, const Access *a, Motion *m)
{
    uint64_t key = a->key;
    int64_t base, index;

    *m = (Motion){
        .first = {.scale = key >> 32 & 3, .seg = key >> 40 & 0xff, .addrsize = key >> 48 & 15},
        .low = a->at,
        .high = a->at + a->size,
        .byte = a->byte,
    };
    if (key >> STRETCH_SHIFT != FIRST_STRETCH || m->first.addrsize != (u->code64 ? 8 : 4) ||
        !moves(u, key & 0xffff, a->byte & 1, &m->first.base, &base) ||
        !moves(u, key >> 16 & 0xffff, a->byte & 2, &m->first.index, &index)) {
        return false;
    }
    m->step = base + index * (1 << m->first.scale);
    m->moving = (a->byte & 1 || base) | (a->byte & 2 || index) << 1;
    if (m->moving && m->first.seg >= SEG_FS) { /* the segment's base is one more that does not */
        m->moving = MOVES_BOTH;
    }
    if (a->byte) {
        m->high += 255 << (a->byte & 2 ? m->first.scale : 0);
    }
    return !a->byte || m->moving != MOVES_BOTH;
}

/* ---- branches to the top ---- */

void loop_edge(Unit *u, const Knowledge *k)
{
    const Insn *i = unit_now(u)->i;
    Edges *edges = &u->edges;

    if (i->operand[0].kind != OPERAND_REL || unit_target(u, u->now) != u->insn[0].at) {
        return;
    }
    edges->first = edges->any ? edges->first : u->now;
    edges->last = u->now;
    edges->any = true;
    edges->unknown |= i->op != OP_JCC && i->op != OP_JMP && i->op != OP_CALL;
    for (unsigned n = 0; n < 16; n++) {
        int64_t step = k->reg[n].plus - (i->op == OP_CALL && n == R_SP ? width(u) : 0);

        step = step < 0 ? -step : step;
        edges->step[n] = step > edges->step[n] ? step : edges->step[n];
        if (k->reg[n].of != FIRST_VALUE + n) {
            edges->steady &= ~(1u << n);
        }
    }
}
