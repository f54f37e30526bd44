/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * encode_copy() against Zydis: for every row that may be copied, in 16-, 32- and 64-bit code, with
 * random operands and maps, what comes out is the same instruction on the mapped operands; and it
 * is refused only for a reason that encode.h names. Does not run the instructions.
 */
#include "target/i386/decode/table.h"
#include "target/i386/state.h"
#include "target/i386/translate/encode.h"
#include "tests/lib/test.h"

#include <Zydis/Zydis.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>

enum { BYTES = 16, MOST_ROWS = 8192, SAMPLES = 24, MAPS = 6, SHOWN = 20, HIGH = 100 };

typedef struct Zinsn {
    ZydisDecodedInstruction i;
    ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
} Zinsn;

typedef struct Bench {
    ZydisDecoder decoder[3];
    GRand *rand;
    uint8_t met[MOST_ROWS][2]; /* samples with registers, with memory */
    bool encoded[MOST_ROWS];
    uint64_t same, refused, wrong;
} Bench;

typedef struct Sample {
    CodeSize code;
    uint8_t bytes[BYTES];
    Insn insn;
    bool memory;
    Zinsn before;
    HostMap map;
    uint8_t out[ENCODE_MAX];
    unsigned len;
} Sample;

static unsigned below(Bench *b, unsigned limit)
{
    return (unsigned)g_rand_int_range(b->rand, 0, (int)limit);
}

/* ---- maps ---- */

/* The translator's own register map. */
static void map_usual(Bench *b, HostMap *m)
{
    static const uint8_t scratch[] = {R_CX, R_BP, 11};

    for (uint8_t n = 0; n < 16; n++) {
        m->gpr[n] = n;
    }
    m->gpr[R_SP] = 8;
    m->gpr[R_BP] = 9;
    m->gpr[R_CX] = below(b, 2) ? 10 : R_CX;
    for (unsigned n = 8; n < 12; n++) {
        m->gpr[n] = scratch[below(b, 3)];
    }
}

static void map_any(Bench *b, HostMap *m)
{
    bool keep = below(b, 2);

    for (uint8_t n = 0; n < 16; n++) {
        m->gpr[n] = keep && n < 4 ? n : (uint8_t)below(b, 16);
    }
}

static void map_random(Bench *b, HostMap *m)
{
    static const int32_t disps[] = {0, 1, -128, 127, 128, -129, 0x12345678, -0x12345678};

    (below(b, 2) ? map_usual : map_any)(b, m);
    m->base = below(b, 4) ? (uint8_t)below(b, 16) : HOST_NONE;
    m->index = below(b, 3) ? HOST_NONE : (uint8_t)below(b, 16);
    m->scale = 0;
    m->disp = disps[below(b, G_N_ELEMENTS(disps))];
    m->gs = below(b, 2);
}

/* ---- refusals ---- */

/* A count in CL is the caller's business. */
static bool is_count(const Insn *i, unsigned n)
{
    bool shift = i->op == OP_ROL || i->op == OP_ROR || i->op == OP_RCL || i->op == OP_RCR ||
                 i->op == OP_SHL || i->op == OP_SHR || i->op == OP_SAR;

    return shift ? n == 1 : (i->op == OP_SHLD || i->op == OP_SHRD) && n == 2;
}

/* General registers that are in no field of the encoding: a bit each. */
static unsigned implied_registers(const Sample *s)
{
    unsigned need = 0;

    for (unsigned n = 0; n < s->before.i.operand_count; n++) {
        const ZydisDecodedOperand *z = &s->before.operand[n];
        ZydisRegister r = z->type == ZYDIS_OPERAND_TYPE_REGISTER ? z->reg.value : 0;

        r = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r);
        if (r >= ZYDIS_REGISTER_RAX && r <= ZYDIS_REGISTER_R15 && !is_count(&s->insn, n) &&
            z->visibility != ZYDIS_OPERAND_VISIBILITY_EXPLICIT) {
            need |= 1u << (r - ZYDIS_REGISTER_RAX);
        }
    }
    return need;
}

static bool implied_kept(const Sample *s)
{
    unsigned need = implied_registers(s);

    for (unsigned n = 0; n < 16; n++) {
        if (need & 1u << n && s->map.gpr[n] != n) {
            return false;
        }
    }
    return true;
}

/* AH to BH: mapped to one of the first four, and nothing else needs REX. */
static bool high_possible(const Sample *s)
{
    bool high = false, rex = s->memory && ((s->map.base != HOST_NONE && s->map.base > 7) ||
                                           (s->map.index != HOST_NONE && s->map.index > 7));

    for (unsigned n = 0; n < 4; n++) {
        const Operand *o = &s->insn.operand[n];
        unsigned reg = s->map.gpr[o->reg & 15];

        if (o->kind == OPERAND_HIGH) {
            high = true;
            if (reg > 3) {
                return false;
            }
        } else if (o->kind == OPERAND_GPR && !is_count(&s->insn, n)) {
            rex |= reg > 7 || (o->size == 1 && reg > 3);
        }
    }
    return !high || !rex;
}

