/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A monitor between its chardev and its mode (monitor.h).
 *
 *   chardev --take, event--> todo --source--> mode->open, take, step, close
 *   mode --monitor_write--> out --while the chardev has space--> chardev
 *
 * A client that does not read what it is sent costs a bounded amount of memory: the mode looks at
 * monitor_backlog() before it makes more.
 */
#include "monitor/monitor_impl.h"

#include <json-c/json.h>
#include <string.h>

enum { MOST_IN = 1 << 16 };

typedef struct Change {
    CharEvent event;
    unsigned at; /* how many bytes of `in` come before it */
} Change;

struct Monitor {
    Object obj;
    Monitors *all;
    Chardev *chr;
    const MonitorMode *mode;
    bool pretty;
    void *session; /* NULL: no client */
    GByteArray *in;
    GArray *changes; /* Change, in order */
    GSource *source;
    pthread_mutex_t mutex; /* guards out, above that of the chardev */
    GByteArray *out;
};

/* ---- sources ---- */

static gboolean wakeable_dispatch(GSource *source, GSourceFunc fn, gpointer opaque)
{
    g_source_set_ready_time(source, -1);
    return fn(opaque);
}

/* GLib never writes to it. */
static const GSourceFuncs wakeable_funcs = {.dispatch = wakeable_dispatch};

GSource *source_new(Machine *m, GSourceFunc fn, void *opaque)
{
    GSource *s = g_source_new((GSourceFuncs *)&wakeable_funcs, sizeof(GSource));

    g_source_set_callback(s, fn, opaque, NULL);
    g_source_attach(s, machine_context(m));
    return s;
}

void source_wake(GSource *source)
{
    g_source_set_ready_time(source, 0);
}

void source_free(GSource *source)
{
    g_source_destroy(source);
    g_source_unref(source);
}

/* ---- out ---- */

/* Under the mutex. */
static void flush(Monitor *mon)
{
    size_t n;

    while (mon->out->len && (n = MIN(char_space(mon->chr), mon->out->len))) {
        char_write(mon->chr, mon->out->data, n);
        g_byte_array_remove_range(mon->out, 0, n);
    }
}

void monitor_write(Monitor *mon, const char *data, size_t n)
{
    pthread_mutex_lock(&mon->mutex);
    g_byte_array_append(mon->out, (const uint8_t *)data, n);
    flush(mon);
    pthread_mutex_unlock(&mon->mutex);
}

size_t monitor_backlog(Monitor *mon)
{
    pthread_mutex_lock(&mon->mutex);
    size_t n = mon->out->len;
    pthread_mutex_unlock(&mon->mutex);
    return n;
}

static void drained(Object *obj)
{
    Monitor *mon = (Monitor *)obj;

    pthread_mutex_lock(&mon->mutex);
    flush(mon);
    pthread_mutex_unlock(&mon->mutex);
    monitor_wake(mon);
}

/* ---- in, from the chardev ---- */

static size_t room(Object *obj)
{
    return MOST_IN - MIN(((Monitor *)obj)->in->len, MOST_IN);
}

static void take(Object *obj, const void *data, size_t n)
{
    g_byte_array_append(((Monitor *)obj)->in, data, n);
    monitor_wake((Monitor *)obj);
}

static void changed(Object *obj, CharEvent event)
{
    Monitor *mon = (Monitor *)obj;
    Change c = {event, mon->in->len};

    if (event != CHAR_BREAK) {
        g_array_append_val(mon->changes, c);
        monitor_wake(mon);
    }
}

/* ---- on the loop ---- */

static void open_session(Monitor *mon)
{
    if (!mon->session) {
        mon->session = mon->mode->open(mon);
    }
}

static void close_session(Monitor *mon)
{
    if (mon->session) {
        mon->mode->close(mon, mon->session);
        mon->session = NULL;
    }
    pthread_mutex_lock(&mon->mutex);
    g_byte_array_set_size(mon->out, 0);
    pthread_mutex_unlock(&mon->mutex);
}

static void apply(Monitor *mon, CharEvent event)
{
    if (event == CHAR_OPENED) {
        open_session(mon);
    } else if (event == CHAR_CLOSED) {
        close_session(mon);
    } else if (mon->session && mon->mode->focus) {
        mon->mode->focus(mon, mon->session, event == CHAR_FOCUS_IN);
    }
}

/* Give the mode up to n bytes; true: it used them all. */
static bool feed(Monitor *mon, size_t n)
{
    g_autoptr(GByteArray) part = g_byte_array_sized_new(n);
    size_t used = n;

    if (n && mon->session) { /* a copy: the mode may run the loop */
        g_byte_array_append(part, mon->in->data, n);
        used = mon->mode->take(mon, mon->session, part->data, n);
    }
    if (used) {
        g_byte_array_remove_range(mon->in, 0, used);
    }
    for (guint i = 0; i < mon->changes->len; i++) {
        g_array_index(mon->changes, Change, i).at -= used;
    }
    return used == n;
}

