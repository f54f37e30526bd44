/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Near branches (docs/design/translator.md, "Blocks and links"). In the first page: a branch that
 * is patched once its target has code. To another page and through registers: the jump table of the
 * view, keyed by rip. Backward branches and jump-table hits ask whether anybody wants the CPU.
 * Outside the flat model: segment.c.
 */
#include "target/i386/translate/unit.h"

/* The displacement that follows `opcode` bytes must not lie across eight bytes: it is patched while
 * others run it. */
static void place_branch(Unit *u, unsigned opcode)
{
    unsigned at = ((uintptr_t)u->e.at + opcode) & 7;

    if (at > 4) {
        put_nops(&u->e, 8 - at);
    }
}

/* Units of two pages are entered through the table: what follows a page may change. */
bool in_page(const Unit *u, int32_t at)
{
    return at >= u->low && at <= u->high && at != u->crossing;
}

/* The top of this unit is where it is going: no need to ask. */
static bool to_entry(const Unit *u, int32_t at)
{
    return at == u->insn[0].at;
}

void emit_target(Unit *u, int32_t at, unsigned to)
{
    if (u->code64) {
        load_gs(&u->e, to, CPU_AT(page_rip));
    } else {
        load_gs32(&u->e, to, CPU_AT(page_rip));
    }
    if (at) {
        lea_base(&u->e, to, to, at, u->code64);
    }
}

/* ---- the jump table ---- */

static uint32_t jumps_at(const Unit *u, size_t field)
{
    return CPU_AT(jumps) + u->view * sizeof(JumpTable) + field;
}

void emit_jump_lookup(Unit *u, ColdKind miss, int32_t at)
{
    Emit *e = &u->e;
    Hole hit;
    uint8_t *out;

    if (!u->plain) {
        load_gs(e, SCRATCH_B, CPU_AT(code_tag));
        lea_index(e, SCRATCH_A, SCRATCH_A, SCRATCH_B, 0, 0, true);
    }
    addend_lost(u);
    pext_gs(e, SCRATCH_B, SCRATCH_A, CPU_AT(jump_mask));
    load_gs_index(e, SCRATCH_C, SCRATCH_B, jumps_at(u, offsetof(JumpTable, word)));
    lea_index(e, SCRATCH_C, SCRATCH_C, SCRATCH_A, 0, 0, true);
    hit = jrcxz8(e);
    out = e->at;
    cold_add(u, miss, jmp32(e), at);
    fill8(e, hit);
    load_gs32(e, SCRATCH_C, CPU_AT(go));
    fill8_back(e, jrcxz8(e), out);
}

void emit_jump_hit(Unit *u)
{
    jmp_gs_index(&u->e, SCRATCH_B, jumps_at(u, offsetof(JumpTable, word[1])));
}

void emit_jump_keep(Unit *u)
{
    store_gs(&u->e, CPU_AT(jump_rip), SCRATCH_A);
}

void emit_jump_kept(Unit *u)
{
    load_gs(&u->e, SCRATCH_A, CPU_AT(jump_rip));
    pext_gs(&u->e, SCRATCH_B, SCRATCH_A, CPU_AT(jump_mask));
    emit_jump_hit(u);
}

void emit_jump_far(Unit *u, int32_t at)
{
    emit_target(u, at, SCRATCH_A);
    emit_jump_lookup(u, COLD_JUMPED, at);
    emit_jump_hit(u);
}

/* By a branch that has changed nothing: a target that the table does not know may not be canonical,
 * and then it is the branch that faults. The interpreter finds out. */
void emit_branch_far(Unit *u, int32_t at, int32_t from)
{
    emit_target(u, at, SCRATCH_A);
    emit_jump_lookup(u, COLD_INDIRECT, from);
    emit_jump_hit(u);
}

/* ---- direct branches ---- */

static const uint8_t *own_entry(const Unit *u)
{
    if (u->wants_fpu && !u->fpu_known) {
        return u->entry;
    }
    return u->alone && u->hoisted ? u->known : u->top;
}

uint8_t *emit_way_out(Unit *u)
{
    uint8_t *out = u->e.at;

    cold_add(u, COLD_RIP, jmp32(&u->e), u->insn[0].at);
    return out;
}

void emit_ask(Unit *u, const uint8_t *out)
{
    enum { LONGEST = 24 }; /* of both instructions, with room to spare */
    Emit *e = &u->e;

    u->asks = e->at - out < 128 - LONGEST;
    if (u->asks) {
        load_gs32(e, SCRATCH_C, CPU_AT(go));
        fill8_back(e, jrcxz8(e), out);
    }
}

