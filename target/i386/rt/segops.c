/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions on segment registers, selectors and descriptor tables (SDM volume 2, MOV, PUSH, POP,
 * LDS, LAR, LSL, VERR, ARPL, LGDT, LLDT, LTR and their relatives).
 */
#include "target/i386/rt/sys.h"
#include "target/i386/rt/walk.h"

static void set_zf(Cpu *c, bool set)
{
    c->s.rflags = (c->s.rflags & ~(uint64_t)FLAG_ZF) | (set ? FLAG_ZF : 0);
}

/* ---- segment registers ---- */

/* MOV SS and POP SS hold back interrupts and debug traps for one instruction. */
static void load(Cpu *c, unsigned seg, uint16_t selector)
{
    if (seg == SEG_CS || seg > SEG_GS) {
        raise_fault(c, EXC_UD);
    }
    seg_load(c, seg, selector);
    if (seg == SEG_SS) {
        c->s.ss_shadow = true;
        c->block_break = true;
    }
}

static void run_mov_seg(Cpu *c, const Insn *i)
{
    const Operand *to = &i->operand[0];

    if (to->kind == OPERAND_SEG) {
        load(c, to->reg, sys_read(c, i, 1, 2));
    } else {
        sys_write(c, i, 0, to->kind == OPERAND_MEM ? 2 : i->opsize,
                  c->s.seg[i->operand[1].reg].selector);
    }
}

static void run_push_seg(Cpu *c, const Insn *i)
{
    push(c, c->s.seg[i->operand[0].reg].selector, i->opsize);
}

static void run_pop_seg(Cpu *c, const Insn *i)
{
    Stack k = stack_current(c);
    uint16_t selector = stack_pop(c, &k, i->opsize);

    load(c, i->operand[0].reg, selector);
    stack_move(c, k.sp, k.width);
}

static unsigned pointer_segment(const Insn *i)
{
    switch (i->op) {
    case OP_LDS:
        return SEG_DS;
    case OP_LES:
        return SEG_ES;
    case OP_LFS:
        return SEG_FS;
    case OP_LGS:
        return SEG_GS;
    default:
        return SEG_SS;
    }
}

static void run_load_pointer(Cpu *c, const Insn *i)
{
    uint64_t at = insn_offset(c, i);
    uint64_t offset = mem_read(c, seg_linear(c, i->seg, at, i->opsize, false), i->opsize);
    uint16_t selector;

    at = addr_wrap(at + i->opsize, i->addrsize);
    selector = mem_read(c, seg_linear(c, i->seg, at, 2, false), 2);
    seg_load(c, pointer_segment(i), selector);
    gpr_write(c, i->operand[0].reg, i->opsize, offset);
}

/* ---- questions about selectors ---- */

static bool visible(const Cpu *c, uint16_t selector, const Descriptor *d)
{
    unsigned level = (selector & 3u) > c->cpl ? selector & 3 : c->cpl;
    bool conforming = !descriptor_system(d) && (d->high & 0xc00) == 0xc00;

    return conforming || descriptor_dpl(d) >= level;
}

/* The descriptor, if the program may know it and its type is one of a set (bit n: system
 * type n). */
static bool ask(Cpu *c, uint16_t selector, uint32_t types, Descriptor *d)
{
    if (null_selector(selector) || !descriptor_read(c, selector, d)) {
        return false;
    }
    if (descriptor_system(d) && !(types >> descriptor_type(d) & 1)) {
        return false;
    }
    return visible(c, selector, d);
}

enum {
    LSL_LONG = 1 << TYPE_LDT | 1 << TYPE_TSS32 | 1 << TYPE_TSS32_BUSY,
    LSL_TYPES = LSL_LONG | 1 << TYPE_TSS16 | 1 << TYPE_TSS16_BUSY,
    LAR_LONG = LSL_LONG | 1 << TYPE_CALL32,
    LAR_TYPES = LSL_TYPES | 1 << TYPE_CALL16 | 1 << TYPE_CALL32 | 1 << TYPE_TASK_GATE,
};

