/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing host instructions (SDM volume 2, "Instruction format"): just those that the translator
 * puts around the guest's own. General registers only, calls nothing. `at` is the writable view of
 * the code cache; branches are relative, so that the executable view may lie elsewhere.
 */
#pragma once
#include "target/i386/rt/cpu.h"

/* Host registers by number, with the names the manual gives them. */
enum { H_AX, H_CX, H_DX, H_BX, H_SP, H_BP, H_SI, H_DI };
enum { H_R8 = 8, H_R9, H_R10, H_R11, H_R12, H_R13, H_R14, H_R15 };

/* Condition codes of Jcc. */
enum { CC_B = 2, CC_AE = 3, CC_E = 4, CC_NE = 5, CC_A = 7, CC_G = 15 };

typedef struct Emit {
    uint8_t *at, *end;
    bool full; /* there was no room: what was written is void */
} Emit;

/* Offset of a field, for gs:[...]. */
#define CPU_AT(field) ((uint32_t)offsetof(Cpu, field))

static inline void put8(Emit *e, uint8_t byte)
{
    if (likely(e->at < e->end)) {
        *e->at++ = byte;
    } else {
        e->full = true;
    }
}

static inline void put_value(Emit *e, uint64_t value, unsigned bytes)
{
    if (likely((unsigned long)(e->end - e->at) >= bytes)) {
        __builtin_memcpy(e->at, &value, bytes);
        e->at += bytes;
    } else {
        e->full = true;
    }
}

static inline void put32(Emit *e, uint32_t value)
{
    put_value(e, value, 4);
}

static inline void put64(Emit *e, uint64_t value)
{
    put_value(e, value, 8);
}

/* n bytes of an instruction. */
static inline void put_insn(Emit *e, const uint8_t bytes[16], unsigned n)
{
    if (likely(e->end - e->at >= 16)) {
        __builtin_memcpy(e->at, bytes, 16); /* what is too much is overwritten next */
        e->at += n;
    } else {
        e->full = true;
    }
}

/* ---- the parts of an instruction ---- */

/* REX if it is needed. byte: an 8-bit register is named by r or b, so that 4 to 7 need one. */
static inline void put_rex(Emit *e, bool wide, unsigned r, unsigned x, unsigned b, bool byte)
{
    uint8_t rex = (wide ? 8 : 0) | (r >> 3) << 2 | (x >> 3) << 1 | b >> 3;

    if (rex || byte) {
        put8(e, 0x40 | rex);
    }
}

static inline void put_modrm_reg(Emit *e, unsigned r, unsigned rm)
{
    put8(e, 0xc0 | (r & 7) << 3 | (rm & 7));
}

/* [base + disp], any base. */
static inline void put_modrm_base(Emit *e, unsigned r, unsigned base, int32_t disp)
{
    bool none = disp == 0 && (base & 7) != H_BP, small = disp == (int8_t)disp;

    put8(e, (none ? 0 : small ? 0x40 : 0x80) | (r & 7) << 3 | (base & 7));
    if ((base & 7) == H_SP) {
        put8(e, 0x24);
    }
    if (!none) {
        put_value(e, (uint32_t)disp, small ? 1 : 4);
    }
}

/* [base + index << scale + disp]; the index is not rSP. base 0xff: none. */
static inline void put_modrm_index(Emit *e, unsigned r, unsigned base, unsigned index,
                                   unsigned scale, int32_t disp)
{
    bool based = base != 0xff, none = based && disp == 0 && (base & 7) != H_BP,
         small = based && disp == (int8_t)disp;

    put8(e, (!based || none ? 0 : small ? 0x40 : 0x80) | (r & 7) << 3 | 4);
    put8(e, scale << 6 | (index & 7) << 3 | (based ? base & 7 : 5));
    if (!none) {
        put_value(e, (uint32_t)disp, small ? 1 : 4);
    }
}

/* gs:[disp32] */
static inline void put_modrm_gs(Emit *e, unsigned r, uint32_t disp)
{
    put8(e, (r & 7) << 3 | 4);
    put8(e, 0x25);
    put32(e, disp);
}

/* ---- moves ---- */

static inline void mov_rr(Emit *e, unsigned to, unsigned from)
{
    put_rex(e, true, from, 0, to, false);
    put8(e, 0x89);
    put_modrm_reg(e, from, to);
}

/* to = from's lower half with its sign */
static inline void movsxd(Emit *e, unsigned to, unsigned from)
{
    put_rex(e, true, to, 0, from, false);
    put8(e, 0x63);
    put_modrm_reg(e, to, from);
}

