/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Near branches (docs/design/translator.md, "Blocks and links"). In the first page: a branch that
 * is patched once its target has code. To another page and through registers: the jump table
 * (jumps.c). Who is branched to backwards, and who is jumped to through the table, asks whether
 * anybody wants the CPU. Outside the flat model: segment.c.
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

/* ---- direct branches ---- */

static const uint8_t *own_entry(const Unit *u)
{
    if (u->wants_fpu && !u->fpu_known) {
        return u->entry;
    }
    if (u->x87_carried && !(u->alone ? u->x87_same : x87_kept(u))) {
        return u->known;
    }
    return u->alone && u->hoisted ? u->hoist : u->top;
}

uint8_t *emit_way_out(Unit *u)
{
    uint8_t *out = u->e.at;

    mov_imm(&u->e, SCRATCH_C, u->insn[0].at);
    emit_jmp_routine(u, u->cache->leave_rip);
    return out;
}

void emit_ask(Unit *u, const uint8_t *out)
{
    load_gs32(&u->e, SCRATCH_C, CPU_AT(go));
    fill8_back(&u->e, jrcxz8(&u->e), out);
}

/* To another unit of the page. Backwards: where it is asked who wants us. */
static void link(Unit *u, Hole hole, int32_t at)
{
    cold_add(u, COLD_LINK, hole, at)->backwards = at <= unit_now(u)->at;
}

void emit_link(Unit *u, int32_t at)
{
    place_branch(u, 1);
    link(u, jmp32(&u->e), at);
}

