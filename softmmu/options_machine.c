/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options that say what the machine is. Each expands to properties of the machine object; what they
 * mean together (topology, memory sizes) is decided by softmmu/run/config.c.
 */
#include "qom/value.h"
#include "softmmu/plan.h"
#include "target/i386/model.h"

#include <string.h>

static void set(Plan *p, const Option *o, const char *prop, const char *value)
{
    if (value) {
        plan_set(p, o, prop, TEXT(value));
    }
}

bool take_machine(Plan *p, const Option *o, const char *arg, Error **err)
{
    Opts *m = opts_parse(arg, "type", err);
    const char *type;

    if (!m) {
        return false;
    }
    type = opts_text(m, "type");
    if (type) {
        g_free(p->machine);
        p->machine = g_strdup(type);
    }
    if (opts_help(m)) {
        const MachineClass *c = type ? machine_class_find(type, err) : NULL;

        p->answer = type ? (c ? help_class(&c->class) : NULL) : help_machines();
        opts_free(m);
        return p->answer;
    }
    for (guint i = 0; i < m->list->len; i++) {
        Opt *opt = m->list->pdata[i];

        if (strcmp(opt->name, "type")) {
            plan_set(p, o, opt->name, opt->value);
        }
    }
    opts_free(m);
    return true;
}

bool take_accel(Plan *p, const Option *o, const char *arg, Error **err)
{
    Opts *a = opts_parse(arg, "accel", err);

    if (a && opts_help(a)) {
        p->answer = help_accels();
        opts_free(a);
        return true;
    }
    if (a && !opts_text(a, "accel")) {
        opts_free(a);
        return error_set(err, "names no accelerator");
    }
    if (a) {
        g_ptr_array_add(p->accels, a);
    }
    return a;
}

bool take_enable_kvm(Plan *p, const Option *o, const char *arg, Error **err)
{
    return take_accel(p, o, "kvm", err);
}

bool take_cpu(Plan *p, const Option *o, const char *arg, Error **err)
{
    CpuModel model;

    if (!strcmp(arg, "help") || !strcmp(arg, "?")) {
        p->answer = model_help();
        return true;
    }
    g_free(p->cpu);
    p->cpu = g_strdup(arg);
    return model_resolve(arg, NULL, &model, err);
}

/* Options whose parameters are properties: "cpus" of -smp is smp.cpus. */
static bool expand(Plan *p, const Option *o, const char *arg, const char *implied,
                   const char *const *names, const char *prefix, Error **err)
{
    Opts *given = opts_parse(arg, implied, err);
    bool ok = given && opts_known(given, names, err);

    for (int i = 0; ok && names[i]; i++) {
        g_autofree char *prop = g_strconcat(prefix, names[i], NULL);

        set(p, o, prop, opts_text(given, names[i]));
    }
    opts_free(given);
    return ok;
}

bool take_smp(Plan *p, const Option *o, const char *arg, Error **err)
{
    static const char *const names[] = {"cpus",    "sockets", "dies", "cores",
                                        "threads", "maxcpus", NULL};

    return expand(p, o, arg, "cpus", names, "smp.", err);
}

bool take_boot(Plan *p, const Option *o, const char *arg, Error **err)
{
    static const char *const names[] = {"order",       "once",           "menu",   "splash",
                                        "splash-time", "reboot-timeout", "strict", NULL};

    return expand(p, o, arg, "order", names, "boot.", err);
}

bool take_rtc(Plan *p, const Option *o, const char *arg, Error **err)
{
    static const char *const names[] = {"base", "clock", "driftfix", NULL};

    return expand(p, o, arg, NULL, names, "rtc.", err);
}

/* A bare number counts megabytes. */
static char *megabytes(const char *text)
{
    bool bare = *text && text[strspn(text, "0123456789.")] == 0;

    return bare ? g_strconcat(text, "M", NULL) : g_strdup(text);
}

bool take_memory(Plan *p, const Option *o, const char *arg, Error **err)
{
    static const char *const names[] = {"size", "slots", "maxmem", NULL};
    Opts *m = opts_parse(arg, "size", err);
    bool ok = m && opts_known(m, names, err);

    if (ok && opts_text(m, "size")) {
        g_autofree char *size = megabytes(opts_text(m, "size"));

        set(p, o, "memory.size", size);
    }
    if (ok && opts_text(m, "maxmem")) {
        g_autofree char *size = megabytes(opts_text(m, "maxmem"));

        set(p, o, "memory.max-size", size);
    }
    if (ok) {
        set(p, o, "memory.slots", opts_text(m, "slots"));
    }
    opts_free(m);
    return ok;
}

