/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is left of the integer instructions: BCD arithmetic, flag bits, BOUND, SALC, NOP and hints,
 * fences, cache line flushes, MOVDIRI, MOVDIR64B and CLZERO, RDRAND and RDSEED, UD (SDM volume 2).
 * Not modelled: caches, so flushing only checks the address; PAUSE takes no time.
 */
#include "target/i386/rt/host.h"
#include "target/i386/rt/operand.h"

/* ---- BCD: not in 64-bit code ---- */

/* SF ZF PF of a byte, the rest as given (SDM: OF, and AF or CF, undefined: 0). */
static void bcd_flags(Cpu *c, uint8_t al, uint32_t others)
{
    uint32_t ax;

    host_and(al, al, 1, &ax);
    c->s.rflags =
        (c->s.rflags & ~(uint64_t)FLAGS_ARITH) | others | (ax >> 8 & (FLAG_SF | FLAG_ZF | FLAG_PF));
}

/* DAA: sign 1; DAS: sign -1. */
static void decimal_adjust(Cpu *c, int sign)
{
    uint8_t al = c->s.gpr[R_AX], old = al;
    bool carry = c->s.rflags & FLAG_CF, low = (al & 15) > 9 || c->s.rflags & FLAG_AF;
    bool high = old > 0x99 || carry, out = false;

    if (low) {
        al += sign * 6;
        out = carry || (sign > 0 ? old > 0xff - 6 : old < 6);
    }
    if (high) {
        al += sign * 0x60;
        out = true;
    } else if (sign > 0) {
        out = false; /* SDM: CF is cleared where the second step of DAA does nothing */
    }
    gpr_store(c, R_AX, al, 1);
    bcd_flags(c, al, (low ? FLAG_AF : 0) | (out ? FLAG_CF : 0));
}

RUN(daa)
{
    decimal_adjust(c, 1);
}

RUN(das)
{
    decimal_adjust(c, -1);
}

/* AAA: sign 1; AAS: sign -1. */
static void ascii_adjust(Cpu *c, int sign)
{
    uint16_t ax = c->s.gpr[R_AX];
    bool adjust = (ax & 15) > 9 || c->s.rflags & FLAG_AF;

    if (adjust) {
        ax += sign * 0x106;
    }
    ax &= 0xff0f;
    gpr_store(c, R_AX, ax, 2);
    bcd_flags(c, ax, adjust ? FLAG_AF | FLAG_CF : 0);
}

RUN(aaa)
{
    ascii_adjust(c, 1);
}

RUN(aas)
{
    ascii_adjust(c, -1);
}

RUN(aam)
{
    uint8_t al = c->s.gpr[R_AX], base = i->imm;

    if (!base) {
        raise_fault(c, EXC_DE);
    }
    gpr_store(c, R_AX, (uint16_t)(al / base << 8 | al % base), 2);
    bcd_flags(c, al % base, 0);
}

RUN(aad)
{
    uint16_t ax = c->s.gpr[R_AX];
    uint8_t al = (uint8_t)(ax + (ax >> 8) * (uint8_t)i->imm);

    gpr_store(c, R_AX, al, 2);
    bcd_flags(c, al, 0);
}

/* ---- flags ---- */

/* clang-format off */
RUN(clc) { c->s.rflags &= ~(uint64_t)FLAG_CF; }
RUN(stc) { c->s.rflags |= FLAG_CF; }
RUN(cmc) { c->s.rflags ^= FLAG_CF; }
RUN(cld) { c->s.rflags &= ~(uint64_t)FLAG_DF; }
RUN(std) { c->s.rflags |= FLAG_DF; }
RUN(salc) { gpr_store(c, R_AX, c->s.rflags & FLAG_CF ? 0xff : 0, 1); }
/* clang-format on */

/* ---- BOUND ---- */

RUN(bound)
{
    unsigned size = i->opsize;
    uint64_t at = insn_linear(c, i, size * 2, false);
    int64_t index = (int64_t)sign_extend(reg_load(operand_reg(c, i, 0), size), size);
    int64_t low = (int64_t)sign_extend(mem_read(c, at, size), size);
    int64_t high = (int64_t)sign_extend(mem_read(c, at + size, size), size);

    if (index < low || index > high) {
        raise_fault(c, EXC_BR);
    }
}

