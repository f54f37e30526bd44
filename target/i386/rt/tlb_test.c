/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Both levels of the TLB: what may be remembered, and what must go (SDM volume 3, 4.10). */
#include "target/i386/rt/sys.h"
#include "target/i386/rt/walk.h"
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

#include <string.h>

enum {
    SPACES = 3, /* address spaces, with PCIDs 1, 2 ... */
    PAGES = 8,  /* in the first two of 4 KB each in every space */
    LOW = 0x40000000,
    TARGETS = 0x200000, /* physical pages, each filled with its number */
    TABLES_OF = 0x40000,
    PTE_OK = 0x67,
    PTE_GLOBAL = 0x100,
};
#define HIGH 0xffffffff80000000ull
#define KEEP (1ull << 63)

/* Each space: PML4, PDPT, PD, PT; the PT serves addresses from LOW and from HIGH. */
static uint64_t *table_of(BareCpu *b, unsigned space, unsigned n)
{
    return (uint64_t *)(b->ram + TABLES_OF + (space * 4 + n) * GUEST_PAGE);
}

static uint64_t cr3_of(unsigned space)
{
    return TABLES_OF + space * 4 * GUEST_PAGE + space + 1;
}

static void map(BareCpu *b, unsigned space, unsigned page, unsigned target, uint64_t bits)
{
    table_of(b, space, 3)[page] = (TARGETS + target * GUEST_PAGE) | bits;
}

static void enter(BareCpu *b, unsigned space, bool keep)
{
    b->c->s.cr3 = cr3_of(space);
    tlb_cr3_loaded(b->c, keep);
}

static BareCpu *spaces_new(void)
{
    BareCpu *b = bare_new(CODE_64);
    uint64_t *pdpt = (uint64_t *)(b->ram + BARE_TABLES + 0x2000);

    for (unsigned s = 0; s < SPACES; s++) {
        uint64_t at = TABLES_OF + s * 4 * GUEST_PAGE;

        table_of(b, s, 0)[0] = table_of(b, s, 0)[511] = (at + GUEST_PAGE) | 7;
        table_of(b, s, 1)[0] = pdpt[0];
        table_of(b, s, 1)[1] = table_of(b, s, 1)[510] = (at + 2 * GUEST_PAGE) | 7;
        table_of(b, s, 2)[0] = (at + 3 * GUEST_PAGE) | 7;
    }
    for (unsigned n = 0; n < 256; n++) {
        memset(b->ram + TARGETS + n * GUEST_PAGE, (int)n, GUEST_PAGE);
    }
    b->c->s.cr4 |= CR4_PCIDE | CR4_PGE;
    b->c->s.cr3 = cr3_of(0);
    rt_state_loaded(b->c);
    return b;
}

static unsigned look(BareCpu *b, uint64_t linear)
{
    return (unsigned)mem_read(b->c, linear, 1);
}

/* What the second level alone knows: -1: nothing. */
static int second(BareCpu *b, uint64_t linear)
{
    uint64_t page = tlb2_find(b->c, linear);

    return page ? (int)(((page & TLB2_ADDRESS) - TARGETS) / GUEST_PAGE) : -1;
}

TEST("TLB: a page is remembered until INVLPG; one that was absent is looked up anew")
{
    BareCpu *b = spaces_new();

    map(b, 0, 0, 1, PTE_OK);
    check(look(b, LOW), 1);
    map(b, 0, 0, 2, PTE_OK);
    check(look(b, LOW), 1);
    tlb_flush_page(b->c, LOW);
    check(look(b, LOW), 2);
    check(second(b, LOW + GUEST_PAGE), -1);
    map(b, 0, 1, 3, PTE_OK);
    check(look(b, LOW + GUEST_PAGE), 3);
    bare_free(b);
}

