/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intel 82441FX PMC (i440FX data sheet, order number 290549): PCI function 8086:1237 with shadow
 * RAM (PAM, section 3.2.18) and SMRAM (section 3.2.20). The configuration ports are pci_host.c's.
 * Not modelled: DRAM detection (row boundaries are storage), error reporting, ECC, the TSEG of
 * later chips, D_CLS.
 */
#include "hw/chipset/i440fx.h"

#include <string.h>

enum { PAM = 0x59, PAM_AREAS = 13, SMRAM = 0x72, SMRAM_RESET = 0x02 };
enum { D_OPEN = 0x40, D_LOCK = 0x10, G_ENABLE = 0x08 };
enum { PAM_READ = 1, PAM_WRITE = 2 };
enum { VGA = 0xa0000, VGA_SIZE = 0x20000, AREA0 = 0xf0000, AREA0_SIZE = 0x10000 };
enum { AREAS = 0xc0000, AREA_SIZE = 0x4000 };

struct I440fx {
    PciDevice pci;
    Region *ram; /* NULL: a bridge without memory, in tests */
    Region below, above;
    Region vga;   /* the PCI bus shows in front of RAM: the frame buffer of a VGA */
    Region smram; /* the RAM behind it, which SMM sees                            */
    Region shadow[PAM_AREAS], bypass[PAM_AREAS], store[PAM_AREAS];
    AddressSpace pci_space;
};

struct I440fxHost {
    PciHost host;
};

RamLayout i440fx_ram_layout(uint64_t bytes)
{
    uint64_t hole = bytes < 0xe0000000u ? 0xe0000000u : 0xc0000000u;

    return (RamLayout){MIN(bytes, hole), bytes - MIN(bytes, hole)};
}

/* ---- shadow RAM ---- */

/* Area 0 is the upper half of the first register; the others are pairs of 16 KB. */
static unsigned pam_get(const I440fx *f, unsigned area)
{
    unsigned byte = f->pci.config[PAM + (area + 1) / 2];

    return (area & 1 ? byte : byte >> 4) & 3;
}

static uint32_t pam_address(unsigned area)
{
    return area ? AREAS + (area - 1) * AREA_SIZE : AREA0;
}

static void settle_pam(I440fx *f)
{
    for (unsigned n = 0; n < PAM_AREAS; n++) {
        unsigned mode = pam_get(f, n);

        region_set(&f->shadow[n], mode & PAM_READ, !(mode & PAM_WRITE));
        region_set(&f->bypass[n], !mode, false);
        region_set(&f->store[n], mode == PAM_WRITE, false);
    }
}

static unsigned area_of(const I440fx *f, const Region *r)
{
    return r - f->store;
}

/* Write-only shadow RAM, as a BIOS has it while it copies itself: reads go on to the bus. */
static MemResult store_read(I440fx *f, Io *io)
{
    uint64_t at = pam_address(area_of(f, io->region)) + io->offset;

    io->value = 0;
    return mem_read(&f->pci_space, io->by, at, &io->value, io->size);
}

static MemResult store_write(I440fx *f, Io *io)
{
    uint64_t at = pam_address(area_of(f, io->region)) + io->offset;

    memcpy(f->ram->ram->host + at, &io->value, io->size);
    ram_written(f->ram->ram, at, io->size);
    return MEM_OK;
}

static const MemOps store_ops = {
    .read = METHOD(I440fx, store_read),
    .write = METHOD(I440fx, store_write),
    .accepts = {1, 8, true},
};

static void add_area(I440fx *f, PciHost *host, unsigned n)
{
    Region *memory = machine_memory(f->pci.dev.machine);
    Object *owner = &f->pci.dev.obj;
    uint32_t at = pam_address(n), size = n ? AREA_SIZE : AREA0_SIZE;

    region_init_alias(&f->shadow[n], owner, "pam-ram", f->ram, at, size);
    region_init_alias(&f->bypass[n], owner, "pam-pci", &host->memory, at, size);
    region_init_io(&f->store[n], owner, "pam-store", size, &store_ops);
    region_map(memory, at, &f->shadow[n], 1);
    region_map(memory, at, &f->bypass[n], 1);
    region_map(memory, at, &f->store[n], 1);
}

/* ---- memory ---- */

