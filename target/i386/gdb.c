/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x86 CPU for gdb: registers and their description ("Target descriptions", "i386 features" in
 * gdb's manual; SDM volume 1, "Basic execution environment"), and memory.
 *
 * The layout is that of a 64-bit CPU for as long as the machine lives, whatever mode the guest is
 * in. Outside 64-bit code gdb's pc and sp are linear addresses: the segment's base is in them, and
 * taken out again when they are written; raw_rip and raw_rsp are the registers as they are. A
 * selector that is written loads base and limit as in real mode where the CPU is in it; in
 * protected mode only the selector changes, as the bases are registers of their own.
 * Not here: registers of AMX, CET, performance counters, MSRs that are no register's part.
 */
#include "target/i386/gdb.h"

#include "target/i386/cpu.h"

#include <string.h>

typedef enum {
    GPR,
    SP,
    PC,
    FLAGS,
    SELECTOR,
    ST,
    FCTRL,
    FSTAT,
    FTAG,
    FISEG,
    FIOFF,
    FOSEG,
    FOOFF,
    FOP,
    VECTOR,
    MXCSR,
    MASK,
    PKRU,
    SEG_BASE,
    SEG_LIMIT,
    SEG_ATTR,
    KERNEL_GS,
    TABLE_BASE,
    TABLE_LIMIT,
    CONTROL,
    EFER,
    XCR0,
    DEBUG,
    RAW_PC,
    RAW_SP,
    CODE_BITS,
} Kind;

/* One register, or several that are numbered. VECTOR: words are 8 bytes, of a ZMM register. */
typedef struct Row {
    const char *name; /* several: with %u in it */
    uint16_t bits;
    const char *type;
    Kind kind;
    uint8_t index, count; /* the first; how many (0: one, without a number) */
    uint8_t word;
} Row;

typedef struct Part {
    const char *feature; /* gdb's name of the group, or one of ours */
    const Row *rows;
    unsigned count;
    const char *types; /* XML that defines what the rows' types name; may be NULL */
    const char *group; /* of all its rows; NULL: gdb knows */
    bool optional;     /* only where the model has the feature */
    X86Feature needs;
} Part;

/* clang-format off */
#define FLAG_BIT(name, n) "<field name=\"" name "\" start=\"" #n "\" end=\"" #n "\"/>"

static const char core_types[] =
    "<flags id=\"eflags_bits\" size=\"4\">"
    FLAG_BIT("CF", 0) FLAG_BIT("", 1) FLAG_BIT("PF", 2) FLAG_BIT("AF", 4) FLAG_BIT("ZF", 6)
    FLAG_BIT("SF", 7) FLAG_BIT("TF", 8) FLAG_BIT("IF", 9) FLAG_BIT("DF", 10) FLAG_BIT("OF", 11)
    FLAG_BIT("NT", 14) FLAG_BIT("RF", 16) FLAG_BIT("VM", 17) FLAG_BIT("AC", 18)
    FLAG_BIT("VIF", 19) FLAG_BIT("VIP", 20) FLAG_BIT("ID", 21) "</flags>\n";

static const Row core_rows[] = {
    {"rax", 64, "int64", GPR, R_AX}, {"rbx", 64, "int64", GPR, R_BX},
    {"rcx", 64, "int64", GPR, R_CX}, {"rdx", 64, "int64", GPR, R_DX},
    {"rsi", 64, "int64", GPR, R_SI}, {"rdi", 64, "int64", GPR, R_DI},
    {"rbp", 64, "data_ptr", GPR, R_BP}, {"rsp", 64, "data_ptr", SP},
    {"r%u", 64, "int64", GPR, 8, 8},
    {"rip", 64, "code_ptr", PC}, {"eflags", 32, "eflags_bits", FLAGS},
    {"cs", 32, "int32", SELECTOR, SEG_CS}, {"ss", 32, "int32", SELECTOR, SEG_SS},
    {"ds", 32, "int32", SELECTOR, SEG_DS}, {"es", 32, "int32", SELECTOR, SEG_ES},
    {"fs", 32, "int32", SELECTOR, SEG_FS}, {"gs", 32, "int32", SELECTOR, SEG_GS},
    {"st%u", 80, "i387_ext", ST, 0, 8},
    {"fctrl", 32, "int", FCTRL}, {"fstat", 32, "int", FSTAT}, {"ftag", 32, "int", FTAG},
    {"fiseg", 32, "int", FISEG}, {"fioff", 32, "int", FIOFF}, {"foseg", 32, "int", FOSEG},
    {"fooff", 32, "int", FOOFF}, {"fop", 32, "int", FOP},
};

static const char sse_types[] =
    "<vector id=\"in_floats\" type=\"ieee_single\" count=\"4\"/>"
    "<vector id=\"in_doubles\" type=\"ieee_double\" count=\"2\"/>"
    "<vector id=\"in_bytes\" type=\"int8\" count=\"16\"/>"
    "<vector id=\"in_words\" type=\"int16\" count=\"8\"/>"
    "<vector id=\"in_dwords\" type=\"int32\" count=\"4\"/>"
    "<vector id=\"in_qwords\" type=\"int64\" count=\"2\"/>\n"
    "<union id=\"xmm_parts\"><field name=\"v4_float\" type=\"in_floats\"/>"
    "<field name=\"v2_double\" type=\"in_doubles\"/><field name=\"v16_int8\" type=\"in_bytes\"/>"
    "<field name=\"v8_int16\" type=\"in_words\"/><field name=\"v4_int32\" type=\"in_dwords\"/>"
    "<field name=\"v2_int64\" type=\"in_qwords\"/><field name=\"uint128\" type=\"uint128\"/>"
    "</union>\n"
    "<flags id=\"mxcsr_bits\" size=\"4\">"
    FLAG_BIT("IE", 0) FLAG_BIT("DE", 1) FLAG_BIT("ZE", 2) FLAG_BIT("OE", 3) FLAG_BIT("UE", 4)
    FLAG_BIT("PE", 5) FLAG_BIT("DAZ", 6) FLAG_BIT("IM", 7) FLAG_BIT("DM", 8) FLAG_BIT("ZM", 9)
    FLAG_BIT("OM", 10) FLAG_BIT("UM", 11) FLAG_BIT("PM", 12) FLAG_BIT("FZ", 15) "</flags>\n";

static const Row sse_rows[] = {
    {"xmm%u", 128, "xmm_parts", VECTOR, 0, 16, 0}, {"mxcsr", 32, "mxcsr_bits", MXCSR},
};

static const Row avx_rows[] = {{"ymm%uh", 128, "uint128", VECTOR, 0, 16, 2}};

static const char avx512_types[] = "<vector id=\"upper_half\" type=\"uint128\" count=\"2\"/>\n";

static const Row avx512_rows[] = {
    {"xmm%u", 128, "uint128", VECTOR, 16, 16, 0}, {"ymm%uh", 128, "uint128", VECTOR, 16, 16, 2},
    {"k%u", 64, "uint64", MASK, 0, 8}, {"zmm%uh", 256, "upper_half", VECTOR, 0, 32, 4},
};

static const Row pkru_rows[] = {{"pkru", 32, "int", PKRU}};

static const Row segment_rows[] = {
    {"fs_base", 64, "int64", SEG_BASE, SEG_FS}, {"gs_base", 64, "int64", SEG_BASE, SEG_GS},
};

static const char system_types[] =
    "<flags id=\"cr0_bits\" size=\"8\">"
    FLAG_BIT("PE", 0) FLAG_BIT("MP", 1) FLAG_BIT("EM", 2) FLAG_BIT("TS", 3) FLAG_BIT("ET", 4)
    FLAG_BIT("NE", 5) FLAG_BIT("WP", 16) FLAG_BIT("AM", 18) FLAG_BIT("NW", 29) FLAG_BIT("CD", 30)
    FLAG_BIT("PG", 31) "</flags>\n"
    "<flags id=\"cr4_bits\" size=\"8\">"
    FLAG_BIT("VME", 0) FLAG_BIT("PVI", 1) FLAG_BIT("TSD", 2) FLAG_BIT("DE", 3) FLAG_BIT("PSE", 4)
    FLAG_BIT("PAE", 5) FLAG_BIT("MCE", 6) FLAG_BIT("PGE", 7) FLAG_BIT("PCE", 8)
    FLAG_BIT("OSFXSR", 9) FLAG_BIT("OSXMMEXCPT", 10) FLAG_BIT("UMIP", 11) FLAG_BIT("LA57", 12)
    FLAG_BIT("FSGSBASE", 16) FLAG_BIT("PCIDE", 17) FLAG_BIT("OSXSAVE", 18) FLAG_BIT("SMEP", 20)
    FLAG_BIT("SMAP", 21) FLAG_BIT("PKE", 22) "</flags>\n"
    "<flags id=\"efer_bits\" size=\"8\">"
    FLAG_BIT("SCE", 0) FLAG_BIT("LME", 8) FLAG_BIT("LMA", 10) FLAG_BIT("NXE", 11) "</flags>\n";

static const Row system_rows[] = {
    {"raw_rip", 64, "int64", RAW_PC}, {"raw_rsp", 64, "int64", RAW_SP},
    {"code_bits", 32, "int32", CODE_BITS},
    {"cs_base", 64, "int64", SEG_BASE, SEG_CS}, {"ss_base", 64, "int64", SEG_BASE, SEG_SS},
    {"ds_base", 64, "int64", SEG_BASE, SEG_DS}, {"es_base", 64, "int64", SEG_BASE, SEG_ES},
    {"k_gs_base", 64, "int64", KERNEL_GS},
    {"cs_limit", 32, "uint32", SEG_LIMIT, SEG_CS}, {"ss_limit", 32, "uint32", SEG_LIMIT, SEG_SS},
    {"ds_limit", 32, "uint32", SEG_LIMIT, SEG_DS}, {"es_limit", 32, "uint32", SEG_LIMIT, SEG_ES},
    {"fs_limit", 32, "uint32", SEG_LIMIT, SEG_FS}, {"gs_limit", 32, "uint32", SEG_LIMIT, SEG_GS},
    {"cs_attr", 32, "uint32", SEG_ATTR, SEG_CS}, {"ss_attr", 32, "uint32", SEG_ATTR, SEG_SS},
    {"ds_attr", 32, "uint32", SEG_ATTR, SEG_DS}, {"es_attr", 32, "uint32", SEG_ATTR, SEG_ES},
    {"fs_attr", 32, "uint32", SEG_ATTR, SEG_FS}, {"gs_attr", 32, "uint32", SEG_ATTR, SEG_GS},
    {"ldtr", 32, "int32", SELECTOR, SEG_LDTR}, {"ldtr_base", 64, "int64", SEG_BASE, SEG_LDTR},
    {"ldtr_limit", 32, "uint32", SEG_LIMIT, SEG_LDTR},
    {"tr", 32, "int32", SELECTOR, SEG_TR}, {"tr_base", 64, "int64", SEG_BASE, SEG_TR},
    {"tr_limit", 32, "uint32", SEG_LIMIT, SEG_TR},
    {"gdtr_base", 64, "int64", TABLE_BASE, 0}, {"gdtr_limit", 32, "uint32", TABLE_LIMIT, 0},
    {"idtr_base", 64, "int64", TABLE_BASE, 1}, {"idtr_limit", 32, "uint32", TABLE_LIMIT, 1},
    {"cr0", 64, "cr0_bits", CONTROL, 0}, {"cr2", 64, "int64", CONTROL, 2},
    {"cr3", 64, "int64", CONTROL, 3}, {"cr4", 64, "cr4_bits", CONTROL, 4},
    {"cr8", 64, "int64", CONTROL, 8}, {"efer", 64, "efer_bits", EFER}, {"xcr0", 64, "int64", XCR0},
    {"dr%u", 64, "int64", DEBUG, 0, 4}, {"dr6", 64, "int64", DEBUG, 6}, {"dr7", 64, "int64", DEBUG, 7},
};

#define ROWS(rows) rows, G_N_ELEMENTS(rows)

static const Part parts[] = {
    {"org.gnu.gdb.i386.core", ROWS(core_rows), core_types},
    {"org.gnu.gdb.i386.sse", ROWS(sse_rows), sse_types},
    {"org.gnu.gdb.i386.avx", ROWS(avx_rows), .optional = true, .needs = FEATURE_AVX},
    {"org.gnu.gdb.i386.avx512", ROWS(avx512_rows), avx512_types, .optional = true,
     .needs = FEATURE_AVX512F},
    {"org.gnu.gdb.i386.pkeys", ROWS(pkru_rows), .optional = true, .needs = FEATURE_PKU},
    {"org.gnu.gdb.i386.segments", ROWS(segment_rows)},
    {"rhea.i386.system", ROWS(system_rows), system_types, "system"},
};
/* clang-format on */

static bool part_there(Vcpu *cpu, const Part *p)
{
    return !p->optional || feature_has(&cpu_model(cpu)->features, p->needs);
}

static unsigned row_count(const Row *r)
{
    return r->count ? r->count : 1;
}

/* ---- the description ---- */

static void describe_row(GString *out, const Part *p, const Row *r)
{
    for (unsigned i = 0; i < row_count(r); i++) {
        g_string_append(out, "<reg name=\"");
        g_string_append_printf(out, r->name, r->index + i);
        g_string_append_printf(out, "\" bitsize=\"%u\" type=\"%s\"", r->bits, r->type);
        if (p->group) {
            g_string_append_printf(out, " group=\"%s\"", p->group);
        }
        g_string_append(out, "/>\n");
    }
}

static char *describe(Vcpu *cpu)
{
    GString *out = g_string_new("<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM "
                                "\"gdb-target.dtd\">\n<target version=\"1.0\">\n"
                                "<architecture>i386:x86-64</architecture>\n");

    for (const Part *p = parts; p < parts + G_N_ELEMENTS(parts); p++) {
        if (part_there(cpu, p)) {
            g_string_append_printf(out, "<feature name=\"%s\">\n%s", p->feature, p->types ?: "");
            for (unsigned i = 0; i < p->count; i++) {
                describe_row(out, p, &p->rows[i]);
            }
            g_string_append(out, "</feature>\n");
        }
    }
    g_string_append(out, "</target>\n");
    return g_string_free(out, FALSE);
}

/* Register n: its row, and which of that. NULL: there are not so many. */
static const Row *row_of(Vcpu *cpu, unsigned n, unsigned *index)
{
    for (const Part *p = parts; p < parts + G_N_ELEMENTS(parts); p++) {
        for (unsigned i = 0; part_there(cpu, p) && i < p->count; i++) {
            if (n < row_count(&p->rows[i])) {
                *index = p->rows[i].index + n;
                return &p->rows[i];
            }
            n -= row_count(&p->rows[i]);
        }
    }
    return NULL;
}

/* ---- linear pc and sp ---- */

static unsigned code_bits(const X86State *s)
{
    const X86Segment *cs = &s->seg[SEG_CS];

    return s->efer & EFER_LMA && cs->attr & ATTR_L ? 64 : cs->attr & ATTR_DB ? 32 : 16;
}

static uint64_t linear_pc(const X86State *s)
{
    return code_bits(s) == 64 ? s->rip : (uint32_t)(s->seg[SEG_CS].base + s->rip);
}

/* Who sends a halted CPU elsewhere wants it to run there. */
static uint32_t set_raw_pc(X86State *s, uint64_t rip)
{
    bool wakes = rip != s->rip && s->activity == CPU_HALTED;

    s->rip = rip;
    if (wakes) {
        s->activity = CPU_RUNNING;
    }
    return X86_GPR | (wakes ? X86_EVENTS : 0);
}

static uint32_t set_linear_pc(X86State *s, uint64_t pc)
{
    return set_raw_pc(s, code_bits(s) == 64 ? pc : (uint32_t)(pc - s->seg[SEG_CS].base));
}

static bool stack_is_wide(const X86State *s)
{
    return s->seg[SEG_SS].attr & ATTR_DB;
}

static uint64_t linear_sp(const X86State *s)
{
    uint64_t sp = s->gpr[R_SP];

    if (code_bits(s) == 64) {
        return sp;
    }
    return (uint32_t)(s->seg[SEG_SS].base + (stack_is_wide(s) ? (uint32_t)sp : (uint16_t)sp));
}

/* What is not part of the stack pointer in this mode stays as it is. */
static void set_linear_sp(X86State *s, uint64_t sp)
{
    uint64_t offset = sp - s->seg[SEG_SS].base;

    if (code_bits(s) == 64) {
        s->gpr[R_SP] = sp;
    } else if (stack_is_wide(s)) {
        s->gpr[R_SP] = (uint32_t)offset;
    } else {
        s->gpr[R_SP] = (s->gpr[R_SP] & ~0xffffull) | (uint16_t)offset;
    }
}

/* ---- parts of the state ---- */

static void set_selector(X86State *s, unsigned seg, uint16_t selector)
{
    X86Segment *g = &s->seg[seg];
    bool real = !(s->cr0 & CR0_PE) || s->rflags & FLAG_VM;

    if (g->selector != selector && real && seg < SEG_LDTR) {
        g->base = (uint32_t)selector << 4;
    }
    g->selector = selector;
}

/* The tag word of FNSTENV from the abridged one: 0 valid, 1 zero, 2 special, 3 empty. */
static uint32_t full_tags(const X86Fpu *f)
{
    unsigned top = f->fsw >> 11 & 7;
    uint32_t tags = 0;

    for (unsigned physical = 0; physical < 8; physical++) {
        const uint64_t *st = f->st[(physical - top) & 7];
        unsigned exponent = st[1] & 0x7fff, tag = 2;

        if (!(f->ftw >> physical & 1)) {
            tag = 3;
        } else if (!exponent && !st[0]) {
            tag = 1;
        } else if (exponent != 0x7fff && st[0] >> 63) {
            tag = 0;
        }
        tags |= tag << 2 * physical;
    }
    return tags;
}

static uint8_t abridged_tags(uint32_t tags)
{
    uint8_t ftw = 0;

    for (unsigned n = 0; n < 8; n++) {
        ftw |= (tags >> 2 * n & 3) != 3 ? 1 << n : 0;
    }
    return ftw;
}

static uint64_t *control_register(X86State *s, unsigned n)
{
    return n == 0 ? &s->cr0 : n == 2 ? &s->cr2 : n == 3 ? &s->cr3 : &s->cr4;
}

static uint64_t *debug_register(X86State *s, unsigned n)
{
    return n < 4 ? &s->dr[n] : n == 6 ? &s->dr6 : &s->dr7;
}

static X86Table *table(X86State *s, unsigned n)
{
    return n ? &s->idtr : &s->gdtr;
}

/* ---- reading ---- */

static uint64_t get_fpu(const X86Fpu *f, Kind kind)
{
    switch (kind) {
    case FCTRL:
        return f->fcw;
    case FSTAT:
        return f->fsw;
    case FTAG:
        return full_tags(f);
    case FISEG:
        return f->fcs;
    case FIOFF:
        return (uint32_t)f->fip;
    case FOSEG:
        return f->fds;
    case FOOFF:
        return (uint32_t)f->fdp;
    case FOP:
        return f->fop;
    default:
        return f->mxcsr;
    }
}

static uint64_t get_number(Vcpu *cpu, Kind kind, unsigned n)
{
    X86State *s = cpu->state;

    switch (kind) {
    case GPR:
        return s->gpr[n];
    case SP:
        return linear_sp(s);
    case PC:
        return linear_pc(s);
    case RAW_SP:
        return s->gpr[R_SP];
    case RAW_PC:
        return s->rip;
    case CODE_BITS:
        return code_bits(s);
    case FLAGS:
        return s->rflags;
    case SELECTOR:
        return s->seg[n].selector;
    case SEG_BASE:
        return s->seg[n].base;
    case SEG_LIMIT:
        return s->seg[n].limit;
    case SEG_ATTR:
        return s->seg[n].attr;
    case KERNEL_GS:
        return s->kernel_gs_base;
    case TABLE_BASE:
        return table(s, n)->base;
    case TABLE_LIMIT:
        return table(s, n)->limit;
    case CONTROL:
        if (n == 8) {
            return cpu->intc_ops && cpu->intc_ops->tpr ? cpu->intc_ops->tpr(cpu->intc) >> 4 : 0;
        }
        return *control_register(s, n);
    case EFER:
        return s->efer;
    case XCR0:
        return s->xcr0;
    case DEBUG:
        return *debug_register(s, n);
    case MASK:
        return s->fpu.k[n];
    case PKRU:
        return s->pkru;
    default:
        return get_fpu(&s->fpu, kind);
    }
}

static size_t x86_get(Vcpu *cpu, unsigned n, uint8_t *to)
{
    unsigned index;
    const Row *r = row_of(cpu, n, &index);
    const X86Fpu *f = &cpu->state->fpu;
    uint64_t value;

    if (!r) {
        return 0;
    }
    if (r->kind == VECTOR) {
        memcpy(to, &f->zmm[index][r->word], r->bits / 8);
    } else if (r->kind == ST) {
        memcpy(to, f->st[index], r->bits / 8);
    } else {
        value = get_number(cpu, r->kind, index);
        memcpy(to, &value, r->bits / 8);
    }
    return r->bits / 8;
}

/* ---- writing ---- */

static uint32_t set_fpu(X86Fpu *f, Kind kind, uint64_t value)
{
    switch (kind) {
    case FCTRL:
        f->fcw = value;
        break;
    case FSTAT:
        f->fsw = value;
        break;
    case FTAG:
        f->ftw = abridged_tags(value);
        break;
    case FISEG:
        f->fcs = value;
        break;
    case FIOFF:
        f->fip = (f->fip & ~0xffffffffull) | (uint32_t)value;
        break;
    case FOSEG:
        f->fds = value;
        break;
    case FOOFF:
        f->fdp = (f->fdp & ~0xffffffffull) | (uint32_t)value;
        break;
    case FOP:
        f->fop = value & 0x7ff;
        break;
    default:
        f->mxcsr = value & 0xffff; /* other bits are reserved: loading them would fault */
    }
    return X86_FPU;
}

/* PAE paging reads its four top entries when CR3 is loaded. */
static void load_pdptes(Vcpu *cpu)
{
    X86State *s = cpu->state;

    if (s->cr0 & CR0_PG && s->cr4 & CR4_PAE && !(s->efer & EFER_LMA)) {
        mem_read(&cpu->memory, (Access){.cpu = cpu, .debug = true, .smm = s->smm}, s->cr3 & ~31ull,
                 s->pdpte, sizeof s->pdpte);
    }
}

static uint32_t set_control(Vcpu *cpu, unsigned n, uint64_t value)
{
    X86State *s = cpu->state;

    if (n == 8) {
        if (!cpu->intc_ops || !cpu->intc_ops->set_tpr || value > 15) {
            return 0;
        }
        cpu->intc_ops->set_tpr(cpu->intc, value << 4);
        return X86_LAPIC;
    }
    if (n == 3) {
        value &= (1ull << cpu_model(cpu)->phys_bits) - 1;
    }
    bool changes = *control_register(s, n) != value;
    *control_register(s, n) = value;
    if (changes && n != 2) {
        load_pdptes(cpu);
    }
    return X86_CONTROL;
}

static uint32_t set_segment(X86State *s, Kind kind, unsigned n, uint64_t value)
{
    switch (kind) {
    case SELECTOR:
        set_selector(s, n, value);
        break;
    case SEG_BASE:
        s->seg[n].base = value;
        break;
    case SEG_LIMIT:
        s->seg[n].limit = value;
        break;
    case SEG_ATTR:
        s->seg[n].attr = value;
        break;
    case TABLE_BASE:
        table(s, n)->base = value;
        break;
    default:
        table(s, n)->limit = value;
    }
    return X86_SEGS;
}

static uint32_t set_general(X86State *s, Kind kind, unsigned n, uint64_t value)
{
    switch (kind) {
    case GPR:
        s->gpr[n] = value;
        break;
    case SP:
        set_linear_sp(s, value);
        break;
    case PC:
        return set_linear_pc(s, value);
    case RAW_PC:
        return set_raw_pc(s, value);
    case RAW_SP:
        s->gpr[R_SP] = value;
        break;
    default:
        s->rflags = (value & 0x3f7fd5) | FLAG_ONE;
    }
    return X86_GPR;
}

static uint32_t set_number(Vcpu *cpu, Kind kind, unsigned n, uint64_t value)
{
    X86State *s = cpu->state;

    switch (kind) {
    case GPR:
    case SP:
    case PC:
    case RAW_SP:
    case RAW_PC:
    case FLAGS:
        return set_general(s, kind, n, value);
    case SELECTOR:
    case SEG_BASE:
    case SEG_LIMIT:
    case SEG_ATTR:
    case TABLE_BASE:
    case TABLE_LIMIT:
        return set_segment(s, kind, n, value);
    case CONTROL:
        return set_control(cpu, n, value);
    case KERNEL_GS:
        s->kernel_gs_base = value;
        return X86_MSRS;
    case EFER:
        s->efer = value & (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
        return X86_CONTROL;
    case DEBUG:
        *debug_register(s, n) = value;
        return X86_CONTROL;
    case PKRU:
        s->pkru = value;
        return X86_CONTROL;
    case MASK:
        s->fpu.k[n] = value;
        return X86_FPU;
    case XCR0: /* what it may be depends on the model: left to the guest */
    case CODE_BITS:
        return 0;
    default:
        return set_fpu(&s->fpu, kind, value);
    }
}

static uint32_t x86_set(Vcpu *cpu, unsigned reg, const uint8_t *from, size_t n)
{
    unsigned index;
    const Row *r = row_of(cpu, reg, &index);
    X86Fpu *f = &cpu->state->fpu;
    uint64_t value = 0;

    if (!r || n != r->bits / 8) {
        return 0;
    }
    if (r->kind == VECTOR) {
        memcpy(&f->zmm[index][r->word], from, n);
        return X86_FPU;
    }
    if (r->kind == ST) {
        memcpy(f->st[index], from, n);
        return X86_FPU;
    }
    memcpy(&value, from, n);
    return set_number(cpu, r->kind, index, value);
}

/* ---- memory, place, activity ---- */

static uint64_t reach(Vcpu *cpu, uint64_t addr)
{
    return cpu->state->efer & EFER_LMA ? addr : (uint32_t)addr;
}

static size_t x86_read(Vcpu *cpu, uint64_t addr, void *to, size_t n)
{
    return cpu_peek(cpu, reach(cpu, addr), to, n);
}

static size_t x86_write(Vcpu *cpu, uint64_t addr, const void *from, size_t n)
{
    return cpu_poke(cpu, reach(cpu, addr), from, n);
}

static uint64_t x86_pc(Vcpu *cpu)
{
    return linear_pc(cpu->state);
}

static uint32_t x86_set_pc(Vcpu *cpu, uint64_t pc)
{
    return set_linear_pc(cpu->state, pc);
}

static const char *x86_activity(Vcpu *cpu)
{
    static const char *const names[] = {"running", "halted", "waiting for a start-up IPI",
                                        "shut down"};

    return names[cpu->state->activity & 3];
}

static bool x86_sleeps(Vcpu *cpu)
{
    return cpu->state->activity != CPU_RUNNING;
}

const GdbArch x86_gdb = {
    .describe = describe,
    .get = x86_get,
    .set = x86_set,
    .read = x86_read,
    .write = x86_write,
    .pc = x86_pc,
    .set_pc = x86_set_pc,
    .activity = x86_activity,
    .sleeps = x86_sleeps,
};
