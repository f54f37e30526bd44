/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/isa/port92.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

TEST("port92: bit 1 drives the A20 gate, and a machine's reset closes it")
{
    Board *b = board_new();

    board_watch(b, board_add(b, &Port92_class, NULL, NULL), "a20", 0);
    check(irq_seen(b, 0), 0);
    outb(b, 0x92, 2);
    check(irq_seen(b, 0), 1);
    check(inb(b, 0x92), 2);
    machine_reset(board_machine(b), RESET_WARM);
    check(irq_seen(b, 0), 0);
}

TEST("port92: bit 0 resets the machine")
{
    Board *b = board_new();

    board_add(b, &Port92_class, NULL, NULL);
    outb(b, 0x92, 2);
    outb(b, 0x92, 3);
    check(inb(b, 0x92), 0);
}
