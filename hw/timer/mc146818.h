/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "hw/core/regs.h"

/* Output "irq" (IRQ 8). What it shows at first, and which clock it follows, stand in the machine's
 * configuration (-rtc); the machine's clocks should be real already when it is made. */
typedef struct Rtc Rtc;
extern const DeviceClass Rtc_class;

enum { RTC_CMOS_BYTES = 256 };

/* For boards: a byte of the battery-backed memory. Index 14 to 255; others belong to the clock. */
void rtc_cmos_put(Device *rtc, unsigned index, uint8_t value);
uint8_t rtc_cmos_get(Device *rtc, unsigned index);
