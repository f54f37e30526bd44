/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Another engine for a machine that stands: all of each vCPU's state goes through X86State and
 * LapicState, memory and devices stay where they are. The new engine must offer every feature that
 * the guest was shown, and a TSC of the same frequency.
 * Not modelled: properties of the new engine (it has its defaults).
 */
#include "accel/common/vcpu_impl.h"
#include "hw/core/device_impl.h"
#include "target/i386/cpu.h"
#include "target/i386/model.h"
#include "target/i386/pv.h"

static bool offered(Accel *a, Vcpu *cpu, Error **err)
{
    const CpuModel *model = cpu_model(cpu);
    CpuOffer offer;

    if (!cpu_offer(a, &offer, err)) {
        return false;
    }
    if (!pv_hv_check(model->hv, offer.hv, err)) {
        return error_prefix(err, "%s: ", a->obj.class->name);
    }
    for (unsigned f = 0; f < WORD_COUNT * 32; f++) {
        const char *name = feature_name(f);

        if (name && feature_has(&model->features, f) && !feature_has(&offer.features, f)) {
            error_set(err, "%s does not offer the guest's CPU feature %s", a->obj.class->name,
                      name);
            return error_hint(err, "start the machine with -cpu %s,-%s", model->name, name);
        }
    }
    return true;
}

static bool smm_offered(Machine *m, Accel *a, Error **err)
{
    if (!m->smm || !a->no_smm) {
        return true;
    }
    error_set(err, "%s has no system management mode here, and the guest was started with it",
              a->obj.class->name);
    return error_hint(err, "start the machine with -machine smm=off");
}

static void vcpu_leaves(Vcpu *cpu)
{
    vcpu_thread_end(cpu);
    if (vcpu_engine(cpu)->vcpu_destroy) {
        vcpu_engine(cpu)->vcpu_destroy(cpu);
    }
    cpu->made = false;
}

static bool vcpu_joins(Vcpu *cpu, Accel *a, Error **err)
{
    cpu->accel = a;
    cpu->stale = 0;
    if (!vcpu_make(cpu, err)) {
        return false;
    }
    cpu->changed = X86_ALL;
    if (vcpu_engine(cpu)->push) {
        vcpu_engine(cpu)->push(cpu, X86_ALL);
    }
    /* A debugger stays, and an engine that has been away forgets its plan of then. */
    return (!cpu->plan && !vcpu_engine(cpu)->debug) || vcpu_debug(cpu, cpu->plan, err);
}

/* Timers, mappings and wires of interrupt controllers depend on whose the local APICs are. */
static void settle_again(Device *dev, void *opaque)
{
    if (object_enter(&dev->obj)) {
        object_leave(&dev->obj);
    }
}

static bool all_join(Machine *m, Accel *a, Error **err)
{
    for (unsigned i = 0; i < machine_cpu_count(m); i++) {
        if (!vcpu_joins(machine_cpu(m, i), a, err)) {
            return false;
        }
    }
    return true;
}

/* Two of a name cannot be in the tree at once, so each has its own. */
static Accel *make(Machine *m, const AccelClass *class, Error **err)
{
    g_autofree char *name = g_strconcat("accel-", class->class.alias ?: class->class.name, NULL);
    Accel *a;

    if (class->usable && !class->usable(NULL, err)) {
        return NULL;
    }
    a = CAST(Accel, object_new(&class->class, &m->obj, name));
    a->machine = m;
    if (class->start && !class->start(a, err)) {
        object_remove(&a->obj);
        return NULL;
    }
    a->split = class->irqchip && class->irqchip(a) == IRQCHIP_SPLIT;
    a->obj.fixed = true;
    return a;
}

/* The vCPUs are parked, and so pulled. When the new engine cannot make them, the old one can. */
static bool exchange(Machine *m, Accel *to, Error **err)
{
    Accel *from = m->accel;
    const AccelClass *from_class = (const AccelClass *)from->obj.class;
    const AccelClass *to_class = (const AccelClass *)to->obj.class;
    bool ok;

    for (unsigned i = 0; i < machine_cpu_count(m); i++) {
        vcpu_leaves(machine_cpu(m, i));
    }
    if (from_class->clock_get && to_class->clock_set) {
        to_class->clock_set(to, from_class->clock_get(from));
    }
    m->accel = to;
    ok = all_join(m, to, err);
    if (!ok) {
        for (unsigned i = 0; i < machine_cpu_count(m); i++) {
            if (machine_cpu(m, i)->made) {
                vcpu_leaves(machine_cpu(m, i));
            }
        }
        m->accel = from;
        all_join(m, from, NULL);
    }
    each_device(&m->obj, settle_again, NULL);
    object_remove(ok ? &from->obj : &to->obj);
    return ok;
}

bool accel_switch(Machine *m, const char *name, Error **err)
{
    const Class *c = class_find(name);
    Accel *to;
    bool ok;

    if (!c || !class_is(c, &Accel_class) || c == &Accel_class.class) {
        return error_set(err, "there is no engine %s", name);
    }
    if (!m->accel || machine_state(m) == MACHINE_RUNNING) {
        return error_set(err, "the machine must be stopped for that");
    }
    if (m->accel->obj.class == c) {
        return true;
    }
    to = make(m, (const AccelClass *)c, err);
    if (!to) {
        return false;
    }
    ok = smm_offered(m, to, err);
    for (unsigned i = 0; ok && i < machine_cpu_count(m); i++) {
        ok = offered(to, machine_cpu(m, i), err);
    }
    if (!ok) {
        object_remove(&to->obj);
        return false;
    }
    lock_take(machine_lock(m));
    ok = exchange(m, to, err);
    lock_drop(machine_lock(m));
    return ok;
}
