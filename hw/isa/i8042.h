/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "hw/core/regs.h"

/* Outputs "irq" 0 (keyboard: IRQ 1) and 1 (mouse: IRQ 12), "a20" (high opens the gate, also after
 * reset; the board ORs it with port 0x92's). */
typedef struct Kbc Kbc;
extern const DeviceClass Kbc_class;
