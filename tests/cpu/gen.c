/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes instructions out of points of the opcode space (SDM volume 2, "Instruction format") and
 * keeps away from those that a program may not try on its host: system calls, segment loads, far
 * transfers, and what reads clocks and identities. Not made: XOP, addresses with FS or GS.
 */
#include "tests/cpu/gen.h"

#include "target/i386/decode/table.h"
#include "target/i386/state.h"

#include <string.h>

static bool one_in(Random *r, unsigned n)
{
    return !random_below(r, n);
}

/* ---- shapes ---- */

bool shape_next(Shape *s)
{
    static const uint8_t lengths[] = {1, 2, 4};
    unsigned prefixes = s->space ? 4 : 5;

    if ((s->memory = !s->memory) || (s->reg = (s->reg + 1) & 7)) {
        return true;
    }
    if ((s->w = !s->w)) {
        return true;
    }
    if ((s->l = (s->l + 1) % lengths[s->space])) {
        return true;
    }
    if ((s->prefix = (s->prefix + 1) % prefixes) || ++s->opcode) {
        return true;
    }
    if (++s->map < 4) {
        return true;
    }
    s->map = 1;
    return ++s->space < SPACE_COUNT;
}

/* ---- encodings ---- */

static bool segment_load(const Insn *i)
{
    return i->op == OP_POP_SEG || (i->op == OP_MOV_SEG && i->operand[0].kind == OPERAND_SEG);
}

/* Not to be tried on the host, or not comparable with it. */
static bool forbidden(const Insn *i)
{
    switch (i->op) {
    case OP_CALL_FAR:
    case OP_JMP_FAR:
    case OP_RET_FAR:
    case OP_IRET:
    case OP_LDS:
    case OP_LES:
    case OP_LFS:
    case OP_LGS:
    case OP_LSS:
    case OP_INT:
    case OP_INT1:
    case OP_INT3:
    case OP_ARPL:
    case OP_SYSCALL:
    case OP_SYSENTER:
    case OP_SYSEXIT:
    case OP_SYSRET:
    case OP_SGDT:
    case OP_SIDT:
    case OP_SLDT:
    case OP_STR:
    case OP_SMSW:
    case OP_LAR:
    case OP_LSL:
    case OP_VERR:
    case OP_VERW:
    case OP_CPUID:
    case OP_RDTSC:
    case OP_RDTSCP:
    case OP_RDPMC:
    case OP_RDPID:
    case OP_RDPRU:
    case OP_RDRAND:
    case OP_RDSEED:
    case OP_RDPKRU:
    case OP_WRPKRU:
    case OP_RDFSBASE:
    case OP_RDGSBASE:
    case OP_WRFSBASE:
    case OP_WRGSBASE:
    case OP_MONITOR:
    case OP_MONITORX:
    case OP_MWAIT:
    case OP_MWAITX:
    case OP_UMONITOR:
    case OP_UMWAIT:
    case OP_TPAUSE:
    case OP_VMCALL:
    case OP_VMMCALL:
    case OP_XBEGIN:
    case OP_XABORT:
    case OP_XEND:
    case OP_XTEST:
    case OP_CLZERO:
        return true;
    default:
        return segment_load(i);
    }
}

/* 66 makes near branches of 64-bit code 16 bits wide on AMD's processors; ours do as Intel's. FS
 * and GS have bases of the C library's. */
static bool not_comparable(const Insn *i, CodeSize code)
{
    bool near = i->op == OP_CALL || i->op == OP_RET || i->op == OP_JMP || i->op == OP_JCC ||
                i->op == OP_JCXZ || i->op == OP_LOOP || i->op == OP_LOOPE || i->op == OP_LOOPNE;

    bool loop = i->op == OP_LOOPE || i->op == OP_LOOPNE; /* where F2 and F3 mean something too */

    if (loop && i->prefix & (PREFIX_REP | PREFIX_REPNE)) {
        return true;
    }
    if (code != CODE_64 && i->flags & INSN_W && (i->op == OP_VPEXTRD || i->op == OP_VPINSRD)) {
        return true; /* #UD on AMD's */
    }
    if (i->op == OP_MOVSXD && i->opsize == 2) {
        return true; /* reads four bytes on AMD's */
    }
    if (i->op == OP_NOP && i->map == 1 && i->opcode == 0x0d) {
        return true; /* #UD on AMD's */
    }
    return (code == CODE_64 && near && i->prefix & PREFIX_OPSIZE) || i->seg == SEG_FS ||
           i->seg == SEG_GS;
}

