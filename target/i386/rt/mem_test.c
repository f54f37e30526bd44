/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/i386/rt/walk.h"
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

#include <string.h>

TEST("memory: a value across pages comes from both, and goes to both")
{
    BareCpu *b = bare_new(CODE_64);
    uint64_t value = 0x1122334455667788;

    mem_write(b->c, 0x31ffd, value, 8);
    check(memcmp(b->ram + 0x31ffd, &value, 8), 0);
    check(mem_read(b->c, 0x31ffd, 8), value);
    check(mem_read(b->c, 0x31fff, 2), 0x5566);
    bare_free(b);
}

TEST("memory: beyond the RAM are devices; a value across the border is taken byte by byte")
{
    BareCpu *b = bare_new(CODE_64);

    b->ram[BARE_RAM - 1] = 0xaa;
    check(mem_read(b->c, BARE_RAM + 8, 4), BARE_RAM + 8);
    check(mem_read(b->c, BARE_RAM - 1, 2), 0xaa);
    check(b->mmio_reads, 2);
    mem_write(b->c, BARE_RAM + 16, 0x77, 1);
    check(b->mmio_value, 0x77);
    check(mem_pointer_slow(b->c, BARE_RAM, 4) == NULL, true);
    bare_free(b);
}

TEST("memory: a store into a page with decoded code is seen by its version, and gets no write tag")
{
    BareCpu *b = bare_new(CODE_64);
    CodePage *page = &b->pages[BARE_DATA / GUEST_PAGE];
    uint32_t version = code_mark(page, code_grains(0, 64)).version;

    mem_write(b->c, BARE_DATA + 100, 1, 4); /* beside the code */
    check(page->version, version);
    check(tlb_writes(b->c->tlb, BARE_DATA, 4) != NULL, false);
    b->c->block_break = false;
    mem_write(b->c, BARE_DATA + 60, 1, 8);
    check(page->version, version + 1);
    check(b->c->block_break, true);
    mem_write(b->c, BARE_DATA, 1, 4);
    check(tlb_writes(b->c->tlb, BARE_DATA, 4) != NULL, true);
    bare_free(b);
}

static void logged_page(Cpu *c, uint64_t phys, PhysPage *out)
{
    BareCpu *b = c->vcpu;

    *out = (PhysPage){.phys = phys & -(uint64_t)GUEST_PAGE, .logged = true};
    out->host = b->ram + out->phys;
    out->code = &b->pages[phys / GUEST_PAGE];
}

static void count_dirty(Cpu *c, const PhysPage *page, unsigned offset, unsigned size)
{
    *(unsigned *)((BareCpu *)c->vcpu)->own += page->phys == BARE_DATA;
}

TEST("memory: a logged page is marked at its first write, which gives a tag until the mark is "
     "cleared; reading gives none")
{
    BareCpu *b = bare_new(CODE_64);
    unsigned marks = 0;

    b->own = &marks;
    b->host.page = logged_page;
    b->host.dirty = count_dirty;
    phys_flush(b->c);
    mem_read(b->c, BARE_DATA, 8);
    check(marks, 0);
    check(tlb_writes(b->c->tlb, BARE_DATA, 8) != NULL, false);
    mem_write(b->c, BARE_DATA, 5, 8);
    check(marks > 0, true);
    check(tlb_writes(b->c->tlb, BARE_DATA, 8) != NULL, true);
    marks = 0;
    mem_write(b->c, BARE_DATA + 8, 6, 8);
    check(marks, 0);
    tlb_drop_writes(b->c);
    mem_write(b->c, BARE_DATA + 8, 7, 8);
    check(marks > 0, true);
    bare_free(b);
}

TEST("memory: the write tags go, the read tags stay")
{
    BareCpu *b = bare_new(CODE_64);

    mem_write(b->c, BARE_DATA, 1, 4);
    check(tlb_writes(b->c->tlb, BARE_DATA, 4) != NULL, true);
    tlb_drop_writes(b->c);
    check(tlb_writes(b->c->tlb, BARE_DATA, 4) != NULL, false);
    check(tlb_reads(b->c->tlb, BARE_DATA, 4) != NULL, true);
    bare_free(b);
}

/* Translated code adds the size before it compares: the distance of the last byte may wrap. */
static bool any_byte_has(uint64_t tag, uint64_t linear, unsigned size)
{
    return tlb_hit(tag, linear, size) || !((linear + tag + size - 1) >> TLB_ADDEND);
}

