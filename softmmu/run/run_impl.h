/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of softmmu/run: what hangs at Machine.run. */
#pragma once
#include "softmmu/run/machine_impl.h"

enum {
    REQUEST_RESET = 1,
    REQUEST_SHUTDOWN = 2,
    REQUEST_POWERDOWN = 4,
    REQUEST_SUSPEND = 8,
    REQUEST_WAKEUP = 16,
    REQUEST_PAUSE = 32,
    REQUEST_INPUT = 64, /* bytes wait for a device */
    REQUEST_FOR_VCPUS = REQUEST_RESET | REQUEST_SHUTDOWN | REQUEST_SUSPEND | REQUEST_PAUSE,
};

typedef struct ClockFd {
    Machine *machine;
    ClockKind kind;
    int fd;                /* timerfd; -1: stepped                   */
    int64_t armed;         /* host time it is set to; -1: disarmed   */
    pthread_mutex_t mutex; /* guards armed, beneath everything else  */
} ClockFd;

typedef struct Run {
    GMainContext *context;
    GSource *requests;
    _Atomic MachineState state;
    _Atomic uint32_t pending;
    _Atomic ResetKind reset_kind;
    _Atomic ShutdownReason reason, reset_reason;
    _Atomic MachineState pause_why;
    _Atomic int status; /* exit status of the process */
    _Atomic bool looping;
    bool ended;
    bool asleep;    /* it was in S3 when it was paused: resuming leads back there */
    bool time_held; /* resuming leaves the guest's clock alone */
    GThread *thread; /* the loop's, while it loops */
    MachineHook *hooks;
    ClockFd clock[3];
    pthread_mutex_t inputs_mutex; /* guards Machine.inputs */
    bool polling;
} Run;

Run *run_new(Machine *m);
void run_free(Run *run);
void run_ask(Machine *m, uint32_t request);
void run_carry_out(Machine *m);
bool run_deliver(Machine *m); /* waiting inputs; false: one device is busy */
