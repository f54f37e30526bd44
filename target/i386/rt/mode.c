/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What follows from the state, and the states the CPU starts in: reset, INIT, start-up IPI
 * (SDM volume 3, "Processor management and initialization", table 10-1).
 * Not modelled: built-in self-test results.
 */
#include "target/i386/rt/fpu.h"
#include "target/i386/rt/host.h"
#include "target/i386/rt/sys.h"

/* No base, no limit, readable and, but for CS, writable. */
static bool segment_flat(const X86Segment *g, bool code)
{
    bool usable = (g->attr & (ATTR_P | ATTR_S)) == (ATTR_P | ATTR_S) && g->attr & ATTR_WRITE_READ &&
                  (code || !(g->attr & (ATTR_CODE | ATTR_DOWN_CONFORM)));

    return usable && g->base == 0 && g->limit == 0xffffffff;
}

static bool all_flat(const X86State *s)
{
    return segment_flat(&s->seg[SEG_DS], false) && segment_flat(&s->seg[SEG_ES], false) &&
           segment_flat(&s->seg[SEG_SS], false) && segment_flat(&s->seg[SEG_CS], true);
}

/* Breakpoints that are armed: bit 0: on execution, bit 1: on data, bit 2: on I/O. */
static unsigned armed(const X86State *s)
{
    unsigned kinds = 0;

    for (unsigned n = 0; n < 4; n++) {
        unsigned rw = s->dr7 >> (16 + 4 * n) & 3;

        if (s->dr7 >> 2 * n & 3) {
            kinds |= rw == 0 ? 1 : rw == 2 ? 4 : 2;
        }
    }
    return kinds;
}

static View view_of(const Cpu *c)
{
    bool aligned = c->s.cr0 & CR0_AM && c->s.rflags & FLAG_AC && c->cpl == 3;

    if (aligned || armed(&c->s) & 2) {
        return VIEW_SLOW;
    }
    if (c->cpl == 3) {
        return VIEW_USER;
    }
    return c->s.cr4 & CR4_SMAP && !(c->s.rflags & FLAG_AC) ? VIEW_KERNEL_SMAP : VIEW_KERNEL;
}

static CodeSize code_size_of(const X86State *s)
{
    const X86Segment *cs = &s->seg[SEG_CS];

    if (s->efer & EFER_LMA && cs->attr & ATTR_L) {
        return CODE_64;
    }
    return cs->attr & ATTR_DB ? CODE_32 : CODE_16;
}

static bool fpu_runs(const X86State *s, FpuKind kind)
{
    const FpuNeed *n = &fpu_need[kind];

    return !((s->cr0 & n->cr0_clear) | (~s->cr0 & n->cr0_set) | (~s->cr4 & n->cr4) |
             (~s->xcr0 & n->xcr0) | (s->rflags & FLAG_VM));
}

static uint32_t fpu_mode(const X86State *s)
{
    return (fpu_runs(s, FPU_X87) ? MODE_X87 : 0) | (fpu_runs(s, FPU_SSE) ? MODE_SSE : 0) |
           (fpu_runs(s, FPU_AVX) ? MODE_AVX : 0) | (fpu_runs(s, FPU_AVX512) ? MODE_AVX512 : 0);
}

/* ---- for translated code: how far segments reach ---- */

#define REACH_NONE (-(1ll << 33))

static void set_reach(Cpu *c, unsigned seg)
{
    const X86Segment *g = &c->s.seg[seg];
    bool asked = (c->s.cr0 & CR0_PE) && !(c->s.rflags & FLAG_VM), code = g->attr & ATTR_CODE,
         there = (g->attr & (ATTR_P | ATTR_S)) == (ATTR_P | ATTR_S),
         right = g->attr & ATTR_WRITE_READ,
         down =
             (g->attr & (ATTR_CODE | ATTR_DOWN_CONFORM | ATTR_S)) == (ATTR_DOWN_CONFORM | ATTR_S),
         read = !asked || (there && (!code || right)), write = !asked || (there && !code && right);

    c->reach[seg][0] = read && !down ? (int64_t)g->limit : REACH_NONE;
    c->reach[seg][1] = write && !down ? (int64_t)g->limit : REACH_NONE;
}

static bool both_reach(const Cpu *c, unsigned seg, int64_t limit)
{
    return c->reach[seg][0] >= limit && c->reach[seg][1] >= limit;
}

static uint32_t wide_mode(const Cpu *c)
{
    static const struct {
        uint8_t seg;
        uint32_t mode;
    } data[] = {{SEG_ES, MODE_ES_WIDE},
                {SEG_SS, MODE_SS_WIDE},
                {SEG_DS, MODE_DS_WIDE},
                {SEG_FS, MODE_FS_WIDE},
                {SEG_GS, MODE_GS_WIDE}};
    uint32_t mode = MODE_64K;

    if (c->code_size == CODE_64) {
        return MODE_PLAIN;
    }
    for (unsigned n = 0; n < 5; n++) {
        mode |= both_reach(c, data[n].seg, 0xffffffff) ? data[n].mode : 0;
        mode &= both_reach(c, data[n].seg, 0xffff) ? ~0u : ~(uint32_t)MODE_64K;
    }
    return mode |
           (c->code_size == CODE_32 && !c->code_base && c->code_limit == 0xffffffff ? MODE_PLAIN
                                                                                    : 0);
}

