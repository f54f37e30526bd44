/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plan's life, and the plan in print. */
#include "softmmu/plan.h"

#include "chardev/chardev.h"

static void free_opts(void *opaque)
{
    opts_free(opaque);
}

static GPtrArray *opts_list(void)
{
    return g_ptr_array_new_with_free_func(free_opts);
}

static GPtrArray *text_list(void)
{
    return g_ptr_array_new_with_free_func(g_free);
}

Plan *plan_new(void)
{
    Plan *p = g_new0(Plan, 1);

    p->machine_opts = opts_new();
    p->accels = opts_list();
    p->objects = opts_list();
    p->chardevs = opts_list();
    p->devices = opts_list();
    p->monitors = opts_list();
    p->globals = opts_list();
    p->serials = text_list();
    p->option_roms = text_list();
    p->smbios = text_list();
    p->data_dirs = text_list();
    p->traces = text_list();
    return p;
}

void plan_free(Plan *p)
{
    GPtrArray *lists[] = {p->accels,  p->objects,   p->chardevs, p->devices,
                          p->globals, p->monitors,  p->serials,  p->option_roms,
                          p->smbios,  p->data_dirs, p->traces};
    char *texts[] = {p->machine,  p->cpu,       p->parallel,     p->debugcon,   p->gdb,
                     p->qtest,    p->qtest_log, p->process_name, p->guest_name, p->log_items,
                     p->log_file, p->pid_file,  p->answer};

    for (unsigned i = 0; i < G_N_ELEMENTS(lists); i++) {
        g_ptr_array_free(lists[i], TRUE);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_free(texts[i]);
    }
    opts_free(p->machine_opts);
    g_free(p);
}

void plan_set(Plan *p, const Option *o, const char *prop, Value value)
{
    GPtrArray *list = p->machine_opts->list;

    opts_add(p->machine_opts, prop, value);
    ((Opt *)list->pdata[list->len - 1])->origin = o->name;
}

/* ---- in print ---- */

static void print_list(GString *out, const char *option, const GPtrArray *list, const char *implied)
{
    for (guint i = 0; i < list->len; i++) {
        g_autofree char *text = opts_print(list->pdata[i], implied);

        g_string_append_printf(out, "-%s %s\n", option, text);
    }
}

static void print_texts(GString *out, const char *option, const GPtrArray *list)
{
    for (guint i = 0; i < list->len; i++) {
        g_string_append_printf(out, "-%s %s\n", option, (char *)list->pdata[i]);
    }
}

/* A serial port is a back end; which device it reaches is the board's affair. */
static void print_serial(GString *out, const char *text, guint n)
{
    Opts *o = chardev_short(text, NULL);
    g_autofree char *shown = opts_print(o, NULL);

    g_string_append_printf(out, "-chardev %s,id=serial%u\n", shown, n);
    opts_free(o);
}

char *plan_print(const Plan *p)
{
    GString *out = g_string_new(NULL);
    g_autofree char *machine = opts_print(p->machine_opts, NULL);

    g_string_append_printf(out, "-machine %s%s%s\n", p->machine ?: "pc", *machine ? "," : "",
                           machine);
    print_list(out, "accel", p->accels, "accel");
    if (p->cpu) {
        g_string_append_printf(out, "-cpu %s\n", p->cpu);
    }
    print_list(out, "global", p->globals, NULL);
    print_list(out, "object", p->objects, "qom-type");
    print_list(out, "chardev", p->chardevs, "backend");
    for (guint i = 0; i < p->serials->len; i++) {
        print_serial(out, p->serials->pdata[i], i);
    }
    print_list(out, "mon", p->monitors, "chardev");
    if (p->gdb) {
        g_string_append_printf(out, "-gdb %s\n", p->gdb);
    }
    print_texts(out, "smbios", p->smbios);
    print_texts(out, "option-rom", p->option_roms);
    print_list(out, "device", p->devices, "driver");
    return g_string_free(out, FALSE);
}
