/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Named values as people write them, in QEMU's two syntaxes.
 *
 * Not modelled: lists in key=value (a.0=x, a.1=y), JSON lists of anything but texts, fractions.
 */
#include "qom/opts.h"

#include "qom/value.h"
#include "util/nearest.h"

#include <json-c/json.h>
#include <string.h>

static void opt_free(void *opaque)
{
    Opt *o = opaque;

    g_free(o->name);
    value_clear(&o->value);
    g_free(o);
}

Opts *opts_new(void)
{
    Opts *o = g_new0(Opts, 1);

    o->list = g_ptr_array_new_with_free_func(opt_free);
    return o;
}

void opts_free(Opts *o)
{
    if (o) {
        g_ptr_array_free(o->list, TRUE);
        g_free(o);
    }
}

void opts_add(Opts *o, const char *name, Value value)
{
    Opt *opt = g_new0(Opt, 1);

    opt->name = g_strdup(name);
    opt->value = value_copy(value);
    g_ptr_array_add(o->list, opt);
}

/* ---- key=value ---- */

/* The text up to a lone comma, two of them being one; *at moves behind it. */
static char *until_comma(const char **at)
{
    GString *out = g_string_new(NULL);
    const char *p = *at;

    for (; *p && (*p != ',' || p[1] == ','); p++) {
        p += *p == ',';
        g_string_append_c(out, *p);
    }
    *at = *p ? p + 1 : p;
    return g_string_free(out, FALSE);
}

static bool add_flag(Opts *o, const char *word, Error **err)
{
    if (!strcmp(word, "help") || !strcmp(word, "?")) {
        opts_add(o, "help", FLAG(true));
    } else if (!*word) {
        return error_set(err, "nothing stands between two commas");
    } else if (g_str_has_prefix(word, "no") && word[2]) {
        opts_add(o, word + 2, TEXT("off"));
    } else {
        opts_add(o, word, TEXT("on"));
    }
    return true;
}

static bool parse_pair(Opts *o, const char **at, const char *implied, Error **err)
{
    size_t name = strcspn(*at, "=,");
    bool pair = (*at)[name] == '=';
    g_autofree char *key = pair ? g_strndup(*at, name) : NULL;
    g_autofree char *value = NULL;

    *at += pair ? name + 1 : 0;
    value = until_comma(at);
    if (pair && !name) {
        return error_set(err, "no name stands before =%s", value);
    }
    if (!pair && implied && strcmp(value, "help") && strcmp(value, "?")) {
        opts_add(o, implied, TEXT(value));
    } else if (!pair) {
        return add_flag(o, value, err);
    } else {
        opts_add(o, key, TEXT(value));
    }
    return true;
}

/* ---- JSON ---- */

static bool add_json(Opts *o, const char *name, json_object *from, unsigned depth, Error **err);

static bool add_members(Opts *o, const char *prefix, json_object *from, unsigned depth, Error **err)
{
    json_object_object_foreach(from, key, member)
    {
        g_autofree char *name = g_strconcat(prefix, *prefix ? "." : "", key, NULL);

        if (!add_json(o, name, member, depth + 1, err)) {
            return false;
        }
    }
    return true;
}

static bool add_texts(Opts *o, const char *name, json_object *from, Error **err)
{
    size_t n = json_object_array_length(from);
    g_autoptr(GPtrArray) list = g_ptr_array_new();

    for (size_t i = 0; i < n; i++) {
        json_object *one = json_object_array_get_idx(from, i);

        if (!json_object_is_type(one, json_type_string)) {
            return error_set(err, "%s: a list may hold texts only", name);
        }
        g_ptr_array_add(list, (char *)json_object_get_string(one));
    }
    g_ptr_array_add(list, NULL);
    opts_add(o, name, (Value){VALUE_LIST, .list = (char **)list->pdata});
    return true;
}

static bool add_number(Opts *o, const char *name, json_object *from)
{
    int64_t n = json_object_get_int64(from);

    opts_add(o, name, NUMBER(n < 0 ? (Number)n : (Number)json_object_get_uint64(from)));
    return true;
}

static bool add_json(Opts *o, const char *name, json_object *from, unsigned depth, Error **err)
{
    switch (json_object_get_type(from)) {
    case json_type_boolean:
        opts_add(o, name, FLAG(json_object_get_boolean(from)));
        return true;
    case json_type_int:
        return add_number(o, name, from);
    case json_type_string:
        opts_add(o, name, TEXT(json_object_get_string(from)));
        return true;
    case json_type_array:
        return add_texts(o, name, from, err);
    case json_type_object:
        return add_members(o, name, from, depth, err);
    default:
        return error_set(err, "%s: %s is no value for a property", name,
                         json_object_to_json_string(from));
    }
}

