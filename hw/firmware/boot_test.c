/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/firmware/boot.h"
#include "softmmu/run/machine_impl.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

enum { KERNEL_SIZE = 0x1000, SETUP_SIZE = 0x400, MB = 1 << 20 };

typedef struct Boot {
    Board *b;
    FwCfg *f;
    Machine *m;
    char *kernel, *initrd;
} Boot;

static char *file(const void *data, size_t n)
{
    char *path = NULL;
    int fd = g_file_open_tmp("rhea-test-XXXXXX", &path, NULL);

    check(write(fd, data, n), n);
    close(fd);
    return path;
}

static Boot boot(const void *kernel, size_t n)
{
    Boot t = {.b = board_new()};

    t.m = board_machine(t.b);
    t.f = (FwCfg *)device_add(t.m, &FwCfg_class, "fw_cfg", NULL, NULL, NULL, NULL);
    t.kernel = file(kernel, n);
    t.initrd = file("initrd!", 7);
    t.m->config.kernel = g_strdup(t.kernel);
    return t;
}

static void done(Boot t)
{
    g_unlink(t.kernel);
    g_unlink(t.initrd);
    g_free(t.kernel);
    g_free(t.initrd);
}

static void put(uint8_t *at, uint32_t value, unsigned size)
{
    memcpy(at, &value, size);
}

/* A bzImage of protocol 2.15 with one sector of setup code. */
static uint8_t *bzimage(void)
{
    static uint8_t k[KERNEL_SIZE];

    memset(k, 0, sizeof k);
    k[0x1f1] = 1;
    put(k + 0x1fe, 0xaa55, 2);
    memcpy(k + 0x202, "HdrS", 4);
    put(k + 0x206, 0x020f, 2);
    k[0x211] = 1;
    put(k + 0x22c, 0x7fffffff, 4);
    put(k + 0x238, 2047, 4);
    k[SETUP_SIZE] = 0x99;
    return k;
}

/* The n bytes of a numbered item, read as firmware does. */
static void item(Boot t, uint16_t key, void *out, size_t n)
{
    mem_write(machine_port_space(t.m), (Access){0}, 0x510, &key, 2);
    for (size_t i = 0; i < n; i++) {
        ((uint8_t *)out)[i] = inb(t.b, 0x511);
    }
}

static uint32_t number(Boot t, uint16_t key)
{
    uint32_t v;

    item(t, key, &v, 4);
    return v;
}

static void refused(Boot t, uint64_t memory, const char *why)
{
    Error *err = NULL;

    check(boot_kernel(t.m, t.f, (BootMemory){memory}, &err), false);
    check(strstr(error_text(err), why) != NULL, true);
    error_free(err);
    done(t);
}

TEST("boot: a bzImage is split; the header tells the kernel where command line and initrd are")
{
    Boot t = boot(bzimage(), KERNEL_SIZE);
    uint8_t setup[SETUP_SIZE];
    char cmdline[16];

    t.m->config.initrd = g_strdup(t.initrd);
    t.m->config.append = g_strdup("console=ttyS0");
    check(boot_kernel(t.m, t.f, (BootMemory){64 * MB}, NULL), true);
    check(number(t, FW_CFG_KERNEL_ADDR), MB);
    check(number(t, FW_CFG_KERNEL_SIZE), KERNEL_SIZE - SETUP_SIZE);
    check(number(t, FW_CFG_KERNEL_DATA) & 0xff, 0x99);
    item(t, FW_CFG_SETUP_DATA, setup, sizeof setup);
    check(memcmp(setup + 0x228, &(uint32_t){number(t, FW_CFG_CMDLINE_ADDR)}, 4), 0);
    check(memcmp(setup + 0x218, &(uint32_t){number(t, FW_CFG_INITRD_ADDR)}, 4), 0);
    check(setup[0x21c], 7);
    check(setup[0x211], 0x81);
    item(t, FW_CFG_CMDLINE_DATA, cmdline, sizeof cmdline);
    check_str(cmdline, "console=ttyS0");
    done(t);
}

TEST("boot: the initrd lies on a page below the end of RAM and the kernel's limit")
{
    uint8_t *k = bzimage();

    put(k + 0x22c, 0x00ffffff, 4);
    Boot t = boot(k, KERNEL_SIZE);

    t.m->config.initrd = g_strdup(t.initrd);
    check(boot_kernel(t.m, t.f, (BootMemory){64 * MB}, NULL), true);
    check(number(t, FW_CFG_INITRD_ADDR), 0x00fff000);
    done(t);
}

