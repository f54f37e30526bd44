/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci-testdev: counts writes to a memory and an I/O BAR. The interface is the one that QEMU's
 * documentation "QEMU PCI test device" describes: a header (test, width, offset, data, count, name)
 * in front of each BAR, and tests numbered from 0.
 *
 * Not modelled: writes that the host answers without the device. All three tests reach it.
 */
#include "hw/misc/pci_testdev.h"

#include <string.h>

enum { BARS = 2, TESTS = 3, MEMORY_BYTES = 4096, PORTS = 256 };
enum { TEST = 0, WIDTH = 1, OFFSET = 4, DATA = 8, COUNT = 12, NAME = 16 };
enum { TARGET = 0x80, TARGET_STEP = 8, EXPECTED = 0xfa, NO_TEST = 0xff };

struct PciTestdev {
    PciDevice pci;
    Region bar[BARS], empty;
    uint64_t membar;
    struct Bench {
        uint8_t test;
        uint32_t count;
    } bench[BARS];
};

/* The last test looks at the value, too. */
static const char *const names[BARS][TESTS] = {
    {"mmio-no-eventfd", "mmio-wildcard-eventfd", "mmio-datamatch-eventfd"},
    {"portio-no-eventfd", "portio-wildcard-eventfd", "portio-datamatch-eventfd"},
};

static uint8_t header_byte(const PciTestdev *t, unsigned bar, uint64_t at)
{
    const struct Bench *b = &t->bench[bar];
    uint8_t header[PORTS] = {0};
    uint32_t target = TARGET + b->test * TARGET_STEP, data = EXPECTED;

    if (b->test >= TESTS || at >= sizeof header) {
        return 0;
    }
    header[WIDTH] = 1;
    memcpy(header + OFFSET, &target, 4);
    memcpy(header + DATA, &data, 4);
    memcpy(header + COUNT, &b->count, 4);
    memcpy(header + NAME, names[bar][b->test], strlen(names[bar][b->test]));
    return header[at];
}

static MemResult bar_read(PciTestdev *t, Io *io)
{
    io->value = header_byte(t, io->region == &t->bar[1], io->offset);
    return MEM_OK;
}

static MemResult bar_write(PciTestdev *t, Io *io)
{
    struct Bench *b = &t->bench[io->region == &t->bar[1]];

    if (io->offset == TEST) {
        *b = (struct Bench){.test = io->value < TESTS ? io->value : NO_TEST};
    } else if (b->test < TESTS && io->offset == TARGET + b->test * (uint64_t)TARGET_STEP) {
        b->count += b->test < TESTS - 1 || io->value == EXPECTED;
    }
    return MEM_OK;
}

static MemResult empty_access(PciTestdev *t, Io *io)
{
    return MEM_OK;
}

static bool testdev_realize(PciTestdev *t, Error **err)
{
    static const MemOps ops = {
        .read = METHOD(PciTestdev, bar_read),
        .write = METHOD(PciTestdev, bar_write),
        .accepts = {1, 8, true},
        .does = {1, 1},
    };
    static const MemOps nothing = {
        .read = METHOD(PciTestdev, empty_access),
        .write = METHOD(PciTestdev, empty_access),
        .accepts = {1, 8, true},
    };
    Object *obj = &t->pci.dev.obj;

    if (t->membar & (t->membar - 1) || (t->membar && t->membar < MEMORY_BYTES)) {
        return error_set(err, "membar %" PRIu64 " is no power of two from 4096 up", t->membar);
    }
    region_init_io(&t->bar[0], obj, "pci-testdev-memory", MEMORY_BYTES, &ops);
    region_init_io(&t->bar[1], obj, "pci-testdev-ports", PORTS, &ops);
    pci_bar(&t->pci, 0, BAR_MEM32, &t->bar[0]);
    pci_bar(&t->pci, 1, BAR_IO, &t->bar[1]);
    if (t->membar) {
        region_init_io(&t->empty, obj, "pci-testdev-empty", t->membar, &nothing);
        pci_bar(&t->pci, 2, BAR_MEM64 | BAR_PREFETCH, &t->empty);
    }
    return true;
}

static void testdev_reset(PciTestdev *t, ResetKind kind)
{
    t->bench[0].test = t->bench[1].test = NO_TEST;
}

static const Prop testdev_props[] = {
    PROP(PciTestdev, membar, 0, "size of an empty 64-bit memory BAR; 0: none", .unit = UNIT_BYTES,
         .max = 1ll << 40),
    PROP_END,
};

static const StateField bench_state[] = {
    STATE(struct Bench, test),
    STATE(struct Bench, count),
    STATE_END,
};

static const StateField testdev_state[] = {
    STATE_STRUCT(PciTestdev, bench, struct Bench, bench_state),
    STATE_SKIP(PciTestdev, bar, "config"),
    STATE_SKIP(PciTestdev, empty, "config"),
    STATE_END,
};

const PciDeviceClass PciTestdev_class = {
    .device = {.class = {"pci-testdev", "counts writes, for test suites",
                         &PciDevice_class.device.class, sizeof(PciTestdev), testdev_props},
               .state = testdev_state,
               .realize = METHOD(PciTestdev, testdev_realize),
               .reset = METHOD(PciTestdev, testdev_reset)},
    .vendor = 0x1b36,
    .id = 0x0005,
    .class_code = 0x00ff00,
};
CLASS(PciTestdev);
