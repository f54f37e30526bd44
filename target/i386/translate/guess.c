/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addends that are guessed (docs/design/translator.md, "Guessed addends"): a load whose value is
 * waited for would wait for the TLB's look-up first. So it takes the addend that was right last
 * time, and a branch, which the host predicts, compares that with the one that was looked up. Pages
 * that follow one another in the guest's memory have the same addend. The check stays what it is.
 * Not here: chains of loads over several units.
 */
#include "target/i386/translate/unit.h"

enum {
    WRONG = 16,   /* guesses ...                               */
    AGO = 10,     /* ... in 2^AGO cycles are too many: no more */
    REST = 65536, /* for so many loads                         */
};

static uint32_t cell(unsigned n, size_t field)
{
    return CPU_AT(guess) + n * sizeof(Guess) + field;
}

/* Does it load a register that its address is made of, as who follows a list does? */
static bool leads_on(const Insn *i)
{
    const Operand *o = &i->operand[0];

    return (i->op == OP_MOV || i->op == OP_MOVZX || i->op == OP_MOVSX || i->op == OP_MOVSXD) &&
           o->kind == OPERAND_GPR && (o->reg == i->base || o->reg == i->index);
}

bool guess_wanted(const Unit *u, bool write)
{
    const Insn *i = unit_now(u)->i;

    return !write && !u->alone && !u->window && leads_on(i);
}

/* r11: what was looked up; if it is what was guessed, that, which nobody had to wait for. */
void guess_emit(Unit *u)
{
    Emit *e = &u->e;
    unsigned n = u->cache->guesses++ % GUESSES;
    Hole wrong, right;
    Cold *cold;

    if (u->garbage) {
        gs_op(e, 0x3b, true, SCRATCH_B, cell(n, offsetof(Guess, addend))); /* cmp */
        wrong = jcc32(e, CC_NE);
    } else {
        load_gs(e, SCRATCH_C, cell(n, offsetof(Guess, minus)));
        lea_index(e, SCRATCH_C, SCRATCH_C, SCRATCH_B, 0, 0, true);
        right = jrcxz8(e);
        wrong = jmp32(e);
        fill8(e, right);
    }
    load_gs(e, SCRATCH_B, cell(n, offsetof(Guess, addend)));
    cold = cold_add(u, COLD_GUESS, wrong, n);
    cold->back = e->at;
    cold->sp = 0; /* nothing is left, so nothing need be right */
    cold->x87 = (X87Last){-1, -1};
}

/* rcx: 0 if the last WRONG wrong guesses were made in that many cycles. Flags stay. */
static void emit_time(Unit *u, unsigned n)
{
    enum { RDTSC = 0x310f };
    Emit *e = &u->e;

    store_gs(e, CPU_AT(guess_save[0]), H_AX);
    store_gs(e, CPU_AT(guess_save[1]), H_DX);
    put8(e, RDTSC & 0xff);
    put8(e, RDTSC >> 8);
    load_gs32(e, SCRATCH_C, cell(n, offsetof(Guess, when)));
    not_reg(e, SCRATCH_C);
    lea_index(e, SCRATCH_C, SCRATCH_C, H_AX, 0, 1, false);
    store_gs32(e, cell(n, offsetof(Guess, when)), H_AX);
    mov_imm(e, H_DX, AGO);
    shrx(e, SCRATCH_C, SCRATCH_C, H_DX);
    load_gs(e, H_DX, CPU_AT(guess_save[1]));
    load_gs(e, H_AX, CPU_AT(guess_save[0]));
}

static void emit_store(Unit *u, unsigned n)
{
    Emit *e = &u->e;

    store_gs(e, cell(n, offsetof(Guess, addend)), SCRATCH_B);
    mov_rr(e, SCRATCH_C, SCRATCH_B);
    negate(e, SCRATCH_C);
    store_gs(e, cell(n, offsetof(Guess, minus)), SCRATCH_C);
}

/* Every WRONG wrong guesses, and behind a rest. */
static void emit_judge(Unit *u, unsigned n)
{
    Emit *e = &u->e;
    Hole often, over;

    emit_time(u, n);
    often = jrcxz8(e);
    store_gs_imm(e, cell(n, offsetof(Guess, wait)), WRONG, false);
    emit_store(u, n);
    over = jmp8(e);
    fill8(e, often); /* no addend is 0, so the host learns where the branch goes */
    store_gs_imm(e, cell(n, offsetof(Guess, wait)), REST, false);
    store_gs_imm(e, cell(n, offsetof(Guess, addend)), 0, true);
    store_gs_imm(e, cell(n, offsetof(Guess, minus)), 0, true);
    fill8(e, over);
}

/* What was looked up will do, and is the next guess. Leaves flags alone. */
void guess_emit_cold(Unit *u, const Cold *cold)
{
    Emit *e = &u->e;
    unsigned n = cold->at;
    Hole judge, rests;

    load_gs32(e, SCRATCH_C, cell(n, offsetof(Guess, wait)));
    judge = jrcxz8(e);
    lea_base(e, SCRATCH_C, SCRATCH_C, -1, false);
    store_gs32(e, cell(n, offsetof(Guess, wait)), SCRATCH_C);
    load_gs(e, SCRATCH_C, cell(n, offsetof(Guess, addend)));
    rests = jrcxz8(e);
    emit_store(u, n);
    fill8(e, rests);
    jmp_to(e, cold->back);
    fill8(e, judge);
    emit_judge(u, n);
    jmp_to(e, cold->back);
}
