/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's half of the benchmark: reads commands from its standard input, answers on standard
 * output. It runs natively just so; as process 1 of a guest it mounts what it needs and talks on
 * the console.
 *
 *   list                 * GROUP/NAME for each workload, then a line `.`
 *   try NAME NS          one unit, then more, until a run takes NS nanoseconds or more
 *   run NAME COUNT       COUNT units
 *   show FOLDER          the files of a folder with their first lines, as `| NAME: TEXT`, then a
 * line `.` clock                `= NANOSECONDS` of CLOCK_MONOTONIC off                  power off,
 * or the end of the process
 *
 * `try` and `run` answer `= COUNT NANOSECONDS CPU CHECKSUM`: the last run's time by CLOCK_MONOTONIC
 * around the workload alone, the CPU time of this process and its children in it, and the checksum
 * of one unit (0: not known); or `! REASON`.
 */
#include "bench.h"

#include "program.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static const Workload *const tables[] = {integer_workloads, program_workloads, branch_workloads,
                                         fp_workloads,      x87_workloads,     simd_workloads,
                                         memory_workloads,  os_workloads,      jit_workloads,
                                         bits32_workloads,  smp_workloads,     NULL};

static const Workload *find(const char *wanted)
{
    for (int n = 0; tables[n]; n++) {
        for (const Workload *w = tables[n]; w->name; w++) {
            char name[80];

            snprintf(name, sizeof(name), "%s/%s", w->group, w->name);
            if (!strcmp(name, wanted)) {
                return w;
            }
        }
    }
    return NULL;
}

static void list(void)
{
    for (int n = 0; tables[n]; n++) {
        for (const Workload *w = tables[n]; w->name; w++) {
            printf("* %s/%s\n", w->group, w->name);
        }
    }
    printf(".\n");
}

static const char *missing(Need need)
{
    switch (need) {
    case NEED_AVX2:
        return __builtin_cpu_supports("avx2") ? NULL : "no AVX2";
    case NEED_FMA:
        return __builtin_cpu_supports("fma") ? NULL : "no FMA";
    case NEED_SSE42:
        return __builtin_cpu_supports("sse4.2") ? NULL : "no SSE4.2";
    case NEED_NOTHING:
        break;
    }
    return NULL;
}

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t of_timeval(struct timeval t)
{
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_usec * 1000;
}

/* CPU time of this process and of the children it waited for. */
static uint64_t cpu_time(void)
{
    struct timespec t;
    struct rusage children;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    getrusage(RUSAGE_CHILDREN, &children);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec + of_timeval(children.ru_utime) +
           of_timeval(children.ru_stime);
}

typedef struct Result {
    uint64_t count, ns, cpu_ns, sum;
} Result;

/* Runs r->count units. */
static void timed(const Workload *w, uint8_t *arena, Result *r)
{
    uint64_t start, cpu_start;

    if (w->prepare) {
        w->prepare(arena);
    }
    cpu_start = cpu_time();
    start = now();
    if (w->own_time) {
        r->ns = w->own_time(&r->count);
    } else {
        r->sum = w->run(arena, r->count);
        r->ns = now() - start;
    }
    r->cpu_ns = cpu_time() - cpu_start;
}

static void measure(const char *name, uint64_t count, uint64_t wanted_ns, uint8_t *arena)
{
    const Workload *w = find(name);
    const char *lacks = w ? missing(w->need) : "no such workload";
    Result r = {.count = count};
    uint64_t one;

    if (lacks) {
        printf("! %s\n", lacks);
        return;
    }
    timed(w, arena, &r);
    one = r.count == 1 ? r.sum : 0;
    while (r.ns < wanted_ns * 7 / 10 && !w->own_time && r.sum != FAILED) {
        uint64_t factor = r.ns ? wanted_ns * 11 / 10 / r.ns : 100;

        r.count *= factor > 100 ? 100 : factor < 2 ? 2 : factor;
        timed(w, arena, &r);
    }
    if (r.sum == FAILED || !r.count || !r.ns) {
        printf("! it failed\n");
        return;
    }
    printf("= %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIx64 "\n", r.count, r.ns, r.cpu_ns, one);
}

static void show(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        char path[512], line[200] = "";
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        file = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (file) {
            if (fgets(line, sizeof(line), file)) {
                printf("| %s: %s", entry->d_name, line);
            }
            fclose(file);
        }
    }
    if (dir) {
        closedir(dir);
    }
    printf(".\n");
}

/* Process 1 gets its file systems and a console that changes nothing. */
static void become_init(void)
{
    struct termios raw;
    int fd;

    mkdir("/proc", 0755);
    mkdir("/sys", 0755);
    mkdir("/dev", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("sysfs", "/sys", "sysfs", 0, NULL);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    fd = open("/dev/console", O_RDWR);
    for (int n = 0; n < 3 && fd >= 0; n++) {
        dup2(fd, n);
    }
    if (!tcgetattr(0, &raw)) {
        cfmakeraw(&raw);
        tcsetattr(0, TCSANOW, &raw);
    }
    setenv("PATH", "/usr/bin:/bin", 1);
}

/* One line; false at the end. */
static int obey(char *line, uint8_t *arena)
{
    char name[200];
    uint64_t number;

    if (!strcmp(line, "list")) {
        list();
    } else if (sscanf(line, "try %199s %" SCNu64, name, &number) == 2) {
        measure(name, 1, number, arena);
    } else if (sscanf(line, "run %199s %" SCNu64, name, &number) == 2) {
        measure(name, number, 0, arena);
    } else if (sscanf(line, "show %199s", name) == 1) {
        show(name);
    } else if (!strcmp(line, "clock")) {
        printf("= %" PRIu64 "\n", now());
    } else if (!strcmp(line, "off")) {
        return 0;
    } else {
        printf("! what is '%s'?\n", line);
    }
    return 1;
}

int main(int argc, char **argv)
{
    char line[300];
    uint8_t *arena;

    if (argc > 1 && !strcmp(argv[1], "exit")) {
        return 7;
    }
    if (getpid() == 1) {
        become_init();
    }
    arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (arena == MAP_FAILED) {
        return 1;
    }
    madvise(arena, ARENA_BYTES, MADV_DONTFORK);
    programs_prepare(argc > 1 ? argv[1] : "/tmp");
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("bench: ready\n");
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\r\n")] = 0;
        if (!obey(line, arena)) {
            break;
        }
    }
    if (getpid() == 1) {
        sync();
        reboot(RB_POWER_OFF);
    }
    return 0;
}
