/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options that make objects, back ends and devices, and the short forms that expand to them.
 */
#include "accel/accel.h"
#include "chardev/chardev.h"
#include "gdbstub/gdbstub.h"
#include "hw/core/device.h"
#include "softmmu/make.h"
#include "softmmu/plan.h"

#include <string.h>

static bool id_free(const GPtrArray *list, const char *id, Error **err)
{
    for (guint i = 0; i < list->len; i++) {
        const char *other = opts_text(list->pdata[i], "id");

        if (other && !strcmp(other, id)) {
            return error_set(err, "id=%s: is taken already", id);
        }
    }
    return true;
}

/* Parse into the list; the id must be good, and there unless it may be missing. */
static Opts *listed(GPtrArray *list, const char *arg, const char *implied, bool needs_id,
                    Error **err)
{
    Opts *o = opts_parse(arg, implied, err);
    const char *id = o ? opts_text(o, "id") : NULL;
    bool ok = o;

    if (ok && !opts_help(o)) {
        if (!opts_text(o, implied)) {
            ok = error_set(err, "%s is missing", implied);
        } else if (id) {
            ok = id_good(id, err) && id_free(list, id, err);
        } else if (needs_id) {
            ok = error_set(err, "id is missing");
        }
    }
    if (!ok) {
        opts_free(o);
        return NULL;
    }
    if (!opts_help(o)) {
        g_ptr_array_add(list, o);
    }
    return o;
}

const Class *device_class(const char *driver, Error **err)
{
    const Class *c = class_choose(driver, &Device_class, "device", err);

    if (c && ((const DeviceClass *)c)->onboard) {
        error_set(err, "%s is a part of boards and cannot be added", driver);
        return NULL;
    }
    return c;
}

bool take_device(Plan *p, const Option *o, const char *arg, Error **err)
{
    Opts *d = listed(p->devices, arg, "driver", false, err);
    const char *driver = d ? opts_text(d, "driver") : NULL;

    if (d && opts_help(d)) {
        const Class *c = driver ? class_choose(driver, &Device_class, "device", err) : NULL;

        p->answer = driver ? (c ? help_class(c) : NULL) : help_devices();
        opts_free(d);
        return p->answer;
    }
    return d && device_class(driver, err);
}

const Class *object_class(const char *type, Error **err)
{
    const Class *c = class_choose(type, &Object_class, "object", err), *able = c;

    while (able && !able->complete) {
        able = able->parent;
    }
    if (c && (!able || class_is(c, &Device_class) || class_is(c, &Chardev_class))) {
        error_set(err, "a %s is not made by -object", type);
        return NULL;
    }
    return c;
}

bool take_object(Plan *p, const Option *o, const char *arg, Error **err)
{
    Opts *d = listed(p->objects, arg, "qom-type", true, err);
    const char *type = d ? opts_text(d, "qom-type") : NULL;

    if (d && opts_help(d)) {
        const Class *c = type ? object_class(type, err) : NULL;

        p->answer = type ? (c ? help_class(c) : NULL) : help_objects();
        opts_free(d);
        return p->answer;
    }
    return d && object_class(type, err);
}

bool take_chardev(Plan *p, const Option *o, const char *arg, Error **err)
{
    Opts *c = listed(p->chardevs, arg, "backend", true, err);

    if (c && opts_help(c)) {
        p->answer = chardev_help();
        opts_free(c);
        return true;
    }
    return c && chardev_check(c, err);
}

/* DRIVER.PROP=VALUE; a driver's name may hold dots, a property's none before the =. */
static Opts *global_short(const char *arg, Error **err)
{
    const char *equals = strchr(arg, '=');
    const char *dot = equals ? g_strrstr_len(arg, equals - arg, ".") : NULL;
    Opts *g;

    if (!dot || dot == arg || dot + 1 == equals) {
        error_set(err, "is not DRIVER.PROP=VALUE");
        return NULL;
    }
    g = opts_new();
    g_autofree char *driver = g_strndup(arg, dot - arg);
    g_autofree char *prop = g_strndup(dot + 1, equals - dot - 1);
    opts_add(g, "driver", TEXT(driver));
    opts_add(g, "property", TEXT(prop));
    opts_add(g, "value", TEXT(equals + 1));
    return g;
}

bool take_global(Plan *p, const Option *o, const char *arg, Error **err)
{
    static const char *const names[] = {"driver", "property", "value", NULL};
    bool is_long = g_str_has_prefix(arg, "driver=") || *arg == '{';
    Opts *g = is_long ? opts_parse(arg, NULL, err) : global_short(arg, err);
    bool ok = g && opts_known(g, names, err);

    for (int i = 0; ok && names[i]; i++) {
        ok = opts_find(g, names[i]) || error_set(err, "%s is missing", names[i]);
    }
    if (!ok) {
        opts_free(g);
        return false;
    }
    g_ptr_array_add(p->globals, g);
    return true;
}

/* ---- short forms ---- */

enum { MOST_SERIAL = 4 };

