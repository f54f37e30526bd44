/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration mechanism 1: PCI Local Bus 3.0, section 3.2.2.3.2. A 32-bit write to 0xcf8 selects
 * bus, device, function and register; 0xcfc to 0xcff are that register. One root bus, number 0;
 * other buses read as all ones.
 */
#include "hw/pci/pci_host.h"

enum { CONFIG_ADDRESS = 0xcf8, CONFIG_DATA = 0xcfc, ENABLE = 1u << 31, BUS = 0xff0000 };

static MemResult narrow(PciHost *h, Io *io)
{
    if (!h->narrow || !object_enter(h->narrow)) {
        io->value = ~0ull;
        return MEM_OK;
    }
    (io->write ? h->narrow_ops->write : h->narrow_ops->read)(h->narrow, io);
    object_leave(h->narrow);
    return MEM_OK;
}

static MemResult address_access(PciHost *h, Io *io)
{
    if (io->size != 4) {
        return narrow(h, io);
    }
    if (io->write) {
        h->config_address = io->value & ~0x7f000003u;
    } else {
        io->value = h->config_address;
    }
    return MEM_OK;
}

static MemResult data_access(PciHost *h, Io *io)
{
    uint32_t at = h->config_address;
    uint8_t devfn = at >> 8;
    unsigned offset = (at & 0xfc) + io->offset;

    if (!(at & ENABLE) || at & BUS) {
        return MEM_OK;
    }
    if (io->write) {
        pci_config_write(h->bus, devfn, offset, io->value, io->size);
    } else {
        io->value = pci_config_read(h->bus, devfn, offset, io->size);
    }
    return MEM_OK;
}

static const MemOps address_ops = {
    .read = METHOD(PciHost, address_access),
    .write = METHOD(PciHost, address_access),
    .accepts = {1, 4},
};
static const MemOps data_ops = {
    .read = METHOD(PciHost, data_access),
    .write = METHOD(PciHost, data_access),
    .accepts = {1, 4},
};

void pci_host_narrow(PciHost *host, Object *owner, const MemOps *ops)
{
    host->narrow = owner;
    host->narrow_ops = ops;
}

static bool host_realize(PciHost *h, Error **err)
{
    Machine *m = h->dev.machine;

    region_init(&h->memory, &h->dev.obj, "pci", machine_memory(m)->size);
    h->bus = CAST(PciBus, bus_new(&PciBus_class, &h->dev, "pci.0"));
    h->bus->memory = &h->memory;
    h->bus->ports = machine_ports(m);
    region_init_io(&h->address, &h->dev.obj, "pci-config-address", 4, &address_ops);
    region_init_io(&h->data, &h->dev.obj, "pci-config-data", 4, &data_ops);
    region_map(machine_ports(m), CONFIG_ADDRESS, &h->address, 0);
    region_map(machine_ports(m), CONFIG_DATA, &h->data, 0);
    region_map(machine_memory(m), 0, &h->memory, -1);
    return true;
}

/* What the board keeps in there, ROMs and RAM, must not point to it any more. */
static void host_unrealize(Object *obj)
{
    region_free(&((PciHost *)obj)->memory);
}

static const StateField host_state[] = {
    STATE(PciHost, config_address),
    STATE_SKIP(PciHost, bus, "config"),
    STATE_SKIP(PciHost, memory, "config"),
    STATE_SKIP(PciHost, address, "config"),
    STATE_SKIP(PciHost, data, "config"),
    STATE_SKIP(PciHost, narrow, "config"),
    STATE_SKIP(PciHost, narrow_ops, "config"),
    STATE_END,
};

const DeviceClass PciHost_class = {
    .class = {"pci-host", "root of a PCI bus", &Device_class.class, sizeof(PciHost)},
    .state = host_state,
    .realize = METHOD(PciHost, host_realize),
    .unrealize = host_unrealize,
};
