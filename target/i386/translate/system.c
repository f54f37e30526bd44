/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What kernels do all the time and is short: CLI, STI, CLD, STD, STAC, CLAC, PUSHF, SWAPGS, reading
 * control registers, RDPKRU (docs/design/translator.md, "System code"; SDM volume 2). Those that
 * need a level are emitted for level 0, where they cannot fault.
 *
 * STAC and CLAC change the view, and with it the mode key: the unit ends behind them, by a look
 * into the new view's jump table. STI is followed by its next instruction without a look at who
 * wants the CPU, as its shadow asks; when an interrupt waits for the window, the interpreter runs
 * it. Not here: POPF, IRET, system calls, MSRs, whatever writes control registers: calls.
 */
#include "target/i386/rt/rt.h"
#include "target/i386/translate/unit.h"

static bool level0(const Unit *u)
{
    return u->code64 && !(u->mode & (MODE_USER | MODE_INNER));
}

/* Neither flags nor registers change but rcx. */
static void emit_flag(Unit *u, unsigned but, uint32_t set)
{
    Emit *e = &u->e;
    uint32_t mask = CPU_AT(flags_but) + 8 * but;

    load_gs(e, SCRATCH_C, CPU_AT(s.rflags));
    pext_gs(e, SCRATCH_C, SCRATCH_C, mask);
    pdep_gs(e, SCRATCH_C, SCRATCH_C, mask);
    if (set) {
        lea_base(e, SCRATCH_C, SCRATCH_C, set, true);
    }
    store_gs(e, CPU_AT(s.rflags), SCRATCH_C);
}

/* The interpreter's, unless rcx is 0. */
static void emit_unless(Unit *u)
{
    Hole usual = jrcxz8(&u->e);

    cold_add(u, COLD_ONE, jmp32(&u->e), unit_now(u)->at);
    fill8(&u->e, usual);
}

/* The last instruction of a unit would have no other behind it. */
static bool emit_sti(Unit *u)
{
    if (!level0(u) || u->now + 1 == u->count) {
        return false;
    }
    flags_settle(u, true);
    load_gs8(&u->e, SCRATCH_C, CPU_AT(want_window));
    emit_unless(u);
    emit_flag(u, FLAG_BUT_IF, FLAG_IF);
    return true;
}

static bool emit_cli(Unit *u)
{
    if (!level0(u)) {
        return false;
    }
    flags_settle(u, false);
    emit_flag(u, FLAG_BUT_IF, 0);
    return true;
}

static bool emit_direction(Unit *u, bool down)
{
    flags_settle(u, false);
    emit_flag(u, FLAG_BUT_DF, down ? FLAG_DF : 0);
    return true;
}

/* ---- STAC, CLAC ---- */

static void emit_view(Unit *u, View view, uint32_t mode)
{
    Emit *e = &u->e;

    store_gs8_imm(e, CPU_AT(view), view);
    store_gs_imm(e, CPU_AT(mode), mode, false);
    load_gs(e, SCRATCH_C, CPU_AT(self));
    lea_base(e, SCRATCH_C, SCRATCH_C, CPU_AT(tlb_view) + view * sizeof(TlbTable), true);
    store_gs(e, CPU_AT(tlb), SCRATCH_C);
}

/* Behind the instruction in work, in another view, whose table may be of another mode. */
static void emit_go_view(Unit *u, View view)
{
    Emit *e = &u->e;
    uint32_t mode = (u->mode & ~(uint32_t)MODE_VIEW) | (uint32_t)view << MODE_VIEW_SHIFT;
    uint8_t before = u->view;
    Hole same;

    emit_view(u, view, mode);
    load_gs32(e, SCRATCH_C, CPU_AT(jumps) + view * sizeof(JumpTable) + offsetof(JumpTable, mode));
    lea_base(e, SCRATCH_C, SCRATCH_C, -(int32_t)mode, false);
    same = jrcxz8(e);
    cold_add(u, COLD_RIP, jmp32(e), unit_next(u));
    fill8(e, same);
    u->view = view;
    emit_jump_far(u, unit_next(u));
    u->view = before;
}

static bool emit_smap(Unit *u, bool lift, bool *ends)
{
    View view = !lift && u->mode & MODE_SMAP ? VIEW_KERNEL_SMAP : VIEW_KERNEL;

    if (!level0(u)) {
        return false;
    }
    flags_settle(u, true);
    emit_flag(u, FLAG_BUT_AC, lift ? FLAG_AC : 0);
    *ends = true;
    if (view == u->view) {
        emit_leave_next(u);
    } else {
        emit_go_view(u, view);
    }
    return true;
}

