/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMBIOS tables of version 2.8 (DMTF DSP0134) in fw_cfg files, from where the firmware copies them
 * below 1 MB. Type 0 comes from the firmware itself unless -smbios type=0 says otherwise.
 * Not modelled: slots, ports and caches; processor IDs (software asks CPUID).
 */
#include "hw/firmware/smbios.h"

#include "hw/firmware/smbios_options.h"

#include <string.h>

enum { GB_SHIFT = 30, DEVICE_BYTES_SHIFT = 34 /* 16 GB each */, STRINGS_MAX = 255 };
enum {
    HANDLE_BIOS = 0x000,
    HANDLE_SYSTEM = 0x100,
    HANDLE_BOARD = 0x200,
    HANDLE_CHASSIS = 0x300,
    HANDLE_CPU = 0x400,
    HANDLE_OEM = 0xe00,
    HANDLE_ARRAY = 0x1000,
    HANDLE_DEVICE = 0x1100,
    HANDLE_MAPPED = 0x1300,
    HANDLE_BOOT = 0x2000,
    HANDLE_END = 0x7f00,
};

/* Tables so far, and the structure being written: its strings come behind its fields. */
typedef struct Tables {
    GByteArray *out;
    SmbiosOptions options;
    unsigned type, count, largest;
    guint start;
    GPtrArray *strings;
} Tables;

static void put(Tables *t, uint64_t value, unsigned size)
{
    g_byte_array_append(t->out, (uint8_t *)&value, size);
}

static void begin(Tables *t, unsigned type, uint16_t handle)
{
    t->type = type;
    t->start = t->out->len;
    t->strings = g_ptr_array_new();
    put(t, type, 2); /* the length follows in end() */
    put(t, handle, 2);
}

/* A text field is the number of its string; empty texts have none. */
static void put_text(Tables *t, const char *text)
{
    if (text && *text && t->strings->len < STRINGS_MAX) {
        g_ptr_array_add(t->strings, (char *)text);
        put(t, t->strings->len, 1);
    } else {
        put(t, 0, 1);
    }
}

static void put_option(Tables *t, const char *key, const char *dflt)
{
    put_text(t, smbios_text(&t->options, t->type, key, dflt));
}

static uint16_t number_option(Tables *t, const char *key, const char *dflt)
{
    return g_ascii_strtoull(smbios_text(&t->options, t->type, key, dflt), NULL, 10);
}

static void end(Tables *t)
{
    t->out->data[t->start + 1] = t->out->len - t->start;
    for (guint i = 0; i < t->strings->len; i++) {
        const char *text = t->strings->pdata[i];

        g_byte_array_append(t->out, (const uint8_t *)text, strlen(text) + 1);
    }
    put(t, 0, t->strings->len ? 1 : 2);
    g_ptr_array_unref(t->strings);
    t->count++;
    t->largest = MAX(t->largest, t->out->len - t->start);
}

/* ---- structures ---- */

static void add_bios(Tables *t)
{
    if (!smbios_has(&t->options, 0)) {
        return;
    }
    const char *release = smbios_text(&t->options, 0, "release", "0.0");
    bool uefi = !strcmp(smbios_text(&t->options, 0, "uefi", "off"), "on");

    begin(t, 0, HANDLE_BIOS);
    put_option(t, "vendor", NULL);
    put_option(t, "version", NULL);
    put(t, 0xe800, 2);
    put_option(t, "date", NULL);
    put(t, 0, 1);
    put(t, 8, 8); /* characteristics: none told */
    put(t, 0, 1);
    put(t, 0x04 | 0x10 | (uefi ? 0x08 : 0), 1); /* targeted content, virtual machine */
    put(t, g_ascii_strtoull(release, NULL, 10), 1);
    put(t, g_ascii_strtoull(strchr(release, '.') + 1, NULL, 10), 1);
    put(t, 0xffff, 2);
    end(t);
}

/* Text order to what the table has: the first three fields are little-endian. */
static void put_uuid(Tables *t, const uint8_t uuid[16])
{
    static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

    for (int i = 0; i < 16; i++) {
        put(t, uuid[order[i]], 1);
    }
}

static void parse_uuid(const char *text, uint8_t uuid[16])
{
    for (int i = 0; i < 16; text++) {
        if (*text != '-') {
            uuid[i++] = g_ascii_xdigit_value(text[0]) << 4 | g_ascii_xdigit_value(text[1]);
            text++;
        }
    }
}

