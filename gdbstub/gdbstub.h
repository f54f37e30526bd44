/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gdb's remote protocol: a debugger on a chardev watches, steps and changes a machine. */
#pragma once
#include "chardev/chardev.h"
#include "gdbstub/arch.h"

/* Serve on a chardev that has no other front end; arch is what the machine's vCPUs are. NULL: see
 * err. Under the machine lock or before the machine runs. */
Object *gdbstub_new(Machine *m, Chardev *chr, const GdbArch *arch, Error **err);

/* End it: gdb's breakpoints go, and nobody is held. On the event loop's thread without locks. */
void gdbstub_remove(Object *stub);

/* What DEV means, as -chardev would have it: a socket is a server that does not wait. NULL: see
 * err. */
Opts *gdbstub_device(const char *device, Error **err);

/* -gdb DEV and the monitor's gdbserver: "tcp::1234", "unix:/path", "stdio", "pty", "chardev:ID";
 * "none" ends what there is. One at a time: a new one takes the place of the last. On the event
 * loop's thread without locks, or before the machine runs. */
bool gdbstub_open(Machine *m, const char *device, Error **err);