static void put(Encoding *e, unsigned *n, uint8_t byte)
{
    e->bytes[(*n)++] = byte;
}

static void put_prefixes(Random *r, const Shape *s, Encoding *e, unsigned *n)
{
    static const uint8_t segment[] = {0x26, 0x2e, 0x36, 0x3e};

    if (one_in(r, 16)) {
        put(e, n, segment[random_below(r, 4)]);
    }
    if (one_in(r, 12)) {
        put(e, n, 0x67);
    }
    if (s->space == SPACE_LEGACY) {
        if (s->memory && one_in(r, 10)) {
            put(e, n, 0xf0);
        }
        if (s->prefix == 1 || s->prefix == 4) {
            put(e, n, 0x66);
        }
        if (s->prefix >= 2) {
            put(e, n, s->prefix == 2 ? 0xf3 : 0xf2);
        }
    }
}

static void put_legacy(Random *r, const Shape *s, Encoding *e, unsigned *n)
{
    if (s->code == CODE_64 && (s->w || one_in(r, 2))) {
        put(e, n, 0x40 | (s->w ? 8 : 0) | random_below(r, 8));
    }
    if (s->map) {
        put(e, n, 0x0f);
    }
    if (s->map >= 2) {
        put(e, n, s->map == 2 ? 0x38 : 0x3a);
    }
    put(e, n, s->opcode);
}

static void put_vex(Random *r, const Shape *s, Encoding *e, unsigned *n)
{
    uint8_t rxb = s->code == CODE_64 ? random_below(r, 8) << 5 : 0xe0;
    uint8_t vvvv = one_in(r, 2) ? 15 : random_below(r, 16);
    uint8_t last = vvvv << 3 | s->l << 2 | s->prefix;

    if (s->code != CODE_64) {
        last |= 0x40; /* else it is LDS */
    }
    if (s->map == 1 && !s->w && one_in(r, 2)) {
        put(e, n, 0xc5);
        put(e, n, (s->code == CODE_64 ? random_below(r, 2) << 7 : 0x80) | last);
    } else {
        put(e, n, 0xc4);
        put(e, n, rxb | s->map);
        put(e, n, (s->w ? 0x80 : 0) | last);
    }
    put(e, n, s->opcode);
}

static void put_evex(Random *r, const Shape *s, Encoding *e, unsigned *n)
{
    bool code64 = s->code == CODE_64, b = s->l == 3 || one_in(r, 3), z;
    uint8_t high = code64 ? random_below(r, 16) << 4 : 0xf0;
    uint8_t vvvv = one_in(r, 2) ? 15 : random_below(r, 16);
    uint8_t v2 = !code64 || vvvv == 15 || one_in(r, 2) ? 8 : 0;
    uint8_t mask = one_in(r, 3) ? 0 : random_below(r, 8);

    if (s->memory && s->l == 3) {
        b = false; /* no such length: undefined whatever b is */
    }
    z = mask && one_in(r, 3);
    e->evex_at = *n;
    put(e, n, 0x62);
    put(e, n, high | s->map);
    put(e, n, (s->w ? 0x80 : 0) | vvvv << 3 | 4 | s->prefix);
    put(e, n, (z ? 0x80 : 0) | s->l << 5 | (b ? 0x10 : 0) | v2 | mask);
    put(e, n, s->opcode);
}

static void put_modrm(Random *r, const Shape *s, Encoding *e, unsigned *n, bool addr16)
{
    unsigned mod = s->memory ? random_below(r, 3) : 3, rm = random_below(r, 8), sib = 0;

    e->modrm_at = *n;
    put(e, n, mod << 6 | s->reg << 3 | rm);
    if (mod != 3 && rm == 4 && !addr16) {
        sib = random_below(r, 256);
        put(e, n, sib);
    }
    e->disp_at = *n;
    e->disp_bytes = mod == 1                      ? 1
                  : mod == 2                      ? (addr16 ? 2 : 4)
                  : mod == 0 && addr16 && rm == 6 ? 2
                  : mod == 0 && !addr16 && (rm == 5 || (rm == 4 && (sib & 7) == 5)) ? 4
                                                                                    : 0;
    *n += e->disp_bytes; /* what follows is random already */
}

