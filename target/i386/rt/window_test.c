/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The direct window: what is mapped, and what must go (window.h; SDM volume 3, 4.10). Host faults
 * are played by calls of window_fault(); what code makes of them is tested with the translator. */
#include "target/i386/rt/sys.h"
#include "target/i386/rt/window_impl.h"
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>

enum {
    LOW = 0x40000000, /* the first of some pages of 4 KB */
    PAGES = 8,
    TABLE = 0x41000,
    TARGETS = 0x200000, /* RAM, each page filled with its number */
    PTE_OK = 0x67,
    PTE_CLEAN = 0x27,
    PTE_READ = 0x65,
    PTE_GLOBAL = 0x100,
};
static uint64_t *table(BareCpu *b)
{
    return (uint64_t *)(b->ram + TABLE);
}

static void map(BareCpu *b, unsigned page, unsigned target, uint64_t bits)
{
    table(b)[page] = (TARGETS + target * GUEST_PAGE) | bits;
}

/* NULL: this host gives no window. */
static BareCpu *window_new(void)
{
    BareCpu *b = bare_new(CODE_64);

    ((uint64_t *)(b->ram + BARE_TABLES + 0x2000))[1] = 0x40000 | 7;
    *(uint64_t *)(b->ram + 0x40000) = TABLE | 7;
    for (unsigned n = 0; n < PAGES; n++) {
        map(b, n, n, PTE_OK);
    }
    for (unsigned n = 0; n < 64; n++) {
        memset(b->ram + TARGETS + n * GUEST_PAGE, (int)n, GUEST_PAGE);
    }
    if (!bare_window(b)) {
        printf("skip window: no host address space for it\n");
        bare_free(b);
        return NULL;
    }
    b->c->window.always = true;
    window_update(b->c);
    return b;
}

static uint8_t *at(BareCpu *b, uint64_t linear)
{
    return (uint8_t *)(b->c->window.addend[window_slot(linear)] - WINDOW_ADDEND + linear);
}

static bool fault(BareCpu *b, uint64_t linear, bool write)
{
    return window_fault(b->c, (uintptr_t)at(b, linear), write);
}

/* 0: not mapped, 1: to be read, 2: to be written. */
static int mapped(BareCpu *b, uint64_t linear)
{
    const WindowPage *p = window_find(&b->c->window, linear);

    return !p ? 0 : p->linear & WINDOW_WRITE ? 2 : 1;
}

TEST("window: user code has it, with a chunk for what its registers say")
{
    BareCpu *b = window_new();

    if (b) {
        check(b->c->mode & MODE_WINDOW, MODE_WINDOW);
        check(b->c->window.tag[0], 0);
        check(b->c->window.tag[3], WINDOW_NO_TAG);
        check(b->c->window.addend[3], WINDOW_NOWHERE + WINDOW_ADDEND);
        bare_free(b);
    }
}

TEST("window: a fault maps the page, and what is stored there is in RAM")
{
    BareCpu *b = window_new();

    if (b) {
        check(fault(b, LOW + 5, false), true);
        check(*at(b, LOW + 5), 0);
        check(fault(b, LOW + GUEST_PAGE, true), true);
        at(b, LOW + GUEST_PAGE)[7] = 99;
        check(b->ram[TARGETS + GUEST_PAGE + 7], 99);
        check(b->areas > 0, true);
        bare_free(b);
    }
}

TEST("window: a page that is not dirty is mapped to be read, and to be written when that is asked")
{
    BareCpu *b = window_new();

    if (b) {
        map(b, 0, 0, PTE_CLEAN);
        check(fault(b, LOW, false), true);
        check(mapped(b, LOW), 1);
        check(table(b)[0] >> 6 & 1, 0);
        check(fault(b, LOW, true), true);
        check(mapped(b, LOW), 2);
        check(table(b)[0] >> 6 & 1, 1);
        at(b, LOW)[1] = 42;
        check(b->ram[TARGETS + 1], 42);
        bare_free(b);
    }
}

TEST("window: what is absent, read-only for a store, global, keyed or a device is refused")
{
    BareCpu *b = window_new();

    if (b) {
        b->c->s.cr4 |= CR4_PGE | CR4_PKE;
        map(b, 0, 0, 0);
        map(b, 1, 1, PTE_READ);
        map(b, 2, 2, PTE_OK | PTE_GLOBAL);
        table(b)[3] = 0x10000000 | PTE_OK;
        map(b, 4, 4, PTE_OK | 5ull << 59); /* its key is open, but need not stay so */
        check(fault(b, LOW, false), false);
        check(fault(b, LOW + GUEST_PAGE, true), false);
        check(fault(b, LOW + GUEST_PAGE, false), true);
        check(fault(b, LOW + GUEST_PAGE, true), false);
        check(fault(b, LOW + 2 * GUEST_PAGE, false), false);
        check(fault(b, LOW + 3 * GUEST_PAGE, false), false);
        check(fault(b, LOW + 4 * GUEST_PAGE, false), false);
        check(b->mmio_reads, 0);
        check(b->c->window.count, 0); /* the refused store was a page fault, which forgets */
        bare_free(b);
    }
}

