/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPU models for programs: query-cpu-definitions, query-cpu-model-expansion.
 *
 * Expansions tell the truth about this engine on this host: a feature is true when a guest would
 * find it in CPUID. Not modelled: versions of models, hv-* properties (all false).
 */
#include "monitor/monitor_impl.h"
#include "qapi/commands.h"
#include "target/i386/cpu.h"
#include "target/i386/features.h"
#include "target/i386/model.h"

#include <json-c/json.h>
#include <string.h>

/* Those of this host or this version differ from place to place. */
static bool depends_on_host(const char *name)
{
    return !strcmp(name, "max") || !strcmp(name, "host");
}

static void add_missing(const CpuModel *model, StrList *to)
{
    g_auto(GStrv) name = g_strsplit(model->missing, " ", -1);
    bool cut = strlen(model->missing) == sizeof model->missing - 1;

    for (int i = 0; name[i] && (name[i + 1] || !cut); i++) {
        if (*name[i]) {
            *LIST_ADD(to) = g_strdup(name[i]);
        }
    }
}

/* As a guest of this machine's engine would see it. */
static bool resolve(Machine *m, const char *text, CpuModel *model, Error **err)
{
    CpuOffer offer;

    return cpu_offer(machine_accel(m), &offer, err) && model_resolve(text, &offer, model, err);
}

bool qmp_query_cpu_definitions(Machine *m, CpuDefinitionInfoList *ret, Error **err)
{
    const char *name;

    for (unsigned i = 0; (name = model_name(i)); i++) {
        CpuDefinitionInfo *info = LIST_ADD(ret);
        CpuModel model;

        info->name = g_strdup(name);
        info->typename = g_strconcat(name, "-x86_64-cpu", NULL);
        info->has_migration_safe = true;
        info->migration_safe = !depends_on_host(name);
        info->static_ = !strcmp(name, "base");
        info->has_unavailable_features = resolve(m, name, &model, NULL);
        if (info->has_unavailable_features) {
            add_missing(&model, &info->unavailable_features);
        }
    }
    return true;
}

/* ---- expansion ---- */

/* Names that change nothing here, as management programs send them. */
static bool without_effect(const char *name)
{
    static const char *const names[] = {"migratable", "hv-passthrough", "hv_passthrough"};

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        if (!strcmp(name, names[i])) {
            return true;
        }
    }
    return g_str_has_prefix(name, "hv-");
}

static bool append_props(GString *text, json_object *props, Error **err)
{
    if (props && !json_object_is_type(props, json_type_object)) {
        return error_set(err, "parameter model.props: wants an object");
    }
    if (!props) {
        return true;
    }
    json_object_object_foreach(props, name, value)
    {
        bool flag = json_object_is_type(value, json_type_boolean);

        if (json_object_is_type(value, json_type_object) ||
            json_object_is_type(value, json_type_array) || strchr(name, ',') ||
            strchr(json_object_get_string(value) ?: ",", ',')) {
            return error_set(err, "parameter model.props.%s: wants a plain value", name);
        }
        if (!without_effect(name)) {
            g_string_append_printf(text, ",%s=%s", name,
                                   flag ? (json_object_get_boolean(value) ? "on" : "off")
                                        : json_object_get_string(value));
        }
    }
    return true;
}

static void add_number(json_object *to, const char *name, uint64_t n)
{
    json_object_object_add(to, name, json_object_new_int64(n));
}

static json_object *spelt_out(const CpuModel *model)
{
    json_object *to = json_object_new_object();

    for (const FeatureRow *r = feature_rows; r->name; r++) {
        json_object_object_add(to, r->name,
                               json_object_new_boolean(feature_has(&model->features, r->feature)));
    }
    add_number(to, "level", model->level);
    add_number(to, "xlevel", model->xlevel);
    add_number(to, "family", model->family);
    add_number(to, "model", model->model);
    add_number(to, "stepping", model->stepping);
    add_number(to, "phys-bits", model->phys_bits);
    json_object_object_add(to, "vendor", qapi_text(model->vendor));
    json_object_object_add(to, "model-id", qapi_text(model->model_id));
    return to;
}

bool qmp_query_cpu_model_expansion(Machine *m, const QueryCpuModelExpansionArgs *arg,
                                   CpuModelExpansionInfo *ret, Error **err)
{
    g_autoptr(GString) text = g_string_new(arg->model.name);
    bool as_base = arg->type == CPU_MODEL_EXPANSION_TYPE_STATIC;
    CpuModel model;

    if (strchr(arg->model.name, ',')) {
        return error_set(err, "there is no CPU model %s", arg->model.name);
    }
    if (!append_props(text, arg->model.props, err) || !resolve(m, text->str, &model, err)) {
        return false;
    }
    ret->model.name = g_strdup(as_base ? "base" : arg->model.name);
    ret->model.props = spelt_out(&model);
    return true;
}
