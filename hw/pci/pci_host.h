/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A host bridge's half that every PC chipset shares: configuration mechanism 1 and the root bus. */
#pragma once
#include "hw/pci/pci.h"

typedef struct PciHost {
    Device dev;
    PciBus *bus;          /* "pci.0" */
    Region memory;        /* the PCI memory space; the board maps it below its RAM */
    Region address, data; /* ports 0xcf8 and 0xcfc                                  */
    uint32_t config_address;
    Object *narrow; /* whose are the accesses to 0xcf8-0xcfb that are not 32 bits wide */
    const MemOps *narrow_ops;
} PciHost;

extern const DeviceClass PciHost_class;

/* Bytes and words at 0xcf8-0xcfb are no configuration addresses: hand them to owner (0xcf9 is the
 * reset control register of the ISA bridge). Undone with a NULL owner. */
void pci_host_narrow(PciHost *host, Object *owner, const MemOps *ops);
