/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The attempt in front of a strip (strip.c): for each group of accesses a look-up, and for how many
 * rounds it stays in its page; for the least of these the loop runs without checks. In 32-bit code
 * addresses wrap where a sum in the host's 64 bits does not: so what moves is taken away from the
 * whole address once, and a register that would wrap ends the strip.
 */
#include "target/i386/translate/strip.h"

enum {
    ROUNDS_MIN = 4,    /* of a strip that is worth while */
    ROUNDS_MAX = 4096, /* for so long nobody looks who wants the CPU */
    ROUNDS_PAY = 12,   /* so many pay for an attempt */
    VAIN_MAX = 32,     /* attempts that were not paid for, before the loop is left as it is */
    WRAP = 1 << 22,    /* more than a register moves in a strip */
    MISSES = 4,        /* ways out of a group's look-up, at most */
};
enum { PUSHF = 0x9c, POPF = 0x9d };

/* Flags may be overwritten from here on ... to here. */
static void flags_away(Unit *u)
{
    if (u->strip.recipe < 0) {
        put8(&u->e, PUSHF);
    }
}

void strip_flags_back(Unit *u)
{
    if (u->strip.recipe < 0) {
        put8(&u->e, POPF);
    } else {
        recipe_run(u, u->strip.recipe);
    }
}

static void shift_right(Emit *e, unsigned by)
{
    put_rex(e, true, 0, 0, H_CX, false); /* shr rcx, by */
    put8(e, 0xc1);
    put_modrm_reg(e, 5, H_CX);
    put8(e, by);
}

/* rcx, no more than WRAP, divided by a step. */
static void divide(Emit *e, unsigned by)
{
    if (by & (by - 1)) {
        put_rex(e, true, H_CX, 0, H_CX, false); /* imul rcx, rcx, 2^32 / by: exact enough */
        put8(e, 0x69);
        put_modrm_reg(e, H_CX, H_CX);
        put32(e, (1ull << 32) / by + 1);
    }
    shift_right(e, by & (by - 1) ? 32 : __builtin_ctz(by));
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

/* Is rbp's page in the TLB, and no more than `most` of it in front? r11: the addend; rcx: how
 * much. */
static Hole emit_page(Unit *u, bool write, int32_t most)
{
    emit_entry(u, SCRATCH_A, write);
    alu_rr(&u->e, 0x01, SCRATCH_C, SCRATCH_A, true);
    alu_imm(&u->e, 7, SCRATCH_C, most, true);
    return jcc32(&u->e, CC_A);
}

/* A table that is looked up: it may lie in two pages, if they do so in the host's memory. In 32-bit
 * code none goes on behind 4 GB, where 64-bit code of the address space may have something. Returns
 * the ways out. */
static unsigned emit_table(Unit *u, unsigned n, Hole *miss)
{
    Emit *e = &u->e;
    const Group *g = &u->strip.group[n];
    int32_t up = g->m.high - g->m.low - 1;
    unsigned misses = 0;

    store_gs(e, CPU_AT(share) + 8 * n, SCRATCH_B);
    lea_base(e, SCRATCH_A, SCRATCH_A, up, u->code64);
    if (!u->code64) {
        alu_imm(e, 7, SCRATCH_A, up, true);
        miss[misses++] = jcc32(e, CC_B);
    }
    miss[misses++] = emit_page(u, g->write, GUEST_PAGE - 1);
    gs_op(e, 0x3b, true, SCRATCH_B, CPU_AT(share) + 8 * n); /* cmp */
    miss[misses++] = jcc32(e, CC_NE);
    return misses;
}

/* ... in 32-bit code: what the register that moves adds is taken away from the whole, which has
 * 32 bits, where the operand will add it with 64. */
static void emit_still_32(Unit *u, const Group *g)
{
    Emit *e = &u->e;
    unsigned reg = strip_mover(&g->m), scale = g->m.moving == 2 ? g->m.first.scale : 0;
    int32_t up = g->m.byte ? g->m.high - g->m.low - 1 : 0; /* emit_table() */

    lea_index(e, SCRATCH_B, SCRATCH_B, SCRATCH_A, 0, -up, true);
    if (reg < 16) {
        mov_rr(e, SCRATCH_C, guest_reg(u, reg, SCRATCH_C));
        not_reg(e, SCRATCH_C);
        lea_index(e, SCRATCH_B, SCRATCH_B, SCRATCH_C, scale, 1 << scale, true);
    }
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
    } else if (!u->code64) {
        emit_still_32(u, g);
    } else if (reg == REG_IP) {
        load_gs(e, SCRATCH_C, CPU_AT(page_rip));
        lea_index(e, SCRATCH_B, SCRATCH_B, SCRATCH_C, 0, 0, true);
    } else if (reg < 16) {
        lea_index(e, SCRATCH_B, SCRATCH_B, guest_reg(u, reg, SCRATCH_C), scale, 0, true);
    }
}

