/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a command line asks for, in terms of objects and properties.
 *
 * Every option adds to a plan; nothing happens before the whole command line is understood. The
 * plan can be printed: plan_print() gives the same in -machine, -object, -chardev and -device
 * alone.
 */
#pragma once
#include "qom/opts.h"
#include "softmmu/run/board.h"

typedef enum { DISPLAY_DEFAULT, DISPLAY_NONE } DisplayKind;

typedef struct Plan {
    char *machine;                               /* NULL: the default                        */
    Opts *machine_opts;                          /* its properties                           */
    GPtrArray *accels;                           /* Opts *, first word "accel"; in order     */
    GPtrArray *objects, *chardevs, *devices;     /* Opts *, words "qom-type", "backend", "driver" */
    GPtrArray *globals;                          /* Opts *: driver, property, value          */
    GPtrArray *monitors;                         /* Opts *, first word "chardev" */
    GPtrArray *serials;                          /* char *: texts of -serial                 */
    GPtrArray *option_roms, *smbios, *data_dirs; /* char *                              */
    char *cpu, *parallel, *debugcon, *gdb, *qtest, *qtest_log;
    char *process_name, *guest_name;
    char *log_items, *log_file, *pid_file;
    GPtrArray *traces; /* char *: patterns */
    char *answer;      /* -help, -device help ...: print this and leave; NULL: run */
    OnPanic on_panic;
    DisplayKind display;
    bool nographic, nodefaults, vga_none, no_reboot, no_shutdown, paused, daemonize;
    bool timestamps; /* before messages */
    bool monitor_given; /* -monitor, be it none: -nographic adds none then */
    bool print;      /* show the expansion and leave */
    unsigned depth;  /* of -readconfig inside -readconfig */
} Plan;

Plan *plan_new(void);
void plan_free(Plan *p);

/* One option of the command line. */
typedef struct Option Option;
struct Option {
    const char *name;
    const char *args;  /* what follows, for the help; NULL: nothing does */
    const char *about; /* one or more lines of help                      */
    bool (*take)(Plan *p, const Option *o, const char *arg, Error **err);
    const char *what; /* for take: a property, a reason ... */
};

/* A property of the machine, because of that option. */
void plan_set(Plan *p, const Option *o, const char *prop, Value value);

/* Understand a command line without its first word. An error names the option and the value. */
bool plan_parse(Plan *p, int argc, char **argv, Error **err);
bool plan_readconfig(Plan *p, const char *path, Error **err);
char *plan_print(const Plan *p); /* one option a line; the caller frees it */

/* The option of that name (without dashes); else an error with the nearest one. */
const Option *option_find(const char *name, Error **err);
char *options_help(void);

/* The class of a device that -device makes; of an object that -object makes. */
const Class *device_class(const char *driver, Error **err);
const Class *object_class(const char *type, Error **err);

/* Takers, by subject: options_machine.c, options_object.c. */
typedef bool Taker(Plan *p, const Option *o, const char *arg, Error **err);
Taker take_machine, take_accel, take_memory, take_smp, take_cpu, take_boot, take_rtc, take_smbios,
    take_uuid, take_name, take_acpi, take_enable_kvm, take_overcommit, take_action;
Taker take_device, take_object, take_chardev, take_global, take_serial, take_parallel,
    take_debugcon, take_gdb, take_qtest, take_mon, take_monitor, take_list, take_nic, take_display,
    take_vga, take_sandbox, take_msg;

/* Make the machine: chardevs, objects, engine, board, devices. NULL on failure. */
Machine *plan_build(Plan *p, Error **err);

/* -device help and its like; class may be NULL: the list of all. The caller frees the text. */
char *help_devices(void);
char *help_machines(void);
char *help_objects(void);
char *help_accels(void);
char *help_class(const Class *class);
