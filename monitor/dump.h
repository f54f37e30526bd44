/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Core files of a guest: what goes into one, and writing it. */
#pragma once
#include "accel/accel.h"

/* RAM at a physical address. */
typedef struct DumpBlock {
    uint64_t phys, size;
    Ram *ram; /* held */
    uint64_t at;
    uint64_t file_offset;
} DumpBlock;

/* What the file says lies at a linear address. */
typedef struct DumpMapping {
    uint64_t linear, phys, size;
} DumpMapping;

typedef struct DumpPlan {
    GArray *blocks;   /* DumpBlock, rising, apart              */
    GArray *mappings; /* DumpMapping; empty: linear is physical */
    GByteArray *head; /* the file up to the first block: headers, notes */
    uint64_t total;   /* bytes of all blocks                   */
    _Atomic uint64_t completed;
    _Atomic bool cancel;
} DumpPlan;

/* Physical addresses from begin, length bytes (UINT64_MAX: all). With paging also what the CPUs'
 * page tables map. Machine lock, vCPUs parked. */
DumpPlan *dump_plan(Machine *m, bool paging, uint64_t begin, uint64_t length, Error **err);
void dump_plan_free(DumpPlan *p);

/* Write it; any thread, while nothing changes the memory. */
bool dump_write(DumpPlan *p, int fd, Error **err);

/* dump_elf.c: make p->head and the blocks' places in the file. */
void dump_head(DumpPlan *p, Machine *m);
