/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translated code against the interpreter. A unit runs; what it has changed is kept and taken back;
 * then the interpreter executes the same instructions from the same state, up to where the unit
 * left, and the whole state, the FPU and all pages that either has touched must be alike. The
 * interpreter's results stay.
 *
 * Pages are caught where the run-time library asks for them: before a run it is made to forget all
 * it knows of memory, so it asks for each page before it touches it, and the page is copied then.
 * The time stamp and random numbers are told again as they were told first. Where there are other
 * vCPUs they stand still meanwhile. Not compared: runs that reach devices, the LAPIC or SMM, whose
 * effects cannot be taken back; how units are linked (they are not, here); more than PAGES pages.
 */
#include "accel/tcg/lockstep_impl.h"
#include "target/i386/decode/table.h"
#include "target/i386/rt/block.h"
#include "target/i386/rt/walk.h"

#include <glib.h>
#include <inttypes.h>
#include <string.h>

enum { STEPS = 1000000 };

static Lockstep *of(Cpu *c)
{
    return (Lockstep *)c->host;
}

/* ---- what the runs ask the world ---- */

static void lock_page(Cpu *c, uint64_t phys, PhysPage *out)
{
    Lockstep *l = of(c);

    l->real->page(c, phys, out);
    out->before = out->after = 0; /* each page is asked for by itself */
    if (l->phase == PHASE_OFF || !out->host || out->readonly) {
        return;
    }
    for (unsigned n = 0; n < l->pages; n++) {
        if (l->copy[n].page.host == out->host) {
            return;
        }
    }
    if (l->pages == PAGES) {
        l->skip = true;
        return;
    }
    l->copy[l->pages].page = *out;
    l->copy[l->pages].changed = false;
    memcpy(l->copy[l->pages++].before, out->host, GUEST_PAGE);
}

/* A value that both runs must get. */
static uint64_t told(Lockstep *l, uint64_t value)
{
    if (l->phase == PHASE_FIRST) {
        l->skip |= l->told == TOLD;
        l->tell[l->told % TOLD] = value;
        l->told++;
    } else if (l->phase == PHASE_SECOND) {
        return l->told_at < l->told ? l->tell[l->told_at++] : 0;
    }
    return value;
}

static uint64_t lock_tsc(Cpu *c)
{
    return told(of(c), of(c)->real->tsc(c));
}

static bool lock_random(Cpu *c, uint64_t *value)
{
    bool is = of(c)->real->random(c, value);

    *value = told(of(c), *value);
    return is;
}

/* What cannot be taken back is done once, by the first run, and not by who has stopped the world,
 * and may not take the locks of devices. */
static const RtHost *effect(Cpu *c)
{
    Lockstep *l = of(c);

    l->skip = true;
    if (l->phase == PHASE_SECOND || (l->others && l->phase == PHASE_FIRST)) {
        l->barred = true;
        unwind(c);
    }
    return l->real;
}

static uint64_t lock_mmio_read(Cpu *c, uint64_t phys, unsigned size)
{
    return effect(c)->mmio_read(c, phys, size);
}

static void lock_mmio_write(Cpu *c, uint64_t phys, uint64_t value, unsigned size)
{
    effect(c)->mmio_write(c, phys, value, size);
}

static uint32_t lock_port_read(Cpu *c, uint16_t port, unsigned size)
{
    return effect(c)->port_read(c, port, size);
}

static void lock_port_write(Cpu *c, uint16_t port, uint32_t value, unsigned size)
{
    effect(c)->port_write(c, port, value, size);
}

static bool lock_apic_msr_read(Cpu *c, uint32_t index, uint64_t *value)
{
    return effect(c)->apic_msr_read(c, index, value);
}

static bool lock_apic_msr_write(Cpu *c, uint32_t index, uint64_t value)
{
    return effect(c)->apic_msr_write(c, index, value);
}

static bool lock_pv_msr_read(Cpu *c, uint32_t index, uint64_t *value)
{
    return effect(c)->pv_msr_read(c, index, value);
}

static bool lock_pv_msr_write(Cpu *c, uint32_t index, uint64_t value)
{
    return effect(c)->pv_msr_write(c, index, value);
}

static void lock_pv_refresh(Cpu *c)
{
    effect(c)->pv_refresh(c);
}

static uint8_t lock_tpr(Cpu *c)
{
    return effect(c)->tpr(c);
}

static void lock_set_tpr(Cpu *c, uint8_t tpr)
{
    effect(c)->set_tpr(c, tpr);
}

static void lock_ferr(Cpu *c)
{
    effect(c)->ferr(c);
}

static void lock_smm_changed(Cpu *c)
{
    effect(c)->smm_changed(c);
}

/* ---- running ---- */

