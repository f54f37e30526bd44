/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * query-pci: what lies on the PCI buses, and where the guest has put it (PCI Local Bus 3.0, chapter
 * 6: configuration space). Not modelled: buses behind bridges, there are none.
 */
#include "hw/pci/pci.h"
#include "monitor/monitor_impl.h"
#include "qapi/commands.h"

#include <string.h>

typedef struct ClassName {
    uint16_t code; /* base class and sub-class */
    const char *name;
} ClassName;

/* PCI Code and ID Assignment Specification */
static const ClassName class_names[] = {
    {0x0100, "SCSI controller"},
    {0x0101, "IDE controller"},
    {0x0106, "SATA controller"},
    {0x0108, "NVMe controller"},
    {0x0200, "Ethernet controller"},
    {0x0300, "VGA controller"},
    {0x0403, "Audio controller"},
    {0x0600, "Host bridge"},
    {0x0601, "ISA bridge"},
    {0x0604, "PCI bridge"},
    {0x0680, "Bridge"},
    {0x0700, "Serial port"},
    {0x0880, "System peripheral"},
    {0x0c03, "USB controller"},
    {0x0c05, "SMBus"},
    {0x00ff, "Other"},
};

static const char *name_of(unsigned code)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(class_names); i++) {
        if (class_names[i].code == code) {
            return class_names[i].name;
        }
    }
    return NULL;
}

/* Where the register points; -1 while its space is switched off or it was not set. */
static int64_t address_of(const PciDevice *pci, int n)
{
    unsigned at = n == PCI_ROM_BAR ? PCI_ROM : PCI_BAR0 + 4 * n;
    bool io = pci->bar[n].kind == BAR_IO;
    uint64_t value = pci_get(pci, at, 4) & (io ? ~3u : n == PCI_ROM_BAR ? ~0x7ffu : ~15u);
    unsigned command = pci_get(pci, PCI_COMMAND, 2);

    if ((pci->bar[n].kind & 3) == BAR_MEM64) {
        value |= (uint64_t)pci_get(pci, at + 4, 4) << 32;
    }
    if (n == PCI_ROM_BAR && !(pci_get(pci, at, 4) & 1)) {
        return -1;
    }
    return value && command & (io ? PCI_CMD_IO : PCI_CMD_MEM) ? (int64_t)value : -1;
}

static void add_regions(const PciDevice *pci, PciMemoryRegionList *to)
{
    for (int n = 0; n <= PCI_ROM_BAR; n++) {
        bool io = pci->bar[n].kind == BAR_IO;
        PciMemoryRegion *r;

        if (!pci->bar[n].region) {
            continue;
        }
        r = LIST_ADD(to);
        r->bar = n;
        r->type = g_strdup(io ? "io" : "memory");
        r->address = address_of(pci, n);
        r->size = pci->bar[n].region->size;
        r->has_prefetch = r->has_mem_type_64 = !io;
        r->prefetch = pci->bar[n].kind & BAR_PREFETCH;
        r->mem_type_64 = (pci->bar[n].kind & 3) == BAR_MEM64;
    }
}

static void add_device(const PciDevice *pci, PciDeviceInfoList *to)
{
    const Object *obj = &pci->dev.obj;
    bool of_user = obj->parent && !strcmp(obj->parent->name, "peripheral");
    PciDeviceInfo *d = LIST_ADD(to);
    unsigned code = pci_get(pci, PCI_CLASS + 2, 2);

    d->slot = pci->devfn >> 3;
    d->function = pci->devfn & 7;
    d->class_info.class_ = code;
    d->class_info.desc = g_strdup(name_of(code));
    d->id.vendor = pci_get(pci, 0, 2);
    d->id.device = pci_get(pci, 2, 2);
    if (!(pci_get(pci, PCI_HEADER, 1) & 0x7f)) {
        d->id.has_subsystem = d->id.has_subsystem_vendor = true;
        d->id.subsystem_vendor = pci_get(pci, PCI_SUBSYSTEM, 2);
        d->id.subsystem = pci_get(pci, PCI_SUBSYSTEM + 2, 2);
    }
    d->irq_pin = pci_get(pci, PCI_PIN, 1);
    d->has_irq = d->irq_pin;
    d->irq = pci_get(pci, PCI_LINE, 1);
    d->qdev_id = g_strdup(of_user ? obj->name : "");
    add_regions(pci, &d->regions);
}

static void add_buses(Object *at, PciInfoList *to)
{
    if (object_is(at, &PciBus_class)) {
        const PciBus *bus = (const PciBus *)at;
        PciInfo *info = LIST_ADD(to);

        for (unsigned devfn = 0; devfn < 256; devfn++) {
            if (bus->slot[devfn]) {
                add_device(bus->slot[devfn], &info->devices);
            }
        }
    }
    for (Object *c = at->children; c; c = c->next) {
        add_buses(c, to);
    }
}

bool qmp_query_pci(Machine *m, PciInfoList *ret, Error **err)
{
    lock_take(&m->lock);
    add_buses(&m->obj, ret);
    lock_drop(&m->lock);
    return true;
}
