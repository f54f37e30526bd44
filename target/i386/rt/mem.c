/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The slow ways of guest memory: whatever the TLB's tags do not answer. Canonical form, alignment
 * checks, page crossing, devices, ROM, marks for decoded code and logged pages, data breakpoints
 * (SDM volume 3, "Paging", "Alignment check exception", "Debug registers").
 * Not modelled: memory types; accesses wider than 8 bytes are several.
 */
#include "target/i386/rt/host.h"
#include "target/i386/rt/rt.h"
#include "target/i386/rt/walk.h"

/* ---- physical ---- */

void phys_written(Cpu *c, uint64_t phys, unsigned size)
{
    PhysPage *p = phys_page(c, phys);

    if (p->code) {
        code_written(p->code, c->code_hits, phys % GUEST_PAGE, size);
        code_heed(c);
    }
    if (unlikely(p->logged)) {
        HOST_DO(c, dirty, p, phys % GUEST_PAGE, size);
    }
}

static uint64_t device_load(Cpu *c, uint64_t phys, unsigned size)
{
    RtIo io = {.size = size};

    return rt_answer(c, &c->answers[RT_MEMORY], phys, &io) ? io.value
                                                           : HOST_CALL(c, mmio_read, phys, size);
}

static void device_store(Cpu *c, uint64_t phys, uint64_t value, unsigned size)
{
    RtIo io = {.value = value, .size = size, .write = true};

    if (!rt_answer(c, &c->answers[RT_MEMORY], phys, &io)) {
        HOST_DO(c, mmio_write, phys, value, size);
    }
}

/* size: 1, 2, 4, 8, in one page. */
static uint64_t phys_load(Cpu *c, uint64_t phys, unsigned size)
{
    PhysPage *p = phys_page(c, phys);

    if (likely(p->host != NULL)) {
        return host_load(p->host + phys % GUEST_PAGE, size);
    }
    return device_load(c, p->phys | phys % GUEST_PAGE, size);
}

static void phys_store(Cpu *c, uint64_t phys, uint64_t value, unsigned size)
{
    PhysPage *p = phys_page(c, phys);

    if (likely(p->host != NULL && !p->readonly)) {
        host_store(p->host + phys % GUEST_PAGE, value, size);
        phys_written(c, phys, size);
    } else {
        device_store(c, p->phys | phys % GUEST_PAGE, value, size);
    }
}

/* Some bytes, 1 to 8, in one page: one access where that is possible. */
static uint64_t part_load(Cpu *c, uint64_t phys, unsigned size)
{
    uint64_t value = 0;

    if (!(size & (size - 1))) {
        return phys_load(c, phys, size);
    }
    for (unsigned n = 0; n < size; n++) {
        value |= phys_load(c, phys + n, 1) << 8 * n;
    }
    return value;
}

static void part_store(Cpu *c, uint64_t phys, uint64_t value, unsigned size)
{
    if (!(size & (size - 1))) {
        phys_store(c, phys, value, size);
        return;
    }
    for (unsigned n = 0; n < size; n++) {
        phys_store(c, phys + n, value >> 8 * n & 0xff, 1);
    }
}

static unsigned bytes_in_page(uint64_t at, unsigned size)
{
    unsigned left = GUEST_PAGE - at % GUEST_PAGE;

    return size < left ? size : left;
}

uint64_t phys_read(Cpu *c, uint64_t phys, unsigned size)
{
    unsigned first = bytes_in_page(phys, size);
    uint64_t value = part_load(c, phys, first);

    return first == size ? value : value | part_load(c, phys + first, size - first) << 8 * first;
}

void phys_write(Cpu *c, uint64_t phys, uint64_t value, unsigned size)
{
    unsigned first = bytes_in_page(phys, size);

    part_store(c, phys, value, first);
    if (first < size) {
        part_store(c, phys + first, value >> 8 * first, size - first);
    }
}

/* ---- linear ---- */

View mem_view(const Cpu *c, AccessKind kind)
{
    bool smap = c->s.cr4 & CR4_SMAP;

    if (kind & ACCESS_SYSTEM) {
        return smap ? VIEW_KERNEL_SMAP : VIEW_KERNEL;
    }
    if (c->cpl == 3) {
        return VIEW_USER;
    }
    return smap && !(c->s.rflags & FLAG_AC) ? VIEW_KERNEL_SMAP : VIEW_KERNEL;
}

bool canonical(const Cpu *c, uint64_t linear)
{
    unsigned shift = c->s.cr4 & CR4_LA57 ? 7 : 16;

    return (uint64_t)((int64_t)(linear << shift) >> shift) == linear;
}

/* Do addresses have 64 bits for this access? */
static bool wide(const Cpu *c, AccessKind kind)
{
    return c->code_size == CODE_64 || (kind & ACCESS_SYSTEM && c->s.efer & EFER_LMA);
}

