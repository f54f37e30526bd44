/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/test.h"
#include "util/nearest.h"

static const char *near(const char *wrong, const char *a, const char *b, const char *c)
{
    Nearest n = {wrong};

    nearest_try(&n, a);
    nearest_try(&n, b);
    nearest_try(&n, c);
    return n.best;
}

TEST("nearest: a swap, a lost letter, a wrong letter and an added one are one step each")
{
    check(edit_distance("serial", "seiral"), 1);
    check(edit_distance("serial", "seral"), 1);
    check(edit_distance("serial", "serixl"), 1);
    check(edit_distance("serial", "serials"), 1);
    check(edit_distance("", "abc"), 3);
}

TEST("nearest: the case of letters and the two dashes are no difference")
{
    check(edit_distance("TB_Size", "tb-size"), 0);
}

TEST("nearest: the nearest of several is found, and none when all are far")
{
    check_str(near("isa-serail", "isa-debugcon", "isa-serial", "pci-serial"), "isa-serial");
    check_str(near("xyzzy", "isa-debugcon", "isa-serial", "hpet"), NULL);
}

TEST("nearest: the beginning of a name finds it")
{
    check_str(near("pc-i440", "q35", "none", "pc-i440fx-7.2"), "pc-i440fx-7.2");
}

TEST("nearest: names of any length are compared without running over")
{
    g_autofree char *a = g_strnfill(500, 'a'), *b = g_strnfill(400, 'b');

    check(edit_distance(a, b), 63);
}