/* Jumps go neither far away nor into their own bytes. */
static void tame_branch(Random *r, Encoding *e)
{
    Insn *i = &e->insn;
    int64_t to = one_in(r, 2) ? random_below(r, 0x70) : -0x20 - (int64_t)random_below(r, 0x50);
    unsigned bytes = i->len;

    if (i->operand[0].kind != OPERAND_REL && i->operand[1].kind != OPERAND_REL) {
        return;
    }
    if (i->map == 0 && i->opcode != 0xe8 && i->opcode != 0xe9) {
        e->bytes[bytes - 1] = to;
    } else {
        unsigned width = i->opsize == 2 ? 2 : 4;

        memcpy(e->bytes + bytes - width, &to, width);
    }
}

static bool general_in_rm(const Insn *i)
{
    bool general = false;

    for (unsigned n = 0; n < 4; n++) {
        general |= i->operand[n].kind == OPERAND_GPR;
    }
    return general && i->modrm >= 0xc0;
}

bool encoding_make(Random *r, const Shape *s, Encoding *e)
{
    unsigned n = 0;
    bool addr16;
    uint64_t filler[3] = {random_bits(r), random_bits(r), random_bits(r)};

    memset(e, 0, sizeof *e);
    e->code = s->code;
    memcpy(e->bytes, filler, sizeof e->bytes);
    put_prefixes(r, s, e, &n);
    addr16 = s->code != CODE_64 && (s->code == CODE_16) != (memchr(e->bytes, 0x67, n) != NULL);
    if (s->space == SPACE_VEX) {
        put_vex(r, s, e, &n);
    } else if (s->space == SPACE_EVEX) {
        put_evex(r, s, e, &n);
    } else {
        put_legacy(r, s, e, &n);
    }
    put_modrm(r, s, e, &n, addr16);
    if (decode(s->code, e->bytes, 15, &e->insn) != DECODE_OK || forbidden(&e->insn) ||
        not_comparable(&e->insn, s->code)) {
        return false;
    }
    if (!(e->insn.flags & INSN_MODRM)) {
        e->modrm_at = e->disp_bytes = 0;
    }
    if (e->insn.flags & INSN_EVEX && general_in_rm(&e->insn)) {
        e->bytes[e->evex_at + 1] |= 0x40; /* X: of vector registers only */
    }
    tame_branch(r, e);
    return decode(s->code, e->bytes, 15, &e->insn) == DECODE_OK;
}

/* ---- values ---- */

static uint64_t integer_value(Random *r)
{
    static const uint64_t edges[] = {
        0,         1,          2,      0x7f,       0x80,       0xff,
        0x7fff,    0x8000,     0xffff, 0x7fffffff, 1ull << 31, 0xffffffff,
        INT64_MAX, 1ull << 63, ~0ull,  0xffff8000, 0xffffff80, 0x5555555555555555,
        10,        63};

    switch (random_below(r, 5)) {
    case 0:
        return edges[random_below(r, sizeof edges / sizeof *edges)];
    case 1:
        return random_below(r, 256);
    case 2:
        return 1ull << random_below(r, 64);
    case 3:
        return (uint32_t)random_bits(r);
    default:
        return random_bits(r);
    }
}

