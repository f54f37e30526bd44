/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vCPUs as devices: made by boards, with a view of memory of their own (system memory, on top the
 * local APIC's page, and SMRAM while in system management mode), and a clock of their own.
 * Registers, models and their state are target/i386's, in classes derived from this one.
 * Not modelled: adding a vCPU to a running machine.
 */
#include "accel/common/vcpu_impl.h"
#include "target/i386/state.h"

#include <stdatomic.h>

enum { SMM_PRIORITY = 10 };

static const uint64_t whole = 1ull << 52;

const AccelClass *vcpu_engine(Vcpu *cpu)
{
    return cpu->accel ? (const AccelClass *)cpu->accel->obj.class : &Accel_class;
}

/* ---- events, from any thread ---- */

void vcpu_kick(Vcpu *cpu)
{
    const AccelClass *engine = vcpu_engine(cpu);

    if (engine->vcpu_kick) {
        engine->vcpu_kick(cpu);
    }
    vcpu_thread_wake(cpu);
}

void vcpu_event(Vcpu *cpu, uint32_t event)
{
    if (~atomic_fetch_or(&cpu->events, event) & event) {
        vcpu_kick(cpu);
    }
}

void vcpu_sipi(Vcpu *cpu, uint8_t page)
{
    cpu->sipi_page = page;
    vcpu_event(cpu, VCPU_SIPI);
}

void vcpu_intr(Vcpu *cpu, bool level)
{
    if (level) {
        vcpu_event(cpu, VCPU_INTR);
    } else {
        atomic_fetch_and(&cpu->events, ~VCPU_INTR);
    }
}

/* ---- debugging ---- */

bool vcpu_debug(Vcpu *cpu, const DebugPlan *plan, Error **err)
{
    const AccelClass *engine = vcpu_engine(cpu);

    if (plan && !engine->debug) {
        return error_set(err, "%s runs no breakpoints, watchpoints or single steps",
                         engine->class.name);
    }
    if (engine->debug && !engine->debug(cpu, plan, err)) {
        return false;
    }
    cpu->plan = plan;
    return true;
}

void vcpu_hold(Vcpu *cpu, bool hold)
{
    if (!hold) {
        cpu->hit = (DebugHit){0};
    }
    cpu->held = hold;
}

/* ---- system management mode ---- */

void vcpu_smm(Vcpu *cpu, bool on)
{
    Lock *lock = machine_lock(cpu->dev.machine);

    lock_take(lock);
    region_set(&cpu->smm, on, false);
    lock_drop(lock);
}

/* ---- life ---- */

static void exclusive(void *machine, void (*fn)(void *opaque), void *opaque)
{
    vcpus_exclusive(machine, fn, opaque);
}

static void vcpu_unrealize(Object *obj)
{
    Vcpu *cpu = CAST(Vcpu, obj);
    World *w = world(cpu->dev.machine);

    vcpu_thread_end(cpu);
    pthread_mutex_lock(&w->mutex);
    g_ptr_array_remove(cpu->dev.machine->cpus, cpu);
    pthread_mutex_unlock(&w->mutex);
    for (VcpuWork *work; (work = cpu->work);) {
        cpu->work = work->next;
        g_free(work);
    }
    if (cpu->made && vcpu_engine(cpu)->vcpu_destroy) {
        vcpu_engine(cpu)->vcpu_destroy(cpu);
    }
    space_free(&cpu->memory);
    region_free(&cpu->root);
    clock_free(cpu->clock);
}

static bool vcpu_realize(Vcpu *cpu, Error **err)
{
    Machine *m = cpu->dev.machine;
    Object *obj = &cpu->dev.obj;
    World *w = world_make(m);

    region_init(&cpu->root, obj, "cpu", whole);
    region_init_alias(&cpu->system, obj, "memory", machine_memory(m), 0, whole);
    region_init_alias(&cpu->smm, obj, "smram", machine_smram(m), 0, 1ull << 32);
    region_set(&cpu->smm, false, false);
    region_map(&cpu->root, 0, &cpu->system, 0);
    region_map(&cpu->root, 0, &cpu->smm, SMM_PRIORITY);
    space_init(&cpu->memory, machine_maps(m), &cpu->root);
    cpu->clock = clock_on(machine_clock(m, CLOCK_GUEST));
    machine_maps(m)->exclusive = exclusive;
    cpu->accel = cpu->accel ?: m->accel;
    pthread_mutex_lock(&w->mutex);
    g_ptr_array_add(m->cpus, cpu);
    pthread_mutex_unlock(&w->mutex);
    if (obj->class == &Vcpu_class.class && !vcpu_make(cpu, err)) {
        vcpu_unrealize(obj);
        return false;
    }
    return true;
}

bool vcpu_make(Vcpu *cpu, Error **err)
{
    const AccelClass *engine = vcpu_engine(cpu);

    cpu->made = !engine->vcpu_create || engine->vcpu_create(cpu, err);
    return cpu->made;
}

unsigned machine_cpu_count(Machine *m)
{
    return m->cpus->len;
}

Vcpu *machine_cpu(Machine *m, unsigned i)
{
    return m->cpus->pdata[i];
}

/* Power-on and warm reset are the same for a vCPU; memory and LAPIC have resets of their own. */
static void vcpu_reset(Object *obj, ResetKind kind)
{
    Vcpu *cpu = CAST(Vcpu, obj);

    atomic_fetch_and(&cpu->events, VCPU_STOP | VCPU_INTR);
    if (vcpu_engine(cpu)->reset) {
        vcpu_engine(cpu)->reset(cpu);
    }
    region_set(&cpu->smm, false, false);
}

static bool vcpu_loaded(Vcpu *cpu, Error **err)
{
    cpu->changed = X86_ALL;
    if (vcpu_engine(cpu)->push) {
        vcpu_engine(cpu)->push(cpu, X86_ALL);
    }
    region_set(&cpu->smm, cpu->state && cpu->state->smm, false);
    return true;
}

/* ---- wires ---- */

static void intr_in(Vcpu *cpu, unsigned n, bool level)
{
    vcpu_intr(cpu, level);
}

static void nmi_in(Vcpu *cpu, unsigned n, bool level)
{
    if (level) {
        vcpu_event(cpu, VCPU_NMI);
    }
}

static void smi_in(Vcpu *cpu, unsigned n, bool level)
{
    if (level) {
        vcpu_event(cpu, VCPU_SMI);
    }
}

static const Pin vcpu_pins[] = {
    PIN_IN("intr", 1, METHOD(Vcpu, intr_in), METHOD(Vcpu, intr_in)),
    PIN_IN("nmi", 1, METHOD(Vcpu, nmi_in)),
    PIN_IN("smi", 1, METHOD(Vcpu, smi_in)),
    PIN_END,
};

static const Prop vcpu_props[] = {PROP(Vcpu, id, 0, "APIC ID", .max = 255), PROP_END};

/* Events that wait are in the state's *_pending while the vCPU is parked. */
static const StateField vcpu_state[] = {
    STATE_SKIP(Vcpu, accel, "config"),
    STATE_SKIP(Vcpu, state, "host"), /* the derived class describes it */
    STATE_SKIP(Vcpu, stale, "derived"),
    STATE_SKIP(Vcpu, changed, "derived"),
    STATE_SKIP(Vcpu, clock, "config"),
    STATE_SKIP(Vcpu, root, "config"),
    STATE_SKIP(Vcpu, system, "config"),
    STATE_SKIP(Vcpu, smm, "derived"),
    STATE_SKIP(Vcpu, memory, "config"),
    STATE_SKIP(Vcpu, inside, "host"),
    STATE_SKIP(Vcpu, made, "host"),
    STATE_SKIP(Vcpu, seen, "host"),
    STATE_SKIP(Vcpu, work, "host"),
    STATE_SKIP(Vcpu, engine, "host"),
    STATE_SKIP(Vcpu, intc_ops, "config"),
    STATE_SKIP(Vcpu, intc, "config"),
    STATE_SKIP(Vcpu, intc_registers, "config"),
    STATE_SKIP(Vcpu, intc_msrs, "config"),
    STATE_SKIP(Vcpu, tsc_due, "config"),
    STATE_SKIP(Vcpu, events, "derived"),
    STATE_SKIP(Vcpu, sipi_page, "derived"),
    STATE_SKIP(Vcpu, thread, "host"),
    STATE_SKIP(Vcpu, plan, "host"), /* a debugger is attached to the machine, not to its state */
    STATE_SKIP(Vcpu, hit, "host"),
    STATE_SKIP(Vcpu, held, "host"),
    STATE_END,
};

const DeviceClass Vcpu_class = {
    .class = {"x86-cpu", "a virtual CPU", &Device_class.class, sizeof(Vcpu), vcpu_props},
    .onboard = true,
    .state = vcpu_state,
    .pins = vcpu_pins,
    .realize = METHOD(Vcpu, vcpu_realize),
    .unrealize = vcpu_unrealize,
    .reset = vcpu_reset,
    .loaded = METHOD(Vcpu, vcpu_loaded),
};
CLASS(Vcpu);