static inline void mov_rr32(Emit *e, unsigned to, unsigned from)
{
    put_rex(e, false, from, 0, to, false);
    put8(e, 0x89);
    put_modrm_reg(e, from, to);
}

static inline void mov_rr16(Emit *e, unsigned to, unsigned from)
{
    put8(e, 0x66);
    mov_rr32(e, to, from);
}

static inline void mov_imm(Emit *e, unsigned to, uint64_t value)
{
    if (value == (uint32_t)value) {
        put_rex(e, false, 0, 0, to, false);
        put8(e, 0xb8 | (to & 7));
        put32(e, value);
    } else if ((int64_t)value == (int32_t)value) {
        put_rex(e, true, 0, 0, to, false);
        put8(e, 0xc7);
        put_modrm_reg(e, 0, to);
        put32(e, value);
    } else {
        put_rex(e, true, 0, 0, to, false);
        put8(e, 0xb8 | (to & 7));
        put64(e, value);
    }
}

static inline void gs_op(Emit *e, uint8_t opcode, bool wide, unsigned r, uint32_t disp)
{
    put8(e, 0x65);
    put_rex(e, wide, r, 0, 0, false);
    put8(e, opcode);
    put_modrm_gs(e, r, disp);
}

/* Loads: 8 bytes; 4 and 1 zero-extended. */
static inline void load_gs(Emit *e, unsigned to, uint32_t disp)
{
    gs_op(e, 0x8b, true, to, disp);
}

static inline void load_gs32(Emit *e, unsigned to, uint32_t disp)
{
    gs_op(e, 0x8b, false, to, disp);
}

static inline void load_gs8(Emit *e, unsigned to, uint32_t disp)
{
    put8(e, 0x65);
    put_rex(e, false, to, 0, 0, false);
    put8(e, 0x0f);
    put8(e, 0xb6);
    put_modrm_gs(e, to, disp);
}

static inline void store_gs(Emit *e, uint32_t disp, unsigned from)
{
    gs_op(e, 0x89, true, from, disp);
}

static inline void store_gs32(Emit *e, uint32_t disp, unsigned from)
{
    gs_op(e, 0x89, false, from, disp);
}

static inline void store_gs_imm(Emit *e, uint32_t disp, int32_t value, bool wide)
{
    gs_op(e, 0xc7, wide, 0, disp);
    put32(e, value);
}

static inline void store_gs8_imm(Emit *e, uint32_t disp, uint8_t value)
{
    gs_op(e, 0xc6, false, 0, disp);
    put8(e, value);
}

static inline void store_gs16_imm(Emit *e, uint32_t disp, uint16_t value)
{
    put8(e, 0x66);
    gs_op(e, 0xc7, false, 0, disp);
    put_value(e, value, 2);
}

static inline void store_gs16(Emit *e, uint32_t disp, unsigned from)
{
    put8(e, 0x66);
    gs_op(e, 0x89, false, from, disp);
}

/* gs:[index * 8 + disp] */
static inline void load_gs_index(Emit *e, unsigned to, unsigned index, uint32_t disp)
{
    put8(e, 0x65);
    put_rex(e, true, to, index, 0, false);
    put8(e, 0x8b);
    put_modrm_index(e, to, 0xff, index, 3, disp);
}

/* jmp gs:[index * 8 + disp] */
static inline void jmp_gs_index(Emit *e, unsigned index, uint32_t disp)
{
    put8(e, 0x65);
    put_rex(e, false, 4, index, 0, false);
    put8(e, 0xff);
    put_modrm_index(e, 4, 0xff, index, 3, disp);
}

/* size: 1, 2 (zero-extended), 4, 8 */
static inline void load_base(Emit *e, unsigned to, unsigned base, int32_t disp, unsigned size)
{
    put_rex(e, size == 8, to, 0, base, false);
    if (size < 4) {
        put8(e, 0x0f);
        put8(e, size == 1 ? 0xb6 : 0xb7);
    } else {
        put8(e, 0x8b);
    }
    put_modrm_base(e, to, base, disp);
}

/* size: 4, 8 */
static inline void store_base(Emit *e, unsigned from, unsigned base, int32_t disp, unsigned size)
{
    put_rex(e, size == 8, from, 0, base, false);
    put8(e, 0x89);
    put_modrm_base(e, from, base, disp);
}

/* [base + index - 12] and the like: no scale. size: 2, 4, 8 */
static inline void load_pair(Emit *e, unsigned to, unsigned base, unsigned index, int32_t disp,
                             unsigned size)
{
    put_rex(e, size == 8, to, index, base, false);
    if (size < 4) {
        put8(e, 0x0f);
        put8(e, 0xb7);
    } else {
        put8(e, 0x8b);
    }
    put_modrm_index(e, to, base, index, 0, disp);
}

