/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where branches went (went.h). */
#include "target/i386/rt/went.h"

#include "target/i386/rt/block.h"

static Went *slot_of(const Cpu *c, uint64_t phys, uint32_t *tag)
{
    uint64_t hash = phys * 0x9e3779b97f4a7c15u;

    *tag = (uint32_t)hash | 1;
    return &c->blocks->went[hash >> 48 & (WENT_SIZE - 1)];
}

static void halve(Went *w)
{
    for (unsigned n = 0; n < WENT_PLACES; n++) {
        w->at[n] /= 2;
    }
    w->elsewhere /= 2;
}

static void count(Went *w, uint8_t *times)
{
    if (*times == UINT8_MAX) {
        halve(w);
    }
    ++*times;
}

/* The place's own counter, or that of all others. */
static uint8_t *counter(Went *w, unsigned to)
{
    for (unsigned n = 0; n < WENT_PLACES; n++) {
        if (w->at[n] && w->to[n] == to) {
            return &w->at[n];
        }
    }
    for (unsigned n = 0; n < WENT_PLACES; n++) {
        if (!w->at[n]) {
            w->to[n] = to;
            return &w->at[n];
        }
    }
    return &w->elsewhere;
}

void went_note(Cpu *c, uint64_t phys, uint64_t from, uint64_t to)
{
    uint32_t tag;
    Went *w = slot_of(c, phys, &tag);

    if (w->tag != tag) {
        *w = (Went){.tag = tag};
    }
    count(w, (from ^ to) / GUEST_PAGE ? &w->elsewhere : counter(w, to % GUEST_PAGE));
}

const Went *went_find(const Cpu *c, uint64_t phys)
{
    uint32_t tag;
    const Went *w = slot_of(c, phys, &tag);

    return w->tag == tag ? w : NULL;
}
