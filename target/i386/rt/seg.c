/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segments: checks of an address against its segment, descriptors and the loading of segment
 * registers (SDM volume 3, "Protected-mode memory management", "Protection").
 * A null selector in a register is a segment with attributes 0 (SS keeps its DPL: the CPL).
 */
#include "target/i386/rt/sys.h"

static _Noreturn void limit_fault(Cpu *c, unsigned seg, uint64_t offset)
{
    const X86Segment *g = &c->s.seg[seg];

    why(c, "offset %x is outside the segment with selector %x, whose limit is %x", offset,
        g->selector, g->limit);
    raise_error(c, seg == SEG_SS ? EXC_SS : EXC_GP, 0);
}

/* May the segment be read or written at all? Real and V86 mode do not ask. */
static bool rights(const X86Segment *g, bool write)
{
    if (!(g->attr & ATTR_P) || !(g->attr & ATTR_S)) {
        return false;
    }
    if (g->attr & ATTR_CODE) {
        return !write && g->attr & ATTR_WRITE_READ;
    }
    return !write || g->attr & ATTR_WRITE_READ;
}

/* Is [offset, offset+size) inside? A limit of 4 GB - 1 lets accesses wrap around. */
static bool inside(const X86Segment *g, uint64_t offset, unsigned size)
{
    uint64_t last = offset + size - 1;

    if ((g->attr & (ATTR_CODE | ATTR_DOWN_CONFORM | ATTR_S)) == (ATTR_DOWN_CONFORM | ATTR_S)) {
        uint64_t top = g->attr & ATTR_DB ? 0xffffffff : 0xffff;

        return offset > g->limit && last <= top;
    }
    return last <= g->limit || g->limit == 0xffffffff;
}

uint64_t seg_linear_slow(Cpu *c, unsigned seg, uint64_t offset, unsigned size, bool write)
{
    const X86Segment *g = &c->s.seg[seg];

    if (c->code_size == CODE_64) {
        return offset + (seg >= SEG_FS ? g->base : 0);
    }
    if (!real_mode(c) && unlikely(!rights(g, write))) {
        why(c, "the segment with selector %x (attributes %x) may not be accessed so", g->selector,
            g->attr, 0);
        raise_error(c, seg == SEG_SS ? EXC_SS : EXC_GP, 0);
    }
    if (unlikely(!inside(g, offset, size))) {
        limit_fault(c, seg, offset);
    }
    return (uint32_t)(g->base + offset);
}

/* ---- descriptors ---- */

uint64_t descriptor_base(const Descriptor *d)
{
    return d->low >> 16 | (d->high & 0xff) << 16 | (d->high & 0xff000000);
}

uint32_t descriptor_limit(const Descriptor *d)
{
    uint32_t limit = (d->low & 0xffff) | (d->high & 0xf0000);

    return d->high & 0x800000 ? limit << 12 | 0xfff : limit;
}

bool descriptor_read(Cpu *c, uint16_t selector, Descriptor *d)
{
    uint64_t base = c->s.gdtr.base, raw;
    uint32_t limit = c->s.gdtr.limit;

    if (selector & 4) {
        if (!(c->s.seg[SEG_LDTR].attr & ATTR_P)) {
            why(c, "selector %x wants the LDT, and there is none", selector, 0, 0);
            return false;
        }
        base = c->s.seg[SEG_LDTR].base;
        limit = c->s.seg[SEG_LDTR].limit;
    }
    if ((selector | 7u) > limit) {
        why(c, "selector %x is beyond the end of its table, whose limit is %x", selector, limit, 0);
        return false;
    }
    d->at = base + (selector & 0xfff8);
    raw = mem_read_system(c, d->at, 8);
    d->low = raw;
    d->high = raw >> 32;
    why(c, "the descriptor of selector %x is %x %x", selector, d->high, d->low);
    return true;
}

void descriptor_fetch(Cpu *c, uint16_t selector, uint8_t vector, Descriptor *d)
{
    if (null_selector(selector)) {
        why(c, "the selector is null", 0, 0, 0);
        raise_error(c, vector, c->external);
    }
    if (!descriptor_read(c, selector, d)) {
        raise_error(c, vector, selector_error(c, selector));
    }
}

uint64_t system_base(Cpu *c, uint16_t selector, const Descriptor *d)
{
    uint64_t high;

    if (!long_mode(c)) {
        return descriptor_base(d);
    }
    high = mem_read_slow(c, d->at + 8, 8, ACCESS_SYSTEM);
    if (high >> 32 & 0x1f00) {
        why(c, "the upper half of the descriptor of selector %x has a type: %x", selector, high, 0);
        raise_error(c, EXC_GP, selector_error(c, selector));
    }
    return descriptor_base(d) | high << 32;
}

void descriptor_touch(Cpu *c, Descriptor *d)
{
    if (!(d->high & 0x100)) {
        d->high |= 0x100;
        mem_write_slow(c, d->at + 5, d->high >> 8 & 0xff, 1, ACCESS_SYSTEM);
    }
}

