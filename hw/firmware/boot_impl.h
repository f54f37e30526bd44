/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kinds of kernels that boot.c tells apart. */
#pragma once
#include "hw/firmware/boot.h"

typedef struct KernelFile {
    const char *path;
    const uint8_t *data;
    size_t size;
    GBytes *bytes; /* of data */
} KernelFile;

enum { BOOT_MB = 1 << 20, BOOT_FIRMWARE_TABLES = 1 << 20 };

/* Little-endian numbers at any offset; 0 behind the end. */
static inline uint32_t kernel_u32(const KernelFile *k, size_t at)
{
    uint32_t v = 0;

    if (at < k->size && k->size - at >= 4) {
        __builtin_memcpy(&v, k->data + at, 4);
    }
    return v;
}

static inline uint16_t kernel_u16(const KernelFile *k, size_t at)
{
    return at + 2 <= k->size ? k->data[at] | k->data[at + 1] << 8 : 0;
}

/* Is it one? Then put it into fw_cfg. */
bool boot_is_multiboot(const KernelFile *k);
bool boot_multiboot(Machine *m, FwCfg *f, const KernelFile *k, BootMemory memory, Error **err);
bool boot_linux(Machine *m, FwCfg *f, const KernelFile *k, BootMemory memory, Error **err);

/* The file's bytes from there on as an item of fw_cfg: read anew when they are wanted, unless the
 * file is a pipe or the like. */
void boot_item(FwCfg *f, uint16_t key, const char *path, GBytes *bytes, size_t from);

/* The bytes of a file; what names it in the message. NULL: see err. */
GBytes *boot_read(const char *path, const char *what, Error **err);
