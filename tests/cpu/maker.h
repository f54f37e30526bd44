/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the maker of random programs: a program in the making, and what its parts put there.
 */
#pragma once
#include "tests/cpu/programs.h"

enum { RBX = 3, RSP = 4 };

/* Counters in memory, of loops and of their programs' rounds. */
enum { LOOP_COUNTER = STACK_BASE + 0x100, LOOPS_COUNTER = STACK_BASE + 0x104 };

typedef struct Maker {
    Random *r;
    Program *p;
    Interp *t;
    unsigned target[PROGRAM_ITEMS]; /* item that a branch goes to; 0: none */
    unsigned patch[PROGRAM_ITEMS];  /* where its relative address stands   */
    uint8_t width[PROGRAM_ITEMS];   /* ... and how many bytes it has       */
} Maker;

static inline bool one_in(Maker *m, unsigned n)
{
    return !random_below(m->r, n);
}

/* What has no room any more is left out. */
void put_bytes(Maker *m, const void *bytes, unsigned count);
void put_byte(Maker *m, uint8_t byte);
void put_number(Maker *m, uint32_t value, unsigned bytes);

/* mov reg, offset: of the first eight registers. */
void put_pointer(Maker *m, unsigned reg, uint32_t linear, uint32_t base);

/* What an address is in a segment with that base. */
uint32_t offset(const Maker *m, uint32_t linear, uint32_t base);

/* opcode, ModRM with that reg field and an absolute address in the data; 32-bit operand */
void put_absolute(Maker *m, uint8_t opcode, unsigned reg, uint32_t linear);

/* loops.c: a loop over memory; not in 16-bit code. */
void put_loop(Maker *m);
