/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loops without checks (docs/design/translator.md, "Strips"). Where a unit begins with a loop, a
 * second version of it runs for as many rounds as all accesses whose addresses move by constants
 * stay in the pages that they are in: a strip. One look-up for each group of them stands in front.
 * At its end a round of the ordinary version crosses the page and asks who wants the CPU; its
 * branch back tries the next strip. Nothing in a strip differs from what any version keeps at the
 * instruction's boundary, so it may be left anywhere: by its branches, host faults, and misses of
 * accesses that are looked up one by one.
 * The attempt to begin one: attempt.c.
 * Not here: 16-bit code, 32-bit code with segments, loops in the middle of a unit, loops whose
 * branch back has no condition, loops in loops.
 */
#include "target/i386/translate/strip.h"

enum {
    STEP_MAX = 512,     /* bytes: what moves faster changes its page too often */
    PLUS_MAX = 1 << 20, /* how far a register of 32 bits may be from where it was in a round */
};

/* ---- the plan ---- */

/* The number of a value that is a byte does not matter. */
static uint64_t key_of(const Access *a)
{
    return (a->key | (a->byte & 1 ? 0xffff : 0)) | (a->byte & 2 ? 0xffffull << 16 : 0);
}

static bool fits(int64_t value)
{
    return value == (int32_t)value;
}

/* How many bytes a group may span. */
static int64_t range_of(const Motion *m)
{
    return SHARE_RANGE + (m->byte ? 255 << (m->byte & 2 ? m->first.scale : 0) : 0);
}

/* A group that the access may belong to; its range grows. -1: none. */
static int join(Strip *p, const Access *a, const Motion *m)
{
    for (unsigned n = 0; n < p->groups; n++) {
        Group *g = &p->group[n];
        int64_t low = m->low < g->m.low ? m->low : g->m.low,
                high = m->high > g->m.high ? m->high : g->m.high;

        if (g->key == key_of(a) && high - low <= range_of(m)) {
            g->m.low = low;
            g->m.high = high;
            g->write |= a->write;
            g->members++;
            return n;
        }
    }
    return -1;
}

/* The register that moves with the access; REG_NONE: none, or a byte, or both. */
unsigned strip_mover(const Motion *m)
{
    if (m->byte || !m->moving || m->moving == MOVES_BOTH) {
        return REG_NONE;
    }
    return m->moving == 1 ? m->first.base : m->first.index;
}

/* A register of 32 bits may come to the end of what it can count to before the address does. What
 * it is in the middle of a round lies between what it is at its ends. */
static bool counts_on(const Unit *u, const Access *a, const Motion *m)
{
    unsigned reg = strip_mover(m);
    int64_t plus = a->plus[m->moving == 2];

    if (u->code64 || reg >= 16) {
        return true;
    }
    return u->loop.step[reg] > 0 ? plus >= 0 && plus < PLUS_MAX : plus <= 0 && plus > -PLUS_MAX;
}

static int group_of(Unit *u, const Access *a)
{
    Strip *p = &u->strip;
    Motion m;
    int n;

    if (!loop_motion(u, a, &m) || m.step < -STEP_MAX || m.step > STEP_MAX ||
        m.high - m.low > range_of(&m) || !fits(m.low - 2 * GUEST_PAGE) ||
        !fits(m.high + 2 * GUEST_PAGE) || !fits(a->plus[0]) || !fits(a->plus[1] * 8) ||
        !fits(m.low - a->plus[0]) || !fits(m.low - a->plus[1] * 8) || !counts_on(u, a, &m)) {
        return -1;
    }
    n = join(p, a, &m);
    if (n < 0 && p->groups < SHARES) {
        n = p->groups++;
        p->group[n] = (Group){.key = key_of(a), .m = m, .write = a->write, .members = 1};
    }
    if (n >= 0 && !u->code64 && strip_mover(&m) < 16 &&
        -a->plus[m.moving == 2] > p->group[n].under) {
        p->group[n].under = -a->plus[m.moving == 2];
    }
    return n;
}

