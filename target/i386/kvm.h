/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * X86State to and from the structures of Linux's KVM. The conversions touch nothing but their
 * arguments; kvm_state_pull() and kvm_state_push() do the ioctls of one vCPU.
 */
#pragma once
#include "accel/accel.h"
#include "hw/intc/lapic.h"
#include "target/i386/cpu.h"
#include "target/i386/state.h"

#include <linux/kvm.h>
#include <pthread.h>

enum { KVM_MSR_ROWS = 192, XCOMPONENTS = 10 };

/* What the kernel adds to the processor's TSC for a guest whose own offset is 0: the same for all
 * vCPUs, so that they agree to the tick. The first that runs after a pause finds it. */
typedef struct KvmTscBase {
    pthread_mutex_t mutex; /* guards the two below */
    bool known;
    uint64_t add;
} KvmTscBase;

/* What the conversions must know of a vCPU besides its state. */
typedef struct KvmConvert {
    int fd;
    bool has_sregs2, has_xcrs, has_debugregs;
    uint16_t offset[XCOMPONENTS]; /* of XSAVE components in this host's image; 0: there is none */
    struct KvmMsr {
        uint32_t index;
        uint16_t field; /* offset in X86State */
    } msr[KVM_MSR_ROWS];
    unsigned msrs;
    KvmTscBase *tsc_base; /* the machine's */
    uint64_t tsc_adjust;  /* as last pushed: what changes is the guest's doing */
} KvmConvert;

void kvm_segment_get(const struct kvm_segment *from, X86Segment *to);
void kvm_segment_put(const X86Segment *from, struct kvm_segment *to);
void kvm_regs_get(const struct kvm_regs *from, X86State *to);
void kvm_regs_put(const X86State *from, struct kvm_regs *to);
void kvm_xsave_get(const KvmConvert *c, const void *image, X86State *to);
void kvm_xsave_put(const KvmConvert *c, const X86State *from, void *image);
void kvm_events_get(const struct kvm_vcpu_events *from, X86State *to);
void kvm_events_put(const X86State *from, struct kvm_vcpu_events *to);

/* now: guest nanoseconds. The timer's remaining count and `expires` follow each other. */
void kvm_lapic_get(const struct kvm_lapic_state *from, int64_t now, LapicState *to);
void kvm_lapic_put(const LapicState *from, int64_t now, struct kvm_lapic_state *to);

/* Once, when the kernel has made the vCPU: which MSRs it has, where XSAVE components lie. synic:
 * Hyper-V's interrupt controller is switched on. */
void kvm_convert_init(KvmConvert *c, const struct kvm_cpuid2 *supported, bool synic);

/* The vCPU is outside, on its thread or parked. sections: X86_. true: all went well; what did not
 * is named in err, the rest was done. */
bool kvm_state_pull(Vcpu *cpu, KvmConvert *c, uint32_t sections, Error **err);
bool kvm_state_push(Vcpu *cpu, KvmConvert *c, uint32_t sections, Error **err);

/* The vCPU's time stamp counter goes on from guest time and the state's offset. */
bool kvm_tsc_push(Vcpu *cpu, KvmConvert *c, Error **err);
void kvm_tsc_forget(KvmTscBase *base); /* time stands: the next vCPU to run finds it again */
