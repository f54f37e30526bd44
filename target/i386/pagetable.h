/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Page tables as a person looks at them: a walk with every level, and all pages that are mapped. */
#pragma once
#include "target/i386/cpu.h"
#include "target/i386/rt/rights.h"

typedef struct PageStep {
    const char *name; /* "PDE" */
    unsigned index;
    uint64_t at; /* physical address of the entry; ~0: a register (PDPTEs of PAE paging) */
    uint64_t entry;
    uint64_t bad;   /* bits that are set and must not be */
    uint64_t bytes; /* what one such entry spans         */
} PageStep;

typedef struct PageWalk {
    const char *mode; /* "4-level"; NULL: paging is off */
    unsigned steps;   /* those that were read           */
    PageStep step[5];
    bool canonical, found;
    uint64_t page_bytes;
    Walk walk; /* rights and physical address where found */
} PageWalk;

/* Walk for a linear address without touching anything. The vCPU is parked, or it is its thread. */
void page_walk(Vcpu *cpu, uint64_t linear, PageWalk *out);

/* The page-fault error code that such an access would get; -1: it may. kind: AccessKind. */
int64_t page_fault(Vcpu *cpu, const PageWalk *w, bool user, AccessKind kind);

/* One mapped page: rights are those of all levels together. */
typedef struct MappedPage {
    uint64_t linear, bytes, phys, entry;
    bool writable, user, no_execute;
} MappedPage;

/* Every mapped page in rising order of addresses. each() may answer false: enough. Returns false if
 * there are so many tables that it gave up (a guest may nest them endlessly) or paging is off. */
bool pages_mapped(Vcpu *cpu, bool (*each)(const MappedPage *page, void *opaque), void *opaque);
