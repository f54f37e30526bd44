/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qom/opts.h"
#include "tests/lib/test.h"

static Opts *parsed(const char *text)
{
    Error *err = NULL;
    Opts *o = opts_parse(text, "driver", &err);

    check_str(error_text(err), "");
    return o;
}

static void refused(const char *text, const char *why)
{
    Error *err = NULL;

    check(opts_parse(text, NULL, &err) == NULL, true);
    check_str(error_text(err), why);
    error_free(err);
}

TEST("opts: the first word has an implied name, the last of equal names counts")
{
    Opts *o = parsed("isa-serial,index=1,id=com1,index=2");

    check_str(opts_text(o, "driver"), "isa-serial");
    check_str(opts_text(o, "index"), "2");
    check_str(opts_text(o, "missing"), NULL);
    check(opts_unused(o) != NULL, true);
    check_str(opts_text(o, "id"), "com1");
    check_str(opts_unused(o), NULL);
    opts_free(o);
}

TEST("opts: two commas are one, and = may stand in a value")
{
    Opts *o = parsed("driver=x,append=root=/dev/sda,,ro,path=a,,,b=c");

    check_str(opts_text(o, "append"), "root=/dev/sda,ro");
    check_str(opts_text(o, "path"), "a,");
    check_str(opts_text(o, "b"), "c");
    opts_free(o);
}

TEST("opts: a bare word switches on, no before it switches off, help and ? ask")
{
    Opts *o = parsed("socket,server,nowait,?");
    bool server = false, wait = true;

    check(opts_bool(o, "server", &server, NULL), true);
    check(opts_bool(o, "wait", &wait, NULL), true);
    check(server, true);
    check(wait, false);
    check(opts_help(o), true);
    opts_free(o);
}

TEST("opts: JSON gives typed values, inner objects dotted names, lists of texts")
{
    Opts *o = parsed("{\"driver\": \"x\", \"n\": 18446744073709551615, \"m\": -1, \"on\": true,"
                     " \"addr\": {\"host\": \"h\"}, \"l\": [\"a\", \"b\"]}");

    check(opts_find(o, "n")->number == UINT64_MAX, true);
    check(opts_find(o, "m")->number == -1, true);
    check(opts_find(o, "on")->flag, true);
    check_str(opts_text(o, "addr.host"), "h");
    check_str(opts_find(o, "l")->list[1], "b");
    opts_free(o);
}

TEST("opts: broken texts are refused, saying where")
{
    refused("=x", "no name stands before =x");
    refused("{\"a\": 1.5}", "a: 1.5 is no value for a property");
    refused("{\"a\": null}", "a: null is no value for a property");
    refused("{\"a\": [1]}", "a: a list may hold texts only");
    refused("{\"a\": 1} x", "JSON: something follows the closing brace at byte 9");
    refused("{\"a\": ", "JSON: unexpected end of data at byte 6");
}

TEST("opts: sizes and numbers are read by unit, and a range is kept")
{
    Opts *o = parsed("x,a=1.5G,b=0x10,c=1.3,d=12z,e=512");
    uint64_t n = 0;

    check(opts_number(o, "a", UNIT_BYTES, &n, UINT64_MAX, NULL), true);
    check(n, 3ull << 29);
    check(opts_number(o, "b", UNIT_NONE, &n, 16, NULL), true);
    check(n, 16);
    check(opts_number(o, "c", UNIT_BYTES, &n, 16, NULL), false);
    check(opts_number(o, "d", UNIT_BYTES, &n, 16, NULL), false);
    check(opts_number(o, "e", UNIT_BYTES, &n, 511, NULL), false);
    check(n, 16);
    opts_free(o);
}

TEST("opts: an unknown parameter gets the nearest right one")
{
    static const char *const names[] = {"base", "clock", "driftfix", NULL};
    Opts *o = parsed("base=utc,clok=vm");
    Error *err = NULL;

    check(opts_known(o, names, &err), false);
    check_str(error_text(err), "there is no parameter clok");
    check_str(error_hint_text(err), "did you mean clock?");
    error_free(err);
    opts_free(o);
}

TEST("opts: printed and read again they are the same")
{
    Opts *o = parsed("isa-serial,id=com1,path=a,,b");
    g_autofree char *text = opts_print(o, "driver");

    check_str(text, "isa-serial,id=com1,path=a,,b");
    opts_free(o);
}
