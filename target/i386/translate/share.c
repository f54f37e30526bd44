/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which accesses of a unit lie near one another (docs/design/translator.md, "Shared checks"):
 * before it is emitted, each instruction's addresses are written as an unknown value plus a
 * constant, which survives MOV, LEA, ADD, SUB, INC, DEC, PUSH and POP of the registers it comes
 * from. Accesses off the same value, with nothing in between that leaves translated code and comes
 * back, may share one check of the range they span. For strips (strip.c) the same says how the
 * accesses of a loop move from round to round. Not here: 16-bit addresses, absolute moves (MOV rAX,
 * moffs), vector indices.
 */
#include "target/i386/translate/unit.h"

/* What is known of a register: value number `of`, plus a constant. byte: the value is below 256. */
typedef struct Known {
    uint16_t of;
    bool small; /* from -2^31 to 2^32, or not much beyond */
    bool byte;
    int64_t plus;
} Known;

typedef struct Knowledge {
    Known reg[16];
    uint16_t values;   /* numbers given so far */
    uint8_t stretch;   /* part of the unit in which accesses may share */
    uint8_t stretches; /* ... of how many */
    bool code64;
} Knowledge;

/* Constants that leave a small value small. */
enum { SMALL_PLUS = 1 << 24 };

static void forget(Knowledge *k, unsigned reg)
{
    k->reg[reg & 15] = (Known){.of = k->values++};
}

static void forget_all(Knowledge *k)
{
    k->stretch = ++k->stretches;
    for (unsigned n = 0; n < 16; n++) {
        forget(k, n);
    }
}

static unsigned full(const Knowledge *k)
{
    return k->code64 ? 8 : 4;
}

/* ---- what an instruction does to registers ---- */

static bool whole_register(const Knowledge *k, const Operand *o)
{
    return o->kind == OPERAND_GPR && o->size == full(k);
}

static Known known_ip(const Unit *u)
{
    return (Known){.of = VALUE_IP, .plus = unit_next(u)};
}

/* A register plus or minus a constant, in full width? */
static bool follow_constant(const Unit *u, Knowledge *k, const Insn *i)
{
    const Operand *a = &i->operand[0], *b = &i->operand[1];
    Known *to = &k->reg[a->reg & 15];
    int64_t imm = (int64_t)i->imm;

    if (!whole_register(k, a)) {
        return false;
    }
    switch (i->op) {
    case OP_INC:
        to->plus++;
        return true;
    case OP_DEC:
        to->plus--;
        return true;
    case OP_ADD:
    case OP_SUB:
        if (b->kind != OPERAND_IMM || imm != (int32_t)imm) {
            return false;
        }
        to->plus += i->op == OP_ADD ? imm : -imm;
        return true;
    case OP_MOV:
        if (b->kind == OPERAND_GPR) {
            *to = k->reg[b->reg & 15];
        }
        return b->kind == OPERAND_GPR;
    case OP_LEA:
        if ((i->base >= 16 && i->base != REG_IP) || i->index != REG_NONE ||
            i->addrsize != full(k)) {
            return false;
        }
        *to = i->base == REG_IP ? known_ip(u) : k->reg[i->base];
        to->plus += i->disp;
        return true;
    default:
        return false;
    }
}

/* Is what it leaves in its first operand, a register, small? */
static bool small_result(const Insn *i)
{
    const Operand *a = &i->operand[0], *b = &i->operand[1];
    int64_t imm = (int64_t)i->imm;

    switch (i->op) {
    case OP_MOVZX:
    case OP_MOVSX:
    case OP_MOVSXD:
        return a->size >= 4;
    case OP_MOV:
        return a->size == 4 || (a->size == 8 && b->kind == OPERAND_IMM && imm == (int32_t)imm);
    case OP_AND:
        return a->size == 4 ||
               (a->size == 8 && b->kind == OPERAND_IMM && imm == (int32_t)imm && imm >= 0);
    case OP_SHR:
        return a->size == 4 || (a->size == 8 && b->kind == OPERAND_IMM && (imm & 63) >= 32);
    case OP_ADD:
    case OP_SUB:
    case OP_OR:
    case OP_XOR:
    case OP_INC:
    case OP_DEC:
    case OP_NEG:
    case OP_NOT:
    case OP_IMUL:
    case OP_SHL:
    case OP_SAR:
    case OP_LEA:
    case OP_ADC:
    case OP_SBB:
    case OP_CMOVCC:
    case OP_ROL:
    case OP_ROR:
    case OP_RORX:
    case OP_SHLX:
    case OP_SHRX:
    case OP_SARX:
    case OP_POPCNT:
        return a->size == 4;
    default:
        return false;
    }
}

