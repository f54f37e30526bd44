/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operands of integer instructions. A handler exists for each form (where its operands are) and
 * size, made from one inline description by the macros below, and is chosen when the instruction is
 * decoded (SDM volume 2, "Instruction format"; volume 1, "Operand addressing").
 *
 * Insn.aux of a bound integer instruction holds four offsets from the start of Cpu: the register of
 * operand 0 and of operand 1 (AH..DH are one byte further), base and index of the memory operand
 * (Cpu.zero where there is none).
 */
#pragma once
#include "target/i386/rt/alu.h"
#include "target/i386/rt/mem.h"
#include "target/i386/rt/rt.h"

/* Where an operand is. LONG: memory in 64-bit code, 64-bit address, no segment base: no checks. */
typedef enum { IN_R, IN_I, IN_M, IN_LONG } Where;

typedef enum {
    FORM_RR,
    FORM_RI,
    FORM_RM,
    FORM_RL,
    FORM_MR,
    FORM_LR,
    FORM_MI,
    FORM_LI,
    FORM_COUNT
} Form;

enum { SIZE_COUNT = 4 }; /* tables: [size_index(size)] */

static inline unsigned size_index(unsigned size)
{
    return size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3;
}

/* Fill aux. */
void operand_prepare(Cpu *c, Insn *i);

/* The form of a two-operand instruction; FORM_COUNT: none of these. */
Form operand_form(Cpu *c, const Insn *i);

/* Of one operand: IN_R, IN_I, IN_M or IN_LONG. */
Where operand_where(Cpu *c, const Insn *i, unsigned n);

ALWAYS void *cpu_at(Cpu *c, unsigned offset)
{
    return (char *)c + offset;
}

ALWAYS void *operand_reg(Cpu *c, const Insn *i, unsigned n)
{
    return cpu_at(c, (uint16_t)(i->aux >> 16 * n));
}

ALWAYS uint64_t reg_load(const void *p, unsigned size)
{
    switch (size) {
    case 1:
        return *(const uint8_t *)p;
    case 2:
        return *(const uint16_t *)p;
    case 4:
        return *(const uint32_t *)p;
    default:
        return *(const uint64_t *)p;
    }
}

/* 32-bit results are zero-extended, smaller ones leave the rest alone. */
ALWAYS void reg_store(void *p, uint64_t value, unsigned size)
{
    switch (size) {
    case 1:
        *(uint8_t *)p = value;
        break;
    case 2:
        *(uint16_t *)p = value;
        break;
    case 4:
        *(uint64_t *)p = (uint32_t)value;
        break;
    default:
        *(uint64_t *)p = value;
    }
}

ALWAYS uint64_t operand_offset(Cpu *c, const Insn *i)
{
    uint64_t base = *(uint64_t *)cpu_at(c, (uint16_t)(i->aux >> 32));
    uint64_t index = *(uint64_t *)cpu_at(c, i->aux >> 48);

    return base + (index << i->scale) + (int64_t)i->disp;
}

ALWAYS uint64_t operand_linear(Cpu *c, const Insn *i, Where where, unsigned size, bool write)
{
    uint64_t at = operand_offset(c, i);

    if (where == IN_LONG) {
        return at;
    }
    return seg_linear(c, i->seg, addr_wrap(at, i->addrsize), size, write);
}

/* The value of operand n (0 or 1). */
ALWAYS uint64_t operand_load(Cpu *c, const Insn *i, unsigned n, Where where, unsigned size)
{
    switch (where) {
    case IN_R:
        return reg_load(operand_reg(c, i, n), size);
    case IN_I:
        return i->imm;
    default:
        return mem_read(c, operand_linear(c, i, where, size, false), size);
    }
}

ALWAYS void operand_store(Cpu *c, const Insn *i, unsigned n, Where where, unsigned size,
                          uint64_t value)
{
    if (where == IN_R) {
        reg_store(operand_reg(c, i, n), value, size);
    } else {
        mem_write(c, operand_linear(c, i, where, size, true), value, size);
    }
}

/* An operand that is read, changed and written: find it, raising all that a write would raise. */
typedef struct Place {
    uint8_t *host;   /* NULL: device or page crossing */
    uint64_t linear; /* memory only                   */
    bool told;       /* mem_written() after the store */
} Place;

ALWAYS Place place_at(Cpu *c, uint64_t linear, unsigned size)
{
    Place p = {mem_pointer(c, linear, size), linear, false};

    if (unlikely(!p.host)) {
        p.host = mem_pointer_slow(c, linear, size);
        p.told = p.host;
    }
    return p;
}

ALWAYS Place place_find(Cpu *c, const Insn *i, unsigned n, Where where, unsigned size)
{
    Place p = {0};

    if (where == IN_R) {
        p.host = operand_reg(c, i, n);
        return p;
    }
    return place_at(c, operand_linear(c, i, where, size, true), size);
}

