/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random programs for the comparison of engines: a few dozen instructions, with branches, calls,
 * code that changes itself, and, if wanted, an exception at any place; all in a loop of eight
 * rounds.
 */
#pragma once
#include "tests/cpu/gen.h"
#include "tests/cpu/interp.h"

enum { PROGRAM_ITEMS = 64, PROGRAM_BYTES = 3072 };

typedef struct Program {
    CodeSize code;
    uint64_t at; /* linear address of bytes */
    bool based;  /* as interp_segments() has them */
    bool loops;  /* it has some of many rounds */
    uint64_t odd;
    uint8_t bytes[PROGRAM_BYTES];
    unsigned used, items;
    uint16_t start[PROGRAM_ITEMS + 1]; /* of each item, and of what is behind the last */
    CpuRegs in;
    uint8_t data[DATA_BYTES], stack[STACK_BYTES];
} Program;

/* What raises an exception; EXCEPTION_NONE: only what happens by itself. */
typedef enum {
    EXCEPTION_NONE,
    EXCEPTION_UD,
    EXCEPTION_INT3,
    EXCEPTION_READ,   /* a page that is not there, read    */
    EXCEPTION_WRITE,  /* a page that may be read, written  */
    EXCEPTION_CROSS,  /* a store half of which is possible */
    EXCEPTION_DIVIDE, /* #DE                               */
    EXCEPTION_GP,     /* a privileged instruction or a bad address */
    EXCEPTION_ALIGN,  /* MOVAPS at an odd address          */
    EXCEPTION_COUNT,
} ProgramException;

/* The same random numbers make the same program, whichever exception stands in front of item `at`.
 * `t` tells what the CPU has. */
void program_make(Random *r, CodeSize code, Interp *t, ProgramException exception, unsigned at,
                  Program *p);
