/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `info irq`, `info pic`, `info ioapic`, `info lapic`: the interrupt controllers as they
 * are now. */
#include "hw/intc/i8259.h"
#include "hw/intc/ioapic.h"
#include "hw/intc/lapic.h"
#include "monitor/hmp_command.h"
#include "target/i386/state.h"

/* Call fn for every object of a class. */
static unsigned each_object(Object *at, const void *class, void (*fn)(Object *obj, Hmp *h), Hmp *h)
{
    unsigned n = object_is(at, class);

    if (n) {
        fn(at, h);
    }
    for (Object *c = at->children; c; c = c->next) {
        n += each_object(c, class, fn, h);
    }
    return n;
}

static bool describe(Hmp *h, const void *class, void (*fn)(Object *obj, Hmp *h), const char *what,
                     Error **err)
{
    return each_object((Object *)h->m, class, fn, h) ||
           error_set(err, "this machine has no %s", what);
}

/* ---- chips ---- */

static void pic(Object *obj, Hmp *h)
{
    pic_describe(CAST(Pic, obj), h->out);
}

static void ioapic(Object *obj, Hmp *h)
{
    ioapic_describe(CAST(IoApic, obj), h->out);
}

static bool info_pic(Hmp *h, Error **err)
{
    each_object((Object *)h->m, &IoApic_class, ioapic, h);
    return describe(h, &Pic_class, pic, "8259", err);
}

static bool info_ioapic(Hmp *h, Error **err)
{
    return describe(h, &IoApic_class, ioapic, "I/O APIC", err);
}

static bool info_lapic(Hmp *h, Error **err)
{
    uint64_t n = h->cpu;
    Vcpu *cpu;

    if (!hmp_cpu(h, err) || (hmp_more(h) && !hmp_number(h, &n, err))) {
        return false;
    }
    if (n >= machine_cpu_count(h->m)) {
        return error_set(err, "there is no CPU %" PRIu64, n);
    }
    cpu = machine_cpu(h->m, n);
    if (!cpu->intc || !object_is(cpu->intc, &Lapic_class)) {
        return error_set(err, "CPU %" PRIu64 " has no local APIC", n);
    }
    lapic_describe(CAST(Lapic, cpu->intc), h->out);
    return true;
}

/* ---- counts ---- */

static void input(const Pin *pin, unsigned n, bool level, uint64_t rises, void *opaque)
{
    if (rises) {
        hmp_say(opaque, "%3u: %" PRIu64 "%s\n", n, rises, level ? " (high)" : "");
    }
}

static void inputs(Object *obj, Hmp *h)
{
    hmp_say(h, "IRQ statistics for %s (%s):\n", obj->name, obj->class->name);
    irq_each_input((Device *)obj, input, h);
}

static bool info_irq(Hmp *h, Error **err)
{
    each_object((Object *)h->m, &IoApic_class, inputs, h);
    return describe(h, &Pic_class, inputs, "interrupt controller", err);
}

/* clang-format off */
static const HmpCommand commands[] = {
    {"irq", NULL, "how often each input of the interrupt controllers rose", info_irq, .info = true, .looks = true},
    {"pic", NULL, "the interrupt controllers of the board: I/O APIC and 8259s", info_pic, .info = true, .looks = true},
    {"ioapic", NULL, "the I/O APIC", info_ioapic, .info = true, .looks = true},
    {"lapic", "[CPU]", "the local APIC of the chosen vCPU, or of one", info_lapic, .info = true, .looks = true},
    {0},
};
/* clang-format on */
HMP_COMMANDS(commands);
