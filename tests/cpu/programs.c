/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes random programs. rBX points into the data and is set again when something may have changed
 * it; outside 64-bit code segments may have bases and limits; branches go forward, so every round
 * ends; a counter in memory ends the eighth. A third of them are loops (loops.c), for fewer rounds.
 * Behind an instruction that leaves flags undefined comes a CMP. Not made: gathers, far transfers,
 * system instructions (gen.c), XSAVE.
 */
#include "target/i386/decode/table.h"
#include "target/i386/state.h"
#include "tests/cpu/maker.h"

#include <glib.h>
#include <string.h>

enum {
    COUNTER = 0x10,
    MIDDLE = 0x800,
    ROUNDS = 7,
    LOOP_ROUNDS = 2,
    LOOP_ITEMS = 6,
    LOOP_BYTES = 1500,
    TRIES = 4000
};

void put_bytes(Maker *m, const void *bytes, unsigned count)
{
    if (m->p->used + count <= PROGRAM_BYTES) {
        memcpy(m->p->bytes + m->p->used, bytes, count);
        m->p->used += count;
    }
}

void put_byte(Maker *m, uint8_t byte)
{
    put_bytes(m, &byte, 1);
}

void put_number(Maker *m, uint32_t value, unsigned bytes)
{
    put_bytes(m, &value, bytes);
}

static unsigned address_bytes(const Maker *m)
{
    return m->p->code == CODE_16 ? 2 : 4;
}

uint32_t offset(const Maker *m, uint32_t linear, uint32_t base)
{
    return m->p->code == CODE_16 || m->p->based ? linear - base : linear;
}

void put_pointer(Maker *m, unsigned reg, uint32_t linear, uint32_t base)
{
    put_byte(m, 0xb8 + reg);
    put_number(m, offset(m, linear, base), address_bytes(m));
}

void put_absolute(Maker *m, uint8_t opcode, unsigned reg, uint32_t linear)
{
    if (m->p->code == CODE_16) {
        put_byte(m, 0x66);
    }
    put_byte(m, opcode);
    if (m->p->code == CODE_64) {
        put_byte(m, reg << 3 | 4);
        put_byte(m, 0x25);
    } else {
        put_byte(m, reg << 3 | (m->p->code == CODE_16 ? 6 : 5));
    }
    put_number(m, offset(m, linear, DATA_BASE), address_bytes(m));
}

/* ---- items ---- */

static bool wanted(Maker *m, const Encoding *e)
{
    const InsnRow *row = insn_row(&e->insn);

    if (row->attr & (ROW_BRANCH | ROW_VSIB | ROW_IO | ROW_PRIV) || row->feature == FEATURE_SHA_NI ||
        !interp_supports(m->t, &e->insn)) {
        return false;
    }
    switch (e->insn.op) {
    case OP_HLT:
    case OP_CLI:
    case OP_STI:
    case OP_POPF: /* single steps, alignment checks */
    case OP_ENTER:
    case OP_LEAVE:
    case OP_XRSTOR:
    case OP_FXRSTOR:
    case OP_FLDENV:
    case OP_FRSTOR:
    case OP_LDMXCSR:
    case OP_VLDMXCSR:
    case OP_FLDCW:
        return one_in(m, 50) && e->insn.op != OP_POPF && e->insn.op != OP_HLT &&
               e->insn.op != OP_CLI && e->insn.op != OP_STI;
    case OP_XGETBV:
    case OP_XSETBV:
    case OP_XSAVE: /* which components count as in use changes with the host's context switches */
    case OP_XSAVEC:
    case OP_XSAVEOPT:
    case OP_XSAVES:
        return false;
    default:
        return true;
    }
}

/* A memory operand that rBX reaches: 1 yes, 0 has none, -1 another. */
static int operand_near(Maker *m, Encoding *e)
{
    int found = 0;

    for (unsigned n = 0; n < 4; n++) {
        uint8_t kind = e->insn.operand[n].kind;

        if (kind == OPERAND_ABS ||
            (kind == OPERAND_MEM && (e->insn.base != RBX || e->insn.index != REG_NONE))) {
            return -1;
        }
        found |= kind == OPERAND_MEM;
    }
    if (found && e->disp_bytes) {
        int32_t to = e->disp_bytes == 1 ? (int)random_below(m->r, 256) - 128
                                        : (int)random_below(m->r, 0x900) - 0x480;

        to &= one_in(m, 3) ? -1 : ~15;
        memcpy(e->bytes + e->disp_at, &to, e->disp_bytes);
        return decode(e->code, e->bytes, 15, &e->insn) == DECODE_OK ? 1 : -1;
    }
    return found;
}

