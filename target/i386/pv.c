/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paravirtual features: KVM's leaves and clock (Documentation/virt/kvm/x86/cpuid.rst and msr.rst of
 * Linux) and Hyper-V's (Microsoft's Hypervisor Top-Level Functional Specification, version 6.0b:
 * chapters 2, 3, 12 and appendices). They belong to the model, so both engines show the same
 * leaves; under KVM the kernel serves the registers, under the software engine this file does.
 *
 * Not modelled: KVM's asynchronous page faults, steal time, EOI and IPIs in software (models have
 * them only where a kernel serves them), nor Hyper-V's synthetic interrupt controller and timers,
 * TLB flush and IPI calls (each call answers "not known"); VMBus, nested enlightenments.
 */
#include "target/i386/pv.h"

#include "softmmu/run/clock.h"
#include "softmmu/run/run.h"
#include "target/i386/cpu.h"

#include <string.h>

/* ---- names ---- */

typedef struct HvName {
    const char *name;
    uint32_t bit; /* 0: known, not offered */
} HvName;

static const HvName hv_names[] = {
    {"hv-relaxed", HV_RELAXED},
    {"hv-vapic", HV_VAPIC},
    {"hv-spinlocks", HV_SPINLOCKS},
    {"hv-time", HV_TIME},
    {"hv-vpindex", HV_VPINDEX},
    {"hv-runtime", HV_RUNTIME},
    {"hv-reset", HV_RESET},
    {"hv-crash", HV_CRASH},
    {"hv-frequencies", HV_FREQUENCIES},
    {"hv-synic", HV_SYNIC},
    {"hv-stimer", HV_STIMER},
    {"hv-stimer-direct", HV_STIMER_DIRECT},
    {"hv-tlbflush", HV_TLBFLUSH},
    {"hv-ipi", HV_IPI},
    {"hv-tlbflush-direct", 0},
    {"hv-tlbflush-ext", 0},
    {"hv-reenlightenment", 0},
    {"hv-evmcs", 0},
    {"hv-emsr-bitmap", 0},
    {"hv-xmm-input", 0},
    {"hv-avic", 0},
    {"hv-apicv", 0},
    {"hv-no-nonarch-coresharing", 0},
};

uint32_t pv_hv_bit(const char *name, bool *lacking)
{
    g_autofree char *key = g_strdelimit(g_strdup(name), "_", '-');

    *lacking = false;
    for (unsigned i = 0; i < G_N_ELEMENTS(hv_names); i++) {
        if (!strcmp(hv_names[i].name, key)) {
            *lacking = !hv_names[i].bit;
            return hv_names[i].bit;
        }
    }
    return 0;
}

/* ---- CPUID ---- */

static void words(uint32_t out[4], uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    memcpy(out, (uint32_t[]){a, b, c, d}, 16);
}

static void kvm_leaf(const CpuModel *m, uint32_t base, uint32_t leaf, uint32_t out[4])
{
    uint32_t features = m->features.word[WORD_KVM_EAX];

    if (leaf == 0) {
        out[0] = base | 1;
        memcpy(&out[1], features ? "KVMKVMKVM\0\0\0" : "RheaRheaRhea", 12);
    } else if (leaf == 1) { /* one name stands for the old and the new registers of the clock */
        out[0] = features | (features & 1) << 3;
    }
}

/* Which bit of which leaf says so: of 4000_0003 (privileges EAX, EBX, features EDX) or of 4000_0004
 * (recommendations EAX). What stands in several rows needs all of them. */
