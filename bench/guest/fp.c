/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Floating point without vectors: SSE2 scalars, and the x87 through long double and by name.
 */
#include "bench.h"

#include <math.h>
#include <string.h>

#define SCALAR __attribute__((optimize("no-tree-vectorize", "no-tree-slp-vectorize")))

static uint64_t bits(double value)
{
    uint64_t out;

    memcpy(&out, &value, sizeof(out));
    return out;
}

/* One point of the Mandelbrot set, never leaving. A unit: 1000 iterations. Arithmetic alone. */
SCALAR static uint64_t mandelbrot(uint8_t *arena, uint64_t count)
{
    double x = 0, y = 0, cx = -0.1, cy = 0.3;

    for (uint64_t n = 0; n < count * 1000; n++) {
        double next = x * x - y * y + cx;

        y = 2 * x * y + cy;
        x = next;
    }
    return bits(x);
}

/* Four independent chains of a polynomial. A unit: 1000 evaluations each. Arithmetic alone. */
SCALAR static uint64_t polynomial(uint8_t *arena, uint64_t count)
{
    double a = 0.1, b = 0.2, c = 0.3, d = 0.4;

    for (uint64_t n = 0; n < count * 1000; n++) {
        a = (a * 0.3 + 0.2) * a + 0.1;
        b = (b * 0.3 + 0.2) * b + 0.1;
        c = (c * 0.3 + 0.2) * c + 0.1;
        d = (d * 0.3 + 0.2) * d + 0.1;
    }
    return bits(a + b + c + d);
}

/* Divisions, roots and conversions. A unit: 1000. Arithmetic alone. */
SCALAR static uint64_t divide(uint8_t *arena, uint64_t count)
{
    double sum = 1;
    int64_t whole = 0;

    for (uint64_t n = 1; n <= count * 1000; n++) {
        sum = __builtin_sqrt(sum + (double)n / (sum + 1));
        whole += (int64_t)(sum * 16);
    }
    return bits(sum) + (uint64_t)whole;
}

static void arrays_prepare(uint8_t *arena)
{
    double *a = (double *)arena;

    for (uint32_t n = 0; n < 4096; n++) {
        a[n] = 1.0 / (n + 1);
        a[4096 + n] = 0.5 + n % 7;
    }
}

/* y += a x over 2 times 16 KB. A unit: 2048 elements. */
SCALAR static uint64_t daxpy(uint8_t *arena, uint64_t count)
{
    double *x = (double *)arena, *y = x + 4096;

    for (uint64_t n = 0; n < count; n++) {
        for (uint32_t i = 0; i < 2048; i++) {
            y[i] += 0.001 * x[i];
        }
    }
    return bits(y[1000]);
}

/* A unit: 4096 elements. */
SCALAR static uint64_t dot_product(uint8_t *arena, uint64_t count)
{
    const double *x = (const double *)arena, *y = x + 4096;
    double one = 0, two = 0;

    for (uint64_t n = 0; n < count; n++) {
        for (uint32_t i = 0; i < 4096; i += 2) {
            one += x[i] * y[i];
            two += x[i + 1] * y[i + 1];
        }
    }
    return bits(one + two);
}

typedef struct Body {
    double at[3], speed[3], mass;
} Body;

static void bodies_prepare(uint8_t *arena)
{
    Body *bodies = (Body *)arena;

    for (int n = 0; n < 5; n++) {
        bodies[n] = (Body){{n * 3.1, n * 1.7 - 2, 0.3 * n}, {0.1 * n, -0.2, 0.05}, 1.0 / (n + 1)};
    }
}

/* A unit: one step of five bodies. */
SCALAR static uint64_t bodies_step(uint8_t *arena, uint64_t count)
{
    Body *bodies = (Body *)arena;

    for (uint64_t step = 0; step < count; step++) {
        for (int n = 0; n < 5; n++) {
            for (int k = n + 1; k < 5; k++) {
                double d[3], square = 0.01, pull;

                for (int i = 0; i < 3; i++) {
                    d[i] = bodies[n].at[i] - bodies[k].at[i];
                    square += d[i] * d[i];
                }
                pull = 0.001 / (square * __builtin_sqrt(square));
                for (int i = 0; i < 3; i++) {
                    bodies[n].speed[i] -= d[i] * bodies[k].mass * pull;
                    bodies[k].speed[i] += d[i] * bodies[n].mass * pull;
                }
            }
        }
        for (int n = 0; n < 5; n++) {
            for (int i = 0; i < 3; i++) {
                bodies[n].at[i] += 0.001 * bodies[n].speed[i];
            }
        }
    }
    return bits(bodies[0].at[0]);
}

