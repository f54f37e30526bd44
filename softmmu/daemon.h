/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process around a machine: into the background, process id files. */
#pragma once
#include "util/error.h"

/* Go on in a child. The parent waits until daemon_ready(), then exits 0; if the child ends before,
 * it exits with the child's status. Returns in the child only, with a descriptor for
 * daemon_ready(); before any thread exists. -1: error. */
int daemon_begin(Error **err);

/* The machine is ready: let the parent go, leave the terminal. */
void daemon_ready(int fd);

/* Write and lock a file with our process id; another living process's is refused. The descriptor,
 * held until the end, or -1. */
int pid_file_write(const char *path, Error **err);
