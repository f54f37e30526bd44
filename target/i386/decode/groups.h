/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Groups of instructions that interpreter and translator treat alike, where the table has no column
 * for it (SDM volume 1, chapter 8; volume 2).
 */
#pragma once
#include "target/i386/decode/ops.h"

#include <stdbool.h>

/* Their memory operand is written. */
static inline bool x87_stores(unsigned op)
{
    return op == OP_FST || op == OP_FSTP || op == OP_FIST || op == OP_FISTP || op == OP_FISTTP ||
           op == OP_FBSTP || op == OP_FNSTCW || op == OP_FNSTSW;
}

/* Control instructions leave the pointers to the last instruction alone. */
static inline bool x87_controls(unsigned op)
{
    return op == OP_FNSTCW || op == OP_FNSTSW || op == OP_FLDCW || op == OP_FNCLEX ||
           op == OP_FNENI || op == OP_FNDISI || op == OP_FNSETPM;
}

/* Their results are in rCX or XMM0, which no operand names. */
static inline bool compares_strings(unsigned op)
{
    return op == OP_PCMPESTRI || op == OP_PCMPESTRM || op == OP_PCMPISTRI || op == OP_PCMPISTRM ||
           op == OP_VPCMPESTRI || op == OP_VPCMPESTRM || op == OP_VPCMPISTRI || op == OP_VPCMPISTRM;
}