static void run_lar(Cpu *c, const Insn *i)
{
    Descriptor d;
    uint16_t selector;

    need_protected(c);
    selector = sys_read(c, i, 1, 2);
    if (!ask(c, selector, long_mode(c) ? LAR_LONG : LAR_TYPES, &d)) {
        set_zf(c, false);
        return;
    }
    set_zf(c, true);
    gpr_write(c, i->operand[0].reg, i->opsize, d.high & 0xf0ff00);
}

static void run_lsl(Cpu *c, const Insn *i)
{
    Descriptor d;
    uint16_t selector;

    need_protected(c);
    selector = sys_read(c, i, 1, 2);
    if (!ask(c, selector, long_mode(c) ? LSL_LONG : LSL_TYPES, &d)) {
        set_zf(c, false);
        return;
    }
    set_zf(c, true);
    gpr_write(c, i->operand[0].reg, i->opsize, descriptor_limit(&d));
}

static void run_verify(Cpu *c, const Insn *i)
{
    Descriptor d;
    bool good;
    uint16_t selector;

    need_protected(c);
    selector = sys_read(c, i, 0, 2);
    good = ask(c, selector, 0, &d);
    if (good && i->op == OP_VERW) {
        good = (d.high & 0xa00) == 0x200; /* writable data */
    } else if (good) {
        good = (d.high & 0xa00) != 0x800; /* data, or readable code */
    }
    set_zf(c, good);
}

static void run_arpl(Cpu *c, const Insn *i)
{
    uint16_t selector, rpl;

    need_protected(c);
    selector = sys_read(c, i, 0, 2);
    rpl = sys_read(c, i, 1, 2) & 3;
    if ((selector & 3) < rpl) {
        sys_write(c, i, 0, 2, (selector & ~3u) | rpl);
        set_zf(c, true);
    } else {
        set_zf(c, false);
    }
}

/* ---- tables ---- */

static void run_load_table(Cpu *c, const Insn *i)
{
    X86Table *table = i->op == OP_LGDT ? &c->s.gdtr : &c->s.idtr;
    unsigned size = c->code_size == CODE_64 ? 8 : 4;
    uint64_t at = insn_offset(c, i), base;
    uint16_t limit;

    need_cpl0(c);
    limit = mem_read(c, seg_linear(c, i->seg, at, 2, false), 2);
    at = addr_wrap(at + 2, i->addrsize);
    base = mem_read(c, seg_linear(c, i->seg, at, size, false), size);
    if (size == 8 && !canonical(c, base)) {
        why(c, "the table base %x is not canonical", base, 0, 0);
        raise_error(c, EXC_GP, 0);
    }
    table->limit = limit;
    table->base = size == 4 && i->opsize == 2 ? base & 0xffffff : base;
}

static void umip_check(Cpu *c)
{
    if (c->s.cr4 & CR4_UMIP && c->cpl > 0) {
        raise_error(c, EXC_GP, 0);
    }
}

static void run_store_table(Cpu *c, const Insn *i)
{
    const X86Table *table = i->op == OP_SGDT ? &c->s.gdtr : &c->s.idtr;
    unsigned size = c->code_size == CODE_64 ? 8 : 4;
    uint64_t at = insn_offset(c, i), first, second;

    umip_check(c);
    first = seg_linear(c, i->seg, at, 2, true);
    second = seg_linear(c, i->seg, addr_wrap(at + 2, i->addrsize), size, true);
    mem_probe(c, second, size, ACCESS_WRITE);
    mem_write(c, first, table->limit, 2);
    mem_write(c, second, table->base, size);
}

