/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ACPI tables: ACPI 6.4, section 5.2; HPET table: IA-PC HPET specification 1.0a, section 3.2.4;
 * WAET: Windows ACPI Emulated Devices Table 1.0. All lie in one file; addresses in them are offsets
 * into it, which the firmware turns into addresses by the script beside it. RSDP and RSDT are those
 * of ACPI 1.0, which every guest reads.
 * Not modelled: NUMA tables, CPU and memory hotplug, TPM.
 */
#include "hw/firmware/acpi.h"

#include "hw/firmware/aml.h"
#include "hw/firmware/table_loader.h"

#include <stddef.h>
#include <string.h>

enum { IOAPIC_ADDR = 0xfec00000, LAPIC_ADDR = 0xfee00000, HPET_ADDR = 0xfed00000 };
enum { TABLES_MAX = 16 };

static const char tables_file[] = "etc/acpi/tables", rsdp_file[] = "etc/acpi/rsdp";

typedef struct __attribute__((packed)) Header {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem[6], oem_table[8];
    uint32_t oem_revision;
    char creator[4];
    uint32_t creator_revision;
} Header;

typedef struct __attribute__((packed)) Address { /* generic address structure */
    uint8_t space, bits, bit_offset, access;
    uint64_t address;
} Address;

typedef struct __attribute__((packed)) Fadt { /* revision 3 */
    Header header;
    uint32_t facs, dsdt;
    uint8_t model, profile;
    uint16_t sci;
    uint32_t smi_command;
    uint8_t acpi_enable, acpi_disable, s4bios, pstate;
    uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, timer, gpe0, gpe1;
    uint8_t pm1_event_size, pm1_control_size, pm2_control_size, timer_size, gpe0_size, gpe1_size;
    uint8_t gpe1_base, cst;
    uint16_t c2_latency, c3_latency, flush_size, flush_stride;
    uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
    uint16_t boot_flags;
    uint8_t reserved;
    uint32_t flags;
    Address reset;
    uint8_t reset_value, reserved2[3];
    uint64_t x_facs, x_dsdt;
    Address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control, x_pm2_control, x_timer;
    Address x_gpe0, x_gpe1;
} Fadt;

enum { WBINVD = 1, PROC_C1 = 4, SLEEP_BUTTON = 0x20, RTC_S4 = 0x80, RESET_REGISTER = 0x400 };
enum { LEGACY_DEVICES = 1, HAS_8042 = 2 };

typedef struct __attribute__((packed)) Facs {
    char signature[4];
    uint32_t length, hardware, waking, lock, flags;
    uint64_t x_waking;
    uint8_t version, reserved[31];
} Facs;

typedef struct __attribute__((packed)) Rsdp {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
} Rsdp;

_Static_assert(sizeof(Header) == 36 && sizeof(Fadt) == 244 && sizeof(Facs) == 64, "ACPI layout");

/* Tables while they are put together. */
typedef struct Build {
    GByteArray *blob, *script;
    uint32_t table[TABLES_MAX]; /* offsets of those that the RSDT lists */
    unsigned count;
} Build;

/* Append a table; the header is filled in, the checksum left to the firmware. */
static uint32_t add_table(Build *b, const char *signature, uint8_t revision, const void *body,
                          size_t n)
{
    Header h = {.length = sizeof h + n, .revision = revision, .oem_revision = 1};
    uint32_t at = b->blob->len;

    memcpy(h.signature, signature, 4);
    memcpy(h.oem, "RHEA  ", 6);
    memcpy(h.oem_table, "RHEAPC  ", 8);
    memcpy(h.creator, "RHEA", 4);
    h.creator_revision = 1;
    g_byte_array_append(b->blob, (void *)&h, sizeof h);
    g_byte_array_append(b->blob, body, n);
    loader_checksum(b->script, tables_file, at + offsetof(Header, checksum), at, h.length);
    return at;
}

static void list_table(Build *b, const char *signature, uint8_t revision, const GByteArray *body)
{
    b->table[b->count++] = add_table(b, signature, revision, body->data, body->len);
}

static void pointer(Build *b, uint32_t at, uint64_t to, uint8_t size)
{
    memcpy(b->blob->data + at, &to, size);
    loader_pointer(b->script, tables_file, at, size, tables_file);
}

/* ---- tables ---- */

static uint32_t add_facs(Build *b)
{
    Facs facs = {.signature = "FACS", .length = sizeof facs, .version = 1};
    uint32_t at = b->blob->len;

    g_byte_array_append(b->blob, (void *)&facs, sizeof facs);
    return at;
}