TEST("TLB: 2 MB of RAM that were looked up often are said to be warm, once")
{
    BareCpu *b = spaces_new();

    map(b, 0, 0, 1, PTE_OK);
    for (unsigned n = 1; n <= 2 * RAM_WARM; n++) {
        tlb_flush_page(b->c, LOW);
        check(look(b, LOW), 1);
        check(b->warmed, n >= RAM_WARM);
    }
    check(b->warm_at, TARGETS + GUEST_PAGE);
    bare_free(b);
}

TEST("TLB: the first level is refilled from the second, with the same large or small page")
{
    BareCpu *b = spaces_new();

    map(b, 0, 5, 7, PTE_OK | PTE_GLOBAL);
    table_of(b, 0, 2)[1] = 0x200000 | PTE_OK | 0x80;
    check(look(b, HIGH + 5 * GUEST_PAGE), 7);
    check(look(b, LOW + 0x200000 + 9 * GUEST_PAGE), 9);
    tlb_rights_changed(b->c);
    table_of(b, 0, 0)[0] = table_of(b, 0, 0)[511] = 0; /* not needed any more */
    check(look(b, HIGH + 5 * GUEST_PAGE + 4), 7);
    check(look(b, LOW + 0x200000 + 8 * GUEST_PAGE), 8);
    bare_free(b);
}

TEST("TLB: loading CR3 drops all but global pages; INVLPG drops these, too")
{
    BareCpu *b = spaces_new();

    map(b, 0, 0, 1, PTE_OK);
    map(b, 0, 1, 2, PTE_OK | PTE_GLOBAL);
    look(b, HIGH);
    look(b, HIGH + GUEST_PAGE);
    map(b, 0, 0, 3, PTE_OK);
    map(b, 0, 1, 4, PTE_OK | PTE_GLOBAL);
    enter(b, 0, false);
    check(look(b, HIGH), 3);
    check(look(b, HIGH + GUEST_PAGE), 2);
    tlb_flush_page(b->c, HIGH + GUEST_PAGE);
    check(look(b, HIGH + GUEST_PAGE), 4);
    map(b, 0, 1, 5, PTE_OK | PTE_GLOBAL);
    tlb_flush(b->c);
    check(look(b, HIGH + GUEST_PAGE), 5);
    bare_free(b);
}

TEST("TLB: the entries of a PCID outlive others, until CR3 is loaded without bit 63")
{
    BareCpu *b = spaces_new();

    map(b, 0, 0, 1, PTE_OK);
    map(b, 1, 0, 2, PTE_OK);
    look(b, LOW);
    enter(b, 1, false);
    check(look(b, LOW), 2);
    map(b, 0, 0, 3, PTE_OK);
    map(b, 1, 0, 4, PTE_OK);
    enter(b, 0, true);
    check(look(b, LOW), 1);
    enter(b, 1, true);
    check(look(b, LOW), 2);
    enter(b, 0, false);
    check(look(b, LOW), 3);
    enter(b, 1, true);
    check(look(b, LOW), 2);
    bare_free(b);
}

TEST("TLB: INVPCID drops an address, a PCID, or all of them, here and elsewhere")
{
    BareCpu *b = spaces_new();

    map(b, 0, 0, 1, PTE_OK);
    map(b, 0, 1, 2, PTE_OK);
    look(b, LOW);
    look(b, LOW + GUEST_PAGE);
    enter(b, 1, false);
    tlb_flush_pcid_page(b->c, 1, LOW);
    enter(b, 0, true);
    check(second(b, LOW), -1);
    check(second(b, LOW + GUEST_PAGE), 2);
    tlb_flush_pcid(b->c, 1);
    check(second(b, LOW + GUEST_PAGE), -1);
    look(b, LOW + GUEST_PAGE);
    enter(b, 1, true);
    tlb_flush_pcids(b->c);
    enter(b, 0, true);
    check(second(b, LOW + GUEST_PAGE), -1);
    bare_free(b);
}

