/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PUSH, POP and LEAVE of the stack's own width, and LEA and moves with absolute addresses: what is
 * not the same instruction on the host, but short.
 * Other widths, and stacks with a limit: segment.c. Not here: POP to memory, to segment registers.
 */
#include "target/i386/translate/unit.h"

bool stack_plain(const Unit *u, const Insn *i)
{
    return i->opsize == width(u) && (u->code64 || u->mode & MODE_FLAT) &&
           (u->mode & MODE_STACK) >> MODE_STACK_SHIFT == (u->code64 ? 2 : 1);
}

/* ---- rSP ---- */

void sp_settle(Unit *u)
{
    if (u->sp) {
        lea_base(&u->e, GUEST_SP, GUEST_SP, u->sp, u->code64);
        u->sp = 0;
    }
}

/* Only the first version waits: the others are entered in front of any instruction. */
void sp_moves(Unit *u, int32_t by)
{
    u->sp += by;
    if (u->alone || u->strip.now) {
        sp_settle(u);
    }
}

static bool names_sp(const Insn *i)
{
    for (unsigned n = 0; n < 4; n++) {
        if (i->operand[n].kind == OPERAND_GPR && i->operand[n].reg == R_SP) {
            return true;
        }
    }
    return i->base == R_SP || i->index == R_SP;
}

/* Is it emitted so that rSP's register need not be right? */
static bool does_without_sp(const Unit *u, const Insn *i)
{
    switch (i->op) {
    case OP_PUSH:
    case OP_POP:
        return stack_plain(u, i) && i->operand[0].kind != OPERAND_MEM && !names_sp(i);
    case OP_CALL:
    case OP_RET:
        return stack_plain(u, i);
    case OP_LEA:
        return !names_sp(i);
    default:
        return does_nothing(i) || (copy_possible(u, i) && !names_sp(i));
    }
}

static bool ways_meet(const Unit *u)
{
    for (unsigned n = 0; n < u->inners; n++) {
        if (u->inner[n].to == u->now) {
            return true;
        }
    }
    return u->strip.wanted && u->now <= u->loop.last && u->loop.met >> u->now & 1;
}

void sp_before(Unit *u)
{
    if (u->sp && (ways_meet(u) || !does_without_sp(u, unit_now(u)->i))) {
        sp_settle(u);
    }
}

/* ---- PUSH, POP, LEAVE ---- */

static Place check_push(Unit *u, unsigned n)
{
    Place p = emit_access_stack(u, n, R_SP, -(int32_t)width(u), width(u), true);

    flags_settle(u, false);
    return p;
}

/* The operand is read first: it may be there that something is pushed to. */
static void emit_push_memory(Unit *u)
{
    Emit *e = &u->e;
    Place p = emit_access(u, 0, width(u), false);

    flags_settle(u, true);
    place_begin(u);
    load_pair(e, SCRATCH_C, p.base, p.index, p.disp, width(u));
    place_end(u);
    store_gs(e, CPU_AT(pushed), SCRATCH_C);
    p = check_push(u, 1);
    load_gs(e, SCRATCH_C, CPU_AT(pushed));
    place_begin(u);
    store_pair(e, SCRATCH_C, p.base, p.index, p.disp, width(u));
    place_end(u);
}

static bool emit_push(Unit *u, const Insn *i)
{
    Emit *e = &u->e;
    const Operand *o = &i->operand[0];
    unsigned from;
    Place p;

    if (o->kind == OPERAND_MEM) {
        emit_push_memory(u);
    } else if (o->kind == OPERAND_GPR) {
        p = check_push(u, 0);
        from = guest_reg(u, o->reg, SCRATCH_C);
        place_begin(u);
        store_pair(e, from, p.base, p.index, p.disp, width(u));
        place_end(u);
    } else {
        p = check_push(u, 0);
        place_begin(u);
        store_pair_imm(e, i->imm, p.base, p.index, p.disp, width(u));
        place_end(u);
    }
    sp_moves(u, -(int32_t)width(u));
    return true;
}

static bool emit_pop(Unit *u, const Insn *i)
{
    Emit *e = &u->e;
    unsigned reg = i->operand[0].reg;
    Place p;

    if (i->operand[0].kind != OPERAND_GPR) {
        return false;
    }
    p = emit_access_stack(u, 0, R_SP, 0, width(u), false);
    flags_settle(u, false);
    place_begin(u);
    load_pair(e, in_frame(reg) ? SCRATCH_C : host_of[reg], p.base, p.index, p.disp, width(u));
    place_end(u);
    if (reg != R_SP) {
        sp_moves(u, width(u));
    }
    if (in_frame(reg)) {
        store_gs(e, CPU_AT(s.gpr) + 8 * reg, SCRATCH_C);
    }
    return true;
}