TEST("memory: an empty slot has a tag that no address of it has")
{
    for (unsigned slot = 0; slot < TLB_SIZE; slot++) {
        for (unsigned high = 0; high < 64 - 12 - TLB_BITS; high++) {
            uint64_t page = ((1ull << high >> 1) * TLB_SIZE + slot) * GUEST_PAGE;

            check(any_byte_has(tlb_no_tag(slot), page, 1), false);
            check(any_byte_has(tlb_no_tag(slot), page + 4090, 64), false);
            check(any_byte_has(tlb_no_tag(slot), page - 0x800000000000, 64), false);
        }
    }
}

TEST("memory: a page's tag answers for all of it, and not for accesses that leave it")
{
    uint64_t page = 0xffff888012345000;

    check(any_byte_has(-page, page, 64), true);
    check(any_byte_has(-page, page + 4032, 64), true);
    check(any_byte_has(-page, page + 4033, 64), false);
    check(any_byte_has(-page, page - TLB_SIZE * GUEST_PAGE, 1), false);
}

TEST("memory: with A20 off, the odd megabytes are the even ones")
{
    BareCpu *b = bare_new(CODE_64);

    b->ram[0x5000] = 0x11;
    b->ram[0x105000] = 0x22;
    check(mem_read(b->c, 0x105000, 1), 0x22);
    b->c->s.a20 = false;
    rt_state_loaded(b->c);
    check(mem_read(b->c, 0x105000, 1), 0x11);
    bare_free(b);
}

TEST("memory: INVLPG anywhere in a large page drops all its pieces")
{
    BareCpu *b = bare_new(CODE_64);

    mem_read(b->c, 0x201000, 1);
    mem_read(b->c, 0x202000, 1);
    tlb_flush_page(b->c, 0x3ff000);
    check(tlb_reads(b->c->tlb, 0x201000, 1) != NULL, false);
    check(tlb_reads(b->c->tlb, 0x202000, 1) != NULL, false);
    bare_free(b);
}

TEST("memory: blocks are copied across pages and out of devices")
{
    BareCpu *b = bare_new(CODE_64);
    uint8_t in[64], out[64];

    for (unsigned n = 0; n < sizeof(in); n++) {
        in[n] = n;
    }
    mem_write_block(b->c, 0x31fe1, in, sizeof(in), ACCESS_WRITE);
    check(memcmp(b->ram + 0x31fe1, in, sizeof(in)), 0);
    mem_read_block(b->c, 0x31fe1, out, sizeof(out), ACCESS_READ);
    check(memcmp(in, out, sizeof(in)), 0);
    mem_read_block(b->c, BARE_RAM + 4, out, 12, ACCESS_READ);
    check(b->mmio_reads, 2);
    bare_free(b);
}

TEST("memory: a block across pages is told to the code that it overwrites")
{
    BareCpu *b = bare_new(CODE_64);
    CodePage *page = &b->pages[BARE_CODE / GUEST_PAGE];
    const uint8_t code[] = {0x90, 0x90, 0xf4}, in[64] = {0};
    uint32_t version;

    bare_load(b, code, code + sizeof(code));
    bare_run(b);
    version = page->version;
    mem_write_block(b->c, BARE_CODE - 64, in, sizeof(in), ACCESS_WRITE);
    check(page->version, version);
    mem_write_block(b->c, BARE_CODE - 62, in, sizeof(in), ACCESS_WRITE);
    check(page->version, version + 1);
    check(b->ram[BARE_CODE + 1], 0);
    check(b->ram[BARE_CODE + 2], 0xf4);
    bare_free(b);
}

TEST("paging: A and D are set only when the access is made")
{
    BareCpu *b = bare_new(CODE_64);
    uint64_t *pd = (uint64_t *)(b->ram + BARE_TABLES + 0x3000);

    pd[1] = 0x200087;
    mem_read(b->c, 0x200000, 8);
    check(pd[1], 0x2000a7);
    mem_write(b->c, 0x200000, 0, 8);
    check(pd[1], 0x2000e7);
    bare_free(b);
}

TEST("paging: a walk tells address, size, key and rights, and who may do what with the page")
{
    BareCpu *b = bare_new(CODE_64);
    uint64_t *pd = (uint64_t *)(b->ram + BARE_TABLES + 0x3000);
    uint32_t fault;
    Walk w;

    pd[1] = 0x200087 | 1ull << 63 | 1ull << 59;
    check(walk_try(b->c, 0x200123, ACCESS_READ, &w, &fault), true);
    check(w.phys, 0x200123);
    check(w.large, true);
    check(w.no_execute, true);
    check(w.key, 1);
    check(w.depth, 3);
    check(pd[1] & 0xfff, 0xa7);
    check(walk_denied(b->c, &w, true, false, ACCESS_FETCH), FAULT_PRESENT);
    check(walk_denied(b->c, &w, false, true, ACCESS_READ), FAULT_PRESENT);
    check(walk_denied(b->c, &w, false, false, ACCESS_WRITE), 0);
    bare_free(b);
}
