/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Engines that run guest code, vCPUs, and stopping them. Devices, boards, migration and monitor see
 * no more of an engine than this.
 */
#pragma once
#include "accel/debug.h"
#include "hw/core/device.h"

/* Engines that run guest code. They share one CPU state, so a VM can change engine. */
typedef struct X86State X86State;       /* target/i386/state.h: every guest-visible register */
typedef struct X86Features X86Features; /* CPUID bits and MSRs by name                       */
typedef struct Accel Accel;

/*
 * What a vCPU asks of its interrupt controller when the engine has none of its own (IRQCHIP_OURS).
 * Called on the vCPU's thread while it is outside; each takes the lock it needs. hw/intc/lapic.c
 * fills it in at realize. LAPIC rules: SDM volume 3, chapter "APIC".
 */
typedef struct IntcOps {
    int (*acknowledge)(Object *intc); /* highest deliverable vector, now in service; -1: none */
    bool (*msr_read)(Object *intc, uint32_t index, uint64_t *value); /* false: #GP; APIC_BASE, */
    bool (*msr_write)(Object *intc, uint32_t index, uint64_t value); /* TSC_DEADLINE, 0x800... */
    uint8_t (*tpr)(Object *intc);                                    /* CR8 is its upper half  */
    void (*set_tpr)(Object *intc, uint8_t tpr);
    void (*eoi)(Object *intc, uint8_t vector); /* IRQCHIP_SPLIT: a level's service has ended */
} IntcOps;

/* What is waiting for a vCPU, in Vcpu.events. INTR is a level: the intc's output wire. */
enum {
    VCPU_INTR = 1,
    VCPU_NMI = 2,
    VCPU_SMI = 4,
    VCPU_INIT = 8,
    VCPU_SIPI = 16,
    VCPU_STOP = 32, /* the machine is paused: stay outside */
};

typedef struct Vcpu { /* a device: it has properties, reset, state and pins, and can be plugged */
    Device dev;
    unsigned id;
    Accel *accel;
    X86State *state;
    uint32_t stale;           /* X86_* sections the engine holds newer than state         */
    uint32_t changed;         /* X86_* sections state holds newer than the engine         */
    Clock *clock;             /* its own: LAPIC timers fire on its thread                 */
    Region root, system, smm; /* system memory, on top its LAPIC page and, in SMM, SMRAM */
    AddressSpace memory;
    _Atomic bool inside;   /* private; flickers while a vCPU finds the world stopped */
    bool made;             /* the engine knows it */
    _Atomic uint64_t seen; /* the epoch in which it was last outside */
    struct VcpuWork *_Atomic work;
    struct VcpuThread *thread; /* NULL: it has not run yet */
    const DebugPlan *plan;     /* of vcpu_debug(); NULL: none */
    DebugHit hit;              /* what EXIT_DEBUG said; it is held then */
    _Atomic bool held;         /* a debugger lets it run nothing, though the machine runs */
    void *engine;
    const IntcOps *intc_ops;
    Object *intc;
    RtRange intc_registers, intc_msrs; /* answers without it; first is the MSR's number, or 0 */
    int64_t (*tsc_due)(struct Vcpu *cpu, uint64_t tsc); /* when, in guest ns; NULL: tsc is ns */
    _Atomic uint32_t events;                            /* VCPU_ bits */
    _Atomic uint8_t sipi_page;
} Vcpu;

extern const DeviceClass Vcpu_class;

/* clang-format off */
typedef enum {
    EXIT_KICK, EXIT_HALT, EXIT_IRQ_WINDOW, EXIT_SHUTDOWN,
    EXIT_IO, EXIT_MMIO,     /* only from engines whose CPU is elsewhere (kvm): one instruction each  */
    EXIT_EOI, EXIT_MSR, EXIT_HYPERCALL, EXIT_SYSTEM, EXIT_DIRTY_FULL, EXIT_DEBUG, EXIT_ERROR
} ExitKind;

