/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System-management mode: entry by SMI, RSM, the save state map with and without long mode
 * (SDM volume 3, "System management mode"; APM volume 2, "SMM state-save area" for the 64-bit map,
 * whose revision 0x20064 firmware looks for). The map is at smbase + 0x8000.
 * Not modelled: I/O instruction restart, the dual-monitor treatment, SMRAM as a cacheable range.
 */
#include "target/i386/rt/host.h"
#include "target/i386/rt/sys.h"
#include "target/i386/rt/walk.h"

enum { SMM_MAP = 0x8000, SMM_REVISION64 = 0x20064, SMM_REVISION32 = 0x20000 };

/* clang-format off */
/* Offsets of the general registers, in the order of their numbers. */
static const uint16_t gpr32[8] = {0x7fd0, 0x7fd4, 0x7fd8, 0x7fdc, 0x7fe0, 0x7fe4, 0x7fe8, 0x7fec};
static const uint16_t gpr64[16] = {0x7ff8, 0x7ff0, 0x7fe8, 0x7fe0, 0x7fd8, 0x7fd0, 0x7fc8, 0x7fc0,
                                   0x7fb8, 0x7fb0, 0x7fa8, 0x7fa0, 0x7f98, 0x7f90, 0x7f88, 0x7f80};
/* Of the segment registers ES CS SS DS FS GS: selector, and base with limit and attributes. */
static const uint16_t selector32[6] = {0x7fa8, 0x7fac, 0x7fb0, 0x7fb4, 0x7fb8, 0x7fbc};
static const uint16_t segment32[6]  = {0x7f84, 0x7f90, 0x7f9c, 0x7f2c, 0x7f38, 0x7f44};
/* clang-format on */

static void put(Cpu *c, unsigned offset, uint64_t value, unsigned size)
{
    phys_write(c, (uint32_t)(c->s.smbase + SMM_MAP + offset), value, size);
}

static uint64_t get(Cpu *c, unsigned offset, unsigned size)
{
    return phys_read(c, (uint32_t)(c->s.smbase + SMM_MAP + offset), size);
}

/* ---- the 32-bit map ---- */

static void put_segment32(Cpu *c, unsigned at, const X86Segment *g)
{
    put(c, at, g->attr, 4);
    put(c, at + 4, g->limit, 4);
    put(c, at + 8, g->base, 4);
}

static void save32(Cpu *c)
{
    X86State *s = &c->s;

    put(c, 0x7ffc, s->cr0, 4);
    put(c, 0x7ff8, s->cr3, 4);
    put(c, 0x7ff4, s->rflags, 4);
    put(c, 0x7ff0, s->rip, 4);
    for (unsigned n = 0; n < 8; n++) {
        put(c, gpr32[n], s->gpr[n], 4);
    }
    put(c, 0x7fcc, s->dr6, 4);
    put(c, 0x7fc8, s->dr7, 4);
    put(c, 0x7fc4, s->seg[SEG_TR].selector, 4);
    put_segment32(c, 0x7f5c, &s->seg[SEG_TR]);
    put(c, 0x7fc0, s->seg[SEG_LDTR].selector, 4);
    put_segment32(c, 0x7f78, &s->seg[SEG_LDTR]);
    put(c, 0x7f74, s->gdtr.base, 4);
    put(c, 0x7f70, s->gdtr.limit, 4);
    put(c, 0x7f58, s->idtr.base, 4);
    put(c, 0x7f54, s->idtr.limit, 4);
    for (unsigned n = 0; n < 6; n++) {
        put(c, selector32[n], s->seg[n].selector, 4);
        put_segment32(c, segment32[n], &s->seg[n]);
    }
    put(c, 0x7f14, s->cr4, 4);
    put(c, 0x7efc, SMM_REVISION32, 4);
    put(c, 0x7ef8, s->smbase, 4);
}

