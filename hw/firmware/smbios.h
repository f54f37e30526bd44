/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SMBIOS tables: what the guest is told about the machine it is in. */
#pragma once
#include "hw/firmware/fw_cfg.h"
#include "softmmu/run/board.h"

/* Where RAM lies, in bytes, for the tables about memory. */
typedef struct SmbiosMemory {
    uint64_t below, above; /* from 0 and from 4 GB on */
} SmbiosMemory;

/* Adds etc/smbios/smbios-tables and etc/smbios/smbios-anchor, with the texts of -smbios in place of
 * the defaults. An unknown type, key or value is refused by name. */
bool smbios_publish(Machine *m, FwCfg *f, SmbiosMemory memory, Error **err);
