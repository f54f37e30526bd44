/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * i8042: the keyboard controller of the PC/AT and PS/2 (IBM PS/2 Hardware Interface Technical
 * Reference, "Keyboard and Auxiliary Device Controller"), with a keyboard on its first port.
 *
 *   port 0x64 write: command ---> reply ----.
 *   port 0x60 write: keyboard, parameter     >--- output buffer ---> port 0x60 read, IRQ 1 or 12
 *                    keyboard, mouse queue --'    (one byte, and where it came from)
 *
 * Not modelled: a mouse (bytes sent to it time out), the time that serial bytes take, multiplexing
 * mode, the password commands.
 */
#include "hw/isa/i8042.h"

#include "hw/isa/ps2_keyboard.h"
#include "softmmu/run/run.h"
#include "util/trace.h"

enum { DATA_PORT = 0x60, COMMAND_PORT = 0x64, RAM_BYTES = 32 };
enum { STATUS_FULL = 0x01, STATUS_SYSTEM = 0x04, STATUS_COMMAND = 0x08, STATUS_UNLOCKED = 0x10 };
enum { STATUS_AUX = 0x20, STATUS_TIMEOUT = 0x40 };
enum { CTR_KBD_IRQ = 0x01, CTR_AUX_IRQ = 0x02, CTR_SYSTEM = 0x04 };
enum { CTR_KBD_OFF = 0x10, CTR_AUX_OFF = 0x20, CTR_TRANSLATE = 0x40 };
enum { OUT_RUN = 0x01, OUT_A20 = 0x02, OUT_KBD_IRQ = 0x10, OUT_AUX_IRQ = 0x20, OUT_IDLE = 0xcc };
enum { NO_ANSWER = 0xfe, SELF_TEST_PASSED = 0x55, INPUT_PORT = 0xa0 };

typedef enum { FROM_NOBODY, FROM_CONTROLLER, FROM_KEYBOARD, FROM_AUX, SOURCES } Source;

struct Kbc {
    Device dev;
    Region data, command;
    IrqLine irq[2], a20;
    Ps2Keyboard keyboard;
    Ps2Queue aux;
    uint8_t ram[RAM_BYTES]; /* the first byte is the command byte */
    uint8_t pending;        /* a command that waits for its parameter; 0: none */
    uint8_t out_port;       /* bits 0 to 3                            */
    uint8_t reply;          /* the controller's own byte              */
    uint8_t shown;          /* read last at port 0x60                 */
    uint8_t source;         /* of the byte in the output buffer       */
    bool reply_aux;         /* the reply poses as a mouse's           */
    bool last_command;      /* the last write was to port 0x64        */
    bool timeout;           /* the mouse's byte is a time-out         */
};

/* ---- the output buffer ---- */

/* What the controller makes of set 2 when it translates to set 1. */
/* clang-format off */
static const uint8_t set1[0x88] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
    0x80, 0x81, 0x82, 0x41, 0x54, 0x85, 0x86, 0x87,
};
/* clang-format on */

static uint8_t ctr(const Kbc *k)
{
    return k->ram[0];
}

static uint8_t translated(const Kbc *k, uint8_t byte)
{
    return ctr(k) & CTR_TRANSLATE && byte < sizeof set1 ? set1[byte] : byte;
}

/* A byte stays in its device's queue until it is read, so a reply may push in front of it. */
static void refill(Kbc *k)
{
    if (k->source == FROM_CONTROLLER) {
        return;
    }
    k->source = k->aux.count && !(ctr(k) & CTR_AUX_OFF)          ? FROM_AUX
              : k->keyboard.out.count && !(ctr(k) & CTR_KBD_OFF) ? FROM_KEYBOARD
                                                                 : FROM_NOBODY;
}

static uint8_t buffer(const Kbc *k)
{
    switch (k->source) {
    case FROM_CONTROLLER:
        return k->reply;
    case FROM_KEYBOARD:
        return translated(k, k->keyboard.out.data[0]);
    case FROM_AUX:
        return k->aux.data[0];
    default:
        return k->shown;
    }
}