static X86Segment get_segment32(Cpu *c, unsigned at, uint16_t selector)
{
    return (X86Segment){.selector = selector,
                        .attr = get(c, at, 4) & 0xf0ff,
                        .limit = get(c, at + 4, 4),
                        .base = get(c, at + 8, 4)};
}

static void load32(Cpu *c)
{
    X86State *s = &c->s;

    s->cr0 = get(c, 0x7ffc, 4) | CR0_ET;
    s->cr3 = get(c, 0x7ff8, 4);
    s->rflags = (get(c, 0x7ff4, 4) & 0x3f7fd5) | FLAG_ONE;
    s->rip = get(c, 0x7ff0, 4);
    for (unsigned n = 0; n < 8; n++) {
        s->gpr[n] = get(c, gpr32[n], 4);
    }
    s->dr6 = get(c, 0x7fcc, 4);
    s->dr7 = get(c, 0x7fc8, 4);
    s->seg[SEG_TR] = get_segment32(c, 0x7f5c, get(c, 0x7fc4, 2));
    s->seg[SEG_LDTR] = get_segment32(c, 0x7f78, get(c, 0x7fc0, 2));
    s->gdtr = (X86Table){get(c, 0x7f74, 4), get(c, 0x7f70, 2)};
    s->idtr = (X86Table){get(c, 0x7f58, 4), get(c, 0x7f54, 2)};
    for (unsigned n = 0; n < 6; n++) {
        s->seg[n] = get_segment32(c, segment32[n], get(c, selector32[n], 2));
    }
    s->cr4 = get(c, 0x7f14, 4);
    s->efer = 0;
}

/* ---- the 64-bit map ---- */

/* Where a segment register is: selector, attributes, limit, base. */
static unsigned segment64(unsigned seg)
{
    return seg < SEG_LDTR ? 0x7e00 + 16 * seg : seg == SEG_LDTR ? 0x7e70 : 0x7e90;
}

static void save64(Cpu *c)
{
    X86State *s = &c->s;

    for (unsigned n = 0; n < SEG_COUNT; n++) {
        const X86Segment *g = &s->seg[n];

        put(c, segment64(n), g->selector, 2);
        put(c, segment64(n) + 2, (g->attr & 0xff) | (g->attr >> 4 & 0xf00), 2);
        put(c, segment64(n) + 4, g->limit, 4);
        put(c, segment64(n) + 8, g->base, 8);
    }
    put(c, 0x7e64, s->gdtr.limit, 4);
    put(c, 0x7e68, s->gdtr.base, 8);
    put(c, 0x7e84, s->idtr.limit, 4);
    put(c, 0x7e88, s->idtr.base, 8);
    put(c, 0x7ed0, s->efer, 8);
    for (unsigned n = 0; n < 16; n++) {
        put(c, gpr64[n], s->gpr[n], 8);
    }
    put(c, 0x7f78, s->rip, 8);
    put(c, 0x7f70, s->rflags, 4);
    put(c, 0x7f68, s->dr6, 4);
    put(c, 0x7f60, s->dr7, 4);
    put(c, 0x7f58, s->cr0, 4);
    put(c, 0x7f50, s->cr3, 8);
    put(c, 0x7f48, s->cr4, 4);
    put(c, 0x7efc, SMM_REVISION64, 4);
    put(c, 0x7f00, s->smbase, 4);
}

