/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The monitor for people on a terminal: prompt, line editing, one command after the other
 * (commands: hmp_command.h). On a shared chardev it greets when it first gets the keyboard.
 */
#include "monitor/hmp.h"

#include "monitor/edit.h"
#include "monitor/hmp_command.h"
#include "monitor/monitor.h"

#include <string.h>

enum { MOST_BACKLOG = 1 << 20 }; /* commands wait for a terminal that does not read */

typedef struct Session {
    Monitor *mon;
    Edit *edit;
    Hmp hmp;
    bool greeted;
} Session;

/* Terminals want a return before each new line. */
static char *with_returns(const GString *text)
{
    GString *out = g_string_sized_new(text->len + 64);

    for (gsize i = 0; i < text->len; i++) {
        g_string_append(out, text->str[i] == '\n' ? "\r\n" : (char[]){text->str[i], 0});
    }
    return g_string_free(out, FALSE);
}

char *hmp_run(Machine *m, unsigned *cpu, const char *line)
{
    g_autoptr(GString) out = g_string_new("");
    Hmp h = {.m = m, .out = out, .cpu = *cpu};

    hmp_line(&h, line);
    *cpu = h.cpu;
    return with_returns(out);
}

/* ---- the mode ---- */

static void flush(Session *s)
{
    g_autofree char *text = with_returns(s->hmp.out);

    monitor_write(s->mon, text, strlen(text));
    g_string_truncate(s->hmp.out, 0);
}

static void greet(Session *s)
{
    if (!s->greeted) {
        s->greeted = true;
        hmp_say(&s->hmp, "Rhea " RHEA_VERSION " monitor - type 'help' for more information\n");
        edit_show(s->edit);
        flush(s);
    }
}

static char **complete(void *opaque, const char *line, size_t *from)
{
    return hmp_complete(&((Session *)opaque)->hmp, line, from);
}

static void *hmp_open(Monitor *mon)
{
    Session *s = g_new0(Session, 1);

    s->mon = mon;
    s->hmp = (Hmp){.m = monitor_machine(mon), .out = g_string_new("")};
    s->edit = edit_new("(qemu) ", s->hmp.out, complete, s);
    if (monitor_focused(mon)) {
        greet(s);
    }
    return s;
}

static void hmp_close(Monitor *mon, void *session)
{
    Session *s = session;

    edit_free(s->edit);
    g_string_free(s->hmp.out, TRUE);
    g_free(s);
}

static size_t hmp_take(Monitor *mon, void *session, const uint8_t *data, size_t n)
{
    Session *s = session;
    size_t i = 0;

    while (i < n && monitor_backlog(mon) < MOST_BACKLOG) {
        const char *line = edit_byte(s->edit, data[i++]);

        if (line) {
            hmp_line(&s->hmp, line);
            edit_show(s->edit);
        }
        flush(s);
    }
    return i;
}

static void hmp_focus(Monitor *mon, void *session, bool in)
{
    Session *s = session;

    if (in && s->greeted) {
        hmp_say(&s->hmp, "\n");
        edit_show(s->edit);
        flush(s);
    } else if (in) {
        greet(s);
    }
}

const MonitorMode hmp_mode = {"readline", hmp_open, hmp_close, hmp_take, .focus = hmp_focus};
