/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a running machine does to its chardevs: say where one leads, lead it elsewhere. */
#include "chardev/chardev.h"
#include "softmmu/run/board.h"

#include <string.h>

char *chardev_where(Chardev *chr)
{
    const ChardevClass *c = (const ChardevClass *)chr->obj.class;

    return c->where ? c->where(chr) : g_strdup(c->class.name + strlen("chardev-"));
}

static void relink(Object **field, Object *old, Object *new)
{
    if (*field == old) {
        object_ref(new);
        *field = new;
        object_unref(old);
    }
}

/* All links of the tree below obj. */
static void relink_all(Object *obj, Object *old, Object *new)
{
    for (const Prop *p = prop_next(obj->class, NULL); p; p = prop_next(obj->class, p)) {
        if (p->type == &prop_link) {
            relink((Object **)((char *)obj + p->offset), old, new);
        }
    }
    for (Object *c = obj->children; c; c = c->next) {
        relink_all(c, old, new);
    }
}

static void move_fronts(Chardev *old, Chardev *new)
{
    memcpy(new->front, old->front, sizeof new->front);
    new->fronts = old->fronts;
    new->focus = old->focus;
    new->mux = old->mux;
    old->fronts = 0;
}

void chardev_replace(Chardev *old, Chardev *new)
{
    Machine *m = machine_of(&old->obj);
    MachineConfig *config = machine_config(m);
    g_autofree char *name = g_strdup(old->obj.name);

    char_tell(old, CHAR_CLOSED);
    move_fronts(old, new);
    relink_all(object_root(&old->obj), &old->obj, &new->obj);
    for (unsigned i = 0; i < G_N_ELEMENTS(config->serial); i++) {
        relink((Object **)&config->serial[i], &old->obj, &new->obj);
    }
    object_remove(&old->obj);
    g_free(new->obj.name);
    new->obj.name = g_steal_pointer(&name);
    if (new->open) {
        char_tell(new, CHAR_OPENED);
    }
    char_hungry(new);
}
