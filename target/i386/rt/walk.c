/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page walk: 32-bit, PAE, 4-level and 5-level paging, all page sizes, rights and A/D bits
 * (SDM volume 3, "Paging"). A and D are set by one locked compare-and-exchange in the guest's
 * entry, after the rights have been checked; a lost race starts the walk again.
 * Not modelled: paging-structure caches, memory types, protection keys for supervisor pages.
 */
#include "target/i386/rt/walk.h"

#include "target/i386/rt/host.h"
#include "target/i386/rt/rt.h"

enum {
    PTE_P = 1,
    PTE_W = 2,
    PTE_U = 4,
    PTE_A = 0x20,
    PTE_D = 0x40,
    PTE_PS = 0x80,
    PTE_G = 0x100,
    WALK_TRIES = 16,
};
#define PTE_NX   (1ull << 63)
#define PTE_ADDR 0x000ffffffffff000ull

typedef enum { WALK_OK, WALK_ABSENT, WALK_RESERVED } WalkResult;

static uint64_t above_width(const Cpu *c)
{
    return PTE_ADDR & ~((1ull << c->phys_bits) - 1);
}

static uint64_t entry_read(Cpu *c, uint64_t at, unsigned bytes)
{
    const uint8_t *host = phys_host(c, at);

    if (likely(host != NULL)) {
        return host_load(host, bytes);
    }
    if (unlikely(c->window.watched && !phys_page(c, at)->host)) {
        c->window.odd = true;
        return 0;
    }
    return phys_read(c, at, bytes);
}

/* Take down an entry and what it allows. */
static void walk_note(Walk *w, uint64_t at, uint64_t entry, unsigned bytes)
{
    w->at[w->depth] = at;
    w->entry[w->depth++] = entry;
    w->entry_bytes = bytes;
    w->writable &= entry >> 1 & 1;
    w->user &= entry >> 2 & 1;
}

/* Bits that must be 0 in an entry of that level (1: page table) of PAE, 4-level, 5-level paging. */
static uint64_t reserved_bits(const Cpu *c, unsigned level, uint64_t entry)
{
    bool lma = c->s.efer & EFER_LMA;
    uint64_t bits = above_width(c) | (lma ? 0 : 0x7ffull << 52);

    if (!(c->s.efer & EFER_NXE)) {
        bits |= PTE_NX;
    }
    if (level == 1 || !(entry & PTE_PS)) {
        return bits;
    }
    if (level > 3 || (level == 3 && !cpu_has(c, FEATURE_PDPE1GB))) {
        return bits | PTE_PS;
    }
    return bits | (level == 3 ? 0x3fffe000 : 0x1fe000);
}

static WalkResult walk_wide(Cpu *c, uint64_t linear, Walk *w)
{
    unsigned level = c->s.cr4 & CR4_LA57 ? 5 : 4;
    uint64_t table = c->s.cr3 & PTE_ADDR, entry, at, low;

    if (!(c->s.efer & EFER_LMA)) {
        table = c->s.pdpte[linear >> 30 & 3];
        if (!(table & PTE_P)) {
            why(c, "the page-directory-pointer entry %x for %x is not present", table, linear, 0);
            return WALK_ABSENT;
        }
        table &= PTE_ADDR;
        level = 2;
    }
    for (;; level--) {
        unsigned shift = 12 + 9 * (level - 1);

        at = table + (linear >> shift & 511) * 8;
        entry = entry_read(c, at, 8);
        if (!(entry & PTE_P)) {
            why(c, "the level %x page entry %x for %x is not present", level, entry, linear);
            return WALK_ABSENT;
        }
        if (entry & reserved_bits(c, level, entry)) {
            why(c, "the level %x page entry %x for %x has a reserved bit set", level, entry,
                linear);
            return WALK_RESERVED;
        }
        walk_note(w, at, entry, 8);
        w->no_execute |= entry >> 63;
        table = entry & PTE_ADDR;
        if (level == 1 || (level <= 3 && entry & PTE_PS)) {
            low = (1ull << shift) - 1;
            w->phys = (table & ~low) | (linear & low);
            w->large = level > 1;
            w->huge = level > 2;
            w->key = entry >> 59 & 15;
            return WALK_OK;
        }
    }
}

