/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work for a guest whose engine is under test: `nested-work ROUNDS`. Two threads hold values in x87
 * and SSE registers, and in AVX's upper halves where the kernel offers AVX (the first line tells),
 * across system calls that move them from CPU to CPU, while signals come whose handler uses the same
 * registers; and time must never go backwards, on either. A line a round.
 * Built statically, run inside guests by nested.py.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { STEPS = 40, THREADS = 2 };

static atomic_int signals, wrong_fpu, wrong_time;
static _Atomic int64_t latest_ns;
static volatile double spoiled;

static int has_avx(void)
{
    return __builtin_cpu_supports("avx"); /* XCR0 has been looked at, too */
}

static void on_alarm(int number)
{
    double x = 1.5 + number;

    if (has_avx()) {
        __asm__ volatile("vpcmpeqd %%xmm0, %%xmm0, %%xmm0\n\t"
                         "vinsertf128 $1, %%xmm0, %%ymm0, %%ymm5\n\t"
                         "vmovaps %%ymm5, %%ymm13" ::
                             : "xmm0", "xmm5", "xmm13");
    }
    for (int n = 0; n < 4; n++) {
        x = x * 1.25 + n;
    }
    spoiled = x;
    atomic_fetch_add(&signals, 1);
}

/* The time that some thread saw earlier cannot be later than what this one sees now. */
static void look_at_clock(void)
{
    int64_t seen = atomic_load(&latest_ns), now;
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    now = t.tv_sec * 1000000000ll + t.tv_nsec;
    if (now < seen) {
        atomic_fetch_add(&wrong_time, 1);
    }
    while (now > seen && !atomic_compare_exchange_weak(&latest_ns, &seen, now)) {
    }
}

/* Move to a CPU with registers full; true: they came along. */
static int move_with_registers(unsigned cpu, uint64_t seed)
{
    uint64_t set[16] = {1ull << cpu}, in[4] = {seed, ~seed, seed * 3, seed ^ 0x5555}, out[4] = {0};
    uint64_t x87_in = seed >> 2, x87_out = 0;
    long result;

    __asm__ volatile(
        "movdqu (%[in]), %%xmm3\n\t"
        "movdqu 16(%[in]), %%xmm12\n\t"
        "fildll (%[xin])\n\t"
        "syscall\n\t"
        "fistpll (%[xout])\n\t"
        "movdqu %%xmm3, (%[out])\n\t"
        "movdqu %%xmm12, 16(%[out])"
        : "=a"(result)
        : "a"(SYS_sched_setaffinity), "D"(0L), "S"(sizeof set),
          "d"(set), [in] "r"(in), [out] "r"(out), [xin] "r"(&x87_in), [xout] "r"(&x87_out)
        : "rcx", "r11", "memory", "xmm3", "xmm12", "st");
    for (int n = 0; n < 4; n++) {
        if (in[n] != out[n]) {
            return 0;
        }
    }
    return result >= 0 && x87_in == x87_out;
}

/* The same with whole AVX registers. */
static int move_with_avx(unsigned cpu, uint64_t seed)
{
    uint64_t set[16] = {1ull << cpu}, in[8], out[8] = {0};
    long result;

    for (int n = 0; n < 8; n++) {
        in[n] = seed * (2 * n + 1);
    }
    __asm__ volatile("vmovups (%[in]), %%ymm5\n\t"
                     "vmovups 32(%[in]), %%ymm13\n\t"
                     "syscall\n\t"
                     "vmovups %%ymm5, (%[out])\n\t"
                     "vmovups %%ymm13, 32(%[out])\n\t"
                     "vzeroupper"
                     : "=a"(result)
                     : "a"(SYS_sched_setaffinity), "D"(0L), "S"(sizeof set),
                       "d"(set), [in] "r"(in), [out] "r"(out)
                     : "rcx", "r11", "memory", "xmm5", "xmm13");
    for (int n = 0; n < 8; n++) {
        if (in[n] != out[n]) {
            return 0;
        }
    }
    return result >= 0;
}

static void *mover(void *opaque)
{
    unsigned cpus = sysconf(_SC_NPROCESSORS_ONLN), first = (uintptr_t)opaque;
    uint64_t seed = 0x0123456789abcdef + first;

    for (unsigned n = 0; n < STEPS; n++) {
        if (!move_with_registers((first + n) % cpus, seed) ||
            (has_avx() && !move_with_avx((first + n + 1) % cpus, seed))) {
            atomic_fetch_add(&wrong_fpu, 1);
        }
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        look_at_clock();
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct itimerval every = {{0, 2000}, {0, 2000}};
    int rounds = argc > 1 ? atoi(argv[1]) : 1;

    printf("registers: x87, SSE%s\n", has_avx() ? ", AVX" : "");
    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &every, NULL);
    for (int round = 1; round <= rounds; round++) {
        pthread_t thread[THREADS];
        int before = signals;

        for (uintptr_t n = 0; n < THREADS; n++) {
            pthread_create(&thread[n], NULL, mover, (void *)n);
        }
        for (int n = 0; n < THREADS; n++) {
            pthread_join(thread[n], NULL);
        }
        while (signals < before + 3) {
            pause();
        }
        printf("round %d: fpu %s, time %s, signals came\n", round, wrong_fpu ? "WRONG" : "right",
               wrong_time ? "WRONG" : "right");
        fflush(stdout);
    }
    puts(wrong_fpu || wrong_time ? "work FAILED" : "work done");
    return wrong_fpu || wrong_time;
}
