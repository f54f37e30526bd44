/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vectors by name: SSE2, SSE4.2, AVX2 and FMA; `=` in a name says that the work is arithmetic
 * alone.
 */
#include "bench.h"

#include <immintrin.h>
#include <string.h>

#define AVX2  __attribute__((target("avx2")))
#define FMA   __attribute__((target("avx2,fma")))
#define SSE42 __attribute__((target("sse4.2")))

static uint64_t low_bits(__m128i v)
{
    return (uint64_t)_mm_cvtsi128_si64(v);
}

/* A unit: 1000 rounds of four integer operations. */
static uint64_t integers(uint8_t *arena, uint64_t count)
{
    __m128i a = _mm_set_epi32(1, 2, 3, 4), b = _mm_set_epi32(5, 6, 7, 8);

    for (uint64_t n = 0; n < count * 1000; n++) {
        a = _mm_add_epi32(a, b);
        b = _mm_xor_si128(_mm_shuffle_epi32(b, 0x1b), a);
        a = _mm_sub_epi16(a, _mm_srli_epi32(b, 3));
    }
    return low_bits(_mm_add_epi64(a, b));
}

/* mulps and addps on four chains. A unit: 1000 rounds. */
static uint64_t floats(uint8_t *arena, uint64_t count)
{
    __m128 v[4], half = _mm_set1_ps(0.5f), one = _mm_set1_ps(1.0f);

    for (int i = 0; i < 4; i++) {
        v[i] = _mm_set1_ps((float)i);
    }
    for (uint64_t n = 0; n < count * 1000; n++) {
#pragma GCC unroll 4 /* in registers, not in an array */
        for (int i = 0; i < 4; i++) {
            v[i] = _mm_add_ps(_mm_mul_ps(v[i], half), one);
        }
    }
    return low_bits(_mm_castps_si128(_mm_add_ps(_mm_add_ps(v[0], v[1]), _mm_add_ps(v[2], v[3]))));
}

static void floats_prepare(uint8_t *arena)
{
    for (uint32_t n = 0; n < 8192; n++) {
        ((float *)arena)[n] = (float)(n % 13) * 0.25f;
    }
}

/* y = a x + y over 2 times 16 KB. A unit: 4096 elements. */
static uint64_t array(uint8_t *arena, uint64_t count)
{
    float *x = (float *)arena, *y = x + 4096;
    __m128 factor = _mm_set1_ps(0.01f), shrink = _mm_set1_ps(0.99f);

    for (uint64_t n = 0; n < count; n++) {
        for (uint32_t i = 0; i < 4096; i += 4) {
            __m128 sum = _mm_mul_ps(_mm_load_ps(y + i), shrink);

            _mm_store_ps(y + i, _mm_add_ps(sum, _mm_mul_ps(_mm_load_ps(x + i), factor)));
        }
    }
    return low_bits(_mm_castps_si128(_mm_load_ps(y + 100)));
}

static void string_prepare(uint8_t *arena)
{
    memset(arena, 'x', 16383);
    arena[16383] = 0;
}

/* The length of a string by pcmpeqb and pmovmskb. A unit: 16 KB. */
static uint64_t string_length(uint8_t *arena, uint64_t count)
{
    uint64_t sum = 0;

    for (uint64_t n = 0; n < count; n++) {
        uint32_t at = 0, found;

        do {
            __m128i equal =
                _mm_cmpeq_epi8(_mm_load_si128((const __m128i *)(arena + at)), _mm_setzero_si128());

            found = (uint32_t)_mm_movemask_epi8(equal);
            at += 16;
        } while (!found);
        sum += at + found;
    }
    return sum;
}

/* Sums of absolute differences, packing and unpacking, as video codecs do. A unit: 16 KB. */
static uint64_t video(uint8_t *arena, uint64_t count)
{
    __m128i sum = _mm_setzero_si128();

    for (uint64_t n = 0; n < count; n++) {
        for (uint32_t i = 0; i < 16384; i += 16) {
            __m128i a = _mm_loadu_si128((const __m128i *)(arena + i + 1));
            __m128i b = _mm_load_si128((const __m128i *)(arena + i));
            __m128i wide = _mm_mullo_epi16(_mm_unpacklo_epi8(a, b), _mm_set1_epi16(3));

            sum = _mm_add_epi64(sum, _mm_sad_epu8(a, b));
            sum = _mm_add_epi64(sum, _mm_packus_epi16(wide, wide));
        }
    }
    return low_bits(sum);
}

