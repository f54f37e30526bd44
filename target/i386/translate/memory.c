/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses and the inline TLB check (docs/design/translator.md, "A memory access"). Two forms: one
 * that leaves the flags alone, and a shorter one that overwrites them where they can be had again
 * (u->recipe). Both end with the host address in rbp + r11 - 12, or in a cold piece that fills the
 * TLB and comes back to try again.
 * Bases and limits of segments: segment.c.
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

unsigned guest_reg(Unit *u, unsigned reg, unsigned scratch)
{
    if (in_frame(reg)) {
        load_gs(&u->e, scratch, gpr_at(reg));
        return scratch;
    }
    return host_of[reg];
}

/* ---- addresses ---- */

void emit_offset(Unit *u, const Insn *i, unsigned to)
{
    Emit *e = &u->e;
    bool wide = i->addrsize == 8;
    int32_t disp = i->disp;
    unsigned base = HOST_NONE, index;

    if (i->base == REG_IP) {
        load_gs(e, SCRATCH_A, CPU_AT(page_rip));
        base = SCRATCH_A;
        disp += unit_next(u);
    } else if (i->base < 16) {
        base = guest_reg(u, i->base, SCRATCH_A);
    }
    if (i->index < 16) {
        index = guest_reg(u, i->index, SCRATCH_B);
        lea_index(e, to, base, index, i->scale, disp, wide);
    } else if (base == HOST_NONE) {
        mov_imm(e, to, wide ? (uint64_t)(int64_t)disp : (uint32_t)disp);
    } else if (!disp && wide) {
        if (base != to) {
            mov_rr(e, to, base);
        }
    } else if (!disp) {
        mov_rr32(e, to, base);
    } else {
        lea_base(e, to, base, disp, wide);
    }
    if (i->addrsize == 2) {
        movzx16(e, to, to);
    }
}

void emit_address(Unit *u, const Insn *i, unsigned to)
{
    emit_offset(u, i, to);
    if (i->seg >= SEG_FS) {
        load_gs(&u->e, SCRATCH_B,
                CPU_AT(s.seg) + i->seg * sizeof(X86Segment) + offsetof(X86Segment, base));
        lea_index(&u->e, to, to, SCRATCH_B, 0, 0, u->code64);
    }
}

/* ---- the check ---- */

static uint32_t table_at(const Unit *u, size_t field)
{
    return CPU_AT(tlb_view) + u->view * sizeof(TlbTable) + field;
}

/* Index and tag: r11 the addend, rcx what to add to the address. */
static void emit_entry(Unit *u, bool write)
{
    Emit *e = &u->e;

    pext_gs(e, SCRATCH_B, SCRATCH_A, CPU_AT(tlb_mask));
    load_gs_index(e, SCRATCH_C, SCRATCH_B,
                  table_at(u, write ? offsetof(TlbTable, write) : offsetof(TlbTable, read)));
    load_gs_index(e, SCRATCH_B, SCRATCH_B, table_at(u, offsetof(TlbTable, addend)));
}

static void emit_check_keeping(Unit *u, unsigned size, Cold *cold)
{
    Emit *e = &u->e;
    Hole hit;

    lea_index(e, SCRATCH_C, SCRATCH_C, SCRATCH_A, 0, size - 1, true);
    shrx(e, SCRATCH_C, SCRATCH_C, SCRATCH_B);
    hit = jrcxz8(e);
    cold->hole = jmp32(e);
    fill8(e, hit);
}

static void emit_check_short(Unit *u, unsigned size, Cold *cold)
{
    Emit *e = &u->e;

    alu_rr(e, 0x01, SCRATCH_C, SCRATCH_A, true);
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

void emit_check(Unit *u, unsigned size, bool write)
{
    const uint8_t *again = u->e.at;
    Cold *cold = cold_add(u, COLD_FILL, NULL, unit_now(u)->at);

    cold->back = again;
    cold->size = size;
    cold->write = write;
    cold->plain = insn_row(unit_now(u)->i)->fpu == ROW_FPU_NONE;
    emit_entry(u, write);
    if (u->recipe >= 0) {
        emit_check_short(u, size, cold);
        cold->recipe = u->recipe;
    } else {
        emit_check_keeping(u, size, cold);
    }
    if (unlikely(write && u->c->store_gap)) {
        emit_gap(u);
    }
}
