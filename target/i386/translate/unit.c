/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making a unit of what was gathered (gather.c): each instruction is emitted by its class, in one
 * version or several, then the cold pieces (docs/design/translator.md, "A unit").
 */
#include "target/i386/translate/unit.h"

#include "target/i386/rt/rt.h"

/* Away from the unit in front of the instruction in work, for the interpreter. */
static void emit_one(Unit *u)
{
    flags_settle(u, true);
    cold_add(u, COLD_ONE, jmp32(&u->e), unit_now(u)->at);
}

/* ---- instructions ---- */

/* Functions that the decoder bound to this vCPU's own stubs are called through the interpreter. */
static bool callable(const Insn *i)
{
    return insn_row(i)->fpu == ROW_FPU_NONE;
}

/* false: the unit ends behind it. */
static bool emit_insn(Unit *u)
{
    const Insn *i = unit_now(u)->i;
    bool ends = false;

    /* There is none, or the model lacks it: its row says nothing. Or it is the interpreter's. */
    if (i->run == run_undefined || i->run == run_too_long || unit_far(u)) {
        emit_one(u);
        return false;
    }
    if (does_nothing(i)) {
        u->undisturbed = true;
        return true;
    }
    if (insn_row(i)->attr & ROW_BRANCH && emit_branch(u, &ends)) {
        recipe_follow(u);
        return !ends;
    }
    if (emit_system(u, &ends)) {
        share_drop(u);
        recipe_follow(u);
        return !ends;
    }
    ends = insn_row(i)->attr & (ROW_BRANCH | ROW_SERIAL);
    if (!ends && (emit_stack(u) || emit_string(u) || emit_copy(u))) {
        recipe_follow(u);
        return true;
    }
    sp_settle(u);
    if (!callable(i)) {
        emit_one(u);
        return false;
    }
    share_drop(u);
    x87_settle(u);
    emit_call(u, ends);
    u->recipe = -1;
    return !ends;
}

bool unit_emit_next(Unit *u)
{
    bool on;

    u->undisturbed = false;
    u->direct = false;
    u->called = false;
    x87_before(u);
    on = emit_insn(u);
    if (!u->undisturbed) {
        linear_lost(u);
        addend_lost(u);
    }
    if (on) {
        stack_look(u);
    }
    return on;
}

/* ---- two versions ---- */

static struct Before state_now(const Unit *u)
{
    return (struct Before){u->recipe, u->garbage, u->fpu_known, u->x87};
}

/* What is emitted next is behind the region. */
static void region_close(Unit *u)
{
    Region *r = &u->region[u->regions];

    if (u->in_region) {
        u->in_region = false;
        u->regions++;
        r->join = u->e.at;
        u->frame_at = NULL;
        r->garbage = u->garbage;
        r->addend_of = u->addend_of;
        share_drop(u);
        u->addend_of = r->addend_of;
    }
}

/* Of a loop whose first version may be entered only by its checks. */
static void emit_alone_top(Unit *u)
{
    const uint8_t *out = emit_way_out(u);

    align(&u->e, 8);
    u->alone_top = u->e.at; /* what asks takes eight bytes: as at the top */
    if (u->to_alone) {
        fill32(&u->e, u->to_alone, u->alone_top);
    }
    emit_ask(u, out);
}

static void emit_region_alone(Unit *u, const Region *r)
{
    bool on = true;

    u->recipe = r->before.recipe;
    u->garbage = r->before.garbage;
    u->fpu_known = r->before.fpu_known;
    u->x87 = r->before.x87;
    linear_lost(u);
    addend_lost(u); /* who comes here has whichever it was */
    if (u->hoisted) {
        emit_alone_top(u);
    }
    for (u->now = r->first; u->now <= r->last && !u->e.full; u->now++) {
        on = inner_meet(u, on);
        if (!on) {
            continue;
        }
        strip_meet(u);
        u->alone_at[u->now] = u->now || !u->alone_top ? u->e.at : u->alone_top;
        u->frame_at = NULL;
        on = unit_emit_next(u);
    }
    if (on) {
        if (u->garbage && !r->garbage) {
            recipe_run(u, u->recipe);
        }
        if (r->addend_of) {
            window_addend(u, r->addend_of - 1);
        }
        jmp_to(&u->e, r->join);
    }
}

/* The second version of what has shared checks. */
static void emit_alone(Unit *u)
{
    u->alone = true;
    __builtin_memset(u->alone_at, 0, sizeof u->alone_at);
    for (unsigned n = 0; n < u->regions; n++) {
        emit_region_alone(u, &u->region[n]);
    }
}

