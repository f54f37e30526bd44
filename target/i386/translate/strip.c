/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loops without checks (docs/design/translator.md, "Strips"). Where a unit begins with a loop, a
 * second version of it runs for as many rounds as all accesses whose addresses move by constants
 * stay in the pages that they are in: a strip. One look-up for each group of them stands in front.
 * At its end a round of the ordinary version crosses the page and asks who wants the CPU; its
 * branch back tries the next strip. Nothing in a strip differs from what any version keeps at the
 * instruction's boundary, so it may be left anywhere: by its branches, host faults, and misses of
 * accesses that are looked up one by one.
 * Not here: code outside 64-bit mode, loops with branches to the inside, loops in the middle of a
 * unit.
 */
#include "target/i386/translate/unit.h"

enum {
    LOOP_MAX = 48,     /* instructions */
    STEP_MAX = 512,    /* bytes: what moves faster changes its page too often */
    ROUNDS_MIN = 4,    /* of a strip that is worth while */
    ROUNDS_MAX = 4096, /* for so long nobody looks who wants the CPU */
    ROUNDS_PAY = 16,   /* as many pay for an attempt */
    VAIN_MAX = 32,     /* attempts in a row that were not worth while: no more are made */
};
enum { PUSHF = 0x9c, POPF = 0x9d };

/* ---- the plan ---- */

/* A group that the access may belong to; its range grows. */
static bool join(Strip *p, const Access *a)
{
    for (unsigned n = 0; n < p->groups; n++) {
        Share *s = &p->share[n];
        int64_t low = a->at < s->low ? a->at : s->low, high = a->at + a->size;

        high = high > s->high ? high : s->high;
        if (s->key == a->key && high - low <= SHARE_RANGE) {
            s->low = low;
            s->high = high;
            s->write |= a->write;
            return true;
        }
    }
    return false;
}

static void add_access(Unit *u, const Access *a)
{
    Strip *p = &u->strip;
    Address first;
    int64_t step;

    if (!loop_address(u, a, a->at, &first, &step) || step < -STEP_MAX || step > STEP_MAX ||
        join(p, a) || p->groups == SHARES) {
        return;
    }
    p->step[p->groups] = step;
    p->share[p->groups++] = (Share){.key = a->key,
                                    .low = a->at,
                                    .high = a->at + a->size,
                                    .last = u->loop.last,
                                    .write = a->write,
                                    .kept = true};
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
        used |= p->first[n].base < 16 ? 1u << p->first[n].base : 0;
        used |= p->first[n].index < 16 ? 1u << p->first[n].index : 0;
    }
    for (unsigned n = 0; n < sizeof able; n++) {
        if (!(used >> able[n] & 1)) {
            p->temp = host_of[able[n]];
            return true;
        }
    }
    return false;
}

void strip_plan(Unit *u)
{
    Strip *p = &u->strip;
    bool known = true;

    *p = (Strip){0};
    if (!u->loop.there || u->window || !u->code64 || u->page2 || u->loop.last >= LOOP_MAX) {
        return;
    }
    for (unsigned n = 0; n < u->first_access[u->loop.last + 1]; n++) {
        add_access(u, &u->access[n]);
    }
    for (unsigned n = 0; n < p->groups; n++) {
        Access a = {.key = p->share[n].key};
        int64_t step;

        known &= loop_address(u, &a, p->share[n].low, &p->first[n], &step);
    }
    choose_clock(u);
    p->wanted = known && p->groups && choose_temp(u);
    p->counter = (uint32_t)(u->e.at - u->cache->write) / 64 % STRIP_COUNTERS;
}

void strip_way(Unit *u, const uint8_t *back)
{
    Strip *p = &u->strip;

    if (p->wanted && !u->alone && u->now == u->loop.last) {
        p->hole = u->e.at - 4;
        p->recipe = u->recipe;
        p->fpu_known = u->fpu_known;
        p->back = back;
    }
}

/* ---- in front ---- */

/* In a strip, may flags be overwritten at the top? */
static bool overwrites(const Strip *p)
{
    return p->clocked && p->recipe >= 0;
}

static uint32_t counter_at(const Unit *u)
{
    return CPU_AT(strip_vain) + 4 * u->strip.counter;
}

/* Flags may be overwritten from here on ... to here. */
static void flags_away(Unit *u)
{
    if (u->strip.recipe < 0) {
        put8(&u->e, PUSHF);
    }
}

