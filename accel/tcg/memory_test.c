/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The software engine in a machine: what others do to memory while translated code uses it. Pages
 * that are logged, code that a device writes to, RAM that changes places. The guests are 16-bit
 * loops of a hundred rounds with data segments of 4 GB; each round calls the test by a port. Not
 * here: several vCPUs (threads_test.c, tests/smp).
 */
#include "softmmu/memory/memory_impl.h"
#include "softmmu/run/run.h"
#include "target/i386/cpu.h"
#include "target/i386/rt/rt.h"
#include "target/i386/state.h"
#include "tests/lib/board.h"
#include "tests/lib/guest_code.h"
#include "tests/lib/test.h"

#include <string.h>

enum {
    CODE = 0x1000,
    FUNCTION = CODE + 0x40,
    FAR_FUNCTION = 0x9000,
    LOGGED = 0x200000,
    ROUNDS = 100
};

/* clang-format off */
GUEST(stores, ".code16\n mov $0x200000, %ebx\n mov $100, %cx\n 1: movb %cl, (%ebx)\n incb 0x3000(%ebx)\n out %al, $0xf0\n"
              " loop 1b\n out %al, $0xff\n 9: hlt\n jmp 9b");
GUEST(calls, ".code16\n mov $100, %cx\n xor %dx, %dx\n 1: call 2f\n out %al, $0xf0\n loop 1b\n out %al, $0xff\n 9: hlt\n jmp 9b\n"
             " .org calls + 0x40\n 2: .byte 0x81, 0xc2, 1, 0\n ret"); /* add $1, %dx */
GUEST(calls_far, ".code16\n mov $100, %cx\n xor %dx, %dx\n mov $0x9000, %ax\n 1: call *%ax\n out %al, $0xf0\n loop 1b\n"
                 " out %al, $0xff\n 9: hlt\n jmp 9b");
/* clang-format on */

typedef struct Rig {
    Machine *m;
    Vcpu *cpu;
    Object *owner;
    Region ports, ram[2];
    unsigned round, sum, unseen;
    void (*step)(struct Rig *r); /* on the vCPU's thread, outside */
} Rig;

typedef struct Owner {
    Object obj;
    Rig *rig;
} Owner;

static const Class Owner_class = {"tcg-rig", "a guest's ports", &Object_class, sizeof(Owner)};

static MemResult written(Object *obj, Io *io)
{
    Rig *r = CAST(Owner, obj)->rig;

    if (io->offset) {
        machine_request_shutdown(r->m, SHUTDOWN_GUEST);
    } else {
        r->round++;
        r->step(r);
    }
    return MEM_OK;
}

static MemResult read_nothing(Object *obj, Io *io)
{
    return MEM_OK;
}

static const MemOps port_ops = {read_nothing, written, {1, 1, false}, {0}};

static void rig_init(Rig *r, void (*step)(Rig *r))
{
    g_autoptr(GString) log = g_string_new("");
    Accel *a;

    *r = (Rig){.m = board_machine(board_new()), .step = step};
    a = accel_pick(r->m, "tcg", log, NULL);
    check(accel_start(a, NULL), true);
    r->cpu = cpu_create(r->m, "max", 0, NULL);
    cpu_rt(r->cpu)->translate_after = 0;
    r->owner = object_new(&Owner_class, (Object *)r->m, "rig");
    CAST(Owner, r->owner)->rig = r;
    region_init_io(&r->ports, r->owner, "steps", 16, &port_ops);
    region_map(machine_ports(r->m), 0xf0, &r->ports, 0);
}

static void rig_run(Rig *r, const uint8_t *code, const uint8_t *end)
{
    board_code16(r->cpu, CODE, code, end - code);
    rt_state_loaded(cpu_rt(r->cpu));
    check(machine_run(r->m), 0);
    check(r->round, ROUNDS);
    if (cpu_rt(r->cpu)->code) { /* else this host's CPU lacks what translating needs */
        check(cpu_rt(r->cpu)->retired < 3 * ROUNDS, true);
    }
}

