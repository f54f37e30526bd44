/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BT BTS BTR BTC with bit strings, BSF BSR, LZCNT TZCNT POPCNT, BMI1 and BMI2 (ANDN BEXTR BLSI
 * BLSMSK BLSR BZHI PDEP PEXT RORX SARX SHLX SHRX), CRC32 (SDM volume 2). What the host may lack is
 * computed here; its undefined flags are cleared. Locked forms: atomic.c.
 */
#include "target/i386/rt/operand.h"

/* ---- bit tests ---- */

/* A register as bit offset reaches beyond the memory operand, both ways. */
ALWAYS uint64_t bit_string(Cpu *c, const Insn *i, uint64_t bit, unsigned size, bool write)
{
    unsigned shift = size == 8 ? 6 : size == 4 ? 5 : 4;
    int64_t words = (int64_t)sign_extend(bit, size) >> shift;
    uint64_t at = operand_offset(c, i) + (uint64_t)words * size;

    return seg_linear(c, i->seg, addr_wrap(at, i->addrsize), size, write);
}

/* clang-format off */
#define BIT_TEST(name, make, changes)                                                           \
    ALWAYS void name(Cpu *c, const Insn *i, unsigned size, Where dst, Where src)               \
    {                                                                                          \
        uint64_t bit = operand_load(c, i, 1, src, size);                                       \
        uint32_t ax = flags_get(c);                                                            \
        Place p = {0};                                                                         \
        uint64_t result;                                                                       \
                                                                                               \
        if (dst == IN_R) {                                                                     \
            p.host = operand_reg(c, i, 0);                                                     \
        } else {                                                                               \
            p.linear = src == IN_I ? operand_linear(c, i, dst, size, changes)                  \
                                   : bit_string(c, i, bit, size, changes);                     \
            if (changes) {                                                                     \
                p = place_at(c, p.linear, size);                                               \
            }                                                                                  \
        }                                                                                      \
        bit &= size * 8 - 1;                                                                   \
        if (dst != IN_R && !(changes)) {                                                       \
            make(mem_read(c, p.linear, size), bit, size, &ax);                                 \
        } else {                                                                               \
            result = make(place_load(c, &p, dst, size), bit, size, &ax);                       \
            if (changes) {                                                                     \
                place_store(c, &p, dst, size, result);                                         \
            }                                                                                  \
        }                                                                                      \
        flags_put(c, ax);                                                                      \
    }                                                                                          \
    FORMS(name, name)

BIT_TEST(bit_test, host_bt, false)
BIT_TEST(bit_set, host_bts, true)
BIT_TEST(bit_reset, host_btr, true)
BIT_TEST(bit_change, host_btc, true)

/* ---- searches and counts: dst = f(src) ---- */

#define BIT_SEARCH(name, host)                                                                 \
    ALWAYS void name(Cpu *c, const Insn *i, unsigned size, Where where)                        \
    {                                                                                          \
        uint64_t v = operand_load(c, i, 1, where, size);                                       \
        void *to = operand_reg(c, i, 0);                                                       \
        uint64_t old = *(uint64_t *)((char *)c + (uint16_t)i->aux);                            \
        uint32_t ax = flags_get(c);                                                            \
        uint64_t result = host(old, v, size, &ax);                                             \
                                                                                               \
        if (size == 4 && !v) {                                                                 \
            *(uint64_t *)to = result; /* whatever this host does with the upper half */        \
        } else {                                                                               \
            reg_store(to, result, size);                                                       \
        }                                                                                      \
        flags_put(c, ax);                                                                      \
    }                                                                                          \
    UNARY_FORMS(name, name)

BIT_SEARCH(bsf, host_bsf)
BIT_SEARCH(bsr, host_bsr)
/* clang-format on */

static void count_flags(Cpu *c, bool carry, bool zero)
{
    c->s.rflags =
        (c->s.rflags & ~(uint64_t)FLAGS_ARITH) | (carry ? FLAG_CF : 0) | (zero ? FLAG_ZF : 0);
}

/* The builtins would call libgcc or need a newer host; BSF and BSR are everywhere. */
ALWAYS unsigned lowest_bit(uint64_t v)
{
    __asm__("bsfq %0, %0" : "+r"(v) : : "cc");
    return v;
}

