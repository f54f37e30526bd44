/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The direct window (docs/design/translator.md): user code of one address space reaches its
 * data through the host's own page tables. Linear addresses are cut in chunks of 1 TB; a vCPU has
 * host address space for one chunk of each of four slots, with guards on both sides, and pages of
 * guest RAM are mapped there as they are met. The window is the third level of this vCPU's TLB:
 * what forgets a page there forgets it here.
 * 32-bit code in the flat model has the first 4 GB of chunk 0, as long as there is nothing behind.
 * Not here: how host pages are mapped (accel/tcg/window.c); global pages, pages with a
 * protection key, RAM without a file: they are left to the checked way.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct Cpu;

enum {
    WINDOW_SLOTS = 4,
    WINDOW_STACK = WINDOW_SLOTS, /* a fifth tag and addend: those of the slot that rSP is in */
    WINDOW_SLOT_SHIFT = 45,      /* bits 45 and 46 of a linear address are its slot            */
    WINDOW_CHUNK_SHIFT = 40,     /* bits 40 to 55 are the tag                                  */
    WINDOW_NO_TAG = 0x7fff,      /* only addresses that the host does not have have it         */
    WINDOW_BUCKET_BITS = 15,
    WINDOW_BUCKETS = 1 << WINDOW_BUCKET_BITS,
    WINDOW_PAGES = 1 << 18, /* that a vCPU maps at most: 1 GB                             */
    WINDOW_RECENT = 64,
    WINDOW_SAMPLE = 20000,
};
#define WINDOW_CHUNK (1ull << WINDOW_CHUNK_SHIFT)
/* On both sides: a displacement of 2 GB and eight times an index of 32 bits may leave the chunk. */
#define WINDOW_GUARD (64ull << 30)

/* What is added to an addend: the shift that leaves of a distance in a chunk nothing (TLB_ADDEND is
 * the same of a page). */
enum { WINDOW_ADDEND = WINDOW_CHUNK_SHIFT };

/* An addend that makes of the addresses of chunk 0 and its neighbours, and of all that have
 * WINDOW_NO_TAG, ones that the host does not have: who does not look at the tag faults. */
#define WINDOW_NOWHERE (1ull << 62)

/* A page that is mapped. */
typedef struct WindowPage {
    uint64_t linear;      /* and WINDOW_ bits */
    const uint8_t *ram;   /* the page where the rest of the program has it */
    uint32_t next, alias; /* of the same bucket by linear address (or of the free ones), by RAM */
} WindowPage;

enum { WINDOW_WRITE = 1, WINDOW_LARGE = 2 }; /* may be written; is a piece of a large page */

/* What the engine gives: zeroed, kept by it. Indices are those of page[], 0 is none. */
typedef struct WindowStore {
    uint32_t by_linear[WINDOW_BUCKETS], by_ram[WINDOW_BUCKETS];
    WindowPage page[WINDOW_PAGES];
} WindowStore;

typedef struct WindowFigures {
    uint64_t promotions, demotions; /* address spaces that got the window, and lost it for cost */
    uint64_t pages;                 /* mapped, over all time                                    */
    uint64_t faults, refused;       /* host page faults; those that the interpreter got         */
    uint64_t forgotten, closed;     /* pages unmapped, and made read-only, one by one           */
    uint64_t drops;                 /* of all pages at once                                     */
    uint64_t compared;              /* x-window-check: how often                                */
} WindowFigures;

/* An address space that has run user code, by its tables: how long without the window since it last
 * had it, and how long it must to get it (microseconds of the vCPU's thread). */
typedef struct WindowRecent {
    uint64_t table;
    uint32_t spent, need;
} WindowRecent;