static const struct HvBit {
    uint32_t hv;
    uint8_t leaf, reg, bit;
} hv_bits[] = {
    {HV_RUNTIME, 3, 0, 0}, {HV_TIME, 3, 0, 1},           {HV_SYNIC, 3, 0, 2},
    {HV_STIMER, 3, 0, 3},  {HV_VAPIC, 3, 0, 4},          {HV_VPINDEX, 3, 0, 6},
    {HV_RESET, 3, 0, 7},   {HV_TIME, 3, 0, 9},           {HV_FREQUENCIES, 3, 0, 11},
    {HV_SYNIC, 3, 1, 4},   {HV_SYNIC, 3, 1, 5},          {HV_FREQUENCIES, 3, 3, 8},
    {HV_CRASH, 3, 3, 10},  {HV_STIMER_DIRECT, 3, 3, 19}, {HV_TLBFLUSH, 4, 0, 2},
    {HV_VAPIC, 4, 0, 3},   {HV_RELAXED, 4, 0, 5},        {HV_IPI, 4, 0, 10},
};

static void hv_flags(uint32_t hv, uint8_t leaf, uint32_t out[4])
{
    for (unsigned i = 0; i < G_N_ELEMENTS(hv_bits); i++) {
        if (hv & hv_bits[i].hv && hv_bits[i].leaf == leaf) {
            out[hv_bits[i].reg] |= 1u << hv_bits[i].bit;
        }
    }
}

uint32_t pv_hv_offered(const uint32_t privileges[4], const uint32_t recommendations[4])
{
    uint32_t hv = HV_ALL;

    for (unsigned i = 0; i < G_N_ELEMENTS(hv_bits); i++) {
        const uint32_t *leaf = hv_bits[i].leaf == 3 ? privileges : recommendations;

        if (!(leaf[hv_bits[i].reg] >> hv_bits[i].bit & 1)) {
            hv &= ~hv_bits[i].hv;
        }
    }
    return hv;
}

const char *pv_hv_name(uint32_t bit)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(hv_names); i++) {
        if (hv_names[i].bit == bit) {
            return hv_names[i].name;
        }
    }
    return NULL;
}

bool pv_hv_check(uint32_t hv, uint32_t offered, Error **err)
{
    static const uint32_t needs[][2] = {
        {HV_SYNIC, HV_VPINDEX},        {HV_STIMER, HV_SYNIC},     {HV_STIMER, HV_TIME},
        {HV_STIMER_DIRECT, HV_STIMER}, {HV_TLBFLUSH, HV_VPINDEX}, {HV_IPI, HV_VPINDEX},
    };
    uint32_t lacking = hv & ~offered;

    if (lacking) {
        error_set(err, "%s is not offered by this engine", pv_hv_name(lacking & -lacking));
        return error_hint(err, lacking & ~HV_SOFT ? "a kernel with KVM may have it: -accel kvm"
                                                  : "leave it out, or use -accel tcg");
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(needs); i++) {
        if (hv & needs[i][0] && !(hv & needs[i][1])) {
            return error_set(err, "%s needs %s", pv_hv_name(needs[i][0]), pv_hv_name(needs[i][1]));
        }
    }
    return true;
}

static void hv_leaf(const CpuModel *m, uint32_t leaf, uint32_t out[4])
{
    enum { BUILD = 14393, MAJOR = 10, MAX_VPS = 255, MAY_CALL = 1 << 5, ANY_PROCESSORS = 1 << 11 };

    switch (leaf) {
    case 0:
        out[0] = 0x40000005;
        memcpy(&out[1], *m->hv_vendor ? m->hv_vendor : "Microsoft Hv", 12);
        break;
    case 1:
        memcpy(&out[0], "Hv#1", 4);
        break;
    case 2:
        words(out, BUILD, MAJOR << 16, 0, 0);
        break;
    case 3:
        words(out, MAY_CALL, 0, 0, 0);
        hv_flags(m->hv, 3, out);
        break;
    case 4:
        words(out, m->hv & (HV_TLBFLUSH | HV_IPI) ? ANY_PROCESSORS : 0,
              m->hv & HV_SPINLOCKS ? m->hv_spinlocks : ~0u, 0, 0);
        hv_flags(m->hv, 4, out);
        break;
    case 5:
        words(out, MAX_VPS, MAX_VPS, 0, 0);
        break;
    }
}