ALWAYS unsigned highest_bit(uint64_t v)
{
    __asm__("bsrq %0, %0" : "+r"(v) : : "cc");
    return v;
}

ALWAYS void tzcnt(Cpu *c, const Insn *i, unsigned size, Where where)
{
    uint64_t v = operand_load(c, i, 1, where, size);
    unsigned n = v ? lowest_bit(v) : size * 8;

    reg_store(operand_reg(c, i, 0), n, size);
    count_flags(c, !v, !n);
}
UNARY_FORMS(tzcnt, tzcnt)

ALWAYS void lzcnt(Cpu *c, const Insn *i, unsigned size, Where where)
{
    uint64_t v = operand_load(c, i, 1, where, size);
    unsigned n = v ? size * 8 - 1 - highest_bit(v) : size * 8;

    reg_store(operand_reg(c, i, 0), n, size);
    count_flags(c, !v, !n);
}
UNARY_FORMS(lzcnt, lzcnt)

ALWAYS void popcnt(Cpu *c, const Insn *i, unsigned size, Where where)
{
    uint64_t v = operand_load(c, i, 1, where, size), n;

    __asm__("popcntq %1, %0" : "=r"(n) : "r"(v) : "cc"); /* x86-64-v2: every host has it */
    reg_store(operand_reg(c, i, 0), n, size);
    count_flags(c, false, !v);
}
UNARY_FORMS(popcnt, popcnt)

/* ---- BMI ---- */

/* Operand n, of 4 or 8 bytes, register or memory. */
static uint64_t wide_load(Cpu *c, const Insn *i, unsigned n, unsigned size)
{
    const Operand *o = &i->operand[n];

    if (o->kind == OPERAND_MEM) {
        return mem_read(c, insn_linear(c, i, size, false), size);
    }
    return gpr_load(c, o->reg & 15, size);
}

static unsigned wide_size(const Insn *i)
{
    return i->opsize == 8 ? 8 : 4;
}

/* SF and ZF of the result, CF as given, OF 0; AF and PF 0 where undefined. */
static void wide_store(Cpu *c, const Insn *i, uint64_t v, unsigned size, bool carry)
{
    v &= size_mask(size);
    gpr_store(c, i->operand[0].reg & 15, v, size);
    count_flags(c, carry, !v);
    c->s.rflags |= v >> (size * 8 - 1) ? FLAG_SF : 0;
}

RUN(andn)
{
    unsigned size = wide_size(i);
    uint64_t b = wide_load(c, i, 2, size);

    wide_store(c, i, ~wide_load(c, i, 1, size) & b, size, false);
}

RUN(bextr)
{
    unsigned size = wide_size(i);
    uint64_t v = wide_load(c, i, 1, size), control = wide_load(c, i, 2, size);
    unsigned start = control & 0xff, length = control >> 8 & 0xff;

    v = start < 64 ? v >> start : 0;
    v = length < 64 ? v & ((1ull << length) - 1) : v;
    wide_store(c, i, v, size, false);
    c->s.rflags &= ~(uint64_t)FLAG_SF; /* undefined */
}

/* BLSI BLSMSK BLSR: the destination is VEX.vvvv, operand 0; the source operand 1. */
RUN(blsi)
{
    unsigned size = wide_size(i);
    uint64_t v = wide_load(c, i, 1, size);

    wide_store(c, i, v & -v, size, v);
}

RUN(blsmsk)
{
    unsigned size = wide_size(i);
    uint64_t v = wide_load(c, i, 1, size);

    wide_store(c, i, v ^ (v - 1), size, !v);
    c->s.rflags &= ~(uint64_t)FLAG_ZF;
}

RUN(blsr)
{
    unsigned size = wide_size(i);
    uint64_t v = wide_load(c, i, 1, size);

    wide_store(c, i, v & (v - 1), size, !v);
}

RUN(bzhi)
{
    unsigned size = wide_size(i);
    uint64_t v = wide_load(c, i, 1, size), from = wide_load(c, i, 2, size) & 0xff;

    wide_store(c, i, from < size * 8 ? v & ((1ull << from) - 1) : v, size, from > size * 8 - 1);
}

