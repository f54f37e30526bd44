/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The right name nearest to a wrong one: Damerau-Levenshtein distance (optimal string alignment).
 *
 * Not modelled: keyboard neighbours, sound. Names longer than 63 bytes are compared by their
 * beginning.
 */
#include "util/nearest.h"

#include <string.h>

enum { LONGEST = 63 };

static char plain(char c)
{
    return c == '_' ? '-' : g_ascii_tolower(c);
}

unsigned edit_distance(const char *a, const char *b)
{
    unsigned la = strnlen(a, LONGEST), lb = strnlen(b, LONGEST);
    uint8_t row[3][LONGEST + 1];
    uint8_t *before = row[0], *above = row[1], *now = row[2];

    for (unsigned j = 0; j <= lb; j++) {
        above[j] = j;
    }
    for (unsigned i = 1; i <= la; i++) {
        now[0] = i;
        for (unsigned j = 1; j <= lb; j++) {
            bool same = plain(a[i - 1]) == plain(b[j - 1]);
            unsigned best = MIN(above[j - 1] + !same, MIN(above[j], now[j - 1]) + 1);

            if (i > 1 && j > 1 && plain(a[i - 1]) == plain(b[j - 2]) &&
                plain(a[i - 2]) == plain(b[j - 1])) {
                best = MIN(best, before[j - 2] + 1u);
            }
            now[j] = best;
        }
        uint8_t *spare = before;
        before = above;
        above = now;
        now = spare;
    }
    return above[lb];
}

/* Beginnings count as one step away, so that "pc-i440fx" finds "pc-i440fx-7.2". */
static bool begins(const char *text, const char *with)
{
    return strlen(with) >= 2 && !g_ascii_strncasecmp(text, with, strlen(with));
}

void nearest_try(Nearest *n, const char *right)
{
    unsigned distance = edit_distance(n->wrong, right);
    unsigned limit = MAX(1, (strlen(right) + 1) / 3);

    if (distance > limit && (begins(right, n->wrong) || begins(n->wrong, right))) {
        distance = limit;
    }
    if (distance <= limit && (!n->best || distance < n->distance)) {
        n->best = right;
        n->distance = distance;
    }
}
