/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu-tests: every user-mode instruction that the decoder knows and the host can run, natively and
 * in one of our engines, with the same registers, flags, FPU and memory; both must end alike,
 * faults included. Prints how many encodings and cases ran; a difference prints what went in and
 * what came out. Options: --cases N (of each encoding), --seed N, --code 16|32|64, --avx512 (its
 * instructions only), --op NAME, --all (show every difference),
 * --interpreter (not the translator),
 * --bochs (the host is that emulator: excuse what it is known to do differently).
 */
#include "target/i386/decode/spec.h"
#include "target/i386/state.h"
#include "tests/cpu/gen.h"
#include "tests/cpu/interp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 8192, MAX_SHOWN = 3 };

typedef struct Run {
    Random random;
    Interp *interp;
    unsigned cases, code;
    const char *op;
    uint64_t seed;
    Engine engine;
    bool all, verbose, window, trace, chosen, failed, avx512, bochs;

    Encoding e;
    CpuRegs in;
    Outcome native, ours;
    unsigned long encodings, ran, differ, unsupported;
    unsigned shown[OP_COUNT];
    bool row_seen[MAX_ROWS];
    char what[400]; /* the first difference of a case */
} Run;

/* ---- memory of both sides ---- */

static void put_both(void *opaque, uint64_t linear, const void *bytes, unsigned count)
{
    Run *t = opaque;

    memcpy((void *)(uintptr_t)linear, bytes, count);
    memcpy(interp_memory(t->interp, linear), bytes, count);
}

static void put_code(Run *t, bool instruction)
{
    uint8_t code[64];

    memset(code, 0xcc, sizeof code);
    if (instruction) {
        memcpy(code, t->e.bytes, t->e.insn.len);
    }
    put_both(t, CODE_AT, code, sizeof code);
    interp_code_written(t->interp, CODE_AT, sizeof code);
}

static void differ(Run *t, const char *name, unsigned n, uint64_t native, uint64_t ours)
{
    size_t used = strlen(t->what);

    snprintf(t->what + used, sizeof t->what - used, " %s%.0u: host %#llx, ours %#llx;", name, n,
             (unsigned long long)native, (unsigned long long)ours);
}

/* AMD's processors show a bit in MXCSR_MASK that ours do not. */
static void mxcsr_mask(Run *t, uint8_t *native, uint8_t *ours)
{
    RowFpu kind = insn_row(&t->e.insn)->fpu;

    if ((kind == ROW_FPU_FXSAVE || kind == ROW_FPU_XSAVE) && native[2] == 2 && !ours[2]) {
        ours[2] = 2;
    }
}

static void compare_memory(Run *t, uint64_t base, unsigned bytes)
{
    uint8_t *native = (uint8_t *)(uintptr_t)base, *ours = interp_memory(t->interp, base);

    if (t->e.operand >= base && t->e.operand + 31 < base + bytes) {
        mxcsr_mask(t, native + (t->e.operand - base) + 28, ours + (t->e.operand - base) + 28);
    }
    if (t->chosen) {
        memcpy(ours, native, bytes);
    }
    if (!memcmp(native, ours, bytes)) {
        return;
    }
    for (unsigned n = 0; n < bytes; n++) {
        if (native[n] != ours[n]) {
            char name[32];

            snprintf(name, sizeof name, "byte at %#llx", (unsigned long long)base + n);
            differ(t, name, 0, native[n], ours[n]);
            break;
        }
    }
    memcpy(ours, native, bytes);
}

/* ---- registers ---- */

static uint64_t word(const uint8_t *at, unsigned bytes)
{
    uint64_t v = 0;

    memcpy(&v, at, bytes);
    return v;
}

static void compare_words(Run *t, const char *name, unsigned at, unsigned words)
{
    for (unsigned n = 0; n < words; n++) {
        uint64_t a = word(t->native.regs.fpu + at + 8 * n, 8);
        uint64_t b = word(t->ours.regs.fpu + at + 8 * n, 8);

        if (a != b) {
            differ(t, name, n, a, b);
        }
    }
}

