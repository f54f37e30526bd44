/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decoder against Zydis: every opcode of every map systematically, then random bytes, in 16-,
 * 32- and 64-bit code. Same validity, length, mnemonic; same kinds, registers, sizes, addresses and
 * immediates of the operands; same flags. What differs and why stands in the lists below.
 */
#include "target/i386/decode/table.h"
#include "target/i386/state.h"
#include "tests/lib/test.h"

#include <Zydis/Zydis.h>
#include <ctype.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN = 20, RANDOM_CASES = 1000000, BYTES = 16 };

typedef struct Oracle {
    ZydisDecoder decoder[3];
    uint16_t op[ZYDIS_MNEMONIC_MAX_VALUE + 1]; /* ours for theirs */
    uint64_t cases, valid, excused, wrong;
    GHashTable *reported; /* one of each kind */
    bool seen[65536];     /* rows */
} Oracle;

typedef struct Case {
    CodeSize code;
    const uint8_t *bytes;
    Insn insn;
    DecodeResult result;
    bool known; /* Zydis decodes it */
    ZydisDecodedInstruction z;
    ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
} Case;

/* clang-format off */
/* Extensions that the decoder leaves out: #UD for us. */
static const uint8_t left_out[] = {
    ZYDIS_ISA_EXT_AMD3DNOW, ZYDIS_ISA_EXT_AMD_INVLPGB, ZYDIS_ISA_EXT_AMX_BF16,
    ZYDIS_ISA_EXT_AMX_INT8, ZYDIS_ISA_EXT_AMX_TILE, ZYDIS_ISA_EXT_CET, ZYDIS_ISA_EXT_ENQCMD,
    ZYDIS_ISA_EXT_FMA4, ZYDIS_ISA_EXT_HRESET, ZYDIS_ISA_EXT_KEYLOCKER,
    ZYDIS_ISA_EXT_KEYLOCKER_WIDE, ZYDIS_ISA_EXT_KNC, ZYDIS_ISA_EXT_KNCE, ZYDIS_ISA_EXT_KNCV,
    ZYDIS_ISA_EXT_MCOMMIT, ZYDIS_ISA_EXT_MPX, ZYDIS_ISA_EXT_PADLOCK, ZYDIS_ISA_EXT_PCONFIG,
    ZYDIS_ISA_EXT_SGX, ZYDIS_ISA_EXT_SGX_ENCLV, ZYDIS_ISA_EXT_SMX, ZYDIS_ISA_EXT_SNP,
    ZYDIS_ISA_EXT_SVM, ZYDIS_ISA_EXT_TBM, ZYDIS_ISA_EXT_TDX, ZYDIS_ISA_EXT_TSX_LDTRK,
    ZYDIS_ISA_EXT_UINTR, ZYDIS_ISA_EXT_VMFUNC, ZYDIS_ISA_EXT_VTX, ZYDIS_ISA_EXT_XOP,
};
static const uint8_t sets_left_out[] = {
    ZYDIS_ISA_SET_AVX512ER_512, ZYDIS_ISA_SET_AVX512ER_SCALAR, ZYDIS_ISA_SET_AVX512PF_512,
    ZYDIS_ISA_SET_AVX512_4FMAPS_512, ZYDIS_ISA_SET_AVX512_4FMAPS_SCALAR,
    ZYDIS_ISA_SET_AVX512_4VNNIW_512, ZYDIS_ISA_SET_AVX512_FP16_128, ZYDIS_ISA_SET_AVX512_FP16_128N,
    ZYDIS_ISA_SET_AVX512_FP16_256, ZYDIS_ISA_SET_AVX512_FP16_512, ZYDIS_ISA_SET_AVX512_FP16_SCALAR,
    ZYDIS_ISA_SET_LWP,
};

