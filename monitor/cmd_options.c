/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * query-command-line-options: groups of parameters, by the names that files of -readconfig use.
 * Those of the machine and of chardevs come from their classes' properties.
 */
#include "chardev/chardev.h"
#include "monitor/monitor_impl.h"
#include "qapi/commands.h"

#include <string.h>

extern const Class *const __start_classes[], *const __stop_classes[];

typedef struct Group {
    const char *option, *strings, *booleans, *numbers, *sizes; /* names, blanks between */
    const void *classes; /* and the properties of all classes derived from it */
} Group;

/* clang-format off */
static const Group groups[] = {
    {"accel", "accel"},
    {"boot-opts", "order once splash", "menu strict", "splash-time reboot-timeout"},
    {"chardev", "backend", .classes = &Chardev_class},
    {"device", "driver id bus addr"},
    {"global", "driver property value"},
    {"machine", "type", .classes = &Machine_class},
    {"memory", NULL, NULL, "slots", "size maxmem"},
    {"mon", "mode chardev id", "pretty"},
    {"msg", NULL, "timestamp guest-name"},
    {"name", "guest process", "debug-threads"},
    {"object", "qom-type id"},
    {"overcommit", NULL, "mem-lock cpu-pm"},
    {"rtc", "base clock driftfix"},
    {"smbios", "type file"},
    {"smp-opts", NULL, NULL, "cpus sockets dies cores threads maxcpus"},
};
/* clang-format on */

static void add(CommandLineParameterInfoList *to, const char *name, CommandLineParameterType type,
                const char *about)
{
    CommandLineParameterInfo *p;

    for (unsigned i = 0; i < to->n; i++) {
        if (!strcmp(to->item[i].name, name)) {
            return;
        }
    }
    p = LIST_ADD(to);
    p->name = g_strdup(name);
    p->type = type;
    p->help = g_strdup(about);
}

static void add_names(CommandLineParameterInfoList *to, const char *names,
                      CommandLineParameterType type)
{
    g_auto(GStrv) name = g_strsplit(names ?: "", " ", -1);

    for (int i = 0; name[i]; i++) {
        add(to, name[i], type, NULL);
    }
}

static CommandLineParameterType type_of(const Prop *p)
{
    if (p->unit == UNIT_BYTES) {
        return COMMAND_LINE_PARAMETER_TYPE_SIZE;
    }
    if (p->type == &prop_uint || p->type == &prop_int) {
        return COMMAND_LINE_PARAMETER_TYPE_NUMBER;
    }
    return p->type == &prop_bool ? COMMAND_LINE_PARAMETER_TYPE_BOOLEAN
                                 : COMMAND_LINE_PARAMETER_TYPE_STRING;
}

static void add_classes(CommandLineParameterInfoList *to, const void *base)
{
    for (const Class *const *c = __start_classes; base && c < __stop_classes; c++) {
        const Prop *p = class_is(*c, base) ? prop_next(*c, NULL) : NULL;

        for (; p; p = prop_next(*c, p)) {
            add(to, p->name, type_of(p), p->about);
        }
    }
}

bool qmp_query_command_line_options(Machine *m, const QueryCommandLineOptionsArgs *arg,
                                    CommandLineOptionInfoList *ret, Error **err)
{
    for (const Group *g = groups; g < groups + G_N_ELEMENTS(groups); g++) {
        CommandLineOptionInfo *o;

        if (arg->option && strcmp(arg->option, g->option)) {
            continue;
        }
        o = LIST_ADD(ret);
        o->option = g_strdup(g->option);
        add_names(&o->parameters, g->strings, COMMAND_LINE_PARAMETER_TYPE_STRING);
        add_names(&o->parameters, g->booleans, COMMAND_LINE_PARAMETER_TYPE_BOOLEAN);
        add_names(&o->parameters, g->numbers, COMMAND_LINE_PARAMETER_TYPE_NUMBER);
        add_names(&o->parameters, g->sizes, COMMAND_LINE_PARAMETER_TYPE_SIZE);
        add_classes(&o->parameters, g->classes);
    }
    return ret->n || error_set(err, "there is no option %s with parameters", arg->option);
}
