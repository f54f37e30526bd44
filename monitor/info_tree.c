/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `info qtree` (devices by bus, with their properties) and `info qom-tree` (all objects). */
#include "hw/core/bus.h"
#include "monitor/hmp_command.h"
#include "qom/value.h"

#include <string.h>

/* ---- properties ---- */

static char *value_text(Value *v)
{
    if (v->kind == VALUE_TEXT) {
        return g_strdup_printf("\"%s\"", v->text ?: "");
    }
    if (v->kind == VALUE_BOOL) {
        return g_strdup(v->flag ? "true" : "false");
    }
    if (v->kind == VALUE_LINK) {
        g_autofree char *path = v->link ? object_path(v->link) : g_strdup("");

        return g_strdup_printf("\"%s\"", path);
    }
    if (v->kind == VALUE_NUMBER) {
        g_autofree char *number = value_print(v);

        return g_strdup_printf("%s (%#" PRIx64 ")", number, (uint64_t)v->number);
    }
    return value_print(v);
}

static void add_props(GString *out, Object *obj, int indent)
{
    for (const Prop *p = prop_next(obj->class, NULL); p; p = prop_next(obj->class, p)) {
        Value v = {0};

        if (prop_get(obj, p->name, &v, NULL)) {
            g_autofree char *text = value_text(&v);

            g_string_append_printf(out, "%*s%s = %s\n", indent, "", p->name, text);
        }
        value_clear(&v);
    }
}

/* ---- info qtree ---- */

typedef struct Place {
    GString *out;
    bool brief; /* without properties */
} Place;

static void add_bus(Place *p, Bus *bus, int indent);

static void add_device(Place *p, Device *dev, int indent)
{
    g_string_append_printf(p->out, "%*sdev: %s, id \"%s\"\n", indent, "", dev->obj.class->name,
                           dev->obj.name);
    if (!p->brief) {
        if (dev->addr) {
            g_string_append_printf(p->out, "%*saddr = %s\n", indent + 2, "", dev->addr);
        }
        add_props(p->out, &dev->obj, indent + 2);
    }
    for (Object *c = dev->obj.children; c; c = c->next) {
        if (object_is(c, &Bus_class)) {
            add_bus(p, (Bus *)c, indent + 2);
        }
    }
}

static void add_bus(Place *p, Bus *bus, int indent)
{
    g_string_append_printf(p->out, "%*sbus: %s\n%*stype %s\n", indent, "", bus->obj.name,
                           indent + 2, "", bus->obj.class->name);
    for (guint i = 0; i < bus->devices->len; i++) {
        add_device(p, bus->devices->pdata[i], indent + 2);
    }
}

/* Devices that sit on no bus, wherever in the tree. */
static void add_soldered(Place *p, Object *at)
{
    if (object_is(at, &Device_class) && !((Device *)at)->bus) {
        add_device(p, (Device *)at, 2);
    }
    for (Object *c = at->children; c; c = c->next) {
        if (!object_is(c, &Bus_class)) {
            add_soldered(p, c);
        }
    }
}

static bool info_qtree(Hmp *h, Error **err)
{
    Place p = {h->out, hmp_flag(h, 'b')};

    hmp_say(h, "bus: main-system-bus\n  type System\n");
    add_soldered(&p, (Object *)h->m);
    return true;
}

/* ---- info qom-tree ---- */

static void add_object(GString *out, const Object *obj, int indent)
{
    g_string_append_printf(out, "%*s/%s (%s)\n", indent, "", obj->name, obj->class->name);
    for (const Object *c = obj->children; c; c = c->next) {
        add_object(out, c, indent + 2);
    }
}

static bool info_qom_tree(Hmp *h, Error **err)
{
    g_autofree char *path = hmp_word(h);
    Object *root = object_root((Object *)h->m), *at = path ? object_at(root, path) : root;

    if (!at) {
        return error_set(err, "there is no object %s", path);
    }
    add_object(h->out, at, 0);
    return true;
}

/* Children of the object that the path so far names. */
static void complete_path(Hmp *h, HmpWords *words)
{
    const char *slash = strrchr(words->begin, '/');
    g_autofree char *above = g_strndup(words->begin, slash ? slash - words->begin + 1 : 0);
    Object *at;

    lock_take(machine_lock(h->m));
    at = object_at(object_root((Object *)h->m), above);
    for (Object *c = at ? at->children : NULL; c; c = c->next) {
        g_autofree char *path = g_strconcat(*above ? above : "/", c->name, NULL);

        hmp_offer(words, path);
    }
    lock_drop(machine_lock(h->m));
}

/* clang-format off */
static const HmpCommand commands[] = {
    {"qtree", "[-b]", "devices by bus, with their properties; without (-b)", info_qtree, .info = true, .looks = true},
    {"qom-tree", "[PATH]", "all objects, or those from one down", info_qom_tree, complete_path, .info = true, .looks = true},
    {0},
};
/* clang-format on */
HMP_COMMANDS(commands);
