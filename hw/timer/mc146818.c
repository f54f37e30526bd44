/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MC146818 real-time clock and CMOS memory after Motorola's data sheet (MC146818A), with the
 * century at 0x32 as ACPI has it, and 128 more bytes of memory at ports 0x72 and 0x73.
 *
 * The time is never stored while it runs: it is a clock's time plus `offset`. What happened up to
 * `seen` is in the flags of register C; timers run only for interrupts that are enabled.
 * The weekday follows from the date; years run from 1811 to 2255.
 * With -rtc driftfix=slew a periodic interrupt that came before the guest had looked at the one
 * before is not lost: it comes when the guest has read register C.
 * Not modelled: daylight saving (its bit is storage), the square wave, divider test modes (they
 * run).
 */
#include "hw/timer/mc146818.h"

#include "qapi/events.h"
#include "softmmu/run/board.h"
#include "softmmu/run/run.h"
#include "util/trace.h"

#include <time.h>

enum { SECONDS, SECONDS_ALARM, MINUTES, MINUTES_ALARM, HOURS, HOURS_ALARM };
enum { WEEKDAY = 6, DAY, MONTH, YEAR, REG_A, REG_B, REG_C, REG_D, FIRST_RAM, CENTURY = 0x32 };
enum { A_UIP = 0x80, A_DIVIDER = 0x70, A_HELD = 0x60, A_RATE = 0x0f, A_START = 0x26 };
enum { B_SET = 0x80, B_BINARY = 0x04, B_24H = 0x02, B_INTERRUPTS = 0x70, B_CLEARED = 0x78 };
enum { C_IRQ = 0x80, C_PERIODIC = 0x40, C_ALARM = 0x20, C_UPDATE = 0x10, D_VALID = 0x80 };
enum { ALARM_ANY = 0xc0, PM = 0x80, INDEX_MASK = 0x7f, EXTENDED = 0x80, UIP_NS = 244140 };
enum { DAY_SECONDS = 86400, OSCILLATOR_HZ = 32768, OWED_MAX = 8192 };
#define SECOND INT64_C(1000000000)
#define EARLIEST \
    (-5000000000 * SECOND) /* 1811 and 2255: nanoseconds in 64 bits, with room to add */
#define LATEST (9000000000 * SECOND)

struct Rtc {
    Device dev;
    Region region;
    IrqLine irq;
    Timer timer;
    Clock *clock;
    uint16_t iobase;
    uint8_t index[2];             /* ports 0x70 and 0x72                              */
    uint8_t cmos[RTC_CMOS_BYTES]; /* times: while they stand still, see held()        */
    int64_t offset;               /* shown time less the clock's, ns                  */
    int64_t base_offset;          /* the one that it began with                       */
    int64_t seen;                 /* shown time up to which the flags are right, ns   */
    int64_t phase;                /* while held: into the second                      */
    uint32_t owed;                /* periodic interrupts to be made up for            */
};

/* ---- the calendar ---- */

typedef struct Date {
    int year, month, day, weekday, hour, minute, second;
} Date;

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days since 1970-01-01 in the Gregorian calendar; a month beyond 12 runs on into later years. */
static int64_t days_of(int year, int month, int day)
{
    int64_t months = year * 12ll + month - 1 - 2; /* years begin in March here */
    int64_t y = floor_div(months, 12), m = months - y * 12;

    return 365 * y + floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400) + (153 * m + 2) / 5 +
           day - 1 - 719468;
}

static Date date_of(int64_t seconds)
{
    int64_t days = floor_div(seconds, DAY_SECONDS), left = seconds - days * DAY_SECONDS;
    int64_t z = days + 719468, era = floor_div(z, 146097), doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int month = mp < 10 ? mp + 3 : mp - 9;

    return (Date){
        .year = yoe + era * 400 + (month <= 2),
        .month = month,
        .day = doy - (153 * mp + 2) / 5 + 1,
        .weekday = (days % 7 + 7 + 4) % 7 + 1, /* 1970 began on a Thursday; Sunday is 1 */
        .hour = left / 3600,
        .minute = left / 60 % 60,
        .second = left % 60,
    };
}

