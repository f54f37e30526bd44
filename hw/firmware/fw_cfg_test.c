/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/firmware/fw_cfg.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { SELECT = 0x510, DATA = 0x511, DMA = 0x514, REQUEST = 0x1000, TO = 0x2000 };

static FwCfg *device(Board *b)
{
    return (FwCfg *)device_add(board_machine(b), &FwCfg_class, "fw_cfg", NULL, NULL, NULL, NULL);
}

static void select_key(Board *b, uint16_t key)
{
    mem_write(machine_port_space(board_machine(b)), (Access){0}, SELECT, &key, 2);
}

static uint32_t read_be(Board *b, unsigned n)
{
    uint32_t v = 0;

    while (n--) {
        v = v << 8 | inb(b, DATA);
    }
    return v;
}

/* The DMA request is at REQUEST; answers its control word afterwards. */
static uint32_t dma(Board *b, uint32_t control, uint32_t length, uint64_t address)
{
    uint32_t low = GUINT32_TO_BE(REQUEST);

    mem_put(b, REQUEST, GUINT32_TO_BE(control), 4);
    mem_put(b, REQUEST + 4, GUINT32_TO_BE(length), 4);
    mem_put(b, REQUEST + 8, GUINT64_TO_BE(address), 8);
    mem_write(machine_port_space(board_machine(b)), (Access){0}, DMA + 4, &low, 4);
    return GUINT32_FROM_BE((uint32_t)mem_get(b, REQUEST, 4));
}

TEST("fw_cfg: the signature is read byte by byte; behind its end are zeros")
{
    Board *b = board_new();

    device(b);
    select_key(b, FW_CFG_SIGNATURE);
    check(read_be(b, 4), 0x51454d55);
    check(inb(b, DATA), 0);
    select_key(b, 0x777);
    check(inb(b, DATA), 0);
}

TEST("fw_cfg: the directory lists files by name with size and number")
{
    Board *b = board_new();
    FwCfg *f = device(b);

    fw_cfg_file(f, "etc/b", "bb", 2, NULL);
    fw_cfg_file(f, "etc/a", "a", 1, NULL);
    select_key(b, FW_CFG_DIRECTORY);
    check(read_be(b, 4), 2);
    check(read_be(b, 4), 1);
    check(read_be(b, 2), FW_CFG_FILES);
    check(read_be(b, 2), 0);
    check(read_be(b, 4), 0x6574632f); /* "etc/" */
    select_key(b, FW_CFG_FILES + 1);
    check(read_be(b, 2), 0x6262);
}

static GBytes *made(Machine *m)
{
    return g_bytes_new("late", 4);
}

static GBytes *nothing(Machine *m)
{
    return NULL;
}

TEST("fw_cfg: lazy files are made at the first look, may be absent; then nothing can be added")
{
    Board *b = board_new();
    FwCfg *f = device(b);
    Error *err = NULL;

    fw_cfg_lazy(f, "late", made, NULL);
    fw_cfg_lazy(f, "absent", nothing, NULL);
    check(g_bytes_get_size(fw_cfg_find(f, "late")), 4);
    check(fw_cfg_find(f, "absent") == NULL, true);
    check(fw_cfg_file(f, "more", "", 0, &err), false);
    check_str(error_text(err), "no room for firmware file more");
    error_free(err);
}

TEST("fw_cfg: DMA selects, skips and reads; zeros follow the end")
{
    Board *b = board_new();
    FwCfg *f = device(b);

    fw_cfg_file(f, "file", "0123456", 7, NULL);
    check(fw_cfg_find(f, "file") != NULL, true);
    check(dma(b, FW_CFG_FILES << 16 | 8 | 4, 2, 0), 0);
    mem_put(b, TO, ~0ull, 8);
    check(dma(b, 2, 6, TO), 0);
    check(mem_get(b, TO, 8), 0xffff003635343332);
}

TEST("fw_cfg: DMA to where nothing is, and writing, report an error")
{
    Board *b = board_new();

    device(b);
    check(dma(b, 8 | 2, 4, 0x80000000), 1);
    check(dma(b, 8 | 16, 4, TO), 1);
}

TEST("fw_cfg: the DMA register tells its signature")
{
    Board *b = board_new();
    uint64_t v;

    device(b);
    mem_read(machine_port_space(board_machine(b)), (Access){0}, DMA, &v, 8);
    check(memcmp(&v, "QEMU CFG", 8), 0);
}

TEST("fw_cfg: the boot order is a list of paths by index; an index is given once")
{
    Board *b = board_new();
    FwCfg *f = device(b);
    Error *err = NULL;

    fw_cfg_boot(f, 7, "/second", NULL);
    fw_cfg_boot(f, 0, "/first", NULL);
    check(fw_cfg_boot(f, 7, "/third", &err), false);
    check_str(error_text(err), "bootindex 7 is taken by /second");
    error_free(err);
    check_str(g_bytes_get_data(fw_cfg_find(f, "bootorder"), NULL), "/first\n/second");
}

TEST(
    "fw_cfg: part of a file is read when it is wanted; where the file has become shorter are zeros")
{
    Board *b = board_new();
    FwCfg *f = device(b);
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("fw_cfg_XXXXXX", &path, NULL);

    check(write(fd, "0123456789", 10), 10);
    fw_cfg_backed(f, FW_CFG_KERNEL_DATA, open(path, O_RDONLY), 3, 5);
    check(dma(b, FW_CFG_KERNEL_DATA << 16 | 8 | 2, 6, TO), 0);
    check(mem_get(b, TO, 6), 0x3736353433);
    select_key(b, FW_CFG_KERNEL_DATA);
    check(inb(b, DATA), '3');
    check(ftruncate(fd, 5), 0);
    check(inb(b, DATA), '4');
    check(inb(b, DATA), 0);
    close(fd);
    unlink(path);
}