void i440fx_add_ram(I440fx *f, PciHost *host, Region *ram, RamLayout layout)
{
    Machine *m = f->pci.dev.machine;
    Object *owner = &f->pci.dev.obj;

    memory_begin(machine_maps(m));
    f->ram = ram;
    region_init_alias(&f->below, owner, "ram-below-4g", ram, 0, layout.below);
    region_map(machine_memory(m), 0, &f->below, 0);
    if (layout.above) {
        region_init_alias(&f->above, owner, "ram-above-4g", ram, layout.below, layout.above);
        region_map(machine_memory(m), 1ull << 32, &f->above, 0);
    }
    region_init_alias(&f->vga, owner, "vga-window", &host->memory, VGA, VGA_SIZE);
    region_map(machine_memory(m), VGA, &f->vga, 1);
    region_init_alias(&f->smram, owner, "smram", ram, VGA, VGA_SIZE);
    region_map(machine_smram(m), VGA, &f->smram, 0);
    for (unsigned n = 0; n < PAM_AREAS; n++) {
        add_area(f, host, n);
    }
    space_init(&f->pci_space, machine_maps(m), &host->memory);
    if (object_enter(owner)) {
        object_leave(owner); /* settles */
    }
    memory_commit(machine_maps(m));
}

static void i440fx_unrealize(Object *obj)
{
    I440fx *f = CAST(I440fx, obj);

    if (f->ram) {
        space_free(&f->pci_space);
    }
}

/* ---- the function ---- */

static bool i440fx_realize(I440fx *f, Error **err)
{
    pci_put(&f->pci, PCI_STATUS, 0x0280, 2);
    memset(f->pci.writable + PAM, 0x33, 7);
    f->pci.writable[PAM] = 0x30;
    f->pci.writable[SMRAM] = 0x7f & ~7;
    memset(f->pci.writable + 0x60, 0xff, 8); /* DRAM row boundaries: storage */
    f->pci.writable[0x57] = 0xff;            /* DRAM control: storage        */
    return true;
}

static void i440fx_reset(I440fx *f, ResetKind kind)
{
    f->pci.config[SMRAM] = SMRAM_RESET;
    f->pci.writable[SMRAM] = 0x78;
}

/* Locked SMRAM stays as it is, closed, until reset. */
static void lock_smram(I440fx *f)
{
    if (f->pci.config[SMRAM] & D_LOCK) {
        f->pci.config[SMRAM] &= ~D_OPEN;
        f->pci.writable[SMRAM] = 0;
    }
}

static void config_written(Object *obj, unsigned offset, unsigned size)
{
    lock_smram(CAST(I440fx, obj));
}

static bool i440fx_loaded(I440fx *f, Error **err)
{
    if ((f->pci.config[SMRAM] & (D_LOCK | D_OPEN)) == (D_LOCK | D_OPEN)) {
        return error_set(err, "SMRAM is locked and open");
    }
    f->pci.writable[SMRAM] = 0x78;
    lock_smram(f);
    return true;
}

static void i440fx_settle(I440fx *f)
{
    uint8_t smram = f->pci.config[SMRAM];

    if (!f->ram) {
        return;
    }
    memory_begin(machine_maps(f->pci.dev.machine));
    settle_pam(f);
    region_set(&f->vga, !(smram & D_OPEN && smram & G_ENABLE), false);
    region_set(&f->smram, smram & G_ENABLE, false);
    memory_commit(machine_maps(f->pci.dev.machine));
}

static const StateField i440fx_state[] = {
    STATE_SKIP(I440fx, ram, "config"),       STATE_SKIP(I440fx, below, "config"),
    STATE_SKIP(I440fx, above, "config"),     STATE_SKIP(I440fx, vga, "derived"),
    STATE_SKIP(I440fx, smram, "derived"),    STATE_SKIP(I440fx, shadow, "derived"),
    STATE_SKIP(I440fx, bypass, "derived"),   STATE_SKIP(I440fx, store, "derived"),
    STATE_SKIP(I440fx, pci_space, "config"), STATE_END,
};

const PciDeviceClass I440fx_class = {
    .device =
        {
            .class = {"i440FX", "host bridge of the PC", &PciDevice_class.device.class,
                      sizeof(I440fx)},
            .onboard = true,
            .state = i440fx_state,
            .realize = METHOD(I440fx, i440fx_realize),
            .unrealize = i440fx_unrealize,
            .reset = METHOD(I440fx, i440fx_reset),
            .loaded = METHOD(I440fx, i440fx_loaded),
            .settle = METHOD(I440fx, i440fx_settle),
        },
    .vendor = 0x8086,
    .id = 0x1237,
    .class_code = 0x060000,
    .revision = 2,
    .fixed = true,
    .wake_keeps = {PAM, 7}, /* SeaBIOS finds in shadow RAM that it has run before, and resumes */
    .config_written = config_written,
};
CLASS(I440fx);

const DeviceClass I440fxHost_class = {
    .class = {"i440FX-pcihost", "PCI root of the PC", &PciHost_class.class, sizeof(I440fxHost)},
    .onboard = true,
};
CLASS(I440fxHost);
