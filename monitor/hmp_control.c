/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that steer: stop, cont, system_*, nmi, quit, log, logfile, trace-event, and `info` on
 * status, version and the engine's figures. Each does what the QMP command of that meaning does, by
 * the same function.
 */
#include "gdbstub/gdbstub.h"
#include "monitor/hmp_command.h"
#include "qapi/commands.h"
#include "softmmu/run/run.h"
#include "util/log.h"

#include <string.h>

/* ---- the machine's life ---- */

static bool stop(Hmp *h, Error **err)
{
    return qmp_stop(h->m, err);
}

static bool cont(Hmp *h, Error **err)
{
    return qmp_cont(h->m, err);
}

static bool reset(Hmp *h, Error **err)
{
    return qmp_system_reset(h->m, err);
}

static bool powerdown(Hmp *h, Error **err)
{
    return qmp_system_powerdown(h->m, err);
}

static bool wakeup(Hmp *h, Error **err)
{
    return qmp_system_wakeup(h->m, err);
}

static bool nmi(Hmp *h, Error **err)
{
    return qmp_inject_nmi(h->m, err);
}

static bool quit(Hmp *h, Error **err)
{
    return qmp_quit(h->m, err);
}

static bool info_status(Hmp *h, Error **err)
{
    StatusInfo now = {0};
    bool ok = qmp_query_status(h->m, &now, err);

    if (ok) {
        hmp_say(h, "VM status: %s", now.running ? "running" : "paused");
        if (now.status != RUN_STATE_RUNNING && now.status != RUN_STATE_PAUSED) {
            hmp_say(h, " (%s)", qapi_RunState.values[now.status]);
        }
        hmp_say(h, "\n");
    }
    return ok;
}

static bool info_version(Hmp *h, Error **err)
{
    VersionInfo v = {0};
    bool ok = qmp_query_version(h->m, &v, err);

    if (ok) {
        hmp_say(h, "%" PRId64 ".%" PRId64 ".%" PRId64 " (%s)\n", v.qemu.major, v.qemu.minor,
                v.qemu.micro, v.package);
        qapi_clear(&qapi_VersionInfo, &v);
    }
    return ok;
}

/* ---- the engine ---- */

static bool switch_accel(Hmp *h, Error **err)
{
    g_autofree char *name = NULL;

    return hmp_need_word(h, "engine", &name, err) && accel_switch(h->m, name, err);
}

static bool info_jit(Hmp *h, Error **err)
{
    Accel *a = machine_accel(h->m);
    const AccelClass *class = a ? (const AccelClass *)a->obj.class : NULL;

    if (!class || !class->figures) {
        return error_set(err, "%s has no figures",
                         a ? a->obj.class->name : "a machine without an engine");
    }
    class->figures(a, h->out);
    return true;
}

/* ---- logs ---- */

/* The new items take the place of the old ones, but not if one of them is wrong. */
static bool log_items_are(Hmp *h, Error **err)
{
    g_autofree char *items = hmp_rest(h);

    if (!*items || !strcmp(items, "help")) {
        g_autofree char *help = log_help();

        hmp_say(h, "%s  %-14s %s\n", help, "none", "nothing");
        return true;
    }
    if (!strcmp(items, "none")) {
        log_clear();
        return true;
    }
    if (!log_set(items, err)) {
        return false;
    }
    log_clear();
    return log_set(items, err);
}

/* The first words of the lines of its help. */
static void complete_log(Hmp *h, HmpWords *words)
{
    g_autofree char *help = log_help();
    g_auto(GStrv) lines = g_strsplit(help, "\n", -1);

    for (int i = 0; lines[i] && !hmp_more(h); i++) {
        const char *item = lines[i] + strspn(lines[i], " ");
        g_autofree char *word = g_strndup(item, strcspn(item, " :"));

        if (item != lines[i]) {
            hmp_offer(words, word);
        }
    }
    hmp_offer(words, "none");
}

static bool log_file(Hmp *h, Error **err)
{
    g_autofree char *path = hmp_rest(h);

    return log_open(*path ? path : NULL, err);
}

static bool trace_event(Hmp *h, Error **err)
{
    g_autofree char *name = NULL, *state = NULL;

    if (!hmp_need_word(h, "NAME", &name, err) || !hmp_need_word(h, "on or off", &state, err)) {
        return false;
    }
    if (strcmp(state, "on") && strcmp(state, "off")) {
        return error_set(err, "%s is not on or off", state);
    }
    return qmp_trace_event_set_state(
        h->m, &(TraceEventSetStateArgs){.name = name, .enable = !strcmp(state, "on")}, err);
}

static void complete_trace(Hmp *h, HmpWords *words)
{
    g_autofree char *name = hmp_word(h), *all = trace_help();
    g_auto(GStrv) names = g_strsplit(all, "\n", -1);

    if (name) {
        hmp_offer(words, "on");
        hmp_offer(words, "off");
        return;
    }
    for (int i = 0; names[i]; i++) {
        if (*names[i]) {
            hmp_offer(words, names[i]);
        }
    }
}

/* ---- gdb ---- */

static bool gdbserver(Hmp *h, Error **err)
{
    g_autofree char *device = hmp_rest(h);
    const char *where = *device ? device : "tcp::1234";

    if (!gdbstub_open(h->m, where, err)) {
        return false;
    }
    if (strcmp(where, "none")) {
        hmp_say(h, "Waiting for gdb connection on device '%s'\n", where);
    } else {
        hmp_say(h, "Disabled gdbserver\n");
    }
    return true;
}

/* clang-format off */
static const HmpCommand commands[] = {
    {"stop|s", NULL, "stop the vCPUs and the guest's clocks", stop},
    {"cont|c", NULL, "let them go on", cont},
    {"system_reset", NULL, "press the reset button", reset},
    {"system_powerdown", NULL, "press the power button", powerdown},
    {"system_wakeup", NULL, "wake the guest from sleep (S3)", wakeup},
    {"x_accel", "NAME", "go on with another engine, when the machine is stopped", switch_accel},
    {"nmi", NULL, "send every vCPU an NMI", nmi},
    {"quit|q", NULL, "end the program", quit},
    {"log", "ITEM[,ITEM...] | none", "log these, as -d does, and nothing else; alone: list them", log_items_are, complete_log, .looks = true},
    {"logfile", "[FILE]", "the log goes there; alone: to stderr", log_file},
    {"gdbserver", "[DEVICE]", "wait for gdb there, as -gdb does; alone: on TCP port 1234; none: no longer", gdbserver},
    {"trace-event", "NAME on|off", "switch trace points; * and ? in names stand for anything", trace_event, complete_trace},
    {"status", NULL, "does the machine run?", info_status, .info = true},
    {"version", NULL, "of what program, and whose commands these are", info_version, .info = true},
    {"jit", NULL, "figures of the engine that runs guest code", info_jit, .info = true, .looks = true},
    {0},
};
/* clang-format on */
HMP_COMMANDS(commands);
