/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page tables as a person looks at them (SDM volume 3, "Paging"): 32-bit, PAE, 4- and 5-level.
 * Reads are a debugger's. Rights are judged by the engine's own function, walk_denied(). Not shown:
 * what a stale TLB entry would still allow.
 */
#include "target/i386/pagetable.h"

enum { ENTRY_P = 1, ENTRY_W = 2, ENTRY_U = 4, ENTRY_PS = 0x80, MOST_TABLES = 1 << 16 };
#define ENTRY_NX   (1ull << 63)
#define ENTRY_ADDR 0x000ffffffffff000ull

/* A kind of paging: levels from the top, entries of so many bytes. */
typedef struct Paging {
    const char *mode;
    unsigned levels, bits, bytes; /* bits of an index; bytes of an entry */
    bool pdptes;                  /* the top level is in registers       */
} Paging;

static const char *const names[] = {"PTE", "PDE", "PDPTE", "PML4E", "PML5E"};

static Paging paging_of(const X86State *s)
{
    if (!(s->cr0 & CR0_PG)) {
        return (Paging){NULL};
    }
    if (s->efer & EFER_LMA) {
        return s->cr4 & CR4_LA57 ? (Paging){"5-level", 5, 9, 8} : (Paging){"4-level", 4, 9, 8};
    }
    return s->cr4 & CR4_PAE ? (Paging){"PAE", 3, 9, 8, true} : (Paging){"32-bit", 2, 10, 4};
}

static bool read_phys(Vcpu *cpu, uint64_t phys, void *to, size_t n)
{
    Access by = {.cpu = cpu, .debug = true, .smm = cpu->state->smm};

    return mem_read(&cpu->memory, by, phys, to, n) == MEM_OK;
}

/* level: 0 is a page table. */
static unsigned shift_of(const Paging *p, unsigned level)
{
    return 12 + p->bits * level;
}

static bool is_page(const X86State *s, const Paging *p, unsigned level, uint64_t entry)
{
    if (!level) {
        return true;
    }
    return entry & ENTRY_PS && level <= 2 && !(p->pdptes && level == 2) &&
           (p->bytes == 8 || s->cr4 & CR4_PSE);
}

