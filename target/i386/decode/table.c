/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table's rows, put together from table_*.def; what their columns mean stands here. */
#include "target/i386/decode/spec.h"
#include "target/i386/state.h"

/* clang-format off */

/* `when`: (mask << 32) | value of the key. */
#define K(SHIFT, WIDTH, VALUE) ((((1ull << (WIDTH)) - 1) << (SHIFT) << 32) | ((uint64_t)(VALUE) << (SHIFT)))
#define ANY     0ull
#define NP      K(KEY_PFX, 2, 0) /* no mandatory prefix */
#define P66     K(KEY_PFX, 2, 1)
#define PF3     K(KEY_PFX, 2, 2)
#define PF2     K(KEY_PFX, 2, 3)
#define NPF     K(KEY_PFX + 1, 1, 0) /* neither F2 nor F3 */
#define REG(N)  K(KEY_REG, 3, N)
#define RM(N)   K(KEY_RM, 3, N)
#define MEM     K(KEY_MOD3, 1, 0)
#define REGS3   K(KEY_MOD3, 1, 1) /* mod is 3 */
#define W0      K(KEY_W, 1, 0)
#define W1      K(KEY_W, 1, 1)
#define W64_0   K(KEY_W64, 1, 0)
#define W64_1   K(KEY_W64, 1, 1)
#define L0      K(KEY_L, 2, 0)
#define L1      K(KEY_L, 2, 1)
#define L2      K(KEY_L, 2, 2)
#define L12     K(KEY_LONG, 1, 1) /* 256 or 512 bits */
#define ONLY64  K(KEY_64, 1, 1)
#define NO64    K(KEY_64, 1, 0)
#define OS16    K(KEY_OSZ, 2, 0)
#define OS32    K(KEY_OSZ, 2, 1)
#define OS64    K(KEY_OSZ, 2, 2)
#define NOREXB  K(KEY_REXB, 1, 0)
#define NOREXR  K(KEY_REXR, 1, 0)
#define NO66    K(KEY_66, 1, 0)

/* `attributes`, without the ROW_ */
enum {
    NOATTR = 0, LOCK = ROW_LOCK, PRIV = ROW_PRIV, D64 = ROW_D64, F64 = ROW_F64, BYTE = ROW_BYTE,
    REGS = ROW_REGS, PLUS_R = ROW_PLUS_R, PLUS_CC = ROW_PLUS_CC, ALIGN = ROW_ALIGN,
    BRANCH = ROW_BRANCH, STRING = ROW_STRING, REPE = ROW_REPE, MMXREG = ROW_MMX, VSIB = ROW_VSIB,
    VL = ROW_VL, RC = ROW_RC, SAE = ROW_SAE, BCAST = ROW_BCAST, MASK = ROW_MASK, ZERO = ROW_ZERO,
    MASK1 = ROW_MASK1, W64 = ROW_W64, SERIAL = ROW_SERIAL, IO = ROW_IO,
    MZ = ROW_MASK | ROW_ZERO,
    B1 = 0, B2 = 1 << ROW_LANE_SHIFT, B4 = 2 << ROW_LANE_SHIFT, B8 = 3 << ROW_LANE_SHIFT,
    NF = ROW_WHOLE, ONE = ROW_ONE,
};

