/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses by address: RAM at once, devices through their callbacks, in sizes that they take.
 *
 * A range that was looked up is used only between reading() and done_reading(), where nothing
 * blocks; a device is called with a copy of it and a reference on its owner. A device that is busy
 * refuses, so DMA that comes back to where it started ends there: recursion is bounded by the
 * number of devices.
 */
#include "softmmu/memory/memory_impl.h"
#include "util/trace.h"

#include <stdatomic.h>
#include <string.h>

static void reading(Memory *m)
{
    atomic_fetch_add(&m->readers, 1);
}

static void done_reading(Memory *m)
{
    atomic_fetch_sub(&m->readers, 1);
}

static const MemRange *lookup(AddressSpace *as, uint64_t addr)
{
    return view_find(as->view, addr, &as->hint);
}

/* ---- devices ---- */

static uint64_t ones(unsigned size)
{
    return size < 8 ? (1ull << 8 * size) - 1 : ~0ull;
}

static MemResult call(Region *r, Io io, uint64_t *value)
{
    MemResult result = MEM_DENIED;

    if (!object_enter(r->owner)) {
        guest_error(r->owner, "%s is busy, or cannot be reached from there by DMA", r->name);
    } else {
        if (!r->ops) {
            result = MEM_UNMAPPED; /* it went while we waited for its lock */
        } else {
            result = (io.write ? r->ops->write : r->ops->read)(r->owner, &io);
        }
        object_leave(r->owner);
    }
    *value = io.value & ones(io.size);
    return result;
}

/* Smaller than the callbacks do: read the whole, and extract; to write, merge and write it back. */
static MemResult widened(Region *r, Access by, uint64_t offset, uint64_t *value, unsigned size,
                         unsigned wide, bool write)
{
    unsigned shift = offset % wide * 8;
    uint64_t whole = ones(wide), mask = ones(size) << shift;
    MemResult result;

    if (!r->ops->widen) {
        guest_error(r->owner, "%s: %u bytes not handled", r->name, size);
        *value = ones(size);
        return MEM_DENIED;
    }
    offset -= offset % wide;
    result = call(r, (Io){r, by, offset, whole, wide, false}, &whole);
    if (!write) {
        *value = whole >> shift & ones(size);
        return result;
    }
    whole = (whole & ~mask) | (*value << shift & mask);
    return call(r, (Io){r, by, offset, whole, wide, true}, &whole);
}

/* In pieces of step bytes each; value is in and out. */
static MemResult pieces(Region *r, Access by, uint64_t offset, uint64_t *value, unsigned size,
                        unsigned step, bool write)
{
    MemResult result = MEM_OK;

    for (unsigned done = 0; done < size; done += step) {
        uint64_t part = write ? *value >> 8 * done & ones(step) : ones(step);
        MemResult one = call(r, (Io){r, by, offset + done, part, step, write}, &part);

        result = MAX(result, one);
        if (!write) {
            *value = (*value & ~(ones(step) << 8 * done)) | part << 8 * done;
        }
    }
    return result;
}

static MemResult io_access(Region *r, Access by, uint64_t offset, uint64_t *value, unsigned size,
                           bool write)
{
    const MemOps *ops = r->ops;
    MemSizes a, d;

    if (!ops) {
        *value = ones(size);
        return MEM_UNMAPPED;
    }
    a = (MemSizes){ops->accepts.min ?: 1, ops->accepts.max ?: 8, ops->accepts.unaligned};
    d = (MemSizes){ops->does.min ?: a.min, ops->does.max ?: a.max, ops->does.unaligned};
    if (size < a.min || size > a.max || (offset % size && !a.unaligned)) {
        guest_error(r->owner, "%s: %u bytes at %#" PRIx64 " not accepted", r->name, size, offset);
        *value = ones(size);
        return MEM_DENIED;
    }
    if (size < d.min) {
        return widened(r, by, offset, value, size, d.min, write);
    }
    return pieces(r, by, offset, value, size, MIN(size, d.max), write);
}

/* How many bytes at this offset make one access of the bus: the largest power of two that is left,
 * and aligned unless the device can do without. */
static unsigned stride(const Region *r, uint64_t offset, uint64_t left)
{
    const MemOps *ops = r->ops;
    unsigned step = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;

    while (step > 1 && offset % step && ops && !ops->accepts.unaligned) {
        step /= 2;
    }
    return step;
}

static MemResult device_access(MemRange r, Access by, uint64_t offset, uint8_t *buf, size_t *len,
                               bool write)
{
    uint64_t value = 0;
    unsigned step = stride(r.region, offset, *len);
    MemResult result;

    memcpy(&value, buf, write ? step : 0);
    result = io_access(r.region, by, offset, &value, step, write);
    memcpy(buf, &value, write ? 0 : step);
    *len = step;
    return result;
}

/* ---- RAM ---- */

