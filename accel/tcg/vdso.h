/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's time without the gate. */
#pragma once
#include "softmmu/memory/answer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int GetTime(int clock, RtTime *out);

/* The kernel's clock_gettime() in this process (vdso(7)), if all of its code has been read and
 * leaves the FPU alone; else NULL. Any thread. */
GetTime *vdso_gettime(void);

/* Can code that runs from `entry` on and stays in [code, code + size) be seen to touch general
 * registers only? */
bool code_is_general(const uint8_t *code, size_t size, size_t entry);
