/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Workloads that are programs of their own.
 */
#ifndef BENCH_PROGRAM_H
#define BENCH_PROGRAM_H

#include "bench.h"

extern const Workload program_workloads[], bits32_workloads[];

/* Makes the files that the programs work on in `folder` and goes there. */
void programs_prepare(const char *folder);

#endif
