/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bus between local APICs, IOAPICs and devices that send messages. Devices write to it at
 * 0xfee00000 of system memory, where a vCPU sees its own local APIC instead. It follows SDM volume
 * 3, sections 11.6.2 (destinations) and 11.11 (message signalled interrupts).
 *
 * Not modelled: interrupt remapping, extended destination IDs in messages. Lowest-priority
 * delivery compares PPRs and takes turns among equals; there is no focus processor.
 */
#include "hw/intc/msi_port.h"

#include "hw/intc/lapic.h"
#include "util/trace.h"

enum { PAGE_BASE = 0xfee00000, PORT_BYTES = 0x100000 };
enum { ADDR_LOGICAL = 4, ADDR_HINT = 8, DATA_ASSERT = 1 << 14, DATA_LEVEL = 1 << 15 };

struct MsiPort {
    Device dev;
    Region region;
    GPtrArray *lapics;
    EoiSink *sinks;
    uint32_t turn; /* where the last search for the lowest priority ended */
};

static Lapic *lowest(MsiPort *p, const ApicMessage *m)
{
    Lapic *best = NULL;
    guint n = p->lapics->len, winner = 0;

    for (guint i = 0; i < n; i++) {
        guint at = (p->turn + 1 + i) % n;
        Lapic *l = p->lapics->pdata[at];

        if (lapic_matches(l, m) && (!best || lapic_priority(l) < lapic_priority(best))) {
            best = l;
            winner = at;
        }
    }
    p->turn = best ? winner : p->turn;
    return best;
}

unsigned msi_port_deliver(MsiPort *p, const ApicMessage *m, const Lapic *except)
{
    unsigned taken = 0;

    if (m->lowest && !m->broadcast) {
        Lapic *l = lowest(p, m);

        if (l) {
            lapic_accept(l, m);
        }
        return l != NULL;
    }
    for (guint i = 0; i < p->lapics->len; i++) {
        Lapic *l = p->lapics->pdata[i];

        if (l != except && lapic_matches(l, m)) {
            lapic_accept(l, m);
            taken++;
        }
    }
    return taken;
}

/* The engine's local APICs take messages themselves; the end of a level means nothing to them. */
static bool engine_takes(MsiPort *p, MsiMessage message)
{
    Accel *a = machine_accel(p->dev.machine);

    if (!a || !a->split) {
        return false;
    }
    if (!(message.data & DATA_LEVEL) || message.data & DATA_ASSERT) {
        ((const AccelClass *)a->obj.class)->msi(a, message);
    }
    return true;
}

void msi_send(MsiPort *p, MsiMessage message)
{
    if (engine_takes(p, message)) {
        return;
    }
    uint8_t dest = message.addr >> 12, mode = message.data >> 8 & 7;
    ApicMessage m = {
        .dest = dest,
        .vector = message.data,
        .mode = mode,
        .logical = message.addr & ADDR_LOGICAL,
        .broadcast = dest == 0xff,
        .lowest = mode == DELIVER_LOWEST || (mode == DELIVER_FIXED && message.addr & ADDR_HINT),
        .level = message.data & DATA_LEVEL,
    };

    if (m.level && !(message.data & DATA_ASSERT) && mode <= DELIVER_LOWEST) {
        return; /* the end of a level: nothing to deliver */
    }
    if (!msi_port_deliver(p, &m, NULL)) {
        guest_error(p, "message %#x for %#" PRIx64 " reaches nobody", message.data, message.addr);
    }
}

void msi_port_join(MsiPort *p, Lapic *lapic)
{
    g_ptr_array_add(p->lapics, lapic);
}

void msi_port_leave(MsiPort *p, Lapic *lapic)
{
    g_ptr_array_remove(p->lapics, lapic);
}

void msi_port_listen(MsiPort *p, EoiSink *sink)
{
    sink->next = p->sinks;
    p->sinks = sink;
}

void msi_port_unlisten(MsiPort *p, EoiSink *sink)
{
    for (EoiSink **at = &p->sinks; *at; at = &(*at)->next) {
        if (*at == sink) {
            *at = sink->next;
            return;
        }
    }
}

void msi_port_eoi(MsiPort *p, uint8_t vector)
{
    for (EoiSink *s = p->sinks; s; s = s->next) {
        s->ended(s->owner, vector);
    }
}

/* A vCPU gets here when its own page is elsewhere or off; the processor sends no such write out. */
static MemResult port_write(MsiPort *p, Io *io)
{
    if (io->by.cpu) {
        guest_error(p, "a vCPU wrote %#" PRIx64 " where only devices send messages", io->value);
        return MEM_DENIED;
    }
    msi_send(p, (MsiMessage){PAGE_BASE + io->offset, io->value, io->by.requester});
    return MEM_OK;
}

static MemResult port_read(MsiPort *p, Io *io)
{
    return MEM_DENIED;
}

static void port_init(Object *obj)
{
    ((MsiPort *)obj)->lapics = g_ptr_array_new();
}

static void port_finalize(Object *obj)
{
    g_ptr_array_free(((MsiPort *)obj)->lapics, TRUE);
}

static bool port_realize(MsiPort *p, Error **err)
{
    static const MemOps ops = {
        .read = METHOD(MsiPort, port_read),
        .write = METHOD(MsiPort, port_write),
        .accepts = {4, 4},
    };

    region_init_io(&p->region, &p->dev.obj, "msi", PORT_BYTES, &ops);
    region_map(machine_memory(p->dev.machine), PAGE_BASE, &p->region, 0);
    return true;
}

static const StateField port_state[] = {
    STATE(MsiPort, turn),
    STATE_SKIP(MsiPort, region, "config"),
    STATE_SKIP(MsiPort, lapics, "config"),
    STATE_SKIP(MsiPort, sinks, "config"),
    STATE_END,
};

const DeviceClass MsiPort_class = {
    .class = {"msi-port", "where interrupt messages arrive", &Device_class.class, sizeof(MsiPort),
              .init = port_init, .finalize = port_finalize},
    .onboard = true,
    .state = port_state,
    .realize = METHOD(MsiPort, port_realize),
};
CLASS(MsiPort);
