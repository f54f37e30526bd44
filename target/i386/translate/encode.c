/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions of the class EMIT_COPY written anew for 64-bit mode (SDM volume 2, "Instruction
 * format", "REX prefixes", "VEX prefix", "EVEX prefix", appendix A). The table's row says which
 * prefix is mandatory and where each operand's number stands; operand size comes from the decoded
 * instruction, so 16- and 32-bit code means the same afterwards.
 * Not modelled: XOP; addresses with a vector index; compressed displacements (EVEX always gets four
 * bytes or none); what encode.h lists as not encodable.
 */
#include "target/i386/translate/encode.h"

#include "target/i386/decode/spec.h"
#include "target/i386/state.h"

enum { REX = 0x40, REX_W = 8, REX_R = 4, REX_X = 2, REX_B = 1, EVEX_R2 = 16 /* R' */ };
enum { RM_SIB = 4, SIB_NO_INDEX = 4 << 3, SIB_NO_BASE = 5, MOD_REGISTER = 0xc0, HIGHEST = 15 };

/* What a kind of operand says: where its number stands, its immediate, which sizes it
 * depends on. */
typedef struct Place {
    uint8_t src, imm;
    bool sized, w; /* by 66 and W; by W alone */
} Place;

#define OPERAND_SIZED(SIZE) ((SIZE) == SIZE_V || (SIZE) == SIZE_Z)
#define PLACE(NAME, KIND_R, SIZE_R, KIND_M, SIZE_M, SRC, IMM)                           \
    [S_##NAME] = {SRC_##SRC, IMM_##IMM, OPERAND_SIZED(SIZE_R) || OPERAND_SIZED(SIZE_M), \
                  (SIZE_R) == SIZE_Y || (SIZE_M) == SIZE_Y},
static const Place places[SPEC_COUNT] = {SPEC_LIST(PLACE)};

/* One instruction being put together. */
typedef struct Encoding {
    const Insn *insn;
    const InsnRow *row;
    const HostMap *map;
    uint8_t *out;
    unsigned len;
    uint8_t opcode, modrm, vvvv, rex; /* rex: REX_W to REX_B, EVEX_R2 */
    bool has_modrm, memory;
    uint8_t base, index;
    bool sized;              /* opsize decides about 66 and W */
    bool rex_needed, no_rex; /* SPL to DIL; AH to BH          */
    bool bad;
} Encoding;

static void put(Encoding *e, uint8_t byte)
{
    e->out[e->len++] = byte;
}

static void put_number(Encoding *e, uint64_t value, unsigned bytes)
{
    for (unsigned n = 0; n < bytes; n++) {
        put(e, value >> n * 8);
    }
}

/* ---- operands ---- */

static unsigned host_number(Encoding *e, const Operand *o)
{
    unsigned reg = o->reg;

    if (o->kind == OPERAND_GPR) {
        reg = e->map->gpr[reg & HIGHEST];
        e->bad |= reg > HIGHEST;
        e->rex_needed |= o->size == 1 && reg >= 4;
    } else if (o->kind == OPERAND_HIGH) {
        reg = e->map->gpr[reg & 3];
        e->bad |= reg > 3;
        e->no_rex = true;
        reg += 4;
    }
    return reg;
}

static void place_reg(Encoding *e, unsigned reg)
{
    e->modrm |= (reg & 7) << 3;
    e->rex |= (reg & 8 ? REX_R : 0) | (reg & 16 ? EVEX_R2 : 0);
}

static void place_rm(Encoding *e, unsigned reg)
{
    e->modrm |= reg & 7;
    e->rex |= (reg & 8 ? REX_B : 0) | (reg & 16 ? REX_X : 0);
}

/* The number stands in the opcode's low bits, or (INC and DEC of one byte) stood there. */
static void place_opcode(Encoding *e, unsigned reg)
{
    if (e->has_modrm) {
        place_rm(e, reg);
        return;
    }
    e->opcode = (e->opcode & ~7) | (reg & 7);
    e->rex |= reg & 8 ? REX_B : 0;
    e->bad |= e->opcode == 0x90 && !(reg & 8); /* would be NOP */
}

static void place_operand(Encoding *e, unsigned n)
{
    const Operand *o = &e->insn->operand[n];
    const Place *p = &places[e->row->spec[n]];

    switch (p->src) {
    case SRC_REG:
    case SRC_REGV:
    case SRC_REG3:
        e->modrm &= ~0x38;
        place_reg(e, host_number(e, o));
        break;
    case SRC_RM:
    case SRC_RMV:
    case SRC_RM3:
        if (!e->memory) {
            e->modrm &= ~7;
            place_rm(e, host_number(e, o));
        }
        break;
    case SRC_VVVV: /* and SRC_OPC */
        if (e->row->space == SPACE_LEGACY) {
            place_opcode(e, host_number(e, o));
        } else {
            e->vvvv = host_number(e, o);
        }
        break;
    default:
        if (p->src < SRC_REG && o->kind == OPERAND_GPR && e->row->spec[n] != S_CL) {
            e->bad |= e->map->gpr[p->src] != p->src;
        }
        break;
    }
}

/* Base and index as SIB can say them: RSP is no index. */
static void place_address(Encoding *e)
{
    uint8_t base = e->map->base, index = e->map->index;

    if (base == HOST_NONE || index == R_SP) {
        base = e->map->index;
        index = e->map->base;
    }
    e->base = base;
    e->index = index;
    e->bad |= index == R_SP || (base != HOST_NONE && base > HIGHEST) ||
              (index != HOST_NONE && index > HIGHEST);
    e->rex |=
        (base != HOST_NONE && base & 8 ? REX_B : 0) | (index != HOST_NONE && index & 8 ? REX_X : 0);
}

/* ---- what cannot be copied ---- */

enum { AX = 1 << R_AX, CX = 1 << R_CX, DX = 1 << R_DX, BX = 1 << R_BX };

unsigned encode_implied(const Insn *i)
{
    const InsnRow *row = insn_row(i);

    switch (i->op) {
    case OP_CBW:
    case OP_CWDE:
    case OP_CDQE:
    case OP_LAHF:
    case OP_SAHF:
    case OP_CMPXCHG:
        return AX;
    case OP_CWD:
    case OP_CDQ:
    case OP_CQO:
    case OP_PCMPESTRM:
    case OP_VPCMPESTRM:
        return AX | DX;
    case OP_IMUL:
        if (row->spec[1]) {
            return 0;
        } /* fall through */
    case OP_MUL:
    case OP_DIV:
    case OP_IDIV:
        return row->attr & ROW_BYTE ? AX : AX | DX;
    case OP_MULX:
        return DX;
    case OP_PCMPESTRI:
    case OP_VPCMPESTRI:
        return AX | DX | CX;
    case OP_PCMPISTRI:
    case OP_VPCMPISTRI:
        return CX;
    case OP_CMPXCHG8B:
    case OP_CMPXCHG16B:
        return AX | CX | DX | BX;
    default:
        return 0;
    }
}

static bool implied_kept(const Encoding *e)
{
    unsigned need = encode_implied(e->insn);

    for (unsigned n = 0; n < 4; n++) {
        if (need & 1u << n && e->map->gpr[n] != n) {
            return false;
        }
    }
    return true;
}

static bool never_copied(const Encoding *e)
{
    switch (e->insn->op) {
    case OP_FNSTENV:
    case OP_FLDENV:
    case OP_FNSAVE:
    case OP_FRSTOR:
        return true;
    case OP_BT:
    case OP_BTS:
    case OP_BTR:
    case OP_BTC:
        return e->memory && e->insn->operand[1].kind == OPERAND_GPR;
    default:
        return e->row->attr & ROW_VSIB;
    }
}

/* ---- prefixes and opcode ---- */

/* As VEX.pp; 0 also where any may stand. */
static unsigned mandatory(const InsnRow *row)
{
    return (row->mask >> KEY_PFX & 3) == 3 ? row->value >> KEY_PFX & 3 : 0;
}

static void put_legacy(Encoding *e)
{
    unsigned prefix = mandatory(e->row);

    if (e->insn->prefix & PREFIX_LOCK) {
        put(e, 0xf0);
    }
    if (prefix == 1 || (e->sized && e->insn->opsize == 2)) {
        put(e, 0x66);
    }
    if (prefix >= 2) {
        put(e, prefix == 2 ? 0xf3 : 0xf2);
    }
    if (e->rex || e->rex_needed) {
        put(e, REX | e->rex);
    }
    if (e->insn->map) {
        put(e, 0x0f);
    }
    if (e->insn->map >= 2) {
        put(e, e->insn->map == 2 ? 0x38 : 0x3a);
    }
    put(e, e->opcode);
}

static void put_vex(Encoding *e)
{
    uint8_t last = (~e->vvvv & 15) << 3 | (e->insn->vl == 32 ? 4 : 0) | mandatory(e->row);

    if (e->insn->map == 1 && !(e->rex & ~REX_R)) {
        put(e, 0xc5);
        put(e, (e->rex & REX_R ? 0 : 0x80) | last);
    } else {
        put(e, 0xc4);
        put(e, (~e->rex & 7) << 5 | e->insn->map);
        put(e, (e->rex & REX_W ? 0x80 : 0) | last);
    }
    put(e, e->opcode);
}

static void put_evex(Encoding *e)
{
    const Insn *i = e->insn;

    put(e, 0x62);
    put(e, (~e->rex & 7) << 5 | (e->rex & EVEX_R2 ? 0 : 0x10) | i->map);
    put(e, (e->rex & REX_W ? 0x80 : 0) | (~e->vvvv & 15) << 3 | 4 | mandatory(e->row));
    put(e, (i->flags & INSN_ZEROING ? 0x80 : 0) | (i->cc & 3) << 5 |
               (i->flags & INSN_BROADCAST ? 0x10 : 0) | (e->vvvv & 16 ? 0 : 8) | i->mask);
    put(e, e->opcode);
}

/* ---- what follows the opcode ---- */

static void put_memory(Encoding *e)
{
    int32_t disp = e->map->disp;
    bool sib = e->index != HOST_NONE || e->base == HOST_NONE || (e->base & 7) == RM_SIB;
    uint8_t base = e->base == HOST_NONE ? SIB_NO_BASE : e->base & 7;
    uint8_t index = e->index == HOST_NONE ? SIB_NO_INDEX : e->map->scale << 6 | (e->index & 7) << 3;
    bool short_disp = disp == (int8_t)disp && (!disp || !(e->insn->flags & INSN_EVEX));
    unsigned bytes = short_disp ? 1 : 4, mod = short_disp ? 0x40 : 0x80;

    if (e->base == HOST_NONE) {
        bytes = 4;
        mod = 0;
    } else if (!disp && base != SIB_NO_BASE) {
        bytes = 0;
        mod = 0;
    }
    put(e, mod | (e->modrm & 0x38) | (sib ? RM_SIB : base));
    if (sib) {
        put(e, index | base);
    }
    put_number(e, (uint32_t)disp, bytes);
}

static void put_immediate(Encoding *e, unsigned n)
{
    const Insn *i = e->insn;

    switch (places[e->row->spec[n]].imm) {
    case IMM_SB:
    case IMM_UB:
        put(e, i->imm);
        break;
    case IMM_Z:
        put_number(e, i->imm, i->opsize == 2 ? 2 : 4);
        break;
    case IMM_V:
        put_number(e, i->imm, i->opsize);
        break;
    case IMM_TWO:
        put(e, i->imm);
        put(e, i->imm >> 32);
        break;
    case IMM_IS4:
        put(e, i->operand[n].reg << 4);
        break;
    default:
        break;
    }
}

/* ---- all of it ---- */

/* Opcodes that 64-bit mode lacks. */
static void renew_opcode(Encoding *e)
{
    const Insn *i = e->insn;

    if (e->row->space == SPACE_LEGACY && !i->map) {
        if ((i->opcode & 0xf0) == 0x40) {
            e->opcode = 0xff;
            e->modrm = i->op == OP_DEC ? 1 << 3 : 0;
            e->has_modrm = true;
        } else if (i->opcode == 0x82) {
            e->opcode = 0x80;
        }
    }
}

/* Outside 64-bit mode VEX.W and EVEX.W do not choose the size of general registers; where they
 * mean something else the row says which. */
static bool wide(const Encoding *e, bool code64)
{
    const Insn *i = e->insn;

    if (e->row->space != SPACE_LEGACY) {
        return i->flags & INSN_W && (code64 || e->row->mask & 1u << KEY_W);
    }
    if (e->sized) {
        return i->opsize == 8;
    }
    for (unsigned n = 0; n < 4; n++) {
        if (places[e->row->spec[n]].w) {
            return i->prefix & PREFIX_REX_W;
        }
    }
    /* PCMPESTRI and its like read RAX and RDX, which are no operands, in that size. */
    return (e->row->mask & 1u << KEY_W || e->row->fpu == ROW_FPU_SSE) && i->prefix & PREFIX_REX_W;
}

static void prepare(Encoding *e, bool code64)
{
    const Insn *i = e->insn;
    bool registers = i->modrm >= MOD_REGISTER || e->row->attr & ROW_REGS;

    e->opcode = i->opcode;
    e->has_modrm = i->flags & INSN_MODRM;
    e->memory = e->has_modrm && !registers;
    e->modrm = i->modrm & (e->memory ? 0x38 : 0x3f);
    e->vvvv = i->vvvv;
    e->sized = e->row->mask & 3u << KEY_OSZ;
    renew_opcode(e);
    for (unsigned n = 0; n < 4; n++) {
        e->sized |= places[e->row->spec[n]].sized;
        place_operand(e, n);
    }
    if (e->memory) {
        place_address(e);
    }
    e->rex |= wide(e, code64) ? REX_W : 0;
    e->bad |= e->no_rex && (e->rex || e->rex_needed);
}

static void put_all(Encoding *e)
{
    if (e->memory && e->map->gs) {
        put(e, 0x65);
    }
    if (e->insn->flags & INSN_EVEX) {
        put_evex(e);
    } else if (e->insn->flags & INSN_VEX) {
        put_vex(e);
    } else {
        put_legacy(e);
    }
    if (e->memory) {
        put_memory(e);
    } else if (e->has_modrm) {
        put(e, MOD_REGISTER | e->modrm);
    }
    for (unsigned n = 0; n < 4; n++) {
        put_immediate(e, n);
    }
}

unsigned encode_copy(const Insn *i, bool code64, const HostMap *map, uint8_t out[ENCODE_MAX])
{
    Encoding e = {.insn = i, .row = insn_row(i), .map = map, .out = out};

    if (i->op == OP_NOP || i->op == OP_ENDBR64 || i->op == OP_ENDBR32) {
        out[0] = 0x90;
        return 1;
    }
    prepare(&e, code64);
    if (e.bad || never_copied(&e) || !implied_kept(&e)) {
        return 0;
    }
    put_all(&e);
    return e.len;
}
