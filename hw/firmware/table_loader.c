/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of etc/table-loader, 128 bytes each, as SeaBIOS (src/fw/romfile_loader.h) and OVMF carry
 * them out. Not modelled: pointers that firmware writes back.
 */
#include "hw/firmware/table_loader.h"

#include <string.h>

enum { ALLOCATE = 1, ADD_POINTER = 2, ADD_CHECKSUM = 3, NAME = 56, SIZE = 128 };

typedef struct Command {
    uint8_t bytes[SIZE];
    unsigned at;
} Command;

static void put(Command *c, const void *data, size_t n)
{
    memcpy(c->bytes + c->at, data, n);
    c->at += n;
}

static void put32(Command *c, uint32_t value)
{
    put(c, &value, 4);
}

static void put_name(Command *c, const char *name)
{
    char field[NAME] = "";

    g_strlcpy(field, name, NAME);
    put(c, field, NAME);
}

void loader_allocate(GByteArray *script, const char *file, uint32_t align, LoadZone zone)
{
    Command c = {0};
    uint8_t where = zone;

    put32(&c, ALLOCATE);
    put_name(&c, file);
    put32(&c, align);
    put(&c, &where, 1);
    g_byte_array_append(script, c.bytes, SIZE);
}

void loader_pointer(GByteArray *script, const char *file, uint32_t offset, uint8_t size,
                    const char *to)
{
    Command c = {0};

    put32(&c, ADD_POINTER);
    put_name(&c, file);
    put_name(&c, to);
    put32(&c, offset);
    put(&c, &size, 1);
    g_byte_array_append(script, c.bytes, SIZE);
}

void loader_checksum(GByteArray *script, const char *file, uint32_t offset, uint32_t start,
                     uint32_t length)
{
    Command c = {0};

    put32(&c, ADD_CHECKSUM);
    put_name(&c, file);
    put32(&c, offset);
    put32(&c, start);
    put32(&c, length);
    g_byte_array_append(script, c.bytes, SIZE);
}
