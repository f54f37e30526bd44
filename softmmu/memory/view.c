/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flat views: a tree becomes a sorted list of ranges. Regions are laid down highest first, each
 * into what is still free. Spaces whose roots come down to the same region share a view.
 *
 * A change is published in one step: with every vCPU outside, all spaces get their new views and
 * listeners hear the difference; then accesses that still read an old view are waited for (they
 * hold it only between look-up and the bytes), and the old views go.
 */
#include "softmmu/memory/memory_impl.h"

#include <sched.h>
#include <stdatomic.h>
#include <string.h>

enum { MAX_DEPTH = 32 }; /* of aliases in aliases: a loop of them ends here */

/* ---- laying down ---- */

typedef struct Area { /* of the space that a region may fill; addresses fit into 63 bits */
    int64_t base;     /* where the region's offset 0 would be */
    int64_t low, high;
    bool readonly;
} Area;

/* The first range that ends above addr. */
static unsigned first_above(const MemRange *range, unsigned n, uint64_t addr)
{
    unsigned low = 0, high = n;

    while (low < high) {
        unsigned mid = (low + high) / 2;

        if (range[mid].addr + range[mid].size <= addr) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static void fill(GArray *out, Region *r, Area a)
{
    unsigned i = first_above((MemRange *)out->data, out->len, a.low);

    for (int64_t at = a.low; at < a.high; i++) {
        bool there = i < out->len;
        MemRange next = there ? g_array_index(out, MemRange, i) : (MemRange){.addr = a.high};
        int64_t end = MIN(a.high, (int64_t)next.addr);

        if (end > at) {
            MemRange mine = {
                at, end - at, r, r->reads_call ? NULL : r->ram, at - a.base, a.readonly || r->ops};
            g_array_insert_val(out, i, mine);
            i++;
        }
        at = next.addr + next.size;
        if (!there) {
            break;
        }
    }
}

static void lay(GArray *out, Region *r, Area a, int depth)
{
    a.low = MAX(a.low, a.base);
    a.high = MIN(a.high, a.base + (int64_t)r->size);
    a.readonly |= r->readonly;
    if (!r->enabled || a.low >= a.high || depth == MAX_DEPTH) {
        return;
    }
    if (r->alias) {
        a.base -= r->alias_offset;
        lay(out, r->alias, a, depth + 1);
        return;
    }
    for (Region *c = r->child; c; c = c->next) {
        Area sub = a;

        sub.base += c->at;
        lay(out, c, sub, depth + 1);
    }
    if (r->ops || r->ram) {
        fill(out, r, a);
    }
}

static bool joins(const MemRange *a, const MemRange *b)
{
    return a->region == b->region && a->addr + a->size == b->addr &&
           a->offset + a->size == b->offset && a->readonly == b->readonly;
}

FlatView *view_make(Region *root)
{
    g_autoptr(GArray) out = g_array_new(FALSE, FALSE, sizeof(MemRange));

    lay(out, root, (Area){0, 0, root->size, false}, 0);
    FlatView *v = g_malloc0(sizeof *v + out->len * sizeof(MemRange));
    v->refs = 1;
    for (unsigned i = 0; i < out->len; i++) {
        MemRange *r = &g_array_index(out, MemRange, i), *last = v->n ? &v->range[v->n - 1] : NULL;

        if (last && joins(last, r)) {
            last->size += r->size;
        } else {
            v->range[v->n++] = *r;
        }
    }
    return v;
}

void view_unref(FlatView *v)
{
    if (v && atomic_fetch_sub(&v->refs, 1) == 1) {
        g_free(v);
    }
}

/* ---- reading ---- */

const MemRange *view_find(const FlatView *v, uint64_t addr, _Atomic unsigned *hint)
{
    unsigned i = atomic_load_explicit(hint, memory_order_relaxed);

    if (i < v->n && addr - v->range[i].addr < v->range[i].size) {
        return &v->range[i];
    }
    i = first_above(v->range, v->n, addr);
    if (i == v->n || addr < v->range[i].addr) {
        return NULL;
    }
    atomic_store_explicit(hint, i, memory_order_relaxed);
    return &v->range[i];
}

static bool same(const MemRange *a, const MemRange *b)
{
    return a->addr == b->addr && a->size == b->size && a->region == b->region &&
           a->offset == b->offset && a->readonly == b->readonly && a->ram == b->ram;
}

bool view_equal(const FlatView *a, const FlatView *b)
{
    for (unsigned i = 0; a->n == b->n && i < a->n; i++) {
        if (!same(&a->range[i], &b->range[i])) {
            return false;
        }
    }
    return a->n == b->n;
}

static bool has(const FlatView *v, const MemRange *r)
{
    unsigned i = v ? first_above(v->range, v->n, r->addr) : 0;

    return v && i < v->n && same(&v->range[i], r);
}

/* ---- listeners ---- */

#define TELL(l, fn, ...) ((l)->fn ? (l)->fn((l), ##__VA_ARGS__) : (void)0)

static void tell(MemListener *l, const FlatView *old, const FlatView *new)
{
    TELL(l, begin);
    for (unsigned i = 0; old && i < old->n; i++) {
        if (!has(new, &old->range[i])) {
            doorbells_tell(l, &old->range[i], false);
            TELL(l, remove, &old->range[i]);
        }
    }
    for (unsigned i = 0; new &&i < new->n; i++) {
        if (has(old, &new->range[i])) {
            TELL(l, keep, &new->range[i]);
        } else {
            TELL(l, add, &new->range[i]);
            doorbells_tell(l, &new->range[i], true);
        }
    }
    TELL(l, commit);
}

typedef struct Listen {
    AddressSpace *as;
    MemListener *listener;
} Listen;

static void start_telling(void *opaque)
{
    Listen *x = opaque;

    tell(x->listener, NULL, x->as->view);
}

void memory_listen(AddressSpace *as, MemListener *l)
{
    MemListener **p = &as->listeners;

    while (*p && (*p)->order <= l->order) {
        p = &(*p)->next;
    }
    l->next = *p;
    *p = l;
    memory_exclusive(as->memory, start_telling, &(Listen){as, l});
}

void memory_unlisten(AddressSpace *as, MemListener *l)
{
    for (MemListener **p = &as->listeners; *p; p = &(*p)->next) {
        if (*p == l) {
            *p = l->next;
            return;
        }
    }
}

/* ---- publishing ---- */

void memory_exclusive(Memory *m, void (*fn)(void *opaque), void *opaque)
{
    if (m && m->exclusive) {
        m->exclusive(m->machine, fn, opaque);
    } else {
        fn(opaque);
    }
}

CodeHits *memory_code_hits(Memory *m)
{
    return &m->code_hits;
}

void memory_begin(Memory *m)
{
    if (m->lock) {
        lock_take(m->lock);
    }
    m->depth++;
}

/* The only enabled child; NULL: there are several, or none. */
static const Region *only_child(const Region *r)
{
    const Region *only = NULL;

    for (const Region *c = r->child; c; c = c->next) {
        if (c->enabled && only) {
            return NULL;
        }
        only = c->enabled ? c : only;
    }
    return only;
}

/* What the root comes down to: through containers and aliases that show the whole of one other
 * region, from offset 0, and nothing else. */
static const Region *essence(const Region *r)
{
    uint64_t room = r->size;

    for (int depth = 0; depth < MAX_DEPTH; depth++) {
        const Region *next = r->alias ?: only_child(r);
        uint64_t at = r->alias ? r->alias_offset : next ? next->at : 0;

        if (!next || !r->enabled || r->readonly || r->ops || r->ram || at || next->size > room) {
            break;
        }
        room = next->size;
        r = next;
    }
    return r;
}

typedef struct Change {
    AddressSpace *as;
    FlatView *old, *new;
} Change;

static FlatView *view_for(const AddressSpace *as, GHashTable *made)
{
    const Region *root = essence(as->root);
    FlatView *v = g_hash_table_lookup(made, root);

    if (v) {
        atomic_fetch_add(&v->refs, 1);
    } else {
        v = view_make(as->root);
        g_hash_table_insert(made, (void *)root, v);
    }
    return v;
}

/* Drops what has not changed: of an equal pair the old one stays. */
static GArray *changes(Memory *m)
{
    g_autoptr(GHashTable) made = g_hash_table_new(NULL, NULL);
    GArray *list = g_array_new(FALSE, FALSE, sizeof(Change));

    for (AddressSpace *as = m->spaces; as; as = as->next) {
        Change c = {as, as->view, view_for(as, made)};

        g_array_append_val(list, c);
    }
    for (unsigned i = list->len; i-- > 0;) {
        Change *c = &g_array_index(list, Change, i);

        if (c->old && view_equal(c->old, c->new)) {
            view_unref(c->new);
            g_array_remove_index(list, i);
        }
    }
    return list;
}

static void publish(void *opaque)
{
    GArray *list = opaque;

    for (unsigned i = 0; i < list->len; i++) {
        Change *c = &g_array_index(list, Change, i);

        c->as->view = c->new;
        c->as->generation++;
        for (MemListener *l = c->as->listeners; l; l = l->next) {
            tell(l, c->old, c->new);
        }
    }
}

void memory_wait_for_readers(Memory *m)
{
    while (m->readers) {
        sched_yield();
    }
}

void memory_commit(Memory *m)
{
    if (m->depth == 1 && m->dirty) {
        m->dirty = false;
        m->changes++;
        GArray *list = changes(m);

        if (list->len) {
            memory_exclusive(m, publish, list);
            memory_wait_for_readers(m);
        }
        for (unsigned i = 0; i < list->len; i++) {
            view_unref(g_array_index(list, Change, i).old);
        }
        g_array_free(list, TRUE);
    }
    m->depth--;
    if (m->lock) {
        lock_drop(m->lock);
    }
}

/* ---- spaces ---- */

void space_init(AddressSpace *as, Memory *memory, Region *root)
{
    memset(as, 0, sizeof *as);
    as->root = root;
    as->memory = memory;
    memory_begin(memory);
    region_adopt(root, memory);
    as->next = memory->spaces;
    memory->spaces = as;
    memory->dirty = true;
    memory_commit(memory);
    if (!as->view) { /* inside a larger change: until its commit */
        as->view = view_make(root);
    }
}

void space_free(AddressSpace *as)
{
    Memory *m = as->memory;

    memory_begin(m);
    for (AddressSpace **p = &m->spaces; *p; p = &(*p)->next) {
        if (*p == as) {
            *p = as->next;
            break;
        }
    }
    memory_commit(m);
    memory_wait_for_readers(m);
    view_unref(as->view);
    as->view = NULL;
}