/* A register by which to know that a strip has ended, one in the host's if there is. */
static void choose_clock(Unit *u)
{
    Strip *p = &u->strip;

    for (unsigned n = 0; n < 16; n++) {
        int64_t step = u->loop.steady >> n & 1 ? u->loop.step[n] : 0;

        if (step && step == (int16_t)step && (!p->clocked || in_frame(p->clock))) {
            p->clocked = true;
            p->clock = n;
        }
    }
}

/* A register that has the same place on the host and is not needed while addresses are found. */
static bool choose_temp(Unit *u)
{
    static const uint8_t able[] = {R_AX, R_DX, R_BX, R_SI, R_DI, 12, 13, 14, 15};
    Strip *p = &u->strip;
    uint32_t used = p->clocked ? 1u << p->clock : 0;

    for (unsigned n = 0; n < p->groups; n++) {
        const Address *a = &p->group[n].m.first;

        used |= a->base < 16 ? 1u << a->base : 0;
        used |= a->index < 16 ? 1u << a->index : 0;
    }
    for (unsigned n = 0; n < sizeof able; n++) {
        if (!(used >> able[n] & 1)) {
            p->temp = host_of[able[n]];
            return true;
        }
    }
    return false;
}

/* The group with the most accesses is for rbp, where there are two or more; a single other one, or
 * the only one, for r11. */
static void choose_registers(Strip *p)
{
    int most = 0;

    for (int n = 1; n < p->groups; n++) {
        most = p->group[n].members > p->group[most].members ? n : most;
    }
    p->in_a = p->groups > 1 ? most : -1;
    p->in_b = p->groups == 1 ? 0 : p->groups == 2 ? !most : -1;
}

/* 32-bit code only where no branch looks at CS and the stack is as wide. */
static bool flat(const Unit *u)
{
    return u->code64 || (u->plain && u->mode & MODE_FLAT && u->c->code_size == CODE_32 &&
                         (u->mode & MODE_STACK) >> MODE_STACK_SHIFT == 1);
}

void strip_plan(Unit *u)
{
    Strip *p = &u->strip;

    *p = (Strip){0};
    if (u->window) {
        return;
    }
    loop_plan(u);
    if (!u->loop.there || u->page2 || !flat(u)) {
        return;
    }
    for (unsigned n = 0; n < u->first_access[u->loop.last + 1]; n++) {
        p->of[n] = group_of(u, &u->access[n]);
    }
    choose_clock(u);
    choose_registers(p);
    p->wanted = p->groups && choose_temp(u);
    p->counter = (uint32_t)(u->e.at - u->cache->write) / 64 % STRIP_COUNTERS;
}

void strip_way(Unit *u, const uint8_t *back)
{
    Strip *p = &u->strip;

    if (p->wanted && !u->alone && u->now == u->loop.last) {
        p->hole = u->e.at - 4;
        p->recipe = u->recipe;
        p->fpu_known = u->fpu_known;
        p->x87 = u->x87_same && u->now == u->x87_edge;
        p->back = back;
    }
}

/* ---- accesses in it ---- */

/* The register that holds a group's slot. */
static unsigned slot_register(Unit *u, int n)
{
    Strip *p = &u->strip;

    if (n == p->in_a) {
        return SCRATCH_A;
    }
    if (n == p->in_b) {
        return SCRATCH_B;
    }
    p->lost_b = true;
    if (u->held != &u->share[n]) {
        load_gs(&u->e, SCRATCH_B, CPU_AT(share) + 8 * n);
        u->held = &u->share[n];
    }
    return SCRATCH_B;
}

/* The moving part of the address, in a host register. */
static unsigned moving_register(Unit *u, unsigned reg)
{
    if (in_frame(reg)) {
        linear_lost(u);
    }
    return guest_reg(u, reg, SCRATCH_A);
}