typedef struct VcpuExit {
    ExitKind kind;
    union {
        struct { uint16_t port; uint8_t size; bool write; uint32_t count; void *data; } io;
        struct { uint64_t addr; uint8_t size; bool write; uint8_t data[8]; } mmio;
        struct { uint8_t vector; } eoi;
        struct { uint32_t index; uint64_t value; bool write, refused; } msr;
        struct { uint64_t number, args[6], result; } hypercall;
        struct { enum { SYSTEM_RESET, SYSTEM_OFF, SYSTEM_CRASH } what; } system;
        DebugHit debug;
        struct { const char *text; uint8_t insn[15], n; } error;
    };
} VcpuExit;

/* Who owns the LAPICs. PIC, IOAPIC and PIT are always ours. */
typedef enum { IRQCHIP_OURS, IRQCHIP_SPLIT } IrqChip; /* SPLIT: LAPICs in the engine */
/* clang-format on */

typedef enum { ACCEL_DIRTY_LOG = 1, ACCEL_STEP = 2, ACCEL_DETERMINISTIC = 4 } AccelCaps;

typedef struct MsiMessage {
    uint64_t addr;
    uint32_t data;
    uint16_t requester;
} MsiMessage;

struct Accel { /* an object: -accel tcg,tb-size=64M sets properties */
    Object obj;
    Machine *machine;
    bool one_at_a_time; /* set by start(): vCPUs take turns, each on its own thread */
    bool split;         /* IRQCHIP_SPLIT: the engine has the local APICs            */
    bool no_smm;        /* set by start(): it takes no SMI                          */
};

typedef struct AccelClass {
    Class class;
    uint32_t caps;

    /* Can it run here? If not, say why and what would help: "/dev/kvm: no permission ...". a: with
     * its properties; NULL: with those that it has when nobody sets any. */
    bool (*usable)(const Accel *a, Error **why_not); /* NULL: it can */
    bool (*preferred)(Error **why_not); /* if usable: to be taken unnamed? NULL: it is */
    bool stepped;                       /* guest time stands until somebody steps it */
    bool (*supported)(Accel *a, X86Features *out, Error **err); /* before any vCPU exists; NULL:
                                                                 * what the software engine has */
    uint32_t (*enlightenments)(Accel *a); /* Hyper-V's that go with supported(): HV_ of pv.h */
    uint64_t (*tsc_hz)(Accel *a); /* of the TSC that guests see unless asked otherwise; 0: any  */
    bool (*start)(Accel *a, Error **err); /* make the VM; NULL: there is nothing to do */
    IrqChip (*irqchip)(Accel *a);

    bool (*vcpu_create)(Vcpu *cpu, Error **err);
    void (*vcpu_destroy)(Vcpu *cpu);
    void (*vcpu_run)(Vcpu *cpu, VcpuExit *exit); /* on the vCPU's own thread; NULL: never */
    void (*vcpu_kick)(Vcpu *cpu);                /* from any thread or a signal handler   */
    void (*reset)(Vcpu *cpu);                    /* power-on state; the vCPU is parked    */
    void (*vcpu_thread)(Vcpu *cpu, bool begins); /* on that thread, first and last        */

    void (*pull)(Vcpu *cpu, uint32_t sections); /* engine to cpu->state: X86_LAPIC is one; on */
                                                /* its thread when it is parked, or outside   */
    void (*push)(Vcpu *cpu, uint32_t sections); /* cpu->state to engine; the vCPU is parked   */
    /* Behind a push, when the machine is about to run, for each vCPU before any of them runs: what
     * one sends must find the others as they are. They are parked; on the event loop's thread. */
    void (*prepare)(Vcpu *cpu); /* NULL: nothing to do; who has it has pull, too */

    /* Interrupts. OURS: window and inject; else the engine's LAPIC takes messages. nmi, smi:
     * false while it is blocked; then the state's *_pending is set, and vcpu_run comes back with
     * EXIT_KICK when it can be taken. All on the vCPU's thread, between runs. */
    bool (*irq_window)(Vcpu *cpu, bool want); /* can take one now? if wanted and not: exit when */
    void (*irq_inject)(Vcpu *cpu, uint8_t vector); /* PIC's vector, or our LAPIC's             */
    bool (*nmi)(Vcpu *cpu);
    bool (*smi)(Vcpu *cpu);
    void (*init)(Vcpu *cpu);
    void (*sipi)(Vcpu *cpu, uint8_t page);
    void (*msi)(Accel *a, MsiMessage message);
    bool (*route)(Accel *a, unsigned gsi, const MsiMessage *to, Error **err); /* NULL: none */
    bool (*irqfd)(Accel *a, int fd, int resample_fd, unsigned gsi, bool on, Error **err);

    void (*figures)(Accel *a, GString *out); /* `info jit`: lines; vCPUs are parked; may be NULL */

    int64_t (*clock_get)(Accel *a); /* kvmclock; the TSC is in X86State */
    void (*clock_set)(Accel *a, int64_t ns);

    /* Breakpoints, watchpoints, step: from now on, until called with another plan (NULL: none);
     * plan stays as it is until then, and the one before until this returns. false: more of them
     * than the hardware has; the plan before stays. The vCPU is parked; on any thread. */
    bool (*debug)(Vcpu *cpu, const DebugPlan *plan, Error **err);
} AccelClass;