static void add_system(Tables *t, Machine *m)
{
    const char *text = smbios_text(&t->options, 1, "uuid", NULL);
    const MachineClass *class = machine_class_of(m);
    uint8_t uuid[16];

    memcpy(uuid, machine_config(m)->uuid, 16);
    if (text) {
        parse_uuid(text, uuid);
    }
    begin(t, 1, HANDLE_SYSTEM);
    put_option(t, "manufacturer", "Rhea");
    put_option(t, "product", class ? class->about : "PC");
    put_option(t, "version", class ? class->name : NULL);
    put_option(t, "serial", NULL);
    put_uuid(t, uuid);
    put(t, 6, 1); /* woken by the power switch */
    put_option(t, "sku", NULL);
    put_option(t, "family", NULL);
    end(t);
}

static void add_board(Tables *t)
{
    if (!smbios_has(&t->options, 2)) {
        return;
    }
    begin(t, 2, HANDLE_BOARD);
    put_option(t, "manufacturer", "Rhea");
    put_option(t, "product", NULL);
    put_option(t, "version", NULL);
    put_option(t, "serial", NULL);
    put_option(t, "asset", NULL);
    put(t, 1, 1); /* hosting board */
    put_option(t, "location", NULL);
    put(t, HANDLE_CHASSIS, 2);
    put(t, 10, 1); /* motherboard */
    put(t, 0, 1);
    end(t);
}

static void add_chassis(Tables *t)
{
    begin(t, 3, HANDLE_CHASSIS);
    put_option(t, "manufacturer", "Rhea");
    put(t, 1, 1); /* type: other */
    put_option(t, "version", NULL);
    put_option(t, "serial", NULL);
    put_option(t, "asset", NULL);
    put(t, 0x03030303, 4); /* states: safe; security: none */
    put(t, 0, 4);
    put(t, 0, 4); /* height, power cords, contained elements */
    put_option(t, "sku", NULL);
    end(t);
}

static void add_cpu(Tables *t, const SmpTopology *smp, unsigned n)
{
    g_autofree char *socket =
        g_strdup_printf("%s %u", smbios_text(&t->options, 4, "sock_pfx", "CPU"), n);
    unsigned cores = smp->cores * smp->dies, threads = cores * smp->threads;

    begin(t, 4, HANDLE_CPU + n);
    put_text(t, socket);
    put(t, 3 | 1 << 8, 2); /* central processor of another family */
    put_option(t, "manufacturer", "Rhea");
    put(t, 0, 8); /* ID */
    put_option(t, "version", NULL);
    put(t, 0, 1); /* voltage */
    put(t, 0, 2); /* external clock */
    put(t, number_option(t, "max-speed", "2000"), 2);
    put(t, number_option(t, "current-speed", "2000"), 2);
    put(t, 0x41, 1);           /* populated, enabled */
    put(t, 1, 1);              /* upgrade: other */
    put(t, 0xffffffffffff, 6); /* no cache described */
    put_option(t, "serial", NULL);
    put_option(t, "asset", NULL);
    put_option(t, "part", NULL);
    put(t, MIN(cores, 255), 1);
    put(t, MIN(cores, 255), 1);
    put(t, MIN(threads, 255), 1);
    put(t, 2, 2); /* characteristics unknown */
    put(t, 1, 2);
    end(t);
}

static void add_oem(Tables *t)
{
    if (!t->options.oem->len) {
        return;
    }
    begin(t, 11, HANDLE_OEM);
    put(t, t->options.oem->len, 1);
    for (guint i = 0; i < t->options.oem->len; i++) {
        g_ptr_array_add(t->strings, t->options.oem->pdata[i]);
    }
    end(t);
}

/* ---- memory ---- */

static void add_memory_array(Tables *t, uint64_t bytes, unsigned devices)
{
    uint64_t kb = bytes >> 10;

    begin(t, 16, HANDLE_ARRAY);
    put(t, 1 | 3 << 8 | 6 << 16, 3); /* other place, system memory, multi-bit ECC */
    put(t, kb < 0x80000000 ? kb : 0x80000000, 4);
    put(t, 0xfffe, 2);
    put(t, devices, 2);
    put(t, kb < 0x80000000 ? 0 : bytes, 8);
    end(t);
}

static void add_memory_device(Tables *t, unsigned n, uint64_t bytes)
{
    g_autofree char *place =
        g_strdup_printf("%s %u", smbios_text(&t->options, 17, "loc_pfx", "DIMM"), n);
    uint16_t speed = number_option(t, "speed", "0");
    uint64_t mb = bytes >> 20;

    begin(t, 17, HANDLE_DEVICE + n);
    put(t, HANDLE_ARRAY, 2);
    put(t, 0xfffe, 2);
    put(t, 0xffffffff, 4); /* widths unknown */
    put(t, mb < 0x7fff ? mb : 0x7fff, 2);
    put(t, 9, 1); /* DIMM */
    put(t, 0, 1);
    put_text(t, place);
    put_option(t, "bank", NULL);
    put(t, 7, 1); /* RAM */
    put(t, 2, 2);
    put(t, speed, 2);
    put_option(t, "manufacturer", "Rhea");
    put_option(t, "serial", NULL);
    put_option(t, "asset", NULL);
    put_option(t, "part", NULL);
    put(t, 0, 1);
    put(t, mb < 0x7fff ? 0 : mb, 4);
    put(t, speed, 2);
    put(t, 0, 6); /* voltages */
    end(t);
}

