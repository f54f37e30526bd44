/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intel 82371SB PIIX3 (order number 290550), function 0: ISA bridge 8086:7000 with PIRQ routing
 * (section 2.2.9) and the reset control register (section 2.5.4.2).
 * Not modelled: chip selects, ISA timing, motherboard IRQ routing and SMI sources are storage only;
 * both kinds of reset reset the whole machine.
 */
#include "hw/chipset/piix3.h"

#include "softmmu/run/run.h"

#include <string.h>

enum { PIRQ_ROUTE = 0x60, ROUTE_OFF = 0x80, PIRQS = 4, RCR_AT = 1, RCR_HARD = 2, RCR_CPU = 4 };

struct Piix3 {
    PciDevice pci;
    uint8_t pirq; /* levels */
    uint8_t rcr;
    IrqLine irq[16];
};

/* What the data sheet gives each register after reset, and what a guest may change there. */
static const struct Default {
    uint8_t at, reset, writable;
} defaults[] = {
    {0x4c, 0x4d, 0xff}, {0x4e, 0x03, 0xff}, {0x4f, 0x00, 0x0f}, {0x60, 0x80, 0x8f},
    {0x61, 0x80, 0x8f}, {0x62, 0x80, 0x8f}, {0x63, 0x80, 0x8f}, {0x69, 0x02, 0xfe},
    {0x6a, 0x00, 0x91}, {0x6b, 0x00, 0x80}, {0x70, 0x80, 0xef}, {0x71, 0x80, 0xef},
    {0x76, 0x0c, 0x8f}, {0x77, 0x0c, 0x8f}, {0x78, 0x02, 0xff}, {0x79, 0x00, 0xff},
    {0x80, 0x00, 0x7f}, {0x82, 0x00, 0x0f}, {0xa0, 0x08, 0x1f}, {0xa2, 0x00, 0xff},
    {0xa4, 0x00, 0xff}, {0xa5, 0x00, 0xff}, {0xa6, 0x00, 0xff}, {0xa7, 0x00, 0xff},
    {0xa8, 0x0f, 0xff}, {0xaa, 0x00, 0xff}, {0xac, 0x00, 0xff}, {0xae, 0x00, 0xff},
};

static void pirq_in(Piix3 *p, unsigned n, bool level)
{
    p->pirq = level ? p->pirq | 1u << n : p->pirq & ~(1u << n);
}

/* Several may be routed to one line; interrupts that are no PCI interrupts' (0, 1, 2, 8, 13) are
 * reserved: routing there connects nothing. */
static void piix3_settle(Piix3 *p)
{
    enum { ALLOWED = 0xdef8 };
    uint32_t high = 0;

    for (unsigned n = 0; n < PIRQS; n++) {
        uint8_t route = p->pci.config[PIRQ_ROUTE + n];

        high |= p->pirq >> n & 1 && !(route & ROUTE_OFF) ? 1u << (route & 15) : 0;
    }
    for (unsigned i = 0; i < 16; i++) {
        irq_set(&p->irq[i], (high & ALLOWED) >> i & 1);
    }
}

/* ---- reset control ---- */

static MemResult rcr_read(Piix3 *p, Io *io)
{
    io->value = io->offset == RCR_AT && io->size == 1 ? p->rcr : ~0ull;
    return MEM_OK;
}

static MemResult rcr_write(Piix3 *p, Io *io)
{
    if (io->offset != RCR_AT || io->size != 1) {
        return MEM_OK;
    }
    if (io->value & RCR_CPU && !(p->rcr & RCR_CPU)) {
        machine_request_reset(p->pci.dev.machine, RESET_WARM);
    }
    p->rcr = io->value & (RCR_HARD | RCR_CPU);
    return MEM_OK;
}

static const MemOps rcr_ops = {
    .read = METHOD(Piix3, rcr_read),
    .write = METHOD(Piix3, rcr_write),
};

void piix3_serve_reset(Piix3 *p, PciHost *host)
{
    pci_host_narrow(host, &p->pci.dev.obj, &rcr_ops);
}

/* ---- life ---- */

static bool piix3_realize(Piix3 *p, Error **err)
{
    pci_put(&p->pci, PCI_COMMAND, PCI_CMD_IO | PCI_CMD_MEM | PCI_CMD_MASTER, 2);
    pci_writable(&p->pci, PCI_COMMAND, 8, 2); /* special cycles only: the rest is always on */
    pci_put(&p->pci, PCI_STATUS, 0x0200, 2);
    for (size_t i = 0; i < G_N_ELEMENTS(defaults); i++) {
        p->pci.writable[defaults[i].at] = defaults[i].writable;
    }
    ((PciBus *)p->pci.dev.bus)->router = &p->pci.dev;
    return true;
}

static void piix3_unrealize(Object *obj)
{
    PciDevice *pci = CAST(PciDevice, obj);

    ((PciBus *)pci->dev.bus)->router = NULL;
}

static void piix3_reset(Piix3 *p, ResetKind kind)
{
    for (size_t i = 0; i < G_N_ELEMENTS(defaults); i++) {
        p->pci.config[defaults[i].at] = defaults[i].reset;
    }
}

static const StateField piix3_state[] = {
    STATE(Piix3, pirq, .below = 1 << PIRQS),
    STATE(Piix3, rcr, .below = 8),
    STATE_END,
};
static const Pin piix3_pins[] = {
    PIN_IN("pirq", PIRQS, METHOD(Piix3, pirq_in), METHOD(Piix3, pirq_in)),
    PIN_OUT(Piix3, irq),
    PIN_END,
};

const PciDeviceClass Piix3_class = {
    .device =
        {
            .class = {"PIIX3", "PCI to ISA bridge", &PciDevice_class.device.class, sizeof(Piix3)},
            .onboard = true,
            .state = piix3_state,
            .pins = piix3_pins,
            .realize = METHOD(Piix3, piix3_realize),
            .unrealize = piix3_unrealize,
            .reset = METHOD(Piix3, piix3_reset),
            .settle = METHOD(Piix3, piix3_settle),
        },
    .vendor = 0x8086,
    .id = 0x7000,
    .class_code = 0x060100,
    .fixed = true,
};
CLASS(Piix3);
