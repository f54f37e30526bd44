/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PCI hotplug by ACPI: the registers behind the methods of the DSDT. */
#pragma once
#include "hw/pci/pci.h"

enum { ACPI_PCIHP_PORT = 0xae00 };

/* Embedded in the device that raises the SCI. */
typedef struct AcpiPciHotplug {
    Region ports;
    PciBus *bus;
    uint32_t up, down; /* slots that the guest has not been told of */
} AcpiPciHotplug;

extern const StateField acpi_pcihp_state[];

/* In realize: make the region; the owner maps it. moved() is told of devices that come and go. */
void acpi_pcihp_init(AcpiPciHotplug *hp, Device *owner, PciBus *bus,
                     void (*moved)(Device *owner, PciDevice *pci, bool in));

/* A device came, or shall go. */
void acpi_pcihp_moved(AcpiPciHotplug *hp, PciDevice *pci, bool in);
