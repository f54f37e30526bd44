/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the guest programs of this folder on the bare CPU, from reset. Each is a ROM below 1 MB and
 * below 4 GB; it prints a line for every check, and DONE when it came to its end. A write to port
 * 0xb2 is an SMI. The programs lie where the environment's RHEA_SYSTEM_PROGRAMS says, or else where
 * meson builds them, beside the test program.
 */
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

enum {
    ROM_BYTES = 0x10000,
    ROM_PAGES = ROM_BYTES / GUEST_PAGE,
    PORT_TEXT = 0xe9,
    PORT_END = 0xf4,
    PORT_SMI = 0xb2,
    LONGEST = 2000, /* returns of rt_run() */
    LONGEST_STEPPED = 20000000,
};

typedef struct Program {
    BareCpu *bare;
    GString *text;
    uint8_t *rom;
    CodePage code[ROM_PAGES];
    void (*ram_page)(Cpu *c, uint64_t phys, PhysPage *out);
    bool ended;
} Program;

static Program *program_of(Cpu *c)
{
    return ((BareCpu *)c->vcpu)->own;
}

static void program_page(Cpu *c, uint64_t phys, PhysPage *out)
{
    Program *p = program_of(c);
    uint64_t at = phys & (ROM_BYTES - 1) & ~(uint64_t)(GUEST_PAGE - 1);

    if ((phys & ~0xffffull) != 0xf0000 && (phys & ~0xffffull) != 0xffff0000) {
        p->ram_page(c, phys, out);
        out->before = out->after = 0; /* the ROM may be near */
        return;
    }
    *out = (PhysPage){
        .phys = phys & ~(uint64_t)(GUEST_PAGE - 1), .host = p->rom + at, .readonly = true};
    out->code = &p->code[at / GUEST_PAGE];
}

static void program_port(Cpu *c, uint16_t port, uint32_t value, unsigned size)
{
    Program *p = program_of(c);

    if (port == PORT_TEXT) {
        g_string_append_c(p->text, (char)value);
    }
    if (port == PORT_SMI) {
        c->s.smi_pending = true;
    }
    p->ended |= port == PORT_END;
    c->go = port != PORT_END && port != PORT_SMI;
    c->block_break |= !c->go; /* at once, not at the end of the block */
}

static uint8_t *rom_load(const char *name)
{
    const char *folder = g_getenv("RHEA_SYSTEM_PROGRAMS");
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *beside = self ? g_path_get_dirname(self) : g_strdup(".");
    g_autofree char *path = folder ? g_build_filename(folder, name, NULL)
                                   : g_build_filename(beside, "tests", "system", name, NULL);
    char *bytes = NULL;
    gsize n = 0;

    if (!g_file_get_contents(path, &bytes, &n, NULL) || n != ROM_BYTES) {
        g_free(bytes);
        return NULL;
    }
    return (uint8_t *)bytes;
}

/* Behind a step or a watched access it goes on; an instruction with a breakpoint is
 * stepped over. */
static void stop_leave(Cpu *c, const DebugPlan *plan)
{
    DebugPlan step = {.step = DEBUG_STEP};

    if (c->debug_hit.reason == DEBUG_BREAK) {
        rt_debug(c, &step);
        rt_run(c);
        rt_debug(c, plan);
    }
    c->debug_hit = (DebugHit){0};
}

/* What a program prints, under a debugger's plan if there is one, which never stops it for good; it
 * ends with "not built" where it is missing. */
static char *program_run(const char *name, const DebugPlan *plan)
{
    Program p = {.bare = bare_new(CODE_16), .text = g_string_new(""), .rom = rom_load(name)};

    if (p.rom) {
        p.bare->own = &p;
        p.ram_page = p.bare->host.page;
        p.bare->host.page = program_page;
        p.bare->host.port_write = program_port;
        rt_reset(p.bare->c, false, true);
        rt_debug(p.bare->c, plan);
        for (unsigned n = 0; n < (plan ? LONGEST_STEPPED : LONGEST) && !p.ended; n++) {
            RtExit exit = rt_run(p.bare->c);

            cpu_attended(p.bare->c);
            if (p.bare->c->s.smi_pending && rt_can_smi(p.bare->c)) {
                rt_smi(p.bare->c);
            } else if (exit == RT_DEBUG) {
                stop_leave(p.bare->c, plan);
            } else if (exit != RT_KICK) {
                break;
            }
        }
    }
    g_string_append(p.text, p.rom ? p.bare->c->why : "not built\n");
    bare_free(p.bare);
    g_free(p.rom);
    return g_string_free(p.text, FALSE);
}

/* Every line says PASS, the last one DONE. */
static void program_check_under(const char *name, int checks, const DebugPlan *plan)
{
    g_autofree char *text = program_run(name, plan);
    g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);
    unsigned count = g_strv_length(lines);
    int passed = 0;

    for (unsigned n = 0; n + 1 < count; n++) {
        if (g_str_has_prefix(lines[n], "PASS ")) {
            passed++;
        } else {
            check_str(lines[n], "PASS");
        }
    }
    check_str(count ? lines[count - 1] : "", "DONE");
    check(passed, checks);
}

static void program_check(const char *name, int checks)
{
    program_check_under(name, checks, NULL);
}

TEST("guest program: segments, levels, call gates")
{
    program_check("segments.bin", 66);
}

TEST("guest program: long mode: events, canonical addresses, system calls, compatibility mode")
{
    program_check("long.bin", 66);
}

TEST("guest program: paging: rights, sizes, accessed and dirty bits, error codes, with and without "
     "PAE")
{
    program_check("paging.bin", 40);
}

TEST("guest program: task switches")
{
    program_check("task.bin", 31);
}

TEST("guest program: virtual-8086 mode and its extensions")
{
    program_check("v86.bin", 35);
}

TEST("guest program: real mode, single-step and breakpoints")
{
    program_check("real.bin", 49);
}

TEST("guest program: system-management mode")
{
    program_check("smm.bin", 13);
}

TEST("guest program: long-mode paging: NX, SMEP, SMAP, keys, 1 GB pages, contexts, five levels")
{
    program_check("rights.bin", 33);
}

static void all_under(const DebugPlan *plan)
{
    program_check_under("segments.bin", 66, plan);
    program_check_under("long.bin", 66, plan);
    program_check_under("paging.bin", 40, plan);
    program_check_under("task.bin", 31, plan);
    program_check_under("v86.bin", 35, plan);
    program_check_under("real.bin", 49, plan);
    program_check_under("smm.bin", 13, plan);
    program_check_under("rights.bin", 33, plan);
}

TEST("guest programs: a debugger's steps change nothing: events, returns, system calls, SMM")
{
    all_under(&(DebugPlan){.step = DEBUG_STEP});
}

TEST("guest programs: watching all memory changes nothing, nor do breakpoints in the code's pages")
{
    uint64_t breaks[32];

    for (unsigned n = 0; n < 16; n++) { /* each page of the ROM, twice */
        breaks[n] = 0xf0fff + 0x1000 * n;
        breaks[16 + n] = 0xffff0fff + 0x1000 * n;
    }
    all_under(&(DebugPlan){
        .breaks = breaks,
        .break_count = 32,
        .watches = &(DebugWatch){0, ~0ull, DEBUG_READ | DEBUG_WRITE},
        .watch_count = 1,
    });
}
