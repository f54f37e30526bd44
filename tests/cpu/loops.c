/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loops for random programs: up to three pointers and an index that move by constants, or nearly
 * so; accesses of all kinds off them; ways out, ways back and jumps over something in the middle;
 * an end by a counter, which may be in memory, or by a pointer. They run for up to some hundred
 * rounds, over the border between two pages of data, now and then over their end, into a page that
 * may not be written, or in one with code.
 */
#include "target/i386/state.h"
#include "tests/cpu/maker.h"

#include <glib.h>
#include <string.h>

enum {
    POINTERS = 3,
    OUTS = 6,
    NONE = RSP, /* as an index */
    DATA_LOW = 0x100,
    DATA_HIGH = DATA_BYTES - 0x80,
};

/* How it knows its end. */
typedef enum End {
    END_DEC,
    END_SUB,
    END_TEST,
    END_POINTER,
    END_MEMORY,
    END_HEAD, /* the counter is looked at first, so that there may be other ways back */
    END_COUNT
} End;

typedef struct Loop {
    Maker *m;
    bool wide, steady, scaled; /* steady: nothing but constants moves; scaled: there is an index */
    unsigned used;             /* registers, as bits */
    unsigned pointers;
    uint8_t pointer[POINTERS], index, scale, counter, data[3];
    int step[POINTERS + 1]; /* the last: the index's */
    bool moved[POINTERS + 1], in_table;
    uint32_t first[POINTERS];
    unsigned rounds, top, out[OUTS], outs;
    End end;
    uint8_t segment; /* a prefix, or 0 */
    uint32_t base;   /* its */
} Loop;

/* ---- registers ---- */

static uint8_t take(Loop *l, const uint8_t *from, unsigned count)
{
    uint8_t reg;

    do {
        reg = from[random_below(l->m->r, count)];
    } while (l->used >> reg & 1);
    l->used |= 1u << reg;
    return reg;
}

static uint8_t take_any(Loop *l)
{
    static const uint8_t regs[] = {1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 3, 6, 7, 1};

    /* Outside 64-bit code there are few: an address of none, the counter last. */
    return take(l, regs, l->wide ? sizeof(regs) : 5);
}

static uint8_t data_register(Loop *l)
{
    return l->data[random_below(l->m->r, l->wide ? 3 : 2)];
}

/* ---- instructions ---- */

static void put_rex(Loop *l, bool w, unsigned reg, unsigned index, unsigned base)
{
    uint8_t rex = 0x40 | w << 3 | (reg >> 3) << 2 | (index >> 3) << 1 | base >> 3;

    if (l->wide && rex != 0x40) {
        put_byte(l->m, rex);
    }
}

