/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The second level of the TLB: set-associative, tagged with process-context identifiers, and
 * ignorant of views: it keeps what a page walk found, and rights are derived from that at each
 * refill of the first level (SDM volume 3, "Caching translation information": 4.10.1 PCIDs, 4.10.2
 * TLBs, 4.10.4 invalidation). Small pages have sets of their own; large pages are kept in pieces of
 * 2 MB, and what flushes an address where one may lie flushes that page's; where pages of 1 GB have
 * been seen, all large ones of its GB.
 *
 * A flush of a PCID gives it a new context, so entries of the old one are never met again. Entries
 * are made by walks that have set A; one without D does not serve writes.
 * Not modelled: paging-structure caches; global pages in the lower half, while PCIDs are in use,
 * are not kept, because sets of the lower half depend on the PCID.
 */
#include "target/i386/rt/walk.h"

enum { LARGE_BITS = 21, PAGE_BITS = 12, KEY_UP = TLB2_CONTEXT_BITS - PAGE_BITS };

_Static_assert(KEY_UP == 7, "a linear address has 57 bits at most");

unsigned tlb2_pcid(const Cpu *c)
{
    return c->s.cr4 & CR4_PCIDE ? c->s.cr3 & (PCID_COUNT - 1) : 0;
}

/* ---- contexts ---- */

static void forget_all(Tlb2 *t)
{
    for (unsigned n = 0; n < TLB2_SETS * TLB2_WAYS; n++) {
        t->small[n].key = 0;
    }
    for (unsigned n = 0; n < TLB2_LARGE_SETS * TLB2_WAYS; n++) {
        t->large[n].key = 0;
    }
    for (unsigned n = 0; n < PCID_COUNT; n++) {
        t->of_pcid[n] = 0;
    }
    t->global_context = t->oldest = t->newest = 1;
}

static uint32_t context_new(Cpu *c)
{
    Tlb2 *t = &c->tlb2;

    if (t->newest + 1 == 1u << TLB2_CONTEXT_BITS) {
        forget_all(t);
        c->window.context = 0; /* the numbers begin again */
    }
    return ++t->newest;
}

static void context_enter(Cpu *c)
{
    Tlb2 *t = &c->tlb2;
    uint32_t *context = &t->of_pcid[tlb2_pcid(c)];

    if (*context <= t->oldest) {
        uint32_t made = context_new(c); /* may forget all */

        *context = made;
    }
    t->context = *context;
    window_update(c);
}

void tlb2_flush(Cpu *c)
{
    Tlb2 *t = &c->tlb2;

    t->global_context = context_new(c);
    t->oldest = t->newest;
    t->large_at = t->huge_at = 0;
    context_enter(c);
}

void tlb2_flush_pcids(Cpu *c)
{
    c->tlb2.oldest = c->tlb2.newest;
    context_enter(c);
}

void tlb2_flush_pcid(Cpu *c, unsigned pcid)
{
    c->tlb2.of_pcid[pcid] = 0;
    context_enter(c);
}

void tlb2_cr3_loaded(Cpu *c, bool keep)
{
    if (!keep) {
        c->tlb2.of_pcid[tlb2_pcid(c)] = 0;
    }
    context_enter(c);
}

/* ---- entries ---- */

static uint64_t key_of(uint64_t linear, unsigned bits, uint32_t context)
{
    return (linear & -(1ull << bits)) << KEY_UP | context;
}

/* Processes lie at the same addresses: PCIDs spread them over the sets. Global pages are found
 * under every PCID, so the upper half is not spread. */
static unsigned spread(unsigned pcid, uint64_t linear)
{
    return (int64_t)linear < 0 ? 0 : pcid * 0x9e5u;
}

static Tlb2Entry *small_set(Cpu *c, unsigned pcid, uint64_t linear)
{
    uint64_t page = linear >> PAGE_BITS;

    return &c->tlb2.small[(page ^ page >> 13 ^ spread(pcid, linear)) % TLB2_SETS * TLB2_WAYS];
}

static Tlb2Entry *large_set(Cpu *c, unsigned pcid, uint64_t linear)
{
    uint64_t page = linear >> LARGE_BITS;

    return &c->tlb2.large[(page ^ page >> 9 ^ spread(pcid, linear)) % TLB2_LARGE_SETS * TLB2_WAYS];
}

static inline uint64_t find(const Tlb2Entry *set, uint64_t own, uint64_t global)
{
    for (unsigned n = 0; n < TLB2_WAYS; n++) {
        if (set[n].key == own || set[n].key == global) {
            return set[n].page;
        }
    }
    return 0;
}

