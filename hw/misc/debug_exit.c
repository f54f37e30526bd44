/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * isa-debug-exit: a guest's test suite ends the emulator. Writing v ends the process with status
 * (v << 1) | 1, never 0. There is no hardware of this kind; the interface is QEMU's.
 */
#include "hw/misc/debug_exit.h"

#include "softmmu/run/run.h"

struct DebugExit {
    IsaDevice isa;
    Region region;
    uint32_t iosize;
};

static MemResult exit_write(DebugExit *e, Io *io)
{
    machine_request_exit(e->isa.dev.machine, (io->value << 1 | 1) & 0xff);
    return MEM_OK;
}

static MemResult exit_read(DebugExit *e, Io *io)
{
    io->value = 0;
    return MEM_OK;
}

static bool exit_realize(DebugExit *e, Error **err)
{
    static const MemOps ops = {
        .read = METHOD(DebugExit, exit_read),
        .write = METHOD(DebugExit, exit_write),
        .accepts = {1, 4, true},
    };

    region_init_io(&e->region, &e->isa.dev.obj, "debug-exit", e->iosize, &ops);
    return isa_ports(&e->isa, &e->region, err);
}

static const Prop exit_props[] = {
    PROP_AS(DebugExit, "iobase", isa.iobase, 0x501, "first I/O port", .max = 0xffff),
    PROP(DebugExit, iosize, 2, "how many ports", .min = 1, .max = 0x100),
    PROP_END,
};
static const StateField exit_state[] = {STATE_SKIP(DebugExit, region, "config"), STATE_END};

const DeviceClass DebugExit_class = {
    .class = {"isa-debug-exit", "ends the process with the guest's status", &IsaDevice_class.class,
              sizeof(DebugExit), exit_props},
    .state = exit_state,
    .realize = METHOD(DebugExit, exit_realize),
};
CLASS(DebugExit);
