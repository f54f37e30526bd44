/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dumping a guest: which memory there is, what its page tables map, and the file.
 *
 * Memory is written once; several linear addresses may lead to it. Pages of zeros become holes of
 * the file. Not modelled: compressed formats (kdump), Windows' own.
 */
#include "monitor/dump.h"

#include "softmmu/memory/memory_impl.h"
#include "softmmu/run/machine_impl.h"
#include "target/i386/pagetable.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 1 << 16 };

/* ---- which memory ---- */

typedef struct Lister {
    MemListener listener;
    DumpPlan *plan;
    uint64_t begin, end; /* physical addresses; end is not part of it */
} Lister;

static void add_range(MemListener *listener, const MemRange *r)
{
    Lister *l = (Lister *)listener;
    uint64_t low = MAX(r->addr, l->begin), high = MIN(r->addr + r->size, l->end);
    DumpBlock b = {low, high - low, r->ram, r->offset + (low - r->addr)};

    if (r->ram && low < high) {
        ram_ref(r->ram);
        g_array_append_val(l->plan->blocks, b);
        l->plan->total += b.size;
    }
}

static int by_address(gconstpointer a, gconstpointer b)
{
    const DumpBlock *x = a, *y = b;

    return (x->phys > y->phys) - (x->phys < y->phys);
}

static void list_memory(DumpPlan *p, Machine *m, uint64_t begin, uint64_t length)
{
    Lister l = {
        {.add = add_range}, p, begin, length > UINT64_MAX - begin ? UINT64_MAX : begin + length};

    memory_listen(machine_space(m), &l.listener);
    memory_unlisten(machine_space(m), &l.listener);
    g_array_sort(p->blocks, by_address);
}

/* ---- what is mapped ---- */

/* Join it with the one before where both kinds of addresses go on. */
static void add_mapping(GArray *to, DumpMapping map)
{
    DumpMapping *last = to->len ? &g_array_index(to, DumpMapping, to->len - 1) : NULL;

    if (last && last->linear + last->size == map.linear && last->phys + last->size == map.phys) {
        last->size += map.size;
    } else {
        g_array_append_val(to, map);
    }
}

static const DumpBlock *block_at(const DumpPlan *p, uint64_t phys)
{
    unsigned low = 0, high = p->blocks->len;

    while (low < high) {
        unsigned mid = (low + high) / 2;
        const DumpBlock *b = &g_array_index(p->blocks, DumpBlock, mid);

        if (phys < b->phys) {
            high = mid;
        } else if (phys - b->phys >= b->size) {
            low = mid + 1;
        } else {
            return b;
        }
    }
    return NULL;
}

/* The parts of a page that are in the file; a large page may span several blocks and holes. */
static bool note_page(const MappedPage *page, void *opaque)
{
    DumpPlan *p = opaque;

    for (uint64_t done = 0; done < page->bytes;) {
        const DumpBlock *b = block_at(p, page->phys + done);
        uint64_t n = b ? MIN(page->bytes - done, b->phys + b->size - page->phys - done) : 4096;

        if (b) {
            add_mapping(p->mappings, (DumpMapping){page->linear + done, page->phys + done, n});
        }
        done += n;
    }
    return true;
}

static int by_linear(gconstpointer a, gconstpointer b)
{
    const DumpMapping *x = a, *y = b;

    return x->linear != y->linear ? (x->linear > y->linear) - (x->linear < y->linear)
                                  : (x->phys > y->phys) - (x->phys < y->phys);
}

/* CPUs mostly share their tables: what two of them map alike is there once. */
static void merge(GArray *mappings)
{
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(DumpMapping));

    g_array_sort(mappings, by_linear);
    for (guint i = 0; i < mappings->len; i++) {
        DumpMapping map = g_array_index(mappings, DumpMapping, i);
        const DumpMapping *last = all->len ? &g_array_index(all, DumpMapping, all->len - 1) : NULL;

        if (last && map.linear >= last->linear && map.linear - last->linear <= last->size &&
            map.phys - last->phys == map.linear - last->linear) {
            uint64_t covered = last->size - (map.linear - last->linear);

            if (map.size <= covered) {
                continue;
            }
            map.linear += covered;
            map.phys += covered;
            map.size -= covered;
        }
        add_mapping(all, map);
    }
    g_array_set_size(mappings, 0);
    g_array_append_vals(mappings, all->data, all->len);
}

