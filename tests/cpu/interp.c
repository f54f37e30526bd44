/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interpreter as one side of the comparison: a vCPU at CPL 3 behind page tables that map
 * native.h's areas at their own addresses. There is no IDT, so the first exception (which the INT3
 * behind the instruction raises at the latest) ends in a triple fault, and the list of the last
 * exceptions tells how it began; registers and memory are as the exception found them.
 */
#include "tests/cpu/interp.h"

#include "accel/tcg/window.h"
#include "target/i386/decode/table.h"
#include "target/i386/model.h"
#include "target/i386/rt/fpu.h"
#include "target/i386/rt/host.h"
#include "target/i386/rt/stub_host.h"
#include "target/i386/translate/cache_host.h"
#include "tests/lib/quiethost.h"

#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ERROR_IDT = 2 }; /* SDM volume 3, "Error code" */

enum { RETURNS_MAX = 100000, KICKS_MAX = 1000 };

enum {
    ARENA_BYTES = 4 << 20,
    CACHE_BYTES = 16 << 20,
    TABLES = 6,
    AREAS = 5,
    TABLE_BASE = 0x1000,
    PTE_P = 1,
    PTE_W = 2,
    PTE_U = 4,
    PTE_AD = 0x60
};

#define PTE_NX (1ull << 63)

typedef struct Area {
    uint32_t base, bytes;
    uint8_t *host;
    struct Ram *ram;
    CodePage code[2];
} Area;

struct Interp {
    Cpu *c;
    void *arena;
    X86Features features, host; /* of the model; of the host */
    Area area[AREAS];
    CodeHits code_hits;
    Selectors selectors[3];
    unsigned cpl;
    bool based;        /* 32-bit segments have bases as 16-bit ones have */
    bool fs_gs;        /* FS and GS are there outside 64-bit code, as they are not on the host */
    uint64_t odd;      /* interp_segments() */
    _Atomic bool deaf; /* to interp_kick(): it would come faster than the CPU gets on */
    DebugPlan plan;
    RtHost quiet;
    _Atomic int64_t areas; /* mappings of the window */
};

/* The callbacks get the Cpu only; it leads back here through c->vcpu. */
static Area *area_of(Interp *t, uint64_t at)
{
    for (unsigned n = 0; n < AREAS; n++) {
        if (at - t->area[n].base < t->area[n].bytes) {
            return &t->area[n];
        }
    }
    return NULL;
}

static void host_page(Cpu *c, uint64_t phys, PhysPage *out)
{
    Area *a = area_of(c->vcpu, phys);

    memset(out, 0, sizeof *out);
    out->phys = phys;
    if (a) {
        out->host = a->host + (phys - a->base);
        out->code = &a->code[(phys - a->base) / GUEST_PAGE % 2];
        out->ram = a->ram;
        out->ram_at = phys - a->base;
    }
}

/* ---- setting up ---- */

static void put64(Interp *t, uint64_t phys, uint64_t value)
{
    memcpy(interp_memory(t, phys), &value, 8);
}

static void map_pages(Interp *t, unsigned table, uint32_t base, uint32_t bytes, uint64_t rights)
{
    uint64_t at = TABLE_BASE + table * GUEST_PAGE;

    put64(t, TABLE_BASE + 2 * GUEST_PAGE + (base >> 21) * 8, at | PTE_P | PTE_W | PTE_U | PTE_AD);
    for (uint32_t n = 0; n < bytes; n += GUEST_PAGE) {
        put64(t, at + ((base + n) >> 12 & 511) * 8, (base + n) | PTE_P | PTE_U | PTE_AD | rights);
    }
}

static void make_areas(Interp *t)
{
    static const Area areas[AREAS] = {{TABLE_BASE, TABLES * GUEST_PAGE},
                                      {CODE_BASE, CODE_BYTES},
                                      {DATA_BASE, DATA_BYTES},
                                      {READ_BASE, READ_BYTES},
                                      {STACK_BASE, STACK_BYTES}};

    for (unsigned n = 0; n < AREAS; n++) {
        t->area[n] = areas[n];
        t->area[n].ram = quiet_ram(areas[n].bytes, &t->area[n].host);
    }
    for (unsigned n = 0; n < READ_BYTES; n++) {
        *interp_memory(t, READ_BASE + n) = n * 7;
    }
    put64(t, TABLE_BASE, (TABLE_BASE + GUEST_PAGE) | PTE_P | PTE_W | PTE_U | PTE_AD);
    put64(t, TABLE_BASE + GUEST_PAGE,
          (TABLE_BASE + 2 * GUEST_PAGE) | PTE_P | PTE_W | PTE_U | PTE_AD);
    map_pages(t, 3, CODE_BASE, CODE_BYTES, PTE_W);
    map_pages(t, 4, DATA_BASE, DATA_BYTES, PTE_W | PTE_NX);
    map_pages(t, 4, READ_BASE, READ_BYTES, PTE_NX);
    map_pages(t, 5, STACK_BASE, STACK_BYTES, PTE_W | PTE_NX);
}

