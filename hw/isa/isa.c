/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ISA bus. It arbitrates nothing: a device claims ports and an interrupt by its properties, and
 * two that claim the same share it, as cards did.
 *
 * Not modelled: bus cycles, DMA channels, Plug and Play.
 */
#include "hw/isa/isa.h"

static bool isa_attach(Bus *bus, Device *dev, Error **err)
{
    return !dev->addr || error_set(err, "addr %s: the ISA bus knows no addresses", dev->addr);
}

static void isa_detach(Bus *bus, Device *dev)
{
}

void isa_route(IsaBus *bus, unsigned irq, Device *to, const char *pin, unsigned n)
{
    for (int i = 0; irq < ISA_IRQS && i < ISA_TARGETS; i++) {
        if (!bus->irq[irq][i].to) {
            bus->irq[irq][i] = (struct IsaTarget){to, pin, n};
            return;
        }
    }
}

bool isa_join(IsaDevice *dev, const char *pin, unsigned n, unsigned irq, Error **err)
{
    if (irq >= ISA_IRQS) {
        return error_set(err, "irq %u is not below %u", irq, ISA_IRQS);
    }
    if (!dev->dev.bus) {
        return true;
    }
    struct IsaTarget *t = CAST(IsaBus, dev->dev.bus)->irq[irq];

    for (int i = 0; i < ISA_TARGETS && t[i].to; i++) {
        if (!irq_wire(&dev->dev, pin, n, t[i].to, t[i].pin, t[i].n, err)) {
            return false;
        }
    }
    return true;
}

bool isa_connect(IsaDevice *dev, Error **err)
{
    return isa_join(dev, "irq", 0, dev->irq_number, err);
}

bool isa_ports(IsaDevice *dev, Region *region, Error **err)
{
    if (dev->iobase + region->size > 0x10000) {
        return error_set(err, "iobase %#x: %" PRIu64 " ports do not fit below 0x10000", dev->iobase,
                         region->size);
    }
    region_map(machine_ports(dev->dev.machine), dev->iobase, region, 0);
    return true;
}

const BusClass IsaBus_class = {
    .class = {"ISA", "ISA bus", &Bus_class.class, sizeof(IsaBus)},
    .takes = &IsaDevice_class,
    .attach = isa_attach,
    .detach = isa_detach,
};

static const StateField isa_state[] = {
    STATE_SKIP(IsaDevice, iobase, "config"),
    STATE_SKIP(IsaDevice, irq_number, "config"),
    STATE_END,
};
static const Pin isa_pins[] = {PIN_OUT(IsaDevice, irq), PIN_END};

const DeviceClass IsaDevice_class = {
    .class = {"isa-device", "anything on an ISA bus", &Device_class.class, sizeof(IsaDevice)},
    .state = isa_state,
    .pins = isa_pins,
};
