/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a plan to a machine: chardevs, objects, the engine, the board, the devices of the user.
 *
 * Whatever was made when something fails is freed with the machine.
 */
#include "accel/accel.h"
#include "accel/qtest/socket.h"
#include "chardev/chardev.h"
#include "gdbstub/gdbstub.h"
#include "monitor/monitor.h"
#include "qom/value.h"
#include "softmmu/make.h"
#include "softmmu/plan.h"
#include "softmmu/run/machine_impl.h"
#include "util/log.h"

#include <string.h>

/* An error of an object that an option asked for names that option. */
static bool blame(Error **err, const char *option, const Opts *o, const char *implied)
{
    g_autofree char *text = opts_print(o, implied);

    return error_prefix(err, "-%s %s: ", option, text);
}

/* ---- configuration ---- */

static char **texts(const GPtrArray *list, char **more)
{
    GPtrArray *all = g_ptr_array_new();

    for (guint i = 0; i < list->len; i++) {
        g_ptr_array_add(all, g_strdup(list->pdata[i]));
    }
    for (; more && *more; more++) {
        g_ptr_array_add(all, g_strdup(*more));
    }
    g_ptr_array_add(all, NULL);
    return (char **)g_ptr_array_free(all, FALSE);
}

static void add_globals(MachineConfig *c, const Plan *p)
{
    for (guint i = 0; i < p->globals->len; i++) {
        Opts *o = p->globals->pdata[i];
        GlobalProp *g = g_new0(GlobalProp, 1);

        g->driver = g_strdup(opts_text(o, "driver"));
        g->property = g_strdup(opts_text(o, "property"));
        g->value = value_print(opts_find(o, "value"));
        g_ptr_array_add(c->globals, g);
    }
}

static bool configure(Machine *m, Plan *p, Error **err)
{
    MachineConfig *c = machine_config(m);
    char **built_in = c->data_dirs;

    add_globals(c, p);
    c->data_dirs = texts(p->data_dirs, built_in);
    g_strfreev(built_in);
    c->option_roms = texts(p->option_roms, NULL);
    c->smbios = texts(p->smbios, NULL);
    c->cpu = g_strdup(p->cpu);
    c->name = g_strdup(p->guest_name);
    c->nographic = p->nographic;
    c->nodefaults = p->nodefaults;
    c->vga_none = p->vga_none || p->nodefaults || p->nographic;
    c->no_reboot = p->no_reboot;
    c->no_shutdown = p->no_shutdown;
    c->start_paused = p->paused;
    c->on_panic = p->on_panic;
    if (!machine_globals(m, (Object *)m, err)) {
        return false;
    }
    for (guint i = 0; i < p->machine_opts->list->len; i++) {
        const Opt *opt = p->machine_opts->list->pdata[i];

        if (!prop_set((Object *)m, opt->name, opt->value, err)) {
            return error_prefix(err, "-%s: ", opt->origin);
        }
    }
    return machine_config_settle(c, machine_class_of(m)->max_cpus, err);
}

/* ---- chardevs, objects ---- */

static bool make_chardevs(Machine *m, Plan *p, Error **err)
{
    for (guint i = 0; i < p->chardevs->len; i++) {
        Opts *o = p->chardevs->pdata[i];

        if (!chardev_new(m, opts_text(o, "id"), o, err)) {
            return blame(err, "chardev", o, "backend");
        }
    }
    return true;
}

static bool make_objects(Machine *m, Plan *p, Error **err)
{
    for (guint i = 0; i < p->objects->len; i++) {
        if (!object_make(m, p->objects->pdata[i], err)) {
            return blame(err, "object", p->objects->pdata[i], "qom-type");
        }
    }
    return true;
}

/* ---- serial ports ---- */

/* mon:stdio and its like: a monitor shares the chardev. */
static void add_monitor(Plan *p, const char *chardev)
{
    Opts *o = opts_new();

    opts_add(o, "chardev", TEXT(chardev));
    opts_add(o, "mode", TEXT("readline"));
    g_ptr_array_add(p->monitors, o);
}

/* What -serial and its like mean; *to stays NULL for none. */
static bool connect_port(Machine *m, Plan *p, const char *text, const char *id, Chardev **to,
                         Error **err)
{
    Opts *o = chardev_short(text, err);
    const char *backend = o ? opts_text(o, "backend") : NULL;
    bool ok = true, mux = false;
    Object *found = NULL;

    if (!o) {
        return false;
    }
    if (!strcmp(backend, "chardev")) {
        found = object_resolve((Object *)m, opts_text(o, "chardev"), &Chardev_class, err);
        ok = found;
    } else if (strcmp(backend, "none")) {
        opts_bool(o, "mux", &mux, NULL);
        for (guint i = 0; i < o->list->len; i++) {
            ((Opt *)o->list->pdata[i])->used = !strcmp(((Opt *)o->list->pdata[i])->name, "backend");
        }
        found = (Object *)chardev_new(m, id, o, err);
        ok = found;
        if (found && mux) {
            add_monitor(p, id);
        }
    }
    opts_free(o);
    *to = (Chardev *)found;
    if (found) {
        object_ref(found);
    }
    return ok;
}

