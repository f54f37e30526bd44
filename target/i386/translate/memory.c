/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses and the inline TLB check (docs/design/translator.md, "A memory access"). Two forms: one
 * that leaves the flags alone, and a shorter one that overwrites them where they can be had again
 * (u->recipe). Both end with the host address in rbp + r11 - 12, or in a cold piece that fills the
 * TLB and comes back to try again. Where several accesses share a check (share.c), a miss goes on
 * in a second version of these instructions in which each has its own. Bases and limits of
 * segments: segment.c.
 */
#include "target/i386/translate/unit.h"

const uint8_t host_of[16] = {
    H_AX,      GUEST_CX,  H_DX,      H_BX,      GUEST_SP, GUEST_BP, H_SI,  H_DI,
    HOST_NONE, HOST_NONE, HOST_NONE, HOST_NONE, H_R12,    H_R13,    H_R14, H_R15,
};

static uint32_t gpr_at(unsigned reg)
{
    return CPU_AT(s.gpr) + 8 * reg;
}

void frame_fetch(Unit *u, unsigned reg, unsigned to)
{
    if (u->frame_at != u->e.at || u->frame_reg != reg) {
        load_gs(&u->e, to, gpr_at(reg));
    } else if (u->frame_host != to) {
        mov_rr(&u->e, to, u->frame_host);
    }
}

unsigned guest_reg(Unit *u, unsigned reg, unsigned scratch)
{
    if (in_frame(reg)) {
        frame_fetch(u, reg, scratch);
        return scratch;
    }
    return host_of[reg];
}

/* ---- addresses ---- */

Address address_of(const Unit *u, const Insn *i)
{
    Address a = {i->base, i->index, i->scale, i->seg, i->addrsize, i->disp};

    if (a.base == REG_IP) {
        a.disp += unit_next(u);
    }
    return a;
}

void emit_sum(Unit *u, const Address *a, unsigned to)
{
    Emit *e = &u->e;
    bool wide = a->addrsize == 8;
    unsigned base = HOST_NONE, index;

    if (a->base == REG_IP) {
        load_gs(e, to, CPU_AT(page_rip));
        base = to;
    } else if (a->base < 16) {
        base = guest_reg(u, a->base, to);
    }
    if (a->index < 16) {
        index = guest_reg(u, a->index, to == SCRATCH_A && u->window ? SCRATCH_C : SCRATCH_B);
        if (index == SCRATCH_B) {
            addend_lost(u);
        }
        lea_index(e, to, base, index, a->scale, a->disp, wide);
    } else if (base == HOST_NONE) {
        mov_imm(e, to, wide ? (uint64_t)(int64_t)a->disp : (uint32_t)a->disp);
    } else if (!a->disp && wide) {
        if (base != to) {
            mov_rr(e, to, base);
        }
    } else if (!a->disp) {
        mov_rr32(e, to, base);
    } else {
        lea_base(e, to, base, a->disp, wide);
    }
    if (a->addrsize == 2) {
        movzx16(e, to, to);
    }
    if (to == SCRATCH_A) {
        linear_lost(u);
    }
}

void emit_offset(Unit *u, const Insn *i, unsigned to)
{
    Address a = address_of(u, i);

    emit_sum(u, &a, to);
}

void emit_linear(Unit *u, const Address *a, unsigned to)
{
    emit_sum(u, a, to);
    if (a->seg >= SEG_FS) {
        addend_lost(u);
        load_gs(&u->e, SCRATCH_B,
                CPU_AT(s.seg) + a->seg * sizeof(X86Segment) + offsetof(X86Segment, base));
        lea_index(&u->e, to, to, SCRATCH_B, 0, 0, u->code64);
    }
}

void emit_address(Unit *u, const Insn *i, unsigned to)
{
    Address a = address_of(u, i);

    emit_linear(u, &a, to);
}

void linear_lost(Unit *u)
{
    u->linear = NULL;
    u->linear_key = 0;
    u->strip.lost_a = true;
}

void addend_lost(Unit *u)
{
    u->held = NULL;
    u->addend_of = 0;
    u->strip.lost_b = true;
}

/* ---- the check ---- */

static uint32_t table_at(const Unit *u, size_t field)
{
    return CPU_AT(tlb_view) + u->view * sizeof(TlbTable) + field;
}

