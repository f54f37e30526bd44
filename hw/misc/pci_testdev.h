/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "hw/pci/pci.h"

/* Property "membar": size of a further, empty 64-bit memory BAR; 0: none. */
typedef struct PciTestdev PciTestdev;
extern const PciDeviceClass PciTestdev_class;
