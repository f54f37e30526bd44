/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Monitors: whoever steers a running machine through a chardev, a program (mode control, qmp.c) or
 * a person (mode readline, hmp.c). Clients may come one after another; each has a session.
 *
 * Bytes and changes of the chardev are queued where they arrive and handled by a source of the
 * event loop, so that modes and commands run there without any lock.
 */
#pragma once
#include "chardev/chardev.h"
#include "qapi/event.h"

typedef struct Monitor Monitor;
struct json_object;

/* What a mode does with its stream: on the event loop, without locks. */
typedef struct MonitorMode {
    const char *name;                           /* of -mon mode=              */
    void *(*open)(Monitor *mon);                /* a client came: its session */
    void (*close)(Monitor *mon, void *session); /* it has gone                */

    /* Use up bytes; returns how many. Less than n: monitor_wake() brings the rest again. */
    size_t (*take)(Monitor *mon, void *session, const uint8_t *data, size_t n);

    /* After take(), after monitor_wake(), and when the client has read what was written; returns
     * whether it has more to do at once. May be NULL. */
    bool (*step)(Monitor *mon, void *session);
    void (*focus)(Monitor *mon, void *session, bool in); /* of a mux; may be NULL */
    void (*event)(Monitor *mon, void *session, struct json_object *message); /* may be NULL */
} MonitorMode;

extern const MonitorMode qmp_mode, hmp_mode;

/* Put a monitor on a chardev, after the devices have attached to theirs. id may be NULL. */
Monitor *monitor_new(Machine *m, const char *id, Chardev *chr, const MonitorMode *mode, bool pretty,
                     Error **err);

Machine *monitor_machine(Monitor *mon);
bool monitor_pretty(const Monitor *mon);
bool monitor_focused(Monitor *mon); /* of a mux: does it have the keyboard? */

/* Bytes to the client; what it does not take waits here. Any thread but not with the mutex of a
 * chardev. */
void monitor_write(Monitor *mon, const char *data, size_t n);
size_t monitor_backlog(Monitor *mon); /* how much waits */
void monitor_wake(Monitor *mon);      /* call take() and step() soon */

/* The chardev that it sits on. */
Chardev *monitor_chardev(Monitor *mon);

/* The session of the present client, NULL: there is none. */
void *monitor_session(Monitor *mon);
