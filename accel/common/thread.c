/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The thread of a vCPU: sleeping and waking, its own timers, events and exits; what is the same for
 * every engine. Priorities of events: SDM volume 3, "Priority among concurrent events"; INIT and
 * start-up: "Multiple-processor initialization".
 *
 *        STOP: parked <----> looking at timers, posted work, events
 *                              |                         |
 *                     halted: asleep on a futex     vcpu_run(), inside
 *
 * Everybody else changes cpu->events or its clock, then kicks. The wake count is read before
 * looking and checked by the kernel before sleeping, so no kick is lost. While guest code runs a
 * POSIX timer, whose signal kicks from its handler, stands for the clock of the vCPU; all other
 * signals are blocked here. An idle vCPU sleeps until its clock's next timer and wakes nobody.
 * Not modelled: MWAIT's break on masked interrupts.
 */
#include "accel/common/vcpu_impl.h"
#include "softmmu/run/run.h"
#include "target/i386/state.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The engine's thread-local current vCPU: the signal handler has nothing else to go by. */
static __thread Vcpu *current;

Vcpu *vcpu_current(void)
{
    return current;
}

/* ---- waking and sleeping ---- */

/* Safe in a signal handler. */
void vcpu_thread_wake(Vcpu *cpu)
{
    VcpuThread *t = cpu->thread;

    if (t) {
        atomic_fetch_add(&t->wake, 1);
        if (t->sleeping) {
            syscall(SYS_futex, &t->wake, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
        }
    }
}

/* until: host nanoseconds, CLOCK_MONOTONIC; -1: for ever. Comes back early for no reason, too. */
static void sleep_on(VcpuThread *t, uint32_t seen, int64_t until)
{
    struct timespec when = {until / 1000000000, until % 1000000000};

    t->sleeping = true;
    syscall(SYS_futex, &t->wake, FUTEX_WAIT_BITSET_PRIVATE, seen, until < 0 ? NULL : &when, NULL,
            FUTEX_BITSET_MATCH_ANY);
    t->sleeping = false;
}

static int kick_signal(void)
{
    return SIGRTMIN;
}

static void kicked(int number)
{
    int kept = errno;

    if (current) {
        vcpu_kick(current);
    }
    errno = kept;
}

static void signals_ready(void)
{
    struct sigaction action = {.sa_handler = kicked, .sa_flags = SA_RESTART | SA_ONSTACK};
    sigset_t set;

    sigaction(kick_signal(), &action, NULL);
    sigfillset(&set);
    sigdelset(&set, kick_signal());
    for (int fault = 0; fault < 6; fault++) { /* what the CPU itself raises cannot be blocked */
        sigdelset(&set, (int[]){SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}[fault]);
    }
    pthread_sigmask(SIG_SETMASK, &set, NULL);
}

/* ---- the vCPU's own clock ---- */

static void timer_ready(VcpuThread *t)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = kick_signal()};

    event._sigev_un._tid = syscall(SYS_gettid);
    t->has_timer = !timer_create(CLOCK_MONOTONIC, &event, &t->timer);
    t->armed = -1;
    t->awaited = -1;
    prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
}

/* On its thread: when is the earliest timer due? Whoever sets one that is due sooner kicks
 * (clock_changed()), or is seen here. */
static int64_t await(Vcpu *cpu)
{
    int64_t next;

    do {
        next = clock_next(cpu->clock);
        cpu->thread->awaited = next;
    } while (clock_next(cpu->clock) != next);
    return next;
}

/* On its thread: the signal comes when the earliest timer is due. */
static void arm(Vcpu *cpu)
{
    VcpuThread *t = cpu->thread;
    int64_t next = await(cpu), due = next < 0 ? -1 : clock_to_host(cpu->clock, next);

    if (next < 0 || next == t->armed || due < 0) {
        return; /* one that comes for nothing does no harm */
    }
    struct itimerspec when = {.it_value = {due / 1000000000, MAX(due % 1000000000, 1)}};
    timer_settime(t->timer, TIMER_ABSTIME, &when, NULL);
    t->armed = next;
}

static void clock_changed(void *opaque)
{
    Vcpu *cpu = opaque;
    int64_t next = clock_next(cpu->clock), awaited;

    if (!cpu->thread) { /* it ended with an engine: the next one looks by itself */
        return;
    }
    awaited = cpu->thread->awaited;
    if (current == cpu) {
        arm(cpu);
    } else if (next >= 0 && (awaited < 0 || next < awaited)) {
        vcpu_kick(cpu);
    }
}

