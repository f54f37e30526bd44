/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One instruction on the host's own CPU: what the interpreter must agree with.
 */
#pragma once
#include "target/i386/decode/insn.h"

#include <stdbool.h>
#include <stdint.h>

/* The same linear addresses natively and in the guest; below 4 GiB so that 32-bit code sees them.
 * Behind the data lies a page that is not there, then one that can only be read. */
enum {
    CODE_BASE = 0x10000000,
    CODE_BYTES = 0x2000,
    DATA_BASE = 0x20000000,
    DATA_BYTES = 0x2000,
    READ_BASE = 0x20003000,
    READ_BYTES = 0x1000,
    STACK_BASE = 0x30000000,
    STACK_BYTES = 0x1000,
    FPU_BYTES = 2816, /* x87, SSE, header, AVX, AVX-512: the host's standard format at most */
};

typedef struct CpuRegs {
    uint64_t gpr[16], rip, rflags;
    uint8_t fpu[FPU_BYTES] __attribute__((aligned(64)));
} CpuRegs;

/* How an instruction ended. vector EXC_BP: it ran, and the INT3 behind it (or at the target of its
 * jump) stopped it; regs.rip is then the address of that INT3. */
typedef struct Outcome {
    CpuRegs regs;
    uint8_t vector;
    uint32_t error;
    uint64_t cr2; /* of a page fault */
} Outcome;

/* Selectors of the code, data and stack segments that run that code size; base 0 in 64- and 32-bit
 * code, CODE_BASE, DATA_BASE and STACK_BASE with 64 KiB in 16-bit code. */
typedef struct Selectors {
    uint16_t cs, ds, ss;
} Selectors;

/* Maps the areas and takes the signals over. false: this host cannot; *why says why. */
bool native_open(const char **why);
/* Has to come before the next three; native_open() does it, too. Without it images are empty. */
void native_find_components(void);
/* XSAVE components beyond SSE that this host has (AVX, AVX-512), as bits; where one stands in an
 * image; bytes of an image with all of them. */
uint64_t native_components(void);
unsigned native_offset(unsigned component);
unsigned native_image_bytes(void);
/* Also 16- and 32-bit code: needs an LDT. */
bool native_open_legacy(const char **why);
Selectors native_selectors(CodeSize code);
void native_run(CodeSize code, const CpuRegs *regs, Outcome *out);