/* Names that differ. */
static const struct { ZydisMnemonic theirs; Op ours; } renamed[] = {
    {ZYDIS_MNEMONIC_CMPSB, OP_CMPS}, {ZYDIS_MNEMONIC_CMPSW, OP_CMPS}, {ZYDIS_MNEMONIC_CMPSQ, OP_CMPS},
    {ZYDIS_MNEMONIC_INSB, OP_INS}, {ZYDIS_MNEMONIC_INSW, OP_INS}, {ZYDIS_MNEMONIC_INSD, OP_INS},
    {ZYDIS_MNEMONIC_LODSB, OP_LODS}, {ZYDIS_MNEMONIC_LODSW, OP_LODS},
    {ZYDIS_MNEMONIC_LODSD, OP_LODS}, {ZYDIS_MNEMONIC_LODSQ, OP_LODS},
    {ZYDIS_MNEMONIC_MOVSB, OP_MOVS}, {ZYDIS_MNEMONIC_MOVSW, OP_MOVS}, {ZYDIS_MNEMONIC_MOVSQ, OP_MOVS},
    {ZYDIS_MNEMONIC_OUTSB, OP_OUTS}, {ZYDIS_MNEMONIC_OUTSW, OP_OUTS}, {ZYDIS_MNEMONIC_OUTSD, OP_OUTS},
    {ZYDIS_MNEMONIC_SCASB, OP_SCAS}, {ZYDIS_MNEMONIC_SCASW, OP_SCAS},
    {ZYDIS_MNEMONIC_SCASD, OP_SCAS}, {ZYDIS_MNEMONIC_SCASQ, OP_SCAS},
    {ZYDIS_MNEMONIC_STOSB, OP_STOS}, {ZYDIS_MNEMONIC_STOSW, OP_STOS},
    {ZYDIS_MNEMONIC_STOSD, OP_STOS}, {ZYDIS_MNEMONIC_STOSQ, OP_STOS},
    {ZYDIS_MNEMONIC_JCXZ, OP_JCXZ}, {ZYDIS_MNEMONIC_JECXZ, OP_JCXZ}, {ZYDIS_MNEMONIC_JRCXZ, OP_JCXZ},
    {ZYDIS_MNEMONIC_IRETD, OP_IRET}, {ZYDIS_MNEMONIC_IRETQ, OP_IRET},
    {ZYDIS_MNEMONIC_POPAD, OP_POPA}, {ZYDIS_MNEMONIC_PUSHAD, OP_PUSHA},
    {ZYDIS_MNEMONIC_POPFD, OP_POPF}, {ZYDIS_MNEMONIC_POPFQ, OP_POPF},
    {ZYDIS_MNEMONIC_PUSHFD, OP_PUSHF}, {ZYDIS_MNEMONIC_PUSHFQ, OP_PUSHF},
    {ZYDIS_MNEMONIC_FXSAVE64, OP_FXSAVE}, {ZYDIS_MNEMONIC_FXRSTOR64, OP_FXRSTOR},
    {ZYDIS_MNEMONIC_XSAVE64, OP_XSAVE}, {ZYDIS_MNEMONIC_XRSTOR64, OP_XRSTOR},
    {ZYDIS_MNEMONIC_XSAVEC64, OP_XSAVEC}, {ZYDIS_MNEMONIC_XSAVES64, OP_XSAVES},
    {ZYDIS_MNEMONIC_XRSTORS64, OP_XRSTORS}, {ZYDIS_MNEMONIC_XSAVEOPT64, OP_XSAVEOPT},
    {ZYDIS_MNEMONIC_RDSSPD, OP_NOP}, {ZYDIS_MNEMONIC_RDSSPQ, OP_NOP}, /* no shadow stacks */
    {ZYDIS_MNEMONIC_FENI8087_NOP, OP_FNENI}, {ZYDIS_MNEMONIC_FDISI8087_NOP, OP_FNDISI},
    {ZYDIS_MNEMONIC_FSETPM287_NOP, OP_FNSETPM}, {ZYDIS_MNEMONIC_FSTPNCE, OP_FSTP},
};
/* clang-format on */