/* ---- how registers show numbers ---- */

static uint8_t encode(const Rtc *r, unsigned v)
{
    return r->cmos[REG_B] & B_BINARY ? v : (v / 10 % 10) << 4 | v % 10;
}

static unsigned decode(const Rtc *r, uint8_t v)
{
    return r->cmos[REG_B] & B_BINARY ? v : (v >> 4) * 10u + (v & 15);
}

static uint8_t encode_hour(const Rtc *r, unsigned hour)
{
    if (r->cmos[REG_B] & B_24H) {
        return encode(r, hour);
    }
    return encode(r, hour % 12 ?: 12) | (hour >= 12 ? PM : 0);
}

static unsigned decode_hour(const Rtc *r, uint8_t v)
{
    if (r->cmos[REG_B] & B_24H) {
        return decode(r, v);
    }
    return decode(r, v & ~PM) % 12 + (v & PM ? 12 : 0);
}

static bool is_time(unsigned i)
{
    return i == SECONDS || i == MINUTES || i == HOURS || (i >= WEEKDAY && i <= YEAR) ||
           i == CENTURY;
}

/* What a register of the time holds. */
static uint8_t show(const Rtc *r, Date d, unsigned index)
{
    switch (index) {
    case SECONDS:
        return encode(r, d.second);
    case MINUTES:
        return encode(r, d.minute);
    case HOURS:
        return encode_hour(r, d.hour);
    case WEEKDAY:
        return encode(r, d.weekday);
    case DAY:
        return encode(r, d.day);
    case MONTH:
        return encode(r, d.month);
    case YEAR:
        return encode(r, d.year % 100);
    default:
        return encode(r, d.year / 100);
    }
}

/* Seconds since 1970, within what CLAMPing nanoseconds needs. */
static int64_t shown(const Rtc *r)
{
    const uint8_t *c = r->cmos;
    int year = decode(r, c[CENTURY]) * 100 + decode(r, c[YEAR]);

    int64_t seconds = days_of(year, decode(r, c[MONTH]), decode(r, c[DAY])) * DAY_SECONDS +
                      decode_hour(r, c[HOURS]) * 3600 + decode(r, c[MINUTES]) * 60 +
                      decode(r, c[SECONDS]);

    return CLAMP(seconds, EARLIEST / SECOND, LATEST / SECOND);
}

/* ---- what has happened ---- */

/* Does the time stand still: being set, or the divider held in reset? */
static bool held(const Rtc *r)
{
    return r->cmos[REG_B] & B_SET || (r->cmos[REG_A] & A_HELD) == A_HELD;
}

static int64_t now(const Rtc *r)
{
    int64_t t;

    if (__builtin_add_overflow(clock_now(r->clock), r->offset, &t)) {
        return r->offset < 0 ? EARLIEST : LATEST;
    }
    return CLAMP(t, EARLIEST, LATEST);
}

/* Ticks of the oscillator between two periodic interrupts; 0: there are none. */
static unsigned periodic_ticks(const Rtc *r)
{
    unsigned rate = r->cmos[REG_A] & A_RATE;

    if (!rate || (r->cmos[REG_A] & A_HELD) == A_HELD) {
        return 0;
    }
    return 1u << (rate <= 2 ? rate + 6 : rate - 1);
}

static int64_t next_periodic(const Rtc *r, int64_t after)
{
    unsigned ticks = periodic_ticks(r);
    __int128 tick;

    if (!ticks) {
        return INT64_MAX;
    }
    tick = ((__int128)after * OSCILLATOR_HZ / SECOND / ticks + 1) * ticks;
    return (tick * SECOND + OSCILLATOR_HZ - 1) / OSCILLATOR_HZ;
}

static int64_t next_update(const Rtc *r, int64_t after)
{
    return held(r) ? INT64_MAX : (floor_div(after, SECOND) + 1) * SECOND;
}

static bool matches(uint8_t alarm, unsigned want, unsigned have)
{
    return alarm >= ALARM_ANY || want == have;
}

