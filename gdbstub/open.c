/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a debugger is served: -gdb, -s and the monitor's gdbserver. */
#include "gdbstub/gdbstub.h"
#include "qom/opts.h"
#include "target/i386/gdb.h"

#include <string.h>

Opts *gdbstub_device(const char *device, Error **err)
{
    Opts *o = chardev_short(device, err);
    const char *backend = o ? opts_text(o, "backend") : "";

    if (!strcmp(backend, "socket")) {
        if (!opts_find(o, "server")) {
            opts_add(o, "server", FLAG(true));
        }
        if (!opts_find(o, "wait")) {
            opts_add(o, "wait", FLAG(false));
        }
        if (!opts_find(o, "nodelay") && opts_find(o, "port")) {
            opts_add(o, "nodelay", FLAG(true));
        }
    }
    return o;
}

static Chardev *make_chardev(Machine *m, Opts *o, Error **err)
{
    for (guint i = 0; i < o->list->len; i++) {
        Opt *opt = o->list->pdata[i];

        opt->used = !strcmp(opt->name, "backend");
    }
    return chardev_new(m, "gdb", o, err);
}

static Object *served(Machine *m)
{
    return object_child(object_root((Object *)m), "gdbstub");
}

/* The stub that there is, and the chardev that was made for it. */
static void close_old(Machine *m)
{
    Object *stub = served(m);
    Object *own = object_at(object_root((Object *)m), "chardevs/gdb");

    if (stub) {
        gdbstub_remove(stub);
    }
    if (stub && own) {
        object_remove(own);
    }
}

bool gdbstub_open(Machine *m, const char *device, Error **err)
{
    Opts *o = gdbstub_device(device, err);
    const char *backend = o ? opts_text(o, "backend") : NULL;
    Object *chr = NULL;
    bool good = o;

    if (o) {
        close_old(m);
    }
    if (o && strcmp(backend, "none")) {
        chr = !strcmp(backend, "chardev")
                ? object_resolve((Object *)m, opts_text(o, "chardev"), &Chardev_class, err)
                : (Object *)make_chardev(m, o, err);
        good = chr && gdbstub_new(m, (Chardev *)chr, &x86_gdb, err);
    }
    opts_free(o);
    return good;
}
