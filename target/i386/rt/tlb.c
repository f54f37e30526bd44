/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The software TLB's first level and the cache of physical pages: filling and emptying
 * (SDM volume 3, "Caching translation information"). The first level knows the pages of the current
 * PCID only, by view; what outlives a load of CR3 is refilled from the second level (tlb2.c).
 * Not modelled: the instruction TLB's own entries; block.c keeps fetch translations.
 */
#include "target/i386/rt/block.h"
#include "target/i386/rt/host.h"
#include "target/i386/rt/walk.h"

static void slot_clear(TlbTable *t, unsigned slot)
{
    uint64_t others = ~(1ull << slot % 64);

    t->read[slot] = t->write[slot] = tlb_no_tag(slot);
    t->used[slot / 64] &= others;
    t->global[slot / 64] &= others;
    t->large[slot / 64] &= others;
}

/* Clear the slots with these bits of a word of the bitmaps. */
static void slots_clear(TlbTable *t, unsigned word, uint64_t bits)
{
    t->used[word] &= ~bits;
    t->global[word] &= ~bits;
    t->large[word] &= ~bits;
    for (; bits; bits &= bits - 1) {
        unsigned slot = word * 64 + __builtin_ctzll(bits);

        t->read[slot] = t->write[slot] = tlb_no_tag(slot);
    }
}

static void devices_forget(Cpu *c)
{
    for (unsigned v = 0; v < VIEW_COUNT; v++) {
        c->device[v].linear = ~0ull;
    }
}

static void tables_clear(Cpu *c, bool global_too)
{
    devices_forget(c);
    for (unsigned v = 0; v < VIEW_SLOW; v++) {
        TlbTable *t = &c->tlb_view[v];

        for (unsigned w = 0; w < TLB_SIZE / 64; w++) {
            uint64_t bits = t->used[w] & (global_too ? ~0ull : ~t->global[w]);

            if (bits) {
                slots_clear(t, w, bits);
            }
        }
    }
}

void tlb_init(Cpu *c)
{
    c->tlb_mask = (uint64_t)(TLB_SIZE - 1) * GUEST_PAGE;
    for (unsigned v = 0; v < VIEW_COUNT; v++) {
        for (unsigned slot = 0; slot < TLB_SIZE; slot++) {
            slot_clear(&c->tlb_view[v], slot);
        }
    }
    window_init(c);
    tlb_flush(c);
}

void tlb_flush(Cpu *c)
{
    tlb2_flush(c);
    tlb_rights_changed(c);
}

void tlb_rights_changed(Cpu *c)
{
    tables_clear(c, true);
    fetch_flush(c, true);
}

/* The first level knows one PCID at a time. */
static void tables_switch(Cpu *c)
{
    tables_clear(c, false);
    fetch_flush(c, false);
}

void tlb_cr3_loaded(Cpu *c, bool keep)
{
    uint32_t before = c->tlb2.context;

    tlb2_cr3_loaded(c, keep);
    if (c->tlb2.context != before) {
        tables_switch(c);
    }
}

void tlb_flush_pcids(Cpu *c)
{
    tlb2_flush_pcids(c);
    tables_switch(c);
}

void tlb_flush_pcid(Cpu *c, unsigned pcid)
{
    tlb2_flush_pcid(c, pcid);
    if (pcid == tlb2_pcid(c)) {
        tables_switch(c);
    }
}

/* Pieces of large pages whose addresses are the same from bit `reach` up: which of them the address
 * is in is not kept. Those of a page have neighbouring slots. */
static void forget_large(Cpu *c, uint64_t linear, unsigned reach)
{
    unsigned words = TLB_SIZE / 64, first = 0;

    if (reach < REACH_HUGE) {
        words = 1u << (reach - 12 - 6);
        first = tlb_slot(linear & -(1ull << reach)) / 64;
    }
    for (unsigned v = 0; v < VIEW_SLOW; v++) {
        TlbTable *t = &c->tlb_view[v];

        for (unsigned w = first; w < first + words; w++) {
            for (uint64_t bits = t->large[w]; bits; bits &= bits - 1) {
                unsigned slot = w * 64 + __builtin_ctzll(bits);

                /* a page that may only be written does not exist */
                if (-t->read[slot] >> reach == linear >> reach) {
                    slot_clear(t, slot);
                }
            }
        }
    }
}

