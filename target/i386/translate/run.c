/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Into translated code and back: entering, what it asks when the TLB misses, links, and the jump
 * tables (docs/design/translator.md, "Blocks and links").
 */
#include "target/i386/rt/fpu.h"
#include "target/i386/rt/walk.h"
#include "target/i386/translate/unit.h"

void trans_thread(Cpu *c)
{
    __asm__ volatile("wrgsbase %0" : : "r"(c)); /* nothing else of the process uses gs */
}

/* ---- jump tables ---- */

static uint64_t jump_no_tag(unsigned slot)
{
    return slot ? 0 : -(uint64_t)2;
}

static void table_clear(JumpTable *t)
{
    for (unsigned slot = 0; slot < JUMP_SLOTS; slot++) {
        t->tag[slot] = jump_no_tag(slot);
    }
    for (unsigned n = 0; n < JUMP_SLOTS / 64; n++) {
        t->near[n] = 0;
    }
    t->used = t->local = false;
}

void jump_flush(Cpu *c, bool global_too)
{
    for (unsigned v = 0; v < JUMP_VIEWS; v++) {
        if (c->jumps[v].used && (global_too || c->jumps[v].local)) {
            table_clear(&c->jumps[v]);
        }
    }
}

/* Forget rips whose upper bits, from `shift` up, are those of an address; of a page, all are in a
 * quarter of the slots. */
static void table_forget(JumpTable *t, uint64_t linear, unsigned shift)
{
    bool page = shift == 12;
    unsigned slot = page ? (linear >> 12 & 3) << 8 : 0, end = page ? slot + 256 : JUMP_SLOTS;

    for (; slot < end; slot++) {
        if (!((linear ^ -t->tag[slot]) >> shift)) {
            t->tag[slot] = jump_no_tag(slot);
        }
    }
}

void jump_flush_page(Cpu *c, uint64_t linear, bool near)
{
    unsigned page = linear / GUEST_PAGE % JUMP_SLOTS;

    if (c->code_base) { /* tables hold rips */
        jump_flush(c, true);
        return;
    }
    for (unsigned v = 0; v < JUMP_VIEWS; v++) {
        JumpTable *t = &c->jumps[v];

        if (t->used && (near || t->near[page / 64] >> page % 64 & 1)) {
            table_forget(t, linear, near ? 30 : 12);
        }
    }
}

/* As PEXT does it. */
static unsigned jump_slot(uint64_t rip)
{
    _Static_assert(JUMP_MASK == 0x31fe && JUMP_SLOTS == 1024, "the slot is made by hand");
    return (rip >> 1 & 0xff) | (rip >> 12 & 3) << 8;
}

void jump_insert(Cpu *c, const Trans *t)
{
    unsigned slot = jump_slot(c->s.rip);
    JumpTable *table = &c->jumps[c->view];
    uint64_t linear = c->code_base + c->s.rip;

    if (table->mode != c->mode || c->code_generation != c->code->generation) {
        return;
    }
    table->tag[slot] = -c->s.rip;
    table->page[slot] = c->s.rip - t->phys % GUEST_PAGE;
    table->code[slot] = (uintptr_t)t->entry;
    table->near[linear / GUEST_PAGE % JUMP_SLOTS / 64] |= 1ull << linear / GUEST_PAGE % 64;
    table->local |= !fetch_global(c, linear);
    table->used = true;
}

/* ---- in ---- */

void trans_forget(Cpu *c)
{
    for (unsigned v = 0; v < JUMP_VIEWS; v++) {
        table_clear(&c->jumps[v]);
    }
    block_flush(c);
    c->code_generation = c->code->generation;
}

/* A table holds what is true of one mode. */
static void tables_check(Cpu *c)
{
    JumpTable *table = &c->jumps[c->view];

    if (unlikely(table->mode != c->mode)) {
        table_clear(table);
        table->mode = c->mode;
    }
}

TransExit trans_run(Cpu *c, const Trans *t)
{
    tables_check(c);
    c->page_rip = c->s.rip - t->phys % GUEST_PAGE;
    c->entries++;
    return c->code->enter(c, t->entry);
}

/* ---- what it asks ---- */

static bool filled(Cpu *c, uint64_t linear, unsigned size, bool write)
{
    const TlbTable *t = c->tlb;
    unsigned slot = tlb_slot(linear);

    return tlb_hit(write ? t->write[slot] : t->read[slot], linear, size);
}

/* false: the access faults, and the interpreter is to find out how: #MF, alignment and masked-out
 * elements are matters of the instruction. */
static __attribute__((noinline)) bool refill(Cpu *c, uint64_t linear, AccessKind kind)
{
    void *outer[5];

    __builtin_memcpy(outer, c->unwind, sizeof outer);
    if (__builtin_setjmp(c->unwind)) {
        __builtin_memcpy(c->unwind, outer, sizeof outer);
        c->exc_pending = false;
        return false;
    }
    mem_refill(c, linear, kind);
    __builtin_memcpy(c->unwind, outer, sizeof outer);
    return true;
}

bool trans_fill(Cpu *c, uint64_t linear, uint32_t info)
{
    unsigned size = info >> 16 & 0xff;
    bool write = info >> 24, live = c->fpu_live;

    c->fills++;
    if (linear % GUEST_PAGE + size > GUEST_PAGE ||
        (c->code_size == CODE_64 && !canonical(c, linear)) ||
        !refill(c, linear, write ? ACCESS_WRITE : ACCESS_READ)) {
        return false;
    }
    if (live) {
        fpu_live(c);
    }
    return filled(c, linear, size, write) && !c->block_break &&
           c->code_generation == c->code->generation;
}
