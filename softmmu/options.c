/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line: one table of options, from which it is understood and explained.
 *
 * Spellings and meanings are QEMU's (7.2). Not modelled: -writeconfig, -set, option abbreviations.
 */
#include "softmmu/plan.h"
#include "util/log.h"
#include "util/nearest.h"

#include <stdio.h>
#include <string.h>

enum { MOST_NESTED = 8 };

/* ---- simple takers ---- */

static char *text_of(const char *arg)
{
    return g_strdup(arg);
}

/* what is a property of the machine */
static bool take_prop(Plan *p, const Option *o, const char *arg, Error **err)
{
    plan_set(p, o, o->what, TEXT(arg));
    return true;
}

static bool take_log_items(Plan *p, const Option *o, const char *arg, Error **err)
{
    if (!strcmp(arg, "help") || !strcmp(arg, "?")) {
        p->answer = log_help();
        return true;
    }
    g_autofree char *before = p->log_items;

    p->log_items = before ? g_strconcat(before, ",", arg, NULL) : text_of(arg);
    return true;
}

static bool take_trace(Plan *p, const Option *o, const char *arg, Error **err)
{
    static const char *const names[] = {"enable", "file", "events", "help", NULL};
    Opts *t = opts_parse(arg, "enable", err);
    const char *pattern, *file;
    bool ok = t && opts_known(t, names, err);

    if (ok && opts_help(t)) {
        p->answer = trace_help();
    } else if (ok && opts_text(t, "events")) {
        ok = error_set(err, "events=%s: lists of events in a file are not read",
                       opts_text(t, "events"));
        error_hint(err, "several -trace PATTERN do the same");
    } else if (ok) {
        if ((pattern = opts_text(t, "enable"))) {
            g_ptr_array_add(p->traces, g_strdup(pattern));
        }
        if ((file = opts_text(t, "file"))) {
            g_free(p->log_file);
            p->log_file = g_strdup(file);
        }
    }
    opts_free(t);
    return ok;
}

static bool set_text(char **to, const char *arg)
{
    g_free(*to);
    *to = g_strdup(arg);
    return true;
}

static bool take_log_file(Plan *p, const Option *o, const char *arg, Error **err)
{
    return set_text(&p->log_file, arg);
}

static bool take_qtest_log(Plan *p, const Option *o, const char *arg, Error **err)
{
    return set_text(&p->qtest_log, arg);
}

static bool take_pid_file(Plan *p, const Option *o, const char *arg, Error **err)
{
    return set_text(&p->pid_file, arg);
}

static bool take_help(Plan *p, const Option *o, const char *arg, Error **err)
{
    p->answer = options_help();
    return true;
}

static bool take_version(Plan *p, const Option *o, const char *arg, Error **err)
{
    p->answer = g_strdup("Rhea version " RHEA_VERSION "\n");
    return true;
}

static bool take_readconfig(Plan *p, const Option *o, const char *arg, Error **err)
{
    return plan_readconfig(p, arg, err);
}

/* A switch of the plan itself: what holds its offset. */
#define SWITCH(f) (const char *)offsetof(Plan, f)

static bool take_switch(Plan *p, const Option *o, const char *arg, Error **err)
{
    *((bool *)p + (uintptr_t)o->what) = true;
    return true;
}

/* What is accepted because its effect is what happens anyway. */
static bool take_anyway(Plan *p, const Option *o, const char *arg, Error **err)
{
    return true;
}

/* An older spelling, or a short one, of a property of the engine: -global's words. */
static bool take_as_global(Plan *p, const Option *o, const char *arg, Error **err)
{
    return take_global(p, o, o->what, err);
}

static bool take_singlestep(Plan *p, const Option *o, const char *arg, Error **err)
{
    g_printerr("%s: warning: -singlestep is the older spelling of -accel tcg,one-insn-per-tb=on\n",
               g_get_prgname());
    return take_as_global(p, o, arg, err);
}

/* what says what is missing */
static bool take_later(Plan *p, const Option *o, const char *arg, Error **err)
{
    return error_set(err, "%s in this version", o->what);
}

