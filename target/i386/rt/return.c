/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Far RET and IRET in all modes, and what they do to EFLAGS; POPF and PUSHF, CLI and STI with the
 * virtual interrupt flag of VME and PVI (SDM volume 2, RET, IRET, POPF, STI; volume 3,
 * "Virtual-8086 mode").
 */
#include "target/i386/rt/sys.h"

/* ---- EFLAGS ---- */

/* Bits that an image of that size may change at the current level. */
static uint64_t flags_mask(const Cpu *c, unsigned size)
{
    uint64_t mask = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT;

    if (size > 2) {
        mask |= FLAG_AC | FLAG_ID;
    }
    if (c->cpl <= iopl(c)) {
        mask |= FLAG_IF;
    }
    if (c->cpl == 0) {
        mask |= FLAG_IOPL;
    }
    return mask;
}

static void flags_merge(Cpu *c, uint64_t image, uint64_t mask)
{
    uint64_t old = c->s.rflags;

    c->s.rflags = (old & ~mask) | (image & mask);
    if ((old ^ c->s.rflags) & (FLAG_TF | FLAG_AC | FLAG_VM)) {
        cpu_level_changed(c);
    }
    c->block_break |= (c->s.rflags & (FLAG_IF | FLAG_RF)) != 0;
}

void flags_load(Cpu *c, uint64_t image, unsigned size)
{
    flags_merge(c, image, flags_mask(c, size));
}

/* POPF or IRET with 16-bit operands in V86 mode with VME below IOPL 3: IF stands for VIF. */
static void flags_load_virtual(Cpu *c, uint64_t image)
{
    uint64_t mask = FLAGS_ARITH | FLAG_DF | FLAG_NT | FLAG_TF;

    if (image & FLAG_TF || (image & FLAG_IF && c->s.rflags & FLAG_VIP)) {
        raise_error(c, EXC_GP, 0);
    }
    flags_merge(c, (image & mask) | (image & FLAG_IF ? FLAG_VIF : 0), mask | FLAG_VIF);
}

static bool vme(const Cpu *c)
{
    return v86_mode(c) && c->s.cr4 & CR4_VME;
}

static bool pvi(const Cpu *c)
{
    return !real_mode(c) && c->cpl == 3 && c->s.cr4 & CR4_PVI;
}

static void run_popf(Cpu *c, const Insn *i)
{
    Stack k = stack_current(c);
    uint64_t image;

    if (v86_mode(c) && iopl(c) < 3 && !(vme(c) && i->opsize == 2)) {
        raise_error(c, EXC_GP, 0);
    }
    image = stack_pop(c, &k, i->opsize);
    if (v86_mode(c) && iopl(c) < 3) {
        flags_load_virtual(c, image);
    } else {
        flags_load(c, image, i->opsize);
    }
    stack_move(c, k.sp, k.width);
}

static void run_pushf(Cpu *c, const Insn *i)
{
    uint64_t image = c->s.rflags & ~(uint64_t)(FLAG_VM | FLAG_RF);

    if (v86_mode(c) && iopl(c) < 3) {
        if (!vme(c) || i->opsize != 2) {
            raise_error(c, EXC_GP, 0);
        }
        image = (image & ~(uint64_t)FLAG_IF) | FLAG_IOPL | (image & FLAG_VIF ? FLAG_IF : 0);
    }
    push(c, image, i->opsize);
}

/* Which flag CLI and STI mean: IF, or VIF; otherwise #GP(0). */
static uint64_t interrupt_flag(Cpu *c)
{
    if (!(c->s.cr0 & CR0_PE) || c->cpl <= iopl(c)) {
        return FLAG_IF;
    }
    if (!vme(c) && !pvi(c)) {
        raise_error(c, EXC_GP, 0);
    }
    return FLAG_VIF;
}

static void run_cli(Cpu *c, const Insn *i)
{
    c->s.rflags &= ~interrupt_flag(c);
}

