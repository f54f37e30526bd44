/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines that nobody would type: every command with arguments made of pieces, on a whole PC. */
#include "hw/pc/pc.h"
#include "monitor/hmp_command.h"
#include "tests/lib/test.h"
#include "util/log.h"

#include <string.h>

enum { LINES = 4000 };

typedef struct Random {
    uint64_t state;
} Random;

static unsigned below(Random *r, unsigned n)
{
    r->state = r->state * 6364136223846793005ull + 1442695040888963407ull;
    return (r->state >> 33) % n;
}

static const char *const pieces[] = {
    " ",          " ",     " ",     "/",          "10",          "i",
    "x",          "xg",    "0x",    "0",          "-1",          "0xffffffffffffffff",
    "0xfee00000", "0x3f8", "$rip",  "$",          "$pc",         "(",
    ")",          "+",     "-f",    "-a",         "*",           "'",
    "\"",         "a",     "~",     "%",          "info",        "on",
    "off",        ",",     "=",     "id=x",       "pci-testdev", "memory-backend-ram",
    "help",       "none",  "%s%n",  "\x01",       "\xff",        "/machine",
    "/",          ".",     "65536", "4294967296", "size=64K",
};

/* Those that reach out of the test: files, the end of the program. */
static bool harmless(const char *name)
{
    static const char *const others[] = {
        "logfile", "quit", "q", "gdbserver", "pmemsave", "memsave", "dump-guest-memory"};

    for (unsigned i = 0; i < G_N_ELEMENTS(others); i++) {
        if (!strcmp(name, others[i])) {
            return false;
        }
    }
    return true;
}

static void line_make(Random *r, char **names, unsigned count, GString *line)
{
    const char *name = names[below(r, count)];

    g_string_assign(line, harmless(name) ? name : "print");
    for (unsigned n = below(r, 9); n; n--) {
        g_string_append(line, pieces[below(r, G_N_ELEMENTS(pieces))]);
    }
}

TEST("hmp: no line breaks anything, and completion of none does")
{
    Machine *m = machine_new_class(&machine_class_find("pc", NULL)->class);
    g_autoptr(GString) out = g_string_new(""), line = g_string_new("");
    Hmp h = {.m = m, .out = out};
    Random r = {1};
    size_t from;

    m->config.ram_bytes = m->config.maxmem_bytes = 16 << 20;
    check(machine_class_of(m)->build(m, NULL), true);
    machine_reset(m, RESET_POWER);
    g_auto(GStrv) commands = hmp_complete(&h, "", &from), topics = hmp_complete(&h, "info ", &from);
    check(g_strv_length(commands) > 30 && g_strv_length(topics) > 20, true);
    for (unsigned i = 0; i < LINES; i++) {
        bool topic = i & 1;

        line_make(&r, topic ? topics : commands, g_strv_length(topic ? topics : commands), line);
        if (topic) {
            g_string_prepend(line, "info ");
        }
        g_strfreev(hmp_complete(&h, line->str, &from));
        check(from <= line->len, true);
        hmp_line(&h, line->str);
        g_string_truncate(out, 0);
    }
    hmp_line(&h, "log none");
    hmp_line(&h, "trace-event * off");
    machine_free(m);
}
