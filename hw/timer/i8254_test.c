/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/timer/i8254.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

enum { PIT = 0x40, PORT_B = 0x61, OUT = 0x20 };

static Board *pit(void)
{
    Board *b = board_new();
    Device *dev = board_add(b, &Pit_class, NULL, NULL);

    for (int i = 0; i < 3; i++) {
        board_watch(b, dev, "out", i);
    }
    outb(b, PORT_B, 1); /* the gate of counter 2 */
    return b;
}

/* To the middle of a tick n ticks on. */
static void step(Board *b, int64_t n)
{
    Clock *c = machine_clock(board_machine(b), CLOCK_GUEST);
    int64_t tick = (__int128)clock_now(c) * 1193182 / 1000000000 + n;

    clock_run(c, (__int128)(2 * tick + 1) * 500000000 / 1193182);
}

static void program(Board *b, unsigned counter, uint8_t mode, uint16_t load)
{
    outb(b, PIT + 3, counter << 6 | 0x30 | mode << 1);
    outb(b, PIT + counter, load & 0xff);
    outb(b, PIT + counter, load >> 8);
}

static uint16_t read_count(Board *b, unsigned counter)
{
    outb(b, PIT + 3, counter << 6);
    uint8_t low = inb(b, PIT + counter);
    return low | inb(b, PIT + counter) << 8;
}

static uint8_t read_status(Board *b, unsigned counter)
{
    outb(b, PIT + 3, 0xe0 | 2 << counter);
    return inb(b, PIT + counter);
}

TEST("i8254: mode 0 rises n + 1 ticks after its count is written, and counts on")
{
    Board *b = pit();

    program(b, 0, 0, 100);
    step(b, 100);
    check(irq_seen(b, 0), 0);
    check(read_count(b, 0), 1);
    step(b, 1);
    check(irq_seen(b, 0), 1);
    step(b, 3);
    check(read_count(b, 0), 0xfffd);
    outb(b, PIT, 7); /* the first byte of a new count stops it */
    check(irq_seen(b, 0), 0);
}

TEST("i8254: a low gate holds mode 0 still; it goes on from there")
{
    Board *b = pit();

    program(b, 2, 0, 100);
    step(b, 51);
    outb(b, PORT_B, 0);
    step(b, 1000);
    check(read_count(b, 2), 50);
    outb(b, PORT_B, 1);
    step(b, 49);
    check(inb(b, PORT_B) & OUT, 0);
    step(b, 1);
    check(inb(b, PORT_B) & OUT, OUT);
}

TEST("i8254: mode 1 is low for n ticks from each rise of the gate")
{
    Board *b = pit();

    program(b, 2, 1, 10);
    step(b, 50);
    check(irq_seen(b, 2), 1);
    outb(b, PORT_B, 0);
    outb(b, PORT_B, 1);
    step(b, 1);
    check(irq_seen(b, 2), 0);
    step(b, 5);
    outb(b, PORT_B, 0);
    outb(b, PORT_B, 1); /* again: it starts over */
    step(b, 10);
    check(irq_seen(b, 2), 0);
    step(b, 1);
    check(irq_seen(b, 2), 1);
}

TEST("i8254: mode 2 is low for the last tick of each period; a new period waits for the end")
{
    Board *b = pit();

    program(b, 0, 2, 10);
    step(b, 10);
    check(irq_seen(b, 0), 0);
    check(read_count(b, 0), 1);
    step(b, 1);
    check(irq_seen(b, 0), 1);
    outb(b, PIT, 20);
    outb(b, PIT, 0);
    check(read_status(b, 0), 0xf4); /* out, null count, two bytes, mode 2 */
    step(b, 9);
    check(irq_seen(b, 0), 0);
    step(b, 1);
    check(read_count(b, 0), 20);
    check(read_status(b, 0), 0xb4);
    step(b, 19);
    check(irq_seen(b, 0), 0);
}

TEST("i8254: mode 3 halves the period, the odd tick high; it counts by two")
{
    Board *b = pit();

    program(b, 0, 3, 9);
    step(b, 1);
    check(irq_seen(b, 0), 1);
    step(b, 4);
    check(irq_seen(b, 0), 1);
    step(b, 1);
    check(irq_seen(b, 0), 0);
    step(b, 4);
    check(irq_seen(b, 0), 1);
    program(b, 0, 3, 1000);
    step(b, 1 + 100);
    check(read_count(b, 0), 800);
    step(b, 500);
    check(read_count(b, 0), 800);
}

