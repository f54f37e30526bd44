/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/char/debugcon.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

TEST("isa-debugcon: bytes go to the host; a read answers the probe")
{
    Board *b = board_new();

    board_add(b, &DebugCon_class, NULL, "iobase", NUMBER(0x402), NULL);
    outb(b, 0x402, 'o');
    outb(b, 0x402, 'k');
    check_str(char_sent(b), "ok");
    check(inb(b, 0x402), 0xe9);
}

TEST("isa-debugcon: without a chardev it says so")
{
    Error *err = NULL;

    check(device_add(board_machine(board_new()), &DebugCon_class, "d", NULL, NULL, NULL, &err) ==
              NULL,
          true);
    check_str(error_text(err), "isa-debugcon needs a chardev");
    error_free(err);
}