void tlb_forget_page(Cpu *c, uint64_t linear)
{
    devices_forget(c);
    for (unsigned v = 0; v < VIEW_SLOW; v++) {
        slot_clear(&c->tlb_view[v], tlb_slot(linear));
    }
    fetch_flush_page(c, linear, REACH_PAGE);
    window_forget(c, c->tlb2.context, linear, REACH_PAGE);
}

static void forget_address(Cpu *c, uint64_t linear)
{
    unsigned reach = tlb2_reach(c, linear);

    if (reach != REACH_PAGE) {
        forget_large(c, linear, reach);
        fetch_flush_page(c, linear, reach);
        window_forget(c, c->tlb2.context, linear, reach);
    }
    tlb_forget_page(c, linear);
}

void tlb_flush_page(Cpu *c, uint64_t linear)
{
    tlb2_flush_page(c, tlb2_pcid(c), linear, true);
    forget_address(c, linear);
}

void tlb_flush_pcid_page(Cpu *c, unsigned pcid, uint64_t linear)
{
    tlb2_flush_page(c, pcid, linear, false);
    if (pcid == tlb2_pcid(c)) {
        forget_address(c, linear);
    } else {
        window_forget(c, c->tlb2.of_pcid[pcid], linear, tlb2_reach(c, linear));
    }
}

void tlb_drop_writes(Cpu *c)
{
    for (unsigned v = 0; v < VIEW_SLOW; v++) {
        TlbTable *t = &c->tlb_view[v];

        for (unsigned w = 0; w < TLB_SIZE / 64; w++) {
            for (uint64_t bits = t->used[w]; bits; bits &= bits - 1) {
                unsigned slot = w * 64 + __builtin_ctzll(bits);

                t->write[slot] = tlb_no_tag(slot);
            }
        }
    }
}

void tlb_drop_writes_to(Cpu *c, const uint8_t *host)
{
    uintptr_t page = (uintptr_t)host + TLB_ADDEND;

    window_close(c, host);
    for (unsigned v = 0; v < VIEW_SLOW; v++) {
        TlbTable *t = &c->tlb_view[v];

        for (unsigned w = 0; w < TLB_SIZE / 64; w++) {
            for (uint64_t bits = t->used[w]; bits; bits &= bits - 1) {
                unsigned slot = w * 64 + __builtin_ctzll(bits);

                if (t->addend[slot] - t->write[slot] == page) {
                    t->write[slot] = tlb_no_tag(slot);
                }
            }
        }
    }
}

void phys_forget(Cpu *c)
{
    for (unsigned n = 0; n < PHYS_CACHE; n++) {
        c->phys[n].phys = ~0ull;
    }
    for (unsigned n = 0; n < PHYS_SPANS; n++) {
        c->span[n].bytes = 0;
    }
    window_drop(c);
    tlb_flush(c);
}

void phys_flush(Cpu *c)
{
    phys_forget(c);
    block_flush(c);
}

/* The span that holds an address; A20 is applied already. NULL: none. */
static const PhysSpan *span_find(Cpu *c, uint64_t phys)
{
    const PhysSpan *s = &c->span[c->span_last];

    if (likely(phys - s->first < s->bytes)) {
        return s;
    }
    for (unsigned n = 0; n < PHYS_SPANS; n++) {
        if (phys - c->span[n].first < c->span[n].bytes) {
            c->span_last = n;
            return &c->span[n];
        }
    }
    return NULL;
}

static void span_keep(Cpu *c, const PhysPage *p)
{
    PhysSpan *s = &c->span[c->span_next++ % PHYS_SPANS];

    s->first = p->phys - p->before;
    s->bytes = p->before + GUEST_PAGE + p->after;
    s->page = *p;
    s->page.phys = s->first;
    s->page.host -= p->before;
    s->page.ram_at -= p->before;
    s->page.code -= p->code ? p->before / GUEST_PAGE : 0;
}

static void span_page(const PhysSpan *s, uint64_t phys, PhysPage *out)
{
    uint64_t in = (phys - s->first) & -(uint64_t)GUEST_PAGE;

    out->phys = s->first + in;
    out->host = s->page.host + in;
    out->ram = s->page.ram;
    out->ram_at = s->page.ram_at + in;
    out->code = s->page.code ? s->page.code + in / GUEST_PAGE : NULL;
    out->warmth = s->page.warmth;
    out->readonly = s->page.readonly;
    out->logged = s->page.logged;
}