static bool strings(const Encoding *e)
{
    return insn_row(&e->insn)->attr & (ROW_STRING | ROW_REPE);
}

static void put_string_registers(Maker *m)
{
    put_pointer(m, 6, DATA_BASE + 0x400 + random_below(m->r, 0x300), DATA_BASE);
    put_pointer(m, 7, DATA_BASE + 0x900 + random_below(m->r, 0x700), DATA_BASE);
    put_byte(m, 0xb8 + 1);
    put_number(m, random_below(m->r, 20), address_bytes(m));
}

static void random_shape(Maker *m, Shape *s)
{
    bool legacy = !one_in(m, 6);

    *s = (Shape){.code = m->p->code, .w = one_in(m, 3), .memory = one_in(m, 2)};
    s->space = legacy ? SPACE_LEGACY : one_in(m, 3) ? SPACE_EVEX : SPACE_VEX;
    s->map = !legacy      ? 1 + random_below(m->r, 3)
           : one_in(m, 2) ? 0
           : one_in(m, 4) ? 2 + random_below(m->r, 2)
                          : 1;
    s->opcode = random_bits(m->r);
    s->prefix = one_in(m, 2) ? 0 : random_below(m->r, legacy ? 5 : 4);
    s->l = random_bits(m->r) & 1;
    s->reg = random_bits(m->r) & 7;
}

/* Any instruction that may stand in a program. */
static void put_random(Maker *m)
{
    for (unsigned tries = 0; tries < TRIES; tries++) {
        Encoding e;
        Shape s;
        int near;

        random_shape(m, &s);
        if (!encoding_make(m->r, &s, &e) || !wanted(m, &e)) {
            continue;
        }
        near = operand_near(m, &e);
        if (near < 0 && !one_in(m, 400)) {
            continue;
        }
        if (strings(&e)) {
            put_string_registers(m);
        } else if (near > 0 && one_in(m, 2)) {
            put_pointer(m, RBX, DATA_BASE + MIDDLE, DATA_BASE);
        }
        put_bytes(m, e.bytes, e.insn.len);
        if (insn_row(&e.insn)->undefined) {
            put_byte(m, 0x3c); /* cmp al, imm8 */
            put_byte(m, random_bits(m->r));
        }
        return;
    }
}

/* A jump forward, of either length. */
static void put_jump(Maker *m, unsigned item)
{
    bool always = one_in(m, 6), loop = !always && one_in(m, 6), near = !loop && one_in(m, 3);

    m->target[item] = item + 1 + random_below(m->r, 6);
    m->width[item] = near ? address_bytes(m) : 1;
    if (loop) {
        put_byte(m, 0xe0 + random_below(m->r, 4)); /* LOOPNE, LOOPE, LOOP, JCXZ */
    } else if (always) {
        put_byte(m, near ? 0xe9 : 0xeb);
    } else {
        if (near) {
            put_byte(m, 0x0f);
        }
        put_byte(m, (near ? 0x80 : 0x70) + random_below(m->r, 16));
    }
    m->patch[item] = m->p->used;
    put_number(m, 0, m->width[item]);
}

/* A call of what stands behind the next branch, and back: call over; jmp behind; over: ...; ret. */
static void put_call(Maker *m)
{
    static const uint8_t body[] = {0x01, 0xd0, 0x31, 0xf2,
                                   0xc3}; /* add eax, edx; xor edx, esi; ret */

    put_byte(m, 0xe8);
    put_number(m, 2, address_bytes(m));
    put_byte(m, 0xeb);
    put_byte(m, sizeof(body));
    put_bytes(m, body, sizeof(body));
}

/* A jump through a register to the next item: lea or mov of its address, with bytes between that
 * are not executed. */
static void put_indirect(Maker *m)
{
    unsigned skipped = random_below(m->r, 5);
    uint32_t to = (uint32_t)m->p->at + m->p->used + 1 + address_bytes(m) + 2 + skipped;

    put_pointer(m, 0, to, CODE_BASE);
    put_byte(m, 0xff);
    put_byte(m, 0xe0); /* jmp eax */
    for (unsigned n = 0; n < skipped; n++) {
        put_byte(m, random_bits(m->r));
    }
}

/* The constant of the next instruction but a few is changed: mov byte [code], imm8 ... mov
 * al, imm8 */
