/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/chipset/piix4_pm.h"
#include "softmmu/run/machine_impl.h"
#include "softmmu/run/run.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

enum { PM = 0x600, STATUS = PM, ENABLE = PM + 2, CONTROL = PM + 4, TIMER = PM + 8 };
enum { APMC = 0xb2, GPE = 0xafe0, HOTPLUG = 0xae00, SCI = 0 };

typedef struct Pm {
    Board *b;
    PciDevice *pci;
} Pm;

static Pm pm(void)
{
    Pm p = {.b = board_new()};
    Device *dev = board_any(p.b, &Piix4Pm_class.device.class);

    p.pci = (PciDevice *)dev;
    board_watch(p.b, dev, "sci", SCI);
    pci_config_write(board_pci(p.b), p.pci->devfn, 0x40, PM | 1, 4);
    pci_config_write(board_pci(p.b), p.pci->devfn, 0x80, 1, 1);
    outb(p.b, APMC, 0xf1); /* ACPI mode */
    return p;
}

static uint32_t port(Board *b, unsigned at, unsigned size)
{
    uint32_t v = 0;

    mem_read(machine_port_space(board_machine(b)), (Access){0}, at, &v, size);
    return v;
}

static void port_put(Board *b, unsigned at, uint32_t v, unsigned size)
{
    mem_write(machine_port_space(board_machine(b)), (Access){0}, at, &v, size);
    machine_poll(board_machine(b));
}

TEST("piix4-pm: the timer counts 3.579545 MHz in 24 bits, from any byte")
{
    Pm p = pm();

    clock_step(p.b, 1000000000);
    check(port(p.b, TIMER, 4), 3579545);
    check(port(p.b, TIMER + 1, 1), 3579545 >> 8 & 0xff);
    clock_step(p.b, 4000000000);
    check(port(p.b, TIMER, 4), 5 * 3579545 % (1 << 24));
}

TEST("piix4-pm: the timer is answered without the device as the device has it")
{
    Pm p = pm();
    AddressSpace *as = machine_port_space(board_machine(p.b));
    uint64_t value;

    clock_step(p.b, 123456789123456789);
    check(board_answer(p.b, as, TIMER, 4, &value), true);
    check(value, port(p.b, TIMER, 4));
    check(value, (unsigned __int128)123456789123456789 * 3579545 / 1000000000 % (1 << 24));
    check(board_answer(p.b, as, TIMER, 2, &value), false);
    check(board_answer(p.b, as, STATUS, 2, &value), false);
}

TEST("piix4-pm: the timer's status is set each half turn and raises the SCI when enabled")
{
    Pm p = pm();

    clock_step(p.b, 2343000000);
    check(port(p.b, STATUS, 2), 0);
    port_put(p.b, ENABLE, 1, 2);
    clock_step(p.b, 1000000);
    check(irq_seen(p.b, SCI), 1);
    check(port(p.b, STATUS, 2), 1);
    port_put(p.b, STATUS, 1, 2);
    check(irq_seen(p.b, SCI), 0);
    clock_step(p.b, 2344000000);
    check(irq_seen(p.b, SCI), 1);
}

TEST("piix4-pm: the power button raises the SCI once the guest wants it, in ACPI mode only")
{
    Pm p = pm();

    port_put(p.b, ENABLE, 0x100, 2);
    outb(p.b, APMC, 0xf0);
    machine_request_powerdown(board_machine(p.b));
    machine_poll(board_machine(p.b));
    check(port(p.b, STATUS, 2), 0x100);
    check(irq_seen(p.b, SCI), 0);
    outb(p.b, APMC, 0xf1);
    check(port(p.b, CONTROL, 2) & 1, 1);
    check(irq_seen(p.b, SCI), 1);
    port_put(p.b, STATUS + 1, 1, 1);
    check(irq_seen(p.b, SCI), 0);
}

