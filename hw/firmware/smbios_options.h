/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The texts of -smbios, by type and key. */
#pragma once
#include "util/error.h"

typedef struct SmbiosOptions {
    GHashTable *values; /* "1.serial" -> text                            */
    GPtrArray *files;   /* char *: structures of the user, as files      */
    GPtrArray *oem;     /* char *: type 11, value=                       */
} SmbiosOptions;

/* texts: NULL-terminated or NULL, each "type=N,key=value,..." or "file=PATH". */
bool smbios_options_parse(SmbiosOptions *o, char **texts, Error **err);
void smbios_options_free(SmbiosOptions *o);

/* The value, or dflt. */
const char *smbios_text(const SmbiosOptions *o, unsigned type, const char *key, const char *dflt);

/* Was any key of that type given? */
bool smbios_has(const SmbiosOptions *o, unsigned type);
