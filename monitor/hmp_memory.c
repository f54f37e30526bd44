/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory and ports from the monitor: x, xp, print, sum, i, o, gva2gpa, gpa2hva. Reads of memory are
 * a debugger's: no rights, no side effects in devices or page tables. i and o are real accesses.
 *
 * `x` takes linear addresses ($pc is one; $eip is not where CS has a base). /i disassembles in the
 * mode that the chosen vCPU is in at that moment, by Zydis, in Intel's syntax.
 */
#include "monitor/hmp_command.h"
#include "target/i386/cpu.h"
#include "target/i386/disas.h"

#include <string.h>

enum { LONGEST_INSN = 15, LINE = 16 };

/* ---- reading ---- */

/* Guest memory, linear (of a vCPU) or physical. How many bytes could be read. */
typedef struct Source {
    Machine *m;
    Vcpu *cpu; /* NULL: the system's memory, physical */
    bool physical;
} Source;

static unsigned source_read(const Source *v, uint64_t addr, void *to, unsigned n)
{
    Access by = {.cpu = v->cpu, .debug = true, .smm = v->cpu && v->cpu->state->smm};
    AddressSpace *as = v->cpu ? &v->cpu->memory : machine_space(v->m);

    if (!v->physical) {
        return cpu_peek(v->cpu, addr, to, n);
    }
    return mem_read(as, by, addr, to, n) == MEM_OK ? n : 0;
}

static bool source_of(Hmp *h, bool physical, Source *v, Error **err)
{
    *v = (Source){h->m, machine_cpu_count(h->m) ? hmp_cpu(h, NULL) : NULL, physical};
    if (v->cpu && !v->cpu->state) {
        v->cpu = NULL;
    }
    return v->cpu || physical ||
           error_set(err, "this machine has no CPU whose addresses these are");
}

/* ---- printing numbers ---- */

static int64_t sign_extended(uint64_t value, unsigned size)
{
    unsigned shift = 64 - 8 * size;

    return (int64_t)(value << shift) >> shift;
}

static void add_character(GString *out, uint8_t c)
{
    static const char plain[] = "\n\r\t", *const shown[] = {"\\n", "\\r", "\\t"};
    const char *special = c ? strchr(plain, c) : NULL;

    if (special) {
        g_string_append_printf(out, "'%s'", shown[special - plain]);
    } else if (c == '\'' || c == '\\') {
        g_string_append_printf(out, "'\\%c'", c);
    } else if (g_ascii_isprint(c)) {
        g_string_append_printf(out, "'%c'", c);
    } else {
        g_string_append_printf(out, "'\\x%02x'", c);
    }
}

/* padded: columns of one width, as in a dump. */
static void add_value(GString *out, uint64_t value, char letter, unsigned size, bool padded)
{
    static const int decimal[] = {[1] = 3, [2] = 5, [4] = 10, [8] = 20};
    static const int octal[] = {[1] = 3, [2] = 6, [4] = 11, [8] = 22};

    switch (letter) {
    case 'o':
        g_string_append_printf(out, "%#*" PRIo64, padded ? octal[size] + 1 : 0, value);
        break;
    case 'u':
        g_string_append_printf(out, "%*" PRIu64, padded ? decimal[size] : 0, value);
        break;
    case 'd':
        g_string_append_printf(out, "%*" PRId64, padded ? decimal[size] + 1 : 0,
                               sign_extended(value, size));
        break;
    case 'c':
        add_character(out, value);
        break;
    default:
        g_string_append_printf(out, "0x%0*" PRIx64, padded ? (int)size * 2 : 1, value);
    }
}

/* ---- x, xp ---- */

static CodeSize code_size(const X86State *s)
{
    uint16_t attr = s->seg[SEG_CS].attr;

    if (s->efer & EFER_LMA && attr & ATTR_L) {
        return CODE_64;
    }
    return attr & ATTR_DB ? CODE_32 : CODE_16;
}

