/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory from the host's kernel by pages (mmap(2)). Tables of megabytes that are looked up at
 * random cost a walk of page tables at every look-up unless they lie on huge pages. Linux gives
 * huge pages to shared memory by itself only where its administrator says so; from 6.1 on it makes
 * some when it is asked to (MADV_COLLAPSE).
 * Not here: guest RAM (softmmu/memory/ram.c).
 */
#include "util/map.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static const size_t huge = 2 << 20;

static void *map_anonymous(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return at == MAP_FAILED ? NULL : at;
}

/* Room for the alignment is taken, too, and what is left over of it given back. */
static uint8_t *map_aligned(size_t bytes)
{
    uint8_t *room = map_anonymous(bytes + huge), *at = room;
    size_t before = -(uintptr_t)room % huge;

    if (room) {
        at += before;
        if (before) {
            munmap(room, before);
        }
        munmap(at + bytes, huge - before);
    }
    return at;
}

/* As much as is mapped. What is larger than a huge page ends with one. */
static size_t whole(size_t bytes)
{
    size_t page = bytes < huge ? (size_t)sysconf(_SC_PAGESIZE) : huge;

    return (bytes + page - 1) & -page;
}

void *map_zeroed(size_t bytes)
{
    void *at;

    bytes = whole(bytes);
    at = bytes < huge ? map_anonymous(bytes) : map_aligned(bytes);
    if (at && bytes >= huge) {
        madvise(at, bytes, MADV_HUGEPAGE);
    }
    return at;
}

void *map_sparse(size_t bytes)
{
    void *at = map_anonymous(whole(bytes));

    if (at) {
        madvise(at, whole(bytes), MADV_NOHUGEPAGE);
    }
    return at;
}

/* Where a huge page may lie over it, should the host make one of the memory's pages. */
static uint8_t *map_shared(size_t bytes)
{
    uint8_t *room = bytes < huge ? NULL : map_aligned(bytes),
            *at = mmap(room, bytes, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | (room ? MAP_FIXED : 0), -1, 0);

    if (at == MAP_FAILED) {
        map_free(room, bytes);
        return NULL;
    }
    return at;
}

/* The same memory once more (mremap(2): of shared memory, from a size of 0). */
static uint8_t *map_again(uint8_t *at, size_t bytes)
{
    uint8_t *room = bytes < huge ? NULL : map_aligned(bytes),
            *again = mremap(at, 0, bytes, MREMAP_MAYMOVE | (room ? MREMAP_FIXED : 0), room);

    if (again == MAP_FAILED) {
        map_free(room, bytes);
        return NULL;
    }
    return again;
}

/* No file of its own: perf takes names of translated code from perf-PID.map only for memory that
 * has no file, or /dev/zero, as this is called. */
bool map_twice(size_t bytes, uint8_t **write, const uint8_t **run)
{
    uint8_t *again;
    int why;

    bytes = whole(bytes);
    *write = map_shared(bytes);
    again = *write ? map_again(*write, bytes) : NULL;
    *run = again && !mprotect(again, bytes, PROT_READ | PROT_EXEC) ? again : NULL;
    why = errno;
    if (!*run) {
        map_free(again, bytes);
        map_free(*write, bytes);
        *write = NULL;
        errno = why;
    }
    return *run;
}

void map_free(const void *at, size_t bytes)
{
    if (at) {
        munmap((void *)at, whole(bytes));
    }
}

void map_gather(const void *at, size_t bytes)
{
    madvise((void *)at, bytes, MADV_COLLAPSE);
}