/* 32 bits by which an array may be indexed come from these, too. */
static bool small_implied(const Insn *i)
{
    return i->op == OP_CDQE || i->op == OP_CWDE ||
           (i->opsize == 4 && (i->op == OP_DIV || i->op == OP_IDIV || i->op == OP_MUL));
}

static void forget_written(Knowledge *k, const Insn *i)
{
    unsigned implied = encode_implied(i);

    for (unsigned n = 0; n < 2; n++) {
        const Operand *o = &i->operand[n];

        if ((o->kind == OPERAND_GPR || o->kind == OPERAND_HIGH) && copy_may_write(i, n)) {
            forget(k, o->reg);
            k->reg[o->reg & 15].small =
                k->code64 && n == 0 && o->kind == OPERAND_GPR && small_result(i);
        }
    }
    for (unsigned n = 0; n < 4; n++) {
        if (implied >> n & 1) {
            forget(k, n);
            k->reg[n].small = k->code64 && small_implied(i);
        }
    }
}

/* What is zero-extended from 8 bits, or has no other bits left. */
static bool makes_byte(const Insn *i)
{
    const Operand *a = &i->operand[0], *b = &i->operand[1];

    return a->kind == OPERAND_GPR && a->size >= 4 &&
           ((i->op == OP_MOVZX && b->size == 1) ||
            (i->op == OP_AND && b->kind == OPERAND_IMM && i->imm <= 255));
}

static bool byte(Known k)
{
    return k.byte && k.plus < SMALL_PLUS && k.plus > -SMALL_PLUS;
}

/* The sum of two such, or up to eight times one. */
static bool adds_bytes(const Knowledge *k, const Insn *i)
{
    const Operand *a = &i->operand[0], *b = &i->operand[1];

    return k->code64 && whole_register(k, a) && byte(k->reg[a->reg & 15]) &&
           ((i->op == OP_ADD && b->kind == OPERAND_GPR && byte(k->reg[b->reg & 15])) ||
            (i->op == OP_SHL && b->kind == OPERAND_IMM && i->imm <= 3));
}

static void follow(const Unit *u, Knowledge *k, const Insn *i)
{
    switch (i->op) {
    case OP_PUSH:
        k->reg[R_SP].plus -= full(k);
        break;
    case OP_POP:
        k->reg[R_SP].plus += full(k);
        forget(k, i->operand[0].reg);
        break;
    case OP_LEAVE:
        k->reg[R_SP] = k->reg[R_BP];
        k->reg[R_SP].plus += full(k);
        forget(k, R_BP);
        break;
    default:
        if (!follow_constant(u, k, i)) {
            bool sum = adds_bytes(k, i);

            forget_written(k, i);
            k->reg[i->operand[0].reg & 15].byte |= makes_byte(i);
            k->reg[i->operand[0].reg & 15].small |= sum;
        }
    }
}

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

static bool small(Known k)
{
    return k.small && k.plus < SMALL_PLUS && k.plus > -SMALL_PLUS;
}

