/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/timer/mc146818.h"
#include "softmmu/run/board.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

enum { INDEX = 0x70, DATA = 0x71, SEC = 0, MIN = 2, HOUR = 4, WDAY = 6, DAY, MONTH, YEAR };
enum { A = 10, B, C, D, CENTURY = 0x32, IRQ4 = 4, UIP = 0x80 };
#define SECOND   1000000000ll
#define NEW_YEAR 946684797ll /* 1999-12-31 23:59:57, a Friday */

static Board *rtc_at(int64_t date)
{
    Board *b = board_new();
    RtcConfig *config = &machine_config(board_machine(b))->rtc;

    *config = (RtcConfig){.base = RTC_DATE, .date = date, .clock = CLOCK_GUEST};
    board_add(b, &Rtc_class, NULL, NULL);
    return b;
}

static uint8_t get(Board *b, uint8_t index)
{
    outb(b, INDEX, index);
    return inb(b, DATA);
}

static void put(Board *b, uint8_t index, uint8_t value)
{
    outb(b, INDEX, index);
    outb(b, DATA, value);
}

TEST("rtc: it shows the date it was started with, in BCD and 24 hours, and turns the century")
{
    Board *b = rtc_at(NEW_YEAR);

    check(get(b, HOUR) == 0x23 && get(b, MIN) == 0x59 && get(b, SEC) == 0x57, true);
    check(get(b, CENTURY) == 0x19 && get(b, YEAR) == 0x99 && get(b, MONTH) == 0x12, true);
    check(get(b, DAY) == 0x31 && get(b, WDAY) == 6, true);
    clock_step(b, 3 * SECOND);
    check(get(b, HOUR) == 0 && get(b, MIN) == 0 && get(b, SEC) == 0, true);
    check(get(b, CENTURY) == 0x20 && get(b, YEAR) == 0 && get(b, MONTH) == 1, true);
    check(get(b, DAY) == 1 && get(b, WDAY) == 7, true);
    check(get(b, D), 0x80);
}

TEST("rtc: binary and 12-hour forms")
{
    Board *b = rtc_at(NEW_YEAR);

    put(b, B, 0x04);
    check(get(b, HOUR) == (0x80 | 11) && get(b, SEC) == 57 && get(b, YEAR) == 99, true);
    put(b, B, 0x00);
    check(get(b, HOUR), 0x91);
    clock_step(b, 3 * SECOND);
    check(get(b, HOUR), 0x12); /* midnight */
    clock_step(b, 12 * 3600 * SECOND);
    check(get(b, HOUR), 0x92);
}

TEST("rtc: while SET it stands still; what was written runs on from there")
{
    Board *b = rtc_at(NEW_YEAR);

    put(b, B, 0x82);
    clock_step(b, 10 * SECOND);
    check(get(b, SEC), 0x57);
    put(b, CENTURY, 0x20);
    put(b, YEAR, 0x24);
    put(b, MONTH, 0x02);
    put(b, DAY, 0x29);
    put(b, B, 0x02);
    check(get(b, WDAY), 5);
    clock_step(b, 3 * SECOND);
    check(get(b, MONTH) == 3 && get(b, DAY) == 1 && get(b, HOUR) == 0, true);
}

TEST("rtc: writing without SET works, and keeps the phase of the second")
{
    Board *b = rtc_at(NEW_YEAR);

    clock_step(b, SECOND * 9 / 10);
    put(b, SEC, 0x10);
    check(get(b, SEC), 0x10);
    clock_step(b, SECOND / 10);
    check(get(b, SEC), 0x11);
}

TEST("rtc: who listens hears how far the guest has set the time from what it would have been")
{
    Board *b = rtc_at(NEW_YEAR);

    clock_step(b, SECOND * 3 / 2);
    board_events(b);
    put(b, B, 0x82);
    put(b, HOUR, 0x22);
    check_str(board_events(b), "");
    put(b, B, 0x02);
    check_str(board_events(b),
              "RTC_CHANGE{\"offset\":-3600,\"qom-path\":\"/machine/mc146818rtc0\"}\n");
    put(b, MIN, 0x58);
    check_str(board_events(b),
              "RTC_CHANGE{\"offset\":-3660,\"qom-path\":\"/machine/mc146818rtc0\"}\n");
}

TEST("rtc: a divider let go of takes half a second to the first update")
{
    Board *b = rtc_at(NEW_YEAR);

    put(b, A, 0x70);
    clock_step(b, 5 * SECOND);
    put(b, A, 0x26);
    clock_step(b, SECOND / 2 - 1);
    check(get(b, SEC), 0x57);
    clock_step(b, 1);
    check(get(b, SEC), 0x58);
}

TEST("rtc: UIP warns 244 microseconds before the update, never while SET")
{
    Board *b = rtc_at(NEW_YEAR);

    clock_step(b, SECOND - 244141);
    check(get(b, A), 0x26);
    clock_step(b, 1);
    check(get(b, A), 0x26 | UIP);
    put(b, B, 0x82);
    check(get(b, A), 0x26);
    put(b, B, 0x02);
    clock_step(b, 244140);
    check(get(b, A), 0x26);
}