/* The one that iasl made keeps its header, checksum included. */
static uint32_t add_dsdt(Build *b, const AcpiConfig *c)
{
    uint32_t at = b->blob->len;

    g_byte_array_append(b->blob, c->dsdt, c->dsdt_size);
    return at;
}

static Address port(uint16_t address, uint8_t bits)
{
    return (Address){.space = 1, .bits = bits, .address = address};
}

static void fill_fadt(Fadt *f, const AcpiConfig *c)
{
    f->model = 1;
    f->sci = c->sci;
    f->smi_command = c->smi_port;
    f->acpi_enable = c->acpi_on;
    f->acpi_disable = c->acpi_off;
    f->pm1a_event = c->pm_base;
    f->pm1a_control = c->pm_base + 4;
    f->timer = c->pm_base + 8;
    f->gpe0 = c->gpe0;
    f->pm1_event_size = f->timer_size = f->gpe0_size = 4;
    f->pm1_control_size = 2;
    f->c2_latency = f->c3_latency = 0xfff; /* neither C2 nor C3 */
    f->century = 0x32;
    f->boot_flags = LEGACY_DEVICES | HAS_8042;
    f->flags = WBINVD | PROC_C1 | SLEEP_BUTTON | RTC_S4 | RESET_REGISTER;
    f->reset = port(0xcf9, 8);
    f->reset_value = 0x0f;
    f->x_pm1a_event = port(f->pm1a_event, 32);
    f->x_pm1a_control = port(f->pm1a_control, 16);
    f->x_timer = port(f->timer, 32);
    f->x_gpe0 = port(f->gpe0, 32);
}

static void add_fadt(Build *b, const AcpiConfig *c, uint32_t facs, uint32_t dsdt)
{
    Fadt f = {0};

    fill_fadt(&f, c);
    uint32_t at =
        add_table(b, "FACP", 3, (uint8_t *)&f + sizeof(Header), sizeof f - sizeof(Header));

    b->table[b->count++] = at;
    pointer(b, at + offsetof(Fadt, facs), facs, 4);
    pointer(b, at + offsetof(Fadt, dsdt), dsdt, 4);
    pointer(b, at + offsetof(Fadt, x_dsdt), dsdt, 8);
}

static void put(GByteArray *out, uint64_t value, unsigned size)
{
    g_byte_array_append(out, (uint8_t *)&value, size);
}

/* Interrupt source overrides: ISA IRQ 0 is input 2; the SCI and the PCI interrupts are levels. */
static void put_overrides(GByteArray *t)
{
    static const struct {
        uint8_t irq, input, flags;
    } overrides[] = {{0, 2, 0}, {5, 5, 0xd}, {9, 9, 0xd}, {10, 10, 0xd}, {11, 11, 0xd}};

    for (size_t i = 0; i < G_N_ELEMENTS(overrides); i++) {
        put(t, 2 | 10 << 8, 2);
        put(t, (uint32_t)overrides[i].irq << 8, 2);
        put(t, overrides[i].input, 4);
        put(t, overrides[i].flags, 2);
    }
}

static void add_madt(Build *b, const AcpiConfig *c)
{
    g_autoptr(GByteArray) t = g_byte_array_new();

    put(t, LAPIC_ADDR, 4);
    put(t, 1, 4); /* there are 8259s too */
    for (unsigned i = 0; i < c->cpus; i++) {
        if (c->apic_ids[i] < 255) { /* local APIC */
            put(t, 0 | 8 << 8 | i << 16 | (uint64_t)c->apic_ids[i] << 24, 4);
            put(t, 1, 4);
        } else { /* local x2APIC */
            put(t, 9 | 16 << 8, 4);
            put(t, c->apic_ids[i], 4);
            put(t, 1, 4);
            put(t, i, 4);
        }
    }
    put(t, 1 | 12 << 8, 4); /* IOAPIC 0 with interrupts from 0 on */
    put(t, IOAPIC_ADDR, 4);
    put(t, 0, 4);
    put_overrides(t);
    put(t, 4 | 6 << 8 | 0xff << 16, 3); /* LINT1 of all is the NMI */
    put(t, 0, 2);
    put(t, 1, 1);
    list_table(b, "APIC", 3, t);
}

static void add_hpet(Build *b)
{
    g_autoptr(GByteArray) t = g_byte_array_new();
    Address at = {.bits = 64, .address = HPET_ADDR};

    put(t, 0x8086a201, 4);
    g_byte_array_append(t, (void *)&at, sizeof at);
    put(t, 0, 1);
    put(t, 100, 2); /* minimum tick in periodic mode */
    put(t, 0, 1);
    list_table(b, "HPET", 1, t);
}

