/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "chardev/chardev.h"
#include "hw/isa/isa.h"

/* Properties "chardev", "iobase", "readback". */
typedef struct DebugCon DebugCon;
extern const DeviceClass DebugCon_class;