/* -debugcon DEV is -device isa-debugcon,chardev=... */
static bool connect_debugcon(Machine *m, Plan *p, Error **err)
{
    Chardev *chr = NULL;
    Opts *o;

    if (!connect_port(m, p, p->debugcon, "debugcon", &chr, err)) {
        return false;
    }
    if (chr) {
        o = opts_new();
        opts_add(o, "driver", TEXT("isa-debugcon"));
        opts_add(o, "chardev", TEXT(chr->obj.name));
        g_ptr_array_add(p->devices, o);
        object_unref(&chr->obj);
    }
    return true;
}

/* Has anything the terminal, or will it? */
static bool terminal_taken(Machine *m, const Plan *p)
{
    const char *later[] = {p->gdb, p->qtest};
    Object *all = object_container(object_root((Object *)m), "chardevs");

    for (Object *c = all->children; c; c = c->next) {
        if (!strcmp(c->class->name, "chardev-stdio")) {
            return true;
        }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(later); i++) {
        if (later[i] && g_str_has_prefix(later[i], "stdio")) {
            return true;
        }
    }
    return false;
}

/* -nographic with serial ports that are elsewhere: the monitor has the terminal. */
static bool terminal_monitor(Machine *m, Plan *p, Error **err)
{
    Opts *o;
    bool ok;

    if (!machine_config(m)->nographic || machine_config(m)->nodefaults || p->monitor_given ||
        terminal_taken(m, p)) {
        return true;
    }
    o = chardev_short("stdio", err);
    for (guint i = 0; o && i < o->list->len; i++) {
        ((Opt *)o->list->pdata[i])->used = !strcmp(((Opt *)o->list->pdata[i])->name, "backend");
    }
    ok = o && chardev_new(m, "compat_monitor0", o, err);
    opts_free(o);
    if (ok) {
        add_monitor(p, "compat_monitor0");
    }
    return ok;
}

/* QEMU's defaults: the first serial port shows on a display that this version lacks, so it is not
 * connected; -nographic puts it on the terminal, with the monitor, or if it is elsewhere the monitor
 * alone. */
static bool connect_ports(Machine *m, Plan *p, Error **err)
{
    MachineConfig *c = machine_config(m);

    if (!p->serials->len && c->nographic && !c->nodefaults && !p->daemonize) {
        g_ptr_array_add(p->serials, g_strdup(p->monitor_given ? "stdio" : "mon:stdio"));
    } else if (!p->serials->len && !c->nodefaults) {
        g_ptr_array_add(p->serials, g_strdup("null"));
    }
    for (guint i = 0; i < p->serials->len; i++) {
        g_autofree char *id = g_strdup_printf("serial%u", i);

        if (!connect_port(m, p, p->serials->pdata[i], id, &c->serial[i], err)) {
            return error_prefix(err, "-serial %s: ", (char *)p->serials->pdata[i]);
        }
    }
    if (!terminal_monitor(m, p, err)) {
        return false;
    }
    return !p->debugcon || connect_debugcon(m, p, err) ||
           error_prefix(err, "-debugcon %s: ", p->debugcon);
}

/* ---- the engine ---- */

static Accel *try_accel(Machine *m, Opts *o, const char *name, bool named, Error **err)
{
    const Class *c = class_choose(name, &Accel_class, "accel", err);
    const AccelClass *ac = (const AccelClass *)c;
    Accel *a;

    if (!c) {
        return NULL;
    }
    a = CAST(Accel, object_new(c, (Object *)m, "accel"));
    a->machine = m;
    if (!machine_globals(m, &a->obj, err) || (o && !opts_set(o, &a->obj, err)) ||
        (ac->usable && !ac->usable(a, err)) || (!named && ac->preferred && !ac->preferred(err)) ||
        !accel_start(a, err)) {
        object_remove(&a->obj);
        return NULL;
    }
    return a;
}

/* Why engines were passed over, and what would help with the first of them that knows. */
typedef struct Reasons {
    GString *why, *hint;
} Reasons;

/* The first that can be used. */
static Accel *first_accel(Machine *m, Opts *o, const char *list, bool named, Reasons r)
{
    g_auto(GStrv) name = g_strsplit(list, ":", -1);
    Accel *a = NULL;

    for (int i = 0; name[i] && !a; i++) {
        Error *why = NULL;

        a = try_accel(m, o, name[i], named, &why);
        if (why) {
            g_string_append_printf(r.why, "%s%s: %s", r.why->len ? "; " : "", name[i],
                                   error_text(why));
            g_string_append(r.hint, r.hint->len ? "" : error_hint_text(why));
        }
        error_free(why);
    }
    return a;
}