TEST("window: a fault in a guard, outside, or in a slot without a chunk is not its own")
{
    BareCpu *b = window_new();

    if (b) {
        uintptr_t host = b->c->window.host[0];

        check(window_fault(b->c, host - 8, false), false);
        check(window_fault(b->c, host + WINDOW_CHUNK, false), false);
        check(window_fault(b->c, b->c->window.host[3] + 0x1000, false), false);
        check(window_fault(b->c, (uintptr_t)b->ram, false), false);
        bare_free(b);
    }
}

TEST("window: INVLPG unmaps the page and no other")
{
    BareCpu *b = window_new();

    if (b) {
        check(fault(b, LOW, false) && fault(b, LOW + GUEST_PAGE, false), true);
        map(b, 0, 9, PTE_OK);
        check(*at(b, LOW), 0);
        tlb_flush_page(b->c, LOW + 77);
        check(mapped(b, LOW), 0);
        check(mapped(b, LOW + GUEST_PAGE), 2);
        check(fault(b, LOW, false), true);
        check(*at(b, LOW), 9);
        bare_free(b);
    }
}

TEST("window: INVLPG in a page of 2 MB unmaps all pieces of it")
{
    BareCpu *b = window_new();

    if (b) {
        check(fault(b, BARE_DATA, false), true);
        check(mapped(b, BARE_DATA + GUEST_PAGE) > 0, true); /* more of the page at once */
        check(fault(b, 0x1f0000, false), true);
        check(fault(b, LOW, false), true);
        tlb_flush_page(b->c, 0x100000);
        check(mapped(b, BARE_DATA), 0);
        check(mapped(b, 0x1f0000), 0);
        check(mapped(b, LOW), 2);
        bare_free(b);
    }
}

TEST("window: a small page that has become a piece of a large one goes with that")
{
    BareCpu *b = window_new();

    if (b) {
        map(b, 0, 0, PTE_CLEAN);
        check(fault(b, LOW, false), true);
        *(uint64_t *)(b->ram + 0x40000) = TARGETS | 0xe7;
        check(fault(b, LOW, true), true);
        check(mapped(b, LOW), 2);
        tlb_flush_page(b->c, LOW + 0x5000);
        check(mapped(b, LOW), 0);
        bare_free(b);
    }
}

TEST("window: a load of CR3 that flushes takes it, one that keeps gives it back with its pages")
{
    BareCpu *b = window_new();

    if (b) {
        uint64_t cr3 = b->c->s.cr3;

        b->c->s.cr4 |= CR4_PCIDE;
        cpu_mode_changed(b->c);
        check(fault(b, LOW, false), true);
        b->c->window.always = false;
        b->c->s.cr3 = cr3 + 1;
        tlb_cr3_loaded(b->c, true);
        check(b->c->mode & MODE_WINDOW, 0);
        check(fault(b, LOW + GUEST_PAGE, false), false);
        b->c->s.cr3 = cr3;
        tlb_cr3_loaded(b->c, true);
        check(b->c->mode & MODE_WINDOW, MODE_WINDOW);
        check(mapped(b, LOW), 2);
        tlb_cr3_loaded(b->c, false);
        check(b->c->mode & MODE_WINDOW, 0);
        bare_free(b);
    }
}

TEST("window: INVPCID of another context's page unmaps it if the window is that context's")
{
    BareCpu *b = window_new();

    if (b) {
        b->c->s.cr4 |= CR4_PCIDE;
        cpu_mode_changed(b->c);
        check(fault(b, LOW, false) && fault(b, LOW + GUEST_PAGE, false), true);
        b->c->window.always = false;
        b->c->s.cr3 += 1;
        tlb_cr3_loaded(b->c, true);
        tlb_flush_page(b->c, LOW); /* of the current one: another */
        check(mapped(b, LOW), 2);
        tlb_flush_pcid_page(b->c, 0, LOW);
        check(mapped(b, LOW), 0);
        check(mapped(b, LOW + GUEST_PAGE), 2);
        bare_free(b);
    }
}