static void run_sti(Cpu *c, const Insn *i)
{
    uint64_t flag = interrupt_flag(c);

    if (flag == FLAG_VIF && c->s.rflags & FLAG_VIP) {
        raise_error(c, EXC_GP, 0);
    }
    if (flag == FLAG_IF && !(c->s.rflags & FLAG_IF)) {
        c->s.sti_shadow = true;
        c->block_break = true;
    }
    c->s.rflags |= flag;
}

/* ---- going back ---- */

/* A return's target: checked code segment at level selector & 3. */
static X86Segment return_code(Cpu *c, uint16_t selector)
{
    unsigned level = selector & 3;
    Descriptor d;
    bool good;

    descriptor_fetch(c, selector, EXC_GP, &d);
    good = d.high & 0x400 ? descriptor_dpl(&d) <= level : descriptor_dpl(&d) == level;
    if (descriptor_system(&d) || !descriptor_code(&d) || level < c->cpl || !good) {
        raise_error(c, EXC_GP, selector_error(c, selector));
    }
    code_check(c, selector, &d);
    return segment_from(c, selector, &d);
}

static X86Segment return_stack(Cpu *c, uint16_t selector, const X86Segment *cs)
{
    unsigned level = cs->selector & 3;
    bool null_allowed = long_mode(c) && cs->attr & ATTR_L && level < 3 && (selector & 3u) == level;

    if (null_selector(selector) && null_allowed) {
        return stack_null(selector, level);
    }
    return stack_segment(c, selector, level, EXC_GP);
}

/* The frame that RET and IRET take from the stack. */
typedef struct Frame {
    Stack k; /* behind it */
    uint64_t rip, flags;
    uint16_t cs;
} Frame;

static Frame frame_pop(Cpu *c, unsigned size, bool with_flags)
{
    Frame f = {.k = stack_current(c)};

    f.rip = stack_pop(c, &f.k, size);
    f.cs = stack_pop(c, &f.k, size);
    if (with_flags) {
        f.flags = stack_pop(c, &f.k, size);
    }
    return f;
}

/* Pop the outer stack and go there. skip: bytes of parameters on both stacks. */
static void return_outer(Cpu *c, Frame *f, X86Segment cs, unsigned size, unsigned skip)
{
    unsigned level = cs.selector & 3;
    Stack to = {.cpl = level};
    uint16_t ss;

    f->k.sp += skip;
    to.sp = stack_pop(c, &f->k, size);
    ss = stack_pop(c, &f->k, size);
    to.ss = return_stack(c, ss, &cs);
    to.width = stack_width(c, &cs, &to.ss);
    rip_check(c, &cs, f->rip);
    to.sp += skip;
    if (to.width == 4) {
        to.sp = (uint32_t)to.sp;
    }
    stack_set(c, &to);
    if (level > c->cpl) {
        segments_revoke(c, level);
    }
    code_set(c, cs, level, f->rip);
}

static void return_same(Cpu *c, Frame *f, X86Segment cs, unsigned skip)
{
    rip_check(c, &cs, f->rip);
    stack_move(c, f->k.sp + skip, f->k.width);
    code_set(c, cs, c->cpl, f->rip);
}

static void return_real(Cpu *c, Frame *f, unsigned skip)
{
    rip_check(c, &c->s.seg[SEG_CS], f->rip);
    stack_move(c, f->k.sp + skip, f->k.width);
    if (v86_mode(c)) {
        segment_v86(&c->s.seg[SEG_CS], f->cs);
    } else {
        segment_real(&c->s.seg[SEG_CS], f->cs);
    }
    c->next_rip = f->rip;
    cpu_mode_changed(c);
}

static void run_ret_far(Cpu *c, const Insn *i)
{
    unsigned skip = i->operand[0].kind == OPERAND_IMM ? i->imm & 0xffff : 0;
    Frame f = frame_pop(c, i->opsize, false);
    X86Segment cs;

    if (real_mode(c)) {
        return_real(c, &f, skip);
        return;
    }
    cs = return_code(c, f.cs);
    if ((f.cs & 3) > c->cpl) {
        return_outer(c, &f, cs, i->opsize, skip);
    } else {
        return_same(c, &f, cs, skip);
    }
}

