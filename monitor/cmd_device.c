/* SPDX-License-Identifier: GPL-2.0-or-later */
/* object-add, object-del, device_add, device_del: by the same road as -object and -device. */
#include "hw/core/bus.h"
#include "monitor/monitor_impl.h"
#include "qapi/commands.h"
#include "softmmu/make.h"
#include "softmmu/memory/backend.h"

#include <string.h>

static bool make(Machine *m, struct json_object *all, bool (*fn)(Machine *, Opts *, Error **),
                 Error **err)
{
    Opts *o = opts_of_json(all, err);
    bool ok = o && fn(m, o, err);

    opts_free(o);
    return ok;
}

bool qmp_object_add(Machine *m, const ObjectAddArgs *arg, Error **err)
{
    return make(m, arg->all, object_make, err);
}

static bool in_use(Object *obj)
{
    return obj->refs > 1 || (object_is(obj, &MemoryBackend_class) && ((MemoryBackend *)obj)->used);
}

bool qmp_object_del(Machine *m, const ObjectDelArgs *arg, Error **err)
{
    Object *all = object_container(object_root(&m->obj), "objects"), *obj;
    bool ok = false;

    lock_take(&m->lock);
    obj = object_child(all, arg->id);
    if (!obj) {
        error_class(err, ERROR_GENERIC, "there is no object %s", arg->id);
    } else if (in_use(obj)) {
        error_set(err, "object %s is in use", arg->id);
    } else {
        object_remove(obj);
        ok = true;
    }
    lock_drop(&m->lock);
    return ok;
}

bool qmp_device_add(Machine *m, const DeviceAddArgs *arg, Error **err)
{
    return make(m, arg->all, device_make, err);
}

static Device *device_find(Machine *m, const char *id, Error **err)
{
    Object *user = object_container(&m->obj, "peripheral");
    Object *obj = *id == '/' ? object_at(object_root(&m->obj), id) : object_child(user, id);

    if (obj && !object_is(obj, &Device_class)) {
        error_set(err, "%s is no device", id);
        return NULL;
    }
    if (!obj) {
        error_class(err, ERROR_DEVICE_NOT_FOUND, "there is no device %s", id);
    }
    return (Device *)obj;
}

bool qmp_device_del(Machine *m, const DeviceDelArgs *arg, Error **err)
{
    Device *dev;
    bool ok;

    lock_take(&m->lock);
    dev = device_find(m, arg->id, err);
    ok = dev && device_unplug(dev, err);
    lock_drop(&m->lock);
    return ok;
}
