/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a machine: with a stepped clock, and with a real loop on this thread. */
#include "softmmu/run/machine_impl.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

#include <signal.h>
#include <unistd.h>

typedef struct Ear { /* an object that hears news and has a timer */
    Object obj;
    MachineHook hook;
    Timer timer;
    unsigned heard[8], fired;
    bool running;
} Ear;

static const Class Ear_class = {"test-ear", "hears", &Object_class, sizeof(Ear)};

static void heard(Object *obj, MachineNews news)
{
    CAST(Ear, obj)->heard[news]++;
}

static Ear *ear_new(Machine *m)
{
    Ear *e = CAST(Ear, object_new(&Ear_class, (Object *)m, "ear"));

    e->hook = (MachineHook){&e->obj, heard, NULL};
    machine_listen(m, &e->hook);
    return e;
}

static void running(Machine *m)
{
    check(machine_resume(m, NULL), true);
    machine_poll(m);
}

TEST("run: a machine starts in prelaunch, runs, pauses and goes on; each change is news")
{
    Machine *m = board_machine(board_new());
    Ear *e = ear_new(m);

    check(machine_state(m), MACHINE_PRELAUNCH);
    running(m);
    check(machine_state(m), MACHINE_RUNNING);
    machine_request_pause(m, MACHINE_PAUSED);
    machine_poll(m);
    check(machine_state(m), MACHINE_PAUSED);
    running(m);
    check(e->heard[MACHINE_STATE_CHANGED], 3);
}

TEST("run: a reset is carried out by the loop; with -no-reboot it ends the machine")
{
    Machine *m = board_machine(board_new());
    Ear *e = ear_new(m);

    running(m);
    machine_request_reset(m, RESET_WARM);
    machine_request_reset(m, RESET_WARM);
    check(e->heard[MACHINE_WAS_RESET], 0);
    machine_poll(m);
    check(e->heard[MACHINE_WAS_RESET], 1);
    machine_config(m)->no_reboot = true;
    machine_request_reset(m, RESET_WARM);
    machine_poll(m);
    check(machine_state(m), MACHINE_SHUTDOWN);
    check(machine_shutdown_reason(m), SHUTDOWN_GUEST_RESET);
}

TEST("run: with -no-shutdown a machine that is off waits, is not resumed, and comes back by reset")
{
    Machine *m = board_machine(board_new());
    Error *err = NULL;

    running(m);
    machine_config(m)->no_shutdown = true;
    machine_request_shutdown(m, SHUTDOWN_GUEST);
    machine_poll(m);
    check(machine_state(m), MACHINE_SHUTDOWN);
    check(machine_resume(m, &err), false);
    check_str(error_text(err), "the machine is in state shutdown");
    error_free(err);
    machine_request_reset(m, RESET_POWER);
    machine_poll(m);
    check(machine_state(m), MACHINE_PAUSED);
    running(m);
    check(machine_state(m), MACHINE_RUNNING);
}

TEST("run: S3 stops the machine until something wakes it, by a reset of its own kind")
{
    Machine *m = board_machine(board_new());
    Ear *e = ear_new(m);

    running(m);
    machine_request_wakeup(m); /* awake already: nothing */
    machine_poll(m);
    check(e->heard[MACHINE_WAKING], 0);
    machine_request_suspend(m);
    machine_poll(m);
    check(machine_state(m), MACHINE_SUSPENDED);
    machine_request_wakeup(m);
    machine_poll(m);
    check(machine_state(m), MACHINE_RUNNING);
    check(e->heard[MACHINE_SUSPENDING] + e->heard[MACHINE_WAS_RESET] + e->heard[MACHINE_WAKING], 3);
}

TEST("run: a machine that is paused in S3 sleeps on when it is resumed, unless it was reset")
{
    Machine *m = board_machine(board_new());

    running(m);
    machine_request_suspend(m);
    machine_poll(m);
    machine_pause(m, MACHINE_PAUSED);
    check(machine_state(m), MACHINE_PAUSED);
    running(m);
    check(machine_state(m), MACHINE_SUSPENDED);
    machine_request_wakeup(m);
    machine_poll(m);
    check(machine_state(m), MACHINE_RUNNING);
    machine_request_suspend(m);
    machine_poll(m);
    machine_pause(m, MACHINE_PAUSED);
    machine_request_reset(m, RESET_POWER);
    machine_poll(m);
    running(m);
    check(machine_state(m), MACHINE_RUNNING);
}

static void end(Object *obj, unsigned n)
{
    Ear *e = CAST(Ear, obj);
    Machine *m = (Machine *)obj->parent;

    e->running = machine_state(m) == MACHINE_RUNNING;
    if (n == 0) {
        machine_request_exit(m, 7);
    } else if (++e->fired < 3) {
        timer_set(&e->timer, clock_now(e->timer.clock) + 200000);
    } else if (n == SIGTERM) {
        kill(getpid(), SIGTERM);
    } else {
        machine_request_powerdown(m);
        machine_request_shutdown(m, SHUTDOWN_GUEST);
    }
}

static Ear *real(Machine *m, unsigned n)
{
    Ear *e = ear_new(m);

    machine_clocks_real(m);
    timer_init(&e->timer, machine_clock(m, n ? CLOCK_GUEST : CLOCK_WALL), &e->obj, end, n);
    timer_set(&e->timer, clock_now(e->timer.clock) + 200000);
    return e;
}

TEST("run: guest time passes while the loop runs and not afterwards; timers fire in it")
{
    Machine *m = board_machine(board_new());
    Ear *e = real(m, 1);
    int64_t before = clock_now(e->timer.clock);

    check(before, clock_now(e->timer.clock)); /* it begins paused */
    check(machine_run(m), 0);
    check(e->fired, 3);
    check(e->running, true);
    int64_t after = clock_now(e->timer.clock);
    check(after >= before + 600000, true);
    check(clock_now(e->timer.clock), after);
    check(e->heard[MACHINE_POWERDOWN], 1);
    check(e->heard[MACHINE_ENDING], 1);
    check(machine_shutdown_reason(m), SHUTDOWN_GUEST);
}

TEST("run: started paused, the wall clock's timers fire, the guest's clock stands; an exit status "
     "is returned")
{
    Machine *m = board_machine(board_new());
    Ear *e = real(m, 0);

    machine_config(m)->start_paused = true;
    check(machine_run(m), 7);
    check(e->running, false);
    check(clock_now(machine_clock(m, CLOCK_GUEST)), 0);
    check(machine_wall_time(m) > 1600000000ll * 1000000000, true);
}

TEST("run: SIGTERM ends the machine with status 0")
{
    Machine *m = board_machine(board_new());

    real(m, SIGTERM);
    check(machine_run(m), 0);
    check(machine_shutdown_reason(m), SHUTDOWN_SIGNAL);
}

static void keep(Object *to, const void *data, size_t n)
{
    CAST(Ear, to)->fired += *(const uint8_t *)data;
    if (CAST(Ear, to)->fired == 60) {
        machine_request_shutdown((Machine *)to->parent, SHUTDOWN_QUIT);
    }
}

static void *feed(void *opaque)
{
    Ear *e = opaque;

    for (uint8_t i = 10; i <= 30; i += 10) {
        machine_input((Machine *)e->obj.parent, IN_CHAR, &e->obj, &i, 1, keep);
    }
    return NULL;
}

TEST("run: what another thread puts in is delivered by the loop's thread")
{
    Machine *m = board_machine(board_new());
    Ear *e = ear_new(m);
    GThread *t = g_thread_new("feed", feed, e);

    check(machine_run(m), 0);
    g_thread_join(t);
    check(e->fired, 60);
}
