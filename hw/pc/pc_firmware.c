/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What firmware finds on the PC: its own image in ROM, and answers in fw_cfg and CMOS. The files
 * and CMOS bytes are those that SeaBIOS reads (its src/fw/paravirt.c, src/hw/rtc.h).
 */
#include "hw/firmware/acpi.h"
#include "hw/firmware/boot.h"
#include "hw/firmware/pc_dsdt.h"
#include "hw/firmware/smbios.h"
#include "hw/pc/pc.h"

#include <string.h>

enum { KB = 1024, MB = 1024 * KB, BIOS_STEP = 64 * KB, BIOS_MAX = 16 * MB, LOW_SIZE = 128 * KB };

static const uint64_t four_gb = 1ull << 32;

/* ---- the image ---- */

static char *find_bios(Machine *m, Error **err)
{
    const char *name = m->config.bios ?: "bios-256k.bin";
    char *path = machine_find_file(m, name);

    if (!path && strchr(name, '/')) {
        error_set(err, "there is no firmware file %s", name);
    } else if (!path) {
        g_autofree char *dirs = g_strjoinv(", ", m->config.data_dirs);

        error_set(err, "firmware %s is in none of %s", name, dirs);
        error_hint(err, "SeaBIOS is Debian's package seabios; -L DIR names another place");
    }
    return path;
}

bool pc_load_bios(Pc *pc, Error **err)
{
    Machine *m = &pc->machine;
    g_autofree char *path = find_bios(m, err), *data = NULL;
    g_autoptr(GError) why = NULL;
    gsize n;

    if (!path) {
        return false;
    }
    if (!g_file_get_contents(path, &data, &n, &why)) {
        return error_set(err, "firmware %s: %s", path, why->message);
    }
    if (!n || n % BIOS_STEP || n > BIOS_MAX) {
        return error_set(err, "firmware %s has %zu bytes, not a multiple of 64 KB up to 16 MB",
                         path, (size_t)n);
    }
    if (!region_init_rom(&pc->bios, &m->obj, "pc.bios", n, data, n, err)) {
        return false;
    }
    uint64_t low = MIN(n, LOW_SIZE);

    region_init_alias(&pc->bios_low, &m->obj, "isa-bios", &pc->bios, n - low, low);
    region_map(&pc->host->memory, four_gb - n, &pc->bios, 0);
    region_map(&pc->host->memory, MB - low, &pc->bios_low, 1);
    return true;
}

/* ---- fw_cfg ---- */

typedef struct __attribute__((packed)) E820 {
    uint64_t addr, size;
    uint32_t type;
} E820;

static bool describe_memory(Pc *pc, Error **err)
{
    E820 e[2] = {{0, pc->layout.below, 1}, {four_gb, pc->layout.above, 1}};

    fw_cfg_number(pc->fw_cfg, FW_CFG_RAM_SIZE, pc->machine.config.ram_bytes, 8);
    return fw_cfg_file(pc->fw_cfg, "etc/e820", e, sizeof *e * (pc->layout.above ? 2 : 1), err);
}

static bool file_number(FwCfg *f, const char *name, uint64_t value, unsigned size, Error **err)
{
    return fw_cfg_file(f, name, &value, size, err);
}

static bool describe_boot(Pc *pc, Error **err)
{
    const BootConfig *boot = &pc->machine.config.boot;
    FwCfg *f = pc->fw_cfg;

    fw_cfg_number(f, FW_CFG_BOOT_MENU, boot->menu == ON, 2);
    fw_cfg_number(f, FW_CFG_NOGRAPHIC, pc->machine.config.nographic, 2);
    return (boot->splash_ms < 0 ||
            file_number(f, "etc/boot-menu-wait", MIN(boot->splash_ms, 0xffff), 2, err)) &&
           file_number(f, "etc/boot-fail-wait", boot->reboot_timeout_ms, 4, err) &&
           (!pc->machine.config.nographic || file_number(f, "etc/sercon-port", 0x3f8, 2, err));
}

static bool flag(Device *dev, const char *name)
{
    Value v = {0};

    return prop_get(&dev->obj, name, &v, NULL) && v.flag;
}

/* Bytes 3 and 4 are the sleep types of S3 and S4, with bit 7 where the machine offers them. */
static bool describe_sleep(Pc *pc, Error **err)
{
    uint8_t states[6] = {128, 0, 0, 129, 128 | 2, 128};

    states[3] = flag(pc->pm, "disable_s3") ? 0 : states[3];
    states[4] = flag(pc->pm, "disable_s4") ? 0 : states[4];
    return fw_cfg_file(pc->fw_cfg, "etc/system-states", states, sizeof states, err);
}