/* opcode: that of one byte, 1 less than of the other sizes. Size 1 gets no REX of its own: AL to
 * BL. */
static inline void pair_op(Emit *e, uint8_t opcode, unsigned r, unsigned base, unsigned index,
                           int32_t disp, unsigned size)
{
    if (size == 2) {
        put8(e, 0x66);
    }
    put_rex(e, size == 8, r, index, base, false);
    put8(e, opcode | (size > 1));
    put_modrm_index(e, r, base, index, 0, disp);
}

/* The register's upper part stays where the size is 1 (AL to BL) or 2. */
static inline void load_pair_low(Emit *e, unsigned to, unsigned base, unsigned index, int32_t disp,
                                 unsigned size)
{
    pair_op(e, 0x8a, to, base, index, disp, size);
}

/* size: 1 (AL to BL), 2, 4, 8 */
static inline void store_pair(Emit *e, unsigned from, unsigned base, unsigned index, int32_t disp,
                              unsigned size)
{
    pair_op(e, 0x88, from, base, index, disp, size);
}

/* value: sign-extended to size: 2, 4, 8 */
static inline void store_pair_imm(Emit *e, int32_t value, unsigned base, unsigned index,
                                  int32_t disp, unsigned size)
{
    pair_op(e, 0xc6, 0, base, index, disp, size);
    put_value(e, (uint32_t)value, size == 2 ? 2 : 4);
}

/* ---- addresses: none of these touches flags ---- */

static inline void lea_base(Emit *e, unsigned to, unsigned base, int32_t disp, bool wide)
{
    put_rex(e, wide, to, 0, base, false);
    put8(e, 0x8d);
    put_modrm_base(e, to, base, disp);
}

static inline void lea_index(Emit *e, unsigned to, unsigned base, unsigned index, unsigned scale,
                             int32_t disp, bool wide)
{
    put_rex(e, wide, to, index, base == 0xff ? 0 : base, false);
    put8(e, 0x8d);
    put_modrm_index(e, to, base, index, scale, disp);
}

/* zero-extend the lower half of 32 bits */
static inline void movzx16(Emit *e, unsigned to, unsigned from)
{
    put_rex(e, false, to, 0, from, false);
    put8(e, 0x0f);
    put8(e, 0xb7);
    put_modrm_reg(e, to, from);
}

static inline void put_vex2(Emit *e, unsigned r, unsigned x, unsigned b, unsigned vvvv, uint8_t pp)
{
    put8(e, 0xc4);
    put8(e, (r & 8 ? 0 : 0x80) | (x & 8 ? 0 : 0x40) | (b & 8 ? 0 : 0x20) | 2);
    put8(e, 0x80 | (~vvvv & 15) << 3 | pp);
}

/* pext to, from, gs:[mask] (BMI2) */
static inline void pext_gs(Emit *e, unsigned to, unsigned from, uint32_t mask)
{
    put8(e, 0x65);
    put_vex2(e, to, 0, 0, from, 2);
    put8(e, 0xf5);
    put_modrm_gs(e, to, mask);
}

/* pdep to, from, gs:[mask] (BMI2) */
static inline void pdep_gs(Emit *e, unsigned to, unsigned from, uint32_t mask)
{
    put8(e, 0x65);
    put_vex2(e, to, 0, 0, from, 3);
    put8(e, 0xf5);
    put_modrm_gs(e, to, mask);
}

/* shrx to, from, count (BMI2) */
static inline void shrx(Emit *e, unsigned to, unsigned from, unsigned count)
{
    put_vex2(e, to, 0, from, count, 3);
    put8(e, 0xf7);
    put_modrm_reg(e, to, from);
}

/* rorx to, from, count (BMI2) */
static inline void rorx(Emit *e, unsigned to, unsigned from, uint8_t count, bool wide)
{
    put8(e, 0xc4);
    put8(e, (to & 8 ? 0 : 0x80) | 0x40 | (from & 8 ? 0 : 0x20) | 3);
    put8(e, (wide ? 0x80 : 0) | 0x7b);
    put8(e, 0xf0);
    put_modrm_reg(e, to, from);
    put8(e, count);
}

/* not r, 64 bits */
static inline void not_reg(Emit *e, unsigned r)
{
    put_rex(e, true, 0, 0, r, false);
    put8(e, 0xf7);
    put_modrm_reg(e, 2, r);
}

/* r = -r, 64 bits */
static inline void negate(Emit *e, unsigned r)
{
    not_reg(e, r);
    lea_base(e, r, r, 1, true);
}

