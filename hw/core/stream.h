/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The form of a saved state: named, typed values in nested named groups.
 *
 *   header   "RHEASTAT", uint32 version (1), uint32 reserved (0)
 *   item     type, name, and what the type says:
 *            '{' a group: items up to '}'; '}' has no name
 *            'u' integers, 'f' flags, 't' due times, 'w' levels of wires, 'b' bytes:
 *                uint8 bytes of one, uint32 how many, then these
 *            's' text: uint8 1, uint32 how many bytes, then these
 *   end      '.' and nothing behind it
 *   name     uint8 length (1 to 255), printable ASCII
 *
 * Numbers are little-endian. Reading believes nothing: nesting, number and sizes are limited, each
 * name is there once in its group, and the whole is parsed before anything is looked up.
 */
#pragma once
#include "util/error.h"

enum { STREAM_MAX_DEPTH = 16, STREAM_MAX_ITEMS = 1 << 20 };

/* ---- writing ---- */

void stream_begin(GByteArray *out);
void stream_open(GByteArray *out, const char *name);
void stream_close(GByteArray *out);
void stream_put(GByteArray *out, char type, const char *name, const void *data, uint8_t unit,
                uint32_t count);
void stream_end(GByteArray *out);

/* ---- reading ---- */

typedef struct StreamItem {
    char type;
    uint8_t unit;
    uint32_t count;
    const uint8_t *data; /* in the stream that was parsed */
    bool used;           /* somebody asked for it         */
} StreamItem;

/* Items by path: names of groups and item joined by dots. NULL: error says what is wrong where. */
GHashTable *stream_parse(const void *data, size_t n, Error **err);

/* What a person reads for it: "2 integers of 4 bytes". The caller frees it. */
char *stream_describe(const StreamItem *item);
