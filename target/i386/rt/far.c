/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Far JMP and CALL: to code, through call gates, to tasks; INT n and its relatives
 * (SDM volume 2, JMP, CALL, INT n; volume 3, "Call gates", "Stack switching").
 */
#include "target/i386/rt/sys.h"

typedef struct Far {
    uint16_t selector;
    uint64_t offset;
} Far;

/* What a call gate holds. */
typedef struct CallGate {
    Far to;
    unsigned size; /* of what is pushed: 2, 4, 8 */
    unsigned parameters;
} CallGate;

static Far far_operand(Cpu *c, const Insn *i)
{
    uint64_t offset, at;

    if (i->operand[0].kind == OPERAND_FAR) {
        offset = (uint32_t)i->imm;
        return (Far){i->imm >> 32, i->opsize == 2 ? (uint16_t)offset : offset};
    }
    at = insn_offset(c, i);
    offset = mem_read(c, seg_linear(c, i->seg, at, i->opsize, false), i->opsize);
    at = addr_wrap(at + i->opsize, i->addrsize);
    return (Far){mem_read(c, seg_linear(c, i->seg, at, 2, false), 2), offset};
}

static void jump_real(Cpu *c, Far to)
{
    rip_check(c, &c->s.seg[SEG_CS], to.offset);
    if (v86_mode(c)) {
        segment_v86(&c->s.seg[SEG_CS], to.selector);
    } else {
        segment_real(&c->s.seg[SEG_CS], to.selector);
    }
    c->next_rip = to.offset;
    cpu_mode_changed(c);
}

/* Code may be entered directly at the same level only, or conforming code from an outer one. */
static void direct_check(Cpu *c, uint16_t selector, const Descriptor *d, bool rpl_counts)
{
    unsigned dpl = descriptor_dpl(d);
    bool conforming = d->high & 0x400;
    bool good =
        conforming ? dpl <= c->cpl : dpl == c->cpl && (!rpl_counts || (selector & 3u) <= c->cpl);

    if (descriptor_system(d) || !descriptor_code(d) || !good) {
        raise_error(c, EXC_GP, selector_error(c, selector));
    }
    code_check(c, selector, d);
}

static void gate_privilege(Cpu *c, uint16_t selector, const Descriptor *d)
{
    unsigned level = (selector & 3u) > c->cpl ? selector & 3 : c->cpl;

    if (descriptor_dpl(d) < level) {
        raise_error(c, EXC_GP, selector_error(c, selector));
    }
    if (!descriptor_present(d)) {
        raise_error(c, EXC_NP, selector_error(c, selector));
    }
}

static CallGate call_gate(Cpu *c, uint16_t selector, const Descriptor *d)
{
    CallGate g = {.to = {d->low >> 16, (d->low & 0xffff) | (d->high & 0xffff0000)}};
    uint64_t high;

    gate_privilege(c, selector, d);
    g.size = descriptor_type(d) == TYPE_CALL16 ? 2 : 4;
    g.parameters = d->high & 31;
    if (g.size == 2) {
        g.to.offset &= 0xffff;
    }
    if (long_mode(c)) {
        high = mem_read_slow(c, d->at + 8, 8, ACCESS_SYSTEM);
        if (high >> 32 & 0x1f00) {
            raise_error(c, EXC_GP, selector_error(c, selector));
        }
        g.to.offset |= high << 32;
        g.size = 8;
        g.parameters = 0;
    }
    return g;
}

/* The code behind a call gate. */
static void gate_target(Cpu *c, const CallGate *g, Descriptor *d)
{
    descriptor_fetch(c, g->to.selector, EXC_GP, d);
    if (long_mode(c) && (d->high & 0x600000) != 0x200000) {
        raise_error(c, EXC_GP, selector_error(c, g->to.selector));
    }
}

/* A system descriptor as target of a JMP or CALL that is no call gate: a task. */
static void task_target(Cpu *c, uint16_t selector, const Descriptor *d, TaskReason reason)
{
    unsigned type = descriptor_type(d);

    if (long_mode(c) || (type != TYPE_TSS16 && type != TYPE_TSS32 && type != TYPE_TASK_GATE)) {
        raise_error(c, EXC_GP, selector_error(c, selector));
    }
    gate_privilege(c, selector, d);
    task_switch(c, type == TYPE_TASK_GATE ? d->low >> 16 : selector, reason, c->next_rip, false, 0);
}

static bool is_call_gate(const Cpu *c, const Descriptor *d)
{
    unsigned type = descriptor_type(d);

    return type == TYPE_CALL32 || (type == TYPE_CALL16 && !long_mode(c));
}

static void jump_code(Cpu *c, Far to, Descriptor *d, bool rpl_counts)
{
    X86Segment cs;

    direct_check(c, to.selector, d, rpl_counts);
    cs = segment_from(c, to.selector, d);
    rip_check(c, &cs, to.offset);
    code_set(c, cs, c->cpl, to.offset);
}

