/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses in the direct window (docs/design/translator.md, "The direct window"; rt/window.h). What
 * is checked is that an address lies in the chunk of a slot, not which page: so one check of a
 * value does for all accesses that are displacements and small indices away, for the window's
 * guards fault, and it holds as long as the value does, through the unit. Which slot is a guess,
 * made from the registers when the unit is translated; where it is wrong the unit goes on in its
 * second version, in which each access has a check of its own. Every instruction that accesses the
 * window is in the unit's table of faults. Not here: accesses with 32-bit addresses, string
 * instructions, absolute moves: they keep the TLB's check.
 */
#include "target/i386/translate/unit.h"

enum {
    NEAR = INT32_MAX - 128, /* how far an anchor may be from the one that was looked at    */
    STEP_MAX = 1 << 30,     /* ... and a loop's go in a round, so as not to jump a guard   */
    WINDOW_DISP = -WINDOW_ADDEND
};

/* ---- the check ---- */

void window_addend(Unit *u, unsigned slot)
{
    if (u->addend_of != slot + 1) {
        load_gs(&u->e, SCRATCH_B, CPU_AT(window.addend) + 8 * slot);
        addend_lost(u);
        u->addend_of = slot + 1;
    }
}

static void check_short(Unit *u, unsigned linear, unsigned slot, Cold *cold)
{
    Emit *e = &u->e;

    rorx(e, SCRATCH_C, linear, WINDOW_CHUNK_SHIFT, true);
    cmp16_gs(e, SCRATCH_C, CPU_AT(window.tag) + 2 * slot);
    cold->hole = jcc32(e, CC_NE);
    cold->recipe = u->recipe;
    u->garbage = true;
    window_addend(u, slot);
}

static void check_keeping(Unit *u, unsigned linear, unsigned slot, Cold *cold)
{
    Emit *e = &u->e;
    Hole hit;

    load_gs(e, SCRATCH_C, CPU_AT(window.minus) + 8 * slot);
    window_addend(u, slot);
    lea_index(e, SCRATCH_C, SCRATCH_C, linear, 0, 0, true);
    shrx(e, SCRATCH_C, SCRATCH_C, SCRATCH_B);
    hit = jrcxz8(e);
    cold->hole = jmp32(e);
    fill8(e, hit);
}

void window_check(Unit *u, unsigned linear, unsigned slot, Cold *cold)
{
    (u->recipe >= 0 ? check_short : check_keeping)(u, linear, slot, cold);
}

static void check_chunk(Unit *u, unsigned linear, unsigned slot)
{
    window_check(u, linear, slot, cold_add(u, COLD_ALONE, NULL, u->now));
    u->slot_before = slot;
}

/* ---- which slot ---- */

/* Below are numbers, not addresses. */
enum { ADDRESS_MIN = 1 << 16 };

static bool slot_of(const Unit *u, uint64_t linear, unsigned *slot)
{
    const uint16_t *tag = u->c->window.tag;

    *slot = tag[WINDOW_STACK] == window_tag(linear) ? WINDOW_STACK : window_slot(linear);
    return linear >= ADDRESS_MIN && tag[*slot] == window_tag(linear);
}

/* What a register held when the unit was entered. */
static uint64_t was(const Unit *u, unsigned reg)
{
    return reg < 16 ? u->c->s.gpr[reg] : reg == REG_IP ? u->c->s.rip : 0;
}

static uint64_t sum_was(const Unit *u, const Address *a)
{
    uint64_t segment = a->seg >= SEG_FS ? u->c->s.seg[a->seg].base : 0;

    return was(u, a->base) + (was(u, a->index) << a->scale) + segment;
}

static unsigned guess(const Unit *u, const Address *a, Anchor anchor)
{
    unsigned slot;

    if ((anchor == ANCHOR_SUM && slot_of(u, sum_was(u, a), &slot)) ||
        slot_of(u, was(u, a->base), &slot) || slot_of(u, was(u, a->index), &slot)) {
        return slot;
    }
    return u->slot_before;
}

/* ---- what is known ---- */

static const Within stack = {.slot = WINDOW_STACK};

static bool near(int64_t a, int64_t b)
{
    return a - b <= NEAR && b - a <= NEAR;
}