static void names_fill(Oracle *o)
{
    GHashTable *ours = g_hash_table_new(g_str_hash, g_str_equal);
    for (uintptr_t op = 1; op < OP_COUNT; op++) {
        g_hash_table_insert(ours, (char *)op_names[op], (void *)op);
    }
    for (unsigned m = 0; m <= ZYDIS_MNEMONIC_MAX_VALUE; m++) {
        const char *name = ZydisMnemonicGetString(m);
        char *upper = g_ascii_strup(name ? name : "?", -1);
        o->op[m] = (uint16_t)(uintptr_t)g_hash_table_lookup(ours, upper);
        if (!o->op[m]) {
            o->op[m] = *upper == 'J'                   ? OP_JCC
                     : g_str_has_prefix(upper, "SET")  ? OP_SETCC
                     : g_str_has_prefix(upper, "CMOV") ? OP_CMOVCC
                                                       : OP_INVALID;
        }
        g_free(upper);
    }
    for (unsigned n = 0; n < G_N_ELEMENTS(renamed); n++) {
        o->op[renamed[n].theirs] = (uint16_t)renamed[n].ours;
    }
    g_hash_table_destroy(ours);
}

static Oracle *oracle_new(void)
{
    static const ZydisMachineMode modes[] = {
        ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_MACHINE_MODE_LONG_64};
    static const ZydisStackWidth stacks[] = {ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32,
                                             ZYDIS_STACK_WIDTH_64};
    Oracle *o = g_new0(Oracle, 1);
    for (unsigned n = 0; n < 3; n++) {
        ZydisDecoderInit(&o->decoder[n], modes[n], stacks[n]);
        ZydisDecoderEnableMode(&o->decoder[n], ZYDIS_DECODER_MODE_MPX, false);
        ZydisDecoderEnableMode(&o->decoder[n], ZYDIS_DECODER_MODE_WBNOINVD, true);
    }
    names_fill(o);
    o->reported = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return o;
}

/* Ours for a mnemonic that stands for two instructions. */
static unsigned op_of(const Oracle *o, const Case *c)
{
    unsigned op = o->op[c->z.mnemonic];
    bool far = c->z.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
    const ZydisDecodedOperand *a = c->operand, *b = c->operand + 1;
    switch (c->z.mnemonic) {
    case ZYDIS_MNEMONIC_CALL:
        return far ? OP_CALL_FAR : OP_CALL;
    case ZYDIS_MNEMONIC_JMP:
        return far ? OP_JMP_FAR : OP_JMP;
    case ZYDIS_MNEMONIC_RET:
        return far ? OP_RET_FAR : OP_RET;
    case ZYDIS_MNEMONIC_WBINVD: /* this version does not know the other */
        return c->insn.op == OP_WBNOINVD ? OP_WBNOINVD : OP_WBINVD;
    case ZYDIS_MNEMONIC_MOVSD:
        return c->z.meta.category == ZYDIS_CATEGORY_STRINGOP ? OP_MOVS : OP_MOVSD_XMM;
    case ZYDIS_MNEMONIC_CMPSD:
        return c->z.meta.category == ZYDIS_CATEGORY_STRINGOP ? OP_CMPS : OP_CMPSD_XMM;
    case ZYDIS_MNEMONIC_PUSH:
    case ZYDIS_MNEMONIC_POP:
    case ZYDIS_MNEMONIC_MOV:
        for (; a <= b; a++) {
            ZydisRegisterClass k = a->type == ZYDIS_OPERAND_TYPE_REGISTER &&
                                           a->visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN
                                     ? ZydisRegisterGetClass(a->reg.value)
                                     : ZYDIS_REGCLASS_INVALID;
            if (k == ZYDIS_REGCLASS_SEGMENT) {
                return op == OP_PUSH ? OP_PUSH_SEG : op == OP_POP ? OP_POP_SEG : OP_MOV_SEG;
            }
            if (k == ZYDIS_REGCLASS_CONTROL || k == ZYDIS_REGCLASS_DEBUG) {
                return k == ZYDIS_REGCLASS_CONTROL ? OP_MOV_CR : OP_MOV_DR;
            }
        }
        return op;
    default:
        return op;
    }
}

