/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The instruction table: one row for each instruction form (SDM volume 2, opcode maps and the
 * pages of the instructions). The rows are in table_*.def, in columns that can be read; decoder,
 * interpreter, translator, CPUID and tests share them. Constant data, no pointers.
 */
#pragma once
#include "target/i386/decode/insn.h"
#include "target/i386/feature.h"

/* clang-format off */
/* How the translator emits it. */
typedef enum RowEmit {
    EMIT_CALL,   /* the interpreter's function                                           */
    EMIT_COPY,   /* the same instruction on mapped operands: the host's result is right  */
    EMIT_INLINE, /* code of the translator's: stack, branches, string operations ...     */
} RowEmit;

/* Which of the FPU's checks comes first (order of FpuKind in rt.h, behind NONE). */
typedef enum RowFpu {
    ROW_FPU_NONE,
    ROW_FPU_X87,
    ROW_FPU_WAIT,
    ROW_FPU_MMX,
    ROW_FPU_SSE,
    ROW_FPU_AVX,
    ROW_FPU_AVX512,
    ROW_FPU_FXSAVE,
    ROW_FPU_XSAVE,
} RowFpu;

/* Opcode spaces. Rows of VEX and EVEX are invalid outside protected mode: the interpreter checks. */
typedef enum RowSpace { SPACE_LEGACY, SPACE_VEX, SPACE_EVEX, SPACE_COUNT } RowSpace;

/* Attributes. */
enum {
    ROW_LOCK    = 1 << 0,  /* LOCK allowed where operand 0 is memory                            */
    ROW_PRIV    = 1 << 1,  /* CPL 0 only                                                        */
    ROW_D64     = 1 << 2,  /* 64-bit mode: operand size is 8 unless 66                          */
    ROW_F64     = 1 << 3,  /* 64-bit mode: operand size is always 8                             */
    ROW_BYTE    = 1 << 4,  /* operand size is 1                                                 */
    ROW_REGS    = 1 << 5,  /* ModRM names registers whatever mod says (MOV CR)                  */
    ROW_PLUS_R  = 1 << 6,  /* the opcode's low three bits are a register: eight opcodes         */
    ROW_PLUS_CC = 1 << 7,  /* the opcode's low four bits are a condition: sixteen opcodes       */
    ROW_ALIGN   = 1 << 8,  /* #GP(0) unless the memory operand is aligned to its size           */
    ROW_BRANCH  = 1 << 9, /* ends a run of instructions: next rip may be elsewhere             */
    ROW_STRING  = 1 << 10, /* REP allowed; REP MOVS, INS, OUTS, LODS, STOS                      */
    ROW_REPE    = 1 << 11, /* ... and REPE, REPNE compare (CMPS, SCAS)                          */
    ROW_MMX     = 1 << 12, /* touches MMX registers (also #MF, and the x87 tag word)            */
    ROW_VSIB    = 1 << 13, /* the memory operand's index is a vector register (0 to 31)         */
    ROW_VL      = 1 << 14, /* EVEX: needs AVX512VL besides where the vector is below 64 bytes   */
    ROW_RC      = 1 << 15, /* EVEX.b on registers: rounding control; vl is then 64              */
    ROW_SAE     = 1 << 16, /* EVEX.b on registers: suppress all exceptions; vl is then 64       */
    ROW_BCAST   = 1 << 17, /* EVEX.b on memory: broadcast                                       */
    ROW_MASK    = 1 << 18, /* EVEX.aaa may select a mask                                        */
    ROW_ZERO    = 1 << 19, /* EVEX.z allowed                                                    */
    ROW_MASK1   = 1 << 20, /* EVEX.aaa must not be 0 (gather, scatter)                          */
    ROW_W64     = 1 << 21, /* VEX.W means 64 bits in 64-bit mode only: operand size             */
    ROW_SERIAL  = 1 << 22, /* serialising, or changes what the next ones mean: ends a run       */
    ROW_IO      = 1 << 23, /* touches I/O ports                                                 */
    ROW_LANE    = 3 << 24, /* EVEX: log2 of the bytes that one bit of the mask stands for       */
    ROW_WHOLE   = 1 << 26, /* EVEX: memory is accessed whole, whatever the mask says            */
    ROW_ONE     = 1 << 27, /* EVEX: all elements come from the same memory (VBROADCAST)         */
    ROW_LANE_SHIFT = 24,
};

/* What disp8 of EVEX counts (SDM volume 2, "Compressed displacement"): the memory operand's size,
 * broadcast regarded, or where that is not it the element's. */
typedef enum RowTuple {
    TUPLE_NONE = 0, TUPLE_1 = 1, TUPLE_2 = 2, TUPLE_4 = 4, TUPLE_8 = 8, /* bytes */
} RowTuple;

typedef struct InsnRow {
    uint32_t mask, value; /* of the key that the decoder makes of prefixes and ModRM             */
    uint32_t attr;        /* ROW_                                                                */
    uint16_t op;          /* OP_                                                                 */
    uint16_t feature;     /* X86Feature that it needs; FEATURE_ALWAYS                            */
    uint16_t read, written, undefined; /* FLAG_: arithmetic flags and DF; written has undefined  */
    uint8_t space, map, opcode;        /* RowSpace, as Insn.map, first opcode                    */
    uint8_t spec[4];      /* operands as the decoder sees them: spec.h                           */
    uint8_t emit, fpu, tuple; /* RowEmit, RowFpu, RowTuple                                       */
} InsnRow;
/* clang-format on */

extern const InsnRow decode_table[];
extern const unsigned decode_rows;
extern const char *const op_names[OP_COUNT]; /* "ADD" ...; not in the run-time library */

static inline const InsnRow *insn_row(const Insn *i)
{
    return &decode_table[i->row];
}

/* Whether the model has what the instruction needs; if not it is #UD (or, for the hints whose
 * encodings are NOPs elsewhere, not: those rows say FEATURE_ALWAYS). */
static inline bool insn_supported(const X86Features *f, const Insn *i)
{
    const InsnRow *row = insn_row(i);
    if (!feature_has(f, (X86Feature)row->feature)) {
        return false;
    }
    return !(row->attr & ROW_VL) || i->vl == 64 || feature_has(f, FEATURE_AVX512VL);
}