static bool chosen(Lockstep *l, const Trans *t)
{
    uint64_t hash =
        (t->phys ^ (uint64_t)t->key.mode << 40 ^ (uint64_t)t->version << 52) * 0x9e3779b97f4a7c15u;
    uint32_t *seen = &l->seen[hash >> (64 - SEEN_BITS)];

    l->random = l->random * 6364136223846793005u + 1442695040888963407u;
    return (*seen)++ < l->often || !(l->random >> 58);
}

typedef struct RunOf {
    const Trans *t;
    TransExit exit;
} RunOf;

static void run_unit(Cpu *c, void *opaque)
{
    RunOf *r = opaque;

    r->exit = trans_run(c, r->t);
}

/* Shifts by nothing leave flags alone. */
static bool surely_written(const Insn *i)
{
    return i->op != OP_SHL && i->op != OP_SHR && i->op != OP_SAR && i->op != OP_SHLD &&
           i->op != OP_SHRD && i->op != OP_ROL && i->op != OP_ROR && i->op != OP_RCL &&
           i->op != OP_RCR && !(insn_row(i)->attr & (ROW_STRING | ROW_REPE));
}

/* A repetition that the first run has left half done, for whatever reason, is gone through one
 * element at a time, lest its end be passed by. */
static bool half_done(const Lockstep *l, const InsnRow *row)
{
    return !l->first.unwound && l->c->s.rip == l->first.s.rip &&
           row->attr & (ROW_STRING | ROW_REPE);
}

static void run_next(Cpu *c, void *opaque)
{
    Lockstep *l = opaque;
    const Insn *i = block_find(c)->insn;
    const InsnRow *row = insn_row(i);
    uint64_t written = surely_written(i) ? row->written : 0, undefined = row->undefined;

    /* as the loop does, which a REP or STI has asked for */
    c->s.rflags &= ~(uint64_t)FLAG_RF;
    c->s.sti_shadow = c->s.ss_shadow = false;
    l->element = half_done(l, row);
    c->mode |= l->element ? MODE_STEP : 0;
    run_one(c);
    gate_out(c); /* what follows is compiled with vector registers */
    l->unknown = (l->unknown & ~written) | undefined;
}

/* false: unwound. */
static bool run_second(Lockstep *l)
{
    bool done;

    l->element = false;
    done = rt_guarded(l->c, run_next, l);
    if (l->element) {
        l->c->mode &= ~(uint32_t)MODE_STEP;
    }
    return done;
}

/* The fetch that found the unit may be older than the guest's clearing of the accessed bit; the
 * interpreter fetches again and sets it, translated code does not. So it is set before both. */
static void mark_code(Cpu *c, const Trans *t)
{
    uint64_t linear = c->code_base + c->s.rip;
    uint32_t fault;
    Walk w;

    walk_try(c, linear, ACCESS_FETCH, &w, &fault);
    if (t->page2) {
        walk_try(c, linear + GUEST_PAGE, ACCESS_FETCH, &w, &fault);
    }
}

static void begin(Lockstep *l, const Trans *t)
{
    Cpu *c = l->c;

    mark_code(c, t);
    l->pages = l->told = l->told_at = 0;
    l->skip = false;
    l->before = c->s;
    memcpy(l->image_before, c->fpu->image, c->fpu->image_bytes);
    phys_forget(c);
    l->phase = PHASE_FIRST;
}

static void end_first(Lockstep *l, bool unwound, TransExit exit)
{
    Cpu *c = l->c;
    uint8_t *image = l->first.image;

    gate_out(c);
    memcpy(image, c->fpu->image, c->fpu->image_bytes);
    l->first = (End){c->s,          unwound,      c->exc_pending, c->exc_has_error, c->block_break,
                     c->exc_vector, c->exc_error, exit,           c->exc_cr2,       image};
}

static void take_back(Lockstep *l)
{
    Cpu *c = l->c;

    for (unsigned n = 0; n < l->pages; n++) {
        Copy *p = &l->copy[n];

        p->changed = memcmp(p->before, p->page.host, GUEST_PAGE);
        if (p->changed) {
            memcpy(p->after, p->page.host, GUEST_PAGE);
            memcpy(p->page.host, p->before, GUEST_PAGE);
            if (p->page.code) {
                code_written(p->page.code, c->code_hits, 0, GUEST_PAGE);
            }
        }
    }
    c->s = l->before;
    memcpy(c->fpu->image, l->image_before, c->fpu->image_bytes);
    c->exc_pending = false;
    cpu_mode_changed(c);
    phys_forget(c);
    c->block_break = false;
}

/* Neither in the pages of the unit nor where it led. */
static bool astray(const Lockstep *l)
{
    uint64_t page = l->c->s.rip >> 12, first = l->before.rip >> 12;

    return page - first > 1 && page != l->first.s.rip >> 12;
}