/* A 4 MB page. Its bits 13 to 20 are address bits 32 to 39 (PSE-36). */
static WalkResult walk_4m(Cpu *c, uint64_t linear, uint64_t entry, Walk *w)
{
    uint64_t high = cpu_has(c, FEATURE_PSE36) ? (entry >> 13 & 0xff) << 32 : 0;
    bool reserved = entry & 0x200000 || (high & above_width(c)) ||
                    (!cpu_has(c, FEATURE_PSE36) && entry & 0x1fe000);

    if (reserved) {
        why(c, "the page-directory entry %x for %x has a reserved bit set", entry, linear, 0);
        return WALK_RESERVED;
    }
    w->phys = (entry & 0xffc00000) | high | (linear & 0x3fffff);
    w->large = true;
    return WALK_OK;
}

static WalkResult walk_narrow(Cpu *c, uint64_t linear, Walk *w)
{
    uint64_t at = (c->s.cr3 & 0xfffff000) + (linear >> 22 & 1023) * 4;
    uint64_t entry = entry_read(c, at, 4);

    if (!(entry & PTE_P)) {
        why(c, "the page-directory entry %x for %x is not present", entry, linear, 0);
        return WALK_ABSENT;
    }
    walk_note(w, at, entry, 4);
    if (entry & PTE_PS && c->s.cr4 & CR4_PSE) {
        return walk_4m(c, linear, entry, w);
    }
    at = (entry & 0xfffff000) + (linear >> 12 & 1023) * 4;
    entry = entry_read(c, at, 4);
    if (!(entry & PTE_P)) {
        why(c, "the page-table entry %x for %x is not present", entry, linear, 0);
        return WALK_ABSENT;
    }
    walk_note(w, at, entry, 4);
    w->phys = (entry & 0xfffff000) | (linear & 0xfff);
    return WALK_OK;
}

static WalkResult walk_tables(Cpu *c, uint64_t linear, Walk *w)
{
    WalkResult result;

    w->depth = w->key = 0;
    w->writable = w->user = true;
    w->no_execute = w->global = w->large = w->huge = w->dirty = false;
    w->keep = true;
    if (!(c->s.cr0 & CR0_PG)) {
        w->phys = linear;
        w->dirty = true;
        w->keep = false; /* not worth it */
        return WALK_OK;
    }
    result = c->s.cr4 & CR4_PAE ? walk_wide(c, linear, w) : walk_narrow(c, linear, w);
    if (result == WALK_OK) {
        w->global = c->s.cr4 & CR4_PGE && w->entry[w->depth - 1] & PTE_G;
        w->dirty = w->entry[w->depth - 1] & PTE_D;
    }
    return result;
}

/* Protection keys: user pages only, data accesses only. */
static uint32_t key_denied(const Cpu *c, const Walk *w, bool user, bool write)
{
    unsigned rights = c->s.pkru >> (2 * w->key) & 3;
    bool wp = user || c->s.cr0 & CR0_WP;

    return rights & 1 || (write && rights & 2 && wp) ? FAULT_PRESENT | FAULT_KEY : 0;
}

uint32_t walk_denied(const Cpu *c, const Walk *w, bool user, bool smap, unsigned kind)
{
    bool write = kind & ACCESS_WRITE;

    if (!(c->s.cr0 & CR0_PG)) {
        return 0;
    }
    if (kind & ACCESS_FETCH) {
        bool smep = !user && w->user && c->s.cr4 & CR4_SMEP;

        return w->no_execute || smep || (user && !w->user) ? FAULT_PRESENT : 0;
    }
    if (user ? !w->user : w->user && smap) {
        return FAULT_PRESENT;
    }
    if (write && !w->writable && (user || c->s.cr0 & CR0_WP)) {
        return FAULT_PRESENT;
    }
    if (w->user && c->s.cr4 & CR4_PKE && c->s.efer & EFER_LMA) {
        return key_denied(c, w, user, write);
    }
    return 0;
}

