/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 82441FX host bridge: RAM, shadow RAM, SMRAM and the PCI bus of the PC. */
#pragma once
#include "hw/pci/pci_host.h"

typedef struct I440fx I440fx;
typedef struct I440fxHost I440fxHost;

extern const PciDeviceClass I440fx_class; /* function 00.0 */
extern const DeviceClass I440fxHost_class;

/* Where guest RAM lies: below bytes from 0 on, the rest from 4 GB on. */
typedef struct RamLayout {
    uint64_t below, above;
} RamLayout;

/* How a PC with this much RAM splits it: up to 3.5 GB stay below the PCI hole; where there is more,
 * 3 GB do, so that huge pages stay aligned. */
RamLayout i440fx_ram_layout(uint64_t bytes);

/* Once, after the function was added: put ram (at least below + above bytes) into the memory of
 * the machine, with the VGA window, shadow RAM and SMRAM in front of it. */
void i440fx_add_ram(I440fx *f, PciHost *host, Region *ram, RamLayout layout);
