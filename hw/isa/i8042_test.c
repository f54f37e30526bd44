/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/isa/i8042.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

enum { DATA = 0x60, COMMAND = 0x64, FULL = 1, AUX = 0x20, TIMEOUT = 0x40, IRQ1 = 1, IRQ12 = 12 };

static Board *kbc(void)
{
    Board *b = board_new();
    Device *dev = board_add(b, &Kbc_class, NULL, NULL);
    Device *sink = (Device *)object_at((Object *)board_machine(b), "sink");

    irq_wire(dev, "irq", 0, sink, "in", IRQ1, NULL);
    irq_wire(dev, "irq", 1, sink, "in", IRQ12, NULL);
    board_watch(b, dev, "a20", 0);
    return b;
}

static uint8_t ask(Board *b, uint8_t command)
{
    outb(b, COMMAND, command);
    return inb(b, DATA);
}

TEST("i8042: self test, port tests and the command byte")
{
    Board *b = kbc();

    check(ask(b, 0xaa), 0x55);
    check(inb(b, COMMAND), 0x1c); /* unlocked, command last, system flag */
    check(ask(b, 0xab), 0);
    check(ask(b, 0xa9), 0);
    outb(b, COMMAND, 0x60);
    outb(b, DATA, 0x65);
    check(ask(b, 0x20), 0x65);
    outb(b, COMMAND, 0xa7);
    check(ask(b, 0x20), 0x65 | 0x20);
}

TEST("i8042: the keyboard answers reset and identify, a byte and an interrupt at a time")
{
    Board *b = kbc();

    outb(b, DATA, 0xff);
    check(inb(b, COMMAND) & (FULL | AUX), FULL);
    check(irq_seen(b, IRQ1), 1);
    check(inb(b, DATA), 0xfa);
    check(irq_edges(b, IRQ1), 2);
    check(inb(b, DATA), 0xaa);
    check(irq_seen(b, IRQ1), 0);
    check(inb(b, COMMAND) & FULL, 0);
    outb(b, DATA, 0xf2);
    check(inb(b, DATA) == 0xfa && inb(b, DATA) == 0xab && inb(b, DATA) == 0x83, true);
}

TEST("i8042: translation turns set 2 into set 1, the identity included")
{
    Board *b = kbc();

    outb(b, COMMAND, 0x60);
    outb(b, DATA, 0x41);
    outb(b, DATA, 0xf2);
    check(inb(b, DATA) == 0xfa && inb(b, DATA) == 0xab && inb(b, DATA) == 0x41, true);
}

TEST("i8042: a reply of the controller goes before the keyboard's bytes and loses none")
{
    Board *b = kbc();

    outb(b, DATA, 0xee);
    check(ask(b, 0x20), 0x03);
    check(inb(b, DATA), 0xee);
}

TEST("i8042: a disabled keyboard keeps its bytes until it is enabled")
{
    Board *b = kbc();

    outb(b, DATA, 0xee);
    outb(b, COMMAND, 0xad);
    check(inb(b, COMMAND) & FULL, 0);
    check(irq_seen(b, IRQ1), 0);
    outb(b, COMMAND, 0xae);
    check(irq_seen(b, IRQ1), 1);
    check(inb(b, DATA), 0xee);
}

TEST("i8042: the auxiliary port loops back, but nobody is there")
{
    Board *b = kbc();

    outb(b, COMMAND, 0xd3);
    outb(b, DATA, 0x5a);
    check(inb(b, COMMAND) & (FULL | AUX), FULL | AUX);
    check(irq_seen(b, IRQ12), 1);
    check(inb(b, DATA), 0x5a);
    outb(b, COMMAND, 0xd4);
    outb(b, DATA, 0xf2);
    check(inb(b, COMMAND) & (FULL | AUX | TIMEOUT), FULL | AUX | TIMEOUT);
    check(inb(b, DATA), 0xfe);
    check(inb(b, COMMAND) & (FULL | AUX | TIMEOUT), 0);
}

TEST("i8042: the output port gates A20, which is open after reset")
{
    Board *b = kbc();

    machine_reset(board_machine(b), RESET_POWER);
    check(irq_seen(b, 0), 1);
    outb(b, COMMAND, 0xd1);
    outb(b, DATA, 0xdd);
    check(irq_seen(b, 0), 0);
    check(ask(b, 0xd0) & 2, 0);
    outb(b, COMMAND, 0xdf);
    check(irq_seen(b, 0), 1);
}

TEST("i8042: pulsing the reset line, or holding it, resets the machine")
{
    Board *b = kbc();

    outb(b, COMMAND, 0xdd);
    outb(b, COMMAND, 0xfe);
    check(irq_seen(b, 0), 1); /* A20 is open again */
    outb(b, COMMAND, 0xdd);
    outb(b, COMMAND, 0xd1);
    outb(b, DATA, 0x02);
    check(irq_seen(b, 0), 1);
}

TEST("i8042: keyboard commands with parameters; an unknown one asks to resend")
{
    Board *b = kbc();

    outb(b, DATA, 0xf0);
    check(inb(b, DATA), 0xfa);
    outb(b, DATA, 0x00);
    check(inb(b, DATA), 0xfa);
    check(inb(b, DATA), 0x02);
    outb(b, DATA, 0xed);
    check(inb(b, DATA), 0xfa);
    outb(b, DATA, 0x07);
    check(inb(b, DATA), 0xfa);
    outb(b, DATA, 0x12);
    check(inb(b, DATA), 0xfe);
}

TEST("i8042: a debugger that reads the data port takes nothing")
{
    Board *b = kbc();
    uint8_t byte;

    outb(b, DATA, 0xee);
    mem_read(machine_port_space(board_machine(b)), (Access){.debug = true}, DATA, &byte, 1);
    check(byte, 0xee);
    check(inb(b, COMMAND) & FULL, FULL);
}
