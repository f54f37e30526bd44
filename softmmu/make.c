/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Objects and devices of the user: -object and -device when the machine is built, object-add and
 * device_add while it runs.
 */
#include "softmmu/make.h"

#include "hw/core/bus.h"
#include "softmmu/plan.h"
#include "softmmu/run/machine_impl.h"

#include <string.h>

bool id_good(const char *id, Error **err)
{
    if (!id) {
        return error_set(err, "id is missing");
    }
    if (!g_ascii_isalpha(*id) || id[strspn(id, G_CSET_a_2_z G_CSET_A_2_Z "0123456789-._")]) {
        return error_set(err, "id=%s: wants letters, digits, - . _, and a letter first", id);
    }
    return true;
}

/* ---- objects ---- */

static bool add_object(Machine *m, Opts *o, Error **err)
{
    const Class *c = object_class(opts_text(o, "qom-type"), err), *able = c;
    Object *all = object_container(object_root((Object *)m), "objects"), *obj;
    const char *id = opts_text(o, "id");

    if (!c || !id_good(id, err)) {
        return false;
    }
    if (object_child(all, id)) {
        return error_set(err, "id=%s: is taken already", id);
    }
    while (!able->complete) {
        able = able->parent;
    }
    obj = object_new(c, all, id);
    if (!machine_globals(m, obj, err) || !opts_set(o, obj, err) || !able->complete(obj, err)) {
        object_remove(obj);
        return false;
    }
    obj->fixed = true;
    return true;
}

bool object_make(Machine *m, Opts *o, Error **err)
{
    bool ok;

    lock_take(machine_lock(m));
    ok = add_object(m, o, err);
    lock_drop(machine_lock(m));
    return ok;
}

/* ---- devices of the user ---- */

typedef struct BusSearch {
    const char *name; /* NULL: any that takes the class */
    const Class *class;
    Bus *found;
} BusSearch;

static void find_bus(BusSearch *s, Object *at)
{
    if (object_is(at, &Bus_class) && !s->found) {
        const BusClass *bc = (const BusClass *)at->class;
        bool fits = s->name ? !strcmp(at->name, s->name) : class_is(s->class, bc->takes);

        s->found = fits ? (Bus *)at : NULL;
    }
    for (Object *c = at->children; c && !s->found; c = c->next) {
        find_bus(s, c);
    }
}

static bool choose_bus(Machine *m, const Class *class, const char *name, Bus **bus, Error **err)
{
    BusSearch s = {name, class, NULL};

    find_bus(&s, (Object *)m);
    *bus = s.found;
    return s.found || !name || error_set(err, "there is no bus %s", name);
}

/* An address is a property of some devices, and the core's affair for the others. */
static const char *address(Opts *o, const Class *class)
{
    return prop_find(class, "addr", NULL) ? NULL : opts_text(o, "addr");
}

/* Once the machine is there, its buses say whether they take more. */
static bool takes_more(Machine *m, const Class *class, Bus *bus, Error **err)
{
    const BusClass *bc = bus ? (const BusClass *)bus->obj.class : NULL;

    if (!m->obj.fixed || (bc && bc->plugs && bc->plugs(bus))) {
        return true;
    }
    return bus ? error_set(err, "bus %s takes no devices while the machine runs", bus->obj.name)
               : error_set(err, "%s cannot be added while the machine runs", class->name);
}

static char *free_name(Object *keeper)
{
    for (unsigned n = 0;; n++) {
        g_autofree char *name = g_strdup_printf("device[%u]", n);

        if (!object_child(keeper, name)) {
            return g_steal_pointer(&name);
        }
    }
}

static bool add_device(Machine *m, Opts *o, Error **err)
{
    const Class *class = device_class(opts_text(o, "driver"), err);
    const char *id = opts_text(o, "id"), *bus_name = opts_text(o, "bus"), *addr;
    Object *keeper = object_container((Object *)m, id ? "peripheral" : "peripheral-anon");
    g_autofree char *name = id ? g_strdup(id) : free_name(keeper);
    Device *dev;
    Bus *bus;

    if (!class || (id && !id_good(id, err)) || !choose_bus(m, class, bus_name, &bus, err) ||
        !takes_more(m, class, bus, err)) {
        return false;
    }
    if (object_child(keeper, name)) {
        return error_set(err, "id=%s: is taken already", id);
    }
    addr = address(o, class);
    dev = device_new(m, keeper, class, name, err);
    if (!dev) {
        return false;
    }
    if (!opts_set(o, &dev->obj, err)) {
        device_remove(dev);
        return false;
    }
    return device_realize(dev, bus, addr, err);
}

bool device_make(Machine *m, Opts *o, Error **err)
{
    bool ok;

    lock_take(machine_lock(m));
    ok = add_device(m, o, err);
    lock_drop(machine_lock(m));
    return ok;
}