static void run_clock(Vcpu *cpu)
{
    int64_t next = clock_next(cpu->clock), now;

    if (next >= 0 && next <= (now = clock_now(cpu->clock))) {
        cpu->thread->armed = -1;
        clock_run(cpu->clock, now);
    }
}

/* ---- events ---- */

/* Whoever has the local APIC sees to sleep and start-up, too. */
static X86Activity activity(Vcpu *cpu)
{
    return cpu->state && !cpu->accel->split ? cpu->state->activity : CPU_RUNNING;
}

/* A window that was asked for is given up when the wire falls, or vcpu_run would come back for it
 * again and again. */
static void take_interrupt(Vcpu *cpu, const AccelClass *engine, bool wire)
{
    VcpuThread *t = cpu->thread;
    int vector;

    if (!cpu->intc_ops || !engine->irq_window) {
        return;
    }
    if (!wire) {
        if (t->window) {
            t->window = false;
            engine->irq_window(cpu, false);
        }
        return;
    }
    t->window = !engine->irq_window(cpu, true);
    if (!t->window && (vector = cpu->intc_ops->acknowledge(cpu->intc)) >= 0) {
        engine->irq_inject(cpu, vector);
    }
}

/* NMI or SMI. One that is blocked stays where it is, and the engine knows of it by the state. */
static void take_blockable(Vcpu *cpu, uint32_t event, bool (*inject)(Vcpu *cpu))
{
    X86State *s = cpu->state;
    bool *pending = !s ? NULL : event == VCPU_NMI ? &s->nmi_pending : &s->smi_pending;

    atomic_fetch_and(&cpu->events, ~event);
    if (pending) {
        *pending = false;
    }
    if (inject && !inject(cpu)) {
        atomic_fetch_or(&cpu->events, event);
        if (pending) {
            *pending = true;
        }
    }
}

/* Is it to run one instruction and no handler? Nothing is taken then; but what would end HLT ends
 * it, or a person would never get over it. */
static bool steps_quietly(Vcpu *cpu)
{
    const X86State *s = cpu->state;
    uint32_t e = atomic_load(&cpu->events);
    bool wake = e & (VCPU_NMI | VCPU_SMI) || (e & VCPU_INTR && s && s->rflags & FLAG_IF);

    if (!cpu->plan || !(cpu->plan->step & DEBUG_STEP) || !(cpu->plan->step & DEBUG_NO_IRQ)) {
        return false;
    }
    if (wake && s && s->activity == CPU_HALTED) {
        cpu->state->activity = CPU_RUNNING;
    }
    return true;
}

/* In SMM an INIT waits for RSM. */
static bool init_comes(Vcpu *cpu, uint32_t events)
{
    X86State *s = cpu->state;
    bool comes = events & VCPU_INIT || (s && s->init_pending);

    if (comes) {
        atomic_fetch_and(&cpu->events, ~VCPU_INIT);
        if (s) {
            s->init_pending = s->smm;
        }
    }
    return comes && !(s && s->smm);
}

static void take_events(Vcpu *cpu)
{
    const AccelClass *engine = vcpu_engine(cpu);
    uint32_t e = atomic_load(&cpu->events);

    if (init_comes(cpu, e) && engine->init) {
        engine->init(cpu);
    }
    if (e & VCPU_SIPI) {
        atomic_fetch_and(&cpu->events, ~VCPU_SIPI);
        if (engine->sipi && activity(cpu) == CPU_WAIT_SIPI) {
            engine->sipi(cpu, cpu->sipi_page);
        }
    }
    if (activity(cpu) == CPU_WAIT_SIPI) {
        return; /* SMI and NMI stay pending; interrupts are held by the LAPIC */
    }
    if (steps_quietly(cpu)) {
        return;
    }
    if (e & VCPU_SMI) {
        take_blockable(cpu, VCPU_SMI, engine->smi);
    }
    if (e & VCPU_NMI) {
        take_blockable(cpu, VCPU_NMI, engine->nmi);
    }
    take_interrupt(cpu, engine, e & VCPU_INTR);
}

/* ---- exits ---- */

