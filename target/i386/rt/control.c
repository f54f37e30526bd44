/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control and debug registers (SDM volume 3, "Control registers", "Debug registers";
 * volume 2, MOV CR, MOV DR, LMSW, SMSW, CLTS).
 * Not modelled: CET, supervisor protection keys, LAM, and what CR0.CD and NW do to caches.
 */
#include "target/i386/rt/host.h"
#include "target/i386/rt/sys.h"
#include "target/i386/rt/walk.h"

enum { DR6_BD = 1 << 13, DR7_GD = 1 << 13 };

/* ---- CR0 ---- */

static void gp_unless(Cpu *c, bool good, const char *text, uint64_t value)
{
    if (!good) {
        why(c, text, value, 0, 0);
        raise_error(c, EXC_GP, 0);
    }
}

static void cr0_check(Cpu *c, uint64_t value)
{
    bool paging = value & CR0_PG, entering = paging && !(c->s.cr0 & CR0_PG);

    gp_unless(c, !(value >> 32), "CR0 cannot be %x: it has 32 bits", value);
    gp_unless(c, !paging || value & CR0_PE, "CR0 cannot be %x: paging without protection", value);
    gp_unless(c, !(value & CR0_NW) || value & CR0_CD, "CR0 cannot be %x: NW without CD", value);
    if (entering && c->s.efer & EFER_LME) {
        gp_unless(c, c->s.cr4 & CR4_PAE, "paging with EFER.LME needs CR4.PAE, which is %x",
                  c->s.cr4);
        gp_unless(c, !(c->s.seg[SEG_CS].attr & ATTR_L),
                  "long mode cannot be entered with CS.L set, %x", value);
        gp_unless(c, c->s.seg[SEG_TR].attr & 8, "long mode cannot be entered with a 16-bit TSS, %x",
                  value);
    }
    if (!paging && c->s.cr0 & CR0_PG) {
        gp_unless(c, c->code_size != CODE_64, "64-bit code cannot turn paging off, %x", value);
        gp_unless(c, !(c->s.cr4 & CR4_PCIDE), "paging cannot go off while CR4.PCIDE is set, %x",
                  value);
    }
}

static bool pae_only(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return cr0 & CR0_PG && cr4 & CR4_PAE && !(efer & EFER_LMA);
}

void sys_cr0(Cpu *c, uint64_t value)
{
    const uint64_t known =
        CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG;
    uint64_t changed, efer = c->s.efer;

    cr0_check(c, value);
    value = (value & known) | CR0_ET;
    changed = value ^ c->s.cr0;
    if (changed & CR0_PG && efer & EFER_LME) {
        efer = value & CR0_PG ? efer | EFER_LMA : efer & ~(uint64_t)EFER_LMA;
    }
    if (changed & (CR0_PG | CR0_CD | CR0_NW) && pae_only(value, c->s.cr4, efer)) {
        gp_unless(c, walk_load_pdptes(c, c->s.cr3), c->why_format, c->why_value[0]);
    }
    c->s.cr0 = value;
    c->s.efer = efer;
    if (changed & (CR0_PG | CR0_PE)) {
        tlb_flush(c);
    } else if (changed & CR0_WP) {
        tlb_rights_changed(c);
    }
    cpu_mode_changed(c);
}

/* ---- CR3, CR4 ---- */

static void set_cr3(Cpu *c, uint64_t value)
{
    uint64_t reserved = ~((1ull << c->phys_bits) - 1);
    bool keep = c->s.cr4 & CR4_PCIDE && value >> 63;

    if (c->s.cr4 & CR4_PCIDE) {
        value &= ~(1ull << 63);
    }
    if (long_mode(c)) {
        gp_unless(c, !(value & reserved), "CR3 cannot be %x: a reserved bit is set", value);
    }
    if (pae_only(c->s.cr0, c->s.cr4, c->s.efer)) {
        gp_unless(c, walk_load_pdptes(c, value), c->why_format, c->why_value[0]);
    }
    c->s.cr3 = value;
    tlb_cr3_loaded(c, keep);
    c->block_break = true;
}

static uint64_t cr4_known(const Cpu *c)
{
    static const struct {
        uint16_t feature;
        uint32_t bits;
    } rows[] = {
        {FEATURE_VME, CR4_VME | CR4_PVI}, {FEATURE_TSC, CR4_TSD},    {FEATURE_DE, CR4_DE},
        {FEATURE_PSE, CR4_PSE},           {FEATURE_PAE, CR4_PAE},    {FEATURE_MCE, CR4_MCE},
        {FEATURE_PGE, CR4_PGE},           {FEATURE_ALWAYS, CR4_PCE}, {FEATURE_FXSR, CR4_OSFXSR},
        {FEATURE_SSE, CR4_OSXMMEXCPT},    {FEATURE_UMIP, CR4_UMIP},  {FEATURE_LA57, CR4_LA57},
        {FEATURE_FSGSBASE, CR4_FSGSBASE}, {FEATURE_PCID, CR4_PCIDE}, {FEATURE_XSAVE, CR4_OSXSAVE},
        {FEATURE_SMEP, CR4_SMEP},         {FEATURE_SMAP, CR4_SMAP},  {FEATURE_PKU, CR4_PKE},
    };
    uint64_t known = 0;

    for (unsigned n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
        known |= cpu_has(c, rows[n].feature) ? rows[n].bits : 0;
    }
    return known;
}

