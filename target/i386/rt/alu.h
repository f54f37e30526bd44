/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Integer arithmetic with flags: the host's own instruction, then LAHF and SETO, so that flags,
 * those the manual leaves undefined included, are what this host's CPU makes of them (SDM volume 1,
 * appendix A "EFLAGS cross-reference"). Sizes are compile-time constants at every use: 1, 2, 4, 8.
 *
 * `ax` holds flags as LAHF and SETO leave them: AH is SF ZF AF PF CF, AL is OF.
 */
#pragma once
#include "target/i386/rt/cpu.h"

#define ALWAYS static inline __attribute__((always_inline))

ALWAYS void flags_put(Cpu *c, uint32_t ax)
{
    /* LAHF gives 1 for bit 1, which rflags always has, and 0 for bits 3 and 5. */
    c->s.rflags =
        (c->s.rflags & ~(uint64_t)FLAGS_ARITH) | (ax >> 8 & 0xff) | (uint32_t)(ax & 1) << 11;
}

ALWAYS uint32_t flags_get(const Cpu *c)
{
    uint32_t f = c->s.rflags;

    return (f & 0xff) << 8 | (f >> 11 & 1);
}

ALWAYS void flag_put(Cpu *c, uint64_t flag, bool on)
{
    c->s.rflags = on ? c->s.rflags | flag : c->s.rflags & ~flag;
}

ALWAYS uint64_t size_mask(unsigned size)
{
    return size == 8 ? ~0ull : (1ull << size * 8) - 1;
}

ALWAYS uint64_t sign_extend(uint64_t v, unsigned size)
{
    unsigned shift = 64 - size * 8;

    return (uint64_t)((int64_t)(v << shift) >> shift);
}

/* clang-format off */
#define FLAGS_OUT "\n\tlahf\n\tseto %%al"
#define FLAGS_IN  "addb $0x7f, %%al\n\tsahf\n\t"

/* One asm statement of each size. */
#define SIZED(size, b1, b2, b4, b8) \
    switch (size) {                 \
    case 1: b1; break;              \
    case 2: b2; break;              \
    case 4: b4; break;              \
    default: b8;                    \
    }

/* a = a op b, flags all new */
#define ALU_BINARY_(text, b) __asm__(text FLAGS_OUT : "+&r"(a), "=&a"(*ax) : "r"(b) : "cc")
#define ALU_BINARY(name, text)                                                                \
    ALWAYS uint64_t name(uint64_t a, uint64_t b, unsigned size, uint32_t *ax)                 \
    {                                                                                         \
        SIZED(size, ALU_BINARY_(text "b %b2, %b0", b), ALU_BINARY_(text "w %w2, %w0", b),     \
              ALU_BINARY_(text "l %k2, %k0", b), ALU_BINARY_(text "q %2, %0", b))             \
        return a;                                                                             \
    }

/* a = a op b, flags in and out */
#define ALU_FLAGGED_(text, where, b) \
    __asm__(FLAGS_IN text FLAGS_OUT : "+&r"(a), "+&a"(*ax) : where(b) : "cc")
#define ALU_FLAGGED(name, text)                                                               \
    ALWAYS uint64_t name(uint64_t a, uint64_t b, unsigned size, uint32_t *ax)                 \
    {                                                                                         \
        SIZED(size, ALU_FLAGGED_(text "b %b2, %b0", "r", b), ALU_FLAGGED_(text "w %w2, %w0", "r", b), \
              ALU_FLAGGED_(text "l %k2, %k0", "r", b), ALU_FLAGGED_(text "q %2, %0", "r", b)) \
        return a;                                                                             \
    }
#define ALU_SHIFT(name, text)                                                                 \
    ALWAYS uint64_t name(uint64_t a, uint64_t b, unsigned size, uint32_t *ax)                 \
    {                                                                                         \
        SIZED(size, ALU_FLAGGED_(text "b %%cl, %b0", "c", b), ALU_FLAGGED_(text "w %%cl, %w0", "c", b), \
              ALU_FLAGGED_(text "l %%cl, %k0", "c", b), ALU_FLAGGED_(text "q %%cl, %0", "c", b)) \
        return a;                                                                             \
    }

