/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "hw/core/regs.h"

/* Both DMA controllers of a PC/AT with their page registers, in one device. */
typedef struct Dma Dma;
extern const DeviceClass Dma_class;
