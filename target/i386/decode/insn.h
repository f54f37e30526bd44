/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A decoded instruction: what the interpreter runs, the translator reads and the tests compare
 * (SDM volume 2, "Instruction format", "VEX", "EVEX", and the opcode maps). One cache line.
 */
#pragma once
#include "target/i386/decode/ops.h" /* enum: OP_<MNEMONIC>, one for each mnemonic of the manual */

#include <stdbool.h>
#include <stdint.h>

struct Cpu;
struct Insn;
typedef void InsnRun(struct Cpu *c, const struct Insn *i);

enum { REG_IP = 0xfe, REG_NONE = 0xff }; /* REG_IP: RIP-relative base */

/* clang-format off */
typedef enum OperandKind {
    OPERAND_NONE,
    OPERAND_GPR,        /* reg 0 to 15, .size bytes; also implicit ones such as AL and CL  */
    OPERAND_HIGH,       /* AH CH DH BH: reg 0 to 3                                         */
    OPERAND_MEM,        /* the memory operand: seg, base, index, scale, disp               */
    OPERAND_IMM,        /* imm, sign-extended where the manual does                        */
    OPERAND_IMM2,       /* the second immediate (ENTER, EXTRQ): bits 32 and up of imm      */
    OPERAND_REL,        /* branch: imm is relative to the next instruction                 */
    OPERAND_FAR,        /* ptr16:16/32: imm = offset | selector << 32                      */
    OPERAND_ABS,        /* moffs: memory at seg:imm                                        */
    OPERAND_SEG,        /* segment register                                                */
    OPERAND_CR,
    OPERAND_DR,
    OPERAND_ST,         /* x87 stack register */
    OPERAND_MM,
    OPERAND_XMM,        /* vector register; .size 16, 32, 64, or of a scalar in it         */
    OPERAND_K,          /* mask register                                                   */
    OPERAND_STRING_SRC, /* seg:[rSI] */
    OPERAND_STRING_DST, /* ES:[rDI]  */
} OperandKind;

typedef struct Operand {
    uint8_t kind, reg, size; /* size: bytes; 0 where it has none (LEA, INVLPG) */
} Operand;

enum {
    PREFIX_LOCK = 1, PREFIX_REP = 2, PREFIX_REPNE = 4, /* of REP and REPNE the last one */
    PREFIX_OPSIZE = 8, PREFIX_ADDRSIZE = 16, PREFIX_SEG = 32, PREFIX_REX = 64, PREFIX_REX_W = 128,
};
enum {
    INSN_VEX = 1, INSN_EVEX = 2, INSN_ZEROING = 4, INSN_BROADCAST = 8, /* EVEX.z, EVEX.b */
    INSN_W = 16, INSN_MODRM = 32, INSN_XOP = 64,
};

typedef struct Insn {
    InsnRun *run;     /* bound by the interpreter                                            */
    uint16_t row;     /* in decode_table[]                                                   */
    uint16_t op;      /* OP_                                                                 */
    uint8_t len;      /* bytes, 1 to 15                                                      */
    uint8_t opsize;   /* effective operand size in bytes: 1, 2, 4, 8                         */
    uint8_t addrsize; /* 2, 4, 8                                                             */
    uint8_t prefix;   /* PREFIX_, the one that VEX.pp or EVEX.pp stands for included         */
    uint8_t seg;      /* SEG_ of the memory operand, override and rBP/rSP rule applied       */
    uint8_t base, index, scale; /* base, index: register, REG_IP or REG_NONE; scale: shift   */
    int32_t disp;     /* compressed displacements of EVEX already scaled                     */
    uint64_t imm;
    Operand operand[4];
    uint8_t opcode, modrm, vl, vvvv; /* last opcode byte; vl: vector length in bytes         */
    uint8_t mask, flags;             /* EVEX.aaa; INSN_                                      */
    uint8_t map;      /* 0: one byte, 1: 0F, 2: 0F38, 3: 0F3A, 4..: as VEX/EVEX/XOP number it */
    uint8_t cc;       /* the condition of Jcc, SETcc, CMOVcc; EVEX.L'L, which may be the rounding
                         mode; of others the opcode's low bits                                  */
    uint64_t aux;     /* for whoever runs it: a stub, a block ...                            */
} Insn;

_Static_assert(sizeof(Insn) == 64, "an instruction is a cache line");

typedef enum { CODE_16, CODE_32, CODE_64 } CodeSize;

typedef enum {
    DECODE_OK,
    DECODE_SHORT, /* needs more bytes than were given */
    DECODE_UD,    /* no such instruction: #UD         */
    DECODE_LONG,  /* more than 15 bytes: #GP(0)       */
} DecodeResult;
/* clang-format on */

/* Decode one instruction from at most n bytes. Knows nothing of the CPU model: the row's feature
 * says what the instruction needs. Thread-safe, general registers only, calls nothing. On DECODE_UD
 * out->len is as many bytes as were looked at. */
DecodeResult decode(CodeSize code, const uint8_t *bytes, unsigned n, Insn *out);
