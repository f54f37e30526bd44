/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host side of the FPU: mappings of the stub cache, the save image, host faults as guest faults.
 */
#pragma once
#include "target/i386/rt/cpu.h"
#include "util/error.h"

/* Gives the CPU its FPU: call before rt_init(). Fails when the host has no memory to give. */
bool fpu_host_new(Cpu *c, Error **err);
void fpu_host_free(Cpu *c);

/* This thread runs that CPU from now on: #MF, #XM, #DE and #UD of its stubs become the guest's.
 * Takes an alternate signal stack for the thread; detach before the thread ends. */
bool fpu_host_attach(Cpu *c, Error **err);
void fpu_host_detach(Cpu *c);

/* XSAVE components the host can keep for a guest (XCR0 of the host, without what is not modelled);
 * without XSAVE x87 and SSE. */
uint64_t fpu_host_components(void);
