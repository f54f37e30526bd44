/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The script by which firmware puts tables into memory: etc/table-loader. */
#pragma once
#include <glib.h>
#include <stdint.h>

typedef enum { LOAD_HIGH = 1, LOAD_FSEG = 2 } LoadZone;

/* Copy fw_cfg file into memory of that zone; align is a power of two. */
void loader_allocate(GByteArray *script, const char *file, uint32_t align, LoadZone zone);

/* The number of size bytes at offset in file becomes an address: that of file to is added. */
void loader_pointer(GByteArray *script, const char *file, uint32_t offset, uint8_t size,
                    const char *to);

/* The byte at offset makes the sum of length bytes from start on zero. */
void loader_checksum(GByteArray *script, const char *file, uint32_t offset, uint32_t start,
                     uint32_t length);