static void handle(Vcpu *cpu, const VcpuExit *exit)
{
    Machine *m = cpu->dev.machine;

    switch (exit->kind) {
    case EXIT_SHUTDOWN: /* the engine has said what happened */
        machine_request_reset(m, RESET_WARM);
        break;
    case EXIT_SYSTEM:
        if (exit->system.what == SYSTEM_RESET) {
            machine_request_reset(m, RESET_WARM);
        } else if (exit->system.what == SYSTEM_OFF) {
            machine_request_shutdown(m, SHUTDOWN_GUEST);
        } else {
            machine_request_pause(m, MACHINE_CRASHED);
        }
        break;
    case EXIT_DEBUG:
        cpu->hit = exit->debug;
        vcpu_hold(cpu, true); /* whatever else the event loop may do before it stops the others */
        machine_request_pause(m, MACHINE_DEBUG);
        break;
    case EXIT_ERROR:
        g_printerr("cpu %u: %s\n", cpu->id, exit->error.text);
        machine_request_pause(m, MACHINE_INTERNAL_ERROR);
        break;
    default: /* KICK, HALT, IRQ_WINDOW: the loop looks again */
        break;
    }
}

/* ---- the loop ---- */

/* Events that wait are part of the state as long as it is parked. */
static void fold_events(Vcpu *cpu)
{
    uint32_t e =
        cpu->state ? atomic_fetch_and(&cpu->events, ~(VCPU_NMI | VCPU_SMI | VCPU_INIT)) : 0;

    if (e) {
        cpu->state->nmi_pending |= (e & VCPU_NMI) != 0;
        cpu->state->smi_pending |= (e & VCPU_SMI) != 0;
        cpu->state->init_pending |= (e & VCPU_INIT) != 0;
    }
}

static void unfold_events(Vcpu *cpu)
{
    X86State *s = cpu->state;

    if (s) {
        atomic_fetch_or(&cpu->events, (s->nmi_pending ? VCPU_NMI : 0) |
                                          (s->smi_pending ? VCPU_SMI : 0) |
                                          (s->init_pending ? VCPU_INIT : 0));
        s->nmi_pending = s->smi_pending = s->init_pending = false;
    }
}

static void park(Vcpu *cpu)
{
    World *w = world(cpu->dev.machine);
    VcpuThread *t = cpu->thread;
    const AccelClass *engine = vcpu_engine(cpu);

    fold_events(cpu);
    if (engine->pull) {
        engine->pull(cpu, X86_ALL); /* who looks at a stopped vCPU finds all of its state */
    }
    pthread_mutex_lock(&w->mutex);
    t->parked = true;
    pthread_cond_broadcast(&w->moved);
    while (cpu->events & VCPU_STOP && !t->quit) {
        pthread_cond_wait(&w->moved, &w->mutex);
    }
    t->parked = t->prepared = false;
    t->armed = -1; /* time may have stood still */
    pthread_mutex_unlock(&w->mutex);
    unfold_events(cpu);
}

static bool asleep(Vcpu *cpu)
{
    return activity(cpu) != CPU_RUNNING;
}

static void once(Vcpu *cpu)
{
    VcpuThread *t = cpu->thread;
    uint32_t seen = t->wake;
    VcpuExit exit = {0};

    if (cpu->events & VCPU_STOP) {
        park(cpu);
        return;
    }
    if (cpu->held) {
        vcpu_run_posted(cpu);
        sleep_on(t, seen, -1);
        return;
    }
    run_clock(cpu);
    vcpu_run_posted(cpu);
    take_events(cpu);
    if (asleep(cpu)) {
        int64_t next = await(cpu);

        sleep_on(t, seen, next < 0 ? -1 : clock_to_host(cpu->clock, next));
        return;
    }
    bool turns = cpu->accel->one_at_a_time;

    if (turns) {
        vcpu_take_turn(cpu);
    }
    arm(cpu);
    vcpu_engine(cpu)->vcpu_run(cpu, &exit);
    if (turns) {
        vcpu_give_turn(cpu);
    }
    handle(cpu, &exit);
}

static void *vcpu_loop(void *opaque)
{
    Vcpu *cpu = opaque;
    const AccelClass *engine = vcpu_engine(cpu);

    current = cpu;
    cpu->thread->id = gettid();
    signals_ready();
    timer_ready(cpu->thread);
    if (engine->vcpu_thread) {
        engine->vcpu_thread(cpu, true);
    }
    while (!cpu->thread->quit) {
        once(cpu);
    }
    if (engine->vcpu_thread) {
        engine->vcpu_thread(cpu, false);
    }
    if (cpu->thread->has_timer) {
        timer_delete(cpu->thread->timer);
    }
    current = NULL;
    return NULL;
}

int vcpu_thread_id(Vcpu *cpu)
{
    return cpu->thread ? cpu->thread->id : 0;
}

