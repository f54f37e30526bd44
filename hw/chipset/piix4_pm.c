/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intel 82371AB PIIX4 (order number 290562), function 3: power management 8086:7113. PM1 registers
 * and timer where PMBA says (section 7.2), APM control and status ports 0xb2 and 0xb3 with their
 * SMI. GPE0 and PCI hotplug lie at fixed ports 0xafe0 and 0xae00, which the ACPI tables name.
 * The ACPI enable and disable values take effect in hardware, since no SMI handler comes with the
 * firmware. Not modelled: SMBus, general purpose I/O, device traps, idle timers, other SMI sources.
 */
#include "hw/chipset/piix4_pm.h"

#include "hw/chipset/acpi_pcihp.h"
#include "hw/chipset/acpi_pm.h"

#include <string.h>

enum { PMBA = 0x40, DEVACTB = 0x58, PMREGMISC = 0x80, SMBBA = 0x90, SMBHSTCFG = 0xd2 };
enum { PMIOSE = 1, APMC_EN = 1 << 25, PM_SIZE = 0x40 };
enum { TIMER_AT = 8, GLOBAL_CONTROL = 0x28, SMI_EN = 1 };
enum { APM_PORT = 0xb2, CONTROL = 0, APM_STATUS = 1, ACPI_ON = 0xf1, ACPI_OFF = 0xf0 };
enum { GPE0_PORT = 0xafe0, NO_SLEEP = 8 };

typedef struct Piix4Pm {
    PciDevice pci;
    AcpiPm acpi;
    AcpiPciHotplug hotplug;
    Region pm, global, apm;
    uint32_t smb_io_base, global_control;
    bool smm, disable_s3, disable_s4;
    uint8_t s4_val, apm_control, apm_status;
    IrqLine sci, smi;
} Piix4Pm;

static void piix4_settle(Piix4Pm *p)
{
    uint32_t base = pci_get(&p->pci, PMBA, 4) & 0xffc0;

    if (base && p->pci.config[PMREGMISC] & PMIOSE) {
        region_map(machine_ports(p->pci.dev.machine), base, &p->pm, 1);
    } else {
        region_unmap(&p->pm);
    }
    irq_set(&p->sci, acpi_pm_settle(&p->acpi));
}

/* ---- ports ---- */

static MemResult apm_read(Piix4Pm *p, Io *io)
{
    io->value = io->offset == CONTROL ? p->apm_control : p->apm_status;
    return MEM_OK;
}

static void smi_wanted(Piix4Pm *p)
{
    if (p->smm && pci_get(&p->pci, DEVACTB, 4) & APMC_EN) {
        irq_pulse(&p->smi);
    }
}

static MemResult apm_write(Piix4Pm *p, Io *io)
{
    if (io->offset == APM_STATUS) {
        p->apm_status = io->value;
        return MEM_OK;
    }
    p->apm_control = io->value;
    if (io->value == ACPI_ON || io->value == ACPI_OFF) {
        acpi_pm_mode(&p->acpi, io->value == ACPI_ON);
    } else {
        smi_wanted(p);
    }
    return MEM_OK;
}

static const MemOps apm_ops = {
    .read = METHOD(Piix4Pm, apm_read),
    .write = METHOD(Piix4Pm, apm_write),
    .accepts = {1, 2, true},
    .does = {1, 1},
};

static MemResult global_read(Piix4Pm *p, Io *io)
{
    io->value = p->global_control;
    return MEM_OK;
}

static MemResult global_write(Piix4Pm *p, Io *io)
{
    p->global_control = io->value;
    return MEM_OK;
}

static const MemOps global_ops = {
    .read = METHOD(Piix4Pm, global_read),
    .write = METHOD(Piix4Pm, global_write),
    .accepts = {1, 4},
    .does = {4, 4},
    .widen = true,
};

/* ---- news ---- */

static void piix4_heard(Object *obj, MachineNews news)
{
    acpi_pm_heard(&CAST(Piix4Pm, obj)->acpi, news);
}

static void piix4_moved(Device *dev, PciDevice *pci, bool in)
{
    Piix4Pm *p = CAST(Piix4Pm, dev);

    if (object_enter(&dev->obj)) {
        acpi_pcihp_moved(&p->hotplug, pci, in);
        acpi_pm_event(&p->acpi, ACPI_GPE_PCI_HOTPLUG);
        object_leave(&dev->obj);
    }
}

static void alarm_in(Piix4Pm *p, unsigned n, bool level)
{
    if (level) {
        acpi_pm_alarm(&p->acpi);
    }
}

/* ---- life ---- */

