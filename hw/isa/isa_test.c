/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/isa/isa.h"
#include "hw/misc/debug_exit.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

static IsaBus *isa(Board *b)
{
    Device *bridge = device_add(board_machine(b), &Device_class, "isabr", NULL, NULL, NULL, NULL);

    return CAST(IsaBus, bus_new(&IsaBus_class, bridge, "isa.0"));
}

typedef struct Card {
    IsaDevice isa;
    bool on;
} Card;

static void card_settle(Card *c)
{
    irq_set(&c->isa.irq, c->on);
}

static bool card_realize(Card *c, Error **err)
{
    c->on = true;
    return isa_connect(&c->isa, err);
}

static const Prop card_props[] = {PROP_AS(Card, "irq", isa.irq_number, 5, "its IRQ"), PROP_END};
static const StateField card_state[] = {STATE_SKIP(Card, on, "config"), STATE_END};
static const DeviceClass Card_class = {
    .class = {"test-card", "holds its IRQ high", &IsaDevice_class.class, sizeof(Card), card_props},
    .state = card_state,
    .realize = METHOD(Card, card_realize),
    .settle = METHOD(Card, card_settle),
};

TEST("isa: a card's IRQ reaches every input that the board named for its number")
{
    Board *b = board_new();
    IsaBus *bus = isa(b);
    Device *sink = (Device *)object_at((Object *)board_machine(b), "sink");

    isa_route(bus, 5, sink, "in", 5);
    isa_route(bus, 5, sink, "in", 21);
    device_add(board_machine(b), &Card_class, "card", &bus->bus, NULL, NULL, NULL);
    check(irq_seen(b, 5), 1);
    check(irq_seen(b, 21), 1);
}

TEST("isa: an IRQ above 15, ports above 64 KB and an address are refused")
{
    static const PropValue irq[] = {{"irq", NUMBER(16)}, {}},
                           base[] = {{"iobase", NUMBER(0xffff)}, {}};
    Board *b = board_new();
    Machine *m = board_machine(b);
    Bus *bus = &isa(b)->bus;
    Error *err = NULL;

    device_add(m, &Card_class, "card", bus, NULL, irq, &err);
    check_str(error_text(err), "irq 16 is not below 16");
    error_free(err), err = NULL;
    device_add(m, &DebugExit_class, "exit", bus, NULL, base, &err);
    check_str(error_text(err), "iobase 0xffff: 2 ports do not fit below 0x10000");
    error_free(err), err = NULL;
    device_add(m, &Card_class, "card", bus, "3", NULL, &err);
    check_str(error_text(err), "addr 3: the ISA bus knows no addresses");
    error_free(err);
}
