/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "target/i386/cpu.h"

/* A triple fault: say what happened, on stderr or in the log of -D: the last exceptions, what was
 * wrong with the descriptor or page entry, the instruction, the registers. On the vCPU's thread, or
 * with it parked. */
void shutdown_report(Vcpu *cpu);

/* The registers as text, several lines; the caller frees it. The vCPU is parked, or it is its
 * thread. For -d cpu_reset, the report and the monitor. */
char *cpu_registers(const X86State *s);

/* One of Cpu.last as a line of text; and what was wrong, "" where only the vector is known (the
 * caller frees it). The vCPU is parked, or it is its thread. */
void exception_describe(GString *out, const LastException *e);
char *exception_why(const LastException *e);
