/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A CPU of the run-time library alone, with a buffer for RAM and no machine around it
 * (barecpu.h). */
#include "tests/lib/barecpu.h"

#include "accel/tcg/window.h"
#include "target/i386/rt/stub_host.h"
#include "target/i386/translate/cache_host.h"
#include "tests/lib/quiethost.h"

#include <stdlib.h>
#include <string.h>

enum { EXIT_PORT = 0xf4 };

/* ---- the world around it ---- */

static BareCpu *bare_of(Cpu *c)
{
    return c->vcpu;
}

static void host_page(Cpu *c, uint64_t phys, PhysPage *out)
{
    BareCpu *b = bare_of(c);

    phys &= ~(uint64_t)(GUEST_PAGE - 1);
    *out = (PhysPage){.phys = phys};
    if (phys < BARE_RAM) {
        out->before = phys;
        out->after = BARE_RAM - GUEST_PAGE - phys;
        out->host = b->ram + phys;
        out->code = &b->pages[phys / GUEST_PAGE];
        out->ram = b->memory;
        out->ram_at = phys;
        out->warmth = b->warmth;
    }
}

static uint64_t host_mmio_read(Cpu *c, uint64_t phys, unsigned size)
{
    bare_of(c)->mmio_reads++;
    return phys & (size == 8 ? ~0ull : (1ull << size * 8) - 1);
}

static void host_mmio_write(Cpu *c, uint64_t phys, uint64_t value, unsigned size)
{
    bare_of(c)->mmio_writes++;
    bare_of(c)->mmio_value = value;
}

static uint32_t host_port_read(Cpu *c, uint16_t port, unsigned size)
{
    return bare_of(c)->port_value;
}

static void host_port_write(Cpu *c, uint16_t port, uint32_t value, unsigned size)
{
    bare_of(c)->port_writes++;
    bare_of(c)->port_log = bare_of(c)->port_log << size * 8 | value;
    if (port == EXIT_PORT) {
        cpu_kick(c);
    }
}

static void host_code_page(Cpu *c, const uint8_t *host)
{
    bare_of(c)->code_pages++;
    quiet_host.code_page(c, host);
}

static void host_ram_warm(Cpu *c, const PhysPage *page)
{
    bare_of(c)->warmed++;
    bare_of(c)->warm_at = page->ram_at;
}

static void host_exclusive(Cpu *c, void (*fn)(Cpu *c, void *opaque), void *opaque)
{
    bare_of(c)->exclusives++;
    fn(c, opaque);
}

static RtHost bare_host(void)
{
    RtHost host = quiet_host;

    host.page = host_page;
    host.mmio_read = host_mmio_read;
    host.mmio_write = host_mmio_write;
    host.port_read = host_port_read;
    host.port_write = host_port_write;
    host.code_page = host_code_page;
    host.exclusive = host_exclusive;
    host.ram_warm = host_ram_warm;
    return host;
}

/* ---- modes ---- */

/* One level of tables over 4 GB in pages of 1 GB would need a feature; 2 MB pages over the RAM and
 * the first device pages do. */
static void map_long(BareCpu *b)
{
    uint64_t *pml4 = (uint64_t *)(b->ram + BARE_TABLES + 0x1000);
    uint64_t *pdpt = (uint64_t *)(b->ram + BARE_TABLES + 0x2000);
    uint64_t *pd = (uint64_t *)(b->ram + BARE_TABLES + 0x3000);

    pml4[0] = (BARE_TABLES + 0x2000) | 7;
    pdpt[0] = (BARE_TABLES + 0x3000) | 7;
    for (uint64_t n = 0; n < 512; n++) {
        pd[n] = n << 21 | 0xe7;
    }
    b->c->s.cr3 = BARE_TABLES + 0x1000;
    b->c->s.cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    b->c->s.efer = EFER_LME | EFER_LMA | EFER_NXE;
    b->c->s.cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_NE;
}

