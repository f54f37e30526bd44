/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Integer work that stays in one loop nest for long. Freestanding: also built for 32 bits.
 */
#include "bench.h"

void fill_text(uint8_t *at, size_t bytes)
{
    uint64_t random = 88172645463325252u;
    size_t n = 0;

    while (n < bytes) {
        uint32_t word = (uint32_t)next_random(&random) % 1000;
        uint32_t letters = word * 2654435761u;

        for (uint32_t left = 2 + word % 7; left-- && n < bytes; letters >>= 4) {
            at[n++] = (uint8_t)('a' + (letters & 15));
        }
        if (n < bytes) {
            at[n++] = word % 11 ? ' ' : '\n';
        }
    }
}

/* Xorshift and multiplication, no memory. A unit: 1000 steps. */
static uint64_t alu(uint8_t *arena, uint64_t count)
{
    uint64_t x = 1, sum = 0;

    for (uint64_t n = 0; n < count * 1000; n++) {
        sum += next_random(&x) * 0x9e3779b97f4a7c15u;
        sum = (sum << 7 | sum >> 57) ^ n;
    }
    return sum;
}

/* A unit: the numbers up to 200. */
static uint64_t collatz(uint8_t *arena, uint64_t count)
{
    uint64_t steps = 0;

    for (uint64_t n = 0; n < count; n++) {
        for (uint32_t from = 1; from <= 200; from++) {
            for (uint64_t value = from; value != 1; steps++) {
                value = value & 1 ? 3 * value + 1 : value / 2;
            }
        }
    }
    return steps;
}

static void crc_prepare(uint8_t *arena)
{
    uint32_t *table = (uint32_t *)(arena + 65536);

    fill_text(arena, 65536);
    for (uint32_t n = 0; n < 256; n++) {
        uint32_t crc = n;

        for (int bit = 0; bit < 8; bit++) {
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
        }
        table[n] = crc;
    }
}

/* CRC-32 by table. A unit: 64 KB. */
static uint64_t crc32(uint8_t *arena, uint64_t count)
{
    const uint32_t *table = (const uint32_t *)(arena + 65536);
    uint32_t crc = ~0u;

    for (uint64_t n = 0; n < count; n++) {
        for (uint32_t i = 0; i < 65536; i++) {
            crc = crc >> 8 ^ table[(crc ^ arena[i]) & 255];
        }
    }
    return crc;
}

static void text_prepare(uint8_t *arena)
{
    fill_text(arena, 65536);
}

/* How often each byte stands in a text. A unit: 64 KB. */
static uint64_t histogram(uint8_t *arena, uint64_t count)
{
    uint32_t *counts = (uint32_t *)(arena + 65536);

    for (uint32_t i = 0; i < 256; i++) {
        counts[i] = 0;
    }
    for (uint64_t n = 0; n < count; n++) {
        for (uint32_t i = 0; i < 65536; i++) {
            counts[arena[i]]++;
        }
    }
    return counts['e'];
}

static void quicksort(uint32_t *from, uint32_t *to)
{
    while (to - from > 1) {
        uint32_t pivot = from[(to - from) / 2], *low = from, *high = to - 1;

        while (low <= high) {
            while (*low < pivot) {
                low++;
            }
            while (*high > pivot) {
                high--;
            }
            if (low <= high) {
                uint32_t other = *low;

                *low++ = *high;
                *high-- = other;
            }
        }
        quicksort(from, high + 1);
        from = low;
    }
}

/* A unit: 16384 random numbers. */
static uint64_t sort(uint8_t *arena, uint64_t count)
{
    uint32_t *numbers = (uint32_t *)arena;
    uint64_t random = 7;

    for (uint64_t n = 0; n < count; n++) {
        for (uint32_t i = 0; i < 16384; i++) {
            numbers[i] = (uint32_t)next_random(&random);
        }
        quicksort(numbers, numbers + 16384);
    }
    return numbers[8192];
}

/* A unit: the primes below 100,000. */
static uint64_t sieve(uint8_t *arena, uint64_t count)
{
    uint64_t primes = 0;

    for (uint64_t n = 0; n < count; n++) {
        for (uint32_t i = 0; i < 100000; i++) {
            arena[i] = 1;
        }
        for (uint32_t i = 2; i < 100000; i++) {
            if (arena[i]) {
                primes++;
                for (uint32_t k = 2 * i; k < 100000; k += i) {
                    arena[k] = 0;
                }
            }
        }
    }
    return primes;
}

/* Open addressing, 64 K slots, inserts and look-ups. A unit: 20,000 keys. */
static uint64_t hash(uint8_t *arena, uint64_t count)
{
    uint64_t *slots = (uint64_t *)arena, random = 3, found = 0;

    for (uint64_t n = 0; n < count; n++) {
        for (uint32_t i = 0; i < 65536; i++) {
            slots[i] = 0;
        }
        for (uint32_t i = 0; i < 20000; i++) {
            uint32_t key = (uint32_t)next_random(&random) % 30000 + 1;
            uint32_t at = (uint32_t)(key * 0x9e3779b1u >> 7) & 65535;

            while (slots[at] && slots[at] != key) {
                at = (at + 1) & 65535;
            }
            found += slots[at] == key;
            slots[at] = key;
        }
    }
    return found;
}