TEST("rtc: the update interrupt comes every second, and lasts until C is read")
{
    Board *b = rtc_at(NEW_YEAR);

    put(b, B, 0x12);
    clock_step(b, SECOND - 1);
    check(irq_seen(b, IRQ4), 0);
    clock_step(b, 1);
    check(irq_seen(b, IRQ4), 1);
    check(get(b, C) & 0x90, 0x90);
    check(irq_seen(b, IRQ4), 0);
    check(get(b, C), 0);
    clock_step(b, SECOND);
    check(irq_edges(b, IRQ4), 2);
}

TEST("rtc: the periodic interrupt at 1024 Hz and 2 Hz")
{
    Board *b = rtc_at(NEW_YEAR);

    put(b, B, 0x42);
    for (int i = 0; i < 1024; i++) {
        clock_step(b, SECOND / 1024 + 1);
        check(get(b, C) & 0xc0, 0xc0);
    }
    put(b, A, 0x2f);
    int before = irq_edges(b, IRQ4);
    for (int i = 0; i < 40; i++) {
        clock_step(b, SECOND / 10);
        get(b, C);
    }
    check(irq_edges(b, IRQ4) - before, 8);
}

TEST("rtc: flags of what is not enabled can be polled")
{
    Board *b = rtc_at(NEW_YEAR);

    get(b, C);
    clock_step(b, SECOND);
    check(get(b, C) & 0xf0, 0x50);
    check(irq_edges(b, IRQ4), 0);
}

TEST("rtc: the alarm at a time of day, and every minute with wildcards")
{
    Board *b = rtc_at(NEW_YEAR);

    put(b, 1, 0x05);
    put(b, 3, 0x00);
    put(b, 5, 0x00);
    put(b, B, 0x22);
    clock_step(b, 8 * SECOND - 1);
    check(irq_seen(b, IRQ4), 0);
    clock_step(b, 1);
    check(irq_seen(b, IRQ4), 1);
    check(get(b, C) & 0xa0, 0xa0);
    put(b, 3, 0xff);
    put(b, 5, 0xc0);
    clock_step(b, 60 * SECOND - 1);
    check(irq_seen(b, IRQ4), 0);
    clock_step(b, 1);
    check(irq_seen(b, IRQ4), 1);
}

TEST("rtc: memory, time and control bits outlive a reset; enabled interrupts do not")
{
    Board *b = rtc_at(NEW_YEAR);

    put(b, 0x8f, 0x5a); /* bit 7 is the NMI mask's */
    put(b, B, 0x16);
    clock_step(b, 2 * SECOND);
    check(irq_seen(b, IRQ4), 1);
    machine_reset(board_machine(b), RESET_POWER);
    check(irq_seen(b, IRQ4), 0);
    check(get(b, 0x0f), 0x5a);
    check(get(b, B), 0x06);
    check(get(b, SEC), 59);
}

TEST("rtc: a second bank of 128 bytes; a board presets memory but not the clock")
{
    Board *b = board_new();
    Device *rtc = board_add(b, &Rtc_class, NULL, NULL);

    outb(b, 0x72, 0x10);
    outb(b, 0x73, 0x77);
    check(rtc_cmos_get(rtc, 0x90), 0x77);
    rtc_cmos_put(rtc, 0x15, 0x80);
    rtc_cmos_put(rtc, 0x04, 0x12);
    check(get(b, 0x15), 0x80);
    check(get(b, HOUR), 0);
}

TEST("rtc: nonsense dates do no harm")
{
    Board *b = rtc_at(NEW_YEAR);

    for (int i = 0; i < 10; i++) {
        put(b, i, 0xff);
    }
    put(b, CENTURY, 0xff);
    put(b, B, 0x72);
    clock_step(b, 100 * SECOND);
    check(get(b, D), 0x80);
}

TEST("rtc: an alarm that is set survives a snapshot")
{
    Board *b = rtc_at(NEW_YEAR), *c = rtc_at(0);

    put(b, 1, 0x00);
    put(b, 3, 0x00);
    put(b, 5, 0x00);
    put(b, B, 0x22);
    check(board_load(c, board_save(b), NULL), true);
    clock_step(c, 3 * SECOND);
    check(irq_seen(c, IRQ4), 1);
    check(get(c, YEAR), 0);
}

TEST("rtc: with driftfix=slew periodic interrupts that the guest was too slow for come later")
{
    for (unsigned slew = 0; slew < 2; slew++) {
        Board *b = rtc_at(NEW_YEAR);

        machine_config(board_machine(b))->rtc.slew = slew;
        put(b, A, 0x2f); /* 2 Hz */
        put(b, B, 0x42);
        clock_step(b, 2 * SECOND + SECOND / 10);
        check(irq_edges(b, IRQ4), 1);
        for (unsigned n = 1; n < 6; n++) {
            get(b, C);
            check(irq_edges(b, IRQ4), !slew ? 1 : n < 3 ? (int)n + 1 : 4);
        }
    }
}
