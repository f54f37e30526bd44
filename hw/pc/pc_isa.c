/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a PC has had since the AT, behind its ISA bridge: timers, clock, keyboard controller, port
 * 0x92 and serial ports.
 * Not modelled: floppy controller, parallel port.
 */
#include "chardev/chardev.h"
#include "hw/pc/pc.h"
#include "hw/timer/hpet.h"

#include <string.h>

enum {
    IRQ_TIMER = 0,
    IRQ_KEYBOARD = 1,
    IRQ_CASCADE = 2,
    IRQ_RTC = 8,
    IRQ_MOUSE = 12,
    IRQ_FPU = 13,
    HPET_LINES = 24
};

static Device *add(Pc *pc, const char *class, const char *name, const PropValue *props, Error **err)
{
    const Class *c = class_choose(class, &Device_class, "device", err);

    return c ? device_add(&pc->machine, c, name, NULL, NULL, props, err) : NULL;
}

/* Address line 20 is open while the keyboard controller or port 0x92 opens it. */
static bool wire_a20(Pc *pc, Device *from, Error **err)
{
    for (unsigned n = 0; n < pc->cpu_count; n++) {
        if (!irq_wire(from, "a20", 0, pc->cpus[n], "a20", 0, err)) {
            return false;
        }
    }
    return true;
}

/* ---- timers ---- */

/* The 8254 and the clock pass through the HPET, which can take their places. Its own lines are the
 * IOAPIC's inputs; input 2 belongs to IRQ 0 and is no other PIC's. */
static bool add_hpet(Pc *pc, Device *pit, Error **err)
{
    Device *hpet = add(pc, "hpet", "hpet", NULL, err);
    bool ok = hpet && irq_wire(pit, "out", 0, hpet, "legacy_in", 0, err) &&
              irq_wire(hpet, "replaces", 0, pit, "replaced", 0, err) &&
              irq_wire(pc->rtc, "irq", 0, hpet, "legacy_in", 1, err) &&
              pc_wire(pc, hpet, "legacy", 0, IRQ_TIMER, err) &&
              pc_wire(pc, hpet, "legacy", 1, IRQ_RTC, err);

    for (unsigned n = 0; ok && n < HPET_LINES; n++) {
        ok = n == IRQ_CASCADE ? irq_wire(hpet, "gsi", n, pc->ioapic, "in", n, err)
                              : pc_wire(pc, hpet, "gsi", n, n, err);
    }
    return ok;
}

static bool add_timers(Pc *pc, Error **err)
{
    Device *pit = add(pc, "isa-pit", "pit", NULL, err);

    pc->rtc = pit ? add(pc, "mc146818rtc", "rtc", NULL, err) : NULL;
    if (pc->rtc && !irq_wire(pc->rtc, "irq", 0, pc->pm, "rtc", 0, err)) {
        return false;
    }
    if (pc->rtc && pc->machine.config.hpet != OFF) {
        return add_hpet(pc, pit, err);
    }
    return pc->rtc && pc_wire(pc, pit, "out", 0, IRQ_TIMER, err) &&
           pc_wire(pc, pc->rtc, "irq", 0, IRQ_RTC, err);
}

/* ---- serial ports and the rest ---- */

static bool add_serial(Pc *pc, unsigned n, Error **err)
{
    static const uint16_t base[] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
    static const uint8_t irq[] = {4, 3, 4, 3};
    g_autofree char *name = g_strdup_printf("serial%u", n);
    const PropValue props[] = {{"iobase", NUMBER(base[n])},
                               {"irq", NUMBER(irq[n])},
                               {"chardev", LINK(pc->machine.config.serial[n])},
                               {}};

    return !pc->machine.config.serial[n] || device_add(&pc->machine, class_find("isa-serial"), name,
                                                       &pc->isa->bus, NULL, props, err);
}

/* Keyboard controller and port 0x92, which both gate A20; DMA controllers. */
static bool add_board_controllers(Pc *pc, Error **err)
{
    Device *kbc = add(pc, "i8042", "i8042", NULL, err);
    Device *port92 = kbc ? add(pc, "port92", "port92", NULL, err) : NULL;

    return port92 && add(pc, "i8257", "dma", NULL, err) && wire_a20(pc, kbc, err) &&
           wire_a20(pc, port92, err) && pc_wire(pc, kbc, "irq", 0, IRQ_KEYBOARD, err) &&
           pc_wire(pc, kbc, "irq", 1, IRQ_MOUSE, err);
}

/* All CPUs' FERR# are joined, as on boards with several. */
static bool add_fpu_error(Pc *pc, Error **err)
{
    Device *dev = add(pc, "fpu-error", "fpu-error", NULL, err);

    for (unsigned n = 0; dev && n < pc->cpu_count; n++) {
        if (!irq_wire(pc->cpus[n], "ferr", 0, dev, "ferr", 0, err)) {
            return false;
        }
    }
    return dev && pc_wire(pc, dev, "irq", 0, IRQ_FPU, err);
}

bool pc_add_isa(Pc *pc, Error **err)
{
    if (!add_timers(pc, err) || !add_board_controllers(pc, err) || !add_fpu_error(pc, err)) {
        return false;
    }
    for (unsigned n = 0; n < 4; n++) {
        if (!add_serial(pc, n, err)) {
            return false;
        }
    }
    return true;
}