/* An anchor that is known. What rSP was at the top is in its chunk (window_stack.c). */
static const Within *find(const Unit *u, const Access *what)
{
    if (what->chunk == VALUE_STACK && near(what->near, 0)) {
        return &stack;
    }
    for (unsigned n = 0; n < u->withins; n++) {
        const Within *w = &u->within[n];

        if (w->key == what->chunk && near(w->near, what->near)) {
            return w;
        }
    }
    return NULL;
}

/* A place for one more; whichever is forgotten is looked at again. */
static Within *place_for(Unit *u)
{
    Within *first = u->within;

    if (u->withins < WITHINS) {
        return &u->within[u->withins++];
    }
    for (Within *w = u->within; w < u->within + WITHINS; w++) {
        first = w->last < first->last ? w : first;
    }
    return first;
}

static unsigned last_use(const Unit *u, const Access *what)
{
    unsigned last = what->insn;

    for (const Access *a = what; a < u->access + u->accesses; a++) {
        if (a->anchor != ANCHOR_NONE && a->chunk == what->chunk && near(a->near, what->near)) {
            last = a->insn;
        }
    }
    return last;
}

/* ---- an access ---- */

static unsigned plain_register(const Address *a)
{
    return a->base < 16 && a->index == REG_NONE && a->seg < SEG_FS ? host_of[a->base] : HOST_NONE;
}

/* The address without its displacement, in rbp. */
static void sum_to_scratch(Unit *u, const Address *a, const Access *what)
{
    Address sum = *a;

    sum.disp = 0;
    if (a->seg >= SEG_FS && a->base == REG_NONE && a->index == REG_NONE) {
        load_gs(&u->e, SCRATCH_A,
                CPU_AT(s.seg) + a->seg * sizeof(X86Segment) + offsetof(X86Segment, base));
    } else {
        emit_linear(u, &sum, SCRATCH_A);
    }
    linear_lost(u);
    u->linear_key = what->key;
    u->linear_at = what->at - a->disp;
}

/* The anchor in a register. */
static unsigned anchor_register(Unit *u, const Address *a, const Access *what)
{
    Address part = {.base = what->anchor == ANCHOR_INDEX ? a->index : a->base,
                    .index = REG_NONE,
                    .addrsize = 8};
    unsigned host = plain_register(&part);

    if (what->anchor == ANCHOR_SUM || (a->index == REG_NONE && host == HOST_NONE)) {
        sum_to_scratch(u, a, what);
        return SCRATCH_A;
    }
    if (host == HOST_NONE) {
        emit_linear(u, &part, SCRATCH_A);
        linear_lost(u);
        return SCRATCH_A;
    }
    return host;
}

static const Within *look(Unit *u, const Address *a, const Access *what)
{
    unsigned slot = guess(u, a, what->anchor), last = last_use(u, what);
    Within *w;

    region_extend(u, last);
    check_chunk(u, anchor_register(u, a, what), slot);
    w = place_for(u);
    *w = (Within){what->chunk, what->near, slot, u->now, last};
    return w;
}

static Place place(Unit *u, const Address *a, const Access *what)
{
    unsigned base = plain_register(a);

    if (base != HOST_NONE) {
        return (Place){base, SCRATCH_B, a->disp + WINDOW_DISP};
    }
    if (u->linear_key != what->key || !near(what->at, u->linear_at)) {
        sum_to_scratch(u, a, what);
    }
    return (Place){SCRATCH_A, SCRATCH_B, what->at - u->linear_at + WINDOW_DISP};
}

static bool fits(int64_t disp)
{
    return disp == (int32_t)disp;
}

/* In 32-bit code all addresses lie in slot 0's chunk: so do those that lie beside one, but for the
 * ends of the 4 GB, behind which nothing is. */
static Place place_flat(Unit *u, const Address *a, const Access *what)
{
    enum { BESIDE = 1 << 20 };
    int64_t by = what ? what->at - u->linear_at : 0;

    if (stack_address(u, a)) {
        return stack_place(u, a);
    }
    if (!what || u->linear_key != what->key || by > BESIDE || by < -BESIDE) {
        emit_linear(u, a, SCRATCH_A);
        linear_lost(u);
        u->linear_key = what ? what->key : 0;
        u->linear_at = what ? what->at : 0;
        by = 0;
    }
    window_addend(u, 0);
    return (Place){SCRATCH_A, SCRATCH_B, by + WINDOW_DISP};
}

