/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events on their way from whoever emits them to all monitors, and the events of a machine's life.
 *
 * An event of a limited kind is sent at once, then at most once a second: of those that come
 * meanwhile the last one is kept and sent when the second is over.
 */
#include "qapi/events.h"

#include "monitor/monitor_impl.h"
#include "softmmu/run/run.h"

#include <json-c/json.h>
#include <string.h>
#include <unistd.h>

enum { LIMIT_NS = 1000000000 };

typedef struct Arrival {
    const QapiEvent *event;
    json_object *message;
} Arrival;

typedef struct Limit {
    const QapiEvent *event;
    char *key;            /* the value of event->key; NULL: for all   */
    json_object *waiting; /* the last that was held back; NULL: none  */
    int64_t until;
} Limit;

static void limit_free(void *opaque)
{
    Limit *l = opaque;

    json_object_put(l->waiting);
    g_free(l->key);
    g_free(l);
}

static void send_all(Monitors *all, json_object *message)
{
    for (Object *o = all->obj.children, *next; o; o = next) {
        next = o->next;
        monitor_event((Monitor *)o, message);
    }
    json_object_put(message);
}

/* ---- limits ---- */

static int64_t now(Monitors *all)
{
    return clock_now(machine_clock(all->machine, CLOCK_HOST));
}

static void arm(Monitors *all)
{
    int64_t first = -1;

    for (guint i = 0; i < all->limits->len; i++) {
        int64_t until = ((Limit *)all->limits->pdata[i])->until;

        first = first < 0 ? until : MIN(first, until);
    }
    timer_set(&all->timer, first);
}

static void fire(Object *obj, unsigned n)
{
    Monitors *all = (Monitors *)obj;
    int64_t time = now(all);

    for (guint i = 0; i < all->limits->len;) {
        Limit *l = all->limits->pdata[i];

        if (l->until > time) {
            i++;
        } else if (l->waiting) {
            send_all(all, g_steal_pointer(&l->waiting));
            l->until = time + LIMIT_NS;
            i++;
        } else {
            g_ptr_array_remove_index(all->limits, i);
        }
    }
    arm(all);
}

static const char *key_of(const Arrival *a)
{
    json_object *data, *value;

    if (a->event->key && json_object_object_get_ex(a->message, "data", &data) &&
        json_object_object_get_ex(data, a->event->key, &value)) {
        return json_object_get_string(value);
    }
    return NULL;
}

static Limit *limit_of(Monitors *all, const Arrival *a)
{
    for (guint i = 0; i < all->limits->len; i++) {
        Limit *l = all->limits->pdata[i];

        if (l->event == a->event && !g_strcmp0(l->key, key_of(a))) {
            return l;
        }
    }
    return NULL;
}

static void deliver(Monitors *all, Arrival *a)
{
    Limit *l = a->event->limited ? limit_of(all, a) : NULL;

    if (l) {
        json_object_put(l->waiting);
        l->waiting = a->message;
    } else {
        if (a->event->limited) {
            l = g_new0(Limit, 1);
            l->event = a->event;
            l->key = g_strdup(key_of(a));
            l->until = now(all) + LIMIT_NS;
            g_ptr_array_add(all->limits, l);
            arm(all);
        }
        send_all(all, a->message);
    }
    g_free(a);
}

/* ---- to the loop ---- */

static Arrival *next(Monitors *all)
{
    pthread_mutex_lock(&all->mutex);
    Arrival *a = g_queue_pop_head(&all->arrived);
    pthread_mutex_unlock(&all->mutex);
    return a;
}

static gboolean deliver_all(gpointer opaque)
{
    Monitors *all = opaque;

    if (!all->delivering) { /* sending one may cause another: it comes after it */
        all->delivering = true;
        for (Arrival *a; (a = next(all));) {
            deliver(all, a);
        }
        all->delivering = false;
    }
    return G_SOURCE_CONTINUE;
}

static void emit(EventSink *sink, const QapiEvent *event, json_object *message)
{
    Monitors *all = (Monitors *)((char *)sink - offsetof(Monitors, sink));
    Arrival *a = g_new(Arrival, 1);

    *a = (Arrival){event, message};
    pthread_mutex_lock(&all->mutex);
    g_queue_push_tail(&all->arrived, a);
    pthread_mutex_unlock(&all->mutex);
    if (run_elsewhere(all->machine)) {
        source_wake(all->source);
    } else {
        deliver_all(all);
    }
}

/* ---- the machine's life ---- */