/* Long multiplication of 64 by 64 limbs of 32 bits. A unit: one product. */
static uint64_t bignum(uint8_t *arena, uint64_t count)
{
    uint32_t *a = (uint32_t *)arena, *b = a + 64, *product = b + 64;

    for (uint32_t i = 0; i < 64; i++) {
        a[i] = i * 0x9e3779b9u + 1;
        b[i] = i * 0x85ebca6bu + 3;
    }
    for (uint64_t n = 0; n < count; n++) {
        for (uint32_t i = 0; i < 128; i++) {
            product[i] = 0;
        }
        for (uint32_t i = 0; i < 64; i++) {
            uint64_t carry = 0;

            for (uint32_t k = 0; k < 64; k++) {
                carry += (uint64_t)a[i] * b[k] + product[i + k];
                product[i + k] = (uint32_t)carry;
                carry >>= 32;
            }
            product[i + 64] = (uint32_t)carry;
        }
        a[0] = product[70] | 1;
    }
    return product[77];
}

static uint32_t turned(uint32_t value, int by)
{
    return value >> by | value << (32 - by);
}

/* The rounds of SHA-256 with made-up constants. A unit: one block of 64 bytes. */
static uint64_t sha256(uint8_t *arena, uint64_t count)
{
    uint32_t *w = (uint32_t *)arena, s[8] = {1, 2, 3, 4, 5, 6, 7, 8};

    for (uint64_t n = 0; n < count; n++) {
        for (uint32_t i = 0; i < 16; i++) {
            w[i] = s[i & 7] + i;
        }
        for (uint32_t i = 16; i < 64; i++) {
            uint32_t low = turned(w[i - 15], 7) ^ turned(w[i - 15], 18) ^ w[i - 15] >> 3;
            uint32_t high = turned(w[i - 2], 17) ^ turned(w[i - 2], 19) ^ w[i - 2] >> 10;

            w[i] = w[i - 16] + low + w[i - 7] + high;
        }
        for (uint32_t i = 0; i < 64; i++) {
            uint32_t one = s[7] + (turned(s[4], 6) ^ turned(s[4], 11) ^ turned(s[4], 25)) +
                           ((s[4] & s[5]) ^ (~s[4] & s[6])) + i * 0x9e3779b9u + w[i];
            uint32_t two = (turned(s[0], 2) ^ turned(s[0], 13) ^ turned(s[0], 22)) +
                           ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));

            for (uint32_t k = 7; k > 0; k--) {
                s[k] = s[k - 1];
            }
            s[4] += one;
            s[0] = one + two;
        }
    }
    return s[0];
}

/* Integer matrices of 64 by 64. A unit: one product. */
__attribute__((optimize("no-tree-vectorize"))) static uint64_t matrix(uint8_t *arena,
                                                                      uint64_t count)
{
    uint32_t(*a)[64] = (uint32_t(*)[64])arena, (*b)[64] = a + 64, (*c)[64] = b + 64;

    for (uint32_t i = 0; i < 64; i++) {
        for (uint32_t k = 0; k < 64; k++) {
            a[i][k] = i * 3 + k;
            b[i][k] = i ^ k;
        }
    }
    for (uint64_t n = 0; n < count; n++) {
        for (uint32_t i = 0; i < 64; i++) {
            for (uint32_t k = 0; k < 64; k++) {
                uint32_t sum = (uint32_t)n;

                for (uint32_t j = 0; j < 64; j++) {
                    sum += a[i][j] * b[j][k];
                }
                c[i][k] = sum;
            }
        }
        a[n & 63][5] = c[7][n & 63];
    }
    return c[63][62];
}

/* The longest match behind each place of a text, as a compressor looks for it. A unit: 4 KB. */
static uint64_t match(uint8_t *arena, uint64_t count)
{
    uint64_t sum = 0;

    for (uint64_t n = 0; n < count; n++) {
        for (uint32_t at = 256; at < 4096; at++) {
            uint32_t best = 0;

            for (uint32_t from = at - 64; from < at; from++) {
                uint32_t length = 0;

                while (length < 32 && arena[from + length] == arena[at + length]) {
                    length++;
                }
                best = length > best ? length : best;
            }
            sum += best;
        }
    }
    return sum;
}

/* clang-format off */
const Workload integer_workloads[] = {
    {"int-steady", "alu", alu},
    {"int-steady", "collatz", collatz},
    {"int-steady", "crc32", crc32, crc_prepare},
    {"int-steady", "histogram", histogram, text_prepare},
    {"int-steady", "sort", sort},
    {"int-steady", "sieve", sieve},
    {"int-steady", "hash", hash},
    {"int-steady", "bignum", bignum},
    {"int-steady", "sha256-c", sha256},
    {"int-steady", "matrix", matrix},
    {"int-steady", "match", match, text_prepare},
    {0},
};
/* clang-format on */