/* a = op a, flags in and out */
#define ALU_UNARY_(text) __asm__(FLAGS_IN text FLAGS_OUT : "+&r"(a), "+&a"(*ax) : : "cc")
#define ALU_UNARY(name, text)                                                                 \
    ALWAYS uint64_t name(uint64_t a, unsigned size, uint32_t *ax)                             \
    {                                                                                         \
        SIZED(size, ALU_UNARY_(text "b %b0"), ALU_UNARY_(text "w %w0"),                       \
              ALU_UNARY_(text "l %k0"), ALU_UNARY_(text "q %0"))                              \
        return a;                                                                             \
    }

/* a shifted by count with bits of b; there is no 8-bit form */
#define ALU_DOUBLE_(text) \
    __asm__(FLAGS_IN text FLAGS_OUT : "+&r"(a), "+&a"(*ax) : "r"(b), "c"(count) : "cc")
#define ALU_DOUBLE(name, text)                                                                \
    ALWAYS uint64_t name(uint64_t a, uint64_t b, uint64_t count, unsigned size, uint32_t *ax) \
    {                                                                                         \
        SIZED(size, (void)0, ALU_DOUBLE_(text "w %%cl, %w2, %w0"),                            \
              ALU_DOUBLE_(text "l %%cl, %k2, %k0"), ALU_DOUBLE_(text "q %%cl, %2, %0"))       \
        return a;                                                                             \
    }

/* b searched, a where b says nothing; there is no 8-bit form */
#define ALU_SEARCH(name, text)                                                                \
    ALWAYS uint64_t name(uint64_t a, uint64_t b, unsigned size, uint32_t *ax)                 \
    {                                                                                         \
        SIZED(size, (void)0, ALU_FLAGGED_(text "w %w2, %w0", "r", b),                         \
              ALU_FLAGGED_(text "l %k2, %k0", "r", b), ALU_FLAGGED_(text "q %2, %0", "r", b)) \
        return a;                                                                             \
    }

ALU_BINARY(host_add, "add")
ALU_BINARY(host_or, "or")
ALU_BINARY(host_and, "and")
ALU_BINARY(host_sub, "sub")
ALU_BINARY(host_xor, "xor")
ALU_FLAGGED(host_adc, "adc")
ALU_FLAGGED(host_sbb, "sbb")
ALU_UNARY(host_inc, "inc")
ALU_UNARY(host_dec, "dec")
ALU_UNARY(host_neg, "neg")
ALU_SHIFT(host_rol, "rol")
ALU_SHIFT(host_ror, "ror")
ALU_SHIFT(host_rcl, "rcl")
ALU_SHIFT(host_rcr, "rcr")
ALU_SHIFT(host_shl, "shl")
ALU_SHIFT(host_shr, "shr")
ALU_SHIFT(host_sar, "sar")
ALU_DOUBLE(host_shld, "shld")
ALU_DOUBLE(host_shrd, "shrd")
ALU_SEARCH(host_bsf, "bsf")
ALU_SEARCH(host_bsr, "bsr")
ALU_SEARCH(host_bt, "bt")
ALU_SEARCH(host_bts, "bts")
ALU_SEARCH(host_btr, "btr")
ALU_SEARCH(host_btc, "btc")
ALU_SEARCH(host_imul, "imul")
/* clang-format on */

/* The condition of Jcc, SETcc and CMOVcc (SDM volume 1, appendix B). */
ALWAYS bool condition(uint64_t f, unsigned cc)
{
    bool yes = false;

    switch (cc >> 1) {
    case 0:
        yes = f & FLAG_OF;
        break;
    case 1:
        yes = f & FLAG_CF;
        break;
    case 2:
        yes = f & FLAG_ZF;
        break;
    case 3:
        yes = f & (FLAG_CF | FLAG_ZF);
        break;
    case 4:
        yes = f & FLAG_SF;
        break;
    case 5:
        yes = f & FLAG_PF;
        break;
    case 6:
        yes = (f ^ f >> 4) & FLAG_SF;
        break;
    case 7:
        yes = ((f ^ f >> 4) & FLAG_SF) | (f & FLAG_ZF);
        break;
    }
    return yes != (cc & 1);
}
