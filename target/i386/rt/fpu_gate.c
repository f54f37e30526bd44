/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gate between the guest's FPU, which lives in the host's registers, and all code that is not
 * the run-time library (DESIGN, "The translator", 7; SDM volume 1, chapter 13, "XSAVE").
 * gate_out saves the registers and loads control words of our own; coming back is lazy, by the
 * first instruction that wants them. Also which FPU instructions the control registers allow
 * (SDM volume 3, "x87 FPU and SSE: EM, MP, TS"; volume 2, exception classes), and the layout that
 * snapshots and debuggers see.
 * Not modelled: PKRU is never loaded here (paging emulates it); AMX, CET.
 */
#include "target/i386/rt/fpu.h"
#include "target/i386/rt/host.h"

#define NOINLINE __attribute__((noinline))

/* The only three places in the library that may name FPU state: scripts/rt-proof. */
static NOINLINE void fpu_registers_save(FpuHost *f)
{
    if (f->save_mask) {
        __asm__ volatile("xsave64 %0"
                         : "+m"(*(uint8_t(*)[4096])f->image)
                         : "a"((uint32_t)f->save_mask), "d"((uint32_t)(f->save_mask >> 32)));
    } else {
        __asm__ volatile("fxsave64 %0" : "+m"(*(uint8_t(*)[FX_BYTES])f->image));
    }
}

static NOINLINE void fpu_registers_load(FpuHost *f)
{
    if (f->save_mask) {
        __asm__ volatile("xrstor64 %0"
                         :
                         : "m"(*(uint8_t(*)[4096])f->image), "a"((uint32_t)f->save_mask),
                           "d"((uint32_t)(f->save_mask >> 32)));
    } else {
        __asm__ volatile("fxrstor64 %0" : : "m"(*(uint8_t(*)[FX_BYTES])f->image));
    }
}

static NOINLINE uint16_t fpu_status_word(void)
{
    uint16_t fsw;

    __asm__ volatile("fnstsw %0" : "=a"(fsw));
    return fsw;
}

/* What the psABI promises to C: FCW 0x37f, MXCSR 0x1f80, empty x87 stack, clean upper halves. */
static NOINLINE void fpu_registers_ours(FpuHost *f)
{
    static const uint32_t mxcsr = MXCSR_INIT;

    __asm__ volatile("fninit");
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
    if (f->save_mask & XSTATE_AVX) {
        __asm__ volatile("vzeroupper");
    }
}

void gate_out(Cpu *c)
{
    if (c->fpu_live) {
        fpu_registers_save(c->fpu);
        fpu_registers_ours(c->fpu);
        c->fpu_live = false;
        c->fpu_away = true;
    }
}

void gate_in(Cpu *c)
{
    (void)c; /* lazily: fpu_live() */
}

void fpu_enter(Cpu *c)
{
    fpu_registers_load(c->fpu);
    c->fpu_live = true;
    c->fpu_away = false;
}

void fpu_sync_image(Cpu *c)
{
    if (c->fpu_live) {
        fpu_registers_save(c->fpu);
    }
}

void fpu_drop(Cpu *c)
{
    if (c->fpu_live) {
        fpu_registers_ours(c->fpu);
        c->fpu_live = false;
        c->fpu_away = true;
    }
}

uint16_t fpu_status(Cpu *c)
{
    if (c->fpu_live) {
        return fpu_status_word();
    }
    if (c->fpu->save_mask && !(c->fpu->image[XSAVE_BV] & XSTATE_X87)) {
        return 0;
    }
    return *(uint16_t *)(c->fpu->image + FX_FSW);
}

/* ---- image and s.fpu ---- */

static void copy(void *to, const void *from, unsigned bytes)
{
    __builtin_memcpy(to, from, bytes);
}

static void store_x87(X86Fpu *s, const uint8_t *image, bool used)
{
    s->fcw = FCW_INIT;
    s->fsw = 0;
    s->ftw = 0;
    __builtin_memset(s->st, 0, sizeof s->st);
    if (used) {
        copy(&s->fcw, image + FX_FCW, 2);
        copy(&s->fsw, image + FX_FSW, 2);
        s->ftw = image[FX_FTW];
        for (unsigned n = 0; n < 8; n++) {
            copy(s->st[n], image + FX_ST + 16 * n, 10);
        }
    }
}

/* One component's part of the vector registers, in whichever direction. */
static void vectors(X86Fpu *s, const FpuHost *f, unsigned component, bool store, bool used)
{
    /* clang-format off */
    static const struct { uint8_t first, count, at, bytes; } part[XSTATE_COUNT] = {
        [1] = {0, 16, 0, 16}, [2] = {0, 16, 2, 16}, [6] = {0, 16, 4, 32}, [7] = {16, 16, 0, 64},
    };
    /* clang-format on */
    uint8_t *image = f->image + (component == 1 ? FX_XMM : f->offset[component]);

    for (unsigned n = 0; n < part[component].count; n++) {
        uint64_t *reg = s->zmm[part[component].first + n] + part[component].at;
        unsigned bytes = part[component].bytes;

        if (!store) {
            copy(image + n * bytes, reg, bytes);
        } else if (used) {
            copy(reg, image + n * bytes, bytes);
        } else {
            __builtin_memset(reg, 0, bytes);
        }
    }
}

