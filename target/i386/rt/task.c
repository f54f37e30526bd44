/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Task switches in hardware, with 16- and 32-bit TSS (SDM volume 3, "Task management").
 * Until the new task's registers are loaded everything faults in the old task; from then on,
 * segment by segment, in the new one.
 */
#include "target/i386/rt/host.h"
#include "target/i386/rt/sys.h"
#include "target/i386/rt/walk.h"

enum { TSS32_BYTES = 104, TSS16_BYTES = 44, DR6_BT = 1 << 15 };

/* What a TSS holds of a task, whatever its size. */
typedef struct Task {
    uint32_t cr3, eip, eflags, gpr[8];
    uint16_t seg[6], ldt;
    bool trap;
} Task;

static uint32_t tss_read(Cpu *c, uint64_t at, unsigned size)
{
    return mem_read_slow(c, at, size, ACCESS_SYSTEM);
}

static void tss_write(Cpu *c, uint64_t at, uint32_t value, unsigned size)
{
    mem_write_slow(c, at, value, size, ACCESS_SYSTEM);
}

/* Offsets differ, the order does not: IP, FLAGS, eight registers, the segments. */
static unsigned first_field(bool wide)
{
    return wide ? 0x20 : 0xe;
}

static unsigned segment_field(bool wide, unsigned n)
{
    return wide ? 0x48 + 4 * n : 0x22 + 2 * n;
}

static Task task_load(Cpu *c, uint64_t base, bool wide)
{
    unsigned size = wide ? 4 : 2, at = first_field(wide);
    Task t = {.cr3 = wide ? tss_read(c, base + 0x1c, 4) : 0};

    t.eip = tss_read(c, base + at, size);
    t.eflags = tss_read(c, base + at + size, size);
    for (unsigned n = 0; n < 8; n++) {
        t.gpr[n] = tss_read(c, base + at + (2 + n) * size, size) | (wide ? 0 : 0xffff0000);
    }
    for (unsigned n = 0; n < (wide ? 6 : 4); n++) {
        t.seg[n] = tss_read(c, base + segment_field(wide, n), 2);
    }
    t.ldt = tss_read(c, base + (wide ? 0x60 : 0x2a), 2);
    t.trap = wide && tss_read(c, base + 0x64, 2) & 1;
    return t;
}

static void task_save(Cpu *c, uint64_t base, bool wide, uint64_t next, uint64_t flags)
{
    unsigned size = wide ? 4 : 2, at = first_field(wide);

    tss_write(c, base + at, next, size);
    tss_write(c, base + at + size, flags, size);
    for (unsigned n = 0; n < 8; n++) {
        tss_write(c, base + at + (2 + n) * size, c->s.gpr[n], size);
    }
    for (unsigned n = 0; n < (wide ? 6 : 4); n++) {
        tss_write(c, base + segment_field(wide, n), c->s.seg[n].selector, 2);
    }
}

/* The new task's descriptor, checked for how it is reached. */
static Descriptor task_descriptor(Cpu *c, uint16_t selector, TaskReason reason)
{
    uint8_t vector = reason == TASK_RETURN ? EXC_TS : EXC_GP;
    unsigned busy = reason == TASK_RETURN ? TYPE_BUSY : 0;
    Descriptor d;

    if (selector & 4) {
        why(c, "task selector %x names the LDT", selector, 0, 0);
        raise_error(c, vector, selector_error(c, selector));
    }
    descriptor_fetch(c, selector, vector, &d);
    if (!descriptor_system(&d) || (descriptor_type(&d) & ~8u) != (TYPE_TSS16 | busy)) {
        raise_error(c, vector, selector_error(c, selector));
    }
    if (!descriptor_present(&d)) {
        raise_error(c, EXC_NP, selector_error(c, selector));
    }
    if (descriptor_limit(&d) < (descriptor_type(&d) & 8 ? TSS32_BYTES : TSS16_BYTES) - 1u) {
        why(c, "the TSS of selector %x is too small: its limit is %x", selector,
            descriptor_limit(&d), 0);
        raise_error(c, EXC_TS, selector_error(c, selector));
    }
    return d;
}

static void busy_write(Cpu *c, uint16_t selector, bool busy)
{
    uint64_t at = c->s.gdtr.base + (selector & 0xfff8) + 5;
    uint32_t byte = tss_read(c, at, 1);

    tss_write(c, at, busy ? byte | TYPE_BUSY : byte & ~(uint32_t)TYPE_BUSY, 1);
}

/* ---- segments of the new task ---- */

static void load_ldt(Cpu *c, uint16_t selector)
{
    Descriptor d;

    c->s.seg[SEG_LDTR] = (X86Segment){.selector = selector};
    if (null_selector(selector)) {
        return;
    }
    if (selector & 4 || !descriptor_read(c, selector, &d) || !descriptor_system(&d) ||
        descriptor_type(&d) != TYPE_LDT || !descriptor_present(&d)) {
        raise_error(c, EXC_TS, selector_error(c, selector));
    }
    c->s.seg[SEG_LDTR].attr = descriptor_attr(&d);
    c->s.seg[SEG_LDTR].limit = descriptor_limit(&d);
    c->s.seg[SEG_LDTR].base = descriptor_base(&d);
}

static void load_code(Cpu *c, uint16_t selector)
{
    unsigned level = selector & 3;
    Descriptor d;
    bool good;

    descriptor_fetch(c, selector, EXC_TS, &d);
    good = d.high & 0x400 ? descriptor_dpl(&d) <= level : descriptor_dpl(&d) == level;
    if (descriptor_system(&d) || !descriptor_code(&d) || !good) {
        raise_error(c, EXC_TS, selector_error(c, selector));
    }
    if (!descriptor_present(&d)) {
        raise_error(c, EXC_NP, selector_error(c, selector));
    }
    c->s.seg[SEG_CS] = segment_from(c, selector, &d);
}

