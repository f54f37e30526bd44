/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/misc/debug_exit.h"
#include "hw/misc/pvpanic.h"
#include "softmmu/run/machine_impl.h"
#include "softmmu/run/run.h"
#include "softmmu/run/run_impl.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

TEST("pvpanic: it reads as the events it knows; a panic ends the machine")
{
    Board *b = board_new();

    board_add(b, &Pvpanic_class, NULL, NULL);
    check(inb(b, 0x505), 3);
    board_events(b);
    outb(b, 0x505, 2);
    machine_poll(board_machine(b));
    check(machine_state(board_machine(b)) == MACHINE_SHUTDOWN, false);
    check_str(board_events(b), "GUEST_CRASHLOADED{\"action\":\"run\"}\n");
    outb(b, 0x505, 1);
    machine_poll(board_machine(b));
    check_str(board_events(b), "GUEST_PANICKED{\"action\":\"poweroff\"}\n");
    check(machine_shutdown_reason(board_machine(b)), SHUTDOWN_GUEST_PANIC);
}

TEST("pvpanic: what is not offered is logged, and nothing happens")
{
    Board *b = board_new();

    board_add(b, &Pvpanic_class, NULL, "events", NUMBER(2), NULL);
    outb(b, 0x505, 1);
    machine_poll(board_machine(b));
    check(machine_shutdown_reason(board_machine(b)), SHUTDOWN_NONE);
    check_str(guest_log(b), "pvpanic0: events 0x1, but only 0x2 are offered\n");
}

TEST("pvpanic-pci: the same byte in a memory BAR")
{
    Board *b = board_new();

    board_add(b, &PvpanicPci_class, NULL, NULL);
    check(pci_config_read(board_pci(b), 0, 0, 4), 0x00111b36);
    pci_config_write(board_pci(b), 0, 0x10, 0xe0000000, 4);
    pci_config_write(board_pci(b), 0, 4, 2, 2);
    check(mem_get(b, 0xe0000000, 1), 3);
    mem_put(b, 0xe0000000, 1, 1);
    machine_poll(board_machine(b));
    check(machine_shutdown_reason(board_machine(b)), SHUTDOWN_GUEST_PANIC);
}

TEST("isa-debug-exit: what is written, doubled and odd, is the status of the process")
{
    Board *b = board_new();

    board_add(b, &DebugExit_class, NULL, "iobase", NUMBER(0xf4), "iosize", NUMBER(4), NULL);
    check(inb(b, 0xf4), 0);
    outb(b, 0xf4, 0x10);
    check(board_machine(b)->run->status, 0x21);
}
