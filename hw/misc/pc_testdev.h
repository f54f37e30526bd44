/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "hw/isa/isa.h"

typedef struct PcTestdev PcTestdev;
extern const DeviceClass PcTestdev_class;
