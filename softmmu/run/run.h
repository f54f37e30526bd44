/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a machine: its states, what anybody may ask of it, and the event loop that carries it
 * out.
 *
 *   PRELAUNCH --resume--> RUNNING <--pause/resume--> PAUSED
 *                            |  \--S3--> SUSPENDED --wakeup--> RUNNING
 *                            `--shutdown--> SHUTDOWN (with -no-shutdown it waits there, else the
 * run ends)
 *
 * Requests come from any thread and are carried out by the event loop, with every vCPU at an
 * instruction boundary outside guest code. Without a running loop (tests), machine_poll() does it.
 */
#pragma once
#include "softmmu/run/machine.h"

typedef enum {
    MACHINE_PRELAUNCH,
    MACHINE_RUNNING,
    MACHINE_PAUSED,
    MACHINE_SUSPENDED,
    MACHINE_SHUTDOWN,
    MACHINE_CRASHED, /* the guest said so: pvpanic */
    MACHINE_IO_ERROR,
    MACHINE_INTERNAL_ERROR,
    MACHINE_DEBUG,
    MACHINE_SAVING, /* its memory is being written to a file */
} MachineState;

/* Why the machine ends, in the monitor's words (ShutdownCause). */
typedef enum {
    SHUTDOWN_NONE,
    SHUTDOWN_GUEST,
    SHUTDOWN_GUEST_RESET, /* a reset, and -no-reboot is given */
    SHUTDOWN_GUEST_PANIC,
    SHUTDOWN_HOST_RESET, /* a reset by command; above: the guest's own doing */
    SHUTDOWN_SIGNAL,
    SHUTDOWN_QUIT,
    SHUTDOWN_UI,
    SHUTDOWN_ERROR,
} ShutdownReason;

/* Any thread, no lock needed. */
MachineState machine_state(Machine *m);
const char *machine_state_name(MachineState state); /* "running", "guest-panicked", ... */

/* Ask the event loop; from any thread, with or without locks. A vCPU that asks executes no further
 * guest code until the request has been carried out. Repeated requests are one. */
void machine_request_reset(Machine *m, ResetKind kind); /* -no-reboot: ends the machine instead */
void machine_request_reset_for(Machine *m, ResetKind kind, ShutdownReason reason); /* ... and why */
void machine_request_shutdown(Machine *m, ShutdownReason reason); /* the guest's ones obey
                                                                   * -no-shutdown             */
void machine_request_exit(Machine *m, int status); /* end the process with this exit status    */
void machine_request_powerdown(Machine *m);        /* press the power button: MACHINE_POWERDOWN */
void machine_request_suspend(Machine *m);          /* ACPI S3: vCPUs stop, the clock runs on    */
void machine_request_wakeup(Machine *m); /* only from S3: RESET_WAKE, then running again        */
void machine_request_pause(Machine *m, MachineState why); /* PAUSED, CRASHED, IO_ERROR, ...     */

/* On the loop's thread and without the machine lock. Resuming a machine that has shut down, or
 * that waits for a reset after a crash, is an error. */
bool machine_resume(Machine *m, Error **err);
void machine_pause(Machine *m, MachineState why);

/* On the loop's thread and without the machine lock: every vCPU is parked between two instructions
 * with its state complete, and nobody hears of it; the clocks run on. For who looks at a running
 * machine. machine_release() lets them go on unless the machine is stopped. Not nested. */
void machine_hold(Machine *m);
void machine_release(Machine *m);
/* A debugger steps: guest time stands although the machine runs. On the loop's thread, while the
 * machine is stopped. */
void machine_hold_time(Machine *m, bool hold);

/* On the loop's thread, without locks, vCPUs parked: run it until no device waits for host work. */
void machine_drain(Machine *m);

/* What happens to a machine. Hooks run on the event loop: heard() inside object_enter/leave of `to`
 * (embed the hook in it; a device's hooks are dropped when it goes), in the order of listening. */
typedef enum {
    MACHINE_STATE_CHANGED,
    MACHINE_POWERDOWN,
    MACHINE_SUSPENDING, /* before vCPUs are stopped for S3 */
    MACHINE_WAKING,     /* after the reset that ends S3    */
    MACHINE_WAS_RESET,
    MACHINE_SHUTTING_DOWN, /* it is about to end, or to stop with -no-shutdown */
    MACHINE_ENDING, /* the last news, whatever the reason */
} MachineNews;

typedef struct MachineHook {
    Object *to;
    void (*heard)(Object *to, MachineNews news);
    struct MachineHook *next;
} MachineHook;

void machine_listen(Machine *m, MachineHook *hook); /* under the machine lock, or before it runs */
void machine_unlisten(Machine *m, MachineHook *hook);
void machine_unlisten_all(Machine *m, Object *to);

/* Does the event loop run, on another thread than the caller's? */
bool run_elsewhere(Machine *m);

/* Sources of chardevs and the like attach here. Their callbacks hold no lock. */
GMainContext *machine_context(Machine *m);

/* Clocks follow the host's time from here on: GUEST while the machine runs, HOST and WALL always.
 * Without this call they are stepped (tests). accel_start() does it, as the engine needs it. */
void machine_clock_real(Machine *m, ClockKind kind);
void machine_clocks_real(Machine *m);

/* Run until the machine ends; unless config.start_paused the vCPUs start at once. SIGINT, SIGTERM
 * and SIGHUP end it. Returns the exit status of the process; the machine is still there,
 * stopped. */
int machine_run(Machine *m);
ShutdownReason machine_shutdown_reason(Machine *m); /* after machine_run: why it ended */
ShutdownReason machine_reset_reason(Machine *m);    /* of the last reset               */

/* Randomness and the time of day for devices, engines and rt: through the recordable door. */
void machine_random(Machine *m, void *buf, size_t n);
int64_t machine_wall_time(Machine *m); /* nanoseconds since 1970, UTC */

/* How the loop stops and starts whoever executes guest code; accel/common fills it in. */
typedef struct MachineEngine {
    void (*stop)(Machine *m);  /* return when every vCPU is parked; without the machine lock */
    void (*start)(Machine *m); /* let them go                                                */
    void (*hurry)(Machine *m); /* from any thread: make them come out soon, and stay out     */
    void (*ready)(Machine *m); /* make their threads, parked: for -S                         */
} MachineEngine;
