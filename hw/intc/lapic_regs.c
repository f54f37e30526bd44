/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC's registers: the page, the same registers as MSRs in x2APIC mode, IA32_APIC_BASE,
 * and what a vCPU asks of its interrupt controller (SDM volume 3, sections 11.4, 11.12 and 11.6).
 */
#include "hw/intc/lapic_impl.h"
#include "util/trace.h"

enum {
    ID = 0x20,
    VERSION = 0x30,
    TPR = 0x80,
    APR = 0x90,
    PPR = 0xa0,
    EOI = 0xb0,
    RRD = 0xc0,
    LDR = 0xd0,
    DFR = 0xe0,
    SVR = 0xf0,
    ISR = 0x100,
    TMR = 0x180,
    IRR = 0x200,
    ESR = 0x280,
    ICR = 0x300,
    ICR_HIGH = 0x310,
    LVT_TIMER_AT = 0x320,
    LVT_THERMAL_AT = 0x330,
    LVT_PERF_AT = 0x340,
    LVT_LINT0_AT = 0x350,
    LVT_LINT1_AT = 0x360,
    LVT_ERROR_AT = 0x370,
    INITIAL = 0x380,
    CURRENT = 0x390,
    DIVIDE = 0x3e0,
    SELF_IPI = 0x3f0,
};
enum { LVT_READ_ONLY = 5 << 12 }; /* delivery status, remote IRR */
enum { SVR_KEEP_EOI = 0x1000, VERSION_KEEP_EOI = 1 << 24 };
enum { ICR_LOGICAL = 1 << 11, ICR_ASSERT = 1 << 14, ICR_LEVEL = 1 << 15 };
enum { SHORT_SELF = 1, SHORT_ALL = 2, SHORT_OTHERS = 3 };
enum { MSR_APIC_BASE = 0x1b, MSR_TSC_DEADLINE = 0x6e0, MSR_X2APIC = 0x800, MSR_ICR = 0x830 };
#define ICR_RESERVED 0xfff32000u

/* ---- registers ---- */

static void initial_written(Lapic *l, RegWrite w)
{
    if (l->s.lvt[LVT_TIMER] & LVT_DEADLINE) {
        l->s.initial = w.old;
    } else {
        l->s.expires = l->s.initial ? clock_now(l->cpu->clock) + lapic_period_ns(l) : 0;
    }
}

static void divide_written(Lapic *l, RegWrite w)
{
    uint32_t now = l->s.divide;

    if (l->s.lvt[LVT_TIMER] & LVT_DEADLINE || !l->s.expires) {
        return;
    }
    l->s.divide = w.old;
    uint64_t left = lapic_current(l, 0);
    l->s.divide = now;
    l->s.expires =
        left ? clock_now(l->cpu->clock) + (int64_t)(left * lapic_tick_ns(l)) : l->s.expires;
}

static void lvts_written(Lapic *l)
{
    for (int i = 0; i < LVTS && !(l->s.svr & SVR_ON); i++) {
        l->s.lvt[i] |= LVT_MASKED;
    }
    for (int i = LVT_LINT0; i <= LVT_LINT1; i++) {
        lapic_lint_again(l, i);
    }
}

static void lvt_written(Lapic *l, RegWrite w)
{
    lvts_written(l);
}

static void lvt_timer_written(Lapic *l, RegWrite w)
{
    if (!l->tsc_deadline) {
        l->s.lvt[LVT_TIMER] &= ~LVT_DEADLINE;
    }
    if ((w.old ^ l->s.lvt[LVT_TIMER]) & LVT_DEADLINE) {
        l->s.deadline = l->s.expires = l->s.initial = 0;
    }
    lvts_written(l);
}

static void svr_written(Lapic *l, RegWrite w)
{
    l->s.svr &= l->directed_eoi ? ~0u : ~(uint32_t)SVR_KEEP_EOI;
    lvts_written(l);
}

static uint64_t id_get(Lapic *l, unsigned n)
{
    return is_x2apic(l) ? l->s.id : l->s.id << 24;
}

static uint64_t version_get(Lapic *l, unsigned n)
{
    return 0x14 | (LVTS - 1) << 16 | (l->directed_eoi ? VERSION_KEEP_EOI : 0);
}

static uint64_t zero_get(Lapic *l, unsigned n)
{
    return 0;
}

