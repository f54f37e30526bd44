/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the last x87 instruction was, which opcode it had and where its operand (SDM volume 1,
 * "x87 FPU instruction and data pointers"): only the last one before somebody may look is written
 * down, that is before a branch, a function of the interpreter's, and on each way out in between.
 * The operand's address is found again from its registers, so it is also written before they
 * change, but for what moves by a constant. In a loop not even the branch back is such a place, if
 * the next round makes void what is not written (x87_plan()): that round's ways out write it then,
 * and nobody else may come to the loop's top.
 */
#include "target/i386/decode/groups.h"
#include "target/i386/translate/unit.h"

static bool x87_kind(const Insn *i)
{
    return insn_row(i)->fpu == ROW_FPU_X87 && !x87_controls(i->op);
}

static const X87Last nothing = {-1, -1};

/* The instruction in work has run. */
static void pass(const Unit *u, X87Last *what, bool memory)
{
    const Insn *i = unit_now(u)->i;

    if (!x87_kind(i)) {
        return;
    }
    what->last = u->now;
    if (memory) {
        what->operand = u->now;
        what->at = address_of(u, i);
    }
    what->before &= !memory && what->operand >= 0;
}

void x87_passed(Unit *u, bool memory)
{
    pass(u, &u->x87, memory);
}

/* Selectors of flat segments other than these are rare outside 64-bit mode: they are read. */
static void store_selector(Unit *u, uint32_t to, unsigned seg)
{
    load_gs32(&u->e, SCRATCH_C, CPU_AT(s.seg) + seg * sizeof(X86Segment));
    store_gs16(&u->e, to, SCRATCH_C);
}

static void store_operand(Unit *u, const Address *a)
{
    bool plain = a->base < 16 && a->index == REG_NONE && !a->disp && a->addrsize == 8;
    unsigned from = plain ? host_of[a->base] : HOST_NONE;

    if (from == HOST_NONE) {
        emit_sum(u, a, SCRATCH_C);
        from = SCRATCH_C;
    }
    store_gs(&u->e, CPU_AT(s.fpu.fdp), from);
    store_selector(u, CPU_AT(s.fpu.fds), a->seg);
}

void x87_write(Unit *u, X87Last what)
{
    const Insn *i;

    if (what.last < 0) {
        return;
    }
    i = u->insn[what.last].i;
    if (what.operand >= 0) {
        store_operand(u, &what.at);
    }
    emit_target(u, u->insn[what.last].at, SCRATCH_C);
    store_gs(&u->e, CPU_AT(s.fpu.fip), SCRATCH_C);
    store_gs16_imm(&u->e, CPU_AT(s.fpu.fop), (i->opcode & 7) << 8 | i->modrm);
    store_selector(u, CPU_AT(s.fpu.fcs), SEG_CS);
}

void x87_settle(Unit *u)
{
    x87_write(u, u->x87);
    u->x87 = nothing;
}

/* ---- until when it may wait ---- */

static bool names(const Address *a, unsigned reg)
{
    return a->base == reg || a->index == reg;
}

/* Does `i` change a register of an address? */
static bool changes(const Insn *i, const Address *address)
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

/* By how much the instruction moves the register that it writes; false: by no constant. */
static bool moved_by(const Unit *u, const Insn *i, int64_t *by)
{
    const Operand *to = &i->operand[0];
    bool constant = i->operand[1].kind == OPERAND_IMM;

    if (to->kind != OPERAND_GPR || to->size != width(u) || to->reg == R_SP) {
        return false;
    }
    switch (i->op) {
    case OP_INC:
    case OP_DEC:
        *by = i->op == OP_INC ? 1 : -1;
        return true;
    case OP_ADD:
    case OP_SUB:
        *by = i->op == OP_ADD ? (int32_t)i->imm : -(int64_t)(int32_t)i->imm;
        return constant;
    case OP_LEA:
        *by = i->disp;
        return i->base == to->reg && i->index == REG_NONE && i->addrsize == width(u);
    default:
        return false;
    }
}

