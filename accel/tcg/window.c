/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host memory of the direct window (target/i386/rt/window.h): address space that nothing else gets,
 * and in it pages of guest RAM, mapped a second time from RAM's file (mmap(2), memfd_create(2)).
 * RAM without a file of its own, or with a private view of one, cannot be mapped twice.
 */
#include "accel/tcg/window.h"

#include "softmmu/memory/memory.h"
#include "target/i386/rt/cpu.h"
#include "util/map.h"

#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const uint64_t room = WINDOW_CHUNK + 2 * WINDOW_GUARD;
static const int nothing = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

bool window_reserve(Cpu *c, _Atomic int64_t *areas, uint32_t most)
{
    Window *w = &c->window;
    uint8_t *at = mmap(NULL, WINDOW_SLOTS * room, PROT_NONE, nothing, -1, 0);

    if (at == MAP_FAILED) {
        return false;
    }
    w->store = mmap(NULL, sizeof *w->store, PROT_READ | PROT_WRITE, nothing, -1, 0);
    if (w->store == MAP_FAILED) {
        w->store = NULL;
        munmap(at, WINDOW_SLOTS * room);
        return false;
    }
    for (unsigned n = 0; n < WINDOW_SLOTS; n++) {
        w->host[n] = (uintptr_t)at + n * room + WINDOW_GUARD;
    }
    w->all_areas = areas;
    w->most_areas = most;
    return true;
}

void window_release(Cpu *c)
{
    Window *w = &c->window;

    if (w->store) {
        *w->all_areas -= w->areas;
        munmap((void *)(w->host[0] - WINDOW_GUARD), WINDOW_SLOTS * room);
        munmap(w->store, sizeof *w->store);
        window_init(c);
    }
}

uint32_t window_area_limit(void)
{
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    unsigned most = 65530;

    if (file) {
        if (fscanf(file, "%u", &most) != 1 || most > 1u << 24) {
            most = 65530;
        }
        fclose(file);
    }
    return most / 4 * 3;
}

/* ---- what the run-time library calls ---- */

bool window_host_unmap(Cpu *c, uintptr_t at, uint64_t bytes)
{
    (void)c;
    return mmap((void *)at, bytes, PROT_NONE, nothing | MAP_FIXED, -1, 0) != MAP_FAILED;
}

bool window_host_close(Cpu *c, uintptr_t at, uint64_t bytes)
{
    (void)c;
    return !mprotect((void *)at, bytes, PROT_READ);
}

uint64_t window_host_cpu_time(Cpu *c)
{
    struct timespec t = {0};

    (void)c;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void window_host_differs(Cpu *c, uint64_t linear, const char *what)
{
    g_printerr("window: %#" PRIx64 " is mapped, but %s in the guest's tables; rip %#" PRIx64 "\n",
               linear, what, c->s.rip);
    _exit(3);
}

/* What failed may have left a hole, which somebody else would get. */
bool window_host_map(Cpu *c, uintptr_t at, const PhysPage *p, uint64_t bytes, bool write)
{
    const Ram *ram = p->ram;
    int rights = PROT_READ | (write ? PROT_WRITE : 0);

    if (!ram || !ram->shared || p->ram_at + bytes > ram->size) {
        return false;
    }
    if (mmap((void *)at, bytes, rights, MAP_SHARED | MAP_FIXED | MAP_POPULATE, ram->fd,
             (off_t)p->ram_at) != MAP_FAILED) {
        return true;
    }
    c->window.lost |= !window_host_unmap(c, at, bytes);
    return false;
}
