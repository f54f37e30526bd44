/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest CPU and some RAM without a machine: tests of the run-time library. Memory is mapped at
 * physical 0, identically; 64-bit code runs with identity paging of large pages, 16-bit code in
 * real mode, 32-bit code in flat protected mode without paging. There is no IDT: an exception shows
 * as bare_fault() and a shutdown. Devices: everything behind the RAM reads as its own address.
 */
#pragma once
#include "target/i386/rt/host.h"
#include "target/i386/rt/mem.h"
#include "target/i386/rt/rt.h"
#include "tests/lib/guest_code.h"

enum {
    BARE_RAM = 4 << 20,
    BARE_TABLES = 0x8000, /* GDT and page tables lie here, to 0xc000 */
    BARE_TABLE32 = BARE_TABLES + 0x2000,
    BARE_CODE = 0x10000,  /* bare_load() puts code here              */
    BARE_STACK = 0x20000, /* rSP starts here                         */
    BARE_DATA = 0x30000,  /* 0x3000 with DS at 0 in real mode: use BARE_DATA16 */
    BARE_DATA16 = 0x4000,
    BARE_SMALL = 0x40000,   /* bare_map_small() puts tables from here on, 0x4000 bytes each time */
    BARE_MISSING = 0xa0000, /* ... and leaves this page out */
    BARE_ARENA = 2 << 20,
    BARE_CACHE = 4 << 20,
};

typedef struct BareCpu {
    Cpu *c;
    uint8_t *ram;
    struct Ram *memory;    /* ... as the machine knows it */
    _Atomic int64_t areas; /* mappings of the window */
    CodePage *pages;
    CodeHits code_hits;
    void *arena;
    struct CodeCache *code; /* NULL: all is interpreted */
    X86Features features;
    RtHost host;
    uint32_t port_value; /* what IN gives                            */
    uint64_t port_log;   /* what OUT gave: the last eight bytes      */
    unsigned port_writes, mmio_reads, mmio_writes, exclusives, code_pages;
    _Atomic uint8_t warmth[BARE_RAM / RAM_PIECE + 1];
    unsigned warmed;     /* how often 2 MB became warm               */
    uint64_t warm_at;    /* ... and where, last                      */
    uint64_t mmio_value; /* the last that was written to a device    */
    void *own;           /* for the test */
} BareCpu;

/* translated: all code is when it is first met. bare_new() does so with TEST_TRANSLATE in the
 * environment. */
BareCpu *bare_new_as(CodeSize code, bool translated);
BareCpu *bare_new(CodeSize code);
void bare_free(BareCpu *b);

/* 64-bit code goes on at CPL 3, where OUT is allowed, and may get the direct window. false: the
 * host has no address space for it. */
bool bare_window(BareCpu *b);

/* 64-bit code has the first 2 MB of RAM in pages of 4 KB at a linear address, too, a multiple of
 * 2 MB, which shares no 512 GB with others. n: counts such tables; the last of each is at
 * BARE_SMALL + n * 0x4000 + 0x2000. */
void bare_map_small(BareCpu *b, uint64_t linear, unsigned n);

/* What was made for 64-bit code runs 32-bit code in the flat model, by the same page tables. */
void bare_flat32(BareCpu *b);

/* The same with tables of two levels: the first 4 MB are the RAM in pages of 4 KB, by the table at
 * BARE_TABLE32, the second 4 MB are the same RAM as one page. */
void bare_paging32(BareCpu *b);

/* Copy code to BARE_CODE and let rip be there. */
void bare_load(BareCpu *b, const uint8_t *code, const uint8_t *end);

/* Run to HLT, a shutdown, or until OUT has written to port 0xf4. */
RtExit bare_run(BareCpu *b);

/* bare_new, bare_load, bare_run; `gpr` (16 values, or NULL) goes in first. */
BareCpu *bare_run_code(CodeSize code, const uint8_t *from, const uint8_t *end, const uint64_t *gpr);

/* Vector of the first exception since the start; -1: none. */
int bare_fault(const BareCpu *b);