/* ... before the register that moves, of 32 bits, has counted to its end? */
static Hole emit_count(Unit *u, const Group *g)
{
    Emit *e = &u->e;
    unsigned reg = strip_mover(&g->m);
    int32_t step = u->loop.step[reg];
    unsigned moving = guest_reg(u, reg, SCRATCH_C);
    Hole miss, enough;

    if (step > 0) {
        lea_base(e, SCRATCH_C, moving, WRAP, true);
        shift_right(e, 32);
        return jcc32(e, CC_NE);
    }
    alu_imm(e, 7, moving, g->under, true);
    miss = jcc32(e, CC_B);
    lea_base(e, SCRATCH_C, moving, -g->under, true);
    alu_imm(e, 7, SCRATCH_C, WRAP, true);
    enough = jcc32(e, CC_A);
    divide(e, -step);
    least(e, u->strip.temp);
    fill32(e, enough, e->at);
    return miss;
}

/* Is the group in the TLB and in one page, and for how many rounds more? Returns the ways out. */
static unsigned emit_group(Unit *u, unsigned n, Hole miss[MISSES])
{
    Emit *e = &u->e;
    const Group *g = &u->strip.group[n];
    int32_t step = g->m.step, last = GUEST_PAGE - (int32_t)(g->m.high - g->m.low);
    Address first = g->m.first;
    unsigned misses = 1;

    first.disp = g->m.low;
    emit_linear(u, &first, SCRATCH_A);
    miss[0] = emit_page(u, g->write, g->m.byte ? GUEST_PAGE - 1 : last);
    if (g->m.byte) {
        misses += emit_table(u, n, miss + 1);
    } else if (step) {
        if (step > 0) { /* last - rcx */
            not_reg(e, SCRATCH_C);
            alu_imm(e, 0, SCRATCH_C, last + 1, true);
        }
        divide(e, step < 0 ? -step : step);
        least(e, u->strip.temp);
    }
    if (!u->code64 && strip_mover(&g->m) < 16) {
        miss[misses++] = emit_count(u, g);
    }
    emit_still(u, g);
    store_gs(e, CPU_AT(share) + 8 * n, SCRATCH_B);
    return misses;
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
        lea_index(e, p->temp, p->temp, clock, 0, step, u->code64);
        mov_rr(e, SCRATCH_A, clock);
        negate(e, SCRATCH_A);
        store_gs(e, CPU_AT(strip_began), SCRATCH_A);
        if (!strip_overwrites(p)) {
            negate(e, p->temp);
        }
    } else {
        lea_base(e, p->temp, p->temp, 1, true);
    }
    store_gs(e, CPU_AT(strip_end), p->temp);
}

/* The branch back of the first version comes here. */
void strip_attempt(Unit *u)
{
    Emit *e = &u->e;
    const Strip *p = &u->strip;
    Hole miss[SHARES * MISSES + 1], enough, on;
    unsigned misses = 0;
    int32_t price = ROUNDS_PAY * (p->clocked ? (int32_t)u->loop.step[p->clock] : 1);

    price = price < 0 ? -price : price;

    flags_away(u);
    load_gs32(e, SCRATCH_C, strip_counter_at(u));
    lea_base(e, SCRATCH_C, SCRATCH_C, price, false);
    store_gs32(e, strip_counter_at(u), SCRATCH_C);
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
    if (!strip_overwrites(p)) {
        strip_flags_back(u);
    }
    on = jmp32(e);
    for (unsigned n = 0; n < misses; n++) {
        fill32(e, miss[n], e->at);
    }
    load_gs(e, p->temp, CPU_AT(strip_save));
    strip_flags_back(u);
    jmp_to(e, p->back);
    fill32(e, enough, e->at);
    strip_flags_back(u);
    store_gs_imm(e, strip_counter_at(u), 0, false);
    mov_imm(e, SCRATCH_C, u->insn[0].at);
    mov_imm(e, SCRATCH_B, (p->hole - u->cache->write) | (p->fpu_known ? SITE_FPU : 0));
    emit_jmp_routine(u, u->cache->leave_link);
    align(e, 16);
    fill32(e, on, e->at);
}
