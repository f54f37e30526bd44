/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What programs ask of the operating system: system calls, processes, pages, signals.
 */
#include "bench.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A unit: 10 calls. */
static uint64_t getppid_calls(uint8_t *arena, uint64_t count)
{
    uint64_t same = 0;

    for (uint64_t n = 0; n < count * 10; n++) {
        same += syscall(SYS_getppid) == syscall(SYS_getppid);
    }
    return same;
}

/* A unit: open, read 4 KB, close. */
static uint64_t open_read(uint8_t *arena, uint64_t count)
{
    uint64_t bytes = 0;

    for (uint64_t n = 0; n < count; n++) {
        int fd = open("/proc/self/exe", O_RDONLY);

        bytes += (uint64_t)read(fd, arena, 4096);
        close(fd);
    }
    return bytes;
}

/* A unit: stat of a file that is there and of one that is not. */
static uint64_t stat_files(uint8_t *arena, uint64_t count)
{
    struct stat s;
    uint64_t failed = 0;

    for (uint64_t n = 0; n < count; n++) {
        failed += (uint64_t)-stat("/proc/self", &s) + (uint64_t)-stat("/there/is/no/such/file", &s);
    }
    return failed;
}

/* A unit: a byte there and back between two processes. */
static uint64_t pipe_pong(uint8_t *arena, uint64_t count)
{
    int there[2], back[2];
    uint64_t sum = 0;
    char byte = 1;
    pid_t child;

    if (pipe(there) || pipe(back)) {
        return 0;
    }
    child = fork();
    if (child == 0) {
        close(there[1]);
        while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1) {
        }
        _exit(0);
    }
    for (uint64_t n = 0; n < count; n++) {
        sum += write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1;
    }
    close(there[1]);
    waitpid(child, NULL, 0);
    close(there[0]);
    close(back[0]);
    close(back[1]);
    return sum;
}

/* Children one after the other; the sum of their statuses. */
static uint64_t children(uint64_t count, void (*life)(void))
{
    uint64_t sum = 0;

    for (uint64_t n = 0; n < count; n++) {
        int status = 1;
        pid_t child = fork();

        if (child == 0) {
            life();
        }
        waitpid(child, &status, 0);
        sum += (uint64_t)WEXITSTATUS(status);
    }
    return sum;
}

static void end(void)
{
    _exit(7);
}

static void become_this_program(void)
{
    execl("/proc/self/exe", "bench", "exit", NULL);
    _exit(1);
}

/* A unit: a child that ends at once. */
static uint64_t fork_exit(uint8_t *arena, uint64_t count)
{
    return children(count, end);
}

/* A unit: a child that becomes this program, which ends at once. */
static uint64_t fork_exec(uint8_t *arena, uint64_t count)
{
    return children(count, become_this_program);
}

/* A unit: 256 fresh pages mapped, touched, unmapped. */
static uint64_t page_faults(uint8_t *arena, uint64_t count)
{
    uint64_t sum = 0;

    for (uint64_t n = 0; n < count; n++) {
        uint8_t *pages =
            mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        madvise(pages, 1 << 20, MADV_NOHUGEPAGE);
        for (uint32_t at = 0; at < 1 << 20; at += 4096) {
            pages[at] = (uint8_t)n;
            sum += pages[at + 1];
        }
        munmap(pages, 1 << 20);
    }
    return sum;
}

/* A unit: protection changed there and back, with a store between. */
static uint64_t protect(uint8_t *arena, uint64_t count)
{
    for (uint64_t n = 0; n < count; n++) {
        mprotect(arena + 4096, 4096, PROT_READ);
        mprotect(arena + 4096, 4096, PROT_READ | PROT_WRITE);
        arena[4096] = (uint8_t)n;
    }
    return arena[4096];
}

static void ignore(int number)
{
}

/* A unit: a signal sent to oneself and handled. */
static uint64_t signals(uint8_t *arena, uint64_t count)
{
    struct sigaction act = {.sa_handler = ignore};
    pid_t self = getpid();

    sigaction(SIGUSR1, &act, NULL);
    for (uint64_t n = 0; n < count; n++) {
        kill(self, SIGUSR1);
    }
    return count;
}

static void fault(int number, siginfo_t *info, void *context)
{
    mprotect((void *)((uintptr_t)info->si_addr & ~(uintptr_t)4095), 4096, PROT_READ | PROT_WRITE);
}

/* A unit: a store to a protected page, whose handler lifts the protection. */
static uint64_t fault_signals(uint8_t *arena, uint64_t count)
{
    struct sigaction act = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO}, old;

    sigaction(SIGSEGV, &act, &old);
    for (uint64_t n = 0; n < count; n++) {
        mprotect(arena + 4096, 4096, PROT_NONE);
        *(volatile uint8_t *)(arena + 4096) = (uint8_t)n;
    }
    sigaction(SIGSEGV, &old, NULL);
    return arena[4096];
}

/* clang-format off */
const Workload os_workloads[] = {
    {"os", "getppid", getppid_calls},
    {"os", "open-read", open_read},
    {"os", "stat", stat_files},
    {"os", "pipe-pong", pipe_pong},
    {"os", "fork-exit", fork_exit},
    {"os", "fork-exec", fork_exec},
    {"os", "page-faults", page_faults},
    {"os", "mprotect", protect},
    {"os", "signals", signals},
    {"os", "segv", fault_signals},
    {0},
};
/* clang-format on */