static void flags_back(Unit *u)
{
    if (u->strip.recipe < 0) {
        put8(&u->e, POPF);
    } else {
        recipe_run(u, u->strip.recipe);
    }
}

/* rcx, less than a page, divided by a step. */
static void divide(Emit *e, unsigned by)
{
    if (by & (by - 1)) {
        put_rex(e, true, H_CX, 0, H_CX, false); /* imul rcx, rcx, 2^32 / by: exact enough */
        put8(e, 0x69);
        put_modrm_reg(e, H_CX, H_CX);
        put32(e, (1ull << 32) / by + 1);
    }
    put_rex(e, true, 0, 0, H_CX, false); /* shr rcx, n */
    put8(e, 0xc1);
    put_modrm_reg(e, 5, H_CX);
    put8(e, by & (by - 1) ? 32 : __builtin_ctz(by));
}

/* temp: the least of it and rcx */
static void least(Emit *e, unsigned temp)
{
    alu_rr(e, 0x39, SCRATCH_C, temp, true);
    put_rex(e, true, temp, 0, SCRATCH_C, false); /* cmovb temp, rcx */
    put8(e, 0x0f);
    put8(e, 0x42);
    put_modrm_reg(e, temp, SCRATCH_C);
}

/* Is the group in the TLB and in one page, and for how many rounds more? */
static Hole emit_group(Unit *u, unsigned n)
{
    Emit *e = &u->e;
    const Strip *p = &u->strip;
    const Share *s = &p->share[n];
    int32_t step = p->step[n], last = GUEST_PAGE - (int32_t)(s->high - s->low);
    Hole miss;

    emit_linear(u, &p->first[n], SCRATCH_A);
    emit_entry(u, SCRATCH_A, s->write);
    alu_rr(e, 0x01, SCRATCH_C, SCRATCH_A, true);
    alu_imm(e, 7, SCRATCH_C, last, true);
    miss = jcc32(e, CC_A);
    store_gs(e, CPU_AT(share) + 8 * n, SCRATCH_B);
    if (step > 0) { /* last - rcx */
        not_reg(e, SCRATCH_C);
        alu_imm(e, 0, SCRATCH_C, last + 1, true);
    }
    if (step) {
        divide(e, step < 0 ? -step : step);
        least(e, p->temp);
    }
    return miss;
}

/* temp: rounds - 1. Where the end is, negative where flags have to stay. */
static void emit_end(Unit *u)
{
    Emit *e = &u->e;
    const Strip *p = &u->strip;

    if (p->clocked) {
        int32_t step = u->loop.step[p->clock];
        unsigned clock;

        put_rex(e, true, p->temp, 0, p->temp, false); /* imul temp, temp, step */
        put8(e, 0x69);
        put_modrm_reg(e, p->temp, p->temp);
        put32(e, step);
        clock = guest_reg(u, p->clock, SCRATCH_C);
        lea_index(e, p->temp, p->temp, clock, 0, step, true);
        lea_base(e, SCRATCH_A, clock, ROUNDS_PAY * step, true);
        not_reg(e, SCRATCH_A); /* paid: with the clock, not negative; or, downwards, negative */
        lea_base(e, SCRATCH_A, SCRATCH_A, step > 0, true);
        store_gs(e, CPU_AT(strip_paid), SCRATCH_A);
        if (!overwrites(p)) {
            not_reg(e, p->temp);
            lea_base(e, p->temp, p->temp, 1, true);
        }
    } else {
        lea_base(e, p->temp, p->temp, 1, true);
    }
    store_gs(e, CPU_AT(strip_end), p->temp);
}

