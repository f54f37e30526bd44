/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code and data outside the flat model (docs/design/translator.md, "Segments"; SDM volume 3,
 * "Limit checking"; volume 1, "Stack operation"): 16-bit code, real and virtual-8086 mode, segments
 * with bases and limits. Bases and limits are read from the Cpu when the code runs; the mode key
 * says only which segments have no limit, or at least 64 KB. What a segment does not allow leaves
 * for the interpreter, which raises the exception; so do expand-down segments, whose Cpu.reach says
 * that nothing may be reached. Not here: PUSHA, POPA, ENTER, PUSHF, POPF, loads of segment
 * registers, far branches: the interpreter's functions.
 */
#include "target/i386/translate/unit.h"

/* ---- checks ---- */

static uint32_t wide_bit(unsigned seg)
{
    static const uint32_t bit[] = {
        [SEG_ES] = MODE_ES_WIDE, [SEG_SS] = MODE_SS_WIDE, [SEG_DS] = MODE_DS_WIDE,
        [SEG_FS] = MODE_FS_WIDE, [SEG_GS] = MODE_GS_WIDE, [SEG_CS] = 0};

    return bit[seg];
}

static uint32_t reach_at(unsigned seg, bool write)
{
    return CPU_AT(reach) + (seg * 2 + write) * sizeof(int64_t);
}

static void leave_unless(Unit *u, Hole fits)
{
    cold_add(u, COLD_ONE, jmp32(&u->e), unit_now(u)->at);
    fill8(&u->e, fits);
}

/* A jump away that may overwrite the flags, for there is a recipe. */
static void leave_if(Unit *u, unsigned cc)
{
    Cold *cold = cold_add(u, COLD_ONE, NULL, unit_now(u)->at);

    cold->hole = jcc32(&u->e, cc);
    cold->recipe = u->recipe;
    u->garbage = true;
}

/* rbp: an offset below 64 KB, in a segment that has at least as much. */
static void check_64k(Unit *u, unsigned size)
{
    Emit *e = &u->e;

    if (size == 1) {
        return;
    }
    if (u->recipe >= 0) {
        alu_imm(e, 7, SCRATCH_A, 0x10000 - size, false);
        leave_if(u, CC_A);
        return;
    }
    lea_base(e, SCRATCH_C, SCRATCH_A, size - 1, false);
    rorx(e, SCRATCH_C, SCRATCH_C, 16, false);
    movzx16(e, SCRATCH_C, SCRATCH_C);
    leave_unless(u, jrcxz8(e));
}

/* The upper half of what is left behind the last byte is 0, or the access is too far. */
static void check_reach(Unit *u, unsigned seg, unsigned size, bool write)
{
    Emit *e = &u->e;

    if (u->recipe >= 0) {
        lea_base(e, SCRATCH_C, SCRATCH_A, size - 1, true);
        gs_op(e, 0x3b, true, SCRATCH_C, reach_at(seg, write)); /* cmp rcx, gs:[reach] */
        leave_if(u, CC_G);
        return;
    }
    mov_rr(e, SCRATCH_C, SCRATCH_A);
    not_reg(e, SCRATCH_C);
    load_gs(e, SCRATCH_B, reach_at(seg, write));
    lea_index(e, SCRATCH_C, SCRATCH_C, SCRATCH_B, 0, 2 - (int32_t)size, true);
    rorx(e, SCRATCH_C, SCRATCH_C, 32, true);
    mov_rr32(e, SCRATCH_C, SCRATCH_C);
    leave_unless(u, jrcxz8(e));
}

static void add_base(Unit *u, unsigned seg)
{
    load_gs(&u->e, SCRATCH_B,
            CPU_AT(s.seg) + seg * sizeof(X86Segment) + offsetof(X86Segment, base));
    lea_index(&u->e, SCRATCH_A, SCRATCH_A, SCRATCH_B, 0, 0, false);
}

void emit_segment(Unit *u, unsigned seg, unsigned addrsize, unsigned size, bool write)
{
    if (u->mode & MODE_FLAT && seg < SEG_FS && !(write && seg == SEG_CS)) {
        return;
    }
    if (u->mode & wide_bit(seg)) {
        add_base(u, seg);
        return;
    }
    if (addrsize == 2 && u->mode & MODE_64K && seg != SEG_CS) {
        check_64k(u, size);
    } else {
        check_reach(u, seg, size, write);
    }
    add_base(u, seg);
}

void emit_operand_check(Unit *u, const Insn *i, unsigned size, bool write)
{
    if (segment_plain(u, i, write)) {
        emit_address(u, i, SCRATCH_A);
    } else {
        emit_offset(u, i, SCRATCH_A);
        emit_segment(u, i->seg, i->addrsize, size, write);
    }
    emit_check(u, size, write);
}

