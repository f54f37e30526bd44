/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every header stands alone and beside the others. */
#include "hw/pci/pci.h"
#include "util/lock.h"
#include "util/trace.h"