static bool may_be_refused(const Sample *s)
{
    const InsnRow *row = insn_row(&s->insn);

    switch (s->insn.op) {
    case OP_FNSTENV:
    case OP_FLDENV:
    case OP_FNSAVE:
    case OP_FRSTOR:
        return true;
    case OP_BT:
    case OP_BTS:
    case OP_BTR:
    case OP_BTC:
        if (s->memory && s->insn.operand[1].kind == OPERAND_GPR) {
            return true;
        }
        break;
    case OP_XCHG: /* would be NOP */
        if (row->attr & ROW_PLUS_R && !s->map.gpr[s->insn.operand[0].reg]) {
            return true;
        }
        break;
    default:
        break;
    }
    return row->attr & ROW_VSIB || (s->memory && s->map.base == R_SP && s->map.index == R_SP) ||
           !implied_kept(s) || !high_possible(s);
}

/* ---- comparison ---- */

static int number_of(ZydisRegister r)
{
    if (ZydisRegisterGetClass(r) == ZYDIS_REGCLASS_GPR8) {
        return r >= ZYDIS_REGISTER_SPL ? r - ZYDIS_REGISTER_SPL + 4
             : r >= ZYDIS_REGISTER_AH  ? r - ZYDIS_REGISTER_AH + HIGH
                                       : r - ZYDIS_REGISTER_AL;
    }
    return ZydisRegisterGetId(r);
}

static bool is_general(ZydisRegister r)
{
    ZydisRegisterClass k = ZydisRegisterGetClass(r);

    return k == ZYDIS_REGCLASS_GPR8 || k == ZYDIS_REGCLASS_GPR16 || k == ZYDIS_REGCLASS_GPR32 ||
           k == ZYDIS_REGCLASS_GPR64;
}

static const char *compare_register(const Sample *s, const ZydisDecodedOperand *a,
                                    const ZydisDecodedOperand *b)
{
    ZydisRegister from = a->reg.value, to = b->reg.value;
    int number = number_of(from);

    if (!is_general(from)) {
        return from == to ? NULL : "register";
    }
    if (ZydisRegisterGetClass(from) != ZydisRegisterGetClass(to)) {
        return "register size";
    }
    if (a->visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT) {
        number = number >= HIGH ? HIGH + s->map.gpr[number - HIGH] : s->map.gpr[number];
    }
    return number_of(to) == number ? NULL : "mapped register";
}

static ZydisRegister host_address(uint8_t number)
{
    return number == HOST_NONE ? ZYDIS_REGISTER_NONE : ZYDIS_REGISTER_RAX + number;
}

static const char *compare_memory(const Sample *s, const ZydisDecodedOperand *b)
{
    ZydisRegister base = host_address(s->map.base), index = host_address(s->map.index);
    ZydisRegister to_base = b->mem.base, to_index = b->mem.index;
    bool swapped = base == to_index && index == to_base;

    if (!(base == to_base && index == to_index) && !swapped) {
        return "base or index";
    }
    if (to_index != ZYDIS_REGISTER_NONE && b->mem.scale != 1) {
        return "scale";
    }
    return b->mem.disp.value == s->map.disp ? NULL : "displacement";
}

static const char *compare_operand(const Sample *s, const ZydisDecodedOperand *a,
                                   const ZydisDecodedOperand *b)
{
    uint64_t mask = a->size >= 64 ? ~0ull : (1ull << a->size) - 1;

    if (a->type != b->type) {
        return "operand type";
    }
    if (a->size != b->size &&
        !(a->type == ZYDIS_OPERAND_TYPE_MEMORY && a->mem.type == ZYDIS_MEMOP_TYPE_AGEN)) {
        return "operand size";
    }
    switch (a->type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
        return compare_register(s, a, b);
    case ZYDIS_OPERAND_TYPE_MEMORY:
        return compare_memory(s, b);
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        return (a->imm.value.u ^ b->imm.value.u) & mask ? "immediate" : NULL;
    default:
        return "operand type";
    }
}

static const char *compare_vector(const Zinsn *a, const Zinsn *b)
{
    return a->i.avx.vector_length != b->i.avx.vector_length   ? "vector length"
         : a->i.avx.mask.mode != b->i.avx.mask.mode           ? "masking"
         : a->i.avx.mask.reg != b->i.avx.mask.reg             ? "mask register"
         : a->i.avx.broadcast.mode != b->i.avx.broadcast.mode ? "broadcast"
         : a->i.avx.rounding.mode != b->i.avx.rounding.mode   ? "rounding"
         : a->i.avx.has_sae != b->i.avx.has_sae               ? "exceptions"
                                                              : NULL;
}

