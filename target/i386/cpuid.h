/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "target/i386/model.h"

/* How many of each, from the outside in; threads per core. */
typedef struct CpuTopology {
    uint32_t sockets, dies, cores, threads;
} CpuTopology;

/* What CPUID shows of the state of the CPU that asks. */
typedef struct CpuidInputs {
    uint32_t apic_id;
    uint64_t cr4, xcr0, xss;
    bool apic_on; /* IA32_APIC_BASE: enabled */
} CpuidInputs;

/* EAX, EBX, ECX, EDX of a leaf. Thread-safe, no locks. SDM volume 2, CPUID; APM volume
 * 3, app. E. */
void cpuid_get(const CpuModel *m, const CpuTopology *t, const CpuidInputs *in, uint32_t leaf,
               uint32_t subleaf, uint32_t out[4]);

/* Family, model and stepping as CPUID 1 shows them in EAX. */
uint32_t cpuid_signature(const CpuModel *m);

/* The APIC ID of the n-th CPU: each level of the topology has its own bits. */
uint32_t cpuid_apic_id(const CpuTopology *t, unsigned n);

/* Which bits of XCR0 the model has, and the XSAVE area's size for some of them. */
uint64_t cpuid_xcr0(const X86Features *f);
uint32_t cpuid_xsave_size(uint64_t components, bool compacted);

/* Component n (2 to 9) of the standard format: size and offset in bytes; size 0: there is none. The
 * same on every host (hosts differ: SDM volume 1, "XSAVE area", leaves the offsets to CPUID). */
typedef struct XsaveComponent {
    uint16_t size, offset;
} XsaveComponent;
extern const XsaveComponent xsave_component[10];
