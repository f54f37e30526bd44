/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The PIIX3 ISA bridge: routes PCI interrupts to ISA ones and resets the machine. */
#pragma once
#include "hw/pci/pci_host.h"

typedef struct Piix3 Piix3;

/* Pins: in "pirq" (4), out "irq" (16: the ISA interrupt lines). It becomes its bus's router. */
extern const PciDeviceClass Piix3_class;

/* Answer the reset control register, port 0xcf9, which lies in the host bridge's ports. */
void piix3_serve_reset(Piix3 *p, PciHost *host);
