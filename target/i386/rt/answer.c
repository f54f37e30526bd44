/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the run-time library knows without asking the world: guest time, and the answers of devices
 * that softmmu/memory/answer.h describes. Everything else is a call through the gate (host.h).
 */
#include "target/i386/rt/host.h"
#include "target/i386/rt/rt.h"

bool rt_answer_of(const Cpu *c, const RtRange *r, uint64_t at, RtIo *io)
{
    uint64_t in = r ? at - r->first : 0;

    if (!r || in >= r->bytes) {
        return false;
    }
    io->offset = r->offset + in;
    return r->answer(r->data, &c->clock, io);
}

bool rt_answer(const Cpu *c, const RtRanges *ranges, uint64_t at, RtIo *io)
{
    for (unsigned n = 0; n < ranges->count; n++) {
        const RtRange *r = &ranges->range[n];
        uint64_t in = at - r->first;

        if (in < r->bytes) {
            io->offset = r->offset + in;
            return io->size <= r->bytes - in && r->answer(r->data, &c->clock, io);
        }
    }
    return false;
}

uint32_t rt_in(Cpu *c, uint16_t port, unsigned size)
{
    RtIo io = {.size = size};

    return rt_answer(c, &c->answers[RT_PORTS], port, &io) ? io.value
                                                          : HOST_CALL(c, port_read, port, size);
}

void rt_out(Cpu *c, uint16_t port, uint32_t value, unsigned size)
{
    RtIo io = {.value = value, .size = size, .write = true};

    if (!rt_answer(c, &c->answers[RT_PORTS], port, &io)) {
        HOST_DO(c, port_write, port, value, size);
    }
}

/* a * b / d, where that is below 2^64. */
static uint64_t scaled(uint64_t a, uint64_t b, uint64_t d)
{
    uint64_t high, low;

    __asm__("mulq %3\n\tdivq %4" : "=&a"(low), "=&d"(high) : "0"(a), "r"(b), "r"(d) : "cc");
    return low;
}

/* As cpu_tsc() has it. */
uint64_t rt_tsc(Cpu *c)
{
    int64_t now;

    if (!c->clock.now) { /* no machine, or a test mode */
        return HOST_CALL(c, tsc) + c->s.tsc_offset;
    }
    /* 2^60 ns are 36 years; above, or where a second has more ticks than fit, leave it to C */
    if (c->tsc_hz >> 33 || !c->tsc_hz || !rt_now(&c->clock, &now) || (uint64_t)now >> 60) {
        return HOST_CALL(c, tsc) + c->s.tsc_offset;
    }
    return scaled(now, c->tsc_hz, 1000000000) + c->s.tsc_offset;
}
