/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands about the life of the machine: qapi/run.qapi. */
#include "accel/accel.h"
#include "qapi/commands.h"
#include "softmmu/run/board.h"
#include "softmmu/run/run.h"

/* A property that only the software engine has. */
static bool one_at_a_time(Machine *m)
{
    Accel *a = machine_accel(m);
    Value v = {0};
    bool is = a && prop_find(a->obj.class, "one-insn-per-tb", NULL) &&
              prop_get(&a->obj, "one-insn-per-tb", &v, NULL) && v.flag;

    value_clear(&v);
    return is;
}

bool qmp_query_status(Machine *m, StatusInfo *ret, Error **err)
{
    MachineState state = machine_state(m);
    int i = qapi_enum_find(&qapi_RunState, machine_state_name(state));

    ret->running = state == MACHINE_RUNNING;
    ret->singlestep = one_at_a_time(m);
    ret->status = i < 0 ? RUN_STATE_INTERNAL_ERROR : (RunState)i;
    return true;
}

bool qmp_stop(Machine *m, Error **err)
{
    if (machine_state(m) == MACHINE_RUNNING || machine_state(m) == MACHINE_SUSPENDED) {
        machine_pause(m, MACHINE_PAUSED);
    }
    return true;
}

bool qmp_cont(Machine *m, Error **err)
{
    if (machine_state(m) == MACHINE_SAVING) {
        return error_set(err, "the machine's memory is being written to a file");
    }
    return machine_resume(m, err);
}

bool qmp_system_reset(Machine *m, Error **err)
{
    machine_request_reset_for(m, RESET_WARM, SHUTDOWN_HOST_RESET);
    return true;
}

bool qmp_system_powerdown(Machine *m, Error **err)
{
    machine_request_powerdown(m);
    return true;
}

bool qmp_system_wakeup(Machine *m, Error **err)
{
    if (machine_state(m) != MACHINE_SUSPENDED) {
        return error_set(err, "the guest does not sleep: it is in state %s",
                         machine_state_name(machine_state(m)));
    }
    machine_request_wakeup(m);
    return true;
}

bool qmp_quit(Machine *m, Error **err)
{
    machine_request_shutdown(m, SHUTDOWN_QUIT);
    return true;
}

bool qmp_inject_nmi(Machine *m, Error **err)
{
    unsigned n;

    lock_take(machine_lock(m));
    n = machine_cpu_count(m);
    for (unsigned i = 0; i < n; i++) {
        vcpu_event(machine_cpu(m, i), VCPU_NMI);
    }
    lock_drop(machine_lock(m));
    return n || error_set(err, "this machine has no CPU");
}

bool qmp_set_action(Machine *m, const SetActionArgs *arg, Error **err)
{
    static const OnPanic on_panic[] = {
        [PANIC_ACTION_PAUSE] = PANIC_PAUSE,
        [PANIC_ACTION_SHUTDOWN] = PANIC_SHUTDOWN,
        [PANIC_ACTION_EXIT_FAILURE] = PANIC_EXIT_FAILURE,
        [PANIC_ACTION_NONE] = PANIC_NONE,
    };
    MachineConfig *c = machine_config(m);

    if (arg->has_reboot) {
        c->no_reboot = arg->reboot == REBOOT_ACTION_SHUTDOWN;
    }
    if (arg->has_shutdown) {
        c->no_shutdown = arg->shutdown == SHUTDOWN_ACTION_PAUSE;
    }
    if (arg->has_panic) {
        c->on_panic = on_panic[arg->panic];
    }
    return true;
}
