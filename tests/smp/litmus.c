/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two CPUs and the memory between them: what the order of an x86 (SDM volume 3, "Memory ordering")
 * forbids must never be seen; locked operations lose nothing, split across lines and pages or not;
 * code that one CPU writes and the other executes is never stale once the writer has said so and
 * the reader has executed CPUID ("Handling self- and cross-modifying code").
 *
 * Each test runs in rounds. In a round both CPUs go through CELLS places without waiting for each
 * other, then meet, and the first CPU looks at the results. Prints `PASS name` or `FAIL name: how
 * often`, with how often the allowed surprise of store buffering was seen and unlocked increments
 * were lost, and DONE; port 0xe9, the end by port 0xf4. Options of the build: -DROUNDS=n;
 * -DONLY=function: that test alone; -DCPUS=4: only what takes four CPUs; -DUSER: at level 3 with
 * paging (start.S), also as 64-bit code (-m64); -DSTAY: does not end, but waits for somebody to end
 * it. Not here: weakly ordered (write-combining, non-temporal) accesses.
 */
#ifndef ROUNDS
#define ROUNDS 8
#endif
#ifndef CPUS
#define CPUS 2
#endif

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    PORT_TEXT = 0xe9,
    PORT_END = 0xf4,
    CELLS = 256,
    LAPIC = 0xfee00000u,
    PAGE = 4096,
    PAGES_ROUND = 64,
};
/* 64-bit code has its data in several parts of the address space (start.S). */
#ifdef __x86_64__
#define HIGH 0x555500000000u
#define SP   "%%rsp"
#else
#define HIGH 0
#define SP   "%%esp"
#endif
#define PAGES_AT (HIGH + (16u << 20)) /* code pages, fresh in every round */
#define SPLIT_AT (HIGH + (8u << 20))

typedef struct Cell {
    volatile uint32_t x, pad1[15], y, pad2[15], got[2][2];
} Cell;

static Cell cells[CELLS];
static volatile uint32_t arrived, sense, test_now, round_now, alive, surprises;
static volatile uint64_t wide __attribute__((aligned(8)));
static volatile uint32_t torn, flag, acknowledged;

static void put(uint8_t character)
{
    __asm__ volatile("outb %0, %w1" : : "a"(character), "Nd"(PORT_TEXT));
}

static void print(const char *text)
{
    while (*text) {
        put((uint8_t)*text++);
    }
}

static void print_number(uint32_t value)
{
    if (value >= 10) {
        print_number(value / 10);
    }
    put((uint8_t)('0' + value % 10));
}

static void pause(void)
{
    __asm__ volatile("pause");
}

static uint32_t locked_add(volatile uint32_t *at, uint32_t value)
{
    __asm__ volatile("lock xaddl %0, %1" : "+r"(value), "+m"(*at) : : "memory");
    return value;
}

/* All CPUs meet here. */
static void meet(void)
{
    uint32_t mine = !sense;

    if (locked_add(&arrived, 1) == CPUS - 1) {
        arrived = 0;
        sense = mine;
    } else {
        while (sense != mine) {
            pause();
        }
    }
    __asm__ volatile("" ::: "memory");
}

/* Something forbidden was seen. */
static void note(uint32_t wrong)
{
    if (wrong) {
        locked_add(&torn, 1);
    }
}

static void serialize(void)
{
    uint32_t a = 0, c = 0;

    __asm__ volatile("cpuid" : "+a"(a), "+c"(c) : : "ebx", "edx", "memory");
}

/* A moment of a length that nobody foresees. */
static void dither(uint32_t *random)
{
    *random = *random * 1664525 + 1013904223;
    for (uint32_t n = *random >> 28; n; n--) {
        __asm__ volatile("");
    }
}

#define STORE(at, value) __asm__ volatile("movl %1, %0" : "=m"(at) : "ri"(value))
#define LOAD(to, at)     __asm__ volatile("movl %1, %0" : "=r"(to) : "m"(at))

