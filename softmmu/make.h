/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Objects and devices of the user, by the words of -object and -device. */
#pragma once
#include "qom/opts.h"
#include "softmmu/run/machine.h"

/* Ids are letters, digits and - . _ and begin with a letter; NULL: it is missing. */
bool id_good(const char *id, Error **err);

/* Make what {qom-type, id, ...} or {driver, bus, addr, id, ...} says; on the event loop, or before
 * the machine runs, with or without its lock. On failure nothing is left behind. */
bool object_make(Machine *m, Opts *o, Error **err);
bool device_make(Machine *m, Opts *o, Error **err);
