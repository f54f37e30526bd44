/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/test.h"
#include "util/log.h"
#include "util/trace.h"

#include <string.h>
#include <unistd.h>

/* The log of fn as a text. */
static char *logged(void (*fn)(void))
{
    char path[] = "/tmp/rhea-log-XXXXXX", *text = NULL;
    int fd = mkstemp(path);

    check(log_open(path, NULL), true);
    fn();
    log_open(NULL, NULL);
    log_clear();
    g_file_get_contents(path, &text, NULL, NULL);
    close(fd);
    unlink(path);
    return text;
}

static void two_lines(void)
{
    check(log_set("int,unimp", NULL), true);
    check(log_on(LOG_INT), true);
    check(log_on(LOG_EXEC), false);
    log_printf("one %d\n", 1);
    log_printf("two\n");
}

TEST("log: items are switched by name, lines reach the file in order")
{
    g_autofree char *text = logged(two_lines);

    check_str(text, "one 1\ntwo\n");
    check(log_on(LOG_INT), false);
}

TEST("log: a wrong item is refused with the nearest right one, and nothing is switched on")
{
    Error *err = NULL;

    check(log_set("int,guest_error", &err), false);
    check_str(error_text(err), "there is no log item guest_error");
    check_str(error_hint_text(err), "did you mean guest_errors? '-d help' lists them");
    check(log_on(LOG_INT), false);
    error_free(err);
}

static void trace_three(void)
{
    for (int i = 0; i < 3; i++) {
        check(trace_switch("test.lo[gx]", i == 1, NULL), false);
        check(trace_switch("test.log*", i == 1, NULL), true);
        TRACE("test.logged", "%d", i);
    }
}

TEST("trace: a glob switches points on and off")
{
    g_autofree char *text = logged(trace_three);

    check_str(text, "test.logged 1\n");
}

TEST("trace: help lists every name once; a wrong name gets the nearest right one")
{
    g_autofree char *help = trace_help();
    Error *err = NULL;

    TRACE("test.logged", "twice");
    check(strstr(help, "test.logged\n") != NULL, true);
    check(strstr(strstr(help, "test.logged\n") + 1, "test.logged\n") == NULL, true);
    check(log_set("trace:test.lgoged", &err), false);
    check_str(error_hint_text(err), "did you mean test.logged? '-trace help' lists them");
    error_free(err);
}

TEST("log: a log file that cannot be made is one sentence")
{
    Error *err = NULL;

    check(log_open("/nowhere/log", &err), false);
    check_str(error_text(err), "cannot write log file /nowhere/log: No such file or directory");
    error_free(err);
}

TEST("log: ten lines a second pass, and the next second tells how many did not")
{
    LogLimit limit = {0};
    unsigned passed = 0, dropped = 0;

    for (int i = 0; i < 25; i++) {
        passed += log_limit(&limit, i * 1000, &dropped);
    }
    check(passed, 10);
    check(log_limit(&limit, 1000000000, &dropped), true);
    check(dropped, 15);
}