static void put_change(Maker *m)
{
    unsigned between = random_below(m->r, 3), length = m->p->code == CODE_64 ? 8
                                                     : m->p->code == CODE_32 ? 7
                                                                             : 6;
    uint32_t to = (uint32_t)m->p->at + m->p->used + length + between + 1;

    if (m->p->code == CODE_16) {
        put_byte(m, 0x2e); /* CS may not be written: #GP */
    }
    put_byte(m, 0xc6);
    if (m->p->code == CODE_64) {
        put_byte(m, 0x04);
        put_byte(m, 0x25);
    } else {
        put_byte(m, m->p->code == CODE_16 ? 6 : 5);
    }
    put_number(m, offset(m, to, CODE_BASE), address_bytes(m));
    put_byte(m, random_bits(m->r));
    while (between--) {
        put_byte(m, 0x90);
    }
    put_byte(m, 0xb0);
    put_byte(m, 1);
}

/* [register + disp8] or [register + rdi * 2 + disp8], near the middle of where the group is. */
static void put_near(Maker *m, uint8_t reg, uint8_t base, bool indexed)
{
    put_byte(m, 0x40 | reg << 3 | (indexed ? 4 : base));
    if (indexed) {
        put_byte(m, 1 << 6 | 7 << 3 | base);
    }
    put_byte(m, random_below(m->r, 80) - 40);
}

static void put_group_member(Maker *m, uint8_t base)
{
    static const char *const opcodes[] = {
        "\x8b", "\x8b", "\x89", "\x89", "\x01", "\x3b", "\xdd", "\x0f\x10", "\x0f\xb6", "\x0f\x11",
    };
    unsigned kind = random_below(m->r, 17);
    bool x87 = kind == 6;

    if (kind < G_N_ELEMENTS(opcodes)) {
        if (m->p->code == CODE_64 && one_in(m, 2)) {
            put_byte(m, one_in(m, 2) ? 0x48 : 0x4c); /* REX.W, REX.WR: r8 to r15 */
        }
        put_bytes(m, opcodes[kind], strlen(opcodes[kind]));
        put_near(m, x87 ? 3 * one_in(m, 2) : one_in(m, 2) ? 0 : 2, base, one_in(m, 4));
    } else if (kind < 12) {
        put_byte(m, kind & 1 ? 0x51 : 0x5a); /* push rcx; pop rdx */
    } else if (kind < 14) {
        if (m->p->code == CODE_64) {
            put_byte(m, 0x48);
        }
        put_byte(m, kind & 1 ? 0x83 : 0x8d); /* add base, imm8; lea base, [base + disp8] */
        put_byte(m, kind & 1 ? 0xc0 | base : 0x40 | base << 3 | base);
        put_byte(m, random_below(m->r, 16) - 8);
    } else {
        put_byte(m, 0x74 + random_below(m->r, 2)); /* over the next byte: nop */
        put_byte(m, 1);
        put_byte(m, 0x90);
    }
}

/* Accesses off one register, mostly around the border between two pages of data; now and then at
 * the end of them, in a page that may not be written, or in one with code. */
static void put_group(Maker *m)
{
    static const uint32_t rare[] = {DATA_BASE + DATA_BYTES, READ_BASE + 0x40, CODE_BASE + 0x40};
    uint32_t at = one_in(m, 8) ? rare[random_below(m->r, G_N_ELEMENTS(rare))]
                : one_in(m, 2) ? DATA_BASE + 0x1000
                               : DATA_BASE + 0x400 + random_below(m->r, 0x700);
    unsigned members = 3 + random_below(m->r, 6);
    uint8_t base = one_in(m, 2) ? RBX : 6;

    put_pointer(m, base, at - 16 + random_below(m->r, 32), DATA_BASE);
    put_pointer(m, 7, random_below(m->r, 8), 0);
    while (members--) {
        put_group_member(m, base);
    }
}

/* Pushes and pops one behind the other, now and then over an end of the stack. */
static void put_stack_run(Maker *m)
{
    unsigned members = 3 + random_below(m->r, 8);

    if (one_in(m, 3)) {
        uint32_t at = one_in(m, 2) ? STACK_BASE : STACK_BASE + STACK_BYTES;

        put_pointer(m, RSP, at - 24 + random_below(m->r, 48), STACK_BASE);
    }
    while (members--) {
        unsigned kind = random_below(m->r, 16), reg = random_below(m->r, 8);

        if (one_in(m, 12)) {
            put_byte(m, 0x66);
        }
        if (kind < 6) {
            put_byte(m, 0x50 | reg); /* push reg */
        } else if (kind < 12) {
            put_byte(m, 0x58 | (reg == RSP ? 0 : reg)); /* pop reg */
        } else if (kind < 13) {
            put_byte(m, 0x6a); /* push imm8 */
            put_byte(m, random_bits(m->r));
        } else {
            put_byte(m, kind & 1 ? 0xff : 0x8f); /* push or pop [rbx + disp8]; 16 bits: bp + di */
            put_byte(m, kind & 1 ? 0x73 : 0x43);
            put_byte(m, random_bits(m->r));
        }
    }
}

