/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stopping the world: exclusive sections, posted work, epochs.
 *
 * A vCPU says that it goes in, then looks whether somebody wants it out; who wants it out says so,
 * then looks whether it is in. Both orders are sequentially consistent, so one of them sees the
 * other. A vCPU that is halted, parked or waits for a lock is outside and is not waited for.
 */
#include "accel/common/vcpu_impl.h"

#include <stdatomic.h>

World *world(Machine *m)
{
    return m->world;
}

World *world_make(Machine *m)
{
    if (!m->world) {
        World *w = g_new0(World, 1);

        pthread_mutex_init(&w->mutex, NULL);
        pthread_mutex_init(&w->turn, NULL);
        pthread_cond_init(&w->moved, NULL);
        pthread_cond_init(&w->served, NULL);
        m->world = w;
    }
    return m->world;
}

/* ---- posted work ---- */

void vcpu_run_posted(Vcpu *cpu)
{
    World *w = world(cpu->dev.machine);

    while (atomic_load(&cpu->work)) {
        pthread_mutex_lock(&w->mutex);
        VcpuWork *work = atomic_load(&cpu->work);
        if (work) {
            atomic_store(&cpu->work, work->next);
        }
        pthread_mutex_unlock(&w->mutex);
        if (!work) {
            return;
        }
        work->fn(cpu, work->opaque);
        g_free(work);
    }
}

void vcpu_post(Vcpu *cpu, void (*fn)(Vcpu *cpu, void *opaque), void *opaque)
{
    World *w = world(cpu->dev.machine);
    VcpuWork *work = g_new0(VcpuWork, 1), *last;

    *work = (VcpuWork){fn, opaque, NULL};
    pthread_mutex_lock(&w->mutex);
    last = atomic_load(&cpu->work);
    while (last && last->next) {
        last = last->next;
    }
    if (last) {
        last->next = work;
    } else {
        atomic_store(&cpu->work, work);
    }
    pthread_mutex_unlock(&w->mutex);
    vcpu_kick(cpu);
}

/* ---- in and out ---- */

bool vcpu_wanted(Vcpu *cpu)
{
    return world(cpu->dev.machine)->stop || atomic_load(&cpu->work);
}

void vcpu_enter(Vcpu *cpu)
{
    World *w = world(cpu->dev.machine);

    for (;;) {
        vcpu_run_posted(cpu);
        cpu->seen = w->epoch;
        cpu->inside = true;
        if (!vcpu_wanted(cpu) || w->master == g_thread_self()) { /* it stopped the world itself */
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
    World *w = world(cpu->dev.machine);

    cpu->inside = false;
    if (w->stop) {
        pthread_mutex_lock(&w->mutex);
        pthread_cond_broadcast(&w->moved);
        pthread_mutex_unlock(&w->mutex);
    }
}

/* ---- exclusive sections ---- */

static void wait_for_all(Machine *m, World *w)
{
    pthread_mutex_lock(&w->mutex);
    for (guint i = 0; i < m->cpus->len; i++) {
        if (((Vcpu *)m->cpus->pdata[i])->inside) {
            vcpu_kick(m->cpus->pdata[i]);
        }
    }
    for (guint i = 0; i < m->cpus->len; i++) {
        while (((Vcpu *)m->cpus->pdata[i])->inside) {
            pthread_cond_wait(&w->moved, &w->mutex);
        }
    }
    pthread_mutex_unlock(&w->mutex);
}

static void let_go(World *w)
{
    pthread_mutex_lock(&w->mutex);
    w->stop = false;
    pthread_cond_broadcast(&w->moved);
    pthread_mutex_unlock(&w->mutex);
}

void vcpus_exclusive(Machine *m, void (*fn)(void *opaque), void *opaque)
{
    World *w = world(m);
    const void *me = g_thread_self();

    if (!w || w->master == me) { /* nobody to stop, or stopped already by this thread */
        fn(opaque);
        return;
    }
    Vcpu *self = vcpu_current();
    bool inside = self && self->dev.machine == m && self->inside;
    if (inside) {
        vcpu_leave(self);
    }
    pthread_mutex_lock(&w->turn);
    w->master = me;
    w->stop = true;
    wait_for_all(m, w);
    fn(opaque);
    w->master = NULL;
    let_go(w);
    pthread_mutex_unlock(&w->turn);
    if (inside) {
        vcpu_enter(self);
    }
}

/* ---- one at a time ---- */

enum { SLICE_NS = 10000000 };

static void add_slice(struct timespec *t)
{
    clock_gettime(CLOCK_REALTIME, t);
    t->tv_nsec += SLICE_NS;
    t->tv_sec += t->tv_nsec / 1000000000;
    t->tv_nsec %= 1000000000;
}

/* Whoever waits for longer than a slice kicks the one that runs. */
void vcpu_take_turn(Vcpu *cpu)
{
    World *w = world(cpu->dev.machine);

    pthread_mutex_lock(&w->mutex);
    uint64_t ticket = w->tickets++;
    while (w->serving != ticket) {
        struct timespec until;

        add_slice(&until);
        if (pthread_cond_timedwait(&w->served, &w->mutex, &until) && w->runs) {
            vcpu_kick(w->runs);
        }
    }
    w->runs = cpu;
    pthread_mutex_unlock(&w->mutex);
}

void vcpu_give_turn(Vcpu *cpu)
{
    World *w = world(cpu->dev.machine);

    pthread_mutex_lock(&w->mutex);
    w->runs = NULL;
    w->serving++;
    pthread_cond_broadcast(&w->served);
    pthread_mutex_unlock(&w->mutex);
}

/* ---- epochs ---- */

uint64_t machine_epoch(Machine *m)
{
    return world(m) ? ++world(m)->epoch : 0;
}

bool machine_epoch_passed(Machine *m, uint64_t epoch)
{
    World *w = world(m);
    bool passed = true;

    if (w) {
        pthread_mutex_lock(&w->mutex);
        for (guint i = 0; passed && i < m->cpus->len; i++) {
            Vcpu *cpu = m->cpus->pdata[i];

            passed = !cpu->inside || cpu->seen >= epoch;
        }
        pthread_mutex_unlock(&w->mutex);
    }
    return passed;
}