/* Two floats or a double, often something special. */
static uint64_t float_value(Random *r)
{
    static const uint32_t edge32[] = {0,          0x80000000, 0x3f800000, 0xbf800000, 0x7f800000,
                                      0xff800000, 0x7fc00000, 0x7f800001, 0xffc12345, 0x00000001,
                                      0x807fffff, 0x00800000, 0x7f7fffff, 0x4f000000, 0xcf000000,
                                      0x4effffff, 0x40490fdb, 0x3effffff};
    static const uint64_t edge64[] = {0,
                                      1ull << 63,
                                      0x3ff0000000000000,
                                      0xbff0000000000000,
                                      0x7ff0000000000000,
                                      0xfff0000000000000,
                                      0x7ff8000000000000,
                                      0x7ff0000000000001,
                                      0xfff8000000012345,
                                      1,
                                      0x800fffffffffffff,
                                      0x0010000000000000,
                                      0x7fefffffffffffff,
                                      0x41e0000000000000,
                                      0xc1e0000000000000,
                                      0x43e0000000000000,
                                      0x400921fb54442d18,
                                      0x36a0000000000000};

    switch (random_below(r, 4)) {
    case 0:
        return edge32[random_below(r, 18)] | (uint64_t)edge32[random_below(r, 18)] << 32;
    case 1:
        return edge64[random_below(r, 18)];
    case 2: /* ordinary size */
        return (0x3f000000ull + (random_bits(r) & 0x81ffffff)) << 32 |
               (0x3f000000 + (random_bits(r) & 0x81ffffff));
    default:
        return integer_value(r);
    }
}

static void extended_value(Random *r, uint8_t *to)
{
    static const uint16_t exponent[] = {0,      1,      0x3fff, 0xbfff, 0x4000, 0x7fff,
                                        0xffff, 0x7ffe, 0x403e, 0x8000, 0x3f00, 0x401e};
    static const uint64_t mantissa[] = {0,     1ull << 63, 3ull << 62,        1, (1ull << 63) | 1,
                                        ~0ull, 1ull << 62, 0xc000000000000001};
    uint64_t m = one_in(r, 2) ? mantissa[random_below(r, 8)] : random_bits(r) | 1ull << 63;
    uint16_t e = one_in(r, 2) ? exponent[random_below(r, 12)]
                              : 0x3fff - 40 + random_below(r, 80) + (random_below(r, 2) << 15);

    memcpy(to, &m, 8);
    memcpy(to + 8, &e, 2);
}

/* Mask registers with few, many, all or no bits; the upper parts of the vector registers. */
static void avx512_values(Random *r, uint8_t *image)
{
    for (unsigned n = 0; n < 8; n++) {
        uint64_t k = random_bits(r);

        switch (random_below(r, 6)) {
        case 0:
            k &= random_bits(r) & random_bits(r);
            break;
        case 1:
            k |= random_bits(r) | random_bits(r);
            break;
        case 2:
            k = one_in(r, 2) ? 0 : ~0ull;
            break;
        case 3:
            k = 1ull << random_below(r, 16);
            break;
        default:
            break;
        }
        memcpy(image + native_offset(5) + 8 * n, &k, 8);
    }
    for (unsigned n = 0; n < 192; n++) {
        uint64_t v = float_value(r);

        memcpy(image + (n < 64 ? native_offset(6) + 8 * n : native_offset(7) + 8 * (n - 64)), &v,
               8);
    }
}

static void fpu_values(Random *r, uint8_t *image)
{
    uint16_t fcw = one_in(r, 3) ? 0x37f ^ (random_below(r, 16) << 8) : 0x37f,
             fsw = random_bits(r) & 0x7d00;
    uint32_t mxcsr = 0x1f80;
    uint64_t bv = 3 | native_components();

    memset(image, 0, FPU_BYTES);
    if (one_in(r, 8)) {
        fcw &= ~random_below(r, 64);
    }
    if (one_in(r, 8)) {
        fsw |= random_below(r, 0x80) & (one_in(r, 8) ? 0x7f : fcw);
    }
    if (fsw & ~fcw & 0x3f) {
        fsw |= 0x8080;
    }
    if (one_in(r, 3)) {
        mxcsr = (random_bits(r) & 0xe07f) | 0x1f80;
    }
    if (one_in(r, 16)) {
        mxcsr &= ~(random_below(r, 64) << 7);
    }
    memcpy(image, &fcw, 2);
    memcpy(image + 2, &fsw, 2);
    image[4] = one_in(r, 2) ? 0xff : random_bits(r);
    memcpy(image + 24, &mxcsr, 4);
    for (unsigned n = 0; n < 8; n++) {
        extended_value(r, image + 32 + 16 * n);
    }
    for (unsigned n = 0; n < 32; n++) {
        uint64_t low = float_value(r), high = float_value(r);

        memcpy(image + 160 + 8 * n, &low, 8);
        if (bv & 4) {
            memcpy(image + native_offset(2) + 8 * n, &high, 8);
        }
    }
    memcpy(image + 512, &bv, 8);
    if (bv & 0x20) {
        avx512_values(r, image);
    }
}

