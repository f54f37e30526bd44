/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One instruction in the interpreter, in user mode on a machine of the same memory as native.h's.
 */
#pragma once
#include "tests/cpu/native.h"

typedef struct Interp Interp;

/* Who executes the guest's code: the interpreter as it runs, or one instruction at a time, or the
 * translator. */
typedef enum Engine { ENGINE_BLOCKS, ENGINE_STEPS, ENGINE_TRANSLATOR } Engine;

/* A vCPU with every feature the host has and the table knows; exits the program when it has no
 * memory. */
Interp *interp_new(Engine engine);
void interp_free(Interp *t);

/* Have the model and the host what the instruction needs? */
bool interp_supports(Interp *t, const Insn *i);

/* Host memory behind a linear address of native.h's areas. */
uint8_t *interp_memory(Interp *t, uint64_t linear);

/* Code bytes were changed there. */
void interp_code_written(Interp *t, uint64_t linear, unsigned bytes);

/* Runs from regs until the first exception. false: there was none in 100,000 steps, or as many
 * pauses. */
bool interp_run(Interp *t, CodeSize code, const CpuRegs *regs, Outcome *out);

/* Programs outside 64-bit code from now on: based: 32-bit segments begin at the areas they are for;
 * odd: not 0: some segments have limits, grow down, may not be written, or are not there. FS and GS
 * are as DS. */
void interp_segments(Interp *t, bool based, uint64_t odd);

/* The translator: random flushes and random units from now on, see stir(). */
void interp_stir(Interp *t, uint64_t seed);

/* 64-bit code in user mode has the direct window from now on. false: no memory for it. */
bool interp_window(Interp *t);

/* Somebody wants the CPU: from any thread. It goes on at once. */
void interp_kick(Interp *t);

/* At which level: 3 unless it is changed to 0. */
void interp_level(Interp *t, unsigned cpl);

/* Has the last run gone through a loop's version without checks (translate/strip.c)? */
bool interp_strips(Interp *t);
