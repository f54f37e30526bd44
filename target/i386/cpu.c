/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x86 CPU as a device: what every engine shares. It owns the memory of the state (which is the
 * first member of the run-time library's Cpu, so that the software engine needs no copy), the
 * model, the A20 wire, and resets.
 */
#include "target/i386/cpu.h"

#include "softmmu/run/board.h"
#include "softmmu/run/clock.h"
#include "target/i386/pv.h"
#include "target/i386/rt/rt.h"
#include "target/i386/shutdown.h"
#include "util/log.h"
#include "util/map.h"

typedef struct X86Cpu {
    Vcpu vcpu;
    char *model_text;
    CpuModel model;
    CpuTopology topology;
    Cpu *rt;
    X86State *state;
    IrqLine ferr;
} X86Cpu;

enum { MSR_APIC_BASE = 0x1b, APIC_BASE_ENABLE = 1 << 11 };

/* ---- life ---- */

static void x86_init(Object *obj)
{
    X86Cpu *x = (X86Cpu *)obj;

    x->rt = map_zeroed(sizeof *x->rt);
    if (!x->rt) {
        g_error("no %zu bytes of memory for a CPU", sizeof *x->rt);
    }
    x->state = x->vcpu.state = &x->rt->s;
}

static void x86_finalize(Object *obj)
{
    map_free(((X86Cpu *)obj)->rt, sizeof(Cpu));
}

/* For the local APIC: when the guest's TSC reaches a value, in guest nanoseconds. */
static int64_t tsc_due(Vcpu *cpu, uint64_t tsc)
{
    int64_t ticks = tsc - cpu->state->tsc_offset, hz = cpu_tsc_hz(cpu);
    __int128 ns = ((__int128)ticks * 1000000000 + hz - 1) / hz;

    return ticks <= 0 ? 0 : ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
}

bool cpu_offer(Accel *a, CpuOffer *offer, Error **err)
{
    const AccelClass *engine = a ? (const AccelClass *)a->obj.class : NULL;

    *offer = (CpuOffer){0};
    if (!engine || !engine->supported) {
        model_offered(&offer->features);
        offer->hv = HV_SOFT;
        return true;
    }
    offer->hv = engine->enlightenments ? engine->enlightenments(a) : 0;
    offer->hardware = true;
    offer->tsc_hz = engine->tsc_hz ? engine->tsc_hz(a) : 0;
    return engine->supported(a, &offer->features, err);
}

static bool x86_realize(X86Cpu *x, Error **err)
{
    const SmpTopology *smp = &machine_config(x->vcpu.dev.machine)->smp;
    CpuOffer offer;

    if (!cpu_offer(x->vcpu.accel, &offer, err) ||
        !model_resolve(x->model_text, &offer, &x->model, err)) {
        return false;
    }
    x->topology = (CpuTopology){smp->sockets, smp->dies, smp->cores, smp->threads};
    if (x->vcpu.id == 0 && *x->model.missing) {
        log_printf("-cpu %s: not to be had here: %s\n", x->model.name, x->model.missing);
    }
    x->rt->features = &x->model.features;
    x->rt->tsc_hz = x->model.tsc_hz;
    x->rt->phys_bits = x->model.phys_bits;
    x->rt->linear_bits = x->model.linear_bits;
    x->vcpu.tsc_due = tsc_due;
    x->rt->signature = cpuid_signature(&x->model);
    return vcpu_make(&x->vcpu, err);
}

static void x86_reset(X86Cpu *x, ResetKind kind)
{
    if (log_on(LOG_CPU_RESET)) {
        g_autofree char *text = cpu_registers(x->state);

        log_printf("cpu%u: reset\n%s", x->vcpu.id, text);
    }
    rt_reset(x->rt, false, x->vcpu.id == 0);
    x->state->tsc_offset = -cpu_tsc(&x->vcpu);
    x->vcpu.changed = X86_ALL;
}

static bool x86_loaded(X86Cpu *x, Error **err)
{
    rt_state_loaded(x->rt);
    return true;
}

/* ---- A20 (the keyboard controller's and port 92's gate, joined) ---- */

static void forget_pages(Vcpu *cpu, void *opaque)
{
    phys_flush(cpu_rt(cpu));
}

static void a20_in(X86Cpu *x, unsigned n, bool level)
{
    x->state->a20 = level;
    vcpu_post(&x->vcpu, forget_pages, NULL);
}

static void a20_latch(X86Cpu *x, unsigned n, bool level)
{
    x->state->a20 = level;
}

/* ---- what others ask ---- */

void cpu_ferr(Vcpu *cpu)
{
    if (object_enter(&cpu->dev.obj)) {
        irq_pulse(&((X86Cpu *)cpu)->ferr);
        object_leave(&cpu->dev.obj);
    }
}

Cpu *cpu_rt(Vcpu *cpu)
{
    return ((X86Cpu *)cpu)->rt;
}

const CpuModel *cpu_model(Vcpu *cpu)
{
    return &((X86Cpu *)cpu)->model;
}

uint64_t cpu_tsc_hz(Vcpu *cpu)
{
    return ((X86Cpu *)cpu)->model.tsc_hz;
}

uint64_t cpu_tsc(Vcpu *cpu)
{
    return (unsigned __int128)clock_now(cpu->clock) * cpu_tsc_hz(cpu) / 1000000000;
}

void cpu_cpuid(Vcpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    X86Cpu *x = (X86Cpu *)cpu;
    uint64_t base = 0;

    if (cpu->intc_ops && !cpu->intc_ops->msr_read(cpu->intc, MSR_APIC_BASE, &base)) {
        base = 0;
    }
    CpuidInputs now = {
        .apic_id = cpu->id,
        .apic_on = base & APIC_BASE_ENABLE,
        .cr4 = x->state->cr4,
        .xcr0 = x->state->xcr0,
        .xss = x->state->xss,
    };

    cpuid_get(&x->model, &x->topology, &now, leaf, subleaf, out);
}

static const Prop x86_props[] = {
    PROP_AS(X86Cpu, "model", model_text, 0, "the model and its features, as -cpu takes it"),
    PROP_END,
};

static const StateField x86_state[] = {
    /* reset() sets it whole, after it was logged */
    STATE_AT(X86Cpu, state, X86State, x86_state_fields, .survives = RESET_ANY),
    STATE_SKIP(X86Cpu, model, "config"),
    STATE_SKIP(X86Cpu, topology, "config"),
    STATE_SKIP(X86Cpu, rt, "derived"),
    STATE_END,
};

static const Pin x86_pins[] = {
    PIN_OUT(X86Cpu, ferr),
    PIN_IN("a20", 1, METHOD(X86Cpu, a20_in), METHOD(X86Cpu, a20_latch)),
    PIN_END,
};

const DeviceClass X86Cpu_class = {
    .class = {"x86_64-cpu", "an x86 CPU of a named model", &Vcpu_class.class, sizeof(X86Cpu),
              x86_props, .init = x86_init, .finalize = x86_finalize},
    .onboard = true,
    .state = x86_state,
    .pins = x86_pins,
    .realize = METHOD(X86Cpu, x86_realize),
    .reset = METHOD(X86Cpu, x86_reset),
    .loaded = METHOD(X86Cpu, x86_loaded),
};
CLASS(X86Cpu);

Vcpu *cpu_create(Machine *m, const char *model, unsigned apic_id, Error **err)
{
    g_autofree char *name = g_strdup_printf("cpu%u", apic_id);
    PropValue props[] = {{"id", NUMBER(apic_id)}, {"model", TEXT(model ?: "max")}, {}};

    return (Vcpu *)device_add(m, &X86Cpu_class, name, NULL, NULL, props, err);
}
