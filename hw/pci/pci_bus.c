/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PCI bus: slots, interrupt wiring (PCI Local Bus 3.0, section 2.2.6, and the PIIX3's layout),
 * plugging. Not modelled: bridges to further buses.
 */
#include "hw/pci/pci_impl.h"

#include <string.h>

enum { FUNCTIONS = 8, ALL = 256 };

static bool parse_devfn(const char *addr, unsigned *devfn)
{
    char *end;
    uint64_t slot = g_ascii_strtoull(addr, &end, 16), fn = 0;
    bool ok = end != addr && *addr != '-' && *addr != '+';

    if (ok && *end == '.') {
        ok = end[1] >= '0' && end[1] <= '7';
        fn = g_ascii_strtoull(end + 1, &end, 8);
    }
    *devfn = slot << 3 | fn;
    return ok && !*end && slot < 32 && fn < FUNCTIONS;
}

/* The first slot without any function. */
static unsigned free_slot(const PciBus *b)
{
    for (unsigned devfn = 0; devfn < ALL; devfn += FUNCTIONS) {
        bool free = true;

        for (unsigned fn = 0; fn < FUNCTIONS; fn++) {
            free &= !b->slot[devfn + fn];
        }
        if (free) {
            return devfn;
        }
    }
    return ALL;
}

/* Guests look at function 0 alone, unless it says that there are more. */
static bool check_functions(const PciBus *b, const PciDevice *pci, unsigned devfn, Error **err)
{
    const PciDevice *first = b->slot[devfn & ~7u];

    if (devfn % FUNCTIONS) {
        return !first || first->multifunction ||
               (error_set(err, "slot %x has no further functions", devfn >> 3),
                error_hint(err, "give %s multifunction=on", first->dev.obj.name));
    }
    for (unsigned fn = 1; fn < FUNCTIONS && !pci->multifunction; fn++) {
        if (b->slot[devfn + fn]) {
            error_set(err, "slot %x has function %u, so function 0 needs multifunction=on",
                      devfn >> 3, fn);
            return false;
        }
    }
    return true;
}

static bool pci_attach(Bus *bus, Device *dev, Error **err)
{
    PciBus *b = CAST(PciBus, bus);
    PciDevice *pci = CAST(PciDevice, dev);
    unsigned devfn = 0;

    if (dev->addr && !parse_devfn(dev->addr, &devfn)) {
        return error_set(err, "addr %s is not a slot (0 to 1f) or slot.function", dev->addr);
    }
    if (!dev->addr && (devfn = free_slot(b)) == ALL) {
        return error_set(err, "no slot is free on %s", bus->obj.name);
    }
    if (b->slot[devfn]) {
        return error_set(err, "addr %02x.%x is taken by %s", devfn >> 3, devfn & 7,
                         b->slot[devfn]->dev.obj.name);
    }
    if (!check_functions(b, pci, devfn, err)) {
        return false;
    }
    b->slot[devfn] = pci;
    pci->devfn = devfn;
    return true;
}

static void pci_detach(Bus *bus, Device *dev)
{
    PciBus *b = CAST(PciBus, bus);

    b->slot[CAST(PciDevice, dev)->devfn] = NULL;
}

/* INTA of neighbouring slots comes out at different pins of the router, so that they share less.
 * Slot 1, where the router is, starts with its first pin. */
bool pci_wire(PciDevice *pci, Error **err)
{
    PciBus *b = (PciBus *)pci->dev.bus;
    uint8_t pin = pci->config[PCI_PIN];

    return !pin || !b->router ||
           irq_wire(&pci->dev, "intx", 0, b->router, "pirq", ((pci->devfn >> 3) + pin - 2) & 3,
                    err);
}

static bool is_fixed(const PciDevice *pci)
{
    return ((const PciDeviceClass *)pci->dev.obj.class)->fixed;
}

static bool pci_ask(Bus *bus, Device *dev, Error **err)
{
    PciBus *b = CAST(PciBus, bus);
    PciDevice *pci = CAST(PciDevice, dev);

    if (!b->hotplug || is_fixed(pci)) {
        return error_set(err, "%s cannot be unplugged", dev->obj.name);
    }
    b->moved(b->hotplug, pci, false);
    return true;
}

static bool pci_plugs(Bus *bus)
{
    return CAST(PciBus, bus)->hotplug;
}

uint32_t pci_removable(const PciBus *bus)
{
    uint32_t slots = 0, fixed = 0;

    for (unsigned devfn = 0; devfn < ALL; devfn++) {
        const PciDevice *pci = bus->slot[devfn];

        slots |= pci ? 1u << (devfn >> 3) : 0;
        fixed |= pci && is_fixed(pci) ? 1u << (devfn >> 3) : 0;
    }
    return slots & ~fixed;
}

void pci_eject(PciBus *bus, uint32_t slots)
{
    slots &= pci_removable(bus);
    for (unsigned devfn = 0; devfn < ALL; devfn++) {
        if (bus->slot[devfn] && slots >> (devfn >> 3) & 1) {
            device_remove(&bus->slot[devfn]->dev);
        }
    }
}

const BusClass PciBus_class = {
    .class = {"PCI", "PCI bus", &Bus_class.class, sizeof(PciBus)},
    .takes = &PciDevice_class,
    .attach = pci_attach,
    .detach = pci_detach,
    .ask = pci_ask,
    .plugs = pci_plugs,
};