/* ---- no effect that anyone could see ---- */

RUN(nothing)
{
}

RUN(pause)
{
    __builtin_ia32_pause();
    if (c->takes_turns) { /* who is waited for may be another vCPU, which runs only when this rests */
        cpu_kick(c);
        c->block_break = true;
    }
}

RUN(fence)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Faults as a load of a byte does. */
RUN(flush_line)
{
    mem_probe(c, insn_linear(c, i, 1, false), 1, ACCESS_READ);
}

/* Stores without the cache are stores. */
RUN(movdiri)
{
    operand_store(c, i, 0, operand_where(c, i, 0), i->opsize,
                  reg_load(operand_reg(c, i, 1), i->opsize));
}

/* 64 bytes to ES:reg, which must be aligned. */
RUN(movdir64b)
{
    uint64_t line[8], to = addr_wrap(c->s.gpr[i->operand[0].reg & 15], i->addrsize);

    mem_read_block(c, insn_linear(c, i, 64, false), line, 64, ACCESS_READ);
    if (to & 63) {
        raise_error(c, EXC_GP, 0);
    }
    mem_write_block(c, seg_linear(c, SEG_ES, to, 64, true), line, 64, ACCESS_WRITE);
}

/* The 64 bytes around seg:rAX (APM volume 3, CLZERO). */
RUN(clzero)
{
    static const uint64_t line[8];
    uint64_t to = addr_wrap(c->s.gpr[R_AX], i->addrsize) & ~63ull;

    mem_write_block(c, seg_linear(c, i->seg, to, 64, true), line, 64, ACCESS_WRITE);
}

/* ---- random numbers ---- */

RUN(random_number)
{
    uint64_t v = 0;
    bool got = HOST_CALL(c, random, &v);
    unsigned size = i->opsize;

    reg_store(operand_reg(c, i, 0), got ? v : 0, size);
    c->s.rflags = (c->s.rflags & ~(uint64_t)FLAGS_ARITH) | (got ? FLAG_CF : 0);
}

/* clang-format off */
static InsnRun *bind_flag(const Insn *i)
{
    switch (i->op) {
    case OP_CLC:   return clc;
    case OP_STC:   return stc;
    case OP_CMC:   return cmc;
    case OP_CLD:   return cld;
    case OP_STD:   return std;
    case OP_SALC:  return salc;
    case OP_DAA:   return daa;
    case OP_DAS:   return das;
    case OP_AAA:   return aaa;
    case OP_AAS:   return aas;
    case OP_AAM:   return aam;
    case OP_AAD:   return aad;
    case OP_BOUND: return bound;
    default:       return NULL;
    }
}

InsnRun *bind_misc(Cpu *c, const Insn *i)
{
    switch (i->op) {
    case OP_NOP:
    case OP_ENDBR32:
    case OP_ENDBR64:
    case OP_PREFETCH:
    case OP_PREFETCHNTA:
    case OP_PREFETCHT0:
    case OP_PREFETCHT1:
    case OP_PREFETCHT2:
    case OP_PREFETCHW:
    case OP_PREFETCHWT1:
    case OP_CLDEMOTE:   return nothing;
    case OP_PAUSE:      return pause;
    case OP_LFENCE:
    case OP_SFENCE:
    case OP_MFENCE:
    case OP_SERIALIZE:  return fence;
    case OP_CLFLUSH:
    case OP_CLFLUSHOPT:
    case OP_CLWB:       return flush_line;
    case OP_MOVDIRI:    return movdiri;
    case OP_MOVDIR64B:  return movdir64b;
    case OP_CLZERO:     return clzero;
    case OP_RDRAND:
    case OP_RDSEED:     return random_number;
    case OP_UD0:
    case OP_UD1:
    case OP_UD2:        return run_undefined;
    default:            return bind_flag(i);
    }
}
/* clang-format on */
