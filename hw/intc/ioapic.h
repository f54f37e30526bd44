/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "hw/intc/msi_port.h"

/* Properties "port" (the MsiPort it sends through), "addr", "version"; inputs "in" 0 to 23: ISA IRQ
 * n on input n, but IRQ 0 on input 2. */
typedef struct IoApic IoApic;
extern const DeviceClass IoApic_class;

/* Its registers, a line for each input, for people. Under the machine lock. */
void ioapic_describe(const IoApic *a, GString *out);
