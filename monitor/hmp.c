/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The monitor for people. Not modelled yet: any command. */
#include "monitor/hmp.h"

#include "monitor/monitor.h"

#include <string.h>

char *hmp_run(Machine *m, unsigned *cpu, const char *line)
{
    return g_strdup("there are no commands for people in this version\r\n");
}

static void say(Monitor *mon)
{
    static const char text[] = "\r\nthere are no commands for people in this version\r\n";

    monitor_write(mon, text, strlen(text));
}

static void *hmp_open(Monitor *mon)
{
    return mon;
}

static void hmp_close(Monitor *mon, void *session)
{
}

static size_t hmp_take(Monitor *mon, void *session, const uint8_t *data, size_t n)
{
    if (memchr(data, '\r', n) || memchr(data, '\n', n)) {
        say(mon);
    }
    return n;
}

static void hmp_focus(Monitor *mon, void *session, bool in)
{
    if (in) {
        say(mon);
    }
}

const MonitorMode hmp_mode = {"readline", hmp_open, hmp_close, hmp_take, .focus = hmp_focus};
