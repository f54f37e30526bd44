/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ACPI fixed hardware that chipsets share: PM1 event and control blocks, PM timer, GPE0. */
#pragma once
#include "hw/core/device.h"
#include "softmmu/run/run.h"

/* Embedded in a device; its registers are plain fields, the clock is CLOCK_GUEST. */
typedef struct AcpiPm {
    Device *owner;
    Region pm1, timer_port, gpe_port; /* 8, 4 and 4 bytes: the chipset maps them */
    uint16_t status, enable, control;
    uint16_t gpe_status, gpe_enable;
    uint16_t woken; /* status bits of what ended S3; it survives the reset that follows */
    int64_t toggle; /* when the timer's top bit toggles next, ns */
    Timer alarm;
    MachineHook hook;
    uint8_t s3_type, s4_type; /* sleep types; 8: not offered */
} AcpiPm;

enum { ACPI_GPE_PCI_HOTPLUG = 1 };

extern const StateField acpi_pm_state[];

/* In realize: make the regions; heard() is told of the machine's news and calls acpi_pm_heard(). */
void acpi_pm_init(AcpiPm *pm, Device *owner, void (*heard)(Object *owner, MachineNews news));

/* The power button was pressed, or S3 is over. */
void acpi_pm_heard(AcpiPm *pm, MachineNews news);

/* The real-time clock's interrupt: it ends S3 if the guest wanted that. */
void acpi_pm_alarm(AcpiPm *pm);

/* In reset, after the fields were cleared. */
void acpi_pm_reset(AcpiPm *pm);

/* In settle: arm the timer; answers the level of the SCI. */
bool acpi_pm_settle(AcpiPm *pm);

/* The firmware asked for ACPI mode, or for leaving it (SCI_EN). */
void acpi_pm_mode(AcpiPm *pm, bool acpi);

/* A general purpose event, number n (0 to 15), happened. */
void acpi_pm_event(AcpiPm *pm, unsigned n);