/* ---- the table ---- */

#define HEADING(text)                \
    {                                \
        NULL, NULL, text, NULL, NULL \
    }

/* clang-format off */
static const Option options[] = {
    HEADING("The machine"),
    {"machine", "NAME[,PROP=VALUE...]", "the board and its properties; '-machine help' lists them\n"
     "and '-machine NAME,help' a board's properties", take_machine},
    {"M", "NAME[,...]", "the same as -machine", take_machine},
    {"accel", "NAME[,PROP=VALUE...]", "what executes the guest's code; several: the first that can\n"
     "be used; '-accel help' says which can be used here", take_accel},
    {"enable-kvm", NULL, "the same as -accel kvm", take_enable_kvm},
    {"cpu", "MODEL[,+FEATURE][,-FEATURE][,PROP=VALUE...]", "the CPU; '-cpu help' lists models and features", take_cpu},
    {"smp", "[[cpus=]N][,maxcpus=N][,sockets=N][,dies=N][,cores=N][,threads=N]", "how many CPUs, and how they are arranged", take_smp},
    {"m", "[size=]SIZE[,slots=N,maxmem=SIZE]", "memory, in megabytes unless a unit (K, M, G) follows; default 128", take_memory},
    {"name", "[guest=]NAME[,process=NAME][,debug-threads=on|off]", "the guest's name", take_name},
    {"uuid", "UUID", "the system's UUID", take_uuid},
    {"boot", "[order=DRIVES][,once=DRIVES][,menu=on|off][,splash=FILE][,splash-time=MS]\n"
     "[,reboot-timeout=MS][,strict=on|off]", "what the firmware boots from: a, b floppy, c disk, d CD-ROM, n network", take_boot},
    {"rtc", "[base=utc|localtime|DATE][,clock=host|rt|vm][,driftfix=none|slew]", "what the clock of the machine shows", take_rtc},
    {"smbios", "type=N[,FIELD=VALUE...] | file=FILE", "fields of the SMBIOS tables", take_smbios},
    {"no-acpi", NULL, "no ACPI tables", take_acpi, "acpi"},
    {"no-hpet", NULL, "no HPET", take_acpi, "hpet"},
    {"overcommit", "[mem-lock=on|off][,cpu-pm=on|off]", "how the host's resources are shared", take_overcommit},

    HEADING("Starting"),
    {"kernel", "FILE", "a Linux (bzImage) or multiboot kernel", take_prop, "kernel"},
    {"initrd", "FILE", "initial RAM disk, or multiboot modules", take_prop, "initrd"},
    {"append", "TEXT", "the kernel's command line", take_prop, "append"},
    {"bios", "FILE", "the firmware", take_prop, "firmware"},
    {"L", "DIRECTORY", "where firmware is looked for first", take_list, SWITCH(data_dirs)},
    {"option-rom", "FILE", "a ROM for the firmware to run", take_list, SWITCH(option_roms)},

    HEADING("Objects and devices"),
    {"device", "DRIVER[,PROP=VALUE...] | JSON", "add a device; '-device help' lists them and\n"
     "'-device DRIVER,help' a device's properties", take_device},
    {"object", "TYPE,id=ID[,PROP=VALUE...] | JSON", "make an object; '-object help' lists the types", take_object},
    {"global", "DRIVER.PROP=VALUE | driver=DRIVER,property=PROP,value=VALUE", "a property of all devices of a class", take_global},
    {"nodefaults", NULL, "no devices but those asked for", take_switch, SWITCH(nodefaults)},
    {"readconfig", "FILE", "read options from a file", take_readconfig},
    {"no-user-config", NULL, "accepted: there are no files of user's configuration", take_anyway},

    HEADING("Characters in and out"),
    {"chardev", "BACKEND,id=ID[,OPTION=VALUE...]", "a stream of characters: null, stdio, file, pty, pipe, socket,\n"
     "ringbuf; mux=on shares it", take_chardev},
    {"serial", "DEVICE", "serial port: stdio, mon:stdio, null, none, pty, file:PATH, pipe:PATH,\n"
     "unix:PATH[,server=on,wait=off], tcp:HOST:PORT[,...], telnet:..., chardev:ID, vc", take_serial},
    {"parallel", "DEVICE", "parallel port: none", take_parallel},
    {"debugcon", "DEVICE", "port 0xe9 writes there (as -serial)", take_debugcon},
    {"monitor", "DEVICE", "the monitor for people (as -serial), or none", take_monitor, "readline"},
    {"qmp", "DEVICE", "the monitor for programs (as -serial)", take_monitor, "control"},
    {"qmp-pretty", "DEVICE", "the same, its JSON for people to read", take_monitor, "pretty"},
    {"mon", "[chardev=]ID[,mode=control|readline][,pretty=on|off][,id=ID]", "a monitor on a chardev", take_mon},
    {"nographic", NULL, "no display; first serial port on the terminal, Ctrl-A x ends, Ctrl-A h helps", take_switch, SWITCH(nographic)},
    {"display", "none", "no display", take_display},
    {"vga", "none", "no display adapter", take_vga},
    {"nic", "none", "no network card", take_nic},
    {"net", "none", "no network card", take_nic},

    HEADING("Running"),
    {"S", NULL, "do not start the CPUs", take_switch, SWITCH(paused)},
    {"no-reboot", NULL, "end instead of rebooting", take_switch, SWITCH(no_reboot)},
    {"no-shutdown", NULL, "stop, but do not end, when the guest shuts down", take_switch, SWITCH(no_shutdown)},
    {"action", "[reboot=reset|shutdown][,shutdown=poweroff|pause][,panic=pause|shutdown|exit-failure|none]",
     "what a reset, switching off and a crash of the guest do", take_action},
    {"daemonize", NULL, "run in the background once the machine is ready", take_switch, SWITCH(daemonize)},
    {"pidfile", "FILE", "write the process id there", take_pid_file},
    {"sandbox", "off", "no system call filter", take_sandbox},

    HEADING("Looking inside"),
    {"gdb", "DEVICE", "serve gdb there: tcp::PORT, unix:PATH, stdio, pty, chardev:ID (as -serial, but a\n"
     "socket listens and does not wait), or none", take_gdb},
    {"qtest", "DEVICE", "a test program drives the machine from there (as -serial); with -accel qtest it\n"
     "steps the clock, too", take_qtest},
    {"qtest-log", "FILE", "all lines of -qtest are written there", take_qtest_log},
    {"s", NULL, "the same as -gdb tcp::1234", take_gdb, "tcp::1234"},
    {"d", "ITEM[,ITEM...]", "log these; '-d help' lists them", take_log_items},
    {"D", "FILE", "the log goes there (%d: process id) instead of stderr", take_log_file},
    {"perfmap", NULL, "write /tmp/perf-PID.map, for perf to name translated code (-accel tcg,perfmap=on)", take_as_global,
     "tcg-accel.perfmap=on"},
    {"jitdump", NULL, "write ./jit-PID.dump: translated code for perf, bytes and all (-accel tcg,jitdump=on)", take_as_global,
     "tcg-accel.jitdump=on"},
    {"singlestep", NULL, "the older spelling of -accel tcg,one-insn-per-tb=on", take_singlestep, "tcg-accel.one-insn-per-tb=on"},
    {"trace", "[enable=]PATTERN[,file=FILE]", "switch trace points on; '-trace help' lists them", take_trace},
    {"expansion", NULL, "print the command line in -machine, -object, -chardev and -device\n"
     "alone, and leave", take_switch, SWITCH(print)},
    {"msg", "timestamp=on|off", "the time before messages", take_msg},
    {"version", NULL, "print the version", take_version},
    {"help", NULL, "print this", take_help},
    {"h", NULL, "print this", take_help},

    HEADING("Known, and refused by name in this version"),
    {"blockdev", "...", "disk images", take_later, "there are no disks"},
    {"drive", "...", "disk images", take_later, "there are no disks"},
    {"hda", "...", "disk image", take_later, "there are no disks"},
    {"hdb", "...", "disk image", take_later, "there are no disks"},
    {"hdc", "...", "disk image", take_later, "there are no disks"},
    {"hdd", "...", "disk image", take_later, "there are no disks"},
    {"cdrom", "...", "CD-ROM image", take_later, "there are no disks"},
    {"fda", "...", "floppy image", take_later, "there are no floppy drives"},
    {"fdb", "...", "floppy image", take_later, "there are no floppy drives"},
    {"pflash", "...", "flash image", take_later, "there is no flash memory"},
    {"snapshot", NULL, "leave disk images alone", take_later, "there are no disks"},
    {"netdev", "...", "network back ends", take_later, "there is no network"},
    {"usb", NULL, "USB controller", take_later, "there is no USB"},
    {"audiodev", "...", "sound back ends", take_later, "there is no sound"},
    {"vnc", "...", "VNC server", take_later, "there is no VNC server"},
    {"spice", "...", "SPICE server", take_later, "there is no SPICE server"},
    {"k", "...", "keyboard layout", take_later, "there is no display that needs a keyboard layout"},
    {"incoming", "...", "receive a migration", take_later, "there is no migration"},
    {"loadvm", "...", "start from a snapshot", take_later, "there are no snapshots"},
    {"only-migratable", NULL, "refuse what cannot be migrated", take_later, "there is no migration"},
    {"numa", "...", "memory nodes", take_later, "there are no memory nodes"},
    {"add-fd", "...", "sets of passed descriptors", take_later, "there are no descriptor sets"},
    {"watchdog-action", "...", "what a watchdog does", take_later, "there is no watchdog"},
    {"icount", "...", "counted instructions", take_later, "there is no instruction counting"},
    {"fw_cfg", "...", "files for the firmware", take_later, "there are no files of the user for the firmware"},
    {"virtfs", "...", "shared folders", take_later, "there are no shared folders"},
    {"tpmdev", "...", "TPM back ends", take_later, "there is no TPM"},
    {"runas", "...", "change user", take_later, "there is no change of user"},
    {"chroot", "...", "change root", take_later, "there is no change of root"},
};
/* clang-format on */

