/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host side of the translator: one memory for code, seen at a writable and at an executable address
 * (docs/design/translator.md, "The cache"), and memory for the records. Pages are taken as they are
 * used.
 */
#include "target/i386/translate/cache_host.h"

#include "util/map.h"

#include <errno.h>
#include <sys/auxv.h>

#ifndef HWCAP2_FSGSBASE
#define HWCAP2_FSGSBASE 2
#endif

bool code_cache_possible(Error **err)
{
    if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE)) {
        return error_set(err, "translating needs FSGSBASE of the CPU and Linux 5.9");
    }
    if (!__builtin_cpu_supports("bmi2")) {
        return error_set(err, "translating needs BMI2, which this CPU lacks");
    }
    return true;
}

void code_cache_free(CodeCache *cache)
{
    if (cache) {
        map_free(cache->write, cache->size);
        map_free(cache->run, cache->size);
        map_free(cache->data, cache->data_size);
        map_free(cache->by_address, cache->most * sizeof *cache->by_address);
        map_free(cache, sizeof *cache);
    }
}

CodeCache *code_cache_new(uint64_t bytes, Error **err)
{
    CodeCache *cache;

    if (!code_cache_possible(err)) {
        return NULL;
    }
    cache = map_zeroed(sizeof *cache);
    if (cache) {
        cache->size = cache->data_size = bytes;
        cache->data = map_zeroed(bytes);
        cache->most = bytes / CODE_EACH;
        cache->by_address = map_sparse(cache->most * sizeof *cache->by_address);
    }
    if (!cache || !cache->data || !cache->by_address ||
        !map_twice(bytes, &cache->write, &cache->run)) {
        error_errno(err, errno, "cannot map %llu MB of code cache",
                    (unsigned long long)bytes >> 20);
        code_cache_free(cache);
        return NULL;
    }
    trans_init(cache);
    return cache;
}

void code_cache_gather(CodeCache *cache)
{
    uint32_t n = cache->gathered;

    while (n < cache->used / CODE_CHUNK) {
        size_t at = (size_t)n * CODE_CHUNK;

        if (atomic_compare_exchange_strong(&cache->gathered, &n, n + 1)) { /* else another's */
            map_gather(cache->write + at, CODE_CHUNK);
            map_gather(cache->run + at, CODE_CHUNK);
            n++;
        }
    }
}
