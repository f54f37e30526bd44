/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of a local APIC, and what answers without it; plain C. */
#pragma once
#include "softmmu/memory/answer.h"

enum { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVTS };

/* All of a local APIC, whoever runs it: hw/intc/lapic.c, or an engine by pull and push. */
typedef struct LapicState {
    uint32_t id; /* the x2APIC ID; the xAPIC shows its low eight bits */
    uint32_t tpr, svr, ldr, dfr, divide, initial;
    uint32_t esr, errors; /* as last latched; seen since */
    uint32_t isr[8], tmr[8], irr[8], lvt[LVTS], icr[2];
    uint64_t base;     /* IA32_APIC_BASE                                   */
    uint64_t deadline; /* IA32_TSC_DEADLINE                                */
    int64_t expires;   /* when the timer ends, guest nanoseconds; 0: stopped */
    bool extint;       /* an ExtINT message waits                          */
} LapicState;

enum { LAPIC_TPR = 0x80, LAPIC_EOI = 0xb0, LAPIC_ICR = 0x300, LAPIC_ICR_HIGH = 0x310 };

/* A page of registers, for its own vCPU. data: the LapicState. */
RtAnswer lapic_answer;

/* The same as MSRs; offsets are MSRs' numbers minus 0x800. */
RtAnswer lapic_msr_answer;
enum { LAPIC_MSRS = 0x800, LAPIC_MSR_COUNT = 0x40 };