TEST("i8254: mode 3 takes a new count at the end of the half that runs")
{
    Board *b = pit();

    program(b, 0, 3, 100);
    step(b, 1 + 10);
    outb(b, PIT, 20);
    outb(b, PIT, 0);
    step(b, 40);
    check(irq_seen(b, 0), 0);
    step(b, 9);
    check(irq_seen(b, 0), 0);
    step(b, 1);
    check(irq_seen(b, 0), 1);
    step(b, 10);
    check(irq_seen(b, 0), 0);
}

TEST("i8254: modes 4 and 5 strobe once, by software and by the gate")
{
    Board *b = pit();

    program(b, 0, 4, 10);
    step(b, 10);
    check(irq_seen(b, 0), 1);
    step(b, 1);
    check(irq_seen(b, 0), 0);
    step(b, 1);
    check(irq_seen(b, 0), 1);
    step(b, 70000);
    check(irq_edges(b, 0), 1);
    program(b, 2, 5, 10);
    step(b, 50);
    outb(b, PORT_B, 0);
    outb(b, PORT_B, 1);
    step(b, 11);
    check(irq_seen(b, 2), 0);
}

TEST("i8254: BCD counts from decimal digits, zero being 10000")
{
    Board *b = pit();

    outb(b, PIT + 3, 0x35); /* counter 0, both bytes, mode 2, BCD */
    outb(b, PIT, 0x00);
    outb(b, PIT, 0x00);
    step(b, 2);
    check(read_count(b, 0), 0x9999);
    step(b, 999);
    check(read_count(b, 0), 0x9000);
    check(read_status(b, 0) & 0x3f, 0x35);
}

TEST("i8254: a latched count waits to be read; one byte may be all there is")
{
    Board *b = pit();

    program(b, 0, 2, 0x1234);
    step(b, 1);
    outb(b, PIT + 3, 0x00);
    step(b, 100);
    outb(b, PIT + 3, 0x00); /* ignored */
    check(inb(b, PIT), 0x34);
    check(inb(b, PIT), 0x12);
    outb(b, PIT + 3, 0x24); /* high byte only, mode 2 */
    outb(b, PIT, 0x20);
    step(b, 1);
    check(inb(b, PIT), 0x20);
    check(inb(b, PIT), 0x20);
}

TEST("i8254: read-back latches status and count of several counters; status comes first")
{
    Board *b = pit();

    program(b, 0, 2, 1000);
    program(b, 2, 0, 500);
    step(b, 11);
    outb(b, PIT + 3, 0xca); /* both, of counters 0 and 2 */
    step(b, 100);
    check(inb(b, PIT), 0xb4);
    check(inb(b, PIT), (1000 - 10) & 0xff);
    check(inb(b, PIT), (1000 - 10) >> 8);
    check(inb(b, PIT + 2), 0x30);
    check(inb(b, PIT + 2), (500 - 10) & 0xff);
}

TEST("i8254: port 0x61 shows its own bits, and refresh toggling")
{
    Board *b = pit();

    outb(b, PORT_B, 0xff);
    check(inb(b, PORT_B) & 0xcf, 0x0f);
    uint8_t before = inb(b, PORT_B) & 0x10;
    step(b, 18);
    check((inb(b, PORT_B) & 0x10) == before, false);
}

TEST("i8254: counters that were left at odd moments survive a snapshot")
{
    Board *b = pit(), *c = pit();

    program(b, 0, 3, 101);
    program(b, 2, 0, 1000);
    step(b, 77);
    outb(b, PIT, 50);
    outb(b, PIT, 0);
    outb(b, PORT_B, 0);
    check(board_load(c, board_save(b), NULL), true);
    outb(c, PORT_B, 1);
    outb(b, PORT_B, 1);
    step(b, 33);
    step(c, 33);
    check(read_count(c, 0), read_count(b, 0));
    check(read_count(c, 2), read_count(b, 2));
}

TEST("i8254: counter 0 costs no timer while the HPET is in its place, and is where it would be "
     "after")
{
    Board *b = board_new();
    Device *dev = board_add(b, &Pit_class, NULL, NULL),
           *sink = (Device *)object_at((Object *)board_machine(b), "sink");
    Clock *clock = machine_clock(board_machine(b), CLOCK_GUEST);

    board_watch(b, dev, "out", 0);
    irq_wire(sink, "drive", 5, dev, "replaced", 0, NULL);
    program(b, 0, 2, 100);
    check(clock_next(clock) > 0, true);
    board_drive(b, 5, true);
    check(clock_next(clock), -1);
    step(b, 530);
    check(irq_edges(b, 0), 1); /* up to here */
    board_drive(b, 5, false);
    check(read_count(b, 0), 71);
    step(b, 70);
    check(irq_seen(b, 0), 0);
    step(b, 1);
    check(irq_edges(b, 0), 2);
}
