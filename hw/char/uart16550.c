/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 16550A serial port: PC16550D data sheet (National Semiconductor, 1995).
 *
 * Sending takes no time while the host takes bytes; when it does not, they wait in the FIFO and the
 * transmitter reads as busy. The far end is always online, so the modem inputs change only in
 * loopback. Divisor and frame format only set how long the receiver's time-out is. OUT2 gates the
 * interrupt, as on the PC's serial card. A sent break goes nowhere but into loopback. Not modelled:
 * DMA mode, the host's modem lines, parity and framing errors.
 */
#include "hw/char/uart16550.h"

#include <string.h>

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR, DLL, DLM }; /* DLAB shows DLL, DLM at 0, 1 */

enum { IER_RX = 1, IER_TX = 2, IER_LINE = 4, IER_MODEM = 8 };
enum { IIR_MODEM = 0, IIR_NONE = 1, IIR_TX = 2, IIR_RX = 4, IIR_LINE = 6, IIR_TIMEOUT = 0xc };
enum { IIR_FIFOS = 0xc0, FCR_ENABLE = 1, FCR_CLEAR_RX = 2, FCR_CLEAR_TX = 4, FCR_TRIGGER = 6 };
enum { LCR_BITS = 3, LCR_STOP = 4, LCR_PARITY = 8, LCR_BREAK = 0x40, LCR_DLAB = 0x80 };
enum { MCR_OUT2 = 0x08, MCR_LOOP = 0x10, MSR_ONLINE = 0xb0, MSR_RING = 0x40, DELTA_RING = 4 };
enum { LSR_READY = 0x01, LSR_OVERRUN = 0x02, LSR_BREAK = 0x10, LSR_ERRORS = 0x1e };
enum { LSR_TX_EMPTY = 0x60, LSR_FIFO_ERROR = 0x80 };
enum { FIFO = 16, BAUD_BASE = 115200, TIMEOUT_CHARACTERS = 4, PORTS = 4, NS_A_SECOND = 1000000000 };

struct Uart {
    IsaDevice isa;
    RegBank bank;
    Timer timer;
    Chardev *chardev;
    uint32_t index;
    uint8_t ier, fcr, lcr, mcr, scr, dll, dlm;
    uint8_t errors; /* LSR: of the oldest byte, and overrun     */
    uint8_t msr;    /* modem lines, and deltas since MSR was read */
    uint8_t rx[FIFO], rx_error[FIFO], rx_count;
    uint8_t tx[FIFO], tx_count;
    bool tx_done;        /* transmitter emptied, interrupt not yet acknowledged */
    bool timed_out;      /* bytes lie below the trigger, and no more came       */
    int64_t rx_deadline; /* when that is so                                     */
};

/* ---- what the registers say ---- */

static bool has_fifos(const Uart *u)
{
    return u->fcr & FCR_ENABLE;
}

static unsigned trigger(const Uart *u)
{
    static const uint8_t bytes[] = {1, 4, 8, 14};

    return has_fifos(u) ? bytes[u->fcr >> FCR_TRIGGER] : 1;
}

/* The most urgent cause. */
static uint8_t cause(const Uart *u)
{
    if (u->ier & IER_LINE && u->errors) {
        return IIR_LINE;
    }
    if (u->ier & IER_RX && u->rx_count >= trigger(u)) {
        return IIR_RX;
    }
    if (u->ier & IER_RX && u->timed_out) {
        return IIR_TIMEOUT;
    }
    if (u->ier & IER_TX && u->tx_done) {
        return IIR_TX;
    }
    return u->ier & IER_MODEM && u->msr & 0x0f ? IIR_MODEM : IIR_NONE;
}

static uint64_t iir_get(Uart *u, unsigned n)
{
    return cause(u) | (has_fifos(u) ? IIR_FIFOS : 0);
}

static uint64_t lsr_get(Uart *u, unsigned n)
{
    uint8_t behind = 0;

    for (unsigned i = 1; i < u->rx_count; i++) {
        behind |= u->rx_error[i];
    }
    return (u->rx_count ? LSR_READY : 0) | u->errors | (u->tx_count ? 0 : LSR_TX_EMPTY) |
           (has_fifos(u) && (behind || u->errors & ~LSR_OVERRUN) ? LSR_FIFO_ERROR : 0);
}

