/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/char/uart16550.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

enum {
    COM1 = 0x3f8,
    IER = COM1 + 1,
    IIR = COM1 + 2,
    FCR = COM1 + 2,
    LCR = COM1 + 3,
    MCR = COM1 + 4
};
enum { LSR = COM1 + 5, MSR = COM1 + 6, IRQ4 = 4, CHARACTER_NS = 1000000000 / 960 };

static Board *com1(void)
{
    Board *b = board_new();

    board_add(b, &Uart_class, NULL, NULL);
    outb(b, COM1 + 4, 0x08); /* MCR: OUT2 lets interrupts out */
    return b;
}

TEST("uart16550: written bytes reach the back end in order")
{
    Board *b = com1();

    outb(b, COM1, 'h');
    outb(b, COM1, 'i');
    check_str(char_sent(b), "hi");
}

TEST("uart16550: a received byte interrupts until it is read; the next one waits")
{
    Board *b = com1();

    outb(b, COM1 + 1, 0x01); /* IER: receive */
    check(char_feed(b, 'x'), true);
    check(char_feed(b, 'y'), false);
    check(irq_seen(b, IRQ4), 1);
    check(inb(b, COM1 + 2), 0x04); /* IIR: data ready */
    check(inb(b, COM1), 'x');
    check(irq_seen(b, IRQ4), 1); /* y follows */
    check(inb(b, COM1), 'y');
    check(irq_seen(b, IRQ4), 0);
}

TEST("uart16550: reading IIR acknowledges the transmit interrupt")
{
    Board *b = com1();

    outb(b, COM1 + 1, 0x02); /* IER: transmit; the transmitter is empty already */
    check(irq_seen(b, IRQ4), 1);
    check(inb(b, COM1 + 2), 0x02);
    check(irq_seen(b, IRQ4), 0);
}

TEST("uart16550: the loopback probe of Linux 8250.c sees CTS and DCD")
{
    Board *b = com1();

    outb(b, COM1 + 4, 0x1a);
    check(inb(b, COM1 + 6) & 0xf0, 0x90);
}

TEST("uart16550: DLAB shows the divisor and hides IER")
{
    Board *b = com1();

    outb(b, COM1 + 1, 0x01);
    outb(b, COM1 + 3, 0x80);
    check(inb(b, COM1), 12);
    outb(b, COM1 + 1, 0x02);
    outb(b, COM1 + 3, 0x03);
    check(inb(b, COM1 + 1), 0x01);
}

TEST("uart16550: a debugger that reads DATA takes nothing")
{
    Board *b = com1();
    uint8_t byte;

    char_feed(b, 'x');
    mem_read(machine_port_space(board_machine(b)), (Access){.debug = true}, COM1, &byte, 1);
    check(byte, 'x');
    check(inb(b, COM1 + 5) & 1, 1); /* LSR: still ready */
}

TEST("uart16550: a misaligned iobase is refused with a reason")
{
    Board *b = board_new();
    Error *err = NULL;

    check(board_add(b, &Uart_class, &err, "iobase", NUMBER(0x3f9), NULL) == NULL, true);
    check_str(error_text(err), "iobase 0x3f9 is not a multiple of 8");
    error_free(err);
}

TEST("uart16550: FIFOs hold 16 bytes and interrupt at their trigger")
{
    Board *b = com1();

    outb(b, FCR, 0x81); /* trigger at 8 */
    check(inb(b, IIR), 0xc1);
    outb(b, IER, 0x01);
    for (int i = 0; i < 7; i++) {
        check(char_feed(b, 'a' + i), true);
    }
    check(irq_seen(b, IRQ4), 0);
    for (int i = 7; i < 16; i++) {
        check(char_feed(b, 'a' + i), true);
    }
    check(irq_seen(b, IRQ4), 1);
    check(inb(b, IIR), 0xc4);
    check(char_feed(b, 'q'), false);
    for (int i = 0; i < 17; i++) {
        check(inb(b, COM1), 'a' + i);
    }
    check(inb(b, LSR) & 1, 0);
    check(irq_seen(b, IRQ4), 0);
}

TEST("uart16550: a byte below the trigger times out after four character times")
{
    Board *b = com1();

    outb(b, LCR, 0x03);
    outb(b, FCR, 0xc1);
    outb(b, IER, 0x01);
    char_feed(b, 'x');
    clock_step(b, 4ll * CHARACTER_NS - 1000);
    check(irq_seen(b, IRQ4), 0);
    clock_step(b, 2000);
    check(irq_seen(b, IRQ4), 1);
    check(inb(b, IIR), 0xcc);
    check(inb(b, COM1), 'x');
    check(inb(b, IIR), 0xc1);
}

