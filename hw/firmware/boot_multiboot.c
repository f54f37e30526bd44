/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Multiboot kernels: Multiboot Specification 0.6.96. 32-bit ELF files by their program headers,
 * others by the addresses in the multiboot header. Modules are the files of -initrd, separated by
 * commas, each with its arguments behind a space. Not modelled: the symbol table, drives, APM and
 * video information.
 */
#include "hw/firmware/boot_impl.h"
#include "hw/firmware/multiboot_rom.h"
#include "softmmu/run/board.h"

#include <elf.h>
#include <string.h>

enum { SEARCH = 8192, MAGIC = 0x1badb002, HAS_ADDRESSES = 1 << 16, REQUIRED = 0xfffc };
enum { INFO_MEMORY = 1, INFO_CMDLINE = 4, INFO_MODULES = 8, INFO_MAP = 0x40, INFO_LOADER = 0x200 };
enum { INFO_SIZE = 120, PAGE = 4096, MODULES_MAX = 64 };

typedef struct Image {
    uint8_t *data;
    uint64_t at, size;
    uint32_t entry;
} Image;

/* Offset of the header, which is aligned and within the first 8 KB; -1: none. */
static int64_t find_header(const KernelFile *k)
{
    for (size_t at = 0; at + 12 <= MIN(k->size, SEARCH); at += 4) {
        uint32_t flags = kernel_u32(k, at + 4);

        if (kernel_u32(k, at) == MAGIC && MAGIC + flags + kernel_u32(k, at + 8) == 0) {
            return at;
        }
    }
    return -1;
}

bool boot_is_multiboot(const KernelFile *k)
{
    return find_header(k) >= 0;
}

/* ---- the kernel ---- */

static bool make_image(Image *i, const KernelFile *k, uint64_t from, uint64_t to, BootMemory memory,
                       Error **err)
{
    if (from >= to || to > memory.below) {
        return error_set(
            err, "kernel %s wants memory from %#" PRIx64 " to %#" PRIx64 ", which there is not",
            k->path, from, to);
    }
    i->at = from;
    i->size = to - from;
    i->data = g_try_malloc0(i->size);
    return i->data || error_set(err, "kernel %s is too large", k->path);
}

/* Header fields: header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr. */
static bool load_flat(Image *i, const KernelFile *k, size_t header, BootMemory memory, Error **err)
{
    uint32_t header_addr = kernel_u32(k, header + 12), load = kernel_u32(k, header + 16);
    uint32_t load_end = kernel_u32(k, header + 20), bss_end = kernel_u32(k, header + 24);
    uint64_t start = header - ((uint64_t)header_addr - load);
    uint64_t n = load_end ? (uint64_t)load_end - load : k->size - start;

    if (header_addr < load || start > header || n > k->size - start ||
        load_end > UINT32_MAX - PAGE) {
        return error_set(err, "kernel %s: the addresses of its multiboot header make no sense",
                         k->path);
    }
    if (!make_image(i, k, load, MAX(load + n, (uint64_t)bss_end), memory, err)) {
        return false;
    }
    memcpy(i->data, k->data + start, n);
    i->entry = kernel_u32(k, header + 28);
    return true;
}

static bool elf_segment(const KernelFile *k, unsigned n, Elf32_Phdr *ph)
{
    const Elf32_Ehdr *e = (const void *)k->data;
    uint64_t at = e->e_phoff + (uint64_t)n * e->e_phentsize;

    if (at + sizeof *ph > k->size) {
        return false;
    }
    memcpy(ph, k->data + at, sizeof *ph);
    return ph->p_type != PT_LOAD || (ph->p_filesz <= ph->p_memsz && ph->p_offset <= k->size &&
                                     ph->p_filesz <= k->size - ph->p_offset);
}

static bool load_elf(Image *i, const KernelFile *k, BootMemory memory, Error **err)
{
    const Elf32_Ehdr *e = (const void *)k->data;
    uint64_t low = UINT64_MAX, high = 0;
    Elf32_Phdr ph;

    for (unsigned n = 0; n < e->e_phnum; n++) {
        if (!elf_segment(k, n, &ph)) {
            return error_set(err, "kernel %s: ELF program header %u is damaged", k->path, n);
        }
        if (ph.p_type == PT_LOAD && ph.p_memsz) {
            low = MIN(low, ph.p_paddr);
            high = MAX(high, (uint64_t)ph.p_paddr + ph.p_memsz);
        }
    }
    if (!make_image(i, k, low, high, memory, err)) {
        return false;
    }
    for (unsigned n = 0; n < e->e_phnum; n++) {
        elf_segment(k, n, &ph);
        if (ph.p_type == PT_LOAD && ph.p_memsz) {
            memcpy(i->data + (ph.p_paddr - low), k->data + ph.p_offset, ph.p_filesz);
        }
    }
    i->entry = e->e_entry;
    return true;
}

