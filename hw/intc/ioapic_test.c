/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "accel/accel.h"
#include "hw/intc/ioapic.h"
#include "hw/intc/lapic.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

enum { LAPIC = 0xfee00000, IOAPIC = 0xfec00000, SELECT = IOAPIC, WINDOW = IOAPIC + 0x10 };
enum { EOI = IOAPIC + 0x40, LEVEL = 1 << 15, MASKED = 1 << 16, REMOTE_IRR = 1 << 14 };

typedef struct Pc {
    Board *b;
    Vcpu *cpu;
} Pc;

static Pc pc(void)
{
    Pc p = {.b = board_new()};
    Device *port = board_add(p.b, &MsiPort_class, NULL, NULL), *ioapic;
    Device *sink = (Device *)object_at((Object *)board_machine(p.b), "sink");

    p.cpu = (Vcpu *)board_add(p.b, &Vcpu_class, NULL, NULL);
    board_add(p.b, &Lapic_class, NULL, "cpu", LINK(p.cpu), "port", LINK(port), NULL);
    ioapic = board_add(p.b, &IoApic_class, NULL, "port", LINK(port), NULL);
    for (int n = 0; n < 8; n++) {
        irq_wire(sink, "drive", n, ioapic, "in", n, NULL);
    }
    cpu_put(p.cpu, LAPIC + 0xf0, 0x1ff, 4);
    return p;
}

static uint32_t get(Pc p, uint8_t index)
{
    mem_put(p.b, SELECT, index, 4);
    return mem_get(p.b, WINDOW, 4);
}

static void put(Pc p, uint8_t index, uint32_t value)
{
    mem_put(p.b, SELECT, index, 4);
    mem_put(p.b, WINDOW, value, 4);
}

static int take(Pc p)
{
    return p.cpu->intc_ops->acknowledge(p.cpu->intc);
}

static void lapic_eoi(Pc p)
{
    cpu_put(p.cpu, LAPIC + 0xb0, 0, 4);
}

TEST("ioapic: it names 24 inputs and version 0x20; all are masked; its ID has four bits")
{
    Pc p = pc();

    check(get(p, 1), 0x170020);
    check(get(p, 0x10 + 46), MASKED);
    put(p, 0, ~0u);
    check(get(p, 0), 0x0f000000);
}

TEST("ioapic: an edge is sent once, and lost while masked")
{
    Pc p = pc();

    board_drive(p.b, 3, true);
    put(p, 0x16, 0x43);
    check(take(p), -1);
    board_drive(p.b, 3, false);
    board_drive(p.b, 3, true);
    check(take(p), 0x43);
    lapic_eoi(p);
    check(take(p), -1);
}

TEST("ioapic: a level shows its remote IRR until EOI, and is sent again while it lasts")
{
    Pc p = pc();

    put(p, 0x18, 0x54 | LEVEL);
    board_drive(p.b, 4, true);
    check(get(p, 0x18), 0x54 | LEVEL | REMOTE_IRR);
    check(take(p), 0x54);
    lapic_eoi(p);
    check(take(p), 0x54);
    board_drive(p.b, 4, false);
    lapic_eoi(p);
    check(get(p, 0x18), 0x54 | LEVEL);
    check(take(p), -1);
}

TEST("ioapic: a level that rose while masked is sent when it is unmasked")
{
    Pc p = pc();

    put(p, 0x18, 0x54 | LEVEL | MASKED);
    board_drive(p.b, 4, true);
    check(take(p), -1);
    put(p, 0x18, 0x54 | LEVEL);
    check(take(p), 0x54);
}

TEST("ioapic: its EOI register and a turn through edge mode end a level, too")
{
    Pc p = pc();

    put(p, 0x18, 0x54 | LEVEL);
    board_drive(p.b, 4, true);
    board_drive(p.b, 4, false);
    mem_put(p.b, EOI, 0x54, 4);
    check(get(p, 0x18), 0x54 | LEVEL);
    board_drive(p.b, 4, true);
    put(p, 0x18, 0x54 | MASKED);
    put(p, 0x18, 0x54 | LEVEL | MASKED);
    check(get(p, 0x18), 0x54 | LEVEL | MASKED);
}

TEST("ioapic: destination and delivery mode go with the message")
{
    Pc p = pc();

    put(p, 0x14, 0x400); /* NMI to APIC 0 */
    put(p, 0x17, 5 << 24);
    put(p, 0x16, 0x43); /* to APIC 5, which is not there */
    board_drive(p.b, 2, true);
    board_drive(p.b, 3, true);
    check(p.cpu->events, VCPU_NMI);
}

TEST("ioapic: ExtINT asks the 8259 for the vector")
{
    Pc p = pc();

    put(p, 0x10, 0x700);
    board_drive(p.b, 0, true);
    check(p.cpu->events, VCPU_INTR);
}

/* An engine that has the local APICs and writes down what it is told. */
typedef struct Router {
    Accel accel;
    GString *said;
} Router;

static IrqChip router_irqchip(Accel *a)
{
    return IRQCHIP_SPLIT;
}

static void router_msi(Accel *a, MsiMessage message)
{
    g_string_append_printf(((Router *)a)->said, "message %#x\n", message.data & 0xff);
}

static bool router_route(Accel *a, unsigned gsi, const MsiMessage *to, Error **err)
{
    g_string_append_printf(((Router *)a)->said, "%u: %#x\n", gsi, to ? to->data & 0xff : 0);
    return true;
}

static const AccelClass Router_class = {
    .class = {"router", "writes down routes", &Accel_class.class, sizeof(Router)},
    .irqchip = router_irqchip,
    .msi = router_msi,
    .route = router_route,
};
CLASS(Router);

/* What was said since the last time. */
static void check_said(Router *r, const char *want)
{
    check_str(r->said->str, want);
    g_string_truncate(r->said, 0);
}

TEST("ioapic: an engine knows a level's route before its message and until its EOI, masked or not")
{
    Pc p = pc();
    g_autoptr(GString) log = g_string_new(""), said = g_string_new("");
    Router *r = (Router *)accel_pick(board_machine(p.b), "router", log, NULL);

    r->said = said;
    check(accel_start(&r->accel, NULL), true);
    p.cpu->accel = &r->accel;
    put(p, 0x18, 0x54 | LEVEL | MASKED);
    g_string_truncate(said, 0);
    board_drive(p.b, 4, true);
    put(p, 0x18, 0x54 | LEVEL);
    check_said(r, "4: 0x54\nmessage 0x54\n");
    put(p, 0x18, 0x54 | LEVEL | MASKED);
    check_said(r, "4: 0x54\n");
    p.cpu->intc_ops->eoi(p.cpu->intc, 0x54);
    check(get(p, 0x18), 0x54 | LEVEL | MASKED);
    check_said(r, "4: 0\n");
}
