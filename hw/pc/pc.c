/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PC: i440FX, PIIX3 and the power management of a PIIX4, as the machine pc-i440fx-7.2 of QEMU
 * has them, so that its firmware and its guests feel at home. This file makes the parts and joins
 * their wires; pc_firmware.c tells the firmware about them.
 * Not modelled: floppy, IDE and USB controllers, a display, the ISA DMA that nothing uses.
 */
#include "hw/pc/pc.h"

#include "hw/chipset/piix4_pm.h"
#include "hw/intc/i8259.h"
#include "hw/intc/ioapic.h"
#include "hw/intc/lapic.h"
#include "softmmu/memory/backend.h"
#include "target/i386/cpu.h"

enum { IRQ_PIT = 0, IRQ_SCI = 9, IOAPIC_PINS = 24, APIC_ID_MAX = 254 };

/* ---- wires ---- */

bool pc_wire(Pc *pc, Device *from, const char *pin, unsigned n, unsigned irq, Error **err)
{
    Device *pic = irq < 8 ? pc->pic : pc->pic2;

    return (irq >= 16 || irq_wire(from, pin, n, pic, "in", irq % 8, err)) &&
           irq_wire(from, pin, n, pc->ioapic, "in", irq == IRQ_PIT ? 2 : irq, err);
}

/* ---- parts ---- */

static Device *add(Pc *pc, const void *class, const char *name, Bus *bus, const char *addr,
                   const PropValue *props, Error **err)
{
    return device_add(&pc->machine, class, name, bus, addr, props, err);
}

static bool add_interrupts(Pc *pc, Error **err)
{
    const PropValue slave[] = {
        {"iobase", NUMBER(0xa0)}, {"elcr_port", NUMBER(0x4d1)}, {"elcr_mask", NUMBER(0xde)}, {}};

    if (!(pc->msi_port = add(pc, &MsiPort_class, "msi-port", NULL, NULL, NULL, err)) ||
        !(pc->pic2 = add(pc, &Pic_class, "pic2", NULL, NULL, slave, err))) {
        return false;
    }
    const PropValue master[] = {{"slave", LINK(pc->pic2)}, {}};
    const PropValue port[] = {{"port", LINK(pc->msi_port)}, {}};

    return (pc->pic = add(pc, &Pic_class, "pic", NULL, NULL, master, err)) &&
           (pc->ioapic = add(pc, &IoApic_class, "ioapic", NULL, NULL, port, err)) &&
           irq_wire(pc->pic2, "intr", 0, pc->pic, "in", 2, err);
}

static bool add_cpu(Pc *pc, unsigned apic_id, Error **err)
{
    g_autofree char *name = g_strdup_printf("lapic%u", apic_id);
    Vcpu *cpu = cpu_create(&pc->machine, pc->machine.config.cpu, apic_id, err);
    Device *lapic;

    if (!cpu) {
        return false;
    }
    const CpuModel *model = cpu_model(cpu);
    const PropValue props[] = {
        {"cpu", LINK(cpu)},
        {"port", LINK(pc->msi_port)},
        {"pic", LINK(pc->pic)},
        {"x2apic", FLAG(feature_has(&model->features, FEATURE_X2APIC))},
        {"tsc-deadline", FLAG(feature_has(&model->features, FEATURE_TSC_DEADLINE))},
        {"phys-bits", NUMBER(model->phys_bits)},
        {}};

    pc->cpus[pc->cpu_count++] = &cpu->dev;
    return (lapic = add(pc, &Lapic_class, name, NULL, NULL, props, err)) &&
           irq_wire(pc->pic, "intr", 0, lapic, "lint", 0, err);
}

/* APIC IDs leave room for each level of the topology to be a power of two, as CPUID tells it. */
static unsigned bits_for(unsigned n)
{
    return n > 1 ? 32 - __builtin_clz(n - 1) : 0;
}

unsigned pc_apic_id(const SmpTopology *smp, unsigned cpu)
{
    unsigned thread = cpu % smp->threads, core = cpu / smp->threads % smp->cores;
    unsigned die = cpu / smp->threads / smp->cores % smp->dies;
    unsigned socket = cpu / smp->threads / smp->cores / smp->dies;
    unsigned t = bits_for(smp->threads), c = t + bits_for(smp->cores), d = c + bits_for(smp->dies);

    return thread | core << t | die << c | socket << d;
}

static bool add_cpus(Pc *pc, Error **err)
{
    const SmpTopology *smp = &pc->machine.config.smp;

    if (smp->cpus > G_N_ELEMENTS(pc->cpus) || pc_apic_id(smp, smp->maxcpus - 1) > APIC_ID_MAX) {
        return error_set(err, "%u CPUs in this topology need APIC IDs above %d", smp->maxcpus,
                         APIC_ID_MAX);
    }
    for (unsigned n = 0; n < smp->cpus; n++) {
        if (!add_cpu(pc, pc_apic_id(smp, n), err)) {
            return false;
        }
    }
    return true;
}

