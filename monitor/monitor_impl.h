/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of monitor/: what all monitors of a machine share. */
#pragma once
#include "monitor/monitor.h"
#include "softmmu/run/machine_impl.h"

typedef struct Dump Dump; /* cmd_dump.c */

typedef struct Monitors {
    Object obj; /* /machine/monitors, the parent of all */
    EventSink sink;
    MachineHook hook;
    Machine *machine;
    pthread_mutex_t mutex; /* guards arrived; nothing is taken below it */
    GQueue arrived;        /* Arrival *, from any thread */
    GSource *source;       /* brings them to the loop */
    GPtrArray *limits;     /* Limit *: events that were sent within the last second */
    Timer timer;           /* when the next of them ends */
    Dump *dump;            /* the last one, NULL: there was none */
    unsigned next_id;
    bool migration_events;
    GHashTable *fds;                  /* name to descriptor (GINT_TO_POINTER): cmd_fd.c */
    bool delivering, running, ending; /* ending: SHUTDOWN was the last but one word, no STOP */
} Monitors;

extern const Class Monitor_class;

Monitors *monitors_of(Machine *m); /* made at the first call */
void monitor_event(Monitor *mon, struct json_object *message);

/* A source that runs fn(opaque) on the loop each time after source_wake(), from any thread. */
GSource *source_new(Machine *m, GSourceFunc fn, void *opaque);
void source_wake(GSource *source);
void source_free(GSource *source);

/* A descriptor that getfd named, the caller's then; -1: see err. */
int fd_take(Monitors *all, const char *name, Error **err);

void dump_free(Dump *d); /* waits for its thread */
