/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads and stores: streams, chains of dependent loads, the C library's copies and the string
 * instructions.
 */
#include "bench.h"

#include <string.h>

enum { LARGE = 64 << 20, CLEARED = 6 << 20 };

#define PLAIN __attribute__((optimize("no-tree-vectorize", "no-tree-loop-distribute-patterns")))

/* Pages are there; and what checksums are made of is the same whatever ran before: the first
 * megabytes, and the pages of stream's three arrays that are looked at. */
static void touch(uint8_t *arena)
{
    memset(arena, 0, CLEARED);
    memset(arena + (16 << 20), 0, 4096);
    memset(arena + (32 << 20), 0, 4096);
    for (uint32_t n = 0; n < 3 * LARGE / 4096; n++) {
        *(volatile uint8_t *)(arena + (size_t)n * 4096) = 1;
    }
}

/* c = a + 3 b over 3 times 16 MB. A unit: 64 K elements of 8 bytes; 32 units are one pass. */
PLAIN static uint64_t stream(uint8_t *arena, uint64_t count)
{
    uint64_t *a = (uint64_t *)arena, *b = a + (2 << 20), *c = b + (2 << 20);

    for (uint64_t n = 0; n < count; n++) {
        size_t from = (size_t)(n % 32) << 16;

        for (size_t i = from; i < from + 65536; i++) {
            c[i] = a[i] + 3 * b[i];
        }
    }
    return c[77];
}

/* A unit: 64 K loads of 8 bytes, 16 KB again and again. */
PLAIN static uint64_t read_small(uint8_t *arena, uint64_t count)
{
    const uint64_t *a = (const uint64_t *)arena;
    uint64_t sum = 0;

    for (uint64_t n = 0; n < count * 32; n++) {
        for (uint32_t i = 0; i < 2048; i += 4) {
            sum += a[i];
            sum ^= a[i + 1];
            sum += a[i + 2];
            sum ^= a[i + 3];
        }
    }
    return sum;
}

/* A unit: a copy of 16 KB by words of 8 bytes. */
PLAIN static uint64_t copy_loop(uint8_t *arena, uint64_t count)
{
    const uint64_t *from = (const uint64_t *)arena;
    uint64_t *to = (uint64_t *)(arena + 32768);

    for (uint64_t n = 0; n < count; n++) {
        for (uint32_t i = 0; i < 2048; i++) {
            to[i] = from[i] + n;
        }
    }
    return to[5];
}

/* Loads of 4 bytes at odd addresses, some of them across pages. A unit: 64 KB. */
PLAIN static uint64_t unaligned(uint8_t *arena, uint64_t count)
{
    uint64_t sum = 0;

    for (uint64_t n = 0; n < count; n++) {
        for (uint32_t i = 1; i < 65536; i += 7) {
            uint32_t word;

            memcpy(&word, arena + i, 4);
            sum += word;
        }
    }
    return sum;
}

/* A cycle of pointers through all lines of `bytes`, in random order. */
static void chain(uint8_t *arena, uint32_t bytes)
{
    uint32_t lines = bytes / 64, *order = (uint32_t *)(arena + LARGE);
    uint64_t random = 17;

    for (uint32_t n = 0; n < lines; n++) {
        order[n] = n;
    }
    for (uint32_t n = lines - 1; n > 0; n--) {
        uint32_t k = (uint32_t)((next_random(&random) >> 20) % n), other = order[n];

        order[n] = order[k];
        order[k] = other;
    }
    for (uint32_t n = 0; n < lines; n++) {
        *(void **)(arena + (size_t)order[n] * 64) = arena + (size_t)order[(n + 1) % lines] * 64;
    }
}

static void chain_small(uint8_t *arena)
{
    chain(arena, 16384);
}

static void chain_large(uint8_t *arena)
{
    chain(arena, LARGE);
}

/* A unit: 1000 dependent loads. */
static uint64_t chase(uint8_t *arena, uint64_t count)
{
    void **at = (void **)arena;

    for (uint64_t n = 0; n < count * 1000; n++) {
        at = *at;
    }
    return (uint64_t)((uint8_t *)at - arena);
}

/* The library's memcpy; a unit moves 1 MB in pieces. */
#define MEMCPY(name, bytes)                                                 \
    static uint64_t name(uint8_t *arena, uint64_t count)                    \
    {                                                                       \
        for (uint64_t n = 0; n < count; n++) {                              \
            for (uint32_t at = 0; at + (bytes) <= 1 << 20; at += (bytes)) { \
                memcpy(arena + (4 << 20) + at, arena + at, (bytes));        \
                __asm__ volatile("" ::: "memory");                          \
            }                                                               \
        }                                                                   \
        return arena[(4 << 20) + 5];                                        \
    }
