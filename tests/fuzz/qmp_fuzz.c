/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer target: any bytes at a QMP session of a PC without a running CPU. Each input is a
 * client of its own, after the negotiation; every 500 inputs there is a new machine.
 *
 * Left out: inputs that could make commands open files, start other programs' work, or ask for all
 * memory of the host; so no escaped letters (\u0066) either.
 */
#include "chardev/memory.h"
#include "monitor/monitor_impl.h"
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
    char *argv[] = {"-accel",   "qtest",
                    "-S",       "-nodefaults",
                    "-display", "none",
                    "-qmp",     "null",
                    "-chardev", "ringbuf,id=fuzz",
                    "-m",       "4",
                    "-mon",     "chardev=fuzz,mode=control"};
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
    static const char *const words[] = {"\\u",   "filename", "protocol", "logfile",        "pipe",
                                        "\"out", "human-",   "socket",   "memory-backend", "stdio"};

    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        if (memmem(data, size, words[i], strlen(words[i]))) {
            return false;
        }
    }
    return true;
}

static void turn(Target *t)
{
    uint8_t sink[4096];

    machine_poll(t->m);
    while (g_main_context_iteration(machine_context(t->m), FALSE)) {
        while (ring_read((RingChardev *)t->chr, sink, sizeof sink)) {
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char hello[] =
        "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]}}";
    static Target t;

    if (!harmless(data, size)) {
        return 0;
    }
    if (!t.m) {
        start(&t);
    }
    char_opened(t.chr, false);
    char_opened(t.chr, true);
    turn(&t);
    char_input(t.chr, hello, strlen(hello));
    turn(&t);
    char_input(t.chr, data, size);
    turn(&t);
    if (++t.inputs == INPUTS_A_MACHINE || t.m->run->ended) {
        machine_free(t.m);
        t.m = NULL;
    }
    return 0;
}