/* A repetition over a border of pages, over the end of the data, into a page that may not be
 * written, or into one with code; up or down. Comparisons do not fault in the middle: their flags
 * are then as before the instruction, which a CPU that steps begins anew with each element. */
static void put_string_edge(Maker *m)
{
    static const uint8_t opcodes[] = {0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf};
    static const uint32_t borders[] = {DATA_BASE + 0x1000, DATA_BASE + 0x1000,
                                       DATA_BASE + DATA_BYTES, READ_BASE + 0x800};
    bool down = one_in(m, 4), code = m->p->code != CODE_16 && !m->p->based && one_in(m, 6);
    uint8_t opcode = opcodes[random_below(m->r, sizeof(opcodes))];
    bool compares = (opcode & 0xfe) == 0xa6 || (opcode & 0xfe) == 0xae;
    uint32_t to =
        code && !compares ? CODE_BASE + 0x40 : borders[compares ? 0 : random_below(m->r, 4)] - 60;

    put_pointer(m, 6, borders[compares ? 0 : random_below(m->r, 4)] - random_below(m->r, 100),
                DATA_BASE);
    put_pointer(m, 7, to + random_below(m->r, code ? 16 : 100), DATA_BASE);
    put_byte(m, 0xb8 + 1);
    put_number(m, random_below(m->r, code ? 12 : 90), address_bytes(m));
    if (down) {
        put_byte(m, 0xfd); /* std */
    }
    put_byte(m, one_in(m, 3) ? 0xf2 : 0xf3);
    if (m->p->code == CODE_64 && one_in(m, 2)) {
        put_byte(m, 0x48);
    }
    put_byte(m, opcode);
    if (down) {
        put_byte(m, 0xfc);
    }
}

static void put_exception(Maker *m, ProgramException what)
{
    static const uint8_t divide[] = {0x31, 0xc9, 0xf7, 0xf1}, align[] = {0x0f, 0x28, 0x4b, 0x01};

    switch (what) {
    case EXCEPTION_UD:
        put_byte(m, 0x0f);
        put_byte(m, 0x0b);
        break;
    case EXCEPTION_INT3:
        put_byte(m, 0xcc);
        break;
    case EXCEPTION_READ:
        put_absolute(m, 0x03, 0, DATA_BASE + DATA_BYTES + 0x123); /* add eax, [there] */
        break;
    case EXCEPTION_WRITE:
        put_absolute(m, 0x31, 1, READ_BASE + 0x44); /* xor [there], ecx */
        break;
    case EXCEPTION_CROSS:
        put_absolute(m, 0x89, 2, DATA_BASE + DATA_BYTES - 2); /* mov [there], edx */
        break;
    case EXCEPTION_DIVIDE:
        put_bytes(m, divide, sizeof(divide)); /* xor ecx, ecx; div ecx */
        break;
    case EXCEPTION_ALIGN:
        put_pointer(m, RBX, DATA_BASE + MIDDLE, DATA_BASE);
        if (m->p->code == CODE_16) {
            put_byte(m, 0x67);
        }
        put_bytes(m, align, sizeof(align)); /* movaps xmm1, [rbx + 1] */
        break;
    case EXCEPTION_GP:
        if (m->p->code == CODE_64) {
            put_bytes(m, "\x48\xb8\0\0\0\0\0\0\x80\0\x8b\x08",
                      12); /* mov rax, 1 << 47; mov ecx, [rax] */
        } else {
            put_byte(m, 0xf4); /* hlt */
        }
        break;
    default:
        break;
    }
}

static void put_item(Maker *m, unsigned item)
{
    if (m->p->loops && !one_in(m, 3)) {
        put_loop(m);
        return;
    }
    switch (random_below(m->r, 26)) {
    case 0:
    case 1:
    case 2:
        put_jump(m, item);
        break;
    case 3:
        put_call(m);
        break;
    case 4:
        put_indirect(m);
        break;
    case 5:
        if (m->p->code != CODE_16 && !m->p->based) {
            put_change(m);
            break;
        }
        /* fall through */
    case 6:
    case 7:
    case 8:
        if (m->p->code != CODE_16) {
            put_group(m);
            break;
        }
        /* fall through */
    case 9:
        put_stack_run(m);
        break;
    case 10:
        put_string_edge(m);
        break;
    default:
        put_random(m);
    }
}

