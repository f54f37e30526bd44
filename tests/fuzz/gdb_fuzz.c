/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer target: any bytes at the gdb port of a PC whose CPU does not run. The first byte says
 * whether the rest comes as it is, or line by line as packets with right sums, so that what is
 * behind the framing is met, too. Each input is a connection of its own; every 500 inputs, and when
 * one has ended the machine, there is a new machine.
 *
 * Left out: what goes to the monitor (it has targets of its own), and resets, which are slow.
 */
#include "chardev/memory.h"
#include "gdbstub/packet.h"
#include "softmmu/plan.h"
#include "softmmu/run/run_impl.h"

#include <string.h>

enum { INPUTS_A_MACHINE = 500 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Target {
    Machine *m;
    Chardev *chr;
    unsigned inputs;
} Target;

static void start(Target *t)
{
    char *argv[] = {"-accel", "qtest",       "-S",   "-nodefaults", "-display", "none",
                    "-m",     "4",           "-smp", "2",           "-chardev", "ringbuf,id=fuzz",
                    "-gdb",   "chardev:fuzz"};
    Plan *p = plan_new();
    Error *err = NULL;

    if (plan_parse(p, G_N_ELEMENTS(argv), argv, &err)) {
        t->m = plan_build(p, &err);
    }
    if (!t->m) {
        g_error("%s", error_text(err));
    }
    t->chr = (Chardev *)object_resolve((Object *)t->m, "fuzz", &Chardev_class, NULL);
    t->inputs = 0;
    plan_free(p);
}

static bool harmless(const uint8_t *data, size_t size)
{
    return !memmem(data, size, "qRcmd", 5) && !memmem(data, size, "vRun", 4) &&
           !memmem(data, size, "R", 1);
}

/* Work is done, and what is answered thrown away, until there is nothing more. */
static void turn(Target *t)
{
    uint8_t sink[4096];

    machine_poll(t->m);
    while (g_main_context_iteration(machine_context(t->m), FALSE)) {
        while (ring_read((RingChardev *)t->chr, sink, sizeof sink)) {
        }
    }
}

static void feed_packets(Target *t, const uint8_t *data, size_t size)
{
    g_autoptr(GByteArray) out = g_byte_array_new();

    while (size) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t n = end ? (size_t)(end - data) : size;

        g_byte_array_set_size(out, 0);
        wire_put(out, data, n);
        char_input(t->chr, out->data, out->len);
        turn(t);
        n += end != NULL;
        data += n;
        size -= n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Target t;

    if (!size || !harmless(data, size)) {
        return 0;
    }
    if (!t.m) {
        start(&t);
    }
    char_opened(t.chr, false);
    char_opened(t.chr, true);
    turn(&t);
    if (*data & 1) {
        feed_packets(&t, data + 1, size - 1);
    } else {
        char_input(t.chr, data + 1, size - 1);
    }
    turn(&t);
    if (++t.inputs == INPUTS_A_MACHINE || t.m->run->ended) {
        machine_free(t.m);
        t.m = NULL;
    }
    return 0;
}