static uint64_t add_instruction(Hmp *h, const Source *v, CodeSize code, uint64_t addr)
{
    uint8_t bytes[LONGEST_INSN];
    unsigned n = source_read(v, addr, bytes, sizeof bytes);
    g_autofree char *text = NULL;
    Insn insn;

    if (!n) {
        return 0;
    }
    if (decode(code, bytes, n, &insn) != DECODE_OK || !insn.len) {
        text = g_strdup("(bad)");
        insn.len = 1;
    } else {
        text = disassemble(code, bytes, n, addr);
    }
    hmp_say(h, "0x%0*" PRIx64 ":  ", code == CODE_64 ? 16 : 8, addr);
    for (unsigned i = 0; i < MAX(insn.len, 8); i++) {
        hmp_say(h, i < insn.len ? "%02x " : "   ", i < insn.len ? bytes[i] : 0);
    }
    hmp_say(h, " %s\n", text);
    return insn.len;
}

static bool instructions(Hmp *h, const Source *v, uint64_t addr, unsigned count, Error **err)
{
    CodeSize code = v->cpu ? code_size(v->cpu->state) : CODE_32;

    for (unsigned i = 0; i < count; i++) {
        uint64_t n = add_instruction(h, v, code, addr);

        if (!n) {
            return error_set(err, "cannot access memory at %#" PRIx64, addr);
        }
        addr += n;
    }
    return true;
}

static bool dump_line(Hmp *h, const Source *v, uint64_t addr, unsigned n, const HmpFormat *f)
{
    uint8_t bytes[LINE];
    uint64_t value;

    if (source_read(v, addr, bytes, n) < n) {
        return false;
    }
    hmp_say(h, "%016" PRIx64 ":", addr);
    for (unsigned i = 0; i < n; i += f->size) {
        value = 0;
        memcpy(&value, bytes + i, f->size);
        g_string_append_c(h->out, ' ');
        add_value(h->out, value, f->letter, f->size, true);
    }
    g_string_append_c(h->out, '\n');
    return true;
}

static bool dump(Hmp *h, bool physical, Error **err)
{
    HmpFormat *f = &h->last;
    uint64_t addr;
    unsigned line;
    Source v;

    f->count = h->format.letter || h->format.size || h->format.count ? h->format.count : 1;
    f->letter = h->format.letter ?: f->letter ?: 'x';
    f->size = h->format.size ?: f->letter == 'c' ? 1 : f->size ?: 4;
    if (!source_of(h, physical, &v, err) || !hmp_number(h, &addr, err)) {
        return false;
    }
    if (f->letter == 'i') {
        return instructions(h, &v, addr, f->count, err);
    }
    line = f->letter == 'c' ? 8 : LINE;
    for (uint64_t left = (uint64_t)f->count * f->size; left;) {
        unsigned n = MIN(left, line);

        if (!dump_line(h, &v, addr, n, f)) {
            return error_set(err, "cannot access memory at %#" PRIx64, addr);
        }
        addr += n;
        left -= n;
    }
    return true;
}

static bool x(Hmp *h, Error **err)
{
    return dump(h, false, err);
}

static bool xp(Hmp *h, Error **err)
{
    return dump(h, true, err);
}

/* ---- print, sum ---- */

static bool print(Hmp *h, Error **err)
{
    uint64_t value;

    if (!hmp_number(h, &value, err)) {
        return false;
    }
    if (h->format.letter == 'i') {
        return error_set(err, "a value is no instruction");
    }
    add_value(h->out, value, h->format.letter ?: 'x', h->format.size ?: 8, false);
    g_string_append_c(h->out, '\n');
    return true;
}

/* BSD's checksum of 16 bits. */
static bool sum(Hmp *h, Error **err)
{
    uint64_t addr, n;
    uint16_t total = 0;
    uint8_t bytes[4096];
    Source v;

    if (!hmp_number(h, &addr, err) || !hmp_number(h, &n, err) || !source_of(h, true, &v, err)) {
        return false;
    }
    if (n > 1ull << 32) {
        return error_set(err, "%" PRIu64 " bytes are too many", n);
    }
    while (n) {
        unsigned part = MIN(n, sizeof bytes);

        if (source_read(&v, addr, bytes, part) < part) {
            return error_set(err, "cannot access memory at %#" PRIx64, addr);
        }
        for (unsigned i = 0; i < part; i++) {
            total = (total >> 1 | total << 15) + bytes[i];
        }
        addr += part;
        n -= part;
    }
    hmp_say(h, "%05u\n", total);
    return true;
}