/* ---- operands ---- */

typedef struct Operands {
    Random *r;
    Encoding *e;
    CpuRegs *regs;
    MemoryPut *put;
    void *opaque;
    unsigned size; /* of memory operands */
} Operands;

/* AMD's processors let their memory operand be unaligned, unlike the manual. */
static bool sha(const Insn *i)
{
    return insn_row(i)->feature == FEATURE_SHA_NI;
}

/* A place in the data area, mostly well behaved. */
static uint64_t place(Operands *o)
{
    unsigned inside = random_below(o->r, 0x1800) + 0x200;
    uint64_t end = DATA_BASE + DATA_BYTES;

    switch (sha(&o->e->insn) ? 39 : random_below(o->r, 40)) {
    case 0:
        return end - random_below(o->r, o->size + 1);
    case 1:
        return end + random_below(o->r, 64);
    case 2:
        return READ_BASE + (inside & 0x7c0);
    case 3:
        return o->e->code == CODE_64 ? random_bits(o->r) | 1ull << 62 : end;
    case 4:
    case 5:
        return DATA_BASE + 0x1000 - random_below(o->r, o->size + 1);
    case 6:
    case 7:
    case 8:
        return DATA_BASE + inside;
    default:
        return DATA_BASE + (inside & ~63u);
    }
}

static void fill(Operands *o, uint64_t linear, unsigned bytes)
{
    uint8_t data[128];

    for (unsigned n = 0; n < sizeof data; n += 8) {
        uint64_t v = float_value(o->r);

        memcpy(data + n, &v, 8);
    }
    if (bytes == 10) {
        extended_value(o->r, data);
    }
    if (bytes > sizeof data) {
        bytes = sizeof data;
    }
    if (linear >= DATA_BASE && linear + bytes <= DATA_BASE + DATA_BYTES) {
        o->put(o->opaque, linear, data, bytes);
    }
}

static uint64_t offset_of(const Operands *o, uint64_t linear, unsigned seg)
{
    if (o->e->code != CODE_16) {
        return linear;
    }
    return linear - (seg == 2 ? STACK_BASE : seg == 1 ? CODE_BASE : DATA_BASE); /* SS, CS */
}

/* Registers of the memory operand so that it lies there. */
static void aim(Operands *o, uint64_t linear)
{
    Insn *i = &o->e->insn;
    uint64_t *gpr = o->regs->gpr, offset = offset_of(o, linear, i->seg);
    uint64_t width = i->addrsize == 8 ? ~0ull : i->addrsize == 4 ? 0xffffffffull : 0xffffull;
    bool vsib = insn_row(i)->attr & ROW_VSIB;

    if (i->index < 16 && !vsib) {
        gpr[i->index] = one_in(o->r, 4) ? integer_value(o->r) : random_below(o->r, 64);
    }
    if (i->base < 16) {
        uint64_t rest = offset - (int64_t)i->disp;

        if (i->index == i->base && !vsib) {
            gpr[i->base] = (rest & width) / (1 + (1u << i->scale));
        } else {
            rest -= i->index < 16 && !vsib ? gpr[i->index] << i->scale : 0;
            gpr[i->base] = (rest & width) | (random_bits(o->r) & ~width);
        }
    } else if (o->e->disp_bytes >= 2) {
        uint64_t rest = offset - (i->base == REG_IP ? CODE_AT + i->len : 0);

        rest -= i->index < 16 && !vsib ? gpr[i->index] << i->scale : 0;
        memcpy(o->e->bytes + o->e->disp_at, &rest, o->e->disp_bytes);
    }
}

/* Where four bytes of a vector register stand in an image. */
static uint8_t *vector_lane(uint8_t *image, unsigned reg, unsigned lane)
{
    if (reg >= 16) {
        return image + native_offset(7) + 64 * (reg - 16) + 4 * lane;
    }
    if (lane >= 8) {
        return image + native_offset(6) + 32 * reg + 4 * (lane - 8);
    }
    return image + (lane < 4 ? 160 : native_offset(2)) + 16 * reg + 4 * (lane & 3);
}

