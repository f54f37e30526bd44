/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Encodings and operands for the comparison: every opcode with every prefix, random registers,
 * addressing forms and values that sit at the edges.
 */
#pragma once
#include "tests/cpu/native.h"
#include "tests/lib/random.h"

/* One point of the opcode space; the rest of an encoding is random. */
typedef struct Shape {
    CodeSize code;
    uint8_t space; /* SPACE_LEGACY, SPACE_VEX, SPACE_EVEX */
    bool w, memory;
    uint8_t map, opcode, prefix, l, reg; /* prefix: 0 none, 1 66, 2 F3, 3 F2, 4 66 and F2 */
} Shape;

/* The next point, in the same code size; false after the last. Starts from a zeroed one. */
bool shape_next(Shape *s);

typedef struct Encoding {
    CodeSize code;
    uint8_t bytes[24];
    unsigned modrm_at, disp_at, disp_bytes, evex_at; /* 0: none */
    Insn insn;
    uint64_t operand; /* linear address of the memory operand */
} Encoding;

/* An encoding of that shape that decodes to an instruction which may be run in user mode. */
bool encoding_make(Random *r, const Shape *s, Encoding *e);

/* Where it stands in the code area, and registers and memory that make it do something. put is
 * called with what is to be in memory. */
typedef void MemoryPut(void *opaque, uint64_t linear, const void *bytes, unsigned count);
void operands_make(Random *r, Encoding *e, CpuRegs *regs, MemoryPut *put, void *opaque);

enum { CODE_AT = CODE_BASE + 0x800 };

/* An XSAVE image: components that are as INIT leaves them may hold anything; make it one thing. */
void image_normalize(uint8_t *image);