TEST("window: a page that gets code may no longer be written, under any address")
{
    BareCpu *b = window_new();

    if (b) {
        map(b, 1, 0, PTE_OK);
        check(fault(b, LOW, true) && fault(b, LOW + GUEST_PAGE, true), true);
        code_mark(&b->pages[TARGETS / GUEST_PAGE], 1);
        tlb_drop_writes_to(b->c, b->ram + TARGETS);
        check(mapped(b, LOW), 1);
        check(mapped(b, LOW + GUEST_PAGE), 1);
        check(*at(b, LOW), 0);
        check(fault(b, LOW, true), false); /* the interpreter's */
        check(fault(b, LOW + 2 * GUEST_PAGE, true), true);
        bare_free(b);
    }
}

TEST("window: a flush of everything, and another memory map, leave no page")
{
    BareCpu *b = window_new();

    if (b) {
        check(fault(b, LOW, true), true);
        phys_flush(b->c);
        check(b->c->window.count, 0);
        check(b->areas, 0);
        check(fault(b, LOW, true), true);
        tlb_flush(b->c);
        check(b->c->mode & MODE_WINDOW, MODE_WINDOW); /* the new context's */
        check(b->c->window.count, 0);
        bare_free(b);
    }
}

TEST("window: neighbours in RAM are one mapping of the host, others are not; the limit holds")
{
    BareCpu *b = window_new();

    if (b) {
        map(b, 4, 40, PTE_OK);
        check(fault(b, LOW, true), true);
        check(b->areas, 2); /* it, and the rest of nothing behind it */
        check(fault(b, LOW + GUEST_PAGE, true), true);
        check(b->areas, 2);
        check(fault(b, LOW + 3 * GUEST_PAGE, true), true);
        check(b->areas, 4);
        check(fault(b, LOW + 4 * GUEST_PAGE, true), true);
        check(b->areas, 5);
        b->c->window.most_areas = 7;
        check(fault(b, LOW + 6 * GUEST_PAGE, true), false);
        tlb_flush_page(b->c, LOW);
        check(b->areas, 5);
        bare_free(b);
    }
}

TEST("window: PKRU that closes key 0, a data breakpoint and a debugger's watch take it")
{
    static const DebugWatch watch = {LOW, LOW + 8, DEBUG_WRITE};
    static const DebugPlan plan = {.watches = &watch, .watch_count = 1};
    BareCpu *b = window_new();

    if (b) {
        b->c->s.cr4 |= CR4_PKE;
        cpu_mode_changed(b->c);
        pkru_set(b->c, 1);
        check(b->c->mode & MODE_WINDOW, 0);
        pkru_set(b->c, 4);
        check(b->c->mode & MODE_WINDOW, MODE_WINDOW);
        b->c->s.dr7 = 0x10001;
        cpu_mode_changed(b->c);
        check(b->c->mode & MODE_WINDOW, 0);
        b->c->s.dr7 = 0;
        cpu_mode_changed(b->c);
        check(b->c->mode & MODE_WINDOW, MODE_WINDOW);
        rt_debug(b->c, &plan);
        check(b->c->mode & MODE_WINDOW, 0);
        rt_debug(b->c, NULL);
        check(b->c->mode & MODE_WINDOW, MODE_WINDOW);
        bare_free(b);
    }
}

/* ---- who gets it ---- */

static BareCpu *policy_new(void)
{
    BareCpu *b = window_new();

    if (b) {
        b->c->window.always = false;
        phys_flush(b->c);
        check(b->c->mode & MODE_WINDOW, 0);
        mem_read(b->c, LOW, 1);
    }
    return b;
}

/* Microseconds of user code, in pieces, until the window is there; 0: it never comes. */
static uint64_t waits(BareCpu *b, unsigned piece)
{
    for (uint64_t time = piece; time < 100000000; time += piece) {
        window_passed(b->c, piece);
        if (b->c->mode & MODE_WINDOW) {
            return time;
        }
    }
    return 0;
}

/* It runs with the window, and nothing happens. */
static void earns(BareCpu *b, uint64_t time)
{
    for (; time; time -= 10000) {
        window_passed(b->c, 10000);
    }
}

TEST("window: user code gets it when it has run long enough, with what the TLB knows")
{
    BareCpu *b = policy_new();

    if (b) {
        mem_write(b->c, LOW, 1, 1);
        mem_read(b->c, LOW + GUEST_PAGE, 1);
        check(waits(b, 4000) > 100000, true);
        check(mapped(b, LOW), 2);
        check(mapped(b, LOW + GUEST_PAGE), 2);
        check(mapped(b, LOW + 2 * GUEST_PAGE), 0);
        bare_free(b);
    }
}

