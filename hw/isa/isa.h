/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ISA bus: devices that say their own ports and interrupt number. */
#pragma once
#include "hw/core/bus.h"
#include "hw/core/regs.h"

enum { ISA_IRQS = 16, ISA_TARGETS = 3 };
#define ISA_AUTO UINT32_MAX /* a property that the device chooses itself */

typedef struct IsaBus {
    Bus bus;
    struct IsaTarget {
        Device *to;
        const char *pin;
        unsigned n;
    } irq[ISA_IRQS][ISA_TARGETS];
} IsaBus;

/* Base of the devices that fit on it. The device has properties "iobase" and "irq" of its own that
 * fill these fields; its pin is "irq". */
typedef struct IsaDevice {
    Device dev;
    IrqLine irq;
    uint32_t iobase, irq_number;
} IsaDevice;

extern const BusClass IsaBus_class;
extern const DeviceClass IsaDevice_class;

/* For the board, before it adds devices: IRQ n reaches this input, too (PIC and IOAPIC). */
void isa_route(IsaBus *bus, unsigned irq, Device *to, const char *pin, unsigned n);

/* In realize, when irq_number is known: join the pin "irq" to what that IRQ reaches. False when the
 * number is not below 16. A device without a bus is joined by whoever made it. */
bool isa_connect(IsaDevice *dev, Error **err);

/* In realize: join another output pin to what that IRQ, below 16, reaches. */
bool isa_join(IsaDevice *dev, const char *pin, unsigned n, unsigned irq, Error **err);

/* Map a region at the device's iobase; false when it does not fit below 64 KB. */
bool isa_ports(IsaDevice *dev, Region *region, Error **err);
