/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The protocol of -qtest, line by line, on a board with some devices. */
#include "accel/qtest/socket.h"
#include "softmmu/run/run.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

#include <string.h>

typedef struct Bench {
    Board *b;
    size_t read; /* of what was sent */
} Bench;

static Bench bench(void)
{
    Bench x = {board_new(), 0};

    check(qtest_serve(board_machine(x.b), board_chardev(x.b), NULL, NULL), true);
    return x;
}

/* What one line is answered by; lines of wires stand before it. */
static const char *ask(Bench *x, const char *line)
{
    const char *answer;

    char_input(board_chardev(x->b), line, strlen(line));
    char_input(board_chardev(x->b), "\n", 1);
    while (g_main_context_iteration(machine_context(board_machine(x->b)), FALSE)) {
    }
    answer = char_sent(x->b) + x->read;
    x->read += strlen(answer);
    return answer;
}

TEST("qtest: memory of all sizes, by value, in hexadecimal, in base64, filled")
{
    Bench x = bench();

    check_str(ask(&x, "writeb 0x1000 0x11"), "OK\n");
    check_str(ask(&x, "writew 0x1001 0x3322"), "OK\n");
    check_str(ask(&x, "writel 0x1003 0x77665544"), "OK\n");
    check_str(ask(&x, "readq 0x1000"), "OK 0x0077665544332211\n");
    check_str(ask(&x, "writeq 0x1000 0x0123456789abcdef"), "OK\n");
    check_str(ask(&x, "readb 4096"), "OK 0x00000000000000ef\n");
    check_str(ask(&x, "readw 0x1006"), "OK 0x0000000000000123\n");
    check_str(ask(&x, "readl 0x1004"), "OK 0x0000000001234567\n");
    check_str(ask(&x, "write 0x2000 4 0x01020304"), "OK\n");
    check_str(ask(&x, "read 0x1fff 6"), "OK 0x000102030400\n");
    check_str(ask(&x, "b64write 0x2000 3 YWJj"), "OK\n");
    check_str(ask(&x, "b64read 0x2000 3"), "OK YWJj\n");
    check_str(ask(&x, "memset 0x2001 2 0x2a"), "OK\n");
    check_str(ask(&x, "read 0x2000 4"), "OK 0x612a2a04\n");
    check_str(ask(&x, "endianness"), "OK little\n");
}

TEST("qtest: what is wrong is answered by FAIL and why")
{
    static const char *const bad[] = {"",
                                      "jump 3",
                                      "inb",
                                      "inb x",
                                      "outb 1",
                                      "readq 1y",
                                      "write 0 2",
                                      "write 0 2 12",
                                      "write 0 2 0x1g",
                                      "read 0 0xffffffffffff",
                                      "b64write 0 2 YQ==",
                                      "clock_step x",
                                      "clock_step 0xffffffffffffffff",
                                      "irq_intercept_in nobody",
                                      "irq_intercept_in",
                                      "memset 0 1"};
    Bench x = bench();

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        check(g_str_has_prefix(ask(&x, bad[i]), "FAIL "), true);
    }
    check_str(ask(&x, "inb"), "FAIL a number is missing\n");
    check_str(ask(&x, "jump 3"), "FAIL there is no such command: jump\n");
}

TEST("qtest: ports of all sizes reach devices; the clock is stepped, to the next timer and to a "
     "time; "
     "wires that change are told ahead of the answer")
{
    Bench x = bench();
    Device *pit = board_add(x.b, class_find("isa-pit"), NULL, NULL);

    check(pit != NULL, true);
    board_watch(x.b, pit, "out", 0);
    check_str(ask(&x, "irq_intercept_in sink"), "OK\n");
    check_str(ask(&x, "outb 0x43 0x30"), "IRQ lower 0\nOK\n"); /* mode 0: out falls */
    check_str(ask(&x, "outb 0x40 100"), "OK\n");
    check_str(ask(&x, "outb 0x40 0"), "OK\n");
    check_str(ask(&x, "clock_step 50000"), "OK 50000\n");
    check_str(ask(&x, "inb 0x43"), "OK 0x00ff\n");
    check(g_str_has_prefix(ask(&x, "clock_step"), "IRQ raise 0\nOK "), true);
    check_str(ask(&x, "clock_set 1000000"), "OK 1000000\n");
    check_str(ask(&x, "clock_set 1"), "OK 1000000\n");
}
