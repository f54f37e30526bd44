/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who gets the direct window. The guest's interrupts are the samples: the CPU time since the one
 * before goes to the address space whose user code they meet. When one has had so much without the
 * window that what it lost is about what the window costs, it gets it, with what the TLB knows
 * mapped at once. It loses it with a flush, or when faults and invalidations take too much of the
 * time; then it must run longer to get it again.
 * Not here: guests without interrupts while user code runs have no samples, and no window.
 */
#include "target/i386/rt/window_impl.h"

/* Microseconds, but for GAIN, TIRED_MOST and CHECK_EACH. */
enum {
    NEED_FIRST = 500000, /* of user code before an address space gets it, the first time */
    NEED_LEAST = 4000,
    NEED_MOST = 16000000,
    NEED_AGAIN = 2000000, /* ... at most when it was lost for its faults: to try again costs 2 %  */
    COST_BURST = 1500,    /* that the window may take before somebody looks ... */
    WATCH = 4000,         /* ... at what it took of so much                     */
    GAIN = 12,            /* the window saves a part of user code's time in so many */
    TIRED_MOST = 3,       /* looks in a row that find more taken than that          */
    NEW = 50000,          /* who has run less may be forgotten first                */
    CHECK_EACH = 16,      /* ways into user code, in a test mode                    */
};
#define TABLE     0xffffffffff000ull /* the address of a page of tables, in CR3 and entries */
#define PAE_TABLE 0xfe0ull           /* ... in CR3, of four entries, more of it             */
enum {
    SAMPLE_CYCLES = 1 << 20, /* of the host's TSC: a sample costs less than a thousandth   */
    RUNS_MOST = 2048,        /* mappings when an address space gets the window             */
    PAID_FIRST = 1000,       /* what a promotion costs besides its mappings: code is found anew */
};

/* ---- may it be used now? ---- */

static bool key_open(const Cpu *c)
{
    return !(c->s.cr4 & CR4_PKE) || !(c->s.pkru & 3);
}

/* 32-bit code in the flat model; all that it reaches lies in the first 4 GB of chunk 0, where
 * nothing else is mapped behind them: addresses that wrap fault. */
static bool flat32(const Cpu *c)
{
    return c->code_size == CODE_32 && c->flat && c->mode & MODE_PLAIN && c->stack_size == 4 &&
           !c->window.above;
}

static bool user_code(const Cpu *c)
{
    return c->cpl == 3 && (c->code_size == CODE_64 || flat32(c)) && c->view == VIEW_USER;
}

/* Also with LA57: chunks are of the lower 128 TB, and an address above them that has a chunk's 16
 * bits leads to where the host has nothing for user code either. */
static bool possible(const Cpu *c)
{
    return c->window.store && !c->window.lost && !c->debug && key_open(c) && c->s.cr0 & CR0_PG;
}

static unsigned adopt(Cpu *c);

