/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Generated stubs: one guest instruction with its operands in fixed places, then a return.
 *
 * In a stub the general operand is RAX, the memory operand is [RDI], flags come back in RSI; vector
 * and x87 registers are the guest's own. Insn.aux says where the stub is and what to do around it.
 */
#pragma once
#include "target/i386/rt/fpu.h"

/* Insn.aux: bits 0-23 place of the stub, 24-47 generation of the cache, 48-63 these. */
enum {
    STUB_KIND = 7,       /* FpuKind                                                */
    STUB_FREE = 8,       /* no FPU state at all: fences                            */
    STUB_X87 = 0x10,     /* remember address, operand and opcode                   */
    STUB_LOAD = 0x20,    /* reads its memory operand                               */
    STUB_STORE = 0x40,   /* writes it                                              */
    STUB_ALIGNED = 0x80, /* #GP(0) unless naturally aligned                        */
    STUB_FLAGS = 0x100,  /* leaves arithmetic flags in RSI                         */
    STUB_GPR_IN = 0x200,
    STUB_GPR_OUT = 0x400,
    STUB_COUNTS = 0x800, /* RAX and RDX in, RCX out: the string comparisons        */
    STUB_MEM_SHIFT = 12, /* which operand is memory                                */
    STUB_GPR_SHIFT = 14, /* which one is the general register                      */
    AUX_SHIFT = 48,
};

typedef struct StubRegs {
    uint64_t ax, cx, dx, flags;
} StubRegs;

/* Bytes of an instruction with fixed operands; see stub_encode. */
typedef struct StubCode {
    uint8_t len, bytes[19];
} StubCode;

/* Place of a stub that runs these bytes, and then pushes the flags or not; makes it if it is new.
 * Valid for c->fpu->generation, which this may raise. */
uint32_t stub_find(Cpu *c, const StubCode *code, bool flags);

/* The instruction re-encoded for 64-bit mode with operands in the fixed places. code64: it stands
 * in 64-bit code. */
void stub_encode(const Insn *i, bool code64, StubCode *out);

/* Runs a stub; 0, or the host's trap number plus 1: nothing but exception flags has changed. */
static inline uint32_t stub_call(Cpu *c, uint32_t at, void *memory, StubRegs *r)
{
    register uint64_t trap __asm__("r8") = 0;

    __asm__ volatile("call *%[code]"
                     : "+a"(r->ax), "+c"(r->cx), "+d"(r->dx), "=&S"(r->flags), "+r"(trap)
                     : [code] "r"(c->fpu->code_run + at), "D"(memory)
                     : "memory", "cc");
    return (uint32_t)trap;
}

/* The host trapped in a stub: raises what the guest sees. */
_Noreturn void stub_trap(Cpu *c, uint32_t trap);

/* x87, MMX and WAIT look for an exception left pending first; raises #MF or waits for IRQ 13. */
void x87_wait(Cpu *c);
/* The instruction is the last one now that FNSTENV and FXSAVE name. */
void x87_remember(Cpu *c, const Insn *i, bool memory, uint64_t offset);

/* #AC where it is armed; it comes before #PF, behind canonical form. */
void alignment_check_slow(Cpu *c, uint64_t linear, unsigned size);

static inline void alignment_check(Cpu *c, uint64_t linear, unsigned size)
{
    if (unlikely(c->view == VIEW_SLOW)) {
        alignment_check_slow(c, linear, size);
    }
}

/* Vector register to memory of ours and back, at most 32 bytes of the first 16, or 64 bytes of any;
 * the registers are live. */
void vector_get(Cpu *c, unsigned reg, unsigned bytes, void *to);
void vector_set(Cpu *c, unsigned reg, unsigned bytes, const void *from, bool vex);
/* Mask registers: 16 bits where the model has no AVX512BW, and then the others are zeros. */
uint64_t mask_get(Cpu *c, unsigned reg);
void mask_set(Cpu *c, unsigned reg, uint64_t value);

/* Insn.aux: what bind_plain() found out, and where the stub is, made anew if it was lost. */
static inline uint32_t stub_flags(const Insn *i)
{
    return i->aux >> AUX_SHIFT;
}

void stub_bind(Cpu *c, Insn *i, uint64_t flags);

static inline uint32_t stub_at(Cpu *c, const Insn *i)
{
    if (unlikely((i->aux >> 24 & 0xffffff) != c->fpu->generation)) {
        stub_bind(c, (Insn *)i, stub_flags(i)); /* decoded instructions belong to this vCPU */
    }
    return i->aux & 0xffffff;
}

/* Handlers that are not stubs: NULL when it is none of theirs. */
InsnRun *bind_x87_state(Cpu *c, Insn *i); /* x87_state.c: FNSTENV, FLDENV, FNSAVE, FRSTOR ... */
InsnRun *bind_xsave(Cpu *c, Insn *i);     /* xsave.c: FXSAVE, XSAVE ..., MXCSR, XGETBV, XSETBV */
InsnRun *bind_masked(Cpu *c, Insn *i);    /* masked.c: MASKMOV, VMASKMOV                      */
InsnRun *bind_gather(Cpu *c, Insn *i);    /* gather.c: gathers and scatters                   */
InsnRun *bind_evex(Cpu *c, Insn *i);      /* evex.c: memory under a mask; after stub_bind()   */
