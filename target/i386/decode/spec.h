/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the decoder and the maker of its index share: operand specifications in the notation of the
 * SDM's opcode maps (volume 2, appendix A), the key that selects among the rows of one opcode,
 * and the shape of the index.
 */
#pragma once
#include "target/i386/decode/table.h"

/* clang-format off */

/* The key: what prefixes and ModRM say, in one word. A row matches where key & mask == value. */
enum {
    KEY_PFX    = 0,  /* 2: mandatory prefix, as VEX.pp: 0 none, 1 66, 2 F3, 3 F2 */
    KEY_REG    = 2,  /* 3: ModRM.reg                                             */
    KEY_RM     = 5,  /* 3: ModRM.rm                                              */
    KEY_MOD3   = 8,  /* ModRM.mod is 3                                           */
    KEY_W      = 9,  /* REX.W, VEX.W                                             */
    KEY_L      = 10, /* 2: VEX.L, EVEX.L'L                                       */
    KEY_64     = 12, /* 64-bit mode                                              */
    KEY_B      = 13, /* EVEX.b                                                   */
    KEY_OSZ    = 14, /* 2: operand size: 0 16, 1 32, 2 64 bits                   */
    KEY_REXB   = 16, /* REX.B                                                    */
    KEY_W64    = 17, /* W in 64-bit mode                                         */
    KEY_NOVVVV = 18, /* VEX.vvvv is 1111                                         */
    KEY_NOV2   = 19, /* EVEX.V' is 1                                             */
    KEY_K0     = 20, /* EVEX.aaa is 0                                            */
    KEY_Z      = 21, /* EVEX.z                                                   */
    KEY_66     = 22, /* 66 was seen                                              */
    KEY_REXR   = 23, /* REX.R                                                    */
    KEY_LONG   = 24, /* L is not 0: more than 128 bits                           */
};

/* Where a register number comes from: a byte of one word that the decoder makes, or a number. */
enum {
    SRC_0, SRC_1, SRC_2, SRC_3, SRC_4, SRC_5, /* fixed */
    SRC_REG = 8, /* ModRM.reg, with REX.R                            */
    SRC_RM,      /* ModRM.rm, with REX.B                             */
    SRC_REGV,    /* ... with EVEX.R'                                 */
    SRC_RMV,     /* ... with EVEX.X                                  */
    SRC_REG3,    /* three bits only                                  */
    SRC_RM3,
    SRC_OPC,     /* opcode, with REX.B                               */
    SRC_VVVV = SRC_OPC, /* VEX.vvvv, with EVEX.V'; mask registers    */
    SRC_IS4,     /* the immediate's upper bits: not in the word (0)  */
    SRC_COUNT,
};

/* Sizes that depend on the instruction; below SIZE_FIRST are bytes. */
enum {
    SIZE_FIRST = 100,
    SIZE_V = SIZE_FIRST, /* operand size                          */
    SIZE_Z,              /* ... at most 4                         */
    SIZE_Y,              /* 8 with W, else 4                      */
    SIZE_N,              /* 8 in 64-bit mode, else 4              */
    SIZE_A,              /* address size                          */
    SIZE_FAR,            /* operand size and a selector           */
    SIZE_2V,             /* two of the operand size               */
    SIZE_DESC,           /* descriptor table register: 6, 10      */
    SIZE_ENV,            /* x87 environment: 14, 28               */
    SIZE_ENVS,           /* x87 state: 94, 108                    */
    SIZE_VL, SIZE_VL2, SIZE_VL4, SIZE_VL8, /* vector length and parts of it         */
    SIZE_VLM,            /* 8 for 16-byte vectors, else the length: MOVDDUP         */
    SIZE_B4, SIZE_B8,    /* vector length, or the element with EVEX.b               */
    SIZE_B4H,            /* half of it, or the element (4)        */
    SIZE_BW,             /* vector length, or the element of 4 or 8 by W            */
    SIZE_COUNT,
};

typedef enum {
    IMM_NONE, IMM_SB, IMM_UB, IMM_W, IMM_Z, IMM_V, IMM_REL8, IMM_RELZ, IMM_FAR, IMM_MOFFS, IMM_ENTER,
    IMM_TWO, IMM_ONE, IMM_IS4, IMM_AT_BX, IMM_AT_DI,
} Imm;

