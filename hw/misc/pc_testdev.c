/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pc-testdev: what test suites for x86 virtual machines (kvm-unit-tests) expect of a board. There
 * is no hardware of this kind; the interface is QEMU's, known from the suites that use it.
 *
 *   0x00e0 .. 0x00e3  four bytes of memory, accessed in any width
 *   0x00e4            a page's address: the page is taken out of the memory map and put back
 *   0x00e8 .. 0x00eb  the same four bytes, by a device that knows single bytes only
 *   0x2000 .. 0x200f  ISA interrupt lines: the level is what is written
 *   0xff000000        64 KB of memory that is device accesses all the same
 *
 * Not modelled: lines 16 to 23, which no ISA bus has; the page taken out is nobody's to see, since
 * a software engine keeps no translations of its own to lose, so 0xe4 only changes the map twice.
 */
#include "hw/misc/pc_testdev.h"

#include <string.h>

enum { PORT_WORD = 0xe0, PORT_FLUSH = 0xe4, PORT_BYTES = 0xe8, PORT_IRQ = 0x2000 };
enum { WORD_BYTES = 4, MEMORY_BYTES = 0x10000, MEMORY_AT = 0xff000000, PAGE_BYTES = 4096 };

struct PcTestdev {
    IsaDevice isa;
    Region word, flush, bytes, irqs, memory, hole;
    IrqLine line[ISA_IRQS];
    uint8_t data[WORD_BYTES], ram[MEMORY_BYTES];
    uint16_t lines;
};

static void testdev_settle(PcTestdev *t)
{
    for (unsigned n = 0; n < ISA_IRQS; n++) {
        irq_set(&t->line[n], t->lines >> n & 1);
    }
}

static void move(Io *io, uint8_t *at)
{
    if (io->write) {
        memcpy(at, &io->value, io->size);
    } else {
        io->value = 0;
        memcpy(&io->value, at, io->size);
    }
}

static MemResult word_access(PcTestdev *t, Io *io)
{
    if (io->offset + io->size <= WORD_BYTES) {
        move(io, t->data + io->offset);
    }
    return MEM_OK;
}

static MemResult memory_access(PcTestdev *t, Io *io)
{
    move(io, t->ram + io->offset);
    return MEM_OK;
}

static MemResult irq_access(PcTestdev *t, Io *io)
{
    uint16_t bit = 1 << io->offset;

    if (io->write) {
        t->lines = io->value ? t->lines | bit : t->lines & ~bit;
    } else {
        io->value = !!(t->lines & bit);
    }
    return MEM_OK;
}

static MemResult flush_read(PcTestdev *t, Io *io)
{
    return MEM_OK;
}

static MemResult flush_write(PcTestdev *t, Io *io)
{
    region_map(machine_memory(t->isa.dev.machine), io->value & ~(uint64_t)(PAGE_BYTES - 1),
               &t->hole, 1);
    region_unmap(&t->hole);
    return MEM_OK;
}

/* Accesses of more than `most` bytes come in pieces. */
#define TESTDEV_OPS(rd, wr, most)                                                               \
    {                                                                                           \
        .read = METHOD(PcTestdev, rd), .write = METHOD(PcTestdev, wr), .accepts = {1, 8, true}, \
        .does = {                                                                               \
            1,                                                                                  \
            most,                                                                               \
            true                                                                                \
        }                                                                                       \
    }

static bool testdev_realize(PcTestdev *t, Error **err)
{
    static const MemOps word = TESTDEV_OPS(word_access, word_access, 4);
    static const MemOps bytes = TESTDEV_OPS(word_access, word_access, 1);
    static const MemOps flush = TESTDEV_OPS(flush_read, flush_write, 4);
    static const MemOps irqs = TESTDEV_OPS(irq_access, irq_access, 1);
    static const MemOps memory = TESTDEV_OPS(memory_access, memory_access, 1);
    Machine *m = t->isa.dev.machine;
    Object *obj = &t->isa.dev.obj;

    region_init_io(&t->word, obj, "testdev-word", WORD_BYTES, &word);
    region_init_io(&t->flush, obj, "testdev-flush", 4, &flush);
    region_init_io(&t->bytes, obj, "testdev-bytes", WORD_BYTES, &bytes);
    region_init_io(&t->irqs, obj, "testdev-irqs", ISA_IRQS, &irqs);
    region_init_io(&t->memory, obj, "testdev-memory", MEMORY_BYTES, &memory);
    region_init_io(&t->hole, obj, "testdev-hole", PAGE_BYTES, &flush);
    region_map(machine_ports(m), PORT_WORD, &t->word, 0);
    region_map(machine_ports(m), PORT_FLUSH, &t->flush, 0);
    region_map(machine_ports(m), PORT_BYTES, &t->bytes, 0);
    region_map(machine_ports(m), PORT_IRQ, &t->irqs, 0);
    region_map(machine_memory(m), MEMORY_AT, &t->memory, 0);
    for (unsigned n = 0; n < ISA_IRQS; n++) {
        if (!isa_join(&t->isa, "line", n, n, err)) {
            return false;
        }
    }
    return true;
}

static const StateField testdev_state[] = {
    STATE(PcTestdev, data),
    STATE(PcTestdev, ram),
    STATE(PcTestdev, lines),
    STATE_SKIP(PcTestdev, word, "config"),
    STATE_SKIP(PcTestdev, flush, "config"),
    STATE_SKIP(PcTestdev, bytes, "config"),
    STATE_SKIP(PcTestdev, irqs, "config"),
    STATE_SKIP(PcTestdev, memory, "config"),
    STATE_SKIP(PcTestdev, hole, "config"),
    STATE_END,
};
static const Pin testdev_pins[] = {PIN_OUT(PcTestdev, line), PIN_END};

const DeviceClass PcTestdev_class = {
    .class = {"pc-testdev", "ports and memory for CPU test suites", &IsaDevice_class.class,
              sizeof(PcTestdev)},
    .state = testdev_state,
    .pins = testdev_pins,
    .realize = METHOD(PcTestdev, testdev_realize),
    .settle = METHOD(PcTestdev, testdev_settle),
};
CLASS(PcTestdev);
