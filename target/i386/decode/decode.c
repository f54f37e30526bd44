/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decoder (SDM volume 2, chapter 2 "Instruction format", appendix A "Opcode map"): prefixes,
 * then the few rows of the opcode (decode_index.c, made by the build), then operands as the row
 * specifies them, by table look-up. General registers only, calls nothing.
 * Branches follow Intel's rules: 66 does not shorten near branches in 64-bit mode.
 * Not modelled: XOP, 3DNow!, EVEX maps 5 and 6 (AVX512-FP16), VIA PadLock, AMD's LOCK MOV CR0 for
 * CR8.
 */
#include "target/i386/decode/spec.h"
#include "target/i386/state.h"

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

enum { INSN_MAX = 15, NO_SEG = 0xff };
enum { REX_B = 1, REX_X = 2, REX_R = 4, REX_W = 8 };

/* One instruction under way. */
typedef struct Decoding {
    const uint8_t *bytes;
    unsigned at, limit;
    bool code64;
    uint8_t prefix, seg, rex; /* rex: of VEX and EVEX too, not inverted */
    uint8_t space, map, opcode, modrm;
    uint8_t pp, l, vvvv;             /* vvvv: not inverted, four bits */
    uint8_t r2, v2, aaa, evex_flags; /* r2, v2: EVEX.R' and V' as 16, not inverted */
    uint8_t opsize;                  /* 2, 4, 8 */
    uint8_t addrsize;
} Decoding;

static const Spec specs[SPEC_COUNT] = {SPEC_LIST(SPEC_ROW)};

/* clang-format off */
enum { NOT_PREFIX, IS_66, IS_67, IS_LOCK, IS_F2, IS_F3, IS_REX, IS_SEG /* and SEG_ES ... */ };
static const uint8_t prefix_of[256] = {
    [0x26] = IS_SEG + SEG_ES, [0x2e] = IS_SEG + SEG_CS, [0x36] = IS_SEG + SEG_SS,
    [0x3e] = IS_SEG + SEG_DS, [0x64] = IS_SEG + SEG_FS, [0x65] = IS_SEG + SEG_GS,
    [0x40 ... 0x4f] = IS_REX, [0x66] = IS_66, [0x67] = IS_67, [0xf0] = IS_LOCK, [0xf2] = IS_F2,
    [0xf3] = IS_F3,
};

/* 16-bit addressing (SDM volume 2, table 2-1) */
static const uint8_t base16[8]  = {R_BX, R_BX, R_BP, R_BP, R_SI, R_DI, R_BP, R_BX};
static const uint8_t index16[8] = {R_SI, R_DI, R_SI, R_DI, REG_NONE, REG_NONE, REG_NONE, REG_NONE};
/* clang-format on */

static DecodeResult ran_out(const Decoding *d)
{
    return d->limit == INSN_MAX ? DECODE_LONG : DECODE_SHORT;
}

static inline bool take(Decoding *d, uint8_t *byte)
{
    if (unlikely(d->at >= d->limit)) {
        return false;
    }
    *byte = d->bytes[d->at++];
    return true;
}

/* size bytes (1, 2, 4, 8), sign-extended. */
static inline bool take_signed(Decoding *d, unsigned size, int64_t *value)
{
    const uint8_t *p = d->bytes + d->at;
    int16_t w;
    int32_t l;
    if (unlikely(d->limit - d->at < size)) {
        d->at = d->limit;
        return false;
    }
    d->at += size;
    switch (size) {
    case 1:
        *value = (int8_t)*p;
        break;
    case 2:
        __builtin_memcpy(&w, p, 2);
        *value = w;
        break;
    case 4:
        __builtin_memcpy(&l, p, 4);
        *value = l;
        break;
    default:
        __builtin_memcpy(value, p, 8);
        break;
    }
    return true;
}

/* Everything in front of the opcode but VEX and EVEX; b is the first byte behind. A REX that
 * another prefix follows does not count. */
