/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The software TLB and the cache of physical pages: filling and emptying
 * (SDM volume 3, "Caching translation information").
 * Not modelled: process-context identifiers as tags; what must go at a CR3 load goes, and what a
 * guest asks to keep (CR3 bit 63) is dropped as well, which the manual allows.
 */
#include "target/i386/rt/block.h"
#include "target/i386/rt/host.h"
#include "target/i386/rt/walk.h"

static void entry_clear(TlbEntry *e, unsigned slot)
{
    e->read = e->write = tlb_no_tag(slot);
    e->attributes = 0;
}

static void view_clear(TlbEntry *view, bool global_too)
{
    for (unsigned slot = 0; slot < TLB_SIZE; slot++) {
        if (global_too || !(view[slot].attributes & TLB_GLOBAL)) {
            entry_clear(&view[slot], slot);
        }
    }
}

void tlb_init(Cpu *c)
{
    c->views_used = (1 << VIEW_COUNT) - 1;
    tlb_flush(c, true);
}

void tlb_flush(Cpu *c, bool global_too)
{
    for (unsigned v = 0; v < VIEW_COUNT; v++) {
        if (c->views_used & 1 << v) {
            view_clear(c->tlb_view[v], global_too);
        }
    }
    if (global_too) {
        c->views_used = 0;
        c->large_first = ~0ull;
        c->large_last = 0;
    }
    fetch_flush(c);
}

/* Drop all pieces of large pages: which of them the address is in is not kept. */
static void flush_large(Cpu *c)
{
    for (unsigned v = 0; v < VIEW_COUNT; v++) {
        for (unsigned slot = 0; slot < TLB_SIZE; slot++) {
            if (c->tlb_view[v][slot].attributes & TLB_LARGE) {
                entry_clear(&c->tlb_view[v][slot], slot);
            }
        }
    }
    c->large_first = ~0ull;
    c->large_last = 0;
}

void tlb_flush_page(Cpu *c, uint64_t linear)
{
    unsigned slot = linear / GUEST_PAGE % TLB_SIZE;

    if (linear >= c->large_first && linear <= c->large_last) {
        flush_large(c);
    }
    for (unsigned v = 0; v < VIEW_COUNT; v++) {
        entry_clear(&c->tlb_view[v][slot], slot);
    }
    fetch_flush_page(c, linear);
}

void tlb_drop_writes(Cpu *c)
{
    for (unsigned v = 0; v < VIEW_COUNT; v++) {
        for (unsigned slot = 0; slot < TLB_SIZE; slot++) {
            c->tlb_view[v][slot].write = tlb_no_tag(slot);
        }
    }
}

void phys_flush(Cpu *c)
{
    for (unsigned n = 0; n < PHYS_CACHE; n++) {
        c->phys[n].phys = ~0ull;
    }
    tlb_init(c);
    block_flush(c);
}

PhysPage *phys_page(Cpu *c, uint64_t phys)
{
    PhysPage *p;

    phys &= c->s.a20 ? ~0xfffull : ~0x100fffull;
    p = &c->phys[phys / GUEST_PAGE % PHYS_CACHE];
    if (unlikely(p->phys != phys)) {
        HOST_DO(c, page, phys, p);
        p->phys = phys;
    }
    return p;
}

/* A large page spans up to 1 GB; INVLPG anywhere in it must find all its pieces. */
static void large_note(Cpu *c, uint64_t linear)
{
    uint64_t first = linear & ~0x3fffffffull;

    c->large_first = first < c->large_first ? first : c->large_first;
    c->large_last = first + 0x3fffffff > c->large_last ? first + 0x3fffffff : c->large_last;
}

void tlb_fill(Cpu *c, View view, uint64_t linear, const Walk *w, const PhysPage *p)
{
    unsigned slot = linear / GUEST_PAGE % TLB_SIZE;
    TlbEntry *e = &c->tlb_view[view][slot];
    bool user = view == VIEW_USER, smap = view == VIEW_KERNEL_SMAP;
    bool quiet = p->host && !p->readonly && !p->logged && !(p->code && p->code->grains);

    entry_clear(e, slot);
    if (!p->host || view == VIEW_SLOW ||
        (unlikely(c->debug != NULL) && debug_watches_page(c->debug, linear))) {
        return;
    }
    linear &= ~0xfffull;
    e->addend = (uintptr_t)p->host - linear;
    e->attributes = (w->global ? TLB_GLOBAL : 0) | (w->large ? TLB_LARGE : 0);
    if (!walk_denied(c, w, user, smap, ACCESS_READ)) {
        e->read = linear;
    }
    if (quiet && w->dirty && !walk_denied(c, w, user, smap, ACCESS_WRITE)) {
        e->write = linear;
    }
    if (w->large) {
        large_note(c, linear);
    }
    c->views_used |= 1 << view;
}