/* From the same state to where the first run left; true: unwound. Units lead back into themselves
 * and to others of the page, so the place may be passed several times before the state is the one
 * wanted; a loop that looks at the clock and keeps the answer in memory passes it with the same
 * registers each time, so all answers must have been given, too. */
static bool second(Lockstep *l)
{
    Cpu *c = l->c;
    const End *a = &l->first;

    l->phase = PHASE_SECOND;
    l->unknown = 0;
    for (unsigned steps = 0; steps < STEPS; steps++) {
        if (!a->unwound && c->s.rip == a->s.rip && l->told_at == l->told && lockstep_arrived(l)) {
            break;
        }
        if (steps && astray(l)) {
            break;
        }
        if (!run_second(l)) {
            return true;
        }
    }
    return false;
}

/* Both runs; true: unwound. */
static bool compare_runs(Lockstep *l, RunOf *r)
{
    Cpu *c = l->c;
    bool unwound;

    l->barred = false;
    begin(l, r->t);
    unwound = !rt_guarded(c, run_unit, r);
    end_first(l, unwound, r->exit);
    if (!l->skip) {
        take_back(l);
        unwound = second(l);
        gate_out(c);
        if (l->barred) {
            lockstep_differs(l, r->t, "devices");
        } else if (!l->skip) {
            lockstep_compare(l, r->t, unwound);
        }
        c->block_break |= l->first.block_break;
        c->next_rip = c->s.rip;
    }
    l->skipped += l->skip;
    if (l->barred) {
        take_back(l);
        unwound = false;
    }
    l->phase = PHASE_OFF;
    return unwound;
}

typedef struct Alone {
    Lockstep *l;
    RunOf *r;
    bool unwound, done;
} Alone;

/* On the way to here the unit may have gone. */
static bool still_there(const Cpu *c, const Trans *t)
{
    return c->code_generation == c->code->generation && t->page->version == t->version &&
           (!t->page2 || t->page2->version == t->version2) && !c->block_break;
}

static void run_alone(Cpu *c, void *opaque)
{
    Alone *a = opaque;

    if (still_there(c, a->r->t)) {
        if (a->l->others) {
            cpu_kick(c); /* out at the first branch back: it may wait for one that stands still */
        }
        a->unwound = compare_runs(a->l, a->r);
        a->done = !a->l->barred;
    }
}

static uint32_t lockstep_run(Cpu *c, const Trans *t)
{
    Lockstep *l = of(c);
    RunOf r = {t, TRANS_LOOKUP};
    Alone a = {l, &r, false, false};

    if (l->plain || !chosen(l, t)) {
        l->plain = false;
        return trans_run(c, t);
    }
    if (l->others) {
        l->real->exclusive(c, run_alone, &a);
    } else {
        run_alone(c, &a);
    }
    l->plain = !a.done;
    if (a.unwound) {
        unwind(c);
    }
    return a.done && c->s.rip == l->first.s.rip ? r.exit : TRANS_LOOKUP;
}

/* ---- life ---- */

Lockstep *lockstep_new(Cpu *c, unsigned often)
{
    Lockstep *l = g_new0(Lockstep, 1);

    l->c = c;
    l->often = often;
    l->image_before = g_malloc(c->fpu->image_bytes);
    l->first.image = g_malloc(c->fpu->image_bytes);
    return l;
}

void lockstep_free(Lockstep *l)
{
    if (l) {
        g_printerr("lockstep: %" PRIu64 " runs compared, %" PRIu64 " not comparable, %" PRIu64
                   " differ\n",
                   l->compared, l->skipped, l->differ);
        g_free(l->image_before);
        g_free(l->first.image);
        g_free(l);
    }
}

const RtHost *lockstep_host(Lockstep *l, const RtHost *real, bool others)
{
    if (!l) {
        return real;
    }
    l->real = real;
    l->others = others;
    l->host = *real;
    l->host.page = lock_page;
    l->host.tsc = lock_tsc;
    l->host.random = lock_random;
    l->host.mmio_read = lock_mmio_read;
    l->host.mmio_write = lock_mmio_write;
    l->host.port_read = lock_port_read;
    l->host.port_write = lock_port_write;
    l->host.apic_msr_read = lock_apic_msr_read;
    l->host.apic_msr_write = lock_apic_msr_write;
    l->host.pv_msr_read = lock_pv_msr_read;
    l->host.pv_msr_write = lock_pv_msr_write;
    l->host.pv_refresh = lock_pv_refresh;
    l->host.tpr = lock_tpr;
    l->host.set_tpr = lock_set_tpr;
    l->host.ferr = lock_ferr;
    l->host.smm_changed = lock_smm_changed;
    l->host.lockstep = lockstep_run;
    return &l->host;
}