/* ---- store buffering: each stores, then looks at the other's ---- */

#define BUFFERING(name, between)                                                     \
    static void name(unsigned cpu, Cell *c)                                          \
    {                                                                                \
        volatile uint32_t *mine = cpu ? &c->y : &c->x, *other = cpu ? &c->x : &c->y; \
        uint32_t seen;                                                               \
                                                                                     \
        STORE(*mine, 1);                                                             \
        between;                                                                     \
        LOAD(seen, *other);                                                          \
        c->got[cpu][0] = seen;                                                       \
    }
BUFFERING(store_buffering, __asm__ volatile(""))
BUFFERING(store_buffering_mfence, __asm__ volatile("mfence" ::: "memory"))
BUFFERING(store_buffering_locked, __asm__ volatile("lock orl $0, (" SP ")" ::: "memory", "cc"))

static void store_buffering_xchg(unsigned cpu, Cell *c)
{
    volatile uint32_t *mine = cpu ? &c->y : &c->x, *other = cpu ? &c->x : &c->y;
    uint32_t seen, one = 1;

    __asm__ volatile("xchgl %0, %1" : "+r"(one), "+m"(*mine) : : "memory");
    LOAD(seen, *other);
    c->got[cpu][0] = seen;
}

static uint32_t both_missed(void)
{
    uint32_t count = 0;

    for (unsigned n = 0; n < CELLS; n++) {
        count += !cells[n].got[0][0] && !cells[n].got[1][0];
    }
    return count;
}

static uint32_t both_may_miss(void)
{
    surprises += both_missed();
    return 0;
}

/* ---- message passing: data, then flag ---- */

static void message_passing(unsigned cpu, Cell *c)
{
    uint32_t first, second;

    if (cpu == 0) {
        STORE(c->x, 1);
        STORE(c->y, 1);
    } else {
        LOAD(first, c->y);
        LOAD(second, c->x);
        c->got[1][0] = first;
        c->got[1][1] = second;
    }
}

static uint32_t flag_without_data(void)
{
    uint32_t count = 0;

    for (unsigned n = 0; n < CELLS; n++) {
        count += cells[n].got[1][0] && !cells[n].got[1][1];
    }
    return count;
}

/* The same through vector registers and string instructions, in the same order. */
static void message_string(unsigned cpu, Cell *c)
{
    uint32_t first, second;

    if (cpu == 0) {
        volatile uint32_t *to = &c->x;
        size_t count = 1;

        __asm__ volatile("rep stosl" : "+D"(to), "+c"(count) : "a"(1) : "memory");
        __asm__ volatile("movd %1, %%xmm0\n movd %%xmm0, %0" : "=m"(c->y) : "r"(1));
    } else {
        volatile uint32_t *from = &c->y;

        __asm__ volatile("lodsl" : "=a"(first), "+S"(from) : : "memory");
        LOAD(second, c->x);
        c->got[1][0] = first;
        c->got[1][1] = second;
    }
}

/* ---- load buffering: each looks at the other's, then stores ---- */

static void load_buffering(unsigned cpu, Cell *c)
{
    volatile uint32_t *mine = cpu ? &c->y : &c->x, *other = cpu ? &c->x : &c->y;
    uint32_t seen;

    LOAD(seen, *other);
    STORE(*mine, 1);
    c->got[cpu][0] = seen;
}

static uint32_t both_saw(void)
{
    uint32_t count = 0;

    for (unsigned n = 0; n < CELLS; n++) {
        count += cells[n].got[0][0] && cells[n].got[1][0];
    }
    return count;
}

/* ---- two stores each, in opposite order ---- */

static void opposite_stores(unsigned cpu, Cell *c)
{
    if (cpu == 0) {
        STORE(c->x, 1);
        STORE(c->y, 2);
    } else {
        STORE(c->y, 1);
        STORE(c->x, 2);
    }
}

