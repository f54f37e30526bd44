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
    c->boot.splash_ms = c->boot.reboot_timeout_ms = -1;
    c->rtc.clock = CLOCK_WALL;
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
    g_free(c->boot.order);
    g_free(c->boot.once);
    g_free(c->boot.splash);
    g_free(c->name);
    for (unsigned i = 0; i < G_N_ELEMENTS(c->serial); i++) {
        drop(&c->serial[i]);
    }
    drop(&c->parallel);
    drop(&c->debugcon);
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
const Prop machine_props[] = {
    PROP_AS(Machine, "kernel", config.kernel, 0, "Linux or multiboot kernel to start"),
    PROP_AS(Machine, "initrd", config.initrd, 0, "initial RAM disk, or multiboot modules"),
    PROP_AS(Machine, "append", config.append, 0, "command line of the kernel"),
    PROP_AS(Machine, "firmware", config.bios, 0, "firmware image"),
    PROP_AS(Machine, "memory-backend", config.memory_backend, 0, "the -object that is the RAM"),
    PROP_AUTO(Machine, config.usb, "a USB controller of the board", .name = "usb"),
    PROP_END,
};
/* clang-format on */