bool window_access(Unit *u, const Address *a, const Access *what, Place *p)
{
    unsigned slot = 0;

    if (!u->code64) {
        *p = place_flat(u, a, what);
        return true;
    }
    if (!what || a->addrsize != 8 || !fits((int64_t)a->disp + 2 * WINDOW_DISP) ||
        (!u->in_region && u->regions >= REGIONS)) {
        return false;
    }
    if (what->anchor != ANCHOR_NONE) {
        const Within *w = a->base == R_SP && what->anchor == ANCHOR_BASE ? &stack : find(u, what);

        slot = (w ? w : look(u, a, what))->slot;
    }
    *p = place(u, a, what);
    window_addend(u, slot);
    return true;
}

/* ---- loops ---- */

/* Part of an anchor as it is at the top. false: it is not known there, or moves unevenly. */
static bool at_top(const Unit *u, unsigned value, uint8_t *reg, int64_t *step)
{
    unsigned n = value - VALUES;

    *reg = value == VALUE_IP ? REG_IP : REG_NONE;
    if (value == VALUE_IP || value == VALUE_NONE) {
        return true;
    }
    *reg = n;
    *step += n < 16 ? u->edges.step[n] : 0;
    return n < 16 && u->edges.steady >> n & 1;
}

static bool anchor_at_top(const Unit *u, const Access *a, Address *top, int64_t *step)
{
    uint64_t key = a->chunk;
    int64_t index_step = 0;

    *step = 0;
    *top = (Address){.index = REG_NONE, .addrsize = 8};
    if (!at_top(u, key & 0xffff, &top->base, step)) {
        return false;
    }
    if (a->anchor == ANCHOR_SUM) {
        top->scale = key >> 32 & 3;
        top->seg = key >> 40 & 0xff;
        if ((key >> 48 & 0xff) != 8 || !at_top(u, key >> 16 & 0xffff, &top->index, &index_step)) {
            return false;
        }
        *step += index_step << top->scale;
    }
    return *step <= STEP_MAX;
}

/* Where the anchor moves, each round must access what lies near it: that faults behind the chunk's
 * end. */
static bool touched(const Unit *u, const Access *a, int64_t step)
{
    bool indexed = (a->key >> 16 & 0xffff) != VALUE_NONE;

    for (unsigned n = 0; n < u->inners && step; n++) {
        if (u->inner[n].from < a->insn && a->insn < u->inner[n].to) {
            return false;
        }
    }
    return !step || (a->insn <= u->edges.first && (a->anchor == ANCHOR_SUM || !indexed));
}

void window_lost(Unit *u)
{
    if (u->astrays) {
        cold_add(u, COLD_ALONE, jmp32(&u->e), 0);
        while (u->astrays) {
            Hole hole = u->astray[--u->astrays];

            fill8_back(&u->e, hole, u->e.at - 5);
        }
    }
}

/* LOOP reaches 127 bytes: before it would not, what it leads to is put in between. bytes: of what
 * is emitted before this is asked again. */
static void astray_room(Unit *u, unsigned bytes)
{
    enum { REACH = 127 - 2 };

    if (u->astrays && u->e.at + bytes > u->astray[0] + REACH) {
        Hole over = jmp8(&u->e);

        window_lost(u);
        fill8(&u->e, over);
    }
}

/* The check in front of a loop. No branch is taken where all is well. */
static void check_in_front(Unit *u, unsigned linear, unsigned slot)
{
    Emit *e = &u->e;

    if (!u->cache->quick_loop || u->recipe >= 0) {
        check_chunk(u, linear, slot);
        return;
    }
    load_gs(e, SCRATCH_C, CPU_AT(window.less) + 8 * slot);
    window_addend(u, slot);
    lea_index(e, SCRATCH_C, SCRATCH_C, linear, 0, 0, true);
    shrx(e, SCRATCH_C, SCRATCH_C, SCRATCH_B);
    u->astray[u->astrays++] = loop8(e);
    u->slot_before = slot;
}

/* How long may it be, with the address? */
static unsigned room_for(const Address *a)
{
    enum { SHORT = 42, LONG = 100 };
    bool longer = a->seg >= SEG_FS || (a->base < 16 && in_frame(a->base)) ||
                  (a->index < 16 && in_frame(a->index)) || a->base == REG_IP;

    return longer ? LONG : SHORT;
}