static void describe_cpus(Pc *pc)
{
    const MachineConfig *c = &pc->machine.config;

    fw_cfg_number(pc->fw_cfg, FW_CFG_CPUS, c->smp.cpus, 2);
    fw_cfg_number(pc->fw_cfg, FW_CFG_MAX_CPUS, pc_apic_id(&c->smp, c->smp.maxcpus - 1) + 1, 2);
    fw_cfg_number(pc->fw_cfg, FW_CFG_IRQ0_OVERRIDE, 1, 4);
    fw_cfg_item(pc->fw_cfg, FW_CFG_UUID, c->uuid, sizeof c->uuid);
}

/* ---- ACPI ---- */

enum { HOLE_START = 0xe0000000, HOLE_END = 0xfebfffff, HIGH_ALIGN = 1 << 30 };

/* SeaBIOS places BARs from 2, 3 or 3.5 GB on, wherever RAM leaves room. */
static uint64_t hole_start(const Pc *pc)
{
    uint64_t ram = pc->layout.below;

    return ram <= 0x80000000u ? 0x80000000u : ram <= 0xc0000000u ? 0xc0000000u : HOLE_START;
}

/* Serial ports may be the user's devices as well as the board's: look where they are. */
static void find_serial(Object *at, uint8_t *ports)
{
    static const uint16_t bases[] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
    Value v = {0};

    for (unsigned n = 0; n < 4 && !strcmp(at->class->name, "isa-serial"); n++) {
        *ports |= prop_get(at, "iobase", &v, NULL) && v.number == bases[n] ? 1 << n : 0;
    }
    for (Object *c = at->children; c; c = c->next) {
        find_serial(c, ports);
    }
}

static void publish_acpi(Machine *m)
{
    Pc *pc = (Pc *)m;
    const MachineConfig *c = &pc->machine.config;
    g_autofree uint32_t *ids = g_new(uint32_t, c->smp.cpus);
    uint64_t high = (four_gb + pc->layout.above + HIGH_ALIGN - 1) & ~(uint64_t)(HIGH_ALIGN - 1);
    AcpiConfig acpi = {
        .dsdt = pc_dsdt,
        .dsdt_size = sizeof pc_dsdt,
        .apic_ids = ids,
        .cpus = c->smp.cpus,
        .hole = hole_start(pc),
        .hole_end = HOLE_END,
        .high = high,
        .high_end = high + (32ull << 30) - 1,
        .hpet = c->hpet != OFF,
        .s3 = !flag(pc->pm, "disable_s3"),
        .s4 = !flag(pc->pm, "disable_s4"),
        .s4_type = 2,
        .pm_base = 0x600,
        .gpe0 = 0xafe0,
        .sci = 9,
        .smi_port = 0xb2,
        .acpi_on = 0xf1,
        .acpi_off = 0xf0,
    };

    for (unsigned n = 0; n < c->smp.cpus; n++) {
        ids[n] = pc_apic_id(&c->smp, n);
    }
    find_serial(&m->obj, &acpi.serial_ports);
    acpi_publish(pc->fw_cfg, &acpi, NULL); /* its names are short and few */
}

/* ---- ROMs ---- */

/* -option-rom FILE: the BIOS runs it; it may hook interrupts or offer to boot. */
static bool add_option_rom(Pc *pc, const char *name, Error **err)
{
    g_autofree char *path = machine_find_file(&pc->machine, name), *data = NULL;
    g_autofree char *base = g_path_get_basename(name);
    g_autoptr(GError) why = NULL;
    gsize n;

    if (!path) {
        return error_set(err, "there is no option ROM %s", name);
    }
    if (!g_file_get_contents(path, &data, &n, &why)) {
        return error_set(err, "option ROM %s: %s", path, why->message);
    }
    return boot_add_rom(pc->fw_cfg, base, (uint8_t *)data, n, -1, err);
}

static bool describe_roms(Pc *pc, Error **err)
{
    char **rom = pc->machine.config.option_roms;

    for (; rom && *rom; rom++) {
        if (!add_option_rom(pc, *rom, err)) {
            return false;
        }
    }
    return boot_kernel(&pc->machine, pc->fw_cfg, (BootMemory){pc->layout.below}, err);
}

bool pc_describe(Pc *pc, Error **err)
{
    Device *dev = device_add(&pc->machine, &FwCfg_class, "fw_cfg", NULL, NULL, NULL, err);

    if (!dev) {
        return false;
    }
    SmbiosMemory memory = {pc->layout.below, pc->layout.above};

    pc->fw_cfg = (FwCfg *)dev;
    describe_cpus(pc);
    if (pc->machine.config.acpi != OFF) {
        fw_cfg_before_directory(pc->fw_cfg, publish_acpi);
    }
    return describe_memory(pc, err) && describe_boot(pc, err) && describe_sleep(pc, err) &&
           smbios_publish(&pc->machine, pc->fw_cfg, memory, err) && describe_roms(pc, err);
}
