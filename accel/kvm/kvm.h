/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of accel/kvm: the VM, its slots, its vCPUs. */
#pragma once
#include "accel/accel.h"
#include "qom/prop.h"
#include "softmmu/run/run.h"
#include "target/i386/kvm.h"

#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>

enum { KVM_IOAPIC_PINS = 24, KVM_ROUTES = 1024, KVM_DEBUG_REGISTERS = 4 };

/* A piece of guest-physical memory as the kernel knows it. */
typedef struct KvmSlot {
    uint64_t addr, size, offset; /* size 0: free */
    Ram *ram;
    bool readonly, logged;
} KvmSlot;

/* One of the kernel's address spaces: 0, and 1 for system management mode. */
typedef struct KvmSpace {
    MemListener listener;
    struct Kvm *kvm;
    unsigned id;
    AddressSpace *as;
    GArray *wanted; /* KvmSlot: what the view that is being told needs */
    GArray *slots;  /* KvmSlot, by the kernel's number                 */
} KvmSpace;

typedef struct Kvm {
    Accel accel;
    char *device; /* the node; NULL: /dev/kvm */
    uint32_t irqchip, dirty_ring;
    uint64_t shadow_mem;
    int fd, vm;
    size_t run_bytes;
    unsigned max_slots;
    bool has_smm, has_xsave, has_debugregs, has_xcrs, has_robust_step, has_readonly;
    uint32_t ring_pages; /* of each vCPU's dirty ring, in entries; 0: none */
    struct kvm_msr_list *msrs;
    struct kvm_cpuid2 *cpuid; /* what the kernel supports */
    KvmSpace space[2];
    MemListener ports;
    AddressSpace smm_space;
    Region smm_root, smm_system, smm_ram;
    struct kvm_irq_routing *routing;
    pthread_mutex_t clock_mutex; /* guards the three below, and the dirty rings' harvest */
    bool clock_held;             /* kvmclock stands at clock_ns until a vCPU runs again */
    uint64_t clock_ns, held_at;  /* ... which is this guest time             */
    KvmTscBase tsc_base;
    bool failed_slot;        /* one report is enough */
    unsigned coalesced_page; /* behind struct kvm_run: the ring of collected writes; 0: none */
} Kvm;

typedef struct KvmCpu { /* hangs at Vcpu.engine */
    int fd;
    struct kvm_run *run;
    struct kvm_dirty_gfn *ring;
    uint32_t ring_at;
    pthread_t thread;
    _Atomic bool in_kernel; /* it may be in KVM_RUN: a kick needs a signal */
    bool parked;            /* it was: time goes on from the state's        */
    int given;              /* vector handed to KVM_INTERRUPT in the last round; -1: none */
    uint64_t given_rip, given_rsp;
    KvmConvert convert;
    DebugHit armed[KVM_DEBUG_REGISTERS]; /* what a hit of each debug register means; only while
                                            there is a plan */
} KvmCpu;

static inline Kvm *kvm_of(Vcpu *cpu)
{
    return (Kvm *)cpu->accel;
}

int64_t kvm_held_clock(const Kvm *k); /* while clock_held, under clock_mutex */

/* ---- host.c: the device node and what it can do ---- */

/* Open the node and see that it is a KVM we can use; -1: see err, with a way out. */
int kvm_open(const char *path, Error **err);
int kvm_refused(const char *path, int why, Error **err); /* why: errno; -1 */

/* Has the processor VT-x or AMD-V, as far as CPUID tells? Else why not, with a way out. */
bool kvm_processor(Error **why_not);
int kvm_check(const Kvm *k, unsigned cap); /* KVM_CHECK_EXTENSION of the VM, else of the host */
bool kvm_read_lists(Kvm *k, Error **err);  /* msrs, cpuid */
const struct kvm_cpuid_entry2 *kvm_supported_leaf(const Kvm *k, uint32_t leaf, uint32_t subleaf);
void kvm_supported_features(const Kvm *k, X86Features *out);
uint32_t kvm_enlightenments(Accel *a);
bool kvm_set_cpuid(Vcpu *cpu, Error **err);

/* ---- slots.c ---- */

void kvm_slots_listen(Kvm *k);
void kvm_slots_stop(Kvm *k);
bool kvm_ring_map(Vcpu *cpu, Error **err);
void kvm_ring_harvest(Kvm *k); /* all vCPUs' rings into the marks; under the machine lock or on a
                                * vCPU's thread, outside */

/* ---- vcpu.c ---- */

bool kvm_vcpu_create(Vcpu *cpu, Error **err);
void kvm_vcpu_destroy(Vcpu *cpu);
void kvm_vcpu_run(Vcpu *cpu, VcpuExit *exit);
void kvm_vcpu_kick(Vcpu *cpu);
void kvm_vcpu_thread(Vcpu *cpu, bool begins);
void kvm_pull(Vcpu *cpu, uint32_t sections);
void kvm_push(Vcpu *cpu, uint32_t sections);
void kvm_prepare(Vcpu *cpu);
bool kvm_irq_window(Vcpu *cpu, bool want);
void kvm_irq_inject(Vcpu *cpu, uint8_t vector);
bool kvm_nmi(Vcpu *cpu);
bool kvm_smi(Vcpu *cpu);
void kvm_init_event(Vcpu *cpu); /* INIT from a device: as a message to its own local APIC */

/* ---- coalesce.c ---- */

void kvm_coalesce_start(Kvm *k);
void kvm_coalesce_flush(
    Vcpu *cpu); /* carry out what was collected; on the vCPU's thread, outside */

/* ---- debug.c ---- */

typedef struct KvmArmed {
    struct kvm_guest_debug d;
    DebugHit hit[KVM_DEBUG_REGISTERS]; /* what each register means */
    unsigned n;                        /* registers in use         */
} KvmArmed;

/* A plan into a zeroed KvmArmed; false: it needs more registers than there are. */
bool kvm_debug_translate(const DebugPlan *plan, KvmArmed *a, Error **err);
bool kvm_debug(Vcpu *cpu, const DebugPlan *plan, Error **err);
DebugHit kvm_debug_hit(Vcpu *cpu); /* after KVM_EXIT_DEBUG */

/* ---- irq.c ---- */

void kvm_msi(Accel *a, MsiMessage message);
bool kvm_route(Accel *a, unsigned gsi, const MsiMessage *to, Error **err);
bool kvm_irqfd(Accel *a, int fd, int resample_fd, unsigned gsi, bool on, Error **err);
