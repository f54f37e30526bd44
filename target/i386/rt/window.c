/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The direct window: which pages are mapped, and mapping and forgetting them (window.h). Who gets
 * the window is decided in window_policy.c.
 *
 * A page may be mapped for writing under the conditions of a write tag in the TLB (tlb_fill()), and
 * what takes that tag away closes it here. What is mapped stays so until the guest invalidates it:
 * SDM volume 3, "Caching translation information" allows that of any translation.
 */
#include "target/i386/rt/window_impl.h"

static uint32_t *bucket(uint32_t *heads, uint64_t page)
{
    return &heads[page / GUEST_PAGE * 0x9e3779b97f4a7c15u >> (64 - WINDOW_BUCKET_BITS)];
}

static uint32_t *bucket_linear(Window *w, uint64_t linear)
{
    return bucket(w->store->by_linear, linear);
}

static uint32_t *bucket_ram(Window *w, const uint8_t *ram)
{
    return bucket(w->store->by_ram, (uintptr_t)ram);
}

static uint64_t page_of(uint64_t linear)
{
    return linear & -(uint64_t)GUEST_PAGE;
}

WindowPage *window_find(Window *w, uint64_t linear)
{
    uint32_t n = *bucket_linear(w, page_of(linear));

    while (n && page_of(w->store->page[n].linear) != page_of(linear)) {
        n = w->store->page[n].next;
    }
    return n ? &w->store->page[n] : NULL;
}

/* ---- the host's mappings, counted ---- */

/* Does the host keep two neighbouring pages in one mapping? */
static bool joined(Window *w, uint64_t linear)
{
    const WindowPage *a = window_find(w, linear - GUEST_PAGE), *b = window_find(w, linear);

    if (!a || !b) {
        return a == b;
    }
    return a->ram + GUEST_PAGE == b->ram && !((a->linear ^ b->linear) & WINDOW_WRITE);
}

/* Borders at both ends of some pages. */
static int borders(Window *w, uint64_t linear, uint64_t bytes)
{
    return !joined(w, linear) + !joined(w, linear + bytes);
}

static void count_areas(Window *w, int more)
{
    w->areas += more;
    *w->all_areas += more;
}

static bool room_for_areas(const Window *w)
{
    return *w->all_areas + 4 < w->most_areas;
}

/* ---- entries ---- */

static uint32_t entry_new(Window *w)
{
    uint32_t n = w->free;

    if (n) {
        w->free = w->store->page[n].next;
        return n;
    }
    return w->used + 1 < WINDOW_PAGES ? ++w->used : 0;
}

static bool add(Window *w, uint64_t linear, const uint8_t *ram, unsigned bits)
{
    WindowPage *p = window_find(w, linear);
    uint32_t n, *head;

    if (bits & WINDOW_LARGE) {
        w->large[linear >> 27 & 63] |= 1ull << (linear >> 21 & 63);
    }
    if (p) { /* the same page, otherwise: what lay there has been forgotten */
        p->linear = linear | bits;
        return true;
    }
    n = entry_new(w);
    if (!n) {
        return false;
    }
    p = &w->store->page[n];
    head = bucket_linear(w, linear);
    *p = (WindowPage){linear | bits, ram, *head, *bucket_ram(w, ram)};
    *head = n;
    *bucket_ram(w, ram) = n;
    w->count++;
    w->in_slot[window_slot(linear)]++;
    return true;
}

static void unlink_alias(Window *w, uint32_t n)
{
    uint32_t *at = bucket_ram(w, w->store->page[n].ram);

    while (*at != n) {
        at = &w->store->page[*at].alias;
    }
    *at = w->store->page[n].alias;
}

static void take_out(Window *w, uint64_t linear)
{
    uint32_t *at = bucket_linear(w, linear), n;

    while (*at && page_of(w->store->page[*at].linear) != linear) {
        at = &w->store->page[*at].next;
    }
    n = *at;
    if (n) {
        *at = w->store->page[n].next;
        unlink_alias(w, n);
        w->store->page[n].next = w->free;
        w->free = n;
        w->count--;
        w->in_slot[window_slot(linear)]--;
    }
}

