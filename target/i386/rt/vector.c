/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x87, MMX, SSE, AVX and AVX-512 instructions as stubs: what each needs around it is worked out
 * once, when it is bound (SDM volume 1, chapters 8 to 15; volume 2, "Exceptions types" of SSE and
 * VEX). A memory operand that lies in one page of RAM is used where it is, so that it is as atomic
 * as the host's; all others go through a scratch buffer. Not modelled: XOP, 3DNow!. #AC is checked
 * where the alignment does not matter to the instruction itself, for operands of up to 8 bytes.
 */
#include "target/i386/decode/groups.h"
#include "target/i386/decode/table.h"
#include "target/i386/rt/host.h"
#include "target/i386/rt/stub.h"

static inline void check(Cpu *c, uint32_t flags)
{
    if (!(flags & STUB_FREE)) {
        fpu_want(c, flags & STUB_KIND);
    }
}

/* A stub that needs nothing but registers of its own kind. */
static void run_registers(Cpu *c, const Insn *i)
{
    StubRegs r = {0};
    uint32_t flags = stub_flags(i), trap;

    check(c, flags);
    fpu_live(c);
    trap = stub_call(c, stub_at(c, i), NULL, &r);
    if (unlikely(trap)) {
        stub_trap(c, trap);
    }
    if (flags & STUB_X87) {
        x87_remember(c, i, false, 0);
    }
}

/* ---- memory operands ---- */

static inline uint64_t operand_linear(Cpu *c, const Insn *i, uint64_t offset, unsigned size,
                                      bool write)
{
    uint64_t linear = seg_linear(c, i->seg, offset, size, write);

    if (stub_flags(i) & STUB_ALIGNED && linear & (size - 1)) {
        raise_error(c, EXC_GP, 0);
    }
    alignment_check(c, linear, size);
    return linear;
}

static inline void *load_operand(Cpu *c, uint64_t linear, unsigned size)
{
    void *host = tlb_reads(c->tlb, linear, size);

    if (likely(host != NULL)) {
        return host;
    }
    mem_read_block(c, linear, c->fpu->scratch, size, ACCESS_READ);
    return c->fpu->scratch;
}

/* NULL: not in one page that may simply be written; then all of it has been checked. */
static inline void *store_operand(Cpu *c, uint64_t linear, unsigned size)
{
    void *host = tlb_writes(c->tlb, linear, size);

    if (likely(host != NULL)) {
        return host;
    }
    mem_probe(c, linear, size, ACCESS_WRITE);
    return NULL;
}

static void load_general(Cpu *c, const Insn *i, uint32_t flags, StubRegs *r)
{
    const Operand *g = &i->operand[flags >> STUB_GPR_SHIFT & 3];

    r->cx = c->s.gpr[R_CX];
    r->dx = c->s.gpr[R_DX];
    r->ax = flags & STUB_GPR_IN ? c->s.gpr[g->reg]
          : flags & STUB_COUNTS ? c->s.gpr[R_AX]
                                : (c->s.rflags & 0xff) << 8; /* for the SAHF before FCMOVcc */
}

static void store_general(Cpu *c, const Insn *i, uint32_t flags, const StubRegs *r)
{
    const Operand *g = &i->operand[flags >> STUB_GPR_SHIFT & 3];

    if (flags & STUB_GPR_OUT) {
        c->s.gpr[g->reg] = g->size == 8 ? r->ax
                         : g->size == 4 ? (uint32_t)r->ax
                                        : (c->s.gpr[g->reg] & ~0xffffull) | (uint16_t)r->ax;
    }
    if (flags & STUB_COUNTS) {
        c->s.gpr[R_CX] = r->cx;
    }
    if (flags & STUB_FLAGS) {
        uint64_t written = insn_row(i)->written & FLAGS_ARITH;

        c->s.rflags = (c->s.rflags & ~written) | (r->flags & written);
    }
}

/* x87 and MMX report what is pending before they look at memory. */
static void wait_first(Cpu *c, const Insn *i, uint32_t flags)
{
    bool conversion = i->op == OP_CVTPI2PD || i->op == OP_CVTPI2PS; /* from memory: no MMX */
    bool mmx = insn_row(i)->attr & ROW_MMX && !conversion;

    if (flags & STUB_X87 || mmx || i->op == OP_FLDCW) {
        x87_wait(c);
    }
}

/* From memory to a vector register, the commonest kind. */
static void run_load_vector(Cpu *c, const Insn *i)
{
    StubRegs r = {0};
    uint32_t flags = stub_flags(i), trap;
    unsigned size = i->operand[flags >> STUB_MEM_SHIFT & 3].size;
    void *at;

    check(c, flags);
    at = load_operand(c, operand_linear(c, i, insn_offset(c, i), size, false), size);
    fpu_live(c); /* after the access, which may have left the library */
    trap = stub_call(c, stub_at(c, i), at, &r);
    if (unlikely(trap)) {
        stub_trap(c, trap);
    }
}

/* Any stub that does not store. */
static void run_load(Cpu *c, const Insn *i)
{
    StubRegs r = {0};
    uint32_t flags = stub_flags(i), trap;
    uint64_t offset = 0;
    void *at = NULL;

    check(c, flags);
    if (flags & STUB_LOAD) {
        unsigned size = i->operand[flags >> STUB_MEM_SHIFT & 3].size;

        wait_first(c, i, flags);
        offset = insn_offset(c, i);
        at = load_operand(c, operand_linear(c, i, offset, size, false), size);
    }
    fpu_live(c);
    load_general(c, i, flags, &r);
    trap = stub_call(c, stub_at(c, i), at, &r);
    if (unlikely(trap)) {
        stub_trap(c, trap);
    }
    store_general(c, i, flags, &r);
    if (flags & STUB_X87) {
        x87_remember(c, i, flags & STUB_LOAD, offset);
    }
}

