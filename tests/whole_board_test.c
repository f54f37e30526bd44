/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole PC at once, under an engine that runs no guest code: whatever is written to it in any
 * size, it stays a machine that resets to one state, and that can be saved and loaded.
 */
#include "accel/accel.h"
#include "softmmu/run/machine_impl.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>

static uint32_t dice(uint32_t *seed, uint32_t n)
{
    *seed = *seed * 1664525 + 1013904223;
    return (*seed >> 8) % n;
}

static Machine *pc_new(void)
{
    Machine *m = machine_new_class(&machine_class_find("pc", NULL)->class);
    g_autoptr(GString) log = g_string_new("");
    Error *err = NULL;

    m->guest_log = g_string_new("");
    m->config.ram_bytes = m->config.maxmem_bytes = 16 << 20;
    m->config.smp = (SmpTopology){2, 2, 1, 1, 1, 2};
    if (!accel_start(accel_pick(m, "qtest", log, &err), &err) ||
        !machine_class_of(m)->build(m, &err)) {
        check_str(error_text(err), NULL);
    }
    machine_reset(m, RESET_POWER);
    return m;
}

static void pc_free(Machine *m)
{
    GString *log = m->guest_log;

    m->guest_log = NULL;
    machine_free(m);
    g_string_free(log, TRUE);
}

/* One access to a random device of the space. */
static void poke(AddressSpace *as, Access by, uint32_t *seed)
{
    FlatView *v = as->view;
    MemRange r = v->range[dice(seed, v->n)];
    uint64_t at = r.addr + dice(seed, MIN(r.size, dice(seed, 2) ? 64 : 0x1000));
    uint64_t value = dice(seed, 3) ? dice(seed, ~0u) : dice(seed, 256);

    if (r.ram || dice(seed, 2)) {
        mem_read(as, by, at, &value, 1 << dice(seed, 4));
    } else {
        mem_write(as, by, at, &value, 1 << dice(seed, 4));
    }
}

static void stir(Machine *m, uint32_t seed, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        Vcpu *cpu = machine_cpu(m, dice(&seed, 2));

        switch (dice(&seed, 4)) {
        case 0:
            poke(&cpu->memory, (Access){.cpu = cpu}, &seed);
            break;
        case 1:
            poke(machine_space(m), (Access){0}, &seed);
            break;
        default:
            poke(machine_port_space(m), (Access){.cpu = cpu}, &seed);
        }
        if (!dice(&seed, 8)) {
            clock_run(m->clock[CLOCK_GUEST],
                      clock_now(m->clock[CLOCK_GUEST]) + dice(&seed, 1 << 22));
        }
        if (!dice(&seed, 200)) {
            machine_poll(m);
        }
        g_string_truncate(m->guest_log, 0);
    }
}

static GByteArray *saved(Machine *m)
{
    GByteArray *out = g_byte_array_new();
    Error *err = NULL;

    if (!machine_save(m, out, &err)) {
        check_str(error_text(err), NULL);
    }
    return out;
}

static void same(GByteArray *a, GByteArray *b)
{
    check(a->len == b->len && !memcmp(a->data, b->data, a->len), true);
    g_byte_array_unref(a);
    g_byte_array_unref(b);
}

TEST("pc: random accesses of all sizes to every device never stop it; reset twice equals once")
{
    for (uint32_t seed = 1; seed <= 4; seed++) {
        Machine *m = pc_new();
        GByteArray *once;

        stir(m, seed, 4000);
        machine_reset(m, RESET_POWER);
        once = saved(m);
        machine_reset(m, RESET_POWER);
        same(once, saved(m));
        pc_free(m);
    }
}

TEST("pc: in whatever state, it is loaded into another PC as it was saved")
{
    for (uint32_t seed = 11; seed <= 14; seed++) {
        Machine *m = pc_new(), *other = pc_new();
        GByteArray *once;
        Error *err = NULL;

        stir(m, seed, 2000);
        once = saved(m);
        if (machine_load(other, once->data, once->len, &err)) {
            same(once, saved(other));
        } else {
            check_str(error_text(err), NULL);
            g_byte_array_unref(once);
        }
        pc_free(other);
        pc_free(m);
    }
}
