/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions as text, for logs and reports, by Zydis where it was built in. */
#include "target/i386/disas.h"

#include <glib.h>
#ifdef HAVE_ZYDIS
#include <Zydis/Zydis.h>
#endif

static char *hexadecimal(const uint8_t *bytes, unsigned n)
{
    GString *out = g_string_new("");

    for (unsigned i = 0; i < MIN(n, 15); i++) {
        g_string_append_printf(out, "%s%02x", i ? " " : "", bytes[i]);
    }
    return g_string_free(out, FALSE);
}

#ifdef HAVE_ZYDIS
static char *by_zydis(CodeSize code, const uint8_t *bytes, unsigned n, uint64_t rip)
{
    static const ZydisMachineMode mode[] = {ZYDIS_MACHINE_MODE_LONG_COMPAT_16,
                                            ZYDIS_MACHINE_MODE_LONG_COMPAT_32,
                                            ZYDIS_MACHINE_MODE_LONG_64};
    ZydisDisassembledInstruction insn;

    if (ZYAN_SUCCESS(ZydisDisassembleIntel(mode[code], rip, bytes, n, &insn))) {
        return g_strdup(insn.text);
    }
    return NULL;
}
#endif

char *disassemble(CodeSize code, const uint8_t *bytes, unsigned n, uint64_t rip)
{
    char *text = NULL;

#ifdef HAVE_ZYDIS
    text = by_zydis(code, bytes, n, rip);
#endif
    return text ?: hexadecimal(bytes, n);
}
