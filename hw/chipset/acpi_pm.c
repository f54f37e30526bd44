/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ACPI fixed hardware: ACPI 6.4, section 4.8. PM1 status, enable and control; a 24-bit timer of
 * 3.579545 MHz whose top bit raises the SCI each time it toggles; 16 general purpose events.
 * While SCI_EN is clear nothing raises the SCI (the SMI instead is not modelled).
 * Not modelled: bus master status, global lock release, sleep button.
 */
#include "hw/chipset/acpi_pm.h"

#include "hw/chipset/acpi_pm_rt.h"
#include "qapi/events.h"
#include "util/trace.h"

enum { PM_STATUS = 0, PM_ENABLE = 2, PM_CONTROL = 4 };
enum { TMR = 1, GLOBAL = 1 << 5, POWER = 1 << 8, RTC = 1 << 10, WAKE = 1 << 15 };
enum { STATUS_BITS = WAKE | 0xd31, ENABLE_BITS = 0x521 };
enum { SCI_ENABLE = 1, SLEEP = 1 << 13, SLEEP_TYPE = 10, CONTROL_BITS = 0x1c03 };
enum { HERTZ = PM_TIMER_HERTZ, TIMER_BITS = PM_TIMER_BITS, NS = 1000000000 };

static int64_t now(const AcpiPm *pm)
{
    return clock_now(machine_clock(pm->owner->machine, CLOCK_GUEST));
}

/* ---- the timer ---- */

static uint64_t ticks(int64_t ns)
{
    return pm_timer_ticks(MAX(ns, 0));
}

static int64_t next_toggle(int64_t from)
{
    uint64_t half = 1ull << (TIMER_BITS - 1), at = (ticks(from) / half + 1) * half;

    return ((unsigned __int128)at * NS + HERTZ - 1) / HERTZ;
}

/* The status bit is looked at, not kept up to date: nobody need wake up for a bit nobody wants. */
static uint16_t status(const AcpiPm *pm)
{
    return pm->status | (now(pm) >= pm->toggle ? TMR : 0);
}

static MemResult timer_read(Object *owner, Io *io)
{
    AcpiPm *pm = (AcpiPm *)((char *)io->region - offsetof(AcpiPm, timer_port));

    io->value = ticks(now(pm)) & ((1u << TIMER_BITS) - 1);
    return MEM_OK;
}

static MemResult timer_write(Object *owner, Io *io)
{
    return MEM_OK;
}

static const MemOps timer_ops = {
    .read = timer_read,
    .write = timer_write,
    .accepts = {1, 4},
    .does = {4, 4},
    .widen = true,
};

/* ---- PM1 ---- */

static void sleep_now(AcpiPm *pm, unsigned type)
{
    Machine *m = pm->owner->machine;

    TRACE("acpi.sleep", "type %u", type);
    if (type == 0 || type == pm->s4_type) {
        if (type) {
            event_suspend_disk(m);
        }
        machine_request_shutdown(m, SHUTDOWN_GUEST);
    } else if (type == pm->s3_type) {
        machine_request_suspend(m);
    } else {
        guest_error(pm->owner, "sleep type %u is not offered", type);
    }
}

static void status_written(AcpiPm *pm, uint16_t clear)
{
    pm->status = status(pm) & ~(clear & STATUS_BITS);
    if (clear & TMR || now(pm) >= pm->toggle) {
        pm->toggle = next_toggle(now(pm));
    }
}

static MemResult pm1_read(Object *owner, Io *io)
{
    AcpiPm *pm = (AcpiPm *)((char *)io->region - offsetof(AcpiPm, pm1));

    switch (io->offset) {
    case PM_STATUS:
        io->value = status(pm);
        break;
    case PM_ENABLE:
        io->value = pm->enable;
        break;
    case PM_CONTROL:
        io->value = pm->control;
        break;
    default:
        io->value = 0;
    }
    return MEM_OK;
}

/* Bytes that a narrow write leaves out are zero, which status bits take as "leave it". */
static MemResult pm1_write(Object *owner, Io *io)
{
    AcpiPm *pm = (AcpiPm *)((char *)io->region - offsetof(AcpiPm, pm1));
    unsigned shift = io->offset % 2 * 8;
    uint16_t mask = io->size == 1 ? 0xff << shift : 0xffff, value = io->value << shift;

    switch (io->offset & ~1ull) {
    case PM_STATUS:
        status_written(pm, value & mask);
        break;
    case PM_ENABLE:
        pm->enable = (pm->enable & ~mask) | (value & mask & ENABLE_BITS);
        break;
    case PM_CONTROL:
        pm->control = (pm->control & ~mask) | (value & mask & CONTROL_BITS);
        if (value & mask & SLEEP) {
            sleep_now(pm, pm->control >> SLEEP_TYPE & 7);
        }
        break;
    }
    return MEM_OK;
}

