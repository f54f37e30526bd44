/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A debugger's connection: bytes in and out, answers and acknowledgements, news of the machine
 * ("Remote protocol" in gdb's manual). Work is done by a source of the event loop, without locks,
 * since it stops and resumes the machine; the chardev's and the machine's callbacks only note what
 * there is to do.
 *
 * A connection alone stops nothing: the first packet does. When it breaks, breakpoints go and the
 * machine stays as it is, standing or running.
 */
#include "gdbstub/stub.h"

#include "gdbstub/gdbstub.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { IN_MAX = 2 * PACKET_MAX, OUT_SPACE = 4 * PACKET_MAX };

/* ---- answering ---- */

void reply_text(GdbStub *s, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_string_append_vprintf(s->reply, format, ap);
    va_end(ap);
}

void reply_bytes(GdbStub *s, const void *data, size_t n)
{
    g_string_append_len(s->reply, data, n);
}

void reply_hex(GdbStub *s, const void *data, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        g_string_append_printf(s->reply, "%02x", ((const uint8_t *)data)[i]);
    }
}

void reply_error(GdbStub *s, unsigned number)
{
    g_string_printf(s->reply, "E%02x", number & 0xff);
}

void stub_send(GdbStub *s, const void *data, size_t n)
{
    g_byte_array_set_size(s->packet, 0);
    wire_put(s->packet, data, n);
    char_write(s->chr, s->packet->data, s->packet->len);
}

void stub_say(GdbStub *s, const char *text, size_t n)
{
    while (n) {
        size_t some = MIN(n, PACKET_MAX / 2 - 8);
        g_autoptr(GString) out = g_string_new("O");

        for (size_t i = 0; i < some; i++) {
            g_string_append_printf(out, "%02x", (uint8_t)text[i]);
        }
        stub_send(s, out->str, out->len);
        text += some;
        n -= some;
    }
}

/* ---- what came in ---- */

static void acknowledge(GdbStub *s, char c)
{
    if (!s->no_ack) {
        char_write(s->chr, &c, 1);
    }
}

/* A packet of somebody who waits for a stop: as if he had interrupted. */
static void packet(GdbStub *s)
{
    acknowledge(s, '+');
    stub_stop(s);
    if (s->waiting) {
        stub_report(s);
    }
    s->silent = false;
    g_string_truncate(s->reply, 0);
    packet_run(s, (const char *)s->wire.data->data, s->wire.data->len);
    if (!s->silent) {
        stub_send(s, s->reply->str, s->reply->len);
    }
}

static void too_long(GdbStub *s)
{
    acknowledge(s, '+');
    stub_send(s, "E22", 3);
}

static void interrupt(GdbStub *s)
{
    if (s->waiting) {
        stub_stop(s);
        stub_report(s);
    }
}

static void take_byte(GdbStub *s, uint8_t byte)
{
    switch (wire_take(&s->wire, byte)) {
    case WIRE_PACKET:
        packet(s);
        break;
    case WIRE_BAD:
        acknowledge(s, '-');
        break;
    case WIRE_TOO_LONG:
        too_long(s);
        break;
    case WIRE_REFUSED:
        if (!s->no_ack) {
            char_write(s->chr, s->packet->data, s->packet->len);
        }
        break;
    case WIRE_INTERRUPT:
        interrupt(s);
        break;
    default:
        break;
    }
}

/* Bytes as far as the answers find room: who asks and does not read is not answered further. */
static void take_all(GdbStub *s)
{
    size_t at = 0;

    while (at < s->in->len && char_space(s->chr) >= OUT_SPACE / 2 && !s->said_bye) {
        take_byte(s, s->in->data[at++]);
    }
    g_byte_array_remove_range(s->in, 0, at);
    if (at && object_enter(&s->chr->obj)) {
        char_ready(s->chr);
        object_leave(&s->chr->obj);
    }
}

/* ---- the source ---- */

typedef struct StubSource {
    GSource source;
    GdbStub *stub;
} StubSource;

static gboolean work_waits(GSource *source)
{
    const GdbStub *s = ((StubSource *)source)->stub;

    return s->changed || s->leaving ||
           (s->in->len && !s->restarted && !s->said_bye && char_space(s->chr) >= OUT_SPACE / 2);
}

static gboolean work_prepare(GSource *source, gint *timeout)
{
    *timeout = -1;
    return work_waits(source);
}

static gboolean work(GSource *source, GSourceFunc fn, gpointer opaque)
{
    GdbStub *s = ((StubSource *)source)->stub;

    object_ref(&s->obj); /* a command may remove it */
    threads_update(s);
    if (s->leaving) {
        s->leaving = false;
        stub_let_go(s);
        wire_reset(&s->wire);
        s->no_ack = s->extended = s->swbreak = s->hwbreak = s->physical = false;
        s->general = s->control = 0;
    }
    if (s->changed) {
        s->changed = false;
        stub_look(s);
    }
    if (!s->restarted) {
        take_all(s);
    }
    object_unref(&s->obj);
    return G_SOURCE_CONTINUE;
}

