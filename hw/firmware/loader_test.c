/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/firmware/loader.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

#include <elf.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static char *file(const void *data, size_t n)
{
    char *path = NULL;
    int fd = g_file_open_tmp("rhea-test-XXXXXX", &path, NULL);

    check(write(fd, data, n), n);
    close(fd);
    return path;
}

TEST("loader: a number is there at the start, and again after a reset; big-endian if wanted")
{
    Board *b = board_new();

    board_add(b, &Loader_class, NULL, "addr", NUMBER(0x100), "data", NUMBER(0x1234), "data-len",
              NUMBER(2), NULL);
    board_add(b, &Loader_class, NULL, "addr", NUMBER(0x200), "data", NUMBER(0x1234), "data-len",
              NUMBER(4), "data-be", FLAG(true), NULL);
    check(mem_get(b, 0x100, 4), 0x1234);
    check(mem_get(b, 0x200, 4), 0x34120000);
    mem_put(b, 0x100, 0, 2);
    machine_reset(board_machine(b), RESET_POWER);
    check(mem_get(b, 0x100, 2), 0x1234);
}

TEST("loader: a raw file goes to addr, an ELF file where it says")
{
    struct {
        Elf32_Ehdr e;
        Elf32_Phdr ph;
        uint32_t code;
    } elf = {.e = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32},
                   .e_phoff = sizeof(Elf32_Ehdr),
                   .e_phentsize = sizeof(Elf32_Phdr),
                   .e_phnum = 1},
             .ph = {.p_type = PT_LOAD, .p_offset = 84, .p_paddr = 0x3000, .p_filesz = 4},
             .code = 0xfeedface};
    g_autofree char *path = file(&elf, sizeof elf);
    Board *b = board_new();

    board_add(b, &Loader_class, NULL, "file", TEXT(path), NULL);
    board_add(b, &Loader_class, NULL, "file", TEXT(path), "addr", NUMBER(0x5000), "force-raw",
              FLAG(true), NULL);
    check(mem_get(b, 0x3000, 4), 0xfeedface);
    check(mem_get(b, 0x5001, 3), 0x464c45);
    g_unlink(path);
}

static void refused(const char *name, Value value, const char *why)
{
    Board *b = board_new();
    Error *err = NULL;

    check(board_add(b, &Loader_class, &err, name, value, "data", NUMBER(0x1234), NULL) == NULL,
          true);
    check_str(error_text(err), why);
    error_free(err);
}

TEST("loader: what is missing or does not fit is said")
{
    refused("addr", NUMBER(4), "a loader needs file=, data= with data-len=, or cpu-num=");
    refused("data-len", NUMBER(2), "data needs addr=");
    refused("file", TEXT("/nonexistent"), "there is no file /nonexistent");
    refused("cpu-num", NUMBER(3), "there is no CPU 3");
}
