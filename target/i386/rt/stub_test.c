/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stubs of EVEX and mask instructions, which most hosts cannot run: each row of the table in many
 * forms is written anew by stub_encode(), and Zydis reads it: the same instruction with the same
 * vector and mask registers, masking, zeroing, broadcast and rounding, memory at [RDI], general
 * registers RAX. Also what the table says of masks against Zydis's exception classes and elements.
 */
#include "target/i386/decode/table.h"
#include "target/i386/rt/stub.h"
#include "tests/lib/test.h"

#include <Zydis/Zydis.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN = 10, ROWS = 8192 };

typedef struct Decoded {
    ZydisDecodedInstruction z;
    ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
} Decoded;

typedef struct Run {
    ZydisDecoder decoder[3];
    bool seen[ROWS];
    unsigned rows, forms, wrong;
} Run;

typedef void Look(Run *t, CodeSize code, const Insn *i, const Decoded *a);

static bool read_with(const ZydisDecoder *decoder, const uint8_t *bytes, unsigned n, Decoded *out)
{
    return ZYAN_SUCCESS(ZydisDecoderDecodeFull(decoder, bytes, n, &out->z, out->operand));
}

static void look(Run *t, CodeSize code, const uint8_t *bytes, Look *fn)
{
    Insn i;
    Decoded a;

    if (decode(code, bytes, 15, &i) != DECODE_OK || insn_row(&i)->fpu != ROW_FPU_AVX512 ||
        !read_with(&t->decoder[code], bytes, 15, &a)) {
        return;
    }
    t->rows += !t->seen[i.row];
    t->seen[i.row] = true;
    t->forms++;
    fn(t, code, &i, &a);
}

/* Every opcode with every prefix, W and length; registers, masks and flags by a counter's bits. */
static void all_forms(Run *t, CodeSize code, Look *fn)
{
    uint8_t outer = code == CODE_64 ? 0 : 0xf0;

    for (uint32_t n = 0; n < 3u * 2 * 4 * 4 * 256 * 8; n++) {
        uint8_t map = n % 3 + 1, w = n / 3 % 2, pp = n / 6 % 4, l = n / 24 % 4;
        uint8_t opcode = n / 96 % 256, reg = n / 96 / 256, mix = n * 2654435761u >> 21;
        uint8_t modrm[] = {0xc0 | reg << 3 | (mix & 7), reg << 3 | 4};

        for (unsigned k = 0; k < 16; k++) { /* masked, without vvvv, memory, z or b */
            uint8_t vvvv = k & 2 ? 15 : mix & 15, aaa = k & 1 ? mix % 7 + 1 : 0,
                    v2 = k & 2 ? 8 : mix & 8;
            uint8_t flags = k & 8 ? mix & 0x90 : 0, form = modrm[k >> 2 & 1];
            uint8_t evex[16] = {0x62,
                                outer | (mix & 0xf0) | map,
                                w << 7 | vvvv << 3 | 4 | pp,
                                flags | l << 5 | (outer ? 8 : v2) | aaa,
                                opcode,
                                form,
                                0x8f,
                                mix,
                                1};
            uint8_t vex[16] = {0xc4,
                               outer | 0xe0 | map,
                               w << 7 | (0x40 | vvvv << 3) | (l & 1) << 2 | pp,
                               opcode,
                               form,
                               0x8f,
                               3};

            look(t, code, evex, fn);
            look(t, code, vex, fn);
        }
    }
}

static unsigned rows_of_avx512(void)
{
    unsigned rows = 0;

    for (unsigned n = 0; n < decode_rows; n++) {
        rows += decode_table[n].fpu == ROW_FPU_AVX512;
    }
    return rows;
}