static void load_data(Cpu *c, unsigned seg, uint16_t selector)
{
    unsigned level = (selector & 3u) > c->cpl ? selector & 3 : c->cpl;
    Descriptor d;

    if (null_selector(selector)) {
        return;
    }
    descriptor_fetch(c, selector, EXC_TS, &d);
    if (descriptor_system(&d) || (d.high & 0xa00) == 0x800 ||
        ((d.high & 0xc00) != 0xc00 && level > descriptor_dpl(&d))) {
        raise_error(c, EXC_TS, selector_error(c, selector));
    }
    if (!descriptor_present(&d)) {
        raise_error(c, EXC_NP, selector_error(c, selector));
    }
    c->s.seg[seg] = segment_from(c, selector, &d);
}

static void load_segments(Cpu *c, const Task *t)
{
    static const uint8_t data[] = {SEG_DS, SEG_ES, SEG_FS, SEG_GS};

    load_ldt(c, t->ldt);
    if (c->s.rflags & FLAG_VM) {
        return;
    }
    load_code(c, t->seg[SEG_CS]);
    c->s.seg[SEG_SS] = stack_segment(c, t->seg[SEG_SS], t->seg[SEG_CS] & 3, EXC_TS);
    cpu_mode_changed(c);
    for (unsigned n = 0; n < 4; n++) {
        load_data(c, data[n], t->seg[data[n]]);
    }
    cpu_mode_changed(c);
}

/* Selectors without descriptors: what the task has until load_segments() is through. */
static void bare_segments(Cpu *c, const Task *t)
{
    for (unsigned n = 0; n < 6; n++) {
        if (c->s.rflags & FLAG_VM) {
            segment_v86(&c->s.seg[n], t->seg[n]);
        } else {
            c->s.seg[n] = (X86Segment){.selector = t->seg[n]};
        }
    }
    if (!(c->s.rflags & FLAG_VM)) {
        c->s.seg[SEG_SS].attr = (t->seg[SEG_CS] & 3) << ATTR_DPL_SHIFT;
    }
}

/* ---- the switch ---- */

static void switch_cr3(Cpu *c, uint32_t cr3)
{
    if (c->s.cr3 == cr3) {
        return;
    }
    if (c->s.cr4 & CR4_PAE && !walk_load_pdptes(c, cr3)) {
        raise_error(c, EXC_TS, selector_error(c, c->s.seg[SEG_TR].selector));
    }
    c->s.cr3 = cr3;
    tlb_cr3_loaded(c, false);
}

/* Registers of the new task; from here on it is the one that faults. */
static void task_enter(Cpu *c, const Task *t, uint16_t selector, const Descriptor *d, bool nested)
{
    uint64_t flags = t->eflags & 0x3f7fd5;

    c->s.seg[SEG_TR] = (X86Segment){.selector = selector,
                                    .attr = descriptor_attr(d) | TYPE_BUSY,
                                    .limit = descriptor_limit(d),
                                    .base = descriptor_base(d)};
    c->s.cr0 |= CR0_TS;
    c->s.rflags = flags | FLAG_ONE | (nested ? FLAG_NT : 0);
    for (unsigned n = 0; n < 8; n++) {
        c->s.gpr[n] = t->gpr[n];
    }
    c->s.rip = c->next_rip = t->eip;
    c->s.dr7 &= ~0x155ull; /* local breakpoints */
    bare_segments(c, t);
    cpu_mode_changed(c);
}

/* Leave the old task: its registers into its TSS, busy bits, the link back. */
static void task_leave(Cpu *c, uint16_t selector, const Descriptor *d, TaskReason reason,
                       uint64_t next)
{
    const X86Segment *tr = &c->s.seg[SEG_TR];
    bool wide = tr->attr & 8;
    uint64_t flags = c->s.rflags;

    if (reason == TASK_RETURN) {
        flags &= ~(uint64_t)FLAG_NT;
    }
    mem_probe(c, tr->base, wide ? TSS32_BYTES - 8 : TSS16_BYTES - 2, ACCESS_WRITE | ACCESS_SYSTEM);
    if (reason == TASK_JUMP || reason == TASK_RETURN) {
        busy_write(c, tr->selector, false);
    }
    task_save(c, tr->base, wide, next, flags);
    if (reason == TASK_CALL || reason == TASK_EVENT) {
        tss_write(c, descriptor_base(d), tr->selector, 2);
    }
    if (reason != TASK_RETURN) {
        busy_write(c, selector, true);
    }
}

void task_switch(Cpu *c, uint16_t selector, TaskReason reason, uint64_t next, bool has_error,
                 uint32_t error)
{
    Descriptor d = task_descriptor(c, selector, reason);
    bool wide = descriptor_type(&d) & 8, nested = reason == TASK_CALL || reason == TASK_EVENT;
    Task t = task_load(c, descriptor_base(&d), wide);
    Stack k;

    task_leave(c, selector, &d, reason, next);
    task_enter(c, &t, selector, &d, nested);
    if (wide && c->s.cr0 & CR0_PG) {
        switch_cr3(c, t.cr3);
    }
    load_segments(c, &t);
    rip_check(c, &c->s.seg[SEG_CS], c->next_rip);
    if (has_error) {
        k = stack_current(c);
        stack_push(c, &k, error, wide ? 4 : 2);
        stack_set(c, &k);
    }
    if (t.trap) {
        c->s.dr6_pending |= DR6_BT;
        c->block_break = true;
    }
}