/* GLib takes it as not constant, though it never writes to it. */
static const GSourceFuncs work_funcs = {
    .prepare = work_prepare,
    .check = work_waits,
    .dispatch = work,
};

static void wake(GdbStub *s)
{
    g_main_context_wakeup(machine_context(s->machine));
}

/* ---- the chardev's side ---- */

static size_t stub_room(Object *obj)
{
    GdbStub *s = (GdbStub *)obj;

    return IN_MAX - MIN(s->in->len, IN_MAX);
}

static void stub_take(Object *obj, const void *data, size_t n)
{
    GdbStub *s = (GdbStub *)obj;

    g_byte_array_append(s->in, data, n);
    wake(s);
}

static void stub_event(Object *obj, CharEvent event)
{
    GdbStub *s = (GdbStub *)obj;

    if (event == CHAR_OPENED || event == CHAR_CLOSED) {
        g_byte_array_set_size(s->in, 0);
        s->leaving = true;
        wake(s);
    } else if (event == CHAR_BREAK) {
        stub_take(obj, "\3", 1);
    }
}

static void stub_drained(Object *obj)
{
    wake((GdbStub *)obj);
}

/* ---- the machine's side ---- */

/* Somebody else resumes the machine: everybody runs. vCPUs have not started yet. */
static void resumed(GdbStub *s)
{
    if (machine_state(s->machine) == MACHINE_RUNNING && !s->resuming) {
        for (guint i = 0; i < s->threads->len; i++) {
            vcpu_hold(((Thread *)s->threads->pdata[i])->cpu, false);
        }
    }
}

static void bye(GdbStub *s)
{
    if (s->waiting) {
        stub_send(s, "W00", 3);
    }
    s->said_bye = true;
    s->waiting = false;
}

static void stub_heard(Object *obj, MachineNews news)
{
    GdbStub *s = (GdbStub *)obj;

    if (news == MACHINE_STATE_CHANGED) {
        resumed(s);
        s->changed = true;
    } else if (news == MACHINE_WAS_RESET && s->restarted) {
        s->restarted = false;
        stub_report(s);
    } else if (news == MACHINE_ENDING) {
        bye(s);
    }
}

/* ---- life ---- */

static void stub_init(Object *obj)
{
    GdbStub *s = (GdbStub *)obj;

    wire_init(&s->wire);
    s->in = g_byte_array_new();
    s->reply = g_string_new("");
    s->packet = g_byte_array_new();
    s->threads = g_ptr_array_new_with_free_func(g_free);
    s->points = g_array_new(FALSE, FALSE, sizeof(Point));
    s->sstep = DEBUG_STEP | DEBUG_NO_IRQ | DEBUG_NO_TIMER;
}

static void stub_finalize(Object *obj)
{
    GdbStub *s = (GdbStub *)obj;

    if (s->source) {
        g_source_destroy(s->source);
        g_source_unref(s->source);
    }
    if (s->chr) {
        char_leave(s->chr, obj);
        object_unref(&s->chr->obj);
    }
    wire_free(&s->wire);
    g_byte_array_free(s->in, TRUE);
    g_string_free(s->reply, TRUE);
    g_byte_array_free(s->packet, TRUE);
    g_ptr_array_free(s->threads, TRUE);
    g_array_free(s->points, TRUE);
    g_free(s->description);
    g_free(s->breaks);
    g_free(s->watches);
}

static const Class GdbStub_class = {
    "gdbstub",         "a debugger that speaks gdb's remote protocol",
    &Object_class,     sizeof(GdbStub),
    .init = stub_init, .finalize = stub_finalize,
};
CLASS(GdbStub);

static bool join(GdbStub *s)
{
    CharFront front = {&s->obj, stub_room, stub_take, stub_event, stub_drained};
    bool ok;

    object_enter(&s->chr->obj);
    ok = char_join(s->chr, front);
    object_leave(&s->chr->obj);
    return ok;
}

void gdbstub_remove(Object *stub)
{
    GdbStub *s = (GdbStub *)stub;

    stub_let_go(s);
    lock_take(machine_lock(s->machine));
    machine_unlisten(s->machine, &s->hook);
    lock_drop(machine_lock(s->machine));
    object_remove(stub);
}

Object *gdbstub_new(Machine *m, Chardev *chr, const GdbArch *arch, Error **err)
{
    GdbStub *s = (GdbStub *)object_new(&GdbStub_class, object_root((Object *)m), "gdbstub");
    s->machine = m;
    s->arch = arch;
    s->chr = chr;
    object_ref(&chr->obj);
    s->source = g_source_new((GSourceFuncs *)&work_funcs, sizeof(StubSource));
    ((StubSource *)s->source)->stub = s;
    g_source_attach(s->source, machine_context(m));
    s->hook = (MachineHook){.to = &s->obj, .heard = stub_heard};
    machine_listen(m, &s->hook);
    if (!join(s)) {
        error_set(err, "chardev %s is in use", chr->obj.name);
        error_hint(err, "mux=on shares a chardev between several users");
        gdbstub_remove(&s->obj);
        return NULL;
    }
    return &s->obj;
}
