/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names: paths in the tree, what a text means as a link, classes by name and alias.
 *
 * Paths are QEMU's: /machine/peripheral/ID for devices of the user, /objects/ID, /chardevs/ID.
 */
#include "qom/object.h"
#include "qom/value.h"
#include "util/nearest.h"

#include <string.h>

extern const Class *const __start_classes[], *const __stop_classes[];

/* ---- paths ---- */

Object *object_root(Object *obj)
{
    while (obj->parent) {
        obj = obj->parent;
    }
    return obj;
}

Object *object_child(Object *parent, const char *name)
{
    Object *c = parent->children;

    while (c && strcmp(c->name, name)) {
        c = c->next;
    }
    return c;
}

static Object *walk(Object *at, const char *path, bool make)
{
    g_auto(GStrv) part = g_strsplit(path, "/", -1);

    for (int i = 0; part[i] && at; i++) {
        Object *next = *part[i] ? object_child(at, part[i]) : at;

        at = next || !make ? next : object_new(&Object_class, at, part[i]);
    }
    return at;
}

Object *object_at(Object *root, const char *path)
{
    return walk(root, path, false);
}

Object *object_container(Object *root, const char *path)
{
    return walk(root, path, true);
}

char *object_path(const Object *obj)
{
    GString *path = g_string_new(NULL);

    for (; obj->parent || !path->len; obj = obj->parent) {
        g_string_prepend(path, obj->name);
        g_string_prepend(path, "/");
        if (!obj->parent) {
            break;
        }
    }
    return g_string_free(path, FALSE);
}

/* ---- links as text ---- */

typedef struct Search {
    const char *text;
    const void *class;
    Object *found;
    Nearest near;
    bool several;
} Search;

/* Does the path of obj end in the text, at whole names? */
static bool ends_in(const Object *obj, const char *text)
{
    g_auto(GStrv) part = g_strsplit(text, "/", -1);

    for (int i = g_strv_length(part); i-- > 0; obj = obj->parent) {
        if (!obj || strcmp(obj->name, part[i])) {
            return false;
        }
    }
    return true;
}

static void search(Search *s, Object *obj)
{
    if (object_is(obj, s->class)) {
        nearest_try(&s->near, obj->name);
        if (ends_in(obj, s->text)) {
            s->several |= s->found != NULL;
            s->found = obj;
        }
    }
    for (Object *c = obj->children; c; c = c->next) {
        search(s, c);
    }
}

static Object *by_id(Object *root, const char *id)
{
    static const char *const places[] = {"objects", "chardevs", "machine/peripheral"};
    Object *found = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(places) && !found; i++) {
        Object *place = object_at(root, places[i]);

        found = place ? object_child(place, id) : NULL;
    }
    return found;
}

Object *object_resolve(Object *from, const char *text, const void *class, Error **err)
{
    Object *root = object_root(from);
    Object *found = *text == '/' ? object_at(root, text) : by_id(root, text);
    const char *kind = ((const Class *)class)->name;
    Search s = {text, class, .near = {text}};

    if (found && !object_is(found, class)) {
        error_set(err, "%s is a %s, not a %s", text, found->class->name, kind);
        return NULL;
    }
    if (found) {
        return found;
    }
    search(&s, root);
    if (s.several) {
        error_set(err, "more than one %s is called %s", kind, text);
        error_hint(err, "give the whole path, /machine/...");
        return NULL;
    }
    if (!s.found) {
        error_set(err, "there is no %s %s", kind, text);
        if (s.near.best) {
            error_hint(err, "did you mean %s?", s.near.best);
        }
    }
    return s.found;
}

/* ---- classes ---- */

static bool is_called(const Class *c, const char *name)
{
    return !strcmp(c->name, name) || !g_strcmp0(c->alias, name);
}

const Class *class_find(const char *name)
{
    for (const Class *const *c = __start_classes; c < __stop_classes; c++) {
        if (is_called(*c, name)) {
            return *c;
        }
    }
    return NULL;
}

const Class *class_choose(const char *name, const void *base, const char *kind, Error **err)
{
    Nearest near = {name};

    for (const Class *const *c = __start_classes; c < __stop_classes; c++) {
        if (!class_is(*c, base)) {
            continue;
        }
        if (is_called(*c, name)) {
            return *c;
        }
        nearest_try(&near, (*c)->name);
        if ((*c)->alias) {
            nearest_try(&near, (*c)->alias);
        }
    }
    error_set(err, "there is no %s %s", kind, name);
    if (near.best) {
        error_hint(err, "did you mean %s? '-%s help' lists them", near.best, kind);
    } else {
        error_hint(err, "'-%s help' lists them", kind);
    }
    return NULL;
}
