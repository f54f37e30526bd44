/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory from inside an instruction: address forming, segment checks, the TLB's fast way.
 * The slow way (mem.c, walk.c): page walk, permissions, A/D bits, page crossing, MMIO, code pages.
 * SDM volume 3, "Protected-mode memory management", "Paging"; volume 1, "Operand addressing".
 *
 * All functions may raise. Values travel in uint64_t, zero-extended. A store that crosses a page
 * checks both pages before it writes anything.
 */
#pragma once
#include "target/i386/rt/rt.h"

/* Slow ways: any alignment, any page, RAM or not. size: 1, 2, 4, 8. */
uint64_t mem_read_slow(Cpu *c, uint64_t linear, unsigned size, AccessKind kind);
void mem_write_slow(Cpu *c, uint64_t linear, uint64_t value, unsigned size, AccessKind kind);

/* Blocks of any size up to two pages (FXSAVE, vectors, descriptors): all pages are
 * checked first. */
void mem_read_block(Cpu *c, uint64_t linear, void *to, unsigned size, AccessKind kind);
void mem_write_block(Cpu *c, uint64_t linear, const void *from, unsigned size, AccessKind kind);

/* Would it fault? Raises if so; changes only A and D bits and the TLB. */
void mem_probe(Cpu *c, uint64_t linear, unsigned size, AccessKind kind);

/* Host address of [linear, linear+size) where all of it is RAM in one page that may be written;
 * NULL: device, page crossing, ROM. Raises what a write would raise. After the store the caller
 * tells mem_written() (code and dirty marks). For locked and read-modify-write instructions. */
uint8_t *mem_pointer_slow(Cpu *c, uint64_t linear, unsigned size);
void mem_written(Cpu *c, uint64_t linear, unsigned size);

/* Guest-physical accesses (page walk, SMM save area): never raise. */
uint64_t phys_read(Cpu *c, uint64_t phys, unsigned size);
void phys_write(Cpu *c, uint64_t phys, uint64_t value, unsigned size);
/* Code and dirty marks behind a store to RAM that did not go through phys_write(); in one page. */
void phys_written(Cpu *c, uint64_t phys, unsigned size);
PhysPage *phys_page(Cpu *c, uint64_t phys); /* cached; good until the next call that may leave */

/* Look the page up, raising what the access would, and let the first level know it. Gives the
 * physical address. For data, at addresses that are formed already. */
uint64_t mem_refill(Cpu *c, uint64_t linear, AccessKind kind);
/* The same, raising nothing. false: page fault, with that error code. */
bool mem_refill_try(Cpu *c, uint64_t linear, AccessKind kind, uint32_t *fault);

/* Translate for an instruction fetch at a linear address: the physical one, or raises #PF, #GP.
 * *global: the page is. */
uint64_t mem_fetch_address(Cpu *c, uint64_t linear, bool *global);

/* ---- the TLB: on the vCPU's own thread, or with the world stopped ---- */

/* May the page be written without telling anyone from now on? Not where code was decoded. */
bool page_quiet(Cpu *c, const PhysPage *p);
void tlb_init(Cpu *c);  /* tags that nothing has, in zeroed memory                          */
void tlb_flush(Cpu *c); /* everything, global pages too                                     */
/* What was derived from the tables is kept, but CR0.WP, CR4.SMAP, PKRU ... give other rights. */
void tlb_rights_changed(Cpu *c);
/* CR3 was loaded. keep: entries of its PCID live on (bit 63 of the value). */
void tlb_cr3_loaded(Cpu *c, bool keep);
/* INVLPG: the current PCID's entries and global ones for that address. */
void tlb_flush_page(Cpu *c, uint64_t linear);
/* INVPCID: one address of a PCID, all of a PCID, all PCIDs; not the global entries. */
void tlb_flush_pcid_page(Cpu *c, unsigned pcid, uint64_t linear);
void tlb_flush_pcid(Cpu *c, unsigned pcid);
void tlb_flush_pcids(Cpu *c);
/* The first level's tags for one page: a page fault, or another piece of memory to be looked at. */
void tlb_forget_page(Cpu *c, uint64_t linear);

static inline unsigned tlb_slot(uint64_t linear)
{
    return linear / GUEST_PAGE % TLB_SIZE;
}

/* The device page at that address, if it is known that it may be accessed so; NULL: look it up. */
static inline const DevicePage *device_page(const Cpu *c, View view, uint64_t linear, bool write)
{
    const DevicePage *d = &c->device[view];

    return d->linear == (linear & -(uint64_t)GUEST_PAGE) && (d->writable || !write) ? d : NULL;
}

/* Is [linear, linear+size) inside the page with this tag? One comparison for page and crossing. */
static inline bool tlb_hit(uint64_t tag, uint64_t linear, unsigned size)
{
    return linear + tag <= GUEST_PAGE - size;
}

static inline void *tlb_host(const TlbTable *t, uint64_t linear)
{
    void *host = (void *)(uintptr_t)(linear + t->addend[tlb_slot(linear)] - TLB_ADDEND);

    if (!host) {
        __builtin_unreachable(); /* spares callers a test */
    }
    return host;
}