static void start(Run *t)
{
    memset(t, 0, sizeof *t);
    ZydisDecoderInit(&t->decoder[CODE_64], ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    ZydisDecoderInit(&t->decoder[CODE_32], ZYDIS_MACHINE_MODE_LONG_COMPAT_32, ZYDIS_STACK_WIDTH_32);
}

/* ---- encoding ---- */

static bool general(const ZydisDecodedOperand *o)
{
    ZydisRegisterClass class = ZydisRegisterGetClass(o->reg.value);

    return o->type == ZYDIS_OPERAND_TYPE_REGISTER &&
           (class == ZYDIS_REGCLASS_GPR32 || class == ZYDIS_REGCLASS_GPR64);
}

/* b is what the stub does where a is what the guest says. */
static bool same_operand(const ZydisDecodedOperand *a, const ZydisDecodedOperand *b)
{
    if (a->type != b->type || a->size != b->size || a->element_count != b->element_count) {
        return false;
    }
    switch (a->type) {
    case ZYDIS_OPERAND_TYPE_MEMORY:
        return b->mem.base == ZYDIS_REGISTER_RDI && b->mem.index == ZYDIS_REGISTER_NONE &&
               !b->mem.disp.value;
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        return a->imm.value.u == b->imm.value.u;
    default:
        return general(a) ? general(b) && ZydisRegisterGetId(b->reg.value) == 0
                          : a->reg.value == b->reg.value;
    }
}

static bool same(const Decoded *a, const Decoded *b)
{
    const ZydisDecodedInstruction *x = &a->z, *y = &b->z;

    if (x->mnemonic != y->mnemonic || x->operand_count_visible != y->operand_count_visible ||
        x->avx.mask.mode != y->avx.mask.mode || x->avx.mask.reg != y->avx.mask.reg ||
        x->avx.broadcast.mode != y->avx.broadcast.mode ||
        x->avx.rounding.mode != y->avx.rounding.mode || x->avx.has_sae != y->avx.has_sae ||
        x->avx.vector_length != y->avx.vector_length) {
        return false;
    }
    for (unsigned n = 0; n < x->operand_count_visible; n++) {
        if (!same_operand(&a->operand[n], &b->operand[n])) {
            return false;
        }
    }
    return true;
}

static void report(Run *t, const Insn *i, const Decoded *a, const StubCode *code)
{
    if (t->wrong++ < SHOWN) {
        fprintf(stderr, "# %s row %u:", op_names[i->op], i->row);
        for (unsigned n = 0; n < code->len; n++) {
            fprintf(stderr, " %02x", code->bytes[n]);
        }
        fprintf(stderr, "; %s\n", ZydisMnemonicGetString(a->z.mnemonic));
    }
}

static void look_encoding(Run *t, CodeSize code, const Insn *i, const Decoded *a)
{
    StubCode stub;
    Decoded b;

    if (insn_row(i)->attr & ROW_VSIB) { /* not by stubs */
        return;
    }
    stub_encode(i, code == CODE_64, &stub);
    if (!read_with(&t->decoder[CODE_64], stub.bytes, stub.len, &b) || b.z.length != stub.len ||
        !same(a, &b)) {
        report(t, i, a, &stub);
    }
}

TEST("stub: EVEX and mask instructions are the same for Zydis when they are written anew")
{
    static Run t;

    start(&t);
    all_forms(&t, CODE_64, look_encoding);
    all_forms(&t, CODE_32, look_encoding);
    printf("# %u forms of %u rows\n", t.forms, t.rows);
    check(t.rows, rows_of_avx512());
    check(t.wrong, 0);
}

/* ---- masks and memory ---- */

static bool never_suppressed(ZydisExceptionClass class)
{
    switch (class) {
    case ZYDIS_EXCEPTION_CLASS_E1NF:
    case ZYDIS_EXCEPTION_CLASS_E2NF:
    case ZYDIS_EXCEPTION_CLASS_E3NF:
    case ZYDIS_EXCEPTION_CLASS_E4NF:
    case ZYDIS_EXCEPTION_CLASS_E5NF:
    case ZYDIS_EXCEPTION_CLASS_E6NF:
    case ZYDIS_EXCEPTION_CLASS_E9NF:
    case ZYDIS_EXCEPTION_CLASS_E10NF:
    case ZYDIS_EXCEPTION_CLASS_E11NF:
        return true;
    default:
        return false;
    }
}

/* Elements of the result are not those of memory at the same place: whatever the class is called,
 * all of memory is needed. */
static bool crosses_lanes(unsigned op)
{
    return op == OP_VDBPSADBW || op == OP_VCVTNE2PS2BF16 || op == OP_VGF2P8AFFINEQB ||
           op == OP_VGF2P8AFFINEINVQB;
}

static const ZydisDecodedOperand *memory_of(const Decoded *a)
{
    for (unsigned n = 0; n < a->z.operand_count_visible; n++) {
        if (a->operand[n].type == ZYDIS_OPERAND_TYPE_MEMORY) {
            return &a->operand[n];
        }
    }
    return NULL;
}

static void look_mask(Run *t, CodeSize code, const Insn *i, const Decoded *a)
{
    const InsnRow *row = insn_row(i);
    const ZydisDecodedOperand *m = memory_of(a);
    unsigned lane = 1u << (row->attr >> ROW_LANE_SHIFT & 3);
    bool whole = row->attr & ROW_WHOLE, one = row->attr & (ROW_ONE | ROW_VSIB), right;
    StubCode none = {.len = 0};

    (void)code;
    if (!m || !(row->attr & ROW_MASK) || !(row->attr & ROW_VL)) {
        return;
    }
    right = whole == (never_suppressed(a->z.meta.exception_class) || crosses_lanes(i->op));
    if (!whole && !one && !(i->flags & INSN_BROADCAST)) {
        right &= i->vl / lane == m->element_count; /* as many elements as bits of the mask */
    }
    if (!right) {
        report(t, i, a, &none);
    }
}

TEST("decode: what a mask's bit stands for, and which rows access all of memory, as Zydis has it")
{
    static Run t;

    start(&t);
    all_forms(&t, CODE_64, look_mask);
    check(t.rows, rows_of_avx512());
    check(t.wrong, 0);
}
