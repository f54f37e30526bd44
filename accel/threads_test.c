/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads against each other: vCPUs that read and write memory, change it, stop the world and set
 * timers, while the event loop does the same. Run as it is it finds lost updates; built with
 * -fsanitize=thread (suite "threads") it finds races too.
 */
#include "accel/fake/fake.h"
#include "softmmu/run/board.h"
#include "softmmu/run/run.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

#include <stdatomic.h>
#include <string.h>

enum { WINDOW = 0x200000, STEPS = 50 };

typedef struct Rig {
    Board *b;
    Machine *m;
    Vcpu *cpu[2];
    Object *owner;
    Timer timer;
    unsigned step;
    void (*each)(struct Rig *r); /* on the event loop, STEPS times */
    Region ram, window;
    _Atomic unsigned shown;
    _Atomic int wrong;
    unsigned long guarded; /* plain: only with the world stopped */
    MemListener listener[2];
    bool tag[2]; /* each vCPU's write permission, like a TLB entry */
    uint8_t seen[8192];
    unsigned last[2];
} Rig;

typedef struct Owner {
    Object obj;
    Rig *rig;
} Owner;

static const Class Owner_class = {"test-rig", "threads", &Object_class, sizeof(Owner)};

static void tick(Object *obj, unsigned n)
{
    Rig *r = CAST(Owner, obj)->rig;

    if (r->step++ == STEPS) {
        machine_request_shutdown(r->m, SHUTDOWN_GUEST);
        return;
    }
    r->each(r);
    timer_set(&r->timer, clock_now(r->timer.clock) + 50000);
}

/* Both vCPUs run body over and over, inside, while the event loop does each(). */
static void run(Rig *r, void (*body)(Vcpu *cpu, void *opaque), void (*each)(Rig *r))
{
    r->each = each;
    r->owner = object_new(&Owner_class, (Object *)r->m, "rig");
    CAST(Owner, r->owner)->rig = r;
    timer_init(&r->timer, machine_clock(r->m, CLOCK_GUEST), r->owner, tick, 0);
    timer_set(&r->timer, 50000);
    for (int i = 0; i < 2; i++) {
        ((FakeCpu *)r->cpu[i]->engine)->body = body;
        ((FakeCpu *)r->cpu[i]->engine)->opaque = r;
    }
    vcpu_sipi(r->cpu[1], 1);
    check(machine_run(r->m), 0);
    check(r->wrong, 0);
}

static Rig *rig_new(void)
{
    g_autoptr(GString) log = g_string_new("");
    Rig *r = g_new0(Rig, 1);

    r->b = board_new();
    r->m = board_machine(r->b);
    accel_start(accel_pick(r->m, "fake", log, NULL), NULL);
    for (int i = 0; i < 2; i++) {
        r->cpu[i] = (Vcpu *)board_add(r->b, &Vcpu_class, NULL, "id", NUMBER(i), NULL);
    }
    region_init_ram(&r->ram, (Object *)r->m, "pages", 0x1000 * (STEPS + 2), RAM_PRIVATE, NULL);
    region_init_alias(&r->window, (Object *)r->m, "window", &r->ram, 0, 0x2000);
    region_map(machine_memory(r->m), WINDOW, &r->window, 0);
    return r;
}

/* Threads must be gone before what they use. */
static void rig_free(Rig *r)
{
    device_remove(&r->cpu[1]->dev);
    device_remove(&r->cpu[0]->dev);
    region_free(&r->window);
    region_free(&r->ram);
    g_free(r);
}

/* ---- the map changes ---- */

static void look(Vcpu *cpu, void *opaque)
{
    Rig *r = opaque;
    unsigned least = r->shown;
    MemPage page;

    if (!mem_page(&cpu->memory, WINDOW, &page) || page.at / 4096 < least) {
        r->wrong++;
    }
}

static void move(Rig *r)
{
    region_move_alias(&r->window, 0x1000 * r->step);
    r->shown = r->step;
}

TEST("threads: after a change of the map no vCPU finds what was there before")
{
    Rig *r = rig_new();

    run(r, look, move);
    rig_free(r);
}

/* ---- the world stops ---- */

static void count(void *opaque)
{
    ((Rig *)opaque)->guarded++;
}

static void count_twice(void *opaque)
{
    Rig *r = opaque;

    vcpus_exclusive(r->m, count, r);
    vcpus_exclusive(r->m, count, r);
}

static void from_inside(Vcpu *cpu, void *opaque)
{
    vcpus_exclusive(cpu->dev.machine, count, opaque);
    if (!cpu->inside) {
        ((Rig *)opaque)->wrong++;
    }
}

