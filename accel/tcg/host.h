/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "accel/accel.h"
#include "target/i386/rt/host.h"

/* What the run-time library calls. Cpu.vcpu must point to its Vcpu. The second also tells
 * events and new blocks, for -d int and in_asm; the third each block that runs, for exec. */
extern const RtHost tcg_host, tcg_host_logs, tcg_host_exec;