/* The address by registers as the instruction leaves them. false: it cannot be said. */
static bool move_address(const Unit *u, const Insn *i, Address *a)
{
    enum { FAR = 1 << 30 };
    unsigned reg = i->operand[0].reg;
    int64_t by;

    if (!changes(i, a)) {
        return true;
    }
    if (a->addrsize != width(u) || !moved_by(u, i, &by)) {
        return false;
    }
    by = a->disp - by * ((a->base == reg) + (a->index == reg ? 1 << a->scale : 0));
    if (by > FAR || by < -FAR) {
        return false;
    }
    a->disp = by;
    return true;
}

/* The instruction in work comes: what may wait until behind it? */
static X87Last wait(const Unit *u, X87Last what)
{
    const Insn *i = unit_now(u)->i;
    bool near = i->op == OP_LEA || i->op == OP_PUSH || i->op == OP_POP ||
                (insn_row(i)->emit == EMIT_COPY && copy_possible(u, i));

    if (what.last < 0 || does_nothing(i)) {
        return what;
    }
    if (!near || (what.operand >= 0 && !move_address(u, i, &what.at))) {
        return nothing;
    }
    return what;
}

/* ---- loops ---- */

static bool same(const X87Last *a, const X87Last *b)
{
    const Address *x = &a->at, *y = &b->at;

    return a->last == b->last && a->operand == b->operand &&
           (a->operand < 0 ||
            (x->base == y->base && x->index == y->index && x->scale == y->scale &&
             x->seg == y->seg && x->addrsize == y->addrsize && x->disp == y->disp));
}

/* The page offset that the instruction in work branches to; -1: it does not branch so. */
static int64_t branches_to(const Unit *u)
{
    const Insn *i = unit_now(u)->i;

    return inner_possible(i) ? unit_target(u, u->now) : -1;
}

/* Do branches in front of instruction n lead to it? */
static bool met(Unit *u, unsigned n)
{
    unsigned now = u->now;
    bool any = false;

    for (u->now = 0; u->now < n; u->now++) {
        any |= branches_to(u) == u->insn[n].at;
    }
    u->now = now;
    return any;
}

/* One round, from the top to its branch back, begun with `what` unwritten. Returns what is
 * unwritten at the branch. carried: all of `what` was replaced and nothing of it had to be
 * written. */
static X87Last go_round(Unit *u, X87Last what, bool *carried)
{
    *carried = true;
    for (u->now = 0; u->now < u->count; u->now++) {
        const Insn *i = unit_now(u)->i;
        bool memory = false, waits = what.before;

        what = what.last >= 0 && met(u, u->now) ? nothing : what;
        if (i->op == OP_JCC && branches_to(u) == u->insn[0].at) {
            u->x87_edge = u->now;
            *carried &= !what.before;
            return what;
        }
        what = wait(u, what);
        *carried &= !waits || what.before;
        for (unsigned n = 0; n < 4; n++) {
            memory |= i->operand[n].kind == OPERAND_MEM;
        }
        pass(u, &what, memory);
    }
    return nothing;
}

static bool any_x87(const Unit *u)
{
    for (unsigned n = 0; n < u->count; n++) {
        if (x87_kind(u->insn[n].i)) {
            return true;
        }
    }
    return false;
}

void x87_plan(Unit *u)
{
    bool carried;

    u->x87_round = nothing;
    if (!u->loops || !any_x87(u)) {
        return;
    }
    u->x87_round = go_round(u, nothing, &carried);
    u->x87_round.before = true;
    if (u->x87_round.last >= 0) {
        go_round(u, u->x87_round, &carried);
        u->x87_round.last = carried && !u->page2 ? u->x87_round.last : -1;
    }
    u->now = 0;
}

bool x87_kept(const Unit *u)
{
    return same(&u->x87, &u->x87_round) && u->x87.last >= 0;
}

/* May it stay unwritten at the instruction in work, the branch back? */
static bool carries(const Unit *u)
{
    return u->x87_same && u->now == u->x87_edge && (u->fpu_known || !u->wants_fpu) &&
           (u->strip.now ? u->strip.x87 : u->x87_carried && !u->alone);
}

void x87_before(Unit *u)
{
    X87Last what = wait(u, u->x87);

    u->x87_same = x87_kept(u);
    if (what.last >= 0) {
        u->x87 = what;
    } else if (u->x87.last >= 0 && !carries(u)) {
        x87_settle(u);
    }
}
