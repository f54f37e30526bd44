/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "accel/accel.h"
#include "target/i386/rt/host.h"

/* What the run-time library calls. Cpu.vcpu must point to its Vcpu. The second also tells every
 * event and block, for -d int, exec and in_asm. */
extern const RtHost tcg_host, tcg_host_logs;
