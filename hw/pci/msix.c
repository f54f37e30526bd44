/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSI-X: PCI Local Bus 3.0, section 6.8.2. Table and pending bits are two small regions that the
 * device maps into one of its BARs.
 */
#include "hw/pci/pci_impl.h"
#include "util/trace.h"

#include <string.h>

enum { FLAGS = 2, TABLE = 4, PBA = 8, CAP_SIZE = 12, CAP_MSIX = 0x11 };
enum { ENABLE = 0x8000, MASK_ALL = 0x4000, ENTRY = 16, ENTRY_DATA = 8, ENTRY_CONTROL = 12 };

bool msix_enabled(const PciDevice *pci)
{
    return pci->msix_cap && pci_get(pci, pci->msix_cap + FLAGS, 2) & ENABLE;
}

static bool masked(const PciDevice *pci, unsigned vector)
{
    return pci_get(pci, pci->msix_cap + FLAGS, 2) & MASK_ALL ||
           pci->msix_table[vector * ENTRY + ENTRY_CONTROL] & 1;
}

static void send(PciDevice *pci, unsigned vector)
{
    uint64_t addr;

    memcpy(&addr, pci->msix_table + vector * ENTRY, 8);
    pci_write(pci, addr & ~3ull, pci->msix_table + vector * ENTRY + ENTRY_DATA, 4);
}

void msix_notify(PciDevice *pci, unsigned vector)
{
    if (vector >= pci->msix_vectors) {
        return;
    }
    if (masked(pci, vector)) {
        pci->msix_pending[vector / 64] |= 1ull << vector % 64;
    } else {
        send(pci, vector);
    }
}

void msix_update(PciDevice *pci)
{
    if (!msix_enabled(pci)) {
        return;
    }
    for (unsigned n = 0; n < pci->msix_vectors; n++) {
        if (pci->msix_pending[n / 64] >> n % 64 & 1 && !masked(pci, n)) {
            pci->msix_pending[n / 64] &= ~(1ull << n % 64);
            send(pci, n);
        }
    }
}

void msix_reset(PciDevice *pci)
{
    memset(pci->msix_table, 0, sizeof pci->msix_table);
    memset(pci->msix_pending, 0, sizeof pci->msix_pending);
    for (unsigned n = 0; n < pci->msix_vectors; n++) {
        pci->msix_table[n * ENTRY + ENTRY_CONTROL] = 1;
    }
}

static MemResult table_read(PciDevice *pci, Io *io)
{
    io->value = 0;
    memcpy(&io->value, pci->msix_table + io->offset, io->size);
    return MEM_OK;
}

static MemResult table_write(PciDevice *pci, Io *io)
{
    memcpy(pci->msix_table + io->offset, &io->value, io->size);
    msix_update(pci);
    return MEM_OK;
}

static MemResult pending_read(PciDevice *pci, Io *io)
{
    io->value = 0;
    memcpy(&io->value, (uint8_t *)pci->msix_pending + io->offset, io->size);
    return MEM_OK;
}

static MemResult pending_write(PciDevice *pci, Io *io)
{
    guest_error(pci, "the pending bits of MSI-X are read-only");
    return MEM_OK;
}

static const MemOps table_ops = {
    .read = METHOD(PciDevice, table_read),
    .write = METHOD(PciDevice, table_write),
    .accepts = {4, 8},
};
static const MemOps pending_ops = {
    .read = METHOD(PciDevice, pending_read),
    .write = METHOD(PciDevice, pending_write),
    .accepts = {4, 8},
};

bool pci_msix(PciDevice *pci, unsigned vectors, int bar, Region *window, uint32_t table,
              uint32_t pending, Error **err)
{
    uint32_t pba_bytes = (vectors + 63) / 64 * 8;

    if (!vectors || vectors > PCI_MSIX_MAX) {
        return error_set(err, "%u MSI-X vectors are not 1 to %d", vectors, PCI_MSIX_MAX);
    }
    if (table + vectors * ENTRY > window->size || pending + pba_bytes > window->size) {
        return error_set(err, "%u MSI-X vectors do not fit into BAR %d", vectors, bar);
    }
    uint8_t at = pci->msix_cap = pci_capability(pci, CAP_MSIX, CAP_SIZE);

    pci->msix_vectors = vectors;
    pci_put(pci, at + FLAGS, vectors - 1, 2);
    pci_writable(pci, at + FLAGS, ENABLE | MASK_ALL, 2);
    pci_put(pci, at + TABLE, table | bar, 4);
    pci_put(pci, at + PBA, pending | bar, 4);
    region_init_io(&pci->msix_entries, &pci->dev.obj, "msix-table", vectors * ENTRY, &table_ops);
    region_init_io(&pci->msix_pba, &pci->dev.obj, "msix-pba", pba_bytes, &pending_ops);
    region_map(window, table, &pci->msix_entries, 1);
    region_map(window, pending, &pci->msix_pba, 1);
    return true;
}
