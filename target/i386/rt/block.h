/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decoded code of one vCPU: blocks of instructions that run one after another, keyed by physical
 * address and mode, in an arena that starts over when it is full. A block ends at a branch, at the
 * end of the page, or at BLOCK_MAX. An instruction that crosses pages is a block of its own with
 * two addresses. Whether the bytes are still the ones decoded is known by the version of their
 * CodePage (softmmu/memory/code.h), compared at every look-up.
 * Not modelled: the instruction TLB and cache as hardware has them; fetch translations live until
 * the guest flushes them, as the manual allows.
 */
#pragma once
#include "target/i386/rt/cpu.h"

enum { BLOCK_MAX = 64, JUMP_SIZE = 4096, BLOCK_BUCKETS = 8192, FETCH_SIZE = 64 };

typedef struct Block {
    uint64_t phys;  /* of the first byte                                            */
    uint64_t phys2; /* of the second page, where the only instruction crosses pages */
    CodePage *code, *code2;
    uint32_t version, version2;
    uint32_t mode;
    uint16_t bytes, count;
    struct Block *chain; /* same bucket */
    uint64_t spare;
    Insn insn[];
} Block;

/* Where a linear address went last. gen: the translation is younger than the last flush. */
typedef struct Jump {
    uint64_t linear;
    Block *block;
    uint32_t mode, gen;
} Jump;

/* A page's fetch translation. tag: linear page address | user << 1 | valid. */
typedef struct Fetch {
    uint64_t tag;
    uint64_t phys;
    uint8_t *host;  /* NULL: device                  */
    CodePage *code; /* NULL: decoded anew every time */
} Fetch;

typedef struct BlockCache {
    uint8_t *next, *end; /* of the arena's free part */
    uint32_t gen;        /* of fetch translations    */
    uint32_t resets;     /* how often the arena started over */
    Fetch fetch[FETCH_SIZE];
    Jump jump[JUMP_SIZE];
    Block *bucket[BLOCK_BUCKETS];
    struct { /* the block that is never kept: code in devices */
        Block head;
        Insn insn[1];
    } loose;
} BlockCache;

/* Lay the cache out in an arena of at least 1 MB. */
void block_init(Cpu *c, void *arena, size_t bytes);

/* The block at s.rip in the current mode; good until the next call that decodes. Raises #PF, #GP
 * (limit, canonical form); bad opcodes are instructions whose handler raises. */
const Block *block_find(Cpu *c);

/* Forget all blocks: the memory map or the CPU's features changed. The running block's memory stays
 * readable until the next block_find(). */
void block_flush(Cpu *c);

/* Forget fetch translations: the guest flushed its TLB, all of it or a page. Cheap. */
void fetch_flush(Cpu *c);