void emit_link(Unit *u, int32_t at)
{
    Hole hole;

    if (to_entry(u, at)) {
        window_loop(u);
    }
    place_branch(u, 1);
    hole = jmp32(&u->e);
    if (to_entry(u, at)) {
        fill32(&u->e, hole, own_entry(u));
    } else {
        cold_add(u, COLD_LINK, hole, at);
    }
}

/* With a look at who wants us first. */
void emit_link_back(Unit *u, int32_t at)
{
    Emit *e = &u->e;
    Hole wanted;

    load_gs32(e, SCRATCH_C, CPU_AT(go));
    wanted = jrcxz8(e);
    emit_link(u, at);
    fill8(e, wanted);
    cold_add(u, COLD_RIP, jmp32(e), at);
}

void emit_go(Unit *u, int32_t at)
{
    if (!in_page(u, at)) {
        emit_jump_far(u, at);
    } else if (at <= unit_now(u)->at && !(u->asks && to_entry(u, at))) {
        emit_link_back(u, at);
    } else {
        emit_link(u, at);
    }
}

/* The same by the branch in work, which has changed nothing. */
static void emit_go_branch(Unit *u, int32_t at)
{
    if (u->code64 && !in_page(u, at)) {
        emit_branch_far(u, at, unit_now(u)->at);
    } else {
        emit_go(u, at);
    }
}

void emit_leave_next(Unit *u)
{
    flags_settle(u, true);
    emit_go(u, unit_next(u));
}

void emit_jcc(Unit *u, const Insn *i)
{
    Emit *e = &u->e;
    Inner *inner;
    int32_t at = unit_next(u) + (int32_t)i->imm;

    if (u->strip.wanted && strip_inside(u, i)) {
        return;
    }
    inner = u->window ? window_inner(u) : NULL;
    if (inner) {
        place_branch(u, 2);
        inner->hole = jcc32(e, i->cc);
        return;
    }
    if (u->strip.hole && u->now == u->loop.last) {
        strip_branch(u, i);
    } else if (u->asks && to_entry(u, at) && in_page(u, at)) {
        window_loop(u);
        place_branch(u, 2);
        jcc_to(e, i->cc, own_entry(u));
        strip_way(u, own_entry(u));
    } else if (in_page(u, at) && at <= unit_now(u)->at) {
        Hole over = jcc32(e, i->cc ^ 1);

        emit_link_back(u, at);
        fill32(e, over, e->at);
    } else if (in_page(u, at)) {
        place_branch(u, 2);
        cold_add(u, COLD_LINK, jcc32(e, i->cc), at);
    } else {
        cold_add(u, COLD_JUMP, jcc32(e, i->cc), at)->from = u->code64 ? unit_now(u)->at : -1;
    }
}

/* rCX, of which LOOP has taken 1, as far as it counts, to rcx. */
static void emit_count(Unit *u, unsigned size, bool loops)
{
    Emit *e = &u->e;

    if (loops && size == 2) {
        lea_base(e, SCRATCH_C, GUEST_CX, -1, false);
        mov_rr16(e, GUEST_CX, SCRATCH_C);
    } else if (loops) {
        lea_base(e, GUEST_CX, GUEST_CX, -1, size == 8);
    }
    if (size == 8) {
        mov_rr(e, SCRATCH_C, GUEST_CX);
    } else if (size == 4) {
        mov_rr32(e, SCRATCH_C, GUEST_CX);
    } else {
        movzx16(e, SCRATCH_C, GUEST_CX);
    }
}

/* JCXZ, LOOP and its kin: the host's own reach too few bytes. */
void emit_count_branch(Unit *u, const Insn *i)
{
    enum { CC_OF_LOOPE = CC_NE, CC_OF_LOOPNE = CC_E }; /* that do not branch */
    Emit *e = &u->e;
    bool loops = i->op != OP_JCXZ;
    Hole zero, other = NULL, over = NULL;

    flags_settle(u, true);
    emit_count(u, i->addrsize, loops);
    zero = jrcxz8(e);
    if (!loops) {
        over = jmp32(e);
        fill8(e, zero);
    } else if (i->op != OP_LOOP) {
        other = jcc32(e, i->op == OP_LOOPE ? CC_OF_LOOPE : CC_OF_LOOPNE);
    }
    emit_go_branch(u, unit_next(u) + (int32_t)i->imm);
    if (loops) {
        fill8(e, zero);
    }
    if (other || over) {
        fill32(e, other ? other : over, e->at);
    }
}

/* ---- through registers, memory, the stack ---- */

