/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paravirtual leaves and registers: KVM's (kvmclock) and Hyper-V's, part of the CPU model whatever
 * the engine. The MSRs are served here for engines that have no kernel to do it.
 */
#pragma once
#include "accel/accel.h"
#include "target/i386/cpuid.h"

/* Hyper-V enlightenments: bits of CpuModel.hv. */
enum {
    HV_RELAXED = 1,
    HV_VAPIC = 2,
    HV_SPINLOCKS = 4,
    HV_TIME = 8,
    HV_VPINDEX = 16,
    HV_RUNTIME = 32,
    HV_RESET = 64,
    HV_CRASH = 128,
    HV_FREQUENCIES = 256,
    HV_SOFT = 511, /* what this emulator serves itself; the rest only a kernel */
    HV_SYNIC = 512,
    HV_STIMER = 1024,
    HV_STIMER_DIRECT = 2048,
    HV_TLBFLUSH = 4096,
    HV_IPI = 8192,
    HV_ALL = 16383,
};

/* By QEMU's property name, _ for - allowed. 0: there is none; *lacking: known, but not offered. */
uint32_t pv_hv_bit(const char *name, bool *lacking);

const char *pv_hv_name(uint32_t bit);

/* Those that a kernel offers which shows these two leaves of Hyper-V's (4000_0003 and
 * 4000_0004). */
uint32_t pv_hv_offered(const uint32_t privileges[4], const uint32_t recommendations[4]);

/* Do those that were asked for have what they stand on, and does the engine offer them? Else their
 * name. */
bool pv_hv_check(uint32_t hv, uint32_t offered, Error **err);

/* CPUID 4000_0000 to 4000_01ff. out is zeroed. Any thread. */
void pv_cpuid(const CpuModel *m, uint32_t leaf, uint32_t out[4]);

/* For the software engine: on the vCPU's thread, outside. false: #GP. */
bool pv_msr_read(Vcpu *cpu, uint32_t index, uint64_t *value);
bool pv_msr_write(Vcpu *cpu, uint32_t index, uint64_t value);

/* Time went another way (the TSC was written, the state is new): tell the guest's pages. */
void pv_refresh(Vcpu *cpu);
