/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What CPUID shows is there: each row of the instruction table that `max` has finds a handler, and
 * each row of AVX-512 whether this host could run its stub or not. */
#include "target/i386/decode/table.h"
#include "target/i386/model.h"
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
GUEST(count_zeros, ".code64\n mov $0x10, %ecx\n tzcnt %ecx, %eax\n lzcnt %ecx, %ebx\n hlt");
GUEST(and_not, ".code16\n andn %eax, %ebx, %ecx\n hlt");
/* clang-format on */

enum { BYTES = 16, MOST_ROWS = 8192 };

typedef struct Found {
    BareCpu *cpu[3]; /* by CodeSize */
    CpuModel model;
    bool met[MOST_ROWS];
    unsigned rows, unbound;
} Found;

static void meet(Found *f, CodeSize code, const uint8_t *bytes)
{
    Cpu *c = f->cpu[code]->c;
    Insn i;

    if (decode(code, bytes, BYTES, &i) != DECODE_OK || f->met[i.row]) {
        return;
    }
    f->met[i.row] = true;
    f->rows++;
    if (insn_supported(&f->model.features, &i) && !bind_integer(c, &i) && !bind_system(c, &i) &&
        !bind_vector(c, &i)) {
        fprintf(stderr, "# row %u, %s, has no handler: %02x %02x %02x %02x %02x %02x\n", i.row,
                op_names[i.op], bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5]);
        f->unbound++;
    }
}

static void meet_all(Found *f, uint8_t *bytes, unsigned at)
{
    for (unsigned n = 0; n < 65536; n++) {
        bytes[at] = (uint8_t)(n >> 8);
        bytes[at + 1] = (uint8_t)n;
        bytes[at + 2] = 0x11; /* a SIB byte: not all registers the same */
        meet(f, CODE_64, bytes);
        meet(f, CODE_32, bytes);
    }
}

static void meet_legacy(Found *f)
{
    static const uint8_t start[][5] = {{0},
                                       {0x66},
                                       {0xf2},
                                       {0xf3},
                                       {0x48},
                                       {0x0f},
                                       {0x66, 0x0f},
                                       {0xf2, 0x0f},
                                       {0xf3, 0x0f},
                                       {0x48, 0x0f},
                                       {0x66, 0x48, 0x0f}};
    static const uint8_t map[] = {0, 0x38, 0x3a};

    for (unsigned n = 0; n < sizeof start / sizeof start[0] * 3; n++) {
        uint8_t bytes[BYTES] = {0};
        unsigned at = (unsigned)strlen((const char *)start[n / 3]);

        memcpy(bytes, start[n / 3], at);
        if (map[n % 3]) {
            bytes[at++] = map[n % 3];
        }
        meet_all(f, bytes, at);
    }
}

static void meet_vex(Found *f)
{
    for (unsigned n = 0; n < 3 * 16 * 2; n++) {
        uint8_t bytes[BYTES] = {0xc4, (uint8_t)(0xe1 + n % 3), (uint8_t)(n / 3 % 8)};

        bytes[2] |= (uint8_t)((n / 24 % 2 ? 0x78 : 0x40) | (n / 48 ? 0x80 : 0));
        meet_all(f, bytes, 3);
    }
}

static void meet_evex(Found *f)
{
    for (unsigned n = 0; n < 3 * 2 * 4 * 4; n++) {
        uint8_t bytes[BYTES] = {0x62, (uint8_t)(0xf1 + n % 3)};

        bytes[2] = (uint8_t)((n & 1 ? 0x80 : 0) | 0x7c | n / 6 % 4);
        for (unsigned mask = 0; mask < 2; mask++) {
            bytes[3] = (uint8_t)((n / 24) << 5 | 8 | mask);
            meet_all(f, bytes, 4);
        }
    }
}

static void with_avx512(X86Features *f)
{
    for (unsigned n = 0; n < decode_rows; n++) {
        if (decode_table[n].fpu == ROW_FPU_AVX512) {
            feature_set(f, (X86Feature)decode_table[n].feature, true);
        }
    }
    feature_set(f, FEATURE_AVX512VL, true);
}

TEST("rt: each instruction of the model max, and each of AVX-512, has a handler")
{
    static Error *none;
    Found *f = calloc(1, sizeof *f);

    check(model_parse("max", &f->model, &none), true);
    with_avx512(&f->model.features);
    for (CodeSize code = CODE_16; code <= CODE_64; code++) {
        f->cpu[code] = bare_new(code);
        f->cpu[code]->c->features = &f->model.features;
    }
    meet_legacy(f);
    meet_vex(f);
    meet_evex(f);
    printf("# %u rows met\n", f->rows);
    check(f->rows > 2000, true);
    check(f->unbound, 0);
    for (CodeSize code = CODE_16; code <= CODE_64; code++) {
        bare_free(f->cpu[code]);
    }
    free(f);
}

TEST("rt: without BMI1 and ABM the bytes of TZCNT and LZCNT are BSF and BSR")
{
    BareCpu *b = bare_new(CODE_64);

    feature_set(&b->features, FEATURE_BMI1, false);
    feature_set(&b->features, FEATURE_ABM, false);
    bare_load(b, count_zeros, count_zeros_end);
    bare_run(b);
    check(b->c->s.gpr[R_AX], 4);
    check(b->c->s.gpr[R_BX], 4);
    bare_free(b);
    b = bare_run_code(CODE_64, count_zeros, count_zeros_end, NULL);
    check(b->c->s.gpr[R_BX], 27);
    bare_free(b);
}

TEST("rt: instructions with VEX are undefined in real mode")
{
    BareCpu *b = bare_run_code(CODE_16, and_not, and_not_end, NULL);

    check(bare_fault(b), EXC_UD);
    bare_free(b);
}