/* ---- the stack ---- */

static unsigned stack_bytes(const Unit *u)
{
    return 2u << ((u->mode & MODE_STACK) >> MODE_STACK_SHIFT);
}

void emit_stack_check(Unit *u, int32_t disp, unsigned size, bool write)
{
    Emit *e = &u->e;

    if (stack_bytes(u) == 2 && !disp) {
        movzx16(e, SCRATCH_A, GUEST_SP);
    } else {
        lea_base(e, SCRATCH_A, GUEST_SP, disp, false);
        if (stack_bytes(u) == 2) {
            movzx16(e, SCRATCH_A, SCRATCH_A);
        }
    }
    emit_segment(u, SEG_SS, stack_bytes(u), size, write);
    emit_check(u, size, write);
}

static void set_sp(Unit *u, unsigned from, int32_t by)
{
    Emit *e = &u->e;

    if (stack_bytes(u) == 4) {
        lea_base(e, GUEST_SP, from, by, false);
    } else {
        lea_base(e, SCRATCH_C, from, by, false);
        mov_rr16(e, GUEST_SP, SCRATCH_C);
    }
}

void move_stack(Unit *u, int32_t by)
{
    set_sp(u, GUEST_SP, by);
}

static bool push_based(Unit *u, const Insn *i)
{
    Emit *e = &u->e;
    const Operand *o = &i->operand[0];
    unsigned size = i->opsize;

    if (o->kind == OPERAND_MEM) {
        emit_operand_check(u, i, size, false);
        flags_settle(u, true);
        load_pair(e, SCRATCH_C, SCRATCH_A, SCRATCH_B, MEM_DISP, size);
        store_gs(e, CPU_AT(pushed), SCRATCH_C);
    }
    emit_stack_check(u, -(int32_t)size, size, true);
    flags_settle(u, false);
    switch (o->kind) {
    case OPERAND_MEM:
        load_gs(e, SCRATCH_C, CPU_AT(pushed));
        store_pair(e, SCRATCH_C, SCRATCH_A, SCRATCH_B, MEM_DISP, size);
        break;
    case OPERAND_GPR:
        store_pair(e, host_of[o->reg], SCRATCH_A, SCRATCH_B, MEM_DISP, size);
        break;
    case OPERAND_SEG: /* 16 bits only are written, whatever the size */
        load_gs32(e, SCRATCH_C,
                  CPU_AT(s.seg) + (o->reg & 7) * sizeof(X86Segment) +
                      offsetof(X86Segment, selector));
        store_pair(e, SCRATCH_C, SCRATCH_A, SCRATCH_B, MEM_DISP, 2);
        break;
    default:
        store_pair_imm(e, i->imm, SCRATCH_A, SCRATCH_B, MEM_DISP, size);
    }
    move_stack(u, -(int32_t)size);
    return true;
}

static bool pop_based(Unit *u, const Insn *i)
{
    if (i->operand[0].kind != OPERAND_GPR) {
        return false;
    }
    emit_stack_check(u, 0, i->opsize, false);
    flags_settle(u, false);
    move_stack(u, i->opsize);
    load_pair_low(&u->e, host_of[i->operand[0].reg], SCRATCH_A, SCRATCH_B, MEM_DISP, i->opsize);
    return true;
}

/* rSP becomes rBP as far as the stack is wide, then rBP is popped. */
static bool leave_based(Unit *u, const Insn *i)
{
    Emit *e = &u->e;

    if (stack_bytes(u) == 2) {
        movzx16(e, SCRATCH_A, GUEST_BP);
    } else {
        mov_rr32(e, SCRATCH_A, GUEST_BP);
    }
    emit_segment(u, SEG_SS, stack_bytes(u), i->opsize, false);
    emit_check(u, i->opsize, false);
    flags_settle(u, false);
    set_sp(u, GUEST_BP, i->opsize);
    load_pair_low(e, GUEST_BP, SCRATCH_A, SCRATCH_B, MEM_DISP, i->opsize);
    return true;
}

bool emit_stack_based(Unit *u)
{
    const Insn *i = unit_now(u)->i;

    if (u->code64) {
        return false;
    }
    switch (i->op) {
    case OP_PUSH:
    case OP_PUSH_SEG:
        return push_based(u, i);
    case OP_POP:
        return pop_based(u, i);
    case OP_LEAVE:
        return leave_based(u, i);
    default:
        return false;
    }
}

/* ---- near branches ---- */

/* In the part of the page that lies in CS a branch needs no look at the limit, and does
 * not wrap. */
