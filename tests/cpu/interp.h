/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One instruction in the interpreter, in user mode on a machine of the same memory as native.h's.
 */
#pragma once
#include "tests/cpu/native.h"

typedef struct Interp Interp;

/* A vCPU with every feature the host has and the table knows; exits the program when it has no
 * memory. */
Interp *interp_new(void);
void interp_free(Interp *t);

/* Have the model and the host what the instruction needs? */
bool interp_supports(Interp *t, const Insn *i);

/* Host memory behind a linear address of native.h's areas. */
uint8_t *interp_memory(Interp *t, uint64_t linear);

/* Code bytes were changed there. */
void interp_code_written(Interp *t, uint64_t linear, unsigned bytes);

void interp_run(Interp *t, CodeSize code, const CpuRegs *regs, Outcome *out);
