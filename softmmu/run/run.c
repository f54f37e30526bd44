/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Machine states, and requests carried out by the event loop.
 *
 * A request is a bit that any thread sets. vCPUs are hurried out at once, so a guest that writes a
 * reset register does not run on; the loop then waits until they are parked, without any lock,
 * because one of them may need a lock to get there.
 * Not modelled: states of migration (it brings them along).
 */
#include "softmmu/run/run_impl.h"

#include <stdatomic.h>

static const char *const state_names[] = {
    [MACHINE_PRELAUNCH] = "prelaunch", [MACHINE_RUNNING] = "running",
    [MACHINE_PAUSED] = "paused",       [MACHINE_SUSPENDED] = "suspended",
    [MACHINE_SHUTDOWN] = "shutdown",   [MACHINE_CRASHED] = "guest-panicked",
    [MACHINE_IO_ERROR] = "io-error",   [MACHINE_INTERNAL_ERROR] = "internal-error",
    [MACHINE_DEBUG] = "debug",         [MACHINE_SAVING] = "save-vm",
};

const char *machine_state_name(MachineState state)
{
    return state_names[state];
}

MachineState machine_state(Machine *m)
{
    return m->run->state;
}

ShutdownReason machine_shutdown_reason(Machine *m)
{
    return m->run->reason;
}

ShutdownReason machine_reset_reason(Machine *m)
{
    return m->run->reset_reason;
}

/* ---- news ---- */

void machine_listen(Machine *m, MachineHook *hook)
{
    MachineHook **p = &m->run->hooks;

    while (*p) {
        p = &(*p)->next;
    }
    hook->next = NULL;
    *p = hook;
}

void machine_unlisten(Machine *m, MachineHook *hook)
{
    for (MachineHook **p = &m->run->hooks; *p; p = &(*p)->next) {
        if (*p == hook) {
            *p = hook->next;
            return;
        }
    }
}

void machine_unlisten_all(Machine *m, Object *to)
{
    for (MachineHook **p = &m->run->hooks; *p;) {
        if ((*p)->to == to) {
            *p = (*p)->next;
        } else {
            p = &(*p)->next;
        }
    }
}

static void tell(Machine *m, MachineNews news)
{
    lock_take(&m->lock);
    for (MachineHook *h = m->run->hooks, *next; h; h = next) {
        next = h->next;
        if (object_enter(h->to)) {
            h->heard(h->to, news);
            object_leave(h->to);
        }
    }
    lock_drop(&m->lock);
}

static void set_state(Machine *m, MachineState state)
{
    if (atomic_exchange(&m->run->state, state) != state) {
        tell(m, MACHINE_STATE_CHANGED);
    }
}

/* ---- vCPUs and clock, out and in ---- */

static void vcpus_out(Machine *m)
{
    if (m->engine) {
        m->engine->stop(m);
    }
}

static void vcpus_in(Machine *m)
{
    if (m->engine && m->run->state == MACHINE_RUNNING && !m->run->ended) {
        m->engine->start(m);
    }
}

void machine_hold(Machine *m)
{
    vcpus_out(m);
}

/* Those that are wanted outside by a request stay there: it is carried out next. */
void machine_release(Machine *m)
{
    if (!(atomic_load(&m->run->pending) & REQUEST_FOR_VCPUS)) {
        vcpus_in(m);
    }
}

void machine_pause(Machine *m, MachineState why)
{
    vcpus_out(m);
    if (m->run->state == MACHINE_RUNNING || m->run->state == MACHINE_SUSPENDED ||
        why == MACHINE_SHUTDOWN) {
        m->run->asleep = m->run->state == MACHINE_SUSPENDED;
        clock_pause(m->clock[CLOCK_GUEST]);
        set_state(m, why);
    }
}

void machine_hold_time(Machine *m, bool hold)
{
    m->run->time_held = hold;
}

bool machine_resume(Machine *m, Error **err)
{
    MachineState state = m->run->state;

    if (state == MACHINE_SHUTDOWN || state == MACHINE_INTERNAL_ERROR || state == MACHINE_CRASHED) {
        error_set(err, "the machine is in state %s", machine_state_name(state));
        return error_hint(err, "reset it first");
    }
    if (state != MACHINE_RUNNING && state != MACHINE_SUSPENDED) {
        if (!m->run->time_held) {
            clock_resume(m->clock[CLOCK_GUEST]);
        }
        set_state(m, m->run->asleep ? MACHINE_SUSPENDED : MACHINE_RUNNING);
        for (int i = 0; i < 3; i++) {
            clock_kick(m, i);
        }
    }
    vcpus_in(m);
    return true;
}