/* name, if ModRM names a register: kind, size; if memory: kind, size; register from; immediate */
#define SPEC_LIST(X) \
    X(_,    NONE, 0,       NONE, 0,        0,    NONE) \
    X(Eb,   GPR, 1,        MEM, 1,         RM,   NONE) \
    X(Ew,   GPR, 2,        MEM, 2,         RM,   NONE) \
    X(Ed,   GPR, 4,        MEM, 4,         RM,   NONE) \
    X(Ev,   GPR, SIZE_V,   MEM, SIZE_V,    RM,   NONE) \
    X(Ez,   GPR, SIZE_Z,   MEM, SIZE_Z,    RM,   NONE) \
    X(Ey,   GPR, SIZE_Y,   MEM, SIZE_Y,    RM,   NONE) \
    X(Evw,  GPR, SIZE_V,   MEM, 2,         RM,   NONE) \
    X(Edw,  GPR, 4,        MEM, 2,         RM,   NONE) \
    X(Edb,  GPR, 4,        MEM, 1,         RM,   NONE) \
    X(Rd,   GPR, 4,        GPR, 4,         RM,   NONE) \
    X(Ry,   GPR, SIZE_Y,   GPR, SIZE_Y,    RM,   NONE) \
    X(Rv,   GPR, SIZE_V,   GPR, SIZE_V,    RM,   NONE) \
    X(Rn,   GPR, SIZE_N,   GPR, SIZE_N,    RM,   NONE) \
    X(Ra,   GPR, SIZE_A,   GPR, SIZE_A,    RM,   NONE) \
    X(Gb,   GPR, 1,        GPR, 1,         REG,  NONE) \
    X(Gw,   GPR, 2,        GPR, 2,         REG,  NONE) \
    X(Gd,   GPR, 4,        GPR, 4,         REG,  NONE) \
    X(Gv,   GPR, SIZE_V,   GPR, SIZE_V,    REG,  NONE) \
    X(Gz,   GPR, SIZE_Z,   GPR, SIZE_Z,    REG,  NONE) \
    X(Gy,   GPR, SIZE_Y,   GPR, SIZE_Y,    REG,  NONE) \
    X(Gn,   GPR, SIZE_N,   GPR, SIZE_N,    REG,  NONE) \
    X(Ga,   GPR, SIZE_A,   GPR, SIZE_A,    REG,  NONE) \
    X(By,   GPR, SIZE_Y,   GPR, SIZE_Y,    VVVV, NONE) \
    X(Zb,   GPR, 1,        GPR, 1,         OPC,  NONE) \
    X(Zv,   GPR, SIZE_V,   GPR, SIZE_V,    OPC,  NONE) \
    X(AL,   GPR, 1,        GPR, 1,         0,    NONE) \
    X(CL,   GPR, 1,        GPR, 1,         1,    NONE) \
    X(AX,   GPR, 2,        GPR, 2,         0,    NONE) \
    X(DX,   GPR, 2,        GPR, 2,         2,    NONE) \
    X(rAX,  GPR, SIZE_V,   GPR, SIZE_V,    0,    NONE) \
    X(eAX,  GPR, SIZE_Z,   GPR, SIZE_Z,    0,    NONE) \
    X(aAX,  GPR, SIZE_A,   GPR, SIZE_A,    0,    NONE) \
    X(M,    MEM, 0,        MEM, 0,         0,    NONE) \
    X(Mb,   MEM, 1,        MEM, 1,         0,    NONE) \
    X(Mw,   MEM, 2,        MEM, 2,         0,    NONE) \
    X(Md,   MEM, 4,        MEM, 4,         0,    NONE) \
    X(Mq,   MEM, 8,        MEM, 8,         0,    NONE) \
    X(Mt,   MEM, 10,       MEM, 10,        0,    NONE) \
    X(Mo,   MEM, 16,       MEM, 16,        0,    NONE) \
    X(Mqq,  MEM, 32,       MEM, 32,        0,    NONE) \
    X(Mzz,  MEM, 64,       MEM, 64,        0,    NONE) \
    X(My,   MEM, SIZE_Y,   MEM, SIZE_Y,    0,    NONE) \
    X(Mv,   MEM, SIZE_V,   MEM, SIZE_V,    0,    NONE) \
    X(Ma,   MEM, SIZE_2V,  MEM, SIZE_2V,   0,    NONE) \
    X(Mp,   MEM, SIZE_FAR, MEM, SIZE_FAR,  0,    NONE) \
    X(Ms,   MEM, SIZE_DESC,MEM, SIZE_DESC, 0,    NONE) \
    X(Me,   MEM, SIZE_ENV, MEM, SIZE_ENV,  0,    NONE) \
    X(Mes,  MEM, SIZE_ENVS,MEM, SIZE_ENVS, 0,    NONE) \
    X(Mx,   MEM, SIZE_VL,  MEM, SIZE_VL,   0,    NONE) \
    X(AtBX, MEM, 1,        MEM, 1,         0,    AT_BX) \
    X(AtDI, MEM, 8,        MEM, 8,         0,    AT_DI) \
    X(AtDIo,MEM, 16,       MEM, 16,        0,    AT_DI) \
    X(Ib,   IMM, SIZE_V,   IMM, SIZE_V,    0,    SB)   \
    X(Ub,   IMM, 1,        IMM, 1,         0,    UB)   \
    X(Iw,   IMM, 2,        IMM, 2,         0,    W)    \
    X(Iz,   IMM, SIZE_V,   IMM, SIZE_V,    0,    Z)    \
    X(Iv,   IMM, SIZE_V,   IMM, SIZE_V,    0,    V)    \
    X(one,  IMM, 1,        IMM, 1,         0,    ONE)  \
    X(Iwb,  IMM, 2,        IMM, 2,         0,    ENTER) \
    X(Ibb,  IMM, 1,        IMM, 1,         0,    TWO)  \
    X(Ib2,  IMM2, 1,       IMM2, 1,        0,    NONE) \
    X(Jb,   REL, SIZE_V,   REL, SIZE_V,    0,    REL8) \
    X(Jz,   REL, SIZE_V,   REL, SIZE_V,    0,    RELZ) \
    X(Ap,   FAR, SIZE_FAR, FAR, SIZE_FAR,  0,    FAR)  \
    X(Ob,   ABS, 1,        ABS, 1,         0,    MOFFS) \
    X(Ov,   ABS, SIZE_V,   ABS, SIZE_V,    0,    MOFFS) \
    X(Sw,   SEG, 2,        SEG, 2,         REG3, NONE) \
    X(ES,   SEG, 2,        SEG, 2,         0,    NONE) \
    X(CS,   SEG, 2,        SEG, 2,         1,    NONE) \
    X(SS,   SEG, 2,        SEG, 2,         2,    NONE) \
    X(DS,   SEG, 2,        SEG, 2,         3,    NONE) \
    X(FS,   SEG, 2,        SEG, 2,         4,    NONE) \
    X(GS,   SEG, 2,        SEG, 2,         5,    NONE) \
    X(Cn,   CR, SIZE_N,    CR, SIZE_N,     REG,  NONE) \
    X(Dn,   DR, SIZE_N,    DR, SIZE_N,     REG,  NONE) \
    X(Xb,   STRING_SRC, 1, STRING_SRC, 1,  0,    NONE) \
    X(Xv,   STRING_SRC, SIZE_V, STRING_SRC, SIZE_V, 0, NONE) \
    X(Xz,   STRING_SRC, SIZE_Z, STRING_SRC, SIZE_Z, 0, NONE) \
    X(Yb,   STRING_DST, 1, STRING_DST, 1,  0,    NONE) \
    X(Yv,   STRING_DST, SIZE_V, STRING_DST, SIZE_V, 0, NONE) \
    X(Yz,   STRING_DST, SIZE_Z, STRING_DST, SIZE_Z, 0, NONE) \
    X(ST0,  ST, 10,        ST, 10,         0,    NONE) \
    X(STi,  ST, 10,        ST, 10,         RM3,  NONE) \
    X(Pq,   MM, 8,         MM, 8,          REG3, NONE) \
    X(Qq,   MM, 8,         MEM, 8,         RM3,  NONE) \
    X(Qd,   MM, 4,         MEM, 4,         RM3,  NONE) \
    X(Nq,   MM, 8,         MM, 8,          RM3,  NONE) \
    X(Vd,   XMM, 4,        XMM, 4,         REGV, NONE) \
    X(Vq,   XMM, 8,        XMM, 8,         REGV, NONE) \
    X(Vo,   XMM, 16,       XMM, 16,        REGV, NONE) \
    X(Vqq,  XMM, 32,       XMM, 32,        REGV, NONE) \
    X(Vzz,  XMM, 64,       XMM, 64,        REGV, NONE) \
    X(Vx,   XMM, SIZE_VL,  XMM, SIZE_VL,   REGV, NONE) \
    X(Vh,   XMM, SIZE_VL2, XMM, SIZE_VL2,  REGV, NONE) \
    X(Hd,   XMM, 4,        XMM, 4,         VVVV, NONE) \
    X(Hq,   XMM, 8,        XMM, 8,         VVVV, NONE) \
    X(Ho,   XMM, 16,       XMM, 16,        VVVV, NONE) \
    X(Hqq,  XMM, 32,       XMM, 32,        VVVV, NONE) \
    X(Hx,   XMM, SIZE_VL,  XMM, SIZE_VL,   VVVV, NONE) \
    X(Wb,   XMM, 16,       MEM, 1,         RMV,  NONE) \
    X(Ww,   XMM, 16,       MEM, 2,         RMV,  NONE) \
    X(Wd,   XMM, 4,        MEM, 4,         RMV,  NONE) \
    X(Wq,   XMM, 8,        MEM, 8,         RMV,  NONE) \
    X(Wo,   XMM, 16,       MEM, 16,        RMV,  NONE) \
    X(Wqq,  XMM, 32,       MEM, 32,        RMV,  NONE) \
    X(Wx,   XMM, SIZE_VL,  MEM, SIZE_VL,   RMV,  NONE) \
    X(Wh,   XMM, SIZE_VL2, MEM, SIZE_VL2,  RMV,  NONE) \
    X(Wf,   XMM, SIZE_VL4, MEM, SIZE_VL4,  RMV,  NONE) \
    X(We,   XMM, SIZE_VL8, MEM, SIZE_VL8,  RMV,  NONE) \
    X(Wm,   XMM, SIZE_VLM, MEM, SIZE_VLM,  RMV,  NONE) \
    X(Wb4,  XMM, SIZE_VL,  MEM, SIZE_B4,   RMV,  NONE) \
    X(Wb8,  XMM, SIZE_VL,  MEM, SIZE_B8,   RMV,  NONE) \
    X(Wh4,  XMM, SIZE_VL2, MEM, SIZE_B4H,  RMV,  NONE) \
    X(Wbw,  XMM, SIZE_VL,  MEM, SIZE_BW,   RMV,  NONE) \
    X(Wod,  XMM, 16,       MEM, 4,         RMV,  NONE) \
    X(Woq,  XMM, 16,       MEM, 8,         RMV,  NONE) \
    X(Uo,   XMM, 16,       XMM, 16,        RMV,  NONE) \
    X(Uq,   XMM, 8,        XMM, 8,         RMV,  NONE) \
    X(Ux,   XMM, SIZE_VL,  XMM, SIZE_VL,   RMV,  NONE) \
    X(X0,   XMM, 16,       XMM, 16,        0,    NONE) \
    X(Lx,   XMM, SIZE_VL,  XMM, SIZE_VL,   IS4,  IS4)  \
    X(Kreg, K, 8,          K, 8,           REG3, NONE) \
    X(Kvex, K, 8,          K, 8,           VVVV, NONE) \
    X(Krm,  K, 8,          K, 8,           RM3,  NONE) \
    X(Krmb, K, 8,          MEM, 1,         RM3,  NONE) \
    X(Krmw, K, 8,          MEM, 2,         RM3,  NONE) \
    X(Krmd, K, 8,          MEM, 4,         RM3,  NONE) \
    X(Krmq, K, 8,          MEM, 8,         RM3,  NONE)

