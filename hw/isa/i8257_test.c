/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/isa/i8257.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

static Board *dma(void)
{
    Board *b = board_new();

    board_add(b, &Dma_class, NULL, NULL);
    return b;
}

static void put_word(Board *b, unsigned port, uint16_t v)
{
    outb(b, port, v & 0xff);
    outb(b, port, v >> 8);
}

TEST("i8257: 16-bit registers take two bytes; clearing the flip-flop starts with the lower one")
{
    Board *b = dma();

    put_word(b, 0x04, 0x1234);
    put_word(b, 0x05, 0xabcd);
    check(inb(b, 0x04), 0x34);
    outb(b, 0x0c, 0);
    check(inb(b, 0x04), 0x34);
    check(inb(b, 0x04), 0x12);
    check(inb(b, 0x05), 0xcd);
    check(inb(b, 0x05), 0xab);
}

TEST("i8257: the second controller's registers are at even ports")
{
    Board *b = dma();

    put_word(b, 0xc4, 0x5678);
    check(inb(b, 0xc4), 0x78);
    check(inb(b, 0xc4), 0x56);
    check(inb(b, 0xde), 0xff); /* all masked */
    outb(b, 0xd4, 0x02);       /* unmask its channel 2 */
    check(inb(b, 0xde), 0xfb);
    outb(b, 0xda, 0);
    check(inb(b, 0xde), 0xff);
}

TEST("i8257: page registers are storage, the POST port among them")
{
    Board *b = dma();

    for (int i = 0; i < 16; i++) {
        outb(b, 0x80 + i, 0x40 + i);
        outb(b, 0x480 + i, 0x50 + i);
    }
    check(inb(b, 0x80), 0x40);
    check(inb(b, 0x8f), 0x4f);
    check(inb(b, 0x487), 0x57);
}

TEST("i8257: page registers, port 0x80 among them, are answered without the device")
{
    Board *b = dma();
    AddressSpace *as = machine_port_space(board_machine(b));
    uint64_t value;

    outb(b, 0x80, 0x55);
    check(board_answer(b, as, 0x80, 1, &value), true);
    check(value, 0x55);
    check(board_answer(b, as, 0x80, 2, &value), false);
    check(board_answer(b, as, 0x04, 1, &value), false);
}
