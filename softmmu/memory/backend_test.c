/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory back ends: each kind, what it refuses, and a machine that uses one. */
#include "qom/prop.h"
#include "softmmu/memory/backend.h"
#include "softmmu/run/board.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

#include <glib/gstdio.h>
#include <string.h>

static MemoryBackend *made(Board *b, const char *class, const char *size, const char *path,
                           Error **err)
{
    Object *o = object_new(class_find(class), (Object *)board_machine(b), "mem0");

    prop_set(o, "size", TEXT(size), NULL);
    if (path) {
        prop_set(o, "mem-path", TEXT(path), NULL);
    }
    return o->class->complete(o, err) ? (MemoryBackend *)o : NULL;
}

TEST("memory-backend: anonymous memory and a memfd have their size; only the memfd is shared")
{
    Board *b = board_new();
    MemoryBackend *ram = made(b, "memory-backend-ram", "3M", NULL, NULL);
    MemoryBackend *memfd = made(b, "memory-backend-memfd", "2M", NULL, NULL);

    check(ram->ram->size, 3 << 20);
    check(ram->ram->fd, -1);
    check(memfd->ram->fd >= 0, true);
    memfd->ram->host[(2 << 20) - 1] = 1;
    check(ram->ram->host[(3 << 20) - 1], 0);
}

TEST("memory-backend: a file keeps what the guest wrote when it is shared")
{
    Board *b = board_new();
    Error *err = NULL;
    g_autofree char *folder = g_dir_make_tmp("rhea-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "ram", NULL);
    g_autofree char *data = NULL;
    Object *o = object_new(class_find("memory-backend-file"), (Object *)board_machine(b), "mem0");
    gsize n = 0;

    prop_set(o, "size", TEXT("1M"), NULL);
    prop_set(o, "mem-path", TEXT(path), NULL);
    prop_set(o, "share", TEXT("on"), NULL);
    check(o->class->complete(o, &err), true);
    ((MemoryBackend *)o)->ram->host[5] = 'x';
    check(g_file_get_contents(path, &data, &n, NULL), true);
    check(n == 1 << 20 && data[5] == 'x', true);
    check(made(b, "memory-backend-file", "2M", path, &err) == NULL, true);
    check(strstr(error_text(err), "has 1048576 bytes, not 2097152") != NULL, true);
    error_free(err);
    err = NULL;
    check(made(b, "memory-backend-file", "1M", folder, &err) != NULL, true);
    g_remove(path);
    g_rmdir(folder);
}

TEST("memory-backend: no size, no file and an impossible size are errors that say so")
{
    Board *b = board_new();
    const char *const class[] = {"memory-backend-ram", "memory-backend-file",
                                 "memory-backend-file"};
    const char *const size[] = {"0", "1M", "1M"};
    const char *const path[] = {NULL, NULL, "/nowhere/at/all"};
    const char *const text[] = {"mem0: it has no size", "mem0: it has no file",
                                "mem0: /nowhere/at/all: No such file or directory"};

    for (int i = 0; i < 3; i++) {
        Error *err = NULL;

        check(made(b, class[i], size[i], path[i], &err) == NULL, true);
        check_str(error_text(err), text[i]);
        error_free(err);
    }
}

TEST("memory-backend: a machine takes the one it names, once, and only of its own size")
{
    Board *b = board_new();
    Machine *m = board_machine(b);
    Error *err = NULL;
    Region r;

    made(b, "memory-backend-memfd", "2M", NULL, NULL);
    machine_config(m)->memory_backend = g_strdup("mem0");
    machine_config(m)->ram_bytes = 4 << 20;
    check(machine_init_ram(m, &r, (Object *)m, "ram", &err), false);
    check_str(error_text(err), "memory-backend: mem0 has 2097152 bytes, the machine 4194304");
    error_free(err);
    err = NULL;
    machine_config(m)->ram_bytes = 2 << 20;
    check(machine_init_ram(m, &r, (Object *)m, "ram", &err), true);
    check(r.ram->fd >= 0, true);
    region_free(&r);
    check(machine_init_ram(m, &r, (Object *)m, "ram", &err), false);
    check_str(error_text(err), "memory-backend: mem0 is in use");
    error_free(err);
}
