/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Choosing an engine, vCPUs as devices, stopping the world. */
#include "accel/accel.h"

#include "softmmu/run/machine_impl.h"

#include <stdatomic.h>
#include <string.h>

/* ---- choosing ---- */

const AccelClass Accel_class = {
    .class = {"accel", "an engine that runs guest code", &Object_class, sizeof(Accel)},
};

Accel *accel_pick(Machine *m, const char *list, GString *log, Error **err)
{
    g_auto(GStrv) name = g_strsplit(list, ":", -1);

    for (int i = 0; name[i]; i++) {
        const Class *c = class_find(name[i]);
        Error *why = NULL;

        if (!c || !class_is(c, &Accel_class)) {
            error_set(&why, "there is no engine of that name");
        } else if (((const AccelClass *)c)->usable(&why)) {
            Accel *a = CAST(Accel, object_new(c, &m->obj, "accel"));

            a->machine = m;
            return a;
        }
        g_string_append_printf(log, "%s: %s\n", name[i], error_text(why));
        error_free(why);
    }
    error_set(err, "no engine of %s can be used", list);
    return NULL;
}

/* ---- vCPUs ---- */

typedef struct VcpuWork {
    void (*fn)(Vcpu *cpu, void *opaque);
    void *opaque;
    struct VcpuWork *next;
} VcpuWork;

struct World {
    pthread_mutex_t mutex; /* guards posted work and the waiting below */
    pthread_cond_t moved;
    pthread_mutex_t turn; /* one exclusive section at a time */
    _Atomic bool stop;
    _Atomic uint64_t epoch;
};

static struct World *world(Machine *m)
{
    if (!m->world) {
        m->world = g_new0(struct World, 1);
        pthread_mutex_init(&m->world->mutex, NULL);
        pthread_mutex_init(&m->world->turn, NULL);
        pthread_cond_init(&m->world->moved, NULL);
    }
    return m->world;
}

static bool vcpu_realize(Vcpu *cpu, Error **err)
{
    Machine *m = cpu->dev.machine;

    (void)err;
    region_init(&cpu->root, &cpu->dev.obj, "cpu", 1ull << 52);
    region_init_alias(&cpu->system, &cpu->dev.obj, "memory", machine_memory(m), 0, 1ull << 52);
    region_map(&cpu->root, 0, &cpu->system, 0);
    space_init(&cpu->memory, machine_maps(m), &cpu->root);
    cpu->clock = clock_on(machine_clock(m, CLOCK_GUEST));
    world(m);
    g_ptr_array_add(m->cpus, cpu);
    return true;
}

static void vcpu_unrealize(Object *obj)
{
    Vcpu *cpu = CAST(Vcpu, obj);

    g_ptr_array_remove(cpu->dev.machine->cpus, cpu);
    space_free(&cpu->memory);
    clock_free(cpu->clock);
}

static const Prop vcpu_props[] = {PROP(Vcpu, id, 0, "APIC ID", .max = 255), PROP_END};

static const StateField vcpu_state[] = {
    STATE_SKIP(Vcpu, accel, "config"),
    STATE_SKIP(Vcpu, state, "host"),
    STATE_SKIP(Vcpu, stale, "derived"),
    STATE_SKIP(Vcpu, changed, "derived"),
    STATE_SKIP(Vcpu, clock, "config"),
    STATE_SKIP(Vcpu, root, "config"),
    STATE_SKIP(Vcpu, system, "config"),
    STATE_SKIP(Vcpu, memory, "config"),
    STATE_SKIP(Vcpu, inside, "host"),
    STATE_SKIP(Vcpu, seen, "host"),
    STATE_SKIP(Vcpu, work, "host"),
    STATE_SKIP(Vcpu, engine, "host"),
    STATE_SKIP(Vcpu, intc_ops, "config"),
    STATE_SKIP(Vcpu, intc, "config"),
    STATE_SKIP(Vcpu, events, "derived"),
    STATE_SKIP(Vcpu, sipi_page, "derived"),
    STATE_END,
};