extern const AccelClass Accel_class;

/* "kvm:tcg": the first usable engine; what was passed over, and why, goes to the log, a line each.
 * Then properties are set, then it starts, before the board is built. */
Accel *accel_pick(Machine *m, const char *list, GString *log, Error **err);
bool accel_start(Accel *a, Error **err);
Accel *machine_accel(Machine *m); /* NULL before accel_start() */

/* Go on with another engine, by name. The machine is stopped; on the event loop's thread, without
 * locks. false: the old one stays; a CPU feature that the new one lacks is named. */
bool accel_switch(Machine *m, const char *name, Error **err);

/*
 * Stopping the world. A vCPU is INSIDE while it may hold a host pointer into guest RAM, a TLB entry
 * in use, a flat view or a code address; waiting for a lock, HLT and device code are OUTSIDE.
 * vcpus_exclusive() kicks, waits until all are out, runs fn, lets them in again. A caller that is
 * inside steps outside for it, so what it had looked up is void. fn takes no lock that ranks as
 * high as the machine's (who waits for the world may hold it); an exclusive section in fn just
 * runs.
 */
void vcpus_exclusive(Machine *m, void (*fn)(void *opaque), void *opaque);
void vcpu_post(Vcpu *cpu, void (*fn)(Vcpu *cpu, void *opaque), void *opaque); /* runs outside */
uint64_t machine_epoch(Machine *m); /* ... free it when every vCPU has been outside since:    */
bool machine_epoch_passed(Machine *m, uint64_t epoch);

/* The machine's vCPUs, in the order in which they were made; i below the count. Under the machine
 * lock, or with the world stopped, or on a vCPU's thread: none comes or goes then. */
unsigned machine_cpu_count(Machine *m);
Vcpu *machine_cpu(Machine *m, unsigned i);

/* The host's thread that runs it; 0: it has not run yet. Under the machine lock. */
int vcpu_thread_id(Vcpu *cpu);

/* The engine makes its part of a vCPU. A class derived from Vcpu calls it at the end of its
 * realize, when model and state are there. */
bool vcpu_make(Vcpu *cpu, Error **err);

/* Something happens to a vCPU: from any thread. It is kicked, and woken if it halts. */
void vcpu_event(Vcpu *cpu, uint32_t event); /* VCPU_NMI, VCPU_SMI, VCPU_INIT */
void vcpu_sipi(Vcpu *cpu, uint8_t page);    /* start-up IPI                  */
void vcpu_intr(Vcpu *cpu, bool level);      /* the intc's wire               */

/* A debugger's plan for a vCPU: AccelClass.debug. false: see err; the plan before stays. The
 * machine is stopped. */
bool vcpu_debug(Vcpu *cpu, const DebugPlan *plan, Error **err);

/* Hold it, or let it run again with the machine: its hit is forgotten then. The machine is stopped,
 * or it is the vCPU's thread. */
void vcpu_hold(Vcpu *cpu, bool hold);

/* For engines. enter: waits while the world is stopped, runs posted work first. */
void vcpu_enter(Vcpu *cpu);
void vcpu_leave(Vcpu *cpu);
bool vcpu_wanted(Vcpu *cpu);       /* somebody waits for it outside: polled, or after a kick     */
Vcpu *vcpu_current(void);          /* whose thread this is; NULL: another thread                 */
void vcpu_smm(Vcpu *cpu, bool on); /* it sees SMRAM; on its thread, outside, or it is parked */
