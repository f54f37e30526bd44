/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rSP in units of the direct window (docs/design/translator.md, "Code in the window"). Whoever
 * enters such a unit has rSP in the chunk of WINDOW_STACK, and so has whoever leaves it for another
 * one, or in the guards near it: no farther from the chunk than NEAR_STACK. So what is accessed by
 * rSP is not looked at. A unit that moves rSP by constants is as good as its accesses: one by rSP
 * and a displacement says that rSP is within 2 GB of the chunk, or it faults. Where rSP is moved
 * and nothing says so before the unit may be left, or gets any value, it is looked at behind that
 * instruction; who finds it elsewhere leaves for the loop (window_astray()).
 * In 32-bit code the upper half of rSP's register is 0, and that is all: every address is in chunk
 * 0, which is slot 0's and WINDOW_STACK's.
 */
#include "target/i386/translate/unit.h"

enum { MOVE_MAX = 1 << 24 };

/* What is left between NEAR_STACK and the guards' ends is for displacements and indices. */
#define NEAR_STACK (4ull << 30)
_Static_assert((2ull << 30) + (uint64_t)UNIT_MAX * MOVE_MAX < NEAR_STACK, "moves of a unit");
_Static_assert(2 * NEAR_STACK + (36ull << 30) < WINDOW_GUARD, "accesses near the stack");

/* What an instruction does to rSP: moves by a constant; any value. */
typedef enum Does { NOTHING, MOVES, ANYTHING } Does;

static bool named(const Operand *o)
{
    return o->kind == OPERAND_GPR && o->reg == R_SP;
}

static Does by_constant(int64_t by)
{
    return by <= MOVE_MAX && by >= -MOVE_MAX ? MOVES : ANYTHING;
}

static Does done_to_register(const Insn *i)
{
    const Operand *to = &i->operand[0], *by = &i->operand[1];
    bool constant = to->size == 8 && by->kind == OPERAND_IMM;

    switch (i->op) {
    case OP_CMP:
    case OP_TEST:
    case OP_BT:
        return NOTHING;
    case OP_ADD:
    case OP_SUB:
        return constant ? by_constant((int64_t)i->imm) : ANYTHING;
    case OP_AND: /* a negative constant: it clears less than that */
        return constant && (int64_t)i->imm < 0 ? by_constant((int64_t)i->imm) : ANYTHING;
    case OP_LEA:
        return to->size == 8 && i->addrsize == 8 && i->base == R_SP && i->index == REG_NONE
                 ? by_constant(i->disp)
                 : ANYTHING;
    default:
        return ANYTHING;
    }
}

/* Not what is a call of the interpreter's function, behind which rSP is looked at anyway. */
static Does done(const Unit *u, const Insn *i)
{
    switch (i->op) {
    case OP_PUSH:
    case OP_PUSHF:
    case OP_CALL:
    case OP_RET:
        return stack_plain(u, i) ? MOVES : ANYTHING;
    case OP_POP:
        return stack_plain(u, i) && i->operand[0].kind == OPERAND_GPR && !named(&i->operand[0])
                 ? MOVES
                 : ANYTHING;
    case OP_LEAVE:
        return ANYTHING;
    default:
        break;
    }
    if (named(&i->operand[0]) && copy_may_write(i, 0)) {
        return done_to_register(i);
    }
    return named(&i->operand[1]) && copy_may_write(i, 1) ? ANYTHING : NOTHING;
}

/* Does it access memory by rSP and a displacement, in the window in both versions? */
static bool touches(const Unit *u, const Insn *i)
{
    switch (i->op) {
    case OP_PUSH:
    case OP_CALL:
    case OP_RET:
        return stack_plain(u, i);
    case OP_POP:
        return stack_plain(u, i) && i->operand[0].kind == OPERAND_GPR;
    default:
        break;
    }
    for (unsigned n = 0; n < 4; n++) {
        Address a = {i->base, i->index, i->scale, i->seg, i->addrsize, i->disp};

        if (i->operand[n].kind == OPERAND_MEM && copy_possible(u, i) && !does_nothing(i) &&
            stack_address(u, &a)) {
            return true;
        }
    }
    return false;
}

/* Is rSP touched behind an instruction before the unit may be left? */
static bool touched_soon(const Unit *u, unsigned n)
{
    while (++n < u->count) {
        const Insn *i = u->insn[n].i;

        if (touches(u, i)) {
            return true;
        }
        if (insn_row(i)->attr & (ROW_BRANCH | ROW_SERIAL) || done(u, i) == ANYTHING) {
            return false;
        }
    }
    return false;
}

void stack_plan(Unit *u)
{
    bool bound = false, before[INNERS] = {0};

    for (unsigned n = 0; n < u->count && u->window && u->code64; n++) {
        const Insn *i = u->insn[n].i;
        Does does = done(u, i);

        for (unsigned k = 0; k < u->inners; k++) {
            bound &= u->inner[k].to != n || before[k];
        }
        if (does == ANYTHING ||
            (does == MOVES && !bound && !touches(u, i) && !touched_soon(u, n))) {
            u->stray[n / 64] |= 1ull << n % 64;
            bound = true;
        }
        bound |= touches(u, i);
        for (unsigned k = 0; k < u->inners; k++) {
            before[k] = u->inner[k].from == n ? bound : before[k];
        }
    }
}

void stack_look(Unit *u)
{
    if (u->window && !u->code64) {
        if (u->called) {
            mov_rr32(&u->e, GUEST_SP, GUEST_SP);
        }
    } else if (u->window && (u->called || u->stray[u->now / 64] >> u->now % 64 & 1)) {
        Cold *cold = cold_add(u, COLD_RIP, NULL, unit_next(u));

        window_check(u, GUEST_SP, WINDOW_STACK, cold);
    }
}

/* ---- accesses ---- */

bool stack_address(const Unit *u, const Address *a)
{
    return u->window && a->base == R_SP && a->index == REG_NONE && a->seg < SEG_FS &&
           a->addrsize == width(u) && a->disp < INT32_MAX - 64 && a->disp > INT32_MIN + 64;
}

Place stack_place(Unit *u, const Address *a)
{
    window_addend(u, WINDOW_STACK);
    return (Place){GUEST_SP, SCRATCH_B, a->disp - WINDOW_ADDEND};
}
