/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pvpanic: the guest's kernel says that it has crashed. One byte, at an ISA port or in a PCI
 * function's memory BAR; reading gives the events that are understood. Follows the specification
 * "PVPANIC DEVICE" in Linux's and QEMU's documentation.
 *
 * What a crash does is the user's choice (set-action); without one the machine ends, or with
 * -no-shutdown waits.
 */
#include "hw/misc/pvpanic.h"

#include "qapi/events.h"
#include "softmmu/run/board.h"
#include "softmmu/run/run.h"
#include "util/trace.h"

enum { PANICKED = 1, CRASH_LOADED = 2, ALL_EVENTS = 3, BAR_BYTES = 16 };

static void panicked(Machine *m)
{
    const MachineConfig *c = machine_config(m);
    bool pause = c->on_panic == PANIC_PAUSE || (c->on_panic == PANIC_SHUTDOWN && c->no_shutdown);
    GuestPanickedEvent event = {.action = pause                     ? GUEST_PANIC_ACTION_PAUSE
                                        : c->on_panic == PANIC_NONE ? GUEST_PANIC_ACTION_RUN
                                                                    : GUEST_PANIC_ACTION_POWEROFF};

    event_guest_panicked(m, &event);
    if (pause) {
        machine_request_pause(m, MACHINE_CRASHED);
    } else if (c->on_panic == PANIC_EXIT_FAILURE) {
        machine_request_exit(m, 1);
    } else if (c->on_panic == PANIC_SHUTDOWN) {
        machine_request_shutdown(m, SHUTDOWN_GUEST_PANIC);
    }
}

static void report(Device *dev, uint8_t events, uint8_t known)
{
    if (events & ~known) {
        guest_error(dev, "events %#x, but only %#x are offered", events, known);
    }
    if (events & known & PANICKED) {
        panicked(dev->machine);
    } else if (events & known & CRASH_LOADED) {
        event_guest_crashloaded(dev->machine,
                                &(GuestCrashloadedEvent){.action = GUEST_PANIC_ACTION_RUN});
        TRACE("pvpanic.crash_loaded", "%s: the guest starts its crash kernel", dev->obj.name);
    }
}

/* ---- on the ISA bus ---- */

struct Pvpanic {
    IsaDevice isa;
    Region region;
    uint8_t events;
};

static MemResult isa_read(Pvpanic *p, Io *io)
{
    io->value = p->events;
    return MEM_OK;
}

static MemResult isa_write(Pvpanic *p, Io *io)
{
    report(&p->isa.dev, io->value, p->events);
    return MEM_OK;
}

static bool isa_realize(Pvpanic *p, Error **err)
{
    static const MemOps ops = {
        .read = METHOD(Pvpanic, isa_read),
        .write = METHOD(Pvpanic, isa_write),
        .accepts = {1, 1},
    };

    region_init_io(&p->region, &p->isa.dev.obj, "pvpanic", 1, &ops);
    return isa_ports(&p->isa, &p->region, err);
}

static const Prop isa_props[] = {
    PROP_AS(Pvpanic, "ioport", isa.iobase, 0x505, "I/O port", .max = 0xffff),
    PROP(Pvpanic, events, ALL_EVENTS, "what the guest may report", .max = ALL_EVENTS),
    PROP_END,
};
static const StateField isa_state[] = {STATE_SKIP(Pvpanic, region, "config"), STATE_END};

const DeviceClass Pvpanic_class = {
    .class = {"pvpanic", "the guest reports its crash", &IsaDevice_class.class, sizeof(Pvpanic),
              isa_props},
    .state = isa_state,
    .realize = METHOD(Pvpanic, isa_realize),
};
CLASS(Pvpanic);

/* ---- on the PCI bus ---- */

struct PvpanicPci {
    PciDevice pci;
    Region region;
    uint8_t events;
};

static MemResult bar_read(PvpanicPci *p, Io *io)
{
    io->value = io->offset ? 0 : p->events;
    return MEM_OK;
}

static MemResult bar_write(PvpanicPci *p, Io *io)
{
    if (!io->offset) {
        report(&p->pci.dev, io->value, p->events);
    }
    return MEM_OK;
}

static bool pci_realize(PvpanicPci *p, Error **err)
{
    static const MemOps ops = {
        .read = METHOD(PvpanicPci, bar_read),
        .write = METHOD(PvpanicPci, bar_write),
        .accepts = {1, 8, true},
        .does = {1, 1},
    };

    region_init_io(&p->region, &p->pci.dev.obj, "pvpanic", BAR_BYTES, &ops);
    pci_bar(&p->pci, 0, BAR_MEM32, &p->region);
    return true;
}

static const Prop pci_props[] = {
    PROP(PvpanicPci, events, ALL_EVENTS, "what the guest may report", .max = ALL_EVENTS),
    PROP_END,
};
static const StateField pci_state[] = {STATE_SKIP(PvpanicPci, region, "config"), STATE_END};

const PciDeviceClass PvpanicPci_class = {
    .device = {.class = {"pvpanic-pci", "the guest reports its crash",
                         &PciDevice_class.device.class, sizeof(PvpanicPci), pci_props},
               .state = pci_state,
               .realize = METHOD(PvpanicPci, pci_realize)},
    .vendor = 0x1b36,
    .id = 0x0011,
    .class_code = 0x088000,
    .revision = 1,
};
CLASS(PvpanicPci);
