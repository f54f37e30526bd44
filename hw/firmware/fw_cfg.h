/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The firmware configuration device: numbered items and named files that firmware reads. */
#pragma once
#include "hw/core/device.h"

typedef struct FwCfg FwCfg;
extern const DeviceClass FwCfg_class;

/* Numbered items. Files get the numbers from FW_CFG_FILES on. */
enum {
    FW_CFG_SIGNATURE = 0x00,
    FW_CFG_ID = 0x01,
    FW_CFG_UUID = 0x02,
    FW_CFG_RAM_SIZE = 0x03,
    FW_CFG_NOGRAPHIC = 0x04,
    FW_CFG_CPUS = 0x05,
    FW_CFG_NUMA = 0x0d,
    FW_CFG_BOOT_MENU = 0x0e,
    FW_CFG_MAX_CPUS = 0x0f,
    FW_CFG_KERNEL_ADDR = 0x07,
    FW_CFG_KERNEL_SIZE = 0x08,
    FW_CFG_INITRD_ADDR = 0x0a,
    FW_CFG_INITRD_SIZE = 0x0b,
    FW_CFG_KERNEL_ENTRY = 0x10,
    FW_CFG_KERNEL_DATA = 0x11,
    FW_CFG_INITRD_DATA = 0x12,
    FW_CFG_CMDLINE_ADDR = 0x13,
    FW_CFG_CMDLINE_SIZE = 0x14,
    FW_CFG_CMDLINE_DATA = 0x15,
    FW_CFG_SETUP_ADDR = 0x16,
    FW_CFG_SETUP_SIZE = 0x17,
    FW_CFG_SETUP_DATA = 0x18,
    FW_CFG_DIRECTORY = 0x19,
    FW_CFG_FILES = 0x20,
    FW_CFG_LOCAL = 0x8000, /* x86: IRQ 0 override */
    FW_CFG_IRQ0_OVERRIDE = 0x8002,
};

/* The machine's device, or NULL. */
FwCfg *fw_cfg_of(Machine *m);

/* While the machine is built: give item key these bytes (copied), or a little-endian number of size
 * 2, 4 or 8. What was there before goes. */
void fw_cfg_item(FwCfg *f, uint16_t key, const void *data, size_t n);
void fw_cfg_number(FwCfg *f, uint16_t key, uint64_t value, unsigned size);
void fw_cfg_take(FwCfg *f, uint16_t key, GBytes *bytes); /* not copied; takes the reference */

/* ... or a part of a file of the host's, read when firmware asks for it, so that it is not kept in
 * memory: up to 4 GiB; takes fd. */
void fw_cfg_backed(FwCfg *f, uint16_t key, int fd, uint64_t from, uint64_t size);

/* A file: name of at most 55 characters, a second one of that name replaces the first. False: the
 * name is too long, or there are too many. */
bool fw_cfg_file(FwCfg *f, const char *name, const void *data, size_t n, Error **err);

/* A file that is made when firmware first looks at the directory, after all devices are there.
 * make() may return NULL: no such file. */
bool fw_cfg_lazy(FwCfg *f, const char *name, GBytes *(*make)(Machine *m), Error **err);

/* The board's last word: called once before the directory is made, may add files. */
void fw_cfg_before_directory(FwCfg *f, void (*add)(Machine *m));

/* The bytes of a file as firmware reads them, or NULL. For tests and for those who build
 * upon it. */
GBytes *fw_cfg_find(FwCfg *f, const char *name);

/* Every file with its size (0: not made yet), for people. Under the machine lock. */
void fw_cfg_each(FwCfg *f, void (*each)(const char *name, size_t bytes, void *opaque),
                 void *opaque);

/* Boot from this firmware device path at this place, lower first; refused when it is taken. */
bool fw_cfg_boot(FwCfg *f, int32_t index, const char *path, Error **err);