static bool take_prefixes(Decoding *d, uint8_t *b)
{
    for (;;) {
        if (!take(d, b)) {
            return false;
        }
        unsigned kind = prefix_of[*b];
        if (likely(kind == NOT_PREFIX) || (kind == IS_REX && !d->code64)) {
            return true;
        }
        d->rex = 0;
        d->prefix &= (uint8_t) ~(PREFIX_REX | PREFIX_REX_W);
        switch (kind) {
        case IS_REX:
            d->rex = *b & 15;
            d->prefix |= PREFIX_REX | (*b & REX_W ? PREFIX_REX_W : 0);
            break;
        case IS_66:
            d->prefix |= PREFIX_OPSIZE;
            break;
        case IS_67:
            d->prefix |= PREFIX_ADDRSIZE;
            break;
        case IS_LOCK:
            d->prefix |= PREFIX_LOCK;
            break;
        case IS_F2:
            d->prefix = (d->prefix & (uint8_t)~PREFIX_REP) | PREFIX_REPNE;
            break;
        case IS_F3:
            d->prefix = (d->prefix & (uint8_t)~PREFIX_REPNE) | PREFIX_REP;
            break;
        default: /* in 64-bit mode only FS and GS count, and the others do not undo them */
            d->prefix |= PREFIX_SEG;
            if (!d->code64 || kind >= IS_SEG + SEG_FS) {
                d->seg = (uint8_t)(kind - IS_SEG);
            }
            break;
        }
    }
}

/* Mandatory prefix, as VEX.pp, by PREFIX_LOCK, REP, REPNE, OPSIZE: F2 and F3 beat 66. */
static const uint8_t mandatory[16] = {0, 0, 2, 2, 3, 3, 0, 0, 1, 1, 2, 2, 3, 3, 0, 0};

static DecodeResult take_legacy(Decoding *d, uint8_t b)
{
    d->pp = mandatory[d->prefix & 15];
    if (b == 0x0f) {
        d->map = 1;
        if (!take(d, &b)) {
            return ran_out(d);
        }
        if (b == 0x38 || b == 0x3a) {
            d->map = b == 0x38 ? 2 : 3;
            if (!take(d, &b)) {
                return ran_out(d);
            }
        }
    }
    d->opcode = b;
    return DECODE_OK;
}

/* Second byte of the three-byte VEX, or of EVEX: inverted R, X, B. */
static void set_rxb(Decoding *d, uint8_t byte)
{
    d->rex = ~byte >> 5 & 7; /* R, X, B in REX's order */
    if (!d->code64) {
        d->rex = 0;
    }
}

static void set_wvp(Decoding *d, uint8_t byte)
{
    d->rex |= byte & 0x80 ? REX_W : 0;
    d->vvvv = ~byte >> 3 & 15;
    d->pp = byte & 3;
}

static DecodeResult take_evex(Decoding *d)
{
    uint8_t p0, p1, p2;
    if (!take(d, &p0) || !take(d, &p1) || !take(d, &p2)) {
        return ran_out(d);
    }
    if ((p0 & 8) || !(p1 & 4) || (!d->code64 && !(p2 & 8))) {
        return DECODE_UD;
    }
    d->space = SPACE_EVEX;
    set_rxb(d, p0);
    set_wvp(d, p1);
    d->map = p0 & 7;
    d->r2 = d->code64 && !(p0 & 0x10) ? 16 : 0;
    d->v2 = !(p2 & 8) ? 16 : 0;
    d->l = p2 >> 5 & 3;
    d->aaa = p2 & 7;
    d->evex_flags = INSN_EVEX | (p2 & 0x80 ? INSN_ZEROING : 0) | (p2 & 0x10 ? INSN_BROADCAST : 0);
    return DECODE_OK;
}