RUN(pdep)
{
    unsigned size = wide_size(i);
    uint64_t v = wide_load(c, i, 1, size), mask = wide_load(c, i, 2, size), result = 0;

    for (; mask; mask &= mask - 1, v >>= 1) {
        result |= v & 1 ? mask & -mask : 0;
    }
    gpr_store(c, i->operand[0].reg & 15, result, size);
}

RUN(pext)
{
    unsigned size = wide_size(i);
    uint64_t v = wide_load(c, i, 1, size), mask = wide_load(c, i, 2, size), result = 0;

    for (uint64_t bit = 1; mask; mask &= mask - 1, bit <<= 1) {
        result |= v & mask & -mask ? bit : 0;
    }
    gpr_store(c, i->operand[0].reg & 15, result, size);
}

RUN(rorx)
{
    unsigned size = wide_size(i), bits = size * 8, n = i->imm & (bits - 1);
    uint64_t v = wide_load(c, i, 1, size);

    gpr_store(c, i->operand[0].reg & 15, n ? v >> n | v << (bits - n) : v, size);
}

RUN(shift_x)
{
    unsigned size = wide_size(i);
    uint64_t v = wide_load(c, i, 1, size);
    unsigned n = wide_load(c, i, 2, size) & (size * 8 - 1);

    if (i->op == OP_SARX) {
        v = (uint64_t)((int64_t)sign_extend(v, size) >> n);
    } else {
        v = i->op == OP_SHLX ? v << n : v >> n;
    }
    gpr_store(c, i->operand[0].reg & 15, v, size);
}

/* clang-format off */
#define CRC32(name, text, from)                                                             \
    RUN(name)                                                                               \
    {                                                                                       \
        uint64_t v = operand_load(c, i, 1, operand_where(c, i, 1), from);                   \
        uint64_t crc = (uint32_t)gpr_load(c, i->operand[0].reg & 15, 4);                    \
                                                                                            \
        __asm__("crc32" text : "+r"(crc) : "r"(v)); /* SSE4.2 is in x86-64-v2 */            \
        gpr_store(c, i->operand[0].reg & 15, crc, 8);                                       \
    }
CRC32(crc32_1, "b %b1, %k0", 1)
CRC32(crc32_2, "w %w1, %k0", 2)
CRC32(crc32_4, "l %k1, %k0", 4)
CRC32(crc32_8, "q %1, %0", 8)

static InsnRun *bind_bmi(const Insn *i)
{
    static InsnRun *const crc32[SIZE_COUNT] = {crc32_1, crc32_2, crc32_4, crc32_8};

    switch (i->op) {
    case OP_ANDN:   return andn;
    case OP_BEXTR:  return bextr;
    case OP_BLSI:   return blsi;
    case OP_BLSMSK: return blsmsk;
    case OP_BLSR:   return blsr;
    case OP_BZHI:   return bzhi;
    case OP_PDEP:   return pdep;
    case OP_PEXT:   return pext;
    case OP_RORX:   return rorx;
    case OP_SARX:
    case OP_SHLX:
    case OP_SHRX:   return shift_x;
    case OP_CRC32:  return crc32[size_index(i->operand[1].size)];
    default:        return NULL;
    }
}

InsnRun *bind_bits(Cpu *c, const Insn *i)
{
    unsigned at = size_index(i->opsize);
    Form form = operand_form(c, i);
    Where second = operand_where(c, i, 1);

    switch (i->op) {
    case OP_BT:     return form < FORM_COUNT ? bit_test_forms[at][form] : NULL;
    case OP_BTS:    return form < FORM_COUNT ? bit_set_forms[at][form] : NULL;
    case OP_BTR:    return form < FORM_COUNT ? bit_reset_forms[at][form] : NULL;
    case OP_BTC:    return form < FORM_COUNT ? bit_change_forms[at][form] : NULL;
    case OP_BSF:    return bsf_forms[at][second];
    case OP_BSR:    return bsr_forms[at][second];
    case OP_TZCNT:  return (cpu_has(c, FEATURE_BMI1) ? tzcnt_forms : bsf_forms)[at][second];
    case OP_LZCNT:  return (cpu_has(c, FEATURE_ABM) ? lzcnt_forms : bsr_forms)[at][second];
    case OP_POPCNT: return popcnt_forms[at][second];
    default:        return bind_bmi(i);
    }
}
/* clang-format on */