/* Is it the stack that the running instruction addresses there? Its own operand says so by its
 * segment; pushes and pops are near the stack pointer. */
static bool on_stack(const Cpu *c, uint64_t linear)
{
    uint64_t distance = linear - c->s.gpr[R_SP] + 128;

    if (!c->insn) {
        return false;
    }
    if (c->insn->op == OP_LEAVE || c->insn->op == OP_ENTER) { /* these use rBP too */
        return true;
    }
    for (unsigned n = 0; n < 4; n++) {
        if (c->insn->operand[n].kind == OPERAND_MEM && c->insn->seg == SEG_SS) {
            return true;
        }
    }
    return distance < 256;
}

/* The address as it goes out: wrapped to 32 bits, or checked for canonical form. */
static uint64_t form(Cpu *c, uint64_t linear, unsigned size, AccessKind kind)
{
    if (!wide(c, kind)) { /* a flat segment ends at 4 GB; others were checked when added */
        if (unlikely(c->flat && !(kind & ACCESS_SYSTEM) && (uint32_t)linear > ~0u - (size - 1))) {
            why(c, "%x is beyond the end of a flat segment", linear, 0, 0);
            raise_error(c, on_stack(c, linear) ? EXC_SS : EXC_GP, 0);
        }
        return (uint32_t)linear;
    }
    if (unlikely(!canonical(c, linear) || !canonical(c, linear + size - 1))) {
        why(c, "the address %x is not canonical", linear, 0, 0);
        raise_error(c, !(kind & ACCESS_SYSTEM) && on_stack(c, linear) ? EXC_SS : EXC_GP, 0);
    }
    return linear;
}

static uint64_t next_page(const Cpu *c, uint64_t linear, AccessKind kind)
{
    uint64_t next = (linear | (GUEST_PAGE - 1)) + 1;

    return wide(c, kind) ? next : (uint32_t)next;
}

/* From the second level, where that knows the page and allows the access: what it refuses may have
 * changed in the tables. */
static bool remembered(Cpu *c, uint64_t linear, AccessKind kind, Walk *w)
{
    uint64_t page = tlb2_find(c, linear);
    View view = mem_view(c, kind);

    if (!page) {
        return false;
    }
    w->phys = (page & TLB2_ADDRESS) | linear % GUEST_PAGE;
    w->writable = page & TLB2_WRITABLE;
    w->user = page & TLB2_USER;
    w->no_execute = page & TLB2_NO_EXECUTE;
    w->dirty = page & TLB2_DIRTY;
    w->global = page & TLB2_GLOBAL;
    w->large = page & TLB2_LARGE;
    w->key = page >> TLB2_KEY_SHIFT & 15;
    return (w->dirty || !(kind & ACCESS_WRITE)) &&
           !walk_denied(c, w, view == VIEW_USER, view == VIEW_KERNEL_SMAP, kind);
}

bool mem_look_up_try(Cpu *c, uint64_t linear, AccessKind kind, Walk *w, uint32_t *fault)
{
    if (remembered(c, linear, kind, w)) {
        return true;
    }
    if (!walk_try(c, linear, kind, w, fault)) {
        return false;
    }
    if (w->keep) {
        tlb2_insert(c, linear, w);
    }
    return true;
}

static void look_up(Cpu *c, uint64_t linear, AccessKind kind, Walk *w)
{
    uint32_t fault;

    if (!mem_look_up_try(c, linear, kind, w, &fault)) {
        raise_page_fault(c, linear, fault);
    }
}

bool mem_refill_try(Cpu *c, uint64_t linear, AccessKind kind, uint32_t *fault)
{
    Walk w;

    if (!mem_look_up_try(c, linear, kind, &w, fault)) {
        return false;
    }
    tlb_fill(c, mem_view(c, kind), linear, &w, kind);
    return true;
}

uint64_t mem_refill(Cpu *c, uint64_t linear, AccessKind kind)
{
    Walk w;

    look_up(c, linear, kind, &w);
    tlb_fill(c, mem_view(c, kind), linear, &w, kind);
    return w.phys;
}

uint64_t mem_fetch_address(Cpu *c, uint64_t linear, bool *global)
{
    Walk w;

    if (c->code_size != CODE_64) {
        linear = (uint32_t)linear;
    } else if (unlikely(!canonical(c, linear))) {
        why(c, "the instruction address %x is not canonical", linear, 0, 0);
        raise_error(c, EXC_GP, 0);
    }
    look_up(c, linear, ACCESS_FETCH, &w);
    *global = w.global;
    return w.phys;
}

/* ---- what VIEW_SLOW is for ---- */