static uint64_t a20_gate(const Cpu *c, uint64_t phys)
{
    return phys & (c->s.a20 ? ~0ull : ~0x100000ull);
}

uint8_t *phys_host(Cpu *c, uint64_t phys)
{
    const PhysSpan *s = span_find(c, a20_gate(c, phys));

    return s ? s->page.host + (a20_gate(c, phys) - s->first) : NULL;
}

static __attribute__((noinline)) void phys_page_find(Cpu *c, uint64_t phys, PhysPage *p)
{
    const PhysSpan *s = span_find(c, phys);

    if (s) {
        span_page(s, phys, p);
        return;
    }
    HOST_DO(c, page, phys, p);
    p->phys = phys;
    if (p->host && p->before + p->after) {
        span_keep(c, p);
    }
}

PhysPage *phys_page(Cpu *c, uint64_t phys)
{
    PhysPage *p;

    phys = a20_gate(c, phys) & -(uint64_t)GUEST_PAGE;
    p = &c->phys[phys / GUEST_PAGE % PHYS_CACHE];
    if (unlikely(p->phys != phys)) {
        phys_page_find(c, phys, p);
    }
    return p;
}

bool page_quiet(Cpu *c, const PhysPage *p)
{
    bool quiet = p->host && !p->readonly && (!p->code || code_open(p->code));

    if (p->code) {
        code_heed(c);
    }
    return quiet;
}

/* RAM that is a file gets huge pages only where it is asked for them: where pages are met often. */
static void warm(Cpu *c, const PhysPage *p)
{
    _Atomic uint8_t *at = &p->warmth[p->ram_at / RAM_PIECE];
    uint8_t so_far = atomic_load_explicit(at, memory_order_relaxed);

    if (so_far < RAM_WARM) {
        atomic_store_explicit(at, so_far + 1, memory_order_relaxed); /* of two, one may be lost */
        if (unlikely(so_far + 1 == RAM_WARM) && c->host->ram_warm) {
            HOST_DO(c, ram_warm, p);
        }
    }
}

void tlb_fill(Cpu *c, View view, uint64_t linear, const Walk *w, AccessKind kind)
{
    const PhysSpan *s = span_find(c, a20_gate(c, w->phys));
    unsigned slot = tlb_slot(linear);
    PhysPage *p, local;
    TlbTable *t = &c->tlb_view[view];
    bool user = view == VIEW_USER, smap = view == VIEW_KERNEL_SMAP;

    if (s) {
        p = &local;
        span_page(s, a20_gate(c, w->phys), p);
    } else {
        p = phys_page(c, w->phys);
    }
    slot_clear(t, slot);
    if (!p->host) {
        c->device[view] =
            (DevicePage){linear & -(uint64_t)GUEST_PAGE, p->phys, kind & ACCESS_WRITE};
    }
    if (!p->host || (uintptr_t)p->host % GUEST_PAGE || view == VIEW_SLOW ||
        (unlikely(c->debug != NULL) && debug_watches_page(c->debug, linear))) {
        return;
    }
    if (p->warmth) {
        warm(c, p);
    }
    linear &= ~0xfffull;
    t->addend[slot] = (uintptr_t)p->host - linear + TLB_ADDEND;
    if (walk_denied(c, w, user, smap, ACCESS_READ)) {
        return; /* nor can it be written then */
    }
    t->read[slot] = -linear;
    if (w->dirty && (!p->logged || kind & ACCESS_WRITE) &&
        !walk_denied(c, w, user, smap, ACCESS_WRITE) && page_quiet(c, p)) {
        t->write[slot] = -linear;
        if (unlikely(
                p->logged)) { /* whoever clears the mark drops the tag with the world stopped */
            HOST_DO(c, dirty, p, 0, GUEST_PAGE);
        }
    }
    t->used[slot / 64] |= 1ull << slot % 64;
    t->global[slot / 64] |= (uint64_t)w->global << slot % 64;
    t->large[slot / 64] |= (uint64_t)w->large << slot % 64;
}
