/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "hw/isa/isa.h"
#include "hw/pci/pci.h"

/* Property "events": a mask of what the guest may report. */
typedef struct Pvpanic Pvpanic;
typedef struct PvpanicPci PvpanicPci;
extern const DeviceClass Pvpanic_class;
extern const PciDeviceClass PvpanicPci_class;