/* Whole hours and minutes that cannot match are skipped, so a day takes few steps. */
static int64_t next_alarm(const Rtc *r, int64_t after)
{
    const uint8_t *c = r->cmos;
    int64_t t = floor_div(after, SECOND) + 1, end = t + DAY_SECONDS;

    while (t <= end && !held(r)) {
        Date d = date_of(t);

        if (!matches(c[HOURS_ALARM], decode_hour(r, c[HOURS_ALARM]), d.hour)) {
            t += 3600 - d.minute * 60 - d.second;
        } else if (!matches(c[MINUTES_ALARM], decode(r, c[MINUTES_ALARM]), d.minute)) {
            t += 60 - d.second;
        } else if (!matches(c[SECONDS_ALARM], decode(r, c[SECONDS_ALARM]), d.second)) {
            t++;
        } else {
            return t * SECOND;
        }
    }
    return INT64_MAX;
}

static int64_t periods_until(const Rtc *r, int64_t t)
{
    return (__int128)t * OSCILLATOR_HZ / SECOND / (periodic_ticks(r) ?: 1);
}

/* Periodic interrupts up to t that the flag cannot hold, since it is one. */
static void count_owed(Rtc *r, int64_t t)
{
    int64_t lost;

    if (!machine_config(r->dev.machine)->rtc.slew || !(r->cmos[REG_B] & C_PERIODIC) ||
        !periodic_ticks(r)) {
        return;
    }
    lost = periods_until(r, t) - periods_until(r, r->seen);
    if (lost > 0) {
        lost -= !(r->cmos[REG_C] & C_PERIODIC);
        r->owed = MIN(r->owed + lost, OWED_MAX);
    }
}

/* The guest has taken an interrupt: the next one that is owed is another edge of the line. */
static void make_up(Rtc *r)
{
    if (r->owed && r->cmos[REG_B] & C_PERIODIC) {
        r->owed--;
        irq_set(&r->irq, false);
        r->cmos[REG_C] |= C_PERIODIC;
    }
}

/* Bring the flags up to date. A clock that went back, as the host's may, starts anew. */
static void look(Rtc *r)
{
    int64_t t = now(r);

    if (t >= r->seen) {
        count_owed(r, t);
        if (~r->cmos[REG_C] & C_PERIODIC && next_periodic(r, r->seen) <= t) {
            r->cmos[REG_C] |= C_PERIODIC;
        }
        if (floor_div(t, SECOND) != floor_div(r->seen, SECOND)) { /* the others come with those */
            r->cmos[REG_C] |= (next_update(r, r->seen) <= t ? C_UPDATE : 0) |
                              (next_alarm(r, r->seen) <= t ? C_ALARM : 0);
        }
    }
    r->seen = t;
}

static void rtc_fire(Rtc *r, unsigned n)
{
    look(r);
}

/* The next event that would raise the interrupt, as the clock shows it; -1: none. */
static int64_t due(const Rtc *r)
{
    uint8_t wanted = r->cmos[REG_B] & ~r->cmos[REG_C];
    int64_t at = wanted & C_PERIODIC ? next_periodic(r, r->seen) : INT64_MAX;

    at = wanted & C_UPDATE ? MIN(at, next_update(r, r->seen)) : at;
    at = wanted & C_ALARM ? MIN(at, next_alarm(r, r->seen)) : at;
    if (at > LATEST || __builtin_sub_overflow(at, r->offset, &at)) {
        return -1;
    }
    return MAX(at, 0);
}

static bool interrupts(const Rtc *r)
{
    return r->cmos[REG_B] & r->cmos[REG_C] & B_INTERRUPTS;
}

static void rtc_settle(Rtc *r)
{
    timer_set(&r->timer, interrupts(r) ? -1 : due(r));
    irq_set(&r->irq, interrupts(r));
}

/* ---- setting the time ---- */

static void set_time(Rtc *r, int64_t ns)
{
    ns = CLAMP(ns, EARLIEST, LATEST);
    r->offset = ns - clock_now(r->clock);
    r->seen = ns;
    TRACE("rtc.set", "%" PRId64 " s since 1970", ns / SECOND);
}