static void eoi_written(Lapic *l, RegWrite w)
{
    int vector = highest(l->s.isr);

    if (vector < 0) {
        return;
    }
    bit_put(l->s.isr, vector, false);
    for (int i = LVT_LINT0; i <= LVT_LINT1 && bit_of(l->s.tmr, vector); i++) {
        if (l->s.lvt[i] & LVT_REMOTE_IRR && (uint8_t)l->s.lvt[i] == vector) {
            l->s.lvt[i] &= ~LVT_REMOTE_IRR;
            lapic_lint_again(l, i);
        }
    }
    if (bit_of(l->s.tmr, vector) && !(l->s.svr & SVR_KEEP_EOI)) {
        msi_port_eoi(l->port, vector);
    }
}

static void esr_written(Lapic *l, RegWrite w)
{
    l->s.esr = l->s.errors;
    l->s.errors = 0;
}

static void ipi_send(Lapic *l, uint32_t icr, uint32_t dest)
{
    unsigned mode = icr >> 8 & 7, shorthand = icr >> 18 & 3;
    ApicMessage m = {
        .dest = dest,
        .vector = icr,
        .mode = mode,
        .logical = icr & ICR_LOGICAL,
        .broadcast = shorthand || dest == (is_x2apic(l) ? ~0u : 0xffu),
        .lowest = mode == DELIVER_LOWEST,
    };

    if (mode == DELIVER_INIT && icr & ICR_LEVEL && !(icr & ICR_ASSERT)) {
        return; /* level de-assert: once synchronised arbitration IDs */
    }
    if (mode == DELIVER_RESERVED || mode == DELIVER_EXTINT) {
        guest_error(l, "ICR %#x: the delivery mode is reserved", icr);
    } else if (mode <= DELIVER_LOWEST && m.vector < LOWEST_VECTOR) {
        lapic_error(l, ESR_SEND_VECTOR);
    } else if (shorthand == SHORT_SELF) {
        lapic_accept(l, &m);
    } else {
        msi_port_deliver(l->port, &m, shorthand == SHORT_OTHERS ? l : NULL);
    }
}

static void icr_written(Lapic *l, RegWrite w)
{
    ipi_send(l, w.now, l->s.icr[1] >> 24);
}

static void self_ipi_written(Lapic *l, RegWrite w)
{
    if (is_x2apic(l)) {
        ipi_send(l, SHORT_SELF << 18 | (w.raw & 0xff), 0);
    }
}

