/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The usual case of IRETQ and of delivery through a 64-bit IDT, as kernels have it hundreds of
 * thousands of times a second: level 0 and back, tables and stacks in pages that the TLB knows,
 * descriptors as they should be (SDM volume 2, IRET; volume 3, "Exception and interrupt handling in
 * 64-bit mode"). Every look comes before anything changes; whoever finds something else, an
 * exception among it, says so and leaves it all to return.c and deliver.c.
 * Not here: call gates, conforming code, the LDT, code of 32 bits, levels 1 and 2.
 */
#include "target/i386/rt/host.h"
#include "target/i386/rt/sys.h"
#include "target/i386/rt/walk.h"

enum { RAW_LOW = 16 }; /* bytes of a gate */

static bool quiet(const Cpu *c)
{
    return !c->debug && c->view != VIEW_SLOW;
}

/* A segment descriptor of the GDT whose attributes, of those in `which`, are `attr`. */
static bool segment_usual(const Cpu *c, uint16_t selector, uint16_t which, uint16_t attr,
                          X86Segment *out)
{
    const void *host = tlb_reads(tlb_system(c), c->s.gdtr.base + (selector & 0xfff8), 8);
    Descriptor d;
    uint64_t raw;

    if (!host || selector & 4 || selector < 4 || (selector | 7u) > c->s.gdtr.limit) {
        return false;
    }
    raw = host_load(host, 8);
    d = (Descriptor){raw, raw >> 32, 0};
    if ((descriptor_attr(&d) & which) != attr) {
        return false;
    }
    *out = (X86Segment){.selector = selector,
                        .attr = descriptor_attr(&d),
                        .limit = descriptor_limit(&d),
                        .base = descriptor_base(&d)};
    return true;
}

static bool code_usual(const Cpu *c, uint16_t selector, unsigned level, X86Segment *out)
{
    const uint16_t which = ATTR_P | ATTR_S | ATTR_CODE | ATTR_DOWN_CONFORM | ATTR_ACCESSED |
                           ATTR_DPL | ATTR_L | ATTR_DB;
    const uint16_t attr = ATTR_P | ATTR_S | ATTR_CODE | ATTR_ACCESSED | ATTR_L;

    return segment_usual(c, selector, which, attr | level << ATTR_DPL_SHIFT, out);
}

static bool stack_usual(const Cpu *c, uint16_t selector, unsigned level, X86Segment *out)
{
    const uint16_t which = ATTR_P | ATTR_S | ATTR_CODE | ATTR_WRITE_READ | ATTR_ACCESSED | ATTR_DPL;
    const uint16_t attr = ATTR_P | ATTR_S | ATTR_WRITE_READ | ATTR_ACCESSED;

    if ((selector & 3u) != level) {
        return false;
    }
    if (!level && null_selector(selector)) {
        *out = stack_null(selector, 0);
        return true;
    }
    return segment_usual(c, selector, which, attr | level << ATTR_DPL_SHIFT, out);
}

/* ---- IRETQ ---- */

typedef struct Image {
    uint64_t rip, cs, flags, sp, ss;
} Image;

static bool image_read(const Cpu *c, Image *f)
{
    uint64_t sp = c->s.gpr[R_SP];
    const uint64_t *host = tlb_reads(tlb_system(c), sp, sizeof *f);

    if (!host || sp % 8) {
        return false;
    }
    *f = (Image){host_load(host, 8), host_load(host + 1, 8), host_load(host + 2, 8),
                 host_load(host + 3, 8), host_load(host + 4, 8)};
    return true;
}

bool iret_usual(Cpu *c)
{
    const uint64_t odd = FLAG_TF | FLAG_NT | FLAG_VM | FLAG_AC | FLAG_VIF | FLAG_VIP;
    const uint64_t mask = FLAGS_ARITH | FLAG_DF | FLAG_ID | FLAG_IF | FLAG_IOPL | FLAG_RF | odd;
    X86Segment cs, ss;
    unsigned level;
    Image f;

    if (!quiet(c) || c->cpl || c->code_size != CODE_64 || c->s.rflags & FLAG_NT ||
        !image_read(c, &f) || f.flags & odd || !canonical(c, f.rip)) {
        return false;
    }
    level = f.cs & 3;
    if ((level && level < 3) || !code_usual(c, f.cs, level, &cs) ||
        !stack_usual(c, f.ss, level, &ss)) {
        return false;
    }
    if (level) {
        segments_revoke(c, level);
    }
    c->s.seg[SEG_SS] = ss;
    c->s.gpr[R_SP] = f.sp;
    c->s.rflags = (c->s.rflags & ~(mask & ~(uint64_t)FLAG_VM)) | (f.flags & mask);
    code_set(c, cs, level, f.rip);
    return true;
}

/* ---- delivery ---- */

/* A gate that is present, for an interrupt or trap, whose code is of level 0. */
typedef struct Way {
    uint64_t offset, sp;
    X86Segment cs;
    bool interrupt;
} Way;

static bool gate_usual(Cpu *c, uint8_t vector, bool soft, Way *w)
{
    const uint8_t *host = tlb_reads(tlb_system(c), c->s.idtr.base + vector * RAW_LOW, RAW_LOW);
    uint64_t low;
    unsigned type;

    if (!host || vector * RAW_LOW + RAW_LOW - 1u > c->s.idtr.limit) {
        return false;
    }
    low = host_load(host, 8);
    type = low >> 40 & 0x1f;
    if ((type != TYPE_INT32 && type != TYPE_TRAP32) || !(low >> 47 & 1) ||
        (soft && (low >> 45 & 3) < c->cpl) || !code_usual(c, low >> 16, 0, &w->cs)) {
        return false;
    }
    w->interrupt = type == TYPE_INT32;
    w->offset = (low & 0xffff) | (low >> 32 & 0xffff0000) | (uint64_t)host_load(host + 8, 4) << 32;
    w->sp = low >> 32 & 7 || c->cpl ? tss_pointer64(c, 0, low >> 32 & 7) : c->s.gpr[R_SP];
    w->sp &= ~15ull;
    return canonical(c, w->offset);
}

bool deliver_usual(Cpu *c, uint8_t vector, bool soft, uint64_t flags, const uint32_t *error,
                   uint64_t next)
{
    unsigned bytes = error ? 48 : 40;
    uint64_t *to;
    Way w;

    if (!quiet(c) || !gate_usual(c, vector, soft, &w)) {
        return false;
    }
    to = tlb_writes(tlb_system(c), w.sp - bytes, bytes);
    if (!to) {
        return false;
    }
    if (error) {
        host_store(to++, *error, 8);
    }
    host_store(to, next, 8);
    host_store(to + 1, c->s.seg[SEG_CS].selector, 8);
    host_store(to + 2, flags, 8);
    host_store(to + 3, c->s.gpr[R_SP], 8);
    host_store(to + 4, c->s.seg[SEG_SS].selector, 8);
    if (c->cpl) {
        c->s.seg[SEG_SS] = stack_null(0, 0);
    }
    c->s.gpr[R_SP] = w.sp - bytes;
    c->s.rflags &= ~(uint64_t)(FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM | (w.interrupt ? FLAG_IF : 0));
    code_set(c, w.cs, 0, w.offset);
    return true;
}
