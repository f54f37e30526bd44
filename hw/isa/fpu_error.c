/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PC's way of x87 exceptions with CR0.NE clear (PIIX3 data sheet, "Coprocessor error function";
 * SDM volume 1, "MS-DOS compatibility sub-mode"): FERR# raises IRQ 13, which any write to port 0xf0
 * takes back.
 * Not modelled: IGNNE#, which that write would assert: handlers that execute a waiting x87
 * instruction before they clear the exception get another IRQ 13.
 */
#include "hw/isa/fpu_error.h"

enum { PORT = 0xf0, CLEAR = 0 };

struct FpuError {
    Device dev;
    RegBank bank;
    IrqLine irq;
    bool latched;
    uint8_t clear; /* what was written last: nothing reads it */
};

static void fpu_error_settle(FpuError *f)
{
    irq_set(&f->irq, f->latched);
}

static void ferr_in(FpuError *f, unsigned n, bool level)
{
    f->latched |= level;
}

static void ferr_latch(FpuError *f, unsigned n, bool level)
{
}

static void clear_written(FpuError *f, RegWrite w)
{
    f->latched = false;
}

static const Reg fpu_error_regs[] = {
    REG(FpuError, CLEAR, clear, .writable = 0xff, .wrote = METHOD(FpuError, clear_written)),
    REG_END,
};

static bool fpu_error_realize(FpuError *f, Error **err)
{
    regs_init(&f->bank, &f->dev, "fpu-error", fpu_error_regs, 1);
    region_map(machine_ports(f->dev.machine), PORT, &f->bank.region, 0);
    return true;
}

static void fpu_error_reset(FpuError *f, ResetKind kind)
{
    f->latched = false;
}

static const StateField fpu_error_state[] = {STATE(FpuError, latched), STATE_END};

static const Pin fpu_error_pins[] = {
    PIN_OUT(FpuError, irq),
    PIN_IN("ferr", 1, METHOD(FpuError, ferr_in), METHOD(FpuError, ferr_latch)),
    PIN_END,
};

const DeviceClass FpuError_class = {
    .class = {"fpu-error", "x87 exceptions as IRQ 13", &Device_class.class, sizeof(FpuError)},
    .onboard = true,
    .state = fpu_error_state,
    .pins = fpu_error_pins,
    .realize = METHOD(FpuError, fpu_error_realize),
    .reset = METHOD(FpuError, fpu_error_reset),
    .settle = METHOD(FpuError, fpu_error_settle),
};
CLASS(FpuError);
