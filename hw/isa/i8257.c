/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two DMA controllers of the PC/AT, Intel 8237A (data sheet 231466; QEMU calls the device by
 * the older chip's name), at ports 0 and 0xc0, and their page registers at 0x80 and 0x480.
 *
 * Not modelled: transfers. No device asks for any, so channels keep what is written to them; a
 * request by software is remembered and never served.
 */
#include "hw/isa/i8257.h"

#include "hw/isa/i8257_rt.h"

enum { CHANNELS = 4, CONTROLLERS = 2, PAGES = 16 };
enum { COMMAND = 8, REQUEST, MASK, MODE, CLEAR_BYTE, MASTER_CLEAR, CLEAR_MASK, ALL_MASKS };
enum { PAGE_PORT = 0x80, HIGH_PAGE_PORT = 0x480, FIRST_PORT = 0, SECOND_PORT = 0xc0 };
enum { PAGE, HIGH_PAGE = 0 };

typedef struct Controller {
    uint8_t command, request, mask, done;
    uint8_t mode[CHANNELS];
    uint16_t address[CHANNELS], count[CHANNELS];
    bool high_byte; /* the next access to a 16-bit register is to its upper half */
} Controller;

struct Dma {
    Device dev;
    Region port[CONTROLLERS];
    RegBank page_bank, high_bank;
    Controller ctl[CONTROLLERS];
    uint8_t page[PAGES], high_page[PAGES];
};

static uint16_t *word(Controller *c, unsigned reg)
{
    return reg & 1 ? &c->count[reg / 2] : &c->address[reg / 2];
}

static void clear(Controller *c)
{
    c->command = c->request = c->done = 0;
    c->mask = 0x0f;
    c->high_byte = false;
}

static uint8_t with_bit(uint8_t all, uint8_t v)
{
    return v & 4 ? all | 1 << (v & 3) : all & ~(1 << (v & 3));
}

static void word_written(Controller *c, unsigned reg, uint8_t v)
{
    uint16_t *w = word(c, reg);

    *w = c->high_byte ? (*w & 0x00ff) | v << 8 : (*w & 0xff00) | v;
    c->high_byte = !c->high_byte;
}

static void ctl_written(Controller *c, unsigned reg, uint8_t v)
{
    switch (reg) {
    case COMMAND:
        c->command = v;
        break;
    case REQUEST:
        c->request = with_bit(c->request, v);
        break;
    case MASK:
        c->mask = with_bit(c->mask, v);
        break;
    case MODE:
        c->mode[v & 3] = v;
        break;
    case CLEAR_BYTE:
        c->high_byte = false;
        break;
    case MASTER_CLEAR:
        clear(c);
        break;
    case CLEAR_MASK:
        c->mask = 0;
        break;
    case ALL_MASKS:
        c->mask = v & 0x0f;
        break;
    default:
        word_written(c, reg, v);
    }
}

static uint8_t ctl_peek(Controller *c, unsigned reg)
{
    switch (reg) {
    case COMMAND:
        return c->done | c->request << 4;
    case ALL_MASKS:
        return c->mask | 0xf0;
    case REQUEST:
    case MASK:
    case MODE:
    case CLEAR_BYTE:
    case MASTER_CLEAR:
    case CLEAR_MASK:
        return 0;
    default:
        return *word(c, reg) >> (c->high_byte ? 8 : 0);
    }
}

static void ctl_was_read(Controller *c, unsigned reg)
{
    if (reg == COMMAND) {
        c->done = 0;
    } else if (reg < COMMAND) {
        c->high_byte = !c->high_byte;
    }
}

/* The second controller's registers lie at even ports. */
static MemResult dma_access(Dma *d, Io *io)
{
    bool second = io->region == &d->port[1];
    Controller *c = &d->ctl[second];
    unsigned reg = io->offset >> second;

    if (io->write) {
        ctl_written(c, reg, io->value);
        return MEM_OK;
    }
    io->value = ctl_peek(c, reg);
    if (!io->by.debug) {
        ctl_was_read(c, reg);
    }
    return MEM_OK;
}

static const Reg page_regs[] = {
    REG_ARRAY(Dma, PAGE, 1, page, .writable = 0xff, .quiet = true),
    REG_END,
};
static const Reg high_regs[] = {
    REG_ARRAY(Dma, HIGH_PAGE, 1, high_page, .writable = 0xff, .quiet = true),
    REG_END,
};

static bool dma_realize(Dma *d, Error **err)
{
    static const MemOps ops = {
        .read = METHOD(Dma, dma_access),
        .write = METHOD(Dma, dma_access),
        .accepts = {1, 4, true},
        .does = {1, 1},
    };
    Region *ports = machine_ports(d->dev.machine);

    region_init_io(&d->port[0], &d->dev.obj, "dma1", 16, &ops);
    region_init_io(&d->port[1], &d->dev.obj, "dma2", 32, &ops);
    region_map(ports, FIRST_PORT, &d->port[0], 0);
    region_map(ports, SECOND_PORT, &d->port[1], 0);
    regs_init(&d->page_bank, &d->dev, "dma-page", page_regs, PAGES);
    regs_init(&d->high_bank, &d->dev, "dma-high-page", high_regs, PAGES);
    region_rt(&d->page_bank.region, dma_page_answer, d->page);
    region_rt(&d->high_bank.region, dma_page_answer, d->high_page);
    region_map(ports, PAGE_PORT, &d->page_bank.region, 0);
    region_map(ports, HIGH_PAGE_PORT, &d->high_bank.region, 0);
    return true;
}

static void dma_reset(Dma *d, ResetKind kind)
{
    clear(&d->ctl[0]);
    clear(&d->ctl[1]);
}

static const StateField controller_state[] = {
    STATE(Controller, command),
    STATE(Controller, request),
    STATE(Controller, mask),
    STATE(Controller, done),
    STATE(Controller, mode),
    STATE(Controller, address),
    STATE(Controller, count),
    STATE(Controller, high_byte, .below = 2),
    STATE_END,
};

static const StateField dma_state[] = {
    STATE_STRUCT(Dma, ctl, Controller, controller_state),
    STATE_SKIP(Dma, port, "config"),
    STATE_END,
};

const DeviceClass Dma_class = {
    .class = {"i8257", "DMA controllers", &Device_class.class, sizeof(Dma), .alias = "i8237"},
    .onboard = true,
    .state = dma_state,
    .realize = METHOD(Dma, dma_realize),
    .reset = METHOD(Dma, dma_reset),
};
CLASS(Dma);
