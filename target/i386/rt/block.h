/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decoded code of one vCPU: blocks of instructions that run one after another, keyed by physical
 * address and mode, in an arena that starts over when it is full. A block ends at a branch, at the
 * end of the page, or at BLOCK_MAX. An instruction that crosses pages is a block of its own with
 * two addresses. Code of which some vCPU has made a unit need not be decoded to run: it has a block
 * without instructions. Whether the bytes are still the ones decoded is known by the version of
 * their CodePage (softmmu/memory/code.h), compared at every look-up. Not modelled: the instruction
 * TLB and cache as hardware has them; fetch translations live until the guest flushes them, as the
 * manual allows.
 */
#pragma once
#include "target/i386/rt/cpu.h"
#include "target/i386/rt/went.h"

enum {
    BLOCK_MAX = 64,
    JUMP_SIZE = 4096,
    BLOCK_BUCKETS = 32768,
    FETCH_SIZE = 512,
    WARM_SIZE = 65536
};

typedef struct Block {
    uint64_t phys; /* of the first byte                                            */
    uint64_t page; /* ... its page                                                 */
    union {
        uint64_t phys2; /* of the second page, where the only instruction crosses pages */
        const struct Trans *trans; /* else: translated, of Cpu.code_generation; NULL: not yet */
    };
    CodePage *code, *code2;
    uint32_t version;
    union {
        uint32_t version2; /* of the second page                                         */
        uint32_t outside;  /* else: how often code without the direct window ran instead */
    };
    uint32_t mode;
    uint16_t bytes;
    uint8_t count, runs; /* runs: how often it was interpreted, up to Cpu.translate_after, and what
                            BlockCache.warm knew */
    struct Block *chain; /* same bucket */
    Insn insn[];
} Block;

_Static_assert(sizeof(Block) == sizeof(Insn), "instructions of a block lie in cache lines");

/* Where a linear address went last; it counts while the fetch translation of its page agrees. */
typedef struct Jump {
    uint64_t linear;
    Block *block;
} Jump;

/* A page's fetch translation. */
typedef struct Fetch {
    uint64_t tag; /* fetch_tag(); 0: none         */
    uint64_t phys;
    uint8_t *host;  /* NULL: device                  */
    CodePage *code; /* NULL: decoded anew every time */
} Fetch;

typedef struct BlockCache {
    uint8_t *next, *end; /* of the arena's free part */
    unsigned resets;     /* how often the arena started over */
    /* Figures: what looks-up beyond `jump` found: blocks, units, or nothing, so that code was
     * decoded. */
    uint64_t found, known, decoded;
    uint64_t fetch_used[FETCH_SIZE / 64], fetch_global[FETCH_SIZE / 64];
    Fetch fetch[FETCH_SIZE];
    Jump jump[JUMP_SIZE];
    Block *bucket[BLOCK_BUCKETS];
    uint16_t warm[WARM_SIZE]; /* what outlives blocks: how often they were decoded (block.c) */
    Went went[WENT_SIZE];     /* ... and where branches at their ends went */
    /* The block that is never kept: code in devices. It also stands where no block is. */
    uint8_t loose[sizeof(Block) + sizeof(Insn)] __attribute__((aligned(64)));
} BlockCache;

/* The block that begins there, if it is decoded and current, in the present mode; NULL: none. For
 * the translator: it may not call what decodes meanwhile. */
const Block *block_at(Cpu *c, uint64_t phys);

/* Decodes the block at an offset of the page of s.rip, before it is run. *made: NULL if that is not
 * worth it: no room, or too near to the page's end. false: the world was told that the page has
 * code, so blocks may be gone: start over. */
bool block_ahead(Cpu *c, unsigned at, const Block **made);

/* The same as block_at() for an instruction that ends in another page. */
const Block *block_over(Cpu *c, uint64_t phys, uint64_t phys2);

/* Where the page behind the one at s.rip lies, as code is fetched. false: it is not there, or no
 * RAM, or has breakpoints, or not all of it is in CS; nothing is raised. */
bool block_next_page(Cpu *c, uint64_t *phys);

static inline Block *block_loose(BlockCache *cache)
{
    return (Block *)cache->loose;
}

/* Lay the cache out in an arena of at least 1 MB. */
void block_init(Cpu *c, void *arena, size_t bytes);

/* Forget all blocks: the memory map or the CPU's features changed. The running block's memory stays
 * readable until the next block_find(). */
void block_flush(Cpu *c);

/* Forget fetch translations: the guest flushed its TLB, all of it, or a page; reach:
 * how large that may be (tlb2_reach()). */
void fetch_flush(Cpu *c, bool global_too);
void fetch_flush_page(Cpu *c, uint64_t linear, unsigned reach);

/* ---- finding them ---- */

static inline uint64_t fetch_tag(const Cpu *c, uint64_t linear)
{
    return (linear & ~(uint64_t)(GUEST_PAGE - 1)) | (c->mode & MODE_USER) | 1;
}

static inline Fetch *fetch_at(const Cpu *c, uint64_t linear)
{
    return &c->blocks->fetch[linear / GUEST_PAGE % FETCH_SIZE];
}

/* Is the page that was found there last a global one? */
static inline bool fetch_global(const Cpu *c, uint64_t linear)
{
    unsigned n = linear / GUEST_PAGE % FETCH_SIZE;

    return c->blocks->fetch_global[n / 64] >> n % 64 & 1;
}

const Block *block_find_slow(Cpu *c, uint64_t linear, Jump *jump, bool decoded);
bool block_second_page(const Cpu *c, const Block *b); /* the same as then? */

static inline __attribute__((always_inline)) const Block *block_find_by(Cpu *c, bool decoded)
{
    uint64_t linear = c->code_base + c->s.rip;
    const Fetch *f;
    const Block *b;
    Jump *j;

    if (unlikely(c->code_size != CODE_64)) {
        c->s.rip = (uint32_t)c->s.rip;
        linear = (uint32_t)(c->code_base + c->s.rip);
    }
    j = &c->blocks->jump[(linear ^ linear >> 12) % JUMP_SIZE];
    b = j->block;
    __builtin_prefetch(b->trans); /* wanted next, while its page's version is on its way */
    f = fetch_at(c, linear);
    if (likely(j->linear == linear && b->mode == c->mode && f->tag == fetch_tag(c, linear) &&
               f->phys == b->page && b->code->version == b->version &&
               c->s.rip + b->bytes - 1 <= c->code_limit && (b->count || !decoded) &&
               (!b->code2 || block_second_page(c, b)))) {
        return b;
    }
    return block_find_slow(c, linear, j, decoded);
}

/* The block at s.rip in the current mode; good until the next call that decodes. Raises #PF, #GP
 * (limit, canonical form); bad opcodes are instructions whose handler raises. */
static inline const Block *block_find(Cpu *c)
{
    return block_find_by(c, true);
}

/* The same, or a block of no instructions whose translation is known. */
static inline const Block *block_find_code(Cpu *c)
{
    return block_find_by(c, false);
}
