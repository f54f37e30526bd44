/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What Linux's perf wants to know of translated code. */
#pragma once
#include "accel/tcg/host.h"

/* Open what the properties perfmap and jitdump ask for; fails with the system's reason. */
bool perf_open(Tcg *t, Error **err);
void perf_close(Tcg *t);

/* Does anybody want to know of new code? */
bool perf_wanted(const Tcg *t);

/* Code was made for that rip. Any vCPU's thread. */
void perf_code(const Tcg *t, uint64_t rip, const uint8_t *code, unsigned size);

/* A dump in that folder; NULL: *err says why. */
JitDump *jit_dump_open(const char *folder, Error **err);
void jit_dump_add(JitDump *d, uint64_t rip, const uint8_t *code, unsigned size);
void jit_dump_close(JitDump *d);
