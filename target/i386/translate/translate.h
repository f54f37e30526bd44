/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Binary translation: guest instructions become host code that does the same (docs/design/
 * translator.md). While such code runs
 *
 *     rax rdx rbx rsi rdi r12 to r15   are the guest's registers of these names,
 *     r8 r9 r10                        are the guest's rSP, rBP and rCX,
 *     rbp r11 rcx                      are scratch: linear address, addend, difference,
 *     rsp                              is the host's stack, gs the Cpu,
 *     EFLAGS                           are the guest's arithmetic flags at every boundary,
 *
 * and r8 to r11 of the guest are in Cpu.s.gpr. Whatever is out of the ordinary (devices, page
 * crossings, code that is written to, host faults) leaves translated code in front of the
 * instruction, with the whole state in Cpu.s, and the interpreter runs that one.
 *
 * Part of the run-time library: general registers only, no calls outside.
 */
#pragma once
#include "target/i386/rt/block.h"

/* Why translated code came back. */
typedef enum TransExit {
    TRANS_LOOKUP,   /* go on at s.rip                                                          */
    TRANS_LINK,     /* ... and the branch at Cpu.exit_site may go there directly               */
    TRANS_ONE,      /* the interpreter is to run the instruction at s.rip                      */
    TRANS_INDIRECT, /* ... a branch, and to remember where it went                             */
    TRANS_JUMP,     /* go on at s.rip, and remember the way                                    */
} TransExit;

/* Where a host instruction may fault that is the guest's own. */
typedef struct TransFault {
    uint32_t from, to; /* offsets in the cache              */
    uint32_t at;       /* of the guest instruction in its page */
    uint32_t leave;    /* where to go on, offset in the cache; 0: CodeCache.leave_one */
} TransFault;

/* Which branches lead there: from where the FPU is in the host's registers; backwards. */
enum { LINK_FPU = 1, LINK_BACK = 2 };

/* What code depends on beside its bytes. window: the offsets of the first and (16 bits up) the last
 * byte of the page that lie in CS, and in 16-bit code in its 64 KB; all where MODE_PLAIN is set. */
typedef struct TransKey {
    uint32_t mode, window;
} TransKey;

#define WINDOW_ALL ((GUEST_PAGE - 1u) << 16)

/* One that goes on in the linear page behind its own has two physical pages. It holds while the
 * second is what follows the first, so it is entered where that was looked at: by the loop, by the
 * jump table, which is emptied when a translation changes, and from its own inside. */
typedef struct Trans {
    /* What a look-up reads, in one line of the host's cache. */
    uint64_t phys, phys2; /* of the first byte; of the second page */
    TransKey key;
    uint32_t version, version2;
    CodePage *page, *page2;      /* page2: NULL: it has one page                         */
    const uint8_t *far;          /* where the jump table leads: rbp is the rip           */
    struct Trans *_Atomic chain; /* same bucket; dead ones are taken out while others read */

    const uint8_t *entry; /* executable view                                      */
    const uint8_t
        *link[4];      /* where branches in the page lead, LINK_; with two pages, to a look-up */
    uint32_t from, to; /* offsets in the cache                                 */
    uint16_t insns, faults;
    CodeKill kill, kill2; /* on the pages' lists; make the entry lead out         */
    CodeKill kill_alone;  /* ... and the second version's top; word: NULL: it has none */
    TransFault fault[];
} Trans;

enum { TRANS_LINE = 64 };
_Static_assert(offsetof(Trans, entry) == TRANS_LINE, "a look-up reads one line");

enum { TRANS_BUCKETS = 1 << 17, UNIT_MAX = 96, FAULTS_MAX = UNIT_MAX * 3 };

typedef struct TransFigures {
    _Atomic uint64_t units, insns, host_bytes, flushes;
} TransFigures;

enum { CODE_CHUNK = 2 << 20, CODE_PART = 16384, CODE_PARTS = (1 << 30) / CODE_PART };