void fpu_store_image(Cpu *c)
{
    FpuHost *f = c->fpu;
    X86Fpu *s = &c->s.fpu;
    uint64_t used;

    gate_out(c);
    used = f->save_mask ? *(uint64_t *)(f->image + XSAVE_BV) : XSTATE_X87 | XSTATE_SSE;
    store_x87(s, f->image, used & XSTATE_X87);
    copy(&s->mxcsr, f->image + FX_MXCSR, 4);
    __builtin_memset(s->zmm, 0, sizeof s->zmm);
    for (unsigned n = 1; n < XSTATE_COUNT; n++) {
        if (n == 1 || f->save_mask >> n & 1) {
            vectors(s, f, n, true, used >> n & 1);
        }
    }
    if (f->save_mask & XSTATE_OPMASK && used & XSTATE_OPMASK) {
        copy(s->k, f->image + f->offset[5], sizeof s->k);
    } else {
        __builtin_memset(s->k, 0, sizeof s->k);
    }
    s->xstate_bv = s->xinuse = used | (c->s.pkru ? XSTATE_PKRU : 0);
}

static bool all_zero(const uint8_t *at, unsigned bytes)
{
    for (unsigned n = 0; n < bytes; n++) {
        if (at[n]) {
            return false;
        }
    }
    return true;
}

/* Components that must be loaded because they are not as INIT leaves them. */
static uint64_t not_init(const FpuHost *f)
{
    static const uint16_t bytes[XSTATE_COUNT] = {[2] = 256, [5] = 64, [6] = 512, [7] = 1024};
    uint64_t bits = 0;

    if (*(uint16_t *)(f->image + FX_FCW) != FCW_INIT || *(uint16_t *)(f->image + FX_FSW) ||
        f->image[FX_FTW] || !all_zero(f->image + FX_ST, 128)) {
        bits |= XSTATE_X87;
    }
    if (!all_zero(f->image + FX_XMM, 256) || *(uint32_t *)(f->image + FX_MXCSR) != MXCSR_INIT) {
        bits |= XSTATE_SSE;
    }
    for (unsigned n = 2; n < XSTATE_COUNT; n++) {
        if (f->save_mask >> n & 1 && !all_zero(f->image + f->offset[n], bytes[n])) {
            bits |= 1ull << n;
        }
    }
    return bits;
}

void fpu_load_image(Cpu *c)
{
    FpuHost *f = c->fpu;
    const X86Fpu *s = &c->s.fpu;
    uint32_t mxcsr;

    if (!f) { /* no engine runs this CPU */
        return;
    }
    mxcsr = s->mxcsr & f->mxcsr_mask;
    fpu_drop(c);
    copy(f->image + FX_FCW, &s->fcw, 2);
    copy(f->image + FX_FSW, &s->fsw, 2);
    f->image[FX_FTW] = s->ftw;
    __builtin_memset(f->image + FX_FOP, 0, 18);
    copy(f->image + FX_MXCSR, &mxcsr, 4);
    for (unsigned n = 0; n < 8; n++) {
        copy(f->image + FX_ST + 16 * n, s->st[n], 10);
    }
    for (unsigned n = 1; n < XSTATE_COUNT; n++) {
        if (n == 1 || f->save_mask >> n & 1) {
            vectors((X86Fpu *)s, f, n, false, true);
        }
    }
    if (f->save_mask & XSTATE_OPMASK) {
        copy(f->image + f->offset[5], s->k, sizeof s->k);
    }
    if (f->save_mask) {
        *(uint64_t *)(f->image + XSAVE_BV) = f->save_mask & (s->xstate_bv | not_init(f));
    }
}

void fpu_reset(Cpu *c, bool init)
{
    X86Fpu *s = &c->s.fpu;

    if (init) { /* INIT leaves x87, SSE and XCR0 as they are */
        return;
    }
    __builtin_memset(s, 0, sizeof *s);
    s->fcw = FCW_RESET;
    s->ftw = 0xff;
    s->mxcsr = MXCSR_INIT;
    fpu_load_image(c);
}

/* ---- permission ---- */

static bool avx_state(const Cpu *c, uint64_t components)
{
    return c->s.cr0 & CR0_PE && !(c->s.rflags & FLAG_VM) && c->s.cr4 & CR4_OSXSAVE &&
           (c->s.xcr0 & components) == components;
}

/* Does the instruction exist as the control registers stand? */
static bool fpu_enabled(const Cpu *c, FpuKind kind)
{
    switch (kind) {
    case FPU_X87:
    case FPU_WAIT:
        return true;
    case FPU_MMX:
    case FPU_FXSAVE:
        return !(c->s.cr0 & CR0_EM);
    case FPU_SSE:
        return !(c->s.cr0 & CR0_EM) && c->s.cr4 & CR4_OSFXSR;
    case FPU_AVX:
        return avx_state(c, XSTATE_SSE | XSTATE_AVX);
    case FPU_AVX512:
        return avx_state(c, XSTATE_SSE | XSTATE_AVX | XSTATE_AVX512);
    case FPU_XSAVE:
        return c->s.cr4 & CR4_OSXSAVE;
    }
    return false;
}

void fpu_check(Cpu *c, FpuKind kind)
{
    uint64_t cr0 = c->s.cr0;
    bool not_available = kind == FPU_WAIT ? (cr0 & CR0_MP && cr0 & CR0_TS)
                       : kind == FPU_X87  ? cr0 & (CR0_EM | CR0_TS)
                                          : cr0 & CR0_TS;

    if (unlikely(!fpu_enabled(c, kind))) {
        raise_fault(c, EXC_UD);
    }
    if (unlikely(not_available)) {
        raise_fault(c, EXC_NM);
    }
}
