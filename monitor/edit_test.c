/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "monitor/edit.h"
#include "tests/lib/test.h"

#include <string.h>

/* "in" may go on as info or inspect, "a" as add. */
static char **words(void *opaque, const char *line, size_t *from)
{
    g_auto(GStrv) all = g_strsplit("add info inspect", " ", -1);
    g_autoptr(GStrvBuilder) some = g_strv_builder_new();

    *from = strrchr(line, ' ') ? strrchr(line, ' ') + 1 - line : 0;
    for (int i = 0; all[i]; i++) {
        if (g_str_has_prefix(all[i], line + *from)) {
            g_strv_builder_add(some, all[i]);
        }
    }
    return g_strv_builder_end(some);
}

/* The lines that come of these bytes, with | behind each; what was shown goes to *shown. */
static char *typed(const char *bytes, char **shown)
{
    g_autoptr(GString) out = g_string_new("");
    GString *lines = g_string_new("");
    Edit *e = edit_new("> ", out, words, NULL);

    for (; *bytes; bytes++) {
        const char *line = edit_byte(e, *bytes);

        if (line) {
            g_string_append_printf(lines, "%s|", line);
        }
    }
    edit_free(e);
    if (shown) {
        *shown = g_strdup(out->str);
    }
    return g_string_free(lines, FALSE);
}

static void check_typed(const char *bytes, const char *want)
{
    g_autofree char *lines = typed(bytes, NULL);

    check_str(lines, want);
}

TEST("edit: lines end with a return, a newline, or both")
{
    check_typed("one\rtwo\nthree\r\nfour\n\r", "one|two|three|four||");
}

TEST("edit: keys move and delete within the line")
{
    check_typed("bc\001a\005d\r", "abcd|");
    check_typed("abc\002\002\004\r", "ac|");
    check_typed("abx\177c\r", "abc|");
    check_typed("one two\027three\r", "one three|");
    check_typed("abcdef\002\002\013\r", "abcd|");
    check_typed("wrong\025right\r", "right|");
    check_typed("wrong\003right\r", "right|");
    check_typed("bc\033[Ha\033[Fd\033[D\033[3~e\r", "abce|");
    check_typed("\177\004\002\006ok\r", "ok|");
}

TEST("edit: unknown sequences and letters beyond ASCII are dropped")
{
    check_typed("a\033[31;5;7;9;1~b\033OPc\xc3\xa4\001\033[Zd\r", "dabc|");
}

TEST("edit: history goes back and forth and keeps the line that was being typed")
{
    check_typed("one\rtwo\r\020\020\r", "one|two|one|");
    check_typed("one\rtwo\rne\033[A\033[A\033[A\033[B\033[Bw\r", "one|two|new|");
    check_typed("one\rone\r\020\020\016\r", "one|one||");
}

TEST("edit: Tab completes what is common, then lists what is left")
{
    g_autofree char *shown = NULL, *lines = typed("a\tx in\t\tf\t\r", &shown);

    check_str(lines, "add x info |");
    check(strstr(shown, "\ninfo     inspect  \n> add x in") != NULL, true);
    check_typed("zz\t\r", "zz|");
}

TEST("edit: a line has an end")
{
    g_autofree char *bytes = g_strnfill(10000, 'a'), *lines;

    bytes[9999] = '\r';
    lines = typed(bytes, NULL);
    check(strlen(lines), 4001);
}