/* F3 41 90 is XCHG on real CPUs: REX.B wins. */
static bool is_pause_with_rex(const Case *c)
{
    return c->known && c->z.mnemonic == ZYDIS_MNEMONIC_PAUSE && c->insn.op == OP_XCHG;
}

/* Why a difference in validity is right; NULL: it is not. */
static const char *excuse(const Case *c)
{
    if (!c->known) {
        bool from_integer = c->insn.op == OP_VCVTSI2SD || c->insn.op == OP_VCVTUSI2SD;
        return from_integer && c->code != CODE_64 && (c->insn.flags & INSN_W)
                 ? "EVEX.W does not count outside 64-bit mode: as W0, where rounding is ignored"
                 : NULL;
    }
    for (unsigned n = 0; n < sizeof left_out; n++) {
        if (c->z.meta.isa_ext == left_out[n]) {
            return "an extension left out";
        }
    }
    for (unsigned n = 0; n < sizeof sets_left_out; n++) {
        if (c->z.meta.isa_set == sets_left_out[n]) {
            return "an extension left out";
        }
    }
    return NULL;
}

static int gpr_number(ZydisRegister r)
{
    int id = ZydisRegisterGetId(r);
    if (ZydisRegisterGetClass(r) == ZYDIS_REGCLASS_GPR8) {
        return r >= ZYDIS_REGISTER_SPL ? r - ZYDIS_REGISTER_SPL + 4
             : r >= ZYDIS_REGISTER_AH  ? r - ZYDIS_REGISTER_AH + 100
                                       : r - ZYDIS_REGISTER_AL;
    }
    return id;
}

static const char *compare_register(const Operand *a, const ZydisDecodedOperand *z)
{
    int number = gpr_number(z->reg.value), want = a->reg, kind;
    switch (ZydisRegisterGetClass(z->reg.value)) {
    case ZYDIS_REGCLASS_GPR8:
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR64:
        kind = number >= 100 ? OPERAND_HIGH : OPERAND_GPR;
        want += kind == OPERAND_HIGH ? 100 : 0;
        if (a->size * 8 != ZydisRegisterGetWidth(ZYDIS_MACHINE_MODE_LONG_64, z->reg.value)) {
            return "register size";
        }
        break;
    case ZYDIS_REGCLASS_X87:
        kind = OPERAND_ST;
        break;
    case ZYDIS_REGCLASS_MMX:
        kind = OPERAND_MM;
        break;
    case ZYDIS_REGCLASS_XMM:
    case ZYDIS_REGCLASS_YMM:
    case ZYDIS_REGCLASS_ZMM:
        kind = OPERAND_XMM;
        if ((a->size > 16 ? a->size * 8 : 128) !=
            ZydisRegisterGetWidth(ZYDIS_MACHINE_MODE_LONG_64, z->reg.value)) {
            return "vector size";
        }
        break;
    case ZYDIS_REGCLASS_MASK:
        kind = OPERAND_K;
        break;
    case ZYDIS_REGCLASS_SEGMENT:
        kind = OPERAND_SEG;
        break;
    case ZYDIS_REGCLASS_CONTROL:
        kind = OPERAND_CR;
        break;
    case ZYDIS_REGCLASS_DEBUG:
        kind = OPERAND_DR;
        break;
    default:
        return "register class";
    }
    return kind != a->kind ? "operand kind" : number != want ? "register" : NULL;
}

static int address_register(ZydisRegister r)
{
    return r == ZYDIS_REGISTER_NONE                           ? REG_NONE
         : r == ZYDIS_REGISTER_RIP || r == ZYDIS_REGISTER_EIP ? REG_IP
                                                              : gpr_number(r);
}

