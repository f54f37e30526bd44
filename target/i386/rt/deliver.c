/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Delivery of exceptions and interrupts through the interrupt vector table, the IDT of protected
 * mode, and that of long mode (SDM volume 3, "Interrupt and exception handling", "Virtual-8086
 * mode"). Everything that can fault comes before anything that shows, but for what was written
 * below a stack pointer.
 */
#include "target/i386/rt/host.h"
#include "target/i386/rt/sys.h"

/* A gate as the IDT holds it. */
typedef struct Gate {
    uint8_t type, dpl, ist;
    uint16_t selector;
    uint64_t offset;
    uint32_t error; /* that names it */
} Gate;

static uint64_t system_read(Cpu *c, uint64_t linear, unsigned size)
{
    return mem_read_system(c, linear, size);
}

/* RF in the image of EFLAGS: faults set it, so that the instruction's breakpoint does not hit
 * again when it is restarted. */
static uint64_t flags_image(const Cpu *c, uint8_t vector, EventKind kind)
{
    const uint32_t faults = 1 << EXC_DE | 1 << EXC_BR | 1 << EXC_UD | 1 << EXC_NM | 1 << EXC_DF |
                            1 << EXC_TS | 1 << EXC_NP | 1 << EXC_SS | 1 << EXC_GP | 1 << EXC_PF |
                            1 << EXC_MF | 1 << EXC_AC | 1 << EXC_XM;

    if (kind == EVENT_EXCEPTION && vector < 32 && faults >> vector & 1) {
        return c->s.rflags | FLAG_RF;
    }
    return c->s.rflags;
}

/* ---- real mode ---- */

void deliver_real(Cpu *c, uint8_t vector, uint64_t table, uint64_t next)
{
    Stack k = stack_current(c);
    uint64_t flags = c->s.rflags;
    bool virtual_if = v86_mode(c) && iopl(c) < 3;
    uint32_t entry;

    if (virtual_if) { /* VME: the program's IF is VIF, and it sees IOPL 3 */
        flags = (flags & ~(uint64_t)FLAG_IF) | (flags & FLAG_VIF ? FLAG_IF : 0) | FLAG_IOPL;
    }
    if (!v86_mode(c) && vector * 4u + 3 > c->s.idtr.limit) {
        why(c, "vector %x is beyond the interrupt vector table, whose limit is %x", vector,
            c->s.idtr.limit, 0);
        raise_error(c, EXC_GP, vector * 8 + 2);
    }
    entry = system_read(c, table + vector * 4, 4);
    stack_push(c, &k, flags & 0xffff, 2);
    stack_push(c, &k, c->s.seg[SEG_CS].selector, 2);
    stack_push(c, &k, next & 0xffff, 2);
    stack_set(c, &k);
    c->s.rflags &= ~(uint64_t)(FLAG_TF | FLAG_RF | (virtual_if ? FLAG_VIF : FLAG_IF));
    if (v86_mode(c)) {
        segment_v86(&c->s.seg[SEG_CS], entry >> 16);
    } else {
        c->s.rflags &= ~(uint64_t)FLAG_AC;
        segment_real(&c->s.seg[SEG_CS], entry >> 16);
    }
    c->next_rip = entry & 0xffff;
    cpu_mode_changed(c);
}

bool v86_redirected(Cpu *c, uint8_t vector)
{
    const X86Segment *tr = &c->s.seg[SEG_TR];
    uint16_t map;

    if (!(c->s.cr4 & CR4_VME) || !(tr->attr & 8) || tr->limit < 103) {
        return false;
    }
    map = system_read(c, tr->base + 102, 2);
    if (map < 32 || map - 32u + vector / 8 > tr->limit) {
        return false;
    }
    return !(system_read(c, tr->base + map - 32 + vector / 8, 1) >> vector % 8 & 1);
}

/* ---- gates ---- */

static void gate_check(Cpu *c, const Gate *g, EventKind kind, bool present)
{
    bool soft = kind == EVENT_INT_N || kind == EVENT_INT3;

    if (soft && g->dpl < c->cpl) {
        why(c, "the gate with error code %x has DPL %x: too privileged for INT", g->error, g->dpl,
            0);
        raise_error(c, EXC_GP, g->error);
    }
    if (!present) {
        why(c, "the gate with error code %x is not present", g->error, 0, 0);
        raise_error(c, EXC_NP, g->error);
    }
}

static Gate gate_read(Cpu *c, uint8_t vector, EventKind kind)
{
    unsigned bytes = long_mode(c) ? 16 : 8;
    Gate g = {.error = vector * 8 + 2 + c->external};
    uint64_t at = c->s.idtr.base + vector * bytes, raw;
    unsigned allowed = long_mode(c) ? 1 << TYPE_INT32 | 1 << TYPE_TRAP32
                                    : 1 << TYPE_INT32 | 1 << TYPE_TRAP32 | 1 << TYPE_INT16 |
                                          1 << TYPE_TRAP16 | 1 << TYPE_TASK_GATE;

    if (vector * bytes + bytes - 1 > c->s.idtr.limit) {
        why(c, "vector %x is beyond the end of the IDT, whose limit is %x", vector, c->s.idtr.limit,
            0);
        raise_error(c, EXC_GP, g.error);
    }
    raw = system_read(c, at, 8);
    g.type = raw >> 40 & 0x1f;
    g.dpl = raw >> 45 & 3;
    g.ist = long_mode(c) ? raw >> 32 & 7 : 0;
    g.selector = raw >> 16;
    g.offset = (raw & 0xffff) | (raw >> 32 & 0xffff0000);
    if (g.type > 15 || !(allowed >> g.type & 1)) {
        why(c, "entry %x of the IDT has type %x, which is no gate (its low half is %x)", vector,
            g.type, raw);
        raise_error(c, EXC_GP, g.error);
    }
    gate_check(c, &g, kind, raw >> 47 & 1);
    if (long_mode(c)) {
        g.offset |= system_read(c, at + 8, 4) << 32;
    } else if (!(g.type & 8)) {
        g.offset &= 0xffff;
    }
    return g;
}

/* The code segment that a gate leads to, and the level it runs at. */
static unsigned target_check(Cpu *c, const Gate *g, Descriptor *d)
{
    bool bits64 = false, conforming;
    unsigned dpl;

    descriptor_fetch(c, g->selector, EXC_GP, d);
    dpl = descriptor_dpl(d);
    conforming = d->high & 0x400;
    bits64 = (d->high & 0x600000) == 0x200000;
    if (descriptor_system(d) || !descriptor_code(d) || dpl > c->cpl || (long_mode(c) && !bits64) ||
        (v86_mode(c) && (conforming || dpl))) {
        raise_error(c, EXC_GP, selector_error(c, g->selector));
    }
    if (!descriptor_present(d)) {
        raise_error(c, EXC_NP, selector_error(c, g->selector));
    }
    return conforming ? c->cpl : dpl;
}

static void clear_flags(Cpu *c, const Gate *g)
{
    bool interrupt = !(g->type & 1);

    c->s.rflags &= ~(uint64_t)(FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM | (interrupt ? FLAG_IF : 0));
}

/* ---- protected mode ---- */

static void push_v86(Cpu *c, Stack *k, unsigned size)
{
    stack_push(c, k, c->s.seg[SEG_GS].selector, size);
    stack_push(c, k, c->s.seg[SEG_FS].selector, size);
    stack_push(c, k, c->s.seg[SEG_DS].selector, size);
    stack_push(c, k, c->s.seg[SEG_ES].selector, size);
}

static void clear_data_segments(Cpu *c)
{
    c->s.seg[SEG_GS] = c->s.seg[SEG_FS] = c->s.seg[SEG_DS] = c->s.seg[SEG_ES] = (X86Segment){0};
}

static void push_frame(Cpu *c, Stack *k, unsigned size, uint64_t flags, uint64_t next)
{
    stack_push(c, k, flags, size);
    stack_push(c, k, c->s.seg[SEG_CS].selector, size);
    stack_push(c, k, next, size);
}

static void deliver_protected(Cpu *c, uint8_t vector, EventKind kind, bool has_error,
                              uint32_t error, uint64_t next)
{
    Gate g = gate_read(c, vector, kind);
    uint64_t flags = flags_image(c, vector, kind);
    unsigned size = g.type & 8 ? 4 : 2, cpl;
    Descriptor d;
    X86Segment cs;
    Stack k;

    if (g.type == TYPE_TASK_GATE) {
        task_switch(c, g.selector, TASK_EVENT, next, has_error, error);
        return;
    }
    cpl = target_check(c, &g, &d);
    k = cpl < c->cpl ? tss_stack(c, cpl) : stack_current(c);
    cs = segment_from(c, g.selector, &d);
    rip_check(c, &cs, g.offset);
    if (v86_mode(c)) {
        push_v86(c, &k, size);
    }
    if (cpl < c->cpl) {
        stack_push(c, &k, c->s.seg[SEG_SS].selector, size);
        stack_push(c, &k, c->s.gpr[R_SP], size);
    }
    push_frame(c, &k, size, flags, next);
    if (has_error) {
        stack_push(c, &k, error, size);
    }
    if (v86_mode(c)) {
        clear_data_segments(c);
    }
    clear_flags(c, &g);
    stack_set(c, &k);
    code_set(c, cs, cpl, g.offset);
}

/* ---- long mode ---- */

static Stack long_stack(Cpu *c, const Gate *g, unsigned cpl)
{
    Stack k = {.ss = c->s.seg[SEG_SS], .sp = c->s.gpr[R_SP], .width = 8, .cpl = cpl};

    if (g->ist || cpl < c->cpl) {
        k.sp = tss_pointer64(c, cpl, g->ist);
    }
    if (cpl < c->cpl) {
        k.ss = stack_null(cpl, cpl);
    }
    k.sp &= ~15ull;
    return k;
}

static void deliver_long(Cpu *c, uint8_t vector, EventKind kind, bool has_error, uint32_t error,
                         uint64_t next)
{
    bool soft = kind == EVENT_INT_N || kind == EVENT_INT3;
    uint64_t flags = flags_image(c, vector, kind);
    Gate g;
    Descriptor d;
    X86Segment cs;
    Stack k;
    unsigned cpl;

    if (deliver_usual(c, vector, soft, flags, has_error ? &error : NULL, next)) {
        return;
    }
    g = gate_read(c, vector, kind);
    cpl = target_check(c, &g, &d);
    cs = segment_from(c, g.selector, &d);
    k = long_stack(c, &g, cpl);
    rip_check(c, &cs, g.offset);
    stack_push(c, &k, c->s.seg[SEG_SS].selector, 8);
    stack_push(c, &k, c->s.gpr[R_SP], 8);
    push_frame(c, &k, 8, flags, next);
    if (has_error) {
        stack_push(c, &k, error, 8);
    }
    clear_flags(c, &g);
    stack_set(c, &k);
    code_set(c, cs, cpl, g.offset);
}

/* ---- the door ---- */

/* INT n in virtual-8086 mode: to the 8086 program itself, to its monitor, or on as usual. */
static bool deliver_v86(Cpu *c, uint8_t vector, EventKind kind, uint64_t next)
{
    if (!v86_mode(c) || kind != EVENT_INT_N) {
        return false;
    }
    if (v86_redirected(c, vector)) {
        deliver_real(c, vector, 0, next);
        return true;
    }
    if (iopl(c) < 3) {
        raise_error(c, EXC_GP, 0);
    }
    return false;
}

static void log_event(Cpu *c, uint8_t vector, EventKind kind, bool has_error, uint32_t error)
{
    LastException e = {
        .vector = vector,
        .kind = kind,
        .soft = kind == EVENT_INT_N || kind == EVENT_INT3,
        .has_error = has_error,
        .cs = c->s.seg[SEG_CS].selector,
        .error = error,
        .rip = c->s.rip,
        .cr2 = c->s.cr2,
        .rsp = c->s.gpr[R_SP],
    };

    HOST_DO(c, log_interrupt, &e);
}

void deliver(Cpu *c, uint8_t vector, EventKind kind, bool has_error, uint32_t error, uint64_t next)
{
    if (unlikely(c->host->log_interrupt != NULL)) {
        log_event(c, vector, kind, has_error, error);
    }
    c->external = kind != EVENT_INT_N && kind != EVENT_INT3;
    if (!(c->s.cr0 & CR0_PE)) {
        deliver_real(c, vector, c->s.idtr.base, next);
    } else if (long_mode(c)) {
        deliver_long(c, vector, kind, has_error, error, next);
    } else if (!deliver_v86(c, vector, kind, next)) {
        deliver_protected(c, vector, kind, has_error, error, next);
    }
    c->s.sti_shadow = c->s.ss_shadow = false;
    if (vector == EXC_DB && c->external) {
        c->s.dr7 &= ~(1ull << 13); /* GD, so that the handler can read the registers */
    }
    c->external = false;
}
