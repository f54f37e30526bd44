/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "chardev/chardev.h"
#include "hw/isa/isa.h"

/* Properties "chardev", "index" (0 to 3: COM1 to COM4), "iobase" and "irq" (both follow from the
 * index if not given; the index is the first one free on the bus). */
typedef struct Uart Uart;
extern const DeviceClass Uart_class;
