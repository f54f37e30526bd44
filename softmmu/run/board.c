/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kinds of machines: finding the class of a board by name, its configuration's life and the files
 * of its firmware. What the options mean is known to softmmu/options*.c.
 */
#include "softmmu/run/board.h"

#include "softmmu/run/machine_impl.h"
#include "util/nearest.h"

#include <string.h>

extern const Class *const __start_classes[], *const __stop_classes[];

/* Where distributions put firmware, after our own. */
static const char *const data_dirs[] = {RHEA_DATADIR,      "/usr/share/seabios", "/usr/share/qemu",
                                        "/usr/share/OVMF", "/usr/lib/ipxe/qemu", NULL};

static void global_free(void *opaque)
{
    GlobalProp *g = opaque;

    g_free(g->driver);
    g_free(g->property);
    g_free(g->value);
    g_free(g);
}

void machine_config_init(MachineConfig *c)
{
    c->ram_bytes = c->maxmem_bytes = 128ull << 20;
    c->smp = (SmpTopology){1, 1, 1, 1, 1, 1};
    c->data_dirs = g_strdupv((char **)data_dirs);
    c->globals = g_ptr_array_new_with_free_func(global_free);
}

static void drop(struct Chardev **chr)
{
    if (*chr) {
        object_unref((Object *)*chr);
    }
    *chr = NULL;
}

/* Texts that are properties of the machine are freed as such. */
void machine_config_free(MachineConfig *c)
{
    g_strfreev(c->data_dirs);
    g_strfreev(c->option_roms);
    g_strfreev(c->smbios);
    g_free(c->cpu);
    g_free(c->name);
    for (unsigned i = 0; i < G_N_ELEMENTS(c->serial); i++) {
        drop(&c->serial[i]);
    }
    drop(&c->parallel);
    g_ptr_array_free(c->globals, TRUE);
}

MachineConfig *machine_config(Machine *m)
{
    return &m->config;
}

const MachineClass *machine_class_find(const char *name, Error **err)
{
    Nearest near = {name};

    for (const Class *const *at = __start_classes; at < __stop_classes; at++) {
        const MachineClass *c = (const MachineClass *)*at;

        if (!class_is(*at, &Machine_class)) {
            continue;
        }
        if (!strcmp(c->name, name) || !g_strcmp0(c->alias, name) || !strcmp(c->class.name, name)) {
            return c;
        }
        nearest_try(&near, c->name);
        if (c->alias) {
            nearest_try(&near, c->alias);
        }
    }
    error_set(err, "there is no machine %s", name);
    if (near.best) {
        error_hint(err, "did you mean %s? '-machine help' lists them", near.best);
    } else {
        error_hint(err, "'-machine help' lists them");
    }
    return NULL;
}

const MachineClass *machine_class_of(const Machine *m)
{
    return m->obj.class == &Machine_class ? NULL : (const MachineClass *)m->obj.class;
}

/* QEMU's rule: a -global of a class is one of all classes derived from it. */
bool machine_globals(Machine *m, Object *obj, Error **err)
{
    for (guint i = 0; i < m->config.globals->len; i++) {
        GlobalProp *g = m->config.globals->pdata[i];
        const Class *c = class_find(g->driver);

        if (!c || !object_is(obj, c)) {
            continue;
        }
        g->used = true;
        if (!prop_set(obj, g->property, TEXT(g->value), err)) {
            return error_prefix(err, "-global %s.%s=%s: ", g->driver, g->property, g->value);
        }
    }
    return true;
}

char *machine_find_file(Machine *m, const char *name)
{
    if (g_file_test(name, G_FILE_TEST_IS_REGULAR)) {
        return g_strdup(name);
    }
    for (char **dir = m->config.data_dirs; !strchr(name, '/') && *dir; dir++) {
        g_autofree char *path = g_build_filename(*dir, name, NULL);

        if (g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
            return g_steal_pointer(&path);
        }
    }
    return NULL;
}

/* clang-format off */
static const char *const rtc_clocks[] = {"host", "rt", "vm", NULL};
static const char *const irqchips[] = {"auto", "on", "off", "split", NULL};
static const char *const driftfixes[] = {"none", "slew", NULL};