/* ---- all ---- */

static void forget_entries(Window *w)
{
    for (uint32_t n = 1; n <= w->used; n++) {
        *bucket_linear(w, page_of(w->store->page[n].linear)) = 0;
        *bucket_ram(w, w->store->page[n].ram) = 0;
    }
    w->used = w->free = w->count = 0;
    w->above = false;
    for (unsigned n = 0; n < 64; n++) {
        w->large[n] = 0;
    }
    count_areas(w, -(int)w->areas);
}

/* The host does not do what it must: no code looks here any more. */
static void lose(Cpu *c)
{
    c->window.lost = true;
    window_init_tags(c);
    window_update(c);
}

void window_empty(Cpu *c)
{
    Window *w = &c->window;

    if (!w->store || !w->count) {
        return;
    }
    w->figures.drops++;
    for (unsigned n = 0; n < WINDOW_SLOTS; n++) {
        if (w->in_slot[n] && !HOST_CALL(c, window_unmap, w->host[n], WINDOW_CHUNK)) {
            lose(c);
        }
        w->in_slot[n] = 0;
    }
    forget_entries(w);
}

void window_drop(Cpu *c)
{
    window_empty(c);
    c->window.context = 0;
    window_update(c);
}

void window_clear(Window *w, unsigned slot)
{
    w->tag[slot] = WINDOW_NO_TAG;
    w->minus[slot] = -((uint64_t)WINDOW_NO_TAG << WINDOW_CHUNK_SHIFT);
    w->less[slot] = w->minus[slot] + WINDOW_CHUNK;
    w->addend[slot] = WINDOW_NOWHERE + WINDOW_ADDEND;
}

void window_set(Window *w, uint64_t linear, uint64_t host)
{
    unsigned slot = window_slot(linear);
    uint64_t chunk = linear & -WINDOW_CHUNK;

    w->tag[slot] = window_tag(linear);
    w->minus[slot] = -chunk;
    w->less[slot] = WINDOW_CHUNK - chunk;
    w->addend[slot] = host - chunk + WINDOW_ADDEND;
}

void window_init_tags(Cpu *c)
{
    for (unsigned n = 0; n < WINDOW_SLOTS; n++) {
        window_clear(&c->window, n);
    }
    window_clear(&c->window, WINDOW_STACK);
    c->window.context = 0;
}

void window_init(Cpu *c)
{
    c->window = (Window){0};
    window_init_tags(c);
}

/* ---- pages go ---- */

static uintptr_t host_of(const Window *w, uint64_t linear)
{
    return w->addend[window_slot(linear)] - WINDOW_ADDEND + linear;
}

static void forget_run(Cpu *c, uint64_t linear, uint64_t bytes, int before)
{
    Window *w = &c->window;

    count_areas(w, borders(w, linear, bytes) - before);
    if (!HOST_CALL(c, window_unmap, host_of(w, linear), bytes)) {
        window_drop(c);
    }
}

static void forget_one(Cpu *c, uint64_t linear)
{
    Window *w = &c->window;
    int before;

    if (!window_find(w, linear)) {
        return;
    }
    before = borders(w, linear, GUEST_PAGE);
    take_out(w, linear);
    w->figures.forgotten++;
    w->cost += WINDOW_COST_FORGET;
    forget_run(c, linear, GUEST_PAGE, before);
}

/* All pages around: only large ones are meant, but the others may go, too. */
static void forget_around(Cpu *c, uint64_t linear, uint64_t bytes)
{
    Window *w = &c->window;
    uint64_t first = linear & -bytes;
    int before = borders(w, first, bytes), inside = 0;
    unsigned found = 0;

    for (uint64_t at = first; at < first + bytes; at += GUEST_PAGE) {
        inside += at > first && !joined(w, at);
    }
    for (uint64_t at = first; at < first + bytes; at += GUEST_PAGE) {
        uint32_t count = w->count;

        take_out(w, at);
        found += count - w->count;
    }
    if (found) {
        w->figures.forgotten += found;
        w->cost += WINDOW_COST_FORGET + found / 16;
        forget_run(c, first, bytes, before + inside);
    }
}

