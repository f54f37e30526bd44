/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work that is dominated by calls, returns and jumps through tables. Freestanding: also built for
 * 32 bits.
 */
#include "bench.h"

enum { OP_ADD, OP_SUB, OP_XOR, OP_SHIFT, OP_LOAD, OP_STORE, OP_JUMP, OP_LOOP, OPS };

static void program_prepare(uint8_t *arena)
{
    uint64_t random = 99;

    for (uint32_t n = 0; n < 256; n++) {
        arena[n] = (uint8_t)((uint32_t)next_random(&random) % OP_JUMP);
    }
    arena[100] = arena[200] = OP_JUMP;
    arena[255] = OP_LOOP;
}

/* A byte-code interpreter with one dispatch. A unit: one round of the program of 256 operations. */
__attribute__((optimize("no-gcse", "no-crossjumping"))) static uint64_t
interpreter_switch(uint8_t *arena, uint64_t count)
{
    uint32_t at = 0, a = 1, b = 2, *cells = (uint32_t *)(arena + 256);

    while (count) {
        switch (arena[at++]) {
        case OP_ADD:
            a += b;
            break;
        case OP_SUB:
            b -= a;
            break;
        case OP_XOR:
            a ^= b << 3;
            break;
        case OP_SHIFT:
            b = b >> 1 | a << 31;
            break;
        case OP_LOAD:
            a += cells[b & 63];
            break;
        case OP_STORE:
            cells[a & 63] = b;
            break;
        case OP_JUMP:
            at += a & 7;
            break;
        case OP_LOOP:
            at = 0;
            count--;
            break;
        }
    }
    return a;
}

/* The same with a jump behind each operation. */
__attribute__((optimize("no-gcse", "no-crossjumping"))) static uint64_t
interpreter_threaded(uint8_t *arena, uint64_t count)
{
    static const void *const labels[OPS] = {&&add,  &&sub,   &&xor,  &&shift,
                                            &&load, &&store, &&jump, &&loop};
    uint32_t at = 0, a = 1, b = 2, *cells = (uint32_t *)(arena + 256);

#define NEXT goto *labels[arena[at++]]
    NEXT;
add:
    a += b;
    NEXT;
sub:
    b -= a;
    NEXT;
    xor : a ^= b << 3;
    NEXT;
shift:
    b = b >> 1 | a << 31;
    NEXT;
load:
    a += cells[b & 63];
    NEXT;
store:
    cells[a & 63] = b;
    NEXT;
jump:
    at += a & 7;
    NEXT;
loop:
    at = 0;
    if (--count) {
        NEXT;
    }
#undef NEXT
    return a;
}

static void cells_prepare(uint8_t *arena)
{
    program_prepare(arena);
    for (uint32_t n = 256; n < 512; n++) {
        arena[n] = (uint8_t)(n * 7);
    }
}

typedef struct Shape Shape;
struct Shape {
    uint32_t (*area)(const Shape *s, uint32_t n);
    uint32_t side;
};

#define SHAPE(name, expression)                                                \
    __attribute__((noinline)) static uint32_t name(const Shape *s, uint32_t n) \
    {                                                                          \
        return expression;                                                     \
    }
SHAPE(square, s->side * s->side + n)
SHAPE(line, s->side ^ n)
SHAPE(point, n + 1)
SHAPE(cube, s->side * 6 - n)

static void shapes_prepare(uint8_t *arena)
{
    Shape *shapes = (Shape *)arena;
    uint64_t random = 5;

    for (uint32_t n = 0; n < 512; n++) {
        uint64_t kind = next_random(&random) >> 30 & 3;

        shapes[n].area = kind == 0 ? square : kind == 1 ? line : kind == 2 ? point : cube;
        shapes[n].side = n;
    }
}

/* Calls through pointers in objects. A unit: 512 calls. */
static uint64_t virtual_calls(uint8_t *arena, uint64_t count)
{
    const Shape *shapes = (const Shape *)arena;
    uint32_t sum = 0;

    for (uint64_t n = 0; n < count; n++) {
        for (uint32_t i = 0; i < 512; i++) {
            sum = shapes[i].area(&shapes[i], sum);
        }
    }
    return sum;
}

/* Calls of one function through a pointer that never changes. A unit: 512 calls. */
static uint64_t same_pointer(uint8_t *arena, uint64_t count)
{
    Shape s = {square, 3};
    Shape *volatile where = &s;
    uint32_t sum = 0;

    for (uint64_t n = 0; n < count * 512; n++) {
        sum = where->area(where, sum);
    }
    return sum;
}

__attribute__((noinline, optimize("O1"))) static uint32_t fib(uint32_t n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

/* A unit: the 16th Fibonacci number, 3193 calls. */
static uint64_t recursion(uint8_t *arena, uint64_t count)
{
    uint64_t sum = 0;

    for (uint64_t n = 0; n < count; n++) {
        sum += fib(16);
    }
    return sum;
}

__attribute__((noinline, optimize("O1"))) static uint32_t ackermann(uint32_t m, uint32_t n)
{
    return m == 0 ? n + 1 : ackermann(m - 1, n ? ackermann(m, n - 1) : 1);
}

/* Deep recursion. A unit: A(2, 60). */
static uint64_t deep_recursion(uint8_t *arena, uint64_t count)
{
    uint64_t sum = 0;

    for (uint64_t n = 0; n < count; n++) {
        sum += ackermann(2, 60);
    }
    return sum;
}

static uint32_t queens(uint32_t all, uint32_t columns, uint32_t left, uint32_t right)
{
    uint32_t solutions = 0;

    if (columns == all) {
        return 1;
    }
    for (uint32_t free = all & ~(columns | left | right); free; free &= free - 1) {
        uint32_t place = free & -free;

        solutions += queens(all, columns | place, (left | place) << 1, (right | place) >> 1);
    }
    return solutions;
}

/* A unit: 8 queens. */
static uint64_t eight_queens(uint8_t *arena, uint64_t count)
{
    uint64_t sum = 0;

    for (uint64_t n = 0; n < count; n++) {
        sum += queens(255, 0, 0, 0);
    }
    return sum;
}

static void sorted_prepare(uint8_t *arena)
{
    for (uint32_t n = 0; n < 4096; n++) {
        ((uint32_t *)arena)[n] = n * 5;
    }
}

/* Branches that nobody predicts. A unit: 1000 searches among 4096. */
static uint64_t binary_search(uint8_t *arena, uint64_t count)
{
    const uint32_t *numbers = (const uint32_t *)arena;
    uint64_t random = 11, sum = 0;

    for (uint64_t n = 0; n < count * 1000; n++) {
        uint32_t wanted = (uint32_t)next_random(&random) % 20480, low = 0, high = 4096;

        while (low < high) {
            uint32_t middle = (low + high) / 2;

            if (numbers[middle] < wanted) {
                low = middle + 1;
            } else {
                high = middle;
            }
            __asm__("" : "+r"(low), "+r"(high));
        }
        sum += low;
    }
    return sum;
}

/* clang-format off */
const Workload branch_workloads[] = {
    {"branches", "interp-switch", interpreter_switch, cells_prepare},
    {"branches", "interp-threaded", interpreter_threaded, cells_prepare},
    {"branches", "virtual-calls", virtual_calls, shapes_prepare},
    {"branches", "same-pointer", same_pointer},
    {"branches", "fib", recursion},
    {"branches", "ackermann", deep_recursion},
    {"branches", "queens", eight_queens},
    {"branches", "binary-search", binary_search, sorted_prepare},
    {0},
};
/* clang-format on */