static const char *compare_prefixes(const Sample *s, const Zinsn *after)
{
    const ZydisInstructionAttributes never =
        ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE |
        ZYDIS_ATTRIB_HAS_ADDRESSSIZE | ZYDIS_ATTRIB_HAS_SEGMENT_FS | ZYDIS_ATTRIB_HAS_SEGMENT_CS;
    const ZydisInstructionAttributes had = s->before.i.attributes, has = after->i.attributes;

    return has & never                         ? "a prefix too many"
         : (had ^ has) & ZYDIS_ATTRIB_HAS_LOCK ? "LOCK"
         : s->memory && s->insn.op != OP_LEA && !(has & ZYDIS_ATTRIB_HAS_SEGMENT_GS) != !s->map.gs
             ? "segment"
             : NULL;
}

/* Hidden operands come last; how many there are differs with the mode. */
static const char *compare(const Sample *s, const Zinsn *after)
{
    const Zinsn *before = &s->before;
    unsigned count = before->i.operand_count_visible;
    const char *bad;

    if (after->i.length != s->len || s->len > 15) {
        return "length";
    }
    if (before->i.mnemonic != after->i.mnemonic) {
        return "mnemonic";
    }
    if (after->i.operand_count_visible != count) {
        return "operand count";
    }
    for (unsigned n = 0; n < count; n++) {
        bad = compare_operand(s, &before->operand[n], &after->operand[n]);
        if (bad) {
            return bad;
        }
    }
    bad = compare_vector(before, after);
    return bad ? bad : compare_prefixes(s, after);
}

static void print_bytes(const char *what, const uint8_t *bytes, unsigned len)
{
    fprintf(stderr, " %s", what);
    for (unsigned n = 0; n < len; n++) {
        fprintf(stderr, " %02x", bytes[n]);
    }
}

static void complain(Bench *b, const Sample *s, const char *what)
{
    if (b->wrong++ < SHOWN) {
        fprintf(stderr, "# %s: %s in %u-bit code:", what, op_names[s->insn.op], 16u << s->code);
        print_bytes("from", s->bytes, s->insn.len);
        print_bytes("to", s->out, s->len);
        fprintf(stderr, "; base %d index %d disp %d gs %d\n", s->map.base, s->map.index,
                s->map.disp, s->map.gs);
    }
}

static bool is_hint(const Insn *i)
{
    return i->op == OP_NOP || i->op == OP_ENDBR32 || i->op == OP_ENDBR64;
}

static void try_map(Bench *b, Sample *s)
{
    Zinsn after;
    const char *bad = NULL;

    map_random(b, &s->map);
    s->len = encode_copy(&s->insn, s->code == CODE_64, &s->map, s->out);
    if (!s->len) {
        b->refused++;
        bad = may_be_refused(s) ? NULL : "refused without reason";
    } else if (may_be_refused(s) && !is_hint(&s->insn)) {
        bad = "not refused";
    } else if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&b->decoder[CODE_64], s->out, s->len, &after.i,
                                                    after.operand))) {
        bad = "not an instruction";
    } else if (is_hint(&s->insn)) {
        bad = s->len == 1 && after.i.mnemonic == ZYDIS_MNEMONIC_NOP ? NULL : "not NOP";
    } else {
        bad = compare(s, &after);
    }
    b->encoded[s->insn.row] |= s->len && !bad;
    b->same += s->len && !bad;
    if (bad) {
        complain(b, s, bad);
    }
}

/* ---- every row ---- */

static void meet(Bench *b, CodeSize code, const uint8_t *bytes)
{
    Sample s = {.code = code};
    uint8_t *met;

    if (decode(code, bytes, BYTES, &s.insn) != DECODE_OK || insn_row(&s.insn)->emit != EMIT_COPY) {
        return;
    }
    s.memory = s.insn.flags & INSN_MODRM && s.insn.modrm < 0xc0;
    met = &b->met[s.insn.row][s.memory];
    if (*met >= SAMPLES || (*met > 3 && below(b, 8)) ||
        !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&b->decoder[code], bytes, BYTES, &s.before.i,
                                             s.before.operand))) {
        return;
    }
    ++*met;
    memcpy(s.bytes, bytes, BYTES);
    for (unsigned n = 0; n < MAPS; n++) {
        try_map(b, &s);
    }
}

