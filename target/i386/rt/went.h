/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where near branches through registers, memory and the stack went while they were interpreted:
 * what the translator counts on when it makes a unit of them (docs/design/translator.md, "Blocks
 * and links"). Only places in the branch's own page are kept. By physical address, one vCPU's, and
 * only a hint: what is there may be of another branch, or of code that is no more.
 */
#pragma once
#include "target/i386/decode/insn.h"

struct Cpu;

enum { WENT_SIZE = 4096, WENT_PLACES = 3 };

typedef struct Went {
    uint32_t tag;             /* 0: nobody's                          */
    uint16_t to[WENT_PLACES]; /* offsets in the page                  */
    uint8_t at[WENT_PLACES];  /* how often, halved from time to time; 0: no such place */
    uint8_t elsewhere;        /* likewise                             */
} Went;

/* A branch of that kind? */
static inline bool went_kind(const Insn *i)
{
    return i->op == OP_RET ||
           ((i->op == OP_CALL || i->op == OP_JMP) &&
            (i->operand[0].kind == OPERAND_GPR || i->operand[0].kind == OPERAND_MEM));
}

/* The branch at that physical address, at `from` for the guest, went to `to`. */
void went_note(struct Cpu *c, uint64_t phys, uint64_t from, uint64_t to);

/* NULL: nothing is known. Good until the next went_note(). */
const Went *went_find(const struct Cpu *c, uint64_t phys);