static void rig_free(Rig *r)
{
    device_remove(&r->cpu->dev);
    region_free(&r->ports);
    for (unsigned n = 0; n < 2; n++) {
        if (r->ram[n].owner) {
            region_free(&r->ram[n]);
        }
    }
}

/* ---- logged pages ---- */

static void take(Rig *r)
{
    Ram *ram = r->ram[0].ram;

    lock_take(machine_lock(r->m));
    if (r->round == ROUNDS / 2) {
        ram_log(ram, DIRTY_DISPLAY, true);
    } else if (r->round > ROUNDS / 2) {
        r->unseen += !ram_take_dirty(ram, DIRTY_DISPLAY, 0, GUEST_PAGE);
        r->unseen += !ram_take_dirty(ram, DIRTY_DISPLAY, 3 * GUEST_PAGE, GUEST_PAGE);
        r->unseen += ram_take_dirty(ram, DIRTY_DISPLAY, GUEST_PAGE, 2 * GUEST_PAGE);
    }
    lock_drop(machine_lock(r->m));
}

TEST("tcg: each store to a logged page is seen, from when it is logged, whenever its mark was "
     "cleared")
{
    Rig r;

    rig_init(&r, take);
    region_init_ram(&r.ram[0], r.owner, "logged", 16 * GUEST_PAGE, RAM_PRIVATE, NULL);
    region_map(machine_memory(r.m), LOGGED, &r.ram[0], 1);
    rig_run(&r, stores, stores_end);
    check(r.unseen, 0);
    check(r.ram[0].ram->host[0x3000], ROUNDS);
    rig_free(&r);
}

/* ---- code that a device writes to ---- */

/* The constant that the function adds. */
static void patch(Rig *r)
{
    uint16_t value = r->round * 7;

    r->sum += r->round < ROUNDS ? value : 1;
    mem_write(machine_space(r->m), (Access){0}, FUNCTION + 2, &value, sizeof value);
}

TEST("tcg: code that a device has written to is run as it is now")
{
    Rig r;

    rig_init(&r, patch);
    rig_run(&r, calls, calls_end);
    check(((X86State *)r.cpu->state)->gpr[R_DX] & 0xffff, r.sum & 0xffff);
    rig_free(&r);
}

/* ---- RAM that changes places ---- */

static void change_places(Rig *r)
{
    r->sum += r->round & 1 ? 1 : 1000;
    lock_take(machine_lock(r->m));
    region_set(&r->ram[1], r->round & 1, false);
    lock_drop(machine_lock(r->m));
}

TEST("tcg: where other RAM is mapped its code runs, though what was there was translated")
{
    static const uint8_t add[2][5] = {{0x81, 0xc2, 1, 0, 0xc3}, {0x81, 0xc2, 0xe8, 3, 0xc3}};
    Rig r;

    rig_init(&r, change_places);
    for (unsigned n = 0; n < 2; n++) {
        region_init_ram(&r.ram[n], r.owner, "functions", GUEST_PAGE, RAM_PRIVATE, NULL);
        memcpy(r.ram[n].ram->host, add[n], sizeof add[n]);
        region_map(machine_memory(r.m), FAR_FUNCTION, &r.ram[n], 1 + n);
    }
    region_set(&r.ram[1], false, false);
    rig_run(&r, calls_far, calls_far_end);
    check(((X86State *)r.cpu->state)->gpr[R_DX] & 0xffff, r.sum & 0xffff);
    rig_free(&r);
}

/* ---- another engine ---- */

static void nothing(Rig *r)
{
}

TEST("tcg: under another engine nothing of this one is met: by who writes to RAM, by a reset")
{
    Rig r;
    Error *err = NULL;

    rig_init(&r, nothing);
    rig_run(&r, calls, calls_end);
    check(accel_switch(r.m, "qtest", &err), true);
    check_str(err ? error_text(err) : "", "");
    patch(&r);
    device_reset(&r.cpu->dev, RESET_POWER);
    rig_free(&r);
}
