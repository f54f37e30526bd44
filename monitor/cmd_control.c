/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands about the protocol itself: qapi/control.qapi. */
#include "monitor/hmp.h"
#include "monitor/monitor_impl.h"
#include "qapi/commands.h"

#include <json-c/json.h>
#include <string.h>

bool qmp_query_version(Machine *m, VersionInfo *ret, Error **err)
{
    ret->qemu = (VersionTriple){7, 2, 0};
    ret->package = g_strdup("Rhea " RHEA_VERSION);
    return true;
}

bool qmp_query_commands(Machine *m, CommandInfoList *ret, Error **err)
{
    for (const QapiCommand *c = qapi_commands; c->name; c++) {
        LIST_ADD(ret)->name = g_strdup(c->name);
    }
    return true;
}

bool qmp_query_qmp_schema(Machine *m, AnyList *ret, Error **err)
{
    json_object *all = json_tokener_parse(qapi_schema);
    size_t n = json_object_array_length(all);

    for (size_t i = 0; i < n; i++) {
        *LIST_ADD(ret) = json_object_get(json_object_array_get_idx(all, i));
    }
    json_object_put(all);
    return true;
}

bool qmp_human_monitor_command(Monitor *mon, const HumanMonitorCommandArgs *arg, char **ret,
                               Error **err)
{
    unsigned cpu = arg->has_cpu_index ? arg->cpu_index : 0;

    *ret = hmp_run(monitor_machine(mon), &cpu, arg->command_line);
    return true;
}