/* User code of the window counts on it. false: rSP is in no chunk. */
static bool stack_within(Cpu *c)
{
    Window *w = &c->window;
    unsigned n = window_slot(c->s.gpr[R_SP]);

    if (w->tag[n] == WINDOW_NO_TAG || window_narrow(c) || w->tag[n] != window_tag(c->s.gpr[R_SP])) {
        window_clear(w, WINDOW_STACK);
        return false;
    }
    w->tag[WINDOW_STACK] = w->tag[n];
    w->minus[WINDOW_STACK] = w->minus[n];
    w->less[WINDOW_STACK] = w->less[n];
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
    bool large;

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
    large = page & TLB2_LARGE || t->large[slot / 64] >> slot % 64 & 1; /* they may differ */
    return (t->write[slot] == t->read[slot] ? WINDOW_WRITE : 0) | (large ? WINDOW_LARGE : 0);
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

/* How many runs of pages there were to map. */
static unsigned prefill(Cpu *c)
{
    const TlbTable *t = &c->tlb_view[VIEW_USER];
    unsigned runs = 0;
    Run r = {0};

    for (unsigned word = 0; word < TLB_SIZE / 64 && runs < RUNS_MOST; word++) {
        for (uint64_t bits = t->used[word]; bits; bits &= bits - 1) {
            uint64_t linear;
            PhysPage p;
            int how = known_page(c, word * 64 + __builtin_ctzll(bits), &linear, &p);

            if (how >= 0 && !window_find(&c->window, linear)) {
                run_add(c, &r, linear, &p, how);
                runs += r.pages == 1;
            }
        }
    }
    run_end(c, &r);
    return runs;
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

/* The current context gets the window. Returns how many runs of pages were to be mapped. */
static unsigned adopt(Cpu *c)
{
    Window *w = &c->window;

    window_empty(c);
    window_init_tags(c);
    choose_chunks(c);
    w->context = c->tlb2.context;
    w->earned = w->cost = w->tired = w->watched_for = 0;
    w->paid = PAID_FIRST;
    w->figures.promotions++;
    c->block_break = true; /* a unit that comes back here has seen other tags */
    return w->always ? 0 : prefill(c);
}

/* ---- samples ---- */

/* Processes come and go, and a new one may have its top table where one that is gone had it; but
 * hardly the next one for its stack, too, be it a table or a page of 4 MB. Only addresses count:
 * what else is in CR3 and in an entry changes while the address space stays the same. */
static uint64_t address_space(Cpu *c)
{
    bool wide = c->s.efer & EFER_LMA, narrow = !(c->s.cr4 & CR4_PAE);
    unsigned shift = narrow ? 22 : !wide ? 30 : c->s.cr4 & CR4_LA57 ? 48 : 39;
    unsigned bytes = narrow ? 4 : 8, last = narrow ? 1023 : wide ? 511 : 3;
    uint64_t top = c->s.cr3 & (wide || narrow ? TABLE : TABLE | PAE_TABLE);
    const uint8_t *entry = phys_host(c, top + (c->s.gpr[R_SP] >> shift & last) * bytes);
    uint64_t next = entry ? host_load(entry, bytes) & TABLE : 0;

    return top ^ next << 12 ^ next >> 40;
}

static uint32_t first_need(const Window *w)
{
    return w->early ? NEED_LEAST : NEED_FIRST;
}

/* The one not met for longest that nothing is known of: a shell starts hundreds of programs, which
 * must not push out what is known of the one that waits for them. If there is none, the one not met
 * for longest. */
static unsigned least_known(const Window *w)
{
    for (unsigned n = WINDOW_RECENT; n-- > 0;) {
        const WindowRecent *r = &w->recent[n];

        if (!r->need || (r->need == first_need(w) && r->spent < NEW)) {
            return n;
        }
    }
    return WINDOW_RECENT - 1;
}

/* That address space's, at the front; a new one instead of another. */
static WindowRecent *recent(Cpu *c)
{
    Window *w = &c->window;
    WindowRecent found = {address_space(c), 0, first_need(w)};
    unsigned n = 0;

    while (n < WINDOW_RECENT && !(w->recent[n].need && w->recent[n].table == found.table)) {
        n++;
    }
    if (n < WINDOW_RECENT) {
        found = w->recent[n];
    } else {
        n = least_known(w);
    }
    for (; n > 0; n--) {
        w->recent[n] = w->recent[n - 1];
    }
    w->recent[0] = found;
    return &w->recent[0];
}

static void set_need(WindowRecent *r, uint64_t need)
{
    r->need = need < NEED_LEAST ? NEED_LEAST : need < NEED_MOST ? need : NEED_MOST;
}

/* It costs more than it can give, as things are; programs have phases. */
static void demote(Cpu *c)
{
    WindowRecent *r = recent(c);

    c->window.figures.demotions++;
    set_need(r, r->need * 4ull < NEED_AGAIN ? r->need * 4ull : NEED_AGAIN);
    r->spent = 0;
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

static void sample_current(Cpu *c, uint32_t time)
{
    Window *w = &c->window;

    w->earned += time;
    if (w->earned / GAIN >= w->paid) { /* a flush costs no more than the mappings, from now on */
        set_need(recent(c), w->paid * (uint64_t)GAIN);
    }
    w->watched_for += time;
    if (w->watched_for >= WATCH) {
        w->tired = w->cost > w->watched_for / GAIN && !w->always ? w->tired + 1 : 0;
        w->watched_for = w->cost = 0;
    }
    if (w->tired >= TIRED_MOST) {
        demote(c);
        return;
    }
    choose_chunks(c);
}

/* Where nothing can be mapped, for the user's own RAM is no file or the host gives no more
 * mappings, it goes again. */
static void promote(Cpu *c, WindowRecent *r)
{
    r->spent = 0;
    set_need(r, r->need * 2ull); /* until it has paid: a flush may come soon */
    if (adopt(c) && !c->window.count) {
        set_need(r, NEED_MOST);
        window_drop(c);
    }
    window_update(c);
}

static void sample_other(Cpu *c, uint32_t time)
{
    WindowRecent *r = recent(c);

    r->spent += time;
    if (r->spent >= r->need) {
        promote(c, r);
    }
}

void window_passed(Cpu *c, uint64_t time)
{
    Window *w = &c->window;

    time = time < WINDOW_SAMPLE ? time : WINDOW_SAMPLE;
    if (user_code(c) && possible(c)) {
        if (w->context == c->tlb2.context) {
            sample_current(c, time);
        } else {
            sample_other(c, time);
        }
    }
}

/* What runs when the interrupt comes is held to have run since the one before: on average that is
 * so, whether ten of them come in a second or ten thousand. */
void window_sample(Cpu *c)
{
    Window *w = &c->window;
    uint64_t now = __builtin_ia32_rdtsc(), before = w->time;

    if (w->store && now - w->stamp >= SAMPLE_CYCLES) {
        w->stamp = now;
        w->time = HOST_CALL(c, cpu_time);
        window_passed(c, w->time - before);
    }
}
