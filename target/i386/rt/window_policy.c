/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who gets the direct window. The guest's interrupts that meet user code are the samples; an
 * address space that a few in a row have met gets the window, with what the TLB knows mapped at
 * once. It loses it with a flush, or when faults and invalidations cost too much of the time; then
 * it must run twice as long to get it again.
 */
#include "target/i386/rt/window_impl.h"

enum {
    NEED_FIRST = 4, /* samples; the guest's timer makes one each 1 to 10 ms    */
    NEED_MOST = 4096,
    COST_MOST = 300,   /* microseconds a sample that the window may take          */
    COST_BURST = 1500, /* ... before the next sample comes                        */
    TIRED_MOST = 3,
    CHECK_EACH = 16,   /* ways into user code, in a test mode */
    GAIN = 300,        /* what a sample with the window is worth, and what a promotion costs */
    PAID_FIRST = 4000, /* besides its mappings: code is translated again          */
    RUNS_MOST = 2048,  /* mappings when an address space gets the window           */
};

/* ---- may it be used now? ---- */

static bool key_open(const Cpu *c)
{
    return !(c->s.cr4 & CR4_PKE) || !(c->s.pkru & 3);
}

static bool user_code(const Cpu *c)
{
    return c->cpl == 3 && c->code_size == CODE_64 && c->view == VIEW_USER;
}

/* Also with LA57: chunks are of the lower 128 TB, and an address above them that has a chunk's 16
 * bits leads to where the host has nothing for user code either. */
static bool possible(const Cpu *c)
{
    return c->window.store && !c->window.lost && !c->debug && key_open(c) && c->s.cr0 & CR0_PG;
}

static void adopt(Cpu *c);

/* User code of the window counts on it. false: rSP is in no chunk. */
static bool stack_within(Cpu *c)
{
    Window *w = &c->window;
    unsigned n = window_slot(c->s.gpr[R_SP]);

    if (w->tag[n] == WINDOW_NO_TAG || w->tag[n] != window_tag(c->s.gpr[R_SP])) {
        window_clear(w, WINDOW_STACK);
        return false;
    }
    w->tag[WINDOW_STACK] = w->tag[n];
    w->minus[WINDOW_STACK] = w->minus[n];
    w->addend[WINDOW_STACK] = w->addend[n];
    return true;
}

void window_update(Cpu *c)
{
    Window *w = &c->window;
    uint32_t wanted;

    if (!w->store) {
        return;
    }
    if (unlikely(w->paranoid) && user_code(c) && w->checks++ % CHECK_EACH == 0) {
        window_compare(c);
    }
    if (unlikely(w->always) && w->context != c->tlb2.context && user_code(c) && possible(c)) {
        adopt(c);
    }
    w->mode = w->context && w->context == c->tlb2.context && possible(c) ? MODE_WINDOW : 0;
    wanted = w->mode && user_code(c) && stack_within(c) ? w->mode : 0;
    if ((c->mode & MODE_WINDOW) != wanted) {
        c->mode ^= MODE_WINDOW;
        c->block_break = true;
    }
}

/* ---- promotion ---- */

static void take_chunk(Window *w, uint64_t linear)
{
    unsigned n = window_slot(linear);

    if (linear >> 47 || w->tag[n] != WINDOW_NO_TAG) {
        return;
    }
    window_set(w, linear, w->host[n]);
}

/* A page that the TLB has, if it is one for the window. -1: it is not. */
static int known_page(Cpu *c, unsigned slot, uint64_t *linear, PhysPage *p)
{
    const TlbTable *t = &c->tlb_view[VIEW_USER];
    uint64_t page;

    if (t->read[slot] == tlb_no_tag(slot)) {
        return -1;
    }
    *linear = -t->read[slot];
    page = tlb2_find(c, *linear);
    if (!page || page & TLB2_GLOBAL || page >> TLB2_KEY_SHIFT & 15 || !(page & TLB2_USER) ||
        *linear >> 47) {
        return -1;
    }
    *p = *phys_page(c, page & TLB2_ADDRESS);
    if (!p->host || t->addend[slot] != (uintptr_t)p->host - *linear + TLB_ADDEND) {
        return -1;
    }
    return (t->write[slot] == t->read[slot] ? WINDOW_WRITE : 0) |
           (page & TLB2_LARGE ? WINDOW_LARGE : 0);
}

typedef struct Run {
    uint64_t linear;
    PhysPage page;
    unsigned pages;
    int bits;
} Run;

static void run_end(Cpu *c, Run *r)
{
    Window *w = &c->window;

    if (r->pages && w->tag[window_slot(r->linear)] == window_tag(r->linear) &&
        window_map(c, r->linear, &r->page, r->pages, r->bits)) {
        w->paid += WINDOW_COST_MAP + r->pages / 4;
    }
    r->pages = 0;
}

