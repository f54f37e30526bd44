/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MOVS, STOS and LODS inline, and REP MOVS and REP STOS that stay in one page of source and
 * destination (docs/design/translator.md, "String instructions"; SDM volume 2). DF must be clear,
 * the TLB hold the pages, and the count be below 4096; else, and for all others, the interpreter's
 * function is called, which also repeats over pages and tells of what a fault finds half done.
 * Flags are not touched on the way. Not here: CMPS, SCAS, INS, OUTS, repeated LODS; segments with
 * bases or limits.
 */
#include "target/i386/translate/unit.h"

enum { SLOW_MAX = 8 };

typedef struct String {
    Unit *u;
    const Insn *i;
    unsigned size;
    bool wide; /* 64-bit addresses and counts */
    Hole slow[SLOW_MAX];
    unsigned slows;
} String;

static bool here(const Unit *u, const Insn *i)
{
    bool flat = u->code64 ? i->addrsize == 8 && i->seg < SEG_FS
                          : i->addrsize == 4 && u->mode & MODE_FLAT && i->seg < SEG_FS,
         rep = i->prefix & (PREFIX_REP | PREFIX_REPNE);

    return flat && (i->op == OP_MOVS || i->op == OP_STOS || (i->op == OP_LODS && !rep));
}

/* ---- what must be so, or it is slow ---- */

static void slow_unless(String *s, Hole good)
{
    s->slow[s->slows++] = jmp32(&s->u->e);
    fill8(&s->u->e, good);
}

static void want_df_clear(String *s)
{
    Emit *e = &s->u->e;

    load_gs32(e, SCRATCH_C, CPU_AT(s.rflags));
    pext_gs(e, SCRATCH_C, SCRATCH_C, CPU_AT(df_mask));
    slow_unless(s, jrcxz8(e));
}

/* rbp: the address, r11: addend, for the first element. */
static void want_page(String *s, unsigned from, bool write)
{
    Emit *e = &s->u->e;

    if (s->wide) {
        mov_rr(e, SCRATCH_A, from);
    } else {
        mov_rr32(e, SCRATCH_A, from);
    }
    emit_entry(s->u, SCRATCH_A, write);
    lea_index(e, SCRATCH_C, SCRATCH_C, SCRATCH_A, 0, s->size - 1, true);
    shrx(e, SCRATCH_C, SCRATCH_C, SCRATCH_B);
    slow_unless(s, jrcxz8(e));
}

/* The addend's low bits shift by 12. */
static void want_count(String *s)
{
    Emit *e = &s->u->e;

    if (s->wide) {
        shrx(e, SCRATCH_C, GUEST_CX, SCRATCH_B);
    } else {
        mov_rr32(e, SCRATCH_C, GUEST_CX);
        shrx(e, SCRATCH_C, SCRATCH_C, SCRATCH_B);
    }
    slow_unless(s, jrcxz8(e));
}

/* The last byte is in the first one's page. */
static void want_room(String *s)
{
    Emit *e = &s->u->e;
    unsigned scale = s->size == 1 ? 0 : s->size == 2 ? 1 : s->size == 4 ? 2 : 3;

    pext_gs(e, SCRATCH_C, SCRATCH_A, CPU_AT(page_mask));
    lea_index(e, SCRATCH_C, SCRATCH_C, GUEST_CX, scale, -1, false);
    shrx(e, SCRATCH_C, SCRATCH_C, SCRATCH_B);
    slow_unless(s, jrcxz8(e));
}

/* ---- one element ---- */

static void step_on(String *s, unsigned reg)
{
    lea_base(&s->u->e, reg, reg, s->size, s->wide);
}

static void store_one(String *s, unsigned from)
{
    store_pair(&s->u->e, from, SCRATCH_A, SCRATCH_B, MEM_DISP, s->size);
    step_on(s, H_DI);
}

static void movs_one(String *s)
{
    Emit *e = &s->u->e;

    want_page(s, H_SI, false);
    load_pair_low(e, SCRATCH_C, SCRATCH_A, SCRATCH_B, MEM_DISP, s->size);
    store_gs(e, CPU_AT(pushed), SCRATCH_C);
    want_page(s, H_DI, true);
    load_gs(e, SCRATCH_C, CPU_AT(pushed));
    step_on(s, H_SI);
    store_one(s, SCRATCH_C);
}

static void lods_one(String *s)
{
    want_page(s, H_SI, false);
    load_pair_low(&s->u->e, H_AX, SCRATCH_A, SCRATCH_B, MEM_DISP, s->size);
    step_on(s, H_SI);
}