/* Bytes of cache for which there is a place in by_address; units have 200 to 300 on average. */
enum { CODE_EACH = 256 };

/* One for a machine, shared by its vCPUs. All memory is the engine's. */
typedef struct CodeCache {
    uint8_t *write;     /* one memory, two mappings */
    const uint8_t *run; /* ... the executable one   */
    uint32_t size, fixed;
    _Atomic uint32_t used;     /* changed under the lock */
    bool quick_loop;           /* the host's LOOP instruction is as quick as other branches */
    _Atomic uint32_t gathered; /* so many CODE_CHUNKs are full and lie on huge pages */
    uint8_t *data;             /* Trans records */
    uint32_t data_size, data_used;
    struct Trans **by_address; /* ascending */
    uint32_t most;             /* so many units, at most */
    _Atomic uint32_t lock;
    _Atomic uint64_t generation; /* raised, with the world stopped, when all was thrown away */
    struct Trans *_Atomic bucket[TRANS_BUCKETS];
    uint32_t first[CODE_PARTS]; /* of by_address, those that end in a part or behind it */
    uint32_t guesses;           /* so many were translated */
    _Atomic uint32_t count;
    TransFigures figures;

    /* The shared routines (entry.c), executable view. */
    uint32_t (*enter)(Cpu *c, const void *code);
    const uint8_t *fill, *call, *call_last, *fpu;
    const uint8_t *resolve_indirect, *resolve_jump; /* have the jump table know rbp, or leave */
    const uint8_t *go_next;                         /* to next_rip, by trans_next() */
    const uint8_t *syscall[2], *sysret;             /* syscall: without SMAP, with it */
    const uint8_t *leave_rip, *leave_link, *leave_one, *leave_indirect, *leave_jump;
} CodeCache;

_Static_assert(sizeof(CodeCache) < 2 << 20, "it takes one huge page");

/* Write the shared routines. The rest is 0 but for the memory: write, run, data, by_address and
 * their sizes, 1 MB to 1 GB each. */
void trans_init(CodeCache *cache);

/* The code for a block, made if need be. NULL: there is none now: its first instruction is not one
 * that is translated, or the page changed, or the cache was full and is now empty. */
const Trans *trans_find(Cpu *c, Block *b);

/* The code that is there for that address in that mode, whoever made it; NULL: none. */
const Trans *trans_known(const Cpu *c, uint32_t mode, const CodePage *page, uint64_t phys);

/* The cache was emptied: forget what this vCPU knows of it. */
void trans_forget(Cpu *c);

/* This thread runs that CPU now: host gs. */
void trans_thread(Cpu *c);

/* Enter at a unit and stay until something is wanted; then s and the rest are up to date. */
TransExit trans_run(Cpu *c, const Trans *t);

/* Is the branch that came back (TRANS_LINK) in a unit of the direct window? */
bool trans_left_window(Cpu *c);

/* Make the branch that came back lead to t from now on, where that is sound. */
void trans_link(Cpu *c, const Trans *t);

/* As PEXT does it. */
static inline unsigned jump_slot(uint64_t rip)
{
    return rip >> JUMP_SHIFT & (JUMP_SLOTS - 1);
}

/* A table holds what is true of one mode: have the view's be of the present one. */
void jump_check(Cpu *c);

/* Remember where a rip leads in the present mode. */
void jump_insert(Cpu *c, const Trans *t);

/* Forget all of them, or all that may lead to pages that are not global: the view's translations
 * changed. page: those in one page; reach: how large that may be (tlb2_reach()). */
void jump_flush(Cpu *c, bool global_too);
void jump_flush_page(Cpu *c, uint64_t linear, unsigned reach);

/* For the signal handler: is that host address in the cache, and what of? Async-signal-safe. false:
 * not an instruction that may fault. *leave: where to go on, with `at` in ecx. */
bool trans_fault(const CodeCache *cache, uintptr_t host, uint32_t *at, uintptr_t *leave);

/* Throw all away; the world stands still. */
void trans_flush(CodeCache *cache);
