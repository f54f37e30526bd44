/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moving data: MOV, MOVNTI, MOVZX, MOVSX, MOVSXD, CMOVcc, SETcc, LEA, XCHG of registers, BSWAP,
 * MOVBE, CBW and CWD families, LAHF, SAHF, XLAT (SDM volume 2).
 * Not here: moves of segment, control and debug registers (system part); XCHG with memory
 * (atomic.c).
 */
#include "target/i386/rt/operand.h"

ALWAYS void mov(Cpu *c, const Insn *i, unsigned size, Where dst, Where src)
{
    operand_store(c, i, 0, dst, size, operand_load(c, i, 1, src, size));
}
FORMS(mov, mov)

/* MOV with an absolute address; operand n is the memory. */
ALWAYS void mov_absolute(Cpu *c, const Insn *i, bool store)
{
    unsigned size = i->opsize;
    uint64_t at = seg_linear(c, i->seg, addr_wrap(i->imm, i->addrsize), size, store);

    if (store) {
        mem_write(c, at, gpr_load(c, R_AX, size), size);
    } else {
        gpr_store(c, R_AX, mem_read(c, at, size), size);
    }
}

RUN(mov_load_absolute)
{
    mov_absolute(c, i, false);
}

RUN(mov_store_absolute)
{
    mov_absolute(c, i, true);
}

/* clang-format off */
#define EXTEND(name, from, extend)                                           \
    ALWAYS void name(Cpu *c, const Insn *i, unsigned size, Where where)      \
    {                                                                        \
        uint64_t v = operand_load(c, i, 1, where, from);                     \
        reg_store(operand_reg(c, i, 0), extend(v, from), size);              \
    }                                                                        \
    UNARY_FORMS(name, name)
#define AS_IT_IS(v, from) (v)
EXTEND(movzx_8, 1, AS_IT_IS)
EXTEND(movzx_16, 2, AS_IT_IS)
EXTEND(movsx_8, 1, sign_extend)
EXTEND(movsx_16, 2, sign_extend)
EXTEND(movsx_32, 4, sign_extend)
/* clang-format on */

ALWAYS void lea(Cpu *c, const Insn *i, unsigned size, bool wide)
{
    uint64_t at = operand_offset(c, i);

    reg_store(operand_reg(c, i, 0), wide ? at : addr_wrap(at, i->addrsize), size);
}

RUN(lea_2)
{
    lea(c, i, 2, false);
}

RUN(lea_4)
{
    lea(c, i, 4, false);
}

RUN(lea_8)
{
    lea(c, i, 8, false);
}

RUN(lea_8_wide)
{
    lea(c, i, 8, true);
}

/* The source is read whatever the condition; a 32-bit destination is zero-extended even so. */
ALWAYS void cmov(Cpu *c, const Insn *i, unsigned size, Where where, unsigned cc)
{
    uint64_t v = operand_load(c, i, 1, where, size);
    void *to = operand_reg(c, i, 0);

    reg_store(to, condition(c->s.rflags, cc) ? v : reg_load(to, size), size);
}

ALWAYS void cmov_any(Cpu *c, const Insn *i, unsigned size, Where where)
{
    cmov(c, i, size, where, i->cc);
}
UNARY_FORMS(cmov_any, cmov_any)