/* How far the guest's time is from that of -rtc base, for who starts it again with that offset. */
static void tell_change(Rtc *r)
{
    g_autofree char *path = object_path(&r->dev.obj);
    int64_t by = r->offset - r->base_offset;

    event_rtc_change(r->dev.machine,
                     &(RtcChangeEvent){(by + (by < 0 ? -1 : 1) * SECOND / 2) / SECOND, path});
}

static void hold(Rtc *r)
{
    int64_t t = now(r), seconds = floor_div(t, SECOND);
    Date d = date_of(seconds);

    for (unsigned i = 0; i <= CENTURY; i++) {
        r->cmos[i] = is_time(i) ? show(r, d, i) : r->cmos[i];
    }
    r->phase = t - seconds * SECOND;
}

/* A divider that is let go takes half a second to the first update. */
static void control_written(Rtc *r, unsigned index, uint8_t v)
{
    bool was_held = held(r), divider_held = (r->cmos[REG_A] & A_HELD) == A_HELD;

    if (index == REG_A) {
        v &= ~A_UIP;
    } else if (v & B_SET) {
        v &= ~C_UPDATE; /* the data sheet: SET clears UIE */
    }
    if (!was_held && (index == REG_B ? v & B_SET : (v & A_HELD) == A_HELD)) {
        hold(r);
    }
    if ((index == REG_A && (r->cmos[index] ^ v) & A_RATE) || (index == REG_B && ~v & C_PERIODIC)) {
        r->owed = 0; /* another rate, or none */
    }
    r->cmos[index] = v;
    if (was_held && !held(r)) {
        set_time(r, shown(r) * SECOND + (divider_held ? SECOND / 2 : r->phase));
        tell_change(r);
    }
}

static void time_written(Rtc *r, unsigned index, uint8_t v)
{
    if (held(r)) {
        r->cmos[index] = v;
        return;
    }
    hold(r);
    r->cmos[index] = v;
    set_time(r, shown(r) * SECOND + r->phase);
    tell_change(r);
}

/* ---- ports ---- */

static void cmos_written(Rtc *r, unsigned index, uint8_t v)
{
    if (index == REG_A || index == REG_B) {
        control_written(r, index, v);
    } else if (is_time(index)) {
        time_written(r, index, v);
    } else if (index != REG_C && index != REG_D) {
        r->cmos[index] = v;
    }
}

static uint8_t cmos_read(const Rtc *r, unsigned index, int64_t t)
{
    int64_t second = floor_div(t, SECOND);

    if (is_time(index) && !held(r)) {
        return show(r, date_of(second), index);
    }
    switch (index) {
    case REG_A:
        return r->cmos[REG_A] | (!held(r) && (second + 1) * SECOND - t <= UIP_NS ? A_UIP : 0);
    case REG_C:
        return r->cmos[REG_C] | (interrupts(r) ? C_IRQ : 0);
    case REG_D:
        return D_VALID;
    default:
        return r->cmos[index];
    }
}

static unsigned selected(const Rtc *r, uint64_t offset)
{
    return offset < 2 ? r->index[0] & INDEX_MASK : EXTENDED | (r->index[1] & INDEX_MASK);
}

static MemResult rtc_write(Rtc *r, Io *io)
{
    look(r);
    if (io->offset & 1) {
        cmos_written(r, selected(r, io->offset), io->value);
    } else {
        r->index[io->offset / 2] = io->value;
    }
    return MEM_OK;
}

static MemResult rtc_read(Rtc *r, Io *io)
{
    unsigned index = selected(r, io->offset);

    if (!(io->offset & 1)) {
        return MEM_OK; /* the index cannot be read */
    }
    if (!io->by.debug) {
        look(r);
    }
    io->value = cmos_read(r, index, io->by.debug ? now(r) : r->seen);
    if (index == REG_C && !io->by.debug) {
        r->cmos[REG_C] = 0;
        make_up(r);
    }
    return MEM_OK;
}

