/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Trace points: qapi/trace.qapi. Not modelled: trace points of single vCPUs. */
#include "qapi/commands.h"
#include "util/log.h"
#include "util/trace.h"

#include <fnmatch.h>
#include <string.h>

extern TracePoint *const __start_traces[], *const __stop_traces[];

static bool listed(const TraceEventInfoList *list, const char *name)
{
    for (unsigned i = 0; i < list->n; i++) {
        if (!strcmp(list->item[i].name, name)) {
            return true;
        }
    }
    return false;
}

bool qmp_trace_event_get_state(Machine *m, const TraceEventGetStateArgs *arg,
                               TraceEventInfoList *ret, Error **err)
{
    for (TracePoint *const *p = __start_traces; p < __stop_traces; p++) {
        if (!fnmatch(arg->name, (*p)->name, 0) && !listed(ret, (*p)->name)) {
            TraceEventInfo *info = LIST_ADD(ret);

            info->name = g_strdup((*p)->name);
            info->state = (*p)->on ? TRACE_EVENT_STATE_ENABLED : TRACE_EVENT_STATE_DISABLED;
        }
    }
    /* a name without * asks for one: it must be there */
    return ret->n || strpbrk(arg->name, "*?[") ||
           error_set(err, "there is no trace point %s", arg->name);
}

bool qmp_trace_event_set_state(Machine *m, const TraceEventSetStateArgs *arg, Error **err)
{
    Error *why = NULL;

    if (trace_switch(arg->name, arg->enable, &why) ||
        (arg->has_ignore_unavailable && arg->ignore_unavailable)) {
        error_free(why);
        return true;
    }
    return error_move(err, why);
}
