/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Wires between devices of different locks, and host work in flight. */
#include "hw/core/device_impl.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

#include <string.h>

typedef struct Source {
    Device dev;
    IrqLine irq;
    Lock own;
    Region region;
} Source;

static MemResult source_read(Source *s, Io *io)
{
    uint8_t byte;

    io->value = mem_read(machine_space(s->dev.machine), (Access){0}, 0x300000, &byte, 1);
    return MEM_OK;
}

static bool source_realize(Source *s, Error **err)
{
    static const MemOps ops = {.read = METHOD(Source, source_read)};

    lock_init(&s->own, LOCK_DEVICE);
    s->dev.lock = &s->own;
    region_init_io(&s->region, &s->dev.obj, "source", 8, &ops);
    region_map(machine_memory(s->dev.machine), 0x200000, &s->region, 0);
    return true;
}

static const Pin source_pins[] = {PIN_OUT(Source, irq), PIN_END};

static const DeviceClass Source_class = {
    .class = {"test-source", "a lock of its own", &Device_class.class, sizeof(Source)},
    .pins = source_pins,
    .realize = METHOD(Source, source_realize),
};

TEST("irq: a device with a lock of its own raises a wire; who has the machine's hears of it later")
{
    Board *b = board_new();
    Source *s = (Source *)board_add(b, &Source_class, NULL, NULL);

    lock_take(&s->own);
    irq_set(&s->irq, true);
    check(irq_seen(b, 4), 1);
    check(irq_edges(b, 4), 0);
    lock_drop(&s->own);
    machine_poll(board_machine(b));
    check(irq_edges(b, 4), 1);
}

TEST("irq: under its own lock a device cannot reach by DMA one that has the machine's; nothing "
     "breaks")
{
    Board *b = board_new();
    Source *other = (Source *)board_add(b, &Source_class, NULL, NULL);

    region_map(machine_memory(board_machine(b)), 0x300000, &other->region, 0);
    other->dev.lock = NULL;
    board_add(b, &Source_class, NULL, NULL);
    check(mem_get(b, 0x200000, 1), MEM_DENIED);
    check(strstr(guest_log(b), "cannot be reached") != NULL, true);
}

TEST("device: while host work is in flight save refuses; afterwards it saves")
{
    Board *b = board_new();
    Device *dev = board_add(b, &Source_class, NULL, NULL);
    g_autoptr(GByteArray) out = g_byte_array_new();
    Error *err = NULL;

    device_begin(dev);
    check(machine_save(board_machine(b), out, &err), false);
    check_str(error_text(err), "test-source0 waits for 1 requests");
    error_free(err);
    device_end(dev);
    check(machine_save(board_machine(b), out, NULL), true);
}
