/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting a kernel directly: -kernel, -initrd and -append. */
#pragma once
#include "hw/firmware/fw_cfg.h"

/* Where a kernel may lie. */
typedef struct BootMemory {
    uint64_t below; /* bytes of RAM from address 0 on, up to the hole */
} BootMemory;

/* Put the kernel of the machine's configuration, its initrd and command line into fw_cfg, with the
 * ROM that starts it first in the boot order. bzImage, zImage and multiboot. */
bool boot_kernel(Machine *m, FwCfg *f, BootMemory memory, Error **err);

/* An option ROM as file genroms/NAME; index < 0: not in the boot order. The code is padded, its
 * length and checksum filled in. */
bool boot_add_rom(FwCfg *f, const char *name, const uint8_t *code, size_t n, int32_t index,
                  Error **err);