/* An x87 store whose exception is unmasked stores nothing, but for the inexact one. */
static bool x87_stored_nothing(Cpu *c)
{
    uint16_t control[2];
    StubCode fnstcw = {.len = 2, .bytes = {0xd9, 0x3f}};
    StubRegs r = {0};
    uint16_t status = fpu_status(c);

    if (likely(!(status & FSW_ES))) {
        return false;
    }
    stub_call(c, stub_find(c, &fnstcw, false), control, &r);
    return status & ~control[0] & 0x1f;
}

static void run_store(Cpu *c, const Insn *i)
{
    StubRegs r = {0};
    uint32_t flags = stub_flags(i), trap;
    unsigned size = i->operand[flags >> STUB_MEM_SHIFT & 3].size;
    uint64_t offset, linear;
    void *at;

    check(c, flags);
    wait_first(c, i, flags);
    offset = insn_offset(c, i);
    linear = operand_linear(c, i, offset, size, true);
    at = store_operand(c, linear, size);
    fpu_live(c);
    load_general(c, i, flags, &r);
    trap = stub_call(c, stub_at(c, i), at ? at : c->fpu->scratch, &r);
    if (unlikely(trap)) {
        stub_trap(c, trap);
    }
    if (flags & STUB_X87) {
        x87_remember(c, i, true, offset);
    }
    if (!at && !(flags & STUB_X87 && x87_stored_nothing(c))) {
        mem_write_block(c, linear, c->fpu->scratch, size, ACCESS_WRITE);
    }
}

/* Outside 64-bit mode there are eight registers, and the others keep what they have. */
static void run_vzero(Cpu *c, const Insn *i)
{
    fpu_check(c, FPU_AVX);
    fpu_live(c);
    for (unsigned n = 0; n < 8; n++) {
        /* VMOVAPS xmm, xmm clears the upper half, VXORPS xmm, xmm, xmm all of it */
        StubCode code = {.len = 4, .bytes = {0xc5, 0xf8, 0x28, 0xc0 | n << 3 | n}};
        StubRegs r = {0};

        if (i->op == OP_VZEROALL) {
            code.bytes[1] = 0x80 | (~n & 15) << 3;
            code.bytes[2] = 0x57;
        }
        stub_call(c, stub_find(c, &code, false), NULL, &r);
    }
}

/* ---- binding ---- */

static uint64_t operand_flags(const Insn *i)
{
    bool x87 = insn_row(i)->fpu == ROW_FPU_X87;
    uint64_t flags = 0;

    for (unsigned n = 0; n < 4; n++) {
        if (i->operand[n].kind == OPERAND_MEM) {
            bool store = x87 ? x87_stores(i->op) : n == 0;

            flags |= n << STUB_MEM_SHIFT | (store ? STUB_STORE : STUB_LOAD);
        } else if (i->operand[n].kind == OPERAND_GPR) {
            flags |= n << STUB_GPR_SHIFT | (n == 0 ? STUB_GPR_OUT : STUB_GPR_IN);
        }
    }
    return flags;
}

static InsnRun *bind_plain(Cpu *c, Insn *i)
{
    const InsnRow *row = insn_row(i);
    uint64_t flags = operand_flags(i) | (row->fpu - ROW_FPU_X87);
    InsnRun *run;

    if (compares_strings(i->op)) {
        flags = (flags & ~(3ull << STUB_GPR_SHIFT | STUB_GPR_IN | STUB_GPR_OUT)) | STUB_COUNTS;
    }
    if (row->fpu == ROW_FPU_X87 && !x87_controls(i->op)) {
        flags |= STUB_X87;
    }
    if (row->attr & ROW_ALIGN) {
        flags |= STUB_ALIGNED;
    }
    if (row->written & FLAGS_ARITH) {
        flags |= STUB_FLAGS;
    }
    stub_bind(c, i, flags);
    if ((run = bind_evex(c, i))) {
        return run;
    }
    if (flags & STUB_STORE) {
        return run_store;
    }
    if ((flags & ~(STUB_KIND | STUB_ALIGNED | 3ull << STUB_MEM_SHIFT)) == STUB_LOAD &&
        !(row->attr & ROW_MMX) && !(row->read & FLAGS_ARITH) && i->op != OP_FLDCW) {
        return run_load_vector;
    }
    if (flags & (STUB_LOAD | STUB_GPR_IN | STUB_GPR_OUT | STUB_COUNTS | STUB_FLAGS) ||
        row->read & FLAGS_ARITH) {
        return run_load;
    }
    return run_registers;
}

InsnRun *bind_vector(Cpu *c, Insn *i)
{
    InsnRun *run;
    const InsnRow *row = insn_row(i);

    if (i->op == OP_XGETBV || i->op == OP_XSETBV) {
        return bind_xsave(c, i);
    }
    if (row->fpu == ROW_FPU_NONE || i->flags & INSN_XOP) {
        return NULL;
    }
    if (row->fpu == ROW_FPU_FXSAVE || row->fpu == ROW_FPU_XSAVE || i->op == OP_LDMXCSR ||
        i->op == OP_VLDMXCSR || i->op == OP_STMXCSR || i->op == OP_VSTMXCSR) {
        return bind_xsave(c, i);
    }
    if ((run = bind_x87_state(c, i)) || (run = bind_masked(c, i)) || (run = bind_gather(c, i))) {
        return run;
    }
    if ((i->op == OP_VZEROALL || i->op == OP_VZEROUPPER) && c->code_size != CODE_64) {
        return run_vzero;
    }
    return bind_plain(c, i);
}
