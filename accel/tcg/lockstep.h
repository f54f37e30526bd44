/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A test mode of the software engine: translated code against the interpreter, unit by unit. */
#pragma once
#include "target/i386/rt/host.h"

typedef struct Lockstep Lockstep;

/* Compare the first `often` runs of each unit, and one of 64 of the others. Differences and, at the
 * end, how many runs were compared go to standard error. Other vCPUs stand still while one is
 * compared. */
Lockstep *lockstep_new(Cpu *c, unsigned often);
void lockstep_free(Lockstep *l); /* NULL may be given */

/* The table to run with: real, with ours in front of it; real itself without lockstep. others:
 * there are other vCPUs. */
const RtHost *lockstep_host(Lockstep *l, const RtHost *real, bool others);