static void set_cr4(Cpu *c, uint64_t value)
{
    const uint64_t paging = CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_LA57;
    uint64_t changed = value ^ c->s.cr4;

    gp_unless(c, !(value & ~cr4_known(c)), "CR4 cannot be %x: the CPU lacks one of these", value);
    if (long_mode(c)) {
        gp_unless(c, !(changed & (CR4_PAE | CR4_LA57)), "CR4 cannot become %x in long mode", value);
    }
    if (changed & value & CR4_PCIDE) {
        gp_unless(c, long_mode(c) && !(c->s.cr3 & 0xfff), "CR4.PCIDE cannot be set now, %x", value);
    }
    if (changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP) &&
        pae_only(c->s.cr0, value, c->s.efer)) {
        gp_unless(c, walk_load_pdptes(c, c->s.cr3), c->why_format, c->why_value[0]);
    }
    c->s.cr4 = value;
    if (changed & paging) {
        tlb_flush(c);
    } else if (changed & (CR4_SMAP | CR4_PKE)) {
        tlb_rights_changed(c);
    }
    cpu_mode_changed(c);
}

enum { CR8_REGISTER = 0x80 }; /* of the local APIC's page: the task priority */

static uint64_t get_cr8(Cpu *c)
{
    RtIo io = {.size = 4};

    return (rt_answer_of(c, c->apic, CR8_REGISTER, &io) ? io.value : HOST_CALL(c, tpr)) >> 4;
}

static void set_cr8(Cpu *c, uint64_t value)
{
    RtIo io = {.value = value << 4, .size = 4, .write = true};

    gp_unless(c, value < 16, "CR8 cannot be %x", value);
    if (!rt_answer_of(c, c->apic, CR8_REGISTER, &io)) {
        HOST_DO(c, set_tpr, value << 4);
        c->block_break = true;
    }
}

static void cr_write(Cpu *c, unsigned cr, uint64_t value)
{
    switch (cr) {
    case 0:
        sys_cr0(c, value);
        break;
    case 2:
        c->s.cr2 = value;
        break;
    case 3:
        set_cr3(c, value);
        break;
    case 4:
        set_cr4(c, value);
        break;
    case 8:
        set_cr8(c, value);
        break;
    default:
        raise_fault(c, EXC_UD);
    }
}

static uint64_t cr_read(Cpu *c, unsigned cr)
{
    switch (cr) {
    case 0:
        return c->s.cr0;
    case 2:
        return c->s.cr2;
    case 3:
        return c->s.cr3;
    case 4:
        return c->s.cr4;
    case 8:
        return get_cr8(c);
    default:
        raise_fault(c, EXC_UD);
    }
}

static void run_mov_cr(Cpu *c, const Insn *i)
{
    unsigned size = c->code_size == CODE_64 ? 8 : 4;
    bool store = i->operand[0].kind == OPERAND_CR;

    need_cpl0(c);
    if (store) {
        cr_write(c, i->operand[0].reg, sys_read(c, i, 1, size));
    } else {
        gpr_write(c, i->operand[0].reg, size, cr_read(c, i->operand[1].reg));
    }
}

static void run_lmsw(Cpu *c, const Insn *i)
{
    uint64_t value;

    need_cpl0(c);
    value = sys_read(c, i, 0, 2);
    sys_cr0(c, (c->s.cr0 & ~0xeull) | (value & 15)); /* PE can be set, not cleared */
}

static void run_clts(Cpu *c, const Insn *i)
{
    need_cpl0(c);
    c->s.cr0 &= ~(uint64_t)CR0_TS;
    cpu_mode_changed(c);
}

/* ---- debug registers ---- */

static unsigned dr_number(Cpu *c, unsigned dr)
{
    if (dr == 4 || dr == 5) {
        if (c->s.cr4 & CR4_DE) {
            raise_fault(c, EXC_UD);
        }
        return dr + 2;
    }
    if (dr > 7) {
        raise_fault(c, EXC_UD);
    }
    return dr;
}

static void dr_write(Cpu *c, unsigned dr, uint64_t value)
{
    if (dr < 4) {
        c->s.dr[dr] = value;
        return;
    }
    gp_unless(c, !(value >> 32), "DR6 and DR7 cannot be %x: they have 32 bits", value);
    if (dr == 6) {
        c->s.dr6 = (value & 0xe00f) | 0xffff0ff0;
    } else {
        c->s.dr7 = (value & 0xffff23ff) | 0x400;
    }
}

static void run_mov_dr(Cpu *c, const Insn *i)
{
    bool store = i->operand[0].kind == OPERAND_DR;
    unsigned size = c->code_size == CODE_64 ? 8 : 4;
    unsigned dr = dr_number(c, i->operand[store ? 0 : 1].reg);

    need_cpl0(c);
    if (c->s.dr7 & DR7_GD) {
        c->s.dr6 |= DR6_BD;
        raise_fault(c, EXC_DB);
    }
    if (store) {
        dr_write(c, dr, sys_read(c, i, 1, size));
        cpu_mode_changed(c);
    } else {
        gpr_write(c, i->operand[0].reg, size, dr < 4 ? c->s.dr[dr] : dr == 6 ? c->s.dr6 : c->s.dr7);
    }
}

/* The others are undefined whatever the privilege. */
static bool cr_exists(const Insn *i)
{
    unsigned cr = i->operand[i->operand[0].kind == OPERAND_CR ? 0 : 1].reg;

    return cr == 0 || (cr >= 2 && cr <= 4) || cr == 8;
}

InsnRun *bind_control(Cpu *c, Insn *i)
{
    switch (i->op) {
    case OP_MOV_CR:
        return cr_exists(i) ? run_mov_cr : run_undefined;
    case OP_MOV_DR:
        return run_mov_dr;
    case OP_LMSW:
        return run_lmsw;
    case OP_CLTS:
        return run_clts;
    default:
        return NULL;
    }
}
