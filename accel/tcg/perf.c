/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translated code for Linux's perf. perfmap: /tmp/perf-PID.map, a line of address, size and name
 * for each piece (tools/perf/Documentation/jit-interface.txt). jitdump: ./jit-PID.dump, which has
 * the bytes as well and says when each piece was made, so that `perf inject --jit` knows what stood
 * at an address that was used again (jitdump-specification.txt there, version 1). perf finds the
 * dump by an executable mapping of its first page; its times are CLOCK_MONOTONIC: record with
 * `perf record -k mono`.
 * Not written: which guest instruction a host instruction belongs to, unwinding information, code
 * that goes.
 */
#include "accel/tcg/perf.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { DUMP_MAGIC = 0x4a695444, DUMP_VERSION = 1, CODE_LOAD = 0, NAME_BYTES = 32 };

typedef struct DumpHeader {
    uint32_t magic, version, bytes, machine, pad, pid;
    uint64_t time, flags;
} DumpHeader;

typedef struct CodeLoad {
    uint32_t what, bytes; /* of the whole record: name and code follow */
    uint64_t time;
    uint32_t pid, tid;
    uint64_t address, start, size, number;
} CodeLoad;

struct JitDump {
    FILE *file;
    void *marker;
    uint64_t number; /* under the file's lock */
};

static uint64_t time_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* ---- the dump ---- */

static bool begin(JitDump *d)
{
    DumpHeader h = {
        .magic = DUMP_MAGIC,
        .version = DUMP_VERSION,
        .bytes = sizeof h,
        .machine = EM_X86_64,
        .pid = getpid(),
        .time = time_now(),
    };

    if (fwrite(&h, sizeof h, 1, d->file) != 1 || fflush(d->file)) {
        return false;
    }
    d->marker =
        mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ | PROT_EXEC, MAP_PRIVATE, fileno(d->file), 0);
    return d->marker != MAP_FAILED;
}

JitDump *jit_dump_open(const char *folder, Error **err)
{
    g_autofree char *path = g_strdup_printf("%s/jit-%d.dump", folder, (int)getpid());
    JitDump *d = g_new0(JitDump, 1);

    d->file = fopen(path, "w+e");
    if (!d->file || !begin(d)) {
        error_errno(err, errno, "cannot write %s for jitdump", path);
        if (d->file) {
            fclose(d->file);
        }
        g_free(d);
        return NULL;
    }
    return d;
}

void jit_dump_add(JitDump *d, uint64_t rip, const uint8_t *code, unsigned size)
{
    char name[NAME_BYTES];
    unsigned name_bytes = g_snprintf(name, sizeof name, "guest-%" PRIx64, rip) + 1;
    CodeLoad r = {
        .what = CODE_LOAD,
        .bytes = sizeof r + name_bytes + size,
        .time = time_now(),
        .pid = getpid(),
        .tid = syscall(SYS_gettid),
        .address = (uintptr_t)code,
        .start = (uintptr_t)code,
        .size = size,
    };

    flockfile(d->file);
    r.number = d->number++;
    fwrite(&r, sizeof r, 1, d->file);
    fwrite(name, name_bytes, 1, d->file);
    fwrite(code, size, 1, d->file);
    funlockfile(d->file);
}

void jit_dump_close(JitDump *d)
{
    if (d) {
        munmap(d->marker, sysconf(_SC_PAGESIZE));
        fclose(d->file);
        g_free(d);
    }
}

/* ---- both ---- */

static bool map_open(Tcg *t, Error **err)
{
    g_autofree char *path = g_strdup_printf("/tmp/perf-%d.map", (int)getpid());

    t->perf_map = fopen(path, "we");
    if (!t->perf_map) {
        return error_errno(err, errno, "cannot write %s for perfmap", path);
    }
    setvbuf(t->perf_map, NULL, _IOLBF, 0);
    return true;
}

bool perf_open(Tcg *t, Error **err)
{
    if (t->perfmap && !map_open(t, err)) {
        return false;
    }
    t->jit_dump = t->jitdump ? jit_dump_open(".", err) : NULL;
    return !t->jitdump || t->jit_dump;
}

void perf_close(Tcg *t)
{
    jit_dump_close(t->jit_dump);
    if (t->perf_map) {
        fclose(t->perf_map);
    }
}

bool perf_wanted(const Tcg *t)
{
    return t->perf_map || t->jit_dump;
}

void perf_code(const Tcg *t, uint64_t rip, const uint8_t *code, unsigned size)
{
    if (t->perf_map) {
        fprintf(t->perf_map, "%" PRIxPTR " %x guest-%" PRIx64 "\n", (uintptr_t)code, size, rip);
    }
    if (t->jit_dump) {
        jit_dump_add(t->jit_dump, rip, code, size);
    }
}
