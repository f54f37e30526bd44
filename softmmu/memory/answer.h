/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plain C: also read by the run-time library (target/i386/rt), which knows no GLib.
 *
 * Answers of devices that the software engine's run-time library gives by itself: the guest's FPU
 * stays in the host's registers, the vCPU inside, and nobody's lock is taken. So an answer is
 * compiled for general registers only (rt_sources in meson.build, `NAME_rt.c` beside the device),
 * reads what the device has published, and calls nothing but rt_now(). What moves a wire, sets a
 * timer or has not been published is false: then the device is called.
 * An answer may be given while another thread is in the device: the data are atomic, or of one
 * version (RtVersion), or only the vCPU's own.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct RtTime { /* as struct timespec */
    int64_t seconds, nanoseconds;
} RtTime;

enum { RT_CLOCK_MONOTONIC = 1 }; /* as CLOCK_MONOTONIC */

/* How guest time is told without leaving: as clock_now() does. */
typedef struct RtClock {
    int (*gettime)(int clock, RtTime *out); /* NULL: it cannot be told here                  */
    const _Atomic int64_t *now, *offset;    /* of the guest's clock: stopped there, or < 0 */
} RtClock;

typedef struct RtIo {
    uint64_t offset, value; /* in the region; what is written, or the answer */
    uint8_t size;           /* bytes: 1, 2, 4, 8; inside the region          */
    bool write;
} RtIo;

typedef bool RtAnswer(void *data, const RtClock *clock, RtIo *io);

/* Where answers are to be had: a piece of a region in an address space. */
typedef struct RtRange {
    uint64_t first, bytes, offset;
    RtAnswer *answer;
    void *data;
} RtRange;

enum { RT_RANGES = 8 }; /* of one address space; further ones are not noticed */

typedef struct RtRanges {
    unsigned count;
    RtRange range[RT_RANGES];
} RtRanges;

/* Guest time in nanoseconds. false: it cannot be told here. */
static inline bool rt_now(const RtClock *clock, int64_t *now)
{
    RtTime t;

    *now = *clock->now;
    if (*now >= 0) {
        return true;
    }
    if (!clock->gettime || clock->gettime(RT_CLOCK_MONOTONIC, &t)) {
        return false;
    }
    *now = t.seconds * 1000000000 + t.nanoseconds + *clock->offset;
    return true;
}

/* ---- data of one version: written under the device's lock, read by anybody ---- */

typedef _Atomic uint32_t RtVersion; /* odd: it is being written */

static inline void rt_publish_begin(RtVersion *v)
{
    atomic_store_explicit(v, *v + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
}

static inline void rt_publish_end(RtVersion *v)
{
    atomic_store_explicit(v, *v + 1, memory_order_release);
}

static inline uint32_t rt_read_begin(const RtVersion *v)
{
    return atomic_load_explicit(v, memory_order_acquire);
}

/* Was all that was read since of the version that rt_read_begin() gave? */
static inline bool rt_read_end(const RtVersion *v, uint32_t began)
{
    atomic_thread_fence(memory_order_acquire);
    return !(began & 1) && atomic_load_explicit(v, memory_order_relaxed) == began;
}