/* ---- IRET ---- */

static void iret_real(Cpu *c, unsigned size)
{
    Frame f = frame_pop(c, size, true);
    uint64_t mask = flags_mask(c, size) | (size > 2 ? FLAG_RF : 0);

    return_real(c, &f, 0);
    flags_merge(c, f.flags, mask);
}

static void iret_v86(Cpu *c, unsigned size)
{
    Frame f;

    if (iopl(c) == 3) {
        iret_real(c, size);
        return;
    }
    if (!vme(c) || size != 2) {
        raise_error(c, EXC_GP, 0);
    }
    f = frame_pop(c, size, true);
    rip_check(c, &c->s.seg[SEG_CS], f.rip);
    flags_load_virtual(c, f.flags);
    return_real(c, &f, 0);
}

/* From CPL 0 back to virtual-8086 mode: nine doublewords. */
static void iret_to_v86(Cpu *c, Frame *f)
{
    static const uint8_t order[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    uint64_t esp = stack_pop(c, &f->k, 4);
    uint16_t selectors[5];

    for (unsigned n = 0; n < 5; n++) {
        selectors[n] = stack_pop(c, &f->k, 4);
    }
    if (f->rip > 0xffff) {
        raise_error(c, EXC_GP, 0);
    }
    c->s.rflags = (f->flags & 0x3f7fd5) | FLAG_ONE;
    segment_v86(&c->s.seg[SEG_CS], f->cs);
    segment_v86(&c->s.seg[SEG_SS], selectors[0]);
    for (unsigned n = 0; n < 4; n++) {
        segment_v86(&c->s.seg[order[n]], selectors[n + 1]);
    }
    c->s.gpr[R_SP] = esp;
    c->next_rip = f->rip;
    cpu_mode_changed(c);
}

static void iret_protected(Cpu *c, unsigned size)
{
    Frame f = frame_pop(c, size, true);
    uint64_t mask = flags_mask(c, size) | (size > 2 ? FLAG_RF : 0);
    X86Segment cs;

    if (f.flags & FLAG_VM && c->cpl == 0 && size == 4 && !long_mode(c)) {
        iret_to_v86(c, &f);
        return;
    }
    if (c->cpl == 0 && size > 2) {
        mask |= FLAG_VIF | FLAG_VIP;
    }
    cs = return_code(c, f.cs);
    if ((f.cs & 3) > c->cpl || c->code_size == CODE_64) {
        return_outer(c, &f, cs, size, 0);
    } else {
        return_same(c, &f, cs, 0);
    }
    flags_merge(c, f.flags, mask);
}

static void iret_task(Cpu *c)
{
    if (long_mode(c)) {
        why(c, "IRET with NT set in long mode", 0, 0, 0);
        raise_error(c, EXC_GP, 0);
    }
    task_switch(c, mem_read_slow(c, c->s.seg[SEG_TR].base, 2, ACCESS_SYSTEM), TASK_RETURN,
                c->next_rip, false, 0);
}

static void iret_any(Cpu *c, unsigned size)
{
    if (v86_mode(c)) {
        iret_v86(c, size);
    } else if (real_mode(c)) {
        iret_real(c, size);
    } else if (c->s.rflags & FLAG_NT) {
        iret_task(c);
    } else {
        iret_protected(c, size);
    }
}

static void run_iret(Cpu *c, const Insn *i)
{
    if (i->opsize != 8 || !iret_usual(c)) {
        iret_any(c, i->opsize);
    }
    c->s.nmi_blocked = false;
    c->block_break = true;
}

InsnRun *bind_return(Cpu *c, Insn *i)
{
    switch (i->op) {
    case OP_RET_FAR:
        return run_ret_far;
    case OP_IRET:
        return run_iret;
    case OP_PUSHF:
        return run_pushf;
    case OP_POPF:
        return run_popf;
    case OP_CLI:
        return run_cli;
    case OP_STI:
        return run_sti;
    default:
        return NULL;
    }
}
