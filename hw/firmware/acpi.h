/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ACPI tables, handed to the firmware with the script that links them. */
#pragma once
#include "hw/firmware/fw_cfg.h"

/* What of a PC the tables depend on. */
typedef struct AcpiConfig {
    const uint8_t *dsdt;
    size_t dsdt_size;
    const uint32_t *apic_ids;
    unsigned cpus;
    uint64_t hole, hole_end; /* PCI memory below 4 GB, first and last address              */
    uint64_t high, high_end; /* and above it                                      */
    uint8_t serial_ports;    /* a bit each                                                 */
    bool hpet, s3, s4;
    uint8_t s4_type;
    uint16_t pm_base, gpe0, sci, smi_port;
    uint8_t acpi_on, acpi_off; /* what the SMI port takes                                    */
} AcpiConfig;

/* Adds etc/acpi/tables, etc/acpi/rsdp and etc/table-loader. */
bool acpi_publish(FwCfg *f, const AcpiConfig *config, Error **err);