static bool list_mappings(DumpPlan *p, Machine *m, Error **err)
{
    unsigned paged = 0;

    for (unsigned i = 0; i < machine_cpu_count(m); i++) {
        Vcpu *cpu = machine_cpu(m, i);

        if (!(cpu->state->cr0 & CR0_PG)) {
            continue;
        }
        paged++;
        if (!pages_mapped(cpu, note_page, p)) {
            return error_set(err, "the page tables of CPU %u are too many", i);
        }
    }
    if (paged && !p->mappings->len) {
        return error_set(err, "the page tables of the CPUs map no memory that is dumped");
    }
    merge(p->mappings);
    return true;
}

/* ---- life ---- */

DumpPlan *dump_plan(Machine *m, bool paging, uint64_t begin, uint64_t length, Error **err)
{
    DumpPlan *p = g_new0(DumpPlan, 1);

    p->blocks = g_array_new(FALSE, FALSE, sizeof(DumpBlock));
    p->mappings = g_array_new(FALSE, FALSE, sizeof(DumpMapping));
    p->head = g_byte_array_new();
    list_memory(p, m, begin, length);
    if (!p->blocks->len) {
        error_set(err, "there is no memory at these addresses");
        dump_plan_free(p);
        return NULL;
    }
    if (paging && !list_mappings(p, m, err)) {
        dump_plan_free(p);
        return NULL;
    }
    dump_head(p, m);
    return p;
}

void dump_plan_free(DumpPlan *p)
{
    for (guint i = 0; i < p->blocks->len; i++) {
        ram_unref(g_array_index(p->blocks, DumpBlock, i).ram);
    }
    g_array_free(p->blocks, TRUE);
    g_array_free(p->mappings, TRUE);
    g_byte_array_free(p->head, TRUE);
    g_free(p);
}

/* ---- the file ---- */

static bool write_all(int fd, const uint8_t *data, size_t n, Error **err)
{
    while (n) {
        ssize_t did = write(fd, data, n);

        if (did < 0 && errno != EINTR) {
            return error_errno(err, errno, "cannot write the dump");
        }
        data += MAX(did, 0);
        n -= MAX(did, 0);
    }
    return true;
}

static bool is_zero(const uint8_t *data, size_t n)
{
    return !n || (!data[0] && !memcmp(data, data + 1, n - 1));
}

static bool write_block(DumpPlan *p, int fd, const DumpBlock *b, bool holes, Error **err)
{
    const uint8_t *data = b->ram->host + b->at;

    for (uint64_t done = 0; done < b->size;) {
        size_t n = MIN(b->size - done, PIECE);
        bool hole = holes && is_zero(data + done, n);

        if (p->cancel) {
            return error_set(err, "the dump was given up");
        }
        if (hole && lseek(fd, n, SEEK_CUR) < 0) {
            return error_errno(err, errno, "cannot write the dump");
        }
        if (!hole && !write_all(fd, data + done, n, err)) {
            return false;
        }
        done += n;
        p->completed += n;
    }
    return true;
}

bool dump_write(DumpPlan *p, int fd, Error **err)
{
    struct stat st;
    bool holes = !fstat(fd, &st) && S_ISREG(st.st_mode);
    const DumpBlock *last = &g_array_index(p->blocks, DumpBlock, p->blocks->len - 1);

    if (!write_all(fd, p->head->data, p->head->len, err)) {
        return false;
    }
    for (guint i = 0; i < p->blocks->len; i++) {
        if (!write_block(p, fd, &g_array_index(p->blocks, DumpBlock, i), holes, err)) {
            return false;
        }
    }
    if (holes && ftruncate(fd, last->file_offset + last->size)) {
        return error_errno(err, errno, "cannot write the dump");
    }
    return true;
}
