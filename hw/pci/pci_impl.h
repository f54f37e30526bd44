/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What pci.c, msi.c, msix.c and pci_bus.c share. */
#pragma once
#include "hw/pci/pci.h"

/* In realize: the MSI capability with room for this many vectors (1 to 32). */
void pci_add_msi(PciDevice *pci, unsigned vectors);

/* Whether the capability is there and enabled. */
bool msi_enabled(const PciDevice *pci);
bool msix_enabled(const PciDevice *pci);

/* A vector happened: send it, or keep it pending while masked. */
void msi_notify(PciDevice *pci, unsigned vector);
void msix_notify(PciDevice *pci, unsigned vector);

/* Configuration space was written: send what is pending and no longer masked. */
void msi_update(PciDevice *pci);
void msix_update(PciDevice *pci);

/* Fields back to their reset values. */
void msi_reset(PciDevice *pci);
void msix_reset(PciDevice *pci);

/* In realize: join INTx to the bus's router, where it has one. */
bool pci_wire(PciDevice *pci, Error **err);
