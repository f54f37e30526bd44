/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mnemonics as text, for logs and tests. */
#include "target/i386/decode/table.h"

/* clang-format off */
#define NAME(OP)   [OP_##OP] = #OP,
#define NAME_V(OP) [OP_V##OP] = "V" #OP,

const char *const op_names[OP_COUNT] = {
    [OP_INVALID] = "(bad)",
    OP_LIST_INTEGER(NAME) OP_LIST_SYSTEM(NAME) OP_LIST_X87(NAME) OP_LIST_SSE(NAME)
    OP_LIST_SSE_V(NAME) OP_LIST_SSE_V(NAME_V) OP_LIST_AVX(NAME) OP_LIST_AVX512(NAME)
};
/* clang-format on */