static void check_alignment(Cpu *c, uint64_t linear, unsigned size, AccessKind kind)
{
    bool armed = c->s.cr0 & CR0_AM && c->s.rflags & FLAG_AC && c->cpl == 3;

    if (armed && !(kind & ACCESS_SYSTEM) && size <= 8 && linear & (size - 1)) {
        raise_error(c, EXC_AC, 0);
    }
}

static bool breakpoint_wants(uint64_t dr7, unsigned n, bool write)
{
    unsigned kind = dr7 >> (16 + 4 * n) & 3;

    return dr7 >> 2 * n & 3 && (kind == 3 || (kind == 1 && write));
}

/* Behind the access: data breakpoints are traps. */
static void note_breakpoints(Cpu *c, uint64_t linear, unsigned size, bool write)
{
    static const uint8_t lengths[] = {1, 2, 8, 4};

    for (unsigned n = 0; n < 4; n++) {
        unsigned length = lengths[c->s.dr7 >> (18 + 4 * n) & 3];
        uint64_t first = c->s.dr[n] & ~(uint64_t)(length - 1);

        if (breakpoint_wants(c->s.dr7, n, write) && linear < first + length &&
            linear + size > first) {
            c->s.dr6_pending |= 1 << n;
            c->block_break = true;
        }
    }
}

static void note_watch(Cpu *c, uint64_t linear, unsigned size, unsigned access)
{
    const DebugWatch *w = debug_watch_of(c->debug, linear, linear + size - 1, access);

    if (w && !c->debug_hit.reason) {
        c->debug_hit = (DebugHit){
            .reason = DEBUG_WATCHED,
            .access = w->access,
            .addr = linear > w->first ? linear : w->first,
        };
        c->block_break = true;
    }
}

static void checked(Cpu *c, uint64_t linear, unsigned size, AccessKind kind)
{
    if (unlikely(c->view == VIEW_SLOW)) {
        check_alignment(c, linear, size, kind);
    }
}

static void accessed(Cpu *c, uint64_t linear, unsigned size, AccessKind kind)
{
    if (unlikely(c->view == VIEW_SLOW) && !(kind & ACCESS_SYSTEM)) {
        note_breakpoints(c, linear, size, kind & ACCESS_WRITE);
    }
    if (unlikely(c->debug != NULL)) {
        note_watch(c, linear, size, kind & ACCESS_WRITE ? DEBUG_WRITE : DEBUG_READ);
    }
}

/* ---- single values ---- */

static TlbTable *table_for(Cpu *c, AccessKind kind)
{
    return &c->tlb_view[mem_view(c, kind)];
}

static uint64_t read_crossing(Cpu *c, uint64_t linear, unsigned size, AccessKind kind)
{
    unsigned first = bytes_in_page(linear, size);
    uint64_t a = mem_refill(c, linear, kind);
    uint64_t b = mem_refill(c, next_page(c, linear, kind), kind);
    uint64_t low = part_load(c, a, first);

    return low | part_load(c, b, size - first) << 8 * first;
}

uint64_t mem_read_slow(Cpu *c, uint64_t linear, unsigned size, AccessKind kind)
{
    const DevicePage *device;
    const void *host;
    uint64_t value;

    linear = form(c, linear, size, kind);
    checked(c, linear, size, kind);
    host = tlb_reads(table_for(c, kind), linear, size);
    device = device_page(c, mem_view(c, kind), linear, false);
    if (host) {
        value = host_load(host, size);
    } else if (device && bytes_in_page(linear, size) == size) {
        value = device_load(c, device->phys | linear % GUEST_PAGE, size);
    } else if (bytes_in_page(linear, size) == size) {
        uint64_t phys = mem_refill(c, linear, kind);

        host = tlb_reads(table_for(c, kind), linear, size);
        value = host ? host_load(host, size) : phys_load(c, phys, size);
    } else {
        value = read_crossing(c, linear, size, kind);
    }
    accessed(c, linear, size, kind);
    return value;
}

static void write_crossing(Cpu *c, uint64_t linear, uint64_t value, unsigned size, AccessKind kind)
{
    unsigned first = bytes_in_page(linear, size);
    uint64_t a = mem_refill(c, linear, kind);
    uint64_t b = mem_refill(c, next_page(c, linear, kind), kind);

    part_store(c, a, value, first);
    part_store(c, b, value >> 8 * first, size - first);
}

void mem_write_slow(Cpu *c, uint64_t linear, uint64_t value, unsigned size, AccessKind kind)
{
    const DevicePage *device;
    void *host;

    kind |= ACCESS_WRITE;
    linear = form(c, linear, size, kind);
    checked(c, linear, size, kind);
    host = tlb_writes(table_for(c, kind), linear, size);
    device = device_page(c, mem_view(c, kind), linear, true);
    if (host) {
        host_store(host, value, size);
    } else if (device && bytes_in_page(linear, size) == size) {
        device_store(c, device->phys | linear % GUEST_PAGE, value, size);
    } else if (bytes_in_page(linear, size) == size) {
        uint64_t phys = mem_refill(c, linear, kind);

        host = tlb_writes(table_for(c, kind), linear, size);
        if (host) {
            host_store(host, value, size);
        } else {
            phys_store(c, phys, value, size);
        }
    } else {
        write_crossing(c, linear, value, size, kind);
    }
    accessed(c, linear, size, kind);
}