static const char *compare_memory(const Case *c, const Operand *a, const ZydisDecodedOperand *z)
{
    const Insn *i = &c->insn;
    const ZydisDecodedOperandMem *m = &z->mem;
    if (a->kind == OPERAND_STRING_SRC || a->kind == OPERAND_STRING_DST) {
        if (m->base == ZYDIS_REGISTER_NONE || a->size * 8 != z->size) {
            return "string operand";
        }
        return a->kind == OPERAND_STRING_SRC && ZydisRegisterGetId(m->segment) != i->seg ? "segment"
                                                                                         : NULL;
    }
    if (a->kind == OPERAND_ABS) {
        uint64_t mask = i->addrsize == 8 ? ~0ull : (1ull << i->addrsize * 8) - 1;
        return m->base != ZYDIS_REGISTER_NONE || a->size * 8 != z->size ? "moffs operand"
             : ((uint64_t)m->disp.value ^ i->imm) & mask                ? "moffs"
             : ZydisRegisterGetId(m->segment) != i->seg                 ? "segment"
                                                                        : NULL;
    }
    if (a->kind != OPERAND_MEM) {
        return "operand kind";
    }
    if (address_register(m->base) != i->base) {
        return "base";
    }
    if (address_register(m->index) != i->index ||
        (m->index != ZYDIS_REGISTER_NONE && m->scale != 1 << i->scale)) {
        return "index";
    }
    uint64_t mask = i->addrsize == 2 ? 0xffff : i->addrsize == 4 ? 0xffffffff : ~0ull;
    if (((uint64_t)m->disp.value ^ (uint64_t)(int64_t)i->disp) & mask) {
        return "displacement";
    }
    if (m->type != ZYDIS_MEMOP_TYPE_AGEN && ZydisRegisterGetId(m->segment) != i->seg) {
        return "segment";
    }
    bool line = z->size == 512 && a->size == 1; /* CLFLUSH and its like */
    return a->size && z->size && a->size * 8 != z->size && !line ? "memory size" : NULL;
}

static const char *compare_immediate(const Case *c, const Operand *a, const ZydisDecodedOperand *z)
{
    uint64_t mask = z->size >= 64 ? ~0ull : (1ull << z->size) - 1, imm = c->insn.imm;
    if (a->kind == OPERAND_IMM2) {
        imm >>= 32;
    } else if (a->kind != OPERAND_IMM && a->kind != OPERAND_REL) {
        return "operand kind";
    }
    return (imm ^ z->imm.value.u) & mask ? "immediate" : NULL;
}

static const char *compare_operand(const Case *c, const Operand *a, const ZydisDecodedOperand *z)
{
    switch (z->type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
        return compare_register(a, z);
    case ZYDIS_OPERAND_TYPE_MEMORY:
        return compare_memory(c, a, z);
    case ZYDIS_OPERAND_TYPE_POINTER:
        return a->kind != OPERAND_FAR || (uint32_t)c->insn.imm != z->ptr.offset ||
                       c->insn.imm >> 32 != z->ptr.segment
                 ? "far pointer"
                 : NULL;
    default:
        return compare_immediate(c, a, z);
    }
}

/* Zydis hides what string operations name. */
static const char *compare_strings(const Case *c)
{
    unsigned n = 0;
    for (unsigned k = 0; k < c->z.operand_count; k++) {
        const ZydisDecodedOperand *z = &c->operand[k];
        if (z->type == ZYDIS_OPERAND_TYPE_MEMORY) {
            while (n < 3 && c->insn.operand[n].kind != OPERAND_STRING_SRC &&
                   c->insn.operand[n].kind != OPERAND_STRING_DST) {
                n++;
            }
            const char *bad = compare_memory(c, &c->insn.operand[n++], z);
            if (bad) {
                return bad;
            }
        }
    }
    return n ? NULL : "no string operand";
}