/* ---- arithmetic: touches flags ---- */

/* opcode: 0x01 add, 0x09 or, 0x21 and, 0x29 sub, 0x31 xor, 0x39 cmp, 0x85 test: to, from */
static inline void alu_rr(Emit *e, uint8_t opcode, unsigned to, unsigned from, bool wide)
{
    put_rex(e, wide, from, 0, to, false);
    put8(e, opcode);
    put_modrm_reg(e, from, to);
}

/* digit: 0 add, 1 or, 4 and, 5 sub, 7 cmp */
static inline void alu_imm(Emit *e, unsigned digit, unsigned r, int32_t value, bool wide)
{
    put_rex(e, wide, 0, 0, r, false);
    put8(e, value == (int8_t)value ? 0x83 : 0x81);
    put_modrm_reg(e, digit, r);
    put_value(e, (uint32_t)value, value == (int8_t)value ? 1 : 4);
}

/* the lower 16 bits */
static inline void cmp16_gs(Emit *e, unsigned r, uint32_t disp)
{
    put8(e, 0x66);
    gs_op(e, 0x3b, false, r, disp);
}

static inline void cmp_gs8_imm(Emit *e, uint32_t disp, uint8_t value)
{
    gs_op(e, 0x80, false, 7, disp);
    put8(e, value);
}

/* ---- branches ---- */

/* A branch whose target comes later: where its displacement is, 4 bytes or 1. */
typedef uint8_t *Hole;

static inline Hole jmp32(Emit *e)
{
    put8(e, 0xe9);
    put32(e, 0);
    return e->at - 4;
}

static inline Hole jcc32(Emit *e, unsigned cc)
{
    put8(e, 0x0f);
    put8(e, 0x80 | cc);
    put32(e, 0);
    return e->at - 4;
}

static inline Hole jrcxz8(Emit *e)
{
    put8(e, 0xe3);
    put8(e, 0);
    return e->at - 1;
}

/* rcx -= 1; branches unless it is 0 then. */
static inline Hole loop8(Emit *e)
{
    put8(e, 0xe2);
    put8(e, 0);
    return e->at - 1;
}

static inline Hole jmp8(Emit *e)
{
    put8(e, 0xeb);
    put8(e, 0);
    return e->at - 1;
}

static inline void fill32(Emit *e, Hole hole, const uint8_t *target)
{
    if (!e->full) {
        int32_t d = target - (hole + 4);

        __builtin_memcpy(hole, &d, 4);
    }
}

/* The target is at most 127 bytes away: callers know what they have written in between. */
static inline void fill8(Emit *e, Hole hole)
{
    if (!e->full) {
        *hole = e->at - (hole + 1);
    }
}

/* ... back, at most 128 bytes */
static inline void fill8_back(Emit *e, Hole hole, const uint8_t *target)
{
    if (!e->full) {
        *hole = target - (hole + 1);
    }
}

static inline void jmp_to(Emit *e, const uint8_t *target)
{
    fill32(e, jmp32(e), target);
}

static inline void jcc_to(Emit *e, unsigned cc, const uint8_t *target)
{
    fill32(e, jcc32(e, cc), target);
}

static inline void call_to(Emit *e, const uint8_t *target)
{
    put8(e, 0xe8);
    put32(e, 0);
    fill32(e, e->at - 4, target);
}

static inline void jmp_reg(Emit *e, unsigned r)
{
    put_rex(e, false, 0, 0, r, false);
    put8(e, 0xff);
    put_modrm_reg(e, 4, r);
}

/* nop so that the next byte lies at `offset` modulo 2^n */
static inline void put_nops(Emit *e, unsigned bytes)
{
    static const uint8_t nops[9][8] = {
        {0},
        {0x90},
        {0x66, 0x90},
        {0x0f, 0x1f, 0x00},
        {0x0f, 0x1f, 0x40, 0},
        {0x0f, 0x1f, 0x44, 0, 0},
        {0x66, 0x0f, 0x1f, 0x44, 0, 0},
        {0x0f, 0x1f, 0x80, 0, 0, 0, 0},
        {0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0},
    };

    while (bytes) {
        unsigned n = bytes < 8 ? bytes : 8;

        for (unsigned k = 0; k < n; k++) {
            put8(e, nops[n][k]);
        }
        bytes -= n;
    }
}

static inline void align(Emit *e, unsigned to)
{
    put_nops(e, -(uintptr_t)e->at & (to - 1));
}

/* So that what stands so many bytes on is aligned. */
static inline void align_behind(Emit *e, unsigned to, unsigned bytes)
{
    put_nops(e, -((uintptr_t)e->at + bytes) & (to - 1));
}