/* The branch back of the first version comes here. */
static void emit_attempt(Unit *u)
{
    Emit *e = &u->e;
    const Strip *p = &u->strip;
    Hole miss[SHARES + 1], enough, on;

    flags_away(u);
    load_gs32(e, SCRATCH_C, counter_at(u));
    lea_base(e, SCRATCH_C, SCRATCH_C, 1, false);
    store_gs32(e, counter_at(u), SCRATCH_C);
    alu_imm(e, 7, SCRATCH_C, VAIN_MAX, false);
    enough = jcc32(e, CC_A);
    store_gs(e, CPU_AT(strip_save), p->temp);
    mov_imm(e, p->temp, ROUNDS_MAX - 1);
    for (unsigned n = 0; n < p->groups; n++) {
        miss[n] = emit_group(u, n);
    }
    alu_imm(e, 7, p->temp, ROUNDS_MIN - 1, true);
    miss[p->groups] = jcc32(e, CC_B);
    emit_end(u);
    load_gs(e, p->temp, CPU_AT(strip_save));
    if (!overwrites(p)) {
        flags_back(u);
    }
    on = jmp32(e);
    for (unsigned n = 0; n <= p->groups; n++) {
        fill32(e, miss[n], e->at);
    }
    load_gs(e, p->temp, CPU_AT(strip_save));
    flags_back(u);
    jmp_to(e, p->back);
    fill32(e, enough, e->at);
    flags_back(u);
    store_gs_imm(e, counter_at(u), 0, false);
    mov_imm(e, SCRATCH_C, u->insn[0].at);
    mov_imm(e, SCRATCH_B, (p->hole - u->cache->write) | (p->fpu_known ? SITE_FPU : 0));
    emit_jmp_routine(u, u->cache->leave_link);
    align(e, 16);
    fill32(e, on, e->at);
}

/* ---- the loop ---- */

/* Behind a strip's last round. */
static void emit_ended(Unit *u)
{
    const Strip *p = &u->strip;

    store_gs_imm(&u->e, counter_at(u), 0, false);
    if (overwrites(p)) {
        flags_back(u);
    }
    jmp_to(&u->e, p->back);
}

/* Out of the loop: have there been enough rounds? */
static void emit_left(Unit *u)
{
    Emit *e = &u->e;
    const Strip *p = &u->strip;
    Hole done;

    if (p->clocked) {
        load_gs(e, SCRATCH_C, CPU_AT(strip_paid));
        lea_index(e, SCRATCH_C, SCRATCH_C, guest_reg(u, p->clock, SCRATCH_A), 0, 0, true);
        if (u->loop.step[p->clock] > 0) {
            not_reg(e, SCRATCH_C);
        }
        mov_imm(e, SCRATCH_A, 63);
        shrx(e, SCRATCH_C, SCRATCH_C, SCRATCH_A);
        done = jrcxz8(e);
        store_gs_imm(e, counter_at(u), 0, false);
        fill8(e, done);
    }
    jmp_to(e, u->region[0].join);
}

/* Flags are the guest's. */
void strip_branch(Unit *u, const Insn *i)
{
    Emit *e = &u->e;
    Strip *p = &u->strip;
    Hole ended, left = jcc32(e, i->cc ^ 1);

    if (overwrites(p)) {
        unsigned clock = guest_reg(u, p->clock, SCRATCH_C);

        gs_op(e, 0x3b, true, clock, CPU_AT(strip_end)); /* cmp */
        jcc_to(e, CC_NE, p->top);
    } else {
        load_gs(e, SCRATCH_C, CPU_AT(strip_end));
        if (p->clocked) {
            unsigned clock = guest_reg(u, p->clock, SCRATCH_A);

            lea_index(e, SCRATCH_C, SCRATCH_C, clock, 0, 0, true);
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
    emit_left(u);
}

static void begin(Unit *u)
{
    Strip *p = &u->strip;

    share_drop(u);
    for (unsigned n = 0; n < p->groups; n++) {
        u->share[n] = p->share[n];
    }
    linear_lost(u);
    addend_lost(u);
    u->frame_at = NULL;
    u->recipe = p->recipe;
    u->garbage = overwrites(p);
    u->fpu_known = p->fpu_known;
    u->x87 = (X87Last){-1, -1};
    u->alone = false;
    p->spoiled = false;
    p->top = u->e.at;
}

void strip_emit(Unit *u)
{
    Strip *p = &u->strip;
    uint8_t *at;
    unsigned colds = u->colds, faults = u->faults;
    bool on = true;

    if (!p->hole || u->e.full) {
        return;
    }
    align(&u->e, 16);
    at = u->e.at;
    u->frame_at = NULL;
    emit_attempt(u);
    p->now = true;
    begin(u);
    for (u->now = 0; u->now <= u->loop.last && on && !u->e.full; u->now++) {
        on = unit_emit_next(u);
    }
    p->now = false;
    if (!on || p->spoiled) {
        u->e.at = at;
        u->colds = colds;
        u->faults = faults;
    } else {
        fill32(&u->e, p->hole, at);
    }
}