static const char *compare_operands(const Case *c)
{
    unsigned n = 0, hidden = 0;
    switch (c->insn.op) {
    case OP_XLAT:    /* theirs hides the operands */
    case OP_MONITOR: /* hidden */
    case OP_MONITORX:
    case OP_CLZERO:
    case OP_UD0: /* the manual leaves the size open */
    case OP_UD1:
    case OP_LAR: /* a source register is 32 bits for them, but 16 are read */
    case OP_LSL:
    case OP_NOP:    /* which registers those with ModRM name is nobody's business */
    case OP_FUCOMP: /* only here theirs names st0 */
        return NULL;
    case OP_MASKMOVQ: /* theirs hides the memory, and xmm0 */
    case OP_MASKMOVDQU:
    case OP_VMASKMOVDQU:
    case OP_BLENDVPS:
    case OP_BLENDVPD:
    case OP_PBLENDVB:
    case OP_SHA256RNDS2:
        hidden = 1;
        break;
    case OP_MOVSXD: /* 66: 16 bits are read (SDM), 32 (Zydis) */
        if (c->insn.opsize == 2) {
            return NULL;
        }
        break;
    default:
        break;
    }
    if (insn_row(&c->insn)->attr & ROW_STRING) {
        return compare_strings(c);
    }
    for (unsigned k = 0; k < c->z.operand_count; k++) {
        const ZydisDecodedOperand *z = &c->operand[k];
        if (z->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN ||
            z->encoding == ZYDIS_OPERAND_ENCODING_MASK) {
            continue;
        }
        if (n == 4) {
            return "operand count";
        }
        const char *bad = compare_operand(c, &c->insn.operand[n++], z);
        if (bad) {
            return bad;
        }
    }
    n += hidden;
    return n < 4 && c->insn.operand[n].kind ? "operand count" : NULL;
}

/* Zydis forgets the flags of VPTEST, calls those of SBB and BEXTR and of shifts by one undefined
 * that are not; far branches and the like are all flags for us, since a gate may change them. */
static bool flags_comparable(const Case *c, const InsnRow *row)
{
    switch (row->op) {
    case OP_VPTEST:
    case OP_VTESTPS:
    case OP_VTESTPD:
    case OP_SBB:
    case OP_BEXTR:
    case OP_VMCALL:
        return false;
    default:
        return !((row->attr & ROW_BRANCH) && row->emit == EMIT_CALL) &&
               !(c->insn.map == 0 && (c->insn.opcode & 0xfe) == 0xd0);
    }
}

static const char *compare_flags(const Case *c)
{
    const InsnRow *row = insn_row(&c->insn);
    const unsigned all = FLAGS_ARITH | FLAG_DF;
    static const ZydisAccessedFlags none;
    const ZydisAccessedFlags *f = c->z.cpu_flags ? c->z.cpu_flags : &none;
    unsigned written = f->modified | f->set_0 | f->set_1 | f->undefined;
    if (!flags_comparable(c, row)) {
        return NULL;
    }
    return (f->tested & all & ~row->read)          ? "flags read"
         : ((written ^ row->written) & all)        ? "flags written"
         : ((f->undefined ^ row->undefined) & all) ? "flags undefined"
                                                   : NULL;
}

static const char *compare(Oracle *o, Case *c)
{
    bool ok = c->result == DECODE_OK;
    o->cases++;
    o->valid += c->known;
    if (ok != c->known) {
        if (excuse(c)) {
            o->excused++;
            return NULL;
        }
        return ok ? "only ours is valid" : "only theirs is valid";
    }
    if (!ok) {
        return NULL;
    }
    o->seen[c->insn.row] = true;
    if (c->insn.len != c->z.length) {
        return "length";
    }
    if (is_pause_with_rex(c)) {
        return NULL;
    }
    if (c->insn.op != op_of(o, c)) {
        return "mnemonic";
    }
    const char *bad = compare_operands(c);
    return bad ? bad : compare_flags(c);
}

static void report(const Case *c, const char *what)
{
    fprintf(stderr, "# %s in %u-bit code:", what, 16u << c->code);
    for (unsigned n = 0; n < BYTES; n++) {
        fprintf(stderr, " %02x", c->bytes[n]);
    }
    fprintf(stderr, "; %s, %u bytes", c->result ? "bad" : op_names[c->insn.op], c->insn.len);
    fprintf(stderr, "; Zydis %s, %u bytes\n",
            c->known ? ZydisMnemonicGetString(c->z.mnemonic) : "bad", c->z.length);
}

