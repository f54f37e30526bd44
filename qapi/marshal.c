/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of the monitor protocol between JSON and C (marshal.h).
 *
 * Errors name the member with the path that leads to it: "props.size: wants an integer". Not
 * modelled: negative numbers where the schema has a size (QEMU takes them modulo 2^64).
 */
#include "qapi/marshal.h"

#include "util/nearest.h"

#include <json-c/json.h>
#include <string.h>

typedef struct Reader {
    GString *path;
    Error **err;
} Reader;

static bool read_value(Reader *r, const QapiType *type, json_object *from, void *to);

static bool wants(Reader *r, const char *what)
{
    return error_set(r->err, "parameter %s: wants %s", r->path->len ? r->path->str : "arguments",
                     what);
}

/* ---- numbers ---- */

static bool read_int(Reader *r, const QapiType *type, json_object *from, void *to)
{
    unsigned bits = 8 * type->size;
    int64_t n = json_object_get_int64(from), top = (int64_t)(~0ull >> (65 - bits));

    if (!json_object_is_type(from, json_type_int)) {
        return wants(r, "an integer");
    }
    if (n > top || n < -top - 1 || (n == INT64_MAX && json_object_get_uint64(from) > INT64_MAX)) {
        return wants(r, "a smaller number");
    }
    memcpy(to, &n, type->size);
    return true;
}

static bool read_uint(Reader *r, const QapiType *type, json_object *from, void *to)
{
    uint64_t n = json_object_get_uint64(from), top = ~0ull >> (64 - 8 * type->size);

    if (!json_object_is_type(from, json_type_int)) {
        return wants(r, "an integer");
    }
    if (json_object_get_int64(from) < 0) {
        return wants(r, "a number that is not negative");
    }
    if (n > top) {
        return wants(r, "a smaller number");
    }
    memcpy(to, &n, type->size);
    return true;
}

static bool read_number(Reader *r, json_object *from, double *to)
{
    if (!json_object_is_type(from, json_type_int) && !json_object_is_type(from, json_type_double)) {
        return wants(r, "a number");
    }
    *to = json_object_get_double(from);
    return true;
}

/* ---- texts ---- */

int qapi_enum_find(const QapiType *type, const char *value)
{
    for (int i = 0; type->values[i]; i++) {
        if (!strcmp(type->values[i], value)) {
            return i;
        }
    }
    return -1;
}

static bool read_enum(Reader *r, const QapiType *type, json_object *from, void *to)
{
    const char *text = json_object_get_string(from);
    int i = -1;

    if (!json_object_is_type(from, json_type_string)) {
        return wants(r, "a string");
    }
    i = qapi_enum_find(type, text);
    if (i < 0) {
        Nearest near = {text};

        for (int n = 0; type->values[n]; n++) {
            nearest_try(&near, type->values[n]);
        }
        error_set(r->err, "parameter %s: there is no %s '%s'", r->path->str, type->name, text);
        return near.best ? error_hint(r->err, "did you mean '%s'?", near.best) : false;
    }
    memcpy(to, &i, sizeof i);
    return true;
}

static bool read_text(Reader *r, json_object *from, char **to)
{
    if (!json_object_is_type(from, json_type_string)) {
        return wants(r, "a string");
    }
    if (strlen(json_object_get_string(from)) != (size_t)json_object_get_string_len(from)) {
        return wants(r, "a string without NUL");
    }
    *to = g_strdup(json_object_get_string(from));
    return true;
}

/* ---- what holds others ---- */

void *qapi_list_add(void *list, size_t size)
{
    struct {
        unsigned n;
        char *item;
    } *l = list;

    if (!(l->n & (l->n - 1))) { /* room doubles at powers of two */
        l->item = g_realloc_n(l->item, l->n ? 2 * (size_t)l->n : 1, size);
    }
    return memset(l->item + size * l->n++, 0, size);
}

static bool read_list(Reader *r, const QapiType *type, json_object *from, void *to)
{
    size_t n = 0, length = r->path->len;
    bool ok = true;

    if (!json_object_is_type(from, json_type_array)) {
        return wants(r, "a list");
    }
    n = json_object_array_length(from);
    for (size_t i = 0; ok && i < n; i++) {
        g_string_append_printf(r->path, "[%zu]", i);
        ok = read_value(r, type->element, json_object_array_get_idx(from, i),
                        qapi_list_add(to, type->element->size));
        g_string_truncate(r->path, length);
    }
    return ok;
}

static bool read_member(Reader *r, const QapiMember *m, json_object *from, void *to)
{
    void *at = (char *)to + m->offset;

    if (m->has >= 0) {
        *((bool *)to + m->has) = true;
    }
    if (m->pointer) {
        at = *(void **)at = g_malloc0(m->type->size);
    }
    return read_value(r, m->type, from, at);
}

