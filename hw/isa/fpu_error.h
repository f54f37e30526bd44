/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "hw/core/regs.h"

/* Input "ferr": the CPU's FERR#, high when it is asserted; its rise is what counts. Output "irq":
 * to IRQ 13. */
typedef struct FpuError FpuError;
extern const DeviceClass FpuError_class;