static void try(Oracle *o, CodeSize code, const uint8_t *bytes)
{
    Case c = {.code = code, .bytes = bytes};
    c.result = decode(code, bytes, BYTES, &c.insn);
    c.known =
        ZYAN_SUCCESS(ZydisDecoderDecodeFull(&o->decoder[code], bytes, BYTES, &c.z, c.operand));
    const char *bad = compare(o, &c);
    if (bad) {
        o->wrong++;
        char *kind = g_strdup_printf("%s %u", bad, c.known ? c.z.mnemonic : c.insn.op);
        if (g_hash_table_add(o->reported, kind) && g_hash_table_size(o->reported) <= SHOWN) {
            report(&c, bad);
        }
    }
}

/* space: whose rows must all have been met; SPACE_COUNT: none must. */
static void finish(Oracle *o, const char *what, RowSpace space)
{
    unsigned seen = 0;
    for (unsigned n = 0; n < decode_rows; n++) {
        seen += o->seen[n];
        if (decode_table[n].space == space && !o->seen[n]) {
            fprintf(stderr, "# row %u, %s, was not met\n", n, op_names[decode_table[n].op]);
            o->wrong++;
        }
    }
    printf("# %s: %" G_GUINT64_FORMAT " cases, %" G_GUINT64_FORMAT " valid, %" G_GUINT64_FORMAT
           " excused, %u rows of %u\n",
           what, o->cases, o->valid, o->excused, seen, decode_rows);
    check((int64_t)o->wrong, 0);
    g_hash_table_destroy(o->reported);
    g_free(o);
}

/* Every ModRM byte with a SIB byte and displacement behind it that name something. With mod 1 and
 * 2, which are as 0 but for the displacement, some. */
static void try_modrm(Oracle *o, uint8_t *bytes, unsigned at)
{
    static const uint8_t tail[] = {0x4d, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x08, 0x19};
    for (unsigned modrm = 0; modrm < 256; modrm++) {
        if (modrm >= 0x40 && modrm < 0xc0 && (modrm + bytes[at - 1]) % 9) {
            continue;
        }
        bytes[at] = (uint8_t)modrm;
        memcpy(bytes + at + 1, tail, BYTES - at - 1 < sizeof tail ? BYTES - at - 1 : sizeof tail);
        for (unsigned code = CODE_16; code <= CODE_64; code++) {
            try(o, code, bytes);
        }
    }
}

TEST("decode: all opcodes of the legacy maps with each prefix and ModRM, as Zydis sees them")
{
    static const uint8_t prefixes[][2] = {{0},    {0x66},       {0xf2},       {0xf3},
                                          {0x48}, {0x45},       {0x66, 0x48}, {0x67},
                                          {0xf0}, {0x66, 0xf2}, {0xf3, 0x4d}, {0x2e, 0x64}};
    static const uint8_t maps[][2] = {{0}, {0x0f}, {0x0f, 0x38}, {0x0f, 0x3a}};
    Oracle *o = oracle_new();
    for (unsigned n = 0; n < G_N_ELEMENTS(prefixes) * 4; n++) {
        uint8_t bytes[BYTES] = {0};
        unsigned at = 0;
        for (unsigned k = 0; k < 2 && prefixes[n / 4][k]; k++) {
            bytes[at++] = prefixes[n / 4][k];
        }
        for (unsigned k = 0; k < 2 && maps[n % 4][k]; k++) {
            bytes[at++] = maps[n % 4][k];
        }
        for (unsigned opcode = 0; opcode < 256; opcode++) {
            bytes[at] = (uint8_t)opcode;
            try_modrm(o, bytes, at + 1);
        }
    }
    finish(o, "legacy maps", SPACE_LEGACY);
}