/* ---- repeated ---- */

static void put_host_string(String *s, bool rep, uint8_t opcode)
{
    Emit *e = &s->u->e;

    if (s->size == 2) {
        put8(e, 0x66);
    }
    if (rep) {
        put8(e, 0xf3);
    }
    put_rex(e, s->size == 8, 0, 0, 0, false);
    put8(e, opcode | (s->size > 1));
}

/* The host's string instructions, one by one where they are so few that REP would not begin to be
 * worth it. rsi and rdi are host addresses. */
static void run_host(String *s, uint8_t opcode)
{
    Emit *e = &s->u->e;
    Hole few = NULL, done, over;
    uint8_t *again;

    if (s->size > 1) {
        pext_gs(e, SCRATCH_C, GUEST_CX, CPU_AT(many_mask));
        few = jrcxz8(e);
    }
    mov_rr32(e, SCRATCH_C, GUEST_CX);
    put_host_string(s, true, opcode);
    if (s->size == 1) {
        return;
    }
    over = jmp8(e);
    fill8(e, few);
    mov_rr32(e, SCRATCH_C, GUEST_CX);
    again = e->at;
    done = jrcxz8(e);
    put_host_string(s, false, opcode);
    lea_base(e, SCRATCH_C, SCRATCH_C, -1, false);
    fill8_back(e, jmp8(e), again);
    fill8(e, done);
    fill8(e, over);
}

/* The guest's address again: reg - (addend - 12). */
static void guest_again(String *s, unsigned reg, unsigned addend)
{
    Emit *e = &s->u->e;

    not_reg(e, addend);
    lea_index(e, reg, reg, addend, 0, 1 - MEM_DISP, s->wide);
}

static void stos_many(String *s)
{
    Emit *e = &s->u->e;

    want_page(s, H_DI, true);
    want_count(s);
    want_room(s);
    lea_index(e, H_DI, SCRATCH_A, SCRATCH_B, 0, MEM_DISP, true);
    run_host(s, 0xaa);
    guest_again(s, H_DI, SCRATCH_B);
    mov_imm(e, GUEST_CX, 0);
}

static void movs_many(String *s)
{
    Emit *e = &s->u->e;

    want_page(s, H_SI, false);
    want_count(s);
    want_room(s);
    store_gs(e, CPU_AT(pushed), SCRATCH_B);
    want_page(s, H_DI, true);
    want_room(s);
    lea_index(e, H_DI, SCRATCH_A, SCRATCH_B, 0, MEM_DISP, true);
    load_gs(e, SCRATCH_A, CPU_AT(pushed));
    if (!s->wide) {
        mov_rr32(e, H_SI, H_SI);
    }
    lea_index(e, H_SI, H_SI, SCRATCH_A, 0, MEM_DISP, true);
    run_host(s, 0xa4);
    guest_again(s, H_DI, SCRATCH_B);
    guest_again(s, H_SI, SCRATCH_A);
    mov_imm(e, GUEST_CX, 0);
}

static void emit_fast(String *s)
{
    bool rep = s->i->prefix & (PREFIX_REP | PREFIX_REPNE);

    want_df_clear(s);
    if (rep && !s->wide) { /* a count of 0 leaves all as it is, upper halves, too */
        Emit *e = &s->u->e;
        Hole none, some;

        mov_rr32(e, SCRATCH_C, GUEST_CX);
        none = jrcxz8(e);
        some = jmp8(e);
        fill8(e, none);
        s->slow[s->slows++] = jmp32(e);
        fill8(e, some);
    }
    switch (s->i->op) {
    case OP_MOVS:
        (rep ? movs_many : movs_one)(s);
        break;
    case OP_LODS:
        lods_one(s);
        break;
    default:
        if (rep) {
            stos_many(s);
        } else {
            want_page(s, H_DI, true);
            store_one(s, H_AX);
        }
    }
}

bool emit_string(Unit *u)
{
    const Insn *i = unit_now(u)->i;
    String s = {.u = u, .i = i, .size = i->opsize, .wide = i->addrsize == 8};
    Hole over;

    if (!here(u, i)) {
        return false;
    }
    share_drop(u);
    flags_settle(u, true);
    emit_fast(&s);
    over = jmp32(&u->e);
    for (unsigned n = 0; n < s.slows; n++) {
        fill32(&u->e, s.slow[n], u->e.at);
    }
    emit_call(u, false);
    u->recipe = -1;
    fill32(&u->e, over, u->e.at);
    return true;
}
