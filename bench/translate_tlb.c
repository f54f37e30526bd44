/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How large the software TLB should be: a model of two address spaces with 4 KB pages that take
 * turns, accessing their pages through a direct-mapped table that is emptied at each turn, for
 * several table sizes, working sets and lengths of a turn. Misses are refilled from a second level
 * that knows the address space, or by a page walk. `translate-tlb`
 * Not here: a real program's locality (pages are in runs, chosen by Zipf's law), translated code:
 * the check is the compiler's.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PAGE = 4096,
    MOST = 4096,    /* entries */
    SIZES = 5,      /* 256 to MOST */
    SECOND = 16384, /* entries of the second level */
    FRAMES = 64,    /* host pages that all the linear ones share */
    RUN_PAGES = 24, /* pages next to each other */
    ACCESSES = 200000,
    RUNS = 25,
};

typedef struct Entry {
    uint64_t page, addend; /* page: the linear one and the address space in the low bits */
} Entry;

typedef struct Table {
    uint64_t read[MOST], write[MOST], addend[MOST];
} Table;

/* An address space: where its pages are, and page tables of four levels. */
typedef struct Space {
    uint64_t *linear, *addend; /* of each page */
    uint64_t *accesses;
    uint64_t *root;
} Space;

typedef struct Model {
    Table table;
    Entry second[SECOND];
    Space space[2];
    unsigned pages, now; /* now: whose turn it is */
    uint64_t mask, misses;
    bool walks; /* there is no second level */
    uint8_t *ram;
    uint64_t seed;
} Model;

static uint64_t random_next(Model *m)
{
    m->seed ^= m->seed << 13;
    m->seed ^= m->seed >> 7;
    m->seed ^= m->seed << 17;
    return m->seed;
}

static void *memory(size_t size)
{
    void *p = aligned_alloc(PAGE, (size + PAGE - 1) & ~(size_t)(PAGE - 1));

    if (!p) {
        fprintf(stderr, "translate-tlb: no memory\n");
        exit(1);
    }
    return memset(p, 0, size);
}

/* ---- address spaces ---- */

static uint64_t *entry_of(uint64_t *table, uint64_t linear, unsigned level)
{
    return &table[linear >> (12 + 9 * level) & 511];
}

static void map_page(Space *s, uint64_t linear, uint64_t addend)
{
    uint64_t *table = s->root;

    for (unsigned level = 3; level > 0; level--) {
        uint64_t *e = entry_of(table, linear, level);

        if (!*e) {
            *e = (uint64_t)(uintptr_t)memory(PAGE);
        }
        table = (uint64_t *)(uintptr_t)*e;
    }
    *entry_of(table, linear, 0) = addend;
}

/* Runs of pages at random places, like the parts of a program and its libraries. */
static void space_fill(Model *m, Space *s)
{
    uint64_t linear = 0;

    s->linear = memory(m->pages * 8);
    s->addend = memory(m->pages * 8);
    s->root = memory(PAGE);
    for (unsigned n = 0; n < m->pages; n++) {
        linear = n % RUN_PAGES ? linear + PAGE : random_next(m) >> 17 & ~(uint64_t)(PAGE - 1);
        s->linear[n] = linear;
        s->addend[n] = (uint64_t)(uintptr_t)m->ram + n % FRAMES * PAGE - linear;
        map_page(s, linear, s->addend[n]);
    }
}

