/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Objects, classes and their properties for programs: qom-list, qom-get, qom-set, qom-list-types,
 * qom-list-properties, device-list-properties.
 *
 * A CPU also shows the features of its model, each as a property that cannot be set, and each CPU
 * model a class of its own ("max-x86_64-cpu"), as management programs expect it. Not modelled:
 * properties made at run time, lists of anything but texts.
 */
#include "chardev/chardev.h"
#include "hw/core/bus.h"
#include "monitor/monitor_impl.h"
#include "qapi/commands.h"
#include "qom/value.h"
#include "target/i386/cpu.h"
#include "target/i386/features.h"

#include <json-c/json.h>
#include <string.h>

#define CPU_SUFFIX "-x86_64-cpu"

extern const Class *const __start_classes[], *const __stop_classes[];
extern const DeviceClass X86Cpu_class;

/* ---- finding ---- */

typedef struct PathSearch {
    char **part; /* names of the path */
    unsigned parts, found;
    Object *at;
} PathSearch;

static void search(PathSearch *s, Object *obj)
{
    Object *up = obj;
    unsigned i = s->parts;

    while (i && up && !strcmp(up->name, s->part[i - 1])) {
        up = up->parent;
        i--;
    }
    if (!i) {
        s->found++;
        s->at = obj;
    }
    for (Object *c = obj->children; c; c = c->next) {
        search(s, c);
    }
}

static Object *find(Machine *m, const char *path, Error **err)
{
    Object *root = object_root(&m->obj);
    Object *obj = *path == '/' ? object_at(root, path) : NULL;

    if (!obj && *path && *path != '/') {
        g_auto(GStrv) part = g_strsplit(path, "/", -1);
        PathSearch s = {part, g_strv_length(part)};

        search(&s, root);
        if (s.found > 1) {
            error_set(err, "path %s: more than one object is called so", path);
            error_hint(err, "give the whole path");
            return NULL;
        }
        obj = s.at;
    }
    if (!obj) {
        error_class(err, ERROR_DEVICE_NOT_FOUND, "there is no object %s", path);
    }
    return obj;
}

/* ---- properties ---- */

static const char *type_of(const Prop *p)
{
    static const char *const unsigned_types[] = {
        [1] = "uint8", [2] = "uint16", [4] = "uint32", [8] = "uint64"};

    if (p->type == &prop_uint) {
        return p->unit == UNIT_BYTES ? "size" : unsigned_types[p->size];
    }
    if (p->type == &prop_int) {
        return p->size == 4 ? "int32" : "int64";
    }
    if (p->type == &prop_enum) {
        return p->choices == on_off_auto ? "OnOffAuto" : "str";
    }
    return p->type == &prop_bool ? "bool" : p->type == &prop_texts ? "strList" : "str";
}

static json_object *default_of(const Prop *p)
{
    if (p->type == &prop_bool) {
        return json_object_new_boolean(p->dflt != 0);
    }
    if (p->type == &prop_uint) {
        return json_object_new_uint64(p->dflt);
    }
    if (p->type == &prop_int) {
        return json_object_new_int64(p->dflt);
    }
    if (p->type == &prop_enum) {
        return json_object_new_string(p->choices[(int)p->dflt]);
    }
    return p->text ? qapi_text(p->text) : NULL;
}

static void add_prop(ObjectPropertyInfoList *to, const Prop *p, bool with_default)
{
    ObjectPropertyInfo *info = LIST_ADD(to);

    info->name = g_strdup(p->name);
    info->type = p->link ? g_strdup_printf("link<%s>", ((const Class *)p->link)->name)
                         : g_strdup(type_of(p));
    info->description = g_strdup(p->about);
    info->default_value = with_default ? default_of(p) : NULL;
}

static void add_row(ObjectPropertyInfoList *to, const char *name, const char *type)
{
    ObjectPropertyInfo *info = LIST_ADD(to);

    info->name = g_strdup(name);
    info->type = g_strdup(type);
}

static void add_class_props(ObjectPropertyInfoList *to, const Class *c)
{
    for (const Prop *p = prop_next(c, NULL); p; p = prop_next(c, p)) {
        add_prop(to, p, true);
    }
}