static uint64_t msr_get(Uart *u, unsigned n)
{
    return u->msr;
}

static uint64_t data_get(Uart *u, unsigned n)
{
    return u->rx[0];
}

static bool waits_for_more(const Uart *u)
{
    return has_fifos(u) && u->rx_count && u->rx_count < trigger(u) && !u->timed_out;
}

static void uart_settle(Uart *u)
{
    timer_set(&u->timer, waits_for_more(u) && u->ier & IER_RX ? u->rx_deadline : -1);
    irq_set(&u->isa.irq, cause(u) != IIR_NONE && u->mcr & MCR_OUT2);
}

/* ---- receiving ---- */

static int64_t character_ns(const Uart *u)
{
    unsigned bits =
        1 + 5 + (u->lcr & LCR_BITS) + !!(u->lcr & LCR_PARITY) + 1 + !!(u->lcr & LCR_STOP);
    unsigned divisor = u->dlm << 8 | u->dll;

    return (int64_t)bits * (divisor ?: 1) * NS_A_SECOND / BAUD_BASE;
}

static void restart_timeout(Uart *u)
{
    int64_t now = clock_now(machine_clock(u->isa.dev.machine, CLOCK_GUEST));

    u->timed_out = false;
    u->rx_deadline = now + TIMEOUT_CHARACTERS * character_ns(u);
}

static unsigned capacity(const Uart *u)
{
    return has_fifos(u) ? FIFO : 1;
}

/* Errors show in LSR when their byte is the oldest. */
static void oldest_seen(Uart *u)
{
    u->errors |= u->rx_count ? u->rx_error[0] : 0;
    u->rx_error[0] = 0;
}

static void receive(Uart *u, uint8_t byte, uint8_t error)
{
    if (u->rx_count >= capacity(u)) {
        u->errors |= LSR_OVERRUN;
        if (!has_fifos(u)) {
            u->rx[0] = byte;
        }
        return;
    }
    u->rx[u->rx_count] = byte;
    u->rx_error[u->rx_count++] = error;
    oldest_seen(u);
    restart_timeout(u);
}

static size_t uart_room(Uart *u)
{
    return u->mcr & MCR_LOOP || u->rx_count > capacity(u) ? 0 : capacity(u) - u->rx_count;
}

static void uart_take(Uart *u, const void *data, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        receive(u, ((const uint8_t *)data)[i], 0);
    }
}

static void uart_event(Object *obj, CharEvent event)
{
    Uart *u = CAST(Uart, obj);

    if (event == CHAR_BREAK && !(u->mcr & MCR_LOOP)) {
        receive(u, 0, LSR_BREAK);
    }
}

static void data_read(Uart *u, unsigned n)
{
    if (u->rx_count > 1) {
        memmove(u->rx, u->rx + 1, u->rx_count - 1);
        memmove(u->rx_error, u->rx_error + 1, u->rx_count - 1);
    }
    u->rx_count -= u->rx_count > 0;
    u->rx_error[u->rx_count] = 0;
    oldest_seen(u);
    restart_timeout(u);
    char_ready(u->chardev);
}

static void rx_timed_out(Uart *u, unsigned n)
{
    u->timed_out = waits_for_more(u);
}

/* ---- sending ---- */

static void flush(Uart *u)
{
    size_t n = MIN(u->tx_count, char_space(u->chardev));

    char_write(u->chardev, u->tx, n);
    memmove(u->tx, u->tx + n, u->tx_count - n);
    u->tx_count -= n;
    u->tx_done |= !u->tx_count;
}

static void uart_drained(Object *obj)
{
    Uart *u = CAST(Uart, obj);

    if (u->tx_count) {
        flush(u);
    }
}

static void data_written(Uart *u, RegWrite w)
{
    u->tx_done = false;
    if (u->mcr & MCR_LOOP) {
        receive(u, w.raw, 0);
        u->tx_done = true;
    } else if (u->tx_count < capacity(u)) {
        u->tx[u->tx_count++] = w.raw;
        flush(u);
    } else {
        u->tx[u->tx_count - 1] = w.raw; /* a driver that does not look: its byte is lost */
    }
}

