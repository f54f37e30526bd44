/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 82093AA I/O APIC with 24 inputs, after Intel's data sheet (290566), and the EOI register that
 * version 0x20 adds (ICH9 data sheet, 13.5).
 *
 * Not modelled: polarity (a wire says "asserted", whichever level that is), delivery status and
 * arbitration, since messages take no time.
 */
#include "hw/intc/ioapic.h"

#include "util/trace.h"

#include <string.h>

enum { SELECT = 0, WINDOW = 0x10, EOI = 0x40, PAGE_BYTES = 0x1000, PINS = 24 };
enum { INDEX_ID, INDEX_VERSION, INDEX_ARBITRATION, INDEX_TABLE = 0x10 };
enum { LOGICAL = 1 << 11, REMOTE_IRR = 1 << 14, LEVEL = 1 << 15, MASKED = 1 << 16 };
enum { DEST_SHIFT = 56, MSI_BASE = 0xfee00000, MSI_LOGICAL = 4, MSI_ASSERT = 1 << 14 };
enum { VERSION_EOI = 0x20, ID_BITS = 0x0f000000 };
#define WRITABLE (0xffull << DEST_SHIFT | 0x1afff)

struct IoApic {
    Device dev;
    RegBank bank;
    MsiPort *port;
    EoiSink sink;
    uint64_t addr;
    uint8_t version, select;
    uint32_t id, lines;
    uint64_t entry[PINS];
    uint64_t routed[PINS]; /* as the engine routed_by knows them */
    const Accel *routed_by;
};

static MsiMessage message(uint64_t e)
{
    return (MsiMessage){
        .addr = MSI_BASE | e >> DEST_SHIFT << 12 | (e & LOGICAL ? MSI_LOGICAL : 0),
        .data = (e & (0x7ff | LEVEL)) | MSI_ASSERT,
    };
}

static void send(IoApic *a, unsigned n)
{
    msi_send(a->port, message(a->entry[n]));
}

/* An engine with local APICs of its own must know which vectors are levels, to tell of their end:
 * before the message, and until then, even when the entry is masked meanwhile. */
static void route(IoApic *a, unsigned n)
{
    Accel *engine = machine_accel(a->dev.machine);
    bool wanted = (a->entry[n] & (MASKED | REMOTE_IRR)) != MASKED;
    MsiMessage to = message(a->entry[n]);

    if (engine && engine->split && a->routed[n] != a->entry[n]) {
        a->routed[n] = a->entry[n];
        ((const AccelClass *)engine->obj.class)->route(engine, n, wanted ? &to : NULL, NULL);
    }
}

static void routes(IoApic *a)
{
    if (a->routed_by != machine_accel(a->dev.machine)) { /* it knows nothing yet */
        a->routed_by = machine_accel(a->dev.machine);
        memset(a->routed, 0, sizeof a->routed);
    }
    for (unsigned n = 0; n < PINS; n++) {
        route(a, n);
    }
}

/* A high level that nobody serves is sent; from then to its EOI the remote IRR bit is set. */
static void serve(IoApic *a, unsigned n)
{
    uint64_t e = a->entry[n];

    if (e & LEVEL && !(e & (MASKED | REMOTE_IRR)) && a->lines >> n & 1) {
        a->entry[n] |= REMOTE_IRR;
        route(a, n);
        send(a, n);
    }
}

static void pin_latch(IoApic *a, unsigned n, bool level)
{
    a->lines = level ? a->lines | 1u << n : a->lines & ~(1u << n);
}

/* The data sheet: an edge on a masked input is ignored, not held. */
static void pin_changed(IoApic *a, unsigned n, bool level)
{
    pin_latch(a, n, level);
    if (a->entry[n] & LEVEL) {
        serve(a, n);
    } else if (level && !(a->entry[n] & MASKED)) {
        send(a, n);
    }
}

static void ended(IoApic *a, uint8_t vector)
{
    for (unsigned n = 0; n < PINS; n++) {
        if (a->entry[n] & REMOTE_IRR && (uint8_t)a->entry[n] == vector) {
            a->entry[n] &= ~(uint64_t)REMOTE_IRR;
            serve(a, n);
        }
    }
}

/* It comes from a local APIC, possibly while one of our own messages is on its way there. */
static void service_ended(Object *owner, uint8_t vector)
{
    bool entered = object_enter(owner);

    ended(CAST(IoApic, owner), vector);
    if (entered) {
        object_leave(owner);
    }
}

static uint64_t window_get(IoApic *a, unsigned n)
{
    unsigned i = a->select - INDEX_TABLE;

    switch (a->select) {
    case INDEX_ID:
    case INDEX_ARBITRATION:
        return a->id;
    case INDEX_VERSION:
        return (PINS - 1) << 16 | a->version;
    }
    return i / 2 < PINS ? (uint32_t)(a->entry[i / 2] >> 32 * (i % 2)) : 0;
}

