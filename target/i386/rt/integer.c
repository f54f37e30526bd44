/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Choosing the handler of an integer instruction when it is decoded: by operation, operand size and
 * where the operands are (SDM volume 2, "Instruction format").
 * Not here: segment, control and debug registers, far transfers: the system part.
 */
#include "target/i386/rt/operand.h"

#define CPU_OFFSET(field) ((uint64_t)offsetof(Cpu, field))

static uint64_t register_offset(const Operand *o)
{
    switch (o->kind) {
    case OPERAND_GPR:
        return CPU_OFFSET(s.gpr) + 8 * (o->reg & 15);
    case OPERAND_HIGH:
        return CPU_OFFSET(s.gpr) + 8 * (o->reg & 3) + 1;
    default:
        return CPU_OFFSET(zero);
    }
}

static uint64_t address_offset(uint8_t reg)
{
    return reg < 16      ? CPU_OFFSET(s.gpr) + 8 * reg
         : reg == REG_IP ? CPU_OFFSET(next_rip)
                         : CPU_OFFSET(zero);
}

void operand_prepare(Cpu *c, Insn *i)
{
    _Static_assert(offsetof(Cpu, zero) < 0x10000, "offsets in aux are 16 bits");
    i->aux = register_offset(&i->operand[0]) | register_offset(&i->operand[1]) << 16 |
             address_offset(i->base) << 32 | address_offset(i->index) << 48;
}

Where operand_where(Cpu *c, const Insn *i, unsigned n)
{
    switch (i->operand[n].kind) {
    case OPERAND_GPR:
    case OPERAND_HIGH:
        return IN_R;
    case OPERAND_MEM:
        return c->code_size == CODE_64 && i->addrsize == 8 && i->seg < SEG_FS ? IN_LONG : IN_M;
    default:
        return IN_I;
    }
}

Form operand_form(Cpu *c, const Insn *i)
{
    static const uint8_t forms[IN_LONG + 1][IN_LONG + 1] = {
        [IN_R] = {[IN_R] = FORM_RR, [IN_I] = FORM_RI, [IN_M] = FORM_RM, [IN_LONG] = FORM_RL},
        [IN_I] = {FORM_COUNT, FORM_COUNT, FORM_COUNT, FORM_COUNT},
        [IN_M] = {[IN_R] = FORM_MR, [IN_I] = FORM_MI, [IN_M] = FORM_COUNT, [IN_LONG] = FORM_COUNT},
        [IN_LONG] =
            {[IN_R] = FORM_LR, [IN_I] = FORM_LI, [IN_M] = FORM_COUNT, [IN_LONG] = FORM_COUNT},
    };

    return forms[operand_where(c, i, 0)][operand_where(c, i, 1)];
}

InsnRun *bind_integer(Cpu *c, Insn *i)
{
    static InsnRun *(*const families[])(Cpu * c, const Insn *i) = {
        bind_atomic, bind_alu,    bind_move, bind_branch,   bind_stack,
        bind_shift,  bind_string, bind_bits, bind_multiply, bind_misc,
    };
    uint64_t aux = i->aux;

    operand_prepare(c, i);
    for (unsigned n = 0; n < sizeof(families) / sizeof(families[0]); n++) {
        InsnRun *run = families[n](c, i);

        if (run) {
            return run;
        }
    }
    i->aux = aux;
    return NULL;
}
