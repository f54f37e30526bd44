/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Saved states: what is refused, by what name; fields of variable length and behind pointers. */
#include "hw/core/device.h"
#include "hw/core/stream.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

#include <string.h>

typedef struct Packet {
    uint32_t length, flags;
    bool last;
} Packet;

typedef struct Far {
    uint64_t value;
} Far;

typedef struct Keeper {
    Device dev;
    uint8_t *fifo;
    Packet *queue;
    uint32_t fifo_n, queue_n;
    uint8_t index;
    bool on;
    Far *far;
    Far home;
} Keeper;

static void keeper_init(Object *obj)
{
    ((Keeper *)obj)->far = &((Keeper *)obj)->home;
}

static const StateField packet_state[] = {STATE(Packet, length), STATE(Packet, flags),
                                          STATE(Packet, last), STATE_END};
static const StateField far_state[] = {STATE(Far, value), STATE_END};
static const StateField keeper_state[] = {
    STATE_BYTES(Keeper, fifo, fifo_n, 16),
    STATE_LIST(Keeper, queue, queue_n, Packet, packet_state, 4),
    STATE(Keeper, index, .below = 3),
    STATE(Keeper, on),
    STATE_AT(Keeper, far, Far, far_state),
    STATE_SKIP(Keeper, home, "derived"),
    STATE_END,
};

static const DeviceClass Keeper_class = {
    .class = {"keeper", "keeps all kinds of fields", &Device_class.class, sizeof(Keeper),
              .init = keeper_init},
    .state = keeper_state,
};

static Keeper *keeper(Board *b)
{
    return (Keeper *)board_add(b, &Keeper_class, NULL, NULL);
}

static GByteArray *full(void)
{
    Board *b = board_new();
    Keeper *k = keeper(b);

    k->fifo = g_memdup2("hello", k->fifo_n = 5);
    k->queue = g_new0(Packet, k->queue_n = 2);
    k->queue[1] = (Packet){1500, 7, true};
    k->index = 2;
    k->on = true;
    k->far->value = 0x123456789;
    GByteArray *s = board_save(b);
    machine_reset(board_machine(b), RESET_POWER); /* frees what it holds */
    check(k->fifo == NULL && !k->queue_n && !k->far->value, true);
    return s;
}

TEST("state: bytes, lists and what is behind a pointer are saved, loaded and cleared")
{
    Board *b = board_new();
    Keeper *k = keeper(b);

    check(board_load(b, full(), NULL), true);
    check(k->fifo_n == 5 && !memcmp(k->fifo, "hello", 5), true);
    check(k->queue_n == 2 && k->queue[1].length == 1500 && k->queue[1].last, true);
    check(k->far->value, 0x123456789);
    machine_reset(board_machine(b), RESET_POWER);
}

/* The first place where these bytes stand, changed; then loaded. */
static char *refused(const char *find, size_t n, size_t at, uint8_t to)
{
    Board *b = board_new();
    GByteArray *s = full();
    Error *err = NULL;

    keeper(b);
    uint8_t *p = memmem(s->data, s->len, find, n);
    p[at] = to;
    check(board_load(b, s, &err), false);
    char *text = g_strdup(error_text(err));
    error_free(err);
    machine_reset(board_machine(b), RESET_POWER);
    return text;
}

TEST("state: a value out of range, a flag that is none and a list too long are refused by name")
{
    g_autofree char *index = refused("index\1\1\0\0\0", 10, 10, 3);
    g_autofree char *flag = refused("on\1\1\0\0\0", 7, 7, 2);
    g_autofree char *count = refused("count\4\1\0\0\0", 10, 10, 5);

    check_str(index, "/machine/keeper0.keeper.index is 3, not below 3");
    check_str(flag, "/machine/keeper0.keeper.on is 2, not below 2");
    check_str(count, "/machine/keeper0.keeper.queue.count is 5, not below 5");
}

TEST("state: an unknown name, another size and another kind of value are refused by name")
{
    g_autofree char *name = refused("index", 5, 4, 'y');
    g_autofree char *kind = refused("u\5index", 7, 0, 't');

    check_str(name, "/machine/keeper0.keeper.indey: no such field here");
    check_str(kind, "/machine/keeper0.keeper.index: 1 due times of 1 bytes do not fit");
}

TEST("state: cut short anywhere it is refused and nothing is touched")
{
    Board *b = board_new();
    Keeper *k = keeper(b);
    GByteArray *s = full();

    k->index = 1;
    for (unsigned n = 0; n < s->len; n++) {
        Error *err = NULL;

        check(machine_load(board_machine(b), s->data, n, &err), false);
        error_free(err);
    }
    check(k->index, 1);
}

static void parse(GByteArray *s, const char *why)
{
    Error *err = NULL;
    g_autoptr(GHashTable) items = stream_parse(s->data, s->len, &err);

    check(items == NULL, why != NULL);
    if (why) {
        check(strstr(error_text(err), why) != NULL, true);
    }
    error_free(err);
    g_byte_array_unref(s);
}

static GByteArray *begun(void)
{
    GByteArray *s = g_byte_array_new();

    stream_begin(s);
    return s;
}

TEST("state: groups nest to a limit, names are there once, and a group that ends has begun")
{
    GByteArray *deep = begun(), *twice = begun(), *closed = begun(), *fine = begun();
    uint8_t byte = 0;

    for (int i = 0; i < 17; i++) {
        stream_open(deep, "g");
    }
    parse(deep, "groups in groups");
    stream_put(twice, 'u', "x", &byte, 1, 1);
    stream_put(twice, 'u', "x", &byte, 1, 1);
    parse(twice, ": a value that is there twice in x");
    stream_close(closed);
    parse(closed, "never began");
    stream_open(fine, "x");
    stream_put(fine, 'u', "x", &byte, 1, 1);
    stream_close(fine);
    stream_put(fine, 'u', "x", &byte, 1, 1);
    stream_end(fine);
    parse(fine, NULL);
}

TEST("state: another program's file and another version are told apart")
{
    GByteArray *other = begun(), *newer = begun();

    other->data[0] = 'X';
    parse(other, "not a saved state");
    newer->data[8] = 2;
    parse(newer, "version 2.0; this program reads 1.0");
}