TEST("boot: our ROM is the first to boot, its bytes sum to zero")
{
    Boot t = boot(bzimage(), KERNEL_SIZE);
    uint8_t sum = 0;
    gsize n;

    check(boot_kernel(t.m, t.f, (BootMemory){64 * MB}, NULL), true);
    check_str(g_bytes_get_data(fw_cfg_find(t.f, "bootorder"), NULL), "/rom@genroms/linuxboot.bin");
    const uint8_t *rom = g_bytes_get_data(fw_cfg_find(t.f, "genroms/linuxboot.bin"), &n);
    for (gsize i = 0; i < n; i++) {
        sum += rom[i];
    }
    check(sum, 0);
    check(rom[0] | rom[1] << 8, 0xaa55);
    check(rom[2] * 512, n);
    check(memcmp(rom + (rom[0x1a] | rom[0x1b] << 8), "$PnP", 4), 0);
    done(t);
}

TEST("boot: what is no kernel, is cut off or does not fit is refused by name")
{
    static uint8_t zeros[KERNEL_SIZE];
    Boot big = boot(bzimage(), KERNEL_SIZE);
    Boot lost = boot(bzimage(), KERNEL_SIZE);

    refused(boot(zeros, sizeof zeros), MB, "is neither a Linux bzImage nor a multiboot kernel");
    refused(boot(bzimage(), SETUP_SIZE), 64 * MB, "is cut off");
    big.m->config.initrd = g_strdup(big.initrd);
    refused(big, 2 * MB, "does not fit into memory");
    lost.m->config.initrd = g_strdup("/nonexistent");
    refused(lost, 64 * MB, "initrd /nonexistent: ");
}

TEST("boot: a command line longer than the kernel takes is refused")
{
    Boot t = boot(bzimage(), KERNEL_SIZE);

    t.m->config.append = g_strnfill(3000, 'x');
    refused(t, 64 * MB, "-append has 3000 characters, the kernel takes 2047");
}

/* A flat multiboot kernel: header at its start, loaded at 2 MB. */
static uint8_t *multiboot(uint32_t flags)
{
    static uint8_t k[64];
    const uint32_t header[] = {0x1badb002, flags,   -(0x1badb002 + flags), 0x200000, 0x200000, 0,
                               0x201000,   0x200020};

    memset(k, 0x90, sizeof k);
    memcpy(k, header, sizeof header);
    return k;
}

TEST("boot: a multiboot kernel gets its modules, command line and entry point")
{
    Boot t = boot(multiboot(0x10000), 64);
    uint32_t info[30], module[3];

    t.m->config.initrd = g_strdup_printf("%s one,%s", t.initrd, t.initrd);
    t.m->config.append = g_strdup("hello");
    check(boot_kernel(t.m, t.f, (BootMemory){64 * MB}, NULL), true);
    check(number(t, FW_CFG_KERNEL_ENTRY), 0x200020);
    check(number(t, FW_CFG_KERNEL_SIZE), 0x1000);
    item(t, FW_CFG_INITRD_DATA, info, sizeof info);
    uint32_t size = number(t, FW_CFG_INITRD_SIZE), at = number(t, FW_CFG_INITRD_ADDR);
    g_autofree char *block = g_malloc(size);
    item(t, FW_CFG_INITRD_DATA, block, size);
    check(info[5], 2);
    memcpy(module, block + (info[6] - at), sizeof module);
    check(module[1] - module[0], 7);
    check(memcmp(block + (module[0] - at), "initrd!", 7), 0);
    check(g_str_has_suffix(block + (module[2] - at), " one"), true);
    check(g_str_has_suffix(block + (info[4] - at), " hello"), true);
    done(t);
}

TEST("boot: a multiboot kernel with wishes, without addresses, or too large is refused")
{
    uint8_t *k = multiboot(0x10000);

    refused(boot(multiboot(0x10008), 64), 64 * MB, "wants more of a multiboot loader");
    refused(boot(multiboot(0), 64), 64 * MB, "is not a 32-bit ELF file");
    k = multiboot(0x10000);
    put(k + 24, 0xf0000000, 4);
    refused(boot(k, 64), 64 * MB, "wants memory from 0x200000 to 0xf0000000");
}