/* Zipf's law over shuffled pages; a few lines of each page are in use. */
static void space_plan(Model *m, Space *s)
{
    double *sum = memory(m->pages * sizeof(double)), total = 0;

    s->accesses = memory(ACCESSES * 8);
    for (unsigned n = 0; n < m->pages; n++) {
        sum[n] = total += 1.0 / (n + 1);
    }
    for (unsigned n = 0; n < ACCESSES; n++) {
        double at = (double)(random_next(m) >> 11) / 9007199254740992.0 * total;
        unsigned low = 0, high = m->pages - 1, page;

        while (low < high) {
            unsigned middle = (low + high) / 2;

            if (sum[middle] < at) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        page = (unsigned)(low * 2654435761u % m->pages);
        s->accesses[n] = s->linear[page] + (page * 7 + random_next(m) % 3) % 64 * 64;
    }
    free(sum);
}

/* ---- the accesses ---- */

static uint64_t walk(const Space *s, uint64_t linear)
{
    uint64_t *table = s->root;

    for (unsigned level = 3; level > 0; level--) {
        table = (uint64_t *)(uintptr_t)__atomic_load_n(entry_of(table, linear, level),
                                                       __ATOMIC_RELAXED);
    }
    return *entry_of(table, linear, 0);
}

__attribute__((noinline)) static uint64_t refill(Model *m, uint64_t linear)
{
    uint64_t page = linear & -(uint64_t)PAGE, key = page | m->now, addend;
    Entry *e = &m->second[(page / PAGE ^ m->now * 0x1555) % SECOND];
    unsigned slot = (unsigned)(linear / PAGE & m->mask);

    m->misses++;
    if (m->walks || e->page != key) {
        addend = walk(&m->space[m->now], linear);
        *e = (Entry){key, addend};
    } else {
        addend = e->addend;
    }
    m->table.read[slot] = m->table.write[slot] = -page;
    m->table.addend[slot] = addend;
    return addend;
}

static uint64_t run_turn(Model *m, const uint64_t *at, unsigned count, uint64_t sum)
{
    for (unsigned n = 0; n < count; n++) {
        uint64_t linear = at[n], slot = linear / PAGE & m->mask, addend;

        addend = __builtin_expect(linear + m->table.read[slot] <= PAGE - 8, 1)
                   ? m->table.addend[slot]
                   : refill(m, linear);
        sum += *(volatile uint64_t *)(uintptr_t)(linear + addend);
    }
    return sum;
}

static void empty(Model *m)
{
    memset(m->table.read, 0xff, (m->mask + 1) * 8);
    memset(m->table.write, 0xff, (m->mask + 1) * 8);
}

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ns an access, with what emptying and refilling cost. */
static double measure(Model *m, unsigned size, unsigned turn)
{
    double start = now_ns();
    uint64_t sum = 0;

    m->mask = size - 1;
    m->misses = 0;
    for (unsigned n = 0; n + turn <= ACCESSES; n += turn) {
        m->now = n / turn & 1;
        empty(m);
        sum = run_turn(m, m->space[m->now].accesses + n, turn, sum);
    }
    return (now_ns() - start) / (ACCESSES / turn * turn);
}

/* The best of several runs, the sizes in turn: others use this machine, too. */
static void print_row(Model *m, unsigned turn)
{
    double best[SIZES], misses[SIZES];

    printf("%6u pages, %6u accesses a turn:", m->pages, turn);
    for (unsigned n = 0; n < RUNS * SIZES; n++) {
        double ns = measure(m, 256u << n % SIZES, turn);

        best[n % SIZES] = n < SIZES || ns < best[n % SIZES] ? ns : best[n % SIZES];
        misses[n % SIZES] = 100.0 * (double)m->misses / ACCESSES;
    }
    for (unsigned n = 0; n < SIZES; n++) {
        printf("  %6.2f (%4.1f%%)", best[n], misses[n]);
    }
    printf("\n");
}

static void print_rows(Model *m)
{
    static const unsigned turns[] = {200000, 20000, 4000, 1000};

    for (unsigned n = 0; n < sizeof turns / sizeof turns[0]; n++) {
        print_row(m, turns[n]);
    }
}

static void model_run(unsigned pages, bool walks)
{
    Model *m = memory(sizeof *m);

    m->ram = memory(FRAMES * PAGE); /* the data stays in the host's caches */
    m->pages = pages;
    m->walks = walks;
    m->seed = 20261121;
    for (unsigned n = 0; n < 2; n++) {
        space_fill(m, &m->space[n]);
        space_plan(m, &m->space[n]);
    }
    memset(m->second, 0xff, sizeof m->second);
    print_rows(m);
    free(m->ram);
    free(m); /* page tables and plans go with the process */
}

int main(void)
{
    static const unsigned pages[] = {64, 256, 1024, 4096};

    for (unsigned n = 0; n < 8; n++) {
        if (n % 4 == 0) {
            printf("%s; ns an access (misses); entries: 256, 512, 1024, 2048, 4096\n",
                   n ? "Refilled by a walk" : "Refilled from the second level");
        }
        model_run(pages[n % 4], n >= 4);
    }
    return 0;
}
