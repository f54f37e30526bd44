/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Topics of `info` that QMP has queries for (cpus, pci, chardev, name, uuid, kvm, trace-events),
 * and commands that make and remove devices and objects, by the functions that QMP and the command
 * line use.
 */
#include "monitor/hmp_command.h"
#include "qapi/commands.h"
#include "qom/opts.h"
#include "softmmu/make.h"
#include "target/i386/state.h"

#include <json-c/json.h>
#include <string.h>

/* ---- who is it ---- */

static bool info_name(Hmp *h, Error **err)
{
    NameInfo info = {0};
    bool ok = qmp_query_name(h->m, &info, err);

    if (ok && info.name) {
        hmp_say(h, "%s\n", info.name);
    }
    qapi_clear(&qapi_NameInfo, &info);
    return ok;
}

static bool info_uuid(Hmp *h, Error **err)
{
    UuidInfo info = {0};
    bool ok = qmp_query_uuid(h->m, &info, err);

    if (ok) {
        hmp_say(h, "%s\n", info.UUID);
    }
    qapi_clear(&qapi_UuidInfo, &info);
    return ok;
}

static bool info_kvm(Hmp *h, Error **err)
{
    KvmInfo info = {0};
    bool ok = qmp_query_kvm(h->m, &info, err);

    if (ok) {
        hmp_say(h, "kvm support: %s\n",
                info.enabled   ? "enabled"
                : info.present ? "disabled"
                               : "not compiled");
    }
    return ok;
}

static bool info_memory(Hmp *h, Error **err)
{
    MemoryInfo info = {0};
    bool ok = qmp_query_memory_size_summary(h->m, &info, err);

    if (ok) {
        hmp_say(h, "base memory: %" PRIu64 "\n", info.base_memory);
    }
    if (ok && info.has_plugged_memory) {
        hmp_say(h, "plugged memory: %" PRIu64 "\n", info.plugged_memory);
    }
    qapi_clear(&qapi_MemoryInfo, &info);
    return ok;
}

/* ---- CPUs ---- */

static const char *activity(const Vcpu *cpu)
{
    static const char *const names[] = {[CPU_RUNNING] = "",
                                        [CPU_HALTED] = " (halted)",
                                        [CPU_WAIT_SIPI] = " (waits for start-up)",
                                        [CPU_SHUTDOWN] = " (shut down)"};

    return cpu->state && cpu->state->activity < G_N_ELEMENTS(names) ? names[cpu->state->activity]
                                                                    : "";
}

static bool info_cpus(Hmp *h, Error **err)
{
    CpuInfoFastList list = {0};
    bool ok = hmp_cpu(h, err) && qmp_query_cpus_fast(h->m, &list, err);

    for (unsigned i = 0; ok && i < list.n && i < machine_cpu_count(h->m); i++) {
        const CpuInfoFast *c = &list.item[i];

        hmp_say(h, "%c CPU #%" PRId64 ": thread_id=%" PRId64 "%s\n", i == h->cpu ? '*' : ' ',
                c->cpu_index, c->thread_id, activity(machine_cpu(h->m, i)));
    }
    qapi_clear(&qapi_CpuInfoFastList, &list);
    return ok;
}

/* ---- PCI ---- */

static void add_bar(Hmp *h, const PciMemoryRegion *r)
{
    bool io = !strcmp(r->type, "io");

    hmp_say(h, "      BAR%" PRId64 ": ", r->bar);
    if (io) {
        hmp_say(h, "I/O at 0x%04" PRIx64 " [0x%04" PRIx64 "].\n", r->address,
                r->address + r->size - 1);
    } else {
        hmp_say(h, "%d bit%s memory at 0x%08" PRIx64 " [0x%08" PRIx64 "].\n",
                r->mem_type_64 ? 64 : 32, r->prefetch ? " prefetchable" : "", r->address,
                r->address + r->size - 1);
    }
}

static void add_function(Hmp *h, const PciDeviceInfo *d)
{
    hmp_say(h, "  Bus %2" PRId64 ", device %3" PRId64 ", function %" PRId64 ":\n    ", d->bus,
            d->slot, d->function);
    if (d->class_info.desc) {
        hmp_say(h, "%s", d->class_info.desc);
    } else {
        hmp_say(h, "Class %04" PRIx64, d->class_info.class_);
    }
    hmp_say(h, ": PCI device %04" PRIx64 ":%04" PRIx64 "\n", d->id.vendor, d->id.device);
    if (d->id.has_subsystem && d->id.has_subsystem_vendor) {
        hmp_say(h, "      PCI subsystem %04" PRIx64 ":%04" PRIx64 "\n", d->id.subsystem_vendor,
                d->id.subsystem);
    }
    if (d->has_irq) {
        hmp_say(h, "      IRQ %" PRId64 ", pin %c\n", d->irq, (char)('A' + d->irq_pin - 1));
    }
    for (unsigned i = 0; i < d->regions.n; i++) {
        add_bar(h, &d->regions.item[i]);
    }
    hmp_say(h, "      id \"%s\"\n", d->qdev_id);
}

static bool info_pci(Hmp *h, Error **err)
{
    PciInfoList list = {0};
    bool ok = qmp_query_pci(h->m, &list, err);

    for (unsigned i = 0; ok && i < list.n; i++) {
        for (unsigned n = 0; n < list.item[i].devices.n; n++) {
            add_function(h, &list.item[i].devices.item[n]);
        }
    }
    if (ok && !list.n) {
        hmp_say(h, "No PCI buses\n");
    }
    qapi_clear(&qapi_PciInfoList, &list);
    return ok;
}

/* ---- chardevs, trace points ---- */

