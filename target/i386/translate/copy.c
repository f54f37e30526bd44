/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions that stay what they are: the same opcode on mapped registers and a checked host
 * address (TRANSLATOR's class "copy"). The row of the table says which may be.
 * Not here: what writes rCX in passing but for the string comparisons, bit strings in memory,
 * masked moves, x87 state (FNINIT also forgets addresses that are ours to keep).
 */
#include "target/i386/decode/groups.h"
#include "target/i386/translate/unit.h"

/* Memory operand 0 is read and not written. */
static bool reads_only(const Insn *i)
{
    switch (i->op) {
    case OP_CMP:
    case OP_TEST:
    case OP_BT:
    case OP_MUL:
    case OP_IMUL:
    case OP_DIV:
    case OP_IDIV:
    case OP_LDMXCSR:
    case OP_VLDMXCSR:
        return i->op != OP_IMUL || i->operand[1].kind == OPERAND_NONE;
    default:
        return false;
    }
}

/* -1: none */
static int memory_operand(const Insn *i)
{
    for (int n = 0; n < 4; n++) {
        if (i->operand[n].kind == OPERAND_MEM) {
            return n;
        }
    }
    return -1;
}

static bool uses_kind(const Insn *i, unsigned kind)
{
    for (unsigned n = 0; n < 4; n++) {
        if (i->operand[n].kind == kind) {
            return true;
        }
    }
    return false;
}

static bool counts_in_cl(const Insn *i)
{
    switch (i->op) {
    case OP_ROL:
    case OP_ROR:
    case OP_RCL:
    case OP_RCR:
    case OP_SHL:
    case OP_SHR:
    case OP_SAR:
        return i->operand[1].kind == OPERAND_GPR;
    case OP_SHLD:
    case OP_SHRD:
        return i->operand[2].kind == OPERAND_GPR;
    default:
        return false;
    }
}

static bool fpu_allowed(const Unit *u, const InsnRow *row)
{
    switch (row->fpu) {
    case ROW_FPU_NONE:
        return true;
    case ROW_FPU_X87:
    case ROW_FPU_MMX:
    case ROW_FPU_WAIT:
        return u->mode & MODE_X87;
    case ROW_FPU_SSE:
        return u->mode & MODE_SSE;
    case ROW_FPU_AVX:
        return u->mode & MODE_AVX;
    case ROW_FPU_AVX512:
        return u->mode & MODE_AVX512;
    default:
        return false;
    }
}

/* What their mask leaves out may lie in a page that is not there (rt/masked.c). */
static bool masked(unsigned op)
{
    return op == OP_VMASKMOVPS || op == OP_VMASKMOVPD || op == OP_VPMASKMOVD || op == OP_VPMASKMOVQ;
}

bool copy_possible(const Unit *u, const Insn *i)
{
    const InsnRow *row = insn_row(i);
    int memory = memory_operand(i);

    if (row->emit != EMIT_COPY || row->attr & (ROW_VSIB | ROW_BRANCH) || !fpu_allowed(u, row) ||
        i->op == OP_CMPXCHG8B || i->op == OP_CMPXCHG16B || i->op == OP_LEA || i->op == OP_FNINIT ||
        masked(i->op)) {
        return false;
    }
    if (!u->code64 && (i->op == OP_VZEROALL || i->op == OP_VZEROUPPER)) {
        return false; /* they leave the upper eight registers alone */
    }
    if (memory >= 0 && i->op >= OP_BT && i->op <= OP_BTS && i->operand[1].kind == OPERAND_GPR) {
        return false;
    }
    return true;
}

bool segment_plain(const Unit *u, const Insn *i, bool write)
{
    if (u->code64) {
        return true;
    }
    if (i->seg == SEG_FS) {
        return u->mode & MODE_FS_WIDE;
    }
    if (i->seg == SEG_GS) {
        return u->mode & MODE_GS_WIDE;
    }
    return u->mode & MODE_FLAT && !(write && i->seg == SEG_CS);
}

/* ---- registers ---- */

typedef struct Frame { /* guest registers of the frame, in scratch registers for one instruction */
    uint8_t reg[3], host[3];
    unsigned count;
} Frame;

static bool frame_take(Frame *f, HostMap *map, unsigned reg, uint8_t *free, unsigned *left)
{
    for (unsigned n = 0; n < f->count; n++) {
        if (f->reg[n] == reg) {
            return true;
        }
    }
    if (!*left) {
        return false;
    }
    f->reg[f->count] = reg;
    map->gpr[reg] = f->host[f->count++] = free[--*left];
    return true;
}

static bool frame_map(const Insn *i, Frame *f, HostMap *map, uint8_t *free, unsigned left)
{
    for (unsigned n = 0; n < 4; n++) {
        const Operand *o = &i->operand[n];

        if (o->kind == OPERAND_GPR && in_frame(o->reg) &&
            !frame_take(f, map, o->reg, free, &left)) {
            return false;
        }
    }
    return true;
}

static unsigned frame_operands(const Insn *i)
{
    unsigned seen = 0, count = 0;

    for (unsigned n = 0; n < 4; n++) {
        if (i->operand[n].kind == OPERAND_GPR && in_frame(i->operand[n].reg)) {
            seen |= 1u << (i->operand[n].reg - 8);
        }
    }
    for (; seen; seen &= seen - 1) {
        count++;
    }
    return count;
}

bool frame_used(const Insn *i)
{
    return frame_operands(i) || (i->base < 16 && in_frame(i->base)) ||
           (i->index < 16 && in_frame(i->index)) || uses_kind(i, OPERAND_HIGH);
}

static bool all_written(const Insn *i)
{
    return (i->op == OP_MOV || i->op == OP_MOVZX || i->op == OP_MOVSX || i->op == OP_MOVSXD) &&
           i->operand[0].size >= 4;
}

static void frame_load(Unit *u, const Insn *i, const Frame *f)
{
    for (unsigned n = 0; n < f->count; n++) {
        bool target = i->operand[0].kind == OPERAND_GPR && i->operand[0].reg == f->reg[n];
        bool source = i->operand[1].kind == OPERAND_GPR && i->operand[1].reg == f->reg[n];

        if (!(target && !source && all_written(i))) {
            frame_fetch(u, f->reg[n], f->host[n]);
        }
    }
}

/* Which operands may be written; one too many does no harm. */
bool copy_may_write(const Insn *i, unsigned n)
{
    if (n == 0) {
        return !reads_only(i);
    }
    return n == 1 && (i->op == OP_XCHG || i->op == OP_XADD || i->op == OP_MULX);
}

static void frame_store(Unit *u, const Insn *i, const Frame *f)
{
    for (unsigned n = 0; n < f->count; n++) {
        for (unsigned k = 0; k < 2; k++) {
            if (i->operand[k].kind == OPERAND_GPR && i->operand[k].reg == f->reg[n] &&
                copy_may_write(i, k)) {
                store_gs(&u->e, CPU_AT(s.gpr) + 8 * f->reg[n], f->host[n]);
                break;
            }
        }
    }
    if (f->count) {
        frame_holds(u, f->reg[0], f->host[0]);
    }
}

/* ---- the FPU ---- */

static void want_fpu(Unit *u)
{
    Emit *e = &u->e;
    Hole there, away;

    if (!u->fpu_known && u->fpu_stub) { /* no branch taken where all is well */
        load_gs8(e, SCRATCH_C, CPU_AT(fpu_live));
        fill8_back(e, loop8(e), u->fpu_stub);
        cold_add(u, COLD_FPU, u->fpu_stub + 1, unit_now(u)->at)->back = e->at;
        addend_lost(u);
        u->fpu_known = true;
        u->fpu_stub = NULL;
    } else if (!u->fpu_known) {
        load_gs8(e, SCRATCH_C, CPU_AT(fpu_away));
        there = jrcxz8(e);
        away = jmp32(e); /* first: its end is where the cold piece comes back to */
        cold_add(u, COLD_FPU, away, unit_now(u)->at)->back = e->at;
        fill8(e, there);
        addend_lost(u); /* to the function of the cold piece */
        u->fpu_known = true;
    }
}

/* Will the unit want it, and not behind a function of the interpreter's, which may take it away? */
static bool fpu_first(const Unit *u)
{
    for (unsigned n = 0; n < u->count; n++) {
        const InsnRow *row = insn_row(u->insn[n].i);

        if (row->emit == EMIT_CALL) {
            return false;
        }
        if (row->emit == EMIT_COPY && row->fpu != ROW_FPU_NONE) {
            return copy_possible(u, u->insn[n].i);
        }
    }
    return false;
}

void emit_fpu_stub(Unit *u)
{
    if (u->cache->quick_loop && fpu_first(u)) {
        u->fpu_stub = u->e.at;
        jmp32(&u->e);
    }
}

void emit_fpu_first(Unit *u)
{
    u->now = 0;
    if (fpu_first(u)) {
        want_fpu(u);
    }
    u->fpu_stub = NULL;
}

static bool may_fault(const Insn *i)
{
    return insn_row(i)->fpu != ROW_FPU_NONE || i->op == OP_DIV || i->op == OP_IDIV;
}

/* ---- the whole ---- */

/* How the operands are found for one instruction. */
typedef struct Copy {
    const Insn *i;
    HostMap map;
    Frame frame;
    uint8_t code[ENCODE_MAX];
    unsigned bytes;
    int memory;
    Place place;
    bool cl, high, folded, write; /* high: rCX must be in the host's, for CH or as a result */
} Copy;

bool copy_writes(const Insn *i)
{
    return memory_operand(i) == 0 &&
           (insn_row(i)->fpu == ROW_FPU_X87 ? x87_stores(i->op) : !reads_only(i));
}

static bool place_usual(const Place *p)
{
    return p->base == SCRATCH_A && p->index == SCRATCH_B && p->disp == MEM_DISP && !p->scale;
}

/* Registers and memory operand chosen, and the host's bytes. false: it cannot be encoded. */
static bool plan(Unit *u, Copy *y)
{
    const Insn *i = y->i;
    uint8_t free[3];
    unsigned left = 0, wanted = frame_operands(i);

    y->memory = memory_operand(i);
    y->cl = counts_in_cl(i);
    y->high = uses_kind(i, OPERAND_HIGH) || compares_strings(i->op);
    y->write = copy_writes(i);
    y->folded = y->memory >= 0 && (y->high || wanted + (y->cl || y->high) > 1);
    __builtin_memcpy(y->map.gpr, host_of, sizeof host_of);
    y->map.base = y->memory < 0 ? HOST_NONE : SCRATCH_A;
    y->map.index = y->memory < 0 || y->folded ? HOST_NONE : SCRATCH_B;
    y->map.disp = y->memory < 0 || y->folded ? 0 : MEM_DISP;
    if (y->memory < 0) {
        free[left++] = SCRATCH_A;
    }
    if (y->memory < 0 || y->folded) {
        free[left++] = SCRATCH_B;
    }
    if (y->cl || y->high) {
        y->map.gpr[R_CX] = y->high ? H_CX : GUEST_CX;
    } else {
        free[left++] = SCRATCH_C;
    }
    if (!frame_map(i, &y->frame, &y->map, free, left)) {
        return false;
    }
    y->bytes = encode_copy(i, u->code64, &y->map, y->code);
    return y->bytes;
}

/* The operand checked, and its place in the host's bytes. */
static void emit_operand(Unit *u, Copy *y)
{
    const Insn *i = y->i;

    y->place = emit_access(u, 0, i->operand[y->memory].size, y->write);
    if (!y->folded && !place_usual(&y->place)) {
        y->map.base = y->place.base;
        y->map.index = y->place.index == NO_INDEX ? HOST_NONE : y->place.index;
        y->map.scale = y->place.scale;
        y->map.disp = y->place.disp;
        y->bytes = encode_copy(i, u->code64, &y->map, y->code);
    }
}

/* rbp and r11 hold what they held, but for registers of the frame. */
static void registers_lost(Unit *u, const Copy *y)
{
    u->undisturbed = true;
    for (unsigned n = 0; n < y->frame.count; n++) {
        if (y->frame.host[n] == SCRATCH_A) {
            linear_lost(u);
        } else if (y->frame.host[n] == SCRATCH_B) {
            addend_lost(u);
        }
    }
}

static void emit_bytes(Unit *u, const Copy *y)
{
    Emit *e = &u->e;

    bool faults = may_fault(y->i) || u->direct;

    if (faults) {
        unit_fault_begin(u);
    }
    put_insn(e, y->code, y->bytes);
    if (faults) {
        unit_fault_end(u);
    }
}

/* Registers alone, none of them in the frame: scratch registers are what they were. */
static bool leaves_scratch(const Copy *y)
{
    return y->memory < 0 && !y->frame.count && !y->cl && !y->high &&
           insn_row(y->i)->fpu == ROW_FPU_NONE;
}

bool emit_copy(Unit *u)
{
    Copy y = {.i = unit_now(u)->i};
    Emit *e = &u->e;
    bool held;

    if (!copy_possible(u, y.i) || !plan(u, &y)) {
        return false;
    }
    if (insn_row(y.i)->fpu != ROW_FPU_NONE) {
        want_fpu(u);
    }
    if (y.memory >= 0) {
        emit_operand(u, &y);
    }
    flags_settle(u, false);
    held = u->frame_at == e->at && leaves_scratch(&y);
    registers_lost(u, &y);
    if (y.folded) {
        lea_index(e, SCRATCH_A, y.place.base, y.place.index, y.place.scale, y.place.disp, true);
        linear_lost(u);
    }
    if (y.cl || y.high) {
        mov_rr(e, H_CX, GUEST_CX);
    }
    frame_load(u, y.i, &y.frame);
    emit_bytes(u, &y);
    if (y.high) {
        mov_rr(e, GUEST_CX, H_CX);
    }
    frame_store(u, y.i, &y.frame);
    if (held) {
        u->frame_at = e->at;
    }
    x87_passed(u, y.memory >= 0);
    return true;
}