/* ---- the others ---- */

static bool emit_pushf(Unit *u, const Insn *i)
{
    static const uint8_t pushf_pop[] = {0x9c, 0x58 | SCRATCH_A};
    Emit *e = &u->e;

    if (!u->code64 || i->opsize != 8) {
        return false;
    }
    flags_settle(u, true);
    for (unsigned n = 0; n < sizeof pushf_pop; n++) {
        put8(e, pushf_pop[n]);
    }
    pext_gs(e, SCRATCH_A, SCRATCH_A, CPU_AT(flags_arith));
    pdep_gs(e, SCRATCH_A, SCRATCH_A, CPU_AT(flags_arith));
    load_gs(e, SCRATCH_C, CPU_AT(s.rflags));
    pext_gs(e, SCRATCH_C, SCRATCH_C, CPU_AT(flags_pushed));
    pdep_gs(e, SCRATCH_C, SCRATCH_C, CPU_AT(flags_pushed));
    lea_index(e, SCRATCH_C, SCRATCH_C, SCRATCH_A, 0, 0, true);
    store_gs(e, CPU_AT(pushed), SCRATCH_C);
    lea_base(e, SCRATCH_A, GUEST_SP, -8, true);
    emit_check(u, 8, true);
    flags_settle(u, false);
    load_gs(e, SCRATCH_C, CPU_AT(pushed));
    store_pair(e, SCRATCH_C, SCRATCH_A, SCRATCH_B, MEM_DISP, 8);
    lea_base(e, GUEST_SP, GUEST_SP, -8, true);
    return true;
}

static bool emit_swapgs(Unit *u)
{
    Emit *e = &u->e;
    uint32_t base = CPU_AT(s.seg) + SEG_GS * sizeof(X86Segment) + offsetof(X86Segment, base);

    if (!level0(u)) {
        return false;
    }
    flags_settle(u, false);
    load_gs(e, SCRATCH_A, base);
    load_gs(e, SCRATCH_C, CPU_AT(s.kernel_gs_base));
    store_gs(e, CPU_AT(s.kernel_gs_base), SCRATCH_A);
    store_gs(e, base, SCRATCH_C);
    return true;
}

static bool emit_read_cr(Unit *u, const Insn *i)
{
    static const uint32_t at[] = {CPU_AT(s.cr0), 0, CPU_AT(s.cr2), CPU_AT(s.cr3), CPU_AT(s.cr4)};
    unsigned cr = i->operand[1].reg, reg = i->operand[0].reg;

    if (!level0(u) || i->operand[1].kind != OPERAND_CR || i->operand[0].kind != OPERAND_GPR ||
        cr > 4 || !at[cr]) {
        return false;
    }
    flags_settle(u, false);
    if (in_frame(reg)) {
        load_gs(&u->e, SCRATCH_C, at[cr]);
        store_gs(&u->e, CPU_AT(s.gpr) + 8 * reg, SCRATCH_C);
    } else {
        load_gs(&u->e, host_of[reg], at[cr]);
    }
    return true;
}

static bool emit_rdpkru(Unit *u)
{
    Emit *e = &u->e;

    if (!u->code64 || !(u->mode & MODE_PKE)) {
        return false;
    }
    flags_settle(u, true);
    mov_rr32(e, SCRATCH_C, GUEST_CX);
    emit_unless(u);
    load_gs32(e, H_AX, CPU_AT(s.pkru));
    mov_imm(e, H_DX, 0);
    return true;
}

bool emit_system(Unit *u, bool *ends)
{
    const Insn *i = unit_now(u)->i;

    switch (i->op) {
    case OP_CLI:
        return emit_cli(u);
    case OP_STI:
        return emit_sti(u);
    case OP_CLD:
    case OP_STD:
        return emit_direction(u, i->op == OP_STD);
    case OP_STAC:
    case OP_CLAC:
        return emit_smap(u, i->op == OP_STAC, ends);
    case OP_PUSHF:
        return emit_pushf(u, i);
    case OP_SWAPGS:
        return emit_swapgs(u);
    case OP_MOV_CR:
        return emit_read_cr(u, i);
    case OP_RDPKRU:
        return emit_rdpkru(u);
    case OP_SYSCALL:
    case OP_SYSRET:
        return emit_syscall(u, ends);
    default:
        return false;
    }
}
