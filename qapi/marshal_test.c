/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qapi/types.h"
#include "tests/lib/test.h"

#include <json-c/json.h>
#include <string.h>

/* What reading the text says: "" when it is taken. */
static char *read_text(const QapiType *type, const char *text, void *to)
{
    json_object *from = json_tokener_parse(text);
    Error *err = NULL;
    char *why = g_strdup(qapi_read(type, from, to, &err) ? "" : error_text(err));

    error_free(err);
    json_object_put(from);
    return why;
}

static void refuses(const QapiType *type, const char *text, const char *why)
{
    g_autofree char *value = g_malloc0(type->size);
    g_autofree char *said = read_text(type, text, value);

    check_str(said, why);
}

TEST("qapi: a value comes back as it went in: lists, structs that may be missing, unions")
{
    static const char text[] =
        "{\"id\":\"c\",\"backend\":{\"type\":\"socket\",\"data\":{\"logfile\":\"l\",\"addr\":"
        "{\"type\":\"inet\",\"data\":{\"host\":\"h\",\"port\":\"1\",\"ipv4\":true}},"
        "\"server\":false}}}";
    ChardevAddArgs args = {0};
    g_autofree char *why = read_text(&qapi_ChardevAddArgs, text, &args);

    check_str(why, "");
    check(args.backend.type, CHARDEV_BACKEND_KIND_SOCKET);
    check(args.backend.u.socket.data.has_server, true);
    check(args.backend.u.socket.data.has_telnet, false);
    json_object *back = qapi_write(&qapi_ChardevAddArgs, &args);
    json_object *want = json_tokener_parse(text);
    check(json_object_equal(back, want), true);
    json_object_put(back);
    json_object_put(want);
    qapi_clear(&qapi_ChardevAddArgs, &args);
    check(args.id == NULL, true);
}

TEST("qapi: what is wrong is named by the path that leads to it")
{
    refuses(&qapi_ChardevAddArgs, "{\"id\":\"c\"}", "parameter backend is missing");
    refuses(&qapi_ChardevAddArgs, "{\"id\":\"c\",\"backend\":{\"type\":\"pty\",\"data\":3}}",
            "parameter backend.data: wants an object");
    refuses(&qapi_ChardevAddArgs,
            "{\"id\":\"c\",\"backend\":{\"type\":\"socket\",\"data\":{\"addr\":{\"type\":\"inet\","
            "\"data\":{\"host\":\"h\",\"port\":1}}}}}",
            "parameter backend.data.addr.data.port: wants a string");
    refuses(&qapi_QmpCapabilitiesArgs, "{\"enable\":[\"oob\",\"ooc\"]}",
            "parameter enable[1]: there is no QMPCapability 'ooc'");
    refuses(&qapi_StatusInfo,
            "{\"running\":true,\"singlestep\":false,\"status\":\"paused\",\"x\":1}",
            "there is no parameter x");
}

TEST("qapi: integers keep all their bits, and those that are too large are refused")
{
    MachineInfo info = {0};
    MemoryInfo memory = {0};

    g_autofree char *why =
        read_text(&qapi_MemoryInfo, "{\"base-memory\":18446744073709551615}", &memory);
    check_str(why, "");
    check(memory.base_memory == UINT64_MAX, true);
    json_object *back = qapi_write(&qapi_MemoryInfo, &memory);
    check_str(json_object_to_json_string_ext(back, JSON_C_TO_STRING_PLAIN),
              "{\"base-memory\":18446744073709551615}");
    json_object_put(back);
    info.name = (char *)"x";
    info.cpu_max = INT64_MIN;
    back = qapi_write(&qapi_MachineInfo, &info);
    check(strstr(json_object_to_json_string(back), "-9223372036854775808") != NULL, true);
    json_object_put(back);
    refuses(&qapi_MemoryInfo, "{\"base-memory\":-1}",
            "parameter base-memory: wants a number that is not negative");
    refuses(&qapi_InetSocketAddress, "{\"host\":\"h\",\"port\":\"1\",\"to\":65536}",
            "parameter to: wants a smaller number");
    refuses(&qapi_VersionTriple, "{\"major\":9223372036854775808,\"minor\":0,\"micro\":0}",
            "parameter major: wants a smaller number");
}

TEST("qapi: open structs keep what they do not know")
{
    DeviceAddArgs args = {0};
    g_autofree char *why = read_text(&qapi_DeviceAddArgs, "{\"driver\":\"d\",\"colour\":3}", &args);

    check_str(why, "");
    check_str(args.driver, "d");
    check_str(json_object_to_json_string_ext(args.all, JSON_C_TO_STRING_PLAIN),
              "{\"driver\":\"d\",\"colour\":3}");
    qapi_clear(&qapi_DeviceAddArgs, &args);
}

TEST("qapi: texts without UTF-8 become valid JSON; texts with NUL are refused")
{
    NameInfo name = {(char *)"a\xff"};
    json_object *back = qapi_write(&qapi_NameInfo, &name);

    check(g_utf8_validate(json_object_to_json_string(back), -1, NULL), true);
    json_object_put(back);
    refuses(&qapi_NameInfo, "{\"name\":\"a\\u0000b\"}",
            "parameter name: wants a string without NUL");
}
