/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Monitors for programs: a session of the QMP protocol.
 *
 *   bytes --parser--> requests --one after the other--> handler --> reply
 *                        `-- exec-oob: at once, before those that wait
 *
 * At most MOST_REQUESTS wait; the bytes behind them stay with the chardev. A reply always reaches
 * the client, so no further command runs while too much waits to be read. Events are dropped for a
 * client, and counted, once it lets MOST_BACKLOG bytes wait.
 *
 * JSON may come in any pieces, with any white space between messages. What is no JSON is answered
 * with an error and skipped up to the end of its line. Not modelled: messages of more than
 * MOST_MESSAGE bytes; twice the same name in one object (the last counts).
 */
#include "monitor/monitor_impl.h"
#include "qapi/commands.h"

#include <json-c/json.h>
#include <string.h>

enum {
    MOST_REQUESTS = 8,
    MOST_BACKLOG = 1 << 20, /* of events */
    MOST_UNREAD = 1 << 16,  /* of replies, before the next command runs */
    MOST_MESSAGE = 4 << 20,
    MOST_DEPTH = 64,
};

typedef struct QmpSession {
    Monitor *mon;
    json_tokener *parser;
    size_t message_bytes;
    bool skipping; /* up to the end of a line that is no JSON */
    bool negotiated, oob;
    GQueue requests; /* Request * */
    unsigned dropped;
} QmpSession;

typedef struct Request {
    json_object *message; /* NULL: it is no message */
    char *why;            /* then: what is wrong    */
} Request;

/* ---- out ---- */

static void send(Monitor *mon, json_object *message)
{
    int flags = JSON_C_TO_STRING_NOSLASHESCAPE |
                (monitor_pretty(mon) ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED
                                     : JSON_C_TO_STRING_PLAIN);
    g_autoptr(GString) text = g_string_new(json_object_to_json_string_ext(message, flags));

    g_string_append(text, "\r\n");
    monitor_write(mon, text->str, text->len);
    json_object_put(message);
}

static void qmp_event(Monitor *mon, void *session, json_object *message)
{
    QmpSession *s = session;

    if (!s->negotiated) {
        return;
    }
    if (monitor_backlog(mon) > MOST_BACKLOG) {
        s->dropped++;
        return;
    }
    if (s->dropped) {
        g_printerr("%s: a client of the monitor was slow and missed %u events\n",
                   g_get_prgname() ?: "rhea", s->dropped);
        s->dropped = 0;
    }
    send(mon, json_object_get(message));
}

static void reply(QmpSession *s, json_object *id, json_object *result, const Error *err)
{
    json_object *message = json_object_new_object();

    if (err) {
        bool hint = *error_hint_text(err);
        g_autofree char *text =
            g_strconcat(error_text(err), hint ? "; " : NULL, error_hint_text(err), NULL);
        json_object *e = json_object_new_object();

        json_object_object_add(e, "class", json_object_new_string(error_class_name(err)));
        json_object_object_add(e, "desc", qapi_text(text));
        json_object_object_add(message, "error", e);
    } else {
        json_object_object_add(message, "return", result ?: json_object_new_object());
    }
    if (id) {
        json_object_object_add(message, "id", json_object_get(id));
    }
    send(s->mon, message);
}

static void greet(QmpSession *s)
{
    json_object *message = json_object_new_object(), *qmp = json_object_new_object();
    json_object *offers = json_object_new_array();
    VersionInfo version = {0};

    qmp_query_version(monitor_machine(s->mon), &version, NULL);
    json_object_array_add(offers, json_object_new_string("oob"));
    json_object_object_add(qmp, "version", qapi_write(&qapi_VersionInfo, &version));
    json_object_object_add(qmp, "capabilities", offers);
    json_object_object_add(message, "QMP", qmp);
    qapi_clear(&qapi_VersionInfo, &version);
    send(s->mon, message);
}

/* ---- one command ---- */

static json_object *member(json_object *message, const char *name)
{
    json_object *value = NULL;

    json_object_object_get_ex(message, name, &value);
    return value;
}

/* Only execute or exec-oob, arguments and id. */
static bool shape(QmpSession *s, json_object *message, const char **name, bool *oob, Error **err)
{
    json_object *command = NULL, *arguments = member(message, "arguments");

    json_object_object_foreach(message, key, value)
    {
        if (!strcmp(key, "execute") || !strcmp(key, "exec-oob")) {
            if (command) {
                return error_set(err, "execute and exec-oob are one too many");
            }
            command = value;
            *oob = key[4] == '-';
            if (!json_object_is_type(value, json_type_string)) {
                return error_set(err, "%s: wants a string", key);
            }
        } else if (strcmp(key, "arguments") && strcmp(key, "id")) {
            return error_set(err, "there is no member %s in a command", key);
        }
    }
    if (!command) {
        return error_set(err, "execute is missing");
    }
    if (arguments && !json_object_is_type(arguments, json_type_object)) {
        return error_set(err, "arguments: wants an object");
    }
    if (*oob && !s->oob) {
        return error_set(err, "exec-oob was not switched on in qmp_capabilities");
    }
    *name = json_object_get_string(command);
    return true;
}

static bool allowed(QmpSession *s, const QapiCommand *c, bool oob, Error **err)
{
    if (!s->negotiated && !c->first) {
        return error_class(err, ERROR_COMMAND_NOT_FOUND, "expecting qmp_capabilities before %s",
                           c->name);
    }
    if (s->negotiated && c->first) {
        return error_class(err, ERROR_COMMAND_NOT_FOUND, "%s: the negotiation is over already",
                           c->name);
    }
    return !oob || c->oob || error_set(err, "%s cannot run out of band", c->name);
}

static bool run(QmpSession *s, const QapiCommand *c, json_object *arguments, json_object **result,
                Error **err)
{
    g_autofree void *arg = c->arg ? g_malloc0(c->arg->size) : NULL;
    g_autofree void *ret = c->ret ? g_malloc0(c->ret->size) : NULL;
    bool ok;

    if (!c->arg && arguments && json_object_object_length(arguments)) {
        json_object_object_foreach(arguments, name, value)
        {
            (void)value;
            return error_set(err, "there is no parameter %s: %s takes none", name, c->name);
        }
    }
    if (c->arg && !qapi_read(c->arg, arguments, arg, err)) {
        return false;
    }
    ok = c->run(s->mon, arg, ret, err);
    if (ok && c->ret) {
        *result = qapi_write(c->ret, ret);
    }
    if (c->arg) {
        qapi_clear(c->arg, arg);
    }
    if (c->ret) {
        qapi_clear(c->ret, ret);
    }
    return ok;
}

static void answer(QmpSession *s, const Request *r)
{
    json_object *result = NULL;
    const QapiCommand *c = NULL;
    const char *name = NULL;
    Error *err = NULL;
    bool oob = false;

    if (!r->message) {
        error_set(&err, "%s", r->why);
    } else if (!json_object_is_type(r->message, json_type_object)) {
        error_set(&err, "a command is a JSON object");
    } else if (shape(s, r->message, &name, &oob, &err)) {
        c = qapi_command_find(name, &err);
    }
    if (c && allowed(s, c, oob, &err)) {
        run(s, c, member(r->message, "arguments"), &result, &err);
    }
    reply(s, json_object_is_type(r->message, json_type_object) ? member(r->message, "id") : NULL,
          result, err);
    error_free(err);
}

static void request_free(Request *r)
{
    json_object_put(r->message);
    g_free(r->why);
    g_free(r);
}

/* ---- in ---- */

static bool urgent(QmpSession *s, const Request *r)
{
    return s->oob && json_object_is_type(r->message, json_type_object) &&
           member(r->message, "exec-oob");
}

static void arrived(QmpSession *s, json_object *message, const char *why)
{
    Request *r = g_new0(Request, 1);

    r->message = message;
    r->why = g_strdup(why);
    s->message_bytes = 0;
    if (urgent(s, r)) {
        answer(s, r);
        request_free(r);
    } else {
        g_queue_push_tail(&s->requests, r);
    }
}

static void malformed(QmpSession *s, const char *why)
{
    g_autofree char *text = g_strdup_printf("JSON: %s", why);

    json_tokener_reset(s->parser);
    s->skipping = true;
    arrived(s, NULL, text);
}

static size_t skip(QmpSession *s, const uint8_t *data, size_t n)
{
    const uint8_t *end = memchr(data, '\n', n);

    s->skipping = !end;
    return end ? (size_t)(end + 1 - data) : n;
}

static bool blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* One message, or as much of one as there is. */
static size_t parse(QmpSession *s, const uint8_t *data, size_t n)
{
    const uint8_t *nul = memchr(data, 0, n);
    size_t most = nul ? (size_t)(nul - data) : n;
    json_object *message;

    if (!s->message_bytes && blank(*data)) {
        return 1;
    }
    if (!most) {
        malformed(s, "a NUL byte");
        return 1;
    }
    message = json_tokener_parse_ex(s->parser, (const char *)data, most);
    switch (json_tokener_get_error(s->parser)) {
    case json_tokener_success:
        most = json_tokener_get_parse_end(s->parser);
        arrived(s, message, NULL);
        break;
    case json_tokener_continue:
        s->message_bytes += most;
        if (s->message_bytes > MOST_MESSAGE) {
            malformed(s, "the message is too long");
        }
        break;
    default:
        most = MIN(most, json_tokener_get_parse_end(s->parser));
        malformed(s, json_tokener_error_desc(json_tokener_get_error(s->parser)));
    }
    return most;
}

static size_t qmp_take(Monitor *mon, void *session, const uint8_t *data, size_t n)
{
    QmpSession *s = session;
    size_t done = 0;

    while (done < n && g_queue_get_length(&s->requests) < MOST_REQUESTS) {
        done += s->skipping ? skip(s, data + done, n - done) : parse(s, data + done, n - done);
    }
    return done;
}

static bool qmp_step(Monitor *mon, void *session)
{
    QmpSession *s = session;
    Request *r;

    if (monitor_backlog(mon) > MOST_UNREAD) {
        return false; /* it is called again when the client has read */
    }
    r = g_queue_pop_head(&s->requests);
    if (r) {
        answer(s, r);
        request_free(r);
    }
    return r;
}

/* ---- life ---- */

static void *qmp_open(Monitor *mon)
{
    QmpSession *s = g_new0(QmpSession, 1);

    s->mon = mon;
    s->parser = json_tokener_new_ex(MOST_DEPTH);
    g_queue_init(&s->requests);
    greet(s);
    return s;
}

static void qmp_close(Monitor *mon, void *session)
{
    QmpSession *s = session;

    for (Request *r; (r = g_queue_pop_head(&s->requests));) {
        request_free(r);
    }
    json_tokener_free(s->parser);
    g_free(s);
}

const MonitorMode qmp_mode = {
    "control", qmp_open, qmp_close, qmp_take, qmp_step, .event = qmp_event,
};

/* ---- the negotiation ---- */

bool qmp_qmp_capabilities(Monitor *mon, const QmpCapabilitiesArgs *arg, Error **err)
{
    QmpSession *s = monitor_session(mon);

    for (unsigned i = 0; i < arg->enable.n; i++) {
        s->oob |= arg->enable.item[i] == QMPCAPABILITY_OOB;
    }
    s->negotiated = true;
    return true;
}