/* One host access where the guest may count on it. */
static void copy(void *to, const void *from, const void *guest, size_t n)
{
    bool whole = n <= 8 && !(n & (n - 1)) && (uintptr_t)guest % (n ?: 1) == 0;
    uint64_t v = 0;

    if (!whole || !n) {
        memmove(to, from, n);
        return;
    }
    if (guest == from) {
        switch (n) {
        case 1:
            v = __atomic_load_n((const uint8_t *)from, __ATOMIC_RELAXED);
            break;
        case 2:
            v = __atomic_load_n((const uint16_t *)from, __ATOMIC_RELAXED);
            break;
        case 4:
            v = __atomic_load_n((const uint32_t *)from, __ATOMIC_RELAXED);
            break;
        default:
            v = __atomic_load_n((const uint64_t *)from, __ATOMIC_RELAXED);
        }
        memcpy(to, &v, n);
        return;
    }
    memcpy(&v, from, n);
    switch (n) {
    case 1:
        __atomic_store_n((uint8_t *)to, v, __ATOMIC_RELAXED);
        break;
    case 2:
        __atomic_store_n((uint16_t *)to, v, __ATOMIC_RELAXED);
        break;
    case 4:
        __atomic_store_n((uint32_t *)to, v, __ATOMIC_RELAXED);
        break;
    default:
        __atomic_store_n((uint64_t *)to, v, __ATOMIC_RELAXED);
    }
}

static void ram_access(const MemRange *r, Access by, uint64_t offset, uint8_t *buf, size_t n,
                       bool write)
{
    uint8_t *host = r->ram->host + offset;

    if (!write) {
        copy(buf, host, host, n);
    } else if (!r->readonly || by.debug) {
        copy(host, buf, host, n);
        ram_written(r->ram, offset, n);
    }
}

/* ---- by address ---- */

/* One range's worth; *len becomes what was done. */
static MemResult access_range(AddressSpace *as, Access by, uint64_t addr, uint8_t *buf, size_t *len,
                              bool write)
{
    MemResult result = MEM_OK;

    reading(as->memory);
    const MemRange *found = lookup(as, addr);
    if (!found) {
        done_reading(as->memory);
        *len = 1;
        memset(buf, 0xff, write ? 0 : 1);
        return MEM_UNMAPPED;
    }
    MemRange r = *found;
    uint64_t offset = r.offset + (addr - r.addr);
    *len = MIN(*len, r.size - (addr - r.addr));
    if (r.ram && (!write || !r.region->ops || by.debug)) {
        ram_access(&r, by, offset, buf, *len, write);
        done_reading(as->memory);
        return result;
    }
    if (write && r.region->bells && doorbells_ring(r.region, offset, buf, *len)) {
        done_reading(as->memory);
        return result;
    }
    object_ref(r.region->owner);
    done_reading(as->memory);
    result = device_access(r, by, offset, buf, len, write);
    object_unref(r.region->owner);
    return result;
}

static MemResult mem_access(AddressSpace *as, Access by, uint64_t addr, uint8_t *buf, size_t len,
                            bool write)
{
    MemResult result = MEM_OK;

    for (size_t step; len; addr += step, buf += step, len -= step) {
        step = len;
        MemResult one = access_range(as, by, addr, buf, &step, write);

        result = MAX(result, one);
    }
    return result;
}

MemResult mem_read(AddressSpace *as, Access by, uint64_t addr, void *buf, size_t len)
{
    return mem_access(as, by, addr, buf, len, false);
}

MemResult mem_write(AddressSpace *as, Access by, uint64_t addr, const void *buf, size_t len)
{
    return mem_access(as, by, addr, (uint8_t *)buf, len, true);
}

/* ---- a vCPU's ---- */

bool mem_target(AddressSpace *as, uint64_t addr, size_t len, bool write, MemTarget *out)
{
    const MemRange *r = lookup(as, addr); /* the view stays while we are inside */

    if (!r || r->ram || (len & (len - 1)) || len > 8 || addr % len ||
        addr - r->addr + len > r->size || (write && r->region->bells)) {
        return false;
    }
    *out = (MemTarget){r->region, r->offset + (addr - r->addr)};
    if (out->offset % len) {
        return false;
    }
    object_ref(r->region->owner);
    return true;
}

MemResult mem_target_call(MemTarget t, Access by, uint64_t *value, size_t len, bool write)
{
    Object *owner = t.region->owner;
    MemResult result = io_access(t.region, by, t.offset, value, len, write);

    object_unref(owner);
    return result;
}

/* ---- as host memory ---- */

MemMap mem_map(AddressSpace *as, Access by, uint64_t addr, size_t len, bool write)
{
    MemMap map = {0};

    (void)by;
    reading(as->memory);
    const MemRange *r = lookup(as, addr);
    if (r && r->ram && !(write && r->readonly)) {
        uint64_t at = r->offset + (addr - r->addr);

        map = (MemMap){r->ram->host + at, MIN(len, r->size - (addr - r->addr)), r->ram, at, write};
        ram_ref(map.ram);
        if (write) {
            ram_written(map.ram, map.at, map.len);
        }
    }
    done_reading(as->memory);
    return map;
}

void mem_unmap(MemMap *map)
{
    if (map->host) {
        if (map->write) {
            ram_written(map->ram, map->at, map->len);
        }
        ram_unref(map->ram);
        *map = (MemMap){0};
    }
}

bool mem_page(AddressSpace *as, uint64_t addr, MemPage *out)
{
    uint64_t first = addr & -(uint64_t)PAGE;
    bool whole = false;

    reading(as->memory);
    const MemRange *r = lookup(as, first);
    if (r && r->ram && r->size - (first - r->addr) >= PAGE) {
        uint64_t at = r->offset + (first - r->addr);

        whole = at % PAGE == 0 && at + PAGE <= r->ram->size;
        *out = (MemPage){r->ram->host + at, r->ram, at, r->readonly};
        out->before = (first - r->addr) & -(uint64_t)PAGE;
        out->after = (MIN(r->size - (first - r->addr), r->ram->size - at) - PAGE) & -(uint64_t)PAGE;
    }
    done_reading(as->memory);
    return whole;
}