#define SPEC_ENUM(NAME, ...) S_##NAME,
enum { SPEC_LIST(SPEC_ENUM) SPEC_COUNT };

typedef struct SpecSide {
    uint8_t kind, size; /* OPERAND_; bytes or SIZE_ */
} SpecSide;

typedef struct Spec {
    SpecSide side[2]; /* ModRM names memory; a register */
    uint8_t src, imm;
    uint8_t fixed, shift; /* register: fixed + the byte at shift of the decoder's word */
} Spec;

#define SPEC_ROW(NAME, KIND_R, SIZE_R, KIND_M, SIZE_M, SRC, IMM)                                   \
    [S_##NAME] = {{{OPERAND_##KIND_M, SIZE_M}, {OPERAND_##KIND_R, SIZE_R}},                        \
                  SRC_##SRC,                                                                       \
                  IMM_##IMM,                                                                       \
                  SRC_##SRC < SRC_REG ? SRC_##SRC : 0,                                             \
                  SRC_##SRC < SRC_REG ? 56 : (SRC_##SRC - SRC_REG) * 8},

/* The index, made by decode-index at build time: which rows to try. */
enum { SLOT_USED = 1, SLOT_MODRM = 2, SLOT_SPLIT = 4, SLOT_PLAIN = 8 /* one row, no condition */ };
typedef struct Slot {
    uint16_t first; /* candidate; or with SLOT_SPLIT entry of decode_split[], one for each reg */
    uint16_t flags;
} Slot;

typedef struct Candidate {
    uint32_t mask, value;
    uint16_t row;
    bool last;
} Candidate;

enum { MAP_COUNT = 10, SPLIT_NONE = 0xffff }; /* legacy 0-3, VEX 1-3, EVEX 1-3 */
/* clang-format on */

/* Which of the index's maps; -1: none. */
static inline int map_index(unsigned space, unsigned map)
{
    if (space == SPACE_LEGACY) {
        return (int)map;
    }
    return map >= 1 && map <= 3 ? (int)(space * 3 + map) : -1;
}

extern const Slot decode_slots[MAP_COUNT][256];
extern const uint16_t decode_split[];
extern const Candidate decode_candidates[];
