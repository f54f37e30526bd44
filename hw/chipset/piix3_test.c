/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/chipset/piix3.h"
#include "softmmu/run/run.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

enum { IRQ5 = 5, IRQ11 = 11, ROUTE_A = 0x60, ROUTE_B = 0x61 };

/* Its inputs are the sink's outputs, its lines the sink's inputs. */
static Board *bridge(void)
{
    Board *b = board_new();
    Device *dev = board_any(b, &Piix3_class.device.class);

    for (unsigned n = 0; n < 16; n++) {
        board_watch(b, dev, "irq", n);
    }
    return b;
}

static void route(Board *b, unsigned at, uint8_t value)
{
    pci_config_write(board_pci(b), 0, at, value, 1);
}

TEST("piix3: a PCI interrupt goes to the line it is routed to, and nowhere after reset")
{
    Board *b = bridge();

    board_drive(b, 0, true);
    check(irq_seen(b, 0), 0);
    route(b, ROUTE_A, IRQ5);
    check(irq_seen(b, IRQ5), 1);
    route(b, ROUTE_A, IRQ11);
    check(irq_seen(b, IRQ5), 0);
    check(irq_seen(b, IRQ11), 1);
    machine_reset(board_machine(b), RESET_WARM);
    check(irq_seen(b, IRQ11), 0);
}

TEST("piix3: two PCI interrupts share a line, which falls with the last of them")
{
    Board *b = bridge();

    route(b, ROUTE_A, IRQ11);
    route(b, ROUTE_B, IRQ11);
    board_drive(b, 0, true);
    board_drive(b, 1, true);
    board_drive(b, 0, false);
    check(irq_seen(b, IRQ11), 1);
    board_drive(b, 1, false);
    check(irq_seen(b, IRQ11), 0);
}

TEST("piix3: the timer's line takes no PCI interrupt")
{
    Board *b = bridge();

    board_drive(b, 0, true);
    route(b, ROUTE_A, 0);
    check(irq_seen(b, 0), 0);
}

typedef struct Heard {
    Object obj;
    MachineHook hook;
    int resets;
} Heard;
static const Class Heard_class = {"heard", "counts resets", &Object_class, sizeof(Heard)};

static void heard(Object *obj, MachineNews news)
{
    ((Heard *)obj)->resets += news == MACHINE_WAS_RESET;
}

TEST("piix3: port 0xcf9 resets when bit 2 rises; a 32-bit write there is a configuration address")
{
    Board *b = board_new();
    Machine *m = board_machine(b);
    PciHost *host =
        CAST(PciHost, device_add(m, class_find("i440FX-pcihost"), "host", NULL, NULL, NULL, NULL));
    Device *dev = device_add(m, &Piix3_class, "isa", &host->bus->bus, "1", NULL, NULL);
    Heard *h = (Heard *)object_new(&Heard_class, (Object *)m, "heard");

    h->hook = (MachineHook){&h->obj, heard, NULL};
    machine_listen(m, &h->hook);
    piix3_serve_reset((Piix3 *)dev, host);
    outb(b, 0xcf9, 2);
    check(h->resets, 0);
    check(inb(b, 0xcf9), 2);
    outb(b, 0xcf9, 6);
    check(h->resets, 1);
    check(inb(b, 0xcf9), 0);
}
