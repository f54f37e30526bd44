/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The translator's emitters: Zydis reads back what was meant, for all registers and the forms of a
 * displacement. */
#include "target/i386/disas.h"
#include "target/i386/translate/asm.h"
#include "tests/lib/test.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

enum { NO_BASE = 0xff };

static const char *const r64[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                  "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
static const char *const r32[] = {"eax", "ecx", "edx",  "ebx",  "esp",  "ebp",  "esi",  "edi",
                                  "r8d", "r9d", "r10d", "r11d", "r12d", "r13d", "r14d", "r15d"};
static const int32_t disps[] = {0, 1, -128, 127, 128, -129, 0x12345678, -0x12345678};

/* What was written since the last time, as text. */
typedef struct Written {
    Emit e;
    uint8_t *from, bytes[4096];
    unsigned wrong;
} Written;

static void begin(Written *w)
{
    w->wrong = 0;
    w->e = (Emit){w->bytes, w->bytes + sizeof w->bytes, false};
    w->from = w->bytes;
}

__attribute__((format(printf, 2, 3))) static void reads(Written *w, const char *format, ...)
{
    unsigned len = (unsigned)(w->e.at - w->from);
    char *got = disassemble(CODE_64, w->from, len, 0), *want;
    Insn i;
    va_list args;

    va_start(args, format);
    want = g_strdup_vprintf(format, args);
    va_end(args);
    if (strcmp(got, want) || decode(CODE_64, w->from, len, &i) != DECODE_OK || i.len != len) {
        if (w->wrong++ < 5) {
            fprintf(stderr, "# wanted \"%s\", got \"%s\" in %u bytes\n", want, got, len);
        }
    }
    g_free(got);
    g_free(want);
    w->e.at = w->bytes;
    w->from = w->bytes;
}

/* As Zydis prints a displacement behind a register; "" for 0. */
static const char *signed_text(int32_t disp, char text[16])
{
    text[0] = 0;
    if (disp) {
        snprintf(text, 16, "%c0x%02X", disp < 0 ? '-' : '+',
                 disp < 0 ? -(uint32_t)disp : (uint32_t)disp);
    }
    return text;
}

TEST("translate: the emitters of moves are read back")
{
    Written w;

    begin(&w);
    for (unsigned a = 0; a < 16; a++) {
        for (unsigned b = 0; b < 16; b++) {
            mov_rr(&w.e, a, b);
            reads(&w, "mov %s, %s", r64[a], r64[b]);
            mov_rr32(&w.e, a, b);
            reads(&w, "mov %s, %s", r32[a], r32[b]);
        }
        mov_imm(&w.e, a, 0xfedcba98);
        reads(&w, "mov %s, 0xFEDCBA98", r32[a]);
        mov_imm(&w.e, a, -2);
        reads(&w, "mov %s, 0xFFFFFFFFFFFFFFFE", r64[a]);
        mov_imm(&w.e, a, 0x123456789abcdef0);
        reads(&w, "mov %s, 0x123456789ABCDEF0", r64[a]);
    }
    check(w.wrong, 0);
}

TEST("translate: the emitters of loads and stores of the state are read back")
{
    Written w;

    begin(&w);
    for (unsigned a = 0; a < 16; a++) {
        load_gs(&w.e, a, 0x1234);
        reads(&w, "mov %s, gs:[0x0000000000001234]", r64[a]);
        load_gs32(&w.e, a, 0x1234);
        reads(&w, "mov %s, gs:[0x0000000000001234]", r32[a]);
        load_gs8(&w.e, a, 0x1234);
        reads(&w, "movzx %s, byte ptr gs:[0x0000000000001234]", r32[a]);
        store_gs(&w.e, 0x1234, a);
        reads(&w, "mov gs:[0x0000000000001234], %s", r64[a]);
        store_gs32(&w.e, 0x1234, a);
        reads(&w, "mov gs:[0x0000000000001234], %s", r32[a]);
        if (a != H_SP) {
            load_gs_index(&w.e, H_CX, a, 0x1234);
            reads(&w, "mov rcx, gs:[%s*8+0x1234]", r64[a]);
            jmp_gs_index(&w.e, a, 0x1234);
            reads(&w, "jmp gs:[%s*8+0x1234]", r64[a]);
        }
    }
    store_gs16(&w.e, 0x10, H_R9);
    reads(&w, "mov gs:[0x0000000000000010], r9w");
    store_gs_imm(&w.e, 0x10, -1, true);
    reads(&w, "mov qword ptr gs:[0x0000000000000010], 0xFFFFFFFFFFFFFFFF");
    store_gs_imm(&w.e, 0x10, 0x12345678, false);
    reads(&w, "mov dword ptr gs:[0x0000000000000010], 0x12345678");
    store_gs16_imm(&w.e, 0x10, 0x1234);
    reads(&w, "mov word ptr gs:[0x0000000000000010], 0x1234");
    store_gs8_imm(&w.e, 0x10, 0x12);
    reads(&w, "mov byte ptr gs:[0x0000000000000010], 0x12");
    cmp_gs8_imm(&w.e, 0x10, 0x12);
    reads(&w, "cmp byte ptr gs:[0x0000000000000010], 0x12");
    check(w.wrong, 0);
}

static void base_forms(Written *w, unsigned to, unsigned base, int32_t disp)
{
    char text[16];
    const char *d = signed_text(disp, text);

    lea_base(&w->e, to, base, disp, true);
    reads(w, "lea %s, [%s%s]", r64[to], r64[base], d);
    lea_base(&w->e, to, base, disp, false);
    reads(w, "lea %s, [%s%s]", r32[to], r64[base], d);
    load_base(&w->e, to, base, disp, 8);
    reads(w, "mov %s, [%s%s]", r64[to], r64[base], d);
    load_base(&w->e, to, base, disp, 4);
    reads(w, "mov %s, [%s%s]", r32[to], r64[base], d);
    load_base(&w->e, to, base, disp, 2);
    reads(w, "movzx %s, word ptr [%s%s]", r32[to], r64[base], d);
    load_base(&w->e, to, base, disp, 1);
    reads(w, "movzx %s, byte ptr [%s%s]", r32[to], r64[base], d);
}

/* Zydis names the segment where RSP or RBP would mean SS by themselves: not here. */
static void pair_forms(Written *w, unsigned base, unsigned index, int32_t disp)
{
    char text[16];
    const char *d = signed_text(disp, text), *b = r64[base], *i = r64[index];

    for (unsigned scale = 0; scale < 4; scale++) {
        lea_index(&w->e, H_R10, base, index, scale, disp, true);
        reads(w, "lea r10, [%s+%s*%u%s]", b, i, 1u << scale, d);
    }
    load_pair(&w->e, H_BX, base, index, disp, 2);
    reads(w, "movzx ebx, word ptr [%s+%s*1%s]", b, i, d);
    load_pair(&w->e, H_R15, base, index, disp, 8);
    reads(w, "mov r15, [%s+%s*1%s]", b, i, d);
    store_pair(&w->e, H_R15, base, index, disp, 4);
    reads(w, "mov [%s+%s*1%s], r15d", b, i, d);
    load_pair_low(&w->e, H_BX, base, index, disp, 2);
    reads(w, "mov bx, [%s+%s*1%s]", b, i, d);
    load_pair_low(&w->e, H_CX, base, index, disp, 1);
    reads(w, "mov cl, [%s+%s*1%s]", b, i, d);
    store_pair(&w->e, H_CX, base, index, disp, 1);
    reads(w, "mov [%s+%s*1%s], cl", b, i, d);
    store_pair(&w->e, H_SI, base, index, disp, 2);
    reads(w, "mov [%s+%s*1%s], si", b, i, d);
    store_pair_imm(&w->e, -2, base, index, disp, 8);
    reads(w, "mov qword ptr [%s+%s*1%s], 0xFFFFFFFFFFFFFFFE", b, i, d);
    store_pair_imm(&w->e, 0x1234, base, index, disp, 2);
    reads(w, "mov word ptr [%s+%s*1%s], 0x1234", b, i, d);
}

TEST("translate: the emitters of addresses are read back")
{
    Written w;

    begin(&w);
    for (unsigned n = 0; n < 16 * 16 * G_N_ELEMENTS(disps); n++) {
        unsigned a = n & 15, b = n >> 4 & 15;

        base_forms(&w, a, b, disps[n >> 8]);
        if (b != H_SP) {
            pair_forms(&w, a, b, disps[n >> 8]);
        }
    }
    lea_index(&w.e, H_R9, NO_BASE, H_R12, 3, 0x10, true);
    reads(&w, "lea r9, [r12*8+0x10]");
    check(w.wrong, 0);
}

TEST("translate: the emitters of arithmetic are read back")
{
    Written w;

    begin(&w);
    for (unsigned a = 0; a < 16; a++) {
        for (unsigned b = 0; b < 16; b++) {
            alu_rr(&w.e, 0x01, a, b, true);
            reads(&w, "add %s, %s", r64[a], r64[b]);
            alu_rr(&w.e, 0x39, a, b, false);
            reads(&w, "cmp %s, %s", r32[a], r32[b]);
            shrx(&w.e, a, b, 15 - a);
            reads(&w, "shrx %s, %s, %s", r64[a], r64[b], r64[15 - a]);
            pext_gs(&w.e, a, b, 0x1234);
            reads(&w, "pext %s, %s, gs:[0x0000000000001234]", r64[a], r64[b]);
            pdep_gs(&w.e, a, b, 0x1234);
            reads(&w, "pdep %s, %s, gs:[0x0000000000001234]", r64[a], r64[b]);
            rorx(&w.e, a, b, 32, true);
            reads(&w, "rorx %s, %s, 0x20", r64[a], r64[b]);
            rorx(&w.e, a, b, 16, false);
            reads(&w, "rorx %s, %s, 0x10", r32[a], r32[b]);
            movzx16(&w.e, a, b);
            reads(&w, "movzx %s, %s%s", r32[a], b < 8 ? r32[b] + 1 : r64[b], b < 8 ? "" : "w");
        }
        alu_imm(&w.e, 7, a, 4095, true);
        reads(&w, "cmp %s, 0xFFF", r64[a]);
        alu_imm(&w.e, 4, a, -16, false);
        reads(&w, "and %s, 0xFFFFFFF0", r32[a]);
        not_reg(&w.e, a);
        reads(&w, "not %s", r64[a]);
    }
    check(w.wrong, 0);
}

TEST("translate: branches go where their holes are filled, forwards and backwards")
{
    Written w;
    Hole hole;

    begin(&w);
    hole = jmp32(&w.e);
    put_nops(&w.e, 7);
    fill32(&w.e, hole, w.e.at);
    w.e.at = w.bytes + 5;
    reads(&w, "jmp 0x000000000000000C");
    hole = jrcxz8(&w.e);
    put_nops(&w.e, 5);
    fill8(&w.e, hole);
    w.e.at = w.bytes + 2;
    reads(&w, "jrcxz 0x0000000000000007");
    hole = loop8(&w.e);
    put_nops(&w.e, 5);
    fill8(&w.e, hole);
    w.e.at -= 5;
    reads(&w, "loop 0x0000000000000007");
    store_base(&w.e, H_R13, H_BP, -1, 8);
    reads(&w, "mov [rbp-0x01], r13");
    store_base(&w.e, H_CX, H_R12, 0, 4);
    reads(&w, "mov [r12], ecx");
    jcc_to(&w.e, CC_A, w.bytes + 0x100);
    reads(&w, "jnbe 0x0000000000000100");
    call_to(&w.e, w.bytes + 0x100);
    reads(&w, "call 0x0000000000000100");
    jmp_to(&w.e, w.bytes);
    reads(&w, "jmp 0x0000000000000000");
    mov_rr16(&w.e, H_R8, H_CX);
    reads(&w, "mov r8w, cx");
    hole = jmp8(&w.e);
    fill8_back(&w.e, hole, w.bytes);
    reads(&w, "jmp 0x0000000000000000");
    jmp_reg(&w.e, H_R11);
    reads(&w, "jmp r11");
    check(w.wrong, 0);
}

TEST("translate: padding is made of NOPs that fill it; what does not fit is not written")
{
    Written w;
    Insn i;

    for (unsigned n = 1; n < 40; n++) {
        unsigned at = 0;

        begin(&w);
        put_nops(&w.e, n);
        while (at < n && decode(CODE_64, w.bytes + at, n - at, &i) == DECODE_OK && i.op == OP_NOP) {
            at += i.len;
        }
        check(at, n);
        check(w.e.at - w.bytes, n);
    }
    begin(&w);
    w.e.end = w.bytes + 6;
    w.bytes[6] = 0x55;
    mov_imm(&w.e, H_AX, 0x123456789abcdef0);
    check(w.e.full, true);
    check(w.bytes[6], 0x55);
    check(w.e.at <= w.e.end, true);
}