/* C5, C4 or 62 was taken and is no LDS, LES or BOUND. */
static DecodeResult take_vex(Decoding *d, uint8_t first)
{
    uint8_t b = 0xe1; /* C5: R follows, X and B are 0, map 1 */
    if (d->prefix & (PREFIX_LOCK | PREFIX_OPSIZE | PREFIX_REP | PREFIX_REPNE | PREFIX_REX)) {
        return DECODE_UD;
    }
    if (first == 0x62) {
        DecodeResult result = take_evex(d);
        if (result != DECODE_OK) {
            return result;
        }
    } else {
        uint8_t wvp;
        if ((first == 0xc4 && !take(d, &b)) || !take(d, &wvp)) {
            return ran_out(d);
        }
        if (first == 0xc5) {
            b = (b & 0x7f) | (wvp & 0x80);
            wvp &= 0x7f;
        }
        d->space = SPACE_VEX;
        set_rxb(d, b);
        set_wvp(d, wvp);
        d->map = b & 31;
        d->l = wvp >> 2 & 1;
        d->evex_flags = INSN_VEX;
    }
    return take(d, &d->opcode) ? DECODE_OK : ran_out(d);
}

static DecodeResult take_opcode(Decoding *d)
{
    uint8_t b;
    if (!take_prefixes(d, &b)) {
        return ran_out(d);
    }
    if (unlikely(b == 0xc4 || b == 0xc5 || b == 0x62)) {
        if (d->code64) {
            return take_vex(d, b);
        }
        if (d->at >= d->limit) {
            return ran_out(d);
        }
        if (d->bytes[d->at] >= 0xc0) { /* not a memory operand: not LES, LDS, BOUND */
            return take_vex(d, b);
        }
    }
    return take_legacy(d, b);
}

/* Operand and address size by CodeSize and 66 (1), 67 (2), REX.W (4). */
static const uint8_t size_table[3][8][2] = {
    {{2, 2}, {4, 2}, {2, 4}, {4, 4}},
    {{4, 4}, {2, 4}, {4, 2}, {2, 2}},
    {{4, 8}, {2, 8}, {4, 4}, {2, 4}, {8, 8}, {8, 8}, {8, 4}, {8, 4}},
};

static inline void set_sizes(Decoding *d, CodeSize code)
{
    unsigned n = d->prefix >> 3 & 3; /* PREFIX_OPSIZE, PREFIX_ADDRSIZE */
    n |= code == CODE_64 ? (d->rex & REX_W) >> 1 : 0;
    d->opsize = size_table[code][n][0];
    d->addrsize = size_table[code][n][1];
}

static uint32_t key_of(const Decoding *d)
{
    bool w = d->rex & REX_W;
    unsigned l = d->l;
    uint32_t key = (uint32_t)d->pp << KEY_PFX | (uint32_t)(d->modrm >> 3 & 7) << KEY_REG |
                   (uint32_t)(d->modrm & 7) << KEY_RM | (uint32_t)(d->modrm >= 0xc0) << KEY_MOD3 |
                   (uint32_t)w << KEY_W | (uint32_t)d->code64 << KEY_64 |
                   (uint32_t)(d->opsize >> 2) << KEY_OSZ | (uint32_t)(d->rex & 1) << KEY_REXB |
                   (uint32_t)(w && d->code64) << KEY_W64 |
                   (uint32_t) !!(d->prefix & PREFIX_OPSIZE) << KEY_66 |
                   (uint32_t) !!(d->rex & REX_R) << KEY_REXR;
    if (unlikely(d->space != SPACE_LEGACY)) {
        bool b = d->evex_flags & INSN_BROADCAST;
        if (b && d->modrm >= 0xc0) { /* L'L is the rounding mode */
            l = 2;
        }
        key |= (uint32_t)l << KEY_L | (uint32_t) !!l << KEY_LONG | (uint32_t)b << KEY_B |
               (uint32_t)!d->vvvv << KEY_NOVVVV | (uint32_t)!d->v2 << KEY_NOV2 |
               (uint32_t)!d->aaa << KEY_K0 | (uint32_t) !!(d->evex_flags & INSN_ZEROING) << KEY_Z;
    }
    return key;
}

