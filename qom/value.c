/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values from texts and back. Not modelled: exponents, octal numbers, units of other kinds. */
#include "qom/value.h"

#include <errno.h>
#include <string.h>

bool name_equal(const char *a, const char *b)
{
    for (; *a && (*a == *b || (*a == '_' && *b == '-') || (*a == '-' && *b == '_')); a++, b++) {
    }
    return !*a && !*b;
}

bool value_bool(const Value *v, bool *to)
{
    static const char *const words[] = {"off", "on", "no", "yes", "false", "true", "n", "y"};

    if (v->kind == VALUE_BOOL) {
        *to = v->flag;
        return true;
    }
    for (unsigned i = 0; v->kind == VALUE_TEXT && i < G_N_ELEMENTS(words); i++) {
        if (!strcmp(v->text, words[i])) {
            *to = i & 1;
            return true;
        }
    }
    return false;
}

typedef struct Suffix {
    const char *text;
    uint64_t times;
} Suffix;

/* clang-format off */
static const Suffix byte_suffixes[] = {
    {"", 1},           {"B", 1},          {"K", 1ull << 10}, {"M", 1ull << 20},
    {"G", 1ull << 30}, {"T", 1ull << 40}, {"P", 1ull << 50}, {"E", 1ull << 60}, {NULL}};
static const Suffix time_suffixes[] = {
    {"", 1}, {"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {NULL}};
static const Suffix rate_suffixes[] = {
    {"", 1},     {"Hz", 1},         {"k", 1000},         {"kHz", 1000},       {"M", 1000000},
    {"MHz", 1000000}, {"G", 1000000000}, {"GHz", 1000000000}, {NULL}};
static const Suffix no_suffixes[] = {{"", 1}, {NULL}};
/* clang-format on */

static const Suffix *const suffixes[] = {
    [UNIT_NONE] = no_suffixes,
    [UNIT_BYTES] = byte_suffixes,
    [UNIT_NS] = time_suffixes,
    [UNIT_HZ] = rate_suffixes,
};

const char *unit_wants(Unit unit)
{
    static const char *const wants[] = {
        [UNIT_NONE] = "a number",
        [UNIT_BYTES] = "a size, as 64K",
        [UNIT_NS] = "a time, as 10ms",
        [UNIT_HZ] = "a frequency, as 3GHz",
    };

    return wants[unit];
}

static bool suffix_find(const char *text, Unit unit, uint64_t *times)
{
    for (const Suffix *s = suffixes[unit]; s->text; s++) {
        if (!g_ascii_strcasecmp(s->text, text)) {
            *times = s->times;
            return true;
        }
    }
    return false;
}

/* ".25" of times; false: not whole, or not a fraction. */
static bool fraction(const char **at, Number *numerator, Number *denominator)
{
    const char *p = *at + 1;

    *numerator = 0;
    *denominator = 1;
    for (; g_ascii_isdigit(*p) && p - *at <= 18; p++) {
        *numerator = *numerator * 10 + *p - '0';
        *denominator *= 10;
    }
    *at = p;
    return *denominator > 1;
}

static bool parse_number(const char *text, Unit unit, Number *to)
{
    bool minus = *text == '-', hex;
    Number part = 0, of = 1;
    uint64_t times, n;
    const char *at;
    char *end;

    text += minus;
    hex = text[0] == '0' && (text[1] | 32) == 'x';
    errno = 0;
    n = g_ascii_strtoull(text, &end, hex ? 16 : 10);
    at = end;
    if (errno || end == text || !g_ascii_isdigit(*text)) {
        return false;
    }
    if (*at == '.' && !hex && unit != UNIT_NONE && !fraction(&at, &part, &of)) {
        return false;
    }
    if (!suffix_find(at, unit, &times) || part * times % of) {
        return false;
    }
    *to = (Number)n * times + part * times / of;
    *to = minus ? -*to : *to;
    return *to <= UINT64_MAX;
}

bool value_number(const Value *v, Unit unit, Number *to)
{
    if (v->kind == VALUE_NUMBER) {
        *to = v->number;
        return true;
    }
    return v->kind == VALUE_TEXT && parse_number(v->text, unit, to);
}

Value value_copy(Value v)
{
    if (v.kind == VALUE_TEXT) {
        v.text = g_strdup(v.text);
    } else if (v.kind == VALUE_LIST) {
        v.list = g_strdupv(v.list);
    }
    return v;
}

static char *print_number(Number n)
{
    return n < 0 ? g_strdup_printf("%" PRId64, (int64_t)n)
                 : g_strdup_printf("%" PRIu64, (uint64_t)n);
}

char *value_print(const Value *v)
{
    switch (v->kind) {
    case VALUE_BOOL:
        return g_strdup(v->flag ? "on" : "off");
    case VALUE_NUMBER:
        return print_number(v->number);
    case VALUE_TEXT:
        return g_strdup(v->text ?: "");
    case VALUE_LINK:
        return v->link ? object_path(v->link) : g_strdup("");
    case VALUE_LIST:
        return v->list ? g_strjoinv(":", v->list) : g_strdup("");
    default:
        return g_strdup("");
    }
}