static bool may_link(const Unit *u, const Insn *i, int32_t at)
{
    return in_page(u, at) && (i->opsize == 4 || (u->mode & MODE_CODE) == CODE_16);
}

/* from: the branch, which the interpreter runs when it is not known where it leads. */
void emit_based_far(Unit *u, int32_t at, int32_t from, bool wraps)
{
    emit_target(u, at, SCRATCH_A);
    if (wraps) {
        movzx16(&u->e, SCRATCH_A, SCRATCH_A);
    }
    emit_jump(u, COLD_INDIRECT, from);
}

static void jcc_based(Unit *u, const Insn *i, int32_t at)
{
    Cold *cold;

    if (may_link(u, i, at)) {
        emit_jcc(u, i);
        return;
    }
    cold = cold_add(u, COLD_BASED, NULL, at);
    cold->hole = jcc32(&u->e, i->cc);
    cold->from = unit_now(u)->at;
    cold->size = i->opsize;
}

/* rbp: where a branch through a register or memory goes. */
static void target_based(Unit *u, const Insn *i)
{
    const Operand *o = &i->operand[0];
    Emit *e = &u->e;

    if (o->kind == OPERAND_GPR && o->size == 2) {
        movzx16(e, SCRATCH_A, host_of[o->reg]);
    } else if (o->kind == OPERAND_GPR) {
        mov_rr32(e, SCRATCH_A, host_of[o->reg]);
    } else {
        emit_operand_check(u, i, o->size, false);
        flags_settle(u, true);
        load_pair(e, SCRATCH_A, SCRATCH_A, SCRATCH_B, MEM_DISP, o->size);
    }
    flags_settle(u, true);
}

static void push_return(Unit *u, unsigned size)
{
    emit_stack_check(u, -(int32_t)size, size, true);
    flags_settle(u, true);
    emit_target(u, unit_next(u), SCRATCH_C);
    store_pair(&u->e, SCRATCH_C, SCRATCH_A, SCRATCH_B, MEM_DISP, size);
    move_stack(u, -(int32_t)size);
}

static void call_known(Unit *u, const Insn *i)
{
    emit_jump_keep(u, COLD_INDIRECT, unit_now(u)->at);
    push_return(u, i->opsize);
    emit_jump_kept(u);
}

static void call_based(Unit *u, const Insn *i)
{
    int32_t at = unit_target(u, u->now);

    if (i->operand[0].kind != OPERAND_REL) {
        target_based(u, i);
        call_known(u, i);
    } else if (may_link(u, i, at)) {
        push_return(u, i->opsize);
        emit_go(u, at);
    } else {
        flags_settle(u, true);
        emit_target(u, at, SCRATCH_A);
        if (i->opsize == 2) {
            movzx16(&u->e, SCRATCH_A, SCRATCH_A);
        }
        call_known(u, i);
    }
}

static void jmp_based(Unit *u, const Insn *i)
{
    int32_t at = unit_target(u, u->now);

    flags_settle(u, true);
    if (i->operand[0].kind != OPERAND_REL) {
        target_based(u, i);
        emit_jump(u, COLD_INDIRECT, unit_now(u)->at);
    } else if (may_link(u, i, at)) {
        emit_go(u, at);
    } else {
        emit_based_far(u, at, unit_now(u)->at, i->opsize == 2);
    }
}

static void ret_based(Unit *u, const Insn *i)
{
    unsigned more = i->operand[0].kind == OPERAND_IMM ? (uint16_t)i->imm : 0;
    Hole miss;

    emit_stack_check(u, 0, i->opsize, false);
    flags_settle(u, true);
    load_pair(&u->e, SCRATCH_A, SCRATCH_A, SCRATCH_B, MEM_DISP, i->opsize);
    miss = emit_jump_lookup(u);
    move_stack(u, i->opsize + more);
    emit_jump_hit(u, miss, COLD_INDIRECT, unit_now(u)->at);
}

bool emit_branch_based(Unit *u, bool *ends)
{
    const Insn *i = unit_now(u)->i;

    switch (i->op) {
    case OP_JCC:
        flags_settle(u, true);
        jcc_based(u, i, unit_target(u, u->now));
        *ends = false;
        return true;
    case OP_JCXZ:
    case OP_LOOP:
    case OP_LOOPE:
    case OP_LOOPNE:
        *ends = false;
        if (!may_link(u, i, unit_target(u, u->now))) {
            return false;
        }
        emit_count_branch(u, i);
        return true;
    case OP_JMP:
        jmp_based(u, i);
        return true;
    case OP_CALL:
        call_based(u, i);
        return true;
    case OP_RET:
        ret_based(u, i);
        return true;
    default:
        return false;
    }
}