/* Hyper-V's leaves come first, as its guests look nowhere else. */
void pv_cpuid(const CpuModel *m, uint32_t leaf, uint32_t out[4])
{
    uint32_t n = leaf & 0xff;

    if (m->hv && leaf >> 8 == 0x400000) {
        hv_leaf(m, n, out);
    } else if (m->hv ? leaf >> 8 == 0x400001 && m->features.word[WORD_KVM_EAX]
                     : leaf >> 8 == 0x400000) {
        kvm_leaf(m, leaf & ~0xffu, n, out);
    }
}

/* ---- time pages ---- */

typedef struct ClockPage { /* msr.rst: pvclock_vcpu_time_info */
    uint32_t version, pad;
    uint64_t tsc, ns;
    uint32_t mul;
    int8_t shift;
    uint8_t flags, pads[2];
} ClockPage;

typedef struct HvTscPage { /* TLFS 12.7.3 */
    uint32_t sequence, pad;
    uint64_t scale;
    int64_t offset;
} HvTscPage;

enum { PV_WALL, PV_CLOCK, CLOCK_ON = 1, CLOCK_STABLE = 1, HV_PAGE_ON = 1 };

static AddressSpace *space(Vcpu *cpu)
{
    return machine_space(cpu->dev.machine);
}

/* nanoseconds = ((ticks << shift) * mul) >> 32 */
static void rate(uint64_t hz, ClockPage *page)
{
    enum { BILLION = 1000000000 };

    while (hz > 2ull * BILLION) {
        hz >>= 1;
        page->shift--;
    }
    while (hz <= BILLION) {
        hz <<= 1;
        page->shift++;
    }
    page->mul = ((unsigned __int128)BILLION << 32) / hz;
}

static int64_t clock_ns(Vcpu *cpu)
{
    const AccelClass *engine = cpu->accel ? (const AccelClass *)cpu->accel->obj.class : NULL;

    return engine && engine->clock_get ? engine->clock_get(cpu->accel) : clock_now(cpu->clock);
}

/* An odd version says that it is being written. */
static void clock_write(Vcpu *cpu)
{
    uint64_t at = cpu->state->pv[PV_CLOCK] & ~3ull;
    ClockPage page = {.flags = CLOCK_STABLE};
    uint32_t version = 0;
    Access by = {0};

    if (!(cpu->state->pv[PV_CLOCK] & CLOCK_ON)) {
        return;
    }
    mem_read(space(cpu), by, at, &version, sizeof version);
    page.version = (version | 1) + 1;
    version |= 1;
    mem_write(space(cpu), by, at, &version, sizeof version);
    page.tsc = cpu_tsc(cpu) + cpu->state->tsc_offset;
    page.ns = clock_ns(cpu);
    rate(cpu_tsc_hz(cpu), &page);
    mem_write(space(cpu), by, at + 8, (char *)&page + 8, sizeof page - 8);
    mem_write(space(cpu), by, at, &page.version, sizeof page.version);
}

/* The time of day at which the clock was 0. */
static void wall_write(Vcpu *cpu)
{
    int64_t ns = machine_wall_time(cpu->dev.machine) - clock_ns(cpu);
    uint32_t words3[3] = {2, ns / 1000000000, ns % 1000000000};

    mem_write(space(cpu), (Access){0}, cpu->state->pv[PV_WALL] & ~3ull, words3, sizeof words3);
}

static void hv_tsc_write(Vcpu *cpu)
{
    uint64_t hz = cpu_tsc_hz(cpu), tsc = cpu_tsc(cpu) + cpu->state->tsc_offset;
    HvTscPage page = {.sequence = 1};

    if (!(cpu->state->hv_tsc & HV_PAGE_ON)) {
        return;
    }
    page.scale = ((unsigned __int128)10000000 << 64) / hz;
    page.offset = clock_ns(cpu) / 100 - (int64_t)((unsigned __int128)tsc * page.scale >> 64);
    mem_write(space(cpu), (Access){0}, cpu->state->hv_tsc & ~0xfffull, &page, sizeof page);
}