static uint32_t both_first_stores_last(void)
{
    uint32_t count = 0;

    for (unsigned n = 0; n < CELLS; n++) {
        count += cells[n].x == 1 && cells[n].y == 1;
    }
    return count;
}

/* ---- one place never goes back ---- */

static void coherence(unsigned cpu, Cell *c)
{
    uint32_t first, second;

    if (cpu == 0) {
        STORE(c->x, 1);
        STORE(c->x, 2);
    } else {
        LOAD(first, c->x);
        LOAD(second, c->x);
        c->got[1][0] = first;
        c->got[1][1] = second;
    }
}

static uint32_t went_back(void)
{
    uint32_t count = 0;

    for (unsigned n = 0; n < CELLS; n++) {
        count += cells[n].got[1][1] < cells[n].got[1][0];
    }
    return count;
}

/* ---- independent reads of independent writes: two readers agree which came first ---- */

static void independent(unsigned cpu, Cell *c)
{
    uint32_t first, second;

    if (cpu == 0) {
        STORE(c->x, 1);
    } else if (cpu == 1) {
        STORE(c->y, 1);
    } else {
        volatile uint32_t *one = cpu == 2 ? &c->x : &c->y, *other = cpu == 2 ? &c->y : &c->x;

        LOAD(first, *one);
        LOAD(second, *other);
        c->got[cpu - 2][0] = first;
        c->got[cpu - 2][1] = second;
    }
}

static uint32_t readers_disagree(void)
{
    uint32_t count = 0;

    for (unsigned n = 0; n < CELLS; n++) {
        const Cell *c = &cells[n];

        count += c->got[0][0] && !c->got[0][1] && c->got[1][0] && !c->got[1][1];
    }
    return count;
}

/* ---- locked operations: nothing is lost ---- */

#define LOCKED(name, instruction, place)                                                       \
    static void name(unsigned cpu)                                                             \
    {                                                                                          \
        volatile uint32_t *at = (volatile uint32_t *)(place);                                  \
                                                                                               \
        (void)cpu;                                                                             \
        for (unsigned n = 0; n < CELLS; n++) {                                                 \
            __asm__ volatile(instruction : "+m"(*at) : "r"(1) : "eax", "edx", "memory", "cc"); \
        }                                                                                      \
    }
LOCKED(locked_inc, "lock incl %0", &cells[0].x)
LOCKED(locked_inc_line, "lock incl %0", SPLIT_AT + 62)
LOCKED(locked_inc_page, "lock incl %0", SPLIT_AT + PAGE - 2)
LOCKED(locked_cmpxchg, "movl %0, %%eax\n1: lea 1(%%eax), %%edx\n lock cmpxchgl %%edx, %0\n jne 1b",
       &cells[0].x)
LOCKED(locked_cmpxchg_page,
       "movl %0, %%eax\n1: lea 1(%%eax), %%edx\n lock cmpxchgl %%edx, %0\n jne 1b",
       SPLIT_AT + PAGE - 1)

/* One adds to a dword across a line or page, the other to the word that is its upper half. */
#define MIXED(name, place)                                                          \
    static void name(unsigned cpu)                                                  \
    {                                                                               \
        volatile uint32_t *both = (volatile uint32_t *)(place);                     \
        volatile uint16_t *upper = (volatile uint16_t *)((place) + 2);              \
                                                                                    \
        for (unsigned n = 0; n < CELLS; n++) {                                      \
            if (cpu) {                                                              \
                __asm__ volatile("lock incw %0" : "+m"(*upper) : : "memory", "cc"); \
            } else {                                                                \
                __asm__ volatile("lock incl %0" : "+m"(*both) : : "memory", "cc");  \
            }                                                                       \
        }                                                                           \
    }
MIXED(mixed_line, SPLIT_AT + 62)
MIXED(mixed_page, SPLIT_AT + PAGE - 2)

static uint32_t lost_of(uintptr_t place, uint32_t wanted)
{
    return *(volatile uint32_t *)place != wanted;
}

