/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The terminal of the process in raw mode, and back at every exit. */
#pragma once
#include "util/error.h"

typedef struct Terminal Terminal;

/* Raw input: no echo, no lines, with signals only if asked for. Does nothing and returns NULL when
 * fd is no terminal. The caller sees to it that SIGINT, SIGTERM and SIGHUP end in exit(). */
Terminal *terminal_raw(int fd, bool signals);
void terminal_restore(Terminal *t); /* NULL is fine; exit() does it too */
