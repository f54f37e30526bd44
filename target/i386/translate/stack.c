/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PUSH, POP and LEAVE of the stack's own width, and LEA and moves with absolute addresses: what is
 * not the same instruction on the host, but short.
 * Other widths, and stacks with a limit: segment.c. Not here: POP to memory, to segment registers.
 */
#include "target/i386/translate/unit.h"

static unsigned width(const Unit *u)
{
    return u->code64 ? 8 : 4;
}

static bool widths_fit(const Unit *u, const Insn *i)
{
    return i->opsize == width(u) &&
           (u->mode & MODE_STACK) >> MODE_STACK_SHIFT == (u->code64 ? 2 : 1);
}

static void move_sp(Unit *u, int32_t by)
{
    lea_base(&u->e, GUEST_SP, GUEST_SP, by, u->code64);
}

static void mov_width(Unit *u, unsigned to, unsigned from)
{
    if (u->code64) {
        mov_rr(&u->e, to, from);
    } else {
        mov_rr32(&u->e, to, from);
    }
}

static void check_push(Unit *u)
{
    lea_base(&u->e, SCRATCH_A, GUEST_SP, -(int32_t)width(u), u->code64);
    emit_check(u, width(u), true);
    flags_settle(u, false);
}

static bool emit_push(Unit *u, const Insn *i)
{
    Emit *e = &u->e;
    const Operand *o = &i->operand[0];

    if (o->kind == OPERAND_MEM) {
        if (!segment_plain(u, i, false)) {
            return false;
        }
        emit_address(u, i, SCRATCH_A);
        emit_check(u, width(u), false);
        flags_settle(u, true);
        load_pair(e, SCRATCH_C, SCRATCH_A, SCRATCH_B, MEM_DISP, width(u));
        store_gs(e, CPU_AT(pushed), SCRATCH_C);
        check_push(u);
        load_gs(e, SCRATCH_C, CPU_AT(pushed));
        store_pair(e, SCRATCH_C, SCRATCH_A, SCRATCH_B, MEM_DISP, width(u));
    } else if (o->kind == OPERAND_GPR) {
        check_push(u);
        store_pair(e, guest_reg(u, o->reg, SCRATCH_C), SCRATCH_A, SCRATCH_B, MEM_DISP, width(u));
    } else {
        check_push(u);
        store_pair_imm(e, i->imm, SCRATCH_A, SCRATCH_B, MEM_DISP, width(u));
    }
    move_sp(u, -(int32_t)width(u));
    return true;
}

static bool emit_pop(Unit *u, const Insn *i)
{
    Emit *e = &u->e;
    unsigned reg = i->operand[0].reg;

    if (i->operand[0].kind != OPERAND_GPR) {
        return false;
    }
    mov_width(u, SCRATCH_A, GUEST_SP);
    emit_check(u, width(u), false);
    flags_settle(u, false);
    move_sp(u, width(u));
    if (in_frame(reg)) {
        load_pair(e, SCRATCH_C, SCRATCH_A, SCRATCH_B, MEM_DISP, width(u));
        store_gs(e, CPU_AT(s.gpr) + 8 * reg, SCRATCH_C);
    } else {
        load_pair(e, host_of[reg], SCRATCH_A, SCRATCH_B, MEM_DISP, width(u));
    }
    return true;
}

static bool emit_leave(Unit *u)
{
    Emit *e = &u->e;

    mov_width(u, SCRATCH_A, GUEST_BP);
    emit_check(u, width(u), false);
    flags_settle(u, false);
    lea_base(e, GUEST_SP, GUEST_BP, width(u), u->code64);
    load_pair(e, GUEST_BP, SCRATCH_A, SCRATCH_B, MEM_DISP, width(u));
    return true;
}

/* ---- LEA, absolute moves ---- */

static bool emit_lea(Unit *u, const Insn *i)
{
    Emit *e = &u->e;
    unsigned reg = i->operand[0].reg, size = i->operand[0].size;

    flags_settle(u, false);
    emit_offset(u, i, SCRATCH_A);
    if (size == 2) {
        unsigned to = guest_reg(u, reg, SCRATCH_B);

        put8(e, 0x66);
        put_rex(e, false, SCRATCH_A, 0, to, false);
        put8(e, 0x89);
        put_modrm_reg(e, SCRATCH_A, to);
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

    bool fits = u->code64 || u->mode & MODE_FLAT ? widths_fit(u, i) : false;

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