static uint32_t lost_cell(void)
{
    return lost_of((uintptr_t)&cells[0].x, 2 * CELLS);
}

static uint32_t lost_line(void)
{
    return lost_of(SPLIT_AT + 62, 2 * CELLS);
}

static uint32_t lost_page(void)
{
    return lost_of(SPLIT_AT + PAGE - 2, 2 * CELLS);
}

static uint32_t lost_page_odd(void)
{
    return lost_of(SPLIT_AT + PAGE - 1, 2 * CELLS);
}

static uint32_t lost_mixed_line(void)
{
    return lost_of(SPLIT_AT + 62, CELLS << 16 | CELLS);
}

static uint32_t lost_mixed_page(void)
{
    return lost_of(SPLIT_AT + PAGE - 2, CELLS << 16 | CELLS);
}

/* A spin lock of XCHG and a plain store guards a plain counter. */
static void spin_lock(unsigned cpu)
{
    (void)cpu;
    for (unsigned n = 0; n < CELLS; n++) {
        uint32_t taken;

        do {
            taken = 1;
            __asm__ volatile("xchgl %0, %1" : "+r"(taken), "+m"(cells[1].x) : : "memory");
            pause();
        } while (taken);
        cells[0].x = cells[0].x + 1;
        __asm__ volatile("" ::: "memory");
        STORE(cells[1].x, 0);
    }
}

/* ---- increments without a lock: none is lost where one CPU runs at a time ---- */

enum { PLAIN = 10000000 }; /* more than a turn takes */
static volatile uint32_t plain_count;
static uint32_t plain_lost;

static void plain_increments(unsigned cpu)
{
    (void)cpu;
    for (unsigned n = 0; n < PLAIN; n++) {
        __asm__ volatile("incl %0" : "+m"(plain_count) : : "cc");
    }
}

static uint32_t may_lose(void)
{
    plain_lost += 2 * PLAIN - plain_count;
    plain_count = 0;
    return 0;
}

/* ---- eight bytes at once ---- */

static void eight_bytes(unsigned cpu)
{
    static const uint64_t values[2] = {0, ~0ull};

    for (unsigned n = 0; n < 4 * CELLS; n++) {
        uint64_t seen;

        if (cpu == 0) {
            __asm__ volatile("movq %1, %%xmm0\n movq %%xmm0, %0" : "=m"(wide) : "m"(values[n & 1]));
        } else {
            __asm__ volatile("movq %1, %%xmm1\n movq %%xmm1, %0" : "=m"(seen) : "m"(wide));
            note((uint32_t)seen != (uint32_t)(seen >> 32));
        }
    }
}

static uint32_t were_torn(void)
{
    uint32_t count = torn;

    torn = 0;
    return count;
}

/* ---- code ---- */

typedef uint32_t (*Function)(void);

/* mov eax, imm32; ret, the constant at a multiple of 4. */
static void function_make(uint8_t *at, uint32_t value)
{
    at[3] = 0xb8;
    *(volatile uint32_t *)(at + 4) = value;
    at[8] = 0xc3;
}

static uint32_t function_call(uint8_t *at)
{
    return ((Function)(at + 3))();
}

static uint8_t *code_page(unsigned n)
{
    return (uint8_t *)(PAGES_AT + (round_now * PAGES_ROUND + n) % (32 << 8) * PAGE);
}

/* The constant is changed, said to be, and seen. */
static void told(unsigned cpu)
{
    uint8_t *code = code_page(0);

    if (cpu == 0) {
        flag = acknowledged = 0;
        function_make(code, 0);
    }
    meet();
    for (uint32_t n = 1; n <= 100; n++) {
        if (cpu == 0) {
            *(volatile uint32_t *)(code + 4) = n;
            flag = n;
            while (acknowledged != n) {
                pause();
            }
        } else {
            while (flag != n) {
                pause();
            }
            serialize();
            note(function_call(code) != n);
            acknowledged = n;
        }
    }
}

