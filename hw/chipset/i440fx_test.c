/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/chipset/i440fx.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

#include <string.h>

enum { SEGMENT_F = 0xf0000, SEGMENT_C = 0xc0000, VGA = 0xa0000, MB = 1 << 20 };

typedef struct Rom { /* what the PCI bus has behind shadow RAM */
    Region rom, ram;
    PciHost *host;
    I440fx *bridge;
} Rom;

static void put(PciHost *host, unsigned at, uint8_t value)
{
    pci_config_write(host->bus, 0, at, value, 1);
}

/* ROM full of 0xbb at 0xc0000 to 0xfffff, a frame buffer full of 0xbb in front of it. */
static Board *bridge(Rom *r)
{
    Board *b = board_new();
    Machine *m = board_machine(b);
    Device *host = device_add(m, &I440fxHost_class, "host", NULL, NULL, NULL, NULL);

    r->host = CAST(PciHost, host);
    r->bridge =
        (I440fx *)device_add(m, &I440fx_class, "bridge0", &r->host->bus->bus, "0", NULL, NULL);
    region_init_ram(&r->ram, &host->obj, "ram", MB, RAM_PRIVATE, NULL);
    region_init_ram(&r->rom, &host->obj, "rom", MB - VGA, RAM_PRIVATE, NULL);
    memset(r->rom.ram->host, 0xbb, MB - VGA);
    region_map(&r->host->memory, VGA, &r->rom, 0);
    i440fx_add_ram(r->bridge, r->host, &r->ram, i440fx_ram_layout(MB));
    return b;
}

static void done(Board *b, Rom *r)
{
    device_remove((Device *)r->bridge);
    device_remove(&r->host->dev);
    region_free(&r->rom);
    region_free(&r->ram);
}

TEST("i440fx: shadow RAM: to the bus; stores only; loads only; both")
{
    Rom r = {0};
    Board *b = bridge(&r);

    mem_put(b, SEGMENT_F, 1, 1);
    check(mem_get(b, SEGMENT_F, 1), 1); /* that ROM is writable here, but it is the ROM */
    check(r.ram.ram->host[SEGMENT_F], 0);
    put(r.host, 0x59, 0x20);
    mem_put(b, SEGMENT_F, 0x3344, 2);
    check(mem_get(b, SEGMENT_F + 1, 1), 0xbb);
    put(r.host, 0x59, 0x10);
    mem_put(b, SEGMENT_F, 0, 2);
    check(mem_get(b, SEGMENT_F, 2), 0x3344);
    put(r.host, 0x59, 0x30);
    mem_put(b, SEGMENT_F, 0x5566, 2);
    check(mem_get(b, SEGMENT_F, 2), 0x5566);
    done(b, &r);
}

TEST("i440fx: a reset shows the ROM again, but not the one that ends S3")
{
    Rom r = {0};
    Board *b = bridge(&r);

    put(r.host, 0x59, 0x30);
    mem_put(b, SEGMENT_F, 0x5566, 2);
    machine_reset(board_machine(b), RESET_WAKE);
    check(mem_get(b, SEGMENT_F, 2), 0x5566);
    machine_reset(board_machine(b), RESET_WARM);
    check(mem_get(b, SEGMENT_F, 2), 0xbbbb);
    done(b, &r);
}

TEST("i440fx: each half of a PAM register has its own 16 KB")
{
    Rom r = {0};
    Board *b = bridge(&r);

    put(r.host, 0x5a, 0x03);
    check(mem_get(b, SEGMENT_C, 1), 0);
    check(mem_get(b, SEGMENT_C + 0x4000, 1), 0xbb);
    put(r.host, 0x5f, 0x30);
    check(mem_get(b, 0xebfff, 1), 0xbb);
    check(mem_get(b, 0xec000, 1), 0);
    check(mem_get(b, SEGMENT_F, 1), 0xbb);
    done(b, &r);
}

TEST("i440fx: SMRAM hides behind the frame buffer, opens, and is closed for good by its lock")
{
    Rom r = {0};
    Board *b = bridge(&r);

    check(mem_get(b, VGA, 1), 0xbb);
    put(r.host, 0x72, 0x4a);
    mem_put(b, VGA, 0x77, 1);
    put(r.host, 0x72, 0x1a);
    check(mem_get(b, VGA, 1), 0xbb);
    check(r.ram.ram->host[VGA], 0x77);
    put(r.host, 0x72, 0x4a);
    check(pci_config_read(r.host->bus, 0, 0x72, 1), 0x1a);
    machine_reset(board_machine(b), RESET_WARM);
    put(r.host, 0x72, 0x4a);
    check(mem_get(b, VGA, 1), 0x77);
    done(b, &r);
}

TEST("i440fx: 3.5 GB lie below the hole; more than that leaves 3 GB there")
{
    check(i440fx_ram_layout(0xdfffffff).below, 0xdfffffff);
    check(i440fx_ram_layout(0xdfffffff).above, 0);
    check(i440fx_ram_layout(0xe0000000).below, 0xc0000000);
    check(i440fx_ram_layout(0xe0000000).above, 0x20000000);
}

TEST("pci-host: a register is reached by 0xcf8 and any byte of 0xcfc; other buses are empty")
{
    Rom r = {0};
    Board *b = bridge(&r);
    AddressSpace *ports = machine_port_space(board_machine(b));
    uint32_t v = 0x80000000;

    mem_write(ports, (Access){0}, 0xcf8, &v, 4);
    mem_read(ports, (Access){0}, 0xcfc, &v, 4);
    check(v, 0x12378086);
    check(inb(b, 0xcfe), 0x37);
    v = 0x80010000;
    mem_write(ports, (Access){0}, 0xcf8, &v, 4);
    check(inb(b, 0xcfc), 0xff);
    v = 0;
    mem_write(ports, (Access){0}, 0xcf8, &v, 4);
    check(inb(b, 0xcfc), 0xff);
    done(b, &r);
}