static uint32_t level_mode(const Cpu *c)
{
    return c->cpl == 3 ? MODE_USER : c->cpl ? MODE_INNER : 0;
}

static uint32_t mode_key(const Cpu *c)
{
    uint32_t mode = c->code_size;
    bool pe = c->s.cr0 & CR0_PE, v86 = pe && c->s.rflags & FLAG_VM;

    mode |= level_mode(c);
    mode |= c->s.cr4 & CR4_SMAP ? MODE_SMAP : 0;
    mode |= c->s.cr4 & CR4_PKE ? MODE_PKE : 0;
    mode |= c->flat ? MODE_FLAT : 0;
    mode |= (c->stack_size == 8 ? 2 : c->stack_size == 4 ? 1 : 0) << MODE_STACK_SHIFT;
    mode |= v86 ? MODE_V86 : pe ? MODE_PE : 0;
    mode |= c->s.rflags & FLAG_TF || armed(&c->s) & 1 || c->debug_step ? MODE_STEP : 0;
    mode |= (uint32_t)c->view << MODE_VIEW_SHIFT;
    mode |= fpu_mode(&c->s) | wide_mode(c);
    return mode;
}

void cpu_mode_changed(Cpu *c)
{
    const X86Segment *cs = &c->s.seg[SEG_CS];

    c->code_size = code_size_of(&c->s);
    c->cpl = c->s.cr0 & CR0_PE ? x86_cpl(&c->s) : 0;
    c->code_base = c->code_size == CODE_64 ? 0 : (uint32_t)cs->base;
    c->code_limit = c->code_size == CODE_64 ? ~0ull : cs->limit;
    c->stack_size = c->code_size == CODE_64 ? 8 : c->s.seg[SEG_SS].attr & ATTR_DB ? 4 : 2;
    c->flat = c->code_size == CODE_64 || all_flat(&c->s);
    c->code_tag = c->code_base << 32;
    for (unsigned n = 0; n <= SEG_GS && c->code_size != CODE_64; n++) {
        set_reach(c, n);
    }
    c->view = view_of(c);
    c->tlb = &c->tlb_view[c->view];
    c->mode = mode_key(c);
    window_update(c);
    c->block_break = true;
}

void cpu_segment_changed(Cpu *c, unsigned seg)
{
    uint32_t mode = c->mode;

    if (c->code_size == CODE_64) {
        return;
    }
    set_reach(c, seg);
    c->flat = all_flat(&c->s);
    c->mode = (mode & ~(uint32_t)MODE_SEGMENTS) | (c->flat ? MODE_FLAT : 0) | wide_mode(c);
    c->block_break |= c->mode != mode;
}

/* From 64-bit code to 64-bit code, nothing being watched: no more than level and view are new. */
static bool only_level(const Cpu *c, unsigned cpl)
{
    const X86State *s = &c->s;
    bool aligned = s->cr0 & CR0_AM && s->rflags & FLAG_AC && cpl == 3;

    return c->code_size == CODE_64 && s->seg[SEG_CS].attr & ATTR_L && s->efer & EFER_LMA &&
           !(s->rflags & FLAG_TF) && !(s->dr7 & 0xff) && !c->debug_step && !aligned;
}

void cpu_level_changed(Cpu *c)
{
    unsigned cpl = x86_cpl(&c->s);
    bool open = !(c->s.cr4 & CR4_SMAP) || c->s.rflags & FLAG_AC;

    if (unlikely(!only_level(c, cpl))) {
        cpu_mode_changed(c);
        return;
    }
    c->cpl = cpl;
    c->view = cpl == 3 ? VIEW_USER : open ? VIEW_KERNEL : VIEW_KERNEL_SMAP;
    c->tlb = &c->tlb_view[c->view];
    c->mode =
        (c->mode & ~(uint32_t)(MODE_USER | MODE_INNER | MODE_VIEW | MODE_STEP | MODE_WINDOW)) |
        level_mode(c) | (uint32_t)c->view << MODE_VIEW_SHIFT | (cpl == 3 ? c->window.mode : 0);
    if (unlikely(c->window.always | c->window.paranoid) || window_astray(c)) {
        window_update(c);
    }
    c->block_break = true;
}

void rt_state_loaded(Cpu *c)
{
    c->exc_pending = false;
    c->delivering = 0;
    c->external = false;
    cpu_mode_changed(c);
    phys_flush(c);
    fpu_load_image(c);
}