/* clang-format off */
#define CC_LIST(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define CMOV_CC(cc)                                                \
    RUN(cmov_4_##cc) { cmov(c, i, 4, IN_R, cc); }                  \
    RUN(cmov_8_##cc) { cmov(c, i, 8, IN_R, cc); }                  \
    RUN(set_r_##cc) { operand_store(c, i, 0, IN_R, 1, condition(c->s.rflags, cc)); }
CC_LIST(CMOV_CC)
#define CMOV_4(cc) cmov_4_##cc,
#define CMOV_8(cc) cmov_8_##cc,
#define SET_R(cc) set_r_##cc,
static InsnRun *const cmov_4[16] = {CC_LIST(CMOV_4)};
static InsnRun *const cmov_8[16] = {CC_LIST(CMOV_8)};
static InsnRun *const set_r[16] = {CC_LIST(SET_R)};
/* clang-format on */

RUN(set_m)
{
    operand_store(c, i, 0, IN_M, 1, condition(c->s.rflags, i->cc));
}

ALWAYS void xchg_registers(Cpu *c, const Insn *i, unsigned size)
{
    void *a = operand_reg(c, i, 0), *b = operand_reg(c, i, 1);
    uint64_t from_a = reg_load(a, size), from_b = reg_load(b, size);

    reg_store(a, from_b, size);
    reg_store(b, from_a, size);
}

/* clang-format off */
RUN(xchg_1) { xchg_registers(c, i, 1); }
RUN(xchg_2) { xchg_registers(c, i, 2); }
RUN(xchg_4) { xchg_registers(c, i, 4); }
RUN(xchg_8) { xchg_registers(c, i, 8); }
/* clang-format on */

static uint64_t swapped(uint64_t v, unsigned size)
{
    return __builtin_bswap64(v) >> (64 - size * 8);
}

RUN(bswap)
{
    void *at = operand_reg(c, i, 0);

    /* The 16-bit form is undefined; processors give 0. */
    reg_store(at, i->opsize == 2 ? 0 : swapped(reg_load(at, i->opsize), i->opsize), i->opsize);
}

RUN(movbe)
{
    unsigned size = i->opsize;
    uint64_t v = operand_load(c, i, 1, operand_where(c, i, 1), size);

    operand_store(c, i, 0, operand_where(c, i, 0), size, swapped(v, size));
}

/* CBW CWDE CDQE */
RUN(extend_ax)
{
    gpr_store(c, R_AX, sign_extend(c->s.gpr[R_AX], i->opsize / 2), i->opsize);
}

/* CWD CDQ CQO */
RUN(extend_dx)
{
    bool negative = c->s.gpr[R_AX] >> (i->opsize * 8 - 1) & 1;

    gpr_store(c, R_DX, negative ? ~0ull : 0, i->opsize);
}

RUN(lahf)
{
    *((uint8_t *)&c->s.gpr[R_AX] + 1) = c->s.rflags;
}

RUN(sahf)
{
    enum { LOADED = FLAG_SF | FLAG_ZF | FLAG_AF | FLAG_PF | FLAG_CF };

    c->s.rflags = (c->s.rflags & ~(uint64_t)LOADED) | (c->s.gpr[R_AX] >> 8 & LOADED);
}

RUN(xlat)
{
    uint64_t at = addr_wrap(c->s.gpr[R_BX] + (uint8_t)c->s.gpr[R_AX], i->addrsize);

    gpr_store(c, R_AX, mem_read(c, seg_linear(c, i->seg, at, 1, false), 1), 1);
}

static InsnRun *bind_mov(Cpu *c, const Insn *i)
{
    Form form = operand_form(c, i);

    if (i->operand[0].kind == OPERAND_ABS) {
        return mov_store_absolute;
    }
    if (i->operand[1].kind == OPERAND_ABS) {
        return mov_load_absolute;
    }
    for (unsigned n = 0; n < 2; n++) {
        unsigned kind = i->operand[n].kind;

        if (kind == OPERAND_SEG || kind == OPERAND_CR || kind == OPERAND_DR) {
            return NULL;
        }
    }
    return form < FORM_COUNT ? mov_forms[size_index(i->opsize)][form] : NULL;
}

static InsnRun *bind_extend(Cpu *c, const Insn *i)
{
    unsigned at = size_index(i->operand[0].size), from = i->operand[1].size;
    Where where = operand_where(c, i, 1);

    if (i->op == OP_MOVZX) {
        return (from == 1 ? movzx_8_forms : movzx_16_forms)[at][where];
    }
    return (from == 1 ? movsx_8_forms : from == 2 ? movsx_16_forms : movsx_32_forms)[at][where];
}

static InsnRun *bind_cmov(Cpu *c, const Insn *i)
{
    Where where = operand_where(c, i, 1);

    if (where == IN_R && i->opsize >= 4) {
        return (i->opsize == 4 ? cmov_4 : cmov_8)[i->cc & 15];
    }
    return cmov_any_forms[size_index(i->opsize)][where];
}

static InsnRun *bind_lea(const Insn *i)
{
    return i->opsize == 2 ? lea_2 : i->opsize == 4 ? lea_4 : i->addrsize == 8 ? lea_8_wide : lea_8;
}

/* clang-format off */
InsnRun *bind_move(Cpu *c, const Insn *i)
{
    static InsnRun *const xchg[SIZE_COUNT] = {xchg_1, xchg_2, xchg_4, xchg_8};

    switch (i->op) {
    case OP_MOV:
    case OP_MOVNTI: return bind_mov(c, i);
    case OP_MOVZX:
    case OP_MOVSX:
    case OP_MOVSXD: return bind_extend(c, i);
    case OP_LEA:    return bind_lea(i);
    case OP_CMOVCC: return bind_cmov(c, i);
    case OP_SETCC:  return operand_where(c, i, 0) == IN_R ? set_r[i->cc & 15] : set_m;
    case OP_XCHG:   return xchg[size_index(i->opsize)];
    case OP_BSWAP:  return bswap;
    case OP_MOVBE:  return movbe;
    case OP_CBW:
    case OP_CWDE:
    case OP_CDQE:   return extend_ax;
    case OP_CWD:
    case OP_CDQ:
    case OP_CQO:    return extend_dx;
    case OP_LAHF:   return lahf;
    case OP_SAHF:   return sahf;
    case OP_XLAT:   return xlat;
    default:        return NULL;
    }
}
/* clang-format on */
