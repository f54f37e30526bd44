/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "accel/tcg/perf.h"
#include "tests/lib/test.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static uint32_t word(const char *text, unsigned at)
{
    uint32_t v;

    memcpy(&v, text + at, sizeof v);
    return v;
}

TEST("perf: a dump is a header and records of code, its name and its bytes")
{
    static const uint8_t code[] = {0x90, 0xc3};
    g_autofree char *folder = g_dir_make_tmp("jit-XXXXXX", NULL), *text = NULL;
    g_autofree char *path = g_strdup_printf("%s/jit-%d.dump", folder, (int)getpid());
    JitDump *d = jit_dump_open(folder, NULL);
    gsize size;

    jit_dump_add(d, 0x1234, code, sizeof code);
    jit_dump_add(d, 0x5678, code, 1);
    jit_dump_close(d);
    check(g_file_get_contents(path, &text, &size, NULL), true);
    check(size, 40 + 56 + 11 + 2 + 56 + 11 + 1);
    check(memcmp(text, "DTiJ", 4), 0);
    check(word(text, 8), 40);
    check(word(text, 12), 62);
    check(word(text, 40 + 4), 56 + 11 + 2);
    check_str(text + 40 + 56, "guest-1234");
    check(memcmp(text + 40 + 56 + 11, code, 2), 0);
    check(word(text, 40 + 69 + 48), 1); /* the second's number */
    g_remove(path);
    g_rmdir(folder);
}

TEST("perf: a folder that is not there is named")
{
    Error *err = NULL;

    check(jit_dump_open("/absent", &err) == NULL, true);
    check(strstr(error_text(err), "cannot write /absent/jit-") != NULL, true);
    error_free(err);
}