/* Host address of [linear, linear+size) if the table has a tag for reading or writing all of it;
 * NULL: the slow way. */
static inline void *tlb_reads(const TlbTable *t, uint64_t linear, unsigned size)
{
    return likely(tlb_hit(t->read[tlb_slot(linear)], linear, size)) ? tlb_host(t, linear) : NULL;
}

static inline void *tlb_writes(const TlbTable *t, uint64_t linear, unsigned size)
{
    return likely(tlb_hit(t->write[tlb_slot(linear)], linear, size)) ? tlb_host(t, linear) : NULL;
}

/* One host access of that size: guests count on single copies being atomic when aligned. */
static inline uint64_t host_load(const void *p, unsigned size)
{
    switch (size) {
    case 1:
        return *(const volatile uint8_t *)p;
    case 2:
        return *(const volatile uint16_t *)p;
    case 4:
        return *(const volatile uint32_t *)p;
    default:
        return *(const volatile uint64_t *)p;
    }
}

static inline void host_store(void *p, uint64_t value, unsigned size)
{
    switch (size) {
    case 1:
        *(volatile uint8_t *)p = value;
        break;
    case 2:
        *(volatile uint16_t *)p = value;
        break;
    case 4:
        *(volatile uint32_t *)p = value;
        break;
    default:
        *(volatile uint64_t *)p = value;
    }
}

/* Linear addresses, with the current view's rights. */
static inline uint64_t mem_read(Cpu *c, uint64_t linear, unsigned size)
{
    const void *host = tlb_reads(c->tlb, linear, size);

    if (likely(host != NULL)) {
        return host_load(host, size);
    }
    return mem_read_slow(c, linear, size, ACCESS_READ);
}

static inline void mem_write(Cpu *c, uint64_t linear, uint64_t value, unsigned size)
{
    void *host = tlb_writes(c->tlb, linear, size);

    if (likely(host != NULL)) {
        host_store(host, value, size);
    } else {
        mem_write_slow(c, linear, value, size, ACCESS_WRITE);
    }
}

/* Descriptor tables, TSS, stacks of the kernel: as CPL 0, whatever the level is. */
static inline const TlbTable *tlb_system(const Cpu *c)
{
    return &c->tlb_view[c->s.cr4 & CR4_SMAP ? VIEW_KERNEL_SMAP : VIEW_KERNEL];
}

static inline uint64_t mem_read_system(Cpu *c, uint64_t linear, unsigned size)
{
    const void *host = tlb_reads(tlb_system(c), linear, size);

    if (likely(host && !c->debug)) {
        return host_load(host, size);
    }
    return mem_read_slow(c, linear, size, ACCESS_READ | ACCESS_SYSTEM);
}

static inline void mem_write_system(Cpu *c, uint64_t linear, uint64_t value, unsigned size)
{
    void *host = tlb_writes(tlb_system(c), linear, size);

    if (likely(host && !c->debug)) {
        host_store(host, value, size);
    } else {
        mem_write_slow(c, linear, value, size, ACCESS_WRITE | ACCESS_SYSTEM);
    }
}

/* For read-modify-write, the fast way only: NULL means mem_pointer_slow(), then mem_written(). */
static inline uint8_t *mem_pointer(Cpu *c, uint64_t linear, unsigned size)
{
    return tlb_writes(c->tlb, linear, size);
}

/* ---- addresses ---- */

/* Checks seg:offset for [offset, offset+size) and gives the linear address. Raises #GP, #SS. In
 * 64-bit mode only FS and GS have bases; canonical form is checked in the slow way (no tag matches
 * another address), where the segment decides between #GP and #SS: c->insn->seg, or the stack. */
uint64_t seg_linear_slow(Cpu *c, unsigned seg, uint64_t offset, unsigned size, bool write);

static inline uint64_t seg_linear(Cpu *c, unsigned seg, uint64_t offset, unsigned size, bool write)
{
    if (likely(c->flat && seg < SEG_FS && !(write && seg == SEG_CS))) {
        return c->code_size == CODE_64 ? offset : (uint32_t)offset;
    }
    if (likely(c->code_size == CODE_64)) {
        return offset + (seg >= SEG_FS ? c->s.seg[seg].base : 0);
    }
    return seg_linear_slow(c, seg, offset, size, write);
}

static inline uint64_t addr_wrap(uint64_t at, unsigned addrsize)
{
    return addrsize == 8 ? at : addrsize == 4 ? (uint32_t)at : (uint16_t)at;
}

/* Offset of the memory operand, wrapped to the address size. */
static inline uint64_t insn_offset(const Cpu *c, const Insn *i)
{
    uint64_t at = (int64_t)i->disp;

    if (i->base < 16) {
        at += c->s.gpr[i->base];
    } else if (i->base == REG_IP) {
        at += c->next_rip;
    }
    if (i->index < 16) {
        at += c->s.gpr[i->index] << i->scale;
    }
    return addr_wrap(at, i->addrsize);
}

static inline uint64_t insn_linear(Cpu *c, const Insn *i, unsigned size, bool write)
{
    return seg_linear(c, i->seg, insn_offset(c, i), size, write);
}
