/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events of the monitor protocol: from a C struct to the message that all monitors send. */
#include "qapi/event.h"

#include "softmmu/run/machine_impl.h"

#include <json-c/json.h>

void qapi_emit(Machine *m, const QapiEvent *event, const void *data)
{
    EventSink *sink = m->events;
    int64_t now_us = g_get_real_time();
    json_object *message, *at;

    if (!sink) {
        return;
    }
    at = json_object_new_object();
    json_object_object_add(at, "seconds", json_object_new_int64(now_us / 1000000));
    json_object_object_add(at, "microseconds", json_object_new_int64(now_us % 1000000));
    message = json_object_new_object();
    json_object_object_add(message, "timestamp", at);
    json_object_object_add(message, "event", json_object_new_string(event->name));
    if (event->data) {
        json_object_object_add(message, "data", qapi_write(event->data, data));
    }
    sink->emit(sink, event, message);
}
