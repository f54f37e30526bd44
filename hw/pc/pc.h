/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The PC board: its parts, shared by the files that build it. */
#pragma once
#include "hw/chipset/i440fx.h"
#include "hw/chipset/piix3.h"
#include "hw/firmware/fw_cfg.h"
#include "hw/isa/isa.h"
#include "softmmu/run/board.h"
#include "softmmu/run/machine_impl.h"

typedef struct Pc {
    Machine machine;
    OnOffAuto smm, vmport;
    uint64_t max_ram_below_4g;
    RamLayout layout;
    Region ram;
    Region bios, bios_low; /* at the top of 4 GB; its last 128 KB below 1 MB */
    PciHost *host;
    I440fx *bridge;
    IsaBus *isa;
    Device *pic, *pic2, *ioapic, *msi_port, *rtc, *pm;
    FwCfg *fw_cfg;
    Device *cpus[255];
    unsigned cpu_count;
    MachineHook hook;
} Pc;

/* Join a device's output to an interrupt of the PC: below 16 to the PICs and the IOAPIC (0 is its
 * input 2), up to 23 to the IOAPIC alone. */
bool pc_wire(Pc *pc, Device *from, const char *pin, unsigned n, unsigned irq, Error **err);

/* The APIC ID of the n-th CPU. */
unsigned pc_apic_id(const SmpTopology *smp, unsigned n);

/* The BIOS image into the ROM at the top of 4 GB: -bios, or SeaBIOS. */
bool pc_load_bios(Pc *pc, Error **err);

/* The devices behind the ISA bridge. */
bool pc_add_isa(Pc *pc, Error **err);

/* Bytes of the CMOS that tell firmware about memory, CPUs and boot order. */
bool pc_fill_cmos(Pc *pc, Error **err);

/* What firmware asks about the machine: items of fw_cfg. */
bool pc_describe(Pc *pc, Error **err);
