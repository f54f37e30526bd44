/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a debugger asks of a vCPU: where to stop, and whether to run one instruction only. Plain C:
 * also read by the run-time library (target/i386/rt).
 *
 * All addresses are linear, whatever is mapped there, so code may come later, and every process
 * that has such an address stops. An engine that caches code asks debug_breaks_in_page() when it
 * looks code up the slow way: a page that has breakpoints is run one instruction after the other
 * and never remembered, so nothing is tested elsewhere. A page that is watched gets no TLB tag.
 * A vCPU whose plan changed forgets both.
 * Not seen by watchpoints: page walks and DMA.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DEBUG_READ = 1, DEBUG_WRITE = 2 };

typedef struct DebugWatch {
    uint64_t first, last; /* linear, both watched */
    uint8_t access;       /* DEBUG_READ, DEBUG_WRITE or both */
} DebugWatch;

/* How to step. NO_IRQ: interrupts, NMIs and SMIs wait. NO_TIMER is the business of whoever resumes
 * the machine: guest time stands meanwhile. */
enum { DEBUG_STEP = 1, DEBUG_NO_IRQ = 2, DEBUG_NO_TIMER = 4 };

typedef struct DebugPlan {
    const uint64_t *breaks; /* linear addresses of instructions, ascending */
    const DebugWatch *watches;
    unsigned break_count, watch_count;
    uint8_t step; /* DEBUG_STEP: vcpu_run comes back with EXIT_DEBUG after one instruction */
} DebugPlan;

typedef enum {
    DEBUG_NONE,
    DEBUG_STEPPED, /* one instruction, or the delivery of its exception, is done */
    DEBUG_BREAK,   /* in front of an instruction of breaks                      */
    DEBUG_WATCHED, /* behind an instruction that touched one of watches         */
} DebugReason;

typedef struct DebugHit {
    uint8_t reason, access; /* DebugReason; access: that of the watch */
    uint64_t addr;          /* of the breakpoint; the first byte of the watch that was touched */
} DebugHit;

/* The first breakpoint at or above an address: its place in breaks, or break_count. */
static inline unsigned debug_break_from(const DebugPlan *p, uint64_t linear)
{
    unsigned low = 0, high = p->break_count;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;

        if (p->breaks[middle] < linear) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static inline bool debug_breaks_at(const DebugPlan *p, uint64_t linear)
{
    unsigned n = debug_break_from(p, linear);

    return n < p->break_count && p->breaks[n] == linear;
}

/* Is there any in the 4 KB page around an address? */
static inline bool debug_breaks_in_page(const DebugPlan *p, uint64_t linear)
{
    unsigned n = debug_break_from(p, linear & ~0xfffull);

    return n < p->break_count && p->breaks[n] >> 12 == linear >> 12;
}

/* The watch that an access of [first, last] touches; NULL: none. */
static inline const DebugWatch *debug_watch_of(const DebugPlan *p, uint64_t first, uint64_t last,
                                               unsigned access)
{
    for (unsigned n = 0; n < p->watch_count; n++) {
        const DebugWatch *w = &p->watches[n];

        if (w->access & access && first <= w->last && last >= w->first) {
            return w;
        }
    }
    return NULL;
}

static inline bool debug_watches_page(const DebugPlan *p, uint64_t linear)
{
    return debug_watch_of(p, linear & ~0xfffull, linear | 0xfff, DEBUG_READ | DEBUG_WRITE);
}