/* The constant grows while the other calls: it never sees it shrink. */
static void growing(unsigned cpu)
{
    uint8_t *code = code_page(1);
    uint32_t last = 0;

    if (cpu == 0) {
        function_make(code, 0);
    }
    meet();
    for (uint32_t n = 1; n <= 200; n++) {
        if (cpu == 0) {
            *(volatile uint32_t *)(code + 4) = n;
        } else {
            uint32_t now = function_call(code);

            note(now < last || now > 200);
            last = now;
        }
    }
    meet();
    if (cpu == 1) {
        serialize();
        note(function_call(code) != 200);
    }
}

/* Code is changed at the moment that the other executes it, and so its page, for the first time.
 * each: they meet in front of each page, so that the store comes while the other decodes. */
static void change_new_code(unsigned cpu, bool each)
{
    uint32_t random = round_now;

    for (unsigned n = 0; cpu == 0 && n < PAGES_ROUND; n++) {
        function_make(code_page(n), 1);
    }
    for (unsigned n = 0; n < PAGES_ROUND; n++) {
        if (each || n == 0) {
            meet();
        }
        dither(&random);
        if (cpu == 0) {
            *(volatile uint32_t *)(code_page(n) + 4) = 2;
        } else {
            function_call(code_page(n));
        }
    }
    meet();
    serialize();
    for (unsigned n = 0; cpu == 1 && n < PAGES_ROUND; n++) {
        note(function_call(code_page(n)) != 2);
    }
}

static void first_time(unsigned cpu)
{
    change_new_code(cpu, false);
}

static void same_moment(unsigned cpu)
{
    change_new_code(cpu, true);
}

/* Both change functions of one page that both execute. */
static void one_page(unsigned cpu)
{
    uint8_t *mine = code_page(2) + 1024 * cpu, *other = code_page(2) + 1024 * !cpu;

    function_make(mine, 0);
    meet();
    for (uint32_t n = 1; n <= 50; n++) {
        *(volatile uint32_t *)(mine + 4) = n;
        note(function_call(mine) != n);
        note(function_call(other) > 50);
    }
    meet();
    serialize();
    note(function_call(other) != 50);
}

/* Data beside code that the other executes: no store is lost. */
static void data_beside_code(unsigned cpu)
{
    uint8_t *code = code_page(3);
    volatile uint32_t *data = (volatile uint32_t *)(code + 64);

    if (cpu == 0) {
        function_make(code, 7);
        *data = 0;
    }
    meet();
    for (uint32_t n = 0; n < CELLS; n++) {
        if (cpu == 0) {
            note(*data != n);
            *data = n + 1;
        } else {
            note(function_call(code) != 7);
        }
    }
}

/* ---- running them ---- */

typedef struct Litmus {
    const char *name;
    uint32_t (*wrong)(void);
    void (*cell)(unsigned cpu, Cell *c); /* for each cell ... */
    void (*part)(unsigned cpu);          /* or for all        */
    unsigned cpus;                       /* 0: two; ALONE: only if it is asked for */
} Litmus;

enum { ALONE = 99 };

