/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A local APIC in words, for people: registers as the SDM, volume 3, chapter "APIC" names them. */
#include "hw/intc/lapic_impl.h"

static const char *const modes[] = {"fixed", "lowest", "SMI",  "...",
                                    "NMI",   "INIT",   "SIPI", "ExtINT"};

static void add_lvt(GString *out, const Lapic *l, const char *name, unsigned n)
{
    uint32_t v = l->s.lvt[n];
    bool timer = n == LVT_TIMER, lint = n == LVT_LINT0 || n == LVT_LINT1;

    g_string_append_printf(out, "%-8s 0x%08x %s%s vec %u", name, v,
                           timer                   ? ""
                           : lint && v & LVT_LEVEL ? "level "
                           : lint                  ? "edge  "
                                                   : "",
                           v & LVT_MASKED ? "masked" : "active", v & 0xff);
    if (timer) {
        g_string_append(out, v & LVT_DEADLINE   ? ", TSC deadline"
                             : v & LVT_PERIODIC ? ", periodic"
                                                : ", one-shot");
    } else if (n != LVT_ERROR) {
        g_string_append_printf(out, ", %s", modes[v >> 8 & 7]);
    }
    g_string_append_c(out, '\n');
}

static void add_timer(GString *out, Lapic *l)
{
    g_string_append_printf(out,
                           "Timer    DCR=0x%x (divide by %" PRIu64
                           ") initial_count = %u current_count = %" PRIu64 "\n",
                           l->s.divide, lapic_tick_ns(l), l->s.initial, lapic_current(l, 0));
    if (l->s.expires) {
        g_string_append_printf(out, "         due in %" PRId64 " ns",
                               l->s.expires - clock_now(l->cpu->clock));
        if (l->s.deadline) {
            g_string_append_printf(out, ", at TSC %#" PRIx64, l->s.deadline);
        }
        g_string_append_c(out, '\n');
    }
}

/* Vectors that are set, those of level interrupts marked. */
static void add_vectors(GString *out, const Lapic *l, const char *name, const uint32_t *bits)
{
    bool any = false;

    g_string_append_printf(out, "%-8s", name);
    for (int v = 0; v < 256; v++) {
        if (bit_of(bits, v)) {
            g_string_append_printf(out, " %d%s", v, bit_of(l->s.tmr, v) ? "(level)" : "");
            any = true;
        }
    }
    g_string_append(out, any ? "\n" : " (none)\n");
}

static void add_icr(GString *out, const Lapic *l)
{
    static const char *const shorthand[] = {"no-shorthand", "self", "all", "others"};
    uint32_t v = l->s.icr[0];

    g_string_append_printf(out, "ICR      0x%08x vec %u, %s %s %s %s\n", v, v & 0xff,
                           modes[v >> 8 & 7], v & 1 << 11 ? "logical" : "physical",
                           v & LVT_LEVEL ? "level" : "edge", shorthand[v >> 18 & 3]);
    g_string_append_printf(out, "ICR2     0x%08x\n", l->s.icr[1]);
}

void lapic_describe(Lapic *l, GString *out)
{
    int next = lapic_pending(l);

    g_string_append_printf(out, "dumping local APIC state for CPU %u\n\n", l->cpu->id);
    g_string_append_printf(out, "BASE     0x%08" PRIx64 " %s%s\n", l->s.base,
                           !is_on(l)      ? "off"
                           : is_x2apic(l) ? "x2APIC"
                                          : "xAPIC",
                           l->s.base & BASE_BSP ? ", bootstrap processor" : "");
    add_lvt(out, l, "LVT0", LVT_LINT0);
    add_lvt(out, l, "LVT1", LVT_LINT1);
    add_lvt(out, l, "LVTPC", LVT_PERF);
    add_lvt(out, l, "LVTERR", LVT_ERROR);
    add_lvt(out, l, "LVTTHMR", LVT_THERMAL);
    add_lvt(out, l, "LVTT", LVT_TIMER);
    add_timer(out, l);
    g_string_append_printf(out, "SPIV     0x%08x APIC %s, spurious vec %u\n", l->s.svr,
                           l->s.svr & SVR_ON ? "enabled" : "disabled", l->s.svr & 0xff);
    add_icr(out, l);
    g_string_append_printf(out, "ESR      0x%08x\n", l->s.esr);
    add_vectors(out, l, "ISR", l->s.isr);
    add_vectors(out, l, "IRR", l->s.irr);
    g_string_append_printf(out, "TPR 0x%02x DFR 0x%08x LDR 0x%08x PPR 0x%02x\n", l->s.tpr, l->s.dfr,
                           l->s.ldr, (unsigned)lapic_ppr(l, 0));
    if (next >= 0) {
        g_string_append_printf(out, "vector %d is to be delivered\n", next);
    } else if (lapic_extint(l)) {
        g_string_append(out, "the 8259's interrupt is to be delivered\n");
    }
}
