/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "hw/isa/isa.h"

typedef struct DebugExit DebugExit;
extern const DeviceClass DebugExit_class;
