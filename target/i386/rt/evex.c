/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * EVEX instructions that access memory under a mask (SDM volume 2, "Exceptions types of
 * EVEX-encoded instructions", "Compressed displacement", VPCOMPRESS, VPEXPAND). What the mask
 * leaves out may lie in a page that is not there. Where the whole operand is in one page of RAM the
 * host does it, mask and all; else the wanted elements are read into a buffer first, or written
 * from it, and the host runs the instruction on the buffer. Forms of the classes NF access all of
 * their operand. Not modelled: #AC where elements are accessed by themselves; the maps 5 and 6
 * (AVX512-FP16).
 */
#include "target/i386/decode/table.h"
#include "target/i386/rt/stub.h"

/* The memory operand as the mask sees it. */
typedef struct Lanes {
    unsigned count, bytes; /* elements; of one */
    uint64_t wanted;       /* a bit an element */
    uint64_t offset;
    unsigned size; /* of the whole operand */
} Lanes;

static uint64_t ones(unsigned n)
{
    return n < 64 ? (1ull << n) - 1 : ~0ull;
}

static unsigned count_ones(uint64_t bits)
{
    unsigned n = 0;

    for (; bits; bits &= bits - 1) {
        n++;
    }
    return n;
}

/* Which parts of the operand the mask selects. */
static void lanes_find(Cpu *c, const Insn *i, Lanes *l)
{
    const InsnRow *row = insn_row(i);
    unsigned grain = 1u << (row->attr >> ROW_LANE_SHIFT & 3), lanes = i->vl / grain;
    uint64_t k;

    fpu_live(c);
    k = mask_get(c, i->mask);
    if (!(row->attr & ROW_VL)) { /* a scalar */
        *l = (Lanes){1, l->size, k & 1, l->offset, l->size};
    } else if (row->attr & ROW_ONE || i->flags & INSN_BROADCAST) {
        *l = (Lanes){1, l->size, !!(k & ones(lanes)), l->offset, l->size};
    } else if (row->tuple) { /* compress and expand: without gaps */
        lanes = count_ones(k & ones(lanes));
        *l = (Lanes){lanes, grain, ones(lanes), l->offset, l->size};
    } else {
        lanes = row->attr & ROW_WHOLE ? l->size / grain : lanes; /* VEXTRACT */
        *l = (Lanes){lanes, l->size / lanes, k & ones(lanes), l->offset, l->size};
    }
}

static uint64_t lane_linear(Cpu *c, const Insn *i, const Lanes *l, unsigned n, bool write)
{
    uint64_t offset = addr_wrap(l->offset + n * l->bytes, i->addrsize);
    uint64_t linear = seg_linear(c, i->seg, offset, l->bytes, write);

    if (l->bytes == l->size && l->size <= 8) {
        alignment_check(c, linear, l->size);
    }
    return linear;
}

static void lanes_read(Cpu *c, const Insn *i, const Lanes *l, uint8_t *to)
{
    __builtin_memset(to, 0, l->size);
    for (unsigned n = 0; n < l->count; n++) {
        if (l->wanted >> n & 1) {
            mem_read_block(c, lane_linear(c, i, l, n, false), to + n * l->bytes, l->bytes,
                           ACCESS_READ);
        }
    }
}

static void lanes_probe(Cpu *c, const Insn *i, const Lanes *l)
{
    for (unsigned n = 0; n < l->count; n++) {
        if (l->wanted >> n & 1) {
            mem_probe(c, lane_linear(c, i, l, n, true), l->bytes, ACCESS_WRITE);
        }
    }
}

static void lanes_write(Cpu *c, const Insn *i, const Lanes *l, const uint8_t *from)
{
    for (unsigned n = 0; n < l->count; n++) {
        if (l->wanted >> n & 1) {
            mem_write_block(c, lane_linear(c, i, l, n, true), from + n * l->bytes, l->bytes,
                            ACCESS_WRITE);
        }
    }
}

/* All of the operand in one page of RAM, and no segment in the way; else NULL. */
static void *whole_operand(Cpu *c, const Insn *i, const Lanes *l, bool store)
{
    if (c->code_size != CODE_64 || i->seg >= SEG_FS) {
        return NULL;
    }
    return store ? tlb_writes(c->tlb, l->offset, l->size) : tlb_reads(c->tlb, l->offset, l->size);
}

/* Comes before all that the mask could suppress. */
static void check_aligned(Cpu *c, const Insn *i, const Lanes *l)
{
    bool based = c->code_size != CODE_64 || i->seg >= SEG_FS;
    uint64_t linear = l->offset + (based ? c->s.seg[i->seg].base : 0);

    if (insn_row(i)->attr & ROW_ALIGN && linear & (l->size - 1)) {
        raise_error(c, EXC_GP, 0);
    }
}

static void stub_on(Cpu *c, const Insn *i, void *at)
{
    StubRegs r = {0};
    uint32_t trap;

    fpu_live(c); /* after the access, which may have left the library */
    trap = stub_call(c, stub_at(c, i), at, &r);
    if (unlikely(trap)) {
        stub_trap(c, trap);
    }
}

static Lanes operand_of(Cpu *c, const Insn *i)
{
    unsigned n = stub_flags(i) >> STUB_MEM_SHIFT & 3;

    return (Lanes){.offset = insn_offset(c, i), .size = i->operand[n].size};
}

static void run_masked_load(Cpu *c, const Insn *i)
{
    Lanes l;
    void *at;

    fpu_want(c, FPU_AVX512);
    l = operand_of(c, i);
    check_aligned(c, i, &l);
    at = whole_operand(c, i, &l, false);
    if (!at) {
        lanes_find(c, i, &l);
        lanes_read(c, i, &l, c->fpu->scratch);
        at = c->fpu->scratch;
    }
    stub_on(c, i, at);
}

static void run_masked_store(Cpu *c, const Insn *i)
{
    Lanes l;
    void *at;

    fpu_want(c, FPU_AVX512);
    l = operand_of(c, i);
    check_aligned(c, i, &l);
    at = whole_operand(c, i, &l, true);
    if (at) {
        stub_on(c, i, at);
        return;
    }
    lanes_find(c, i, &l);
    if (insn_row(i)->attr & ROW_WHOLE) {
        mem_probe(c, seg_linear(c, i->seg, l.offset, l.size, true), l.size, ACCESS_WRITE);
    }
    lanes_probe(c, i, &l);
    stub_on(c, i, c->fpu->scratch);
    lanes_write(c, i, &l, c->fpu->scratch);
}

InsnRun *bind_evex(Cpu *c, Insn *i)
{
    uint32_t flags = stub_flags(i);
    bool whole = insn_row(i)->attr & ROW_WHOLE;

    (void)c;
    if (!(i->flags & INSN_EVEX) || !i->mask) {
        return NULL;
    }
    return flags & STUB_STORE          ? run_masked_store
         : flags & STUB_LOAD && !whole ? run_masked_load
                                       : NULL;
}
