/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Character devices for programs: qapi/char.qapi.
 *
 * Arguments of chardev-add become the words of -chardev. Not modelled: back ends udp, mux,
 * serial lines, TLS; a server that a running machine would wait for.
 */
#include "chardev/chardev.h"
#include "chardev/memory.h"
#include "monitor/monitor_impl.h"
#include "qapi/commands.h"
#include "softmmu/make.h"

#include <string.h>

extern const Class *const __start_classes[], *const __stop_classes[];

#define PREFIX "chardev-"

static Chardev *find(Machine *m, const char *id, Error **err)
{
    Object *all = object_container(object_root(&m->obj), "chardevs");
    Object *chr = object_child(all, id);

    if (!chr) {
        error_set(err, "there is no character device %s", id);
    }
    return (Chardev *)chr;
}

bool qmp_query_chardev(Machine *m, ChardevInfoList *ret, Error **err)
{
    Object *all = object_container(object_root(&m->obj), "chardevs");

    lock_take(&m->lock);
    for (Object *c = all->children; c; c = c->next) {
        ChardevInfo *info = LIST_ADD(ret);

        info->label = g_strdup(c->name);
        info->filename = chardev_where((Chardev *)c);
        info->frontend_open = ((Chardev *)c)->fronts;
    }
    lock_drop(&m->lock);
    return true;
}

bool qmp_query_chardev_backends(Machine *m, ChardevBackendInfoList *ret, Error **err)
{
    for (const Class *const *c = __start_classes; c < __stop_classes; c++) {
        if (class_is(*c, &Chardev_class) && g_str_has_prefix((*c)->name, PREFIX)) {
            LIST_ADD(ret)->name = g_strdup((*c)->name + strlen(PREFIX));
        }
    }
    return true;
}

/* ---- ring buffers ---- */

static RingChardev *find_ring(Machine *m, const char *id, Error **err)
{
    Chardev *chr = find(m, id, err);

    if (chr && !object_is(&chr->obj, &RingChardev_class)) {
        error_set(err, "character device %s is no ring buffer", id);
        chr = NULL;
    }
    return (RingChardev *)chr;
}

static uint8_t *decode(const char *text, bool base64, gsize *n, Error **err)
{
    uint8_t *data = base64 ? g_base64_decode(text, n) : (uint8_t *)g_strdup(text);
    size_t length = strlen(text);

    if (!base64) {
        *n = length;
    } else if (length % 4 || (length && !*n)) { /* GLib skips what is no base64 */
        error_set(err, "parameter data: is not base64");
        g_clear_pointer(&data, g_free);
    }
    return data;
}

bool qmp_ringbuf_write(Machine *m, const RingbufWriteArgs *arg, Error **err)
{
    bool base64 = arg->has_format && arg->format == DATA_FORMAT_BASE64;
    RingChardev *ring = find_ring(m, arg->device, err);
    gsize n = 0;
    g_autofree uint8_t *data = ring ? decode(arg->data, base64, &n, err) : NULL;

    if (data) {
        char_write((Chardev *)ring, data, n);
    }
    return data;
}

bool qmp_ringbuf_read(Machine *m, const RingbufReadArgs *arg, char **ret, Error **err)
{
    RingChardev *ring = find_ring(m, arg->device, err);
    g_autofree uint8_t *data = NULL;
    size_t n;

    if (!ring) {
        return false;
    }
    if (arg->size <= 0 || arg->size > 1 << 28) {
        return error_set(err, "parameter size: wants 1 to %d", 1 << 28);
    }
    data = g_malloc(arg->size);
    n = ring_read(ring, data, arg->size);
    if (arg->has_format && arg->format == DATA_FORMAT_BASE64) {
        *ret = g_base64_encode(data, n);
    } else {
        for (size_t i = 0; i < n; i++) { /* a NUL would end the text */
            data[i] = data[i] ?: '?';
        }
        *ret = g_utf8_make_valid((char *)data, n);
    }
    return true;
}

/* ---- new back ends ---- */

static void add_text(Opts *o, const char *name, const char *value)
{
    if (value) {
        opts_add(o, name, TEXT(value));
    }
}

static void add_flag(Opts *o, const char *name, bool given, bool value)
{
    if (given) {
        opts_add(o, name, FLAG(value));
    }
}

static void add_common(Opts *o, const char *logfile, bool has_append, bool append)
{
    add_text(o, "logfile", logfile);
    add_flag(o, "logappend", has_append, append);
}

#define COMMON(o, c) add_common(o, (c)->logfile, (c)->has_logappend, (c)->logappend)

static void add_address(Opts *o, const SocketAddressLegacy *a)
{
    const InetSocketAddress *inet = &a->u.inet.data;

    switch (a->type) {
    case SOCKET_ADDRESS_TYPE_INET:
        add_text(o, "host", inet->host);
        add_text(o, "port", inet->port);
        add_flag(o, "ipv4", inet->has_ipv4, inet->ipv4);
        add_flag(o, "ipv6", inet->has_ipv6, inet->ipv6);
        break;
    case SOCKET_ADDRESS_TYPE_UNIX:
        add_text(o, "path", a->u.unix_.data.path);
        add_flag(o, "abstract", a->u.unix_.data.has_abstract, a->u.unix_.data.abstract);
        break;
    case SOCKET_ADDRESS_TYPE_FD:
        add_text(o, "fd", a->u.fd.data.str);
        break;
    }
}