/* Bytes and changes in the order in which they came; a client that has gone is still answered up to
 * there, as far as its mode goes in one go. */
static void work_in(Monitor *mon)
{
    while (mon->changes->len) {
        Change c = g_array_index(mon->changes, Change, 0);

        if (!feed(mon, c.at) && c.event != CHAR_CLOSED) {
            return;
        }
        c = g_array_index(mon->changes, Change, 0);
        if (c.at) { /* left over by a mode whose client has gone */
            g_byte_array_remove_range(mon->in, 0, c.at);
            for (guint i = 0; i < mon->changes->len; i++) {
                g_array_index(mon->changes, Change, i).at -= c.at;
            }
        }
        g_array_remove_index(mon->changes, 0);
        apply(mon, c.event);
    }
    feed(mon, mon->in->len);
}

static gboolean work(gpointer opaque)
{
    Monitor *mon = opaque;
    bool more = false;

    object_ref(&mon->obj);
    work_in(mon);
    if (mon->session && mon->mode->step) {
        more = mon->mode->step(mon, mon->session);
    }
    object_enter(&mon->chr->obj);
    char_ready(mon->chr);
    object_leave(&mon->chr->obj);
    if (more) {
        monitor_wake(mon);
    }
    object_unref(&mon->obj);
    return G_SOURCE_CONTINUE;
}

void monitor_wake(Monitor *mon)
{
    source_wake(mon->source);
}

Chardev *monitor_chardev(Monitor *mon)
{
    return mon->chr;
}

void *monitor_session(Monitor *mon)
{
    return mon->session;
}

void monitor_event(Monitor *mon, json_object *message)
{
    if (mon->session && mon->mode->event) {
        mon->mode->event(mon, mon->session, message);
    }
}

Machine *monitor_machine(Monitor *mon)
{
    return mon->all->machine;
}

bool monitor_pretty(const Monitor *mon)
{
    return mon->pretty;
}

bool monitor_focused(Monitor *mon)
{
    bool has;

    object_enter(&mon->chr->obj);
    has = !mon->chr->mux || mon->chr->front[mon->chr->focus].obj == &mon->obj;
    object_leave(&mon->chr->obj);
    return has;
}

/* ---- life ---- */

static void monitor_finalize(Object *obj)
{
    Monitor *mon = (Monitor *)obj;

    if (mon->session) {
        mon->mode->close(mon, mon->session);
    }
    if (mon->chr) {
        pthread_mutex_lock(&mon->mutex);
        flush(mon);
        pthread_mutex_unlock(&mon->mutex);
        char_leave(mon->chr, obj);
        object_unref(&mon->chr->obj);
        source_free(mon->source);
        g_byte_array_free(mon->in, TRUE);
        g_byte_array_free(mon->out, TRUE);
        g_array_free(mon->changes, TRUE);
        pthread_mutex_destroy(&mon->mutex);
    }
}

const Class Monitor_class = {
    "monitor",
    "a program or a person that steers the machine",
    &Object_class,
    sizeof(Monitor),
    .finalize = monitor_finalize,
};

static bool join(Monitor *mon, Error **err)
{
    CharFront front = {&mon->obj, room, take, changed, drained};
    bool ok;

    object_enter(&mon->chr->obj);
    ok = char_join(mon->chr, front);
    if (ok && mon->chr->open) {
        changed(&mon->obj, CHAR_OPENED);
    }
    object_leave(&mon->chr->obj);
    return ok || error_hint(err, "mux=on shares a chardev between several users");
}

Monitor *monitor_new(Machine *m, const char *id, Chardev *chr, const MonitorMode *mode, bool pretty,
                     Error **err)
{
    Monitors *all = monitors_of(m);
    g_autofree char *name = id ? g_strdup(id) : g_strdup_printf("monitor%u", all->next_id++);
    Monitor *mon;

    if (object_child(&all->obj, name)) {
        error_set(err, "id=%s: is taken already", name);
        return NULL;
    }
    mon = (Monitor *)object_new(&Monitor_class, &all->obj, name);
    mon->all = all;
    mon->chr = chr;
    mon->mode = mode;
    mon->pretty = pretty;
    object_ref(&chr->obj);
    mon->in = g_byte_array_new();
    mon->out = g_byte_array_new();
    mon->changes = g_array_new(FALSE, FALSE, sizeof(Change));
    pthread_mutex_init(&mon->mutex, NULL);
    mon->source = source_new(m, work, mon);
    if (!join(mon, err)) {
        error_set(err, "chardev %s is in use", chr->obj.name);
        error_hint(err, "mux=on shares a chardev between several users");
        object_remove(&mon->obj);
        return NULL;
    }
    return mon;
}
