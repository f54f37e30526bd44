/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Choosing an engine by name from what is built in, and starting it. */
#include "accel/common/vcpu_impl.h"

const AccelClass Accel_class = {
    .class = {"accel", "an engine that runs guest code", &Object_class, sizeof(Accel)},
};

/* Its name with or without -accel, or its alias. */
static const AccelClass *find(const char *name)
{
    g_autofree char *full = g_strconcat(name, "-accel", NULL);
    const Class *c = class_find(name) ?: class_find(full);

    return c && c != &Accel_class.class && class_is(c, &Accel_class) ? (const AccelClass *)c : NULL;
}

Accel *accel_pick(Machine *m, const char *list, GString *log, Error **err)
{
    g_auto(GStrv) name = g_strsplit(list, ":", -1);
    g_autoptr(GString) passed = g_string_new("");

    for (int i = 0; name[i]; i++) {
        const AccelClass *class = find(name[i]);
        Error *why = NULL;

        if (!class) {
            error_set(&why, "there is no engine of that name");
        } else if (!class->usable || class->usable(NULL, &why)) {
            Accel *a = CAST(Accel, object_new(&class->class, &m->obj, "accel"));

            a->machine = m;
            return a;
        }
        g_string_append_printf(log, "%s: %s\n", name[i], error_text(why));
        g_string_append_printf(passed, "%s%s: %s", passed->len ? "; " : "", name[i],
                               error_text(why));
        error_free(why);
    }
    error_set(err, "no engine of %s can be used (%s)", list, passed->str);
    error_hint(err, "-accel help lists the engines");
    return NULL;
}

bool accel_start(Accel *a, Error **err)
{
    const AccelClass *class = (const AccelClass *)a->obj.class;
    Machine *m = a->machine;

    if (class->start && !class->start(a, err)) {
        return false;
    }
    a->split = class->irqchip && class->irqchip(a) == IRQCHIP_SPLIT;
    a->obj.fixed = true;
    m->accel = a;
    m->engine = &vcpu_machine_engine;
    for (ClockKind kind = CLOCK_GUEST; kind <= CLOCK_WALL; kind++) {
        if (kind != CLOCK_GUEST || !class->stepped) {
            machine_clock_real(m, kind);
        }
    }
    return true;
}

Accel *machine_accel(Machine *m)
{
    return m->accel;
}
