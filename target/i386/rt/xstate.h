/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's XSAVE area, as its CPUID leaf 0DH shows it (SDM volume 1, "XSAVE-managed features").
 * The offsets are those of Intel's processors whatever the host has, so that a machine can move.
 */
#pragma once
#include "target/i386/rt/fpu.h"

typedef struct XstateLayout {
    uint16_t offset,
        bytes; /* in the standard format; none needs 64-byte alignment when compacted */
} XstateLayout;

/* clang-format off */
static const XstateLayout xstate_layout[XSTATE_COUNT] = {
    [0] = {FX_FCW, 160}, [1] = {FX_XMM, 256}, [2] = {576, 256},
    [5] = {1088, 64}, [6] = {1152, 512}, [7] = {1664, 1024}, [9] = {2688, 8},
};
/* clang-format on */

enum { MXCSR_GUEST = 0xffff }; /* without AMD's misaligned mode */

/* Bits that XSETBV lets the guest set. */
static inline uint64_t xstate_supported(const Cpu *c)
{
    return XSTATE_X87 | XSTATE_SSE | (cpu_has(c, FEATURE_AVX) ? XSTATE_AVX : 0) |
           (cpu_has(c, FEATURE_AVX512F) ? XSTATE_AVX512 : 0) |
           (cpu_has(c, FEATURE_PKU) ? XSTATE_PKRU : 0);
}