TEST("uart16550: a received break is a zero byte with its bit in LSR, interrupting as line status")
{
    Board *b = com1();

    outb(b, FCR, 0x01);
    outb(b, IER, 0x05);
    char_feed(b, 'x');
    char_break(board_chardev(b));
    check(inb(b, LSR), 0xe1); /* an error is behind the first byte */
    check(inb(b, COM1), 'x');
    check(inb(b, IIR), 0xc6);
    check(inb(b, LSR), 0xf1);
    check(inb(b, LSR), 0x61);
    check(inb(b, COM1), 0);
}

TEST("uart16550: clearing or switching the FIFOs empties them")
{
    Board *b = com1();

    outb(b, FCR, 0x01);
    char_feed(b, 'x');
    outb(b, FCR, 0x03);
    check(inb(b, LSR) & 1, 0);
    char_feed(b, 'y');
    outb(b, FCR, 0x00);
    check(inb(b, LSR) & 1, 0);
    check(inb(b, IIR), 0x01);
}

TEST("uart16550: loopback returns bytes, overruns when nobody reads, and sends none out")
{
    Board *b = com1();

    outb(b, MCR, 0x18);
    outb(b, COM1, 'l');
    check(inb(b, COM1), 'l');
    outb(b, COM1, 'm');
    outb(b, COM1, 'n');
    check(inb(b, LSR), 0x63);
    check(inb(b, LSR), 0x61);
    check(inb(b, COM1), 'n');
    check(char_feed(b, 'x'), false);
    outb(b, MCR, 0x08);
    check(inb(b, COM1), 'x');
    check_str(char_sent(b), "");
}

TEST("uart16550: modem lines that move leave deltas, interrupt, and are clear once read")
{
    Board *b = com1();

    inb(b, MSR);
    outb(b, MCR, 0x1b);
    inb(b, MSR);
    outb(b, IER, 0x08);
    outb(b, MCR, 0x19); /* RTS falls: CTS */
    check(irq_seen(b, IRQ4), 1);
    check(inb(b, IIR), 0x00);
    check(inb(b, MSR), 0xa1);
    check(irq_seen(b, IRQ4), 0);
    outb(b, MCR, 0x1d); /* a ring begins: no delta */
    check(inb(b, MSR) & 0x0f, 0);
    outb(b, MCR, 0x19); /* it ends */
    check(inb(b, MSR) & 0x0f, 4);
}

TEST("uart16550: without OUT2 no interrupt gets out")
{
    Board *b = com1();

    outb(b, MCR, 0);
    outb(b, IER, 0x02);
    check(irq_seen(b, IRQ4), 0);
    check(inb(b, IIR), 0x02);
}

static Uart *port_on(Board *b, Bus *bus, const PropValue *props, Error **err)
{
    return (Uart *)device_add(board_machine(b), &Uart_class, "s", bus, NULL, props, err);
}

TEST("isa-serial: each takes the next place of four; a fifth must be told its own")
{
    static const PropValue place[] = {{"iobase", NUMBER(0x220)}, {"irq", NUMBER(7)}, {}};
    Board *b = board_new();
    Machine *m = board_machine(b);
    Device *bridge = device_add(m, &Device_class, "isabr", NULL, NULL, NULL, NULL);
    Bus *bus = bus_new(&IsaBus_class, bridge, "isa.0");
    Error *err = NULL;

    check(inb(b, 0x2ef), 0xff);
    for (int i = 0; i < 4; i++) {
        check(port_on(b, bus, NULL, &err) != NULL, true);
    }
    outb(b, 0x2ef, 0x5a);
    check(inb(b, 0x2ef), 0x5a); /* COM4's scratch register */
    check(port_on(b, bus, NULL, &err) == NULL, true);
    check_str(error_text(err), "there is no place for a serial port more");
    check(port_on(b, bus, place, NULL) != NULL, true);
    error_free(err);
}

TEST("uart16550: bytes in both FIFOs survive a snapshot")
{
    Board *b = com1(), *c = com1();

    outb(b, FCR, 0x41);
    outb(b, IER, 0x01);
    char_feed(b, 'x');
    char_feed(b, 'y');
    check(board_load(c, board_save(b), NULL), true);
    clock_step(c, 5ll * CHARACTER_NS);
    check(irq_seen(c, IRQ4), 1);
    check(inb(c, COM1), 'x');
    check(inb(c, COM1), 'y');
}