static void run_lldt(Cpu *c, const Insn *i)
{
    uint16_t selector;
    Descriptor d;

    need_protected(c);
    need_cpl0(c);
    selector = sys_read(c, i, 0, 2);
    if (null_selector(selector)) {
        c->s.seg[SEG_LDTR] = (X86Segment){.selector = selector};
        return;
    }
    if (selector & 4) {
        raise_error(c, EXC_GP, selector_error(c, selector));
    }
    descriptor_fetch(c, selector, EXC_GP, &d);
    if (!descriptor_system(&d) || descriptor_type(&d) != TYPE_LDT) {
        raise_error(c, EXC_GP, selector_error(c, selector));
    }
    if (!descriptor_present(&d)) {
        raise_error(c, EXC_NP, selector_error(c, selector));
    }
    c->s.seg[SEG_LDTR] = (X86Segment){.selector = selector,
                                      .attr = descriptor_attr(&d),
                                      .limit = descriptor_limit(&d),
                                      .base = system_base(c, selector, &d)};
}

static void run_ltr(Cpu *c, const Insn *i)
{
    uint16_t selector;
    Descriptor d;
    uint64_t base;

    need_protected(c);
    need_cpl0(c);
    selector = sys_read(c, i, 0, 2);
    if (selector & 4) {
        raise_error(c, EXC_GP, selector_error(c, selector));
    }
    descriptor_fetch(c, selector, EXC_GP, &d);
    if (!descriptor_system(&d) || (descriptor_type(&d) != TYPE_TSS32 &&
                                   (descriptor_type(&d) != TYPE_TSS16 || long_mode(c)))) {
        raise_error(c, EXC_GP, selector_error(c, selector));
    }
    if (!descriptor_present(&d)) {
        raise_error(c, EXC_NP, selector_error(c, selector));
    }
    base = system_base(c, selector, &d);
    d.high |= TYPE_BUSY << 8;
    mem_write_slow(c, d.at + 5, d.high >> 8 & 0xff, 1, ACCESS_SYSTEM);
    c->s.seg[SEG_TR] = (X86Segment){.selector = selector,
                                    .attr = descriptor_attr(&d),
                                    .limit = descriptor_limit(&d),
                                    .base = base};
}

static void store_word(Cpu *c, const Insn *i, uint64_t value)
{
    sys_write(c, i, 0, i->operand[0].kind == OPERAND_MEM ? 2 : i->opsize, value);
}

static void run_store_selector(Cpu *c, const Insn *i)
{
    need_protected(c);
    umip_check(c);
    store_word(c, i, c->s.seg[i->op == OP_STR ? SEG_TR : SEG_LDTR].selector);
}

static void run_smsw(Cpu *c, const Insn *i)
{
    umip_check(c);
    store_word(c, i, c->s.cr0);
}

InsnRun *bind_segment(Cpu *c, Insn *i)
{
    switch (i->op) {
    case OP_MOV_SEG:
        return run_mov_seg;
    case OP_PUSH_SEG:
        return run_push_seg;
    case OP_POP_SEG:
        return run_pop_seg;
    case OP_LDS:
    case OP_LES:
    case OP_LFS:
    case OP_LGS:
    case OP_LSS:
        return run_load_pointer;
    case OP_LAR:
        return run_lar;
    case OP_LSL:
        return run_lsl;
    case OP_VERR:
    case OP_VERW:
        return run_verify;
    case OP_ARPL:
        return run_arpl;
    default:
        return NULL;
    }
}

InsnRun *bind_tables(Cpu *c, Insn *i)
{
    switch (i->op) {
    case OP_LGDT:
    case OP_LIDT:
        return run_load_table;
    case OP_SGDT:
    case OP_SIDT:
        return run_store_table;
    case OP_LLDT:
        return run_lldt;
    case OP_LTR:
        return run_ltr;
    case OP_SLDT:
    case OP_STR:
        return run_store_selector;
    case OP_SMSW:
        return run_smsw;
    default:
        return NULL;
    }
}