static bool choose_accel(Machine *m, Plan *p, Error **err)
{
    g_autoptr(GString) why = g_string_new(NULL);
    g_autoptr(GString) hint = g_string_new(NULL);
    Reasons reasons = {why, hint};
    const char *list = machine_config(m)->accel;
    Accel *a = NULL;

    if (p->accels->len && list) {
        return error_set(err, "-machine accel=%s and -accel are one too many", list);
    }
    for (guint i = 0; i < p->accels->len && !a; i++) {
        Opts *o = p->accels->pdata[i];

        a = first_accel(m, o, opts_text(o, "accel"), true, reasons);
    }
    if (!p->accels->len) {
        a = first_accel(m, NULL, list ?: "kvm:tcg", list, reasons);
    }
    if (!a) {
        error_set(err, "no accelerator can be used: %s", why->str);
        return error_hint(err,
                          hint->len ? "%s" : "'-accel help' lists them, and says what would help",
                          hint->str);
    }
    if (why->len) {
        log_printf("using %s (%s)\n", a->obj.class->alias ?: a->obj.class->name, why->str);
    }
    return true;
}

/* ---- devices of the user ---- */

static bool make_devices(Machine *m, Plan *p, Error **err)
{
    for (guint i = 0; i < p->devices->len; i++) {
        if (!device_make(m, p->devices->pdata[i], err)) {
            return blame(err, "device", p->devices->pdata[i], "driver");
        }
    }
    return true;
}

/* ---- monitors ---- */

static bool make_monitor(Machine *m, Opts *o, Error **err)
{
    const char *mode = opts_text(o, "mode");
    Object *chr = object_resolve((Object *)m, opts_text(o, "chardev"), &Chardev_class, err);
    bool control = mode && !strcmp(mode, "control"), pretty = false;

    opts_bool(o, "pretty", &pretty, NULL);
    return chr && monitor_new(m, opts_text(o, "id"), (Chardev *)chr,
                              control ? &qmp_mode : &hmp_mode, pretty, err);
}

/* After the devices, so that of several front ends of a chardev a device has the focus. */
static bool make_monitors(Machine *m, Plan *p, Error **err)
{
    for (guint i = 0; i < p->monitors->len; i++) {
        if (!make_monitor(m, p->monitors->pdata[i], err)) {
            return blame(err, "mon", p->monitors->pdata[i], "chardev");
        }
    }
    return true;
}

static bool serve_gdb(Machine *m, Plan *p, Error **err)
{
    return !p->gdb || gdbstub_open(m, p->gdb, err) || error_prefix(err, "-gdb %s: ", p->gdb);
}

static bool serve_qtest(Machine *m, Plan *p, Error **err)
{
    Object *chr;

    if (!p->qtest) {
        return true;
    }
    chr = object_resolve((Object *)m, p->qtest, &Chardev_class, err);
    return chr && qtest_serve(m, (Chardev *)chr, p->qtest_log, err);
}

/* Not an error: management programs name devices that only other machines have. */
static void warn_unused_globals(Machine *m)
{
    MachineConfig *c = machine_config(m);

    for (guint i = 0; i < c->globals->len; i++) {
        GlobalProp *g = c->globals->pdata[i];

        if (!g->used) {
            g_printerr("%s: warning: -global %s.%s=%s has no effect: there is no such %s\n",
                       g_get_prgname() ?: "rhea", g->driver, g->property, g->value,
                       class_find(g->driver) ? "device in this machine" : "class");
        }
    }
}

static bool is_stdio(Opts *o)
{
    return o && !g_strcmp0(opts_text(o, "backend"), "stdio");
}

/* There is no terminal in the background. */
static bool background(Plan *p, Error **err)
{
    bool terminal = false;

    for (guint i = 0; i < p->chardevs->len; i++) {
        terminal |= is_stdio(p->chardevs->pdata[i]);
    }
    for (guint i = 0; i < p->serials->len; i++) {
        Opts *o = chardev_short(p->serials->pdata[i], NULL);

        terminal |= is_stdio(o);
        opts_free(o);
    }
    if (p->daemonize && p->nographic) {
        error_set(err, "-daemonize: -nographic cannot be used then");
        return error_hint(err, "-display none has no terminal either");
    }
    return !p->daemonize || !terminal || error_set(err, "-daemonize: stdio cannot be used then");
}

Machine *plan_build(Plan *p, Error **err)
{
    bool good = background(p, err);
    const MachineClass *class = good ? machine_class_find(p->machine ?: "pc", err) : NULL;
    Machine *m = class ? machine_new_class(&class->class) : NULL;

    if (!m) {
        return NULL;
    }
    object_container((Object *)m, "peripheral"); /* there even when they are empty */
    object_container((Object *)m, "peripheral-anon");
    object_container(object_root((Object *)m), "objects");
    if (!configure(m, p, err) || !make_chardevs(m, p, err) || !make_objects(m, p, err) ||
        !connect_ports(m, p, err) || !choose_accel(m, p, err) || !class->build(m, err) ||
        !make_devices(m, p, err) || !make_monitors(m, p, err) || !serve_gdb(m, p, err) ||
        !serve_qtest(m, p, err)) {
        machine_free(m);
        return NULL;
    }
    warn_unused_globals(m);
    m->obj.fixed = true;
    lock_take(machine_lock(m));
    machine_reset(m, RESET_POWER);
    lock_drop(machine_lock(m));
    return m;
}