static void compare_fpu(Run *t)
{
    static const struct {
        const char *name;
        uint8_t at, bytes;
    } head[] = {{"fcw", 0, 2}, {"fsw", 2, 2},  {"ftw", 4, 1},   {"fop", 6, 2},
                {"fip", 8, 8}, {"fdp", 16, 8}, {"mxcsr", 24, 4}};
    uint8_t *a = t->native.regs.fpu, *b = t->ours.regs.fpu;

    image_normalize(a);
    image_normalize(b);
    for (unsigned n = 0; n < sizeof head / sizeof *head; n++) {
        /* AMD's processors forget the pointers when no exception is pending. */
        bool forgotten = n >= 3 && n <= 5 && !(a[2] & 0x80);

        if (!forgotten &&
            word(a + head[n].at, head[n].bytes) != word(b + head[n].at, head[n].bytes)) {
            differ(t, head[n].name, 0, word(a + head[n].at, head[n].bytes),
                   word(b + head[n].at, head[n].bytes));
        }
    }
    for (unsigned n = 0; n < 16; n++) {
        unsigned st = 32 + 16 * (n / 2) + 8 * (n & 1), bytes = n & 1 ? 2 : 8;

        if (word(a + st, bytes) != word(b + st, bytes)) {
            differ(t, n & 1 ? "st.high " : "st.low ", n / 2, word(a + st, bytes),
                   word(b + st, bytes));
        }
    }
    compare_words(t, "xmm word ", 160, 32);
    for (unsigned n = 2; n < 8; n++) {
        static const struct {
            const char *name;
            uint8_t words;
        } part[] = {[2] = {"ymm word ", 32},
                    [5] = {"k", 8},
                    [6] = {"zmm word ", 64},
                    [7] = {"zmm16+ word ", 128}};

        if (native_components() >> n & 1) {
            compare_words(t, part[n].name, native_offset(n), part[n].words);
        }
    }
}

static uint64_t flags_compared(const Insn *i)
{
    return (FLAGS_ARITH | FLAG_DF | FLAG_AC | FLAG_NT | FLAG_ID) &
           ~(uint64_t)insn_row(i)->undefined;
}

/* Which part of their operand faults first is the processor's choice. */
static bool many_accesses(const Insn *i)
{
    switch (i->op) {
    case OP_FNSTENV:
    case OP_FNSAVE:
    case OP_FLDENV:
    case OP_FRSTOR:
    case OP_MASKMOVQ:
    case OP_MASKMOVDQU:
    case OP_VMASKMOVDQU:
        return true;
    default: /* ... and elements that a mask could select */
        return insn_row(i)->fpu == ROW_FPU_FXSAVE || insn_row(i)->fpu == ROW_FPU_XSAVE ||
               i->flags & INSN_EVEX;
    }
}

/* With a fault in the middle AMD's processors keep the flags of the last element, and look at the
 * other operand first. */
static bool repeated_compare(const Insn *i)
{
    return i->op == OP_CMPS || i->op == OP_SCAS;
}

/* AMD's processors let operands of SHA be unaligned, look for the page of a MASKMOV that stores
 * nothing and for its alignment, report alignment before the stack's limit, and clear the upper
 * half of a selector pushed as 32 bits; what a faulting PUSHA has written, and whether the stack or
 * the target of a CALL is looked at first, is anyone's choice. INTO is a trap: the interpreter's
 * address is before it. */
static bool choice_of_vendor(const Insn *i, uint8_t native, uint8_t ours)
{
    bool maskmov = i->op == OP_MASKMOVQ || i->op == OP_MASKMOVDQU || i->op == OP_VMASKMOVDQU;

    return (insn_row(i)->feature == FEATURE_SHA_NI && ours == EXC_GP) ||
           (maskmov && native != EXC_BP) ||
           (insn_row(i)->attr & ROW_ALIGN && native == EXC_GP && ours == EXC_SS) ||
           (i->op == OP_PUSH_SEG && i->opsize == 4) || i->op == OP_INTO ||
           (i->op == OP_PUSHA && native != EXC_BP) ||
           (i->op == OP_CALL && native != EXC_BP && ours == EXC_GP) ||
           (insn_row(i)->fpu == ROW_FPU_FXSAVE && native == EXC_AC && ours == EXC_GP);
}

/* AMD's processors have a bit in MXCSR (misaligned mode) that ours do not. */
static bool misaligned_mode(const Run *t)
{
    RowFpu kind = insn_row(&t->e.insn)->fpu;
    uint64_t at = t->e.operand + 24;

    return (kind == ROW_FPU_FXSAVE || kind == ROW_FPU_XSAVE) && t->native.vector == EXC_BP &&
           t->ours.vector == EXC_GP && at >= DATA_BASE && at + 4 <= DATA_BASE + DATA_BYTES &&
           word((uint8_t *)(uintptr_t)at, 4) >> 16 == 2;
}

/* The emulator Bochs takes EVEX.W for undefined unless it is 0 where the manual ignores it; reads
 * all of what VPMOVSX, VPMOVZX (class E5) and VEXPAND (E4) could, whatever the mask says; lets
 * masks suppress the faults of VEXTRACT (E6NF); scales displacements of VPEXTRW and VPINSRB as for
 * four bytes; converts before it looks whether VCVTPS2PH can store. */
