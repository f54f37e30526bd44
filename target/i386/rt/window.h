/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The direct window (docs/design/translator.md): 64-bit user code of one address space reaches its
 * data through the host's own page tables. Linear addresses are cut in chunks of 1 TB; a vCPU has
 * host address space for one chunk of each of four slots, with guards on both sides, and pages of
 * guest RAM are mapped there as they are met. The window is the third level of this vCPU's TLB:
 * what forgets a page there forgets it here.
 * Not here: how host pages are mapped (accel/tcg/window.c); 32-bit code.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct Cpu;
struct Walk;

enum {
    WINDOW_SLOTS = 4,
    WINDOW_SLOT_SHIFT = 45,  /* bits 45 and 46 of a linear address are its slot            */
    WINDOW_CHUNK_SHIFT = 40, /* bits 40 to 55 are the tag                                  */
    WINDOW_NO_TAG = 0x7fff,  /* only non-canonical addresses have it                       */
};
#define WINDOW_CHUNK (1ull << WINDOW_CHUNK_SHIFT)
/* On both sides: a displacement of 2 GB and eight times an index of 32 bits may leave the chunk. */
#define WINDOW_GUARD (64ull << 30)

/* What is added to an addend: the shift that leaves of a distance in a chunk nothing (TLB_ADDEND is
 * the same of a page). */
enum { WINDOW_ADDEND = WINDOW_CHUNK_SHIFT };

/* A chunk's tag and addend are what translated code of MODE_WINDOW looks at: an address whose bits
 * 40 to 55 are the tag lies, plus the addend minus WINDOW_ADDEND, in the host's memory or faults
 * there. They change only where a unit has been left for good, not in what it calls or in a signal
 * handler that comes back to it. */
typedef struct Window {
    uint16_t tag[WINDOW_SLOTS];    /* WINDOW_NO_TAG: no chunk, and the addend is WINDOW_ADDEND */
    uint64_t minus[WINDOW_SLOTS];  /* minus the chunk's linear address                */
    uint64_t addend[WINDOW_SLOTS]; /* host - linear + WINDOW_ADDEND                   */
    uint32_t context;              /* tlb2.context whose pages are mapped; 0: none    */
} Window;

static inline unsigned window_slot(uint64_t linear)
{
    return linear >> WINDOW_SLOT_SHIFT & (WINDOW_SLOTS - 1);
}

static inline uint16_t window_tag(uint64_t linear)
{
    return linear >> WINDOW_CHUNK_SHIFT;
}

/* Nothing is mapped, no tag is there: of a new Cpu. */
void window_init(struct Cpu *c);

/* The chunk that a linear address lies in is at host + its offset in the chunk, host a multiple of
 * a page; or its slot has none any more. */
void window_set(struct Window *w, uint64_t linear, uint64_t host);
void window_clear(struct Window *w, unsigned slot);
