/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -smbios type=N,key=value,... in QEMU's spelling. Numbers are checked here, so that the tables
 * need not.
 */
#include "hw/firmware/smbios_options.h"

#include "qom/opts.h"

#include <string.h>

typedef enum { TEXT_KEY, NUMBER_KEY, FLAG_KEY, UUID_KEY, RELEASE_KEY } KeyKind;

static const struct SmbiosKey {
    uint8_t type;
    const char *key;
    KeyKind kind;
} keys[] = {
    /* clang-format off */
    {0, "vendor"}, {0, "version"}, {0, "date"}, {0, "release", RELEASE_KEY}, {0, "uefi", FLAG_KEY},
    {1, "manufacturer"}, {1, "product"}, {1, "version"}, {1, "serial"}, {1, "uuid", UUID_KEY},
    {1, "sku"}, {1, "family"},
    {2, "manufacturer"}, {2, "product"}, {2, "version"}, {2, "serial"}, {2, "asset"}, {2, "location"},
    {3, "manufacturer"}, {3, "version"}, {3, "serial"}, {3, "asset"}, {3, "sku"},
    {4, "sock_pfx"}, {4, "manufacturer"}, {4, "version"}, {4, "serial"}, {4, "asset"}, {4, "part"},
    {4, "max-speed", NUMBER_KEY}, {4, "current-speed", NUMBER_KEY},
    {11, "value"},
    {17, "loc_pfx"}, {17, "bank"}, {17, "manufacturer"}, {17, "serial"}, {17, "asset"}, {17, "part"},
    {17, "speed", NUMBER_KEY},
    /* clang-format on */
};

static const struct SmbiosKey *key_find(unsigned type, const char *key, bool *known)
{
    *known = false;
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        *known |= keys[i].type == type;
        if (keys[i].type == type && !strcmp(keys[i].key, key)) {
            return &keys[i];
        }
    }
    return NULL;
}

static bool is_number(const char *text, char end, const char **after)
{
    char *stop;
    uint64_t n = g_ascii_strtoull(text, &stop, 10);

    *after = stop + 1;
    return g_ascii_isdigit(*text) && *stop == end && n <= 0xffff;
}

static bool value_fits(KeyKind kind, const char *value)
{
    const char *rest;

    switch (kind) {
    case NUMBER_KEY:
        return is_number(value, 0, &rest);
    case FLAG_KEY:
        return !strcmp(value, "on") || !strcmp(value, "off");
    case UUID_KEY:
        return g_uuid_string_is_valid(value);
    case RELEASE_KEY:
        return is_number(value, '.', &rest) && is_number(rest, 0, &rest);
    default:
        return true;
    }
}

static bool take(SmbiosOptions *o, unsigned type, const char *key, const char *value, Error **err)
{
    bool known;
    const struct SmbiosKey *k = key_find(type, key, &known);

    if (!known) {
        return error_set(err, "-smbios: type %u is not one that can be given", type);
    }
    if (!k) {
        return error_set(err, "-smbios: type %u has no %s", type, key);
    }
    if (!value_fits(k->kind, value)) {
        return error_set(err, "-smbios: %s of type %u cannot be %s", key, type, value);
    }
    if (type == 11) {
        g_ptr_array_add(o->oem, g_strdup(value));
    } else {
        g_hash_table_insert(o->values, g_strdup_printf("%u.%s", type, key), g_strdup(value));
    }
    return true;
}

static bool take_all(SmbiosOptions *o, Opts *opts, const char *text, Error **err)
{
    const char *type = opts_text(opts, "type"), *rest;

    if (type && !is_number(type, 0, &rest)) {
        return error_set(err, "-smbios: type %s is not a number", type);
    }
    for (guint i = 0; i < opts->list->len; i++) {
        const Opt *opt = opts->list->pdata[i];
        const char *value = opt->value.kind == VALUE_TEXT ? opt->value.text : "on";

        if (!strcmp(opt->name, "file")) {
            g_ptr_array_add(o->files, g_strdup(value));
        } else if (!type) {
            return error_set(err, "-smbios %s needs type=", text);
        } else if (strcmp(opt->name, "type") &&
                   !take(o, g_ascii_strtoull(type, NULL, 10), opt->name, value, err)) {
            return false;
        }
    }
    return true;
}

static bool parse_one(SmbiosOptions *o, const char *text, Error **err)
{
    Opts *opts = opts_parse(text, NULL, err);
    bool ok = opts ? take_all(o, opts, text, err) : error_prefix(err, "-smbios: ");

    if (opts) {
        opts_free(opts);
    }
    return ok;
}

bool smbios_options_parse(SmbiosOptions *o, char **texts, Error **err)
{
    bool ok = true;

    o->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    o->files = g_ptr_array_new_with_free_func(g_free);
    o->oem = g_ptr_array_new_with_free_func(g_free);
    for (; ok && texts && *texts; texts++) {
        ok = parse_one(o, *texts, err);
    }
    return ok;
}

void smbios_options_free(SmbiosOptions *o)
{
    g_hash_table_unref(o->values);
    g_ptr_array_unref(o->files);
    g_ptr_array_unref(o->oem);
}

const char *smbios_text(const SmbiosOptions *o, unsigned type, const char *key, const char *dflt)
{
    g_autofree char *full = g_strdup_printf("%u.%s", type, key);
    const char *value = g_hash_table_lookup(o->values, full);

    return value ?: dflt;
}

bool smbios_has(const SmbiosOptions *o, unsigned type)
{
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (keys[i].type == type && smbios_text(o, type, keys[i].key, NULL)) {
            return true;
        }
    }
    return false;
}