static bool bochs_choice(const Run *t)
{
    const Insn *i = &t->e.insn;
    const InsnRow *row = insn_row(i);
    uint8_t native = t->native.vector, ours = t->ours.vector;
    bool ignores_w = i->flags & INSN_W && !(row->mask & 1u << KEY_W);
    bool widens = i->map == 2 && i->prefix & PREFIX_OPSIZE && (i->opcode & 0xe8) == 0x20;

    if (!t->bochs || !(i->flags & INSN_EVEX)) {
        return false;
    }
    return (native == EXC_UD && ignores_w) || (i->op == OP_VCVTPS2PH && ours != EXC_BP) ||
           ((i->op == OP_VPEXTRW || i->op == OP_VPINSRB) && t->e.disp_bytes == 1) ||
           (i->mask && native != EXC_BP && ours == EXC_BP && (widens || row->tuple)) ||
           (i->mask && native == EXC_BP && ours != EXC_BP && row->attr & ROW_WHOLE);
}

static bool ours_to_know(uint64_t linear)
{
    return linear >= CODE_BASE && linear < STACK_BASE + STACK_BYTES;
}

static void compare_registers(Run *t)
{
    const Outcome *a = &t->native, *b = &t->ours;
    uint64_t flags = flags_compared(&t->e.insn);

    if (repeated_compare(&t->e.insn) && a->vector != EXC_BP && b->vector != EXC_BP) {
        return;
    }
    if (choice_of_vendor(&t->e.insn, a->vector, b->vector) || misaligned_mode(t) ||
        bochs_choice(t)) {
        t->chosen = true;
        return;
    }
    if (a->vector != b->vector) {
        differ(t, "vector", 0, a->vector, b->vector);
        return;
    }
    /* Elsewhere something of this program or of Linux may be, though not for it. */
    if ((a->error ^ b->error) & (ours_to_know(a->cr2) ? ~0u : ~1u)) {
        differ(t, "error", 0, a->error, b->error);
    }
    if (many_accesses(&t->e.insn) ? a->cr2 - b->cr2 + 0xfff > 0x1ffe : a->cr2 != b->cr2) {
        differ(t, "cr2", 0, a->cr2, b->cr2);
    }
    if (a->regs.rip != b->regs.rip) {
        differ(t, "rip", 0, a->regs.rip, b->regs.rip);
    }
    if ((a->regs.rflags ^ b->regs.rflags) & flags) {
        differ(t, "flags", 0, a->regs.rflags & flags, b->regs.rflags & flags);
    }
    for (unsigned n = 0; n < (t->e.code == CODE_64 ? 16 : 8); n++) {
        uint64_t mask = t->e.code == CODE_64 ? ~0ull : 0xffffffff;

        if ((a->regs.gpr[n] ^ b->regs.gpr[n]) & mask) {
            differ(t, "gpr ", n, a->regs.gpr[n], b->regs.gpr[n]);
        }
    }
}

/* ---- a case ---- */

static void show(Run *t)
{
    const Insn *i = &t->e.insn;
    static const char *const bits[] = {"16", "32", "64"};

    t->differ++;
    if (t->shown[i->op]++ >= MAX_SHOWN && !t->all) {
        return;
    }
    printf("differs: %s-bit %s ", bits[t->e.code], op_names[i->op]);
    for (unsigned n = 0; n < i->len; n++) {
        printf("%02x", t->e.bytes[n]);
    }
    printf(":%s\n", t->what);
    if (t->verbose) {
        for (unsigned n = 0; n < 16; n++) {
            printf("   gpr %u = %#llx\n", n, (unsigned long long)t->in.gpr[n]);
        }
        printf("   flags = %#llx, vector %u, rip %#llx\n", (unsigned long long)t->in.rflags,
               t->native.vector, (unsigned long long)t->native.regs.rip);
    }
}

static void run_case(Run *t)
{
    operands_make(&t->random, &t->e, &t->in, put_both, t);
    if (decode(t->e.code, t->e.bytes, 15, &t->e.insn) != DECODE_OK) {
        return; /* a displacement made another instruction of it */
    }
    put_code(t, true);
    if (t->trace) {
        for (unsigned n = 0; n < t->e.insn.len; n++) {
            fprintf(stderr, "%02x", t->e.bytes[n]);
        }
        fprintf(stderr, " %s\n", op_names[t->e.insn.op]);
    }
    native_run(t->e.code, &t->in, &t->native);
    interp_run(t->interp, t->e.code, &t->in, &t->ours);
    put_code(t, false);
    t->what[0] = 0;
    t->chosen = false;
    compare_registers(t);
    if (!t->chosen) {
        compare_fpu(t);
    }
    compare_memory(t, DATA_BASE, DATA_BYTES);
    compare_memory(t, STACK_BASE, STACK_BYTES);
    t->ran++;
    if (t->what[0]) {
        show(t);
    }
}