uint64_t tlb2_find(Cpu *c, uint64_t linear)
{
    Tlb2 *t = &c->tlb2;
    unsigned pcid = tlb2_pcid(c);
    uint64_t page = find(small_set(c, pcid, linear), key_of(linear, PAGE_BITS, t->context),
                         key_of(linear, PAGE_BITS, t->global_context));

    if (page || tlb2_reach(c, linear) == REACH_PAGE) {
        return page;
    }
    page = find(large_set(c, pcid, linear), key_of(linear, LARGE_BITS, t->context),
                key_of(linear, LARGE_BITS, t->global_context));
    return page ? page | (linear & ((1 << LARGE_BITS) - GUEST_PAGE)) : 0;
}

/* In front of the others; the last one drops out, or one that says the same page. */
static void push_entry(Tlb2Entry *set, Tlb2Entry e, uint64_t other)
{
    unsigned at = 0;

    while (at < TLB2_WAYS - 1 && set[at].key != e.key && set[at].key != other) {
        at++;
    }
    for (; at > 0; at--) {
        set[at] = set[at - 1];
    }
    set[0] = e;
}

static uint64_t entry_bits(const Walk *w)
{
    return TLB2_VALID | (w->writable ? TLB2_WRITABLE : 0) | (w->user ? TLB2_USER : 0) |
           (w->no_execute ? TLB2_NO_EXECUTE : 0) | (w->dirty ? TLB2_DIRTY : 0) |
           (w->global ? TLB2_GLOBAL : 0) | (w->large ? TLB2_LARGE : 0) |
           (uint64_t)w->key << TLB2_KEY_SHIFT;
}

void tlb2_insert(Cpu *c, uint64_t linear, const Walk *w)
{
    Tlb2 *t = &c->tlb2;
    unsigned pcid = tlb2_pcid(c), bits = w->large ? LARGE_BITS : PAGE_BITS;
    uint64_t own = key_of(linear, bits, t->context);
    uint64_t global = key_of(linear, bits, t->global_context);
    Tlb2Entry e = {w->global ? global : own, (w->phys & -(1ull << bits)) | entry_bits(w)};

    if (w->global && c->s.cr4 & CR4_PCIDE && (int64_t)linear >= 0) {
        return;
    }
    if (w->large) {
        t->large_at |= 1ull << (linear >> 30 & 63);
        t->huge_at |= (uint64_t)w->huge << (linear >> 30 & 63);
        push_entry(large_set(c, pcid, linear), e, w->global ? own : global);
    } else {
        push_entry(small_set(c, pcid, linear), e, w->global ? own : global);
    }
}

static void drop(Tlb2Entry *set, uint64_t own, uint64_t global)
{
    for (unsigned n = 0; n < TLB2_WAYS; n++) {
        if (set[n].key == own || set[n].key == global) {
            set[n].key = 0;
        }
    }
}

/* A page of 4 MB has two pieces. */
static void drop_large(Cpu *c, unsigned pcid, uint64_t linear, uint32_t own, uint32_t global)
{
    for (unsigned n = 0; n < 2; n++, linear ^= 1u << LARGE_BITS) {
        drop(large_set(c, pcid, linear), key_of(linear, LARGE_BITS, own),
             key_of(linear, LARGE_BITS, global));
    }
}

static void drop_huge(Tlb2 *t, uint64_t linear, uint32_t own, uint32_t global)
{
    uint64_t gb = key_of(linear, 30, 0);
    uint64_t within = ((1ull << 30) - 1) << KEY_UP & ~((1ull << TLB2_CONTEXT_BITS) - 1);

    for (unsigned n = 0; n < TLB2_LARGE_SETS * TLB2_WAYS; n++) {
        Tlb2Entry *e = &t->large[n];
        uint64_t key = e->key & ~within;

        e->key = key == (gb | own) || key == (gb | global) ? 0 : e->key;
    }
}

void tlb2_flush_page(Cpu *c, unsigned pcid, uint64_t linear, bool global_too)
{
    Tlb2 *t = &c->tlb2;
    unsigned reach = tlb2_reach(c, linear);
    uint32_t own = t->of_pcid[pcid], global = global_too ? t->global_context : own;

    drop(small_set(c, pcid, linear), key_of(linear, PAGE_BITS, own),
         key_of(linear, PAGE_BITS, global));
    if (reach == REACH_HUGE) {
        drop_huge(t, linear, own, global);
    } else if (reach != REACH_PAGE) {
        drop_large(c, pcid, linear, own, global);
    }
}