bool take_name(Plan *p, const Option *o, const char *arg, Error **err)
{
    static const char *const names[] = {"guest", "process", "debug-threads", NULL};
    Opts *n = opts_parse(arg, "guest", err);
    bool threads,
        ok = n && opts_known(n, names, err) && opts_bool(n, "debug-threads", &threads, err);

    if (ok && opts_text(n, "guest")) {
        g_free(p->guest_name);
        p->guest_name = g_strdup(opts_text(n, "guest"));
    }
    if (ok && opts_text(n, "process")) {
        g_free(p->process_name);
        p->process_name = g_strdup(opts_text(n, "process"));
    }
    opts_free(n);
    return ok;
}

bool take_uuid(Plan *p, const Option *o, const char *arg, Error **err)
{
    if (!g_uuid_string_is_valid(arg)) {
        return error_set(err, "wants a UUID, as 5a1b0c9e-0001-4c5d-9e00-000000000001");
    }
    set(p, o, "uuid", arg);
    return true;
}

/* what is the property */
bool take_acpi(Plan *p, const Option *o, const char *arg, Error **err)
{
    set(p, o, o->what, "off");
    return true;
}

/* Which fields a type has is known to the firmware's tables; here the shape is checked. */
bool take_smbios(Plan *p, const Option *o, const char *arg, Error **err)
{
    Opts *s = opts_parse(arg, NULL, err);
    uint64_t type = 0;
    bool ok = s && opts_number(s, "type", UNIT_NONE, &type, 255, err);

    if (ok && !opts_text(s, "type") && !opts_text(s, "file")) {
        ok = error_set(err, "wants type=N or file=FILE");
    }
    if (ok) {
        g_ptr_array_add(p->smbios, g_strdup(arg));
    }
    opts_free(s);
    return ok;
}

bool take_overcommit(Plan *p, const Option *o, const char *arg, Error **err)
{
    static const char *const names[] = {"mem-lock", "cpu-pm", NULL};
    Opts *given = opts_parse(arg, NULL, err);
    bool ok = given && opts_known(given, names, err), on;

    for (int i = 0; ok && names[i]; i++) {
        on = false;
        ok = opts_bool(given, names[i], &on, err) &&
             (!on || error_set(err, "%s=on is not done in this version", names[i]));
    }
    opts_free(given);
    return ok;
}

bool take_msg(Plan *p, const Option *o, const char *arg, Error **err)
{
    static const char *const names[] = {"timestamp", "guest-name", NULL};
    Opts *given = opts_parse(arg, NULL, err);
    bool guest_name, ok = given && opts_known(given, names, err) &&
                          opts_bool(given, "timestamp", &p->timestamps, err) &&
                          opts_bool(given, "guest-name", &guest_name, err);

    opts_free(given);
    return ok;
}

/* One of a few words; missing leaves *to alone. */
static bool word(Opts *o, const char *name, const char *const *words, unsigned *to, Error **err)
{
    const char *text = opts_text(o, name);
    g_autofree char *all = g_strjoinv(", ", (char **)words);

    for (unsigned i = 0; text && words[i]; i++) {
        if (!strcmp(words[i], text)) {
            *to = i;
            return true;
        }
    }
    return !text || error_set(err, "%s=%s: wants one of %s", name, text, all);
}

bool take_action(Plan *p, const Option *o, const char *arg, Error **err)
{
    static const char *const names[] = {"reboot", "shutdown", "panic", NULL};
    static const char *const reboots[] = {"reset", "shutdown", NULL};
    static const char *const shutdowns[] = {"poweroff", "pause", NULL};
    static const char *const panics[] = {"shutdown", "pause", "exit-failure", "none", NULL};
    unsigned reboot = p->no_reboot, off = p->no_shutdown, panic = p->on_panic;
    Opts *given = opts_parse(arg, NULL, err);
    bool ok =
        given && opts_known(given, names, err) && word(given, "reboot", reboots, &reboot, err) &&
        word(given, "shutdown", shutdowns, &off, err) && word(given, "panic", panics, &panic, err);

    p->no_reboot = reboot;
    p->no_shutdown = off;
    p->on_panic = panic;
    opts_free(given);
    return ok;
}
