/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ROL ROR RCL RCR SHL SHR SAR, SHLD SHRD (SDM volume 2). The host masks the count and leaves flags
 * alone as the manual says, also where the count is 0 or larger than the operand. RORX, SARX, SHLX
 * and SHRX are in bits.c.
 */
#include "target/i386/rt/operand.h"

/* clang-format off */
/* A shift by nothing still writes a 32-bit register, zero-extended, and memory. */
#define SHIFT(name, host)                                                                      \
    ALWAYS void name(Cpu *c, const Insn *i, unsigned size, Where dst, Where src)               \
    {                                                                                          \
        uint64_t count = operand_load(c, i, 1, src, 1);                                        \
        Place p = place_find(c, i, 0, dst, size);                                              \
        uint32_t ax = flags_get(c);                                                            \
        uint64_t result = host(place_load(c, &p, dst, size), count, size, &ax);                \
                                                                                               \
        place_store(c, &p, dst, size, result);                                                 \
        flags_put(c, ax);                                                                      \
    }                                                                                          \
    FORMS(name, name)

SHIFT(shift_rol, host_rol)
SHIFT(shift_ror, host_ror)
SHIFT(shift_rcl, host_rcl)
SHIFT(shift_rcr, host_rcr)
SHIFT(shift_shl, host_shl)
SHIFT(shift_shr, host_shr)
SHIFT(shift_sar, host_sar)

#define DOUBLE(name, host)                                                                     \
    ALWAYS void name(Cpu *c, const Insn *i, unsigned size, Where where)                        \
    {                                                                                          \
        uint64_t count = i->operand[2].kind == OPERAND_IMM ? i->imm : gpr_load(c, R_CX, 1);    \
        Place p = place_find(c, i, 0, where, size);                                            \
        uint32_t ax = flags_get(c);                                                            \
        uint64_t from = reg_load(operand_reg(c, i, 1), size);                                  \
        uint64_t result = host(place_load(c, &p, where, size), from, count, size, &ax);        \
                                                                                               \
        place_store(c, &p, where, size, result);                                               \
        flags_put(c, ax);                                                                      \
    }                                                                                          \
    UNARY_FORMS(name, name)

DOUBLE(shift_shld, host_shld)
DOUBLE(shift_shrd, host_shrd)

InsnRun *bind_shift(Cpu *c, const Insn *i)
{
    unsigned at = size_index(i->opsize);
    Where where = operand_where(c, i, 0);
    Form form = operand_form(c, i);

    if (i->op == OP_SHLD) {
        return shift_shld_forms[at][where];
    }
    if (i->op == OP_SHRD) {
        return shift_shrd_forms[at][where];
    }
    if (form == FORM_COUNT) {
        return NULL;
    }
    switch (i->op) {
    case OP_ROL: return shift_rol_forms[at][form];
    case OP_ROR: return shift_ror_forms[at][form];
    case OP_RCL: return shift_rcl_forms[at][form];
    case OP_RCR: return shift_rcr_forms[at][form];
    case OP_SHL: return shift_shl_forms[at][form];
    case OP_SHR: return shift_shr_forms[at][form];
    case OP_SAR: return shift_sar_forms[at][form];
    default:     return NULL;
    }
}
/* clang-format on */
