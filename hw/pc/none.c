/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine without a board: no CPU, no memory, no device. Management programs start it to ask
 * what the program can do.
 */
#include "softmmu/run/board.h"
#include "softmmu/run/machine_impl.h"

static bool none_build(Machine *m, Error **err)
{
    if (m->config.kernel) {
        return error_set(err, "machine none has no CPU that could run kernel %s", m->config.kernel);
    }
    return true;
}

static const MachineClass None_class = {
    .class = {"none-machine", "empty machine", &Machine_class, sizeof(Machine)},
    .name = "none",
    .about = "empty machine",
    .build = none_build,
    .max_cpus = 1,
    .no_board = true,
};
CLASS(None);
