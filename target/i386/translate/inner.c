/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Branches to instructions farther behind in the unit (docs/design/translator.md, "A unit"): they
 * stay in its first version. Not in units of two pages and where a loop has strips, and not the
 * branches of 16-bit code.
 */
#include "target/i386/rt/rt.h"
#include "target/i386/translate/unit.h"

bool inner_possible(const Insn *i)
{
    return i->op == OP_JCC || (i->op == OP_JMP && i->operand[0].kind == OPERAND_REL);
}

bool falls_through(const Insn *i)
{
    return i->run != run_undefined && i->run != run_too_long &&
           (!(insn_row(i)->attr & (ROW_BRANCH | ROW_SERIAL)) || i->op == OP_JCC ||
            i->op == OP_JCXZ || i->op == OP_LOOP || i->op == OP_LOOPE || i->op == OP_LOOPNE);
}

bool unit_far(const Unit *u)
{
    const Insn *i = unit_now(u)->i;
    int64_t at = 0;

    if (i->base == REG_IP) {
        at = unit_next(u) + (int64_t)i->disp;
    } else if (i->operand[0].kind == OPERAND_REL) {
        at = unit_target(u, u->now);
    }
    return u->code64 && at != (int32_t)at;
}

bool calls_near(const Insn *i, int64_t next, int64_t top)
{
    return i->op == OP_CALL && i->operand[0].kind == OPERAND_REL && branch_target(i, next) == top;
}

bool unit_falls_to(const Unit *u, unsigned n)
{
    return !n || (u->insn[n - 1].at + u->insn[n - 1].i->len == u->insn[n].at &&
                  falls_through(u->insn[n - 1].i));
}

int unit_behind(const Unit *u, int64_t at)
{
    for (unsigned n = u->now + 1; n < u->count; n++) {
        if (u->insn[n].at == at) {
            return n;
        }
    }
    return -1;
}

/* ---- at the branch ---- */

static bool uses_fpu(const Unit *u, unsigned from, unsigned to)
{
    for (unsigned n = from; n < to; n++) {
        if (insn_row(u->insn[n].i)->fpu != ROW_FPU_NONE) {
            return true;
        }
    }
    return false;
}

Inner *inner_branch(Unit *u)
{
    for (unsigned n = 0; n < u->inners && !u->alone; n++) {
        Inner *inner = &u->inner[n];

        if (inner->from == u->now && (u->fpu_known || !uses_fpu(u, u->now, inner->to))) {
            inner->fpu_known = u->fpu_known;
            inner->taken = true;
            inner->addend_of = u->addend_of;
            inner->held = u->held ? u->held - u->share + 1 : 0;
            inner->made = u->held ? u->held->made : 0;
            return inner;
        }
    }
    return NULL;
}

/* ---- where it leads ---- */

static bool leads_here(const Unit *u, const Inner *inner)
{
    return inner->to == u->now;
}

/* What was found behind the first branch is not known to who comes from there. */
static void forget_since(Unit *u, unsigned from)
{
    unsigned kept = 0;

    for (unsigned n = 0; n < u->withins; n++) {
        if (u->within[n].made <= from) {
            u->within[kept++] = u->within[n];
        }
    }
    u->withins = kept;
    for (unsigned n = 0; n < SHARES; n++) {
        if (u->share[n].made > from) {
            u->share[n].key = 0;
        }
    }
}

/* What r11 holds, if it is the same on all ways. */
typedef struct Addend {
    uint8_t of, held, made;
    bool any, same;
} Addend;

static void add_way(Addend *a, uint8_t of, uint8_t held, uint8_t made)
{
    a->same = !a->any || (a->same && a->of == of && a->held == held && a->made == made);
    a->any = true;
    a->of = of;
    a->held = held;
    a->made = made;
}

static void fill_holes(Unit *u, Addend *a)
{
    for (unsigned n = 0; n < u->inners; n++) {
        Inner *inner = &u->inner[n];

        if (leads_here(u, inner) && inner->hole) {
            fill32(&u->e, inner->hole, u->e.at);
            u->fpu_known &= inner->fpu_known;
            inner->hole = NULL;
            add_way(a, inner->addend_of, inner->held, inner->made);
        }
    }
}

static void settle(Unit *u)
{
    x87_settle(u);
    if (u->garbage) {
        recipe_run(u, u->recipe);
        u->garbage = false;
    }
}

static void meet_first(Unit *u, unsigned from, bool falls)
{
    Addend a = {.any = false};

    if (falls) {
        add_way(&a, u->addend_of, u->held ? u->held - u->share + 1 : 0,
                u->held ? u->held->made : 0);
    } else {
        u->fpu_known = true;
    }
    linear_lost(u);
    addend_lost(u);
    fill_holes(u, &a);
    forget_since(u, from);
    if (a.same) {
        const Share *s = a.held ? &u->share[a.held - 1] : NULL;

        u->addend_of = a.of;
        u->held = s && s->key && s->made == a.made ? &u->share[a.held - 1] : NULL;
    }
}

/* The others are entered there from the first only, which knows about the FPU. */
static void meet_alone(Unit *u, bool falls)
{
    linear_lost(u);
    addend_lost(u);
    if (!falls) {
        u->fpu_known = true;
        for (unsigned n = 0; n < u->inners; n++) {
            u->fpu_known &=
                !leads_here(u, &u->inner[n]) || !u->inner[n].taken || u->inner[n].fpu_known;
        }
    }
}

bool inner_meet(Unit *u, bool falls)
{
    unsigned from = UNIT_MAX;
    bool come = falls;

    for (unsigned n = 0; n < u->inners; n++) {
        const Inner *inner = &u->inner[n];

        if (leads_here(u, inner)) {
            from = inner->from < from ? inner->from : from;
            come |= inner->taken;
        }
    }
    if (from == UNIT_MAX || !come) {
        return come;
    }
    if (falls) {
        settle(u);
    } else { /* what waits in front is another way's: branches have written theirs */
        u->x87 = (X87Last){-1, -1};
    }
    u->garbage = false;
    u->recipe = -1;
    u->frame_at = NULL;
    if (u->alone) {
        meet_alone(u, falls);
    } else {
        meet_first(u, from, falls);
    }
    return true;
}

void inners_end(Unit *u)
{
    for (unsigned n = 0; n < u->inners; n++) {
        Inner *inner = &u->inner[n];

        if (inner->hole) {
            Cold *cold = cold_add(u, COLD_LINK, inner->hole, u->insn[inner->to].at);

            cold->fpu_known = inner->fpu_known;
            cold->x87 = (X87Last){-1, -1};
        }
    }
}
