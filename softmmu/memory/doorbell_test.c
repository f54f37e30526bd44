/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Doorbells: who hears of them, and what rings them. */
#include "softmmu/memory/memory_impl.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

#include <sys/eventfd.h>
#include <unistd.h>

enum { WINDOW = 0x200000 };

typedef struct Rig {
    Object *owner;
    MemListener listener;
    GString *heard;
    Region region;
    int fd, calls;
} Rig;

typedef struct Owner {
    Object obj;
    Rig *rig;
} Owner;

static const Class Owner_class = {"bell-rig", "doorbells", &Object_class, sizeof(Owner)};

static MemResult called(Object *obj, Io *io)
{
    CAST(Owner, obj)->rig->calls++;
    return MEM_OK;
}

static const MemOps ops = {called, called, {1, 8, true}, {0}};

static bool hear(MemListener *l, const Doorbell *bell, bool on)
{
    Rig *r = (Rig *)((char *)l - offsetof(Rig, listener));

    g_string_append_printf(r->heard, "%c%" PRIx64 "/%u ", on ? '+' : '-', bell->addr, bell->size);
    return true;
}

static void rig_init(Rig *r, Machine *m)
{
    *r = (Rig){.listener.doorbell = hear, .heard = g_string_new("")};
    r->owner = object_new(&Owner_class, (Object *)m, "rig");
    CAST(Owner, r->owner)->rig = r;
    r->fd = eventfd(0, EFD_NONBLOCK);
    region_init_io(&r->region, r->owner, "bells", 0x1000, &ops);
    memory_listen(machine_space(m), &r->listener);
}

static void rig_free(Rig *r, Machine *m)
{
    memory_unlisten(machine_space(m), &r->listener);
    region_free(&r->region);
    close(r->fd);
    g_string_free(r->heard, TRUE);
}

static int rung(const Rig *r)
{
    uint64_t times = 0;

    return read(r->fd, &times, sizeof times) == sizeof times ? (int)times : 0;
}

TEST("doorbells: listeners hear of them where the region is seen, and when it moves or goes")
{
    Machine *m = board_machine(board_new());
    Rig r;

    rig_init(&r, m);
    region_map(machine_memory(m), WINDOW, &r.region, 0);
    Doorbell bell = {.addr = 0x10, .size = 4, .any = true, .fd = r.fd};
    region_doorbell(&r.region, &bell, true);
    check_str(r.heard->str, "+200010/4 ");
    region_map(machine_memory(m), 2 * WINDOW, &r.region, 0);
    check_str(r.heard->str, "+200010/4 -200010/4 +400010/4 ");
    g_string_truncate(r.heard, 0);
    region_doorbell(&r.region, &bell, false);
    check_str(r.heard->str, "-400010/4 ");
    check(r.region.bells == NULL, true);
    rig_free(&r, m);
}

TEST("doorbells: a write of the size and the value rings and calls no device; another one calls it")
{
    Board *b = board_new();
    Machine *m = board_machine(b);
    Rig r;

    rig_init(&r, m);
    region_map(machine_memory(m), WINDOW, &r.region, 0);
    Doorbell bell = {.addr = 0x10, .size = 2, .value = 7, .fd = r.fd};
    region_doorbell(&r.region, &bell, true);
    mem_put(b, WINDOW + 0x10, 7, 2);
    mem_put(b, WINDOW + 0x10, 7, 2);
    check(r.calls, 0);
    check(rung(&r), 2);
    mem_put(b, WINDOW + 0x10, 8, 2);
    mem_put(b, WINDOW + 0x10, 7, 4);
    mem_put(b, WINDOW + 0x12, 7, 2);
    mem_get(b, WINDOW + 0x10, 2);
    check(r.calls, 4);
    check(rung(&r), 0);
    region_doorbell(&r.region, &bell, false);
    mem_put(b, WINDOW + 0x10, 7, 2);
    check(r.calls, 5);
    rig_free(&r, m);
}
