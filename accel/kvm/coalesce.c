/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes that only latch something and need not stop the vCPU: the kernel collects them in a ring
 * (Documentation/virt/kvm/api.rst, KVM_REGISTER_COALESCED_MMIO), and they are carried out before
 * the next access that stops it, and before the state is looked at. One port of a PC is like that:
 * 0x70, which chooses the register of the clock that 0x71 then reaches (0xcf8 is not: 0xcf9 in it
 * resets).
 */
#include "accel/kvm/kvm.h"

#include <sys/ioctl.h>

enum { RTC_INDEX = 0x70, PAGE_SIZE = 4096 }; /* KVM_COALESCED_MMIO_MAX names PAGE_SIZE */

void kvm_coalesce_start(Kvm *k)
{
    struct kvm_coalesced_mmio_zone zone = {.addr = RTC_INDEX, .size = 1, .pio = 1};

    k->coalesced_page =
        kvm_check(k, KVM_CAP_COALESCED_PIO) ? kvm_check(k, KVM_CAP_COALESCED_MMIO) : 0;
    if (k->coalesced_page * (size_t)PAGE_SIZE >= k->run_bytes ||
        ioctl(k->vm, KVM_REGISTER_COALESCED_MMIO, &zone) < 0) {
        k->coalesced_page = 0;
    }
}

/* One ring for all vCPUs; each has it mapped behind its own page. Of a run of writes to the one
 * port only the last shows. */
static void drain(Kvm *k, struct kvm_coalesced_mmio_ring *ring)
{
    AddressSpace *ports = machine_port_space(k->accel.machine);

    for (unsigned n = 0; n < KVM_COALESCED_MMIO_MAX; n++) {
        uint32_t first = __atomic_load_n(&ring->first, __ATOMIC_RELAXED);
        struct kvm_coalesced_mmio *e = &ring->coalesced_mmio[first % KVM_COALESCED_MMIO_MAX];

        if (first == __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE)) {
            return;
        }
        uint32_t next = (first + 1) % KVM_COALESCED_MMIO_MAX;
        if (next == __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE)) {
            mem_write(ports, (Access){0}, e->phys_addr, e->data, MIN(e->len, sizeof e->data));
        }
        __atomic_store_n(&ring->first, next, __ATOMIC_RELEASE);
    }
}

void kvm_coalesce_flush(Vcpu *cpu)
{
    Kvm *k = kvm_of(cpu);
    KvmCpu *c = cpu->engine;
    struct kvm_coalesced_mmio_ring *ring =
        (void *)((char *)c->run + k->coalesced_page * (size_t)PAGE_SIZE);

    if (k->coalesced_page && __atomic_load_n(&ring->first, __ATOMIC_RELAXED) !=
                                 __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE)) {
        Lock *lock = machine_lock(cpu->dev.machine);

        lock_take(lock);
        drain(k, ring);
        lock_drop(lock);
    }
}