static void map_ports(Piix4Pm *p)
{
    Object *owner = &p->pci.dev.obj;
    Region *ports = machine_ports(p->pci.dev.machine);

    region_init(&p->pm, owner, "piix4-pm", PM_SIZE);
    region_map(&p->pm, 0, &p->acpi.pm1, 0);
    region_map(&p->pm, TIMER_AT, &p->acpi.timer_port, 0);
    region_init_io(&p->global, owner, "piix4-global", 4, &global_ops);
    region_map(&p->pm, GLOBAL_CONTROL, &p->global, 0);
    region_init_io(&p->apm, owner, "apm", 2, &apm_ops);
    region_map(ports, APM_PORT, &p->apm, 0);
    region_map(ports, GPE0_PORT, &p->acpi.gpe_port, 0);
    region_map(ports, ACPI_PCIHP_PORT, &p->hotplug.ports, 0);
}

static bool piix4_realize(Piix4Pm *p, Error **err)
{
    pci_put(&p->pci, PCI_STATUS, 0x0280, 2);
    pci_writable(&p->pci, PCI_COMMAND, PCI_CMD_IO, 2);
    p->pci.config[PCI_PIN] = 1;
    p->pci.config[PMBA] = p->pci.config[SMBBA] = 1; /* they are I/O ports */
    pci_writable(&p->pci, PMBA, 0xffc0, 4);
    pci_writable(&p->pci, 0x44, ~0u, 4); /* counters and device activity: storage */
    pci_writable(&p->pci, 0x48, ~0u, 4);
    pci_writable(&p->pci, 0x4c, ~0u, 4);
    pci_writable(&p->pci, 0x54, ~0u, 4);
    pci_writable(&p->pci, DEVACTB, ~0u, 4);
    pci_writable(&p->pci, PMREGMISC, PMIOSE, 1);
    pci_writable(&p->pci, SMBBA, 0xfff0, 4);
    pci_writable(&p->pci, SMBHSTCFG, 0x0f, 1);
    p->acpi.s3_type = p->disable_s3 ? NO_SLEEP : 1;
    p->acpi.s4_type = p->disable_s4 ? NO_SLEEP : p->s4_val;
    acpi_pm_init(&p->acpi, &p->pci.dev, piix4_heard);
    acpi_pcihp_init(&p->hotplug, &p->pci.dev, (PciBus *)p->pci.dev.bus, piix4_moved);
    map_ports(p);
    return true;
}

static void piix4_unrealize(Object *obj)
{
    PciDevice *pci = CAST(PciDevice, obj);

    ((PciBus *)pci->dev.bus)->hotplug = NULL;
}

/* Without SMM the bit that enables its entry reads as set already: firmware then leaves
 * it alone. */
static void piix4_reset(Piix4Pm *p, ResetKind kind)
{
    pci_put(&p->pci, DEVACTB, p->smm ? 0 : APMC_EN, 4);
    pci_put(&p->pci, SMBBA, p->smb_io_base | 1, 4);
    acpi_pm_reset(&p->acpi);
}

static const Prop piix4_props[] = {
    PROP(Piix4Pm, smm, true, "writing APM control raises an SMI"),
    PROP(Piix4Pm, disable_s3, false, "do not offer suspend to RAM"),
    PROP(Piix4Pm, disable_s4, false, "do not offer suspend to disk"),
    PROP(Piix4Pm, s4_val, 2, "sleep type of suspend to disk", .max = 7),
    PROP(Piix4Pm, smb_io_base, 0xb100, "I/O ports of the SMBus", .max = 0xfff0),
    PROP_END,
};
static const StateField piix4_state[] = {
    STATE_STRUCT(Piix4Pm, acpi, AcpiPm, acpi_pm_state),
    STATE_STRUCT(Piix4Pm, hotplug, AcpiPciHotplug, acpi_pcihp_state),
    STATE(Piix4Pm, global_control),
    STATE(Piix4Pm, apm_control),
    STATE(Piix4Pm, apm_status),
    STATE_SKIP(Piix4Pm, pm, "derived"),
    STATE_SKIP(Piix4Pm, global, "config"),
    STATE_SKIP(Piix4Pm, apm, "config"),
    STATE_END,
};
static const Pin piix4_pins[] = {PIN_IN("rtc", 1, METHOD(Piix4Pm, alarm_in)), PIN_OUT(Piix4Pm, sci),
                                 PIN_OUT(Piix4Pm, smi), PIN_END};

const PciDeviceClass Piix4Pm_class = {
    .device =
        {
            .class = {"PIIX4_PM", "ACPI power management of the PC", &PciDevice_class.device.class,
                      sizeof(Piix4Pm), piix4_props},
            .onboard = true,
            .state = piix4_state,
            .pins = piix4_pins,
            .realize = METHOD(Piix4Pm, piix4_realize),
            .unrealize = piix4_unrealize,
            .reset = METHOD(Piix4Pm, piix4_reset),
            .settle = METHOD(Piix4Pm, piix4_settle),
        },
    .vendor = 0x8086,
    .id = 0x7113,
    .class_code = 0x068000,
    .revision = 3,
    .fixed = true,
};
CLASS(Piix4Pm);