/* The RTC needs no acknowledging read, the PM timer is read right at once. */
static void add_waet(Build *b)
{
    g_autoptr(GByteArray) t = g_byte_array_new();

    put(t, 2, 4);
    list_table(b, "WAET", 1, t);
}

/* A QWORD memory descriptor (section 6.4.3.5.1) made here, since integers of ACPI 1.0 have 32 bits;
 * an end tag follows. */
static void add_high_hole(GByteArray *out, const AcpiConfig *c)
{
    enum { QWORD_SPACE = 0x8a, LENGTH = 43, FIXED = 0x0c, CACHEABLE_WRITABLE = 3, END_TAG = 0x79 };
    g_autoptr(GByteArray) d = g_byte_array_new();

    put(d, QWORD_SPACE | LENGTH << 8, 3);
    put(d, FIXED << 8 | CACHEABLE_WRITABLE << 16, 3);
    put(d, 0, 8);
    put(d, c->high, 8);
    put(d, c->high_end, 8);
    put(d, 0, 8);
    put(d, c->high_end - c->high + 1, 8);
    put(d, END_TAG, 2);
    aml_name_buffer(out, "\\P1R", d->data, d->len);
}

static void add_ssdt(Build *b, const AcpiConfig *c)
{
    g_autoptr(GByteArray) t = g_byte_array_new(), cpus = g_byte_array_new();

    aml_name_number(t, "\\P0S", c->hole);
    aml_name_number(t, "\\P0E", c->hole_end);
    add_high_hole(t, c);
    aml_name_number(t, "\\COMS", c->serial_ports);
    aml_name_number(t, "\\HPEE", c->hpet);
    if (c->s3) {
        aml_name_package(t, "\\_S3", (uint8_t[]){1, 1, 0, 0}, 4);
    }
    if (c->s4) {
        aml_name_package(t, "\\_S4", (uint8_t[]){c->s4_type, c->s4_type, 0, 0}, 4);
    }
    for (unsigned i = 0; i < c->cpus && i < 255; i++) {
        g_autofree char *name = g_strdup_printf("C%03X", i);

        aml_processor(cpus, name, i);
    }
    aml_scope(t, "\\_SB", cpus);
    list_table(b, "SSDT", 1, t);
}

static uint32_t add_rsdt(Build *b)
{
    uint32_t at = add_table(b, "RSDT", 1, b->table, 4 * b->count);

    for (unsigned i = 0; i < b->count; i++) {
        pointer(b, at + sizeof(Header) + 4 * i, b->table[i], 4);
    }
    return at;
}

/* ---- all of it ---- */

static bool publish_rsdp(FwCfg *f, Build *b, uint32_t rsdt, Error **err)
{
    Rsdp r = {.rsdt = rsdt};

    memcpy(r.signature, "RSD PTR ", 8);
    memcpy(r.oem, "RHEA  ", 6);
    loader_pointer(b->script, rsdp_file, offsetof(Rsdp, rsdt), 4, tables_file);
    loader_checksum(b->script, rsdp_file, offsetof(Rsdp, checksum), 0, sizeof r);
    return fw_cfg_file(f, rsdp_file, &r, sizeof r, err);
}

/* Checksums cover pointers, so firmware must allocate, then point, then sum. */
static GByteArray *in_order(const GByteArray *script)
{
    enum { COMMAND = 128 };
    GByteArray *out = g_byte_array_new();

    for (uint32_t kind = 1; kind <= 3; kind++) {
        for (guint at = 0; at < script->len; at += COMMAND) {
            uint32_t this;

            memcpy(&this, script->data + at, 4);
            if (this == kind) {
                g_byte_array_append(out, script->data + at, COMMAND);
            }
        }
    }
    return out;
}

bool acpi_publish(FwCfg *f, const AcpiConfig *c, Error **err)
{
    g_autoptr(GByteArray) blob = g_byte_array_new(), script = g_byte_array_new();
    Build b = {.blob = blob, .script = script};

    loader_allocate(script, rsdp_file, 16, LOAD_FSEG);
    loader_allocate(script, tables_file, 64, LOAD_HIGH);
    uint32_t facs = add_facs(&b), dsdt = add_dsdt(&b, c);

    add_fadt(&b, c, facs, dsdt);
    add_ssdt(&b, c);
    add_madt(&b, c);
    if (c->hpet) {
        add_hpet(&b);
    }
    add_waet(&b);
    if (!publish_rsdp(f, &b, add_rsdt(&b), err)) {
        return false;
    }
    g_autoptr(GByteArray) sorted = in_order(script);

    return fw_cfg_file(f, tables_file, blob->data, blob->len, err) &&
           fw_cfg_file(f, "etc/table-loader", sorted->data, sorted->len, err);
}
