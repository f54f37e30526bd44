/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host side of the translator: one memory for code, seen at a writable and at an executable address
 * (DESIGN, "The translator", 15), and memory for the records. Pages are taken as they are used.
 */
#include "target/i386/translate/cache_host.h"

#include <errno.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

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

static void *map_private(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return at == MAP_FAILED ? NULL : at;
}

static bool map_twice(size_t bytes, uint8_t **write, uint8_t **run)
{
    int fd = memfd_create("code", MFD_CLOEXEC);
    bool sized = fd >= 0 && !ftruncate(fd, bytes);

    *write = sized ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    *run = sized ? mmap(NULL, bytes, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (fd >= 0) {
        close(fd);
    }
    return *write != MAP_FAILED && *run != MAP_FAILED;
}

CodeCache *code_cache_new(uint64_t bytes, Error **err)
{
    CodeCache *cache;
    uint8_t *write, *run, *data;

    if (!code_cache_possible(err)) {
        return NULL;
    }
    cache = map_private(sizeof *cache);
    data = map_private(bytes);
    if (!cache || !data || !map_twice(bytes, &write, &run)) {
        error_errno(err, errno, "cannot map %llu MB of code cache",
                    (unsigned long long)bytes >> 20);
        return NULL;
    }
    trans_init(cache, write, run, bytes, data, bytes);
    return cache;
}

void code_cache_free(CodeCache *cache)
{
    if (cache) {
        munmap(cache->write, cache->size);
        munmap((void *)cache->run, cache->size);
        munmap(cache->data, cache->data_size);
        munmap(cache, sizeof *cache);
    }
}