TEST("TLB: INVLPG of any address in a large page drops it from both levels, and no other context's")
{
    BareCpu *b = spaces_new();

    table_of(b, 0, 2)[1] = 0x200000 | PTE_OK | 0x80;
    table_of(b, 1, 2)[1] = 0x200000 | PTE_OK | 0x80;
    look(b, LOW + 0x201000);
    enter(b, 1, true);
    look(b, LOW + 0x201000);
    table_of(b, 0, 2)[1] = table_of(b, 1, 2)[1] = PTE_OK | 0x80;
    tlb_flush_page(b->c, LOW + 0x3ff000);
    check(look(b, LOW + 0x201000), b->ram[0x1000]);
    enter(b, 0, true);
    check(look(b, LOW + 0x201000), 1);
    bare_free(b);
}

TEST("TLB: INVLPG where 1 GB pages are drops the whole page; a neighbour of 2 MB stays elsewhere")
{
    BareCpu *b = spaces_new();

    table_of(b, 0, 2)[1] = 0x200000 | PTE_OK | 0x80;
    table_of(b, 0, 2)[2] = 0x200000 | PTE_OK | 0x80;
    look(b, LOW + 0x201000);
    look(b, LOW + 0x401000);
    tlb_flush_page(b->c, LOW + 0x3ff000);
    check(tlb_reads(b->c->tlb, LOW + 0x201000, 1) == NULL, true);
    check(tlb_reads(b->c->tlb, LOW + 0x401000, 1) != NULL, true);
    b->c->tlb2.huge_at = b->c->tlb2.large_at; /* as if it had been 1 GB */
    tlb_flush_page(b->c, LOW + 0x3ff000);
    check(tlb_reads(b->c->tlb, LOW + 0x401000, 1) == NULL, true);
    bare_free(b);
}

TEST("TLB: rights are asked for at each refill: what is refused is looked up in the tables")
{
    BareCpu *b = spaces_new();

    map(b, 0, 0, 1, 0x25); /* read-only, not dirty */
    look(b, LOW);
    b->c->s.cr0 |= CR0_WP;
    tlb_rights_changed(b->c);
    check(tlb_writes(b->c->tlb, LOW, 1) != NULL, false);
    map(b, 0, 0, 2, 0x27);
    check(look(b, LOW), 1);
    mem_write(b->c, LOW, 0x55, 1);
    check(b->ram[TARGETS + 2 * GUEST_PAGE], 0x55);
    check(table_of(b, 0, 3)[0] & 0xfff, 0x67);
    check(look(b, LOW), 0x55);
    bare_free(b);
}

TEST("TLB: a page fault drops what both levels remember of its page")
{
    BareCpu *b = spaces_new();
    uint32_t fault = 0;

    b->c->s.cr0 |= CR0_WP;
    map(b, 0, 0, 1, PTE_OK & ~2);
    check(look(b, LOW), 1);
    check(mem_refill_try(b->c, LOW, ACCESS_WRITE, &fault), false);
    check(fault, FAULT_PRESENT | FAULT_WRITE);
    map(b, 0, 0, 2, PTE_OK);
    check(look(b, LOW), 2);
    bare_free(b);
}

TEST("TLB: a supervisor's access to a user page follows CR4.SMAP and protection keys at once")
{
    BareCpu *b = spaces_new();
    uint32_t fault;
    Walk w;

    map(b, 0, 0, 1, PTE_OK);
    table_of(b, 0, 3)[0] |= 3ull << 59;
    look(b, LOW);
    b->c->s.cr4 |= CR4_PKE;
    pkru_set(b->c, 2 << 6); /* key 3: no writes */
    cpu_mode_changed(b->c);
    check(look(b, LOW), 1);
    check(tlb_reads(b->c->tlb, LOW, 1) != NULL, true);
    b->c->s.cr0 |= CR0_WP;
    tlb_rights_changed(b->c);
    look(b, LOW);
    check(tlb_writes(b->c->tlb, LOW, 1) != NULL, false);
    check(walk_try(b->c, LOW, ACCESS_READ, &w, &fault), true);
    check(walk_denied(b->c, &w, false, true, ACCESS_READ), FAULT_PRESENT);
    bare_free(b);
}