/* The row; DECODE_UD where there is none. Takes ModRM if the opcode has it. */
static DecodeResult find_row(Decoding *d, Insn *i, unsigned *row)
{
    int map = map_index(d->space, d->map);
    if (unlikely(map < 0)) {
        return DECODE_UD;
    }
    const Slot *slot = &decode_slots[map][d->opcode];
    unsigned first = slot->first;
    if (unlikely(!(slot->flags & SLOT_USED))) {
        return DECODE_UD;
    }
    if (slot->flags & SLOT_MODRM) {
        if (!take(d, &d->modrm)) {
            return ran_out(d);
        }
        i->flags |= INSN_MODRM;
        if (slot->flags & SLOT_SPLIT) {
            first = decode_split[first + (d->modrm >> 3 & 7)];
            if (first == SPLIT_NONE) {
                return DECODE_UD;
            }
        }
    }
    if (slot->flags & SLOT_PLAIN) {
        *row = first;
        return DECODE_OK;
    }
    uint32_t key = key_of(d);
    for (const Candidate *c = &decode_candidates[first];; c++) {
        if ((key & c->mask) == c->value) {
            *row = c->row;
            return DECODE_OK;
        }
        if (c->last) {
            return DECODE_UD;
        }
    }
}

static void set_opsize(Decoding *d, uint32_t attr)
{
    if (!(attr & (ROW_BYTE | ROW_F64 | ROW_D64 | ROW_W64))) {
        return;
    }
    if (attr & ROW_BYTE) {
        d->opsize = 1;
    } else if (d->code64 && (attr & ROW_F64)) {
        d->opsize = 8;
    } else if (d->code64 && (attr & ROW_D64)) {
        d->opsize = d->opsize == 4 ? 8 : d->opsize;
    } else if (attr & ROW_W64) {
        d->opsize = d->code64 && (d->rex & REX_W) ? 8 : 4;
    }
}

static unsigned size_of(const Decoding *d, unsigned vl, unsigned rule)
{
    unsigned op = d->opsize, w = d->rex & REX_W, b = d->evex_flags & INSN_BROADCAST;
    switch (rule) {
    case SIZE_V:
        return op;
    case SIZE_Z:
        return op < 4 ? op : 4;
    case SIZE_Y:
        return w && d->code64 ? 8 : 4;
    case SIZE_N:
        return d->code64 ? 8 : 4;
    case SIZE_A:
        return d->addrsize;
    case SIZE_FAR:
        return op + 2;
    case SIZE_2V:
        return op * 2;
    case SIZE_DESC:
        return d->code64 ? 10 : 6;
    case SIZE_ENV:
        return op == 2 ? 14 : 28;
    case SIZE_ENVS:
        return op == 2 ? 94 : 108;
    case SIZE_VL:
        return vl;
    case SIZE_VL2:
        return vl / 2;
    case SIZE_VL4:
        return vl / 4;
    case SIZE_VL8:
        return vl / 8;
    case SIZE_VLM:
        return vl == 16 ? 8 : vl;
    case SIZE_B4:
        return b ? 4 : vl;
    case SIZE_B8:
        return b ? 8 : vl;
    case SIZE_B4H:
        return b ? 4 : vl / 2;
    case SIZE_BW:
        return b ? w ? 8 : 4 : vl;
    default:
        return rule;
    }
}

/* Where register numbers come from: a byte for each SRC_. */
static inline uint64_t registers_of(const Decoding *d)
{
    uint64_t reg = d->modrm >> 3 & 7, rm = d->modrm & 7;
    uint64_t r = reg | (d->rex & REX_R) << 1, b = (d->rex & REX_B) << 3;
    uint64_t both = r | (rm | b) << 8;
    uint64_t word = both | both << 16 | reg << 32 | rm << 40;
    if (likely(d->space == SPACE_LEGACY)) {
        return word | ((d->opcode & 7) | b) << 48;
    }
    word |= (uint64_t)d->r2 << 16 | (uint64_t)(d->code64 ? d->vvvv | d->v2 : d->vvvv & 7) << 48;
    return d->space == SPACE_EVEX ? word | (uint64_t)(d->rex & REX_X) << 27 : word;
}