/* The library's sine and exponential function. A unit: 1000 of each. Results may differ with the
 * CPU's FMA. */
SCALAR static uint64_t library(uint8_t *arena, uint64_t count)
{
    volatile double sum = 0;

    for (uint64_t n = 0; n < count * 1000; n++) {
        sum = sum + sin((double)(n % 1000) * 0.01) * exp(-(double)(n % 100) * 0.1);
    }
    return NOT_DETERMINED;
}

/* Single precision, with conversions. A unit: 4096 elements. */
SCALAR static uint64_t floats(uint8_t *arena, uint64_t count)
{
    float *x = (float *)arena, sum = 0;

    for (uint64_t n = 0; n < count; n++) {
        for (uint32_t i = 0; i < 4096; i++) {
            x[i] = x[i] * 0.5f + (float)i;
            sum += x[i] > 100.0f ? 1.0f : x[i];
        }
    }
    return (uint64_t)sum;
}

static void floats_prepare(uint8_t *arena)
{
    memset(arena, 0, 16384);
}

/* clang-format off */
const Workload fp_workloads[] = {
    {"fp", "mandelbrot=", mandelbrot},
    {"fp", "polynomial=", polynomial},
    {"fp", "divide-sqrt=", divide},
    {"fp", "daxpy", daxpy, arrays_prepare},
    {"fp", "dot", dot_product, arrays_prepare},
    {"fp", "nbody", bodies_step, bodies_prepare},
    {"fp", "libm", library},
    {"fp", "floats", floats, floats_prepare},
    {0},
};
/* clang-format on */

/* The same point of the Mandelbrot set in 80 bits. A unit: 1000 iterations. Arithmetic alone. */
static uint64_t mandelbrot_x87(uint8_t *arena, uint64_t count)
{
    long double x = 0, y = 0, cx = -0.1L, cy = 0.3L;

    for (uint64_t n = 0; n < count * 1000; n++) {
        long double next = x * x - y * y + cx;

        y = 2 * x * y + cy;
        x = next;
    }
    return bits((double)x);
}

/* A unit: 1024 elements of 80 bits. */
static uint64_t dot_x87(uint8_t *arena, uint64_t count)
{
    long double *x = (long double *)arena, *y = x + 1024, sum = 0;

    for (uint32_t i = 0; i < 1024; i++) {
        x[i] = 1.0L / (i + 1);
        y[i] = 0.5L + i % 7;
    }
    for (uint64_t n = 0; n < count; n++) {
        for (uint32_t i = 0; i < 1024; i++) {
            sum += x[i] * y[i];
        }
    }
    return bits((double)sum);
}

/* fld, fmul and fstp of 64-bit numbers, as 32-bit programs do it. A unit: 2048 elements. */
static uint64_t doubles_x87(uint8_t *arena, uint64_t count)
{
    double *x = (double *)arena;

    for (uint64_t n = 0; n < count; n++) {
        for (uint32_t i = 0; i < 2048; i++) {
            __asm__("fldl %0; fmull %1; fld1; faddp; fstpl %0" : "+m"(x[i]) : "m"(x[4096 + i]));
        }
        if ((n & 15) == 15) {
            arrays_prepare(arena);
        }
    }
    return bits(x[1000]);
}

/* fsin, fpatan and f2xm1. A unit: 100 of each. */
static uint64_t functions_x87(uint8_t *arena, uint64_t count)
{
    long double sum = 0.5L;

    for (uint64_t n = 0; n < count * 100; n++) {
        __asm__ volatile("fsin; fld1; fpatan; f2xm1" : "+t"(sum));
        sum += 0.5L;
    }
    return NOT_DETERMINED;
}

/* Divisions, roots and comparisons. A unit: 1000. Arithmetic alone. */
static uint64_t divide_x87(uint8_t *arena, uint64_t count)
{
    long double sum = 1;
    uint64_t above = 0;

    for (uint64_t n = 1; n <= count * 1000; n++) {
        sum = __builtin_sqrtl(sum + (long double)(int64_t)n / (sum + 1));
        above += sum > 30;
    }
    return bits((double)sum) + above;
}

/* clang-format off */
const Workload x87_workloads[] = {
    {"x87", "mandelbrot80=", mandelbrot_x87},
    {"x87", "dot80", dot_x87},
    {"x87", "doubles", doubles_x87, arrays_prepare},
    {"x87", "fsin-fpatan", functions_x87},
    {"x87", "divide80=", divide_x87},
    {0},
};
/* clang-format on */