/* Both halves of 4 MB. */
static bool any_large(const Window *w, uint64_t linear)
{
    uint64_t piece = linear >> 21;

    return w->large[piece >> 6 & 63] >> (piece & 63) & 1 ||
           w->large[piece >> 6 & 63] >> ((piece ^ 1) & 63) & 1;
}

void window_forget(Cpu *c, uint32_t context, uint64_t linear, unsigned reach)
{
    Window *w = &c->window;

    if (!w->count || !w->context || w->context != context ||
        w->tag[window_slot(linear)] != window_tag(linear)) {
        return;
    }
    linear = page_of(linear);
    if (reach >= WINDOW_REACH_HUGE) {
        window_empty(c);
    } else if (reach > WINDOW_REACH_PAGE && any_large(w, linear)) {
        forget_around(c, linear, 1ull << reach);
    } else {
        forget_one(c, linear);
    }
}

/* ---- pages lose the right to be written ---- */

static bool close_one(Cpu *c, WindowPage *p)
{
    Window *w = &c->window;
    uint64_t linear = page_of(p->linear);
    int before = borders(w, linear, GUEST_PAGE);

    p->linear &= ~(uint64_t)WINDOW_WRITE;
    count_areas(w, borders(w, linear, GUEST_PAGE) - before);
    w->figures.closed++;
    w->cost += WINDOW_COST_FORGET;
    return HOST_CALL(c, window_close, host_of(w, linear), GUEST_PAGE);
}

void window_close(Cpu *c, const uint8_t *ram)
{
    Window *w = &c->window;

    if (!w->count) {
        return;
    }
    for (uint32_t n = *bucket_ram(w, ram); n; n = w->store->page[n].alias) {
        WindowPage *p = &w->store->page[n];

        if (p->ram == ram && p->linear & WINDOW_WRITE && !close_one(c, p)) {
            window_drop(c);
            return;
        }
    }
}

/* ---- a test mode ---- */

/* What the page may not be mapped for; NULL: all is well. Less than the tables allow is well, too.
 */
static const char *wrong(Cpu *c, const WindowPage *p)
{
    uint64_t linear = page_of(p->linear);
    Walk k;

    if (!walk_look(c, linear, &k)) {
        return "absent";
    }
    if (!k.user || k.global || k.key) {
        return "the kernel's, global or keyed";
    }
    if (phys_page(c, k.phys)->host != p->ram) {
        return "elsewhere";
    }
    return p->linear & WINDOW_WRITE && !(k.writable && k.dirty) ? "read-only or clean" : NULL;
}

void window_compare(Cpu *c)
{
    Window *w = &c->window;

    if (w->context != c->tlb2.context) {
        return;
    }
    for (uint32_t n = 1; n <= w->used; n++) {
        const WindowPage *p = &w->store->page[n];
        const char *what = window_find(w, p->linear) == p ? wrong(c, p) : NULL;

        if (what) {
            HOST_DO(c, window_differs, p->linear, what);
        }
    }
    w->figures.compared++;
}

/* ---- pages come ---- */

bool window_map(Cpu *c, uint64_t linear, const PhysPage *p, unsigned pages, unsigned bits)
{
    Window *w = &c->window;
    uint64_t bytes = (uint64_t)pages * GUEST_PAGE;
    int before = borders(w, linear, bytes);
    bool ok = room_for_areas(w) && w->count + pages < WINDOW_PAGES;

    if (!ok || !HOST_CALL(c, window_map, host_of(w, linear), p, bytes, bits & WINDOW_WRITE)) {
        if (w->lost) {
            lose(c);
        }
        return false;
    }
    for (unsigned n = 0; n < pages; n++) {
        uint64_t at = (uint64_t)n * GUEST_PAGE;

        if (!add(w, linear + at, p->host + at, bits)) {
            window_drop(c); /* cannot be: there was room */
            return false;
        }
    }
    count_areas(w, borders(w, linear, bytes) - before);
    w->above |= !window_tag(linear) && (linear + bytes - 1) >> 32;
    w->figures.pages += pages;
    return true;
}

