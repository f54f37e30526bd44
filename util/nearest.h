/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The right name nearest to a wrong one, for "did you mean". */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Nearest {
    const char *wrong;
    const char *best; /* NULL while nothing is near; not copied */
    unsigned distance;
} Nearest;

/* Insertions, deletions, replacements and swaps of neighbours that make a into b; - and _ and the
 * cases of letters are the same. Texts are compared up to 63 bytes. */
unsigned edit_distance(const char *a, const char *b);

/* Offer a right name. It is taken when it is nearer than what was offered before and near enough:
 * within a third of its letters, or one begins with the other. */
void nearest_try(Nearest *n, const char *right);