static const Litmus tests[] = {
    {"store buffering: allowed", both_may_miss, store_buffering},
    {"store buffering with MFENCE", both_missed, store_buffering_mfence},
    {"store buffering with a locked operation", both_missed, store_buffering_locked},
    {"store buffering with XCHG", both_missed, store_buffering_xchg},
    {"message passing", flag_without_data, message_passing},
    {"message passing by strings and vectors", flag_without_data, message_string},
    {"load buffering", both_saw, load_buffering},
    {"stores in opposite order", both_first_stores_last, opposite_stores},
    {"coherence of one place", went_back, coherence},
    {"independent reads of independent writes", readers_disagree, independent, NULL, 4},
    {"locked increments", lost_cell, NULL, locked_inc},
    {"... across lines", lost_line, NULL, locked_inc_line},
    {"... across pages", lost_page, NULL, locked_inc_page},
    {"locked CMPXCHG", lost_cell, NULL, locked_cmpxchg},
    {"... across pages", lost_page_odd, NULL, locked_cmpxchg_page},
    {"locked, one across lines, one not", lost_mixed_line, NULL, mixed_line},
    {"locked, one across pages, one not", lost_mixed_page, NULL, mixed_page},
    {"a spin lock", lost_cell, NULL, spin_lock},
    {"eight bytes at once", were_torn, NULL, eight_bytes},
    {"code changed and told", were_torn, NULL, told},
    {"code that grows", were_torn, NULL, growing},
    {"code changed when first executed", were_torn, NULL, first_time},
    {"code changed at the moment it is first executed", were_torn, NULL, same_moment},
    {"code of one page changed by both", were_torn, NULL, one_page},
    {"data beside code", were_torn, NULL, data_beside_code},
    {"increments without a lock: allowed to be lost", may_lose, NULL, plain_increments, ALONE},
};
enum { TESTS = sizeof(tests) / sizeof(*tests), STOP = 255 };

static void clear(void)
{
    for (unsigned n = 0; n < sizeof(cells) / 4; n++) {
        ((volatile uint32_t *)cells)[n] = 0;
    }
    for (unsigned n = 0; n < 2 * PAGE / 4; n++) {
        ((volatile uint32_t *)SPLIT_AT)[n] = 0;
    }
}

static void participate(unsigned cpu)
{
    const Litmus *l = &tests[test_now];
    uint32_t random = round_now * 2 + cpu;

    meet();
    for (unsigned n = 0; l->cell && n < CELLS; n++) {
        dither(&random);
        l->cell(cpu, &cells[n]);
    }
    if (l->part) {
        l->part(cpu);
    }
    meet();
}

/* cpu: 1 and up. */
void ap_main(unsigned cpu)
{
    locked_add(&alive, 1);
    while (cpu < CPUS) {
        meet();
        if (test_now == STOP) {
            return;
        }
        participate(cpu);
    }
}

static uint32_t wanted(const Litmus *l)
{
#ifdef ONLY
    return l->part == ONLY;
#else
    return (l->cpus ? l->cpus : 2) == CPUS;
#endif
}

static uint32_t run_test(unsigned number, uint32_t rounds)
{
    uint32_t wrong = 0;

    for (uint32_t n = 0; n < rounds; n++) {
        clear();
        test_now = number;
        round_now++;
        meet();
        participate(0);
        wrong += tests[number].wrong();
    }
    return wrong;
}

static void start_other(void)
{
    *(volatile uint32_t *)(LAPIC + 0xf0) = 0x1ff;
    *(volatile uint32_t *)(LAPIC + 0x300) = 0xc4500; /* INIT to all others */
    for (unsigned n = 0; n < 100000; n++) {
        pause();
    }
    *(volatile uint32_t *)(LAPIC + 0x300) = 0xc4608; /* SIPI, page 8 */
    while (alive != CPUS - 1) {
        pause();
    }
}

void bsp_main(void)
{
    clear();
    start_other();
    for (unsigned n = 0; n < TESTS; n++) {
        uint32_t wrong;

        if (!wanted(&tests[n])) {
            continue;
        }
        wrong = run_test(n, ROUNDS);
        print(wrong ? "FAIL " : "PASS ");
        print(tests[n].name);
        if (wrong) {
            print(": ");
            print_number(wrong);
        }
        put('\n');
    }
    test_now = STOP;
    meet();
    print("store buffering seen: ");
    print_number(surprises);
    print("\nunlocked increments lost: ");
    print_number(plain_lost);
    print("\nDONE\n");
#ifdef STAY
    return;
#endif
    __asm__ volatile("outb %0, %w1" : : "a"((uint8_t)0), "Nd"(PORT_END));
}