/* May the page be mapped, and for writing? As tlb_fill() decides; a page with a key, or a global
 * one, would need more to be forgotten than is kept here. -1: no. */
static int bits_for(Cpu *c, const Walk *k, PhysPage *p, bool write)
{
    bool writable;

    if (!k->keep || k->global || k->key || !p->host || (uintptr_t)p->host % GUEST_PAGE ||
        walk_denied(c, k, true, false, ACCESS_READ)) {
        return -1;
    }
    writable = k->dirty && (!p->logged || write) && !walk_denied(c, k, true, false, ACCESS_WRITE) &&
               page_quiet(c, p);
    if (writable && p->logged) {
        HOST_DO(c, dirty, p, 0, GUEST_PAGE);
    }
    return (writable ? WINDOW_WRITE : 0) | (k->large ? WINDOW_LARGE : 0);
}

/* The linear address that a host address stands for. false: none of a chunk. */
static bool linear_of(const Window *w, uintptr_t at, uint64_t *linear)
{
    for (unsigned n = 0; n < WINDOW_SLOTS; n++) {
        if (w->tag[n] != WINDOW_NO_TAG && at - w->host[n] < WINDOW_CHUNK) {
            *linear = at - w->addend[n] + WINDOW_ADDEND;
            return true;
        }
    }
    return false;
}

/* More of the same large page in one mapping, up to where another one, a page of code or a border
 * of RAM comes. p and bits are those of the first. */
static unsigned pages_around(Cpu *c, uint64_t linear, const Walk *k, const PhysPage *p, int bits,
                             bool write)
{
    unsigned most = WINDOW_AROUND - linear / GUEST_PAGE % WINDOW_AROUND, n = 1;

    for (; n < most && k->large && !p->logged; n++) {
        Walk next = *k;
        PhysPage q;

        next.phys = page_of(k->phys) + (uint64_t)n * GUEST_PAGE;
        q = *phys_page(c, next.phys);
        if (window_find(&c->window, linear + (uint64_t)n * GUEST_PAGE) || q.ram != p->ram ||
            q.logged || q.host != p->host + (size_t)n * GUEST_PAGE ||
            bits_for(c, &next, &q, write) != bits) {
            break;
        }
    }
    return n;
}

static bool fault_in(Cpu *c, uint64_t linear, bool write)
{
    Window *w = &c->window;
    const WindowPage *there = window_find(w, linear);
    Walk k = {.keep = true};
    unsigned pages;
    uint32_t error;
    PhysPage p;
    int bits;

    if ((there && (!write || there->linear & WINDOW_WRITE)) ||
        !mem_look_up_try(c, linear, write ? ACCESS_WRITE : ACCESS_READ, &k, &error) || w->odd) {
        return false;
    }
    p = *phys_page(c, k.phys);
    there = window_find(w, linear);
    if (there && there->ram != p.host) { /* the tables have changed, and nobody has said so yet */
        forget_one(c, page_of(linear));
    }
    bits = bits_for(c, &k, &p, write);
    if (bits < 0 || (write && !(bits & WINDOW_WRITE))) {
        return false;
    }
    pages = window_find(w, linear) ? 1 : pages_around(c, page_of(linear), &k, &p, bits, write);
    w->cost += pages / 8;
    if (!window_map(c, page_of(linear), &p, pages, bits)) {
        return false;
    }
    return !w->lost;
}

/* The handler's registers are not the guest's FPU, which the kernel keeps and gives back. */
bool window_fault(Cpu *c, uintptr_t at, bool write)
{
    Window *w = &c->window;
    bool live = c->fpu_live, ok;
    uint64_t linear;

    if (!w->store || w->context != c->tlb2.context || !linear_of(w, at, &linear) ||
        (c->code_size != CODE_64 && linear >> 32)) {
        return false;
    }
    c->fpu_live = false;
    w->watched = true;
    w->odd = false;
    ok = fault_in(c, linear, write);
    w->watched = false;
    w->figures.faults++;
    w->figures.refused += !ok;
    w->cost += ok ? WINDOW_COST_FAULT : WINDOW_COST_REFUSED;
    ok &= !window_too_dear(c);
    c->fpu_live = live;
    return ok;
}
