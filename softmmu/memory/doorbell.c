/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Doorbells: writes to a region that call no device but add one to an event descriptor
 * (eventfd(2)). Engines that can have their kernel do it hear of them with the ranges that show the
 * region; whatever write arrives here all the same rings them, too, so a guest sees no difference.
 *
 * A region's list is immutable: a change makes another one, with every vCPU outside, and the old
 * one goes when nobody reads it any more, as a view does.
 */
#include "softmmu/memory/memory_impl.h"

#include <string.h>
#include <unistd.h>

static bool in_range(const MemRange *range, const Doorbell *bell)
{
    return bell->addr >= range->offset && bell->addr - range->offset < range->size;
}

void doorbells_tell(MemListener *l, const MemRange *range, bool on)
{
    const DoorbellList *list = range->region->bells;

    for (unsigned i = 0; l->doorbell && list && i < list->n; i++) {
        Doorbell bell = list->bell[i];

        if (in_range(range, &bell)) {
            bell.addr = range->addr + (bell.addr - range->offset);
            l->doorbell(l, &bell, on);
        }
    }
}

bool doorbells_ring(const Region *r, uint64_t offset, const void *buf, size_t n)
{
    static const uint64_t one = 1;
    const DoorbellList *list = r->bells;
    uint64_t value = 0;

    memcpy(&value, buf, MIN(n, sizeof value));
    for (unsigned i = 0; list && i < list->n; i++) {
        const Doorbell *bell = &list->bell[i];

        if (bell->addr == offset && (!bell->size || bell->size == n) &&
            (bell->any || bell->value == value)) {
            return write(bell->fd, &one, sizeof one) == sizeof one; /* full: the device is called */
        }
    }
    return false;
}

typedef struct Change {
    Region *region;
    const Doorbell *bell;
    DoorbellList *list;
    bool on;
} Change;

/* To whoever listens to a space that shows the region. */
static void tell_all(const Change *c)
{
    for (AddressSpace *as = c->region->memory->spaces; as; as = as->next) {
        for (unsigned i = 0; i < as->view->n; i++) {
            MemRange range = as->view->range[i];

            for (MemListener *l = as->listeners; range.region == c->region && l; l = l->next) {
                Doorbell bell = *c->bell;

                bell.addr = range.addr + (bell.addr - range.offset);
                if (l->doorbell && in_range(&range, c->bell)) {
                    l->doorbell(l, &bell, c->on);
                }
            }
        }
    }
}

static void exchange(void *opaque)
{
    Change *c = opaque;
    DoorbellList *old = c->region->bells;

    c->region->bells = c->list;
    c->list = old;
    if (c->region->memory) {
        tell_all(c);
    }
}

static bool equal(const Doorbell *a, const Doorbell *b)
{
    return a->addr == b->addr && a->size == b->size && a->any == b->any && a->fd == b->fd &&
           (a->any || a->value == b->value);
}

/* The list with the bell, or without it; NULL: it is empty. */
static DoorbellList *changed(const DoorbellList *old, const Doorbell *bell, bool on)
{
    unsigned n = old ? old->n : 0;
    DoorbellList *new = g_malloc0(sizeof *new + (n + 1) * sizeof(Doorbell));

    for (unsigned i = 0; i < n; i++) {
        if (!equal(&old->bell[i], bell)) {
            new->bell[new->n++] = old->bell[i];
        }
    }
    if (on) {
        new->bell[new->n++] = *bell;
    }
    if (!new->n) {
        g_clear_pointer(&new, g_free);
    }
    return new;
}

void region_doorbell(Region *r, const Doorbell *bell, bool on)
{
    Memory *m = r->memory;
    Change c = {r, bell, changed(r->bells, bell, on), on};

    if (m) {
        memory_begin(m);
    }
    memory_exclusive(m, exchange, &c);
    if (m) {
        memory_wait_for_readers(m);
        memory_commit(m);
    }
    g_free(c.list);
}
