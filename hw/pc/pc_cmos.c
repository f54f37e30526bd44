/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of battery-backed memory by which a PC's firmware knows its machine: MC146818 data
 * sheet for where they are, the AT Technical Reference for 0x0f to 0x18, SeaBIOS (src/hw/rtc.h) for
 * those that virtual machines added. Not modelled: floppy and disk types (there are none).
 */
#include "hw/pc/pc.h"
#include "hw/timer/mc146818.h"

#include <string.h>

enum {
    SHUTDOWN_CODE = 0x0f,
    EQUIPMENT = 0x14,
    BASE_MEMORY = 0x15, /* KB                        */
    EXTENDED = 0x17,    /* KB above 1 MB             */
    EXTENDED_AGAIN = 0x30,
    ABOVE_16MB = 0x34, /* in units of 64 KB         */
    BOOT_LAST = 0x38,  /* third device, upper half  */
    BOOT_FIRST = 0x3d,
    ABOVE_4GB = 0x5b, /* three bytes, 64 KB        */
    EXTRA_CPUS = 0x5f,
};
enum { KB = 1024, MB = 1024 * KB, HAS_FPU = 2, HAS_MOUSE = 4, RESUME = 0xfe };

static void put(Pc *pc, unsigned at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        rtc_cmos_put(pc->rtc, at + i, value >> 8 * i);
    }
}

static uint64_t units_above(uint64_t bytes, uint64_t from, uint64_t unit)
{
    return MIN(bytes > from ? (bytes - from) / unit : 0, UINT16_MAX);
}

static void put_memory(Pc *pc)
{
    uint64_t below = pc->layout.below;

    put(pc, BASE_MEMORY, MIN(below / KB, 640), 2);
    put(pc, EXTENDED, units_above(below, MB, KB), 2);
    put(pc, EXTENDED_AGAIN, units_above(below, MB, KB), 2);
    put(pc, ABOVE_16MB, units_above(below, 16 * MB, 64 * KB), 2);
    put(pc, ABOVE_4GB, pc->layout.above / (64 * KB), 3);
}

/* Drives of -boot as the BIOS numbers them: floppy, disk, CD, network. */
static bool put_order(Pc *pc, const char *order, Error **err)
{
    static const char drives[] = "acdn";
    uint8_t code[3] = {0};

    for (unsigned i = 0; order[i]; i++) {
        const char *drive = strchr(drives, order[i]);

        if (!drive || i >= sizeof code) {
            return error_set(err, "-boot order %s is not up to three of %s", order, drives);
        }
        code[i] = drive - drives + 1;
    }
    put(pc, BOOT_FIRST, code[1] << 4 | code[0], 1);
    put(pc, BOOT_LAST, code[2] << 4, 1);
    return true;
}

/* once= is for the first start only; a machine that sleeps leaves a mark for the firmware. */
static void heard(Object *obj, MachineNews news)
{
    Pc *pc = (Pc *)obj;

    if (news == MACHINE_WAS_RESET) {
        put_order(pc, pc->machine.config.boot.order ?: "cad", NULL);
    } else if (news == MACHINE_SUSPENDING) {
        put(pc, SHUTDOWN_CODE, RESUME, 1);
    }
}

bool pc_fill_cmos(Pc *pc, Error **err)
{
    const MachineConfig *c = &pc->machine.config;
    const char *order = c->boot.order ?: "cad";

    put_memory(pc);
    put(pc, EQUIPMENT, HAS_FPU | HAS_MOUSE, 1);
    put(pc, EXTRA_CPUS, c->smp.cpus - 1, 1);
    pc->hook = (MachineHook){&pc->machine.obj, heard, NULL};
    machine_listen(&pc->machine, &pc->hook);
    return put_order(pc, order, err) && (!c->boot.once || put_order(pc, c->boot.once, err));
}