static void from_loop(Rig *r)
{
    vcpus_exclusive(r->m, count_twice, r);
}

TEST("threads: exclusive sections of vCPUs and of the loop, one in another, do not overlap")
{
    Rig *r = rig_new();

    run(r, from_inside, from_loop);
    check(r->guarded >= 2 * STEPS, true);
    rig_free(r);
}

/* ---- dirty marks ---- */

static void cleaned(MemListener *l, Ram *ram)
{
    Rig *r = (Rig *)((char *)(l->order ? l - 1 : l) - offsetof(Rig, listener));

    r->tag[l->order] = false;
}

/* As a CPU does it: with the permission a store tells nobody. Each vCPU has a page of its own. */
static void store(Vcpu *cpu, void *opaque)
{
    Rig *r = opaque;
    uint64_t at = 0x1000 * cpu->id + r->last[cpu->id] % 4096;
    uint8_t *byte = r->ram.ram->host + at;

    r->last[cpu->id] = r->last[cpu->id] * 5 + 1;
    atomic_fetch_add((_Atomic uint8_t *)byte, 1);
    if (!r->tag[cpu->id]) {
        ram_mark(r->ram.ram, at, 1);
        r->tag[cpu->id] = ram_all_dirty(r->ram.ram, at, 1);
    }
}

static void take(Rig *r)
{
    lock_take(machine_lock(r->m));
    for (unsigned i = 0; i < 2; i++) {
        if (ram_take_dirty(r->ram.ram, DIRTY_DISPLAY, 0x1000 * i, 0x1000)) {
            for (unsigned n = 0; n < 4096; n++) {
                r->seen[0x1000 * i + n] =
                    atomic_load((_Atomic uint8_t *)r->ram.ram->host + 0x1000 * i + n);
            }
        }
    }
    lock_drop(machine_lock(r->m));
}

TEST("threads: a page taken clean and copied is the same at the end, or dirty again")
{
    Rig *r = rig_new();

    ram_log(r->ram.ram, DIRTY_DISPLAY, true);
    for (int i = 0; i < 2; i++) {
        r->listener[i] = (MemListener){.order = i, .cleaned = cleaned};
        memory_listen(&r->cpu[i]->memory, &r->listener[i]);
    }
    run(r, store, take);
    take(r);
    check(memcmp(r->seen, r->ram.ram->host, sizeof r->seen), 0);
    rig_free(r);
}

/* ---- devices and timers ---- */

typedef struct Beeper { /* a register that starts a timer, a timer that counts */
    Device dev;
    Region region;
    Timer timer;
    unsigned value, fired;
} Beeper;

static MemResult beeper_write(Beeper *b, Io *io)
{
    b->value++;
    if (b->timer.due < 0) {
        timer_set(&b->timer, clock_now(b->timer.clock) + 1000 * (io->value & 63));
    }
    return MEM_OK;
}

static MemResult beeper_read(Beeper *b, Io *io)
{
    io->value = b->value;
    return MEM_OK;
}

static void beeper_fire(Beeper *b, unsigned n)
{
    b->fired++;
}

static bool beeper_realize(Beeper *b, Error **err)
{
    static const MemOps ops = {.read = METHOD(Beeper, beeper_read),
                               .write = METHOD(Beeper, beeper_write)};

    timer_init(&b->timer, machine_clock(b->dev.machine, CLOCK_GUEST), &b->dev.obj,
               METHOD(Beeper, beeper_fire), 0);
    region_init_io(&b->region, &b->dev.obj, "beeper", 8, &ops);
    region_map(machine_memory(b->dev.machine), 2 * WINDOW, &b->region, 0);
    return true;
}

static const DeviceClass Beeper_class = {
    .class = {"test-beeper", "a timer", &Device_class.class, sizeof(Beeper)},
    .realize = METHOD(Beeper, beeper_realize),
};

static void beep(Vcpu *cpu, void *opaque)
{
    vcpu_leave(cpu);
    cpu_put(cpu, 2 * WINDOW, cpu->id + 1, 4);
    vcpu_enter(cpu);
}

static void watch(Rig *r)
{
    if (r->step % 8 == 0) {
        machine_request_reset(r->m, RESET_WARM);
        vcpu_sipi(r->cpu[1], 1);
    }
}

TEST("threads: vCPUs write a device whose timers fire on the loop, through resets")
{
    Rig *r = rig_new();
    Beeper *b = (Beeper *)board_add(r->b, &Beeper_class, NULL, NULL);

    run(r, beep, watch);
    check(b->value > 0 && b->fired > 0, true);
    rig_free(r);
}
