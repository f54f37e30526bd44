/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The story of a triple fault (SDM volume 3, "Double fault exception": shutdown). People who write
 * operating systems see a machine that just resets; what they need is which exceptions led there,
 * at which instruction, and which descriptor or page entry was bad.
 */
#include "target/i386/shutdown.h"

#include "target/i386/cpu.h"
#include "target/i386/disas.h"
#include "util/log.h"

static const char *const names[] = {"divide error",
                                    "debug",
                                    "NMI",
                                    "breakpoint",
                                    "overflow",
                                    "bound range",
                                    "invalid opcode",
                                    "device not available",
                                    "double fault",
                                    "coprocessor overrun",
                                    "invalid TSS",
                                    "segment not present",
                                    "stack fault",
                                    "general protection",
                                    "page fault",
                                    NULL,
                                    "x87 error",
                                    "alignment check",
                                    "machine check",
                                    "SIMD error"};

static const char *name_of(uint8_t vector)
{
    return vector < G_N_ELEMENTS(names) && names[vector] ? names[vector] : "interrupt";
}

char *exception_why(const LastException *e)
{
    GString *out = g_string_new("");
    unsigned n = 0;

    for (const char *f = e->why ?: ""; *f; f++) {
        if (f[0] == '%' && f[1] == 'x') {
            g_string_append_printf(out, "%#" PRIx64, e->why_value[n++ % 3]);
            f++;
        } else {
            g_string_append_c(out, *f);
        }
    }
    return g_string_free(out, FALSE);
}

void exception_describe(GString *out, const LastException *e)
{
    g_string_append_printf(out, "  %#04x %s", e->vector,
                           e->soft ? "software interrupt" : name_of(e->vector));
    if (e->has_error) {
        g_string_append_printf(out, ", error code %#x", e->error);
    }
    if (e->vector == EXC_PF && !e->soft) {
        g_string_append_printf(out, " (%s of %#" PRIx64 ", %s%s)",
                               e->error & 16  ? "fetch"
                               : e->error & 2 ? "write"
                                              : "read",
                               e->cr2, e->error & 1 ? "protection" : "not present",
                               e->error & 8 ? ", reserved bit set" : "");
    }
    g_string_append_printf(out, " at %04x:%0*" PRIx64 ", stack %#" PRIx64 "\n", e->cs, 8, e->rip,
                           e->rsp);
}

static void add_segment(GString *out, const char *name, const X86Segment *g)
{
    g_string_append_printf(out, "%-4s %04x base %016" PRIx64 " limit %08x attributes %04x\n", name,
                           g->selector, g->base, g->limit, g->attr);
}

char *cpu_registers(const X86State *s)
{
    static const char *const gpr[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                      "r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15"};
    static const char *const seg[] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};
    GString *out = g_string_new("");

    for (int i = 0; i < 16; i++) {
        g_string_append_printf(out, "%s %016" PRIx64 "%s", gpr[i], s->gpr[i],
                               i % 4 == 3 ? "\n" : "  ");
    }
    g_string_append_printf(out, "rip %016" PRIx64 "  rflags %08" PRIx64 "  cpl %u%s%s\n", s->rip,
                           s->rflags, x86_cpl(s), s->smm ? "  smm" : "", s->a20 ? "" : "  a20 off");
    for (int i = 0; i < SEG_COUNT; i++) {
        add_segment(out, seg[i], &s->seg[i]);
    }
    g_string_append_printf(
        out, "gdt  base %016" PRIx64 " limit %04x   idt  base %016" PRIx64 " limit %04x\n",
        s->gdtr.base, s->gdtr.limit, s->idtr.base, s->idtr.limit);
    g_string_append_printf(
        out, "cr0 %08" PRIx64 "  cr2 %016" PRIx64 "  cr3 %016" PRIx64 "  cr4 %08" PRIx64 "\n",
        s->cr0, s->cr2, s->cr3, s->cr4);
    g_string_append_printf(
        out, "efer %04" PRIx64 "  xcr0 %" PRIx64 "  dr6 %08" PRIx64 "  dr7 %08" PRIx64 "\n",
        s->efer, s->xcr0, s->dr6, s->dr7);
    return g_string_free(out, FALSE);
}

static void add_instruction(GString *out, Vcpu *cpu)
{
    const Cpu *c = cpu_rt(cpu);
    uint8_t bytes[15];
    unsigned n = cpu_peek(cpu, c->s.seg[SEG_CS].base + c->s.rip, bytes, sizeof bytes);
    g_autofree char *text = disassemble(c->code_size, bytes, n, c->s.rip);

    g_string_append_printf(out, "the instruction there: %s\n", n ? text : "not in memory");
}

void shutdown_report(Vcpu *cpu)
{
    Cpu *c = cpu_rt(cpu);
    g_autoptr(GString) out = g_string_new("");
    g_autofree char *registers = cpu_registers(&c->s);
    unsigned first = c->last_count > LAST_EXCEPTIONS ? c->last_count - LAST_EXCEPTIONS : 0;

    g_string_append_printf(out, "cpu%u: triple fault%s\n", cpu->id,
                           c->last_count ? ". The last exceptions, oldest first:" : "");
    for (unsigned i = first; i < c->last_count; i++) {
        exception_describe(out, &c->last[i % LAST_EXCEPTIONS]);
    }
    if (c->why[0]) {
        g_string_append_printf(out, "what was wrong: %s\n", c->why);
    }
    add_instruction(out, cpu);
    g_string_append(out, registers);
    log_printf("%s", out->str);
}
