/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "accel/accel.h"
#include "target/i386/rt/host.h"
#include "target/i386/translate/translate.h"

#include <stdio.h>

enum { WINDOW_AS_SAID, WINDOW_ALWAYS, WINDOW_EARLY };

typedef struct JitDump JitDump; /* perf.c */

typedef struct Tcg {
    Accel accel;
    int64_t clock_offset; /* kvmclock less guest time: of the engine before */
    uint64_t tb_size;
    uint32_t thread;
    bool one_insn, interpreter, perfmap, jitdump;
    uint32_t lockstep, stir, gap;
    OnOffAuto window;
    uint32_t window_test; /* WINDOW_ */
    bool window_check;
    uint32_t window_most;         /* mappings of all windows together, at most */
    _Atomic int64_t window_areas; /* ... as they are                           */
    bool unstopped;               /* code is marked without stopping the world: wrong, for a test */
    CodeCache *code;              /* NULL: interpreted for ever */
    FILE *perf_map;               /* NULL: none */
    JitDump *jit_dump;            /* NULL: none */
} Tcg;

/* What the run-time library calls. Cpu.vcpu must point to its Vcpu. The second also tells
 * events and new blocks, for -d int, in_asm and out_asm; the third each block that runs,
 * for exec. */
extern const RtHost tcg_host, tcg_host_logs, tcg_host_exec;
