/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qom/prop.h"
#include "tests/lib/test.h"

typedef struct Peg {
    Object obj;
    struct Peg *next;
} Peg;

static const Class Peg_class;
static const Prop peg_props[] = {PROP_LINK(Peg, next, Peg, "the peg behind"), PROP_END};
static const Class Peg_class = {"peg", "holds things up", &Object_class, sizeof(Peg), peg_props};

static Object *tree(void)
{
    Object *root = object_new(&Object_class, NULL, "");

    object_new(&Peg_class, object_container(root, "machine/peripheral"), "left");
    object_new(&Peg_class, object_container(root, "machine/peripheral"), "right");
    object_new(&Peg_class, object_container(root, "objects"), "spare");
    object_new(&Peg_class, object_container(root, "machine/unattached/shelf"), "spare");
    object_new(&Peg_class, object_container(root, "machine/unattached/wall"), "hook");
    object_new(&Peg_class, object_container(root, "machine/unattached/door"), "hook");
    return root;
}

static void finds(Object *root, const char *text, const char *path)
{
    Error *err = NULL;
    Object *found = object_resolve(root, text, &Peg_class, &err);
    g_autofree char *at = found ? object_path(found) : g_strdup(error_text(err));

    check_str(at, path);
    error_free(err);
}

TEST("names: a container is made once, paths lead there and back")
{
    Object *root = tree();
    Object *left = object_at(root, "/machine/peripheral/left");
    g_autofree char *path = object_path(left);

    check_str(path, "/machine/peripheral/left");
    check(object_container(root, "machine/peripheral") == left->parent, true);
    check(object_at(root, "machine/nothing/left") == NULL, true);
    object_unref(root);
}

TEST("names: a text is an absolute path, an id, or the end of one object's path")
{
    Object *root = tree();

    finds(root, "/machine/peripheral/left", "/machine/peripheral/left");
    finds(root, "right", "/machine/peripheral/right");
    finds(root, "spare", "/objects/spare");
    finds(root, "wall/hook", "/machine/unattached/wall/hook");
    finds(root, "hook", "more than one peg is called hook");
    finds(root, "objects", "there is no peg objects");
    finds(root, "/objects", "/objects is a object, not a peg");
    object_unref(root);
}

TEST("names: a link given as a text is looked up, and the nearest name is offered")
{
    Object *root = tree();
    Object *left = object_at(root, "machine/peripheral/left");
    Error *err = NULL;

    check(prop_set(left, "next", TEXT("right"), NULL), true);
    check_str(((Peg *)left)->next->obj.name, "right");
    check(prop_set(left, "next", TEXT("rihgt"), &err), false);
    check_str(error_text(err), "next: there is no peg rihgt");
    check_str(error_hint_text(err), "did you mean right?");
    error_free(err);
    prop_set(left, "next", LINK(NULL), NULL);
    object_unref(root);
}

TEST("names: a class is found by its name; a wrong one gets the nearest of its kind")
{
    Error *err = NULL;

    check_str(class_choose("none-machine", &Object_class, "machine", NULL)->name, "none-machine");
    check(class_choose("none-machine", &Peg_class, "peg", NULL) == NULL, true);
    check(class_choose("none-mashine", &Object_class, "machine", &err) == NULL, true);
    check_str(error_text(err), "there is no machine none-mashine");
    check_str(error_hint_text(err), "did you mean none-machine? '-machine help' lists them");
    error_free(err);
}
