/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "chardev/memory.h"
#include "monitor/monitor_impl.h"
#include "qapi/events.h"
#include "softmmu/run/run_impl.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

#include <string.h>

typedef struct Client {
    Machine *m;
    Chardev *chr;
    char text[1 << 16]; /* the answer to the last words */
} Client;

static const char *heard(Client *c)
{
    machine_poll(c->m);
    while (g_main_context_iteration(machine_context(c->m), FALSE)) {
    }
    c->text[ring_read((RingChardev *)c->chr, (uint8_t *)c->text, sizeof c->text - 1)] = 0;
    return c->text;
}

static const char *say(Client *c, const char *words)
{
    char_input(c->chr, words, strlen(words));
    return heard(c);
}

static Client client_of(Machine *m, const char *id)
{
    g_autofree char *text = g_strdup_printf("ringbuf,id=%s", id);
    Opts *o = opts_parse(text, "backend", NULL);
    Chardev *chr = chardev_new(m, id, o, NULL);
    Client c = {m, chr};

    opts_free(o);
    check(monitor_new(m, NULL, chr, &qmp_mode, false, NULL) != NULL, true);
    return c;
}

static Client client(void)
{
    Client c = client_of(board_machine(board_new()), "c");

    heard(&c);
    check_str(say(&c, "{'execute':'qmp_capabilities'}"), "{\"return\":{}}\r\n");
    return c;
}

static bool has(const char *text, const char *part)
{
    return strstr(text, part);
}

TEST("qmp: the greeting names the version and what may be switched on; lines end in CR LF")
{
    Client c = client_of(board_machine(board_new()), "c");
    const char *text = heard(&c);

    check(g_str_has_prefix(text, "{\"QMP\":{\"version\":{\"qemu\":{\"major\":7,\"minor\":2"), true);
    check(g_str_has_suffix(text, "\"capabilities\":[\"oob\"]}}\r\n"), true);
}

TEST("qmp: no command comes before qmp_capabilities, and that comes once")
{
    Client c = client_of(board_machine(board_new()), "c");

    heard(&c);
    check(has(say(&c, "{\"execute\":\"query-status\"}"), "\"class\":\"CommandNotFound\""), true);
    check_str(say(&c, "{\"execute\":\"qmp_capabilities\",\"id\":1}"),
              "{\"return\":{},\"id\":1}\r\n");
    check(has(say(&c, "{\"execute\":\"qmp_capabilities\"}"), "CommandNotFound"), true);
}

TEST("qmp: a reply carries the id of its command, whatever it is")
{
    Client c = client();

    check_str(say(&c, "{\"execute\":\"stop\",\"id\":{\"a\":[1]}}"),
              "{\"return\":{},\"id\":{\"a\":[1]}}\r\n");
    check(has(say(&c, "{\"execute\":\"stopp\",\"id\":\"x\"}"), "\"id\":\"x\""), true);
}

TEST("qmp: arguments that are unknown, missing or of another type are refused by name")
{
    Client c = client();

    check(has(say(&c, "{\"execute\":\"stop\",\"arguments\":{\"hard\":1}}"),
              "there is no parameter hard"),
          true);
    check(has(say(&c, "{\"execute\":\"human-monitor-command\"}"),
              "parameter command-line is missing"),
          true);
    check(has(say(&c, "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":3}}"),
              "parameter command-line: wants a string"),
          true);
    check(
        has(say(&c, "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"x\","
                    "\"cpu-index\":1.5}}"),
            "parameter cpu-index: wants an integer"),
        true);
}

TEST("qmp: what is no JSON is answered once and skipped up to the end of the line")
{
    Client c = client();

    check(has(say(&c, "}{}{} oh\n"), "\"desc\":\"JSON: "), true);
    check_str(say(&c, "  \r\n{\"execute\":\r\n \"stop\" }"), "{\"return\":{}}\r\n");
    check_str(say(&c, "{\"exec"), "");
    check_str(say(&c, "ute\":\"stop\"}{\"execute\":\"stop\"}"),
              "{\"return\":{}}\r\n{\"return\":{}}\r\n");
}