/* opcode reg, rm between registers */
static void put_registers(Loop *l, const char *opcode, bool w, unsigned reg, unsigned rm)
{
    put_rex(l, w, reg, 0, rm);
    put_bytes(l->m, opcode, strlen(opcode));
    put_byte(l->m, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

static void put_constant(Loop *l, unsigned reg, uint32_t value)
{
    bool negative = l->wide && (int32_t)value < 0;

    put_rex(l, negative, 0, 0, reg);
    if (negative) {
        put_byte(l->m, 0xc7); /* with its sign */
    }
    put_byte(l->m, (negative ? 0xc0 : 0xb8) + (reg & 7));
    put_number(l->m, value, 4);
}

/* What `cmp al, imm8` leaves is defined. */
static void put_defined(Loop *l)
{
    put_byte(l->m, 0x3c);
    put_byte(l->m, random_bits(l->m->r));
}

static int displacement(Loop *l)
{
    int disp = (int)random_below(l->m->r, 80) - 40;

    return one_in(l->m, 12) ? disp * 3 : one_in(l->m, 3) ? disp & ~15 : disp;
}

static void put_operand(Loop *l, unsigned reg, unsigned base, unsigned index, int disp)
{
    bool sib = index != NONE || (base & 7) == RSP, far = one_in(l->m, 5) || disp != (int8_t)disp;

    put_byte(l->m, (far ? 0x80 : 0x40) | (reg & 7) << 3 | (sib ? 4 : base & 7));
    if (sib) {
        put_byte(l->m, (one_in(l->m, 8) ? 1 : l->scale) << 6 | (index & 7) << 3 | (base & 7));
    }
    put_number(l->m, disp, far ? 4 : 1);
}

/* An access: bytes in front of REX, opcode, ModRM's register. */
static void put_access(Loop *l, const char *prefix, const char *opcode, bool w, unsigned reg)
{
    Maker *m = l->m;
    unsigned which = random_below(m->r, l->pointers);
    unsigned base = l->pointer[which],
             index = l->in_table || (l->scaled && one_in(m, 2)) ? l->index : NONE;

    if (l->segment) {
        put_byte(m, l->segment);
    }
    if (l->wide && one_in(m, 40)) {
        put_byte(m, 0x67);
    }
    put_bytes(m, prefix, strlen(prefix));
    put_rex(l, w, reg, index == NONE ? 0 : index, base);
    put_bytes(m, opcode, strlen(opcode));
    put_operand(l, reg, base, index, displacement(l));
}

typedef struct Access {
    const char *prefix, *opcode;
    uint8_t often;
} Access;

/* Of general registers and memory. */
static void put_integer(Loop *l)
{
    static const Access ops[] = {
        {"", "\x8b", 1},         {"", "\x8b", 1},     {"", "\x89", 1},     {"", "\x89", 1},
        {"", "\x01", 1},         {"", "\x03", 1},     {"", "\x33", 1},     {"", "\x31", 1},
        {"", "\x3b", 1},         {"", "\x39", 1},     {"", "\x11", 1},     {"", "\x1b", 1},
        {"", "\x8a", 1},         {"", "\x88", 1},     {"", "\x02", 1},     {"", "\x38", 1},
        {"", "\x87", 3},         {"", "\x0f\xb6", 1}, {"", "\x0f\xbe", 1}, {"", "\x0f\xb7", 1},
        {"", "\x0f\xc1", 3},     {"", "\x0f\xb1", 3}, {"", "\x0f\x44", 2}, {"", "\x0f\x94", 2},
        {"\x66", "\x8b", 1},     {"\x66", "\x89", 1}, {"\x66", "\x01", 1}, {"\xf0", "\x01", 4},
        {"\xf0", "\x0f\xc1", 4}, {"", "\x84", 1},     {"", "\x85", 1},     {"", "\x63", 2},
    };
    const Access *op;

    do {
        op = &ops[random_below(l->m->r, G_N_ELEMENTS(ops) - !l->wide)];
    } while (!one_in(l->m, op->often));
    put_access(l, op->prefix, op->opcode, one_in(l->m, 2), data_register(l));
}

/* Of memory alone, or with a constant. */
static void put_unary(Loop *l)
{
    bool w = one_in(l->m, 2);

    switch (random_below(l->m->r, 7)) {
    case 0:
        put_access(l, "", "\xff", w, random_below(l->m->r, 2)); /* inc, dec */
        break;
    case 1:
        put_access(l, "", "\xf7", w, 2 + random_below(l->m->r, 2)); /* not, neg */
        break;
    case 2:
        put_access(l, "", "\x83", w, random_below(l->m->r, 8));
        put_byte(l->m, random_bits(l->m->r));
        break;
    case 3:
        put_access(l, "", "\xc7", w, 0);
        put_number(l->m, random_bits(l->m->r), 4);
        break;
    case 4:
        put_access(l, "", one_in(l->m, 2) ? "\xd1" : "\xd3", w, 4 + random_below(l->m->r, 2));
        put_defined(l);
        break;
    case 5:
        put_access(l, "", "\xf7", w, 4 + random_below(l->m->r, 2)); /* mul, imul */
        put_defined(l);
        break;
    default: /* xor edx, edx; div [...] */
        put_registers(l, "\x31", false, 2, 2);
        put_access(l, "", "\xf7", false, 6);
        put_defined(l);
    }
}

static void put_vector(Loop *l)
{
    static const Access ops[] = {
        {"", "\x0f\x10", 1},     {"", "\x0f\x11", 1},      {"\xf2", "\x0f\x10", 1},
        {"\xf2", "\x0f\x11", 1}, {"\xf2", "\x0f\x58", 1},  {"\xf3", "\x0f\x5e", 1},
        {"\x66", "\x0f\x6e", 1}, {"\x66", "\x0f\x7e", 1},  {"\xf3", "\x0f\x6f", 1},
        {"\xf3", "\x0f\x7f", 1}, {"\x66", "\x0f\x2e", 2},  {"", "\x0f\x28", 12},
        {"", "\x0f\x29", 12},    {"\x66", "\x0f\xfe", 12}, {"\xf2", "\x0f\x2d", 2},
    };
    const Access *op;

    do {
        op = &ops[random_below(l->m->r, G_N_ELEMENTS(ops))];
    } while (!one_in(l->m, op->often));
    put_access(l, op->prefix, op->opcode, false,
               strcmp(op->opcode, "\x0f\x2d") ? random_below(l->m->r, 4) : 0);
}

/* fld, something, fstp; or the environment */
static void put_x87(Loop *l)
{
    if (one_in(l->m, 8)) {
        put_access(l, "", "\xd9", false, 6); /* fnstenv: not copied */
        return;
    }
    put_access(l, "", one_in(l->m, 2) ? "\xdd" : "\xd9", false, 0);
    if (one_in(l->m, 2)) {
        put_access(l, "", one_in(l->m, 2) ? "\xdc" : "\xd8", false, random_below(l->m->r, 8) & ~2);
    }
    put_access(l, "", one_in(l->m, 2) ? "\xdd" : "\xd9", false, 3);
}

static void put_push_pop(Loop *l)
{
    unsigned from = data_register(l), to = data_register(l);

    put_rex(l, false, 0, 0, from);
    put_byte(l->m, 0x50 | (from & 7));
    if (one_in(l->m, 3)) {
        put_integer(l);
    }
    put_rex(l, false, 0, 0, to);
    put_byte(l->m, 0x58 | (to & 7));
}

static void put_alu(Loop *l)
{
    static const char *const ops[] = {"\x01", "\x11", "\x19", "\x29",     "\x31",     "\x39",
                                      "\x85", "\x89", "\x21", "\x0f\xaf", "\x0f\x42", "\x0f\x45"};
    static const char *const alone[] = {"\xf9", "\xf8",     "\xf5",     "\x99", "\x98",
                                        "\x9f", "\xfd\xfc", "\x0f\xca", "\x90"};

    if (one_in(l->m, 4)) {
        const char *bytes = alone[random_below(l->m->r, G_N_ELEMENTS(alone))];

        put_bytes(l->m, bytes, strlen(bytes));
    } else {
        const char *op = ops[random_below(l->m->r, G_N_ELEMENTS(ops))];

        put_registers(l, op, one_in(l->m, 2), data_register(l), data_register(l));
        if (op[0] == 0x0f && (uint8_t)op[1] == 0xaf) {
            put_defined(l);
        }
    }
}

/* ---- pointers ---- */

/* reg += by, the flags changed or not */
static void put_move(Loop *l, unsigned reg, int by)
{
    unsigned kind = random_below(l->m->r, 4);

    if (kind < 2 && (by == 1 || by == -1)) {
        put_registers(l, "\xff", l->wide, by < 0, reg);
    } else if (kind == 3) { /* lea */
        put_rex(l, l->wide, reg, 0, reg);
        put_byte(l->m, 0x8d);
        put_operand(l, reg, reg, NONE, by);
    } else {
        put_registers(l, "\x81", l->wide, kind & 1 ? 5 : 0, reg);
        put_number(l->m, kind & 1 ? -by : by, 4);
    }
}

/* Something is added to the nth, once in a round, in one piece or in two. */
static void put_step(Loop *l, unsigned n)
{
    unsigned reg = n == POINTERS ? l->index : l->pointer[n];
    int part = one_in(l->m, 6) ? (int)random_below(l->m->r, 64) - 32 : 0;

    if (!l->moved[n] && (l->step[n] || one_in(l->m, 8))) {
        put_move(l, reg, l->step[n] - part);
        if (part) {
            put_integer(l);
            put_move(l, reg, part);
        }
    }
    l->moved[n] = true;
}

/* A pointer changes, or stays, in a way that is no constant to add to the whole of it. */
static void put_unsteady(Loop *l)
{
    unsigned a = l->pointer[random_below(l->m->r, l->pointers)],
             b = l->pointer[random_below(l->m->r, l->pointers)];

    switch (random_below(l->m->r, 13)) {
    case 0:
        put_registers(l, "\x87", l->wide, a, b); /* xchg */
        break;
    case 1:
        put_registers(l, "\x89", l->wide, a, b);
        break;
    case 2:
        put_registers(l, "\x0f\x42", l->wide, a, b); /* cmovb */
        break;
    case 3:
        put_registers(l, "\x0f\xb1", l->wide, a, b); /* cmpxchg */
        break;
    case 4:
        put_byte(l->m, 0x66); /* add ax, 1 and its like */
        put_registers(l, "\x83", false, 0, a);
        put_byte(l->m, 1);
        break;
    case 5:
        put_registers(l, "\x83", false, 0, a); /* in 64-bit code: the upper half goes */
        put_byte(l->m, random_below(l->m->r, 8));
        break;
    case 6:
        if (l->wide || a < 4) {
            put_byte(l->m, l->wide ? 0x40 | a >> 3 : 0x90);
            put_byte(l->m, 0xfe); /* inc al and its like */
            put_byte(l->m, 0xc0 | (a & 7));
        }
        break;
    case 7:
        put_registers(l, "\xc1", l->wide, 4, a); /* shl reg, 0 */
        put_byte(l->m, 0);
        break;
    case 8:
        for (unsigned n = 0; n < 2; n++) {
            put_rex(l, l->wide, 0, 0, a); /* bswap */
            put_byte(l->m, 0x0f);
            put_byte(l->m, 0xc8 | (a & 7));
        }
        break;
    case 9:
        put_registers(l, "\x8b", false, a, a);
        break;
    case 10:
        put_registers(l, "\xf7", l->wide, 2, a);
        put_registers(l, "\xf7", l->wide, 2, a);
        break;
    case 11:
        put_rex(l, false, 0, 0, a);
        put_byte(l->m, 0x50 | (a & 7));
        put_rex(l, false, 0, 0, b);
        put_byte(l->m, 0x58 | (b & 7));
        break;
    default:
        put_registers(l, "\x0f\xbc", l->wide, a, data_register(l)); /* bsf: of 0 nothing changes */
        put_defined(l);
    }
}

/* ---- ways ---- */

static void put_jcc(Loop *l, unsigned to)
{
    put_byte(l->m, 0x0f);
    put_byte(l->m, 0x80 + random_below(l->m->r, 16));
    put_number(l->m, to - (l->m->p->used + 4), 4);
}

static void put_way_out(Loop *l)
{
    if (l->outs < OUTS) {
        put_jcc(l, 0);
        l->out[l->outs++] = l->m->p->used;
    }
}

static void put_member(Loop *l, bool may_jump);

/* Over up to three of them; what is jumped over may jump, too. */
static void put_jump_over(Loop *l)
{
    unsigned at, members = 1 + random_below(l->m->r, 3);
    int32_t distance;

    put_jcc(l, 0);
    at = l->m->p->used;
    while (members--) {
        put_member(l, one_in(l->m, 3));
    }
    distance = l->m->p->used - at;
    memcpy(l->m->p->bytes + at - 4, &distance, 4);
}

/* A table that is looked up by a byte, which may have something added. */
static void put_table(Loop *l)
{
    unsigned index = l->data[1], kept = l->index;

    if (one_in(l->m, 3)) {
        put_registers(l, "\x83", one_in(l->m, 2), 4, index); /* and edx, 0 to 127 */
        put_byte(l->m, random_bits(l->m->r) & 127);
    } else if (one_in(l->m, 3)) {
        put_registers(l, "\x0f\xb6", one_in(l->m, 2), index, 0); /* movzx edx, al */
    } else {
        put_access(l, "", "\x0f\xb6", one_in(l->m, 2), index);
    }
    if (one_in(l->m, 3)) {
        put_move(l, index, (int)random_below(l->m->r, 32) - 16);
    }
    l->index = index;
    l->in_table = true;
    for (unsigned n = 1 + random_below(l->m->r, 2); n--;) {
        put_access(l, "", one_in(l->m, 2) ? "\x03" : "\x01", one_in(l->m, 2), 0);
    }
    l->in_table = false;
    l->index = kept;
}

static void put_member(Loop *l, bool may_jump)
{
    unsigned kind = random_below(l->m->r, 35);

    if (kind >= 32) {
        put_table(l);
    } else if (kind < 13) {
        put_integer(l);
    } else if (kind < 17) {
        put_unary(l);
    } else if (kind < 20) {
        put_vector(l);
    } else if (kind < 21) {
        put_x87(l);
    } else if (kind < 23) {
        put_push_pop(l);
    } else if (kind < 27 || !may_jump) {
        put_alu(l);
    } else if (kind < 29) {
        put_jump_over(l);
    } else if (kind < 30) {
        if (one_in(l->m, 3)) {
            put_way_out(l);
        }
    } else if (l->end == END_HEAD) {
        put_jcc(l, l->top);
    }
}

/* ---- the plan ---- */

static int random_step(Loop *l)
{
    static const int16_t steps[] = {1, 2, 4, 8,  16, 4,  8,  8,   16,  32,  3,   5,
                                    7, 0, 0, 12, 24, 40, 96, 100, 511, 512, 513, 4096};
    int step = steps[random_below(l->m->r, one_in(l->m, 6) ? G_N_ELEMENTS(steps) : 18)];

    return one_in(l->m, 3) ? -step : step;
}

static unsigned length(int step)
{
    return step < 0 ? -step : step;
}

/* Where it begins, so that it stays in the data mostly. */
static uint32_t first_of(Loop *l, int step)
{
    unsigned span = length(step) * l->rounds, room = DATA_HIGH - DATA_LOW;
    unsigned from = span < room && !one_in(l->m, 8) ? random_below(l->m->r, room - span)
                                                    : random_below(l->m->r, room);

    if (one_in(l->m, 3)) {
        from &= ~15u;
    }
    if (one_in(l->m, 24)) {
        return READ_BASE + 0x80 + (step < 0 ? 0xf00 : 0);
    }
    if (step <= 0 && l->steady && !l->scaled && one_in(l->m, 16)) {
        return CODE_BASE + 0x60;
    }
    return DATA_BASE + (step < 0 ? DATA_HIGH - from : DATA_LOW + from);
}

static void plan_pointers(Loop *l)
{
    l->pointers = 1 + random_below(l->m->r, l->wide ? POINTERS : 2);
    for (unsigned n = 0; n < l->pointers; n++) {
        l->pointer[n] = take_any(l);
        l->step[n] = random_step(l);
        l->first[n] = first_of(l, l->step[n]);
        if (n && one_in(l->m, 4)) { /* near another */
            l->first[n] = l->first[n - 1] + random_below(l->m->r, 64) - 32;
            l->step[n] = one_in(l->m, 2) ? l->step[n - 1] : l->step[n];
        }
    }
}

static void plan(Loop *l)
{
    Maker *m = l->m;

    l->rounds = 10 + random_below(m->r, 1u << (2 + random_below(m->r, 8)));
    l->steady = !one_in(m, 4);
    l->scaled = l->wide ? one_in(m, 3) : one_in(m, 6);
    l->scale = random_below(m->r, 4);
    l->end = random_below(m->r, END_COUNT);
    l->used = 1u << RSP | 1;
    l->data[0] = 0;
    l->data[1] = 2;
    plan_pointers(l);
    l->step[POINTERS] = one_in(m, 2) ? 1 : (int)random_below(m->r, 9) - 4;
    l->index = l->scaled ? take_any(l) : NONE;
    l->counter = take_any(l);
    l->data[2] = l->wide ? take_any(l) : 0;
    if (l->end == END_POINTER && (!l->steady || !l->step[0])) {
        l->end = END_DEC;
    }
    l->segment = l->wide && one_in(m, 10) ? 0x64 : 0;
}

/* ---- the whole ---- */

static void put_begin(Loop *l)
{
    Maker *m = l->m;

    if (l->segment) { /* wrfsbase rax */
        l->base = random_below(m->r, 0x10000);
        put_constant(l, 0, l->base);
        put_bytes(m, "\xf3\x48\x0f\xae\xd0", 5);
    }
    for (unsigned n = 0; n < l->pointers; n++) {
        put_rex(l, false, 0, 0, l->pointer[n]);
        put_pointer(m, l->pointer[n] & 7, l->first[n] - l->base, DATA_BASE);
    }
    if (l->scaled) {
        put_constant(l, l->index,
                     one_in(m, 2) ? (int)random_below(m->r, 16) : -(int)random_below(m->r, 64));
    }
    put_constant(l, l->counter, l->rounds);
    if (l->end == END_MEMORY) {
        put_absolute(m, 0xc7, 0, LOOP_COUNTER);
        put_number(m, l->rounds, 4);
    }
}

/* The first member is jumped over on the way in. */
static void put_middle(Loop *l)
{
    Maker *m = l->m;
    unsigned at;

    put_byte(m, 0xeb);
    put_byte(m, 0);
    l->top = at = m->p->used;
    put_integer(l);
    if (at <= PROGRAM_BYTES - 16) {
        m->p->bytes[at - 1] = m->p->used - at;
    }
}

/* The rest of what moves, and who decides, in one order or the other; what comes in between leaves
 * the flags. */
static void put_end(Loop *l)
{
    Maker *m = l->m;
    bool wide = l->wide && one_in(m, 2);
    uint8_t cc = 0x85;

    switch (l->end) {
    case END_DEC:
        put_registers(l, "\xff", wide, 1, l->counter);
        break;
    case END_SUB:
        put_registers(l, "\x83", wide, 5, l->counter);
        put_byte(m, 1);
        cc = one_in(m, 2) ? 0x8f : 0x85; /* jg */
        break;
    case END_TEST:
        put_move(l, l->counter, -1);
        put_registers(l, "\x85", wide, l->counter, l->counter);
        break;
    case END_POINTER:
        put_registers(l, "\x81", l->wide, 7, l->pointer[0]);
        put_number(m, offset(m, l->first[0] - l->base + l->step[0] * l->rounds, DATA_BASE), 4);
        cc = l->step[0] > 0 ? 0x82 : 0x87;
        break;
    case END_MEMORY:
        put_absolute(m, 0xff, 1, LOOP_COUNTER);
        break;
    default: /* back in any case */
        put_byte(m, 0xe9);
        put_number(m, l->top - (m->p->used + 4), 4);
        return;
    }
    for (unsigned n = random_below(m->r, 8); n > 4; n--) {
        put_access(l, "", n & 1 ? "\x8b" : "\x89", one_in(m, 2), data_register(l));
    }
    put_byte(m, 0x0f);
    put_byte(m, cc);
    put_number(m, l->top - (m->p->used + 4), 4);
}

static void put_body(Loop *l)
{
    Maker *m = l->m;

    for (unsigned members = 1 + random_below(m->r, 1u << random_below(m->r, 5)); members--;) {
        if (one_in(m, 3)) {
            unsigned n = random_below(m->r, l->pointers + l->scaled);

            put_step(l, n == l->pointers ? POINTERS : n);
        }
        if (!l->steady && one_in(m, 5)) {
            put_unsteady(l);
        }
        put_member(l, true);
    }
    for (unsigned n = 0; n <= POINTERS; n++) {
        if (n < l->pointers || (n == POINTERS && l->scaled)) {
            put_step(l, n);
        }
    }
}

void put_loop(Maker *m)
{
    Loop l = {.m = m, .wide = m->p->code == CODE_64};

    plan(&l);
    put_begin(&l);
    l.top = m->p->used;
    if (l.end != END_HEAD && one_in(m, 6)) {
        put_middle(&l);
    }
    if (l.end == END_HEAD) {
        put_registers(&l, "\xff", l.wide, 1, l.counter);
        put_byte(m, 0x0f);
        put_byte(m, 0x84);
        put_number(m, 0, 4);
        l.out[l.outs++] = m->p->used;
    }
    put_body(&l);
    put_end(&l);
    for (unsigned n = 0; n < l.outs; n++) {
        int32_t distance = m->p->used - l.out[n];

        memcpy(m->p->bytes + l.out[n] - 4, &distance, 4);
    }
    put_pointer(m, RBX, DATA_BASE + 0x800, DATA_BASE);
}