/* Random ModRM, SIB and what follows, in each mode, behind these bytes. */
static void meet_all(Bench *b, const uint8_t *start, unsigned len, unsigned tries)
{
    for (unsigned n = 0; n < tries * 3; n++) {
        uint8_t bytes[BYTES];

        for (unsigned k = 0; k < BYTES; k += 4) {
            guint32 word = g_rand_int(b->rand);

            memcpy(bytes + k, &word, 4);
        }
        memcpy(bytes, start, len);
        bytes[len] |= below(b, 2) ? 0xc0 : 0;
        meet(b, n % 3, bytes);
    }
}

static void meet_legacy(Bench *b)
{
    static const uint8_t prefix[][3] = {{0},          {0x66},       {0xf2},       {0xf3},
                                        {0xf0},       {0x64, 0x67}, {0x48},       {0x45},
                                        {0x66, 0x43}, {0x66, 0xf2}, {0x66, 0xf3}, {0xf3, 0x48},
                                        {0xf2, 0x4c}, {0x66, 0x4f}, {0xf0, 0x4d}, {0x40}};
    static const uint8_t map[][2] = {{0}, {0x0f}, {0x0f, 0x38}, {0x0f, 0x3a}};

    for (unsigned n = 0; n < G_N_ELEMENTS(prefix) * 4 * 256; n++) {
        const uint8_t *p = prefix[n / 1024], *m = map[n / 256 % 4];
        uint8_t start[8];
        unsigned len = 0;

        for (unsigned k = 0; k < 3 && p[k]; k++) {
            start[len++] = p[k];
        }
        for (unsigned k = 0; k < 2 && m[k]; k++) {
            start[len++] = m[k];
        }
        start[len++] = (uint8_t)n;
        meet_all(b, start, len, 40);
    }
}

/* Several times each prefix, W, L: the rest is random. */
static void meet_vex(Bench *b)
{
    for (unsigned n = 0; n < 3 * 256 * 32 * 4; n++) {
        unsigned wlp = n / 768 % 32;
        uint8_t start[] = {0xc4, (uint8_t)((below(b, 8) << 5) + 1 + n % 3), 0, (uint8_t)(n / 3)};

        start[1] |= below(b, 3) ? 0xe0 : 0; /* outside 64-bit mode it is no LES */
        start[2] = (uint8_t)((wlp & 8) << 4 | (wlp & 7) | (wlp & 16 ? 0x78 : below(b, 16) << 3));
        meet_all(b, start, 4, 8);
    }
}

static void meet_evex(Bench *b)
{
    for (unsigned n = 0; n < 3 * 256 * 64 * 4 * 3; n++) {
        unsigned wp = n / 768 % 64;
        uint8_t start[] = {0x62, (uint8_t)((below(b, 16) << 4) + 1 + n % 3), 0, 0,
                           (uint8_t)(n / 3)};

        start[1] |= below(b, 4) ? 0xf0 : 0;
        start[2] = (uint8_t)((wp & 4) << 5 | 4 | (wp & 3) | (wp & 8 ? 0x78 : below(b, 16) << 3));
        start[3] =
            (uint8_t)((n / 49152 % 4) << 5 | below(b, 2) << 4 | (wp & 24 || below(b, 2) ? 8 : 0));
        start[3] |= (uint8_t)(wp & 16 ? 0 : below(b, 2) << 7 | below(b, 8));
        meet_all(b, start, 5, 6);
    }
}

/* Rows of which every form is refused. */
static bool never(const InsnRow *row)
{
    return row->attr & ROW_VSIB || row->op == OP_FNSTENV || row->op == OP_FLDENV ||
           row->op == OP_FNSAVE || row->op == OP_FRSTOR;
}

TEST("translate: every instruction that may be copied is the same on other operands, says Zydis; "
     "what cannot be is refused")
{
    static const uint8_t endbr32[BYTES] = {0xf3, 0x0f, 0x1e, 0xfb}; /* rare among random ModRMs */
    Bench *b = g_new0(Bench, 1);

    ZydisDecoderInit(&b->decoder[0], ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
    ZydisDecoderInit(&b->decoder[1], ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
    ZydisDecoderInit(&b->decoder[2], ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    b->rand = g_rand_new_with_seed(20261121);
    meet(b, CODE_64, endbr32);
    meet_legacy(b);
    meet_vex(b);
    meet_evex(b);
    for (unsigned n = 0; n < decode_rows; n++) {
        if (decode_table[n].emit == EMIT_COPY && b->encoded[n] == never(&decode_table[n])) {
            fprintf(stderr, "# row %u, %s: %s\n", n, op_names[decode_table[n].op],
                    b->encoded[n] ? "encoded" : "never encoded");
            b->wrong++;
        }
    }
    printf("# %" G_GUINT64_FORMAT " encoded, %" G_GUINT64_FORMAT " refused\n", b->same, b->refused);
    check((int64_t)b->wrong, 0);
    g_rand_free(b->rand);
    g_free(b);
}