/* What a CPU shows besides. */
static void add_cpu_props(ObjectPropertyInfoList *to)
{
    for (const FeatureRow *r = feature_rows; r->name; r++) {
        add_row(to, r->name, "bool");
    }
    add_row(to, "unavailable-features", "strList");
    add_row(to, "family", "int");
    add_row(to, "stepping", "int");
    add_row(to, "vendor", "string");
    add_row(to, "model-id", "string");
}

static bool cpu_value(Object *obj, const char *name, json_object **to)
{
    const CpuModel *model = cpu_model((Vcpu *)obj);

    if (!strcmp(name, "unavailable-features")) {
        g_auto(GStrv) missing = g_strsplit(model->missing, " ", -1);

        *to = json_object_new_array();
        for (int i = 0; missing[i]; i++) {
            if (*missing[i]) {
                json_object_array_add(*to, json_object_new_string(missing[i]));
            }
        }
        return true;
    }
    if (!strcmp(name, "family") || !strcmp(name, "stepping")) {
        *to = json_object_new_int64(*name == 'f' ? model->family : model->stepping);
        return true;
    }
    if (!strcmp(name, "vendor") || !strcmp(name, "model-id")) {
        *to = qapi_text(*name == 'v' ? model->vendor : model->model_id);
        return true;
    }
    for (const FeatureRow *r = feature_rows; r->name; r++) {
        if (!strcmp(r->name, name)) {
            *to = json_object_new_boolean(feature_has(&model->features, r->feature));
            return true;
        }
    }
    return false;
}

/* ---- qom-list, qom-get, qom-set ---- */

bool qmp_qom_list(Machine *m, const QomListArgs *arg, ObjectPropertyInfoList *ret, Error **err)
{
    Object *obj;

    lock_take(&m->lock);
    obj = find(m, arg->path, err);
    if (obj) {
        add_row(ret, "type", "string");
        for (const Prop *p = prop_next(obj->class, NULL); p; p = prop_next(obj->class, p)) {
            add_prop(ret, p, false);
        }
        if (object_is(obj, &X86Cpu_class)) {
            add_cpu_props(ret);
        }
        for (Object *c = obj->children; c; c = c->next) {
            g_autofree char *type = g_strdup_printf("child<%s>", c->class->name);

            add_row(ret, c->name, type);
        }
    }
    lock_drop(&m->lock);
    return obj;
}

static json_object *json_of(const Value *v)
{
    g_autofree char *path = NULL;
    json_object *list;

    switch (v->kind) {
    case VALUE_BOOL:
        return json_object_new_boolean(v->flag);
    case VALUE_NUMBER:
        return v->number < 0 ? json_object_new_int64(v->number) : json_object_new_uint64(v->number);
    case VALUE_LINK:
        path = v->link ? object_path(v->link) : g_strdup("");
        return qapi_text(path);
    case VALUE_LIST:
        list = json_object_new_array();
        for (int i = 0; v->list && v->list[i]; i++) {
            json_object_array_add(list, qapi_text(v->list[i]));
        }
        return list;
    default:
        return qapi_text(v->kind == VALUE_TEXT ? v->text : "");
    }
}

static bool get(Object *obj, const char *name, json_object **ret, Error **err)
{
    Object *child = object_child(obj, name);
    Value v;

    if (!strcmp(name, "type")) {
        *ret = json_object_new_string(obj->class->name);
        return true;
    }
    if (child) {
        g_autofree char *path = object_path(child);

        *ret = qapi_text(path);
        return true;
    }
    if (object_is(obj, &X86Cpu_class) && cpu_value(obj, name, ret)) {
        return true;
    }
    if (!prop_get(obj, name, &v, err)) {
        return false;
    }
    *ret = json_of(&v);
    value_clear(&v);
    return true;
}

bool qmp_qom_get(Machine *m, const QomGetArgs *arg, json_object **ret, Error **err)
{
    Object *obj;
    bool ok;

    lock_take(&m->lock);
    obj = find(m, arg->path, err);
    ok = obj && get(obj, arg->property, ret, err);
    lock_drop(&m->lock);
    return ok;
}

static bool set(Object *obj, const char *name, json_object *value, Error **err)
{
    json_object *pair = json_object_new_object();
    Opts *o;
    bool ok;

    json_object_object_add(pair, name, json_object_get(value));
    o = opts_of_json(pair, err);
    ok = o && opts_set(o, obj, err);
    opts_free(o);
    json_object_put(pair);
    return ok;
}