static inline void set_operand(const Decoding *d, Insn *i, unsigned n, const Spec *spec,
                               uint64_t registers)
{
    const SpecSide *side = &spec->side[d->modrm >= 0xc0];
    unsigned kind = side->kind, size = side->size;
    unsigned reg = kind == OPERAND_MEM ? 0 : spec->fixed + (uint8_t)(registers >> spec->shift);
    size = size == SIZE_V ? d->opsize : size;
    if (unlikely(size > SIZE_V)) {
        size = size_of(d, i->vl, size);
    }
    if (unlikely(size == 1) && kind == OPERAND_GPR && spec->src >= SRC_REG && (reg & 12) == 4 &&
        !(d->prefix & PREFIX_REX)) {
        kind = OPERAND_HIGH;
        reg -= 4;
    }
    i->operand[n] = (Operand){(uint8_t)kind, (uint8_t)reg, (uint8_t)size};
}

/* Fills in the operands; returns what kind of immediate there is. */
static inline unsigned set_operands(const Decoding *d, const InsnRow *row, Insn *i)
{
    const Spec *a = &specs[row->spec[0]], *b = &specs[row->spec[1]];
    unsigned imm = a->imm | b->imm;
    uint64_t from = registers_of(d);
    set_operand(d, i, 0, a, from);
    set_operand(d, i, 1, b, from);
    for (unsigned n = 2; unlikely(n < 4 && row->spec[n]); n++) {
        const Spec *spec = &specs[row->spec[n]];
        imm |= spec->imm;
        set_operand(d, i, n, spec, from);
    }
    return imm;
}

/* What a displacement byte counts: the tuple's element, or the memory operand's size. */
static unsigned disp8_of(const Decoding *d, const InsnRow *row, const Insn *i)
{
    if (likely(d->space != SPACE_EVEX) || row->tuple) {
        return d->space != SPACE_EVEX ? 1 : row->tuple;
    }
    for (unsigned n = 0; n < 4; n++) {
        if (i->operand[n].kind == OPERAND_MEM) {
            return i->operand[n].size;
        }
    }
    return 1;
}

static bool take_sib(Decoding *d, Insn *i, const InsnRow *row, bool *disp32)
{
    uint8_t sib;
    if (!take(d, &sib)) {
        return false;
    }
    unsigned index = (sib >> 3 & 7) | (d->rex & REX_X) << 2;
    if (row->attr & ROW_VSIB) {
        index |= d->code64 ? d->v2 : 0;
    } else if (index == R_SP) {
        index = REG_NONE;
    }
    i->index = (uint8_t)index;
    i->scale = sib >> 6;
    if ((sib & 7) == R_BP && d->modrm < 0x40) {
        i->base = REG_NONE;
        *disp32 = true;
    } else {
        i->base = (uint8_t)((sib & 7) | (d->rex & REX_B) << 3);
    }
    return true;
}

static bool take_disp(Decoding *d, Insn *i, unsigned size, unsigned disp8)
{
    int64_t disp = 0;
    if (size && !take_signed(d, size, &disp)) {
        return false;
    }
    i->disp = (int32_t)(size == 1 ? disp * (int)disp8 : disp);
    return true;
}

/* ModRM's memory operand. disp8: what a byte of displacement counts. */
static DecodeResult take_address(Decoding *d, Insn *i, const InsnRow *row, unsigned disp8)
{
    unsigned mod = d->modrm >> 6, rm = d->modrm & 7, size = mod == 1 ? 1 : 0;
    bool disp32 = false;
    i->index = REG_NONE;
    if (unlikely(d->addrsize == 2)) {
        if (row->attr & ROW_VSIB) {
            return DECODE_UD;
        }
        i->base = base16[rm];
        i->index = index16[rm];
        if (mod == 0 && rm == 6) {
            i->base = REG_NONE;
        }
        size = mod == 2 || i->base == REG_NONE ? 2 : size;
    } else {
        if (rm == R_SP) {
            if (!take_sib(d, i, row, &disp32)) {
                return ran_out(d);
            }
        } else if (row->attr & ROW_VSIB) {
            return DECODE_UD;
        } else if (rm == R_BP && mod == 0) {
            i->base = d->code64 ? REG_IP : REG_NONE;
            disp32 = true;
        } else {
            i->base = (uint8_t)(rm | (d->rex & REX_B) << 3);
        }
        size = mod == 2 || disp32 ? 4 : size;
    }
    if (!take_disp(d, i, size, disp8)) {
        return ran_out(d);
    }
    i->seg = i->base == R_BP || i->base == R_SP ? SEG_SS : SEG_DS;
    return DECODE_OK;
}