static bool from_aux(const Kbc *k)
{
    return k->source == FROM_AUX || (k->source == FROM_CONTROLLER && k->reply_aux);
}

static bool irq_wanted(const Kbc *k, unsigned n)
{
    if (k->source == FROM_NOBODY || from_aux(k) != n) {
        return false;
    }
    return n ? ctr(k) & CTR_AUX_IRQ : (ctr(k) & (CTR_KBD_IRQ | CTR_KBD_OFF)) == CTR_KBD_IRQ;
}

static void kbc_settle(Kbc *k)
{
    irq_set(&k->irq[0], irq_wanted(k, 0));
    irq_set(&k->irq[1], irq_wanted(k, 1));
    irq_set(&k->a20, k->out_port & OUT_A20);
}

/* The next byte, if there is one already, is an interrupt of its own. */
static void taken(Kbc *k)
{
    k->shown = buffer(k);
    irq_set(&k->irq[from_aux(k)], false);
    if (k->source == FROM_KEYBOARD) {
        ps2_take(&k->keyboard.out);
    } else if (k->source == FROM_AUX) {
        ps2_take(&k->aux);
        k->timeout = false;
    }
    k->source = FROM_NOBODY;
    refill(k);
}

static void reply(Kbc *k, uint8_t byte, bool as_aux)
{
    k->reply = byte;
    k->reply_aux = as_aux;
    k->source = FROM_CONTROLLER;
}

/* ---- commands ---- */

static void ctr_set(Kbc *k, uint8_t bits, bool on)
{
    k->ram[0] = on ? k->ram[0] | bits : k->ram[0] & ~bits;
}

static void out_port_set(Kbc *k, uint8_t v)
{
    k->out_port = v & 0x0f;
    if (!(v & OUT_RUN)) {
        machine_request_reset(k->dev.machine, RESET_WARM);
    }
}

static uint8_t out_port_get(const Kbc *k)
{
    uint8_t full = k->source == FROM_NOBODY ? 0 : from_aux(k) ? OUT_AUX_IRQ : OUT_KBD_IRQ;

    return (OUT_IDLE & 0xf0) | k->out_port | full;
}

static void self_test(Kbc *k)
{
    ctr_set(k, CTR_SYSTEM, true);
    reply(k, SELF_TEST_PASSED, false);
}

static void command(Kbc *k, uint8_t v)
{
    TRACE("i8042.command", "%#x", v);
    k->pending = 0;
    switch (v) {
    case 0x20 ... 0x3f:
        reply(k, k->ram[v & 0x1f], false);
        break;
    case 0x60 ... 0x7f: /* these wait for a byte at port 0x60 */
    case 0xd1 ... 0xd4:
        k->pending = v;
        break;
    case 0xa1:
        reply(k, 0, false);
        break;
    case 0xa7:
    case 0xa8:
        ctr_set(k, CTR_AUX_OFF, v == 0xa7);
        break;
    case 0xaa:
        self_test(k);
        break;
    case 0xa9:
    case 0xab:
    case 0xe0:
        reply(k, 0, false);
        break;
    case 0xad:
    case 0xae:
        ctr_set(k, CTR_KBD_OFF, v == 0xad);
        break;
    case 0xc0:
        reply(k, INPUT_PORT, false);
        break;
    case 0xd0:
        reply(k, out_port_get(k), false);
        break;
    case 0xdd:
    case 0xdf:
        out_port_set(k, (k->out_port & ~OUT_A20) | (v == 0xdf ? OUT_A20 : 0));
        break;
    case 0xf0 ... 0xff: /* pulse the bits that are 0; only the reset line notices */
        if (!(v & OUT_RUN)) {
            machine_request_reset(k->dev.machine, RESET_WARM);
        }
        break;
    default:
        guest_unimp(k, "command %#x", v);
    }
}

static void aux_send(Kbc *k, uint8_t v)
{
    TRACE("i8042.aux", "%#x for a mouse that is not there", v);
    ctr_set(k, CTR_AUX_OFF, false);
    k->aux = (Ps2Queue){0};
    ps2_put(&k->aux, NO_ANSWER);
    k->timeout = true;
}

