/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LOCK forms, XCHG with memory, XADD, CMPXCHG, CMPXCHG8B, CMPXCHG16B (SDM volume 3, "Locked atomic
 * operations"). In RAM they are compare-and-swap loops of the host on the guest's own memory; what
 * crosses a cache line is done with the world stopped.
 * Not modelled: a locked cycle on a device or on ROM is a read and a write. It takes the device's
 * lock, whose holder may be waiting for the world, so the world must go on.
 */
#include "target/i386/rt/host.h"
#include "target/i386/rt/operand.h"

/* ---- one location, changed as a whole ---- */

/* The new value from the old; may set *ax (flags) and read the instruction's other operands. */
typedef uint64_t Change(Cpu *c, const Insn *i, uint64_t old, unsigned size, uint32_t *ax);

typedef struct Exclusive {
    Change *change;
    uint64_t linear, old;
    unsigned size;
    uint32_t ax;
    bool raised;
} Exclusive;

/* clang-format off */
#define SWAP(type) __atomic_compare_exchange_n((type *)at, (type *)old, (type)new, false, \
                                               __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
ALWAYS bool swap(void *at, uint64_t *old, uint64_t new, unsigned size)
{
    switch (size) {
    case 1:  return SWAP(uint8_t);
    case 2:  return SWAP(uint16_t);
    case 4:  return SWAP(uint32_t);
    default: return SWAP(uint64_t);
    }
}
/* clang-format on */

/* With the world stopped, where it is RAM. A fault must not unwind through the host's frames. */
static void exclusive_body(Cpu *c, Exclusive *e)
{
    e->old = mem_read_slow(c, e->linear, e->size, ACCESS_READ);
    mem_write_slow(c, e->linear, e->change(c, c->insn, e->old, e->size, &e->ax), e->size,
                   ACCESS_WRITE);
}

static __attribute__((noinline)) void exclusive_change(Cpu *c, void *opaque)
{
    Exclusive *volatile e = opaque;
    void *volatile saved[5];

    for (unsigned n = 0; n < 5; n++) {
        saved[n] = c->unwind[n];
    }
    if (!__builtin_setjmp(c->unwind)) {
        exclusive_body(c, e);
    } else {
        e->raised = true;
    }
    for (unsigned n = 0; n < 5; n++) {
        c->unwind[n] = saved[n];
    }
}

static bool in_line(uint64_t linear, unsigned size)
{
    return (linear & 63) + size <= 64;
}

/* Does it begin and end in RAM? Raises what a write would raise. */
static bool is_ram(Cpu *c, uint64_t linear, unsigned size)
{
    return mem_pointer_slow(c, linear, 1) && mem_pointer_slow(c, linear + size - 1, 1);
}

/* Change memory at linear in one piece; gives the old value. */
ALWAYS uint64_t change_memory(Cpu *c, const Insn *i, uint64_t linear, unsigned size, Change *change,
                              uint32_t *ax)
{
    uint32_t flags = *ax;
    Place p = place_at(c, linear, size);

    if (likely(p.host && in_line(linear, size))) {
        uint64_t old = host_load(p.host, size);

        do {
            *ax = flags;
        } while (!swap(p.host, &old, change(c, i, old, size, ax), size));
        if (unlikely(p.told)) {
            mem_written(c, linear, size);
        }
        return old;
    }

    Exclusive e = {change, linear, 0, size, flags, false};

    if (is_ram(c, linear, size)) {
        HOST_DO(c, exclusive, exclusive_change, &e);
    } else {
        exclusive_body(c, &e);
    }
    if (e.raised) {
        unwind(c);
    }
    *ax = e.ax;
    return e.old;
}

/* ---- LOCK with the arithmetic instructions ---- */

static uint64_t second_operand(Cpu *c, const Insn *i, unsigned size)
{
    return i->operand[1].kind == OPERAND_IMM ? i->imm : reg_load(operand_reg(c, i, 1), size);
}

/* clang-format off */
#define CHANGE(name, expression)                                                            \
    static uint64_t name(Cpu *c, const Insn *i, uint64_t old, unsigned size, uint32_t *ax)  \
    {                                                                                       \
        return expression;                                                                  \
    }
CHANGE(locked_add, host_add(old, second_operand(c, i, size), size, ax))
CHANGE(locked_or, host_or(old, second_operand(c, i, size), size, ax))
CHANGE(locked_adc, host_adc(old, second_operand(c, i, size), size, ax))
CHANGE(locked_sbb, host_sbb(old, second_operand(c, i, size), size, ax))
CHANGE(locked_and, host_and(old, second_operand(c, i, size), size, ax))
CHANGE(locked_sub, host_sub(old, second_operand(c, i, size), size, ax))
CHANGE(locked_xor, host_xor(old, second_operand(c, i, size), size, ax))
CHANGE(locked_inc, host_inc(old, size, ax))
CHANGE(locked_dec, host_dec(old, size, ax))
CHANGE(locked_neg, host_neg(old, size, ax))
CHANGE(locked_not, ~old)
CHANGE(locked_bts, host_bts(old, second_operand(c, i, size) & (size * 8 - 1), size, ax))
CHANGE(locked_btr, host_btr(old, second_operand(c, i, size) & (size * 8 - 1), size, ax))
CHANGE(locked_btc, host_btc(old, second_operand(c, i, size) & (size * 8 - 1), size, ax))
CHANGE(exchange, second_operand(c, i, size))
CHANGE(add_only, old + second_operand(c, i, size))
/* clang-format on */

ALWAYS void locked(Cpu *c, const Insn *i, unsigned size, Change *change)
{
    uint32_t ax = flags_get(c);

    change_memory(c, i, operand_linear(c, i, IN_M, size, true), size, change, &ax);
    flags_put(c, ax);
}

/* The bit offset may reach beyond the operand, as without LOCK. */
ALWAYS void locked_bit(Cpu *c, const Insn *i, unsigned size, Change *change)
{
    uint32_t ax = flags_get(c);
    uint64_t at = operand_offset(c, i);

    if (i->operand[1].kind != OPERAND_IMM) {
        unsigned shift = size == 8 ? 6 : size == 4 ? 5 : 4;
        int64_t bit = (int64_t)sign_extend(reg_load(operand_reg(c, i, 1), size), size);

        at += (uint64_t)(bit >> shift) * size;
    }
    change_memory(c, i, seg_linear(c, i->seg, addr_wrap(at, i->addrsize), size, true), size, change,
                  &ax);
    flags_put(c, ax);
}

ALWAYS void xchg(Cpu *c, const Insn *i, unsigned size)
{
    uint32_t ax = 0;
    void *reg = operand_reg(c, i, 1);
    uint64_t old = change_memory(c, i, operand_linear(c, i, IN_M, size, true), size, exchange, &ax);
    reg_store(reg, old, size);
}

/* ---- XADD ---- */

ALWAYS void xadd(Cpu *c, const Insn *i, unsigned size, bool atomic)
{
    Where where = operand_where(c, i, 0);
    void *reg = operand_reg(c, i, 1);
    uint64_t b = reg_load(reg, size), old, sum;
    uint32_t ax = 0, flags;

    if (atomic) {
        old = change_memory(c, i, operand_linear(c, i, IN_M, size, true), size, add_only, &ax);
        host_add(old, b, size, &flags);
        reg_store(reg, old, size);
    } else {
        Place p = place_find(c, i, 0, where, size);

        old = place_load(c, &p, where, size);
        sum = host_add(old, b, size, &flags);
        if (where == IN_R) {
            reg_store(reg, old, size); /* first: the sum wins where both are one register */
            reg_store(p.host, sum, size);
        } else {
            place_store(c, &p, where, size, sum);
            reg_store(reg, old, size);
        }
    }
    flags_put(c, flags);
}

/* ---- CMPXCHG ---- */

CHANGE(compare_exchange,
       old == gpr_load(c, R_AX, size) ? reg_load(operand_reg(c, i, 1), size) : old)

ALWAYS void cmpxchg(Cpu *c, const Insn *i, unsigned size, bool atomic)
{
    Where where = operand_where(c, i, 0);
    uint64_t expected = gpr_load(c, R_AX, size), old;
    uint32_t ax = 0;

    if (atomic) {
        old = change_memory(c, i, operand_linear(c, i, IN_M, size, true), size, compare_exchange,
                            &ax);
    } else {
        Place p = place_find(c, i, 0, where, size);

        old = place_load(c, &p, where, size);
        /* Memory is written either way, a register only when it was equal. */
        if (where != IN_R || old == expected) {
            place_store(c, &p, where, size, compare_exchange(c, i, old, size, &ax));
        }
    }
    if (old != expected) {
        gpr_store(c, R_AX, old, size);
    }
    host_sub(expected, old, size, &ax);
    flags_put(c, ax);
}

/* ---- CMPXCHG8B and CMPXCHG16B ---- */

CHANGE(compare_exchange_8,
       old == ((uint64_t)(uint32_t)c->s.gpr[R_DX] << 32 | (uint32_t)c->s.gpr[R_AX])
           ? (uint64_t)(uint32_t)c->s.gpr[R_CX] << 32 | (uint32_t)c->s.gpr[R_BX]
           : old)

RUN(cmpxchg8b)
{
    uint64_t expected = (uint64_t)(uint32_t)c->s.gpr[R_DX] << 32 | (uint32_t)c->s.gpr[R_AX], old;
    uint32_t ax = 0;

    old = change_memory(c, i, operand_linear(c, i, IN_M, 8, true), 8, compare_exchange_8, &ax);
    if (old != expected) {
        gpr_store(c, R_AX, old, 4);
        gpr_store(c, R_DX, old >> 32, 4);
    }
    flag_put(c, FLAG_ZF, old == expected);
}

typedef struct Pair {
    uint64_t low, high;
} Pair;

/* Replace *at by rcx:rbx if it is *old; *old is what was there. */
static bool swap_16(void *at, Pair *old, uint64_t low, uint64_t high)
{
    bool done;

    __asm__ volatile("lock cmpxchg16b %1\n\tsete %0"
                     : "=q"(done), "+m"(*(Pair *)at), "+a"(old->low), "+d"(old->high)
                     : "b"(low), "c"(high)
                     : "cc", "memory");
    return done;
}

/* Not RAM, since it is aligned: two reads and two writes. */
static void slow_16(Cpu *c, uint64_t linear)
{
    uint64_t low = mem_read_slow(c, linear, 8, ACCESS_READ);
    uint64_t high = mem_read_slow(c, linear + 8, 8, ACCESS_READ);
    bool same = low == c->s.gpr[R_AX] && high == c->s.gpr[R_DX];

    mem_write_slow(c, linear, same ? c->s.gpr[R_BX] : low, 8, ACCESS_WRITE);
    mem_write_slow(c, linear + 8, same ? c->s.gpr[R_CX] : high, 8, ACCESS_WRITE);
    c->s.gpr[R_AX] = low;
    c->s.gpr[R_DX] = high;
    flag_put(c, FLAG_ZF, same);
}

RUN(cmpxchg16b)
{
    uint64_t linear = operand_linear(c, i, IN_M, 16, true);
    Pair old = {c->s.gpr[R_AX], c->s.gpr[R_DX]};
    uint8_t *host;
    bool same;

    if (linear & 15) {
        raise_error(c, EXC_GP, 0);
    }
    host = mem_pointer_slow(c, linear, 16);
    if (!host) {
        slow_16(c, linear);
        return;
    }
    same = swap_16(host, &old, c->s.gpr[R_BX], c->s.gpr[R_CX]);
    mem_written(c, linear, 16);
    c->s.gpr[R_AX] = old.low;
    c->s.gpr[R_DX] = old.high;
    flag_put(c, FLAG_ZF, same);
}

/* ---- handlers by size ---- */

/* clang-format off */
#define BY_SIZE(name, call)                                          \
    RUN(name##_1) { enum { SIZE = 1 }; call; }                       \
    RUN(name##_2) { enum { SIZE = 2 }; call; }                       \
    RUN(name##_4) { enum { SIZE = 4 }; call; }                       \
    RUN(name##_8) { enum { SIZE = 8 }; call; }                       \
    static InsnRun *const name##_sizes[SIZE_COUNT] = {name##_1, name##_2, name##_4, name##_8};

BY_SIZE(run_add, locked(c, i, SIZE, locked_add))
BY_SIZE(run_or, locked(c, i, SIZE, locked_or))
BY_SIZE(run_adc, locked(c, i, SIZE, locked_adc))
BY_SIZE(run_sbb, locked(c, i, SIZE, locked_sbb))
BY_SIZE(run_and, locked(c, i, SIZE, locked_and))
BY_SIZE(run_sub, locked(c, i, SIZE, locked_sub))
BY_SIZE(run_xor, locked(c, i, SIZE, locked_xor))
BY_SIZE(run_inc, locked(c, i, SIZE, locked_inc))
BY_SIZE(run_dec, locked(c, i, SIZE, locked_dec))
BY_SIZE(run_neg, locked(c, i, SIZE, locked_neg))
BY_SIZE(run_not, locked(c, i, SIZE, locked_not))
BY_SIZE(run_bts, locked_bit(c, i, SIZE, locked_bts))
BY_SIZE(run_btr, locked_bit(c, i, SIZE, locked_btr))
BY_SIZE(run_btc, locked_bit(c, i, SIZE, locked_btc))
BY_SIZE(run_xchg, xchg(c, i, SIZE))
BY_SIZE(run_xadd, xadd(c, i, SIZE, false))
BY_SIZE(run_xadd_locked, xadd(c, i, SIZE, true))
BY_SIZE(run_cmpxchg, cmpxchg(c, i, SIZE, false))
BY_SIZE(run_cmpxchg_locked, cmpxchg(c, i, SIZE, true))

static InsnRun *bind_locked(const Insn *i, unsigned at)
{
    switch (i->op) {
    case OP_ADD:     return run_add_sizes[at];
    case OP_OR:      return run_or_sizes[at];
    case OP_ADC:     return run_adc_sizes[at];
    case OP_SBB:     return run_sbb_sizes[at];
    case OP_AND:     return run_and_sizes[at];
    case OP_SUB:     return run_sub_sizes[at];
    case OP_XOR:     return run_xor_sizes[at];
    case OP_INC:     return run_inc_sizes[at];
    case OP_DEC:     return run_dec_sizes[at];
    case OP_NEG:     return run_neg_sizes[at];
    case OP_NOT:     return run_not_sizes[at];
    case OP_BTS:     return run_bts_sizes[at];
    case OP_BTR:     return run_btr_sizes[at];
    case OP_BTC:     return run_btc_sizes[at];
    case OP_XADD:    return run_xadd_locked_sizes[at];
    case OP_CMPXCHG: return run_cmpxchg_locked_sizes[at];
    default:         return NULL;
    }
}

InsnRun *bind_atomic(Cpu *c, const Insn *i)
{
    unsigned at = size_index(i->opsize);
    bool memory = i->operand[0].kind == OPERAND_MEM;

    switch (i->op) {
    case OP_XCHG:       return memory ? run_xchg_sizes[at] : NULL;
    case OP_CMPXCHG8B:  return cmpxchg8b;
    case OP_CMPXCHG16B: return cmpxchg16b;
    default:            break;
    }
    if (i->prefix & PREFIX_LOCK) {
        return memory ? bind_locked(i, at) : NULL;
    }
    return i->op == OP_XADD      ? run_xadd_sizes[at]
           : i->op == OP_CMPXCHG ? run_cmpxchg_sizes[at]
                                 : NULL;
}
/* clang-format on */
