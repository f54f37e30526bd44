/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/pc/pc.h"
#include "tests/lib/test.h"

#include <string.h>

static Pc *pc_new(uint64_t ram)
{
    Machine *m = machine_new_class(&machine_class_find("pc", NULL)->class);
    Error *err = NULL;

    m->config.ram_bytes = m->config.maxmem_bytes = ram;
    if (!machine_class_of(m)->build(m, &err)) {
        check_str(error_text(err), NULL);
    }
    return (Pc *)m;
}

static uint64_t get(Pc *pc, uint64_t addr, unsigned size)
{
    uint64_t v = 0;

    mem_read(machine_space(&pc->machine), (Access){0}, addr, &v, size);
    return v;
}

TEST("pc: the reset vector is in ROM at both places, RAM ends where it should")
{
    Pc *pc = pc_new(64 << 20);

    check(get(pc, 0xfffffff0, 1), 0xea); /* a far jump */
    check(get(pc, 0xfffffff0, 8), get(pc, 0xffff0, 8));
    check(get(pc, 64 << 20, 1), 0xff);
    check(get(pc, (64 << 20) - 1, 1), 0);
    machine_free(&pc->machine);
}

TEST("pc: what the firmware reads about memory, sleep states and CPUs")
{
    Pc *pc = pc_new(4096ull << 20);
    const uint64_t *e820 = g_bytes_get_data(fw_cfg_find(pc->fw_cfg, "etc/e820"), NULL);
    const uint8_t *sleep = g_bytes_get_data(fw_cfg_find(pc->fw_cfg, "etc/system-states"), NULL);

    check(e820[1], 0xc0000000);
    check(g_bytes_get_size(fw_cfg_find(pc->fw_cfg, "etc/e820")), 40);
    check(sleep[3], 0x81);
    check(get(pc, 1ull << 32, 1), 0);
    machine_free(&pc->machine);
}

static uint8_t cmos(Pc *pc, uint8_t at)
{
    AddressSpace *ports = machine_port_space(&pc->machine);

    mem_write(ports, (Access){0}, 0x70, &at, 1);
    mem_read(ports, (Access){0}, 0x71, &at, 1);
    return at;
}

TEST("pc: the CMOS tells memory and boot order; -boot once= is for the first start")
{
    Pc *pc = pc_new(64 << 20);

    check(cmos(pc, 0x34) | cmos(pc, 0x35) << 8, 48 * 16);
    check(cmos(pc, 0x17) | cmos(pc, 0x18) << 8, 63 * 1024);
    check(cmos(pc, 0x3d), 0x12);
    check(cmos(pc, 0x38), 0x30);
    machine_free(&pc->machine);
}

TEST("pc: resetting the whole board twice is the same as once")
{
    Pc *pc = pc_new(32 << 20);
    g_autoptr(GByteArray) once = g_byte_array_new(), twice = g_byte_array_new();

    machine_reset(&pc->machine, RESET_POWER);
    check(machine_save(&pc->machine, once, NULL), true);
    machine_reset(&pc->machine, RESET_POWER);
    check(machine_save(&pc->machine, twice, NULL), true);
    check(once->len == twice->len && !memcmp(once->data, twice->data, once->len), true);
    machine_free(&pc->machine);
}

/* Ports and registers of the whole board, some of them many times. */
static void stir(Pc *pc, unsigned rounds, uint32_t seed)
{
    static const uint64_t places[] = {
        0,     0x20,  0x40,  0x60,  0x70,  0x80,   0x92,   0xa0,       0xb2,       0xcf8,     0xcfc,
        0x3f8, 0x4d0, 0x510, 0x514, 0x600, 0xae00, 0xafe0, 0xfec00000, 0xfed00000, 0xfee00000};

    for (unsigned i = 0; i < rounds; i++) {
        seed = seed * 1664525 + 1013904223;
        uint64_t at = places[(seed >> 8) % G_N_ELEMENTS(places)] + (seed >> 16) % 16;
        uint64_t value = seed * 2654435761u;
        AddressSpace *as =
            at < 0x10000 ? machine_port_space(&pc->machine) : machine_space(&pc->machine);

        if (seed >> 31) {
            mem_write(as, (Access){0}, at, &value, 1 << (seed >> 28 & 3));
        } else {
            mem_read(as, (Access){0}, at, &value, 1 << (seed >> 28 & 3));
        }
    }
}

TEST("pc: random accesses everywhere leave a board that saves, and loads elsewhere the same")
{
    Pc *pc = pc_new(32 << 20), *other = pc_new(32 << 20);
    g_autoptr(GByteArray) saved = g_byte_array_new(), again = g_byte_array_new();
    Error *err = NULL;

    stir(pc, 20000, 7);
    check(machine_save(&pc->machine, saved, NULL), true);
    check(machine_load(&other->machine, saved->data, saved->len, &err), true);
    check_str(error_text(err), "");
    error_free(err);
    check(machine_save(&other->machine, again, NULL), true);
    check(saved->len == again->len && !memcmp(saved->data, again->data, saved->len), true);
    machine_free(&pc->machine);
    machine_free(&other->machine);
}

TEST("pc: APIC IDs give each level of the topology a power of two")
{
    SmpTopology smp = {12, 2, 1, 3, 2, 12};

    check(pc_apic_id(&smp, 5), 5);
    check(pc_apic_id(&smp, 6), 8);
    check(pc_apic_id(&smp, 11), 13);
}