const Option *option_find(const char *name, Error **err)
{
    Nearest near = {name};

    for (unsigned i = 0; i < G_N_ELEMENTS(options); i++) {
        if (options[i].name && !strcmp(options[i].name, name)) {
            return &options[i];
        }
        if (options[i].name && strlen(options[i].name) > 1) {
            nearest_try(&near, options[i].name);
        }
    }
    error_set(err, "-%s: there is no such option", name);
    near.best ? error_hint(err, "did you mean -%s?", near.best)
              : error_hint(err, "'-help' lists them");
    return NULL;
}

/* ---- help ---- */

/* Lines of text behind an indent of n blanks. */
static void indented(GString *out, const char *text, unsigned n)
{
    g_auto(GStrv) line = g_strsplit(text, "\n", -1);

    for (int i = 0; line[i]; i++) {
        g_string_append_printf(out, "%*s%s\n", n, "", line[i]);
    }
}

char *options_help(void)
{
    GString *out = g_string_new("usage: rhea-system-x86_64 [options]\n");

    for (const Option *o = options; o < options + G_N_ELEMENTS(options); o++) {
        if (!o->name) {
            g_string_append_printf(out, "\n%s:\n", o->about);
        } else if (o->take == take_later) {
            g_string_append_printf(out, "  -%-18s%s\n", o->name, o->about);
        } else {
            g_autofree char *head = g_strconcat("-", o->name, o->args ? " " : NULL, o->args, NULL);

            indented(out, head, 2);
            indented(out, o->about, 8);
        }
    }
    return g_string_free(out, FALSE);
}

