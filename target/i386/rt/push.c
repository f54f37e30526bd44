/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PUSH POP PUSHA POPA, PUSH and POP of segment registers, ENTER LEAVE (SDM volume 2; volume 1,
 * "Procedure calls, interrupts, and exceptions"). PUSHF and POPF change system flags and are the
 * system part's.
 */
#include "target/i386/rt/operand.h"

/* 64-bit stack, TLB hit: all inline. The rest: push() and pop(). */
ALWAYS void push_value(Cpu *c, uint64_t value, unsigned size, bool wide)
{
    uint64_t at = c->s.gpr[R_SP] - 8;
    uint8_t *host = wide ? mem_pointer(c, at, 8) : NULL;

    if (likely(host)) {
        host_store(host, value, 8);
        c->s.gpr[R_SP] = at;
    } else {
        push(c, value, size);
    }
}

ALWAYS uint64_t pop_value(Cpu *c, unsigned size, bool wide)
{
    uint64_t at = c->s.gpr[R_SP];
    const void *host = tlb_reads(c->tlb, at, 8);

    if (wide && likely(host != NULL)) {
        c->s.gpr[R_SP] = at + 8;
        return host_load(host, 8);
    }
    return pop(c, size);
}

/* rSP as it was before is what PUSH rSP pushes. */
RUN(push_reg_wide)
{
    push_value(c, *(uint64_t *)operand_reg(c, i, 0), 8, true);
}

RUN(push_imm_wide)
{
    push_value(c, i->imm, 8, true);
}

ALWAYS void push_any(Cpu *c, const Insn *i, unsigned size, Where where)
{
    push(c, operand_load(c, i, 0, where, size), size);
}
UNARY_FORMS(push_any, push_any)

RUN(push_imm)
{
    push(c, i->imm, i->opsize);
}

RUN(pop_reg_wide)
{
    uint64_t v = pop_value(c, 8, true);

    *(uint64_t *)operand_reg(c, i, 0) = v; /* last: POP RSP keeps what it popped */
}

RUN(pop_reg)
{
    uint64_t v = pop(c, i->opsize);

    reg_store(operand_reg(c, i, 0), v, i->opsize);
}

/* The address is formed with rSP already moved; a fault moves it back. */
RUN(pop_mem)
{
    uint64_t sp = c->s.gpr[R_SP], popped, v = pop(c, i->opsize), at;

    at = operand_offset(c, i);
    popped = c->s.gpr[R_SP];
    c->s.gpr[R_SP] = sp;
    mem_write(c, seg_linear(c, i->seg, addr_wrap(at, i->addrsize), i->opsize, true), v, i->opsize);
    c->s.gpr[R_SP] = popped;
}

/* ---- all eight ---- */

/* All is checked before anything is written: a fault in between leaves the stack alone. */
RUN(pusha)
{
    uint64_t sp = c->s.gpr[R_SP];
    unsigned size = i->opsize;

    for (unsigned n = 1; n <= 8; n++) {
        uint64_t at = addr_wrap(sp - n * size, c->stack_size);

        mem_probe(c, seg_linear(c, SEG_SS, at, size, true), size, ACCESS_WRITE);
    }
    for (unsigned n = 0; n < 8; n++) {
        push(c, n == R_SP ? sp : c->s.gpr[n], size);
    }
}

RUN(popa)
{
    uint64_t sp = c->s.gpr[R_SP], value[8];
    unsigned size = i->opsize;

    for (unsigned n = 8; n-- > 0;) {
        uint64_t at = addr_wrap(sp + (7 - n) * size, c->stack_size);

        value[n] = mem_read(c, seg_linear(c, SEG_SS, at, size, false), size);
    }
    for (unsigned n = 0; n < 8; n++) {
        if (n != R_SP) {
            gpr_store(c, n, value[n], size);
        }
    }
    gpr_store(c, R_SP, sp + 8 * size, c->stack_size);
}

/* ---- segment registers ---- */