/* Indices of a gather: near each other, seldom far. */
static void vector_index(Operands *o)
{
    unsigned lanes = native_components() & 0x40 ? 16 : 8;
    bool narrow = one_in(o->r, 2);
    int32_t before = 0;

    for (unsigned lane = 0; lane < lanes; lane++) {
        int32_t v =
            one_in(o->r, 64) ? (int32_t)random_bits(o->r) : (int32_t)random_below(o->r, 512) - 256;

        if (!narrow && lane & 1) {
            v = before >> 31;
        }
        memcpy(vector_lane(o->regs->fpu, o->e->insn.index, lane), &v, 4);
        before = v;
    }
}

/* x87, SSE, header, AVX: what all vendors put at the same places. */
enum { STATE_BYTES = 832 };

/* An image that a load of the whole state may accept. */
static void state_image(Operands *o, uint64_t linear)
{
    CpuRegs other;
    uint64_t header[8] = {random_below(o->r, 8)};

    fpu_values(o->r, other.fpu);
    if (one_in(o->r, 4)) {
        header[1] = 1ull << 63 | header[0] | random_below(o->r, 8);
    }
    if (one_in(o->r, 16)) {
        header[random_below(o->r, 8)] |= 1ull << random_below(o->r, 64);
    }
    memcpy(other.fpu + 512, header, 64);
    if (linear >= DATA_BASE && linear + STATE_BYTES <= DATA_BASE + DATA_BYTES) {
        o->put(o->opaque, linear, other.fpu, STATE_BYTES);
    }
    o->regs->gpr[0] = one_in(o->r, 2) ? 7 : random_below(o->r, 8);
}

static bool whole_state(const Insn *i)
{
    switch (i->op) {
    case OP_FXSAVE:
    case OP_FXRSTOR:
    case OP_XSAVE:
    case OP_XSAVEOPT:
    case OP_XSAVEC:
    case OP_XRSTOR:
        return true;
    default:
        return false;
    }
}

static void memory_operand(Operands *o, const Operand *p)
{
    uint64_t linear;

    o->size = p->size ? p->size : 64;
    linear = place(o);
    if (insn_row(&o->e->insn)->attr & ROW_VSIB) {
        vector_index(o);
        linear = DATA_BASE + 0x1000;
    }
    o->e->operand = o->e->code != CODE_16    ? linear
                  : o->e->insn.seg == SEG_SS ? STACK_BASE + (linear & 0xffff)
                                             : DATA_BASE + (linear & 0xffff);
    if (p->kind == OPERAND_ABS) {
        uint64_t offset = offset_of(o, linear, o->e->insn.seg);

        memcpy(o->e->bytes + o->e->insn.len - o->e->insn.addrsize, &offset, o->e->insn.addrsize);
    } else if (p->kind == OPERAND_STRING_SRC) {
        o->regs->gpr[6] = offset_of(o, linear, o->e->insn.seg);
    } else if (p->kind == OPERAND_STRING_DST) {
        o->regs->gpr[7] = offset_of(o, linear, 0);
    } else {
        aim(o, linear);
    }
    fill(o, linear, p->size);
    if (whole_state(&o->e->insn) && (linear & 63) == 0) {
        state_image(o, linear);
    }
}

static void stack_values(Operands *o)
{
    uint64_t data[8];
    unsigned at = 0x400 + random_below(o->r, 0x80) * 8;

    for (unsigned n = 0; n < 8; n++) {
        data[n] = one_in(o->r, 3) ? integer_value(o->r)
                                  : offset_of(o, CODE_BASE + 0x100 + random_below(o->r, 0x600), 1);
        if (o->e->insn.op == OP_POPF) {
            data[n] &= ~0x0100010001000100ull; /* no single-stepping */
        }
    }
    o->put(o->opaque, STACK_BASE + at, data, sizeof data);
    o->regs->gpr[4] =
        offset_of(o, STACK_BASE + at + (one_in(o->r, 8) ? random_below(o->r, 8) : 0), 2);
    if (one_in(o->r, 2)) {
        o->regs->gpr[5] = offset_of(o, STACK_BASE + at + 16, 2);
    }
    if (one_in(o->r, 24)) {
        o->regs->gpr[4] = offset_of(o, STACK_BASE + random_below(o->r, 16), 2);
    }
}

