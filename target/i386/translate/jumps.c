/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Branches through the jump table of the view, which is keyed by rip (docs/design/translator.md,
 * "Blocks and links"): to another page, and wherever registers, memory and the stack say. The table
 * itself: run.c.
 */
#include "target/i386/translate/unit.h"

static uint32_t jumps_at(const Unit *u, size_t field)
{
    return CPU_AT(jumps) + u->view * sizeof(JumpTable) + field;
}

/* AMD's Zen 3 remembers the way by one bit of each jump's address. Were that the same in all parts
 * of an interpreter, it could not tell where the next jump leads: so it alternates, unit
 * by unit. */
static void place_jump(Unit *u)
{
    enum { BIT = 4 };

    if (((uintptr_t)u->e.at & BIT) != (u->cache->count & 1) * BIT) {
        put_nops(&u->e, BIT);
    }
}

/* rcx: `known` when the slot, to r11, is of the rip in rbp. */
static void emit_slot(Unit *u, int32_t known)
{
    Emit *e = &u->e;

    u->look_up = u->plain ? e->at : NULL;
    if (!u->plain) {
        load_gs(e, SCRATCH_B, CPU_AT(code_tag));
        lea_index(e, SCRATCH_A, SCRATCH_A, SCRATCH_B, 0, 0, true);
    }
    addend_lost(u);
    pext_gs(e, SCRATCH_B, SCRATCH_A, CPU_AT(jump_mask));
    load_gs_index(e, SCRATCH_C, SCRATCH_B, jumps_at(u, offsetof(JumpTable, word)));
    lea_index(e, SCRATCH_C, SCRATCH_C, SCRATCH_A, 0, known, true);
}

/* A branch that is taken where the slot is right. */
static Hole emit_slot_far(Unit *u)
{
    Emit *e = &u->e;
    Hole hit, miss;

    emit_slot(u, 0);
    hit = jrcxz8(e);
    miss = jmp32(e);
    fill8(e, hit);
    return miss;
}

/* LOOP is a branch that leaves the flags alone, too, and is taken only to what is not known; but it
 * reaches 127 bytes, and is slow where it is microcode. */
Hole emit_jump_lookup(Unit *u)
{
    if (u->cache->quick_loop) {
        emit_slot(u, 1);
        return loop8(&u->e);
    }
    return emit_slot_far(u);
}

static void emit_jump_slot(Unit *u)
{
    place_jump(u);
    jmp_gs_index(&u->e, SCRATCH_B, jumps_at(u, offsetof(JumpTable, word[1])));
}

void emit_jump_hit(Unit *u, Hole miss, ColdKind kind, int32_t at)
{
    emit_jump_slot(u);
    if (u->cache->quick_loop) {
        fill8(&u->e, miss);
        miss = jmp32(&u->e);
    }
    cold_add(u, kind, miss, at)->back = u->look_up;
}

void emit_jump_keep(Unit *u, ColdKind kind, int32_t at)
{
    Hole miss = emit_slot_far(u);

    cold_add(u, kind, miss, at)->back = u->look_up;
    store_gs(&u->e, CPU_AT(jump_rip), SCRATCH_A);
}

void emit_jump_kept(Unit *u)
{
    load_gs(&u->e, SCRATCH_A, CPU_AT(jump_rip));
    pext_gs(&u->e, SCRATCH_B, SCRATCH_A, CPU_AT(jump_mask));
    emit_jump_slot(u);
}

void emit_jump(Unit *u, ColdKind kind, int32_t at)
{
    emit_jump_hit(u, emit_jump_lookup(u), kind, at);
}

void emit_jump_far(Unit *u, int32_t at)
{
    emit_target(u, at, SCRATCH_A);
    emit_jump(u, COLD_JUMPED, at);
}

/* By a branch that has changed nothing: a target that the table does not know may not be canonical,
 * and then it is the branch that faults. The interpreter finds out. */
void emit_branch_far(Unit *u, int32_t at, int32_t from)
{
    emit_target(u, at, SCRATCH_A);
    emit_jump(u, COLD_INDIRECT, from);
}
