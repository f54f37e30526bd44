/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the stub, which knows no CPU, asks of one. All on the event loop's thread with the vCPUs
 * parked. Addresses are what the debugger shows as such: linear ones.
 */
#pragma once
#include "accel/accel.h"

enum { GDB_REGISTER_MAX = 64 }; /* bytes */

typedef struct GdbArch {
    /* The description of the registers in gdb's XML; the caller frees it. It is the same for all
     * vCPUs of a machine and as long as that lives. */
    char *(*describe)(Vcpu *cpu);

    /* Register n of the description as gdb wants its bytes: how many; 0: there is no such. */
    size_t (*get)(Vcpu *cpu, unsigned n, uint8_t *to);

    /* n bytes of a register. Gives the X86_ sections of the state that have changed; 0: it cannot
     * be written, or there is none. */
    uint32_t (*set)(Vcpu *cpu, unsigned reg, const uint8_t *from, size_t n);

    /* Memory as the CPU would see it now, without side effects: how many bytes could be moved. */
    size_t (*read)(Vcpu *cpu, uint64_t addr, void *to, size_t n);
    size_t (*write)(Vcpu *cpu, uint64_t addr, const void *from, size_t n);

    uint64_t (*pc)(Vcpu *cpu);
    uint32_t (*set_pc)(Vcpu *cpu, uint64_t pc); /* as set() */
    const char *(*activity)(Vcpu *cpu);         /* "running", "halted" ...         */
    bool (*sleeps)(Vcpu *cpu);                  /* it runs nothing until it is woken */
} GdbArch;
