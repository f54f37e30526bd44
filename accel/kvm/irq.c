/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts into the kernel's local APICs: messages, and routes from global interrupt numbers to
 * messages, for the IOAPIC's pins (whose levels the kernel must know to report their EOI) and for
 * event file descriptors (Documentation/virt/kvm/api.rst, KVM_SIGNAL_MSI, KVM_SET_GSI_ROUTING,
 * KVM_IRQFD).
 *
 * Not modelled: descriptors that wait for the EOI of a level (resample): the kernel offers them
 * only with an IOAPIC of its own, and ours is here.
 */
#include "accel/kvm/kvm.h"

#include <errno.h>
#include <sys/ioctl.h>

void kvm_msi(Accel *a, MsiMessage message)
{
    struct kvm_msi msi = {
        .address_lo = message.addr, .address_hi = message.addr >> 32, .data = message.data};

    ioctl(((Kvm *)a)->vm, KVM_SIGNAL_MSI, &msi); /* 0: masked, nobody there: lost, as on a bus */
}

/* Routes are few and kept sorted by nothing: one entry a number. */
static struct kvm_irq_routing_entry *entry_of(struct kvm_irq_routing *r, unsigned gsi)
{
    for (unsigned i = 0; i < r->nr; i++) {
        if (r->entries[i].gsi == gsi) {
            return &r->entries[i];
        }
    }
    return NULL;
}

bool kvm_route(Accel *a, unsigned gsi, const MsiMessage *to, Error **err)
{
    Kvm *k = (Kvm *)a;
    struct kvm_irq_routing *r = k->routing;
    struct kvm_irq_routing_entry *e = entry_of(r, gsi);

    if (!e && !to) {
        return true;
    }
    if (!e && r->nr == KVM_ROUTES) {
        return error_set(err, "all %d interrupt routes are taken", KVM_ROUTES);
    }
    if (!to) {
        *e = r->entries[--r->nr];
    } else {
        struct kvm_irq_routing_entry want = {
            .gsi = gsi,
            .type = KVM_IRQ_ROUTING_MSI,
            .u.msi = {.address_lo = to->addr, .address_hi = to->addr >> 32, .data = to->data}};
        if (e && !memcmp(e, &want, sizeof want)) {
            return true;
        }
        *(e ?: &r->entries[r->nr++]) = want;
    }
    return ioctl(k->vm, KVM_SET_GSI_ROUTING, r) == 0 ||
           error_errno(err, errno, "interrupt %u cannot be routed", gsi);
}

bool kvm_irqfd(Accel *a, int fd, int resample_fd, unsigned gsi, bool on, Error **err)
{
    struct kvm_irqfd irqfd = {.fd = fd, .gsi = gsi, .flags = on ? 0 : KVM_IRQFD_FLAG_DEASSIGN};

    if (on && resample_fd >= 0) { /* KVM_IRQFD_FLAG_RESAMPLE: only with its own IOAPIC */
        return error_set(err,
                         "no event descriptor that waits for interrupt %u's EOI: the kernel's "
                         "interrupt controller is a split one",
                         gsi);
    }
    return ioctl(((Kvm *)a)->vm, KVM_IRQFD, &irqfd) == 0 ||
           error_errno(err, errno, "no event descriptor for interrupt %u", gsi);
}