/* Is the index from 0 to 2^32 - 1? */
static void check_small(Unit *u, unsigned index)
{
    Emit *e = &u->e;

    if (!(u->small_at_top >> index & 1)) {
        rorx(e, SCRATCH_C, guest_reg(u, index, SCRATCH_C), 32, true);
        lea_base(e, SCRATCH_C, SCRATCH_C, 1, false);
        u->astray[u->astrays++] = loop8(e);
        u->small_at_top |= 1u << index;
    }
}

/* The sum's base, as an anchor. */
static Access base_of(const Access *a)
{
    Access base = *a;

    base.anchor = ANCHOR_BASE;
    base.chunk = (a->chunk & 0xffff) | a->chunk >> STRETCH_SHIFT << STRETCH_SHIFT;
    base.near = 0;
    return base;
}

/* A sum of which the base alone is looked at elsewhere, too: then it is the base that is looked at,
 * and the index must be small. */
static bool apart(const Unit *u, const Access *a, const Address *top, unsigned *slot)
{
    Access base = base_of(a);

    if (a->anchor != ANCHOR_SUM || !u->cache->quick_loop || u->recipe >= 0 || top->seg >= SEG_FS ||
        top->base >= 16 || top->index >= 16 || u->edges.step[top->base] ||
        was(u, top->index) > INT32_MAX || !slot_of(u, was(u, top->base), slot)) {
        return false;
    }
    for (const Access *b = u->access; b < u->access + u->accesses; b++) {
        if (b->anchor == ANCHOR_BASE && b->chunk == base.chunk && near(b->near, 0)) {
            return true;
        }
    }
    return false;
}

static void hoist_apart(Unit *u, const Access *a, const Address *top, unsigned slot)
{
    enum { SHORT = 48, LONG = 70 };
    Access base = base_of(a);
    const Within *w = find(u, &base);

    astray_room(u, in_frame(top->base) || in_frame(top->index) ? LONG : SHORT);
    check_small(u, top->index);
    if (!w) {
        if (in_frame(top->base)) {
            linear_lost(u);
        }
        check_in_front(u, guest_reg(u, top->base, SCRATCH_A), slot);
        *place_for(u) = (Within){base.chunk, 0, slot, 0, u->count - 1};
    }
    *place_for(u) = (Within){a->chunk, 0, w ? w->slot : slot, 0, u->count - 1};
    u->hoisted = true;
}

static void hoist(Unit *u, const Access *a)
{
    Access top = *a;
    Address address;
    int64_t step;
    unsigned slot, linear;

    top.near = 0;
    if (a->anchor == ANCHOR_NONE || a->insn > u->edges.last || find(u, &top) || !near(a->near, 0) ||
        !anchor_at_top(u, a, &address, &step) || !touched(u, a, step) ||
        !slot_of(u, sum_was(u, &address), &slot)) {
        return;
    }
    if (apart(u, a, &address, &slot)) {
        hoist_apart(u, a, &address, slot);
        return;
    }
    astray_room(u, room_for(&address));
    linear = plain_register(&address);
    if (linear == HOST_NONE) {
        top.at = 0;
        sum_to_scratch(u, &address, &top);
        linear_lost(u);
        linear = SCRATCH_A;
    }
    check_in_front(u, linear, slot);
    *place_for(u) = (Within){a->chunk, 0, slot, 0, u->count - 1};
    u->hoisted = true;
}

void window_hoist(Unit *u)
{
    unsigned slot;

    if (!u->window || !u->edges.any || u->edges.unknown || u->page2) {
        return;
    }
    u->now = 0;
    u->before = (struct Before){u->recipe, u->garbage, u->fpu_known, u->x87};
    for (unsigned n = 0; n < u->accesses && u->withins < HOIST_MAX && u->code64; n++) {
        hoist(u, &u->access[n]);
    }
    u->hoisted |= !u->code64 && u->to_alone;
    if (u->hoisted) {
        region_extend(u, u->count - 1);
        slot = u->withins ? u->within[0].slot : 0;
        u->loop_addend = slot + 1;
        window_addend(u, slot);
        linear_lost(u);
    }
}

void window_loop(Unit *u)
{
    if (u->hoisted && !u->alone) {
        window_addend(u, u->loop_addend - 1);
    }
}