bool strip_place(Unit *u, const Address *a, const Access *what, Place *p)
{
    int n = what ? u->strip.of[what - u->access] : -1;
    const Group *g = &u->strip.group[n < 0 ? 0 : n];
    bool index = g->m.moving == 2;
    unsigned moving;

    if (n < 0) {
        return false;
    }
    if (g->m.moving == MOVES_BOTH) {
        emit_linear(u, a, SCRATCH_A);
        *p = (Place){SCRATCH_A, slot_register(u, n), MEM_DISP, 0};
        return true;
    }
    if (!g->m.moving) {
        *p = (Place){slot_register(u, n), NO_INDEX, what->at - g->m.low + MEM_DISP, 0};
        return true;
    }
    moving = moving_register(u, index ? a->index : a->base);
    *p = (Place){slot_register(u, n), moving, MEM_DISP, index ? a->scale : 0};
    p->disp += what->at - (what->plus[index] << p->scale) - (u->code64 ? 0 : g->m.low);
    if (p->scale && unit_now(u)->i->op == OP_PUSH) { /* which has no place for it */
        linear_lost(u);
        lea_index(&u->e, SCRATCH_A, p->base, p->index, p->scale, p->disp, true);
        *p = (Place){SCRATCH_A, NO_INDEX, 0, 0};
    }
    return true;
}

/* ---- branches in it ---- */

bool strip_inside(Unit *u, const Insn *i)
{
    int n = unit_behind(u, unit_target(u, u->now));

    if (n < 0 || n > u->loop.last) {
        return false;
    }
    u->strip.no_fpu |= (uint64_t)!u->fpu_known << n;
    if (u->strip.now) {
        u->strip.branch[u->now] = jcc32(&u->e, i->cc);
        u->strip.to[u->now] = n;
    } else {
        cold_add(u, COLD_ALONE, jcc32(&u->e, i->cc), n);
    }
    return true;
}

void strip_meet(Unit *u)
{
    if (!u->strip.wanted || u->now > u->loop.last || !(u->loop.met >> u->now & 1)) {
        return;
    }
    x87_settle(u);
    if (u->garbage) {
        recipe_run(u, u->recipe);
        u->garbage = false;
    }
    u->fpu_known &= !(u->strip.no_fpu >> u->now & 1);
    u->recipe = -1;
    u->frame_at = NULL;
    if (u->strip.now) {
        u->held = NULL;
    }
}

/* ---- the loop ---- */

/* How far the clock has come is taken from what the attempts were in vain. Leaves flags alone. */
static void emit_credit(Unit *u)
{
    Emit *e = &u->e;
    const Strip *p = &u->strip;
    bool up = u->loop.step[p->clock] > 0;
    Hole more;

    if (!p->clocked) {
        store_gs_imm(e, strip_counter_at(u), 0, false);
        return;
    }
    load_gs(e, SCRATCH_C, CPU_AT(strip_began));
    lea_index(e, SCRATCH_C, SCRATCH_C, guest_reg(u, p->clock, SCRATCH_A), 0, 0, true);
    if (!u->code64) {
        movsxd(e, SCRATCH_C, SCRATCH_C);
    }
    if (up) {
        not_reg(e, SCRATCH_C);
    }
    load_gs32(e, SCRATCH_A, strip_counter_at(u));
    lea_index(e, SCRATCH_C, SCRATCH_C, SCRATCH_A, 0, up, true);
    store_gs32(e, strip_counter_at(u), SCRATCH_C);
    mov_imm(e, SCRATCH_A, 63);
    shrx(e, SCRATCH_C, SCRATCH_C, SCRATCH_A);
    more = jrcxz8(e);
    store_gs_imm(e, strip_counter_at(u), 0, false);
    fill8(e, more);
}

/* Behind a strip's last round. */
static void emit_ended(Unit *u)
{
    const Strip *p = &u->strip;

    x87_write(u, u->x87);
    emit_credit(u);
    if (strip_overwrites(p)) {
        strip_flags_back(u);
    }
    jmp_to(&u->e, p->back);
}