static void run_code_size(Run *t, CodeSize code)
{
    Shape s = {.code = code};

    do {
        if (!encoding_make(&t->random, &s, &t->e)) {
            continue;
        }
        if (t->avx512 && insn_row(&t->e.insn)->fpu != ROW_FPU_AVX512) {
            continue;
        }
        if (t->op && strcmp(t->op, op_names[t->e.insn.op])) {
            continue;
        }
        if (!interp_supports(t->interp, &t->e.insn)) {
            t->unsupported++;
            continue;
        }
        t->encodings++;
        t->row_seen[t->e.insn.row % MAX_ROWS] = true;
        for (unsigned n = 0; n < t->cases; n++) {
            run_case(t);
        }
    } while (shape_next(&s));
}

static unsigned rows_seen(const Run *t)
{
    unsigned rows = 0;

    for (unsigned n = 0; n < MAX_ROWS; n++) {
        rows += t->row_seen[n];
    }
    return rows;
}

static void run_and_report(Run *t, CodeSize code, const char *name)
{
    t->encodings = t->ran = t->differ = t->unsupported = 0;
    memset(t->row_seen, 0, sizeof t->row_seen);
    t->random.state = t->seed;
    run_code_size(t, code);
    printf("%s cpu: %s-bit code: %lu cases of %lu encodings (%u of the table's %u rows, seed %llu) "
           "agree with the host (%s)",
           t->differ || !t->ran ? "FAIL" : "ok", name, t->ran - t->differ, t->encodings,
           rows_seen(t), decode_rows, (unsigned long long)t->seed,
           t->engine == ENGINE_BLOCKS ? "interpreter" : "translator");
    t->failed |= t->differ || !t->ran;
    printf(t->differ ? ", %lu differ\n" : "\n", t->differ);
    fflush(stdout);
}

static bool options(Run *t, int argc, char **argv)
{
    for (int n = 1; n < argc; n++) {
        const char *value = n + 1 < argc ? argv[n + 1] : "";

        if (!strcmp(argv[n], "--all")) {
            t->all = true;
        } else if (!strcmp(argv[n], "--verbose")) {
            t->verbose = true;
        } else if (!strcmp(argv[n], "--bochs")) {
            t->bochs = true;
        } else if (!strcmp(argv[n], "--trace")) {
            t->trace = true;
        } else if (!strcmp(argv[n], "--window")) {
            t->window = true;
        } else if (!strcmp(argv[n], "--interpreter")) {
            t->engine = ENGINE_BLOCKS;
        } else if (!strcmp(argv[n], "--cases")) {
            t->cases = atoi(value), n++;
        } else if (!strcmp(argv[n], "--seed")) {
            t->seed = strtoull(value, NULL, 0), n++;
        } else if (!strcmp(argv[n], "--code")) {
            t->code = atoi(value), n++;
        } else if (!strcmp(argv[n], "--avx512")) {
            t->avx512 = true;
        } else if (!strcmp(argv[n], "--op")) {
            t->op = value, n++;
        } else {
            fprintf(stderr, "cpu-tests: unknown option %s\n", argv[n]);
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    Run *t = calloc(1, sizeof *t);
    const char *why = NULL;
    bool legacy, failed;

    t->cases = 2;
    t->seed = 1;
    t->engine = ENGINE_TRANSLATOR;
    if (!options(t, argc, argv)) {
        return 2;
    }
    t->interp = interp_new(t->engine);
    if (t->window && !interp_window(t->interp)) {
        printf("skip cpu: no address space for the window\n");
        return 0;
    }
    if (!native_open(
            &why)) { /* after interp_new: both want the signals, and native passes them on */
        printf("skip cpu: %s\n", why);
        return 0;
    }
    legacy = native_open_legacy(&why);
    memset((void *)CODE_BASE, 0xcc, CODE_BYTES);
    memset(interp_memory(t->interp, CODE_BASE), 0xcc, CODE_BYTES);
    if (!t->code || t->code == 64) {
        run_and_report(t, CODE_64, "64");
    }
    for (CodeSize code = CODE_16; code <= CODE_32; code++) {
        if (t->code && t->code != (code == CODE_16 ? 16 : 32)) {
            continue;
        }
        if (legacy) {
            run_and_report(t, code, code == CODE_16 ? "16" : "32");
        } else {
            printf("skip cpu: %s-bit code: %s\n", code == CODE_16 ? "16" : "32", why);
        }
    }
    failed = t->failed;
    interp_free(t->interp);
    free(t);
    return failed;
}
