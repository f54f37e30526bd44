/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/firmware/smbios.h"
#include "softmmu/run/machine_impl.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

#include <string.h>

typedef struct Smbios {
    Board *b;
    FwCfg *f;
} Smbios;

static Smbios smbios(const char *option)
{
    Smbios s = {.b = board_new()};
    Machine *m = board_machine(s.b);

    s.f = (FwCfg *)device_add(m, &FwCfg_class, "fw_cfg", NULL, NULL, NULL, NULL);
    m->config.smbios = g_strsplit(option ?: "", "|", -1);
    if (!option) {
        g_clear_pointer(&m->config.smbios, g_strfreev);
    }
    return s;
}

/* The structures are walked as a guest walks them. NULL: there is none of that type. */
static const uint8_t *structure(Smbios s, unsigned type)
{
    gsize n;
    const uint8_t *at = g_bytes_get_data(fw_cfg_find(s.f, "etc/smbios/smbios-tables"), &n);
    const uint8_t *stop = at + n;

    while (at + 4 <= stop) {
        if (*at == type) {
            return at;
        }
        for (at += at[1]; at + 2 <= stop && (at[0] || at[1]); at++) {
        }
        at += 2;
    }
    return NULL;
}

static const char *text(const uint8_t *structure, unsigned field)
{
    const char *at = (const char *)structure + structure[1];

    for (unsigned n = structure[field]; n > 1; n--) {
        at += strlen(at) + 1;
    }
    return structure[field] ? at : NULL;
}

static bool publish(Smbios s, Error **err)
{
    return smbios_publish(board_machine(s.b), s.f, (SmbiosMemory){3ull << 30, 40ull << 30}, err);
}

TEST("smbios: the structures that every PC has, ending with type 127")
{
    static const uint8_t types[] = {1, 3, 4, 16, 17, 19, 32, 127};
    Smbios s = smbios(NULL);

    check(publish(s, NULL), true);
    for (size_t i = 0; i < sizeof types; i++) {
        check(structure(s, types[i]) != NULL, true);
    }
    check(structure(s, 0) == NULL, true);
    check(structure(s, 4)[1], 0x2a);
    check(structure(s, 17)[1], 0x28);
}

TEST("smbios: texts of the command line replace the defaults, commas are doubled")
{
    Smbios s = smbios("type=1,manufacturer=A,,B,serial=42|type=0,vendor=me,release=3.7");

    check(publish(s, NULL), true);
    check_str(text(structure(s, 1), 4), "A,B");
    check_str(text(structure(s, 1), 7), "42");
    check_str(text(structure(s, 0), 4), "me");
    check(structure(s, 0)[0x14], 3);
    check(structure(s, 0)[0x15], 7);
}

TEST("smbios: the first three fields of the UUID are little-endian")
{
    Smbios s = smbios("type=1,uuid=00112233-4455-6677-8899-aabbccddeeff");
    static const uint8_t want[] = {0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88};

    check(publish(s, NULL), true);
    check(memcmp(structure(s, 1) + 8, want, sizeof want), 0);
}

TEST("smbios: memory above 16 GB has several devices; the anchor's sums are zero")
{
    Smbios s = smbios(NULL);
    gsize n;
    uint8_t all = 0, dmi = 0;

    check(publish(s, NULL), true);
    check(structure(s, 16)[13], 3);
    const uint8_t *anchor = g_bytes_get_data(fw_cfg_find(s.f, "etc/smbios/smbios-anchor"), &n);
    check(n, 31);
    for (gsize i = 0; i < n; i++) {
        all += anchor[i];
        dmi += i >= 16 ? anchor[i] : 0;
    }
    check(all, 0);
    check(dmi, 0);
}

static void refused(const char *option, const char *why)
{
    Smbios s = smbios(option);
    Error *err = NULL;

    check(publish(s, &err), false);
    check_str(error_text(err), why);
    error_free(err);
}

TEST("smbios: unknown types, keys and values are refused by name")
{
    refused("type=5,x=1", "-smbios: type 5 is not one that can be given");
    refused("type=1,colour=red", "-smbios: type 1 has no colour");
    refused("type=1,uuid=12", "-smbios: uuid of type 1 cannot be 12");
    refused("type=0,release=1", "-smbios: release of type 0 cannot be 1");
    refused("type=x", "-smbios: type x is not a number");
    refused("serial=1", "-smbios serial=1 needs type=");
}