/* `flags`: read, written, undefined (a subset of written) */
enum {
    C = FLAG_CF, P = FLAG_PF, A = FLAG_AF, Z = FLAG_ZF, S = FLAG_SF, O = FLAG_OF, D = FLAG_DF,
    ALL6 = FLAGS_ARITH, ALL7 = FLAGS_ARITH | FLAG_DF,
};
#define FL(READ, WRITTEN, UNDEFINED) .read = (READ), .written = (WRITTEN), .undefined = (UNDEFINED)
#define FL_none     FL(0, 0, 0)
#define FL_ARITH    FL(0, ALL6, 0)
#define FL_CARRY    FL(C, ALL6, 0)
#define FL_LOGIC    FL(0, ALL6, A)
#define FL_INCDEC   FL(0, ALL6 & ~C, 0)
#define FL_SHIFT1   FL(0, ALL6, A)
#define FL_SHIFT    FL(ALL6, ALL6, A | O)       /* read: a count of 0 leaves them alone */
#define FL_ROT1     FL(0, C | O, 0)
#define FL_ROT      FL(C | O, C | O, O)
#define FL_RC1      FL(C, C | O, 0)
#define FL_MUL      FL(0, ALL6, S | Z | A | P)
#define FL_DIV      FL(0, ALL6, ALL6)
#define FL_BT       FL(0, ALL6 & ~Z, O | S | A | P)
#define FL_BSF      FL(0, ALL6, ALL6 & ~Z)
#define FL_LZCNT    FL(0, ALL6, O | S | A | P)
#define FL_BLS      FL(0, ALL6, A | P)
#define FL_BEXTR    FL(0, ALL6, A | P | S)
#define FL_DAA      FL(C | A, ALL6, O)
#define FL_AAA      FL(A, ALL6, O | S | Z | P)
#define FL_AAM      FL(0, ALL6, O | A | C)
#define FL_CC       FL(ALL6 & ~A, 0, 0)
#define FL_SAHF     FL(0, ALL6 & ~O, 0)
#define FL_LAHF     FL(ALL6 & ~O, 0, 0)
#define FL_READALL  FL(ALL7, 0, 0)
#define FL_SETALL   FL(0, ALL7, 0)
#define FL_ALL      FL(ALL7, ALL7, 0)
#define FL_STR      FL(D, 0, 0)
#define FL_STRCMP   FL(D | ALL6, ALL6, 0)
#define FL_RC_      FL(C, 0, 0)
#define FL_WC       FL(0, C, 0)
#define FL_CMC      FL(C, C, 0)
#define FL_WD       FL(0, D, 0)
#define FL_WZ       FL(0, Z, 0)
#define FL_RZ       FL(Z, 0, 0)
#define FL_ADCX     FL(C, C, 0)
#define FL_ADOX     FL(O, O, 0)
#define FL_FCMOV    FL(C | Z | P, 0, 0)

#define ROW_(OP, SPACE, MAP, OPCODE, WHEN, O1, O2, O3, O4, FLAGS, FEATURE, EMIT, FPU, TUPLE, ATTR) \
    {                                                                                           \
        .mask = (uint32_t)((WHEN) >> 32), .value = (uint32_t)(WHEN), .attr = (ATTR),            \
        .op = OP_##OP, .feature = FEATURE_##FEATURE, FL_##FLAGS, .space = SPACE_##SPACE,        \
        .map = (MAP), .opcode = (OPCODE), .spec = {S_##O1, S_##O2, S_##O3, S_##O4},             \
        .emit = EMIT_##EMIT, .fpu = ROW_FPU_##FPU, .tuple = TUPLE_##TUPLE,                      \
    },

/* General instructions. */
#define ROW(OP, MAP, OPCODE, WHEN, O1, O2, O3, FLAGS, FEATURE, EMIT, ATTR)                      \
    ROW_(OP, LEGACY, MAP, OPCODE, WHEN, O1, O2, O3, _, FLAGS, FEATURE, EMIT, NONE, NONE, ATTR)
#define VEXROW(OP, MAP, OPCODE, WHEN, O1, O2, O3, FLAGS, FEATURE)                               \
    ROW_(OP, VEX, MAP, OPCODE, (WHEN) | L0, O1, O2, O3, _, FLAGS, FEATURE, COPY, NONE, NONE, W64)
/* x87: FPU is X87, WAIT or NONE */
#define X87(OP, OPCODE, WHEN, O1, O2, FLAGS, FEATURE, FPU)                                      \
    ROW_(OP, LEGACY, 0, OPCODE, WHEN, O1, O2, _, _, FLAGS, FEATURE, COPY, FPU, NONE, 0)

const InsnRow decode_table[] = {
#include "target/i386/decode/table_one.def"
#include "target/i386/decode/table_0f.def"
#include "target/i386/decode/table_x87.def"
#include "target/i386/decode/table_sse.def"
#include "target/i386/decode/table_vex.def"
#include "target/i386/decode/table_evex.def"
};
/* clang-format on */

const unsigned decode_rows = sizeof decode_table / sizeof decode_table[0];