/* ---- understanding ---- */

static bool take_one(Plan *p, const Option *o, const char *arg, Error **err)
{
    return o->take(p, o, arg, err) || (o->args ? error_prefix(err, "-%s %s: ", o->name, arg)
                                               : error_prefix(err, "-%s: ", o->name));
}

bool plan_parse(Plan *p, int argc, char **argv, Error **err)
{
    for (int i = 0; i < argc && !p->answer; i++) {
        const char *word = argv[i];
        const Option *o;

        if (*word != '-' || !word[1]) {
            return error_set(err, "%s: there are no disks in this version", word);
        }
        o = option_find(word + 1 + (word[1] == '-'), err);
        if (!o) {
            return false;
        }
        if (o->args && i + 1 == argc) {
            return error_set(err, "-%s: needs %s", o->name, o->args);
        }
        if (!take_one(p, o, o->args ? argv[++i] : NULL, err)) {
            return false;
        }
    }
    return true;
}

/* ---- configuration files ---- */

typedef struct Group {
    const char *group, *option, *id; /* id: what the name in quotes is */
} Group;

static const Group groups[] = {
    {"machine", "machine", "type"}, {"accel", "accel", NULL},    {"memory", "m", NULL},
    {"smp-opts", "smp", NULL},      {"boot-opts", "boot", NULL}, {"rtc", "rtc", NULL},
    {"name", "name", NULL},         {"device", "device", "id"},  {"object", "object", "id"},
    {"chardev", "chardev", "id"},   {"global", "global", NULL},  {"smbios", "smbios", NULL},
};

