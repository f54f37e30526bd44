/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two threads. The names that end in -1 do the same work with one: what two gain over one is the
 * scaling.
 */
#include "bench.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct Part {
    uint8_t *arena; /* the thread's own */
    _Atomic uint32_t *shared;
    uint64_t count, sum;
    uint32_t index;
} Part;

/* `threads` threads do `count` units together. */
static uint64_t together(uint8_t *arena, uint64_t count, uint32_t threads, void *(*work)(void *))
{
    Part parts[2];
    pthread_t ids[2];
    uint64_t sum = 0;

    atomic_store((_Atomic uint32_t *)arena, 0);
    for (uint32_t n = 0; n < threads; n++) {
        parts[n] = (Part){arena + ((size_t)(n + 1) << 20), (_Atomic uint32_t *)arena,
                          (count + n) / threads, 0, n};
        pthread_create(&ids[n], NULL, work, &parts[n]);
    }
    for (uint32_t n = 0; n < threads; n++) {
        pthread_join(ids[n], NULL);
        sum += parts[n].sum;
    }
    return sum;
}

/* A unit: 10,000 steps of xorshift. */
static void *compute(void *part)
{
    Part *p = part;
    uint64_t x = 1, sum = 0;

    for (uint64_t n = 0; n < p->count * 10000; n++) {
        sum += next_random(&x) * 0x9e3779b97f4a7c15u;
    }
    p->sum = sum;
    return NULL;
}

/* A unit: 64 KB counted in a table. */
static void *count_bytes(void *part)
{
    Part *p = part;
    uint32_t *counts = (uint32_t *)(p->arena + 65536);

    fill_text(p->arena, 65536);
    for (uint64_t n = 0; n < p->count; n++) {
        for (uint32_t i = 0; i < 65536; i++) {
            counts[p->arena[i]]++;
        }
    }
    p->sum = counts['e'];
    return NULL;
}

/* A unit: 1000 locked additions to one word. */
static void *contend(void *part)
{
    Part *p = part;

    for (uint64_t n = 0; n < p->count * 1000; n++) {
        atomic_fetch_add(p->shared, 1);
    }
    return NULL;
}

/* A unit: 1000 additions under a spin lock. */
static void *spin(void *part)
{
    Part *p = part;

    for (uint64_t n = 0; n < p->count * 1000; n++) {
        uint32_t free = 0;

        while (!atomic_compare_exchange_weak(&p->shared[1], &free, 1)) {
            free = 0;
            __builtin_ia32_pause();
        }
        atomic_store_explicit(p->shared, *p->shared + 1, memory_order_relaxed);
        atomic_store_explicit(&p->shared[1], 0, memory_order_release);
    }
    return NULL;
}

/* A unit: the word passed there and back by futex. */
static void *pong(void *part)
{
    Part *p = part;

    for (uint64_t n = 0; n < p->count; n++) {
        while ((atomic_load(p->shared) & 1) != p->index) {
            syscall(SYS_futex, p->shared, FUTEX_WAIT, p->index ^ 1, NULL, NULL, 0);
        }
        atomic_store(p->shared, p->index ^ 1);
        syscall(SYS_futex, p->shared, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
    return NULL;
}

static uint64_t compute_1(uint8_t *arena, uint64_t count)
{
    return together(arena, count * 2, 1, compute) * NOT_DETERMINED;
}

static uint64_t compute_2(uint8_t *arena, uint64_t count)
{
    return together(arena, count * 2, 2, compute);
}

static uint64_t bytes_1(uint8_t *arena, uint64_t count)
{
    return together(arena, count * 2, 1, count_bytes) * NOT_DETERMINED;
}

static uint64_t bytes_2(uint8_t *arena, uint64_t count)
{
    return together(arena, count * 2, 2, count_bytes) * NOT_DETERMINED;
}

static uint64_t contend_2(uint8_t *arena, uint64_t count)
{
    together(arena, count * 2, 2, contend);
    return *(uint32_t *)arena;
}

static uint64_t spin_2(uint8_t *arena, uint64_t count)
{
    together(arena, count * 2, 2, spin);
    return *(uint32_t *)arena;
}

static uint64_t pong_2(uint8_t *arena, uint64_t count)
{
    return together(arena, count * 2, 2, pong);
}

/* clang-format off */
const Workload smp_workloads[] = {
    {"smp", "compute-1", compute_1},
    {"smp", "compute-2", compute_2},
    {"smp", "bytes-1", bytes_1},
    {"smp", "bytes-2", bytes_2},
    {"smp", "contend", contend_2},
    {"smp", "spin", spin_2},
    {"smp", "futex-pong", pong_2},
    {0},
};
/* clang-format on */