static bool load_image(Image *i, const KernelFile *k, BootMemory memory, Error **err)
{
    size_t header = find_header(k);
    bool elf = k->size > sizeof(Elf32_Ehdr) && !memcmp(k->data, ELFMAG, SELFMAG);

    if (kernel_u32(k, header + 4) & REQUIRED) {
        return error_set(err, "kernel %s wants more of a multiboot loader than there is: flags %#x",
                         k->path, kernel_u32(k, header + 4));
    }
    if (kernel_u32(k, header + 4) & HAS_ADDRESSES) {
        return load_flat(i, k, header, memory, err);
    }
    if (!elf || k->data[EI_CLASS] != ELFCLASS32) {
        error_set(err, "multiboot kernel %s is not a 32-bit ELF file", k->path);
        return error_hint(err, "objcopy -O elf32-i386 makes one of a 64-bit file");
    }
    return load_elf(i, k, memory, err);
}

/* ---- modules and information ---- */

typedef struct Info {
    GByteArray *block; /* goes to address at: information, texts, modules */
    uint32_t at;
} Info;

static void put32(Info *info, size_t offset, uint32_t value)
{
    memcpy(info->block->data + offset, &value, 4);
}

static uint32_t append(Info *info, const void *data, size_t n, unsigned align)
{
    uint32_t at = (info->block->len + align - 1) & ~(align - 1);

    g_byte_array_set_size(info->block, at + n);
    memcpy(info->block->data + at, data, n);
    return info->at + at;
}

static uint32_t append_text(Info *info, const char *text)
{
    return append(info, text, strlen(text) + 1, 1);
}

/* "file arguments": the text of a module is all of it, the file its first word. */
static bool add_module(Info *info, size_t entry, const char *text, Error **err)
{
    g_auto(GStrv) words = g_strsplit(text, " ", 2);
    g_autoptr(GBytes) bytes = boot_read(words[0], "module", err);
    gsize n;

    if (!bytes) {
        return false;
    }
    const void *data = g_bytes_get_data(bytes, &n);
    uint32_t at = append(info, data, n, PAGE);

    put32(info, entry, at);
    put32(info, entry + 4, at + n);
    put32(info, entry + 8, append_text(info, text));
    return true;
}

static bool add_modules(Info *info, const char *list, Error **err)
{
    g_auto(GStrv) module = g_strsplit(list, ",", -1);
    unsigned count = g_strv_length(module);
    static const uint8_t zeros[16 * MODULES_MAX];

    if (count > MODULES_MAX) {
        return error_set(err, "%u multiboot modules are more than %d", count, MODULES_MAX);
    }
    uint32_t table = append(info, zeros, 16 * count, 4);

    put32(info, 20, count);
    put32(info, 24, table);
    for (unsigned n = 0; n < count; n++) {
        if (!add_module(info, table - info->at + 16 * n, module[n], err)) {
            return false;
        }
    }
    return true;
}

/* The ROM fills in the memory map, which the firmware knows. */
static bool fill_info(Info *info, Machine *m, const KernelFile *k, BootMemory memory, Error **err)
{
    const MachineConfig *c = machine_config(m);
    static const uint8_t zeros[INFO_SIZE];
    g_autofree char *cmdline =
        c->append ? g_strdup_printf("%s %s", k->path, c->append) : g_strdup(k->path);

    append(info, zeros, INFO_SIZE, 1);
    put32(info, 0, INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MAP | INFO_LOADER);
    put32(info, 4, 640);
    put32(info, 8, (memory.below - BOOT_MB) / 1024);
    put32(info, 16, append_text(info, cmdline));
    put32(info, 64, append_text(info, "rhea"));
    return !c->initrd || add_modules(info, c->initrd, err);
}

static void publish(FwCfg *f, const Image *i, const Info *info)
{
    fw_cfg_number(f, FW_CFG_KERNEL_ENTRY, i->entry, 4);
    fw_cfg_number(f, FW_CFG_KERNEL_ADDR, i->at, 4);
    fw_cfg_number(f, FW_CFG_KERNEL_SIZE, i->size, 4);
    fw_cfg_item(f, FW_CFG_KERNEL_DATA, i->data, i->size);
    fw_cfg_number(f, FW_CFG_INITRD_ADDR, info->at, 4);
    fw_cfg_number(f, FW_CFG_INITRD_SIZE, info->block->len, 4);
    fw_cfg_item(f, FW_CFG_INITRD_DATA, info->block->data, info->block->len);
}

bool boot_multiboot(Machine *m, FwCfg *f, const KernelFile *k, BootMemory memory, Error **err)
{
    g_autoptr(GByteArray) block = g_byte_array_new();
    Info info = {.block = block};
    Image i = {0};
    bool ok = load_image(&i, k, memory, err);

    if (ok) {
        info.at = MAX((i.at + i.size + PAGE - 1) & ~(PAGE - 1ull), (uint64_t)BOOT_MB);
        ok = fill_info(&info, m, k, memory, err);
    }
    if (ok && info.at + block->len + BOOT_FIRMWARE_TABLES > memory.below) {
        ok = error_set(err, "kernel %s and its modules do not fit into memory", k->path);
    }
    if (ok) {
        publish(f, &i, &info);
        ok = boot_add_rom(f, "multiboot.bin", multiboot_rom, sizeof multiboot_rom, 0, err);
    }
    g_free(i.data);
    return ok;
}
