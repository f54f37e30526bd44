/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kinds of machines, and what the user asked of one.
 *
 * A board is a class derived from Machine_class: its instance begins with struct Machine
 * (machine_impl.h), its own options are properties. The command line fills MachineConfig, then
 * calls build(); the board reads its configuration from there and from nowhere else.
 */
#pragma once
#include "qom/prop.h"
#include "softmmu/run/machine.h"

/* The class of a board. class.name is QEMU's type name: "pc-i440fx-7.2-machine". */
typedef struct MachineClass {
    Class class;
    const char *name, *alias; /* what -machine takes: "pc-i440fx-7.2", "pc" */
    const char *about;        /* one line for -machine help                 */

    /* Make RAM, CPUs and devices. The accelerator is chosen and started; devices of the user follow
     * after it returns. A failure is final: the machine is freed. Called without the lock. */
    bool (*build)(Machine *m, Error **err);
    unsigned max_cpus;
    bool no_board; /* no CPUs, no memory, no devices: "none" */
} MachineClass;

/* What a crash of the guest does: set-action, -action. */
typedef enum { PANIC_SHUTDOWN, PANIC_PAUSE, PANIC_EXIT_FAILURE, PANIC_NONE } OnPanic;

struct Chardev;
struct Accel;

/* -smp after QEMU's rules: every number is set, sockets * dies * cores * threads == maxcpus. */
typedef struct SmpTopology {
    uint32_t cpus, sockets, dies, cores, threads, maxcpus;
} SmpTopology;

typedef enum { RTC_UTC, RTC_LOCALTIME, RTC_DATE } RtcBase;

typedef struct RtcConfig {
    RtcBase base;
    int64_t date; /* RTC_DATE: seconds since 1970, what the clock shows when the machine starts */
    ClockKind clock; /* CLOCK_WALL (host), CLOCK_HOST (rt) or CLOCK_GUEST (vm) */
    unsigned slew;   /* driftfix=slew: make up for lost ticks */
} RtcConfig;

typedef struct BootConfig {
    char *order, *once; /* drive letters, "cdn"; NULL: the board's default */
    char *splash;       /* picture file; NULL: none                        */
    OnOffAuto menu, strict;
    int64_t splash_ms, reboot_timeout_ms; /* -1: not given (reboot: -1 means never too) */
} BootConfig;

/* One -global; a property of every later instance of a class. */
typedef struct GlobalProp {
    char *driver, *property, *value;
    bool used; /* some instance took it */
} GlobalProp;

typedef struct MachineConfig {
    char *kernel, *initrd, *append, *bios; /* file names (append: text), NULL: not given */
    char **data_dirs;                      /* -L and the built-in ones, in order         */
    char **option_roms;                    /* -option-rom, in order; NULL: none          */
    char **smbios;                         /* texts of -smbios, as given; NULL: none     */
    uint64_t ram_bytes, maxmem_bytes;      /* maxmem: ram_bytes when not given           */
    uint32_t ram_slots;
    bool ram_file;              /* the engine wants RAM that it can map twice: a memfd           */
    char *memory_backend;       /* id of the -object that is the RAM, or NULL: anonymous memory  */
    SmpTopology smp, smp_given; /* as settled; as the options said, zero: not said */
    uint64_t maxmem_given;
    char *cpu; /* -cpu as given, "Haswell,+avx2"; NULL: the default model */
    BootConfig boot;
    RtcConfig rtc;
    char *rtc_base; /* these two as the options said: config.c's own */
    unsigned rtc_clock;
    uint8_t uuid[16]; /* in text order */
    bool uuid_set;
    char *uuid_text;                      /* as given; private to config.c */
    char *name;                           /* -name guest=; NULL: none */
    struct Chardev *serial[4], *parallel; /* held; NULL: no such port */
    GPtrArray *globals;                   /* GlobalProp *, in order   */
    OnOffAuto acpi, hpet, usb;            /* AUTO: the board's default */
    bool graphics;                        /* as the property says: config.c's own */
    bool nographic;                       /* fw_cfg etc/sercon-port, no VGA   */
    char *accel;                          /* -machine accel=, NULL: none           */
    bool dump_core, mem_merge;            /* hints for the memory       */
    unsigned irqchip;                     /* kernel-irqchip=            */
    bool vga_none;                        /* no display adapter of the board  */
    bool nodefaults;
    bool no_reboot, no_shutdown, start_paused; /* the first two, and on_panic, change at run time */
    OnPanic on_panic;
} MachineConfig;

extern const Class Machine_class;

/* Give missing numbers their values and check what belongs together; after all properties are set,
 * before build(). */
bool machine_config_settle(MachineConfig *c, unsigned max_cpus, Error **err);
bool smp_settle(SmpTopology *s, unsigned max, Error **err);

/* The configuration, never NULL. Written before build() only; then read without a lock. */
MachineConfig *machine_config(Machine *m);

/* Find "pc", "pc-i440fx-7.2" or "pc-i440fx-7.2-machine"; else an error with the nearest name. */
const MachineClass *machine_class_find(const char *name, Error **err);

/* A machine of that class (&c->class) with a default configuration: 128 MB, one CPU. */
Machine *machine_new_class(const Class *class);

/* Apply the -globals that name a class of obj. */
bool machine_globals(Machine *m, Object *obj, Error **err);

/* The class of m; NULL for the bare machines of unit tests. */
const MachineClass *machine_class_of(const Machine *m);

/* The full name of a firmware or ROM file: as given if it exists, else from the data directories;
 * NULL if there is none. The caller frees it. */
char *machine_find_file(Machine *m, const char *name);
