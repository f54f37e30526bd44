/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cold pieces (docs/design/translator.md, "A unit"): what is done where a check misses, a
 * branch leaves the unit or the host faults, out of the way behind it. They are noted while it is
 * emitted, with what the guest's registers lack there, and written when it has ended.
 */
#include "target/i386/translate/unit.h"

/* ---- noted on the way ---- */

Cold *cold_add(Unit *u, ColdKind kind, Hole hole, int32_t at)
{
    Cold *cold = &u->cold[u->colds];

    if (u->colds < COLD_MAX - 1) {
        u->colds++;
    } else {
        u->e.full = true;
    }
    *cold = (Cold){.hole = hole,
                   .kind = kind,
                   .at = at,
                   .recipe = -1,
                   .fault = -1,
                   .linear = SCRATCH_A,
                   .fpu_known = u->fpu_known,
                   .sp = u->sp,
                   .x87 = u->x87};
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
    f->leave = 0;
    if (u->garbage || u->x87.last >= 0 || u->sp) { /* for the way out to put right */
        Cold *cold = cold_add(u, COLD_ONE, NULL, f->at);

        cold->recipe = u->garbage ? u->recipe : -1;
        cold->fault = u->faults;
    }
    if (u->faults < FAULTS_MAX - 1) {
        u->faults++;
    } else {
        u->e.full = true;
    }
}

/* ---- written behind the unit ---- */

static void cold_sp(Unit *u, int32_t by)
{
    if (by) {
        lea_base(&u->e, GUEST_SP, GUEST_SP, by, u->code64);
    }
}

/* By a routine, and back into the unit. */
static void cold_return(Unit *u, const Cold *cold, const uint8_t *routine)
{
    emit_call_routine(u, routine);
    cold_sp(u, -cold->sp);
    jmp_to(&u->e, cold->back);
}

/* The jump table does not know rbp. */
static void cold_unknown(Unit *u, const Cold *cold, const uint8_t *resolve, const uint8_t *leave)
{
    if (cold->back) {
        cold_return(u, cold, resolve);
    } else {
        emit_jmp_routine(u, leave);
    }
}

/* The registers as the guest has them, at the beginning of the piece. */
static void cold_settle(Unit *u, const Cold *cold)
{
    cold_sp(u, cold->sp);
    if (cold->recipe >= 0) {
        recipe_run(u, cold->recipe);
    }
    if ((cold->kind != COLD_ALONE || cold->x87.before) && cold->kind != COLD_FPU) {
        x87_write(u, cold->x87);
    }
}

static void cold_alone(Unit *u, const Cold *cold)
{
    if (u->alone_at[cold->at]) {
        jmp_to(&u->e, u->alone_at[cold->at]);
        return;
    }
    mov_imm(&u->e, SCRATCH_C, u->insn[cold->at].at); /* the unit ends in front of it */
    emit_jmp_routine(u, u->cache->leave_rip);
}

static void cold_fill(Unit *u, const Cold *cold)
{
    if (cold->linear != SCRATCH_A) {
        mov_rr(&u->e, SCRATCH_A, cold->linear);
    }
    mov_imm(&u->e, SCRATCH_B,
            cold->at | cold->size << 16 | (cold->write ? FILL_WRITE : 0) |
                (cold->plain ? FILL_PLAIN : 0));
    cold_return(u, cold, u->cache->fill);
}

static void cold_link(Unit *u, const Cold *cold)
{
    const CodeCache *cache = u->cache;

    mov_imm(&u->e, SCRATCH_B,
            (cold->hole - cache->write) | (cold->fpu_known ? SITE_FPU : 0) |
                (cold->backwards ? SITE_BACK : 0));
    emit_jmp_routine(u, cache->leave_link);
}

/* Away from translated code, with the place in rcx. */
static void cold_leave(Unit *u, const Cold *cold)
{
    const CodeCache *cache = u->cache;

    mov_imm(&u->e, SCRATCH_C, (uint64_t)(int64_t)cold->at);
    switch (cold->kind) {
    case COLD_LINK:
        cold_link(u, cold);
        break;
    case COLD_ONE:
        emit_jmp_routine(u, cache->leave_one);
        break;
    case COLD_INDIRECT:
        cold_unknown(u, cold, cache->resolve_indirect, cache->leave_indirect);
        break;
    case COLD_JUMPED:
        cold_unknown(u, cold, cache->resolve_jump, cache->leave_jump);
        break;
    default:
        emit_jmp_routine(u, cache->leave_rip);
    }
}

static void emit_kind(Unit *u, const Cold *cold)
{
    switch (cold->kind) {
    case COLD_ALONE:
        cold_alone(u, cold);
        break;
    case COLD_FILL:
        cold_fill(u, cold);
        break;
    case COLD_GUESS:
        guess_emit_cold(u, cold);
        break;
    case COLD_FPU:
        cold_return(u, cold, u->cache->fpu);
        break;
    case COLD_JUMP:
        if (cold->from >= 0) {
            emit_branch_far(u, cold->at, cold->from);
        } else {
            emit_jump_far(u, cold->at);
        }
        break;
    case COLD_BASED:
        emit_based_far(u, cold->at, cold->from, cold->size == 2);
        break;
    default:
        cold_leave(u, cold);
    }
}

static void emit_cold(Unit *u, const Cold *cold)
{
    if (cold->kind == COLD_ALONE && cold->recipe < 0 && !cold->sp && !cold->x87.before &&
        u->alone_at[cold->at]) { /* nothing to do on the way */
        fill32(&u->e, cold->hole, u->alone_at[cold->at]);
        return;
    }
    if (cold->fault >= 0) {
        u->fault[cold->fault].leave = u->e.at - u->cache->write;
    } else {
        fill32(&u->e, cold->hole, u->e.at);
    }
    cold_settle(u, cold);
    emit_kind(u, cold);
}

void colds_emit(Unit *u)
{
    u->x87 = (X87Last){-1, -1}; /* each piece has its own */
    for (unsigned n = 0; n < u->colds && !u->e.full; n++) {
        Cold cold = u->cold[n];

        emit_cold(u, &cold);
    }
}
