/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory as the kernel's slots (Documentation/virt/kvm/api.rst, KVM_SET_USER_MEMORY_REGION):
 * a listener builds the list that a view needs, merges neighbours, and changes only what differs
 * from the slots that live. ROM is read-only: a write comes out as MMIO. Marks of written pages
 * come from the kernel's log, or from rings of each vCPU when -accel kvm,dirty-ring-size= asks for
 * them.
 *
 * Not modelled: ranges that fill no whole page (a device's few bytes of RAM): their page stays
 * MMIO.
 */
#include "accel/kvm/kvm.h"
#include "util/trace.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096, SPACE_SHIFT = 16 };

/* ---- one slot ---- */

static bool slot_set(KvmSpace *s, unsigned n, const KvmSlot *slot)
{
    struct kvm_userspace_memory_region r = {
        .slot = n | s->id << SPACE_SHIFT,
        .guest_phys_addr = slot->addr,
        .memory_size = slot->size,
        .userspace_addr = slot->size ? (uintptr_t)slot->ram->host + slot->offset : 0,
        .flags =
            (slot->readonly ? KVM_MEM_READONLY : 0) | (slot->logged ? KVM_MEM_LOG_DIRTY_PAGES : 0),
    };

    TRACE("kvm.slot", "space %u slot %u: %#" PRIx64 " + %#" PRIx64 " flags %u", s->id, n,
          slot->addr, slot->size, r.flags);
    return ioctl(s->kvm->vm, KVM_SET_USER_MEMORY_REGION, &r) == 0;
}

/* There is nobody to refuse to: a memory map is the guest's doing. Say it, and go no further. */
static void slot_failed(KvmSpace *s, const KvmSlot *slot, int why)
{
    Kvm *k = s->kvm;

    if (!k->failed_slot) {
        k->failed_slot = true;
        g_printerr("kvm: no slot for the guest's memory at %#" PRIx64 ", %#" PRIx64 " bytes: %s\n",
                   slot->addr, slot->size,
                   why == ENOSPC || why == EINVAL ? "the kernel has no more of them, or not these"
                                                  : g_strerror(why));
        g_printerr("kvm: it has %u; less hot-pluggable memory or -accel tcg need fewer\n",
                   k->max_slots);
        machine_request_pause(k->accel.machine, MACHINE_INTERNAL_ERROR);
    }
}

static bool same(const KvmSlot *a, const KvmSlot *b)
{
    return a->addr == b->addr && a->size == b->size && a->ram == b->ram && a->offset == b->offset &&
           a->readonly == b->readonly;
}

static void slot_drop(KvmSpace *s, unsigned n)
{
    KvmSlot *slot = &g_array_index(s->slots, KvmSlot, n);

    if (!slot_set(s, n, &(KvmSlot){.addr = slot->addr})) {
        slot_failed(s, slot, errno);
    }
    *slot = (KvmSlot){0};
}

static void slot_take(KvmSpace *s, const KvmSlot *want)
{
    unsigned n = 0;

    while (n < s->slots->len && g_array_index(s->slots, KvmSlot, n).size) {
        n++;
    }
    if (n >= s->kvm->max_slots) {
        slot_failed(s, want, ENOSPC);
        return;
    }
    if (n == s->slots->len) {
        g_array_set_size(s->slots, n + 1);
    }
    if (slot_set(s, n, want)) {
        g_array_index(s->slots, KvmSlot, n) = *want;
    } else {
        slot_failed(s, want, errno);
    }
}

/* ---- the listener ---- */

static void space_begin(MemListener *l)
{
    g_array_set_size(((KvmSpace *)l)->wanted, 0);
}

/* Ranges come in the order of their addresses. */
static void space_range(MemListener *l, const MemRange *r)
{
    KvmSpace *s = (KvmSpace *)l;
    uint64_t cut = -r->addr & (PAGE_BYTES - 1), end = (r->addr + r->size) & -(uint64_t)PAGE_BYTES;
    KvmSlot *last = s->wanted->len ? &g_array_index(s->wanted, KvmSlot, s->wanted->len - 1) : NULL;

    if (!r->ram || r->addr + cut >= end || (r->readonly && !s->kvm->has_readonly) ||
        (r->offset + cut) % PAGE_BYTES) {
        return;
    }
    KvmSlot slot = {r->addr + cut, end - r->addr - cut, r->offset + cut,
                    r->ram,        r->readonly,         r->ram->logged & ~DIRTY_CODE};
    if (last && last->ram == slot.ram && last->readonly == slot.readonly &&
        last->addr + last->size == slot.addr && last->offset + last->size == slot.offset) {
        last->size += slot.size;
    } else {
        g_array_append_val(s->wanted, slot);
    }
}

static bool listed(const GArray *list, const KvmSlot *slot)
{
    for (unsigned i = 0; i < list->len; i++) {
        if (same(&g_array_index(list, KvmSlot, i), slot)) {
            return true;
        }
    }
    return false;
}

/* A slot that goes takes its log along. */
static void space_sync(MemListener *l, Ram *ram);

static void space_commit(MemListener *l)
{
    KvmSpace *s = (KvmSpace *)l;

    for (unsigned n = 0; n < s->slots->len; n++) {
        KvmSlot *slot = &g_array_index(s->slots, KvmSlot, n);

        if (slot->size && !listed(s->wanted, slot)) {
            if (slot->logged) {
                space_sync(l, slot->ram);
            }
            slot_drop(s, n);
        }
    }
    for (unsigned i = 0; i < s->wanted->len; i++) {
        KvmSlot *want = &g_array_index(s->wanted, KvmSlot, i);

        if (!listed(s->slots, want)) {
            slot_take(s, want);
        }
    }
}

/* ---- marks ---- */

static void space_log(MemListener *l, Ram *ram, unsigned clients)
{
    KvmSpace *s = (KvmSpace *)l;

    for (unsigned n = 0; n < s->slots->len; n++) {
        KvmSlot *slot = &g_array_index(s->slots, KvmSlot, n);
        bool want = clients & ~DIRTY_CODE;

        if (slot->size && slot->ram == ram && slot->logged != want && !slot->readonly) {
            slot->logged = want;
            if (!slot_set(s, n, slot)) {
                slot_failed(s, slot, errno);
            }
        }
    }
}

static void mark_words(const KvmSlot *slot, const uint64_t *words)
{
    for (uint64_t page = 0; page < slot->size / PAGE_BYTES; page++) {
        if (words[page / 64] >> page % 64 & 1) {
            ram_mark(slot->ram, slot->offset + page * PAGE_BYTES, PAGE_BYTES);
        }
    }
}

static void log_fetch(KvmSpace *s, unsigned n)
{
    KvmSlot *slot = &g_array_index(s->slots, KvmSlot, n);
    g_autofree uint64_t *words = g_new0(uint64_t, slot->size / PAGE_BYTES / 64 + 1);
    struct kvm_dirty_log log = {.slot = n | s->id << SPACE_SHIFT, .dirty_bitmap = words};

    if (ioctl(s->kvm->vm, KVM_GET_DIRTY_LOG, &log) == 0) {
        mark_words(slot, words);
    }
}

static void space_sync(MemListener *l, Ram *ram)
{
    KvmSpace *s = (KvmSpace *)l;

    if (s->kvm->ring_pages) {
        kvm_ring_harvest(s->kvm);
        return;
    }
    for (unsigned n = 0; n < s->slots->len; n++) {
        KvmSlot *slot = &g_array_index(s->slots, KvmSlot, n);

        if (slot->size && slot->logged && slot->ram == ram) {
            log_fetch(s, n);
        }
    }
}

/* ---- dirty rings ---- */

bool kvm_ring_map(Vcpu *cpu, Error **err)
{
    Kvm *k = kvm_of(cpu);
    KvmCpu *c = cpu->engine;

    if (!k->ring_pages) {
        return true;
    }
    c->ring = mmap(NULL, k->ring_pages * sizeof *c->ring, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd,
                   KVM_DIRTY_LOG_PAGE_OFFSET * PAGE_BYTES);
    if (c->ring == MAP_FAILED) {
        c->ring = NULL;
        return error_errno(err, errno, "no dirty ring for vCPU %u", cpu->id);
    }
    return true;
}

static void mark_gfn(Kvm *k, uint32_t slot, uint64_t page)
{
    KvmSpace *s = &k->space[slot >> SPACE_SHIFT & 1];
    unsigned n = slot & 0xffff;

    if (n < s->slots->len) {
        KvmSlot *at = &g_array_index(s->slots, KvmSlot, n);

        if (page < at->size / PAGE_BYTES) {
            ram_mark(at->ram, at->offset + page * PAGE_BYTES, PAGE_BYTES);
        }
    }
}

static bool harvest_one(Kvm *k, KvmCpu *c)
{
    bool any = false;

    for (uint32_t n = 0; n < k->ring_pages; n++) {
        struct kvm_dirty_gfn *gfn = &c->ring[c->ring_at % k->ring_pages];

        if (!(__atomic_load_n(&gfn->flags, __ATOMIC_ACQUIRE) & KVM_DIRTY_GFN_F_DIRTY)) {
            break;
        }
        mark_gfn(k, gfn->slot, gfn->offset);
        __atomic_store_n(&gfn->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
        c->ring_at++;
        any = true;
    }
    return any;
}

void kvm_ring_harvest(Kvm *k)
{
    Machine *m = k->accel.machine;
    bool any = false;

    pthread_mutex_lock(&k->clock_mutex);
    for (unsigned i = 0; i < machine_cpu_count(m); i++) {
        KvmCpu *c = machine_cpu(m, i)->engine;

        any |= c && c->ring && harvest_one(k, c);
    }
    if (any) {
        ioctl(k->vm, KVM_RESET_DIRTY_RINGS);
    }
    pthread_mutex_unlock(&k->clock_mutex);
}

/* ---- doorbells ---- */

static bool doorbell(Kvm *k, const Doorbell *bell, bool on, bool port)
{
    struct kvm_ioeventfd e = {
        .datamatch = bell->value,
        .addr = bell->addr,
        .len = bell->size,
        .fd = bell->fd,
        .flags = (port ? KVM_IOEVENTFD_FLAG_PIO : 0) |
                 (bell->any ? 0 : KVM_IOEVENTFD_FLAG_DATAMATCH) |
                 (on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN),
    };

    return ioctl(k->vm, KVM_IOEVENTFD, &e) == 0;
}

static bool space_doorbell(MemListener *l, const Doorbell *bell, bool on)
{
    return doorbell(((KvmSpace *)l)->kvm, bell, on, false);
}

static bool port_doorbell(MemListener *l, const Doorbell *bell, bool on)
{
    Kvm *k = (Kvm *)((char *)l - offsetof(Kvm, ports));

    return doorbell(k, bell, on, true);
}

/* ---- all of them ---- */

static void space_listen(Kvm *k, unsigned id, AddressSpace *as)
{
    KvmSpace *s = &k->space[id];

    *s = (KvmSpace){.kvm = k, .id = id, .as = as};
    s->wanted = g_array_new(FALSE, TRUE, sizeof(KvmSlot));
    s->slots = g_array_new(FALSE, TRUE, sizeof(KvmSlot));
    s->listener = (MemListener){
        .begin = space_begin,
        .add = space_range,
        .keep = space_range,
        .commit = space_commit,
        .log = space_log,
        .sync = space_sync,
        .doorbell = id ? NULL : space_doorbell,
    };
    memory_listen(as, &s->listener);
}

void kvm_slots_listen(Kvm *k)
{
    static const uint64_t whole = 1ull << 52;
    Machine *m = k->accel.machine;

    space_listen(k, 0, machine_space(m));
    k->ports = (MemListener){.doorbell = port_doorbell};
    memory_listen(machine_port_space(m), &k->ports);
    if (k->has_smm) {
        region_init(&k->smm_root, &k->accel.obj, "smm", whole);
        region_init_alias(&k->smm_system, &k->accel.obj, "memory", machine_memory(m), 0, whole);
        region_init_alias(&k->smm_ram, &k->accel.obj, "smram", machine_smram(m), 0, 1ull << 32);
        region_map(&k->smm_root, 0, &k->smm_system, 0);
        region_map(&k->smm_root, 0, &k->smm_ram, 1);
        space_init(&k->smm_space, machine_maps(m), &k->smm_root);
        space_listen(k, 1, &k->smm_space);
    }
}

void kvm_slots_stop(Kvm *k)
{
    for (unsigned id = 0; id < 2; id++) {
        KvmSpace *s = &k->space[id];

        if (s->kvm) {
            memory_unlisten(s->as, &s->listener);
            g_array_free(s->wanted, TRUE);
            g_array_free(s->slots, TRUE);
        }
    }
    if (k->space[0].kvm) {
        memory_unlisten(machine_port_space(k->accel.machine), &k->ports);
    }
    if (k->space[1].kvm) {
        space_free(&k->smm_space);
        region_free(&k->smm_root);
    }
}
