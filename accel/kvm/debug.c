/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A debugger's plan in the kernel's terms (Documentation/virt/kvm/api.rst, KVM_SET_GUEST_DEBUG):
 * up to four breakpoints and watchpoints in the processor's debug registers (SDM volume 3, "Debug
 * registers"), and single steps.
 *
 * Not modelled: breakpoints in memory; a plan that needs more than four debug registers is refused.
 * Read-only watchpoints stop at writes, too: the processor has none for reads alone. While there is
 * a plan with breakpoints the guest's own debug registers do not work.
 */
#include "accel/kvm/kvm.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

enum { DEBUG_REGISTERS = KVM_DEBUG_REGISTERS, RW_EXECUTE = 0, RW_WRITE = 1, RW_BOTH = 3 };
enum { DR7_FIXED = 0x400, DR7_EXACT = 0x200 };

/* The bits of DR7 for a length in bytes; -1: none has it. */
static int length_bits(uint64_t bytes)
{
    return bytes == 1 ? 0 : bytes == 2 ? 1 : bytes == 8 ? 2 : bytes == 4 ? 3 : -1;
}

static bool arm(KvmArmed *a, DebugHit hit, unsigned rw, unsigned length)
{
    if (a->n == DEBUG_REGISTERS) {
        return false;
    }
    a->d.arch.debugreg[a->n] = hit.addr;
    a->d.arch.debugreg[7] |= 2ull << 2 * a->n | (uint64_t)(rw | length << 2) << (16 + 4 * a->n);
    a->hit[a->n++] = hit;
    return true;
}

/* The largest aligned piece at the beginning of what is left. */
static uint64_t piece(uint64_t first, uint64_t last)
{
    for (uint64_t bytes = 8; bytes > 1; bytes /= 2) {
        if (first % bytes == 0 && last - first >= bytes - 1) {
            return bytes;
        }
    }
    return 1;
}

static bool arm_watch(KvmArmed *a, const DebugWatch *w)
{
    unsigned rw = w->access == DEBUG_WRITE ? RW_WRITE : RW_BOTH;
    uint64_t at = w->first;

    for (;;) {
        uint64_t bytes = piece(at, w->last);

        if (!arm(a, (DebugHit){DEBUG_WATCHED, w->access, at}, rw, length_bits(bytes))) {
            return false;
        }
        if (w->last - at < bytes) {
            return true;
        }
        at += bytes;
    }
}

bool kvm_debug_translate(const DebugPlan *plan, KvmArmed *a, Error **err)
{
    bool room = true;

    a->d.control = KVM_GUESTDBG_ENABLE | (plan->step & DEBUG_STEP ? KVM_GUESTDBG_SINGLESTEP : 0);
    a->d.arch.debugreg[7] = DR7_FIXED | DR7_EXACT;
    for (unsigned i = 0; room && i < plan->break_count; i++) {
        room = arm(a, (DebugHit){DEBUG_BREAK, 0, plan->breaks[i]}, RW_EXECUTE, 0);
    }
    for (unsigned i = 0; room && i < plan->watch_count; i++) {
        room = arm_watch(a, &plan->watches[i]);
    }
    if (!room) {
        error_set(err, "KVM has four debug registers, too few for these breakpoints");
        return error_hint(err, "delete some, watch fewer bytes, or use -accel tcg");
    }
    a->d.control |= a->n ? KVM_GUESTDBG_USE_HW_BP : 0;
    return true;
}

bool kvm_debug(Vcpu *cpu, const DebugPlan *plan, Error **err)
{
    KvmCpu *c = cpu->engine;
    KvmArmed a = {0};

    if (plan && !kvm_debug_translate(plan, &a, err)) {
        return false;
    }
    if (plan && plan->step & DEBUG_STEP && plan->step & DEBUG_NO_IRQ &&
        kvm_check(kvm_of(cpu), KVM_CAP_SET_GUEST_DEBUG2) & KVM_GUESTDBG_BLOCKIRQ) {
        a.d.control |= KVM_GUESTDBG_BLOCKIRQ;
    }
    if (ioctl(c->fd, KVM_SET_GUEST_DEBUG, &a.d) < 0) {
        return error_errno(err, errno, "KVM takes no breakpoints");
    }
    memcpy(c->armed, a.hit, sizeof c->armed);
    return true;
}

DebugHit kvm_debug_hit(Vcpu *cpu)
{
    const KvmCpu *c = cpu->engine;
    const struct kvm_debug_exit_arch *e = &c->run->debug.arch;

    for (unsigned n = 0; n < DEBUG_REGISTERS; n++) {
        if (e->dr6 >> n & 1 && c->armed[n].reason) {
            return c->armed[n];
        }
    }
    return (DebugHit){.reason = DEBUG_STEPPED, .addr = e->pc};
}