TEST("window: what the TLB knows of a page before and since it is a piece of a large one goes with "
     "that")
{
    BareCpu *b = policy_new();

    if (b) {
        map(b, 0, 0, PTE_CLEAN);
        tlb_flush(b->c);
        mem_read(b->c, LOW, 1);
        *(uint64_t *)(b->ram + 0x40000) = TARGETS | 0xe7;
        mem_write(b->c, LOW, 1, 1);
        check(waits(b, 4000) > 100000, true);
        check(mapped(b, LOW), 2);
        tlb_flush_page(b->c, LOW + 0x5000);
        check(mapped(b, LOW), 0);
        bare_free(b);
    }
}

TEST("window: ticks of 1, 4 and 10 ms come to the same, and a long pause counts little")
{
    static const unsigned piece[] = {1000, 4000, 10000, 15625};

    for (unsigned n = 0; n < 4; n++) {
        BareCpu *b = policy_new();
        uint64_t time;

        if (b) {
            window_passed(b->c, 3600000000);
            check(b->c->window.recent[0].spent, WINDOW_SAMPLE);
            time = waits(b, piece[n]) + WINDOW_SAMPLE;
            check(time >= 500000 && time < 500000 + piece[n], true);
            bare_free(b);
        }
    }
}

TEST("window: where nothing can be mapped it is not kept")
{
    BareCpu *b = policy_new();

    if (b) {
        b->c->window.most_areas = 0;
        check(waits(b, 10000), 0);
        check(b->c->window.figures.promotions > 0, true);
        check(b->c->window.figures.promotions < 10, true);
        check(b->c->window.context, 0);
        bare_free(b);
    }
}

TEST("window: the time that interrupts take from the kernel's code is nobody's")
{
    BareCpu *b = policy_new();

    if (b) {
        b->c->s.seg[SEG_SS].attr &= ~(3 << ATTR_DPL_SHIFT);
        b->c->s.seg[SEG_CS].attr &= ~(3 << ATTR_DPL_SHIFT);
        b->c->s.seg[SEG_CS].selector &= ~3;
        cpu_mode_changed(b->c);
        check(b->c->cpl, 0);
        check(waits(b, 10000), 0);
        bare_free(b);
    }
}

TEST("window: a flush before it has paid makes it wait longer, one that comes later hardly")
{
    BareCpu *b = policy_new();
    uint64_t first, again;

    if (b) {
        first = waits(b, 1000);
        tlb_flush(b->c);
        check(b->c->mode & MODE_WINDOW, 0);
        again = waits(b, 1000);
        check(again, 2 * first);
        earns(b, 1000000);
        tlb_flush(b->c);
        check(waits(b, 1000) < first / 8, true);
        bare_free(b);
    }
}

TEST("window: address spaces are told apart by their tables, and by those of their stacks")
{
    BareCpu *b = policy_new();
    uint64_t *top = (uint64_t *)(b ? b->ram + (b->c->s.cr3 & -4096u) : NULL);
    uint64_t first = top ? top[0] : 0;

    if (b) {
        earns(b, 100000);
        check(b->c->window.recent[0].spent, 100000);
        memcpy(b->ram + 0x50000, b->ram + (first & -4096u & 0xffffffff), GUEST_PAGE);
        top[0] = 0x50000 | 7; /* a new process where another was */
        tlb_cr3_loaded(b->c, false);
        earns(b, 30000);
        check(b->c->window.recent[0].spent, 30000);
        top[0] = first;
        tlb_cr3_loaded(b->c, false);
        earns(b, 10000);
        check(b->c->window.recent[0].spent, 110000);
        bare_free(b);
    }
}

TEST("window: hundreds of short programs do not push out what is known of who waits for them")
{
    BareCpu *b = policy_new();
    uint64_t *top = (uint64_t *)(b ? b->ram + (b->c->s.cr3 & -4096u) : NULL);
    uint64_t first = top ? top[0] : 0;

    if (b) {
        earns(b, 60000);
        for (uint64_t n = 0; n < 4 * WINDOW_RECENT; n++) {
            top[0] = (n * GUEST_PAGE + 0x1000000) | 7;
            tlb_cr3_loaded(b->c, false);
            earns(b, 40000);
            check(b->c->window.recent[0].spent, 40000);
        }
        top[0] = first;
        tlb_cr3_loaded(b->c, false);
        earns(b, 10000);
        check(b->c->window.recent[0].spent, 70000);
        bare_free(b);
    }
}

