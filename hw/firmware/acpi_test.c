/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/firmware/acpi.h"
#include "hw/firmware/aml.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

#include <string.h>

enum { BASE = 0x10000, RSDP = 0x9000, COMMAND = 128 };

/* A firmware: carries the script out, tables at BASE, the RSDP at RSDP. */
typedef struct Loaded {
    uint8_t *tables, *rsdp;
} Loaded;

static uint8_t *file_at(Loaded *l, const char *name)
{
    return !strcmp(name, "etc/acpi/rsdp") ? l->rsdp : l->tables;
}

static uint32_t word(const uint8_t *at)
{
    uint32_t v;

    memcpy(&v, at, 4);
    return v;
}

static void carry_out(Loaded *l, const uint8_t *c)
{
    uint8_t *file = file_at(l, (const char *)c + 4), sum = 0;

    if (word(c) == 2) {
        uint8_t *at = file + word(c + 4 + 112);
        uint64_t v = 0;

        memcpy(&v, at, c[4 + 116]);
        v += !strcmp((const char *)c + 4 + 56, "etc/acpi/rsdp") ? RSDP : BASE;
        memcpy(at, &v, c[4 + 116]);
    } else if (word(c) == 3) {
        for (uint32_t i = 0; i < word(c + 68); i++) {
            sum += file[word(c + 64) + i];
        }
        file[word(c + 60)] -= sum;
    }
}

static Loaded load(unsigned cpus, bool hpet)
{
    static const uint32_t ids[] = {0, 1, 2, 3};
    static const uint8_t dsdt[40] = "DSDT\x28";
    AcpiConfig c = {.dsdt = dsdt,
                    .dsdt_size = 40,
                    .apic_ids = ids,
                    .cpus = cpus,
                    .hpet = hpet,
                    .pm_base = 0x600,
                    .sci = 9};
    Board *b = board_new();
    FwCfg *f =
        (FwCfg *)device_add(board_machine(b), &FwCfg_class, "fw_cfg", NULL, NULL, NULL, NULL);
    Loaded l;
    gsize n;

    check(acpi_publish(f, &c, NULL), true);
    GBytes *tables = fw_cfg_find(f, "etc/acpi/tables"), *rsdp = fw_cfg_find(f, "etc/acpi/rsdp");

    check(g_bytes_get_size(rsdp), 20);
    l.tables = g_memdup2(g_bytes_get_data(tables, NULL), g_bytes_get_size(tables));
    l.rsdp = g_memdup2(g_bytes_get_data(rsdp, NULL), g_bytes_get_size(rsdp));
    const uint8_t *script = g_bytes_get_data(fw_cfg_find(f, "etc/table-loader"), &n);
    for (gsize at = 0; at < n; at += COMMAND) {
        carry_out(&l, script + at);
    }
    return l;
}

static void unload(Loaded l)
{
    g_free(l.tables);
    g_free(l.rsdp);
}

static const uint8_t *table(Loaded l, const char *signature)
{
    const uint8_t *rsdt = l.tables + word(l.rsdp + 16) - BASE;

    for (uint32_t at = 36; at < word(rsdt + 4); at += 4) {
        const uint8_t *t = l.tables + word(rsdt + at) - BASE;

        if (!memcmp(t, signature, 4)) {
            return t;
        }
    }
    return NULL;
}

static unsigned sum(const uint8_t *at, size_t n)
{
    uint8_t s = 0;

    while (n--) {
        s += *at++;
    }
    return s;
}

TEST("acpi: from the RSDP every table is found, and its bytes sum to zero")
{
    static const char *const names[] = {"FACP", "SSDT", "APIC", "HPET", "WAET"};
    Loaded l = load(2, true);

    check(sum(l.rsdp, 20), 0);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        const uint8_t *t = table(l, names[i]);

        check(t && !sum(t, word(t + 4)), true);
    }
    unload(l);
}

TEST("acpi: the FADT points to DSDT and FACS and tells where power management is")
{
    Loaded l = load(1, false);
    const uint8_t *fadt = table(l, "FACP");

    check(word(fadt + 4), 244);
    check(memcmp(l.tables + word(fadt + 36) - BASE, "FACS", 4), 0);
    check(word(fadt + 36) % 64, 0);
    check(memcmp(l.tables + word(fadt + 40) - BASE, "DSDT", 4), 0);
    check(word(fadt + 140), word(fadt + 40)); /* X_DSDT */
    check(word(fadt + 56), 0x600);
    check(table(l, "HPET") == NULL, true);
    unload(l);
}

TEST("acpi: the MADT has a local APIC for each CPU, an IOAPIC, and IRQ 0 on input 2")
{
    Loaded l = load(3, false);
    const uint8_t *madt = table(l, "APIC");
    unsigned kinds[16] = {0};

    for (uint32_t at = 44; at < word(madt + 4); at += madt[at + 1]) {
        kinds[madt[at] & 15]++;
        if (madt[at] == 2 && madt[at + 3] == 0) {
            check(word(madt + at + 4), 2);
        }
    }
    check(kinds[0], 3);
    check(kinds[1], 1);
    check(kinds[2], 5);
    check(kinds[4], 1);
    unload(l);
}

TEST("aml: names, packages and lengths of one and of two bytes")
{
    g_autoptr(GByteArray) out = g_byte_array_new(), inside = g_byte_array_new();

    aml_name_number(out, "\\P0S", 0x80000000);
    check(memcmp(out->data, "\x08\\P0S_\x0c\0\0\0\x80", 11), 0);
    g_byte_array_set_size(out, 0);
    aml_name_package(out, "_S3", (uint8_t[]){1, 1}, 2);
    check(memcmp(out->data, "\x08_S3_\x12\x06\x02\x0a\x01\x0a\x01", 12), 0);
    for (int i = 0; i < 12; i++) {
        aml_processor(inside, "C000", i);
    }
    g_byte_array_set_size(out, 0);
    aml_scope(out, "_SB", inside);
    check(out->data[1] >> 6, 1);
    check((out->data[1] & 15) | out->data[2] << 4, out->len - 1);
}