/* Edge mode forgets the remote IRR: what guests do that know no EOI register. */
static void entry_written(IoApic *a, unsigned n, uint64_t value)
{
    value = (value & WRITABLE) | (a->entry[n] & REMOTE_IRR);
    a->entry[n] = value & LEVEL ? value : value & ~(uint64_t)REMOTE_IRR;
    TRACE("ioapic.entry", "%u: %#" PRIx64, n, a->entry[n]);
    serve(a, n);
}

static void window_written(IoApic *a, RegWrite w)
{
    unsigned i = a->select - INDEX_TABLE, shift = 32 * (i % 2);

    if (a->select == INDEX_ID) {
        a->id = w.now & ID_BITS;
    } else if (i / 2 < PINS) {
        uint64_t mask = 0xffffffffull << shift;

        entry_written(a, i / 2, (a->entry[i / 2] & ~mask) | (w.now & 0xffffffff) << shift);
    } else {
        guest_error(a, "%#" PRIx64 " written to register %#x", w.now, a->select);
    }
}

static void eoi_written(IoApic *a, RegWrite w)
{
    if (a->version >= VERSION_EOI) {
        ended(a, w.raw);
    }
}

/* clang-format off */
static const Reg ioapic_regs[] = {
    REG(IoApic, SELECT, select, .writable = 0xff, .quiet = true),
    REG_CALC(WINDOW, 4, .writable = ~0u, .get = METHOD(IoApic, window_get), .wrote = METHOD(IoApic, window_written)),
    REG_CALC(EOI, 4,    .get = METHOD(IoApic, window_get), .wrote = METHOD(IoApic, eoi_written)),
    REG_END,
};
/* clang-format on */

/* ---- for people ---- */

static void describe_entry(const IoApic *a, unsigned n, GString *out)
{
    static const char *const modes[] = {"fixed", "lowest", "SMI", "...",
                                        "NMI",   "INIT",   "...", "ExtINT"};
    uint64_t e = a->entry[n];

    g_string_append_printf(out, "  pin %-2u 0x%016" PRIx64 " dest=%u vec=%-3u %s %s %s %s%s%s\n", n,
                           e, (unsigned)(e >> DEST_SHIFT), (unsigned)(e & 0xff),
                           e & LEVEL ? "level" : "edge ", e & MASKED ? "masked" : "      ",
                           modes[e >> 8 & 7], e & LOGICAL ? "logical" : "physical",
                           e & REMOTE_IRR ? ", in service" : "", a->lines >> n & 1 ? ", high" : "");
}

void ioapic_describe(const IoApic *a, GString *out)
{
    g_string_append_printf(out, "%s: ver=0x%x id=0x%02x sel=0x%02x at 0x%" PRIx64 "\n",
                           a->dev.obj.name, a->version, a->id >> 24, a->select, a->addr);
    for (unsigned n = 0; n < PINS; n++) {
        describe_entry(a, n, out);
    }
}

static bool ioapic_realize(IoApic *a, Error **err)
{
    if (!a->port) {
        return error_set(err, "ioapic needs a port");
    }
    regs_init(&a->bank, &a->dev, "ioapic", ioapic_regs, PAGE_BYTES);
    region_map(machine_memory(a->dev.machine), a->addr, &a->bank.region, 0);
    a->sink = (EoiSink){&a->dev.obj, service_ended, NULL};
    msi_port_listen(a->port, &a->sink);
    return true;
}

static void ioapic_unrealize(Object *obj)
{
    IoApic *a = CAST(IoApic, obj);

    msi_port_unlisten(a->port, &a->sink);
}

static void ioapic_reset(IoApic *a, ResetKind kind)
{
    for (unsigned n = 0; n < PINS; n++) {
        a->entry[n] = MASKED;
    }
}

static const Prop ioapic_props[] = {
    PROP_LINK(IoApic, port, MsiPort, "where its messages go"),
    PROP(IoApic, addr, 0xfec00000, "where it is mapped"),
    PROP(IoApic, version, VERSION_EOI, "0x11, or 0x20 with an EOI register"),
    PROP_END,
};

static const StateField ioapic_state[] = {
    STATE(IoApic, id),
    STATE(IoApic, lines),
    STATE(IoApic, entry),
    STATE_SKIP(IoApic, routed, "derived"),
    STATE_SKIP(IoApic, routed_by, "host"),
    STATE_SKIP(IoApic, sink, "config"),
    STATE_END,
};

static const Pin ioapic_pins[] = {
    PIN_IN("in", PINS, METHOD(IoApic, pin_changed), METHOD(IoApic, pin_latch)),
    PIN_END,
};

const DeviceClass IoApic_class = {
    .class = {"ioapic", "I/O APIC", &Device_class.class, sizeof(IoApic), ioapic_props},
    .onboard = true,
    .state = ioapic_state,
    .pins = ioapic_pins,
    .realize = METHOD(IoApic, ioapic_realize),
    .unrealize = ioapic_unrealize,
    .reset = METHOD(IoApic, ioapic_reset),
    .settle = METHOD(IoApic, routes),
};
CLASS(IoApic);