static void run_jmp_far(Cpu *c, const Insn *i)
{
    Far to = far_operand(c, i);
    Descriptor d;
    CallGate g;

    if (real_mode(c)) {
        jump_real(c, to);
        return;
    }
    descriptor_fetch(c, to.selector, EXC_GP, &d);
    if (!descriptor_system(&d)) {
        jump_code(c, to, &d, true);
    } else if (is_call_gate(c, &d)) {
        g = call_gate(c, to.selector, &d);
        gate_target(c, &g, &d);
        jump_code(c, g.to, &d, false);
    } else {
        task_target(c, to.selector, &d, TASK_JUMP);
    }
}

/* ---- CALL ---- */

static void push_return(Cpu *c, Stack *k, unsigned size)
{
    stack_push(c, k, c->s.seg[SEG_CS].selector, size);
    stack_push(c, k, c->next_rip, size);
}

static void call_code(Cpu *c, Far to, Descriptor *d, unsigned size, bool rpl_counts)
{
    Stack k = stack_current(c);
    X86Segment cs;

    direct_check(c, to.selector, d, rpl_counts);
    cs = segment_from(c, to.selector, d);
    rip_check(c, &cs, to.offset);
    push_return(c, &k, size);
    stack_set(c, &k);
    code_set(c, cs, c->cpl, to.offset);
}

static Stack inner_stack(Cpu *c, unsigned cpl)
{
    if (!long_mode(c)) {
        return tss_stack(c, cpl);
    }
    return (Stack){
        .ss = stack_null(cpl, cpl), .sp = tss_pointer64(c, cpl, 0), .width = 8, .cpl = cpl};
}

/* The caller's parameters, from the old stack to the new, in their order. */
static void copy_parameters(Cpu *c, Stack *to, const CallGate *g)
{
    for (unsigned n = g->parameters; n--;) {
        Stack from = stack_current(c);

        from.sp += n * g->size;
        stack_push(c, to, stack_pop(c, &from, g->size), g->size);
    }
}

static void call_inner(Cpu *c, const CallGate *g, Descriptor *d)
{
    unsigned cpl = descriptor_dpl(d);
    Stack k;
    X86Segment cs;

    code_check(c, g->to.selector, d);
    k = inner_stack(c, cpl);
    cs = segment_from(c, g->to.selector, d);
    rip_check(c, &cs, g->to.offset);
    stack_push(c, &k, c->s.seg[SEG_SS].selector, g->size);
    stack_push(c, &k, c->s.gpr[R_SP], g->size);
    copy_parameters(c, &k, g);
    push_return(c, &k, g->size);
    stack_set(c, &k);
    code_set(c, cs, cpl, g->to.offset);
}

static void call_through_gate(Cpu *c, uint16_t selector, Descriptor *d)
{
    CallGate g = call_gate(c, selector, d);
    bool inner;

    gate_target(c, &g, d);
    inner = !descriptor_system(d) && descriptor_code(d) && !(d->high & 0x400) &&
            descriptor_dpl(d) < c->cpl;
    if (inner) {
        call_inner(c, &g, d);
    } else {
        call_code(c, g.to, d, g.size, false);
    }
}

static void call_real(Cpu *c, Far to, unsigned size)
{
    Stack k = stack_current(c);

    rip_check(c, &c->s.seg[SEG_CS], to.offset);
    push_return(c, &k, size);
    stack_set(c, &k);
    jump_real(c, to);
}

static void run_call_far(Cpu *c, const Insn *i)
{
    Far to = far_operand(c, i);
    Descriptor d;

    if (real_mode(c)) {
        call_real(c, to, i->opsize);
        return;
    }
    descriptor_fetch(c, to.selector, EXC_GP, &d);
    if (!descriptor_system(&d)) {
        call_code(c, to, &d, i->opsize, true);
    } else if (is_call_gate(c, &d)) {
        call_through_gate(c, to.selector, &d);
    } else {
        task_target(c, to.selector, &d, TASK_CALL);
    }
}

/* ---- INT ---- */

static void run_int(Cpu *c, const Insn *i)
{
    deliver(c, i->imm, EVENT_INT_N, false, 0, c->next_rip);
}

static void run_int3(Cpu *c, const Insn *i)
{
    deliver(c, EXC_BP, EVENT_INT3, false, 0, c->next_rip);
}

static void run_into(Cpu *c, const Insn *i)
{
    if (c->s.rflags & FLAG_OF) {
        deliver(c, EXC_OF, EVENT_INT3, false, 0, c->next_rip);
    }
}

static void run_int1(Cpu *c, const Insn *i)
{
    deliver(c, EXC_DB, EVENT_INT1, false, 0, c->next_rip);
}

InsnRun *bind_far(Cpu *c, Insn *i)
{
    switch (i->op) {
    case OP_JMP_FAR:
        return run_jmp_far;
    case OP_CALL_FAR:
        return run_call_far;
    case OP_INT:
        return run_int;
    case OP_INT3:
        return run_int3;
    case OP_INTO:
        return run_into;
    case OP_INT1:
        return run_int1;
    default:
        return NULL;
    }
}
