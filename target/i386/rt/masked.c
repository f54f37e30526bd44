/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vector instructions that touch only part of their memory operand: MASKMOVQ, MASKMOVDQU,
 * VMASKMOV, VPMASKMOV (SDM volume 2). What is not selected may lie in a page that is not there.
 * Where the whole operand is in one page of RAM the host does it; else element-wise, by block
 * accesses, which check no alignment: none of these reports #AC.
 * Gathers are in gather.c, EVEX masks in evex.c.
 */
#include "target/i386/decode/table.h"
#include "target/i386/rt/host.h"
#include "target/i386/rt/stub.h"

/* Is the sign bit of that element set? Elements: 1, 4 or 8 bytes. */
static bool selected(const uint8_t *mask, unsigned n, unsigned bytes)
{
    return mask[n * bytes + bytes - 1] & 0x80;
}

/* A whole operand, or as much of it as is selected. */
typedef struct Masked {
    unsigned seg, vector_bytes, bytes; /* of the vector; of an element */
    uint64_t offset;
    unsigned addrsize;
} Masked;

/* Each element is checked against the segment by itself. */
static uint64_t element_linear(Cpu *c, const Masked *m, unsigned n, bool write)
{
    uint64_t offset = addr_wrap(m->offset + n * m->bytes, m->addrsize);

    return seg_linear(c, m->seg, offset, m->bytes, write);
}

static void write_selected(Cpu *c, const Masked *m, const uint8_t *data, const uint8_t *mask)
{
    for (unsigned n = 0; n < m->vector_bytes / m->bytes; n++) {
        if (selected(mask, n, m->bytes)) {
            mem_probe(c, element_linear(c, m, n, true), m->bytes, ACCESS_WRITE);
        }
    }
    for (unsigned n = 0; n < m->vector_bytes / m->bytes; n++) {
        if (selected(mask, n, m->bytes)) {
            mem_write_block(c, element_linear(c, m, n, true), data + n * m->bytes, m->bytes,
                            ACCESS_WRITE);
        }
    }
}

static void read_selected(Cpu *c, const Masked *m, uint8_t *data, const uint8_t *mask)
{
    __builtin_memset(data, 0, m->vector_bytes);
    for (unsigned n = 0; n < m->vector_bytes / m->bytes; n++) {
        if (selected(mask, n, m->bytes)) {
            mem_read_block(c, element_linear(c, m, n, false), data + n * m->bytes, m->bytes,
                           ACCESS_READ);
        }
    }
}

/* ---- MASKMOVQ, MASKMOVDQU: DS:rDI ---- */

static void mmx_get(Cpu *c, unsigned reg, uint8_t *to)
{
    StubCode code = {.len = 3, .bytes = {0x0f, 0x7f, (reg & 7) << 3 | 7}};
    StubRegs r = {0};
    uint32_t trap = stub_call(c, stub_find(c, &code, false), to, &r);

    if (trap) {
        stub_trap(c, trap);
    }
}

static void register_operands(const Insn *i, uint8_t kind, unsigned reg[2])
{
    unsigned count = 0;

    for (unsigned n = 0; n < 4 && count < 2; n++) {
        if (i->operand[n].kind == kind) {
            reg[count++] = i->operand[n].reg;
        }
    }
}

static void run_maskmov(Cpu *c, const Insn *i)
{
    bool mmx = i->op == OP_MASKMOVQ;
    unsigned bytes = mmx ? 8 : 16, reg[2] = {0, 0};
    uint8_t data[16], mask[16];
    Masked m = {.seg = i->seg,
                .vector_bytes = bytes,
                .bytes = 1,
                .offset = addr_wrap(c->s.gpr[R_DI], i->addrsize),
                .addrsize = i->addrsize};

    fpu_check(c, mmx ? FPU_MMX : i->flags & INSN_VEX ? FPU_AVX : FPU_SSE);
    fpu_live(c);
    register_operands(i, mmx ? OPERAND_MM : OPERAND_XMM, reg);
    if (mmx) {
        mmx_get(c, reg[0], data);
        mmx_get(c, reg[1], mask);
    } else {
        vector_get(c, reg[0], 16, data);
        vector_get(c, reg[1], 16, mask);
    }
    write_selected(c, &m, data, mask);
}

/* ---- VMASKMOV, VPMASKMOV ---- */

static unsigned mask_element(const Insn *i)
{
    return i->op == OP_VMASKMOVPD || i->op == OP_VPMASKMOVQ ? 8 : 4;
}

static void masked_stub(Cpu *c, const Insn *i, void *at)
{
    StubCode code;
    StubRegs r = {0};
    uint32_t trap;

    fpu_live(c);
    stub_encode(i, c->code_size == CODE_64, &code);
    trap = stub_call(c, stub_find(c, &code, false), at, &r);
    if (trap) {
        stub_trap(c, trap);
    }
}

/* All of it in one page of RAM, and no segment in the way. */
static void *whole_operand(Cpu *c, const Masked *m, bool store)
{
    if (c->code_size != CODE_64 || m->seg >= SEG_FS) {
        return NULL;
    }
    return store ? tlb_writes(c->tlb, m->offset, m->vector_bytes)
                 : tlb_reads(c->tlb, m->offset, m->vector_bytes);
}

static void run_vmaskmov(Cpu *c, const Insn *i)
{
    bool store = i->operand[0].kind == OPERAND_MEM;
    Masked m = {.seg = i->seg,
                .vector_bytes = i->vl,
                .bytes = mask_element(i),
                .offset = insn_offset(c, i),
                .addrsize = i->addrsize};
    uint8_t mask[32], data[32];
    void *whole;

    fpu_check(c, FPU_AVX);
    if ((whole = whole_operand(c, &m, store))) {
        masked_stub(c, i, whole);
        return;
    }
    fpu_live(c);
    vector_get(c, i->operand[1].reg, i->vl, mask);
    if (store) {
        vector_get(c, i->operand[2].reg, i->vl, data);
        write_selected(c, &m, data, mask);
    } else {
        read_selected(c, &m, data, mask);
        __builtin_memcpy(c->fpu->scratch, data, sizeof data);
        masked_stub(c, i, c->fpu->scratch);
    }
}

InsnRun *bind_masked(Cpu *c, Insn *i)
{
    (void)c;
    switch (i->op) {
    case OP_MASKMOVQ:
    case OP_MASKMOVDQU:
    case OP_VMASKMOVDQU:
        return run_maskmov;
    case OP_VMASKMOVPS:
    case OP_VMASKMOVPD:
    case OP_VPMASKMOVD:
    case OP_VPMASKMOVQ:
        return run_vmaskmov;
    default:
        return NULL;
    }
}