/* Values that make particular instructions do more than fault. */
static void help(Operands *o)
{
    Insn *i = &o->e->insn;
    uint64_t *gpr = o->regs->gpr;

    switch (i->op) {
    case OP_DIV:
    case OP_IDIV:
        if (one_in(o->r, 2)) {
            gpr[2] = one_in(o->r, 2) ? 0 : ~0ull;
        }
        break;
    case OP_BT:
    case OP_BTC:
    case OP_BTR:
    case OP_BTS:
        if (i->operand[1].kind == OPERAND_GPR && !one_in(o->r, 6) && i->operand[1].reg != i->base &&
            i->operand[1].reg != i->index) {
            gpr[i->operand[1].reg] = (int64_t)random_below(o->r, 1024) - 512;
        }
        break;
    case OP_XLAT:
        gpr[3] = offset_of(o, DATA_BASE + 0x800, i->seg);
        break;
    case OP_XGETBV:
        gpr[1] = one_in(o->r, 8) ? integer_value(o->r) : random_below(o->r, 2);
        break;
    case OP_JMP:
    case OP_CALL:
        if (i->operand[0].kind == OPERAND_GPR && i->operand[0].reg != 4) {
            gpr[i->operand[0].reg] = offset_of(o, CODE_BASE + 0x100 + random_below(o->r, 0x600), 1);
        }
        break;
    default:
        break;
    }
    if (insn_row(i)->attr & (ROW_STRING | ROW_REPE)) {
        gpr[1] = one_in(o->r, 8) ? random_below(o->r, 600) : random_below(o->r, 9);
    }
}

void operands_make(Random *r, Encoding *e, CpuRegs *regs, MemoryPut *put_memory, void *opaque)
{
    Operands o = {.r = r, .e = e, .regs = regs, .put = put_memory, .opaque = opaque};

    fpu_values(r, regs->fpu);
    for (unsigned n = 0; n < 16; n++) {
        regs->gpr[n] = integer_value(r);
    }
    stack_values(&o);
    for (unsigned n = 0; n < 4; n++) {
        uint8_t kind = e->insn.operand[n].kind;

        if (kind == OPERAND_MEM || kind == OPERAND_ABS || kind == OPERAND_STRING_SRC ||
            kind == OPERAND_STRING_DST) {
            memory_operand(&o, &e->insn.operand[n]);
        }
    }
    help(&o);
    regs->rflags = 0x202 | (random_bits(r) & 0x8d5) | (one_in(r, 4) ? 0x400 : 0) |
                   (one_in(r, 16) ? 0x40000 : 0);
    if (insn_row(&e->insn)->attr & ROW_VL && !(e->insn.flags & INSN_BROADCAST)) {
        regs->rflags &= ~(uint64_t)FLAG_AC; /* whether vectors must be aligned: a choice */
    }
    if (e->insn.op == OP_ENTER) { /* which checks the end of its frame in the processor's own way */
        regs->rflags &= ~(uint64_t)FLAG_AC;
    }
    regs->rip = offset_of(&o, CODE_AT, 1);
    if (e->code != CODE_64) {
        for (unsigned n = 0; n < 16; n++) {
            regs->gpr[n] = n < 8 ? (uint32_t)regs->gpr[n] : 0;
        }
    }
}

void image_normalize(uint8_t *image)
{
    static const uint8_t initial[] = {0x7f, 0x03};
    uint64_t present;

    memcpy(&present, image + 512, 8);
    if (!(present & 1)) {
        memset(image, 0, 24);
        memset(image + 32, 0, 128);
        memcpy(image, initial, 2);
    }
    if (!(present & 2)) {
        memset(image + 160, 0, 256);
    }
    for (unsigned n = 2; n < 8; n++) {
        static const uint16_t bytes[] = {[2] = 256, [5] = 64, [6] = 512, [7] = 1024};

        if (native_components() >> n & 1 && !(present >> n & 1)) {
            memset(image + native_offset(n), 0, bytes[n]);
        }
    }
}