static const QapiType *case_of(const QapiType *type, const void *value, unsigned *offset)
{
    for (const QapiCase *c = type->cases; c && c->type; c++) {
        if (c->value == *(const int *)((const char *)value + type->tag)) {
            *offset = c->offset;
            return c->type;
        }
    }
    return NULL;
}

static bool push(Reader *r, const char *name)
{
    g_string_append_printf(r->path, "%s%s", r->path->len ? "." : "", name);
    return true;
}

static bool read_members(Reader *r, const QapiType *type, json_object *from, void *to)
{
    size_t length = r->path->len;
    json_object *one;
    bool ok = true;

    for (const QapiMember *m = type->members; ok && m->name; m++) {
        push(r, m->name);
        if (from && json_object_object_get_ex(from, m->name, &one)) {
            ok = read_member(r, m, one, to);
        } else if (!m->optional) {
            ok = error_set(r->err, "parameter %s is missing", r->path->str);
        }
        g_string_truncate(r->path, length);
    }
    return ok;
}

static bool knows(const QapiType *type, const char *name, Nearest *near)
{
    for (const QapiMember *m = type ? type->members : NULL; m && m->name; m++) {
        nearest_try(near, m->name);
        if (!strcmp(m->name, name)) {
            return true;
        }
    }
    return false;
}

static bool all_known(Reader *r, const QapiType *type, const QapiType *variant, json_object *from)
{
    json_object_object_foreach(from, name, value)
    {
        Nearest near = {name};

        (void)value;
        if (!knows(type, name, &near) && !knows(variant, name, &near)) {
            push(r, name);
            error_set(r->err, "there is no parameter %s", r->path->str);
            return near.best ? error_hint(r->err, "did you mean %s?", near.best) : false;
        }
    }
    return true;
}

static bool read_struct(Reader *r, const QapiType *type, json_object *from, void *to)
{
    const QapiType *variant;
    unsigned offset = 0;

    if (from && !json_object_is_type(from, json_type_object)) {
        return wants(r, "an object");
    }
    if (!read_members(r, type, from, to)) {
        return false;
    }
    variant = case_of(type, to, &offset);
    if (variant && !read_members(r, variant, from, (char *)to + offset)) {
        return false;
    }
    if (type->open) {
        *(json_object **)((char *)to + type->all) = json_object_get(from);
        return true;
    }
    return !from || all_known(r, type, variant, from);
}

static bool fits(QapiKind kind, json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_boolean:
        return kind == QAPI_BOOL;
    case json_type_int:
        return kind == QAPI_INT || kind == QAPI_UINT || kind == QAPI_NUMBER;
    case json_type_double:
        return kind == QAPI_NUMBER;
    case json_type_string:
        return kind == QAPI_TEXT || kind == QAPI_ENUM;
    case json_type_array:
        return kind == QAPI_LIST;
    case json_type_object:
        return kind == QAPI_STRUCT;
    default:
        return kind == QAPI_ANY;
    }
}

static bool read_alternate(Reader *r, const QapiType *type, json_object *from, void *to)
{
    for (int i = 0; type->members[i].name; i++) {
        if (fits(type->members[i].type->kind, from)) {
            *(int *)((char *)to + type->tag) = i;
            return read_value(r, type->members[i].type, from, (char *)to + type->members[i].offset);
        }
    }
    return wants(r, "a value of another type");
}

static bool read_value(Reader *r, const QapiType *type, json_object *from, void *to)
{
    switch (type->kind) {
    case QAPI_BOOL:
        *(bool *)to = json_object_get_boolean(from);
        return json_object_is_type(from, json_type_boolean) || wants(r, "true or false");
    case QAPI_INT:
        return read_int(r, type, from, to);
    case QAPI_UINT:
        return read_uint(r, type, from, to);
    case QAPI_NUMBER:
        return read_number(r, from, to);
    case QAPI_TEXT:
        return read_text(r, from, to);
    case QAPI_ENUM:
        return read_enum(r, type, from, to);
    case QAPI_LIST:
        return read_list(r, type, from, to);
    case QAPI_STRUCT:
        return read_struct(r, type, from, to);
    case QAPI_ALTERNATE:
        return read_alternate(r, type, from, to);
    case QAPI_ANY:
        *(json_object **)to = json_object_get(from);
        return true;
    }
    return false;
}

bool qapi_read(const QapiType *type, json_object *from, void *to, Error **err)
{
    g_autoptr(GString) path = g_string_new(NULL);
    Reader r = {path, err};

    if (!read_value(&r, type, from, to)) {
        qapi_clear(type, to);
        return false;
    }
    return true;
}

/* ---- freeing ---- */