/* A small index leads from its base no farther than the window's guards. */
static void anchor(Unit *u, const Insn *i, Known base, Known index)
{
    const Access *a = &u->access[u->accesses - 1];
    bool plain = i->seg < SEG_FS;

    if (plain && small(base) && small(index)) {
        set_anchor(u, ANCHOR_NONE, 0, 0);
    } else if (plain && small(index)) {
        set_anchor(u, ANCHOR_BASE, base.of, base.plus);
    } else if (plain && small(base) && !i->scale) {
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
    add(u, k, k->reg[reg].of | (uint64_t)VALUE_NONE << 16 | (uint64_t)full(k) << 48,
        k->reg[reg].plus + by, size, write);
    set_anchor(u, ANCHOR_BASE, k->reg[reg].of, k->reg[reg].plus);
    u->access[u->accesses - 1].plus[0] = k->reg[reg].plus;
}

static void add_stack_accesses(Unit *u, const Knowledge *k, const Insn *i)
{
    bool memory = i->operand[0].kind == OPERAND_MEM;
    int width = (int)full(k);

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

/* false: what is known ends here, for the interpreter's function may run. */
static bool add_accesses(Unit *u, const Knowledge *k, const Insn *i)
{
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

/* ---- loops ---- */

/* At a unit's top the value of register n is FIRST_VALUE + n. */
enum { FIRST_VALUE = VALUES, JUMPS = 4 };

/* What is known where a branch to the inside jumps. */
typedef struct Landing {
    unsigned to;
    Knowledge known;
} Landing;

/* An instruction behind the one in work that a branch there leads to; -1: it is none of these. */
static int inside(const Unit *u, int64_t at)
{
    for (unsigned n = u->now + 1; n < u->count; n++) {
        if (u->insn[n].at == at) {
            return n;
        }
    }
    return -1;
}

/* Two ways meet. */
static void meet(Knowledge *k, const Knowledge *other)
{
    k->values = other->values > k->values ? other->values : k->values;
    for (unsigned n = 0; n < 16; n++) {
        if (k->reg[n].of != other->reg[n].of || k->reg[n].plus != other->reg[n].plus) {
            forget(k, n);
        }
    }
}

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
    int64_t at = unit_next(u) + (int64_t)(int32_t)i->imm;
    int to = inside(u, at);

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
    Knowledge k = {.values = VALUES, .code64 = u->code64};
    Landing jump[JUMPS];
    unsigned jumps = 0;

    u->loop = (Loop){0};
    u->accesses = 0;
    forget_all(&k);
    for (u->now = 0; u->now < u->count && u->now < LOOP_MAX; u->now++) {
        const Insn *i = unit_now(u)->i;

        for (unsigned n = 0; n < jumps; n++) {
            if (jump[n].to == u->now) {
                meet(&k, &jump[n].known);
            }
        }
        u->first_access[u->now] = u->accesses;
        if (!add_accesses(u, &k, i) || !falls_through(i)) {
            return;
        }
        u->first_access[u->now + 1] = u->accesses;
        follow(u, &k, i);
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

/* The instruction in work may lead to the unit's top: how do registers stand there then? */
static void note_edge(Unit *u, const Knowledge *k)
{
    const Insn *i = unit_now(u)->i;
    Edges *edges = &u->edges;

    if (i->operand[0].kind != OPERAND_REL ||
        unit_next(u) + (int64_t)(int32_t)i->imm != u->insn[0].at) {
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
        if (k->reg[n].of != VALUES + n) {
            edges->steady &= ~(1u << n);
        }
    }
}

/* ---- the plan ---- */

/* A branch to an instruction that follows stays in the unit. */
static void note_inner(Unit *u, const Knowledge *k, Knowledge *known)
{
    const Insn *i = unit_now(u)->i;
    int to = inside(u, unit_next(u) + (int64_t)(int32_t)i->imm);

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
            meet(k, &known[n]);
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
    Knowledge k = {.values = VALUES, .code64 = u->code64};

    u->edges = (Edges){.steady = 0xffff};
    u->inners = 0;

    forget_all(&k);
    u->accesses = 0;
    for (u->now = 0; u->now < u->count; u->now++) {
        const Insn *i = unit_now(u)->i;

        u->first_access[u->now] = u->accesses;
        arrive(u, &k, known);
        note_edge(u, &k);
        note_inner(u, &k, known);
        if (add_accesses(u, &k, i)) {
            follow(u, &k, i);
        } else {
            forget_all(&k);
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
static unsigned known_until(const Unit *u)
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
    unsigned members = 1, jumps = u->now, until = known_until(u);
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