/* It starts parked. */
static void thread_start(Vcpu *cpu)
{
    g_autofree char *name = g_strdup_printf("cpu %u", cpu->id);
    sigset_t all, before;

    cpu->thread = g_new0(VcpuThread, 1);
    cpu->thread->armed = -1;
    cpu->thread->fresh = true;
    atomic_fetch_or(&cpu->events, VCPU_STOP);
    clock_on_change(cpu->clock, clock_changed, cpu);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    cpu->thread->thread = g_thread_new(name, vcpu_loop, cpu);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void vcpu_thread_end(Vcpu *cpu)
{
    Machine *m = cpu->dev.machine;
    World *w = world(m);

    if (!cpu->thread) {
        return;
    }
    cpu->thread->quit = true;
    vcpu_kick(cpu);
    pthread_mutex_lock(&w->mutex);
    pthread_cond_broadcast(&w->moved);
    pthread_mutex_unlock(&w->mutex);
    unsigned held = lock_yield(&m->lock); /* it may wait for it on its way out */
    g_thread_join(cpu->thread->thread);
    lock_retake(&m->lock, held);
    g_clear_pointer(&cpu->thread, g_free);
}

/* ---- all of them ---- */

/* For each vCPU, in order, under World.mutex; a machine that never had one has nothing to do. */
static void each(Machine *m, void (*fn)(Vcpu *cpu, World *w))
{
    World *w = world(m);

    if (!w) {
        return;
    }
    pthread_mutex_lock(&w->mutex);
    for (guint i = 0; i < m->cpus->len; i++) {
        fn(m->cpus->pdata[i], w);
    }
    pthread_mutex_unlock(&w->mutex);
}

static void thread_make(Vcpu *cpu, World *w)
{
    if (!cpu->thread && vcpu_engine(cpu)->vcpu_run) {
        thread_start(cpu);
    }
}

static void ask_out(Vcpu *cpu, World *w)
{
    atomic_fetch_or(&cpu->events, VCPU_STOP);
    vcpu_kick(cpu);
}

static void wait_parked(Vcpu *cpu, World *w)
{
    while (cpu->thread && !cpu->thread->parked) {
        pthread_cond_wait(&w->moved, &w->mutex);
    }
    if (cpu->thread) {
        cpu->thread->fresh = false;
        fold_events(cpu); /* of one that had not yet left: it sleeps under the mutex */
    }
}

static void wait_fresh(Vcpu *cpu, World *w)
{
    if (cpu->thread && cpu->thread->fresh && vcpu_engine(cpu)->prepare) {
        wait_parked(cpu, w);
    }
}

/* Only this thread lets it run, so what is parked and told to stop stays there. */
static bool stands(Vcpu *cpu, bool prepared)
{
    World *w = world(cpu->dev.machine);
    VcpuThread *t = cpu->thread;
    bool yes;

    pthread_mutex_lock(&w->mutex);
    yes = t && t->parked && cpu->events & VCPU_STOP && t->prepared == prepared;
    pthread_mutex_unlock(&w->mutex);
    return yes;
}

static void prepare_all(Machine *m)
{
    for (guint i = 0; i < m->cpus->len; i++) {
        Vcpu *cpu = m->cpus->pdata[i];

        if (vcpu_engine(cpu)->prepare && stands(cpu, false)) {
            unfold_events(cpu);
            vcpu_engine(cpu)->prepare(cpu);
            cpu->thread->prepared = true;
        }
    }
}

/* Of those that were prepared and have not left: others may have sent them something. */
static void take_back_all(Machine *m)
{
    for (guint i = 0; i < m->cpus->len; i++) {
        Vcpu *cpu = m->cpus->pdata[i];

        if (stands(cpu, true)) {
            cpu->thread->prepared = false;
            vcpu_engine(cpu)->pull(cpu, X86_ALL);
        }
    }
}

static void let_run(Vcpu *cpu, World *w)
{
    atomic_fetch_and(&cpu->events, ~VCPU_STOP);
    vcpu_kick(cpu);
    pthread_cond_broadcast(&w->moved);
}

static void hurry(Machine *m)
{
    each(m, ask_out);
}

static void stop(Machine *m)
{
    each(m, ask_out);
    each(m, wait_parked);
    take_back_all(m);
}

static void start(Machine *m)
{
    each(m, thread_make);
    each(m, wait_fresh);
    prepare_all(m);
    each(m, let_run);
}

/* Whoever manages the host's threads wants to see them before anything runs. */
static void ready(Machine *m)
{
    each(m, thread_make);
    stop(m);
}

const MachineEngine vcpu_machine_engine = {stop, start, hurry, ready};
