/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Message signalled interrupts: PCI Local Bus 3.0, section 6.8.1. 64-bit addresses and masks per
 * vector are always offered.
 */
#include "hw/pci/pci_impl.h"

enum { FLAGS = 2, ADDR = 4, DATA = 12, MASK = 16, PENDING = 20, CAP_SIZE = 24, CAP_MSI = 5 };
enum { ENABLE = 1, VECTORS = 0x70, HAS_64 = 0x80, HAS_MASKS = 0x100 };

void pci_add_msi(PciDevice *pci, unsigned vectors)
{
    unsigned log2 = vectors > 1 ? 32 - __builtin_clz(vectors - 1) : 0;
    uint8_t at = pci->msi_cap = pci_capability(pci, CAP_MSI, CAP_SIZE);

    pci_put(pci, at + FLAGS, HAS_64 | HAS_MASKS | log2 << 1, 2);
    pci_writable(pci, at + FLAGS, ENABLE | VECTORS, 2);
    pci_writable(pci, at + ADDR, ~3u, 4);
    pci_writable(pci, at + ADDR + 4, ~0u, 4);
    pci_writable(pci, at + DATA, 0xffff, 2);
    pci_writable(pci, at + MASK, log2 < 5 ? (1u << (1u << log2)) - 1 : ~0u, 4);
}

bool msi_enabled(const PciDevice *pci)
{
    return pci->msi_cap && pci->config[pci->msi_cap + FLAGS] & ENABLE;
}

/* A guest may allow fewer vectors than the device has: they share the low ones. */
static unsigned allowed(const PciDevice *pci)
{
    unsigned flags = pci_get(pci, pci->msi_cap + FLAGS, 2);

    return 1u << MIN(flags >> 4 & 7, flags >> 1 & 7);
}

static void send(PciDevice *pci, unsigned vector)
{
    unsigned at = pci->msi_cap;
    uint64_t addr = pci_get(pci, at + ADDR, 4) | (uint64_t)pci_get(pci, at + ADDR + 4, 4) << 32;
    uint32_t data = (pci_get(pci, at + DATA, 2) & ~(allowed(pci) - 1)) | vector;

    pci_write(pci, addr, &data, 4);
}

void msi_notify(PciDevice *pci, unsigned vector)
{
    unsigned at = pci->msi_cap;

    vector &= allowed(pci) - 1;
    if (pci_get(pci, at + MASK, 4) >> vector & 1) {
        pci_put(pci, at + PENDING, pci_get(pci, at + PENDING, 4) | 1u << vector, 4);
    } else {
        send(pci, vector);
    }
}

void msi_update(PciDevice *pci)
{
    unsigned at = pci->msi_cap;

    if (!msi_enabled(pci)) {
        return;
    }
    uint32_t pending = pci_get(pci, at + PENDING, 4), due = pending & ~pci_get(pci, at + MASK, 4);

    pci_put(pci, at + PENDING, pending & ~due, 4);
    for (; due; due &= due - 1) {
        send(pci, __builtin_ctz(due) & (allowed(pci) - 1));
    }
}

void msi_reset(PciDevice *pci)
{
    if (pci->msi_cap) {
        pci_put(pci, pci->msi_cap + PENDING, 0, 4);
    }
}
