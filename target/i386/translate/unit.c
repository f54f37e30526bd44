/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making a unit: gather decoded blocks that follow one another in a page, emit each instruction by
 * its class, then the cold pieces (docs/design/translator.md, "A unit").
 */
#include "target/i386/translate/unit.h"

#include "target/i386/rt/rt.h"

/* ---- gathering ---- */

/* May control fall through to the next instruction? */
static bool falls_through(const Insn *i)
{
    return !(insn_row(i)->attr & (ROW_BRANCH | ROW_SERIAL)) || i->op == OP_JCC;
}

void unit_gather(Unit *u, const Block *b)
{
    unsigned most = u->c->unit_max;

    while (b && (!u->count || u->count + b->count <= most)) {
        unsigned at = b->phys % GUEST_PAGE;

        for (unsigned n = 0; n < b->count && u->count < most; n++) {
            u->insn[u->count++] = (UnitInsn){&b->insn[n], at};
            at += b->insn[n].len;
        }
        if (u->count == most || at >= GUEST_PAGE || !falls_through(&b->insn[b->count - 1])) {
            break;
        }
        b = block_at(u->c, b->page | at);
    }
}

/* ---- pieces on the way ---- */

Cold *cold_add(Unit *u, ColdKind kind, Hole hole, int32_t at)
{
    Cold *cold = &u->cold[u->colds];

    if (u->colds < COLD_MAX - 1) {
        u->colds++;
    } else {
        u->e.full = true;
    }
    *cold = (Cold){.hole = hole, .kind = kind, .at = at, .recipe = -1};
    return cold;
}

void unit_fault_begin(Unit *u)
{
    u->fault[u->faults].from = u->e.at - u->cache->write;
}

void unit_fault_end(Unit *u)
{
    TransFault *f = &u->fault[u->faults];

    f->to = u->e.at - u->cache->write;
    f->at = unit_now(u)->at;
    if (u->faults < UNIT_MAX - 1) {
        u->faults++;
    } else {
        u->e.full = true;
    }
}

static void emit_cold(Unit *u, const Cold *cold)
{
    Emit *e = &u->e;
    const CodeCache *cache = u->cache;

    fill32(e, cold->hole, e->at);
    if (cold->recipe >= 0) {
        recipe_run(u, cold->recipe);
    }
    switch (cold->kind) {
    case COLD_FILL:
        mov_imm(e, SCRATCH_B, cold->at | cold->size << 16 | (uint32_t)cold->write << 24);
        emit_call_routine(u, cache->fill);
        jmp_to(e, cold->back);
        return;
    case COLD_FPU:
        emit_call_routine(u, cache->fpu);
        jmp_to(e, cold->back);
        return;
    case COLD_JUMP:
        emit_jump_far(u, cold->at);
        return;
    default:
        break;
    }
    mov_imm(e, SCRATCH_C, (uint64_t)(int64_t)cold->at);
    switch (cold->kind) {
    case COLD_LINK:
        mov_imm(e, SCRATCH_B, cold->hole - cache->write);
        emit_jmp_routine(u, cache->leave_link);
        break;
    case COLD_ONE:
        emit_jmp_routine(u, cache->leave_one);
        break;
    case COLD_INDIRECT:
        emit_jmp_routine(u, cache->leave_indirect);
        break;
    case COLD_JUMPED:
        emit_jmp_routine(u, cache->leave_jump);
        break;
    default:
        emit_jmp_routine(u, cache->leave_rip);
    }
}

/* Away from the unit in front of the instruction in work, for the interpreter. */
static void emit_one(Unit *u)
{
    if (u->garbage) {
        recipe_run(u, u->recipe);
        u->garbage = false;
    }
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

    if (i->run == run_undefined ||
        i->run == run_too_long) { /* there is none, or the model lacks it: its row says nothing */
        emit_one(u);
        return false;
    }
    if (does_nothing(i)) {
        return true;
    }
    if (insn_row(i)->attr & ROW_BRANCH && emit_branch(u, &ends)) {
        recipe_follow(u);
        return !ends;
    }
    ends = insn_row(i)->attr & (ROW_BRANCH | ROW_SERIAL);
    if (!ends && (emit_stack(u) || emit_copy(u))) {
        recipe_follow(u);
        return true;
    }
    if (!callable(i)) {
        emit_one(u);
        return false;
    }
    emit_call(u, ends);
    u->recipe = -1;
    return !ends;
}

void unit_emit(Unit *u)
{
    bool on = true;

    align(&u->e, 16);
    u->entry = u->e.at;
    put_nops(&u->e, 5); /* becomes a jump when the page's code changes */
    for (u->now = 0; u->now < u->count && on && !u->e.full; u->now++) {
        on = emit_insn(u);
    }
    if (on && !u->e.full) {
        u->now = u->count - 1;
        emit_leave_next(u);
    }
    for (unsigned n = 0; n < u->colds && !u->e.full; n++) {
        Cold cold = u->cold[n];

        emit_cold(u, &cold);
    }
    u->stale = u->e.at;
    mov_imm(&u->e, SCRATCH_C, u->insn[0].at);
    emit_jmp_routine(u, u->cache->leave_rip);
}
