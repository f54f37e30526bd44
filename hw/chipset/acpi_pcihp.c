/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI hotplug by ACPI for the root bus. Four 32-bit registers, one bit for each slot: UP and DOWN
 * say which devices came or shall go and are cleared by reading; EJECT pulls out the slots written
 * to it; REMOVABLE says where that is possible. The DSDT (hw/firmware/pc.asl) is the only user. Not
 * modelled: buses behind bridges.
 */
#include "hw/chipset/acpi_pcihp.h"

enum { UP = 0, DOWN = 4, EJECT = 8, REMOVABLE = 12, SIZE = 16 };

static AcpiPciHotplug *of(Io *io)
{
    return (AcpiPciHotplug *)((char *)io->region - offsetof(AcpiPciHotplug, ports));
}

static uint32_t take(uint32_t *slots, bool debug)
{
    uint32_t was = *slots;

    *slots = debug ? was : 0;
    return was;
}

static MemResult hp_read(Object *owner, Io *io)
{
    AcpiPciHotplug *hp = of(io);

    switch (io->offset) {
    case UP:
        io->value = take(&hp->up, io->by.debug);
        break;
    case DOWN:
        io->value = take(&hp->down, io->by.debug);
        break;
    case REMOVABLE:
        io->value = pci_removable(hp->bus);
        break;
    default:
        io->value = 0;
    }
    return MEM_OK;
}

static MemResult hp_write(Object *owner, Io *io)
{
    if (io->offset == EJECT) {
        pci_eject(of(io)->bus, io->value);
    }
    return MEM_OK;
}

static const MemOps hp_ops = {.read = hp_read, .write = hp_write, .accepts = {4, 4}};

void acpi_pcihp_init(AcpiPciHotplug *hp, Device *owner, PciBus *bus,
                     void (*moved)(Device *owner, PciDevice *pci, bool in))
{
    region_init_io(&hp->ports, &owner->obj, "acpi-pci-hotplug", SIZE, &hp_ops);
    hp->bus = bus;
    bus->hotplug = owner;
    bus->moved = moved;
}

void acpi_pcihp_moved(AcpiPciHotplug *hp, PciDevice *pci, bool in)
{
    *(in ? &hp->up : &hp->down) |= 1u << (pci->devfn >> 3);
}

const StateField acpi_pcihp_state[] = {
    STATE(AcpiPciHotplug, up),
    STATE(AcpiPciHotplug, down),
    STATE_SKIP(AcpiPciHotplug, ports, "config"),
    STATE_SKIP(AcpiPciHotplug, bus, "config"),
    STATE_END,
};
