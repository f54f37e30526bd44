/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/core/bus.h"
#include "softmmu/run/board.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

typedef struct Shelf {
    Bus bus;
} Shelf;

typedef struct Book {
    Device dev;
    unsigned resets;
    uint32_t pages;
} Book;

static void book_reset(Object *obj, ResetKind kind)
{
    ((Book *)obj)->resets++;
}

static const Prop book_props[] = {PROP(Book, pages, 100, "how many"), PROP_END};
static const StateField book_state[] = {STATE_SKIP(Book, resets, "host"), STATE_END};
static const DeviceClass Book_class = {
    .class = {"book", "to be read", &Device_class.class, sizeof(Book), book_props},
    .state = book_state,
    .reset = book_reset,
};
CLASS(Book);

static bool shelf_attach(Bus *bus, Device *dev, Error **err)
{
    return true;
}

static void shelf_detach(Bus *bus, Device *dev)
{
}

static const BusClass Shelf_class = {
    .class = {"shelf", "for books", &Bus_class.class, sizeof(Shelf)},
    .takes = &Book_class,
    .attach = shelf_attach,
    .detach = shelf_detach,
};

/* A book that /machine/peripheral keeps, on a shelf that `of` owns. */
static Book *shelved(Machine *m, Device **of)
{
    *of = device_add(m, &Device_class, "bookcase", NULL, NULL, NULL, NULL);
    Bus *bus = bus_new(&Shelf_class, *of, "shelf.0");
    Object *keeper = object_container(object_root((Object *)m), "machine/peripheral");
    Book *book = (Book *)device_new(m, keeper, &Book_class, "b", NULL);

    check(device_realize(&book->dev, bus, NULL, NULL), true);
    return book;
}

TEST("bus: a device kept elsewhere is reset with its bus, and once with the machine")
{
    Machine *m = board_machine(board_new());
    Device *bookcase;
    Book *book = shelved(m, &bookcase);

    check(book->resets, 1);
    device_reset(bookcase, RESET_BUS);
    check(book->resets, 2);
    machine_reset(m, RESET_POWER);
    check(book->resets, 3);
}

TEST("bus: its owner takes the devices on it along when it is removed")
{
    Machine *m = board_machine(board_new());
    Device *bookcase;

    shelved(m, &bookcase);
    device_remove(bookcase);
    check(object_at((Object *)m, "peripheral")->children == NULL, true);
}

TEST("global: a value for a class reaches every device of it, and is known to be used")
{
    Machine *m = board_machine(board_new());
    GlobalProp *g = g_new0(GlobalProp, 1);

    *g = (GlobalProp){g_strdup("book"), g_strdup("pages"), g_strdup("7"), false};
    g_ptr_array_add(machine_config(m)->globals, g);
    check(((Book *)device_add(m, &Book_class, "a", NULL, NULL, NULL, NULL))->pages, 7);
    check(g->used, true);
}

TEST("global: a wrong property is refused and names the option")
{
    Machine *m = board_machine(board_new());
    GlobalProp *g = g_new0(GlobalProp, 1);
    Error *err = NULL;

    *g = (GlobalProp){g_strdup("book"), g_strdup("page"), g_strdup("7"), false};
    g_ptr_array_add(machine_config(m)->globals, g);
    check(device_add(m, &Book_class, "a", NULL, NULL, NULL, &err) == NULL, true);
    check_str(error_text(err), "-global book.page=7: book has no property page");
    check_str(error_hint_text(err), "did you mean pages?");
    error_free(err);
}
