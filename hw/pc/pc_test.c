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

TEST("pc: APIC IDs give each level of the topology a power of two")
{
    SmpTopology smp = {12, 2, 1, 3, 2, 12};

    check(pc_apic_id(&smp, 5), 5);
    check(pc_apic_id(&smp, 6), 8);
    check(pc_apic_id(&smp, 11), 13);
}
