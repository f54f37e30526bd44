/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Having overwritten flags again: the instruction that made them is run once more, in a form that
 * changes nothing else. Uses rcx at most.
 */
#include "target/i386/translate/unit.h"

enum { ADD = 0, SUB = 5, CMP = 7, TEST = 8 };

static void put_size(Emit *e, unsigned size)
{
    if (size == 2) {
        put8(e, 0x66);
    }
}

/* op reg, reg; op as ModRM's digit of 81 */
static void op_rr(Emit *e, unsigned op, unsigned a, unsigned b, unsigned size)
{
    uint8_t opcode = op == TEST ? 0x84 : op * 8;

    put_size(e, size);
    put_rex(e, size == 8, b, 0, a, size == 1);
    put8(e, opcode | (size > 1));
    put_modrm_reg(e, b, a);
}

static void op_ri(Emit *e, unsigned op, unsigned a, int32_t value, unsigned size)
{
    unsigned bytes = size > 4 ? 4 : size;

    put_size(e, size);
    put_rex(e, size == 8, 0, 0, a, size == 1);
    put8(e, (op == TEST ? 0xf6 : 0x80) | (size > 1));
    put_modrm_reg(e, op == TEST ? 0 : op, a);
    put_value(e, (uint32_t)value, bytes);
}

static void op_once(Unit *u, unsigned op, const Insn *i, unsigned a, unsigned b)
{
    unsigned size = i->operand[0].size;

    if (i->operand[1].kind == OPERAND_IMM) {
        op_ri(&u->e, op, a, i->imm, size);
    } else {
        op_rr(&u->e, op, a, b, size);
    }
}

/* The operand as it was before `done`, and then `done` again: in rcx, so that what depends on the
 * register need not wait. */
static void again(Unit *u, const Insn *i, unsigned done, unsigned a, unsigned b)
{
    unsigned undo = done == ADD ? SUB : ADD, size = i->operand[0].size;
    int32_t imm = (int32_t)i->imm;

    if (i->operand[1].kind != OPERAND_IMM && b == SCRATCH_C) { /* no place */
        op_rr(&u->e, undo, a, b, size);
        op_rr(&u->e, done, a, b, size);
        return;
    }
    if (i->operand[1].kind == OPERAND_IMM && size >= 4 && imm != INT32_MIN) {
        lea_base(&u->e, SCRATCH_C, a, done == ADD ? -imm : imm, size == 8);
    } else {
        if (a != SCRATCH_C) {
            mov_rr(&u->e, SCRATCH_C, a);
        }
        op_once(u, undo, i, SCRATCH_C, b);
    }
    op_once(u, done, i, SCRATCH_C, b);
}

void recipe_run(Unit *u, int recipe)
{
    const Insn *i = u->insn[recipe].i;
    unsigned a = guest_reg(u, i->operand[0].reg, SCRATCH_C),
             b = i->operand[1].kind == OPERAND_GPR ? guest_reg(u, i->operand[1].reg, SCRATCH_C) : 0;

    switch (i->op) {
    case OP_CMP:
        op_once(u, CMP, i, a, b);
        break;
    case OP_TEST:
        op_once(u, TEST, i, a, b);
        break;
    case OP_ADD:
        again(u, i, ADD, a, b);
        break;
    case OP_SUB:
        again(u, i, SUB, a, b);
        break;
    default: /* AND, OR, XOR: the result says it all */
        op_rr(&u->e, TEST, a, a, i->operand[0].size);
    }
}
