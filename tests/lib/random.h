/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers for tests that are random and can be had again: SplitMix64 (Steele, Lea, Flood, 2014). */
#pragma once
#include <stdint.h>

typedef struct Random { /* any state is a seed */
    uint64_t state;
} Random;

static inline uint64_t random_bits(Random *r)
{
    uint64_t x = r->state += 0x9e3779b97f4a7c15ull;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

/* 0 to n - 1; n: 1 to 2^31 */
static inline unsigned random_below(Random *r, unsigned n)
{
    return (random_bits(r) >> 33) % n;
}