/* clang-format off */
const Reg lapic_regs[] = {
    REG_CALC(ID, 4,        .access = REG_WHOLE, .get = METHOD(Lapic, id_get)),
    REG_CALC(VERSION, 4,   .access = REG_WHOLE, .get = METHOD(Lapic, version_get)),
    REG(Lapic, TPR, s.tpr, .access = REG_WHOLE, .writable = 0xff),
    REG_CALC(APR, 4,       .access = REG_WHOLE, .get = METHOD(Lapic, zero_get)),
    REG_CALC(PPR, 4,       .access = REG_WHOLE, .get = METHOD(Lapic, lapic_ppr)),
    REG_CALC(EOI, 4,       .access = REG_WHOLE, .wrote = METHOD(Lapic, eoi_written)),
    REG_CALC(RRD, 4,       .access = REG_WHOLE, .get = METHOD(Lapic, zero_get)),
    REG(Lapic, LDR, s.ldr, .access = REG_WHOLE, .writable = 0xff000000),
    REG(Lapic, DFR, s.dfr, .access = REG_WHOLE, .writable = 0xf0000000),
    REG(Lapic, SVR, s.svr, .access = REG_WHOLE, .writable = 0x11ff, .wrote = METHOD(Lapic, svr_written)),
    REG_ARRAY(Lapic, ISR, 0x10, s.isr, .access = REG_WHOLE),
    REG_ARRAY(Lapic, TMR, 0x10, s.tmr, .access = REG_WHOLE),
    REG_ARRAY(Lapic, IRR, 0x10, s.irr, .access = REG_WHOLE),
    REG(Lapic, ESR, s.esr, .access = REG_WHOLE, .wrote = METHOD(Lapic, esr_written)),
    REG(Lapic, ICR, s.icr[0],      .access = REG_WHOLE, .writable = 0xccfff, .wrote = METHOD(Lapic, icr_written)),
    REG(Lapic, ICR_HIGH, s.icr[1], .access = REG_WHOLE, .writable = 0xff000000),
    REG(Lapic, LVT_TIMER_AT,   s.lvt[LVT_TIMER],   .access = REG_WHOLE, .writable = 0x700ff,
        .wrote = METHOD(Lapic, lvt_timer_written)),
    REG(Lapic, LVT_THERMAL_AT, s.lvt[LVT_THERMAL], .access = REG_WHOLE, .writable = 0x107ff, .wrote = METHOD(Lapic, lvt_written)),
    REG(Lapic, LVT_PERF_AT,    s.lvt[LVT_PERF],    .access = REG_WHOLE, .writable = 0x107ff, .wrote = METHOD(Lapic, lvt_written)),
    REG(Lapic, LVT_LINT0_AT,   s.lvt[LVT_LINT0],   .access = REG_WHOLE, .writable = 0x1a7ff, .wrote = METHOD(Lapic, lvt_written)),
    REG(Lapic, LVT_LINT1_AT,   s.lvt[LVT_LINT1],   .access = REG_WHOLE, .writable = 0x1a7ff, .wrote = METHOD(Lapic, lvt_written)),
    REG(Lapic, LVT_ERROR_AT,   s.lvt[LVT_ERROR],   .access = REG_WHOLE, .writable = 0x100ff, .wrote = METHOD(Lapic, lvt_written)),
    REG(Lapic, INITIAL, s.initial, .access = REG_WHOLE, .writable = ~0u, .wrote = METHOD(Lapic, initial_written)),
    REG_CALC(CURRENT, 4,           .access = REG_WHOLE, .get = METHOD(Lapic, lapic_current)),
    REG(Lapic, DIVIDE, s.divide,   .access = REG_WHOLE, .writable = 0xb, .wrote = METHOD(Lapic, divide_written)),
    REG_CALC(SELF_IPI, 4,          .access = REG_WHOLE, .writable = 0xff, .wrote = METHOD(Lapic, self_ipi_written)),
    REG_END,
};
/* clang-format on */

/* ---- x2APIC: the same registers as MSRs; what is reserved is #GP ---- */

static const Reg *reg_at(const Lapic *l, uint32_t offset)
{
    static const uint16_t absent[] = {APR, RRD, DFR, ICR, ICR_HIGH}; /* ICR is one of 64 bits */

    for (size_t i = 0; i < G_N_ELEMENTS(absent); i++) {
        if (offset == absent[i]) {
            return NULL;
        }
    }
    for (const Reg *r = lapic_regs; r->name; r++) {
        if (offset - r->at < MAX(r->stride, 1u) * r->count) {
            return r;
        }
    }
    return NULL;
}

static bool x2apic_read(Lapic *l, uint32_t index, uint64_t *value)
{
    uint32_t offset = (index - MSR_X2APIC) << 4;
    const Reg *r = reg_at(l, offset);
    Io io = {.region = &l->bank.region, .by.cpu = l->cpu, .offset = offset, .size = 4};

    if (index == MSR_ICR) {
        *value = (uint64_t)l->s.icr[1] << 32 | l->s.icr[0];
        return true;
    }
    if (!r || (!r->field && !r->get)) {
        return false;
    }
    l->bank.region.ops->read(&l->dev.obj, &io);
    *value = io.value;
    return true;
}

static bool x2apic_write(Lapic *l, uint32_t index, uint64_t value)
{
    uint32_t offset = (index - MSR_X2APIC) << 4;
    const Reg *r = reg_at(l, offset);
    Io io = {.region = &l->bank.region,
             .by.cpu = l->cpu,
             .offset = offset,
             .value = value,
             .size = 4,
             .write = true};

    if (index == MSR_ICR) {
        if (value & ICR_RESERVED) {
            return false;
        }
        l->s.icr[0] = value;
        l->s.icr[1] = value >> 32;
        ipi_send(l, value, value >> 32);
        return true;
    }
    if (!r || !(r->wrote || r->writable) || offset == LDR) {
        return false;
    }
    if (value & ~(r->writable | (offset >= LVT_TIMER_AT && offset < INITIAL ? LVT_READ_ONLY : 0))) {
        return false;
    }
    if (offset == SVR && value & SVR_KEEP_EOI && !l->directed_eoi) {
        return false;
    }
    l->bank.region.ops->write(&l->dev.obj, &io);
    return true;
}