TEST("window: who faults too often loses it")
{
    BareCpu *b = window_new();

    if (b) {
        b->c->window.always = false;
        map(b, 0, 0, 0);
        for (unsigned n = 0; n < 10000 && b->c->window.context; n++) {
            fault(b, LOW, false);
        }
        check(b->c->window.context, 0);
        check(b->c->mode & MODE_WINDOW, 0);
        check(b->c->window.figures.demotions, 1);
        bare_free(b);
    }
}

TEST("window: however often it was lost for its faults, two seconds of user code bring it back")
{
    BareCpu *b = policy_new();
    uint64_t last = 0;

    if (b) {
        map(b, 0, 0, 0);
        for (unsigned n = 0; n < 6; n++) {
            last = waits(b, 20000);
            for (unsigned m = 0; m < 10000 && b->c->window.context; m++) {
                fault(b, LOW, false);
            }
            check(b->c->window.context, 0);
        }
        check(last, 2000000);
        check(b->c->window.figures.demotions, 6);
        bare_free(b);
    }
}

/* ---- tables of two levels ---- */

enum { LARGE = 4 << 20 };

static uint32_t *table32(BareCpu *b)
{
    return (uint32_t *)(b->ram + BARE_TABLE32);
}

static uint32_t *directory32(BareCpu *b)
{
    return (uint32_t *)(b->ram + BARE_TABLES + 0x1000);
}

static BareCpu *narrow_new(void)
{
    BareCpu *b = window_new();

    if (b) {
        bare_paging32(b);
        check(b->c->mode & MODE_WINDOW, MODE_WINDOW);
    }
    return b;
}

TEST("window: over tables of two levels pages of 4 KB are mapped and unmapped one by one")
{
    BareCpu *b = narrow_new();

    if (b) {
        table32(b)[0x40] = (TARGETS + 5 * GUEST_PAGE) | PTE_CLEAN;
        table32(b)[0x41] = (TARGETS + 6 * GUEST_PAGE) | PTE_READ;
        table32(b)[0x42] = 0;
        check(fault(b, 0x40000, false) && fault(b, 0x41000, false), true);
        check(*at(b, 0x40000) == 5 && *at(b, 0x41fff) == 6, true);
        check(mapped(b, 0x40000) == 1 && mapped(b, 0x41000) == 1, true);
        check(fault(b, 0x40000, true), true);
        check(table32(b)[0x40] & 0xfff, PTE_OK);
        check(mapped(b, 0x40000), 2);
        check(fault(b, 0x42000, false), false);
        tlb_flush_page(b->c, 0x41000);
        check(mapped(b, 0x41000) == 0 && mapped(b, 0x40000) == 2, true);
        bare_free(b);
    }
}

TEST("window: INVLPG in a page of 4 MB unmaps the pieces in both its halves")
{
    BareCpu *b = narrow_new();

    if (b) {
        check(fault(b, LARGE + TARGETS, true) && fault(b, LARGE + 0x1000, false), true);
        check(fault(b, 0x40000, false), true);
        at(b, LARGE + TARGETS)[1] = 77;
        check(b->ram[TARGETS + 1], 77);
        tlb_flush_page(b->c, LARGE + 0x5000);
        check(mapped(b, LARGE + TARGETS) == 0 && mapped(b, LARGE + 0x1000) == 0, true);
        check(mapped(b, 0x40000), 2);
        bare_free(b);
    }
}

/* Accessed bits come and go in entries of an address space that stays the same. */
TEST("window: over tables of two levels user code gets it, whatever its entries' other bits do")
{
    BareCpu *b = narrow_new();
    uint64_t cr3 = b ? b->c->s.cr3 : 0;

    if (b) {
        b->c->window.always = false;
        mem_read(b->c, LARGE, 1);
        b->c->s.gpr[R_SP] = 0x802000; /* the third entry */
        for (uint32_t n = 0; n < 8; n++) {
            directory32(b)[2 + n] = (0x50000 + n * GUEST_PAGE) | 7;
        }
        for (uint32_t n = 0; n < 8; n++) {
            directory32(b)[n] ^= 0x20;
            directory32(b)[2] = (directory32(b)[2] & 0xfffff000) | 7 | n << 9 | (n & 3) << 5;
            b->c->s.cr3 = cr3 | (n & 3) << 3;
            tlb_cr3_loaded(b->c, false);
            window_passed(b->c, 10000);
        }
        check(b->c->window.recent[0].spent, 80000);
        directory32(b)[2] ^= 0x8000; /* a new process where another was */
        tlb_cr3_loaded(b->c, false);
        window_passed(b->c, 10000);
        check(b->c->window.recent[0].spent, 10000);
        check(waits(b, 10000), 490000);
        bare_free(b);
    }
}