const Prop machine_props[] = {
    PROP_AS(Machine, "kernel", config.kernel, 0, "Linux or multiboot kernel to start"),
    PROP_AS(Machine, "initrd", config.initrd, 0, "initial RAM disk, or multiboot modules"),
    PROP_AS(Machine, "append", config.append, 0, "command line of the kernel"),
    PROP_AS(Machine, "firmware", config.bios, 0, "firmware image"),
    PROP_AS(Machine, "memory-backend", config.memory_backend, 0, "id of the -object that is the memory"),
    PROP_AS(Machine, "memory.size", config.ram_bytes, 128 << 20, "how much memory", .min = 1 << 20,
            .max = 1ll << 46, .unit = UNIT_BYTES),
    PROP_AS(Machine, "memory.max-size", config.maxmem_given, 0, "how much it may become",
            .max = 1ll << 46, .unit = UNIT_BYTES),
    PROP_AS(Machine, "memory.slots", config.ram_slots, 0, "slots to plug memory in", .max = 256),
    PROP_AS(Machine, "smp.cpus", config.smp_given.cpus, 0, "how many CPUs are there at first", .min = 1, .max = 1024),
    PROP_AS(Machine, "smp.sockets", config.smp_given.sockets, 0, "sockets of the machine", .min = 1, .max = 1024),
    PROP_AS(Machine, "smp.dies", config.smp_given.dies, 0, "dies of a socket", .min = 1, .max = 1024),
    PROP_AS(Machine, "smp.cores", config.smp_given.cores, 0, "cores of a die", .min = 1, .max = 1024),
    PROP_AS(Machine, "smp.threads", config.smp_given.threads, 0, "threads of a core", .min = 1, .max = 1024),
    PROP_AS(Machine, "smp.maxcpus", config.smp_given.maxcpus, 0, "how many there may be", .min = 1, .max = 1024),
    PROP_AS(Machine, "boot.order", config.boot.order, 0, "drives to boot from, as cdn"),
    PROP_AS(Machine, "boot.once", config.boot.once, 0, "the same, for the first time"),
    PROP_AS(Machine, "boot.splash", config.boot.splash, 0, "picture for the firmware to show"),
    PROP_AS(Machine, "boot.splash-time", config.boot.splash_ms, -1, "milliseconds it stays", .min = -1, .max = 0xffff),
    PROP_AS(Machine, "boot.reboot-timeout", config.boot.reboot_timeout_ms, -1,
            "milliseconds until the next try when nothing boots; -1: none", .min = -1, .max = 0xffff),
    PROP_AUTO(Machine, config.boot.menu, "let the user choose", .name = "boot.menu"),
    PROP_AUTO(Machine, config.boot.strict, "boot from nothing but what has a bootindex", .name = "boot.strict"),
    PROP_TEXT(Machine, config.rtc_base, "utc", "utc, localtime or a date", .name = "rtc.base"),
    PROP_ENUM(Machine, config.rtc_clock, 0, rtc_clocks, "which time the clock follows", .name = "rtc.clock"),
    PROP_ENUM(Machine, config.rtc.slew, 0, driftfixes, "make up for lost ticks", .name = "rtc.driftfix"),
    PROP_AS(Machine, "uuid", config.uuid_text, 0, "UUID of the system"),
    PROP_AUTO(Machine, config.acpi, "ACPI tables", .name = "acpi"),
    PROP_AUTO(Machine, config.hpet, "a HPET", .name = "hpet"),
    PROP_AUTO(Machine, config.usb, "a USB controller of the board", .name = "usb"),
    PROP_AS(Machine, "graphics", config.graphics, 1, "a display; off: the first serial port instead"),
    PROP_AS(Machine, "accel", config.accel, 0, "accelerators, the first that can be used, as kvm:tcg"),
    PROP_AS(Machine, "dump-guest-core", config.dump_core, 1, "the memory is part of core dumps"),
    PROP_AS(Machine, "mem-merge", config.mem_merge, 1, "the host may merge equal pages"),
    PROP_ENUM(Machine, config.irqchip, 0, irqchips,
              "accepted: who owns the interrupt controllers is the engine's", .name = "kernel-irqchip"),
    PROP_END,
};
/* clang-format on */
