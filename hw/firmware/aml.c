/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AML encoding: ACPI 6.4, section 20.2.
 * Not modelled: methods, fields and resources; those are in ASL source, which iasl compiles.
 */
#include "hw/firmware/aml.h"

#include <string.h>

enum { OP_BYTE = 0x0a, OP_DWORD = 0x0c, OP_QWORD = 0x0e, OP_NAME = 0x08, OP_SCOPE = 0x10 };
enum { OP_BUFFER = 0x11, OP_PACKAGE = 0x12, OP_EXTENDED = 0x5b, OP_PROCESSOR = 0x83 };

static void byte(GByteArray *out, uint8_t value)
{
    g_byte_array_append(out, &value, 1);
}

static void number(GByteArray *out, uint64_t value)
{
    unsigned size = value > UINT32_MAX ? 8 : value > UINT8_MAX ? 4 : 1;

    byte(out, size == 8 ? OP_QWORD : size == 4 ? OP_DWORD : OP_BYTE);
    g_byte_array_append(out, (const uint8_t *)&value, size);
}

/* A package length counts itself: 1 to 4 bytes, the first with 6 bits, or 4 when more follow. */
static void sized(GByteArray *out, const GByteArray *inside)
{
    uint32_t n = inside->len;
    unsigned more = n + 1 < 1 << 6 ? 0 : n + 2 < 1 << 12 ? 1 : n + 3 < 1 << 20 ? 2 : 3;

    n += 1 + more;
    byte(out, more ? more << 6 | (n & 15) : n);
    for (unsigned i = 0; i < more; i++) {
        byte(out, n >> (4 + 8 * i));
    }
    g_byte_array_append(out, inside->data, inside->len);
}

/* "\\P0S", "_SB_": one segment, filled up to 4 characters with underscores. */
static void name_string(GByteArray *out, const char *name)
{
    char segment[5] = "____";

    if (*name == '\\') {
        byte(out, *name++);
    }
    memcpy(segment, name, MIN(strlen(name), 4));
    g_byte_array_append(out, (const uint8_t *)segment, 4);
}

void aml_name_number(GByteArray *out, const char *name, uint64_t value)
{
    byte(out, OP_NAME);
    name_string(out, name);
    number(out, value);
}

void aml_name_package(GByteArray *out, const char *name, const uint8_t *values, unsigned n)
{
    g_autoptr(GByteArray) inside = g_byte_array_new();

    byte(inside, n);
    for (unsigned i = 0; i < n; i++) {
        number(inside, values[i]);
    }
    byte(out, OP_NAME);
    name_string(out, name);
    byte(out, OP_PACKAGE);
    sized(out, inside);
}

void aml_name_buffer(GByteArray *out, const char *name, const uint8_t *bytes, unsigned n)
{
    g_autoptr(GByteArray) inside = g_byte_array_new();

    number(inside, n);
    g_byte_array_append(inside, bytes, n);
    byte(out, OP_NAME);
    name_string(out, name);
    byte(out, OP_BUFFER);
    sized(out, inside);
}

void aml_scope(GByteArray *out, const char *name, const GByteArray *inside)
{
    g_autoptr(GByteArray) body = g_byte_array_new();

    name_string(body, name);
    if (inside) {
        g_byte_array_append(body, inside->data, inside->len);
    }
    byte(out, OP_SCOPE);
    sized(out, body);
}

void aml_processor(GByteArray *out, const char *name, uint8_t id)
{
    g_autoptr(GByteArray) body = g_byte_array_new();
    const uint8_t rest[] = {id, 0, 0, 0, 0, 0};

    name_string(body, name);
    g_byte_array_append(body, rest, sizeof rest);
    byte(out, OP_EXTENDED);
    byte(out, OP_PROCESSOR);
    sized(out, body);
}
