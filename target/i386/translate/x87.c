/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the last x87 instruction was, which opcode it had and where its operand (SDM volume 1,
 * "x87 FPU instruction and data pointers"): only the last one before somebody may look is written
 * down, that is before a branch, a function of the interpreter's, and on each way out in between.
 * The operand's address is found again from its registers, so it is also written before they
 * change.
 */
#include "target/i386/decode/groups.h"
#include "target/i386/translate/unit.h"

static bool x87_kind(const Insn *i)
{
    return insn_row(i)->fpu == ROW_FPU_X87 && !x87_controls(i->op);
}

void x87_passed(Unit *u, bool memory)
{
    if (x87_kind(unit_now(u)->i)) {
        u->x87.last = u->now;
        u->x87.operand = memory ? (int)u->now : u->x87.operand;
    }
}

/* Selectors of flat segments other than these are rare outside 64-bit mode: they are read. */
static void store_selector(Unit *u, uint32_t to, unsigned seg)
{
    load_gs32(&u->e, SCRATCH_C, CPU_AT(s.seg) + seg * sizeof(X86Segment));
    store_gs16(&u->e, to, SCRATCH_C);
}

static void store_operand(Unit *u, unsigned which)
{
    unsigned now = u->now;
    const Insn *i = u->insn[which].i;

    u->now = which; /* RIP-relative addresses count from there */
    emit_offset(u, i, SCRATCH_C);
    u->now = now;
    store_gs(&u->e, CPU_AT(s.fpu.fdp), SCRATCH_C);
    store_selector(u, CPU_AT(s.fpu.fds), i->seg);
}

void x87_write(Unit *u, X87Last what)
{
    const Insn *i;

    if (what.last < 0) {
        return;
    }
    i = u->insn[what.last].i;
    if (what.operand >= 0) {
        store_operand(u, what.operand);
    }
    emit_target(u, u->insn[what.last].at, SCRATCH_C);
    store_gs(&u->e, CPU_AT(s.fpu.fip), SCRATCH_C);
    store_gs16_imm(&u->e, CPU_AT(s.fpu.fop), (i->opcode & 7) << 8 | i->modrm);
    store_selector(u, CPU_AT(s.fpu.fcs), SEG_CS);
}

void x87_settle(Unit *u)
{
    x87_write(u, u->x87);
    u->x87 = (X87Last){-1, -1};
}

static bool names(const Insn *i, unsigned reg)
{
    return i->base == reg || i->index == reg;
}

/* Does `i` change a register of an address? */
static bool changes(const Insn *i, const Insn *address)
{
    unsigned implied = encode_implied(i);

    if ((i->op == OP_PUSH || i->op == OP_POP) && names(address, R_SP)) {
        return true;
    }
    for (unsigned n = 0; n < 2; n++) {
        const Operand *o = &i->operand[n];

        if ((o->kind == OPERAND_GPR || o->kind == OPERAND_HIGH) && copy_may_write(i, n) &&
            names(address, o->reg)) {
            return true;
        }
    }
    for (unsigned n = 0; n < 4; n++) {
        if (implied >> n & 1 && names(address, n)) {
            return true;
        }
    }
    return false;
}

/* The instruction in work comes: may what is remembered wait until behind it? */
static bool may_wait(const Unit *u, const Insn *i)
{
    bool near = does_nothing(i) || i->op == OP_LEA || i->op == OP_PUSH || i->op == OP_POP ||
                (insn_row(i)->emit == EMIT_COPY && copy_possible(u, i));

    return near &&
           (u->x87.operand < 0 || does_nothing(i) || !changes(i, u->insn[u->x87.operand].i));
}

void x87_before(Unit *u)
{
    const Insn *i = unit_now(u)->i;

    if (u->x87.last >= 0 && !may_wait(u, i)) {
        x87_settle(u);
    }
}