static void emit_target_operand(Unit *u, const Insn *i)
{
    const Operand *o = &i->operand[0];
    Emit *e = &u->e;

    if (o->kind == OPERAND_GPR) {
        unsigned from = guest_reg(u, o->reg, SCRATCH_A);

        if (o->size == 8) {
            mov_rr(e, SCRATCH_A, from);
        } else {
            mov_rr32(e, SCRATCH_A, from);
        }
    } else {
        Place p = emit_access(u, 0, o->size, false);

        flags_settle(u, true);
        place_begin(u);
        load_pair(e, SCRATCH_A, p.base, p.index, p.disp, o->size);
        place_end(u);
    }
    linear_lost(u);
    flags_settle(u, true);
}

/* n: which of its accesses that is */
static void emit_push_return(Unit *u, unsigned n, unsigned size)
{
    Emit *e = &u->e;
    Place p;

    p = emit_access_stack(u, n, R_SP, -(int32_t)size, size, true);
    flags_settle(u, true);
    emit_target(u, unit_next(u), SCRATCH_C);
    place_begin(u);
    store_pair(e, SCRATCH_C, p.base, p.index, p.disp, size);
    place_end(u);
    lea_base(e, GUEST_SP, GUEST_SP, -(int32_t)size, u->code64);
}

static void emit_call_indirect(Unit *u, const Insn *i)
{
    emit_target_operand(u, i);
    emit_jump_lookup(u, COLD_INDIRECT, unit_now(u)->at);
    emit_jump_keep(u);
    emit_push_return(u, i->operand[0].kind == OPERAND_MEM, i->opsize);
    emit_jump_kept(u);
}

/* To another page: looked up first, for a target that is not canonical leaves the stack alone. */
static void emit_call_relative(Unit *u, const Insn *i, int32_t to)
{
    if (in_page(u, to)) {
        emit_push_return(u, 0, i->opsize);
        emit_go(u, to);
        return;
    }
    flags_settle(u, true);
    linear_lost(u);
    emit_target(u, to, SCRATCH_A);
    emit_jump_lookup(u, COLD_INDIRECT, unit_now(u)->at);
    emit_jump_keep(u);
    emit_push_return(u, 0, i->opsize);
    emit_jump_kept(u);
}

static void emit_ret(Unit *u, const Insn *i)
{
    Emit *e = &u->e;
    unsigned size = i->opsize, more = i->operand[0].kind == OPERAND_IMM ? (uint16_t)i->imm : 0;

    Place p = emit_access_stack(u, 0, R_SP, 0, size, false);

    flags_settle(u, true);
    place_begin(u);
    load_pair(e, SCRATCH_A, p.base, p.index, p.disp, size);
    place_end(u);
    emit_jump_lookup(u, COLD_INDIRECT, unit_now(u)->at);
    lea_base(e, GUEST_SP, GUEST_SP, size + more, u->code64);
    emit_jump_hit(u);
}

bool emit_branch(Unit *u, bool *ends)
{
    const Insn *i = unit_now(u)->i;
    bool relative = i->operand[0].kind == OPERAND_REL;

    *ends = true;
    if (!u->code64 && !(stack_plain(u, i) && u->plain)) {
        return emit_branch_based(u, ends);
    }
    if (!stack_plain(u, i) || (i->operand[0].kind == OPERAND_MEM && !segment_plain(u, i, false))) {
        return false;
    }
    switch (i->op) {
    case OP_JCC:
        u->undisturbed = true;
        flags_settle(u, true);
        emit_jcc(u, i);
        *ends = false;
        return true;
    case OP_LOOP:
    case OP_LOOPE:
    case OP_LOOPNE:
        if (u->code64 && !in_page(u, unit_next(u) + (int32_t)i->imm)) {
            return false; /* it counts only if its target can be */
        }
        /* fall through */
    case OP_JCXZ:
        *ends = false;
        emit_count_branch(u, i);
        return true;
    case OP_JMP:
        flags_settle(u, true);
        if (relative) {
            emit_go_branch(u, unit_next(u) + (int32_t)i->imm);
        } else {
            emit_target_operand(u, i);
            emit_jump_lookup(u, COLD_INDIRECT, unit_now(u)->at);
            emit_jump_hit(u);
        }
        return true;
    case OP_CALL:
        if (relative) {
            emit_call_relative(u, i, unit_next(u) + (int32_t)i->imm);
        } else {
            emit_call_indirect(u, i);
        }
        return true;
    case OP_RET:
        emit_ret(u, i);
        return true;
    default:
        return false;
    }
}