static bool present(const QapiMember *m, const void *value)
{
    const char *at = (const char *)value + m->offset;

    if (m->has >= 0) {
        return *((const bool *)value + m->has);
    }
    return !m->optional || *(void *const *)at;
}

static void clear_struct(const QapiType *type, void *value)
{
    unsigned offset = 0;
    const QapiType *variant = case_of(type, value, &offset);

    if (variant) {
        qapi_clear(variant, (char *)value + offset);
    }
    for (const QapiMember *m = type->members; m->name; m++) {
        void *at = (char *)value + m->offset;

        if (m->pointer && *(void **)at) {
            qapi_clear(m->type, *(void **)at);
            g_free(*(void **)at);
        } else if (!m->pointer) {
            qapi_clear(m->type, at);
        }
    }
    if (type->open) {
        json_object_put(*(json_object **)((char *)value + type->all));
    }
}

static void clear_list(const QapiType *type, void *value)
{
    struct {
        unsigned n;
        char *item;
    } *l = value;

    for (unsigned i = 0; i < l->n; i++) {
        qapi_clear(type->element, l->item + (size_t)i * type->element->size);
    }
    g_free(l->item);
}

void qapi_clear(const QapiType *type, void *value)
{
    if (type->kind == QAPI_TEXT) {
        g_free(*(char **)value);
    } else if (type->kind == QAPI_ANY) {
        json_object_put(*(json_object **)value);
    } else if (type->kind == QAPI_LIST) {
        clear_list(type, value);
    } else if (type->kind == QAPI_STRUCT) {
        clear_struct(type, value);
    } else if (type->kind == QAPI_ALTERNATE) {
        const QapiMember *m = &type->members[*(int *)((char *)value + type->tag)];

        qapi_clear(m->type, (char *)value + m->offset);
    }
    memset(value, 0, type->size);
}

/* ---- writing ---- */

json_object *qapi_text(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text ?: "", -1);

    return json_object_new_string(valid);
}

static json_object *write_int(const QapiType *type, const void *from)
{
    int64_t n = 0;

    memcpy(&n, from, type->size);
    if (type->kind == QAPI_UINT) {
        return json_object_new_uint64(n);
    }
    return json_object_new_int64((int64_t)((uint64_t)n << (64 - 8 * type->size)) >>
                                 (64 - 8 * type->size));
}

static json_object *write_list(const QapiType *type, const void *from)
{
    const struct {
        unsigned n;
        const char *item;
    } *l = from;
    json_object *list = json_object_new_array();

    for (unsigned i = 0; i < l->n; i++) {
        json_object_array_add(list,
                              qapi_write(type->element, l->item + (size_t)i * type->element->size));
    }
    return list;
}

static void write_members(const QapiType *type, const void *from, json_object *to)
{
    unsigned offset = 0;
    const QapiType *variant = case_of(type, from, &offset);

    for (const QapiMember *m = type->members; m->name; m++) {
        const void *at = (const char *)from + m->offset;

        if (present(m, from)) {
            json_object_object_add(to, m->name,
                                   qapi_write(m->type, m->pointer ? *(void *const *)at : at));
        }
    }
    if (variant) {
        write_members(variant, (const char *)from + offset, to);
    }
}

json_object *qapi_write(const QapiType *type, const void *from)
{
    const QapiMember *m;
    json_object *to;

    switch (type->kind) {
    case QAPI_BOOL:
        return json_object_new_boolean(*(const bool *)from);
    case QAPI_INT:
    case QAPI_UINT:
        return write_int(type, from);
    case QAPI_NUMBER:
        return json_object_new_double(*(const double *)from);
    case QAPI_TEXT:
        return qapi_text(*(char *const *)from);
    case QAPI_ENUM:
        return json_object_new_string(type->values[*(const int *)from]);
    case QAPI_LIST:
        return write_list(type, from);
    case QAPI_STRUCT:
        to = json_object_new_object();
        write_members(type, from, to);
        return to;
    case QAPI_ALTERNATE:
        m = &type->members[*(const int *)((const char *)from + type->tag)];
        return qapi_write(m->type, (const char *)from + m->offset);
    case QAPI_ANY:
        return json_object_get(*(json_object *const *)from);
    }
    return NULL;
}

/* ---- commands ---- */

const QapiCommand *qapi_command_find(const char *name, Error **err)
{
    Nearest near = {name};

    for (const QapiCommand *c = qapi_commands; c->name; c++) {
        if (!strcmp(c->name, name)) {
            return c;
        }
        nearest_try(&near, c->name);
    }
    error_class(err, ERROR_COMMAND_NOT_FOUND, "there is no command %s", name);
    if (near.best) {
        error_hint(err, "did you mean %s?", near.best);
    }
    return NULL;
}