/* A chunk's tag and addend are what translated code of MODE_WINDOW looks at: an address whose bits
 * 40 to 55 are the tag lies, plus the addend minus WINDOW_ADDEND, in the host's memory or faults
 * there. Slot 0 has chunk 0 wherever a context has the window. They change only where a unit has
 * been left for good, not in what it calls or in a signal handler that comes back to it.
 * Whoever enters code of MODE_WINDOW has rSP in the chunk of WINDOW_STACK, and such code keeps it
 * there, or in the guards near it, from unit to unit (translate/window_stack.c). */
typedef struct Window {
    uint16_t tag[WINDOW_SLOTS + 1];    /* WINDOW_NO_TAG: no chunk, and the addend leads nowhere */
    uint64_t minus[WINDOW_SLOTS + 1];  /* minus the chunk's linear address */
    uint64_t less[WINDOW_SLOTS + 1];   /* minus that of the chunk in front of it */
    uint64_t addend[WINDOW_SLOTS + 1]; /* host - linear + WINDOW_ADDEND    */
    uint32_t context;                  /* tlb2.context whose pages are mapped; 0: none */
    uint32_t mode; /* what is in the mode key of user code as things stand, segments and rSP being
                      as they should: MODE_WINDOW, 0 */

    WindowStore *store;           /* NULL: this vCPU has no window                       */
    uintptr_t host[WINDOW_SLOTS]; /* where each slot's chunk begins                      */
    bool always;                  /* a test mode: any user code, at once                 */
    bool early;                   /* a test mode: user code that has run for a moment    */
    bool lost;                    /* the host refused to unmap: never again              */
    bool paranoid;                /* a test mode: compare with the tables                */
    uint32_t checks;
    bool above;                 /* chunk 0 has had pages behind its first 4 GB         */
    bool watched;               /* inside window_fault()                               */
    bool odd;                   /* ... page tables were met that are no RAM            */
    uint32_t used, free, count; /* of the store: entries ever used, list of free ones  */
    uint32_t in_slot[WINDOW_SLOTS];
    uint64_t large[64]; /* which pieces of 2 MB may have pieces of large pages: bit 12 of them */

    /* Mappings that the host counts: a limit for the process. */
    uint32_t areas, most_areas;
    _Atomic int64_t *all_areas;

    /* Policy; times are microseconds */
    uint64_t stamp, time; /* the last sample: the host's TSC, CPU time of the thread */
    uint32_t watched_for; /* since the cost was looked at last                       */
    uint32_t cost;        /* ... what the window took meanwhile, roughly             */
    uint32_t tired;       /* how often in a row that was too much                    */
    uint32_t paid;        /* what the promotion cost                                 */
    uint32_t earned;      /* user code has run with it since                         */
    WindowRecent recent[WINDOW_RECENT]; /* the one met last comes first              */
    WindowFigures figures;
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

/* The chunk that a linear address lies in is at `host`, a multiple of a page; or its slot has none
 * any more. */
void window_set(Window *w, uint64_t linear, uint64_t host);
void window_clear(Window *w, unsigned slot);

/* What the window depends on has changed (context, level, PKRU, debugging, rSP's chunk):
 * Window.mode, WINDOW_STACK and the bit in Cpu.mode. */
void window_update(struct Cpu *c);

/* An access of translated code faulted at that host address: map the page. false: it is not in the
 * window, or the interpreter is to see. In a signal handler, on the vCPU's thread, inside. */
bool window_fault(struct Cpu *c, uintptr_t at, bool write);

/* An interrupt is about to be delivered: the time since the last one goes to the code that runs. */
void window_sample(struct Cpu *c);

/* Of that so many microseconds: at most WINDOW_SAMPLE count. */
void window_passed(struct Cpu *c, uint64_t time);

/* On the vCPU's own thread, or by anyone with the world stopped: forget a page of a context
 * (reach: the size of the largest page that it may be in, see tlb2_reach()); make a page of RAM
 * read-only, wherever it is mapped; forget all. */
void window_forget(struct Cpu *c, uint32_t context, uint64_t linear, unsigned reach);
void window_close(struct Cpu *c, const uint8_t *ram);
void window_drop(struct Cpu *c);
