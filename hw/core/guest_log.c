/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guest does wrong: -d guest_errors and -d unimp, at most ten lines a second from a
 * device.
 *
 * The limit counts the host's seconds. A machine of a unit test keeps all lines in guest_log.
 */
#include "hw/core/device_impl.h"
#include "util/log.h"
#include "util/trace.h"

static void say(Device *dev, LogItem item, const char *fmt, va_list ap)
{
    GString *kept = dev->machine->guest_log;
    g_autofree char *text = NULL;
    unsigned dropped;

    if (!kept && !log_on(item)) {
        return;
    }
    text = g_strdup_vprintf(fmt, ap);
    if (kept) {
        g_string_append_printf(kept, "%s: %s\n", dev->obj.name, text);
    }
    if (log_on(item) && log_limit(&dev->said, 1000 * g_get_monotonic_time(), &dropped)) {
        if (dropped) {
            log_printf("%s: %u lines left out\n", dev->obj.name, dropped);
        }
        log_printf("%s: %s\n", dev->obj.name, text);
    }
}

void guest_error(const void *dev, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say((Device *)dev, LOG_GUEST_ERRORS, fmt, ap);
    va_end(ap);
}

void guest_unimp(const void *dev, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say((Device *)dev, LOG_UNIMP, fmt, ap);
    va_end(ap);
}
