/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/test.h"

#include "hw/misc/pc_testdev.h"
#include "hw/misc/pci_testdev.h"
#include "tests/lib/board.h"

enum { BAR0 = 0xe0000000, BAR1 = 0xc000 };

TEST("pc-testdev: four bytes at ports 0xe0 and 0xe8, memory at 0xff000000")
{
    Board *b = board_new();

    board_add(b, &PcTestdev_class, NULL, NULL);
    outb(b, 0xe0, 0x11);
    outb(b, 0xe3, 0x44);
    check(inb(b, 0xe8), 0x11);
    check(inb(b, 0xeb), 0x44);
    mem_put(b, 0xff00fff8, 0x1122334455667788, 8);
    check(mem_get(b, 0xff00fffc, 4), 0x11223344);
}

TEST("pc-testdev: interrupt lines take the level that is written")
{
    Board *b = board_new();
    Device *bridge = device_add(board_machine(b), &Device_class, "isabr", NULL, NULL, NULL, NULL);
    IsaBus *bus = CAST(IsaBus, bus_new(&IsaBus_class, bridge, "isa.0"));

    isa_route(bus, 14, (Device *)object_at((Object *)board_machine(b), "sink"), "in", 14);
    device_add(board_machine(b), &PcTestdev_class, "t", &bus->bus, NULL, NULL, NULL);
    outb(b, 0x200e, 1);
    check(irq_seen(b, 14), 1);
    outb(b, 0x200e, 0);
    check(irq_seen(b, 14), 0);
}

TEST("pc-testdev: a page taken out of the map is back, with what it held")
{
    Board *b = board_new();
    uint32_t page = 0x5000;

    board_add(b, &PcTestdev_class, NULL, NULL);
    mem_put(b, page, 0x12345678, 4);
    mem_write(machine_port_space(board_machine(b)), (Access){0}, 0xe4, &page, 4);
    check(mem_get(b, page, 4), 0x12345678);
}

static Board *testdev(void)
{
    Board *b = board_new();

    board_add(b, &PciTestdev_class, NULL, NULL);
    pci_config_write(board_pci(b), 0, 0x10, BAR0, 4);
    pci_config_write(board_pci(b), 0, 0x14, BAR1, 4);
    pci_config_write(board_pci(b), 0, 4, 3, 2);
    return b;
}

TEST("pci-testdev: a test counts the writes that its header asks for, in memory and in ports")
{
    Board *b = testdev();

    check(pci_config_read(board_pci(b), 0, 0, 4), 0x00051b36);
    mem_put(b, BAR0, 0, 1);
    check(mem_get(b, BAR0 + 1, 1), 1);
    check(mem_get(b, BAR0 + 12, 4), 0);
    for (int i = 0; i < 16; i++) {
        mem_put(b, BAR0 + mem_get(b, BAR0 + 4, 4), mem_get(b, BAR0 + 8, 4), 1);
    }
    check(mem_get(b, BAR0 + 12, 4), 16);
    outb(b, BAR1, 2);
    outb(b, BAR1 + inb(b, BAR1 + 4), inb(b, BAR1 + 8));
    outb(b, BAR1 + inb(b, BAR1 + 4), 0x5a); /* not the value it looks for */
    check(inb(b, BAR1 + 12), 1);
}

TEST("pci-testdev: behind the last test there is none")
{
    Board *b = testdev();

    mem_put(b, BAR0, 2, 1);
    check(mem_get(b, BAR0 + 16, 1), 'm');
    mem_put(b, BAR0, 3, 1);
    check(mem_get(b, BAR0 + 1, 1), 0);
}

TEST("pci-testdev: membar must be a power of two")
{
    Board *b = board_new();
    Error *err = NULL;

    board_add(b, &PciTestdev_class, &err, "membar", NUMBER(5000), NULL);
    check_str(error_text(err), "membar 5000 is no power of two from 4096 up");
    error_free(err);
}
