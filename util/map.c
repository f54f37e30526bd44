/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory from the host's kernel by pages (mmap(2), memfd_create(2)). Tables of megabytes that are
 * looked up at random cost a walk of page tables at every look-up unless they lie on huge pages.
 * Linux gives huge pages to shared memory by itself only where its administrator says so; from 6.1
 * on it makes some when it is asked to (MADV_COLLAPSE).
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

/* Where a huge page may lie over it, should the host make one of the memory's pages. */
static void *map_shared(int fd, size_t bytes, int protection)
{
    void *room = bytes < huge ? NULL : map_aligned(bytes),
         *at = mmap(room, bytes, protection, MAP_SHARED | (room ? MAP_FIXED : 0), fd, 0);

    if (at == MAP_FAILED) {
        if (room) {
            munmap(room, bytes);
        }
        return NULL;
    }
    return at;
}

bool map_twice(const char *name, size_t bytes, uint8_t **write, const uint8_t **run)
{
    int fd = memfd_create(name, MFD_CLOEXEC), why;
    bool sized;

    bytes = whole(bytes);
    sized = fd >= 0 && !ftruncate(fd, bytes);

    *write = sized ? map_shared(fd, bytes, PROT_READ | PROT_WRITE) : NULL;
    *run = *write ? map_shared(fd, bytes, PROT_READ | PROT_EXEC) : NULL;
    why = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (!*run) {
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
