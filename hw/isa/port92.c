/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System control port A of the PS/2 (port 0x92): the fast A20 gate and the fast reset.
 *
 * Not modelled: the other bits, which are storage (the disk light, the watchdog, the CMOS lock).
 */
#include "hw/isa/port92.h"

#include "softmmu/run/run.h"

enum { CONTROL, FAST_RESET = 1, A20 = 2 };

struct Port92 {
    Device dev;
    RegBank bank;
    IrqLine a20;
    uint8_t control;
};

static void port92_settle(Port92 *p)
{
    irq_set(&p->a20, p->control & A20);
}

static void control_written(Port92 *p, RegWrite w)
{
    if (w.now & ~w.old & FAST_RESET) {
        machine_request_reset(p->dev.machine, RESET_WARM);
    }
}

static const Reg port92_regs[] = {
    REG(Port92, CONTROL, control, .writable = 0xff, .wrote = METHOD(Port92, control_written)),
    REG_END,
};

static bool port92_realize(Port92 *p, Error **err)
{
    regs_init(&p->bank, &p->dev, "port92", port92_regs, 1);
    region_map(machine_ports(p->dev.machine), 0x92, &p->bank.region, 0);
    return true;
}

static const Pin port92_pins[] = {PIN_OUT(Port92, a20), PIN_END};

const DeviceClass Port92_class = {
    .class = {"port92", "fast A20 gate and reset", &Device_class.class, sizeof(Port92)},
    .onboard = true,
    .pins = port92_pins,
    .realize = METHOD(Port92, port92_realize),
    .settle = METHOD(Port92, port92_settle),
};
CLASS(Port92);
