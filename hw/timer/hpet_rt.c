/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The main counter of the HPET (IA-PC HPET specification 1.0a, 2.3.7), read in four or eight bytes
 * from the run-time library (softmmu/memory/answer.h). Everything else is hpet.c's.
 */
#include "hw/timer/hpet_rt.h"

enum { COUNTER = 0xf0, TICK_NS = 10 };

bool hpet_answer(void *data, const RtClock *clock, RtIo *io)
{
    HpetCount *h = data;
    uint32_t version = rt_read_begin(&h->version);
    uint64_t value = h->counter, base = h->base;
    int64_t now;

    if (io->write || io->offset != COUNTER || io->size < 4) {
        return false;
    }
    if (h->runs) {
        if (!rt_now(clock, &now)) {
            return false;
        }
        value += (now - base) / TICK_NS;
    }
    io->value = io->size == 4 ? (uint32_t)value : value;
    return rt_read_end(&h->version, version);
}