/* ---- ports ---- */

static unsigned port_size(Hmp *h, Error **err)
{
    unsigned size = h->format.size ?: 1;

    return size < 8 ? size : error_set(err, "a port has 1, 2 or 4 bytes");
}

static bool port_of(Hmp *h, uint64_t *port, Error **err)
{
    if (!hmp_number(h, port, err)) {
        return false;
    }
    return *port < 0x10000 || error_set(err, "there is no port %#" PRIx64, *port);
}

/* i/w 0x70.8: 8 is written to port 0x70 first, then 0x71 is read. */
static bool in(Hmp *h, Error **err)
{
    AddressSpace *ports = machine_port_space(h->m);
    unsigned size = port_size(h, err);
    uint64_t port, index, value = 0;

    if (!size || !port_of(h, &port, err)) {
        return false;
    }
    if (*h->at == '.') {
        h->at++;
        if (!hmp_number(h, &index, err)) {
            return false;
        }
        mem_write(ports, (Access){0}, port, &(uint8_t){index}, 1);
        port = (port + 1) & 0xffff;
    }
    mem_read(ports, (Access){0}, port, &value, size);
    hmp_say(h, "port%c[0x%04x] = 0x%0*" PRIx64 "\n", " bw l"[size], (unsigned)port, (int)size * 2,
            value);
    return true;
}

static bool out(Hmp *h, Error **err)
{
    unsigned size = port_size(h, err);
    uint64_t port, value;

    if (!size || !port_of(h, &port, err) || !hmp_number(h, &value, err)) {
        return false;
    }
    mem_write(machine_port_space(h->m), (Access){0}, port, &value, size);
    return true;
}

/* ---- addresses ---- */

static bool gva2gpa(Hmp *h, Error **err)
{
    uint64_t linear, phys;
    Source v;

    if (!hmp_number(h, &linear, err) || !source_of(h, false, &v, err)) {
        return false;
    }
    if (cpu_translate(v.cpu, linear, &phys)) {
        hmp_say(h, "gpa: %#" PRIx64 "\n", phys);
    } else {
        hmp_say(h, "Unmapped\n");
    }
    return true;
}

static bool gpa2hva(Hmp *h, Error **err)
{
    uint64_t addr;
    MemMap map;

    if (!hmp_number(h, &addr, err)) {
        return false;
    }
    map = mem_map(machine_space(h->m), (Access){.debug = true}, addr, 1, false);
    if (!map.host) {
        return error_set(err, "there is no RAM at %#" PRIx64, addr);
    }
    hmp_say(h, "Host virtual address for %#" PRIx64 " (%s) is %p\n", addr, map.ram->name, map.host);
    mem_unmap(&map);
    return true;
}

/* clang-format off */
static const HmpCommand commands[] = {
    {"x", "ADDR", "memory at a linear address of the chosen vCPU; /COUNT, x d u o c i, b h w g", x, .looks = true, .formats = true},
    {"xp", "ADDR", "memory at a physical address", xp, .looks = true, .formats = true},
    {"print|p", "EXPRESSION", "a value; $rax is a register", print, .looks = true, .formats = true},
    {"sum", "ADDR SIZE", "checksum (BSD, 16 bits) of physical memory", sum, .looks = true},
    {"i", "PORT[.INDEX]", "read an I/O port; with an index, write that first and read the next port", in, .formats = true},
    {"o", "PORT VALUE", "write an I/O port", out, .formats = true},
    {"gva2gpa", "ADDR", "the physical address of a linear one", gva2gpa, .looks = true},
    {"gpa2hva", "ADDR", "where this program has a guest-physical address of RAM", gpa2hva, .looks = true},
    {0},
};
/* clang-format on */
HMP_COMMANDS(commands);