/* Flags are the guest's. */
void strip_branch(Unit *u, const Insn *i)
{
    Emit *e = &u->e;
    Strip *p = &u->strip;
    Hole ended, left;

    if (u->alone) { /* as the first version, which may have been linked to the top */
        jcc_to(e, i->cc, p->hole - 2);
        return;
    }
    p->spoiled |= p->x87 && !x87_kept(u);
    left = jcc32(e, i->cc ^ 1);
    if (strip_overwrites(p)) {
        unsigned clock = guest_reg(u, p->clock, SCRATCH_C);

        gs_op(e, 0x3b, true, clock, CPU_AT(strip_end)); /* cmp */
        jcc_to(e, CC_NE, p->top);
    } else {
        load_gs(e, SCRATCH_C, CPU_AT(strip_end));
        if (p->clocked) {
            unsigned clock = moving_register(u, p->clock);

            lea_index(e, SCRATCH_C, SCRATCH_C, clock, 0, 0, u->code64);
        } else {
            lea_base(e, SCRATCH_C, SCRATCH_C, -1, true);
            store_gs(e, CPU_AT(strip_end), SCRATCH_C);
        }
        ended = jrcxz8(e);
        jmp_to(e, p->top);
        fill8(e, ended);
    }
    emit_ended(u);
    fill32(e, left, e->at);
    x87_write(u, u->x87);
    emit_credit(u);
    jmp_to(e, u->region[0].join);
}

static void begin(Unit *u)
{
    Emit *e = &u->e;
    Strip *p = &u->strip;

    share_drop(u);
    if (p->in_a >= 0) {
        load_gs(e, SCRATCH_A, CPU_AT(share) + 8 * p->in_a);
    }
    if (p->in_b >= 0) {
        load_gs(e, SCRATCH_B, CPU_AT(share) + 8 * p->in_b);
    }
    u->frame_at = NULL;
    u->recipe = p->recipe;
    u->garbage = strip_overwrites(p);
    u->fpu_known = p->fpu_known;
    u->x87 = p->x87 ? u->x87_round : (X87Last){-1, -1};
    u->alone = p->spoiled = p->lost_a = p->lost_b = false;
    __builtin_memset(p->to, 0, sizeof p->to);
    p->top = e->at;
}

/* Branches from in front of the instruction in work lead to it. */
static void arrive(Unit *u)
{
    Strip *p = &u->strip;

    strip_meet(u);
    for (unsigned n = 0; n < u->now; n++) {
        if (p->to[n] == u->now) {
            fill32(&u->e, p->branch[n], u->e.at);
        }
    }
}

/* The loop. false: it cannot be done so. */
static bool emit_rounds(Unit *u)
{
    bool on = true;

    begin(u);
    for (u->now = 0; u->now <= u->loop.last && on && !u->e.full; u->now++) {
        arrive(u);
        on = unit_emit_next(u);
    }
    return on && !u->strip.spoiled;
}

/* Does a register that was to hold a slot not hold it? Then it will not be asked to. */
static bool lost(Strip *p)
{
    bool a = p->lost_a && p->in_a >= 0, b = p->lost_b && p->in_b >= 0;

    if (a) {
        p->in_a = -1;
        p->in_b = p->groups == 1 ? p->in_b : -1;
    }
    if (b) {
        p->in_b = -1;
    }
    return a || b;
}

void strip_emit(Unit *u)
{
    Strip *p = &u->strip;
    uint8_t *at, *loop;
    unsigned colds = u->colds, faults = u->faults;
    bool done;

    if (!p->hole || u->e.full) {
        return;
    }
    align(&u->e, 16);
    at = u->e.at;
    u->frame_at = NULL;
    strip_attempt(u);
    loop = u->e.at;
    p->now = true;
    do {
        u->e.at = loop;
        u->colds = colds;
        u->faults = faults;
        done = emit_rounds(u);
    } while (done && !u->e.full && lost(p));
    p->now = false;
    if (done) {
        fill32(&u->e, p->hole, at);
    } else {
        u->e.at = at;
        u->colds = colds;
        u->faults = faults;
    }
}
