/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/isa/fpu_error.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

TEST("fpu-error: FERR# raises the interrupt until port 0xf0 is written")
{
    Board *b = board_new();

    board_watch(b, board_any(b, &FpuError_class.class), "irq", 0);
    board_drive(b, 0, true);
    board_drive(b, 0, false);
    check(irq_seen(b, 0), 1);
    outb(b, 0xf0, 0);
    check(irq_seen(b, 0), 0);
    board_drive(b, 0, true);
    check(irq_seen(b, 0), 1);
}