void pv_refresh(Vcpu *cpu)
{
    clock_write(cpu);
    hv_tsc_write(cpu);
}

/* ---- KVM's registers ---- */

static bool kvm_has_clock(Vcpu *cpu)
{
    return feature_has(&cpu_model(cpu)->features, FEATURE_KVM_CLOCK);
}

/* 0x11 and 0x12 are the same two under older numbers. */
static bool kvm_clock_register(uint32_t index, unsigned *n)
{
    *n = index < 0x100 ? index - 0x11 : index & 0xff;
    return *n <= PV_CLOCK;
}

static bool kvm_write(Vcpu *cpu, uint32_t index, uint64_t value)
{
    unsigned n;

    if (!kvm_has_clock(cpu) || !kvm_clock_register(index, &n)) {
        return false;
    }
    cpu->state->pv[n] = value;
    if (n == PV_CLOCK) {
        clock_write(cpu);
    } else if (value) {
        wall_write(cpu);
    }
    return true;
}

static bool kvm_read(Vcpu *cpu, uint32_t index, uint64_t *value)
{
    unsigned n;

    if (!kvm_has_clock(cpu) || !kvm_clock_register(index, &n)) {
        return false;
    }
    *value = cpu->state->pv[n];
    return true;
}

/* ---- Hyper-V's ---- */

enum {
    HV_OS,
    HV_HYPERCALL,
    HV_VP,
    HV_RST,
    HV_RUN = 0x10,
    HV_COUNT = 0x20,
    HV_TSC = 0x21,
    HV_TSC_HZ = 0x22,
    HV_APIC_HZ = 0x23,
    HV_EOI = 0x70,
    HV_ICR,
    HV_TPR,
    HV_ASSIST,
    HV_CRASH0 = 0x100,
    HV_CRASH_LAST = 0x104,
    HV_CRASH_CTL
};
enum { LAPIC_PAGE_AT = 0xfee00000, LAPIC_EOI = 0xb0, LAPIC_ICR = 0x300 };

/* Which enlightenment brings a register; 0: every one. ~0: there is no such register. */
static uint32_t hv_owner(uint32_t n)
{
    switch (n) {
    case HV_OS:
    case HV_HYPERCALL:
        return 0;
    case HV_VP:
        return HV_VPINDEX;
    case HV_RST:
        return HV_RESET;
    case HV_RUN:
        return HV_RUNTIME;
    case HV_COUNT:
    case HV_TSC:
        return HV_TIME;
    case HV_TSC_HZ:
    case HV_APIC_HZ:
        return HV_FREQUENCIES;
    case HV_EOI ... HV_ASSIST:
        return HV_VAPIC;
    case HV_CRASH0 ... HV_CRASH_CTL:
        return HV_CRASH;
    default:
        return ~0u;
    }
}

static unsigned vp_index(Vcpu *cpu)
{
    Machine *m = cpu->dev.machine;
    unsigned n = 0;

    while (n < machine_cpu_count(m) && machine_cpu(m, n) != cpu) {
        n++;
    }
    return n;
}

/* Where the field of a register lies; NULL: it is computed. */
static uint64_t *hv_field(X86State *s, uint32_t n)
{
    return n == HV_OS                           ? &s->hv_os
         : n == HV_HYPERCALL                    ? &s->hv_hypercall
         : n == HV_TSC                          ? &s->hv_tsc
         : n == HV_ASSIST                       ? &s->hv_assist
         : n >= HV_CRASH0 && n <= HV_CRASH_LAST ? &s->hv_crash[n - HV_CRASH0]
                                                : NULL;
}

static bool hv_there(Vcpu *cpu, uint32_t n)
{
    uint32_t hv = cpu_model(cpu)->hv, owner = hv_owner(n);

    return hv && owner != ~0u && (hv & owner) == owner;
}

