/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MUL IMUL DIV IDIV, MULX (SDM volume 2). #DE is found by our own comparison, never by a fault of
 * the host. Flags after a division are undefined: left alone.
 */
#include "target/i386/rt/operand.h"

/* clang-format off */
#define MULTIPLY_(text, b_) \
    __asm__(text " " b_ "\n\tmovq %%rax, %2" FLAGS_OUT : "+&a"(a), "=&d"(*high), "=&r"(low) : "r"(b) : "cc")
/* low and *high: the halves of a * b */
#define MULTIPLY(name, text)                                                                    \
    ALWAYS uint64_t name(uint64_t a, uint64_t b, uint64_t *high, unsigned size, uint32_t *ax)   \
    {                                                                                           \
        uint64_t low;                                                                           \
                                                                                                \
        SIZED(size, MULTIPLY_(text "b", "%b3"), MULTIPLY_(text "w", "%w3"),                     \
              MULTIPLY_(text "l", "%k3"), MULTIPLY_(text "q", "%3"))                            \
        *ax = a;                                                                                \
        return low;                                                                             \
    }
MULTIPLY(host_mul, "mul")
MULTIPLY(host_imul_wide, "imul")

#define MULTIPLY_AX(name, host)                                                                 \
    ALWAYS void name(Cpu *c, const Insn *i, unsigned size, Where where)                         \
    {                                                                                           \
        uint64_t b = operand_load(c, i, 0, where, size), high, low;                             \
        uint32_t ax;                                                                            \
                                                                                                \
        low = host(gpr_load(c, R_AX, size), b, &high, size, &ax);                               \
        if (size == 1) {                                                                        \
            gpr_store(c, R_AX, low, 2);                                                         \
        } else {                                                                                \
            gpr_store(c, R_AX, low, size);                                                      \
            gpr_store(c, R_DX, high, size);                                                     \
        }                                                                                       \
        flags_put(c, ax);                                                                       \
    }                                                                                           \
    UNARY_FORMS(name, name)

MULTIPLY_AX(mul, host_mul)
MULTIPLY_AX(imul_ax, host_imul_wide)
/* clang-format on */

ALWAYS void imul_2(Cpu *c, const Insn *i, unsigned size, Where where)
{
    uint64_t b = operand_load(c, i, 1, where, size);
    void *at = operand_reg(c, i, 0);
    uint32_t ax = flags_get(c);

    reg_store(at, host_imul(reg_load(at, size), b, size, &ax), size);
    flags_put(c, ax);
}
UNARY_FORMS(imul_2, imul_2)

ALWAYS void imul_3(Cpu *c, const Insn *i, unsigned size, Where where)
{
    uint64_t b = operand_load(c, i, 1, where, size);
    uint32_t ax = flags_get(c);

    reg_store(operand_reg(c, i, 0), host_imul(b, i->imm, size, &ax), size);
    flags_put(c, ax);
}
UNARY_FORMS(imul_3, imul_3)

/* (high:low) / by where high < by, so that the quotient fits. */
static uint64_t divide_128(uint64_t high, uint64_t low, uint64_t by, uint64_t *remainder)
{
    __asm__("divq %4" : "=a"(low), "=d"(high) : "0"(low), "1"(high), "r"(by) : "cc");
    *remainder = high;
    return low;
}

ALWAYS void dividend_load(const Cpu *c, unsigned size, uint64_t *high, uint64_t *low)
{
    *low = gpr_load(c, R_AX, size);
    *high = size == 1 ? gpr_load(c, R_AX, 2) >> 8 : gpr_load(c, R_DX, size);
}

ALWAYS void quotient_store(Cpu *c, unsigned size, uint64_t quotient, uint64_t remainder)
{
    if (size == 1) {
        gpr_store(c, R_AX, (quotient & 0xff) | (remainder & 0xff) << 8, 2);
    } else {
        gpr_store(c, R_AX, quotient, size);
        gpr_store(c, R_DX, remainder, size);
    }
}

ALWAYS void div_(Cpu *c, const Insn *i, unsigned size, Where where)
{
    uint64_t by = operand_load(c, i, 0, where, size), high, low, remainder;

    dividend_load(c, size, &high, &low);
    if (high >= by) { /* by 0 as well */
        raise_fault(c, EXC_DE);
    }
    if (size == 8) {
        low = divide_128(high, low, by, &remainder);
    } else {
        low |= high << size * 8;
        remainder = low % by;
        low /= by;
    }
    quotient_store(c, size, low, remainder);
}
UNARY_FORMS(div_, div_)

/* On magnitudes, then the signs: the quotient's is the product of both, the remainder's is the
 * dividend's. */
ALWAYS void idiv(Cpu *c, const Insn *i, unsigned size, Where where)
{
    uint64_t by = sign_extend(operand_load(c, i, 0, where, size), size), high, low, remainder;
    bool by_negative = by >> 63, negative;
    uint64_t limit = 1ull << (size * 8 - 1); /* magnitude of the least quotient */

    dividend_load(c, size, &high, &low);
    negative = high >> (size * 8 - 1) & 1;
    if (size < 8) {
        low = sign_extend(low | high << size * 8, size * 2);
        high = negative ? ~0ull : 0;
    }
    if (negative) {
        high = ~high + !low;
        low = -low;
    }
    by = by_negative ? -by : by;
    if (high >= by) {
        raise_fault(c, EXC_DE);
    }
    low = divide_128(high, low, by, &remainder);
    if (low > limit || (low == limit && negative == by_negative)) {
        raise_fault(c, EXC_DE);
    }
    quotient_store(c, size, negative != by_negative ? -low : low,
                   negative ? -remainder : remainder);
}
UNARY_FORMS(idiv, idiv)

/* operand 0: high half, 1: low half, 2: source; RDX is the other source. */
RUN(mulx)
{
    unsigned size = i->opsize == 8 ? 8 : 4;
    uint64_t b, high, low;
    uint32_t ax;

    if (i->operand[2].kind == OPERAND_MEM) {
        b = mem_read(c, insn_linear(c, i, size, false), size);
    } else {
        b = gpr_load(c, i->operand[2].reg & 15, size);
    }
    low = size == 8 ? host_mul(c->s.gpr[R_DX], b, &high, 8, &ax)
                    : host_mul((uint32_t)c->s.gpr[R_DX], b, &high, 4, &ax);
    reg_store(operand_reg(c, i, 1), low, size);
    reg_store(operand_reg(c, i, 0), high, size); /* last: it wins where both are one */
}

/* clang-format off */
InsnRun *bind_multiply(Cpu *c, const Insn *i)
{
    unsigned at = size_index(i->opsize);
    Where first = operand_where(c, i, 0), second = operand_where(c, i, 1);

    switch (i->op) {
    case OP_MUL:  return mul_forms[at][first];
    case OP_DIV:  return div__forms[at][first];
    case OP_IDIV: return idiv_forms[at][first];
    case OP_MULX: return mulx;
    case OP_IMUL:
        if (i->operand[2].kind == OPERAND_IMM) {
            return imul_3_forms[at][second];
        }
        return i->operand[1].kind == OPERAND_NONE ? imul_ax_forms[at][first]
                                                  : imul_2_forms[at][second];
    default:      return NULL;
    }
}
/* clang-format on */
