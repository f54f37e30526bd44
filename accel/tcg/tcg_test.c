/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The software engine's properties. */
#include "accel/tcg/host.h"
#include "softmmu/run/board.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

/* An engine started with that tb-size; NULL, and *why: it refuses. */
static Tcg *started(const char *tb_size, Error **why)
{
    Board *b = board_new();
    g_autoptr(GString) log = g_string_new("");
    Accel *a = accel_pick(board_machine(b), "tcg", log, NULL);

    check(prop_set(&a->obj, "tb-size", TEXT(tb_size), why), true);
    return accel_start(a, why) ? (Tcg *)a : NULL;
}

static uint32_t cache_bytes(const char *tb_size)
{
    Tcg *t = started(tb_size, NULL);

    return !t ? 0 : t->code ? t->code->size : 1;
}

TEST("tcg: tb-size counts megabytes unless it has a unit; 0 leaves it to the engine")
{
    if (cache_bytes("16") != 1) { /* else this host's CPU lacks what translating needs */
        check(cache_bytes("16"), 16 << 20);
        check(cache_bytes("8M"), 8 << 20);
        check(cache_bytes("1024K"), 1 << 20);
        check(cache_bytes("0"), 256 << 20);
    }
}

TEST("tcg: a tb-size of more than 1024 MB is refused in words")
{
    Error *err = NULL;

    check(started("1025", &err) == NULL, true);
    check_str(error_text(err), "tb-size=1025: at most 1024 MB");
    error_free(err);
}