static volatile const uint32_t few = 24;
MEMCPY(memcpy_24, few)
MEMCPY(memcpy_4k, 4096)
MEMCPY(memcpy_1m, 1 << 20)

static uint64_t memset_4k(uint8_t *arena, uint64_t count)
{
    for (uint64_t n = 0; n < count; n++) {
        for (uint32_t at = 0; at < 1 << 20; at += 4096) {
            memset(arena + at, (int)n, 4096);
            __asm__ volatile("" ::: "memory");
        }
    }
    return arena[5];
}

/* rep movsX of `bytes` each; a unit moves 1 MB. */
#define REP_MOVS(name, instruction, width, bytes)                                                  \
    static uint64_t name(uint8_t *arena, uint64_t count)                                           \
    {                                                                                              \
        for (uint64_t n = 0; n < count; n++) {                                                     \
            for (uint32_t at = 0; at + (bytes) <= 1 << 20; at += (bytes)) {                        \
                const uint8_t *from = arena + at;                                                  \
                uint8_t *to = arena + (4 << 20) + at;                                              \
                size_t left = (bytes) / (width);                                                   \
                                                                                                   \
                __asm__ volatile("rep " instruction : "+S"(from), "+D"(to), "+c"(left)::"memory"); \
            }                                                                                      \
        }                                                                                          \
        return arena[(4 << 20) + 5];                                                               \
    }
REP_MOVS(movsb_large, "movsb", 1, 1 << 20)
REP_MOVS(movsq_large, "movsq", 8, 1 << 20)
REP_MOVS(movsb_small, "movsb", 1, 48)
REP_MOVS(movsq_small, "movsq", 8, 48)

/* rep stosX of `bytes` each; a unit fills 1 MB. */
#define REP_STOS(name, instruction, width, bytes)                                                \
    static uint64_t name(uint8_t *arena, uint64_t count)                                         \
    {                                                                                            \
        for (uint64_t n = 0; n < count; n++) {                                                   \
            for (uint32_t at = 0; at + (bytes) <= 1 << 20; at += (bytes)) {                      \
                uint8_t *to = arena + at;                                                        \
                size_t left = (bytes) / (width);                                                 \
                                                                                                 \
                __asm__ volatile("rep " instruction : "+D"(to), "+c"(left) : "a"(n) : "memory"); \
            }                                                                                    \
        }                                                                                        \
        return arena[5];                                                                         \
    }
REP_STOS(stosb_large, "stosb", 1, 1 << 20)
REP_STOS(stosq_large, "stosq", 8, 1 << 20)
REP_STOS(stosq_small, "stosq", 8, 48)

/* repne scasb and repe cmpsb, 1000 bytes each. A unit: 64 of each. */
static uint64_t scan(uint8_t *arena, uint64_t count)
{
    uint64_t sum = 0;

    memset(arena, 'x', 4096);
    memset(arena + 4096, 'x', 4096);
    arena[1000] = 0;
    arena[4096 + 1000] = 1;
    for (uint64_t n = 0; n < count * 64; n++) {
        const uint8_t *one = arena, *two = arena + 4096;
        size_t left = 4096;

        __asm__ volatile("repne scasb" : "+D"(one), "+c"(left) : "a"(0) : "memory", "cc");
        sum += left;
        one = arena;
        left = 4096;
        __asm__ volatile("repe cmpsb" : "+S"(one), "+D"(two), "+c"(left)::"memory", "cc");
        sum += left;
    }
    return sum;
}

/* clang-format off */
const Workload memory_workloads[] = {
    {"memory", "stream", stream, touch},
    {"memory", "read-16k", read_small, touch},
    {"memory", "copy-loop", copy_loop, touch},
    {"memory", "unaligned", unaligned, touch},
    {"memory", "chase-16k", chase, chain_small},
    {"memory", "chase-64m", chase, chain_large},
    {"memory", "memcpy-24", memcpy_24, touch},
    {"memory", "memcpy-4k", memcpy_4k, touch},
    {"memory", "memcpy-1m", memcpy_1m, touch},
    {"memory", "memset-4k", memset_4k, touch},
    {"rep", "movsb-1m", movsb_large, touch},
    {"rep", "movsq-1m", movsq_large, touch},
    {"rep", "movsb-48", movsb_small, touch},
    {"rep", "movsq-48", movsq_small, touch},
    {"rep", "stosb-1m", stosb_large, touch},
    {"rep", "stosq-1m", stosq_large, touch},
    {"rep", "stosq-48", stosq_small, touch},
    {"rep", "scas-cmps", scan, touch},
    {0},
};
/* clang-format on */
