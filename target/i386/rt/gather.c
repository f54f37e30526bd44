/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gathers and scatters (SDM volume 2, VGATHERDPS ... VPSCATTERQQ). Elements are accessed one after
 * the other, from the lowest. A fault leaves those before it done: their elements of the mask are
 * clear, and the instruction goes on with the rest when it is executed again. VEX forms take the
 * mask from the sign bits of a vector register, EVEX forms from a mask register.
 * Not modelled: #AC; the prefetching forms of Xeon Phi.
 */
#include "target/i386/decode/table.h"
#include "target/i386/rt/host.h"
#include "target/i386/rt/stub.h"

typedef struct Gather {
    uint8_t data[64], mask[32], index[64]; /* mask: of VEX */
    uint64_t todo;                         /* a bit an element */
    uint64_t upper;                        /* of the mask register, without elements of their own */
    unsigned bytes, index_bytes, count;    /* of an element; of an index; elements */
} Gather;

static uint64_t element(const uint8_t *vector, unsigned n, unsigned bytes)
{
    uint64_t value = 0;

    __builtin_memcpy(&value, vector + n * bytes, bytes);
    return value;
}

static void gather_shape(const Insn *i, Gather *g)
{
    g->bytes = g->index_bytes = 4;
    switch (i->op) {
    case OP_VGATHERDPD:
    case OP_VPGATHERDQ:
    case OP_VSCATTERDPD:
    case OP_VPSCATTERDQ:
        g->bytes = 8;
        break;
    case OP_VGATHERQPS:
    case OP_VPGATHERQD:
    case OP_VSCATTERQPS:
    case OP_VPSCATTERQD:
        g->index_bytes = 8;
        break;
    case OP_VGATHERQPD:
    case OP_VPGATHERQQ:
    case OP_VSCATTERQPD:
    case OP_VPSCATTERQQ:
        g->bytes = g->index_bytes = 8;
        break;
    default: /* ..DPS, ..DD */
        break;
    }
    g->count = i->vl / (g->bytes > g->index_bytes ? g->bytes : g->index_bytes);
}

static void load_mask(Cpu *c, const Insn *i, Gather *g)
{
    uint64_t all = (1ull << g->count) - 1, k;

    if (i->flags & INSN_EVEX) {
        k = mask_get(c, i->mask);
        g->todo = k & all;
        g->upper = k & ~all;
        return;
    }
    vector_get(c, i->operand[2].reg, 32, g->mask);
    for (unsigned n = 0; n < g->count; n++) {
        g->todo |= (uint64_t)(g->mask[(n + 1) * g->bytes - 1] >> 7) << n;
    }
}

static uint64_t gather_offset(const Cpu *c, const Insn *i, const Gather *g, unsigned n)
{
    uint64_t index = element(g->index, n, g->index_bytes), at = (int64_t)i->disp;

    if (g->index_bytes == 4) {
        index = (int64_t)(int32_t)index;
    }
    if (i->base < 16) {
        at += c->s.gpr[i->base];
    }
    return addr_wrap(at + (index << i->scale), i->addrsize);
}

/* What has been done so far stays when the next element faults; upper halves are cleared only at
 * the end. */
static void gather_commit(Cpu *c, const Insn *i, const Gather *g, bool end)
{
    fpu_live(c);
    if (i->flags & INSN_EVEX) {
        if (i->operand[0].kind != OPERAND_MEM) {
            vector_set(c, i->operand[0].reg, 64, g->data, true);
        }
        mask_set(c, i->mask, g->todo | (end ? 0 : g->upper));
    } else {
        vector_set(c, i->operand[0].reg, i->vl, g->data, end);
        vector_set(c, i->operand[2].reg, i->vl, g->mask, end);
    }
}

static void element_load(Cpu *c, const Insn *i, Gather *g, unsigned n)
{
    bool may_raise = c->code_size != CODE_64 && !c->flat;
    uint64_t offset = gather_offset(c, i, g, n), linear;
    const void *host;

    if (may_raise && n) {
        gather_commit(c, i, g, false);
    }
    linear = seg_linear(c, i->seg, offset, g->bytes, false);
    host = tlb_reads(c->tlb, linear, g->bytes);
    if (likely(host != NULL)) {
        __builtin_memcpy(g->data + n * g->bytes, host, g->bytes);
        return;
    }
    if (n) {
        gather_commit(c, i, g, false);
    }
    mem_read_block(c, linear, g->data + n * g->bytes, g->bytes, ACCESS_READ);
}

static void element_store(Cpu *c, const Insn *i, Gather *g, unsigned n)
{
    uint64_t linear;

    if (n) {
        gather_commit(c, i, g, false);
    }
    linear = seg_linear(c, i->seg, gather_offset(c, i, g, n), g->bytes, true);
    mem_write(c, linear, element(g->data, n, g->bytes), g->bytes);
}

static void element_done(Gather *g, unsigned n)
{
    g->todo &= ~(1ull << n);
    if ((n + 1) * g->bytes <= sizeof g->mask) {
        __builtin_memset(g->mask + n * g->bytes, 0, g->bytes);
    }
}

static void run_gather(Cpu *c, const Insn *i)
{
    bool evex = i->flags & INSN_EVEX;
    Gather g = {.todo = 0};

    gather_shape(i, &g);
    fpu_check(c, evex ? FPU_AVX512 : FPU_AVX);
    fpu_live(c);
    vector_get(c, i->operand[0].reg, evex ? 64 : 32, g.data);
    vector_get(c, i->index, evex ? 64 : 32, g.index);
    load_mask(c, i, &g);
    for (unsigned n = 0; n < g.count; n++) {
        if (g.todo >> n & 1) {
            element_load(c, i, &g, n);
        }
        element_done(&g, n);
    }
    __builtin_memset(g.mask, 0, sizeof g.mask);
    __builtin_memset(g.data + g.count * g.bytes, 0, sizeof g.data - g.count * g.bytes);
    gather_commit(c, i, &g, true);
}

static void run_scatter(Cpu *c, const Insn *i)
{
    Gather g = {.todo = 0};

    gather_shape(i, &g);
    fpu_check(c, FPU_AVX512);
    fpu_live(c);
    vector_get(c, i->operand[1].reg, 64, g.data);
    vector_get(c, i->index, 64, g.index);
    load_mask(c, i, &g);
    for (unsigned n = 0; n < g.count; n++) {
        if (g.todo >> n & 1) {
            element_store(c, i, &g, n);
        }
        element_done(&g, n);
    }
    gather_commit(c, i, &g, true);
}

InsnRun *bind_gather(Cpu *c, Insn *i)
{
    unsigned to = i->operand[0].reg, mask = i->operand[2].reg;

    (void)c;
    if (!(insn_row(i)->attr & ROW_VSIB)) {
        return NULL;
    }
    if (i->operand[0].kind == OPERAND_MEM) {
        return run_scatter;
    }
    if (to == i->index || (!(i->flags & INSN_EVEX) && (to == mask || mask == i->index))) {
        return run_undefined;
    }
    return run_gather;
}
