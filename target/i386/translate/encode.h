/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest instruction written anew for the host, which runs 64-bit code (SDM volume 2, "Instruction
 * format", "VEX prefix", "EVEX prefix"): same operation, size and immediates, other places. For the
 * class EMIT_COPY of the instruction table only.
 */
#pragma once
#include "target/i386/decode/insn.h"

enum { HOST_NONE = 0xff, ENCODE_MAX = 24 };

/* Where the operands of a copied instruction are on the host. */
typedef struct HostMap {
    uint8_t gpr[16];     /* guest general register -> host register, 0 to 15; HOST_NONE: nowhere */
    uint8_t base, index; /* of the memory operand: host registers or HOST_NONE                   */
    uint8_t scale;       /* of the index, as a shift; 0 where the index may be RSP               */
    int32_t disp;
    bool gs; /* the memory operand is in the host's GS segment */
} HostMap;

/* Re-encodes an instruction of an EMIT_COPY row for 64-bit mode on the mapped operands; returns the
 * bytes written, at most 15. 0: it cannot be encoded so, out is undefined:
 * AH to BH mapped above RBX or beside a register that needs REX, a fixed or implied register (AL of
 * an accumulator form, RDX:RAX of MUL, RCX of CMPXCHG8B) that is not mapped to itself, a bit test
 * of memory by a register (its address is not the operand's alone), an address with a vector index,
 * FNSTENV, FLDENV, FNSAVE and FRSTOR (their format is the mode's).
 * code64: it stands in 64-bit code. A count in CL must be in the host's RCX whatever the map says.
 * LOCK is kept; segment and address-size prefixes, and those that the manual ignores, are dropped.
 * NOP and ENDBR in all forms are one byte. Thread-safe. */
unsigned encode_copy(const Insn *i, bool code64, const HostMap *map, uint8_t out[ENCODE_MAX]);

/* General registers that such an instruction reads or writes though no operand names them: a bit
 * each, of RAX to RBX. */
unsigned encode_implied(const Insn *i);