/* ---- the other registers ---- */

static void ier_written(Uart *u, RegWrite w)
{
    u->tx_done |= w.now & ~w.old & IER_TX && !u->tx_count;
}

static void iir_read(Uart *u, unsigned n)
{
    u->tx_done &= cause(u) != IIR_TX;
}

static void fcr_written(Uart *u, RegWrite w)
{
    bool toggled = (w.raw ^ u->fcr) & FCR_ENABLE;

    if (toggled || w.raw & FCR_CLEAR_RX) {
        memset(u->rx_error, 0, FIFO);
        u->rx_count = u->errors = 0;
        u->timed_out = false;
    }
    if (toggled || w.raw & FCR_CLEAR_TX) {
        u->tx_done |= u->tx_count > 0;
        u->tx_count = 0;
    }
    u->fcr = w.raw & FCR_ENABLE ? w.raw & ~(FCR_CLEAR_RX | FCR_CLEAR_TX) : 0;
    char_ready(u->chardev);
}

static void lcr_written(Uart *u, RegWrite w)
{
    if (w.now & ~w.old & LCR_BREAK && u->mcr & MCR_LOOP) {
        receive(u, 0, LSR_BREAK);
    }
}

/* In loopback the modem inputs are the outputs: DTR is DSR, RTS CTS, OUT1 RI, OUT2 DCD. */
static uint8_t modem_lines(const Uart *u)
{
    unsigned m = u->mcr;

    return m & MCR_LOOP ? (m & 1) << 5 | (m & 2) << 3 | (m & 0xc) << 4 : MSR_ONLINE;
}

static void mcr_written(Uart *u, RegWrite w)
{
    uint8_t lines = modem_lines(u), moved = (lines ^ u->msr) & 0xf0;

    if (moved & lines & MSR_RING) {
        moved &= ~MSR_RING; /* only its end counts */
    }
    u->msr = lines | (u->msr & 0x0f) | moved >> 4;
    if (w.old & ~w.now & MCR_LOOP) {
        char_ready(u->chardev);
    }
}

static void lsr_read(Uart *u, unsigned n)
{
    u->errors = 0;
}

static void msr_read(Uart *u, unsigned n)
{
    u->msr &= 0xf0;
}

/* clang-format off */
static const Reg uart_regs[] = {
    REG_CALC(DATA, 1,    .get = METHOD(Uart, data_get), .was_read = METHOD(Uart, data_read), .wrote = METHOD(Uart, data_written)),
    REG(Uart, IER,  ier, .writable = 0x0f, .wrote = METHOD(Uart, ier_written)),
    REG_CALC(IIR, 1,     .get = METHOD(Uart, iir_get), .was_read = METHOD(Uart, iir_read), .wrote = METHOD(Uart, fcr_written)),
    REG(Uart, LCR,  lcr, .writable = 0xff, .wrote = METHOD(Uart, lcr_written)),
    REG(Uart, MCR,  mcr, .writable = 0x1f, .wrote = METHOD(Uart, mcr_written)),
    REG_CALC(LSR, 1,     .get = METHOD(Uart, lsr_get), .was_read = METHOD(Uart, lsr_read)),
    REG_CALC(MSR, 1,     .get = METHOD(Uart, msr_get), .was_read = METHOD(Uart, msr_read)),
    REG(Uart, SCR,  scr, .writable = 0xff, .quiet = true),
    REG(Uart, DLL,  dll, .writable = 0xff, .reset = 12, .quiet = true),
    REG(Uart, DLM,  dlm, .writable = 0xff, .quiet = true),
    REG_END,
};
/* clang-format on */

static uint64_t uart_select(Uart *u, uint64_t offset)
{
    return offset < 2 && (u->lcr & LCR_DLAB) ? offset + DLL : offset;
}

/* ---- the device ---- */

