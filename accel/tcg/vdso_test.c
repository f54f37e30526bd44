/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "accel/tcg/vdso.h"
#include "tests/lib/test.h"

#include <time.h>

/* clang-format off */
static const uint8_t general[] = {
    0x48, 0x39, 0xf7,       /*   cmp rdi, rsi   */
    0x74, 0x03,             /*   je  2f         */
    0x0f, 0x05,             /*   syscall        */
    0xc3,                   /*   ret            */
    0xe8, 0x01, 0, 0, 0,    /* 2: call 3f       */
    0xc3,                   /*   ret            */
    0x0f, 0x31,             /* 3: rdtsc         */
    0xeb, 0xf0,             /*   jmp the start  */
    0x0f, 0x28, 0xc1,       /*   movaps xmm0, xmm1: nothing leads here */
};
/* clang-format on */

TEST("vdso: code is read along its branches and calls, and only there")
{
    check(code_is_general(general, sizeof general, 0), true);
    check(code_is_general(general, sizeof general, sizeof general - 3), false);
}

TEST("vdso: code that uses the FPU, runs out, or jumps through a register is not trusted")
{
    static const uint8_t x87[] = {0xd9, 0xe8, 0xc3}, vex[] = {0xc5, 0xf8, 0x77, 0xc3};
    static const uint8_t branch[] = {0x74, 0x01, 0xc3, 0x0f, 0x28, 0xc1, 0xc3};
    static const uint8_t jump[] = {0xff, 0xe0}, open[] = {0x90, 0x90}, away[] = {0xeb, 0x40};

    check(code_is_general(x87, sizeof x87, 0), false);
    check(code_is_general(vex, sizeof vex, 0), false);
    check(code_is_general(branch, sizeof branch, 0), false);
    check(code_is_general(jump, sizeof jump, 0), false);
    check(code_is_general(open, sizeof open, 0), false);
    check(code_is_general(away, sizeof away, 0), false);
}

TEST("vdso: the kernel's clock tells the C library's time")
{
    GetTime *gettime = vdso_gettime();
    struct timespec before, after;
    RtTime now;

    if (!gettime) {
        return; /* a kernel without, or one whose code cannot be read: the engine does without */
    }
    clock_gettime(CLOCK_MONOTONIC, &before);
    check(gettime(CLOCK_MONOTONIC, &now), 0);
    clock_gettime(CLOCK_MONOTONIC, &after);
    check(now.seconds * 1000000000 + now.nanoseconds >=
              before.tv_sec * 1000000000ll + before.tv_nsec,
          true);
    check(now.seconds * 1000000000 + now.nanoseconds <= after.tv_sec * 1000000000ll + after.tv_nsec,
          true);
}