/* ---- whole programs ---- */

static void put_round_begin(Maker *m)
{
    put_pointer(m, RBX, DATA_BASE + MIDDLE, DATA_BASE);
    put_pointer(m, RSP, STACK_BASE + 0x800, STACK_BASE);
}

/* Loops would overwrite it elsewhere. */
static uint32_t counter_at(const Program *p)
{
    return p->loops ? LOOPS_COUNTER : DATA_BASE + COUNTER;
}

/* dec [counter]; and [counter], 7; jnz to the begin; int3 */
static void put_round_end(Maker *m)
{
    put_absolute(m, 0xff, 1, counter_at(m->p));
    put_absolute(m, 0x83, 4, counter_at(m->p));
    put_byte(m, ROUNDS);
    put_byte(m, 0x0f);
    put_byte(m, 0x85);
    put_number(m, -(m->p->used + address_bytes(m)), address_bytes(m));
    put_byte(m, 0xcc);
}

static void resolve(Maker *m)
{
    for (unsigned n = 0; n < m->p->items; n++) {
        unsigned to = m->target[n] < m->p->items ? m->target[n] : m->p->items;
        int32_t distance;

        if (!m->target[n]) {
            continue;
        }
        distance = m->p->start[to] - (int)(m->patch[n] + m->width[n]);
        while (m->width[n] == 1 && distance > 127) {
            distance = m->p->start[--to] - (int)(m->patch[n] + 1);
        }
        memcpy(m->p->bytes + m->patch[n], &distance, m->width[n]);
    }
}

static void keep(void *opaque, uint64_t linear, const void *bytes, unsigned count)
{
    Program *p = opaque;

    if (linear >= DATA_BASE && linear + count <= DATA_BASE + DATA_BYTES) {
        memcpy(p->data + (linear - DATA_BASE), bytes, count);
    } else if (linear >= STACK_BASE && linear + count <= STACK_BASE + STACK_BYTES) {
        memcpy(p->stack + (linear - STACK_BASE), bytes, count);
    }
}

static void make_state(Maker *m)
{
    Encoding nothing = {.code = m->p->code};
    uint32_t rounds = m->p->loops ? LOOP_ROUNDS : ROUNDS;

    for (unsigned n = 0; n < DATA_BYTES; n += 8) {
        uint64_t value = one_in(m, 2) ? random_bits(m->r) : random_below(m->r, 256);

        memcpy(m->p->data + n, &value, 8);
    }
    memset(m->p->stack, 0, STACK_BYTES);
    operands_make(m->r, &nothing, &m->p->in, keep, m->p);
    if (!one_in(
            m, 12)) { /* no x87 exception that waits or is not masked: it would end most programs */
        memcpy(m->p->in.fpu, "\x7f\x03\0\0", 4);
    }
    m->p->in.rflags &= ~(uint64_t)(FLAG_AC | FLAG_DF);
    m->p->in.rip = offset(m, (uint32_t)m->p->at, CODE_BASE);
    keep(m->p, counter_at(m->p), &rounds, 4);
}

void program_make(Random *r, CodeSize code, Interp *t, ProgramException exception, unsigned at,
                  Program *p)
{
    Maker m = {.r = r, .p = p, .t = t};
    unsigned items = 4 + random_below(r, PROGRAM_ITEMS - 4), room = 200;

    memset(p, 0, sizeof(*p));
    p->code = code;
    p->based = code == CODE_32 && one_in(&m, 2);
    p->odd = (p->based || code == CODE_16) && one_in(&m, 2) ? random_bits(r) | 1 : 0;
    p->at = CODE_BASE + 0x100 + random_below(r, 0xf00);
    p->loops = code != CODE_16 && one_in(&m, 3);
    if (p->loops) {
        items = 1 + random_below(r, LOOP_ITEMS);
        room = LOOP_BYTES;
    }
    put_round_begin(&m);
    for (; p->items < items && p->used < PROGRAM_BYTES - room; p->items++) {
        p->start[p->items] = p->used;
        if (p->items == at && exception) {
            put_exception(&m, exception);
        }
        put_item(&m, p->items);
    }
    p->start[p->items] = p->used;
    put_round_end(&m);
    resolve(&m);
    make_state(&m);
}