static bool parse_json(Opts *o, const char *text, Error **err)
{
    json_tokener *t = json_tokener_new_ex(8); /* nesting of real options is below four */
    json_object *all = json_tokener_parse_ex(t, text, strlen(text) + 1);
    enum json_tokener_error why = json_tokener_get_error(t);
    size_t end = json_tokener_get_parse_end(t);
    bool ok;

    o->json = true;
    if (why != json_tokener_success) {
        ok = error_set(err, "JSON: %s at byte %zu", json_tokener_error_desc(why), end);
    } else if (text[end] && text[end + strspn(text + end, " \t\n")]) {
        ok = error_set(err, "JSON: something follows the closing brace at byte %zu", end);
    } else {
        ok = add_members(o, "", all, 0, err);
    }
    json_object_put(all);
    json_tokener_free(t);
    return ok;
}

Opts *opts_of_json(json_object *from, Error **err)
{
    Opts *o = opts_new();

    o->json = true;
    if (!add_members(o, "", from, 0, err)) {
        opts_free(o);
        return NULL;
    }
    return o;
}

Opts *opts_parse(const char *text, const char *implied, Error **err)
{
    Opts *o = opts_new();
    bool ok = true;

    if (*text == '{') {
        ok = parse_json(o, text, err);
    } else {
        for (const char *at = text; ok && *at; implied = NULL) {
            ok = parse_pair(o, &at, implied, err);
        }
    }
    if (!ok) {
        opts_free(o);
    }
    return ok ? o : NULL;
}

/* ---- reading ---- */

static Opt *last_of(Opts *o, const char *name)
{
    Opt *found = NULL;

    for (guint i = 0; i < o->list->len; i++) {
        Opt *opt = o->list->pdata[i];

        if (name_equal(opt->name, name)) {
            opt->used = true;
            found = opt;
        }
    }
    return found;
}

const Value *opts_find(Opts *o, const char *name)
{
    Opt *opt = last_of(o, name);

    return opt ? &opt->value : NULL;
}

const char *opts_text(Opts *o, const char *name)
{
    const Value *v = opts_find(o, name);

    return !v ? NULL : v->kind == VALUE_TEXT ? v->text : "";
}

bool opts_bool(Opts *o, const char *name, bool *to, Error **err)
{
    const Value *v = opts_find(o, name);

    return !v || value_bool(v, to) ||
           error_set(err, "%s=%s: wants on or off", name, v->kind == VALUE_TEXT ? v->text : "...");
}

bool opts_number(Opts *o, const char *name, Unit unit, uint64_t *to, uint64_t max, Error **err)
{
    const Value *v = opts_find(o, name);
    const char *shown = v && v->kind == VALUE_TEXT ? v->text : "...";
    Number n;

    if (!v) {
        return true;
    }
    if (!value_number(v, unit, &n)) {
        return error_set(err, "%s=%s: wants %s", name, shown, unit_wants(unit));
    }
    if (n < 0 || n > max) {
        return error_set(err, "%s=%s: not between 0 and %" PRIu64, name, shown, max);
    }
    *to = n;
    return true;
}

bool opts_help(Opts *o)
{
    return last_of(o, "help");
}

bool opts_known(Opts *o, const char *const *names, Error **err)
{
    for (guint i = 0; i < o->list->len; i++) {
        const char *name = ((Opt *)o->list->pdata[i])->name;
        Nearest near = {name};
        bool known = false;

        for (int n = 0; names[n]; n++) {
            known |= name_equal(names[n], name);
            nearest_try(&near, names[n]);
        }
        if (!known) {
            error_set(err, "there is no parameter %s", name);
            return near.best ? error_hint(err, "did you mean %s?", near.best) : false;
        }
    }
    return true;
}

const char *opts_unused(Opts *o)
{
    for (guint i = 0; i < o->list->len; i++) {
        if (!((Opt *)o->list->pdata[i])->used) {
            return ((Opt *)o->list->pdata[i])->name;
        }
    }
    return NULL;
}

bool opts_set(Opts *o, Object *obj, Error **err)
{
    const char *name;

    while ((name = opts_unused(o))) {
        if (!prop_set(obj, name, *opts_find(o, name), err)) {
            return false;
        }
    }
    return true;
}

char *opts_print(const Opts *o, const char *implied)
{
    GString *out = g_string_new(NULL);

    for (guint i = 0; i < o->list->len; i++) {
        const Opt *opt = o->list->pdata[i];
        g_autofree char *value = value_print(&opt->value);
        g_auto(GStrv) part = g_strsplit(value, ",", -1);
        g_autofree char *doubled = g_strjoinv(",,", part);
        bool bare = !i && implied && !strcmp(opt->name, implied);

        g_string_append_printf(out, "%s%s%s%s", i ? "," : "", bare ? "" : opt->name,
                               bare ? "" : "=", doubled);
    }
    return g_string_free(out, FALSE);
}
