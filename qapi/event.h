/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who hears of the events of a machine: the monitors; in tests, whoever asks. */
#pragma once
#include "qapi/marshal.h"

typedef struct EventSink EventSink;

/* Hangs at Machine.events. emit() takes the message over; any thread, locks may be held. */
struct EventSink {
    void (*emit)(EventSink *sink, const QapiEvent *event, struct json_object *message);
};