static void add_mapped(Tables *t, unsigned n, uint64_t at, uint64_t bytes)
{
    uint64_t first = at >> 10, last = (at + bytes - 1) >> 10;
    bool wide = last >= 0xffffffff;

    begin(t, 19, HANDLE_MAPPED + n);
    put(t, wide ? 0xffffffff : first, 4);
    put(t, wide ? 0xffffffff : last, 4);
    put(t, HANDLE_ARRAY, 2);
    put(t, 1, 1);
    put(t, wide ? at : 0, 8);
    put(t, wide ? at + bytes - 1 : 0, 8);
    end(t);
}

static void add_memory(Tables *t, SmbiosMemory memory)
{
    uint64_t bytes = memory.below + memory.above, step = 1ull << DEVICE_BYTES_SHIFT;
    unsigned devices = (bytes + step - 1) / step;

    add_memory_array(t, bytes, devices);
    for (unsigned n = 0; n < devices; n++) {
        t->type = 17;
        add_memory_device(t, n, MIN(bytes - n * step, step));
    }
    add_mapped(t, 0, 0, memory.below);
    if (memory.above) {
        add_mapped(t, 1, 4ull << GB_SHIFT, memory.above);
    }
}

/* ---- all of it ---- */

static bool add_files(Tables *t, Error **err)
{
    for (guint i = 0; i < t->options.files->len; i++) {
        g_autoptr(GError) why = NULL;
        g_autofree char *data = NULL;
        const char *path = t->options.files->pdata[i];
        gsize n;

        if (!g_file_get_contents(path, &data, &n, &why)) {
            return error_set(err, "-smbios: file %s: %s", path, why->message);
        }
        if (n < 6 || (uint8_t)data[1] < 4 || (uint8_t)data[1] > n - 2 || data[n - 1] ||
            data[n - 2]) {
            return error_set(err, "-smbios: file %s is not one SMBIOS structure", path);
        }
        g_byte_array_append(t->out, (uint8_t *)data, n);
        t->count++;
        t->largest = MAX(t->largest, n);
    }
    return true;
}

static void add_all(Tables *t, Machine *m, SmbiosMemory memory)
{
    const SmpTopology *smp = &machine_config(m)->smp;

    add_bios(t);
    add_system(t, m);
    add_board(t);
    add_chassis(t);
    for (unsigned n = 0; n < smp->sockets; n++) {
        t->type = 4;
        add_cpu(t, smp, n);
    }
    add_oem(t);
    add_memory(t, memory);
    begin(t, 32, HANDLE_BOOT);
    put(t, 0, 7); /* no errors detected */
    end(t);
    begin(t, 127, HANDLE_END);
    end(t);
}

static uint8_t checksum(const uint8_t *at, size_t n)
{
    uint8_t sum = 0;

    while (n--) {
        sum -= *at++;
    }
    return sum;
}

/* The entry point of version 2.1; the firmware fills in where the tables are and sums again. */
static bool publish_anchor(const Tables *t, FwCfg *f, Error **err)
{
    uint8_t e[31] = {'_', 'S', 'M', '_', 0, sizeof e, 2, 8};
    uint16_t largest = t->largest, length = t->out->len, count = t->count;

    memcpy(e + 8, &largest, 2);
    memcpy(e + 16, "_DMI_", 5);
    memcpy(e + 22, &length, 2);
    memcpy(e + 28, &count, 2);
    e[30] = 0x28;
    e[21] = checksum(e + 16, 15);
    e[4] = checksum(e, sizeof e);
    return fw_cfg_file(f, "etc/smbios/smbios-anchor", e, sizeof e, err);
}

bool smbios_publish(Machine *m, FwCfg *f, SmbiosMemory memory, Error **err)
{
    Tables t = {.out = g_byte_array_new()};
    bool ok =
        smbios_options_parse(&t.options, machine_config(m)->smbios, err) && add_files(&t, err);

    if (ok) {
        add_all(&t, m, memory);
        ok = t.out->len <= UINT16_MAX || error_set(err, "the SMBIOS tables exceed 64 KB");
    }
    ok = ok && fw_cfg_file(f, "etc/smbios/smbios-tables", t.out->data, t.out->len, err) &&
         publish_anchor(&t, f, err);
    smbios_options_free(&t.options);
    g_byte_array_unref(t.out);
    return ok;
}