/* Index and tag: r11 the addend, rcx what to add to the address. */
void emit_entry(Unit *u, unsigned linear, bool write)
{
    Emit *e = &u->e;

    pext_gs(e, SCRATCH_B, linear, CPU_AT(tlb_mask));
    load_gs_index(e, SCRATCH_C, SCRATCH_B,
                  table_at(u, write ? offsetof(TlbTable, write) : offsetof(TlbTable, read)));
    load_gs_index(e, SCRATCH_B, SCRATCH_B, table_at(u, offsetof(TlbTable, addend)));
    addend_lost(u);
}

static void emit_check_keeping(Unit *u, unsigned linear, unsigned size, Cold *cold)
{
    Emit *e = &u->e;
    Hole hit;

    lea_index(e, SCRATCH_C, SCRATCH_C, linear, 0, size - 1, true);
    shrx(e, SCRATCH_C, SCRATCH_C, SCRATCH_B);
    hit = jrcxz8(e);
    cold->hole = jmp32(e);
    fill8(e, hit);
}

static void emit_check_short(Unit *u, unsigned linear, unsigned size, Cold *cold)
{
    Emit *e = &u->e;

    alu_rr(e, 0x01, SCRATCH_C, linear, true);
    alu_imm(e, 7, SCRATCH_C, GUEST_PAGE - size, true);
    cold->hole = jcc32(e, CC_A);
    u->garbage = true;
}

/* A test mode: long enough for another vCPU to do something between check and store. */
static void emit_gap(Unit *u)
{
    static const uint8_t begin[] = {0x9c, 0x51, 0xb9}, /* pushf; push rcx; mov */
        end[] = {0xf3, 0x90, 0xff, 0xc9,
                 0x75, 0xfa, 0x59, 0x9d}; /* 1: pause; dec; jnz; pop; popf */

    for (unsigned n = 0; n < sizeof begin; n++) {
        put8(&u->e, begin[n]);
    }
    put32(&u->e, u->c->store_gap);
    for (unsigned n = 0; n < sizeof end; n++) {
        put8(&u->e, end[n]);
    }
}

/* Where others count on what they have checked, and in front of company, a miss does not come back:
 * the world may have stopped while the TLB was filled, and pages have changed. */
static Cold *cold_miss(Unit *u, unsigned linear, unsigned size, bool write, bool shared)
{
    Cold *cold;

    if (!u->alone && !u->window && (shared || u->in_region || u->strip.now)) {
        return cold_add(u, COLD_ALONE, NULL, u->now);
    }
    cold = cold_add(u, COLD_FILL, NULL, unit_now(u)->at);
    cold->back = u->e.at;
    cold->size = size;
    cold->write = write;
    cold->plain = insn_row(unit_now(u)->i)->fpu == ROW_FPU_NONE;
    cold->linear = linear;
    return cold;
}

static void emit_check_of(Unit *u, unsigned linear, unsigned size, bool write, bool shared)
{
    Cold *cold = cold_miss(u, linear, size, write, shared);

    emit_entry(u, linear, write);
    if (u->recipe >= 0 && !flags_wanted(u)) {
        emit_check_short(u, linear, size, cold);
        cold->recipe = u->recipe;
    } else {
        emit_check_keeping(u, linear, size, cold);
    }
    if (guess_wanted(u, write)) {
        guess_emit(u);
    }
    if (unlikely(write && u->c->store_gap)) {
        emit_gap(u);
    }
}

void emit_check(Unit *u, unsigned size, bool write)
{
    emit_check_of(u, SCRATCH_A, size, write, false);
}

/* ---- shared ---- */

/* The operand's address as host registers can say it without its segment; HOST_NONE:
 * they cannot. */
static unsigned plain_base(const Unit *u, const Address *a)
{
    bool plain =
        u->code64 && a->addrsize == 8 && a->index == REG_NONE && a->base < 16 && a->seg < SEG_FS;

    return plain ? host_of[a->base] : HOST_NONE;
}

static unsigned slot_of(const Unit *u, const Share *s)
{
    return CPU_AT(share) + 8 * (s - u->share);
}

static bool fits(int64_t value)
{
    return value == (int32_t)value;
}

/* Does finding the address take r11? */
static bool takes_addend(const Address *a)
{
    return (a->index < 16 && in_frame(a->index)) || a->seg >= SEG_FS;
}

