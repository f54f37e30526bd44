/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "hw/core/regs.h"

/* Output "a20": high opens the gate. The board ORs it with the keyboard controller's. */
typedef struct Port92 Port92;
extern const DeviceClass Port92_class;
