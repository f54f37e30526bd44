/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between lapic.c and lapic_regs.c only. */
#pragma once
#include "hw/intc/i8259.h"
#include "hw/intc/lapic.h"

enum { LVT_REMOTE_IRR = 1 << 14, LVT_LEVEL = 1 << 15, LVT_MASKED = 1 << 16 };
enum { LVT_MODE = 3 << 17, LVT_PERIODIC = 1 << 17, LVT_DEADLINE = 2 << 17 };
enum { SVR_ON = 0x100, ESR_SEND_VECTOR = 0x20, ESR_RECEIVE_VECTOR = 0x40, LOWEST_VECTOR = 16 };
enum { BASE_BSP = 1 << 8, BASE_EXTD = 1 << 10, BASE_EN = 1 << 11, BASE_RESET = 0xfee00000 };
enum { LAPIC_PAGE_BYTES = 0x1000 };

struct Lapic {
    Device dev;
    RegBank bank;
    Timer timer;
    Vcpu *cpu;
    MsiPort *port;
    Pic *pic;
    bool x2apic, tsc_deadline, directed_eoi;
    uint8_t phys_bits;
    uint8_t lines;   /* levels of LINT0 and LINT1                       */
    uint64_t mapped; /* where the page is, bit 0 set; 0: it is nowhere  */
    LapicState s;
};

extern const Reg lapic_regs[];
extern const IntcOps lapic_ops;

/* ---- sets of vectors ---- */

static inline int highest(const uint32_t *bits)
{
    for (int i = 7; i >= 0; i--) {
        if (bits[i]) {
            return 32 * i + 31 - __builtin_clz(bits[i]);
        }
    }
    return -1;
}

static inline bool bit_of(const uint32_t *bits, uint8_t vector)
{
    return bits[vector / 32] >> vector % 32 & 1;
}

static inline void bit_put(uint32_t *bits, uint8_t vector, bool on)
{
    uint32_t bit = 1u << vector % 32;

    bits[vector / 32] = on ? bits[vector / 32] | bit : bits[vector / 32] & ~bit;
}

static inline bool is_on(const Lapic *l)
{
    return l->s.base & BASE_EN;
}

static inline bool is_x2apic(const Lapic *l)
{
    return l->s.base & BASE_EXTD;
}

/* ---- what lapic.c does for the registers ---- */

uint64_t lapic_ppr(Lapic *l, unsigned n);
int lapic_pending(Lapic *l);                 /* the vector to take now; -1: none */
bool lapic_extint(const Lapic *l);           /* has the 8259 the processor's ear? */
void lapic_error(Lapic *l, uint32_t bit);    /* one of ESR's bits */
void lapic_registers_reset(LapicState *s);   /* all but ID and base */
void lapic_lint_again(Lapic *l, unsigned n); /* LVT_LINT0 or 1: a high level asks again */
uint64_t lapic_tick_ns(const Lapic *l);
uint64_t lapic_period_ns(const Lapic *l);
uint64_t lapic_current(Lapic *l, unsigned n);
void lapic_deadline(Lapic *l, uint64_t tsc); /* 0: disarmed; ignored in other timer modes */