/* crc32, popcnt and pcmpistri. A unit: 16 KB. */
SSE42 static uint64_t strings42(uint8_t *arena, uint64_t count)
{
    const __m128i set = _mm_setr_epi8('a', 'e', 'i', 'o', 'u', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    uint64_t sum = 0;

    for (uint64_t n = 0; n < count; n++) {
        for (uint32_t i = 0; i < 16384; i += 16) {
            __m128i text = _mm_load_si128((const __m128i *)(arena + i));

            sum = _mm_crc32_u64(sum, low_bits(text));
            sum += (uint64_t)_mm_cmpistri(set, text, 0);
        }
    }
    return sum;
}

static void text_prepare(uint8_t *arena)
{
    fill_text(arena, 16384 + 64);
}

/* A unit: 1000 rounds of four integer operations on 256 bits. */
AVX2 static uint64_t integers_avx2(uint8_t *arena, uint64_t count)
{
    __m256i a = _mm256_set1_epi32(3), b = _mm256_set_epi32(1, 2, 3, 4, 5, 6, 7, 8);

    for (uint64_t n = 0; n < count * 1000; n++) {
        a = _mm256_add_epi32(a, b);
        b = _mm256_xor_si256(_mm256_permute4x64_epi64(b, 0x39), a);
        a = _mm256_sub_epi16(a, _mm256_srli_epi32(b, 3));
    }
    return low_bits(_mm256_castsi256_si128(_mm256_add_epi64(a, b)));
}

/* Products of small numbers summed, over 16 KB. A unit: 16 KB. */
AVX2 static uint64_t array_avx2(uint8_t *arena, uint64_t count)
{
    __m256i sum = _mm256_setzero_si256();

    for (uint64_t n = 0; n < count; n++) {
        for (uint32_t i = 0; i < 16384; i += 32) {
            __m256i bytes = _mm256_load_si256((const __m256i *)(arena + i));
            __m256i pairs = _mm256_maddubs_epi16(bytes, _mm256_set1_epi8(3));

            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, pairs));
            _mm256_store_si256((__m256i *)(arena + 32768 + i), sum);
        }
    }
    return low_bits(_mm256_castsi256_si128(sum));
}

/* Six independent chains of fused operations. A unit: 1000 rounds. */
FMA static uint64_t fused(uint8_t *arena, uint64_t count)
{
    __m256d v[6], half = _mm256_set1_pd(0.5), one = _mm256_set1_pd(1.25);

    for (int i = 0; i < 6; i++) {
        v[i] = _mm256_set1_pd(i);
    }
    for (uint64_t n = 0; n < count * 1000; n++) {
#pragma GCC unroll 6
        for (int i = 0; i < 6; i++) {
            v[i] = _mm256_fmadd_pd(v[i], half, one);
        }
    }
    for (int i = 1; i < 6; i++) {
        v[0] = _mm256_add_pd(v[0], v[i]);
    }
    return low_bits(_mm_castpd_si128(_mm256_castpd256_pd128(v[0])));
}

/* Matrices of 64 by 64 doubles. A unit: one product. */
FMA static uint64_t matrix_fma(uint8_t *arena, uint64_t count)
{
    double(*a)[64] = (double(*)[64])arena, (*b)[64] = a + 64, (*c)[64] = b + 64;

    for (uint64_t n = 0; n < count; n++) {
        for (int i = 0; i < 64; i++) {
            for (int k = 0; k < 64; k += 16) {
                __m256d sum[4] = {{0}};

                for (int j = 0; j < 64; j++) {
                    __m256d factor = _mm256_broadcast_sd(&a[i][j]);

                    for (int l = 0; l < 4; l++) {
                        sum[l] = _mm256_fmadd_pd(factor, _mm256_load_pd(&b[j][k + 4 * l]), sum[l]);
                    }
                }
                for (int l = 0; l < 4; l++) {
                    _mm256_store_pd(&c[i][k + 4 * l], sum[l]);
                }
            }
        }
    }
    return low_bits(_mm_castpd_si128(_mm_load_pd(&c[10][10])));
}

static void matrix_prepare(uint8_t *arena)
{
    for (uint32_t n = 0; n < 3 * 64 * 64; n++) {
        ((double *)arena)[n] = (double)(n % 17) * 0.125;
    }
}

/* clang-format off */
const Workload simd_workloads[] = {
    {"simd", "sse2-int=", integers},
    {"simd", "sse2-float=", floats},
    {"simd", "sse2-array", array, floats_prepare},
    {"simd", "sse2-strlen", string_length, string_prepare},
    {"simd", "sse2-video", video, text_prepare},
    {"simd", "sse42", strings42, text_prepare, NEED_SSE42},
    {"simd", "avx2-int=", integers_avx2, NULL, NEED_AVX2},
    {"simd", "avx2-array", array_avx2, text_prepare, NEED_AVX2},
    {"simd", "fma=", fused, NULL, NEED_FMA},
    {"simd", "fma-matrix", matrix_fma, matrix_prepare, NEED_FMA},
    {0},
};
/* clang-format on */