TEST("piix4-pm: sleep type 0 turns the machine off, 7 does nothing")
{
    Pm p = pm();

    port_put(p.b, CONTROL, 0x2000 | 7 << 10, 2);
    check(machine_shutdown_reason(board_machine(p.b)), SHUTDOWN_NONE);
    port_put(p.b, CONTROL, 0x2000, 2);
    check(machine_shutdown_reason(board_machine(p.b)), SHUTDOWN_GUEST);
}

TEST("piix4-pm: sleep type 2 is said to save the state on a disk, and turns the machine off")
{
    Pm p = pm();

    board_events(p.b);
    port_put(p.b, CONTROL, 0x2000 | 2 << 10, 2);
    check_str(board_events(p.b), "SUSPEND_DISK\n");
    check(machine_shutdown_reason(board_machine(p.b)), SHUTDOWN_GUEST);
}

TEST("piix4-pm: S3 ends when the clock's alarm is enabled and rings; the status says so")
{
    Pm p = pm();
    Machine *m = board_machine(p.b);

    irq_wire((Device *)object_at((Object *)m, "sink"), "drive", 3, &p.pci->dev, "rtc", 0, NULL);
    machine_resume(m, NULL);
    port_put(p.b, CONTROL, 0x2000 | 1 << 10, 2);
    check(machine_state(m), MACHINE_SUSPENDED);
    board_drive(p.b, 3, true);
    machine_poll(m);
    check(machine_state(m), MACHINE_SUSPENDED);
    board_drive(p.b, 3, false);
    port_put(p.b, ENABLE, 0x400, 2);
    board_drive(p.b, 3, true);
    machine_poll(m);
    check(machine_state(m), MACHINE_RUNNING);
    pci_config_write(board_pci(p.b), p.pci->devfn, 0x40, PM | 1, 4);
    pci_config_write(board_pci(p.b), p.pci->devfn, 0x80, 1, 1);
    check(port(p.b, STATUS, 2), 0x8400);
}

TEST("piix4-pm: registers follow PMBA and its enable bit")
{
    Pm p = pm();

    pci_config_write(board_pci(p.b), p.pci->devfn, 0x40, 0xb001, 4);
    check(port(p.b, CONTROL, 2), 0xffff);
    check(port(p.b, 0xb004, 2), 1);
    pci_config_write(board_pci(p.b), p.pci->devfn, 0x80, 0, 1);
    check(port(p.b, 0xb004, 2), 0xffff);
}

TEST("piix4-pm: APM control raises an SMI once DEVACTB lets it")
{
    Pm p = pm();

    irq_wire(&p.pci->dev, "smi", 0, (Device *)object_at((Object *)board_machine(p.b), "sink"), "in",
             1, NULL);
    outb(p.b, APMC, 0x12);
    check(irq_edges(p.b, 1), 0);
    pci_config_write(board_pci(p.b), p.pci->devfn, 0x58, 1 << 25, 4);
    outb(p.b, APMC, 0x12);
    check(irq_edges(p.b, 1), 1);
    check(inb(p.b, APMC), 0x12);
}

TEST("piix4-pm: unplugging asks the guest by GPE 1; ejecting takes the device away")
{
    Pm p = pm();
    Device *card = device_add(board_machine(p.b), class_find("test-card"), "card",
                              &board_pci(p.b)->bus, "5", NULL, NULL);

    port_put(p.b, GPE + 2, 2, 1);
    check(port(p.b, HOTPLUG + 12, 4), 1 << 5);
    check(device_unplug(card, NULL), true);
    check(irq_seen(p.b, SCI), 1);
    check(port(p.b, HOTPLUG + 4, 4), 1 << 5);
    check(port(p.b, HOTPLUG + 4, 4), 0);
    port_put(p.b, GPE, 2, 1);
    check(irq_seen(p.b, SCI), 0);
    board_events(p.b);
    port_put(p.b, HOTPLUG + 8, 0xffffffff, 4);
    check(board_pci(p.b)->slot[5 << 3] == NULL, true);
    check(g_str_has_prefix(board_events(p.b), "DEVICE_DELETED{\"path\":\"/machine/"), true);
    check(board_pci(p.b)->slot[p.pci->devfn] == p.pci, true);
}
