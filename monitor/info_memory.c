/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `info mtree` (-f: the flat views that accesses see) and `info roms`: where things are in the
 * guest's address spaces. Layouts are QEMU's.
 */
#include "hw/firmware/fw_cfg.h"
#include "monitor/hmp_command.h"
#include "softmmu/memory/memory_impl.h"

#include <string.h>

enum { MOST_DEPTH = 32 };

/* ---- names ---- */

static const char *kind_of(const Region *r)
{
    if (r->ram) {
        return r->ops ? "romd" : r->readonly ? "rom" : "ram";
    }
    return r->ops ? "i/o" : r->alias ? kind_of(r->alias) : "container";
}

/* "memory", or "cpu of cpu0": the space of what belongs to a device. */
static char *space_name(const AddressSpace *as)
{
    const Region *r = as->root;
    bool own = r->owner && object_is(r->owner, &Device_class);

    return own ? g_strdup_printf("%s of %s", r->name, r->owner->name) : g_strdup(r->name);
}

static void add_range(GString *out, uint64_t first, uint64_t size)
{
    g_string_append_printf(out, "%016" PRIx64 "-%016" PRIx64, first, first + size - 1);
}

/* ---- the tree ---- */

typedef struct Tree {
    GString *out;
    GPtrArray *aliased; /* Region *: shown once each behind the spaces */
    bool disabled;      /* show these, too */
} Tree;

static void add_region(Tree *t, const Region *r, uint64_t base, unsigned depth)
{
    if (depth > MOST_DEPTH || (!r->enabled && !t->disabled)) {
        return;
    }
    g_string_append_printf(t->out, "%*s", 2 + 2 * depth, "");
    add_range(t->out, base, r->size);
    g_string_append_printf(t->out, " (prio %d, %s): ", r->priority, kind_of(r));
    if (r->alias) {
        g_string_append_printf(t->out, "alias %s @%s ", r->name, r->alias->name);
        add_range(t->out, r->alias_offset, r->size);
        if (!g_ptr_array_find(t->aliased, r->alias, NULL)) {
            g_ptr_array_add(t->aliased, r->alias);
        }
    } else {
        g_string_append(t->out, r->name);
    }
    g_string_append(t->out, r->enabled ? "\n" : " [disabled]\n");
    for (const Region *c = r->child; c; c = c->next) {
        add_region(t, c, base + c->at, depth + 1);
    }
}

static bool is_root(const Memory *m, const Region *r)
{
    for (const AddressSpace *as = m->spaces; as; as = as->next) {
        if (as->root == r) {
            return true;
        }
    }
    return false;
}

static void add_trees(Hmp *h, bool disabled)
{
    Memory *m = machine_maps(h->m);
    g_autoptr(GPtrArray) aliased = g_ptr_array_new();
    Tree t = {h->out, aliased, disabled};

    for (AddressSpace *as = m->spaces; as; as = as->next) {
        g_autofree char *name = space_name(as);

        hmp_say(h, "address-space: %s\n", name);
        add_region(&t, as->root, 0, 0);
        hmp_say(h, "\n");
    }
    for (guint i = 0; i < aliased->len; i++) { /* the list may grow meanwhile */
        const Region *r = aliased->pdata[i];

        if (!is_root(m, r)) {
            hmp_say(h, "memory-region: %s\n", r->name);
            add_region(&t, r, r->at, 0);
            hmp_say(h, "\n");
        }
    }
}

/* ---- flat views ---- */

static void add_flat_range(GString *out, const MemRange *r)
{
    g_string_append(out, "  ");
    add_range(out, r->addr, r->size);
    g_string_append_printf(out, " (prio %d, %s): %s", r->region->priority,
                           r->readonly && r->ram && !r->region->ops ? "rom" : kind_of(r->region),
                           r->region->name);
    if (r->offset) {
        g_string_append_printf(out, " @%016" PRIx64, r->offset);
    }
    g_string_append_c(out, '\n');
}

static bool shown_before(const Memory *m, const AddressSpace *as)
{
    for (const AddressSpace *other = m->spaces; other != as; other = other->next) {
        if (other->view == as->view) {
            return true;
        }
    }
    return false;
}

static void add_views(Hmp *h)
{
    Memory *m = machine_maps(h->m);
    unsigned number = 0;

    for (AddressSpace *as = m->spaces; as; as = as->next) {
        const FlatView *v = as->view;

        if (shown_before(m, as)) {
            continue;
        }
        hmp_say(h, "FlatView #%u\n", number++);
        for (AddressSpace *same = as; same; same = same->next) {
            g_autofree char *name = space_name(same);

            if (same->view == v) {
                hmp_say(h, " AS \"%s\", root: %s\n", name, same->root->name);
            }
        }
        for (unsigned i = 0; v && i < v->n; i++) {
            add_flat_range(h->out, &v->range[i]);
        }
        hmp_say(h, v && v->n ? "\n" : "  No rendered FlatView\n\n");
    }
}

static bool info_mtree(Hmp *h, Error **err)
{
    bool flat = hmp_flag(h, 'f'), disabled = hmp_flag(h, 'D');

    if (flat || hmp_flag(h, 'f')) {
        add_views(h);
    } else {
        add_trees(h, disabled);
    }
    return true;
}

static void complete_mtree(Hmp *h, HmpWords *words)
{
    hmp_offer(words, "-f");
    hmp_offer(words, "-D");
}

/* ---- ROMs ---- */

static void add_rom_file(const char *name, size_t bytes, void *opaque)
{
    if (strstr(name, "roms/")) {
        hmp_say(opaque, "fw=%s size=0x%06zx\n", name, bytes);
    }
}

/* What is mapped read-only, then what fw_cfg offers to the firmware. */
static bool info_roms(Hmp *h, Error **err)
{
    const FlatView *v = machine_space(h->m)->view;
    FwCfg *fw = fw_cfg_of(h->m);

    for (unsigned i = 0; v && i < v->n; i++) {
        const MemRange *r = &v->range[i];

        if (r->ram && r->readonly && !r->region->ops) {
            hmp_say(h, "addr=%016" PRIx64 " size=0x%06" PRIx64 " mem=rom name=\"%s\"\n", r->addr,
                    r->size, r->region->name);
        }
    }
    if (fw) {
        fw_cfg_each(fw, add_rom_file, h);
    }
    return true;
}

/* clang-format off */
static const HmpCommand commands[] = {
    {"mtree", "[-f] [-D]", "the regions of each address space; flattened (-f); those switched off, too (-D)", info_mtree, complete_mtree, .info = true, .looks = true},
    {"roms", NULL, "read-only memory, and ROMs that the firmware is offered", info_roms, .info = true, .looks = true},
    {0},
};
/* clang-format on */
HMP_COMMANDS(commands);
