/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket through which a test program drives a machine: -qtest, -qtest-log. */
#pragma once
#include "monitor/monitor.h"

/* Serve on a chardev of its own; log: a file for all lines, "none" or NULL: nowhere. Before the
 * machine runs. */
bool qtest_serve(Machine *m, Chardev *chr, const char *log, Error **err);
