/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux kernels: Documentation/arch/x86/boot.rst. A bzImage is a boot sector and setup code, which
 * run in real mode, and the rest, which goes to 1 MB (zImage: 64 KB). The host fills in the
 * header's fields that a boot loader fills in; rom/linuxboot.S does the loading.
 */
#include "hw/firmware/boot_impl.h"
#include "hw/firmware/linuxboot_rom.h"
#include "softmmu/run/board.h"

#include <string.h>

enum { /* the setup header */
       SETUP_SECTORS = 0x1f1,
       VIDEO_MODE = 0x1fa,
       BOOT_FLAG = 0x1fe,
       MAGIC = 0x202,
       VERSION = 0x206,
       LOADER_TYPE = 0x210,
       LOAD_FLAGS = 0x211,
       RAMDISK = 0x218,
       RAMDISK_SIZE = 0x21c,
       HEAP_END = 0x224,
       CMDLINE_PTR = 0x228,
       INITRD_MAX = 0x22c,
       CMDLINE_MAX = 0x238,
       HEADER_END = 0x23c,
};
enum { LOADED_HIGH = 1, CAN_USE_HEAP = 0x80, UNDEFINED_LOADER = 0xff, SECTOR = 512 };
enum { OLD_CMDLINE_MAGIC = 0x20, OLD_CMDLINE_OFFSET = 0x22, OLD_CMDLINE = 0xa33f };
enum { HDRS = 0x53726448, OLD_CMDLINE_MAX = 255, INITRD_MAX_OLD = 0x37ffffff, PAGE = 4096 };

typedef struct Plan {
    unsigned version; /* of the boot protocol; 0: before there was one */
    uint32_t setup_at, kernel_at, cmdline_at, initrd_at;
    size_t setup_size, cmdline_size;
    uint8_t *setup; /* a copy, to be patched */
} Plan;

static void set32(Plan *p, size_t at, uint32_t value)
{
    memcpy(p->setup + at, &value, 4);
}

static bool check_image(const KernelFile *k, Plan *p, Error **err)
{
    unsigned sectors = k->size > SETUP_SECTORS ? k->data[SETUP_SECTORS] : 0;

    if (k->size < HEADER_END || kernel_u16(k, BOOT_FLAG) != 0xaa55) {
        error_set(err, "kernel %s is neither a Linux bzImage nor a multiboot kernel", k->path);
        return error_hint(err, "a vmlinux file must be made into a bzImage first");
    }
    p->version = kernel_u32(k, MAGIC) == HDRS ? kernel_u16(k, VERSION) : 0;
    p->setup_size = ((sectors ?: 4) + 1) * SECTOR;
    if (p->setup_size >= k->size) {
        return error_set(err, "kernel %s is cut off: %zu bytes, its setup code alone has %zu",
                         k->path, k->size, p->setup_size);
    }
    return true;
}

/* The lower half of the first megabyte is free, but old kernels want their setup at 0x90000. */
static void choose_places(const KernelFile *k, Plan *p)
{
    bool high = p->version >= 0x200 && k->data[LOAD_FLAGS] & LOADED_HIGH;

    p->kernel_at = high ? BOOT_MB : 0x10000;
    if (high && p->version >= 0x202) {
        p->setup_at = 0x10000;
        p->cmdline_at = 0x20000;
    } else {
        p->setup_at = 0x90000;
        p->cmdline_at = (0x9a000 - p->cmdline_size) & ~15u;
    }
}

static bool check_cmdline(const KernelFile *k, const Plan *p, Error **err)
{
    uint32_t most = p->version >= 0x206 ? kernel_u32(k, CMDLINE_MAX) : OLD_CMDLINE_MAX;

    return p->cmdline_size - 1 <= most ||
           error_set(err, "-append has %zu characters, the kernel takes %u", p->cmdline_size - 1,
                     most);
}

static void fill_header(const KernelFile *k, Plan *p)
{
    if (p->version >= 0x202) {
        set32(p, CMDLINE_PTR, p->cmdline_at);
    } else {
        p->setup[OLD_CMDLINE_MAGIC] = OLD_CMDLINE & 0xff;
        p->setup[OLD_CMDLINE_MAGIC + 1] = OLD_CMDLINE >> 8;
        uint16_t offset = p->cmdline_at - p->setup_at;
        memcpy(p->setup + OLD_CMDLINE_OFFSET, &offset, 2);
    }
    if (p->version >= 0x200) {
        p->setup[LOADER_TYPE] = UNDEFINED_LOADER;
    }
    if (p->version >= 0x201) {
        uint16_t heap_end = p->cmdline_at - p->setup_at - 0x200;

        p->setup[LOAD_FLAGS] |= CAN_USE_HEAP;
        memcpy(p->setup + HEAP_END, &heap_end, 2);
    }
}