ALWAYS uint64_t place_load(Cpu *c, const Place *p, Where where, unsigned size)
{
    if (where == IN_R) {
        return reg_load(p->host, size);
    }
    return likely(p->host) ? host_load(p->host, size)
                           : mem_read_slow(c, p->linear, size, ACCESS_READ);
}

ALWAYS void place_store(Cpu *c, const Place *p, Where where, unsigned size, uint64_t value)
{
    if (where == IN_R) {
        reg_store(p->host, value, size);
    } else if (likely(p->host)) {
        host_store(p->host, value, size);
        if (unlikely(p->told)) {
            mem_written(c, p->linear, size);
        }
    } else {
        mem_write_slow(c, p->linear, value, size, ACCESS_WRITE);
    }
}

/* General registers by number, as implicit operands. */
ALWAYS uint64_t gpr_load(const Cpu *c, unsigned reg, unsigned size)
{
    return reg_load(&c->s.gpr[reg], size);
}

ALWAYS void gpr_store(Cpu *c, unsigned reg, uint64_t value, unsigned size)
{
    reg_store(&c->s.gpr[reg], value, size);
}

/* ---- making handlers ---- */

/* clang-format off */
#define RUN(name) static void name(Cpu *c, const Insn *i)

/* fn(c, i, size, dst, src) as handlers name_SIZE_FORM, and a table of them. */
#define FORM_1(name, fn, size, form, dst, src) \
    RUN(name##_##size##_##form) { fn(c, i, size, dst, src); }
#define FORM_SIZE(name, fn, size)                    \
    FORM_1(name, fn, size, rr, IN_R, IN_R)           \
    FORM_1(name, fn, size, ri, IN_R, IN_I)           \
    FORM_1(name, fn, size, rm, IN_R, IN_M)           \
    FORM_1(name, fn, size, rl, IN_R, IN_LONG)        \
    FORM_1(name, fn, size, mr, IN_M, IN_R)           \
    FORM_1(name, fn, size, lr, IN_LONG, IN_R)        \
    FORM_1(name, fn, size, mi, IN_M, IN_I)           \
    FORM_1(name, fn, size, li, IN_LONG, IN_I)
#define FORM_ROW(name, size)                                                                 \
    {name##_##size##_rr, name##_##size##_ri, name##_##size##_rm, name##_##size##_rl,         \
     name##_##size##_mr, name##_##size##_lr, name##_##size##_mi, name##_##size##_li}
#define FORMS(name, fn)                                                                      \
    FORM_SIZE(name, fn, 1) FORM_SIZE(name, fn, 2) FORM_SIZE(name, fn, 4) FORM_SIZE(name, fn, 8) \
    static InsnRun *const name##_forms[SIZE_COUNT][FORM_COUNT] = {                           \
        FORM_ROW(name, 1), FORM_ROW(name, 2), FORM_ROW(name, 4), FORM_ROW(name, 8)};

/* fn(c, i, size, where) of one operand: handlers name_SIZE_WHERE and a table [size][where]. */
#define UNARY_SIZE(name, fn, size)                        \
    RUN(name##_##size##_r) { fn(c, i, size, IN_R); }      \
    RUN(name##_##size##_m) { fn(c, i, size, IN_M); }      \
    RUN(name##_##size##_l) { fn(c, i, size, IN_LONG); }
#define UNARY_ROW(name, size) \
    {name##_##size##_r, NULL, name##_##size##_m, name##_##size##_l}
#define UNARY_FORMS(name, fn)                                                                \
    UNARY_SIZE(name, fn, 1) UNARY_SIZE(name, fn, 2) UNARY_SIZE(name, fn, 4) UNARY_SIZE(name, fn, 8) \
    static InsnRun *const name##_forms[SIZE_COUNT][IN_LONG + 1] = {                          \
        UNARY_ROW(name, 1), UNARY_ROW(name, 2), UNARY_ROW(name, 4), UNARY_ROW(name, 8)};
/* clang-format on */

/* Handlers by family; NULL: not of this family. */
InsnRun *bind_alu(Cpu *c, const Insn *i);
InsnRun *bind_move(Cpu *c, const Insn *i);
InsnRun *bind_shift(Cpu *c, const Insn *i);
InsnRun *bind_multiply(Cpu *c, const Insn *i);
InsnRun *bind_bits(Cpu *c, const Insn *i);
InsnRun *bind_atomic(Cpu *c, const Insn *i);
InsnRun *bind_stack(Cpu *c, const Insn *i);
InsnRun *bind_branch(Cpu *c, const Insn *i);
InsnRun *bind_string(Cpu *c, const Insn *i);
InsnRun *bind_misc(Cpu *c, const Insn *i);
