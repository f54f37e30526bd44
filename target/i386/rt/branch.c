/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Near branches: JMP CALL RET Jcc LOOP LOOPE LOOPNE JCXZ (SDM volume 2). The target is checked, and
 * for CALL the stack, before anything changes. Far ones belong to the system part.
 */
#include "target/i386/rt/operand.h"

/* Relative to the next instruction. In 64-bit code a target in the same half of the address space
 * is canonical without asking. */
ALWAYS void jump_relative(Cpu *c, const Insn *i, bool wide)
{
    uint64_t target = c->next_rip + i->imm;

    if (wide && likely(!((target ^ c->next_rip) >> 46))) {
        c->next_rip = target;
    } else {
        jump_near(c, target, i->opsize);
    }
}

ALWAYS void jump_absolute(Cpu *c, uint64_t target, unsigned size)
{
    if (size == 8 && likely(!((target ^ c->next_rip) >> 46))) {
        c->next_rip = target;
    } else {
        jump_near(c, target, size);
    }
}

/* push() with the fast way inline. */
ALWAYS void push_wide(Cpu *c, uint64_t value)
{
    uint64_t at = c->s.gpr[R_SP] - 8;
    uint8_t *host = mem_pointer(c, at, 8);

    if (likely(host)) {
        host_store(host, value, 8);
        c->s.gpr[R_SP] = at;
    } else {
        push(c, value, 8);
    }
}

RUN(jmp_wide)
{
    jump_relative(c, i, true);
}

RUN(jmp)
{
    jump_relative(c, i, false);
}

ALWAYS void jmp_to(Cpu *c, const Insn *i, unsigned size, Where where)
{
    jump_absolute(c, operand_load(c, i, 0, where, size), size);
}
UNARY_FORMS(jmp_to, jmp_to)

RUN(call_wide)
{
    uint64_t back = c->next_rip;

    jump_relative(c, i, true);
    push_wide(c, back);
}

RUN(call)
{
    uint64_t back = c->next_rip;

    jump_relative(c, i, false);
    push(c, back, i->opsize);
}

ALWAYS void call_to(Cpu *c, const Insn *i, unsigned size, Where where)
{
    uint64_t back = c->next_rip;

    jump_absolute(c, operand_load(c, i, 0, where, size), size);
    if (size == 8) {
        push_wide(c, back);
    } else {
        push(c, back, size);
    }
}
UNARY_FORMS(call_to, call_to)

/* The target is checked first, so look at it, then take it off. imm: bytes of arguments. */
RUN(ret)
{
    uint64_t sp = c->s.gpr[R_SP], target = pop(c, i->opsize);

    if (c->code_size == CODE_64 && likely(!((target ^ c->next_rip) >> 46))) {
        c->next_rip = target;
    } else {
        /* A fault leaves rSP as it was. */
        uint64_t popped = c->s.gpr[R_SP];

        c->s.gpr[R_SP] = sp;
        jump_near(c, target, i->opsize);
        c->s.gpr[R_SP] = popped;
    }
    if (i->operand[0].kind == OPERAND_IMM) {
        gpr_store(c, R_SP, c->s.gpr[R_SP] + (uint16_t)i->imm, c->stack_size);
    }
}

RUN(ret_wide)
{
    uint64_t sp = c->s.gpr[R_SP], target;
    const void *host = tlb_reads(c->tlb, sp, 8);

    if (likely(host != NULL)) {
        target = host_load(host, 8);
        if (likely(!((target ^ c->next_rip) >> 46))) {
            c->next_rip = target;
            c->s.gpr[R_SP] = sp + 8;
            return;
        }
    }
    ret(c, i);
}

/* clang-format off */
#define CC_LIST(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define JCC(cc)                                                                              \
    RUN(jcc_wide_##cc) { if (condition(c->s.rflags, cc)) { jump_relative(c, i, true); } }    \
    RUN(jcc_##cc) { if (condition(c->s.rflags, cc)) { jump_relative(c, i, false); } }
CC_LIST(JCC)
#define JCC_WIDE(cc) jcc_wide_##cc,
#define JCC_OLD(cc) jcc_##cc,
static InsnRun *const jcc_wide[16] = {CC_LIST(JCC_WIDE)};
static InsnRun *const jcc_old[16] = {CC_LIST(JCC_OLD)};
/* clang-format on */

/* rCX has the address size; it counts only if the branch does not fault. */
ALWAYS void loop_while(Cpu *c, const Insn *i, bool more)
{
    uint64_t count = addr_wrap(c->s.gpr[R_CX] - 1, i->addrsize);

    if (count && more) {
        jump_relative(c, i, false);
    }
    gpr_store(c, R_CX, count, i->addrsize);
}

RUN(loop_always)
{
    loop_while(c, i, true);
}

RUN(loop_equal)
{
    loop_while(c, i, c->s.rflags & FLAG_ZF);
}

RUN(loop_not_equal)
{
    loop_while(c, i, !(c->s.rflags & FLAG_ZF));
}

RUN(jcxz)
{
    if (!addr_wrap(c->s.gpr[R_CX], i->addrsize)) {
        jump_relative(c, i, false);
    }
}

/* clang-format off */
InsnRun *bind_branch(Cpu *c, const Insn *i)
{
    bool wide = c->code_size == CODE_64 && i->opsize == 8;
    bool relative = i->operand[0].kind == OPERAND_REL;
    unsigned at = size_index(i->opsize);
    Where where = operand_where(c, i, 0);

    switch (i->op) {
    case OP_JMP:    return relative ? wide ? jmp_wide : jmp : jmp_to_forms[at][where];
    case OP_CALL:   return relative ? wide ? call_wide : call : call_to_forms[at][where];
    case OP_RET:    return wide && i->operand[0].kind == OPERAND_NONE ? ret_wide : ret;
    case OP_JCC:    return (wide ? jcc_wide : jcc_old)[i->cc & 15];
    case OP_LOOP:   return loop_always;
    case OP_LOOPE:  return loop_equal;
    case OP_LOOPNE: return loop_not_equal;
    case OP_JCXZ:   return jcxz;
    default:        return NULL;
    }
}
/* clang-format on */
