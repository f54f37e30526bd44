/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The power management timer (ACPI 6.4, 4.8.3.3), read whole from the run-time library
 * (softmmu/memory/answer.h): it is the time and nothing else. The rest is acpi_pm.c's.
 */
#include "hw/chipset/acpi_pm_rt.h"

bool pm_timer_answer(void *data, const RtClock *clock, RtIo *io)
{
    int64_t now;

    if (io->write || io->size != 4 || !rt_now(clock, &now)) {
        return false;
    }
    io->value = pm_timer_ticks(now < 0 ? 0 : now) & ((1u << PM_TIMER_BITS) - 1);
    return true;
}
