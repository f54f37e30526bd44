/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the run-time library asks of the world around it: one constant table of functions, filled in
 * by accel/tcg. Each is reached through HOST_CALL or HOST_DO: the guest's FPU is saved and our own
 * control words are loaded first (the gate). Those marked `leaves` also step outside, because they
 * take locks or run device code: TLB, PhysPages and decoded blocks may change under the caller.
 */
#pragma once
#include "target/i386/rt/cpu.h"

struct Trans;

typedef struct RtHost {
    /* Physical page -> what is there. Stays inside: reads the vCPU's flat view. */
    void (*page)(Cpu *c, uint64_t phys, PhysPage *out);

    /* Devices, holes, flash. leaves. size: 1, 2, 4, 8; ports 1, 2, 4. */
    uint64_t (*mmio_read)(Cpu *c, uint64_t phys, unsigned size);
    void (*mmio_write)(Cpu *c, uint64_t phys, uint64_t value, unsigned size);
    uint32_t (*port_read)(Cpu *c, uint16_t port, unsigned size);
    void (*port_write)(Cpu *c, uint16_t port, uint32_t value, unsigned size);

    /* RAM was written: mark it for display and migration. Stays inside. */
    void (*dirty)(Cpu *c, const PhysPage *page, unsigned offset, unsigned size);

    /* A page at that host address gets decoded code: nobody may have a write tag for it. leaves. */
    void (*code_page)(Cpu *c, const uint8_t *host);

    /* A locked access that crosses pages or hits a device: fn runs, the world stopped. leaves. */
    void (*exclusive)(Cpu *c, void (*fn)(Cpu *c, void *opaque), void *opaque);

    /* LAPIC registers behind MSRs (0x1b, 0x6e0, 0x800 to 0x8ff) and CR8. leaves. false: #GP. */
    bool (*apic_msr_read)(Cpu *c, uint32_t index, uint64_t *value);
    bool (*apic_msr_write)(Cpu *c, uint32_t index, uint64_t value);
    uint8_t (*tpr)(Cpu *c);
    void (*set_tpr)(Cpu *c, uint8_t tpr);

    /* Paravirtual registers (pv.h); false: #GP. refresh: the TSC jumped. leaves. NULL: none. */
    bool (*pv_msr_read)(Cpu *c, uint32_t index, uint64_t *value);
    bool (*pv_msr_write)(Cpu *c, uint32_t index, uint64_t value);
    void (*pv_refresh)(Cpu *c);

    /* FERR#: an x87 exception while CR0.NE is clear; IRQ 13 on a PC. leaves. NULL: nobody. */
    void (*ferr)(Cpu *c);

    uint64_t (*tsc)(Cpu *c); /* before s.tsc_offset */
    bool (*random)(Cpu *c, uint64_t *value);
    void (*cpuid)(Cpu *c, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

    /* Pages of the 2 MB of RAM that this one is in have been looked up RAM_WARM times. Stays
     * inside. NULL: nobody cares. */
    void (*ram_warm)(Cpu *c, const PhysPage *page);

    /* CodeCache.used has passed another CODE_CHUNK. Stays inside. NULL: nobody cares. */
    void (*code_grown)(Cpu *c);

    void (*log_interrupt)(Cpu *c, const LastException *e); /* -d int; NULL: off */
    void (*log_exec)(Cpu *c, uint64_t rip); /* -d exec: all is interpreted; NULL: off */
    /* -d in_asm: a block was decoded; NULL: off */
    void (*log_code)(Cpu *c, uint64_t rip, const uint8_t *bytes, unsigned size);
    /* -d out_asm, perfmap: code was made for that rip; NULL: off */
    void (*log_made)(Cpu *c, uint64_t rip, const uint8_t *host, unsigned size);
    /* The direct window. Pages of RAM from p on are mapped at a host address instead of what is
     * there, or nothing is, or they become read-only. Stays inside; signal handlers may call.
     * false: it did not happen. For the first, that is also so where RAM has no file. */
    bool (*window_map)(Cpu *c, uintptr_t at, const PhysPage *p, uint64_t bytes, bool write);
    bool (*window_unmap)(Cpu *c, uintptr_t at, uint64_t bytes);
    bool (*window_close)(Cpu *c, uintptr_t at, uint64_t bytes);
    /* CPU time that the calling thread has had, in microseconds. Stays inside. */
    uint64_t (*cpu_time)(Cpu *c);
    /* A test mode: it maps a page for which the guest's tables say otherwise. */
    void (*window_differs)(Cpu *c, uint64_t linear, const char *what);
    void (*unimplemented)(Cpu *c, const char *what, uint64_t value); /* rate-limited guest log */
    void (*smm_changed)(Cpu *c); /* s.smm: the vCPU's view of memory. leaves */
    /* Instead of trans_run(): a test mode that compares with the interpreter. Units are not linked
     * then. NULL: off */
    uint32_t (*lockstep)(Cpu *c, const struct Trans *t);
} RtHost;

/* Around every call through the table; in fpu_gate.c. Cheap when the FPU is not live. */
void gate_out(Cpu *c);
void gate_in(Cpu *c);

/* clang-format off */
#define HOST_CALL(c, fn, ...)                                   \
    ({                                                          \
        gate_out(c);                                            \
        __auto_type value_ = (c)->host->fn((c), ##__VA_ARGS__); \
        gate_in(c);                                             \
        value_;                                                 \
    })
#define HOST_DO(c, fn, ...)                  \
    do {                                     \
        gate_out(c);                         \
        (c)->host->fn((c), ##__VA_ARGS__);   \
        gate_in(c);                          \
    } while (0)
/* clang-format on */