X86Segment segment_from(Cpu *c, uint16_t selector, Descriptor *d)
{
    descriptor_touch(c, d);
    return (X86Segment){.selector = selector,
                        .attr = descriptor_attr(d),
                        .limit = descriptor_limit(d),
                        .base = descriptor_base(d)};
}

void segment_real(X86Segment *g, uint16_t selector)
{
    g->selector = selector;
    g->base = (uint32_t)selector << 4;
}

void segment_v86(X86Segment *g, uint16_t selector)
{
    *g = (X86Segment){.selector = selector, .attr = 0xf3, .limit = 0xffff};
    g->base = (uint32_t)selector << 4;
}

/* ---- loading ---- */

X86Segment data_segment(Cpu *c, uint16_t selector)
{
    unsigned level = (selector & 3) > c->cpl ? selector & 3 : c->cpl;
    Descriptor d;

    if (null_selector(selector)) {
        return (X86Segment){.selector = selector};
    }
    descriptor_fetch(c, selector, EXC_GP, &d);
    if (descriptor_system(&d) || (d.high & 0xa00) == 0x800 /* code, not readable */ ||
        ((d.high & 0xc00) != 0xc00 && level > descriptor_dpl(&d))) {
        raise_error(c, EXC_GP, selector_error(c, selector));
    }
    if (!descriptor_present(&d)) {
        raise_error(c, EXC_NP, selector_error(c, selector));
    }
    return segment_from(c, selector, &d);
}

X86Segment stack_segment(Cpu *c, uint16_t selector, unsigned cpl, uint8_t vector)
{
    Descriptor d;

    descriptor_fetch(c, selector, vector, &d);
    if (descriptor_system(&d) || (d.high & 0xa00) != 0x200 /* writable data */ ||
        (selector & 3u) != cpl || descriptor_dpl(&d) != cpl) {
        raise_error(c, vector, selector_error(c, selector));
    }
    if (!descriptor_present(&d)) {
        raise_error(c, EXC_SS, selector_error(c, selector));
    }
    return segment_from(c, selector, &d);
}

X86Segment stack_null(uint16_t selector, unsigned cpl)
{
    return (X86Segment){.selector = selector, .attr = cpl << ATTR_DPL_SHIFT};
}

static X86Segment stack_segment_move(Cpu *c, uint16_t selector)
{
    bool null_allowed = c->code_size == CODE_64 && c->cpl < 3 && (selector & 3) == c->cpl;

    if (null_selector(selector) && null_allowed) {
        return stack_null(selector, c->cpl);
    }
    return stack_segment(c, selector, c->cpl, EXC_GP);
}

void seg_load(Cpu *c, unsigned seg, uint16_t selector)
{
    X86Segment *g = &c->s.seg[seg];

    if (v86_mode(c)) {
        segment_v86(g, selector);
    } else if (real_mode(c)) {
        segment_real(g, selector);
    } else {
        *g = seg == SEG_SS ? stack_segment_move(c, selector) : data_segment(c, selector);
    }
    if (seg == SEG_SS) {
        cpu_mode_changed(c);
    } else {
        cpu_segment_changed(c, seg);
    }
}

void segments_revoke(Cpu *c, unsigned cpl)
{
    static const uint8_t data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};

    for (unsigned n = 0; n < 4; n++) {
        X86Segment *g = &c->s.seg[data[n]];
        bool conforming =
            (g->attr & (ATTR_CODE | ATTR_DOWN_CONFORM)) == (ATTR_CODE | ATTR_DOWN_CONFORM);

        if (!conforming && (unsigned)(g->attr >> ATTR_DPL_SHIFT & 3) < cpl) {
            *g = (X86Segment){.base = g->base};
        }
    }
}

void code_check(Cpu *c, uint16_t selector, const Descriptor *d)
{
    if (descriptor_system(d) || !descriptor_code(d) ||
        (long_mode(c) && (d->high & 0x600000) == 0x600000)) {
        raise_error(c, EXC_GP, selector_error(c, selector));
    }
    if (!descriptor_present(d)) {
        raise_error(c, EXC_NP, selector_error(c, selector));
    }
}

void rip_check(Cpu *c, const X86Segment *cs, uint64_t rip)
{
    bool wide = long_mode(c) && cs->attr & ATTR_L;
    unsigned shift = c->s.cr4 & CR4_LA57 ? 7 : 16;
    bool good = wide ? (uint64_t)((int64_t)(rip << shift) >> shift) == rip : rip <= cs->limit;

    if (unlikely(!good)) {
        why(c, "the instruction address %x is outside the code segment with selector %x", rip,
            cs->selector, 0);
        raise_error(c, EXC_GP, c->external);
    }
}

void code_set(Cpu *c, X86Segment cs, unsigned cpl, uint64_t rip)
{
    cs.selector = (cs.selector & ~3u) | cpl;
    c->s.seg[SEG_CS] = cs;
    c->next_rip = rip;
    cpu_level_changed(c);
}