/* ---- requests ---- */

void run_ask(Machine *m, uint32_t request)
{
    atomic_fetch_or(&m->run->pending, request);
    if (request & REQUEST_FOR_VCPUS && m->engine && m->run->looping) {
        m->engine->hurry(m);
    }
    g_main_context_wakeup(m->run->context);
}

void machine_request_reset_for(Machine *m, ResetKind kind, ShutdownReason reason)
{
    if (m->config.no_reboot) {
        machine_request_shutdown(m, reason);
        return;
    }
    m->run->reset_kind = kind;
    m->run->reset_reason = reason;
    run_ask(m, REQUEST_RESET);
}

void machine_request_reset(Machine *m, ResetKind kind)
{
    machine_request_reset_for(m, kind, SHUTDOWN_GUEST_RESET);
}

void machine_request_shutdown(Machine *m, ShutdownReason reason)
{
    ShutdownReason none = SHUTDOWN_NONE;

    /* The first reason stands, but the user's word goes above the guest's. */
    if (!atomic_compare_exchange_strong(&m->run->reason, &none, reason) &&
        reason >= SHUTDOWN_SIGNAL) {
        m->run->reason = reason;
    }
    run_ask(m, REQUEST_SHUTDOWN);
}

void machine_request_exit(Machine *m, int status)
{
    m->run->status = status;
    machine_request_shutdown(m, SHUTDOWN_QUIT);
}

void machine_request_powerdown(Machine *m)
{
    run_ask(m, REQUEST_POWERDOWN);
}

void machine_request_suspend(Machine *m)
{
    run_ask(m, REQUEST_SUSPEND);
}

void machine_request_wakeup(Machine *m)
{
    run_ask(m, REQUEST_WAKEUP);
}

void machine_request_pause(Machine *m, MachineState why)
{
    m->run->pause_why = why;
    run_ask(m, REQUEST_PAUSE);
}

/* ---- carrying them out ---- */

void machine_drain(Machine *m)
{
    while (m->run->looping && m->in_flight) {
        g_main_context_iteration(m->run->context, TRUE);
    }
}

static void reset(Machine *m, ResetKind kind)
{
    vcpus_out(m);
    machine_drain(m);
    lock_take(&m->lock);
    machine_reset(m, kind);
    lock_drop(&m->lock);
    m->run->asleep = false;
    if (m->run->state == MACHINE_SUSPENDED) {
        set_state(m, MACHINE_RUNNING);
    } else if (m->run->state >= MACHINE_SHUTDOWN) {
        set_state(m, MACHINE_PAUSED);
    }
    tell(m, MACHINE_WAS_RESET);
}

static void shut_down(Machine *m)
{
    tell(m, MACHINE_SHUTTING_DOWN);
    if (m->config.no_shutdown && m->run->reason < SHUTDOWN_SIGNAL) {
        machine_pause(m, MACHINE_SHUTDOWN);
        m->run->reason = SHUTDOWN_NONE;
        return;
    }
    m->run->ended = true;
    machine_pause(m, MACHINE_SHUTDOWN);
    tell(m, MACHINE_ENDING);
}

static void suspend(Machine *m)
{
    if (m->run->state == MACHINE_RUNNING) {
        tell(m, MACHINE_SUSPENDING);
        vcpus_out(m);
        set_state(m, MACHINE_SUSPENDED);
    }
}

static void wake_up(Machine *m)
{
    if (m->run->state == MACHINE_SUSPENDED) {
        reset(m, RESET_WAKE);
        tell(m, MACHINE_WAKING);
    }
}

void run_carry_out(Machine *m)
{
    Run *run = m->run;
    uint32_t what = atomic_exchange(&run->pending, 0);

    if (what & REQUEST_PAUSE) {
        machine_pause(m, run->pause_why);
    }
    if (what & REQUEST_RESET) {
        reset(m, run->reset_kind);
    }
    if (what & REQUEST_SUSPEND) {
        suspend(m);
    }
    if (what & REQUEST_WAKEUP) {
        wake_up(m);
    }
    if (what & REQUEST_POWERDOWN) {
        tell(m, MACHINE_POWERDOWN);
    }
    if (what & REQUEST_SHUTDOWN) {
        shut_down(m);
    }
    if (what & REQUEST_FOR_VCPUS || what & REQUEST_WAKEUP) {
        vcpus_in(m); /* those that were hurried out for nothing, too */
    }
    if (!run_deliver(m)) {
        atomic_fetch_or(&run->pending, REQUEST_INPUT);
    }
}
