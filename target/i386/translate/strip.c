/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loops without checks (docs/design/translator.md, "Strips"). Where a unit begins with a loop, a
 * second version of it runs for as many rounds as all accesses whose addresses move by constants
 * stay in the pages that they are in: a strip. One look-up for each group of them stands in front.
 * At its end a round of the ordinary version crosses the page and asks who wants the CPU; its
 * branch back tries the next strip. Nothing in a strip differs from what any version keeps at the
 * instruction's boundary, so it may be left anywhere: by its branches, host faults, and misses of
 * accesses that are looked up one by one.
 * Not here: code outside 64-bit mode, loops in the middle of a unit, loops whose branch back has no
 * condition, loops in loops.
 */
#include "target/i386/translate/unit.h"

enum {
    STEP_MAX = 512,    /* bytes: what moves faster changes its page too often */
    ROUNDS_MIN = 4,    /* of a strip that is worth while */
    ROUNDS_MAX = 4096, /* for so long nobody looks who wants the CPU */
    ROUNDS_PAY = 12,   /* so many pay for an attempt */
    VAIN_MAX = 32,     /* attempts that were not paid for, before the loop is left as it is */
};
enum { PUSHF = 0x9c, POPF = 0x9d };

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

static int group_of(Unit *u, const Access *a)
{
    Strip *p = &u->strip;
    Motion m;
    int n;

    if (!loop_motion(u, a, &m) || m.step < -STEP_MAX || m.step > STEP_MAX ||
        m.high - m.low > range_of(&m) || !fits(m.low - 2 * GUEST_PAGE) ||
        !fits(m.high + 2 * GUEST_PAGE) || !fits(a->plus[0]) || !fits(a->plus[1] * 8) ||
        !fits(m.low - a->plus[0]) || !fits(m.low - a->plus[1] * 8)) {
        return -1;
    }
    n = join(p, a, &m);
    if (n < 0 && p->groups < SHARES) {
        n = p->groups++;
        p->group[n] = (Group){.key = key_of(a), .m = m, .write = a->write, .members = 1};
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

void strip_plan(Unit *u)
{
    Strip *p = &u->strip;

    *p = (Strip){0};
    if (u->window) {
        return;
    }
    loop_plan(u);
    if (!u->loop.there || !u->code64 || u->page2) {
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

/* Is rbp's page in the TLB, and no more than `most` of it in front? r11: the addend; rcx: how much.
 */
static Hole emit_page(Unit *u, bool write, int32_t most)
{
    emit_entry(u, SCRATCH_A, write);
    alu_rr(&u->e, 0x01, SCRATCH_C, SCRATCH_A, true);
    alu_imm(&u->e, 7, SCRATCH_C, most, true);
    return jcc32(&u->e, CC_A);
}

/* A table that is looked up: it may lie in two pages, if they do so in the host's memory. */
static void emit_table(Unit *u, unsigned n, Hole miss[2])
{
    Emit *e = &u->e;
    const Group *g = &u->strip.group[n];

    store_gs(e, CPU_AT(share) + 8 * n, SCRATCH_B);
    lea_base(e, SCRATCH_A, SCRATCH_A, g->m.high - g->m.low - 1, true);
    miss[0] = emit_page(u, g->write, GUEST_PAGE - 1);
    gs_op(e, 0x3b, true, SCRATCH_B, CPU_AT(share) + 8 * n); /* cmp */
    miss[1] = jcc32(e, CC_NE);
}

/* r11: the addend, rbp: the lowest address. What does not move is added. */
static void emit_still(Unit *u, const Group *g)
{
    Emit *e = &u->e;
    unsigned reg = g->m.moving == 1 ? g->m.first.index : g->m.first.base,
             scale = g->m.moving == 1 ? g->m.first.scale : 0;

    if (!g->m.moving) {
        lea_index(e, SCRATCH_B, SCRATCH_B, SCRATCH_A, 0, 0, true);
    } else if (g->m.moving == MOVES_BOTH) {
        return;
    } else if (reg == REG_IP) {
        load_gs(e, SCRATCH_C, CPU_AT(page_rip));
        lea_index(e, SCRATCH_B, SCRATCH_B, SCRATCH_C, 0, 0, true);
    } else if (reg < 16) {
        lea_index(e, SCRATCH_B, SCRATCH_B, guest_reg(u, reg, SCRATCH_C), scale, 0, true);
    }
}

/* Is the group in the TLB and in one page, and for how many rounds more? Returns the ways out. */
static unsigned emit_group(Unit *u, unsigned n, Hole miss[3])
{
    Emit *e = &u->e;
    const Group *g = &u->strip.group[n];
    int32_t step = g->m.step, last = GUEST_PAGE - (int32_t)(g->m.high - g->m.low);
    Address first = g->m.first;

    first.disp = g->m.low;
    emit_linear(u, &first, SCRATCH_A);
    miss[0] = emit_page(u, g->write, g->m.byte ? GUEST_PAGE - 1 : last);
    if (g->m.byte) {
        emit_table(u, n, miss + 1);
    } else if (step) {
        if (step > 0) { /* last - rcx */
            not_reg(e, SCRATCH_C);
            alu_imm(e, 0, SCRATCH_C, last + 1, true);
        }
        divide(e, step < 0 ? -step : step);
        least(e, u->strip.temp);
    }
    emit_still(u, g);
    store_gs(e, CPU_AT(share) + 8 * n, SCRATCH_B);
    return g->m.byte ? 3 : 1;
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
        mov_rr(e, SCRATCH_A, clock);
        not_reg(e, SCRATCH_A);
        lea_base(e, SCRATCH_A, SCRATCH_A, 1, true);
        store_gs(e, CPU_AT(strip_began), SCRATCH_A);
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
    Hole miss[SHARES * 3 + 1], enough, on;
    unsigned misses = 0;
    int32_t price = ROUNDS_PAY * (p->clocked ? (int32_t)u->loop.step[p->clock] : 1);

    price = price < 0 ? -price : price;

    flags_away(u);
    load_gs32(e, SCRATCH_C, counter_at(u));
    lea_base(e, SCRATCH_C, SCRATCH_C, price, false);
    store_gs32(e, counter_at(u), SCRATCH_C);
    alu_imm(e, 7, SCRATCH_C, VAIN_MAX * price, false);
    enough = jcc32(e, CC_A);
    store_gs(e, CPU_AT(strip_save), p->temp);
    mov_imm(e, p->temp, ROUNDS_MAX - 1);
    for (unsigned n = 0; n < p->groups; n++) {
        misses += emit_group(u, n, miss + misses);
    }
    alu_imm(e, 7, p->temp, ROUNDS_MIN - 1, true);
    miss[misses++] = jcc32(e, CC_B);
    emit_end(u);
    load_gs(e, p->temp, CPU_AT(strip_save));
    if (!overwrites(p)) {
        flags_back(u);
    }
    on = jmp32(e);
    for (unsigned n = 0; n < misses; n++) {
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
    p->disp += what->at - (what->plus[index] << p->scale);
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
    int64_t at = unit_next(u) + (int64_t)(int32_t)i->imm;
    unsigned n = u->now + 1;

    while (n <= u->loop.last && u->insn[n].at != at) {
        n++;
    }
    if (n > u->loop.last) {
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
        store_gs_imm(e, counter_at(u), 0, false);
        return;
    }
    load_gs(e, SCRATCH_C, CPU_AT(strip_began));
    lea_index(e, SCRATCH_C, SCRATCH_C, guest_reg(u, p->clock, SCRATCH_A), 0, 0, true);
    if (up) {
        not_reg(e, SCRATCH_C);
    }
    load_gs32(e, SCRATCH_A, counter_at(u));
    lea_index(e, SCRATCH_C, SCRATCH_C, SCRATCH_A, 0, up, true);
    store_gs32(e, counter_at(u), SCRATCH_C);
    mov_imm(e, SCRATCH_A, 63);
    shrx(e, SCRATCH_C, SCRATCH_C, SCRATCH_A);
    more = jrcxz8(e);
    store_gs_imm(e, counter_at(u), 0, false);
    fill8(e, more);
}

/* Behind a strip's last round. */
static void emit_ended(Unit *u)
{
    const Strip *p = &u->strip;

    emit_credit(u);
    if (overwrites(p)) {
        flags_back(u);
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
    left = jcc32(e, i->cc ^ 1);
    if (overwrites(p)) {
        unsigned clock = guest_reg(u, p->clock, SCRATCH_C);

        gs_op(e, 0x3b, true, clock, CPU_AT(strip_end)); /* cmp */
        jcc_to(e, CC_NE, p->top);
    } else {
        load_gs(e, SCRATCH_C, CPU_AT(strip_end));
        if (p->clocked) {
            unsigned clock = moving_register(u, p->clock);

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
    u->garbage = overwrites(p);
    u->fpu_known = p->fpu_known;
    u->x87 = (X87Last){-1, -1};
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
    emit_attempt(u);
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