/* A 32-bit push of a selector writes 16 bits only, as current processors do. */
RUN(push_seg)
{
    unsigned size = i->opsize;
    uint16_t selector = c->s.seg[i->operand[0].reg & 7].selector;
    uint64_t at;

    if (size != 4) {
        push(c, selector, size);
        return;
    }
    at = addr_wrap(c->s.gpr[R_SP] - 4, c->stack_size);
    mem_write(c, seg_linear(c, SEG_SS, at, 4, true), selector, 2);
    gpr_store(c, R_SP, at, c->stack_size);
}

RUN(pop_seg)
{
    uint64_t sp = c->s.gpr[R_SP], popped;
    uint16_t selector;

    /* Only 16 bits are read, whatever the size: the rest may lie in a page that is not there. */
    selector = mem_read(c, seg_linear(c, SEG_SS, addr_wrap(sp, c->stack_size), 2, false), 2);
    popped = sp + i->opsize;
    seg_load(c, i->operand[0].reg & 7, selector);
    gpr_store(c, R_SP, popped, c->stack_size);
    if (i->operand[0].reg == SEG_SS) {
        c->s.ss_shadow = true;
        c->block_break = true;
    }
}

/* ---- frames ---- */

static uint64_t stack_read(Cpu *c, uint64_t at, unsigned size)
{
    return mem_read(c, seg_linear(c, SEG_SS, addr_wrap(at, c->stack_size), size, false), size);
}

static void stack_write(Cpu *c, uint64_t at, uint64_t value, unsigned size)
{
    mem_write(c, seg_linear(c, SEG_SS, addr_wrap(at, c->stack_size), size, true), value, size);
}

/* imm: bytes of the frame; the second immediate: nesting level, modulo 32. rSP and rBP change at
 * the end; the last word of the new frame must be writable. */
RUN(enter)
{
    unsigned size = i->opsize, level = i->imm >> 32 & 31, bytes = i->imm & 0xffff;
    uint64_t at = c->s.gpr[R_SP] - size, frame = at, bp = c->s.gpr[R_BP];

    stack_write(c, at, bp, size);
    for (unsigned n = 1; n < level; n++) {
        at -= size;
        bp -= size;
        stack_write(c, at, stack_read(c, bp, size), size);
    }
    if (level) {
        at -= size;
        stack_write(c, at, frame, size);
    }
    at -= bytes;
    mem_probe(c, seg_linear(c, SEG_SS, addr_wrap(at, c->stack_size), size, true), size,
              ACCESS_WRITE);
    gpr_store(c, R_BP, frame, size);
    gpr_store(c, R_SP, at, c->stack_size);
}

RUN(leave)
{
    uint64_t bp = c->s.gpr[R_BP], v = stack_read(c, bp, i->opsize);

    gpr_store(c, R_SP, bp + i->opsize, c->stack_size);
    gpr_store(c, R_BP, v, i->opsize);
}

RUN(leave_wide)
{
    uint64_t bp = c->s.gpr[R_BP];

    c->s.gpr[R_BP] = mem_read(c, bp, 8);
    c->s.gpr[R_SP] = bp + 8;
}

static InsnRun *bind_push(Cpu *c, const Insn *i, Where where)
{
    bool wide = c->stack_size == 8 && i->opsize == 8;

    if (where == IN_I) {
        return wide ? push_imm_wide : push_imm;
    }
    return wide && where == IN_R ? push_reg_wide : push_any_forms[size_index(i->opsize)][where];
}

static InsnRun *bind_pop(Cpu *c, const Insn *i, Where where)
{
    if (where != IN_R) {
        return pop_mem;
    }
    return c->stack_size == 8 && i->opsize == 8 ? pop_reg_wide : pop_reg;
}

/* clang-format off */
InsnRun *bind_stack(Cpu *c, const Insn *i)
{
    Where where = operand_where(c, i, 0);

    switch (i->op) {
    case OP_PUSH:     return bind_push(c, i, where);
    case OP_POP:      return bind_pop(c, i, where);
    case OP_PUSHA:    return pusha;
    case OP_POPA:     return popa;
    case OP_PUSH_SEG: return push_seg;
    case OP_POP_SEG:  return pop_seg;
    case OP_ENTER:    return enter;
    case OP_LEAVE:    return c->stack_size == 8 && i->opsize == 8 ? leave_wide : leave;
    default:          return NULL;
    }
}
/* clang-format on */
