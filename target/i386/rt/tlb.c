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

static void slot_clear(TlbTable *t, unsigned slot)
{
    t->read[slot] = t->write[slot] = tlb_no_tag(slot);
    t->attributes[slot] = 0;
}

static void table_clear(TlbTable *t, bool global_too)
{
    for (unsigned slot = 0; slot < TLB_SIZE; slot++) {
        if (global_too || !(t->attributes[slot] & TLB_GLOBAL)) {
            slot_clear(t, slot);
        }
    }
}

void tlb_init(Cpu *c)
{
    c->tlb_mask = (uint64_t)(TLB_SIZE - 1) * GUEST_PAGE;
    c->views_used = (1 << VIEW_COUNT) - 1;
    tlb_flush(c, true);
}

void tlb_flush(Cpu *c, bool global_too)
{
    for (unsigned v = 0; v < VIEW_COUNT; v++) {
        if (c->views_used & 1 << v) {
            table_clear(&c->tlb_view[v], global_too);
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
            if (c->tlb_view[v].attributes[slot] & TLB_LARGE) {
                slot_clear(&c->tlb_view[v], slot);
            }
        }
    }
    c->large_first = ~0ull;
    c->large_last = 0;
}

void tlb_flush_page(Cpu *c, uint64_t linear)
{
    if (linear >= c->large_first && linear <= c->large_last) {
        flush_large(c);
    }
    for (unsigned v = 0; v < VIEW_COUNT; v++) {
        slot_clear(&c->tlb_view[v], tlb_slot(linear));
    }
    fetch_flush_page(c, linear);
}

void tlb_drop_writes(Cpu *c)
{
    for (unsigned v = 0; v < VIEW_COUNT; v++) {
        for (unsigned slot = 0; slot < TLB_SIZE; slot++) {
            c->tlb_view[v].write[slot] = tlb_no_tag(slot);
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
    unsigned slot = tlb_slot(linear);
    TlbTable *t = &c->tlb_view[view];
    bool user = view == VIEW_USER, smap = view == VIEW_KERNEL_SMAP;
    bool quiet = p->host && !p->readonly && !p->logged && !(p->code && p->code->grains);

    slot_clear(t, slot);
    if (!p->host || (uintptr_t)p->host % GUEST_PAGE || view == VIEW_SLOW ||
        (unlikely(c->debug != NULL) && debug_watches_page(c->debug, linear))) {
        return;
    }
    linear &= ~0xfffull;
    t->addend[slot] = (uintptr_t)p->host - linear + TLB_ADDEND;
    t->attributes[slot] = (w->global ? TLB_GLOBAL : 0) | (w->large ? TLB_LARGE : 0);
    if (!walk_denied(c, w, user, smap, ACCESS_READ)) {
        t->read[slot] = -linear;
    }
    if (quiet && w->dirty && !walk_denied(c, w, user, smap, ACCESS_WRITE)) {
        t->write[slot] = -linear;
    }
    if (w->large) {
        large_note(c, linear);
    }
    c->views_used |= 1 << view;
}
