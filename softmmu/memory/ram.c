/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host memory for guests, and the bits that say which pages were written.
 *
 * Private RAM is anonymous, aligned and advised for huge pages; nothing is touched until the guest
 * does. Shared RAM is a memfd; it has huge pages where a vCPU has asked for them. Bits are set with
 * relaxed atomics, after the bytes; whoever takes them clears first and looks at the bytes
 * afterwards.
 */
#include "softmmu/memory/memory_impl.h"
#include "util/map.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const uint64_t huge = 2 << 20, most = 1ull << 46;

static uint64_t round_up(uint64_t n, uint64_t to)
{
    return (n + to - 1) / to * to;
}

static size_t code_bytes(uint64_t size)
{
    return (size / PAGE + 1) * sizeof(CodePage);
}

/* Address space first, with room to align; then the part that is used. */
static void *map_aligned(uint64_t size, uint64_t align, int fd, int flags)
{
    uint8_t *room =
        mmap(NULL, size + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (room == MAP_FAILED) {
        return MAP_FAILED;
    }
    uint64_t before = round_up((uintptr_t)room, align) - (uintptr_t)room;
    void *host =
        mmap(room + before, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED | MAP_NORESERVE, fd, 0);
    if (host == MAP_FAILED) {
        int why = errno;

        munmap(room, size + align);
        errno = why;
        return MAP_FAILED;
    }
    if (before) {
        munmap(room, before);
    }
    munmap(room + before + size, align - before);
    return host;
}

static Ram *wrap(const char *name, void *host, uint64_t size, int fd, bool shared)
{
    void *code = mmap(NULL, code_bytes(size), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    Ram *ram = g_new0(Ram, 1);

    if (code == MAP_FAILED) {
        g_error("%s: no address space for its code map", name);
    }
    *ram = (Ram){.host = host, .size = size, .fd = fd, .users = 1, .name = g_strdup(name)};
    ram->shared = shared && fd >= 0;
    ram->code = code;
    return ram;
}

Ram *ram_map(const char *name, uint64_t size, uint64_t align, int fd, bool shared, Error **err)
{
    int flags = (shared ? MAP_SHARED : MAP_PRIVATE) | (fd < 0 ? MAP_ANONYMOUS : 0);
    void *host = MAP_FAILED;

    align = MAX(align, size >= huge ? huge : PAGE);
    errno = EINVAL;
    if (size && size <= most) {
        size = round_up(size, MAX(align == huge ? PAGE : align, PAGE));
        host = map_aligned(size, align, fd, flags);
    }
    if (host == MAP_FAILED) {
        error_errno(err, errno, "%s: no %" PRIu64 " bytes of memory", name, size);
        return NULL;
    }
    if (size >= huge && fd < 0) {
        madvise(host, size, MADV_HUGEPAGE);
    }
    return wrap(name, host, size, fd, shared);
}

Ram *ram_new(const char *name, uint64_t size, RamKind kind, Error **err)
{
    int fd = kind == RAM_SHARED ? memfd_create(name, MFD_CLOEXEC) : -1;
    Ram *ram = NULL;

    if (kind == RAM_SHARED && (fd < 0 || size > most || ftruncate(fd, round_up(size, PAGE)))) {
        error_errno(err, errno, "%s: no %" PRIu64 " bytes of shared memory", name, size);
    } else {
        ram = ram_map(name, size, PAGE, fd, kind == RAM_SHARED, err);
    }
    if (ram && ram->shared && ram->size >= huge) {
        ram->warmth = (_Atomic uint8_t *)g_new0(uint8_t, ram->size / huge + 1);
    }
    if (!ram && fd >= 0) {
        close(fd);
    }
    return ram;
}

void ram_ref(Ram *ram)
{
    atomic_fetch_add(&ram->users, 1);
}

void ram_unref(Ram *ram)
{
    if (atomic_fetch_sub(&ram->users, 1) > 1) {
        return;
    }
    munmap(ram->host, ram->size);
    munmap(ram->code, code_bytes(ram->size));
    if (ram->fd >= 0) {
        close(ram->fd);
    }
    for (int i = 0; i < DIRTY_CLIENTS; i++) {
        g_free(ram->dirty[i]);
    }
    g_free((void *)ram->warmth);
    g_free(ram->name);
    g_free(ram);
}

void ram_gather(Ram *ram, uint64_t at)
{
    uint64_t first = at / huge * huge;

    if (first + huge <= ram->size) {
        map_gather(ram->host + first, huge);
    }
}

/* ---- dirty bits ---- */

typedef struct Pages {
    uint64_t first, last; /* page numbers, both included */
} Pages;

static Pages pages(uint64_t at, size_t n)
{
    return (Pages){at / PAGE, (at + n - 1) / PAGE};
}

/* The bits of [first, last] that are in word w. */
static uint64_t mask(Pages p, uint64_t w)
{
    uint64_t low = MAX(p.first, w * 64) % 64, high = MIN(p.last, w * 64 + 63) % 64;

    return (~0ull >> (63 - high)) & (~0ull << low);
}

void ram_mark(Ram *ram, uint64_t at, size_t n)
{
    Pages p = pages(at, n);
    unsigned logged = ram->logged;

    for (int i = 0; n && i < DIRTY_CLIENTS; i++) {
        for (uint64_t w = p.first / 64; logged >> i & 1 && w <= p.last / 64; w++) {
            uint64_t bits = mask(p, w);

            if (~atomic_load_explicit(&ram->dirty[i][w], memory_order_relaxed) & bits) {
                atomic_fetch_or(&ram->dirty[i][w], bits);
            }
        }
    }
}

void ram_written(Ram *ram, uint64_t at, size_t n)
{
    if (n) {
        ram_mark(ram, at, n);
    }
    /* Code decoded from there is stale; none is of what was never mapped. */
    for (size_t done = 0, step; ram->memory && done < n; done += step) {
        unsigned offset = (at + done) % PAGE;

        step = MIN(n - done, PAGE - offset);
        code_written(&ram->code[(at + done) / PAGE], &ram->memory->code_hits, offset, step);
    }
}

bool ram_all_dirty(const Ram *ram, uint64_t at, size_t n)
{
    Pages p = pages(at, n);
    unsigned logged = ram->logged;

    for (int i = 0; n && i < DIRTY_CLIENTS; i++) {
        for (uint64_t w = p.first / 64; logged >> i & 1 && w <= p.last / 64; w++) {
            if (~atomic_load(&ram->dirty[i][w]) & mask(p, w)) {
                return false;
            }
        }
    }
    return true;
}

static void tell_cleaned(Ram *ram)
{
    for (AddressSpace *as = ram->memory ? ram->memory->spaces : NULL; as; as = as->next) {
        for (MemListener *l = as->listeners; l; l = l->next) {
            if (l->cleaned) {
                l->cleaned(l, ram);
            }
        }
    }
}

typedef struct Log {
    Ram *ram;
    unsigned clients;
} Log;

static void set_logged(void *opaque)
{
    Log *log = opaque;
    Ram *ram = log->ram;

    ram->logged = log->clients;
    for (AddressSpace *as = ram->memory ? ram->memory->spaces : NULL; as; as = as->next) {
        for (MemListener *l = as->listeners; l; l = l->next) {
            if (l->log) {
                l->log(l, ram, log->clients);
            }
        }
    }
    tell_cleaned(ram);
}

void ram_log(Ram *ram, unsigned client, bool on)
{
    int i = __builtin_ctz(client);
    Log log = {ram, on ? ram->logged | client : ram->logged & ~client};

    if (log.clients == ram->logged) {
        return;
    }
    if (on && !ram->dirty[i]) {
        ram->dirty[i] = g_malloc0((ram->size / PAGE / 64 + 1) * 8);
    }
    for (uint64_t w = 0; on && w <= ram->size / PAGE / 64; w++) {
        ram->dirty[i][w] = 0;
    }
    memory_exclusive(ram->memory, set_logged, &log);
}

typedef struct Take {
    Ram *ram;
    unsigned client;
    Pages p;
    uint64_t *out;
    bool any;
} Take;

static void take(void *opaque)
{
    Take *t = opaque;
    _Atomic uint64_t *map = t->ram->dirty[t->client];

    for (uint64_t w = t->p.first / 64; w <= t->p.last / 64; w++) {
        uint64_t bits = mask(t->p, w), had = atomic_fetch_and(&map[w], ~bits) & bits;

        t->any |= had != 0;
        if (t->out) {
            t->out[w - t->p.first / 64] = had;
        }
    }
    if (t->any) {
        tell_cleaned(t->ram);
    }
}

static void sync_marks(Ram *ram)
{
    for (AddressSpace *as = ram->memory ? ram->memory->spaces : NULL; as; as = as->next) {
        for (MemListener *l = as->listeners; l; l = l->next) {
            if (l->sync) {
                l->sync(l, ram);
            }
        }
    }
}

static bool take_range(Take t)
{
    Ram *ram = t.ram;
    bool any = false;

    if (!ram->dirty[t.client]) {
        return false;
    }
    sync_marks(ram);
    for (uint64_t w = t.p.first / 64; !any && w <= t.p.last / 64; w++) {
        any = ram->dirty[t.client][w] & mask(t.p, w);
    }
    if (any) { /* else nobody need be disturbed: what is written now is found next time */
        memory_exclusive(ram->memory, take, &t);
    }
    return t.any;
}

bool ram_take_dirty(Ram *ram, unsigned client, uint64_t at, size_t n)
{
    return n && take_range((Take){ram, __builtin_ctz(client), pages(at, n)});
}

bool ram_take_dirty_bits(Ram *ram, unsigned client, uint64_t at, size_t n, uint64_t *out)
{
    Take t = {ram, __builtin_ctz(client), pages(at, n), out};

    memset(out, 0, n ? (t.p.last / 64 - t.p.first / 64 + 1) * 8 : 0);
    return n && take_range(t);
}