static void host_features(X86Features *f)
{
    /* clang-format off */
    static const struct { X86Word word; unsigned leaf, subleaf, reg; } words[] = {
        {WORD_1_EDX, 1, 0, 3}, {WORD_1_ECX, 1, 0, 2}, {WORD_7_EBX, 7, 0, 1}, {WORD_7_ECX, 7, 0, 2},
        {WORD_7_EDX, 7, 0, 3}, {WORD_7_1_EAX, 7, 1, 0}, {WORD_8000_0001_EDX, 0x80000001, 0, 3},
        {WORD_8000_0001_ECX, 0x80000001, 0, 2}, {WORD_8000_0008_EBX, 0x80000008, 0, 1},
        {WORD_D_1_EAX, 0xd, 1, 0},
    };
    /* clang-format on */

    for (unsigned n = 0; n < sizeof words / sizeof *words; n++) {
        unsigned r[4];

        __cpuid_count(words[n].leaf, words[n].subleaf, r[0], r[1], r[2], r[3]);
        f->word[words[n].word] = r[words[n].reg];
    }
}

Interp *interp_new(Engine engine)
{
    Interp *t = calloc(1, sizeof *t);
    Error *err = NULL;
    Cpu *c;

    make_areas(t);
    model_offered(&t->features);
    host_features(&t->host);
    t->c = c = mmap(NULL, sizeof *c, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    t->arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    t->quiet = quiet_host;
    t->quiet.page = host_page;
    c->host = &t->quiet;
    c->vcpu = t;
    c->code_hits = &t->code_hits;
    c->features = &t->features;
    c->phys_bits = 40;
    c->linear_bits = 48;
    c->code = engine == ENGINE_TRANSLATOR ? code_cache_new(CACHE_BYTES, &err) : NULL;
    if (!fpu_host_new(c, &err) || !fpu_host_attach(c, &err) || err) {
        fprintf(stderr, "%s\n", error_text(err));
        exit(1);
    }
    rt_init(c, t->arena, ARENA_BYTES);
    rt_reset(c, false, true);
    interp_level(t, 3);
    t->plan.step = DEBUG_STEP;
    rt_debug(c, engine == ENGINE_STEPS ? &t->plan : NULL);
    return t;
}

bool interp_window(Interp *t)
{
    bool ok = window_reserve(t->c, &t->areas, window_area_limit());

    t->c->window.always = ok;
    return ok;
}

void interp_level(Interp *t, unsigned cpl)
{
    t->cpl = cpl;
}

void interp_segments(Interp *t, bool based, uint64_t odd)
{
    t->based = based;
    t->fs_gs = true;
    t->odd = odd;
}

void interp_stir(Interp *t, uint64_t seed)
{
    t->c->stir = seed;
}

void interp_kick(Interp *t)
{
    if (!t->deaf) {
        cpu_kick(t->c);
    }
}

void interp_free(Interp *t)
{
    fpu_host_detach(t->c);
    fpu_host_free(t->c);
    code_cache_free(t->c->code);
    window_release(t->c);
    munmap(t->c, sizeof *t->c);
    munmap(t->arena, ARENA_BYTES);
    for (unsigned n = 0; n < AREAS; n++) {
        quiet_ram_free(t->area[n].ram);
    }
    free(t);
}

bool interp_supports(Interp *t, const Insn *i)
{
    return insn_supported(&t->features, i) && insn_supported(&t->host, i);
}

uint8_t *interp_memory(Interp *t, uint64_t linear)
{
    Area *a = area_of(t, linear);

    return a ? a->host + (linear - a->base) : NULL;
}

void interp_code_written(Interp *t, uint64_t linear, unsigned bytes)
{
    Area *a = area_of(t, linear);
    uint64_t at = linear - a->base;

    code_written(&a->code[at / GUEST_PAGE % 2], t->c->code_hits, at % GUEST_PAGE, bytes);
}

/* ---- running ---- */

/* No end of a strip. */
enum { NO_STRIP = 0x57a1f };

bool interp_strips(Interp *t)
{
    return t->c->strip_end != NO_STRIP;
}

static void set_segment(X86Segment *s, const Interp *t, uint16_t selector, CodeSize code,
                        bool is_code, uint32_t base)
{
    s->selector = selector > 3 ? (selector & ~3u) | t->cpl : selector;
    s->base = code == CODE_16 || t->based ? base : 0;
    s->limit = code == CODE_16 ? 0xffff : ~0u;
    s->attr = ATTR_P | t->cpl << ATTR_DPL_SHIFT | ATTR_S | ATTR_ACCESSED | ATTR_WRITE_READ |
              (is_code ? ATTR_CODE : 0) | (code == CODE_16 ? 0 : ATTR_G) |
              (code == CODE_64 && is_code ? ATTR_L
               : code == CODE_16          ? 0
                                          : ATTR_DB);
}

/* Limits, directions and rights as the number says; three of eight segments stay as they are. */
static void odd_segment(X86Segment *s, uint64_t odd, unsigned seg)
{
    uint64_t r = (odd + seg) * 0x9e3779b97f4a7c15u;
    unsigned some = r >> 20 & 0xffff;

    r ^= r >> 29;
    switch (r >> 40 & 7) {
    case 0:
        s->limit = 0x700 + some % 0x1000;
        break;
    case 1:
        s->attr |= seg == SEG_CS ? 0 : ATTR_DOWN_CONFORM;
        s->limit = some % 0x400;
        s->limit += seg == SEG_CS ? 0x400 : 0;
        break;
    case 2:
        s->attr &= seg == SEG_SS ? ~0 : ~ATTR_WRITE_READ;
        break;
    case 3:
        s->limit = ~0u;
        break;
    case 4:
        s->attr = seg == SEG_CS || seg == SEG_SS ? s->attr : 0;
        break;
    default:
        break;
    }
}

static void odd_segments(X86State *s, CodeSize code, uint64_t odd)
{
    for (unsigned n = 0; n <= SEG_GS; n++) {
        odd_segment(&s->seg[n], odd, n);
    }
    if (code == CODE_32 && odd % 3 == 0) {
        s->seg[SEG_SS].attr &= ~ATTR_DB;
    }
}

static void load_state(Interp *t, CodeSize code, const CpuRegs *regs)
{
    X86State *s = &t->c->s;
    Selectors sel = native_selectors(code);
    uint8_t *image = t->c->fpu->image;

    memcpy(s->gpr, regs->gpr, sizeof s->gpr);
    s->rip = regs->rip;
    s->rflags = regs->rflags | FLAG_ONE;
    set_segment(&s->seg[SEG_CS], t, sel.cs, code, true, CODE_BASE);
    set_segment(&s->seg[SEG_SS], t, sel.ss, code, false, STACK_BASE);
    set_segment(&s->seg[SEG_DS], t, sel.ds, code, false, DATA_BASE);
    set_segment(&s->seg[SEG_ES], t, sel.ds, code, false, DATA_BASE);
    for (unsigned n = SEG_FS; n <= SEG_GS && t->fs_gs && code != CODE_64; n++) {
        set_segment(&s->seg[n], t, sel.ds, code, false, DATA_BASE);
    }
    for (unsigned n = SEG_FS; n <= SEG_GS && t->fs_gs && code == CODE_64; n++) {
        s->seg[n].base = 0;
    }
    if (t->odd && code != CODE_64) {
        odd_segments(s, code, t->odd);
    }
    s->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
    s->cr3 = TABLE_BASE;
    s->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE | CR4_FSGSBASE;
    s->efer = EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE;
    s->xcr0 = XSTATE_X87 | XSTATE_SSE | native_components();
    s->activity = CPU_RUNNING;
    s->idtr.limit = 0;
    s->seg[SEG_TR] = (X86Segment){.attr = ATTR_P | 11}; /* no room for a map of ports */
    fpu_drop(t->c);
    memcpy(image, regs->fpu, t->c->fpu->save_mask ? native_image_bytes() : FX_BYTES);
    fpu_store_image(t->c);
    s->fpu.fop = *(uint16_t *)(regs->fpu + FX_FOP);
    s->fpu.fip = *(uint64_t *)(regs->fpu + FX_FIP);
    s->fpu.fdp = *(uint64_t *)(regs->fpu + FX_FDP);
    s->fpu.fcs = s->fpu.fds = 0;
}

static void store_state(Interp *t, Outcome *out)
{
    X86State *s = &t->c->s;

    memcpy(out->regs.gpr, s->gpr, sizeof s->gpr);
    out->regs.rflags = s->rflags;
    gate_out(t->c);
    memset(out->regs.fpu, 0, FPU_BYTES);
    memcpy(out->regs.fpu, t->c->fpu->image, native_image_bytes());
    memcpy(out->regs.fpu + FX_FOP, &s->fpu.fop, 2);
    memcpy(out->regs.fpu + FX_FIP, &s->fpu.fip, 8);
    memcpy(out->regs.fpu + FX_FDP, &s->fpu.fdp, 8);
}

bool interp_run(Interp *t, CodeSize code, const CpuRegs *regs, Outcome *out)
{
    Cpu *c = t->c;
    const LastException *first = &c->last[0];
    bool ended = false;

    fpu_host_attach(c, NULL); /* several share this thread */
    load_state(t, code, regs);
    c->last_count = 0;
    c->strip_end = NO_STRIP;
    memset(c->last, 0, sizeof c->last);
    rt_state_loaded(c);
    for (unsigned n = 0; n < RETURNS_MAX && !ended; n++) {
        RtExit why;

        t->deaf = n >= KICKS_MAX;
        why = rt_run(c);
        cpu_attended(c);
        c->debug_hit.reason = DEBUG_NONE;
        ended = why == RT_SHUTDOWN || why == RT_HALT;
    }
    store_state(t, out);
    out->vector = first->vector;
    out->error = first->has_error ? first->error : 0;
    if (out->vector == EXC_GP && out->error & ERROR_IDT) { /* INT3, INTO: the gate is not there */
        out->vector = out->error >> 3;
        out->error = 0;
    }
    out->cr2 = first->vector == EXC_PF ? first->cr2 : 0;
    out->regs.rip = first->rip;
    return ended;
}