static ShutdownCause cause_of(ShutdownReason reason)
{
    static const ShutdownCause causes[] = {
        [SHUTDOWN_NONE] = SHUTDOWN_CAUSE_NONE,
        [SHUTDOWN_GUEST] = SHUTDOWN_CAUSE_GUEST_SHUTDOWN,
        [SHUTDOWN_GUEST_RESET] = SHUTDOWN_CAUSE_GUEST_RESET,
        [SHUTDOWN_GUEST_PANIC] = SHUTDOWN_CAUSE_GUEST_PANIC,
        [SHUTDOWN_HOST_RESET] = SHUTDOWN_CAUSE_HOST_QMP_SYSTEM_RESET,
        [SHUTDOWN_SIGNAL] = SHUTDOWN_CAUSE_HOST_SIGNAL,
        [SHUTDOWN_QUIT] = SHUTDOWN_CAUSE_HOST_QMP_QUIT,
        [SHUTDOWN_UI] = SHUTDOWN_CAUSE_HOST_UI,
        [SHUTDOWN_ERROR] = SHUTDOWN_CAUSE_HOST_ERROR,
    };

    return causes[reason];
}

static bool by_guest(ShutdownReason reason)
{
    return reason == SHUTDOWN_GUEST || reason == SHUTDOWN_GUEST_RESET ||
           reason == SHUTDOWN_GUEST_PANIC;
}

static void state_changed(Monitors *all)
{
    bool runs = machine_state(all->machine) == MACHINE_RUNNING ||
                machine_state(all->machine) == MACHINE_SUSPENDED;

    if (runs && !all->running) {
        event_resume(all->machine);
    } else if (!runs && all->running && !all->ending) {
        event_stop(all->machine);
    }
    all->running = runs;
}

static void heard(Object *obj, MachineNews news)
{
    Monitors *all = (Monitors *)obj;
    Machine *m = all->machine;
    ShutdownReason why;

    switch (news) {
    case MACHINE_STATE_CHANGED:
        state_changed(all);
        break;
    case MACHINE_POWERDOWN:
        event_powerdown(m);
        break;
    case MACHINE_SUSPENDING:
        event_suspend(m);
        break;
    case MACHINE_WAKING:
        event_wakeup(m);
        break;
    case MACHINE_WAS_RESET:
        why = machine_reset_reason(m);
        event_reset(m, &(ResetEvent){by_guest(why), cause_of(why)});
        break;
    case MACHINE_SHUTTING_DOWN:
        why = machine_shutdown_reason(m);
        all->ending = !m->config.no_shutdown || why >= SHUTDOWN_SIGNAL;
        event_shutdown(m, &(ShutdownEvent){by_guest(why), cause_of(why)});
        break;
    case MACHINE_ENDING:
        break;
    }
}

/* ---- life ---- */

static void monitors_init(Object *obj)
{
    Monitors *all = (Monitors *)obj;

    pthread_mutex_init(&all->mutex, NULL);
    g_queue_init(&all->arrived);
    all->limits = g_ptr_array_new_with_free_func(limit_free);
    all->fds = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    all->sink.emit = emit;
}

static void close_fd(gpointer name, gpointer fd, gpointer opaque)
{
    close(GPOINTER_TO_INT(fd));
}

static void monitors_finalize(Object *obj)
{
    Monitors *all = (Monitors *)obj;

    dump_free(all->dump);
    g_hash_table_foreach(all->fds, close_fd, NULL);
    g_hash_table_destroy(all->fds);
    all->machine->events = NULL;
    machine_unlisten_all(all->machine, obj);
    timer_set(&all->timer, -1);
    for (Arrival *a; (a = next(all)); g_free(a)) {
        json_object_put(a->message);
    }
    g_ptr_array_free(all->limits, TRUE);
    source_free(all->source);
    pthread_mutex_destroy(&all->mutex);
}

static const Class Monitors_class = {
    "monitors",       "all monitors of a machine", &Object_class,
    sizeof(Monitors), .init = monitors_init,       .finalize = monitors_finalize,
};

Monitors *monitors_of(Machine *m)
{
    Monitors *all = (Monitors *)object_child((Object *)m, "monitors");

    if (!all) {
        all = (Monitors *)object_new(&Monitors_class, (Object *)m, "monitors");
        all->machine = m;
        all->source = source_new(m, deliver_all, all);
        timer_init(&all->timer, machine_clock(m, CLOCK_HOST), &all->obj, fire, 0);
        all->hook = (MachineHook){&all->obj, heard};
        machine_listen(m, &all->hook);
        m->events = &all->sink;
    }
    return all;
}