/* Operands with no ModRM at a fixed place: XLAT, MASKMOV. */
static void address_at(Insn *i, uint8_t base)
{
    i->base = base;
    i->index = REG_NONE;
    i->seg = SEG_DS;
}

/* Two parts: offset and selector, or ENTER's and EXTRQ's. */
static bool take_pair(Decoding *d, Insn *i, unsigned size, unsigned size2)
{
    int64_t first, second;
    if (!take_signed(d, size, &first) || !take_signed(d, size2, &second)) {
        return false;
    }
    uint64_t low = (uint64_t)first & (size == 4 ? 0xffffffff : (1ull << size * 8) - 1);
    uint64_t high = (uint64_t)second & (size2 == 1 ? 0xff : 0xffff);
    i->imm = low | high << 32;
    return true;
}

static bool take_is4(Decoding *d, Insn *i)
{
    uint8_t byte;
    if (!take(d, &byte)) {
        return false;
    }
    i->operand[3].reg = byte >> 4 & (d->code64 ? 15 : 7);
    i->imm = byte & 15;
    return true;
}

static bool take_immediate(Decoding *d, Insn *i, unsigned imm)
{
    int64_t value = 0;
    unsigned z = d->opsize == 2 ? 2 : 4;
    bool ok = true;
    switch (imm) {
    case IMM_SB:
    case IMM_REL8:
        ok = take_signed(d, 1, &value);
        break;
    case IMM_UB:
        ok = take_signed(d, 1, &value);
        value &= 0xff;
        break;
    case IMM_W:
        ok = take_signed(d, 2, &value);
        value &= 0xffff;
        break;
    case IMM_Z:
    case IMM_RELZ:
        ok = take_signed(d, z, &value);
        break;
    case IMM_V:
        ok = take_signed(d, d->opsize, &value);
        break;
    case IMM_MOFFS:
        ok = take_signed(d, d->addrsize, &value);
        i->seg = SEG_DS;
        if (d->addrsize < 8) {
            value &= d->addrsize == 2 ? 0xffff : 0xffffffff;
        }
        break;
    case IMM_ONE:
        value = 1;
        break;
    case IMM_FAR:
        return take_pair(d, i, z, 2);
    case IMM_ENTER:
        return take_pair(d, i, 2, 1);
    case IMM_TWO:
        return take_pair(d, i, 1, 1);
    case IMM_IS4:
        return take_is4(d, i);
    case IMM_AT_BX:
        address_at(i, R_BX);
        break;
    case IMM_AT_DI:
        address_at(i, R_DI);
        break;
    default:
        break;
    }
    i->imm = (uint64_t)value;
    return ok;
}

/* There are eight mask registers: no number has a fourth bit. ModRM.rm's is ignored. */
static bool masks_valid(const Decoding *d, const InsnRow *row)
{
    for (unsigned n = 0; n < 2; n++) {
        unsigned spec = row->spec[n];
        if ((spec == S_Kreg && ((d->rex & REX_R) || d->r2)) ||
            (spec == S_Kvex && d->code64 && (d->vvvv & 8))) {
            return false;
        }
    }
    return true;
}

/* What a mask of the key cannot say. */
static bool vector_valid(const Decoding *d, const InsnRow *row, const Insn *i)
{
    bool mod3 = d->modrm >= 0xc0;
    if (row->fpu == ROW_FPU_AVX512 && !masks_valid(d, row)) {
        return false;
    }
    if ((d->evex_flags & INSN_BROADCAST) && !(row->attr & (mod3 ? ROW_RC | ROW_SAE : ROW_BCAST))) {
        return false;
    }
    if (d->l == 3 && !(mod3 && (d->evex_flags & INSN_BROADCAST))) {
        return false;
    }
    if (d->r2 && i->operand[0].kind == OPERAND_GPR && specs[row->spec[0]].src == SRC_REG) {
        return false;
    }
    if ((d->evex_flags & INSN_ZEROING) && (!d->aaa || i->operand[0].kind == OPERAND_MEM)) {
        return false;
    }
    return true;
}