/* Pages with breakpoints are found anew by block_find_slow(), watched ones lose their tags. */
void rt_debug(Cpu *c, const DebugPlan *plan)
{
    bool stops = plan && (plan->break_count || plan->watch_count);

    if (stops || c->debug) {
        c->debug = stops ? plan : NULL;
        phys_flush(c);
    }
    c->debug_step = plan ? plan->step : 0;
    c->debug_hit = (DebugHit){0};
    cpu_mode_changed(c);
}

/* ---- starting ---- */

static void reset_segments(X86State *s)
{
    for (unsigned n = 0; n < SEG_LDTR; n++) {
        s->seg[n] = (X86Segment){.attr = 0x93, .limit = 0xffff};
    }
    s->seg[SEG_CS] =
        (X86Segment){.selector = 0xf000, .attr = 0x9b, .limit = 0xffff, .base = 0xffff0000};
    s->seg[SEG_LDTR] = (X86Segment){.attr = 0x82, .limit = 0xffff};
    s->seg[SEG_TR] = (X86Segment){.attr = 0x8b, .limit = 0xffff};
    s->gdtr = s->idtr = (X86Table){.limit = 0xffff};
}

static void reset_registers(Cpu *c)
{
    X86State *s = &c->s;

    for (unsigned n = 0; n < 16; n++) {
        s->gpr[n] = 0;
    }
    s->gpr[R_DX] = c->signature;
    s->rip = 0xfff0;
    s->rflags = FLAG_ONE;
    s->cr2 = s->cr3 = s->cr4 = s->efer = 0;
    for (unsigned n = 0; n < 4; n++) {
        s->dr[n] = s->pdpte[n] = 0;
    }
    s->dr6 = 0xffff0ff0;
    s->dr7 = 0x400;
}

static void reset_events(X86State *s, bool bsp)
{
    s->activity = bsp ? CPU_RUNNING : CPU_WAIT_SIPI;
    s->sti_shadow = s->ss_shadow = s->nmi_blocked = false;
    s->init_pending = s->nmi_pending = s->smi_pending = false;
    s->dr6_pending = 0;
}

static void reset_paravirtual(X86State *s)
{
    for (unsigned n = 0; n < sizeof s->pv / sizeof s->pv[0]; n++) {
        s->pv[n] = 0;
    }
    for (unsigned n = 0; n < sizeof s->hv_crash / sizeof s->hv_crash[0]; n++) {
        s->hv_crash[n] = 0;
    }
    for (unsigned n = 0; n < HV_SINTS; n++) {
        s->hv_sint[n] = 1 << 16; /* masked */
    }
    for (unsigned n = 0; n < HV_STIMERS; n++) {
        s->hv_stimer[n][0] = s->hv_stimer[n][1] = 0;
    }
    s->hv_os = s->hv_hypercall = s->hv_tsc = s->hv_assist = 0;
    s->hv_scontrol = s->hv_siefp = s->hv_simp = 0;
}

static void reset_msrs(X86State *s)
{
    for (unsigned n = 0; n < MTRR_FIXED; n++) {
        s->mtrr_fixed[n] = 0;
    }
    for (unsigned n = 0; n < MTRR_VARIABLE; n++) {
        s->mtrr_base[n] = s->mtrr_mask[n] = 0;
    }
    for (unsigned n = 0; n < MCE_BANKS; n++) {
        s->mce[n][0] = ~0ull;
        s->mce[n][1] = s->mce[n][2] = s->mce[n][3] = 0;
    }
    s->star = s->lstar = s->cstar = s->sfmask = s->kernel_gs_base = 0;
    s->sysenter_cs = s->sysenter_esp = s->sysenter_eip = 0;
    s->tsc_adjust = s->tsc_aux = s->feature_control = s->spec_ctrl = s->debugctl = 0;
    s->smi_count = s->bios_sign_id = s->xss = s->mtrr_def_type = 0;
    s->mcg_status = 0;
    s->mcg_ctl = ~0ull;
    s->pat = 0x0007040600070406;
    s->misc_enable = 0x1801; /* fast strings; no branch trace store, no PEBS */
    reset_paravirtual(s);
    s->pkru = 0;
    s->xcr0 = 1;
}

void rt_reset(Cpu *c, bool init, bool bsp)
{
    X86State *s = &c->s;

    s->cr0 = init ? (s->cr0 & (CR0_CD | CR0_NW)) | CR0_ET : CR0_CD | CR0_NW | CR0_ET;
    reset_segments(s);
    reset_registers(c);
    reset_events(s, bsp);
    if (!init) {
        reset_msrs(s);
        s->smm = s->smi_blocked = false;
        s->smbase = 0x30000;
        s->a20 = true;
    }
    fpu_reset(c, init);
    rt_state_loaded(c);
    c->last_count = 0;
    c->why_format = NULL;
    c->why[0] = 0;
}

void rt_sipi(Cpu *c, uint8_t page)
{
    X86Segment *cs = &c->s.seg[SEG_CS];

    if (c->s.activity != CPU_WAIT_SIPI) {
        return;
    }
    segment_real(cs, page << 8);
    c->s.rip = 0;
    c->s.activity = CPU_RUNNING;
    cpu_mode_changed(c);
}