static bool index_taken(Uart *u, uint32_t index)
{
    Bus *bus = u->isa.dev.bus;

    for (guint i = 0; bus && i < bus->devices->len; i++) {
        Object *other = bus->devices->pdata[i];

        if (object_is(other, &Uart_class) && other != &u->isa.dev.obj &&
            ((Uart *)other)->index == index) {
            return true;
        }
    }
    return false;
}

static bool choose_place(Uart *u, Error **err)
{
    static const uint16_t base[PORTS] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
    static const uint8_t irq[PORTS] = {4, 3, 4, 3};
    bool placed = u->isa.iobase != ISA_AUTO && u->isa.irq_number != ISA_AUTO;

    for (uint32_t i = 0; u->index == ISA_AUTO && i < PORTS; i++) {
        u->index = index_taken(u, i) ? ISA_AUTO : i;
    }
    if (u->index >= PORTS && !placed) {
        error_set(err, "there is no place for a serial port more");
        return error_hint(err, "give its iobase= and irq=");
    }
    if (u->isa.iobase == ISA_AUTO) {
        u->isa.iobase = base[u->index];
    }
    if (u->isa.irq_number == ISA_AUTO) {
        u->isa.irq_number = irq[u->index];
    }
    if (u->isa.iobase % 8) {
        return error_set(err, "iobase %#x is not a multiple of 8", u->isa.iobase);
    }
    return true;
}

static bool uart_realize(Uart *u, Error **err)
{
    Device *dev = &u->isa.dev;

    if (!choose_place(u, err)) {
        return false;
    }
    timer_init(&u->timer, machine_clock(dev->machine, CLOCK_GUEST), &dev->obj,
               METHOD(Uart, rx_timed_out), 0);
    u->bank.select = METHOD(Uart, uart_select);
    regs_init(&u->bank, dev, "uart", uart_regs, 8);
    if (!isa_ports(&u->isa, &u->bank.region, err) || !isa_connect(&u->isa, err)) {
        return false;
    }
    if (u->chardev &&
        !char_attach(u->chardev, dev, METHOD(Uart, uart_room), METHOD(Uart, uart_take))) {
        return error_set(err, "chardev %s is in use", ((Object *)u->chardev)->name);
    }
    if (u->chardev) {
        char_on_event(u->chardev, dev, uart_event);
        char_on_drained(u->chardev, dev, uart_drained);
    }
    return true;
}

static void uart_unrealize(Object *obj)
{
    Uart *u = CAST(Uart, obj);

    if (u->chardev) {
        char_detach(u->chardev, &u->isa.dev);
    }
}

static void uart_reset(Uart *u, ResetKind kind)
{
    u->msr = MSR_ONLINE;
}

static const Prop uart_props[] = {
    PROP(Uart, index, ISA_AUTO, "0 to 3: COM1 to COM4; default: the first one free"),
    PROP_AS(Uart, "iobase", isa.iobase, ISA_AUTO, "first I/O port; default: the index's"),
    PROP_AS(Uart, "irq", isa.irq_number, ISA_AUTO, "interrupt; default: the index's"),
    PROP_LINK(Uart, chardev, Chardev, "where the bytes go"),
    PROP_END,
};

static const StateField uart_state[] = {
    STATE(Uart, fcr),
    STATE(Uart, errors),
    STATE(Uart, msr),
    STATE(Uart, rx),
    STATE(Uart, rx_error),
    STATE(Uart, rx_count, .below = FIFO + 1),
    STATE(Uart, tx),
    STATE(Uart, tx_count, .below = FIFO + 1),
    STATE(Uart, tx_done, .below = 2),
    STATE(Uart, timed_out, .below = 2),
    STATE(Uart, rx_deadline),
    STATE_TIMER(Uart, timer),
    STATE_END,
};

const DeviceClass Uart_class = {
    .class = {"isa-serial", "PC serial port (16550A)", &IsaDevice_class.class, sizeof(Uart),
              uart_props},
    .state = uart_state,
    .realize = METHOD(Uart, uart_realize),
    .unrealize = uart_unrealize,
    .reset = METHOD(Uart, uart_reset),
    .settle = METHOD(Uart, uart_settle),
};
CLASS(Uart);
