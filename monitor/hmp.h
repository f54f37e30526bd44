/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The monitor for people, as others use it: human-monitor-command, gdb's "monitor". */
#pragma once
#include "softmmu/run/machine.h"

/* Execute one line and return what it prints, never NULL; the caller frees it. *cpu is the vCPU
 * that commands about registers mean; the command `cpu` changes it. On the event loop, without
 * locks. Errors are part of the text. */
char *hmp_run(Machine *m, unsigned *cpu, const char *line);