static bool emit_leave(Unit *u)
{
    Emit *e = &u->e;
    Place p = emit_access_stack(u, 0, R_BP, 0, width(u), false);

    flags_settle(u, false);
    lea_base(e, SCRATCH_C, GUEST_BP, width(u), u->code64);
    place_begin(u);
    load_pair(e, GUEST_BP, p.base, p.index, p.disp, width(u));
    place_end(u);
    mov_rr(e, GUEST_SP, SCRATCH_C);
    return true;
}

/* ---- LEA, absolute moves ---- */

/* A register may hold its own address's parts, all but what has to be loaded first; with RIP there
 * are none. */
static bool lea_direct(const Insn *i)
{
    return i->operand[0].size >= 4 && !in_frame(i->operand[0].reg) &&
           !(i->base < 16 && in_frame(i->base)) && i->addrsize != 2;
}

static bool emit_lea(Unit *u, const Insn *i)
{
    Emit *e = &u->e;
    unsigned reg = i->operand[0].reg, size = i->operand[0].size;

    flags_settle(u, false);
    u->undisturbed = true;
    if (lea_direct(i)) {
        Insn own = *i;

        own.addrsize = size < i->addrsize ? size : i->addrsize; /* upper halves do not matter */
        emit_offset(u, &own, host_of[reg]);
        return true;
    }
    emit_offset(u, i, SCRATCH_A);
    if (size == 2) {
        unsigned to = guest_reg(u, reg, SCRATCH_B);

        addend_lost(u);
        mov_rr16(e, to, SCRATCH_A);
        if (in_frame(reg)) {
            store_gs(e, CPU_AT(s.gpr) + 8 * reg, to);
        }
        return true;
    }
    if (size == 4) {
        mov_rr32(e, in_frame(reg) ? SCRATCH_A : host_of[reg], SCRATCH_A);
    } else if (!in_frame(reg)) {
        mov_rr(e, host_of[reg], SCRATCH_A);
    }
    if (in_frame(reg)) {
        store_gs(e, CPU_AT(s.gpr) + 8 * reg, SCRATCH_A);
    }
    return true;
}

/* MOV between rAX and an address in the instruction. */
static bool emit_mov_absolute(Unit *u, const Insn *i)
{
    Emit *e = &u->e;
    bool load = i->operand[1].kind == OPERAND_ABS;
    unsigned size = i->operand[load ? 0 : 1].size;

    if (u->code64 && i->seg >= SEG_FS) {
        return false; /* rare: the interpreter's */
    }
    mov_imm(e, SCRATCH_A, u->code64 && i->addrsize == 8 ? i->imm : (uint32_t)i->imm);
    if (!u->code64) {
        emit_segment(u, i->seg, i->addrsize, size, !load);
    }
    emit_check(u, size, !load);
    flags_settle(u, false);
    if (!load) {
        store_pair(e, H_AX, SCRATCH_A, SCRATCH_B, MEM_DISP, size);
    } else {
        load_pair_low(e, H_AX, SCRATCH_A, SCRATCH_B, MEM_DISP, size);
    }
    return true;
}

bool emit_stack(Unit *u)
{
    const Insn *i = unit_now(u)->i;
    bool fits = stack_plain(u, i);

    switch (i->op) {
    case OP_PUSH:
        return fits ? emit_push(u, i) : emit_stack_based(u);
    case OP_PUSH_SEG:
        return emit_stack_based(u);
    case OP_POP:
        return fits ? emit_pop(u, i) : emit_stack_based(u);
    case OP_LEAVE:
        return fits ? emit_leave(u) : emit_stack_based(u);
    case OP_LEA:
        return emit_lea(u, i);
    case OP_MOV:
        if (i->operand[0].kind == OPERAND_ABS || i->operand[1].kind == OPERAND_ABS) {
            return emit_mov_absolute(u, i);
        }
        return false;
    default:
        return false;
    }
}

bool does_nothing(const Insn *i)
{
    switch (i->op) {
    case OP_NOP:
    case OP_ENDBR32:
    case OP_ENDBR64:
    case OP_PREFETCH:
    case OP_PREFETCHW:
    case OP_PREFETCHWT1:
    case OP_PREFETCHNTA:
    case OP_PREFETCHT0:
    case OP_PREFETCHT1:
    case OP_PREFETCHT2:
        return true;
    default:
        return false;
    }
}
