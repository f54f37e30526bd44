/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FXSAVE, FXRSTOR, the XSAVE family, MXCSR and XCR0 (SDM volume 1, chapter 13, "Managing state
 * using the XSAVE feature set"; volume 2). Images are made from and loaded into the save image
 * (fpu.h), so the guest sees its own layout (xstate.h, CPUID 0DH) and its own instruction pointers.
 * Not modelled: the modified optimisation of XSAVEOPT and XSAVES (they save all that is in use,
 * which the manual allows); supervisor components.
 */
#include "target/i386/decode/table.h"
#include "target/i386/rt/host.h"
#include "target/i386/rt/stub.h"
#include "target/i386/rt/walk.h"
#include "target/i386/rt/xstate.h"

#define COMPACT (1ull << 63)

enum { IMAGE_BYTES = 2752 };

static void copy(void *to, const void *from, unsigned bytes)
{
    __builtin_memcpy(to, from, bytes);
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t v;

    copy(&v, at, 8);
    return v;
}

static bool in_use(const Cpu *c, unsigned component)
{
    const FpuHost *f = c->fpu;
    uint64_t used = f->save_mask ? get64(f->image + XSAVE_BV) : XSTATE_X87 | XSTATE_SSE;

    return component == 9 ? c->s.pkru : used >> component & 1;
}

/* XINUSE of the guest; the image is up to date. */
static uint64_t xinuse(const Cpu *c)
{
    uint64_t used = 0;

    for (unsigned n = 0; n < XSTATE_COUNT; n++) {
        used |= (uint64_t)in_use(c, n) << n;
    }
    return used;
}

static bool wide_mode(const Cpu *c)
{
    return c->code_size == CODE_64;
}

/* YMM, ZMM: outside 64-bit mode the first eight registers only. */
static unsigned component_bytes(const Cpu *c, unsigned n)
{
    unsigned bytes = xstate_layout[n].bytes;

    return wide_mode(c) || n == 5 ? bytes : n == 7 ? 0 : bytes / 2;
}

/* ---- the legacy area ---- */

static void x87_pointers_out(const Cpu *c, uint8_t *image, bool wide)
{
    const X86Fpu *f = &c->s.fpu;

    copy(image + FX_FOP, &f->fop, 2);
    copy(image + FX_FIP, &f->fip, 8);
    copy(image + FX_FDP, &f->fdp, 8);
    if (!wide) {
        uint32_t cs = f->fcs, ds = f->fds;

        copy(image + FX_FIP + 4, &cs, 4);
        copy(image + FX_FDP + 4, &ds, 4);
    }
}

/* As many bits as addresses have, like the processors. */
static uint64_t canonical_form(const Cpu *c, uint64_t address)
{
    unsigned unused = 64 - c->linear_bits;

    return (uint64_t)((int64_t)(address << unused) >> unused);
}

static void x87_pointers_in(Cpu *c, const uint8_t *image, bool wide)
{
    X86Fpu *f = &c->s.fpu;

    copy(&f->fop, image + FX_FOP, 2);
    f->fop &= 0x7ff;
    copy(&f->fip, image + FX_FIP, 8);
    copy(&f->fdp, image + FX_FDP, 8);
    f->fcs = f->fds = 0;
    if (wide) {
        f->fip = canonical_form(c, f->fip);
        f->fdp = canonical_form(c, f->fdp);
    } else {
        f->fcs = f->fip >> 32;
        f->fds = f->fdp >> 32;
        f->fip = (uint32_t)f->fip;
        f->fdp = (uint32_t)f->fdp;
    }
}

/* x87 part: the first 24 bytes and the eight registers. */
static void x87_out(const Cpu *c, uint8_t *image, bool wide)
{
    static const uint8_t initial[FX_FOP] = {FCW_INIT & 0xff, FCW_INIT >> 8};

    if (in_use(c, 0)) {
        copy(image, c->fpu->image, FX_FOP);
        copy(image + FX_ST, c->fpu->image + FX_ST, 128);
    } else {
        copy(image, initial, FX_FOP);
        __builtin_memset(image + FX_ST, 0, 128);
    }
    x87_pointers_out(c, image, wide);
}

static void mxcsr_out(const Cpu *c, uint8_t *image)
{
    uint32_t mask = c->fpu->mxcsr_mask & MXCSR_GUEST;

    copy(image + FX_MXCSR, c->fpu->image + FX_MXCSR, 4);
    copy(image + FX_MXCSR_MASK, &mask, 4);
}

static void xmm_out(const Cpu *c, uint8_t *image)
{
    unsigned bytes = wide_mode(c) ? 256 : 128;

    if (in_use(c, 1)) {
        copy(image + FX_XMM, c->fpu->image + FX_XMM, bytes);
    } else {
        __builtin_memset(image + FX_XMM, 0, bytes);
    }
}

static void x87_in(Cpu *c, const uint8_t *image, bool wide)
{
    copy(c->fpu->image, image, FX_FOP - 1); /* the byte behind the tags is reserved */
    copy(c->fpu->image + FX_ST, image + FX_ST, 128);
    x87_pointers_in(c, image, wide);
}

static void x87_initial(Cpu *c)
{
    static const uint8_t initial[FX_ST] = {FCW_INIT & 0xff, FCW_INIT >> 8};

    x87_in(c, initial, true);
    __builtin_memset(c->fpu->image + FX_ST, 0, 128);
}

static void check_mxcsr(Cpu *c, uint32_t mxcsr)
{
    if (mxcsr & ~(c->fpu->mxcsr_mask & MXCSR_GUEST)) {
        raise_error(c, EXC_GP, 0);
    }
}

/* What the image holds for a component is now to be loaded, or is its initial state. */
static void mark(Cpu *c, unsigned component, bool used)
{
    uint64_t bv = get64(c->fpu->image + XSAVE_BV), bit = 1ull << component;

    bv = used ? bv | bit : bv & ~bit;
    copy(c->fpu->image + XSAVE_BV, &bv, 8);
}

/* Components marked as initial keep nothing in the image: make it say so before it is changed. */
static void image_open(Cpu *c)
{
    fpu_sync_image(c);
    fpu_drop(c);
}

/* ---- FXSAVE, FXRSTOR ---- */

/* An address that is not canonical comes first: the access will tell. */
static void check_fx_aligned(Cpu *c, uint64_t linear)
{
    if (linear & 15 && (!wide_mode(c) || canonical(c, linear))) {
        raise_error(c, EXC_GP, 0);
    }
}

static void run_fxsave(Cpu *c, const Insn *i)
{
    uint8_t out[FX_BYTES];
    uint64_t linear;
    bool wide = i->prefix & PREFIX_REX_W;

    fpu_check(c, FPU_FXSAVE);
    linear = insn_linear(c, i, FX_BYTES, true);
    check_fx_aligned(c, linear);
    mem_probe(c, linear, FX_BYTES, ACCESS_WRITE);
    mem_read_block(c, linear, out, FX_BYTES, ACCESS_READ);
    fpu_sync_image(c);
    x87_out(c, out, wide);
    mxcsr_out(c, out);
    xmm_out(c, out);
    mem_write_block(c, linear, out, FX_XMM + (wide_mode(c) ? 256 : 128), ACCESS_WRITE);
}

static void run_fxrstor(Cpu *c, const Insn *i)
{
    uint8_t in[FX_BYTES];
    uint64_t linear;
    uint32_t mxcsr;

    fpu_check(c, FPU_FXSAVE);
    linear = insn_linear(c, i, FX_BYTES, false);
    check_fx_aligned(c, linear);
    mem_read_block(c, linear, in, FX_BYTES, ACCESS_READ);
    copy(&mxcsr, in + FX_MXCSR, 4);
    check_mxcsr(c, mxcsr);
    image_open(c);
    if (!in_use(c, 1)) {
        __builtin_memset(c->fpu->image + FX_XMM, 0, 256);
    }
    x87_in(c, in, i->prefix & PREFIX_REX_W);
    copy(c->fpu->image + FX_MXCSR, &mxcsr, 4);
    copy(c->fpu->image + FX_XMM, in + FX_XMM, wide_mode(c) ? 256 : 128);
    mark(c, 0, true);
    mark(c, 1, true);
    fpu_live(c); /* the host puts reserved bits right */
}

/* ---- XSAVE ---- */

typedef struct Area {
    uint64_t rfbm;
    bool compact;
    unsigned offset[XSTATE_COUNT], bytes;
} Area;

/* Where the components stand (SDM volume 1, "Extended region of an XSAVE area"). */
static void area_layout(Area *a, uint64_t components)
{
    a->bytes = XSAVE_LEGACY;
    for (unsigned n = 2; n < XSTATE_COUNT; n++) {
        if (!(components >> n & 1)) {
            continue;
        }
        a->offset[n] = a->compact ? a->bytes : xstate_layout[n].offset;
        if (a->offset[n] + xstate_layout[n].bytes > a->bytes) {
            a->bytes = a->offset[n] + xstate_layout[n].bytes;
        }
    }
}

static uint64_t area_address(Cpu *c, const Insn *i, unsigned bytes, bool write)
{
    uint64_t linear = insn_linear(c, i, bytes, write);

    if (linear & 63) {
        raise_error(c, EXC_GP, 0);
    }
    return linear;
}

static uint64_t requested(const Cpu *c, uint64_t allowed)
{
    return (c->s.gpr[R_DX] << 32 | (uint32_t)c->s.gpr[R_AX]) & allowed;
}

static void component_out(const Cpu *c, unsigned n, uint8_t *to)
{
    const FpuHost *f = c->fpu;

    if (n == 9) {
        copy(to, &c->s.pkru, 4);
        __builtin_memset(to + 4, 0, 4);
    } else if (in_use(c, n)) {
        copy(to, f->image + f->offset[n], component_bytes(c, n));
    } else {
        __builtin_memset(to, 0, component_bytes(c, n));
    }
}

/* The bytes that belong to the components in `which`; others in out stay as they were read. */
static void area_fill(Cpu *c, const Area *a, uint64_t which, bool wide, uint8_t *out)
{
    if (which & XSTATE_X87) {
        x87_out(c, out, wide);
    }
    if (which & XSTATE_SSE) {
        xmm_out(c, out);
    }
    for (unsigned n = 2; n < XSTATE_COUNT; n++) {
        if (which >> n & 1) {
            component_out(c, n, out + a->offset[n]);
        }
    }
}

static void run_xsave(Cpu *c, const Insn *i)
{
    Area a = {.compact = i->op == OP_XSAVEC || i->op == OP_XSAVES};
    uint8_t out[IMAGE_BYTES];
    uint64_t linear, used, which, bv;

    fpu_check(c, FPU_XSAVE);
    if (i->op == OP_XSAVES && c->cpl) {
        raise_error(c, EXC_GP, 0);
    }
    a.rfbm = requested(c, c->s.xcr0 | (i->op == OP_XSAVES ? c->s.xss : 0));
    area_layout(&a, a.rfbm);
    linear = area_address(c, i, a.bytes, true);
    mem_probe(c, linear, a.bytes, ACCESS_WRITE);
    mem_read_block(c, linear, out, a.bytes, ACCESS_READ);
    fpu_sync_image(c);
    used = xinuse(c);
    if (a.compact && *(uint32_t *)(c->fpu->image + FX_MXCSR) != MXCSR_INIT) {
        used |= XSTATE_SSE;
    }
    which = a.rfbm & (i->op == OP_XSAVE ? ~0ull : used);
    area_fill(c, &a, which, i->prefix & PREFIX_REX_W, out);
    if (a.compact ? which & XSTATE_SSE : a.rfbm & (XSTATE_SSE | XSTATE_AVX)) {
        mxcsr_out(c, out);
    }
    bv = (a.compact ? 0 : get64(out + XSAVE_BV) & ~a.rfbm) | (used & a.rfbm);
    copy(out + XSAVE_BV, &bv, 8);
    if (a.compact) {
        bv = a.rfbm | COMPACT;
        copy(out + XSAVE_COMP_BV, &bv, 8);
    }
    mem_write_block(c, linear, out, a.bytes, ACCESS_WRITE);
}

/* ---- XRSTOR ---- */

/* Checks the header; gives the components that the area holds a place for. */
static uint64_t check_header(Cpu *c, const uint8_t *in, bool need_compact, uint64_t allowed)
{
    uint64_t bv = get64(in + XSAVE_BV), comp = get64(in + XSAVE_COMP_BV), rest = 0;
    bool compact = comp & COMPACT;

    for (unsigned n = XSAVE_COMP_BV + 8; n < (compact ? 576u : 536u); n++) {
        rest |= in[n];
    }
    if (rest || bv & ~allowed || (need_compact && !compact) ||
        (compact ? !cpu_has(c, FEATURE_XSAVEC) || (comp & ~COMPACT & ~allowed) || bv & ~comp
                 : comp != 0)) {
        raise_error(c, EXC_GP, 0);
    }
    return compact ? comp & ~COMPACT : allowed;
}

static void component_in(Cpu *c, unsigned n, const uint8_t *from, bool present)
{
    FpuHost *f = c->fpu;

    if (n == 9) {
        uint32_t value = 0;

        copy(&value, from, present ? 4 : 0);
        pkru_set(c, value); /* the TLB goes only where it changes */
        return;
    }
    if (wide_mode(c)) {
        mark(c, n, present);
    } else if (!in_use(c, n)) { /* half of it keeps what INIT gave it */
        __builtin_memset(f->image + f->offset[n], 0, xstate_layout[n].bytes);
        mark(c, n, true);
    }
    if (present) {
        copy(f->image + f->offset[n], from, component_bytes(c, n));
    } else {
        __builtin_memset(f->image + f->offset[n], 0, component_bytes(c, n));
    }
}

static void xmm_in(Cpu *c, const uint8_t *in, bool present)
{
    uint8_t *xmm = c->fpu->image + FX_XMM;
    unsigned bytes = wide_mode(c) ? 256 : 128;

    if (!in_use(c, 1)) {
        __builtin_memset(xmm, 0, 256);
    }
    if (present) {
        copy(xmm, in + FX_XMM, bytes);
    } else {
        __builtin_memset(xmm, 0, bytes);
    }
    mark(c, 1, present || !wide_mode(c));
}

static void run_xrstor(Cpu *c, const Insn *i)
{
    bool supervisor = i->op == OP_XRSTORS;
    uint8_t in[IMAGE_BYTES];
    uint64_t linear, bv, allowed = c->s.xcr0 | (supervisor ? c->s.xss : 0);
    uint32_t mxcsr = MXCSR_INIT;
    Area a;

    fpu_check(c, FPU_XSAVE);
    if (supervisor && c->cpl) {
        raise_error(c, EXC_GP, 0);
    }
    linear = area_address(c, i, XSAVE_LEGACY, false);
    mem_read_block(c, linear, in, XSAVE_LEGACY, ACCESS_READ);
    a.compact = in[XSAVE_COMP_BV + 7] & 0x80;
    area_layout(&a, check_header(c, in, supervisor, allowed));
    a.rfbm = requested(c, allowed);
    bv = get64(in + XSAVE_BV);
    if (a.bytes > XSAVE_LEGACY && a.rfbm & bv & ~3ull) {
        mem_read_block(c, linear + XSAVE_LEGACY, in + XSAVE_LEGACY, a.bytes - XSAVE_LEGACY,
                       ACCESS_READ);
    }
    if (a.compact ? a.rfbm & bv & XSTATE_SSE : a.rfbm & (XSTATE_SSE | XSTATE_AVX)) {
        copy(&mxcsr, in + FX_MXCSR, 4);
        check_mxcsr(c, mxcsr);
    }
    image_open(c);
    if (a.rfbm & XSTATE_X87) {
        if (bv & XSTATE_X87) {
            x87_in(c, in, i->prefix & PREFIX_REX_W);
        } else {
            x87_initial(c);
        }
        mark(c, 0, bv & XSTATE_X87);
    }
    if (a.rfbm & XSTATE_SSE) {
        xmm_in(c, in, bv & XSTATE_SSE);
    }
    if (a.compact ? a.rfbm & XSTATE_SSE : a.rfbm & (XSTATE_SSE | XSTATE_AVX)) {
        copy(c->fpu->image + FX_MXCSR, &mxcsr, 4);
    }
    for (unsigned n = 2; n < XSTATE_COUNT; n++) {
        if (a.rfbm >> n & 1) {
            component_in(c, n, in + a.offset[n], bv >> n & 1);
        }
    }
    fpu_live(c);
}

/* ---- MXCSR, XCR0 ---- */

static void run_mxcsr(Cpu *c, const Insn *i)
{
    bool load = i->op == OP_LDMXCSR || i->op == OP_VLDMXCSR;
    StubCode code = {.len = 3, .bytes = {0x0f, 0xae, load ? 0x17 : 0x1f}};
    StubRegs r = {0};
    uint64_t linear;

    fpu_check(c, i->flags & INSN_VEX ? FPU_AVX : FPU_SSE);
    linear = insn_linear(c, i, 4, !load);
    if (load) {
        uint32_t value = mem_read(c, linear, 4);

        check_mxcsr(c, value);
        copy(c->fpu->scratch, &value, 4);
    }
    fpu_live(c);
    stub_call(c, stub_find(c, &code, false), c->fpu->scratch, &r);
    if (!load) {
        uint32_t value;

        copy(&value, c->fpu->scratch, 4);
        mem_write(c, linear, value, 4);
    }
}

static void run_xgetbv(Cpu *c, const Insn *i)
{
    uint32_t index = c->s.gpr[R_CX];
    uint64_t value = c->s.xcr0;

    (void)i;
    if (!(c->s.cr4 & CR4_OSXSAVE)) {
        raise_fault(c, EXC_UD);
    }
    if (index == 1 && cpu_has(c, FEATURE_XGETBV1)) {
        fpu_sync_image(c);
        value &= xinuse(c);
    } else if (index) {
        raise_error(c, EXC_GP, 0);
    }
    c->s.gpr[R_AX] = (uint32_t)value;
    c->s.gpr[R_DX] = value >> 32;
}

static void run_xsetbv(Cpu *c, const Insn *i)
{
    uint64_t value = c->s.gpr[R_DX] << 32 | (uint32_t)c->s.gpr[R_AX];
    uint64_t avx512 = value & XSTATE_AVX512;

    (void)i;
    if (!(c->s.cr4 & CR4_OSXSAVE)) {
        raise_fault(c, EXC_UD);
    }
    if (c->cpl || (uint32_t)c->s.gpr[R_CX] || !(value & XSTATE_X87) ||
        value & ~xstate_supported(c) || (value & XSTATE_AVX && !(value & XSTATE_SSE)) ||
        (avx512 && (avx512 != XSTATE_AVX512 || !(value & XSTATE_AVX)))) {
        raise_error(c, EXC_GP, 0);
    }
    c->s.xcr0 = value;
    cpu_mode_changed(c);
}

InsnRun *bind_xsave(Cpu *c, Insn *i)
{
    (void)c;
    switch (i->op) {
    case OP_FXSAVE:
        return run_fxsave;
    case OP_FXRSTOR:
        return run_fxrstor;
    case OP_XSAVE:
    case OP_XSAVEOPT:
    case OP_XSAVEC:
    case OP_XSAVES:
        return run_xsave;
    case OP_XRSTOR:
    case OP_XRSTORS:
        return run_xrstor;
    case OP_XGETBV:
        return run_xgetbv;
    case OP_XSETBV:
        return run_xsetbv;
    case OP_LDMXCSR:
    case OP_VLDMXCSR:
    case OP_STMXCSR:
    case OP_VSTMXCSR:
        return run_mxcsr;
    default:
        return NULL;
    }
}