TEST("qmp: commands out of band overtake those that wait, where both sides agreed")
{
    Client c = client_of(board_machine(board_new()), "c");

    heard(&c);
    say(&c, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]}}");
    const char *text = say(&c, "{\"execute\":\"stop\",\"id\":1}{\"exec-oob\":\"stop\",\"id\":2}");
    check(has(text, "stop cannot run out of band"), true);
    check(strstr(text, "\"id\":2") < strstr(text, "\"id\":1"), true);
}

TEST("qmp: both clients hear of a stop, the one that asked before its reply")
{
    Client a = client(), b = client_of(a.m, "b");

    heard(&b);
    check(machine_resume(a.m, NULL), true);
    check(has(heard(&a), "\"event\":\"RESUME\""), true);
    check_str(heard(&b), "");
    say(&b, "{\"execute\":\"qmp_capabilities\"}");
    const char *text = say(&a, "{\"execute\":\"stop\"}");
    check(strstr(text, "\"event\":\"STOP\"") < strstr(text, "return"), true);
    check(has(heard(&b), "\"event\":\"STOP\""), true);
}

TEST("qmp: query-status follows stop and cont")
{
    Client c = client();

    check(has(say(&c, "{\"execute\":\"query-status\"}"), "\"status\":\"prelaunch\""), true);
    say(&c, "{\"execute\":\"cont\"}");
    check_str(say(&c, "{\"execute\":\"query-status\"}"),
              "{\"return\":{\"running\":true,\"singlestep\":false,\"status\":\"running\"}}\r\n");
}

TEST("qmp: a reset, a press of the power button and the end are events with their reasons")
{
    Client c = client();

    check(
        has(say(&c, "{\"execute\":\"system_reset\"}"),
            "\"event\":\"RESET\",\"data\":{\"guest\":false,\"reason\":\"host-qmp-system-reset\"}"),
        true);
    check(has(say(&c, "{\"execute\":\"system_powerdown\"}"), "\"event\":\"POWERDOWN\""), true);
    check(has(say(&c, "{\"execute\":\"quit\"}"),
              "\"event\":\"SHUTDOWN\",\"data\":{\"guest\":false,\"reason\":\"host-qmp-quit\"}"),
          true);
}

TEST("qmp: of limited events the first is sent at once, then the last of each second")
{
    Client c = client();
    Clock *clock = machine_clock(c.m, CLOCK_HOST);

    for (int64_t i = 1; i <= 3; i++) {
        event_rtc_change(c.m, &(RtcChangeEvent){i, (char *)"/rtc"});
    }
    check(has(heard(&c), "\"offset\":1,"), true);
    check_str(heard(&c), "");
    clock_run(clock, clock_now(clock) + 999999999);
    check_str(heard(&c), "");
    clock_run(clock, clock_now(clock) + 1);
    const char *text = heard(&c);
    check(has(text, "\"offset\":3,"), true);
    check(has(text, "\"offset\":2,"), false);
    clock_run(clock, clock_now(clock) + 2000000000);
    event_rtc_change(c.m, &(RtcChangeEvent){4, (char *)"/rtc"});
    check(has(heard(&c), "\"offset\":4,"), true);
}

TEST("qmp: more commands than may wait are answered all, in order")
{
    Client c = client();
    g_autoptr(GString) words = g_string_new(NULL);

    for (int i = 0; i < 500; i++) {
        g_string_append_printf(words, "{\"execute\":\"stop\",\"id\":%d}", i);
    }
    const char *at = say(&c, words->str);
    for (int i = 0; i < 500; i++) {
        g_autofree char *id = g_strdup_printf("\"id\":%d}", i);

        at = strstr(at, id);
        check(at != NULL, true);
        at = at ?: "";
    }
}

static void *shout(void *opaque)
{
    for (int i = 0; i < 250; i++) {
        event_powerdown(opaque);
    }
    return NULL;
}

TEST("qmp: events of other threads arrive, each once")
{
    Client c = client();
    GThread *t[2];
    unsigned n = 0;

    c.m->run->looping = true; /* as if on another thread: this one carries out what arrives */
    c.m->run->thread = NULL;
    t[0] = g_thread_new("shout", shout, c.m);
    t[1] = g_thread_new("shout", shout, c.m);
    g_thread_join(t[0]);
    g_thread_join(t[1]);
    c.m->run->looping = false;
    for (const char *at = heard(&c); *at;) {
        for (; (at = strstr(at, "POWERDOWN")); at++) {
            n++;
        }
        at = heard(&c);
    }
    check(n, 500);
}