/* ---- IA32_APIC_BASE: which mode, and where the page is ---- */

static bool base_write(Lapic *l, uint64_t value)
{
    uint64_t known = ((1ull << l->phys_bits) - LAPIC_PAGE_BYTES) | BASE_BSP | BASE_EN;
    uint64_t old = l->s.base, modes = BASE_EN | BASE_EXTD;

    known |= l->x2apic ? BASE_EXTD : 0;
    if (value & ~known || (value & modes) == BASE_EXTD) {
        return false;
    }
    if ((old & modes) == modes && (value & modes) == BASE_EN) {
        return false; /* x2APIC to xAPIC */
    }
    if (!(old & BASE_EN) && value & BASE_EXTD) {
        return false; /* off to x2APIC */
    }
    l->s.base = value;
    if (old & BASE_EN && !(value & BASE_EN)) {
        lapic_registers_reset(&l->s);
    } else if (~old & value & BASE_EXTD) {
        l->s.ldr = (l->s.id >> 4) << 16 | 1u << (l->s.id & 15);
        l->s.icr[1] = 0;
    }
    return true;
}

/* ---- what the vCPU asks ---- */

static int lapic_acknowledge(Object *intc)
{
    Lapic *l = CAST(Lapic, intc);
    int vector = -1;

    if (!object_enter(intc)) {
        return -1;
    }
    vector = lapic_pending(l);
    if (l->cpu->accel && l->cpu->accel->split) {
        vector = l->pic && l->lines & 1 ? pic_acknowledge(l->pic) : -1;
    } else if (vector >= 0) {
        bit_put(l->s.irr, vector, false);
        bit_put(l->s.isr, vector, true);
    } else if (lapic_extint(l) && l->pic) {
        l->s.extint = false;
        vector = pic_acknowledge(l->pic);
    }
    object_leave(intc);
    return vector;
}

static bool msr_read(Lapic *l, uint32_t index, uint64_t *value)
{
    if (index == MSR_APIC_BASE) {
        *value = l->s.base;
    } else if (index == MSR_TSC_DEADLINE) {
        *value = l->s.deadline;
        return l->tsc_deadline;
    } else {
        return is_x2apic(l) && x2apic_read(l, index, value);
    }
    return true;
}

static bool msr_write(Lapic *l, uint32_t index, uint64_t value)
{
    if (index == MSR_APIC_BASE) {
        return base_write(l, value);
    }
    if (index == MSR_TSC_DEADLINE) {
        if (l->tsc_deadline) {
            lapic_deadline(l, value);
        }
        return l->tsc_deadline;
    }
    return is_x2apic(l) && x2apic_write(l, index, value);
}

static bool lapic_msr_read(Object *intc, uint32_t index, uint64_t *value)
{
    bool ok;

    if (!object_enter(intc)) {
        return false;
    }
    ok = msr_read(CAST(Lapic, intc), index, value);
    object_leave(intc);
    return ok;
}

static bool lapic_msr_write(Object *intc, uint32_t index, uint64_t value)
{
    bool ok;

    if (!object_enter(intc)) {
        return false;
    }
    ok = msr_write(CAST(Lapic, intc), index, value);
    object_leave(intc);
    return ok;
}

static uint8_t lapic_tpr(Object *intc)
{
    return CAST(Lapic, intc)->s.tpr;
}

static void lapic_set_tpr(Object *intc, uint8_t tpr)
{
    if (object_enter(intc)) {
        CAST(Lapic, intc)->s.tpr = tpr;
        object_leave(intc);
    }
}

/* The engine's local APIC says so. */
static void lapic_eoi(Object *intc, uint8_t vector)
{
    if (object_enter(intc)) {
        msi_port_eoi(CAST(Lapic, intc)->port, vector);
        object_leave(intc);
    }
}

const IntcOps lapic_ops = {
    .eoi = lapic_eoi,
    .acknowledge = lapic_acknowledge,
    .msr_read = lapic_msr_read,
    .msr_write = lapic_msr_write,
    .tpr = lapic_tpr,
    .set_tpr = lapic_set_tpr,
};
