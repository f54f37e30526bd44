/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest instruction written anew for 64-bit mode with its memory operand at [RDI] and its general
 * operand in RAX (SDM volume 2, "Instruction format", "VEX prefix", "EVEX prefix"). 16- and 32-bit
 * code means the same with the same opcode, prefixes and registers.
 * Not modelled: XOP; addresses with a vector index (gather.c).
 */
#include "target/i386/decode/spec.h"
#include "target/i386/rt/stub.h"

enum { REX = 0x40, REX_W = 8, REX_R = 4, REX_X = 2, REX_B = 1, RDI_MEMORY = 7, SAHF = 0x9e };
enum { EVEX_R2 = 16 }; /* R', beside those of REX */

/* Where the number of each kind of operand is encoded. */
#define SOURCE(NAME, KIND_R, SIZE_R, KIND_M, SIZE_M, SRC, IMM) [S_##NAME] = SRC_##SRC,
static const uint8_t source[SPEC_COUNT] = {SPEC_LIST(SOURCE)};

static bool in_reg(uint8_t spec)
{
    return source[spec] == SRC_REG || source[spec] == SRC_REGV || source[spec] == SRC_REG3;
}

static bool in_rm(uint8_t spec)
{
    return source[spec] == SRC_RM || source[spec] == SRC_RMV || source[spec] == SRC_RM3;
}

typedef struct Fields {
    uint8_t modrm, rex; /* REX_W, REX_R, REX_X, REX_B, EVEX_R2 */
} Fields;

static void put(StubCode *out, uint8_t byte)
{
    out->bytes[out->len++] = byte;
}

/* General registers become RAX, whatever they were. */
static void place_register(const Operand *o, bool rm, Fields *f)
{
    unsigned reg = o->kind == OPERAND_GPR ? 0 : o->reg & 31;

    if (rm) {
        f->modrm = (f->modrm & ~7) | (reg & 7);
        f->rex |= (reg & 8 ? REX_B : 0) | (reg & 16 ? REX_X : 0);
    } else {
        f->modrm = (f->modrm & ~0x38) | (reg & 7) << 3;
        f->rex |= (reg & 8 ? REX_R : 0) | (reg & 16 ? EVEX_R2 : 0);
    }
}

static Fields fields(const Insn *i)
{
    const InsnRow *row = insn_row(i);
    bool registers = i->modrm >= 0xc0 || row->attr & ROW_REGS;
    Fields f = {.modrm = i->modrm};

    if (row->fpu == ROW_FPU_X87) {
        f.modrm = registers ? i->modrm : (i->modrm & 0x38) | RDI_MEMORY;
        return f;
    }
    if (!registers) {
        f.modrm = (i->modrm & 0x38) | RDI_MEMORY;
    }
    for (unsigned n = 0; n < 4; n++) {
        if (in_reg(row->spec[n]) || (registers && in_rm(row->spec[n]))) {
            place_register(&i->operand[n], in_rm(row->spec[n]), &f);
        }
    }
    return f;
}

static void put_legacy(const Insn *i, const Fields *f, StubCode *out)
{
    uint8_t rex = f->rex | (i->prefix & PREFIX_REX_W ? REX_W : 0);

    if (insn_row(i)->read & FLAGS_ARITH) {
        put(out, SAHF);
    }
    if (i->prefix & PREFIX_OPSIZE && insn_row(i)->fpu != ROW_FPU_X87) {
        put(out, 0x66);
    }
    if (i->prefix & (PREFIX_REP | PREFIX_REPNE) && i->map) {
        put(out, i->prefix & PREFIX_REP ? 0xf3 : 0xf2);
    }
    if (rex) {
        put(out, REX | rex);
    }
    if (i->map) {
        put(out, 0x0f);
    }
    if (i->map >= 2) {
        put(out, i->map == 2 ? 0x38 : 0x3a);
    }
    put(out, i->opcode);
}

/* Outside 64-bit mode W does not choose the size of general registers; where it means something
 * else the row says which. */
static bool vex_w(const Insn *i, bool code64)
{
    return i->flags & INSN_W && (code64 || insn_row(i)->mask & 1u << KEY_W);
}

/* Every row of VEX and EVEX has just one. */
static uint8_t mandatory(const Insn *i)
{
    const InsnRow *row = insn_row(i);

    return (row->value & row->mask) >> KEY_PFX & 3;
}

static void put_vex(const Insn *i, const Fields *f, bool code64, StubCode *out)
{
    put(out, 0xc4);
    put(out, (f->rex & REX_R ? 0 : 0x80) | 0x40 | (f->rex & REX_B ? 0 : 0x20) | i->map);
    put(out, (vex_w(i, code64) ? 0x80 : 0) | (~i->vvvv & 15) << 3 | (i->vl == 32 ? 4 : 0) |
                 mandatory(i));
    put(out, i->opcode);
}

static void put_evex(const Insn *i, const Fields *f, bool code64, StubCode *out)
{
    put(out, 0x62);
    put(out, (f->rex & REX_R ? 0 : 0x80) | (f->rex & REX_X ? 0 : 0x40) |
                 (f->rex & REX_B ? 0 : 0x20) | (f->rex & EVEX_R2 ? 0 : 0x10) | i->map);
    put(out, (vex_w(i, code64) ? 0x80 : 0) | (~i->vvvv & 15) << 3 | 4 | mandatory(i));
    put(out, (i->flags & INSN_ZEROING ? 0x80 : 0) | i->cc << 5 |
                 (i->flags & INSN_BROADCAST ? 0x10 : 0) | (i->vvvv & 16 ? 0 : 8) | i->mask);
    put(out, i->opcode);
}

/* An immediate byte, or two (EXTRQ, INSERTQ), or the register in the upper half of one. */
static void put_immediates(const Insn *i, StubCode *out)
{
    for (unsigned n = 0; n < 4; n++) {
        const Operand *o = &i->operand[n];

        if (o->kind == OPERAND_IMM) {
            put(out, i->imm);
        } else if (o->kind == OPERAND_IMM2) {
            put(out, i->imm >> 32);
        } else if (source[insn_row(i)->spec[n]] == SRC_IS4) {
            put(out, o->reg << 4);
        }
    }
}

void stub_encode(const Insn *i, bool code64, StubCode *out)
{
    Fields f = fields(i);

    out->len = 0;
    if (i->flags & INSN_VEX) {
        put_vex(i, &f, code64, out);
    } else if (i->flags & INSN_EVEX) {
        put_evex(i, &f, code64, out);
    } else {
        put_legacy(i, &f, out);
    }
    if (i->flags & INSN_MODRM) {
        put(out, f.modrm);
    }
    put_immediates(i, out);
}
