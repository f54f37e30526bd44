/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The four functions that a freestanding C compiler may call whenever it likes (ISO C 7.24), for
 * general registers only and under names that nobody outside the run-time library sees.
 * Not modelled: nothing is tuned for long blocks; `rep` does well enough.
 */
#include <stddef.h>
#include <stdint.h>

#define HIDDEN __attribute__((visibility("hidden"), used))

HIDDEN void *rt_memcpy(void *to, const void *from, size_t n);
HIDDEN void *rt_memmove(void *to, const void *from, size_t n);
HIDDEN void *rt_memset(void *to, int byte, size_t n);
HIDDEN int rt_memcmp(const void *a, const void *b, size_t n);

void *rt_memcpy(void *to, const void *from, size_t n)
{
    void *at = to;

    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
    return to;
}

void *rt_memmove(void *to, const void *from, size_t n)
{
    uint8_t *t = to;
    const uint8_t *f = from;

    if ((uintptr_t)t - (uintptr_t)f >= n) {
        return rt_memcpy(to, from, n);
    }
    while (n--) { /* backwards: std would change the direction flag under a signal handler */
        t[n] = f[n];
    }
    return to;
}

void *rt_memset(void *to, int byte, size_t n)
{
    void *at = to;

    __asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(byte) : "memory");
    return to;
}

int rt_memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;

    for (; n; n--, x++, y++) {
        if (*x != *y) {
            return *x - *y;
        }
    }
    return 0;
}