void rtc_cmos_put(Device *rtc, unsigned index, uint8_t value)
{
    if (index >= FIRST_RAM && index < RTC_CMOS_BYTES && index != CENTURY) {
        CAST(Rtc, rtc)->cmos[index] = value;
    }
}

uint8_t rtc_cmos_get(Device *rtc, unsigned index)
{
    return index < RTC_CMOS_BYTES ? CAST(Rtc, rtc)->cmos[index] : 0xff;
}

/* ---- the device ---- */

static int64_t zone_seconds(int64_t seconds)
{
    time_t at = seconds;
    struct tm local = {0};

    localtime_r(&at, &local);
    return local.tm_gmtoff;
}

/* CLOCK_WALL shows UTC itself; the others begin somewhere. */
static int64_t first_offset(Rtc *r, const RtcConfig *config)
{
    Machine *m = r->dev.machine;
    int64_t wall = config->clock == CLOCK_WALL ? clock_now(r->clock) : machine_wall_time(m);
    int64_t shows = wall;

    if (config->base == RTC_DATE) {
        shows = config->date * SECOND;
    } else if (config->base == RTC_LOCALTIME) {
        shows += zone_seconds(floor_div(wall, SECOND)) * SECOND;
    }
    return shows - clock_now(r->clock);
}

static bool rtc_realize(Rtc *r, Error **err)
{
    static const MemOps ops = {
        .read = METHOD(Rtc, rtc_read),
        .write = METHOD(Rtc, rtc_write),
        .accepts = {1, 4, true},
        .does = {1, 1},
    };
    const RtcConfig *config = &machine_config(r->dev.machine)->rtc;

    r->clock = machine_clock(r->dev.machine, config->clock);
    r->offset = r->base_offset = first_offset(r, config);
    r->cmos[REG_A] = A_START;
    r->cmos[REG_B] = B_24H;
    timer_init(&r->timer, r->clock, &r->dev.obj, METHOD(Rtc, rtc_fire), 0);
    region_init_io(&r->region, &r->dev.obj, "rtc", 4, &ops);
    region_map(machine_ports(r->dev.machine), r->iobase, &r->region, 0);
    return true;
}

/* The battery keeps the rest. */
static void rtc_reset(Rtc *r, ResetKind kind)
{
    r->cmos[REG_B] &= ~B_CLEARED;
    r->cmos[REG_C] = 0;
    r->owed = 0;
    r->seen = now(r);
}

static bool rtc_loaded(Rtc *r, Error **err)
{
    if (r->seen < EARLIEST || r->seen > LATEST) {
        return error_set(err, "%" PRId64 " s since 1970 is no time", r->seen / SECOND);
    }
    return (r->phase >= 0 && r->phase < SECOND) || error_set(err, "a second has no such fraction");
}

static const Prop rtc_props[] = {PROP(Rtc, iobase, 0x70, "first I/O port"), PROP_END};

static const StateField rtc_state[] = {
    STATE(Rtc, index),
    STATE(Rtc, cmos, .survives = RESET_ANY),
    STATE(Rtc, offset, .survives = RESET_ANY),
    STATE(Rtc, phase, .survives = RESET_ANY),
    STATE(Rtc, seen),
    STATE(Rtc, owed),
    STATE_TIMER(Rtc, timer),
    STATE_SKIP(Rtc, base_offset, "config"),
    STATE_SKIP(Rtc, clock, "config"),
    STATE_SKIP(Rtc, region, "config"),
    STATE_END,
};

static const Pin rtc_pins[] = {PIN_OUT(Rtc, irq), PIN_END};

const DeviceClass Rtc_class = {
    .class = {"mc146818rtc", "real-time clock and CMOS", &Device_class.class, sizeof(Rtc),
              rtc_props},
    .onboard = true,
    .state = rtc_state,
    .pins = rtc_pins,
    .realize = METHOD(Rtc, rtc_realize),
    .reset = METHOD(Rtc, rtc_reset),
    .loaded = METHOD(Rtc, rtc_loaded),
    .settle = METHOD(Rtc, rtc_settle),
};
CLASS(Rtc);