/* Neighbours have neighbouring slots, so runs need no sorting. */
static void run_add(Cpu *c, Run *r, uint64_t linear, const PhysPage *p, int bits)
{
    uint64_t bytes = (uint64_t)r->pages * GUEST_PAGE;

    if (r->pages && r->linear + bytes == linear && r->page.host + bytes == p->host &&
        r->page.ram == p->ram && r->bits == bits && linear % (2 << 20)) {
        r->pages++;
        return;
    }
    run_end(c, r);
    *r = (Run){linear, *p, 1, bits};
}

static void prefill(Cpu *c)
{
    const TlbTable *t = &c->tlb_view[VIEW_USER];
    unsigned runs = 0;
    Run r = {0};

    for (unsigned word = 0; word < TLB_SIZE / 64 && runs < RUNS_MOST; word++) {
        for (uint64_t bits = t->used[word]; bits; bits &= bits - 1) {
            unsigned pages = r.pages;
            uint64_t linear;
            PhysPage p;
            int how = known_page(c, word * 64 + __builtin_ctzll(bits), &linear, &p);

            if (how >= 0 && !window_find(&c->window, linear)) {
                run_add(c, &r, linear, &p, how);
                runs += r.pages <= pages;
            }
        }
    }
    run_end(c, &r);
}

/* Chunks for what the TLB knows: stack and code first, which name the most important ones. */
static void choose_chunks(Cpu *c)
{
    const TlbTable *t = &c->tlb_view[VIEW_USER];
    Window *w = &c->window;

    take_chunk(w, 0);
    take_chunk(w, c->s.gpr[R_SP]);
    take_chunk(w, c->s.rip);
    for (unsigned word = 0; word < TLB_SIZE / 64; word++) {
        for (uint64_t bits = t->used[word]; bits; bits &= bits - 1) {
            take_chunk(w, -t->read[word * 64 + __builtin_ctzll(bits)]);
        }
    }
}

/* The current context gets the window. */
static void adopt(Cpu *c)
{
    Window *w = &c->window;

    window_empty(c);
    window_init_tags(c);
    choose_chunks(c);
    w->context = c->tlb2.context;
    w->paid = w->earned = w->cost = w->tired = 0;
    w->figures.promotions++;
    c->block_break = true; /* a unit that comes back here has seen other tags */
    if (!w->always) {
        prefill(c);
    }
}

/* ---- samples ---- */

static uint64_t address_space(const Cpu *c)
{
    return c->s.cr3 & ~0xfffull;
}

static WindowRecent *recent(Cpu *c)
{
    Window *w = &c->window;

    for (unsigned n = 0; n < WINDOW_RECENT; n++) {
        if (w->recent[n].table == address_space(c) && w->recent[n].need) {
            return &w->recent[n];
        }
    }
    return NULL;
}

static uint32_t need(Cpu *c)
{
    const WindowRecent *r = recent(c);

    return r ? r->need : NEED_FIRST;
}

static void set_need(Cpu *c, uint32_t value)
{
    Window *w = &c->window;
    WindowRecent *r = recent(c);

    if (!r) {
        r = &w->recent[w->recent_next++ % WINDOW_RECENT];
    }
    *r = (WindowRecent){address_space(c), value < NEED_MOST ? value : NEED_MOST};
}

/* It costs more than it can give. */
static void demote(Cpu *c)
{
    c->window.figures.demotions++;
    set_need(c, need(c) * 4);
    window_drop(c);
}

bool window_too_dear(Cpu *c)
{
    bool much = c->window.cost > COST_BURST && !c->window.always;

    if (much) {
        demote(c);
    }
    return much;
}

static void sample_current(Cpu *c)
{
    Window *w = &c->window;
    bool much = w->cost > COST_MOST && !w->always;

    w->earned++;
    w->tired = much ? w->tired + 1 : 0;
    w->cost = 0;
    if (w->tired >= TIRED_MOST) {
        demote(c);
        return;
    }
    if (w->earned * GAIN > w->paid + PAID_FIRST) {
        set_need(c, NEED_FIRST);
    }
    choose_chunks(c);
}

void window_sample(Cpu *c)
{
    Window *w = &c->window;
    uint32_t context = c->tlb2.context;

    if (!w->store || !user_code(c) || !possible(c)) {
        return;
    }
    if (w->context == context) {
        sample_current(c);
        return;
    }
    w->samples = w->candidate == context ? w->samples + 1 : 1;
    w->candidate = context;
    if (w->samples >= need(c)) {
        w->samples = 0;
        set_need(c, need(c) * 2); /* until it has paid: a flush may come soon */
        adopt(c);
        window_update(c);
    }
}
