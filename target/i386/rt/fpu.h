/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the FPU gate, the stubs and their host side share (DESIGN, "The translator", 2, 7, 12, 15).
 *
 * The guest's x87, MMX, SSE and AVX registers are in one of two places: in the host's registers
 * (c->fpu_live) or in `image`, an XSAVE image of the host's (standard format; FXSAVE where there is
 * no XSAVE). The last x87 instruction's address, operand address and opcode are always in c->s.fpu,
 * because the host's registers would show addresses of our own.
 */
#pragma once
#include "target/i386/rt/mem.h"
#include "target/i386/rt/rt.h"

enum {
    XSTATE_X87 = 1,
    XSTATE_SSE = 2,
    XSTATE_AVX = 4,
    XSTATE_OPMASK = 0x20,
    XSTATE_ZMM_HI256 = 0x40,
    XSTATE_HI16_ZMM = 0x80,
    XSTATE_AVX512 = XSTATE_OPMASK | XSTATE_ZMM_HI256 | XSTATE_HI16_ZMM,
    XSTATE_PKRU = 0x200,
    XSTATE_COUNT = 10,
};

/* Offsets in an FXSAVE image, and behind it (SDM volume 1, "Layout of the XSAVE area"). */
enum {
    FX_FCW = 0,
    FX_FSW = 2,
    FX_FTW = 4,
    FX_FOP = 6,
    FX_FIP = 8,
    FX_FDP = 16,
    FX_MXCSR = 24,
    FX_MXCSR_MASK = 28,
    FX_ST = 32,
    FX_XMM = 160,
    FX_BYTES = 512,
    XSAVE_BV = 512,
    XSAVE_COMP_BV = 520,
    XSAVE_LEGACY = 576, /* legacy area and header */
};

enum { FSW_ES = 0x80, FSW_B = 0x8000, FCW_INIT = 0x37f, FCW_RESET = 0x40, MXCSR_INIT = 0x1f80 };

/* One generated stub; found by its bytes. */
typedef struct Stub {
    uint32_t at; /* in the code cache; 0: free */
    uint8_t len; /* of key */
    uint8_t key[19];
} Stub;

enum { STUB_SLOTS = 1 << 15, STUB_CACHE = 1 << 20, STUB_SCRATCH = 1024 };

typedef struct FpuHost {
    uint64_t save_mask;            /* components kept in image; 0: no XSAVE on this host      */
    uint32_t image_bytes;          /* of the XSAVE image                                       */
    uint32_t mxcsr_mask;           /* bits the host lets one set                               */
    uint16_t offset[XSTATE_COUNT]; /* of each component in image                       */
    uint8_t *image;                /* 64-byte aligned                                          */
    uint8_t *scratch;              /* STUB_SCRATCH bytes, 64-byte aligned: operands of stubs   */

    /* The code cache: one memory, two mappings; nothing is writable and executable at
     * one address */
    uint8_t *code_write;
    const uint8_t *code_run;
    uint32_t code_used;
    uint32_t generation; /* raised when the cache was emptied: older Insn.aux are void */
    uint32_t stubs;      /* slots in use */
    Stub slot[STUB_SLOTS];
} FpuHost;

/* fpu_gate.c */
void fpu_enter(Cpu *c);      /* load the host's registers from image */
void fpu_sync_image(Cpu *c); /* bring image up to date; the registers stay as they are          */
void fpu_drop(Cpu *c); /* the image was changed: the registers are stale, whatever they hold */
uint16_t fpu_status(Cpu *c); /* FSW, wherever it is */

/* The guest's registers are wanted in the host's. */
static inline void fpu_live(Cpu *c)
{
    if (unlikely(!c->fpu_live)) {
        fpu_enter(c);
    }
}

/* What lets an instruction of that kind run without a further look: bits of CR0 that are clear and
 * set, and bits of CR4 and XCR0 that are set. */
typedef struct FpuNeed {
    uint32_t cr0_clear, cr0_set, cr4, xcr0;
} FpuNeed;

/* clang-format off */
static const FpuNeed fpu_need[] = {
    [FPU_X87] = {CR0_EM | CR0_TS, 0, 0, 0},
    [FPU_WAIT] = {CR0_TS, 0, 0, 0},
    [FPU_MMX] = {CR0_EM | CR0_TS, 0, 0, 0},
    [FPU_SSE] = {CR0_EM | CR0_TS, 0, CR4_OSFXSR, 0},
    [FPU_AVX] = {CR0_TS, CR0_PE, CR4_OSXSAVE, XSTATE_SSE | XSTATE_AVX},
    [FPU_AVX512] = {CR0_TS, CR0_PE, CR4_OSXSAVE, XSTATE_SSE | XSTATE_AVX | XSTATE_AVX512},
    [FPU_FXSAVE] = {CR0_EM | CR0_TS, 0, 0, 0},
    [FPU_XSAVE] = {CR0_TS, 0, CR4_OSXSAVE, 0},
};
/* clang-format on */

/* fpu_check(), which is only asked when something is out of the ordinary. */
static inline void fpu_want(Cpu *c, FpuKind kind)
{
    const FpuNeed *n = &fpu_need[kind];
    uint64_t lacks = (c->s.cr0 & n->cr0_clear) | (~c->s.cr0 & n->cr0_set) | (~c->s.cr4 & n->cr4) |
                     (~c->s.xcr0 & n->xcr0);

    if (unlikely(lacks || c->s.rflags & FLAG_VM)) {
        fpu_check(c, kind);
    }
}
