/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Regions: what they are, and the trees they form. Children are kept by priority, highest first. */
#include "softmmu/memory/memory_impl.h"

#include <string.h>

static void changed(Region *r)
{
    Memory *m = r->memory;

    if (m) {
        memory_begin(m);
        m->dirty = true;
        memory_commit(m);
    }
}

/* ---- kinds ---- */

void region_init(Region *r, Object *owner, const char *name, uint64_t size)
{
    *r = (Region){.name = name, .owner = owner, .size = size, .enabled = true};
}

void region_init_io(Region *r, Object *owner, const char *name, uint64_t size, const MemOps *ops)
{
    region_init(r, owner, name, size);
    r->ops = ops;
}

bool region_init_ram(Region *r, Object *owner, const char *name, uint64_t size, RamKind kind,
                     Error **err)
{
    region_init(r, owner, name, size);
    r->ram = ram_new(name, size, kind, err);
    return r->ram;
}

void region_init_ram_from(Region *r, Object *owner, const char *name, Ram *ram)
{
    region_init(r, owner, name, ram->size);
    ram_ref(ram);
    r->ram = ram;
}

bool region_init_rom(Region *r, Object *owner, const char *name, uint64_t size, const void *data,
                     size_t n, Error **err)
{
    if (n > size) {
        return error_set(err, "%s: %zu bytes do not fit into %" PRIu64, name, n, size);
    }
    if (!region_init_ram(r, owner, name, size, RAM_PRIVATE, err)) {
        return false;
    }
    r->readonly = true;
    if (n) {
        memcpy(r->ram->host, data, n);
    }
    return true;
}

bool region_init_flash(Region *r, Object *owner, const char *name, uint64_t size, const MemOps *ops,
                       Error **err)
{
    bool ok = region_init_ram(r, owner, name, size, RAM_PRIVATE, err);

    r->ops = ops;
    return ok;
}

void region_init_alias(Region *r, Object *owner, const char *name, Region *to, uint64_t offset,
                       uint64_t size)
{
    region_init(r, owner, name, size);
    r->alias = to;
    r->alias_offset = offset;
}

/* Aliases may still show it: they show nothing from here on. */
void region_free(Region *r)
{
    Memory *m = r->memory;
    Ram *ram = r->ram;

    if (m) {
        memory_begin(m);
    }
    region_unmap(r);
    while (r->child) {
        region_unmap(r->child);
    }
    r->ram = NULL;
    r->ops = NULL;
    if (m) {
        m->dirty = true;
        memory_commit(m);
    }
    if (ram) {
        ram_unref(ram);
    }
}

/* ---- the tree ---- */

void region_adopt(Region *r, Memory *memory)
{
    if (r->memory == memory) {
        return;
    }
    r->memory = memory;
    if (r->ram && !r->ram->memory) {
        r->ram->memory = memory;
    }
    if (r->alias) {
        region_adopt(r->alias, memory);
    }
    for (Region *c = r->child; c; c = c->next) {
        region_adopt(c, memory);
    }
}

void region_map(Region *parent, uint64_t at, Region *r, int priority)
{
    Memory *m = parent->memory;

    if (r->parent == parent && r->at == at && r->priority == priority) {
        return;
    }
    if (m) {
        memory_begin(m);
    }
    region_unmap(r);
    Region **p = &parent->child;
    while (*p && (*p)->priority > priority) {
        p = &(*p)->next;
    }
    r->next = *p;
    *p = r;
    r->parent = parent;
    r->at = at;
    r->priority = priority;
    if (m) {
        region_adopt(r, m);
        m->dirty = true;
        memory_commit(m);
    }
}

void region_unmap(Region *r)
{
    if (!r->parent) {
        return;
    }
    for (Region **p = &r->parent->child; *p; p = &(*p)->next) {
        if (*p == r) {
            *p = r->next;
            break;
        }
    }
    r->parent = NULL;
    changed(r);
}

void region_set(Region *r, bool enabled, bool readonly)
{
    if (r->enabled != enabled || r->readonly != readonly) {
        r->enabled = enabled;
        r->readonly = readonly;
        changed(r);
    }
}

void region_flash_mode(Region *r, bool reads_call)
{
    if (r->reads_call != reads_call) {
        r->reads_call = reads_call;
        changed(r);
    }
}

void region_move_alias(Region *alias, uint64_t offset)
{
    if (alias->alias_offset != offset) {
        alias->alias_offset = offset;
        changed(alias);
    }
}

void region_rt(Region *r, RtAnswer *rt, void *data)
{
    r->rt = rt;
    r->rt_data = data;
}

/* Regions inside those that go with their owner must not point to them afterwards. */
static void orphan(Region *r, Object *owner)
{
    while (r->child) {
        Region *c = r->child;

        region_unmap(c);
        if (c->owner == owner) {
            orphan(c, owner);
        }
    }
}

/* Out of every tree: the owner goes away. */
static void forget(Region *r, Object *owner)
{
    for (Region *c = r->child, *next; c; c = next) {
        next = c->next;
        if (c->owner == owner) {
            region_unmap(c);
            orphan(c, owner);
        } else {
            forget(c, owner);
        }
    }
}

void memory_forget(Memory *memory, Object *owner)
{
    memory_begin(memory);
    for (AddressSpace *as = memory->spaces; as; as = as->next) {
        forget(as->root, owner);
    }
    memory_commit(memory);
}
