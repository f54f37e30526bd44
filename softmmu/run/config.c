/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the numbers of a machine's configuration mean together: the CPU topology after QEMU's rules
 * (7.2: cores before sockets, then threads), memory sizes, the UUID, the clock's base, boot order.
 */
#include "softmmu/run/machine_impl.h"

#include <string.h>

/* ---- -smp ---- */

/* Missing numbers are zero; they follow from the others. */
static void complete(SmpTopology *s)
{
    uint32_t all = s->maxcpus ?: s->cpus;

    s->dies = s->dies ?: 1;
    if (!all) {
        s->sockets = s->sockets ?: 1;
        s->cores = s->cores ?: 1;
        s->threads = s->threads ?: 1;
    } else if (!s->cores) {
        s->sockets = s->sockets ?: 1;
        s->threads = s->threads ?: 1;
        s->cores = all / (s->sockets * s->dies * s->threads);
    } else if (!s->sockets) {
        s->threads = s->threads ?: 1;
        s->sockets = all / (s->dies * s->cores * s->threads);
    }
    if (!s->threads) {
        s->threads = all / (s->sockets * s->dies * s->cores);
    }
    s->maxcpus = all ?: s->sockets * s->dies * s->cores * s->threads;
    s->cpus = s->cpus ?: s->maxcpus;
}

bool smp_settle(SmpTopology *s, unsigned max, Error **err)
{
    uint64_t product;

    complete(s);
    product = (uint64_t)s->sockets * s->dies * s->cores * s->threads;
    if (product != s->maxcpus) {
        return error_set(err,
                         "-smp: sockets (%u) * dies (%u) * cores (%u) * threads (%u) is not maxcpus"
                         " (%u)",
                         s->sockets, s->dies, s->cores, s->threads, s->maxcpus);
    }
    if (s->maxcpus < s->cpus) {
        return error_set(err, "-smp: maxcpus (%u) is less than cpus (%u)", s->maxcpus, s->cpus);
    }
    if (s->maxcpus > max) {
        return error_set(err, "-smp: this machine takes %u CPUs, not %u", max, s->maxcpus);
    }
    return true;
}

/* ---- -m ---- */

enum { RAM_UNIT = 8192 };

static bool memory_settle(MachineConfig *c, Error **err)
{
    uint64_t max = c->maxmem_given;

    c->ram_bytes = (c->ram_bytes + RAM_UNIT - 1) & -RAM_UNIT;
    if (max && max < c->ram_bytes) {
        return error_set(
            err, "-m: maxmem (%" PRIu64 " bytes) is less than the memory (%" PRIu64 " bytes)", max,
            c->ram_bytes);
    }
    if (max > c->ram_bytes && !c->ram_slots) {
        error_set(err, "-m: maxmem is more than the memory, but there are no slots to plug it in");
        return error_hint(err, "add slots=N");
    }
    if (c->ram_slots && max <= c->ram_bytes) {
        error_set(err, "-m: there are slots, but maxmem leaves nothing to plug in");
        return error_hint(err, "add maxmem=SIZE, larger than the memory");
    }
    c->maxmem_bytes = max ?: c->ram_bytes;
    return true;
}

/* ---- the rest ---- */

/* g_uuid_string_is_valid() has seen it. */
static void uuid_bytes(const char *text, uint8_t uuid[16])
{
    for (unsigned n = 0; n < 32; text++) {
        if (*text != '-') {
            uuid[n / 2] = uuid[n / 2] << 4 | g_ascii_xdigit_value(*text);
            n++;
        }
    }
}

static bool uuid_settle(MachineConfig *c, Error **err)
{
    if (c->uuid_text && !g_uuid_string_is_valid(c->uuid_text)) {
        return error_set(err, "uuid=%s: is no UUID", c->uuid_text);
    }
    c->uuid_set = c->uuid_text;
    if (c->uuid_text) {
        uuid_bytes(c->uuid_text, c->uuid);
    }
    return true;
}

/* "2006-06-17T16:01:21" or "2006-06-17": what the clock shows, so without a zone. */
static bool date_parse(const char *text, int64_t *date)
{
    g_autofree char *full =
        strchr(text, 'T') ? g_strdup(text) : g_strconcat(text, "T00:00:00", NULL);
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    g_autoptr(GDateTime) at = g_date_time_new_from_iso8601(full, utc);

    *date = at ? g_date_time_to_unix(at) : 0;
    return at;
}

static bool rtc_settle(MachineConfig *c, Error **err)
{
    static const ClockKind clocks[] = {CLOCK_WALL, CLOCK_HOST, CLOCK_GUEST};
    RtcConfig *r = &c->rtc;

    r->clock = clocks[c->rtc_clock];
    if (!strcmp(c->rtc_base, "utc")) {
        r->base = RTC_UTC;
    } else if (!strcmp(c->rtc_base, "localtime")) {
        r->base = RTC_LOCALTIME;
    } else if (date_parse(c->rtc_base, &r->date)) {
        r->base = RTC_DATE;
    } else {
        error_set(err, "-rtc: base=%s: is no date", c->rtc_base);
        return error_hint(err, "utc, localtime, or a date as 2006-06-17T16:01:21");
    }
    return true;
}

/* Letters a to p, each once. */
static bool order_good(const char *order, const char *name, Error **err)
{
    uint32_t seen = 0;

    for (const char *c = order; c && *c; c++) {
        if (*c < 'a' || *c > 'p') {
            return error_set(err, "-boot: %s=%s: %c is no drive, they are a to p", name, order, *c);
        }
        if (seen >> (*c - 'a') & 1) {
            return error_set(err, "-boot: %s=%s: %c stands there twice", name, order, *c);
        }
        seen |= 1u << (*c - 'a');
    }
    return true;
}

bool machine_config_settle(MachineConfig *c, unsigned max_cpus, Error **err)
{
    c->nographic = c->nographic || !c->graphics;
    c->smp = c->smp_given;
    return smp_settle(&c->smp, max_cpus, err) && memory_settle(c, err) && uuid_settle(c, err) &&
           rtc_settle(c, err) && order_good(c->boot.order, "order", err) &&
           order_good(c->boot.once, "once", err);
}
