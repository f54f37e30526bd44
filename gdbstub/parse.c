/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers and threads in packets: "Overview" and "thread-id syntax" in gdb's manual. */
#include "gdbstub/stub.h"

#include <string.h>

bool parse_number(const char **at, uint64_t *to)
{
    const char *p = *at;

    *to = 0;
    while (p - *at < 16 && g_ascii_isxdigit(*p)) {
        *to = *to << 4 | g_ascii_xdigit_value(*p++);
    }
    if (p == *at || g_ascii_isxdigit(*p)) {
        return false;
    }
    *at = p;
    return true;
}

bool parse_skip(const char **at, char c)
{
    bool there = **at == c;

    *at += there;
    return there;
}

size_t parse_hex(const char *at, size_t n, uint8_t *to)
{
    if (n % 2) {
        return 0;
    }
    for (size_t i = 0; i < n / 2; i++) {
        int high = g_ascii_xdigit_value(at[2 * i]), low = g_ascii_xdigit_value(at[2 * i + 1]);

        if (high < 0 || low < 0) {
            return 0;
        }
        to[i] = high << 4 | low;
    }
    return n / 2;
}

static bool thread_number(GdbStub *s, const char **at, unsigned *place)
{
    uint64_t n;

    if (g_str_has_prefix(*at, "-1")) {
        *at += 2;
        *place = ALL_THREADS;
        return true;
    }
    if (!parse_number(at, &n) || n > s->threads->len) {
        return false;
    }
    *place = n ? n - 1 : 0;
    return true;
}

/* There is one process; whatever number it is given is taken for it. */
bool parse_thread(GdbStub *s, const char **at, unsigned *place)
{
    uint64_t process;

    if (parse_skip(at, 'p')) {
        if (g_str_has_prefix(*at, "-1")) {
            *at += 2;
        } else if (!parse_number(at, &process)) {
            return false;
        }
        if (!parse_skip(at, '.')) {
            *place = ALL_THREADS;
            return true;
        }
    }
    return thread_number(s, at, place);
}