/* A gather's destination, index and VEX mask must differ, or its destination and index (EVEX). */
static bool gather_valid(const Decoding *d, const InsnRow *row, const Insn *i)
{
    unsigned to = i->operand[0].reg, mask = i->operand[2].reg;
    if (!(row->attr & ROW_VSIB) || i->operand[0].kind == OPERAND_MEM) {
        return true;
    }
    return to != i->index && (d->space == SPACE_EVEX || (to != mask && i->index != mask));
}

static void set_vector(const Decoding *d, Insn *i)
{
    bool rounding = (d->evex_flags & INSN_BROADCAST) && d->modrm >= 0xc0;
    i->flags |= d->evex_flags;
    i->vl = rounding || d->l > 2 ? 64 : (uint8_t)(16 << d->l);
    i->vvvv = d->code64 ? d->vvvv | d->v2 : d->vvvv & 7;
    i->mask = d->aaa;
    if (d->space == SPACE_EVEX) {
        i->cc = d->l;
    }
}

/* The pp field of VEX and EVEX, as the prefix it stands for. */
static const uint8_t compressed[4] = {0, PREFIX_OPSIZE, PREFIX_REP, PREFIX_REPNE};

static void set_common(const Decoding *d, const InsnRow *row, Insn *i)
{
    i->row = (uint16_t)(row - decode_table);
    i->op = row->op;
    i->opsize = d->opsize;
    i->addrsize = d->addrsize;
    i->prefix = d->prefix | (d->space == SPACE_LEGACY ? 0 : compressed[d->pp]);
    i->seg = SEG_DS;
    i->base = i->index = REG_NONE;
    i->opcode = d->opcode;
    i->modrm = d->modrm;
    i->map = d->map;
    i->flags |= (d->rex & REX_W) << 1; /* INSN_W */
    i->cc = d->opcode & 15;
}

static DecodeResult finish(Decoding *d, const InsnRow *row, Insn *i)
{
    set_opsize(d, row->attr);
    set_common(d, row, i);
    i->vl = 16;
    if (unlikely(d->space != SPACE_LEGACY)) {
        set_vector(d, i);
    }
    if (row->attr & ROW_REGS) {
        d->modrm |= 0xc0;
    }
    unsigned imm = set_operands(d, row, i);
    if (unlikely(d->space != SPACE_LEGACY) && !vector_valid(d, row, i)) {
        return DECODE_UD;
    }
    if ((i->flags & INSN_MODRM) && d->modrm < 0xc0) {
        DecodeResult result = take_address(d, i, row, disp8_of(d, row, i));
        if (result != DECODE_OK) {
            return result;
        }
        if (!gather_valid(d, row, i)) {
            return DECODE_UD;
        }
    }
    if (imm && !take_immediate(d, i, imm)) {
        return ran_out(d);
    }
    if (d->seg != NO_SEG) {
        i->seg = d->seg;
    }
    if (unlikely(d->prefix & PREFIX_LOCK) &&
        (!(row->attr & ROW_LOCK) || i->operand[0].kind != OPERAND_MEM)) {
        return DECODE_UD;
    }
    return DECODE_OK;
}

DecodeResult decode(CodeSize code, const uint8_t *bytes, unsigned n, Insn *out)
{
    Decoding d = {.bytes = bytes, .limit = n < INSN_MAX ? n : INSN_MAX, .code64 = code == CODE_64};
    unsigned row = 0;
    d.seg = NO_SEG;
    *out = (Insn){0};
    DecodeResult result = take_opcode(&d);
    if (likely(result == DECODE_OK)) {
        set_sizes(&d, code);
        result = find_row(&d, out, &row);
        if (likely(result == DECODE_OK)) {
            result = finish(&d, &decode_table[row], out);
        }
    }
    out->len = (uint8_t)d.at;
    return result;
}
