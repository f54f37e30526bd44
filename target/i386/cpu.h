/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The x86 CPU as a device of the machine: its model, its state, what it answers to CPUID
 * and RDTSC. */
#pragma once
#include "accel/accel.h"
#include "target/i386/cpuid.h"
#include "target/i386/rt/cpu.h"

/* A vCPU of the machine: model is the text of -cpu, or NULL for the default. apic_id 0 is the
 * bootstrap processor. The machine's engine (Accel) must have been chosen. NULL: see err. */
Vcpu *cpu_create(Machine *m, const char *model, unsigned apic_id, Error **err);

/* What an engine can show to guests; it has been started. */
bool cpu_offer(Accel *a, CpuOffer *offer, Error **err);

/* The run-time library's part. cpu->state is its first member. */
Cpu *cpu_rt(Vcpu *cpu);

/* The time-stamp counter without the guest's offset: guest time at the model's frequency. */
uint64_t cpu_tsc(Vcpu *cpu);
uint64_t cpu_tsc_hz(Vcpu *cpu);

const CpuModel *cpu_model(Vcpu *cpu); /* what -cpu came to; constant */

/* An x87 exception while CR0.NE is clear: FERR# to the board. On its thread, outside. */
void cpu_ferr(Vcpu *cpu);

/* What CPUID answers now: it depends on CR4, XCR0 and the APIC's base. On its thread, outside. */
void cpu_cpuid(Vcpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

/* Where a linear address leads, by the page tables as they are now; no rights, no side effects.
 * false: nowhere. The vCPU is parked, or it is its thread. */
bool cpu_translate(Vcpu *cpu, uint64_t linear, uint64_t *phys);

/* Bytes at a linear address as the CPU would read them now, without side effects: for disassembly
 * and the debugger. How many could be read. The vCPU is parked, or it is its thread. */
unsigned cpu_peek(Vcpu *cpu, uint64_t linear, void *to, unsigned n);

/* The same, written; rights are not looked at, and ROM changes, too. Outside, without locks. */
unsigned cpu_poke(Vcpu *cpu, uint64_t linear, const void *from, unsigned n);

/* X86State by name, for snapshots (state.c). */
extern const struct StateField x86_state_fields[];