/* Set bits in a guest's entry, if it still is what it was. */
static bool entry_set(Cpu *c, uint64_t at, uint64_t old, uint64_t bits, unsigned bytes)
{
    PhysPage *p = phys_page(c, at);
    void *host = p->host ? p->host + at % GUEST_PAGE : NULL;
    bool done;

    if (unlikely(c->window.watched && (!host || p->readonly))) {
        c->window.odd = true;
        return true;
    }
    if (!host || p->readonly) {
        phys_write(c, at, old | bits, bytes);
        return true;
    }
    if (bytes == 8) {
        done = __sync_bool_compare_and_swap((uint64_t *)host, old, old | bits);
    } else {
        done =
            __sync_bool_compare_and_swap((uint32_t *)host, (uint32_t)old, (uint32_t)(old | bits));
    }
    if (done) {
        phys_written(c, at, bytes);
    }
    return done;
}

/* A in all entries on the way, D in the last for writes. false: one has changed meanwhile. */
static bool walk_mark(Cpu *c, Walk *w, bool write)
{
    for (unsigned n = 0; n < w->depth; n++) {
        uint64_t bits = PTE_A | (write && n + 1 == w->depth ? PTE_D : 0);

        if ((w->entry[n] & bits) != bits &&
            !entry_set(c, w->at[n], w->entry[n], bits, w->entry_bytes)) {
            return false;
        }
    }
    w->dirty |= write;
    return true;
}

static uint32_t walk_error(Cpu *c, uint64_t linear, AccessKind kind, Walk *w)
{
    View view = mem_view(c, kind);
    uint32_t error;

    switch (walk_tables(c, linear, w)) {
    case WALK_ABSENT:
        return ~0u;
    case WALK_RESERVED:
        return FAULT_PRESENT | FAULT_RESERVED;
    default:
        error = walk_denied(c, w, view == VIEW_USER, view == VIEW_KERNEL_SMAP, kind);
    }
    if (error) {
        why(c, "the page at %x (last entry %x) may not be accessed so", linear,
            w->depth ? w->entry[w->depth - 1] : 0, 0);
    }
    return error;
}

/* The error code as the handler sees it. What was remembered of the page goes with the fault: it
 * may have been the cause (SDM volume 3, 4.10.4.1). */
static uint32_t walk_fault(Cpu *c, uint64_t linear, AccessKind kind, uint32_t error)
{
    bool says_fetch = c->s.cr4 & CR4_SMEP || (c->s.cr4 & CR4_PAE && c->s.efer & EFER_NXE);

    error = error == ~0u ? 0 : error;
    error |= kind & ACCESS_WRITE ? FAULT_WRITE : 0;
    error |= kind & ACCESS_FETCH && says_fetch ? FAULT_FETCH : 0;
    error |= mem_view(c, kind) == VIEW_USER ? FAULT_USER : 0;
    tlb2_flush_page(c, tlb2_pcid(c), linear, true);
    tlb_forget_page(c, linear);
    return error;
}

bool walk_try(Cpu *c, uint64_t linear, AccessKind kind, Walk *w, uint32_t *fault)
{
    for (unsigned n = 0; n < WALK_TRIES; n++) {
        uint32_t error = walk_error(c, linear, kind, w);

        if (error) {
            *fault = walk_fault(c, linear, kind, error);
            return false;
        }
        if (walk_mark(c, w, kind & ACCESS_WRITE)) {
            return true;
        }
    }
    w->dirty = w->keep = false; /* others change the entries faster than we mark them */
    return true;
}

bool walk_look(Cpu *c, uint64_t linear, Walk *w)
{
    return walk_tables(c, linear, w) == WALK_OK;
}

bool walk_load_pdptes(Cpu *c, uint64_t cr3)
{
    uint64_t entry[4];

    for (unsigned n = 0; n < 4; n++) {
        entry[n] = phys_read(c, (cr3 & 0xffffffe0) + 8 * n, 8);
        if (entry[n] & PTE_P && entry[n] & (above_width(c) | 0xfffull << 52 | 0x1e6)) {
            why(c, "the page-directory-pointer entry %x at %x has a reserved bit set", entry[n],
                (cr3 & 0xffffffe0) + 8 * n, 0);
            return false;
        }
    }
    for (unsigned n = 0; n < 4; n++) {
        c->s.pdpte[n] = entry[n];
    }
    return true;
}
