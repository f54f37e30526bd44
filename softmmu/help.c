/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -device help and its like: made from the classes, so that nothing needs to be written twice. */
#include "accel/accel.h"
#include "hw/core/bus.h"
#include "qom/value.h"
#include "softmmu/plan.h"

#include <string.h>

extern const Class *const __start_classes[], *const __stop_classes[];

typedef bool Wanted(const Class *c);

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp((*(const Class *const *)a)->name, (*(const Class *const *)b)->name);
}

static GPtrArray *classes(Wanted *wanted)
{
    GPtrArray *list = g_ptr_array_new();

    for (const Class *const *c = __start_classes; c < __stop_classes; c++) {
        if (wanted(*c)) {
            g_ptr_array_add(list, (void *)*c);
        }
    }
    g_ptr_array_sort(list, by_name);
    return list;
}

static bool is_device(const Class *c)
{
    return class_is(c, &Device_class) && !((const DeviceClass *)c)->onboard;
}

/* Made by -object: whatever can be completed and has no option of its own. */
static bool is_object(const Class *c)
{
    const Class *at = c;

    while (at && !at->complete) {
        at = at->parent;
    }
    return at && !class_is(c, &Device_class) && !g_str_has_prefix(c->name, "chardev-");
}

static bool is_machine(const Class *c)
{
    return class_is(c, &Machine_class);
}

static bool is_accel(const Class *c)
{
    return class_is(c, &Accel_class);
}

static void print_class(GString *out, const Class *c)
{
    if (c->alias) {
        g_string_append_printf(out, "%s, alias %s: %s\n", c->name, c->alias, c->about);
    } else {
        g_string_append_printf(out, "%s: %s\n", c->name, c->about);
    }
}

static char *print_classes(Wanted *wanted)
{
    g_autoptr(GPtrArray) list = classes(wanted);
    GString *out = g_string_new(NULL);

    for (guint i = 0; i < list->len; i++) {
        print_class(out, list->pdata[i]);
    }
    return g_string_free(out, FALSE);
}

char *help_devices(void)
{
    return print_classes(is_device);
}

char *help_objects(void)
{
    return print_classes(is_object);
}

char *help_machines(void)
{
    g_autoptr(GPtrArray) list = classes(is_machine);
    GString *out = g_string_new("Machines:\n");

    for (guint i = 0; i < list->len; i++) {
        const MachineClass *c = list->pdata[i];

        if (c->alias) {
            g_string_append_printf(out, "%-20s %s (alias of %s)\n", c->alias, c->about, c->name);
        }
        g_string_append_printf(out, "%-20s %s%s\n", c->name, c->about,
                               c->alias && !strcmp(c->alias, "pc") ? " (default)" : "");
    }
    return g_string_free(out, FALSE);
}

char *help_accels(void)
{
    g_autoptr(GPtrArray) list = classes(is_accel);
    GString *out = g_string_new("Accelerators:\n");

    for (guint i = 0; i < list->len; i++) {
        const AccelClass *c = list->pdata[i];
        const char *name = c->class.alias ?: c->class.name;
        Error *why = NULL;

        bool can = !c->usable || c->usable(NULL, &why);

        if (can && c->preferred && !c->preferred(&why)) {
            g_string_append_printf(out, "%-8s only when it is named: %s (%s)\n", name,
                                   c->class.about, error_text(why));
        } else if (can) {
            g_string_append_printf(out, "%-8s can be used: %s\n", name, c->class.about);
        } else {
            g_string_append_printf(out, "%-8s cannot be used here: %s\n", name, error_text(why));
        }
        if (*error_hint_text(why)) {
            g_string_append_printf(out, "%-8s %s\n", "", error_hint_text(why));
        }
        error_free(why);
    }
    return g_string_free(out, FALSE);
}

/* ---- properties ---- */

static char *dflt_of(const Prop *p)
{
    if (p->type == &prop_bool) {
        return g_strdup(p->dflt ? "on" : "off");
    }
    if (p->type == &prop_enum) {
        return g_strdup(p->choices[(int)p->dflt]);
    }
    if (p->type == &prop_uint && (p->dflt == UINT32_MAX || p->dflt == UINT64_MAX)) {
        return NULL; /* whatever suits: the text says what */
    }
    if (p->type == &prop_uint || p->type == &prop_int) {
        return value_print(&NUMBER(p->dflt));
    }
    return g_strdup(p->text);
}

static void print_prop(GString *out, const Prop *p)
{
    g_autofree char *dflt = dflt_of(p);
    g_autofree char *choices = p->type == &prop_enum ? g_strjoinv("|", (char **)p->choices) : NULL;
    g_autofree char *type = p->link
                              ? g_strdup_printf("link to a %s", ((const Class *)p->link)->name)
                              : g_strdup(choices
                                             ?: p->unit == UNIT_BYTES ? "size"
                                                                      : p->type->name);

    g_string_append_printf(out, "  %s=<%s>%*s - %s", p->name, type,
                           MAX(0, 28 - (int)(strlen(p->name) + strlen(type))), "", p->about);
    if (dflt) {
        g_string_append_printf(out, " (default: %s)", dflt);
    }
    g_string_append_c(out, '\n');
}

char *help_class(const Class *class)
{
    GString *out = g_string_new(NULL);

    print_class(out, class);
    g_string_append_printf(out, "%s options:\n", class->name);
    for (const Prop *p = prop_next(class, NULL); p; p = prop_next(class, p)) {
        print_prop(out, p);
    }
    return g_string_free(out, FALSE);
}
