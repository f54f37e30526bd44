/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of registers along a unit (docs/design/translator.md, "Shared checks"): an unknown
 * value, by its number, plus a constant, which survives MOV, LEA, ADD, SUB, INC, DEC, PUSH and POP;
 * and how large it can be. Not followed: registers narrower than the code.
 */
#include "target/i386/translate/known.h"

static void forget(Knowledge *k, unsigned reg)
{
    k->reg[reg & 15] = (Known){.of = k->values++};
}

void known_forget(Knowledge *k)
{
    k->stretch = ++k->stretches;
    for (unsigned n = 0; n < 16; n++) {
        forget(k, n);
    }
}

Knowledge known_at_top(const Unit *u)
{
    Knowledge k = {.values = VALUES, .code64 = u->code64};

    known_forget(&k);
    return k;
}

/* ---- what an instruction does to registers ---- */

static bool whole_register(const Knowledge *k, const Operand *o)
{
    return o->kind == OPERAND_GPR && o->size == known_width(k);
}

Known known_ip(const Unit *u)
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
            i->addrsize != known_width(k)) {
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

void known_follow(const Unit *u, Knowledge *k, const Insn *i)
{
    switch (i->op) {
    case OP_PUSH:
        k->reg[R_SP].plus -= known_width(k);
        break;
    case OP_POP:
        k->reg[R_SP].plus += known_width(k);
        forget(k, i->operand[0].reg);
        break;
    case OP_LEAVE:
        k->reg[R_SP] = k->reg[R_BP];
        k->reg[R_SP].plus += known_width(k);
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

bool known_small(Known k)
{
    return k.small && k.plus < SMALL_PLUS && k.plus > -SMALL_PLUS;
}

/* ---- two ways ---- */

void known_meet(Knowledge *k, const Knowledge *other)
{
    k->values = other->values > k->values ? other->values : k->values;
    for (unsigned n = 0; n < 16; n++) {
        if (k->reg[n].of != other->reg[n].of || k->reg[n].plus != other->reg[n].plus) {
            forget(k, n);
        }
    }
}