bool qmp_qom_set(Machine *m, const QomSetArgs *arg, Error **err)
{
    Object *obj;
    bool ok;

    lock_take(&m->lock);
    obj = find(m, arg->path, err);
    ok = obj && prop_find(obj->class, arg->property, err) &&
         set(obj, arg->property, arg->value, err);
    lock_drop(&m->lock);
    return ok;
}

/* ---- classes ---- */

static bool is_device(const Class *c)
{
    return class_is(c, &Device_class);
}

/* The classes that others are derived from are not in the list; they are found from those. */
static GPtrArray *all_classes(void)
{
    GPtrArray *all = g_ptr_array_new();

    for (const Class *const *at = __start_classes; at < __stop_classes; at++) {
        for (const Class *c = *at; c; c = c->parent) {
            if (!g_ptr_array_find(all, c, NULL)) {
                g_ptr_array_add(all, (void *)c);
            }
        }
    }
    return all;
}

static bool made_of_itself(const Class *c)
{
    for (const Class *const *at = __start_classes; at < __stop_classes; at++) {
        if (*at == c) {
            return true;
        }
    }
    return false;
}

static const Class *named(GPtrArray *all, const char *name)
{
    for (guint i = 0; i < all->len; i++) {
        const Class *c = all->pdata[i];

        if (!strcmp(c->name, name) || !g_strcmp0(c->alias, name)) {
            return c;
        }
    }
    return NULL;
}

static void add_type(ObjectTypeInfoList *to, const char *name, const char *parent, bool abstract)
{
    ObjectTypeInfo *info = LIST_ADD(to);

    info->name = g_strdup(name);
    info->parent = g_strdup(parent);
    info->has_abstract = info->abstract = abstract;
}

bool qmp_qom_list_types(Machine *m, const QomListTypesArgs *arg, ObjectTypeInfoList *ret,
                        Error **err)
{
    g_autoptr(GPtrArray) all = all_classes();
    const Class *base = arg->implements ? named(all, arg->implements) : &Object_class;
    bool abstract = arg->has_abstract && arg->abstract;
    const char *model;

    for (guint i = 0; base && i < all->len; i++) {
        const Class *c = all->pdata[i];

        if (class_is(c, base) && (abstract || made_of_itself(c))) {
            add_type(ret, c->name, c->parent ? c->parent->name : NULL, !made_of_itself(c));
        }
    }
    for (unsigned n = 0; base && class_is(&X86Cpu_class.class, base) && (model = model_name(n));
         n++) {
        g_autofree char *name = g_strconcat(model, CPU_SUFFIX, NULL);

        add_type(ret, name, X86Cpu_class.class.name, false);
    }
    return true;
}

/* "max-x86_64-cpu" */
static bool is_cpu_model(const char *name)
{
    const char *model;

    for (unsigned n = 0; (model = model_name(n)); n++) {
        size_t length = strlen(model);

        if (!strncmp(model, name, length) && !strcmp(name + length, CPU_SUFFIX)) {
            return true;
        }
    }
    return false;
}

static bool list_class(const char *name, bool devices, ObjectPropertyInfoList *ret, Error **err)
{
    g_autoptr(GPtrArray) all = all_classes();
    const Class *c = is_cpu_model(name) ? &X86Cpu_class.class : named(all, name);

    if (!c) {
        return error_class(err, ERROR_DEVICE_NOT_FOUND, "there is no class %s", name);
    }
    if (devices && !is_device(c)) {
        return error_set(err, "%s is no class of devices", name);
    }
    add_class_props(ret, c);
    if (class_is(c, &X86Cpu_class)) {
        add_cpu_props(ret);
    }
    return true;
}

bool qmp_qom_list_properties(Machine *m, const QomListPropertiesArgs *arg,
                             ObjectPropertyInfoList *ret, Error **err)
{
    return list_class(arg->typename, false, ret, err);
}

bool qmp_device_list_properties(Machine *m, const DeviceListPropertiesArgs *arg,
                                ObjectPropertyInfoList *ret, Error **err)
{
    return list_class(arg->typename, true, ret, err);
}
