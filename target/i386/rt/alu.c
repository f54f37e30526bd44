/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ADD OR ADC SBB AND SUB XOR CMP TEST, INC DEC NEG NOT, ADCX ADOX, ANDN (SDM volume 2). Flags come
 * from the host's own instruction (alu.h). Locked forms: atomic.c.
 */
#include "target/i386/rt/operand.h"

/* clang-format off */
#define ALU(name, host)                                                                        \
    ALWAYS void name(Cpu *c, const Insn *i, unsigned size, Where dst, Where src)               \
    {                                                                                          \
        uint64_t b = operand_load(c, i, 1, src, size);                                         \
        Place p = place_find(c, i, 0, dst, size);                                              \
        uint32_t ax;                                                                           \
        uint64_t result = host(place_load(c, &p, dst, size), b, size, &ax);                    \
                                                                                               \
        place_store(c, &p, dst, size, result);                                                 \
        flags_put(c, ax);                                                                      \
    }                                                                                          \
    FORMS(name, name)

#define ALU_CARRY(name, host)                                                                  \
    ALWAYS void name(Cpu *c, const Insn *i, unsigned size, Where dst, Where src)               \
    {                                                                                          \
        uint64_t b = operand_load(c, i, 1, src, size);                                         \
        Place p = place_find(c, i, 0, dst, size);                                              \
        uint32_t ax = flags_get(c);                                                            \
        uint64_t result = host(place_load(c, &p, dst, size), b, size, &ax);                    \
                                                                                               \
        place_store(c, &p, dst, size, result);                                                 \
        flags_put(c, ax);                                                                      \
    }                                                                                          \
    FORMS(name, name)

/* Only the flags are wanted; either operand may be in memory. */
#define ALU_COMPARE(name, host)                                                                \
    ALWAYS void name(Cpu *c, const Insn *i, unsigned size, Where dst, Where src)               \
    {                                                                                          \
        uint64_t a = operand_load(c, i, 0, dst, size);                                         \
        uint64_t b = operand_load(c, i, 1, src, size);                                         \
        uint32_t ax;                                                                           \
                                                                                               \
        host(a, b, size, &ax);                                                                 \
        flags_put(c, ax);                                                                      \
    }                                                                                          \
    FORMS(name, name)

#define ALU_ONE(name, host)                                                                    \
    ALWAYS void name(Cpu *c, const Insn *i, unsigned size, Where where)                        \
    {                                                                                          \
        Place p = place_find(c, i, 0, where, size);                                            \
        uint32_t ax = flags_get(c);                                                            \
        uint64_t result = host(place_load(c, &p, where, size), size, &ax);                     \
                                                                                               \
        place_store(c, &p, where, size, result);                                               \
        flags_put(c, ax);                                                                      \
    }                                                                                          \
    UNARY_FORMS(name, name)

ALU(alu_add, host_add)
ALU(alu_or, host_or)
ALU(alu_and, host_and)
ALU(alu_sub, host_sub)
ALU(alu_xor, host_xor)
ALU_CARRY(alu_adc, host_adc)
ALU_CARRY(alu_sbb, host_sbb)
ALU_COMPARE(alu_cmp, host_sub)
ALU_COMPARE(alu_test, host_and)
ALU_ONE(alu_inc, host_inc)
ALU_ONE(alu_dec, host_dec)
ALU_ONE(alu_neg, host_neg)
/* clang-format on */

ALWAYS void alu_not(Cpu *c, const Insn *i, unsigned size, Where where)
{
    Place p = place_find(c, i, 0, where, size);

    place_store(c, &p, where, size, ~place_load(c, &p, where, size));
}
UNARY_FORMS(alu_not, alu_not)

/* ADCX and ADOX: an addition whose carry is one flag and leaves the others alone. */
ALWAYS void alu_adx(Cpu *c, const Insn *i, unsigned flag)
{
    unsigned size = i->opsize == 8 ? 8 : 4;
    uint64_t b = operand_load(c, i, 1, operand_where(c, i, 1), size);
    void *at = operand_reg(c, i, 0);
    uint64_t a = reg_load(at, size), sum = a + b, result;
    bool carry = size == 8 ? sum < a : sum >> 32;

    result = size == 8 ? sum : (uint32_t)sum;
    if (c->s.rflags & flag) {
        result++;
        carry |= !(result & size_mask(size));
    }
    reg_store(at, result, size);
    flag_put(c, flag, carry);
}

RUN(alu_adcx)
{
    alu_adx(c, i, FLAG_CF);
}

RUN(alu_adox)
{
    alu_adx(c, i, FLAG_OF);
}

/* clang-format off */
static InsnRun *bind_binary(const Insn *i, unsigned at, Form form)
{
    switch (i->op) {
    case OP_ADD:  return alu_add_forms[at][form];
    case OP_OR:   return alu_or_forms[at][form];
    case OP_ADC:  return alu_adc_forms[at][form];
    case OP_SBB:  return alu_sbb_forms[at][form];
    case OP_AND:  return alu_and_forms[at][form];
    case OP_SUB:  return alu_sub_forms[at][form];
    case OP_XOR:  return alu_xor_forms[at][form];
    case OP_CMP:  return alu_cmp_forms[at][form];
    case OP_TEST: return alu_test_forms[at][form];
    case OP_ADCX: return alu_adcx;
    case OP_ADOX: return alu_adox;
    default:      return NULL;
    }
}

static InsnRun *bind_unary(const Insn *i, unsigned at, Where where)
{
    switch (i->op) {
    case OP_INC: return alu_inc_forms[at][where];
    case OP_DEC: return alu_dec_forms[at][where];
    case OP_NEG: return alu_neg_forms[at][where];
    case OP_NOT: return alu_not_forms[at][where];
    default:     return NULL;
    }
}
/* clang-format on */

InsnRun *bind_alu(Cpu *c, const Insn *i)
{
    unsigned at = size_index(i->opsize);
    Form form = operand_form(c, i);
    InsnRun *run = form < FORM_COUNT ? bind_binary(i, at, form) : NULL;

    return run ? run : bind_unary(i, at, operand_where(c, i, 0));
}