void emit_go(Unit *u, int32_t at)
{
    if (!in_page(u, at)) {
        emit_jump_far(u, at);
        return;
    }
    if (to_entry(u, at)) {
        window_loop(u);
        place_branch(u, 1);
        jmp_to(&u->e, own_entry(u));
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
    int32_t at = unit_target(u, u->now);

    if (u->strip.wanted && strip_inside(u, i)) {
        return;
    }
    inner = inner_branch(u);
    if (inner) {
        place_branch(u, 2);
        inner->hole = jcc32(e, i->cc);
        return;
    }
    if (u->strip.hole && u->now == u->loop.last) {
        strip_branch(u, i);
    } else if (to_entry(u, at) && in_page(u, at)) {
        window_loop(u);
        place_branch(u, 2);
        jcc_to(e, i->cc, own_entry(u));
        strip_way(u, own_entry(u));
    } else if (in_page(u, at)) {
        place_branch(u, 2);
        link(u, jcc32(e, i->cc), at);
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
    emit_go_branch(u, unit_target(u, u->now));
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

/* access: how many accesses the instruction has in front of that. to: the page offset whose rip is
 * in rbp; -1: it is not. */
static void emit_push_return(Unit *u, unsigned access, int32_t to)
{
    unsigned size = unit_now(u)->i->opsize;
    Emit *e = &u->e;
    Place p;

    p = emit_access_stack(u, access, R_SP, -(int32_t)size, size, true);
    flags_settle(u, true);
    if (to >= 0 && u->direct) { /* whose check has left rbp alone */
        lea_base(e, SCRATCH_C, SCRATCH_A, unit_next(u) - to, u->code64);
    } else {
        emit_target(u, unit_next(u), SCRATCH_C);
    }
    place_begin(u);
    store_pair(e, SCRATCH_C, p.base, p.index, p.disp, size);
    place_end(u);
    u->sp -= size;
    sp_settle(u);
}

/* rbp: where the JMP or RET in work leads: where that is a usual place, there. Behind RET rSP is
 * what its register is, and `by`. */
static void emit_usual(Unit *u, int32_t by)
{
    Usual k = usual_find(u);
    int16_t sp = u->sp;

    for (unsigned n = 0; n < k.count; n++) {
        Hole other = usual_other(u, &k, n);

        if (unit_now(u)->i->op == OP_RET) {
            lea_base(&u->e, GUEST_SP, GUEST_SP, by, u->code64);
            u->sp = 0;
        }
        emit_link(u, k.to[n]);
        u->sp = sp;
        fill8(&u->e, other);
    }
}

/* rbp: where the call in work leads. */
static void emit_call_target(Unit *u, const Insn *i)
{
    switch (i->operand[0].kind) {
    case OPERAND_REL:
        emit_target(u, unit_target(u, u->now), SCRATCH_A);
        break;
    case OPERAND_MEM:
        load_gs(&u->e, SCRATCH_A, CPU_AT(jump_rip));
        break;
    default:
        emit_target_operand(u, i);
    }
}

/* rcx: what the call in work pushes; rbp: where it leads. */
static void emit_return_rip(Unit *u, const Insn *i)
{
    if (i->operand[0].kind == OPERAND_REL && (int32_t)i->imm != INT32_MIN) {
        lea_base(&u->e, SCRATCH_C, SCRATCH_A, -(int32_t)i->imm, u->code64);
    } else {
        emit_target(u, unit_next(u), SCRATCH_C);
    }
}

/* What scratch registers hold of a place goes to Cpu.push_to, from where r11 gets it back; *again:
 * from where. */
static Place keep_place(Unit *u, Place p, uint32_t *again)
{
    *again = CPU_AT(push_to);
    if (p.base == GUEST_SP && p.index == SCRATCH_B) {
        if (u->addend_of == WINDOW_STACK + 1) {
            *again = CPU_AT(window.addend) + 8 * WINDOW_STACK;
        } else {
            store_gs(&u->e, CPU_AT(push_to), SCRATCH_B);
        }
        return p;
    }
    lea_index(&u->e, SCRATCH_C, p.base, p.index, 0, p.disp, true);
    store_gs(&u->e, CPU_AT(push_to), SCRATCH_C);
    return (Place){.base = SCRATCH_B, .index = NO_INDEX};
}

/* Where rbp is the nth usual place: as a call of that. A check that is made on this way is not
 * known to the others. */
static void emit_call_usual(Unit *u, const Usual *k, unsigned n, unsigned access)
{
    bool near = u->window; /* the stack's check is short */
    Hole other = near ? usual_other(u, k, n) : usual_other_far(u, k, n);
    Share share[SHARES];

    __builtin_memcpy(share, u->share, sizeof share);
    emit_push_return(u, access, k->to[n]);
    emit_link(u, k->to[n]);
    __builtin_memcpy(u->share, share, sizeof share);
    u->frame_at = NULL;
    linear_lost(u);
    addend_lost(u);
    if (near) {
        fill8(&u->e, other);
    } else {
        fill32(&u->e, other, u->e.at);
    }
}

/* Nothing is pushed before it is known that the interpreter need not run the instruction, and the
 * look-up, whose miss must be near the jump, comes behind the check of the stack. */
static void emit_call_far(Unit *u, const Insn *i)
{
    Emit *e = &u->e;
    unsigned size = i->opsize;
    bool memory = i->operand[0].kind == OPERAND_MEM;
    Usual k = {.count = 0};
    uint32_t again;
    Place p;
    Hole miss;

    sp_settle(u);
    if (i->operand[0].kind != OPERAND_REL) {
        k = usual_find(u);
    }
    if (memory || k.count) {
        emit_target_operand(u, i);
    }
    for (unsigned n = 0; n < k.count; n++) {
        emit_call_usual(u, &k, n, memory);
    }
    if (memory) {
        store_gs(e, CPU_AT(jump_rip), SCRATCH_A);
    }
    p = emit_access_stack(u, memory, R_SP, -(int32_t)size, size, true);
    flags_settle(u, true);
    p = keep_place(u, p, &again);
    emit_call_target(u, i);
    linear_lost(u);
    miss = emit_jump_lookup(u);
    emit_return_rip(u, i);
    load_gs(e, SCRATCH_B, again);
    place_begin(u);
    store_pair(e, SCRATCH_C, p.base, p.index, p.disp, size);
    place_end(u);
    pext_gs(e, SCRATCH_B, SCRATCH_A, CPU_AT(jump_mask));
    lea_base(e, GUEST_SP, GUEST_SP, -(int32_t)size, u->code64);
    emit_jump_hit(u, miss, COLD_INDIRECT, unit_now(u)->at);
}

static void emit_call_near(Unit *u, const Insn *i)
{
    int32_t at = unit_target(u, u->now);

    if (i->operand[0].kind == OPERAND_REL && in_page(u, at)) {
        emit_push_return(u, 0, -1);
        emit_go(u, at);
    } else {
        emit_call_far(u, i);
    }
}

static void emit_ret(Unit *u, const Insn *i)
{
    Emit *e = &u->e;
    unsigned size = i->opsize, more = i->operand[0].kind == OPERAND_IMM ? (uint16_t)i->imm : 0;
    int32_t by = u->sp + size + more;

    Place p = emit_access_stack(u, 0, R_SP, 0, size, false);
    Hole miss;

    flags_settle(u, true);
    place_begin(u);
    load_pair(e, SCRATCH_A, p.base, p.index, p.disp, size);
    place_end(u);
    linear_lost(u);
    emit_usual(u, by);
    miss = emit_jump_lookup(u);
    lea_base(e, GUEST_SP, GUEST_SP, by, u->code64);
    emit_jump_hit(u, miss, COLD_INDIRECT, unit_now(u)->at); /* where it has not been changed */
    u->sp = 0;
}

/* Within the unit; nothing, where it leads to what comes next. */
static bool emit_inner_jump(Unit *u, bool *ends)
{
    Inner *inner = inner_branch(u);

    if (inner && inner->to == u->now + 1) {
        *ends = false;
    } else if (inner) {
        place_branch(u, 1);
        inner->hole = jmp32(&u->e);
    }
    return inner;
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
        if (u->code64 && !in_page(u, unit_target(u, u->now))) {
            return false; /* it counts only if its target can be */
        }
        /* fall through */
    case OP_JCXZ:
        *ends = false;
        emit_count_branch(u, i);
        return true;
    case OP_JMP:
        flags_settle(u, true);
        if (relative && emit_inner_jump(u, ends)) {
            u->undisturbed = true;
        } else if (relative) {
            emit_go_branch(u, unit_target(u, u->now));
        } else {
            emit_target_operand(u, i);
            emit_usual(u, 0);
            emit_jump(u, COLD_INDIRECT, unit_now(u)->at);
        }
        return true;
    case OP_CALL:
        emit_call_near(u, i);
        return true;
    case OP_RET:
        emit_ret(u, i);
        return true;
    default:
        return false;
    }
}
