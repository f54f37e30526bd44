/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flags (docs/design/translator.md, "Flags"): can the present ones be had again by running a
 * comparison or addition once more? While they can, checks may overwrite them (u->garbage), and
 * whatever needs them, a fault's cold piece included, runs the recipe first.
 */
#include "target/i386/translate/unit.h"

static bool writes_all(const InsnRow *row)
{
    return (row->written & FLAGS_ARITH) == FLAGS_ARITH;
}

/* ---- recipes ---- */

static bool simple(const Operand *o)
{
    return o->kind == OPERAND_GPR || o->kind == OPERAND_IMM;
}

/* Operands in registers, the result included, from which the flags follow. */
bool recipe_possible(const Insn *i)
{
    const Operand *a = &i->operand[0], *b = &i->operand[1];

    if (a->kind != OPERAND_GPR || !simple(b)) {
        return false;
    }
    if (in_frame(a->reg) && b->kind == OPERAND_GPR && in_frame(b->reg)) {
        return false; /* there is one scratch register only */
    }
    switch (i->op) {
    case OP_CMP:
    case OP_TEST:
    case OP_AND:
    case OP_OR:
    case OP_XOR:
        return true;
    case OP_ADD:
    case OP_SUB:
        return b->kind == OPERAND_IMM || b->reg != a->reg;
    default:
        return false;
    }
}

static bool same_register(const Operand *o, unsigned reg)
{
    return (o->kind == OPERAND_GPR && o->reg == reg) || (o->kind == OPERAND_HIGH && o->reg == reg);
}

/* Does it change nothing but operand 0, among general registers? */
static bool writes_first_only(const Insn *i)
{
    switch (i->op) {
    case OP_MOV:
    case OP_MOVZX:
    case OP_MOVSX:
    case OP_MOVSXD:
    case OP_LEA:
    case OP_SETCC:
    case OP_CMOVCC:
    case OP_NOT:
    case OP_BSWAP:
    case OP_JCC:
    case OP_PUSH:
    case OP_PUSH_SEG:
    case OP_POP:
    case OP_CLI:
    case OP_STI:
    case OP_CLD:
    case OP_STD:
    case OP_SWAPGS:
    case OP_MOV_CR:
        return true;
    default:
        return insn_row(i)->fpu > ROW_FPU_WAIT && !(insn_row(i)->written & FLAGS_ARITH) &&
               insn_row(i)->emit == EMIT_COPY;
    }
}

static bool recipe_survives(const Unit *u)
{
    const Insn *i = unit_now(u)->i, *r = u->insn[u->recipe].i;

    if ((i->op == OP_PUSH || i->op == OP_PUSH_SEG || i->op == OP_POP) &&
        (same_register(&r->operand[0], R_SP) || same_register(&r->operand[1], R_SP))) {
        return false;
    }
    if (!writes_first_only(i)) {
        return false;
    }
    if (i->operand[0].kind != OPERAND_GPR && i->operand[0].kind != OPERAND_HIGH) {
        return true;
    }
    return !same_register(&r->operand[0], i->operand[0].reg) &&
           !same_register(&r->operand[1], i->operand[0].reg);
}

/* The instruction in work is about to run, its checks done. May the flags stay overwritten? */
void flags_settle(Unit *u, bool shown)
{
    const InsnRow *row = insn_row(unit_now(u)->i);
    bool stay;

    if (!u->garbage) {
        return;
    }
    stay = writes_all(row) || (!(row->written & FLAGS_ARITH) && recipe_survives(u));
    if (row->read & FLAGS_ARITH || shown || !stay) {
        recipe_run(u, u->recipe);
        u->garbage = false;
    }
}

bool flags_wanted(const Unit *u)
{
    const InsnRow *row = insn_row(unit_now(u)->i);
    unsigned op = u->recipe < 0 ? OP_CMP : u->insn[u->recipe].i->op;

    return !u->garbage && (op == OP_ADD || op == OP_SUB) &&
           (row->read & FLAGS_ARITH || row->attr & ROW_BRANCH ||
            !(writes_all(row) || (!(row->written & FLAGS_ARITH) && recipe_survives(u))));
}

void recipe_follow(Unit *u)
{
    const InsnRow *row = insn_row(unit_now(u)->i);

    if (row->written & FLAGS_ARITH) {
        u->garbage = false;
        u->recipe = recipe_possible(unit_now(u)->i) ? (int)u->now : -1;
    } else if (u->recipe >= 0 && !recipe_survives(u)) {
        u->recipe = -1;
    }
}