TEST(
    "decode: all opcodes of the VEX maps with each prefix, length, W and ModRM, as Zydis sees them")
{
    static const uint8_t vvvv[] = {0x78, 0x40};
    Oracle *o = oracle_new();
    for (unsigned n = 0; n < 3 * 16 * 2; n++) {
        uint8_t bytes[BYTES] = {0xc4, (uint8_t)(0xe1 + n % 3), (uint8_t)(n / 3 % 8)};
        bytes[2] |= (uint8_t)(vvvv[n / 24 % 2] | (n / 48 ? 0x80 : 0));
        for (unsigned opcode = 0; opcode < 256; opcode++) {
            bytes[3] = (uint8_t)opcode;
            try_modrm(o, bytes, 4);
        }
    }
    finish(o, "VEX maps", SPACE_VEX);
}

/* Registers and memory, each reg; SIB for gathers; compressed displacements. */
static void try_evex(Oracle *o, uint8_t *bytes)
{
    static const uint8_t tail[] = {0x4d, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77};
    static const uint8_t modrm[] = {0xc1, 0xcb, 0xd1, 0xdc, 0xe5, 0xee, 0xf1,
                                    0xfa, 0x04, 0x1c, 0x44, 0x8c, 0x3d};
    for (unsigned n = 0; n < sizeof modrm; n++) {
        bytes[5] = modrm[n];
        memcpy(bytes + 6, tail, sizeof tail);
        try(o, CODE_64, bytes);
        try(o, n % 4 ? CODE_32 : CODE_16, bytes);
    }
}

TEST(
    "decode: all opcodes of the EVEX maps with each prefix, length, W, b, mask, as Zydis sees them")
{
    static const uint8_t p0[] = {0xf1, 0xf1, 0x61, 0xd1}; /* R, X, B, R' */
    static const uint8_t masks[][2] = {{0x7c, 0x08}, {0x7c, 0x0b}, {0x7c, 0x8b}, {0x7c, 0x88},
                                       {0x5c, 0x08}, {0x5c, 0x0b}, {0x5c, 0x8b}}; /* vvvv; z, aaa */
    Oracle *o = oracle_new();
    for (unsigned n = 0; n < 3 * 64 * 7; n++) {
        uint8_t bytes[BYTES] = {0x62};
        const uint8_t *mask = masks[n / 192];
        bytes[1] = (uint8_t)(p0[n % 11 % 4] + n % 3);
        bytes[2] = (uint8_t)(mask[0] | (n / 3 % 8 & 3) | (n / 3 % 8 & 4) << 5);
        bytes[3] = (uint8_t)(mask[1] | (n / 24 % 8) << 4);
        for (unsigned opcode = 0; opcode < 256; opcode++) {
            bytes[4] = (uint8_t)opcode;
            try_evex(o, bytes);
        }
    }
    finish(o, "EVEX maps", SPACE_EVEX);
}

/* Random bytes that are instructions more often than noise is. */
static void random_bytes(GRand *r, uint8_t *bytes)
{
    static const uint8_t starts[] = {0x66, 0xf2, 0xf3, 0x48, 0x0f, 0x0f,
                                     0xc4, 0xc5, 0x62, 0x41, 0xf0, 0x67};
    for (unsigned n = 0; n < BYTES; n += 4) {
        guint32 word = g_rand_int(r);
        memcpy(bytes + n, &word, 4);
    }
    for (unsigned n = 0; n < 3 && g_rand_boolean(r); n++) {
        bytes[n] = starts[g_rand_int_range(r, 0, sizeof starts)];
    }
}

TEST("decode: a million random strings of bytes, as Zydis sees them")
{
    Oracle *o = oracle_new();
    GRand *r = g_rand_new_with_seed(20261121);
    for (unsigned n = 0; n < RANDOM_CASES; n++) {
        uint8_t bytes[BYTES];
        random_bytes(r, bytes);
        try(o, n % 3, bytes);
    }
    g_rand_free(r);
    finish(o, "random bytes", SPACE_COUNT);
}
