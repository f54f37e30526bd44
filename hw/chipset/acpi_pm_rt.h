/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The power management timer for answers without the device; plain C. */
#pragma once
#include "softmmu/memory/answer.h"

enum { PM_TIMER_HERTZ = 3579545, PM_TIMER_BITS = 24 };

/* Ticks since the clock began; ns >= 0. */
static inline uint64_t pm_timer_ticks(int64_t ns)
{
    uint64_t second = 1000000000, t = ns;

    return t / second * PM_TIMER_HERTZ + t % second * PM_TIMER_HERTZ / second;
}

/* data: nothing. */
RtAnswer pm_timer_answer;