static bool info_chardev(Hmp *h, Error **err)
{
    ChardevInfoList list = {0};
    bool ok = qmp_query_chardev(h->m, &list, err);

    for (unsigned i = 0; ok && i < list.n; i++) {
        hmp_say(h, "%s: filename=%s%s\n", list.item[i].label, list.item[i].filename,
                list.item[i].frontend_open ? "" : " (nobody hears it)");
    }
    qapi_clear(&qapi_ChardevInfoList, &list);
    return ok;
}

static bool info_trace_events(Hmp *h, Error **err)
{
    g_autofree char *name = hmp_word(h);
    TraceEventGetStateArgs arg = {.name = name ?: (char[]){"*"}};
    TraceEventInfoList list = {0};
    bool ok = qmp_trace_event_get_state(h->m, &arg, &list, err);

    for (unsigned i = 0; ok && i < list.n; i++) {
        hmp_say(h, "%s : state %d\n", list.item[i].name,
                list.item[i].state == TRACE_EVENT_STATE_ENABLED);
    }
    qapi_clear(&qapi_TraceEventInfoList, &list);
    return ok;
}

/* ---- devices and objects ---- */

static bool make(Hmp *h, const char *implied, bool (*fn)(Machine *m, Opts *o, Error **err),
                 Error **err)
{
    g_autofree char *text = hmp_rest(h);
    Opts *o = opts_parse(text, implied, err);
    bool ok = o != NULL;

    if (o && !opts_text(o, implied)) {
        ok = error_set(err, "%s is missing", implied);
    }
    ok = ok && fn(h->m, o, err);
    opts_free(o);
    return ok;
}

static bool add_device(Hmp *h, Error **err)
{
    return make(h, "driver", device_make, err);
}

static bool add_object(Hmp *h, Error **err)
{
    return make(h, "qom-type", object_make, err);
}

static bool del_device(Hmp *h, Error **err)
{
    g_autofree char *id = NULL;

    return hmp_need_word(h, "ID", &id, err) &&
           qmp_device_del(h->m, &(DeviceDelArgs){.id = id}, err);
}

static bool del_object(Hmp *h, Error **err)
{
    g_autofree char *id = NULL;

    return hmp_need_word(h, "ID", &id, err) &&
           qmp_object_del(h->m, &(ObjectDelArgs){.id = id}, err);
}

/* ---- properties ---- */

static bool qom_get(Hmp *h, Error **err)
{
    g_autofree char *path = NULL, *name = NULL;
    struct json_object *value = NULL;

    if (!hmp_need_word(h, "PATH", &path, err) || !hmp_need_word(h, "PROPERTY", &name, err) ||
        !qmp_qom_get(h->m, &(QomGetArgs){.path = path, .property = name}, &value, err)) {
        return false;
    }
    hmp_say(h, "%s\n", json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(value);
    return true;
}

/* JSON, or a text. */
static bool qom_set(Hmp *h, Error **err)
{
    g_autofree char *path = NULL, *name = NULL, *text = NULL;
    struct json_object *value;
    bool ok;

    if (!hmp_need_word(h, "PATH", &path, err) || !hmp_need_word(h, "PROPERTY", &name, err)) {
        return false;
    }
    text = hmp_rest(h);
    value = json_tokener_parse(text) ?: json_object_new_string(text);
    ok = qmp_qom_set(h->m, &(QomSetArgs){.path = path, .property = name, .value = value}, err);
    json_object_put(value);
    return ok;
}

/* ---- completion ---- */

static void offer_children(Hmp *h, HmpWords *words, const char *path)
{
    Object *at;

    lock_take(machine_lock(h->m));
    at = object_at(object_root((Object *)h->m), path);
    for (Object *c = at ? at->children : NULL; c; c = c->next) {
        hmp_offer(words, c->name);
    }
    lock_drop(machine_lock(h->m));
}

static void complete_device(Hmp *h, HmpWords *words)
{
    offer_children(h, words, "/machine/peripheral");
}

static void complete_object(Hmp *h, HmpWords *words)
{
    offer_children(h, words, "/objects");
}

static void complete_driver(Hmp *h, HmpWords *words)
{
    extern const Class *const __start_classes[], *const __stop_classes[];

    for (const Class *const *c = __start_classes; c < __stop_classes; c++) {
        if (class_is(*c, &Device_class) && !((const DeviceClass *)*c)->onboard) {
            hmp_offer(words, (*c)->name);
        }
    }
}

/* clang-format off */
static const HmpCommand commands[] = {
    {"cpus", NULL, "the vCPUs; * is the chosen one", info_cpus, .info = true, .looks = true},
    {"pci", NULL, "what is on the PCI buses", info_pci, .info = true},
    {"chardev", NULL, "the character devices", info_chardev, .info = true},
    {"name", NULL, "the guest's name", info_name, .info = true},
    {"uuid", NULL, "the system's UUID", info_uuid, .info = true},
    {"kvm", NULL, "does the machine run by KVM?", info_kvm, .info = true},
    {"memory_size_summary", NULL, "how much memory there is", info_memory, .info = true},
    {"trace-events", "[NAME]", "trace points and whether they are on; * and ? stand for anything", info_trace_events, .info = true},
    {"device_add", "DRIVER[,PROP=VALUE...]", "add a device, as -device does", add_device, complete_driver},
    {"device_del", "ID", "ask the guest to let go of a device, then remove it", del_device, complete_device},
    {"object_add", "TYPE,id=ID[,PROP=VALUE...]", "make an object, as -object does", add_object},
    {"object_del", "ID", "remove an object", del_object, complete_object},
    {"qom-get", "PATH PROPERTY", "a property of an object", qom_get},
    {"qom-set", "PATH PROPERTY VALUE", "set a property of an object", qom_set},
    {0},
};
/* clang-format on */
HMP_COMMANDS(commands);