static void load64(Cpu *c)
{
    X86State *s = &c->s;

    for (unsigned n = 0; n < SEG_COUNT; n++) {
        uint16_t attr = get(c, segment64(n) + 2, 2);

        s->seg[n] = (X86Segment){.selector = get(c, segment64(n), 2),
                                 .attr = (attr & 0xff) | (attr & 0xf00) << 4,
                                 .limit = get(c, segment64(n) + 4, 4),
                                 .base = get(c, segment64(n) + 8, 8)};
    }
    s->gdtr = (X86Table){get(c, 0x7e68, 8), get(c, 0x7e64, 2)};
    s->idtr = (X86Table){get(c, 0x7e88, 8), get(c, 0x7e84, 2)};
    s->efer = get(c, 0x7ed0, 8) & (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
    for (unsigned n = 0; n < 16; n++) {
        s->gpr[n] = get(c, gpr64[n], 8);
    }
    s->rip = get(c, 0x7f78, 8);
    s->rflags = (get(c, 0x7f70, 4) & 0x3f7fd5) | FLAG_ONE;
    s->dr6 = get(c, 0x7f68, 4);
    s->dr7 = get(c, 0x7f60, 4);
    s->cr0 = get(c, 0x7f58, 4) | CR0_ET;
    s->cr3 = get(c, 0x7f50, 8);
    s->cr4 = get(c, 0x7f48, 4);
}

/* ---- in and out ---- */

static bool wide_map(const Cpu *c)
{
    return cpu_has(c, FEATURE_LM);
}

static unsigned halt_slot(const Cpu *c)
{
    return wide_map(c) ? 0x7ec9 : 0x7f02;
}

static void enter_state(X86State *s)
{
    for (unsigned n = 0; n < SEG_LDTR; n++) {
        s->seg[n] = (X86Segment){.attr = 0x8093, .limit = 0xffffffff};
    }
    s->seg[SEG_CS].selector = s->smbase >> 4;
    s->seg[SEG_CS].base = s->smbase;
    s->rip = 0x8000;
    s->rflags = FLAG_ONE;
    s->cr0 &= ~(uint64_t)(CR0_PE | CR0_EM | CR0_TS | CR0_PG);
    s->cr4 = 0;
    s->efer = 0;
    s->dr7 = 0x400;
    s->sti_shadow = s->ss_shadow = false;
}

void rt_smi(Cpu *c)
{
    bool halted = c->s.activity == CPU_HALTED;

    c->s.smi_pending = false;
    c->s.smm = true;
    c->s.smi_count++;
    HOST_DO(c, smm_changed);
    phys_flush(c);
    if (wide_map(c)) {
        save64(c);
    } else {
        save32(c);
    }
    put(c, halt_slot(c), halted, 1);
    /* An NMI waits until RSM; whether one was blocked before is kept beside the map's registers. */
    put(c, wide_map(c) ? 0x7eca : 0x7f04, c->s.nmi_blocked, 1);
    c->s.nmi_blocked = true;
    c->s.activity = CPU_RUNNING;
    enter_state(&c->s);
    cpu_mode_changed(c);
    tlb_flush(c);
}

/* A map that makes no sense shuts the CPU down, as the manual says. */
static bool state_legal(const Cpu *c)
{
    const X86State *s = &c->s;
    bool paging = s->cr0 & CR0_PG;

    if ((paging && !(s->cr0 & CR0_PE)) || (s->cr0 & CR0_NW && !(s->cr0 & CR0_CD))) {
        return false;
    }
    return !(s->efer & EFER_LMA) || (paging && s->cr4 & CR4_PAE && s->efer & EFER_LME);
}

void smm_leave(Cpu *c)
{
    bool halted = get(c, halt_slot(c), 1) & 1;
    bool nmi_blocked = get(c, wide_map(c) ? 0x7eca : 0x7f04, 1) & 1;
    uint32_t smbase = get(c, wide_map(c) ? 0x7f00 : 0x7ef8, 4);

    if (wide_map(c)) {
        load64(c);
    } else {
        load32(c);
    }
    c->s.smbase = smbase;
    c->s.smm = false;
    c->s.nmi_blocked = nmi_blocked;
    c->s.activity = !state_legal(c) ? CPU_SHUTDOWN : halted ? CPU_HALTED : CPU_RUNNING;
    HOST_DO(c, smm_changed);
    phys_flush(c);
    cpu_mode_changed(c);
    if (c->s.cr0 & CR0_PG && c->s.cr4 & CR4_PAE && !(c->s.efer & EFER_LMA)) {
        walk_load_pdptes(c, c->s.cr3);
    }
    c->next_rip = c->s.rip;
}