static void data(Kbc *k, uint8_t v)
{
    uint8_t for_command = k->pending;

    k->pending = 0;
    switch (for_command) {
    case 0x60 ... 0x7f:
        k->ram[for_command & 0x1f] = v;
        break;
    case 0xd1:
        out_port_set(k, v);
        break;
    case 0xd2:
    case 0xd3:
        reply(k, v, for_command == 0xd3);
        break;
    case 0xd4:
        aux_send(k, v);
        break;
    default: /* the keyboard's; sending switches it on */
        ctr_set(k, CTR_KBD_OFF, false);
        ps2_keyboard_receive(&k->keyboard, v);
    }
}

/* ---- ports ---- */

static uint8_t status(const Kbc *k)
{
    return (k->source == FROM_NOBODY ? 0 : STATUS_FULL) | (from_aux(k) ? STATUS_AUX : 0) |
           (ctr(k) & CTR_SYSTEM ? STATUS_SYSTEM : 0) | (k->last_command ? STATUS_COMMAND : 0) |
           (k->source == FROM_AUX && k->timeout ? STATUS_TIMEOUT : 0) | STATUS_UNLOCKED;
}

static MemResult kbc_read(Kbc *k, Io *io)
{
    bool is_data = io->region == &k->data;

    io->value = is_data ? buffer(k) : status(k);
    if (is_data && !io->by.debug && k->source != FROM_NOBODY) {
        taken(k);
    } else {
        k->dev.quiet = true;
    }
    return MEM_OK;
}

static MemResult kbc_write(Kbc *k, Io *io)
{
    k->last_command = io->region == &k->command;
    if (k->last_command) {
        command(k, io->value);
    } else {
        data(k, io->value);
    }
    refill(k);
    return MEM_OK;
}

static bool kbc_realize(Kbc *k, Error **err)
{
    static const MemOps ops = {
        .read = METHOD(Kbc, kbc_read),
        .write = METHOD(Kbc, kbc_write),
        .accepts = {1, 1},
    };
    Region *ports = machine_ports(k->dev.machine);

    region_init_io(&k->data, &k->dev.obj, "i8042-data", 1, &ops);
    region_init_io(&k->command, &k->dev.obj, "i8042-command", 1, &ops);
    region_map(ports, DATA_PORT, &k->data, 0);
    region_map(ports, COMMAND_PORT, &k->command, 0);
    return true;
}

static void kbc_reset(Kbc *k, ResetKind kind)
{
    ps2_keyboard_reset(&k->keyboard);
    k->ram[0] = CTR_KBD_IRQ | CTR_AUX_IRQ;
    k->out_port = OUT_RUN | OUT_A20 | (OUT_IDLE & 0x0f);
}

static const StateField kbc_state[] = {
    STATE_STRUCT(Kbc, keyboard, Ps2Keyboard, ps2_keyboard_state),
    STATE_STRUCT(Kbc, aux, Ps2Queue, ps2_queue_state),
    STATE(Kbc, ram),
    STATE(Kbc, pending),
    STATE(Kbc, out_port, .below = 16),
    STATE(Kbc, reply),
    STATE(Kbc, shown),
    STATE(Kbc, source, .below = SOURCES),
    STATE(Kbc, reply_aux, .below = 2),
    STATE(Kbc, last_command, .below = 2),
    STATE(Kbc, timeout, .below = 2),
    STATE_SKIP(Kbc, data, "config"),
    STATE_SKIP(Kbc, command, "config"),
    STATE_END,
};

static const Pin kbc_pins[] = {PIN_OUT(Kbc, irq), PIN_OUT(Kbc, a20), PIN_END};

const DeviceClass Kbc_class = {
    .class = {"i8042", "keyboard controller", &Device_class.class, sizeof(Kbc)},
    .onboard = true,
    .state = kbc_state,
    .pins = kbc_pins,
    .realize = METHOD(Kbc, kbc_realize),
    .reset = METHOD(Kbc, kbc_reset),
    .settle = METHOD(Kbc, kbc_settle),
};
CLASS(Kbc);