static bool hv_read(Vcpu *cpu, uint32_t n, uint64_t *value)
{
    const uint64_t *field = hv_field(cpu->state, n);

    switch (n) {
    case HV_VP:
        *value = vp_index(cpu);
        break;
    case HV_RUN:
    case HV_COUNT:
        *value = clock_ns(cpu) / 100;
        break;
    case HV_TSC_HZ:
        *value = cpu_tsc_hz(cpu);
        break;
    case HV_APIC_HZ:
        *value = 1000000000; /* it counts nanoseconds */
        break;
    case HV_TPR:
        *value = cpu->intc_ops ? cpu->intc_ops->tpr(cpu->intc) : 0;
        break;
    case HV_CRASH_CTL:
        *value = 1ull << 63;
        break;
    default:
        *value = field ? *field : 0;
    }
    return true;
}

/* What a guest calls: here it only answers HV_STATUS_INVALID_HYPERCALL_CODE. */
static void hypercall_page(Vcpu *cpu, uint64_t value)
{
    static const uint8_t code[] = {0xb8, 2, 0, 0, 0, 0xc3}; /* mov eax, 2; ret */

    if (value & HV_PAGE_ON) {
        mem_write(space(cpu), (Access){0}, value & ~0xfffull, code, sizeof code);
    }
}

static void lapic_write(Vcpu *cpu, uint32_t at, uint32_t value)
{
    mem_write(&cpu->memory, (Access){.cpu = cpu}, LAPIC_PAGE_AT + at, &value, sizeof value);
}

static void assist_page(Vcpu *cpu, uint64_t value)
{
    static const uint8_t zeros[4];

    if (value & HV_PAGE_ON) { /* no EOI is ever waived */
        mem_write(space(cpu), (Access){0}, value & ~0xfffull, zeros, sizeof zeros);
    }
}

static bool hv_write(Vcpu *cpu, uint32_t n, uint64_t value)
{
    uint64_t *field = hv_field(cpu->state, n);

    if (n == HV_HYPERCALL && !cpu->state->hv_os) {
        value &= ~(uint64_t)HV_PAGE_ON; /* who says nothing of himself gets no calls */
    }
    if (field) {
        *field = value;
    }
    switch (n) {
    case HV_HYPERCALL:
        hypercall_page(cpu, value);
        return true;
    case HV_TSC:
        hv_tsc_write(cpu);
        return true;
    case HV_ASSIST:
        assist_page(cpu, value);
        return true;
    case HV_RST:
        if (value & 1) {
            machine_request_reset(cpu->dev.machine, RESET_WARM);
        }
        return true;
    case HV_EOI:
        lapic_write(cpu, LAPIC_EOI, value);
        return true;
    case HV_ICR:
        lapic_write(cpu, LAPIC_ICR + 16, value >> 32);
        lapic_write(cpu, LAPIC_ICR, value);
        return true;
    case HV_TPR:
        if (cpu->intc_ops) {
            cpu->intc_ops->set_tpr(cpu->intc, value);
        }
        return true;
    case HV_CRASH_CTL:
        if (value >> 63) {
            machine_request_pause(cpu->dev.machine, MACHINE_CRASHED);
        }
        return true;
    default:
        return field;
    }
}

/* ---- both ---- */

bool pv_msr_read(Vcpu *cpu, uint32_t index, uint64_t *value)
{
    uint32_t n = index - 0x40000000;

    return n < 0x200 ? hv_there(cpu, n) && hv_read(cpu, n, value) : kvm_read(cpu, index, value);
}

bool pv_msr_write(Vcpu *cpu, uint32_t index, uint64_t value)
{
    uint32_t n = index - 0x40000000;

    return n < 0x200 ? hv_there(cpu, n) && hv_write(cpu, n, value) : kvm_write(cpu, index, value);
}
