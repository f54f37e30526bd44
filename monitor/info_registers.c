/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `info registers`, `info cpus`, `cpu`: the registers of a vCPU in QEMU's layout, which tools and
 * eyes know. Descriptor words are put together as they stand in a table (SDM volume 3, "Segment
 * descriptors"). YMM and ZMM halves follow where the guest has switched them on.
 */
#include "monitor/hmp_command.h"
#include "target/i386/state.h"

#include <string.h>

enum { XCR0_AVX = 4, XCR0_AVX512 = 0xe0, MEGA = 1 << 20 };

static bool long_code(const X86State *s)
{
    return s->efer & EFER_LMA && s->seg[SEG_CS].attr & ATTR_L;
}

/* ---- general registers ---- */

static void add_gpr64(GString *out, const X86State *s)
{
    static const char *const names[] = {"RAX", "RBX", "RCX", "RDX", "RSI", "RDI", "RBP", "RSP",
                                        "R8 ", "R9 ", "R10", "R11", "R12", "R13", "R14", "R15"};
    static const uint8_t order[] = {R_AX, R_BX, R_CX, R_DX, R_SI, R_DI, R_BP, R_SP,
                                    8,    9,    10,   11,   12,   13,   14,   15};

    for (int i = 0; i < 16; i++) {
        g_string_append_printf(out, "%s=%016" PRIx64 "%c", names[i], s->gpr[order[i]],
                               i % 4 == 3 ? '\n' : ' ');
    }
}

static void add_gpr32(GString *out, const X86State *s)
{
    static const char *const names[] = {"EAX", "EBX", "ECX", "EDX", "ESI", "EDI", "EBP", "ESP"};
    static const uint8_t order[] = {R_AX, R_BX, R_CX, R_DX, R_SI, R_DI, R_BP, R_SP};

    for (int i = 0; i < 8; i++) {
        g_string_append_printf(out, "%s=%08x%c", names[i], (uint32_t)s->gpr[order[i]],
                               i % 4 == 3 ? '\n' : ' ');
    }
}

static void add_flags(GString *out, const X86State *s)
{
    static const struct {
        uint32_t bit;
        char letter;
    } flags[] = {{FLAG_DF, 'D'}, {FLAG_OF, 'O'}, {FLAG_SF, 'S'}, {FLAG_ZF, 'Z'},
                 {FLAG_AF, 'A'}, {FLAG_PF, 'P'}, {FLAG_CF, 'C'}};
    char letters[8] = "-------";

    for (int i = 0; i < 7; i++) {
        letters[i] = s->rflags & flags[i].bit ? flags[i].letter : '-';
    }
    g_string_append_printf(
        out, long_code(s) ? "RIP=%016" PRIx64 " RFL=" : "EIP=%08" PRIx64 " EFL=", s->rip);
    g_string_append_printf(out, "%08x [%s] CPL=%u II=%d A20=%d SMM=%d HLT=%d\n",
                           (uint32_t)s->rflags, letters, x86_cpl(s), s->sti_shadow || s->ss_shadow,
                           s->a20, s->smm, s->activity == CPU_HALTED);
}

/* ---- segments ---- */

static uint32_t descriptor_word(const X86Segment *g)
{
    uint32_t limit = g->attr & ATTR_G ? g->limit >> 12 : g->limit;

    return (uint32_t)g->attr << 8 | (limit & 0xf0000);
}

static const char *system_type(unsigned type, bool lma)
{
    static const char *const protected[] = {
        "Reserved", "TSS16-avl", "LDT",      "TSS16-busy", "CALL16", "TaskGate", "INT16", "TRAP16",
        "Reserved", "TSS32-avl", "Reserved", "TSS32-busy", "CALL32", "Reserved", "INT32", "TRAP32"};

    if (!lma || type == 2) {
        return protected[type];
    }
    switch (type) {
    case 9:
        return "TSS64-avl";
    case 11:
        return "TSS64-busy";
    case 12:
        return "CALL64";
    case 14:
        return "INT64";
    case 15:
        return "TRAP64";
    default:
        return "Reserved";
    }
}

/* "DPL=0 CS64 [-RA]" */
static void add_meaning(GString *out, const X86State *s, const X86Segment *g)
{
    unsigned a = g->attr;

    g_string_append_printf(out, " DPL=%u ", (a & ATTR_DPL) >> ATTR_DPL_SHIFT);
    if (!(a & ATTR_S)) {
        g_string_append(out, system_type(a & ATTR_TYPE, s->efer & EFER_LMA));
    } else if (a & ATTR_CODE) {
        g_string_append_printf(out, "CS%s [%c%c%c]",
                               a & ATTR_L    ? "64"
                               : a & ATTR_DB ? "32"
                                             : "16",
                               a & ATTR_DOWN_CONFORM ? 'C' : '-', a & ATTR_WRITE_READ ? 'R' : '-',
                               a & ATTR_ACCESSED ? 'A' : '-');
    } else {
        g_string_append_printf(out, "DS%s [%c%c%c]", a & ATTR_DB || long_code(s) ? "  " : "16",
                               a & ATTR_DOWN_CONFORM ? 'E' : '-', a & ATTR_WRITE_READ ? 'W' : '-',
                               a & ATTR_ACCESSED ? 'A' : '-');
    }
}

static void add_segment(GString *out, const X86State *s, const char *name, const X86Segment *g)
{
    bool protected = s->cr0 & CR0_PE && !(s->rflags & FLAG_VM);

    g_string_append_printf(out, "%s=%04x ", name, g->selector);
    g_string_append_printf(out, s->efer & EFER_LMA ? "%016" PRIx64 : "%08" PRIx64, g->base);
    g_string_append_printf(out, " %08x %08x", g->limit, descriptor_word(g));
    if (protected && g->attr & ATTR_P) {
        add_meaning(out, s, g);
    }
    g_string_append_c(out, '\n');
}

static void add_tables(GString *out, const X86State *s)
{
    const char *format =
        s->efer & EFER_LMA ? "%s=     %016" PRIx64 " %08x\n" : "%s=     %08" PRIx64 " %08x\n";

    g_string_append_printf(out, format, "GDT", s->gdtr.base, s->gdtr.limit);
    g_string_append_printf(out, format, "IDT", s->idtr.base, s->idtr.limit);
}

static void add_control(GString *out, const X86State *s)
{
    const char *cr = s->efer & EFER_LMA ? "CR0=%08" PRIx64 " CR2=%016" PRIx64 " CR3=%016" PRIx64
                                          " CR4=%08" PRIx64 "\n"
                                        : "CR0=%08" PRIx64 " CR2=%08" PRIx64 " CR3=%08" PRIx64
                                          " CR4=%08" PRIx64 "\n";
    const char *dr = s->efer & EFER_LMA ? "DR%d=%016" PRIx64 "%c" : "DR%d=%08" PRIx64 "%c";

    g_string_append_printf(out, cr, s->cr0, s->cr2, s->cr3, s->cr4);
    for (int i = 0; i < 4; i++) {
        g_string_append_printf(out, dr, i, s->dr[i], i == 3 ? '\n' : ' ');
    }
    g_string_append_printf(out, dr, 6, s->dr6, ' ');
    g_string_append_printf(out, dr, 7, s->dr7, '\n');
    g_string_append_printf(out, "EFER=%016" PRIx64 "\n", s->efer);
}

/* ---- FPU, vectors ---- */

static void add_fpu(GString *out, const X86Fpu *f)
{
    g_string_append_printf(out, "FCW=%04x FSW=%04x [ST=%d] FTW=%02x MXCSR=%08x\n", f->fcw, f->fsw,
                           f->fsw >> 11 & 7, f->ftw, f->mxcsr);
    for (int i = 0; i < 8; i++) { /* by physical register, as in QEMU */
        const uint64_t *st = f->st[(i - (f->fsw >> 11)) & 7];

        g_string_append_printf(out, "FPR%d=%016" PRIx64 " %04x%c", i, st[0], (uint16_t)st[1],
                               i & 1 ? '\n' : ' ');
    }
}

static void add_vectors(GString *out, const X86State *s)
{
    bool avx512 = (s->xcr0 & XCR0_AVX512) == XCR0_AVX512;
    int quads = avx512 ? 8 : s->xcr0 & XCR0_AVX ? 4 : 2;
    int registers = long_code(s) ? avx512 ? 32 : 16 : 8;

    for (int i = 0; avx512 && i < 8; i++) {
        g_string_append_printf(out, "Opmask%02d=%016" PRIx64 "%c", i, s->fpu.k[i],
                               i % 4 == 3 ? '\n' : ' ');
    }
    for (int i = 0; i < registers; i++) {
        g_string_append_printf(out, "%cMM%02d=", quads == 8 ? 'Z' : quads == 4 ? 'Y' : 'X', i);
        for (int n = quads; n-- > 0;) {
            g_string_append_printf(out, "%016" PRIx64 "%s", s->fpu.zmm[i][n],
                                   n && quads > 2 ? " " : "");
        }
        g_string_append_c(out, quads > 2 || i & 1 ? '\n' : ' ');
    }
}

/* ---- commands ---- */

static void add_registers(GString *out, const X86State *s)
{
    static const char *const names[] = {"ES ", "CS ", "SS ", "DS ", "FS ", "GS ", "LDT", "TR "};

    long_code(s) ? add_gpr64(out, s) : add_gpr32(out, s);
    add_flags(out, s);
    for (int i = 0; i < SEG_COUNT; i++) {
        add_segment(out, s, names[i], &s->seg[i]);
    }
    add_tables(out, s);
    add_control(out, s);
    add_fpu(out, &s->fpu);
    add_vectors(out, s);
}

static bool one_cpu(Hmp *h, Vcpu *cpu, Error **err)
{
    if (!cpu->state) {
        return error_set(err, "the engine keeps no registers");
    }
    hmp_say(h, "\nCPU#%u\n", cpu->id);
    add_registers(h->out, cpu->state);
    return true;
}

static bool info_registers(Hmp *h, Error **err)
{
    bool all = hmp_flag(h, 'a');
    uint64_t n = h->cpu;

    if (!hmp_cpu(h, err) || (!all && hmp_more(h) && !hmp_number(h, &n, err))) {
        return false;
    }
    if (!all && n >= machine_cpu_count(h->m)) {
        return error_set(err, "there is no CPU %" PRIu64, n);
    }
    for (unsigned i = all ? 0 : n; all ? i < machine_cpu_count(h->m) : i == n; i++) {
        if (!one_cpu(h, machine_cpu(h->m, i), err)) {
            return false;
        }
    }
    return true;
}

static bool choose_cpu(Hmp *h, Error **err)
{
    uint64_t n;

    if (!hmp_number(h, &n, err)) {
        return false;
    }
    if (n >= machine_cpu_count(h->m)) {
        return error_set(err, "there is no CPU %" PRIu64, n);
    }
    h->cpu = n;
    return true;
}

/* clang-format off */
static const HmpCommand commands[] = {
    {"registers", "[-a | CPU]", "registers of the chosen vCPU, of all (-a), or of one", info_registers, .info = true, .looks = true},
    {"cpu", "CPU", "choose the vCPU that later commands mean", choose_cpu, .looks = true},
    {0},
};
/* clang-format on */
HMP_COMMANDS(commands);