static bool add_ram(Pc *pc, Error **err)
{
    uint64_t bytes = pc->machine.config.ram_bytes;

    if (!machine_init_ram(&pc->machine, &pc->ram, &pc->machine.obj, "pc.ram", err)) {
        return false;
    }
    pc->layout = i440fx_ram_layout(bytes);
    if (pc->max_ram_below_4g && pc->max_ram_below_4g < pc->layout.below) {
        pc->layout = (RamLayout){pc->max_ram_below_4g, bytes - pc->max_ram_below_4g};
    }
    i440fx_add_ram(pc->bridge, pc->host, &pc->ram, pc->layout);
    return true;
}

/* A board that raised SMIs which nobody takes would have its firmware wait for ever. */
static bool smm_possible(Pc *pc, Error **err)
{
    const Accel *a = machine_accel(&pc->machine);

    if (pc->smm != ON || !a || !a->no_smm) {
        return true;
    }
    error_set(err, "smm=on: %s has no system management mode on this host", a->obj.class->name);
    return error_hint(err, "leave it out (auto means off then), or use -accel tcg");
}

static bool add_chipset(Pc *pc, Error **err)
{
    const Accel *a = machine_accel(&pc->machine);
    const PropValue several[] = {{"multifunction", FLAG(true)}, {}};
    bool smm = pc->smm == ON || (pc->smm == AUTO && !(a && a->no_smm));
    const PropValue pm[] = {{"smm", FLAG(smm)}, {}};
    Device *host = add(pc, &I440fxHost_class, "i440fx", NULL, NULL, NULL, err), *f0, *isa;

    if (!host) {
        return false;
    }
    pc->host = CAST(PciHost, host);
    Bus *bus = &pc->host->bus->bus;

    if (!(f0 = add(pc, &I440fx_class, "host-bridge", bus, "0.0", NULL, err)) ||
        !(isa = add(pc, &Piix3_class, "piix3", bus, "1.0", several, err)) ||
        !(pc->pm = add(pc, &Piix4Pm_class, "pm", bus, "1.3", pm, err))) {
        return false;
    }
    pc->machine.smm = smm;
    pc->bridge = (I440fx *)f0;
    piix3_serve_reset((Piix3 *)isa, pc->host);
    for (unsigned irq = 0; irq < ISA_IRQS; irq++) {
        if (!pc_wire(pc, isa, "irq", irq, irq, err)) {
            return false;
        }
    }
    pc->isa = CAST(IsaBus, bus_new(&IsaBus_class, isa, "isa.0"));
    for (unsigned irq = 0; irq < ISA_IRQS; irq++) {
        isa_route(pc->isa, irq, irq < 8 ? pc->pic : pc->pic2, "in", irq % 8);
        isa_route(pc->isa, irq, pc->ioapic, "in", irq ? irq : 2);
    }
    return pc_wire(pc, pc->pm, "sci", 0, IRQ_SCI, err) &&
           irq_wire(pc->pm, "smi", 0, pc->cpus[0], "smi", 0, err);
}

/* ---- the board ---- */

static bool pc_build(Machine *m, Error **err)
{
    Pc *pc = (Pc *)m;

    return smm_possible(pc, err) && add_interrupts(pc, err) && add_cpus(pc, err) &&
           add_chipset(pc, err) && add_ram(pc, err) && pc_add_isa(pc, err) &&
           pc_fill_cmos(pc, err) && pc_load_bios(pc, err) && pc_describe(pc, err);
}

static void pc_finalize(Object *obj)
{
    Pc *pc = (Pc *)obj;

    region_free(&pc->bios_low);
    region_free(&pc->bios);
    region_free(&pc->ram);
}

static const Prop pc_props[] = {
    PROP_AUTO(Pc, smm, "system management mode; auto: where the engine has it"),
    PROP_AUTO(Pc, vmport, "accepted; there is no such port here"),
    PROP_AS(Pc, "max-ram-below-4g", max_ram_below_4g, 0, "RAM below the PCI hole at most",
            .unit = UNIT_BYTES, .max = 0xe0000000),
    PROP_END,
};

static const MachineClass Pc_class = {
    .class = {"pc-i440fx-7.2-machine", "PC with i440FX and PIIX3", &Machine_class, sizeof(Pc),
              pc_props, .finalize = pc_finalize},
    .name = "pc-i440fx-7.2",
    .alias = "pc",
    .about = "Standard PC (i440FX + PIIX, 1996)",
    .build = pc_build,
    .max_cpus = 255,
};
CLASS(Pc);