/* Selectors 8: 32-bit code, 0x10: data, 0x18: 64-bit code, 0x20: 16-bit code. */
static void fill_gdt(BareCpu *b)
{
    static const uint64_t gdt[] = {0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff,
                                   0x000f9b000000ffff};

    memcpy(b->ram + BARE_TABLES, gdt, sizeof(gdt));
    b->c->s.gdtr = (X86Table){BARE_TABLES, sizeof(gdt) - 1};
}

static void set_segments(Cpu *c, CodeSize code)
{
    uint16_t data = ATTR_P | ATTR_S | ATTR_WRITE_READ | ATTR_ACCESSED;
    X86Segment real = {0, data, 0xffff, 0};
    X86Segment flat = {0x10, data | ATTR_DB | ATTR_G, ~0u, 0};

    for (unsigned n = 0; n < SEG_LDTR; n++) {
        c->s.seg[n] = code == CODE_16 ? real : flat;
    }
    c->s.seg[SEG_CS].attr |= ATTR_CODE;
    if (code != CODE_16) {
        c->s.seg[SEG_CS].selector = code == CODE_64 ? 0x18 : 8;
    }
    if (code == CODE_64) {
        c->s.seg[SEG_CS].attr = (c->s.seg[SEG_CS].attr & ~ATTR_DB) | ATTR_L;
    }
    c->s.seg[SEG_LDTR].attr = ATTR_P | 2;
    c->s.seg[SEG_TR].attr = ATTR_P | 11;
    c->s.seg[SEG_TR].limit = 0x67;
}

static void set_mode(BareCpu *b, CodeSize code)
{
    X86State *s = &b->c->s;

    s->rflags = FLAG_ONE;
    s->a20 = true;
    s->activity = CPU_RUNNING;
    s->cr0 = CR0_ET | CR0_NE | (code == CODE_32 ? CR0_PE : 0);
    s->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
    s->dr6 = 0xffff0ff0;
    s->dr7 = 0x400;
    s->xcr0 = 1;
    s->pat = 0x0007040600070406;
    s->gpr[R_SP] = code == CODE_16 ? 0x7000 : BARE_STACK;
    set_segments(b->c, code);
    if (code == CODE_16) { /* no IVT that could catch anything */
        s->idtr.limit = 0;
    } else {
        fill_gdt(b);
    }
    if (code == CODE_64) {
        map_long(b);
    }
}

BareCpu *bare_new_as(CodeSize code, bool translated)
{
    BareCpu *b = calloc(1, sizeof(*b));

    b->c = aligned_alloc(GUEST_PAGE, (sizeof(Cpu) + GUEST_PAGE - 1) & ~(size_t)(GUEST_PAGE - 1));
    memset(b->c, 0, sizeof(Cpu));
    b->memory = quiet_ram(BARE_RAM, &b->ram);
    b->pages = calloc(BARE_RAM / GUEST_PAGE, sizeof(CodePage));
    b->arena = aligned_alloc(GUEST_PAGE, BARE_ARENA);
    memset(b->arena, 0, BARE_ARENA);
    memset(&b->features, 0xff, sizeof(b->features));
    b->host = bare_host();
    b->c->host = &b->host;
    b->c->vcpu = b;
    b->c->features = &b->features;
    b->c->code_hits = &b->code_hits;
    b->c->phys_bits = 40;
    b->c->linear_bits = 48;
    if (!fpu_host_new(b->c, NULL) || !fpu_host_attach(b->c, NULL)) {
        abort();
    }
    if (translated) {
        b->c->code = b->code = code_cache_new(BARE_CACHE, NULL);
    }
    rt_init(b->c, b->arena, BARE_ARENA);
    rt_reset(b->c, false, true);
    set_mode(b, code);
    rt_state_loaded(b->c);
    return b;
}

BareCpu *bare_new(CodeSize code)
{
    return bare_new_as(code, getenv("TEST_TRANSLATE"));
}

void bare_free(BareCpu *b)
{
    fpu_host_detach(b->c);
    fpu_host_free(b->c);
    code_cache_free(b->code);
    window_release(b->c);
    quiet_ram_free(b->memory);
    free(b->pages);
    free(b->arena);
    free(b->c);
    free(b);
}

