/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `info mem`, `info tlb` (QEMU's layouts: what the page tables map, not what a TLB holds) and `info
 * pagetable ADDR`: every level for one address, and what an access would do.
 */
#include "monitor/hmp_command.h"
#include "target/i386/pagetable.h"

enum { MOST_LINES = 100000 };

static Vcpu *paging_cpu(Hmp *h, Error **err)
{
    Vcpu *cpu = hmp_cpu(h, err);

    if (cpu && !cpu->state) {
        error_set(err, "the engine keeps no registers");
        return NULL;
    }
    return cpu;
}

/* ---- info tlb ---- */

typedef struct Listing {
    Hmp *h;
    unsigned lines;
    MappedPage run; /* of info mem: pages of the same rights; bytes 0: none */
} Listing;

static bool full(Listing *l)
{
    return ++l->lines > MOST_LINES;
}

static bool tlb_line(const MappedPage *p, void *opaque)
{
    static const struct {
        unsigned bit;
        char letter;
    } bits[] = {{8, 'G'}, {7, 'P'}, {6, 'D'}, {5, 'A'}, {4, 'C'}, {3, 'T'}, {2, 'U'}, {1, 'W'}};
    Listing *l = opaque;
    char text[10] = "";

    text[0] = p->entry >> 63 ? 'X' : '-';
    for (int i = 0; i < 8; i++) {
        bool pat = bits[i].letter == 'P' && p->bytes == GUEST_PAGE; /* there it is no page size */

        text[i + 1] = p->entry >> bits[i].bit & 1 && !pat ? bits[i].letter : '-';
    }
    hmp_say(l->h, "%016" PRIx64 ": %016" PRIx64 " %s\n", p->linear, p->phys, text);
    return !full(l);
}

static bool finish(Listing *l, bool all)
{
    if (l->lines > MOST_LINES || !all) {
        hmp_say(l->h, "(and more: the tables are too many to show)\n");
    }
    return true;
}

static bool info_tlb(Hmp *h, Error **err)
{
    Vcpu *cpu = paging_cpu(h, err);
    Listing l = {h};

    if (cpu && !(cpu->state->cr0 & CR0_PG)) {
        hmp_say(h, "PG disabled\n");
        return true;
    }
    return cpu && finish(&l, pages_mapped(cpu, tlb_line, &l));
}

/* ---- info mem ---- */

static void mem_line(Listing *l)
{
    const MappedPage *r = &l->run;

    if (r->bytes) {
        hmp_say(l->h, "%016" PRIx64 "-%016" PRIx64 " %016" PRIx64 " %c%c%c\n", r->linear,
                r->linear + r->bytes, r->bytes, r->user ? 'u' : '-', 'r', r->writable ? 'w' : '-');
    }
}

static bool mem_page_seen(const MappedPage *p, void *opaque)
{
    Listing *l = opaque;
    MappedPage *r = &l->run;

    if (r->bytes && r->linear + r->bytes == p->linear && r->user == p->user &&
        r->writable == p->writable) {
        r->bytes += p->bytes;
        return true;
    }
    mem_line(l);
    *r = *p;
    return !full(l);
}

static bool info_mem(Hmp *h, Error **err)
{
    Vcpu *cpu = paging_cpu(h, err);
    Listing l = {h};
    bool all;

    if (cpu && !(cpu->state->cr0 & CR0_PG)) {
        hmp_say(h, "PG disabled\n");
        return true;
    }
    if (!cpu) {
        return false;
    }
    all = pages_mapped(cpu, mem_page_seen, &l);
    if (l.lines <= MOST_LINES) {
        mem_line(&l);
    }
    return finish(&l, all);
}

/* ---- info pagetable ---- */

static char *size_text(uint64_t bytes)
{
    return bytes >= 1 << 30 ? g_strdup_printf("%" PRIu64 " GB", bytes >> 30)
         : bytes >= 1 << 20 ? g_strdup_printf("%" PRIu64 " MB", bytes >> 20)
                            : g_strdup_printf("%" PRIu64 " KB", bytes >> 10);
}

static void add_step(GString *out, const PageStep *s, bool leaf, bool wide)
{
    static const char *const set[] = {"", "writable", "user", "PWT", "PCD", "accessed", "dirty"};
    g_autofree char *size = size_text(s->bytes);

    g_string_append_printf(out, "  %-5s[%3u] ", s->name, s->index);
    if (s->at == ~0ull) {
        g_string_append(out, "in the CPU            ");
    } else {
        g_string_append_printf(out, "at 0x%016" PRIx64 " ", s->at);
    }
    g_string_append_printf(out, "= 0x%0*" PRIx64, wide ? 16 : 8, s->entry);
    if (!(s->entry & 1)) {
        g_string_append(out, "  not present\n");
        return;
    }
    for (unsigned bit = 1; bit <= (leaf ? 6 : 5); bit++) {
        bool on = s->entry >> bit & 1;

        g_string_append_printf(out, "%s%s", on ? "  " : "", on ? set[bit] : "");
    }
    g_string_append_printf(out, "%s%s", leaf && s->entry & 0x100 ? "  global" : "",
                           wide && s->entry >> 63 ? "  no-execute" : "");
    if (leaf) {
        g_string_append_printf(out, "  page of %s", size);
    }
    if (s->bad) {
        g_string_append_printf(out, "  RESERVED BITS %#" PRIx64, s->bad);
    }
    g_string_append_c(out, '\n');
}

static const char *reason(int64_t error, bool user, unsigned kind, const PageWalk *w)
{
    if (!(error & FAULT_PRESENT)) {
        return "not present";
    }
    if (error & FAULT_RESERVED) {
        return "a reserved bit is set";
    }
    if (error & FAULT_KEY) {
        return "its protection key forbids it";
    }
    if (user && !w->walk.user) {
        return "the page is the kernel's";
    }
    if (kind & ACCESS_FETCH) {
        return w->walk.no_execute ? "the page is not executable" : "SMEP: the page is a user's";
    }
    if (!user && w->walk.user && !(kind & ACCESS_WRITE && !w->walk.writable)) {
        return "SMAP: the page is a user's";
    }
    return kind & ACCESS_WRITE && !w->walk.writable ? "the page is read-only"
                                                    : "SMAP: the page is a user's";
}

static void add_accesses(GString *out, Vcpu *cpu, const PageWalk *w)
{
    static const struct {
        const char *name;
        AccessKind kind;
    } kinds[] = {{"read", ACCESS_READ}, {"write", ACCESS_WRITE}, {"execute", ACCESS_FETCH}};

    for (int user = 0; user < 2; user++) {
        for (int i = 0; i < 3; i++) {
            int64_t error = page_fault(cpu, w, user, kinds[i].kind);

            g_string_append_printf(out, "  %-6s %-7s: ", user ? "user" : "kernel", kinds[i].name);
            if (error < 0) {
                g_string_append(out, "allowed\n");
            } else {
                g_string_append_printf(out, "page fault, error code 0x%x: %s\n", (unsigned)error,
                                       reason(error, user, kinds[i].kind, w));
            }
        }
    }
}

/* Of the vCPU's memory: RAM, a device, nothing. */
static void add_target(Hmp *h, Vcpu *cpu, const PageWalk *w)
{
    MemMap map = mem_map(&cpu->memory, (Access){.cpu = cpu, .debug = true}, w->walk.phys, 1, false);

    hmp_say(h, "physical address 0x%" PRIx64 ": %s%s\n", w->walk.phys,
            map.host ? "RAM or ROM, " : "no RAM", map.host ? map.ram->name : "");
    if (map.host) {
        mem_unmap(&map);
    }
}

static bool info_pagetable(Hmp *h, Error **err)
{
    Vcpu *cpu = paging_cpu(h, err);
    uint64_t linear;
    PageWalk w;

    if (!cpu || !hmp_number(h, &linear, err)) {
        return false;
    }
    page_walk(cpu, linear, &w);
    hmp_say(h, "linear address 0x%" PRIx64 ", CPU#%u, ", linear, cpu->id);
    if (!w.mode) {
        hmp_say(h, "paging is off\n");
    } else {
        hmp_say(h, "%s paging, CR3 0x%" PRIx64 "\n", w.mode, cpu->state->cr3);
    }
    if (!w.canonical) {
        hmp_say(h, "not canonical: any access is a general protection fault\n");
        return true;
    }
    for (unsigned i = 0; i < w.steps; i++) {
        add_step(h->out, &w.step[i], w.found && i + 1 == w.steps, w.mode[0] != '3');
    }
    if (w.found) {
        add_target(h, cpu, &w);
    }
    if (w.mode) {
        add_accesses(h->out, cpu, &w);
    }
    return true;
}

/* clang-format off */
static const HmpCommand commands[] = {
    {"mem", NULL, "ranges of linear addresses that are mapped, with their rights", info_mem, .info = true, .looks = true},
    {"tlb", NULL, "each mapped page: linear address, physical address, bits", info_tlb, .info = true, .looks = true},
    {"pagetable", "ADDR", "every level of the page tables for an address, and what an access would do", info_pagetable, .info = true, .looks = true},
    {0},
};
/* clang-format on */
HMP_COMMANDS(commands);