uint8_t *mem_pointer_slow(Cpu *c, uint64_t linear, unsigned size)
{
    PhysPage *p;
    uint64_t phys;

    linear = form(c, linear, size, ACCESS_WRITE);
    checked(c, linear, size, ACCESS_WRITE);
    phys = mem_refill(c, linear, ACCESS_WRITE);
    if (bytes_in_page(linear, size) < size) {
        mem_refill(c, next_page(c, linear, ACCESS_WRITE), ACCESS_WRITE);
        return NULL;
    }
    p = phys_page(c, phys);
    if (!p->host || p->readonly) {
        return NULL;
    }
    c->pointer_phys = phys;
    return p->host + phys % GUEST_PAGE;
}

void mem_written(Cpu *c, uint64_t linear, unsigned size)
{
    phys_written(c, c->pointer_phys, size);
    linear = c->code_size == CODE_64 ? linear : (uint32_t)linear;
    accessed(c, linear, size, ACCESS_WRITE);
    if (unlikely(c->debug != NULL)) { /* these read, too */
        note_watch(c, linear, size, DEBUG_READ);
    }
}

/* ---- blocks ---- */

void mem_probe(Cpu *c, uint64_t linear, unsigned size, AccessKind kind)
{
    linear = form(c, linear, size, kind);
    while (size) {
        unsigned n = bytes_in_page(linear, size);

        if (kind & ACCESS_WRITE ? !tlb_writes(table_for(c, kind), linear, n)
                                : !tlb_reads(table_for(c, kind), linear, n)) {
            mem_refill(c, linear, kind);
        }
        linear = next_page(c, linear, kind);
        size -= n;
    }
}

/* The largest access for a piece of a block. */
static unsigned piece(uint64_t at, unsigned left)
{
    unsigned size = 8;

    while (size > left || at & (size - 1)) {
        size /= 2;
    }
    return size;
}

static void copy(void *to, const void *from, unsigned size)
{
    __builtin_memcpy(to, from, size);
}

static void piece_by_piece(Cpu *c, uint64_t phys, uint8_t *at, unsigned left, AccessKind kind)
{
    for (unsigned n; left; at += n, phys += n, left -= n) {
        uint64_t value = 0;

        n = piece(phys, left);
        if (kind & ACCESS_WRITE) {
            copy(&value, at, n);
            phys_store(c, phys, value, n);
        } else {
            value = phys_load(c, phys, n);
            copy(at, &value, n);
        }
    }
}

static void block_in_page(Cpu *c, uint64_t phys, uint8_t *at, unsigned size, AccessKind kind)
{
    PhysPage *p = phys_page(c, phys);
    uint8_t *host = p->host ? p->host + phys % GUEST_PAGE : NULL;

    if (!host || (p->readonly && kind & ACCESS_WRITE)) {
        piece_by_piece(c, phys, at, size, kind);
    } else if (kind & ACCESS_WRITE) {
        copy(host, at, size);
        phys_written(c, phys, size);
    } else {
        copy(at, host, size);
    }
}

/* A block of several pages, or where a TLB's tags do not answer, once all of it is known to be
 * allowed. */
static void block_by_page(Cpu *c, uint64_t linear, uint8_t *at, unsigned size, AccessKind kind)
{
    mem_probe(c, linear, size, kind);
    linear = form(c, linear, size, kind);
    accessed(c, linear, size, kind);
    while (size) {
        unsigned n = bytes_in_page(linear, size);

        block_in_page(c, mem_refill(c, linear, kind), at, n, kind);
        linear = next_page(c, linear, kind);
        size -= n;
        at += n;
    }
}

void mem_read_block(Cpu *c, uint64_t linear, void *to, unsigned size, AccessKind kind)
{
    const void *host = tlb_reads(table_for(c, kind), linear, size);

    if (host && c->view != VIEW_SLOW) {
        copy(to, host, size);
    } else {
        block_by_page(c, linear, to, size, kind);
    }
}

void mem_write_block(Cpu *c, uint64_t linear, const void *from, unsigned size, AccessKind kind)
{
    void *host = tlb_writes(table_for(c, kind), linear, size);

    if (host && c->view != VIEW_SLOW) {
        copy(host, from, size);
    } else {
        block_by_page(c, linear, (uint8_t *)from, size, kind | ACCESS_WRITE);
    }
}
