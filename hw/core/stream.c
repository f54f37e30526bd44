/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing and parsing saved states: the form is described in stream.h. */
#include "hw/core/stream.h"

#include <string.h>

static const char magic[8] = {'R', 'H', 'E', 'A', 'S', 'T', 'A', 'T'};
enum { VERSION = 1 };

/* ---- writing ---- */

static void put_name(GByteArray *out, char type, const char *name)
{
    uint8_t len = MIN(strlen(name), 255);

    g_byte_array_append(out, (uint8_t *)&type, 1);
    g_byte_array_append(out, &len, 1);
    g_byte_array_append(out, (const uint8_t *)name, len);
}

void stream_begin(GByteArray *out)
{
    const uint32_t version[2] = {VERSION, 0};

    g_byte_array_append(out, (const uint8_t *)magic, sizeof magic);
    g_byte_array_append(out, (const uint8_t *)version, sizeof version);
}

void stream_open(GByteArray *out, const char *name)
{
    put_name(out, '{', name);
}

void stream_close(GByteArray *out)
{
    g_byte_array_append(out, (const uint8_t *)"}", 1);
}

void stream_end(GByteArray *out)
{
    g_byte_array_append(out, (const uint8_t *)".", 1);
}

void stream_put(GByteArray *out, char type, const char *name, const void *data, uint8_t unit,
                uint32_t count)
{
    put_name(out, type, name);
    g_byte_array_append(out, &unit, 1);
    g_byte_array_append(out, (const uint8_t *)&count, 4);
    if (count) {
        g_byte_array_append(out, data, unit * count);
    }
}

/* ---- parsing ---- */

typedef struct Parser {
    const uint8_t *start, *at, *end;
    GHashTable *items;
    GString *path;
    size_t mark[STREAM_MAX_DEPTH]; /* length of the path outside each open group */
    unsigned depth;
    Error **err;
} Parser;

static bool bad(Parser *p, const char *what)
{
    return error_set(p->err, "byte %zu: %s%s%s", (size_t)(p->at - p->start), what,
                     p->path->len ? " in " : "", p->path->str);
}

static bool take(Parser *p, void *to, size_t n)
{
    if (n > (size_t)(p->end - p->at)) {
        return bad(p, "the state ends too soon");
    }
    memcpy(to, p->at, n);
    p->at += n;
    return true;
}

/* Appends it to the path. */
static bool take_name(Parser *p)
{
    uint8_t len = 0;
    char name[256];

    if (!take(p, &len, 1) || !take(p, name, len)) {
        return false;
    }
    for (unsigned i = 0; i < len; i++) {
        if (name[i] <= ' ' || name[i] > '~') {
            return bad(p, "a name that is none");
        }
    }
    if (!len || memchr(name, '\0', len)) {
        return bad(p, "an empty name");
    }
    if (p->path->len) {
        g_string_append_c(p->path, '.');
    }
    g_string_append_len(p->path, name, len);
    return true;
}

static bool open_group(Parser *p)
{
    size_t outside = p->path->len;

    if (p->depth == STREAM_MAX_DEPTH) {
        return bad(p, "groups in groups in groups");
    }
    p->mark[p->depth++] = outside;
    return take_name(p);
}

static bool close_group(Parser *p)
{
    if (!p->depth) {
        return bad(p, "the end of a group that never began");
    }
    g_string_truncate(p->path, p->mark[--p->depth]);
    return true;
}

static bool take_item(Parser *p, char type)
{
    size_t outside = p->path->len;
    StreamItem item = {.type = type};

    if (!take_name(p) || !take(p, &item.unit, 1) || !take(p, &item.count, 4)) {
        return false;
    }
    if (item.unit != 1 && item.unit != 2 && item.unit != 4 && item.unit != 8) {
        return bad(p, "a size that no number has");
    }
    if (item.count > (size_t)(p->end - p->at) / item.unit) {
        return bad(p, "the state ends too soon");
    }
    if (g_hash_table_size(p->items) == STREAM_MAX_ITEMS) {
        return bad(p, "more values than any machine has");
    }
    item.data = p->at;
    p->at += item.count * item.unit;
    if (!g_hash_table_insert(p->items, g_strdup(p->path->str), g_memdup2(&item, sizeof item))) {
        return bad(p, "a value that is there twice");
    }
    g_string_truncate(p->path, outside);
    return true;
}

static bool take_all(Parser *p)
{
    char type = 0;

    while (take(p, &type, 1)) {
        bool ok = type == '{'                    ? open_group(p)
                : type == '}'                    ? close_group(p)
                : type && strchr("uftwbs", type) ? take_item(p, type)
                : type == '.' && p->at == p->end && !p->depth
                    ? true
                    : bad(p, "neither a value nor a group");
        if (!ok || type == '.') {
            return ok;
        }
    }
    return false;
}

GHashTable *stream_parse(const void *data, size_t n, Error **err)
{
    GHashTable *items = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GString) path = g_string_new("");
    Parser p = {data, data, (const uint8_t *)data + n, items, path, .err = err};
    char got[8];
    uint32_t version[2];

    if (!take(&p, got, sizeof got) || !take(&p, version, sizeof version)) {
        goto refuse;
    }
    if (memcmp(got, magic, sizeof magic)) {
        error_set(err, "this is not a saved state");
        goto refuse;
    }
    if (version[0] != VERSION || version[1]) {
        error_set(err, "saved state of version %u.%u; this program reads %d.0", version[0],
                  version[1], VERSION);
        goto refuse;
    }
    if (take_all(&p)) {
        return items;
    }
refuse:
    g_hash_table_unref(items);
    return NULL;
}

char *stream_describe(const StreamItem *item)
{
    const char *what = item->type == 'u' ? "integers"
                     : item->type == 'f' ? "flags"
                     : item->type == 't' ? "due times"
                     : item->type == 'w' ? "levels"
                     : item->type == 's' ? "letters"
                                         : "bytes";

    return g_strdup_printf("%u %s of %u bytes", item->count, what, item->unit);
}