const DeviceClass Vcpu_class = {
    .class = {"x86-cpu", "a virtual CPU", &Device_class.class, sizeof(Vcpu), vcpu_props},
    .state = vcpu_state,
    .realize = METHOD(Vcpu, vcpu_realize),
    .unrealize = vcpu_unrealize,
};
CLASS(Vcpu);

/* ---- stopping the world ---- */

static const AccelClass *engine(Vcpu *cpu)
{
    return cpu->accel ? (const AccelClass *)cpu->accel->obj.class : &Accel_class;
}

static void kick(Vcpu *cpu)
{
    if (engine(cpu)->vcpu_kick) {
        engine(cpu)->vcpu_kick(cpu);
    }
}

static void run_posted(Vcpu *cpu)
{
    struct World *w = world(cpu->dev.machine);

    for (;;) {
        pthread_mutex_lock(&w->mutex);
        VcpuWork *work = cpu->work;
        if (work) {
            __atomic_store_n(&cpu->work, work->next, __ATOMIC_SEQ_CST);
        }
        pthread_mutex_unlock(&w->mutex);
        if (!work) {
            return;
        }
        work->fn(cpu, work->opaque);
        g_free(work);
    }
}

bool vcpu_wanted(Vcpu *cpu)
{
    return cpu->dev.machine->world->stop || __atomic_load_n(&cpu->work, __ATOMIC_SEQ_CST);
}

void vcpu_enter(Vcpu *cpu)
{
    struct World *w = world(cpu->dev.machine);

    for (;;) {
        run_posted(cpu);
        cpu->seen = w->epoch;
        cpu->inside = true;
        if (!vcpu_wanted(cpu)) {
            return;
        }
        vcpu_leave(cpu);
        pthread_mutex_lock(&w->mutex);
        while (w->stop) {
            pthread_cond_wait(&w->moved, &w->mutex);
        }
        pthread_mutex_unlock(&w->mutex);
    }
}

void vcpu_leave(Vcpu *cpu)
{
    struct World *w = world(cpu->dev.machine);

    cpu->inside = false;
    if (w->stop) {
        pthread_mutex_lock(&w->mutex);
        pthread_cond_broadcast(&w->moved);
        pthread_mutex_unlock(&w->mutex);
    }
}

void vcpus_exclusive(Machine *m, void (*fn)(void *opaque), void *opaque)
{
    struct World *w = world(m);

    pthread_mutex_lock(&w->turn);
    w->stop = true;
    for (guint i = 0; i < m->cpus->len; i++) {
        Vcpu *cpu = m->cpus->pdata[i];

        kick(cpu);
        pthread_mutex_lock(&w->mutex);
        while (cpu->inside) {
            pthread_cond_wait(&w->moved, &w->mutex);
        }
        pthread_mutex_unlock(&w->mutex);
    }
    fn(opaque);
    pthread_mutex_lock(&w->mutex);
    w->stop = false;
    pthread_cond_broadcast(&w->moved);
    pthread_mutex_unlock(&w->mutex);
    pthread_mutex_unlock(&w->turn);
}

void vcpu_post(Vcpu *cpu, void (*fn)(Vcpu *cpu, void *opaque), void *opaque)
{
    struct World *w = world(cpu->dev.machine);
    VcpuWork *work = g_new0(VcpuWork, 1), **end = &cpu->work;

    *work = (VcpuWork){fn, opaque, NULL};
    pthread_mutex_lock(&w->mutex);
    while (*end) {
        end = &(*end)->next;
    }
    __atomic_store_n(end, work, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&w->mutex);
    kick(cpu);
}

uint64_t machine_epoch(Machine *m)
{
    return ++world(m)->epoch;
}

bool machine_epoch_passed(Machine *m, uint64_t epoch)
{
    for (guint i = 0; i < m->cpus->len; i++) {
        Vcpu *cpu = m->cpus->pdata[i];

        if (cpu->inside && cpu->seen < epoch) {
            return false;
        }
    }
    return true;
}

/* ---- events ---- */

void vcpu_event(Vcpu *cpu, uint32_t event)
{
    atomic_fetch_or(&cpu->events, event);
    kick(cpu);
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