static void append_pair(GString *text, const char *key, const char *value)
{
    g_auto(GStrv) part = g_strsplit(value, ",", -1);
    g_autofree char *doubled = g_strjoinv(",,", part);

    g_string_append_printf(text, "%s%s=%s", text->len ? "," : "", key, doubled);
}

static bool flush(Plan *p, const Group *g, GString *text, Error **err)
{
    const Option *o = g ? option_find(g->option, err) : NULL;
    bool ok = !o || take_one(p, o, text->str, err);

    g_string_truncate(text, 0);
    return ok;
}

/* [group] or [group "id"] */
static const Group *heading(const char *line, GString *text, Error **err)
{
    char group[32], id[128] = "";

    if (sscanf(line, "[%31[a-z0-9-] \"%127[^\"]\"]", group, id) < 1 ||
        line[strlen(line) - 1] != ']') {
        error_set(err, "%s is no heading", line);
        return NULL;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(groups); i++) {
        if (!strcmp(groups[i].group, group)) {
            if (*id) {
                append_pair(text, groups[i].id ?: "id", id);
            }
            return &groups[i];
        }
    }
    error_set(err, "there is no group %s in this version", group);
    return NULL;
}

static bool pair(const char *line, GString *text, Error **err)
{
    char key[64], value[1024] = "";

    if (sscanf(line, "%63[^= \t] = \"%1023[^\"]\"", key, value) < 1 || !strchr(line, '"')) {
        return error_set(err, "%s is not KEY = \"VALUE\"", line);
    }
    append_pair(text, key, value);
    return true;
}

bool plan_readconfig(Plan *p, const char *path, Error **err)
{
    g_autofree char *all = NULL;
    g_autoptr(GError) why = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    const Group *group = NULL;
    bool ok = true;

    if (p->depth == MOST_NESTED) {
        return error_set(err, "configuration files are nested too deeply");
    }
    if (!g_file_get_contents(path, &all, NULL, &why)) {
        return error_set(err, "%s", why->message);
    }
    p->depth++;
    g_auto(GStrv) line = g_strsplit(all, "\n", -1);
    for (int i = 0; ok && line[i]; i++) {
        g_strstrip(line[i]);
        if (*line[i] == '[') {
            ok = flush(p, group, text, err) && (group = heading(line[i], text, err));
        } else if (*line[i] && *line[i] != '#') {
            ok = group ? pair(line[i], text, err)
                       : error_set(err, "%s stands before the first [group]", line[i]);
        }
        if (!ok) {
            error_prefix(err, "line %d: ", i + 1);
        }
    }
    p->depth--;
    return ok && flush(p, group, text, err);
}