bool bare_window(BareCpu *b)
{
    X86State *s = &b->c->s;

    for (unsigned n = 0; n < SEG_LDTR; n++) {
        s->seg[n].selector |= 3;
        s->seg[n].attr |= 3 << ATTR_DPL_SHIFT;
    }
    s->rflags |= FLAG_IOPL;
    rt_state_loaded(b->c);
    return window_reserve(b->c, &b->areas, 1000);
}

void bare_map_small(BareCpu *b, uint64_t linear, unsigned n)
{
    uint64_t *pml4 = (uint64_t *)(b->ram + BARE_TABLES + 0x1000);
    uint32_t tables = BARE_SMALL + n * 0x4000;
    uint64_t *entries = (uint64_t *)(b->ram + tables + 0x2000);

    pml4[linear >> 39 & 511] = tables | 7;
    for (unsigned level = 0; level < 2; level++) {
        ((uint64_t *)(b->ram + tables + level * 0x1000))[linear >> (30 - 9 * level) & 511] =
            (tables + (level + 1) * 0x1000) | 7;
    }
    for (uint64_t page = 0; page < 512; page++) {
        entries[page] = page == BARE_MISSING / GUEST_PAGE ? 0 : page * GUEST_PAGE | 0x67;
    }
}

void bare_flat32(BareCpu *b)
{
    X86State *s = &b->c->s;

    for (unsigned n = 0; n < SEG_LDTR; n++) {
        s->seg[n].attr = (s->seg[n].attr & ~ATTR_L) | ATTR_DB | ATTR_G;
        s->seg[n].limit = 0xffffffff;
    }
    rt_state_loaded(b->c);
}

void bare_paging32(BareCpu *b)
{
    X86State *s = &b->c->s;
    uint32_t *directory = (uint32_t *)(b->ram + BARE_TABLES + 0x1000);
    uint32_t *table = (uint32_t *)(b->ram + BARE_TABLE32);

    bare_flat32(b);
    memset(directory, 0, GUEST_PAGE);
    for (uint32_t n = 0; n < 1024; n++) {
        table[n] = n << 12 | 0x67;
    }
    directory[0] = BARE_TABLE32 | 7;
    directory[1] = 0xe7;
    s->efer = 0;
    s->cr4 = (s->cr4 & ~CR4_PAE) | CR4_PSE;
    s->cr3 = BARE_TABLES + 0x1000;
    rt_state_loaded(b->c);
}

void bare_load(BareCpu *b, const uint8_t *code, const uint8_t *end)
{
    X86Segment *cs = &b->c->s.seg[SEG_CS];

    memcpy(b->ram + BARE_CODE, code, (size_t)(end - code));
    for (size_t at = 0; at < (size_t)(end - code); at += GUEST_PAGE) { /* what was there is stale */
        code_written(&b->pages[(BARE_CODE + at) / GUEST_PAGE], &b->code_hits, 0, GUEST_PAGE);
    }
    b->c->s.rip = BARE_CODE;
    if (b->c->code_size == CODE_16) {
        cs->selector = BARE_CODE >> 4;
        cs->base = BARE_CODE;
        b->c->s.rip = 0;
    }
    rt_state_loaded(b->c);
}

RtExit bare_run(BareCpu *b)
{
    return rt_run(b->c);
}

BareCpu *bare_run_code(CodeSize code, const uint8_t *from, const uint8_t *end, const uint64_t *gpr)
{
    BareCpu *b = bare_new(code);

    if (gpr) {
        uint64_t sp = b->c->s.gpr[R_SP];

        memcpy(b->c->s.gpr, gpr, 16 * sizeof(*gpr));
        b->c->s.gpr[R_SP] = sp;
    }
    bare_load(b, from, end);
    bare_run(b);
    return b;
}

int bare_fault(const BareCpu *b)
{
    return b->c->last_count ? b->c->last[0].vector : -1;
}
