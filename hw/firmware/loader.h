/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -device loader: bytes, numbers and start addresses put into a machine at each reset. */
#pragma once
#include "hw/core/device.h"

typedef struct Loader Loader;
extern const DeviceClass Loader_class;