static MemResult pm1_read_any(Object *owner, Io *io)
{
    Io whole = *io;
    MemResult result;

    whole.offset &= ~1ull;
    result = pm1_read(owner, &whole);
    io->value = whole.value >> io->offset % 2 * 8;
    return result;
}

static const MemOps pm1_ops = {
    .read = pm1_read_any,
    .write = pm1_write,
    .accepts = {1, 4},
    .does = {1, 2},
};

/* ---- general purpose events ---- */

static MemResult gpe_read(Object *owner, Io *io)
{
    AcpiPm *pm = (AcpiPm *)((char *)io->region - offsetof(AcpiPm, gpe_port));
    uint32_t all = pm->gpe_status | (uint32_t)pm->gpe_enable << 16;

    io->value = all >> 8 * io->offset;
    return MEM_OK;
}

static MemResult gpe_write(Object *owner, Io *io)
{
    AcpiPm *pm = (AcpiPm *)((char *)io->region - offsetof(AcpiPm, gpe_port));
    unsigned shift = io->offset % 2 * 8;

    if (io->offset < 2) {
        pm->gpe_status &= ~(io->value << shift);
    } else {
        pm->gpe_enable = (pm->gpe_enable & ~(0xff << shift)) | (uint16_t)(io->value << shift);
    }
    return MEM_OK;
}

static const MemOps gpe_ops = {
    .read = gpe_read,
    .write = gpe_write,
    .accepts = {1, 4},
    .does = {1, 1},
};

void acpi_pm_event(AcpiPm *pm, unsigned n)
{
    pm->gpe_status |= 1u << n;
}

/* ---- life ---- */

void acpi_pm_mode(AcpiPm *pm, bool acpi)
{
    pm->control = acpi ? pm->control | SCI_ENABLE : pm->control & ~SCI_ENABLE;
}

static void wake(AcpiPm *pm, uint16_t by)
{
    pm->woken = by;
    machine_request_wakeup(pm->owner->machine);
}

void acpi_pm_heard(AcpiPm *pm, MachineNews news)
{
    bool asleep = machine_state(pm->owner->machine) == MACHINE_SUSPENDED;

    if (news == MACHINE_POWERDOWN && asleep) {
        wake(pm, POWER);
    } else if (news == MACHINE_POWERDOWN) {
        pm->status |= POWER;
    } else if (news == MACHINE_WAKING) {
        pm->status |= WAKE | (pm->woken ?: POWER); /* unknown: as if the button had been pressed */
        pm->woken = 0;
    }
}

void acpi_pm_alarm(AcpiPm *pm)
{
    if (machine_state(pm->owner->machine) == MACHINE_SUSPENDED && pm->enable & RTC) {
        wake(pm, RTC);
    }
}

static void fire(Object *owner, unsigned n)
{
    /* status() says the rest; settle raises the SCI */
}

void acpi_pm_init(AcpiPm *pm, Device *owner, void (*heard)(Object *owner, MachineNews news))
{
    pm->owner = owner;
    region_init_io(&pm->pm1, &owner->obj, "acpi-pm1", 8, &pm1_ops);
    region_init_io(&pm->timer_port, &owner->obj, "acpi-timer", 4, &timer_ops);
    region_rt(&pm->timer_port, pm_timer_answer, NULL);
    region_init_io(&pm->gpe_port, &owner->obj, "acpi-gpe0", 4, &gpe_ops);
    timer_init(&pm->alarm, machine_clock(owner->machine, CLOCK_GUEST), &owner->obj, fire, 0);
    pm->hook = (MachineHook){&owner->obj, heard, NULL};
    machine_listen(owner->machine, &pm->hook);
}

void acpi_pm_reset(AcpiPm *pm)
{
    pm->toggle = next_toggle(now(pm));
}

bool acpi_pm_settle(AcpiPm *pm)
{
    uint16_t raised = status(pm) & pm->enable;

    timer_set(&pm->alarm, pm->enable & TMR && !(status(pm) & TMR) ? pm->toggle : -1);
    return pm->control & SCI_ENABLE && (raised || pm->gpe_status & pm->gpe_enable);
}

const StateField acpi_pm_state[] = {
    STATE(AcpiPm, status),
    STATE(AcpiPm, enable),
    STATE(AcpiPm, control),
    STATE(AcpiPm, gpe_status),
    STATE(AcpiPm, gpe_enable),
    STATE(AcpiPm, woken, .survives = 1 << RESET_WAKE),
    STATE(AcpiPm, toggle),
    STATE_TIMER(AcpiPm, alarm),
    STATE_SKIP(AcpiPm, owner, "config"),
    STATE_SKIP(AcpiPm, pm1, "config"),
    STATE_SKIP(AcpiPm, timer_port, "config"),
    STATE_SKIP(AcpiPm, gpe_port, "config"),
    STATE_SKIP(AcpiPm, hook, "config"),
    STATE_SKIP(AcpiPm, s3_type, "config"),
    STATE_SKIP(AcpiPm, s4_type, "config"),
    STATE_END,
};