/* Where a loop has a version without checks, it is left for one where each access is on its own. */
static void region_of_loop(Unit *u)
{
    if (u->strip.wanted) {
        u->now = 0;
        u->region[0] = (Region){.first = 0, .last = u->loop.last, .before = state_now(u)};
        u->in_region = true;
    }
}

static void emit_first(Unit *u)
{
    bool on = true;

    region_of_loop(u);
    for (u->now = 0; u->now < u->count && !u->e.full; u->now++) {
        if (u->in_region && u->now > u->region[u->regions].last) {
            sp_settle(u);
            region_close(u);
        }
        sp_before(u);
        on = inner_meet(u, on);
        if (!on) {
            continue;
        }
        strip_meet(u);
        u->before = state_now(u);
        on = unit_emit_next(u);
        u->sp = on ? u->sp : 0;
    }
    sp_settle(u);
    region_close(u);
    inners_end(u);
    if (on && !u->e.full) {
        u->now = u->count - 1;
        x87_settle(u);
        emit_leave_next(u);
    }
}

/* Where the jump table leads: rbp is the rip, but in its lower half only where CS has a base. */
static void emit_page_rip(Unit *u)
{
    unsigned from = SCRATCH_A;

    if (!u->plain) {
        mov_rr32(&u->e, SCRATCH_C, SCRATCH_A);
        from = SCRATCH_C;
    }
    lea_base(&u->e, SCRATCH_C, from, -(int32_t)u->insn[0].at, true);
    store_gs(&u->e, CPU_AT(page_rip), SCRATCH_C);
}

/* What stands in front of the entry. */
static unsigned emit_front(Unit *u)
{
    u->far = u->e.at;
    emit_page_rip(u);
    u->ask = u->e.at;
    if (!u->loops) {
        emit_ask(u, u->out);
    }
    return u->e.at - u->far;
}

/* Does a branch in front of instruction n stay in the unit? The second version has none that do. */
static bool inner_before(const Unit *u, unsigned n)
{
    for (unsigned k = 0; k < u->inners; k++) {
        if (u->inner[k].from < n) {
            return true;
        }
    }
    return false;
}

/* The checks in front of a loop. Where a round's last x87 instruction is written down by the next
 * round, who comes from elsewhere does one in the second version first: so whoever comes to the top
 * has one behind him. */
static void emit_hoist(Unit *u)
{
    u->known = u->e.at;
    if (u->window && u->x87_round.last >= 0 && !inner_before(u, u->x87_edge)) {
        u->to_alone = jmp32(&u->e);
    }
    u->hoist = u->e.at;
    window_hoist(u);
    u->x87_carried = u->hoisted && u->to_alone;
    if (!u->hoisted) {
        u->e.at = u->known;
        u->to_alone = NULL;
    }
}

/* The way out near the top. */
static uint8_t *emit_top_out(Unit *u)
{
    uint8_t *out = u->e.at;

    if (!u->x87_carried) {
        return emit_way_out(u);
    }
    cold_add(u, COLD_RIP, jmp32(&u->e), u->insn[0].at)->x87 = u->x87_round;
    return out;
}

/* ... and in front of the top. */
static void emit_entry_and_top(Unit *u)
{
    Emit *e = &u->e;

    u->entry = e->at;
    u->top_out = u->out;
    emit_fpu_first(u);
    u->wants_fpu = u->fpu_known;
    x87_plan(u);
    emit_hoist(u);
    if (u->hoisted) {
        Hole over = jmp8(e);

        window_lost(u);
        u->top_out = emit_top_out(u);
        fill8(e, over);
    }
    align(e, 8);
    u->top = e->at;
    u->known = u->hoisted ? u->known : u->top;
    u->x87 = u->x87_carried ? u->x87_round : u->x87;
    if (u->loops) { /* the first five bytes become a jump when the page's code changes */
        emit_ask(u, u->top_out);
    } else {
        put_nops(e, 5);
    }
}

void unit_emit(Unit *u)
{
    Emit *e = &u->e;
    unsigned front;

    share_plan(u);
    u->loops = leads_back(u, 0);
    u->out = emit_way_out(u);
    emit_fpu_stub(u);
    front = emit_front(u);
    e->at = u->far; /* again, so that the entry is aligned */
    align_behind(e, 16, front);
    emit_front(u);
    emit_entry_and_top(u);
    strip_plan(u);
    share_plan(u);
    stack_plan(u);
    emit_first(u);
    if (u->page2) {
        u->link = e->at;
        emit_jump_far(u, u->insn[0].at);
    }
    emit_alone(u);
    strip_emit(u);
    colds_emit(u);
}
