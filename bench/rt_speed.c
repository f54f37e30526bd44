/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How fast the interpreter is by itself: a few loops of 64-bit code on a bare CPU, in millions of
 * guest instructions per second of CPU time. `rt-speed [seconds]`
 */
#include "tests/lib/barecpu.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* clang-format off */
GUEST(registers, ".code64\n"
    "1: add %rbx, %rax\n lea 3(%rax,%rcx,2), %rdx\n xor %edx, %esi\n shr $3, %esi\n cmp %rsi, %rax\n"
    "   cmovb %rcx, %rdi\n test %al, %al\n jz 2f\n inc %ecx\n2: jmp 1b");
GUEST(memory, ".code64\n"
    "xor %ecx, %ecx\n"
    "1: mov 0x30000(,%rcx,8), %rax\n add %rax, 0x31000(,%rcx,8)\n movzbl 0x30000(%rcx), %edx\n"
    "   mov %edx, 0x30800(,%rcx,4)\n inc %ecx\n and $0xff, %ecx\n jmp 1b");
GUEST(calls, ".code64\n"
    "1: mov $5, %edi\n call 2f\n jmp 1b\n"
    "2: push %rbp\n mov %rsp, %rbp\n push %rbx\n sub $8, %rsp\n mov %edi, %ebx\n cmp $1, %edi\n jbe 3f\n"
    "   lea -1(%rdi), %edi\n call 2b\n add %ebx, %eax\n3: add $8, %rsp\n pop %rbx\n pop %rbp\n ret");
GUEST(locked, ".code64\n"
    "1: lock incl 0x30000\n mov $0, %eax\n lock cmpxchg %ecx, 0x30040\n gs movl 0x30000, %edx\n jmp 1b");
GUEST(vectors, ".code64\n"
    "1: movaps 0x30000, %xmm0\n addps %xmm1, %xmm0\n mulps 0x30010, %xmm0\n pxor %xmm2, %xmm3\n"
    "   movups %xmm0, 0x30020\n pshufd $0x1b, %xmm0, %xmm4\n movd %xmm4, %eax\n comiss %xmm1, %xmm0\n jmp 1b");
GUEST(x87, ".code64\n fninit\n"
    "1: fldl 0x30000\n fmull 0x30008\n fld1\n faddp\n fstpl 0x30010\n jmp 1b");
/* clang-format on */

typedef struct Loop {
    const char *name;
    const uint8_t *from, *end;
} Loop;

static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The loops never end: a timer's thread kicks the CPU. */
static void stop_running(union sigval cpu)
{
    cpu_kick(cpu.sival_ptr);
}

static void measure(const Loop *loop, double seconds)
{
    BareCpu *b = bare_new(CODE_64);
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = stop_running};
    struct itimerspec when = {
        .it_value = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)}};
    timer_t timer;
    double start;

    bare_load(b, loop->from, loop->end);
    event.sigev_value.sival_ptr = b->c;
    timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer);
    start = cpu_seconds();
    timer_settime(timer, 0, &when, NULL);
    bare_run(b);
    printf("%-10s %6.1f M/s\n", loop->name, (double)b->c->retired / (cpu_seconds() - start) / 1e6);
    timer_delete(timer);
    bare_free(b);
}

int main(int argc, char **argv)
{
    const Loop loops[] = {
        {"registers", registers, registers_end},
        {"memory", memory, memory_end},
        {"calls", calls, calls_end},
        {"locked", locked, locked_end},
        {"vectors", vectors, vectors_end},
        {"x87", x87, x87_end},
    };
    double seconds = argc > 1 ? atof(argv[1]) : 0.5;

    for (unsigned n = 0; n < sizeof(loops) / sizeof(loops[0]); n++) {
        measure(&loops[n], seconds);
    }
    return 0;
}