TEST("TLB: when contexts run out, all is forgotten and nothing is mistaken")
{
    BareCpu *b = spaces_new();

    map(b, 0, 0, 1, PTE_OK);
    map(b, 1, 0, 2, PTE_OK);
    look(b, LOW);
    b->c->tlb2.newest = (1 << TLB2_CONTEXT_BITS) - 3;
    for (unsigned n = 0; n < 8; n++) {
        enter(b, 1, false);
        check(look(b, LOW), 2);
    }
    check(b->c->tlb2.newest < 100, true);
    enter(b, 0, true);
    check(second(b, LOW), -1);
    check(look(b, LOW), 1);
    bare_free(b);
}

/* ---- anything, in any order ---- */

typedef struct Model { /* targets that may be remembered, as bits */
    uint8_t own[SPACES][PAGES], global[PAGES];
    uint64_t random;
    unsigned space;
} Model;

static unsigned any(Model *m, unsigned below)
{
    m->random = m->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(m->random >> 33) % below;
}

static void model_read(BareCpu *b, Model *m, unsigned page, uint64_t linear)
{
    uint64_t entry = table_of(b, m->space, 3)[page];
    uint8_t now = (uint8_t)(1u << ((entry & TLB2_ADDRESS) - TARGETS) / GUEST_PAGE);
    uint8_t may = m->own[m->space][page] | m->global[page] | now;
    uint8_t got = (uint8_t)(1u << look(b, linear));

    check(got & may, got);
    *(entry & PTE_GLOBAL ? &m->global[page] : &m->own[m->space][page]) |= now;
}

static void model_flush(BareCpu *b, Model *m, unsigned page, uint64_t linear)
{
    unsigned space = any(m, SPACES);

    switch (any(m, 5)) {
    case 0:
        tlb_flush_page(b->c, linear);
        m->own[m->space][page] = m->global[page] = 0;
        break;
    case 1:
        tlb_flush_pcid_page(b->c, space + 1, linear);
        m->own[space][page] = 0;
        break;
    case 2:
        tlb_flush_pcid(b->c, space + 1);
        memset(m->own[space], 0, PAGES);
        break;
    case 3:
        tlb_flush_pcids(b->c);
        memset(m->own, 0, sizeof m->own);
        break;
    default:
        tlb_flush(b->c);
        memset(m->own, 0, sizeof m->own);
        memset(m->global, 0, sizeof m->global);
    }
}

static void model_switch(BareCpu *b, Model *m)
{
    bool keep = any(m, 2);

    m->space = any(m, SPACES);
    enter(b, m->space, keep);
    if (!keep) {
        memset(m->own[m->space], 0, PAGES);
    }
}

/* A page is used through one of its two addresses only: the model knows pages, not addresses. */
TEST("TLB: whatever the guest edits, flushes and loads, only what the manual allows is remembered")
{
    BareCpu *b = spaces_new();
    Model m = {.random = 1};

    for (unsigned n = 0; n < SPACES * PAGES; n++) {
        map(b, n / PAGES, n % PAGES, n % 8, PTE_OK);
    }
    for (unsigned n = 0; n < 100000; n++) {
        unsigned page = any(&m, PAGES);
        uint64_t linear = (page & 1 ? HIGH : LOW) + page * GUEST_PAGE;

        if (any(&m, 4)) {
            model_read(b, &m, page, linear);
        } else if (any(&m, 2)) {
            map(b, any(&m, SPACES), page, any(&m, 8), PTE_OK | (any(&m, 3) ? 0 : PTE_GLOBAL));
        } else if (any(&m, 2)) {
            model_flush(b, &m, page, linear);
        } else {
            model_switch(b, &m);
        }
    }
    bare_free(b);
}