static uint64_t page_address(const Paging *p, unsigned level, uint64_t entry)
{
    uint64_t inside = (1ull << shift_of(p, level)) - 1;

    if (p->bytes == 4 && level) {
        return (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32;
    }
    return entry & ENTRY_ADDR & ~inside;
}

static uint64_t reserved_bits(const Cpu *c, const Paging *p, unsigned level, uint64_t entry)
{
    uint64_t above = ENTRY_ADDR & ~((1ull << c->phys_bits) - 1), bits = above;
    bool large = entry & ENTRY_PS;

    if (p->bytes == 4) {
        return level && large && c->s.cr4 & CR4_PSE ? 0x200000 : 0;
    }
    if (p->pdptes && level == 2) {
        return above | 0xfffull << 52 | 0x1e6;
    }
    bits |= p->pdptes ? 0x7ffull << 52 : 0;
    bits |= c->s.efer & EFER_NXE ? 0 : ENTRY_NX;
    if (!level || !large) {
        return bits;
    }
    if (level > 2 || (level == 2 && !cpu_has(c, FEATURE_PDPE1GB))) {
        return bits | ENTRY_PS;
    }
    return bits | (level == 2 ? 0x3fffe000 : 0x1fe000);
}

/* ---- one address ---- */

static bool step(Vcpu *cpu, const Paging *p, unsigned level, uint64_t table, uint64_t linear,
                 PageStep *s)
{
    s->name = names[level];
    s->index = linear >> shift_of(p, level) & ((1u << p->bits) - 1);
    s->bytes = 1ull << shift_of(p, level);
    s->entry = 0;
    if (p->pdptes && level == 2) {
        s->index &= 3;
        s->at = ~0ull;
        s->entry = cpu->state->pdpte[s->index];
        return true;
    }
    s->at = table + (uint64_t)s->index * p->bytes;
    return read_phys(cpu, s->at, &s->entry, p->bytes);
}

static void note(Walk *w, const Paging *p, const PageStep *s)
{
    w->at[w->depth] = s->at;
    w->entry[w->depth++] = s->entry;
    w->entry_bytes = p->bytes;
    if (s->at != ~0ull) { /* PDPTEs in registers carry no rights */
        w->writable &= s->entry >> 1 & 1;
        w->user &= s->entry >> 2 & 1;
        w->no_execute |= p->bytes == 8 && s->entry & ENTRY_NX;
    }
}

static void found(const Paging *p, unsigned level, uint64_t linear, PageWalk *out)
{
    const PageStep *last = &out->step[out->steps - 1];

    out->found = true;
    out->page_bytes = last->bytes;
    out->walk.phys = page_address(p, level, last->entry) | (linear & (last->bytes - 1));
    out->walk.large = level > 0;
    out->walk.key = p->bytes == 8 ? last->entry >> 59 & 15 : 0;
}

void page_walk(Vcpu *cpu, uint64_t linear, PageWalk *out)
{
    const X86State *s = cpu->state;
    Paging p = paging_of(s);
    uint64_t table = p.bytes == 8 && !p.pdptes ? s->cr3 & ENTRY_ADDR : s->cr3 & 0xfffff000;

    *out = (PageWalk){.mode = p.mode, .walk = {.writable = true, .user = true}};
    out->canonical = !(s->efer & EFER_LMA) || canonical(cpu_rt(cpu), linear);
    if (!p.mode) {
        out->found = true;
        out->walk.phys = (uint32_t)linear;
        return;
    }
    for (unsigned level = p.levels; level-- > 0 && out->canonical;) {
        PageStep *at = &out->step[out->steps];

        if (!step(cpu, &p, level, table, linear, at)) {
            return;
        }
        out->steps++;
        at->bad =
            at->entry & ENTRY_P ? at->entry & reserved_bits(cpu_rt(cpu), &p, level, at->entry) : 0;
        if (!(at->entry & ENTRY_P) || at->bad) {
            return;
        }
        note(&out->walk, &p, at);
        if (is_page(s, &p, level, at->entry)) {
            found(&p, level, linear, out);
            return;
        }
        table = at->entry & (p.bytes == 8 ? ENTRY_ADDR : 0xfffff000);
    }
}

int64_t page_fault(Vcpu *cpu, const PageWalk *w, bool user, AccessKind kind)
{
    const Cpu *c = cpu_rt(cpu);
    bool says_fetch = c->s.cr4 & CR4_SMEP || (c->s.cr4 & CR4_PAE && c->s.efer & EFER_NXE);
    bool smap = c->s.cr4 & CR4_SMAP && !(c->s.rflags & FLAG_AC), bad = false;
    uint32_t error = 0;

    for (unsigned i = 0; i < w->steps; i++) {
        bad |= w->step[i].bad != 0;
    }
    if (w->found) {
        error = walk_denied(c, &w->walk, user, smap, kind);
        if (!error) {
            return -1;
        }
    }
    error |= bad ? FAULT_PRESENT | FAULT_RESERVED : 0;
    error |= kind & ACCESS_WRITE ? FAULT_WRITE : 0;
    error |= kind & ACCESS_FETCH && says_fetch ? FAULT_FETCH : 0;
    return error | (user ? FAULT_USER : 0);
}

/* ---- all pages ---- */

typedef struct Pages {
    Vcpu *cpu;
    Paging paging;
    bool (*each)(const MappedPage *page, void *opaque);
    void *opaque;
    unsigned tables; /* read so far */
    bool stop;
} Pages;

static uint64_t sign_extended(const Paging *p, uint64_t linear)
{
    unsigned top = shift_of(p, p->levels) - 1;

    return p->levels >= 4 && linear >> top & 1 ? linear | ~0ull << top : linear;
}

static void table_pages(Pages *x, unsigned level, uint64_t phys, MappedPage above);

static void entry_pages(Pages *x, unsigned level, uint64_t entry, uint64_t linear, MappedPage above)
{
    const Paging *p = &x->paging;
    bool rights = !(p->pdptes && level == 2);

    if (!(entry & ENTRY_P)) {
        return;
    }
    above.linear = linear;
    above.entry = entry;
    above.writable &= !rights || entry & ENTRY_W;
    above.user &= !rights || entry & ENTRY_U;
    above.no_execute |= rights && p->bytes == 8 && entry & ENTRY_NX;
    if (is_page(x->cpu->state, p, level, entry)) {
        above.bytes = 1ull << shift_of(p, level);
        above.phys = page_address(p, level, entry);
        above.linear = sign_extended(p, linear);
        x->stop = !x->each(&above, x->opaque);
    } else {
        table_pages(x, level - 1, entry & (p->bytes == 8 ? ENTRY_ADDR : 0xfffff000), above);
    }
}

static void table_pages(Pages *x, unsigned level, uint64_t phys, MappedPage above)
{
    const Paging *p = &x->paging;
    union {
        uint64_t wide[512];
        uint32_t narrow[1024];
    } table;

    if (++x->tables > MOST_TABLES || !read_phys(x->cpu, phys, &table, sizeof table)) {
        x->stop |= x->tables > MOST_TABLES;
        return;
    }
    for (unsigned i = 0; i < 1u << p->bits && !x->stop; i++) {
        uint64_t entry = p->bytes == 8 ? table.wide[i] : table.narrow[i];

        entry_pages(x, level, entry, above.linear | (uint64_t)i << shift_of(p, level), above);
    }
}

bool pages_mapped(Vcpu *cpu, bool (*each)(const MappedPage *page, void *opaque), void *opaque)
{
    const X86State *s = cpu->state;
    Pages x = {cpu, paging_of(s), each, opaque};
    MappedPage all = {.writable = true, .user = true};

    if (!x.paging.mode) {
        return false;
    }
    if (x.paging.pdptes) {
        for (unsigned i = 0; i < 4 && !x.stop; i++) {
            entry_pages(&x, 2, s->pdpte[i], (uint64_t)i << 30, all);
        }
    } else {
        table_pages(&x, x.paging.levels - 1,
                    s->cr3 & (x.paging.bytes == 8 ? ENTRY_ADDR : 0xfffff000), all);
    }
    return x.tables <= MOST_TABLES;
}