static bool add_socket(Opts *o, const ChardevSocket *s, Error **err)
{
    bool server = !s->has_server || s->server;

    if (server && s->has_wait && s->wait) {
        return error_set(err, "parameter backend.data.wait: a running machine waits for nobody");
    }
    COMMON(o, s);
    add_address(o, &s->addr);
    add_flag(o, "server", true, server);
    add_flag(o, "wait", server, false);
    add_flag(o, "nodelay", s->has_nodelay, s->nodelay);
    add_flag(o, "telnet", s->has_telnet, s->telnet);
    if (s->has_reconnect) {
        opts_add(o, "reconnect", NUMBER(s->reconnect));
    }
    return true;
}

static bool add_backend(Opts *o, const ChardevBackend *b, Error **err)
{
    switch (b->type) {
    case CHARDEV_BACKEND_KIND_FILE:
        COMMON(o, &b->u.file.data);
        add_text(o, "path", b->u.file.data.out);
        add_flag(o, "append", b->u.file.data.has_append, b->u.file.data.append);
        return true;
    case CHARDEV_BACKEND_KIND_PIPE:
        COMMON(o, &b->u.pipe.data);
        add_text(o, "path", b->u.pipe.data.device);
        return true;
    case CHARDEV_BACKEND_KIND_SOCKET:
        return add_socket(o, &b->u.socket.data, err);
    case CHARDEV_BACKEND_KIND_PTY:
    case CHARDEV_BACKEND_KIND_NULL:
        COMMON(o, b->type == CHARDEV_BACKEND_KIND_PTY ? &b->u.pty.data : &b->u.null.data);
        return true;
    case CHARDEV_BACKEND_KIND_STDIO:
        COMMON(o, &b->u.stdio.data);
        add_flag(o, "signal", b->u.stdio.data.has_signal, b->u.stdio.data.signal);
        return true;
    case CHARDEV_BACKEND_KIND_RINGBUF:
    case CHARDEV_BACKEND_KIND_MEMORY:
        COMMON(o, &b->u.ringbuf.data);
        if (b->u.ringbuf.data.has_size) {
            opts_add(o, "size", NUMBER(b->u.ringbuf.data.size));
        }
        return true;
    }
    return false;
}

static Chardev *make(Machine *m, const char *id, const ChardevBackend *b, ChardevReturn *ret,
                     Error **err)
{
    Opts *o = opts_new();
    Chardev *chr = NULL;

    opts_add(o, "backend", TEXT(qapi_ChardevBackendKind.values[b->type]));
    opts_find(o, "backend");
    if (add_backend(o, b, err)) {
        chr = chardev_new(m, id, o, err);
    }
    if (chr && b->type == CHARDEV_BACKEND_KIND_PTY) {
        Value path;

        prop_get(&chr->obj, "path", &path, NULL);
        ret->pty = g_strdup(path.text);
        value_clear(&path);
    }
    opts_free(o);
    return chr;
}

bool qmp_chardev_add(Machine *m, const ChardevAddArgs *arg, ChardevReturn *ret, Error **err)
{
    return id_good(arg->id, err) && make(m, arg->id, &arg->backend, ret, err);
}

/* ---- changing and removing ---- */

static bool used(Chardev *chr, Error **err)
{
    if (chr->fronts || chr->obj.refs > 1) {
        error_set(err, "character device %s is in use", chr->obj.name);
        return true;
    }
    return false;
}

bool qmp_chardev_remove(Machine *m, const ChardevRemoveArgs *arg, Error **err)
{
    Chardev *chr;
    bool ok;

    lock_take(&m->lock);
    chr = find(m, arg->id, err);
    ok = chr && !used(chr, err);
    if (ok) {
        object_remove(&chr->obj);
    }
    lock_drop(&m->lock);
    return ok;
}

static bool only_devices(const Chardev *chr, Error **err)
{
    for (unsigned i = 0; i < chr->fronts; i++) {
        if (!object_is(chr->front[i].obj, &Device_class)) {
            return error_set(err, "character device %s is that of %s, which keeps it",
                             chr->obj.name, chr->front[i].obj->name);
        }
    }
    return true;
}

bool qmp_chardev_change(Machine *m, const ChardevChangeArgs *arg, ChardevReturn *ret, Error **err)
{
    g_autofree char *name = g_strconcat(arg->id, ".new", NULL);
    Chardev *old, *chr = NULL;

    lock_take(&m->lock);
    old = find(m, arg->id, err);
    if (old && only_devices(old, err) && (chr = make(m, name, &arg->backend, ret, err))) {
        chardev_replace(old, chr);
    }
    lock_drop(&m->lock);
    return chr;
}

bool qmp_chardev_send_break(Machine *m, const ChardevSendBreakArgs *arg, Error **err)
{
    Chardev *chr = find(m, arg->id, err);

    if (chr) {
        char_break(chr);
    }
    return chr;
}