static bool usable(const Unit *u, const Address *a, const Share *s)
{
    return s->kept || (u->held == s && (u->linear == s || !takes_addend(a)));
}

/* Its page is known. */
static Place place_shared(Unit *u, const Address *a, const Access *what, Share *s)
{
    unsigned base = plain_base(u, a);
    Place p = {base, SCRATCH_B, a->disp + MEM_DISP};

    if (base == HOST_NONE || !fits((int64_t)a->disp + MEM_DISP)) {
        if (u->linear != s) {
            emit_linear(u, a, SCRATCH_A);
            u->linear = s;
            u->linear_at = what->at;
        }
        p = (Place){SCRATCH_A, SCRATCH_B, what->at - u->linear_at + MEM_DISP};
    }
    if (u->held != s) {
        load_gs(&u->e, SCRATCH_B, slot_of(u, s));
        u->held = s;
    }
    return p;
}

/* Has the check done for all of a share, beginning at its lowest address. */
static Place check_shared(Unit *u, Address a, const Access *what, Share *s)
{
    unsigned linear;
    int64_t up = what->at - s->low;

    a.disp -= up;
    linear = a.disp ? HOST_NONE : plain_base(u, &a);
    if (linear == HOST_NONE) {
        linear = SCRATCH_A;
        emit_linear(u, &a, SCRATCH_A);
    }
    emit_check_of(u, linear, s->high - s->low, s->write, true);
    if (s->kept) {
        store_gs(&u->e, slot_of(u, s), SCRATCH_B);
    }
    u->held = s;
    if (linear == SCRATCH_A) {
        u->linear = s;
        u->linear_at = s->low;
    }
    return (Place){linear, SCRATCH_B, up + MEM_DISP};
}

static Place check_alone(Unit *u, const Address *a, unsigned size, bool write)
{
    unsigned linear = a->disp ? HOST_NONE : plain_base(u, a);

    if (linear == HOST_NONE) {
        linear = SCRATCH_A;
        emit_linear(u, a, SCRATCH_A);
    }
    emit_check_of(u, linear, size, write, false);
    return (Place){linear, SCRATCH_B, MEM_DISP};
}

void region_extend(Unit *u, unsigned last)
{
    Region *r = &u->region[u->regions];

    if (!u->in_region) {
        *r = (Region){.first = u->now, .last = last, .before = u->before};
        u->in_region = true;
    }
    r->last = last > r->last ? last : r->last;
}

static Place access_at(Unit *u, const Address *a, const Access *what, unsigned size, bool write)
{
    Share *s;
    Place p;

    u->undisturbed = true;
    if (u->strip.now) {
        return strip_place(u, a, what, &p) ? p : check_alone(u, a, size, write);
    }
    if (stack_address(u, a)) {
        u->direct = true;
        return stack_place(u, a);
    }
    u->direct = u->window && window_access(u, a, what, &p);
    if (u->direct) {
        return p;
    }
    what = u->window ? NULL : what; /* what shares a check there has been found */
    s = what ? share_find(u, what) : NULL;
    if (s && usable(u, a, s)) {
        return place_shared(u, a, what, s);
    }
    s = what && u->regions < REGIONS && fits((int64_t)a->disp - SHARE_RANGE) ? share_make(u, what)
                                                                             : NULL;
    if (s) {
        region_extend(u, s->last);
        return check_shared(u, *a, what, s);
    }
    return check_alone(u, a, size, write);
}

Place emit_access(Unit *u, unsigned n, unsigned size, bool write)
{
    const Insn *i = unit_now(u)->i;
    Address a = address_of(u, i);

    u->direct = false;
    if (!segment_plain(u, i, write)) {
        emit_operand_check(u, i, size, write);
        return (Place){SCRATCH_A, SCRATCH_B, MEM_DISP};
    }
    return access_at(u, &a, share_access(u, n, size, write), size, write);
}

Place emit_access_stack(Unit *u, unsigned n, unsigned reg, int32_t disp, unsigned size, bool write)
{
    Address a = {reg, REG_NONE, 0, SEG_SS, width(u), disp + (reg == R_SP ? u->sp : 0)};

    return access_at(u, &a, share_access(u, n, size, write), size, write);
}
