/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of accel/common: the world, and the thread of a vCPU. */
#pragma once
#include "accel/accel.h"
#include "softmmu/run/machine_impl.h"

#include <time.h>

typedef struct VcpuWork {
    void (*fn)(Vcpu *cpu, void *opaque);
    void *opaque;
    struct VcpuWork *next;
} VcpuWork;

/* Of one machine, made with its first vCPU. */
typedef struct World {
    pthread_mutex_t mutex; /* guards posted work, Machine.cpus and the waiting below */
    pthread_cond_t moved;
    pthread_mutex_t turn;         /* one exclusive section at a time */
    _Atomic(const void *) master; /* the thread that has it now      */
    _Atomic bool stop;
    _Atomic uint64_t epoch;

    /* Accel.one_at_a_time: tickets, served in order; guarded by mutex. */
    pthread_cond_t served;
    uint64_t tickets, serving;
    Vcpu *runs;
} World;

typedef struct VcpuThread {
    GThread *thread;
    _Atomic int id;        /* the host's */
    _Atomic uint32_t wake; /* futex: counts reasons to look again */
    _Atomic bool sleeping, quit;
    bool window;   /* its thread's: vcpu_run shall come back when it can take an interrupt */
    bool parked;   /* stopped by VCPU_STOP; guarded by World.mutex               */
    bool prepared; /* by the engine, to leave; while it is parked the event loop's */
    bool fresh;    /* nobody has waited yet until it is parked; the event loop's */
    timer_t timer;
    bool has_timer;
    int64_t armed;           /* its own: time of cpu->clock for which `timer` is set; -1: none */
    _Atomic int64_t awaited; /* ... at which it looks again by itself; -1: it does not         */
} VcpuThread;

World *world(Machine *m); /* NULL: there has never been a vCPU */
World *world_make(Machine *m);
const AccelClass *vcpu_engine(Vcpu *cpu);
void vcpu_kick(Vcpu *cpu);       /* out of guest code, out of sleep */
void vcpu_run_posted(Vcpu *cpu); /* on its thread, outside          */

void vcpu_take_turn(Vcpu *cpu); /* around vcpu_run, when vCPUs take turns */
void vcpu_give_turn(Vcpu *cpu);
void vcpu_thread_end(Vcpu *cpu); /* waits for it */
void vcpu_thread_wake(Vcpu *cpu);

extern const MachineEngine vcpu_machine_engine;
