/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory from the host's kernel by pages (mmap(2), memfd_create(2)). Tables of megabytes that are
 * looked up at random cost a walk of page tables at every look-up unless they lie on huge pages.
 * Not here: guest RAM (softmmu/memory/ram.c), huge pages for what is mapped twice: Linux gives them
 * to shared memory only where its administrator says so.
 */
#include "util/map.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

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
        map_free(before ? room : NULL, before);
        munmap(at + bytes, huge - before);
    }
    return at;
}

void *map_zeroed(size_t bytes)
{
    size_t page = sysconf(_SC_PAGESIZE);
    void *at;

    bytes = (bytes + page - 1) & -page;
    at = bytes < huge ? map_anonymous(bytes) : map_aligned(bytes);
    if (at && bytes >= huge) {
        madvise(at, bytes, MADV_HUGEPAGE);
    }
    return at;
}

static void *map_shared(int fd, size_t bytes, int protection)
{
    void *at = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);

    return at == MAP_FAILED ? NULL : at;
}

bool map_twice(const char *name, size_t bytes, uint8_t **write, const uint8_t **run)
{
    int fd = memfd_create(name, MFD_CLOEXEC), why;
    bool sized = fd >= 0 && !ftruncate(fd, bytes);

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
        munmap((void *)at, bytes);
    }
}
