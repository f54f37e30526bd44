/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * isa-debugcon: a port whose bytes go to the host, for firmware. A read answers a constant, by
 * which Bochs' port 0xe9 is recognised. SeaBIOS and OVMF write to port 0x402.
 */
#include "hw/char/debugcon.h"

struct DebugCon {
    IsaDevice isa;
    Region region;
    Chardev *chardev;
    uint32_t readback;
};

static MemResult debugcon_write(DebugCon *d, Io *io)
{
    uint8_t byte = io->value;

    char_write(d->chardev, &byte, 1);
    d->isa.dev.quiet = true;
    return MEM_OK;
}

static MemResult debugcon_read(DebugCon *d, Io *io)
{
    io->value = d->readback;
    d->isa.dev.quiet = true;
    return MEM_OK;
}

static bool debugcon_realize(DebugCon *d, Error **err)
{
    static const MemOps ops = {
        .read = METHOD(DebugCon, debugcon_read),
        .write = METHOD(DebugCon, debugcon_write),
        .accepts = {1, 1},
    };

    if (!d->chardev) {
        error_set(err, "isa-debugcon needs a chardev");
        return error_hint(err, "-chardev stdio,id=log -device isa-debugcon,chardev=log");
    }
    region_init_io(&d->region, &d->isa.dev.obj, "debugcon", 1, &ops);
    return isa_ports(&d->isa, &d->region, err);
}

static const Prop debugcon_props[] = {
    PROP_AS(DebugCon, "iobase", isa.iobase, 0xe9, "I/O port", .max = 0xffff),
    PROP_LINK(DebugCon, chardev, Chardev, "where the bytes go"),
    PROP(DebugCon, readback, 0xe9, "what the port reads as"),
    PROP_END,
};
static const StateField debugcon_state[] = {STATE_SKIP(DebugCon, region, "config"), STATE_END};

const DeviceClass DebugCon_class = {
    .class = {"isa-debugcon", "debug port to the host", &IsaDevice_class.class, sizeof(DebugCon),
              debugcon_props},
    .state = debugcon_state,
    .realize = METHOD(DebugCon, debugcon_realize),
};
CLASS(DebugCon);
