/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `info gdt`, `info ldt`, `info idt`, `info tss`, `info exceptions`: the tables that a CPU lives
 * by, as they lie in memory (SDM volume 3, "Segment descriptors", "Gate descriptors", "Task
 * management"), and what went wrong last. Exceptions are known to the software engine only.
 */
#include "monitor/hmp_command.h"
#include "target/i386/shutdown.h"

#include <string.h>

enum { SYSTEM_LDT = 2, TASK_GATE = 5, VECTORS = 256, MOST_ENTRIES = 8192 };

static Vcpu *table_cpu(Hmp *h, Error **err)
{
    Vcpu *cpu = hmp_cpu(h, err);

    if (cpu && !cpu->state) {
        error_set(err, "the engine keeps no registers");
        return NULL;
    }
    return cpu;
}

static bool is_long(const X86State *s)
{
    return s->efer & EFER_LMA;
}

static bool is_protected(const X86State *s)
{
    return s->cr0 & CR0_PE;
}

/* ---- descriptors ---- */

static const char *system_name(unsigned type, bool lma)
{
    static const char *const names[16] = {[1] = "16-bit TSS, available",
                                          [2] = "LDT",
                                          [3] = "16-bit TSS, busy",
                                          [4] = "16-bit call gate",
                                          [5] = "task gate",
                                          [6] = "16-bit interrupt gate",
                                          [7] = "16-bit trap gate",
                                          [9] = "32-bit TSS, available",
                                          [11] = "32-bit TSS, busy",
                                          [12] = "32-bit call gate",
                                          [14] = "32-bit interrupt gate",
                                          [15] = "32-bit trap gate"};
    static const char *const wide[16] = {[2] = "LDT",
                                         [9] = "64-bit TSS, available",
                                         [11] = "64-bit TSS, busy",
                                         [12] = "64-bit call gate",
                                         [14] = "64-bit interrupt gate",
                                         [15] = "64-bit trap gate"};

    return (lma ? wide : names)[type] ?: "reserved type";
}

static void add_segment(GString *out, uint64_t raw)
{
    uint64_t base = (raw >> 16 & 0xffffff) | (raw >> 32 & 0xff000000);
    uint32_t limit = (raw & 0xffff) | (raw >> 32 & 0xf0000);
    unsigned attr = raw >> 40 & 0xf0ff;
    bool code = attr & ATTR_CODE;

    limit = attr & ATTR_G ? limit << 12 | 0xfff : limit;
    g_string_append_printf(out, "%s, %s, base %08" PRIx64 " limit %08x", code ? "code" : "data",
                           code && attr & ATTR_L ? "64-bit"
                           : attr & ATTR_DB      ? "32-bit"
                                                 : "16-bit",
                           base, limit);
    if (code) {
        g_string_append_printf(out, "%s%s", attr & ATTR_WRITE_READ ? ", readable" : "",
                               attr & ATTR_DOWN_CONFORM ? ", conforming" : "");
    } else {
        g_string_append_printf(out, "%s%s", attr & ATTR_WRITE_READ ? ", writable" : "",
                               attr & ATTR_DOWN_CONFORM ? ", expands down" : "");
    }
    g_string_append(out, attr & ATTR_ACCESSED ? ", accessed" : "");
}

/* true: it has two entries. */
static bool add_system(GString *out, uint64_t raw, uint64_t second, bool lma)
{
    unsigned type = raw >> 40 & 15;
    uint64_t offset = (raw & 0xffff) | (raw >> 32 & 0xffff0000);
    uint64_t base = (raw >> 16 & 0xffffff) | (raw >> 32 & 0xff000000);
    uint32_t limit = (raw & 0xffff) | (raw >> 32 & 0xf0000);
    bool wide = lma && strcmp(system_name(type, true), "reserved type");

    g_string_append(out, system_name(type, lma));
    if ((type & 7) >= 4) {
        g_string_append_printf(out, ", target %04x:%0*" PRIx64, (unsigned)(raw >> 16 & 0xffff),
                               lma ? 16 : 8, wide ? offset | second << 32 : offset);
    } else {
        g_string_append_printf(out, ", base %0*" PRIx64 " limit %08x", lma ? 16 : 8,
                               wide ? base | second << 32 : base,
                               raw >> 55 & 1 ? limit << 12 | 0xfff : limit);
    }
    return wide;
}

/* Returns how many entries it took. */
static unsigned add_descriptor(GString *out, unsigned selector, uint64_t raw, uint64_t second,
                               bool lma)
{
    bool two = false;

    g_string_append_printf(out, "%04x  %016" PRIx64 "  ", selector, raw);
    if (raw >> 44 & 1) {
        add_segment(out, raw);
    } else {
        two = add_system(out, raw, second, lma);
    }
    g_string_append_printf(out, ", DPL %u%s\n", (unsigned)(raw >> 45 & 3),
                           raw >> 47 & 1 ? "" : ", NOT PRESENT");
    return two ? 2 : 1;
}

/* Empty entries are left out. */
static void list_table(Hmp *h, Vcpu *cpu, uint64_t base, uint32_t limit, unsigned ti)
{
    unsigned count = MIN((limit + 1) / 8, MOST_ENTRIES);

    for (unsigned i = 0; i < count;) {
        uint64_t raw[2] = {0, 0};

        if (cpu_peek(cpu, base + i * 8, raw, i + 1 < count ? 16 : 8) < 8) {
            hmp_say(h, "%04x  not in memory\n", i * 8 | ti);
            return;
        }
        i += raw[0] ? add_descriptor(h->out, i * 8 | ti, raw[0], raw[1], is_long(cpu->state)) : 1;
    }
}

static bool info_gdt(Hmp *h, Error **err)
{
    Vcpu *cpu = table_cpu(h, err);

    if (!cpu) {
        return false;
    }
    hmp_say(h, "GDT at 0x%" PRIx64 ", limit %#x%s\n", cpu->state->gdtr.base, cpu->state->gdtr.limit,
            is_protected(cpu->state) ? "" : " (not used in real mode)");
    list_table(h, cpu, cpu->state->gdtr.base, cpu->state->gdtr.limit, 0);
    return true;
}

static bool info_ldt(Hmp *h, Error **err)
{
    Vcpu *cpu = table_cpu(h, err);
    const X86Segment *ldt = cpu ? &cpu->state->seg[SEG_LDTR] : NULL;

    if (!cpu) {
        return false;
    }
    if (!(ldt->selector & ~3) || !(ldt->attr & ATTR_P)) {
        hmp_say(h, "there is no LDT\n");
        return true;
    }
    hmp_say(h, "LDT %04x at %#" PRIx64 ", limit %#x\n", ldt->selector, ldt->base, ldt->limit);
    list_table(h, cpu, ldt->base, ldt->limit, 4);
    return true;
}

/* ---- the IDT ---- */

static void add_vector_real(Hmp *h, Vcpu *cpu, unsigned vector)
{
    uint16_t at[2];

    if (cpu_peek(cpu, cpu->state->idtr.base + vector * 4, at, 4) == 4) {
        hmp_say(h, "%02x  %04x:%04x\n", vector, at[1], at[0]);
    }
}

/* false: not in memory. */
static bool add_gate(Hmp *h, Vcpu *cpu, unsigned vector)
{
    bool lma = is_long(cpu->state);
    unsigned bytes = lma ? 16 : 8, type;
    uint64_t raw[2] = {0, 0}, offset;

    if (cpu_peek(cpu, cpu->state->idtr.base + vector * bytes, raw, bytes) < bytes) {
        hmp_say(h, "%02x  not in memory\n", vector);
        return false;
    }
    if (!raw[0]) {
        return true;
    }
    type = raw[0] >> 40 & 15;
    offset = (raw[0] & 0xffff) | (raw[0] >> 32 & 0xffff0000) | (lma ? raw[1] << 32 : 0);
    hmp_say(h, "%02x  %04x:%0*" PRIx64 "  %s, DPL %u", vector, (unsigned)(raw[0] >> 16 & 0xffff),
            lma ? 16 : 8, type == TASK_GATE ? 0 : offset,
            raw[0] >> 44 & 1 ? "no gate" : system_name(type, lma), (unsigned)(raw[0] >> 45 & 3));
    if (lma && raw[0] >> 32 & 7) {
        hmp_say(h, ", IST %u", (unsigned)(raw[0] >> 32 & 7));
    }
    hmp_say(h, "%s\n", raw[0] >> 47 & 1 ? "" : ", NOT PRESENT");
    return true;
}

static bool info_idt(Hmp *h, Error **err)
{
    Vcpu *cpu = table_cpu(h, err);
    bool one = cpu && hmp_more(h);
    uint64_t first = 0;

    if (!cpu || (one && !hmp_number(h, &first, err))) {
        return false;
    }
    if (first >= VECTORS) {
        return error_set(err, "there is no vector %#" PRIx64, first);
    }
    const X86State *s = cpu->state;
    unsigned bytes = !is_protected(s) ? 4 : is_long(s) ? 16 : 8;

    hmp_say(h, "%s at 0x%" PRIx64 ", limit %#x\n", bytes == 4 ? "interrupt vectors" : "IDT",
            s->idtr.base, s->idtr.limit);
    for (unsigned v = first;
         v <= (one ? first : VECTORS - 1) && v * bytes + bytes - 1 <= s->idtr.limit; v++) {
        if (bytes == 4) {
            add_vector_real(h, cpu, v);
        } else if (!add_gate(h, cpu, v)) {
            break;
        }
    }
    return true;
}

/* ---- the TSS ---- */

typedef struct TssField {
    const char *name;
    uint8_t at, bytes;
} TssField;

/* clang-format off */
static const TssField tss64[] = {
    {"RSP0", 4, 8}, {"RSP1", 12, 8}, {"RSP2", 20, 8}, {"IST1", 36, 8}, {"IST2", 44, 8}, {"IST3", 52, 8},
    {"IST4", 60, 8}, {"IST5", 68, 8}, {"IST6", 76, 8}, {"IST7", 84, 8}, {"I/O map at", 102, 2}, {NULL},
};
static const TssField tss32[] = {
    {"link", 0, 2}, {"ESP0", 4, 4}, {"SS0", 8, 2}, {"ESP1", 12, 4}, {"SS1", 16, 2}, {"ESP2", 20, 4}, {"SS2", 24, 2},
    {"CR3", 28, 4}, {"EIP", 32, 4}, {"EFLAGS", 36, 4}, {"EAX", 40, 4}, {"ECX", 44, 4}, {"EDX", 48, 4}, {"EBX", 52, 4},
    {"ESP", 56, 4}, {"EBP", 60, 4}, {"ESI", 64, 4}, {"EDI", 68, 4}, {"ES", 72, 2}, {"CS", 76, 2}, {"SS", 80, 2},
    {"DS", 84, 2}, {"FS", 88, 2}, {"GS", 92, 2}, {"LDT", 96, 2}, {"I/O map at", 102, 2}, {NULL},
};
static const TssField tss16[] = {
    {"link", 0, 2}, {"SP0", 2, 2}, {"SS0", 4, 2}, {"SP1", 6, 2}, {"SS1", 8, 2}, {"SP2", 10, 2}, {"SS2", 12, 2},
    {"IP", 14, 2}, {"FLAGS", 16, 2}, {"AX", 18, 2}, {"CX", 20, 2}, {"DX", 22, 2}, {"BX", 24, 2}, {"SP", 26, 2},
    {"BP", 28, 2}, {"SI", 30, 2}, {"DI", 32, 2}, {"ES", 34, 2}, {"CS", 36, 2}, {"SS", 38, 2}, {"DS", 40, 2},
    {"LDT", 42, 2}, {NULL},
};
/* clang-format on */

static bool info_tss(Hmp *h, Error **err)
{
    Vcpu *cpu = table_cpu(h, err);
    const X86Segment *tr = cpu ? &cpu->state->seg[SEG_TR] : NULL;
    const TssField *f;

    if (!cpu) {
        return false;
    }
    if (!(tr->selector & ~3) || !(tr->attr & ATTR_P)) {
        hmp_say(h, "there is no TSS\n");
        return true;
    }
    f = is_long(cpu->state) ? tss64 : tr->attr & 8 ? tss32 : tss16;
    hmp_say(h, "%s TSS %04x at %#" PRIx64 ", limit %#x\n",
            f == tss64   ? "64-bit"
            : f == tss32 ? "32-bit"
                         : "16-bit",
            tr->selector, tr->base, tr->limit);
    for (; f->name; f++) {
        uint64_t value = 0;

        if (cpu_peek(cpu, tr->base + f->at, &value, f->bytes) < f->bytes) {
            hmp_say(h, "%-10s not in memory\n", f->name);
        } else {
            hmp_say(h, "%-10s %0*" PRIx64 "%s\n", f->name, f->bytes * 2, value,
                    f->bytes == 2 && f->at == 102 && value > tr->limit ? " (there is none)" : "");
        }
    }
    return true;
}

/* ---- exceptions ---- */

static bool info_exceptions(Hmp *h, Error **err)
{
    Vcpu *cpu = table_cpu(h, err);
    const Cpu *c = cpu ? cpu_rt(cpu) : NULL;

    if (!cpu) {
        return false;
    }
    if (!c->last_count) {
        hmp_say(h,
                c->host ? "CPU#%u has had no exception since its reset\n"
                        : "only the software engine (-accel tcg) knows the exceptions of CPU#%u\n",
                cpu->id);
        return true;
    }
    hmp_say(h, "The last exceptions of CPU#%u, oldest first:\n", cpu->id);
    for (unsigned n = MIN(c->last_count, LAST_EXCEPTIONS); n; n--) {
        const LastException *e = &c->last[(c->last_count - n) % LAST_EXCEPTIONS];
        g_autofree char *why = exception_why(e);

        exception_describe(h->out, e);
        if (*why) {
            hmp_say(h, "       %s\n", why);
        }
    }
    return true;
}

/* clang-format off */
static const HmpCommand commands[] = {
    {"gdt", NULL, "the global descriptor table", info_gdt, .info = true, .looks = true},
    {"ldt", NULL, "the local descriptor table", info_ldt, .info = true, .looks = true},
    {"idt", "[VECTOR]", "the interrupt descriptor table (in real mode: the vectors)", info_idt, .info = true, .looks = true},
    {"tss", NULL, "the task state segment", info_tss, .info = true, .looks = true},
    {"exceptions", NULL, "the last exceptions, with address, error code and what was wrong", info_exceptions, .info = true, .looks = true},
    {0},
};
/* clang-format on */
HMP_COMMANDS(commands);
