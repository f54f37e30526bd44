/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The workloads of the benchmark: each is a function that does `count` units of its work in the
 * arena it is given and returns a checksum, which must not depend on who executes it.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

enum { ARENA_BYTES = 208 << 20, NOT_DETERMINED = 0 };

/* The checksum of what could not run. */
#define FAILED (~0ull)

typedef enum Need { NEED_NOTHING, NEED_AVX2, NEED_FMA, NEED_SSE42 } Need;

typedef struct Workload {
    const char *group, *name;
    uint64_t (*run)(uint8_t *arena, uint64_t count);
    void (*prepare)(uint8_t *arena); /* not timed; NULL if there is nothing to prepare */
    Need need;
    uint64_t (*own_time)(
        uint64_t *count); /* instead of run: chooses its count, returns nanoseconds */
} Workload;

/* Tables that end with a row without a name. */
extern const Workload integer_workloads[], branch_workloads[], fp_workloads[], x87_workloads[],
    simd_workloads[], memory_workloads[], os_workloads[], jit_workloads[], smp_workloads[];

/* The same numbers everywhere: xorshift64. */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Fills bytes with text of lower-case words: compressible, and the same everywhere. */
void fill_text(uint8_t *at, size_t bytes);

#endif