bool take_serial(Plan *p, const Option *o, const char *arg, Error **err)
{
    Opts *c;

    if (p->serials->len == MOST_SERIAL) {
        return error_set(err, "there are no more than %d serial ports", MOST_SERIAL);
    }
    c = chardev_short(arg, err);
    if (!c) {
        return false;
    }
    opts_free(c);
    g_ptr_array_add(p->serials, g_strdup(arg));
    return true;
}

bool take_debugcon(Plan *p, const Option *o, const char *arg, Error **err)
{
    Opts *c = chardev_short(arg, err);

    if (c) {
        g_free(p->debugcon);
        p->debugcon = g_strdup(arg);
    }
    opts_free(c);
    return c;
}

/* -gdb DEVICE, and -s: what is the device */
bool take_gdb(Plan *p, const Option *o, const char *arg, Error **err)
{
    Opts *c = gdbstub_device(arg ?: o->what, err);

    if (c) {
        g_free(p->gdb);
        p->gdb = g_strdup(arg ?: o->what);
    }
    opts_free(c);
    return c;
}

/* -qtest DEVICE: a chardev of its own, or one that there is. */
bool take_qtest(Plan *p, const Option *o, const char *arg, Error **err)
{
    Opts *c = chardev_short(arg, err);
    const char *backend = c ? opts_text(c, "backend") : NULL;

    if (!c) {
        return false;
    }
    g_free(p->qtest);
    if (!strcmp(backend, "chardev")) {
        p->qtest = g_strdup(opts_text(c, "chardev"));
    } else {
        p->qtest = g_strdup("qtest");
        opts_add(c, "id", TEXT("qtest"));
        g_ptr_array_add(p->chardevs, g_steal_pointer(&c));
    }
    if (c) {
        opts_free(c);
    }
    return true;
}

static bool only_none(const char *arg, const char *what, Error **err)
{
    return !strcmp(arg, "none") || error_set(err, "%s in this version; only none is taken", what);
}

bool take_parallel(Plan *p, const Option *o, const char *arg, Error **err)
{
    return only_none(arg, "there is no parallel port", err);
}

bool take_mon(Plan *p, const Option *o, const char *arg, Error **err)
{
    static const char *const names[] = {"chardev", "mode", "pretty", "id", NULL};
    Opts *mon = opts_parse(arg, "chardev", err);
    const char *mode = mon ? opts_text(mon, "mode") : NULL;
    bool pretty, ok = mon && opts_known(mon, names, err) && opts_bool(mon, "pretty", &pretty, err);

    if (ok && !opts_text(mon, "chardev")) {
        ok = error_set(err, "chardev is missing");
    } else if (ok && mode && strcmp(mode, "control") && strcmp(mode, "readline")) {
        ok = error_set(err, "mode=%s: wants control or readline", mode);
    }
    if (!ok) {
        opts_free(mon);
        return false;
    }
    g_ptr_array_add(p->monitors, mon);
    return true;
}

/* -monitor, -qmp, -qmp-pretty DEVICE: a chardev of their own and -mon; what is the mode. */
bool take_monitor(Plan *p, const Option *o, const char *arg, Error **err)
{
    g_autofree char *id = g_strdup_printf("compat_monitor%u", p->monitors->len);
    Opts *chr = chardev_short(arg, err), *mon;
    const char *backend = chr ? opts_text(chr, "backend") : NULL;

    if (!chr) {
        return false;
    }
    p->monitor_given |= !strcmp(o->what, "readline");
    if (!strcmp(backend, "none")) {
        opts_free(chr);
        return true;
    }
    mon = opts_new();
    if (!strcmp(backend, "chardev")) {
        opts_add(mon, "chardev", TEXT(opts_text(chr, "chardev")));
        opts_free(chr);
    } else {
        opts_add(mon, "chardev", TEXT(id));
        opts_add(chr, "id", TEXT(id));
        g_ptr_array_add(p->chardevs, chr);
    }
    opts_add(mon, "mode", TEXT(strcmp(o->what, "pretty") ? o->what : "control"));
    opts_add(mon, "pretty", FLAG(!strcmp(o->what, "pretty")));
    g_ptr_array_add(p->monitors, mon);
    return true;
}

bool take_nic(Plan *p, const Option *o, const char *arg, Error **err)
{
    return only_none(arg, "there is no network card", err);
}

bool take_display(Plan *p, const Option *o, const char *arg, Error **err)
{
    p->display = DISPLAY_NONE;
    return only_none(arg, "there is no display", err);
}

bool take_vga(Plan *p, const Option *o, const char *arg, Error **err)
{
    p->vga_none = true;
    return only_none(arg, "there is no display adapter to choose", err);
}

bool take_sandbox(Plan *p, const Option *o, const char *arg, Error **err)
{
    return g_str_has_prefix(arg, "off") ||
           error_set(err, "there is no system call filter in this version");
}

/* what is the list */
bool take_list(Plan *p, const Option *o, const char *arg, Error **err)
{
    GPtrArray *list = *(GPtrArray **)((char *)p + (uintptr_t)o->what);

    g_ptr_array_add(list, g_strdup(arg));
    return true;
}