/* vga=ask and its like are for the boot loader: the setup code reads a number. */
static void set_video_mode(Plan *p, const char *cmdline)
{
    const char *vga = g_strrstr(cmdline, "vga=");
    uint16_t mode;

    if (!vga) {
        return;
    }
    vga += 4;
    mode = g_str_has_prefix(vga, "normal") ? 0xffff
         : g_str_has_prefix(vga, "ext")    ? 0xfffe
         : g_str_has_prefix(vga, "ask")    ? 0xfffd
                                           : g_ascii_strtoull(vga, NULL, 0);
    memcpy(p->setup + VIDEO_MODE, &mode, 2);
}

/* As high as the kernel can use it, below what the firmware needs at the end of low RAM. */
static bool add_initrd(Machine *m, FwCfg *f, const KernelFile *k, Plan *p, BootMemory memory,
                       Error **err)
{
    const char *path = machine_config(m)->initrd;
    uint64_t top = p->version >= 0x203 ? kernel_u32(k, INITRD_MAX) : INITRD_MAX_OLD;
    uint64_t kernel_end = p->kernel_at + (k->size - p->setup_size);
    g_autoptr(GBytes) bytes = NULL;

    if (!path) {
        return true;
    }
    if (p->version < 0x200) {
        return error_set(err, "kernel %s is too old for an initrd", k->path);
    }
    if (!(bytes = boot_read(path, "initrd", err))) {
        return false;
    }
    uint64_t size = g_bytes_get_size(bytes);

    top = MIN(top + 1, MAX(memory.below, BOOT_FIRMWARE_TABLES) - BOOT_FIRMWARE_TABLES);
    if (size > top || ((top - size) & ~(PAGE - 1ull)) < kernel_end) {
        error_set(err, "initrd %s (%" PRIu64 " bytes) does not fit into memory beside the kernel",
                  path, size);
        return error_hint(err, "give the machine more with -m");
    }
    p->initrd_at = (top - size) & ~(PAGE - 1ull);
    set32(p, RAMDISK, p->initrd_at);
    set32(p, RAMDISK_SIZE, size);
    fw_cfg_number(f, FW_CFG_INITRD_ADDR, p->initrd_at, 4);
    fw_cfg_number(f, FW_CFG_INITRD_SIZE, size, 4);
    boot_item(f, FW_CFG_INITRD_DATA, path, bytes, 0);
    return true;
}

static void publish(FwCfg *f, const KernelFile *k, const Plan *p, const char *cmdline)
{
    size_t rest = k->size - p->setup_size;

    fw_cfg_number(f, FW_CFG_SETUP_ADDR, p->setup_at, 4);
    fw_cfg_number(f, FW_CFG_SETUP_SIZE, p->setup_size, 4);
    fw_cfg_item(f, FW_CFG_SETUP_DATA, p->setup, p->setup_size);
    fw_cfg_number(f, FW_CFG_KERNEL_ADDR, p->kernel_at, 4);
    fw_cfg_number(f, FW_CFG_KERNEL_SIZE, rest, 4);
    boot_item(f, FW_CFG_KERNEL_DATA, k->path, k->bytes, p->setup_size);
    fw_cfg_number(f, FW_CFG_CMDLINE_ADDR, p->cmdline_at, 4);
    fw_cfg_number(f, FW_CFG_CMDLINE_SIZE, p->cmdline_size, 4);
    fw_cfg_item(f, FW_CFG_CMDLINE_DATA, cmdline, p->cmdline_size);
}

bool boot_linux(Machine *m, FwCfg *f, const KernelFile *k, BootMemory memory, Error **err)
{
    const char *cmdline = machine_config(m)->append ?: "";
    Plan p = {.cmdline_size = strlen(cmdline) + 1};

    if (!check_image(k, &p, err) || !check_cmdline(k, &p, err)) {
        return false;
    }
    choose_places(k, &p);
    if (p.kernel_at + (k->size - p.setup_size) > (p.kernel_at < BOOT_MB ? 0x90000 : memory.below)) {
        return error_set(err, "kernel %s (%zu bytes) does not fit into memory", k->path, k->size);
    }
    g_autofree uint8_t *setup = g_memdup2(k->data, p.setup_size);

    p.setup = setup;
    fill_header(k, &p);
    set_video_mode(&p, cmdline);
    if (!add_initrd(m, f, k, &p, memory, err)) {
        return false;
    }
    publish(f, k, &p, cmdline);
    return boot_add_rom(f, "linuxboot.bin", linuxboot_rom, sizeof linuxboot_rom, 0, err);
}
