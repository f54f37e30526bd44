/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The world around the run-time library: its table of functions (target/i386/rt/host.h). All are
 * called on the vCPU's thread, inside, with the guest's FPU put away. Whatever takes the machine's
 * lock or runs device code steps outside first, so a device may stop the world.
 */
#include "accel/tcg/host.h"

#include "accel/tcg/perf.h"
#include "accel/tcg/window.h"
#include "softmmu/run/clock.h"
#include "softmmu/run/run.h"
#include "target/i386/cpu.h"
#include "target/i386/disas.h"
#include "target/i386/pv.h"
#include "target/i386/rt/rt.h"
#include "target/i386/translate/cache_host.h"
#include "util/log.h"
#include "util/trace.h"

static Vcpu *vcpu_of(Cpu *c)
{
    return c->vcpu;
}

static Access access_of(Cpu *c)
{
    return (Access){.cpu = vcpu_of(c), .smm = c->s.smm};
}

/* ---- memory and ports ---- */

static void host_page(Cpu *c, uint64_t phys, PhysPage *out)
{
    MemPage page;

    *out = (PhysPage){.phys = phys};
    if (mem_page(&vcpu_of(c)->memory, phys, &page)) {
        out->host = page.host;
        out->ram = page.ram;
        out->ram_at = page.at;
        out->code = &page.ram->code[page.at / GUEST_PAGE];
        out->warmth = page.ram->warmth;
        out->readonly = page.readonly;
        out->before = page.before;
        out->after = page.after;
        out->logged = page.ram->logged & ~DIRTY_CODE;
    }
}

/* The device is looked up while the view stays as it is, and called outside. */
static uint64_t device_access(Cpu *c, AddressSpace *as, uint64_t addr, uint64_t value,
                              unsigned size, bool write)
{
    Vcpu *cpu = vcpu_of(c);
    MemTarget target;
    bool one = mem_target(as, addr, size, write, &target);

    vcpu_leave(cpu);
    if (one) {
        mem_target_call(target, access_of(c), &value, size, write);
    } else if (write) {
        mem_write(as, access_of(c), addr, &value, size);
    } else {
        mem_read(as, access_of(c), addr, &value, size);
    }
    vcpu_enter(cpu);
    return value;
}

static uint64_t host_mmio_read(Cpu *c, uint64_t phys, unsigned size)
{
    return device_access(c, &vcpu_of(c)->memory, phys, 0, size, false);
}

static void host_mmio_write(Cpu *c, uint64_t phys, uint64_t value, unsigned size)
{
    device_access(c, &vcpu_of(c)->memory, phys, value, size, true);
}

static AddressSpace *ports_of(Cpu *c)
{
    return machine_port_space(vcpu_of(c)->dev.machine);
}

static uint32_t host_port_read(Cpu *c, uint16_t port, unsigned size)
{
    return device_access(c, ports_of(c), port, 0, size, false);
}

static void host_port_write(Cpu *c, uint16_t port, uint32_t value, unsigned size)
{
    device_access(c, ports_of(c), port, value, size, true);
}

static void host_dirty(Cpu *c, const PhysPage *page, unsigned offset, unsigned size)
{
    ram_mark(page->ram, page->ram_at + offset, size);
}

/* ---- other vCPUs ---- */

typedef struct DropWrites {
    Machine *m;
    const uint8_t *host;
} DropWrites;

static void drop_writes(void *opaque)
{
    DropWrites *d = opaque;

    for (unsigned i = 0; i < machine_cpu_count(d->m); i++) {
        tlb_drop_writes_to(cpu_rt(machine_cpu(d->m, i)), d->host);
    }
}

static void host_code_page(Cpu *c, const uint8_t *host)
{
    Vcpu *cpu = vcpu_of(c);
    DropWrites d = {cpu->dev.machine, host};

    if (machine_cpu_count(cpu->dev.machine) == 1) {
        tlb_drop_writes_to(c, host);
        return;
    }
    if (((const Tcg *)cpu->accel)->unstopped) {
        drop_writes(&d);
        return;
    }
    vcpu_leave(cpu);
    vcpus_exclusive(cpu->dev.machine, drop_writes, &d);
    vcpu_enter(cpu);
}

static void host_ram_warm(Cpu *c, const PhysPage *page)
{
    ram_gather(page->ram, page->ram_at);
}

static void host_code_grown(Cpu *c)
{
    code_cache_gather(c->code);
}

typedef struct Exclusive {
    Cpu *c;
    void (*fn)(Cpu *c, void *opaque);
    void *opaque;
} Exclusive;

static void run_exclusive(void *opaque)
{
    Exclusive *e = opaque;

    e->fn(e->c, e->opaque);
}

static void host_exclusive(Cpu *c, void (*fn)(Cpu *c, void *opaque), void *opaque)
{
    Exclusive e = {c, fn, opaque};

    vcpu_leave(vcpu_of(c));
    vcpus_exclusive(vcpu_of(c)->dev.machine, run_exclusive, &e);
    vcpu_enter(vcpu_of(c));
}

/* ---- the LAPIC ---- */

static bool host_apic_msr_read(Cpu *c, uint32_t index, uint64_t *value)
{
    Vcpu *cpu = vcpu_of(c);
    bool ok = false;

    if (cpu->intc_ops) {
        vcpu_leave(cpu);
        ok = cpu->intc_ops->msr_read(cpu->intc, index, value);
        vcpu_enter(cpu);
    }
    return ok;
}

static bool host_apic_msr_write(Cpu *c, uint32_t index, uint64_t value)
{
    Vcpu *cpu = vcpu_of(c);
    bool ok = false;

    if (cpu->intc_ops) {
        vcpu_leave(cpu);
        ok = cpu->intc_ops->msr_write(cpu->intc, index, value);
        vcpu_enter(cpu);
    }
    return ok;
}

static uint8_t host_tpr(Cpu *c)
{
    Vcpu *cpu = vcpu_of(c);
    uint8_t tpr = 0;

    if (cpu->intc_ops) {
        vcpu_leave(cpu);
        tpr = cpu->intc_ops->tpr(cpu->intc);
        vcpu_enter(cpu);
    }
    return tpr;
}

static void host_set_tpr(Cpu *c, uint8_t tpr)
{
    Vcpu *cpu = vcpu_of(c);

    if (cpu->intc_ops) {
        vcpu_leave(cpu);
        cpu->intc_ops->set_tpr(cpu->intc, tpr);
        vcpu_enter(cpu);
    }
}

/* ---- paravirtual registers ---- */

static bool host_pv_msr_read(Cpu *c, uint32_t index, uint64_t *value)
{
    bool ok;

    vcpu_leave(vcpu_of(c));
    ok = pv_msr_read(vcpu_of(c), index, value);
    vcpu_enter(vcpu_of(c));
    return ok;
}

static bool host_pv_msr_write(Cpu *c, uint32_t index, uint64_t value)
{
    bool ok;

    vcpu_leave(vcpu_of(c));
    ok = pv_msr_write(vcpu_of(c), index, value);
    vcpu_enter(vcpu_of(c));
    return ok;
}

static void host_pv_refresh(Cpu *c)
{
    vcpu_leave(vcpu_of(c));
    pv_refresh(vcpu_of(c));
    vcpu_enter(vcpu_of(c));
}

/* ---- time, randomness, identity ---- */

static uint64_t host_tsc(Cpu *c)
{
    return cpu_tsc(vcpu_of(c));
}

static bool host_random(Cpu *c, uint64_t *value)
{
    machine_random(vcpu_of(c)->dev.machine, value, sizeof *value);
    return true;
}

static void host_cpuid(Cpu *c, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    cpu_cpuid(vcpu_of(c), leaf, subleaf, out);
}

/* ---- logs ---- */

static void host_log_interrupt(Cpu *c, const LastException *e)
{
    static const char *const kinds[] = {"exception", "interrupt", "int", "int", "int1"};

    if (log_on(LOG_INT)) {
        log_printf(
            "cpu%u: %s %#x error %#x at %#x:%#" PRIx64 " rsp %#" PRIx64 " cr2 %#" PRIx64 "\n",
            vcpu_of(c)->id, kinds[e->kind], e->vector, e->error, e->cs, e->rip, e->rsp, e->cr2);
    }
}

static void host_log_exec(Cpu *c, uint64_t rip)
{
    if (log_on(LOG_EXEC)) {
        log_printf("cpu%u: %#x:%#" PRIx64 "\n", vcpu_of(c)->id, c->s.seg[SEG_CS].selector, rip);
    }
}

/* A line for each instruction of a block that was just decoded. */
static void host_log_code(Cpu *c, uint64_t rip, const uint8_t *bytes, unsigned size)
{
    g_autoptr(GString) out = g_string_new("----\n");
    Insn insn;

    for (unsigned at = 0; at < size && log_on(LOG_IN_ASM); at += MAX(insn.len, 1)) {
        g_autofree char *text = disassemble(c->code_size, bytes + at, size - at, rip + at);

        g_string_append_printf(out, "%#" PRIx64 ":  %s\n", rip + at, text);
        if (decode(c->code_size, bytes + at, size - at, &insn) != DECODE_OK) {
            break;
        }
    }
    if (log_on(LOG_IN_ASM)) {
        log_printf("%s", out->str);
    }
}

/* -d out_asm, and a line for perf. */
static void host_log_made(Cpu *c, uint64_t rip, const uint8_t *code, unsigned size)
{
    g_autoptr(GString) out = g_string_new(NULL);
    Insn insn;

    const Tcg *tcg = (const Tcg *)vcpu_of(c)->accel;

    perf_code(tcg, rip, code, size);
    if (!log_on(LOG_OUT_ASM)) {
        return;
    }
    g_string_printf(out, "OUT: %#" PRIx64 ", %u bytes\n", rip, size);
    for (unsigned at = 0; at < size; at += MAX(insn.len, 1)) {
        g_autofree char *text = disassemble(CODE_64, code + at, size - at, (uintptr_t)code + at);

        g_string_append_printf(out, "%#" PRIxPTR ":  %s\n", (uintptr_t)code + at, text);
        if (decode(CODE_64, code + at, size - at, &insn) != DECODE_OK) {
            break;
        }
    }
    log_printf("%s", out->str);
}

static void host_unimplemented(Cpu *c, const char *what, uint64_t value)
{
    guest_unimp(&vcpu_of(c)->dev, "%s %#" PRIx64, what, value);
}

static void host_ferr(Cpu *c)
{
    vcpu_leave(vcpu_of(c));
    cpu_ferr(vcpu_of(c));
    vcpu_enter(vcpu_of(c));
}

static void host_smm_changed(Cpu *c)
{
    vcpu_leave(vcpu_of(c));
    vcpu_smm(vcpu_of(c), c->s.smm);
    if (!c->s.smm && c->s.init_pending) { /* was held back */
        vcpu_event(vcpu_of(c), VCPU_INIT);
    }
    vcpu_enter(vcpu_of(c));
}

/* clang-format off */
#define COMMON \
    .page = host_page, \
    .mmio_read = host_mmio_read, \
    .mmio_write = host_mmio_write, \
    .port_read = host_port_read, \
    .port_write = host_port_write, \
    .dirty = host_dirty, \
    .code_page = host_code_page, \
    .ram_warm = host_ram_warm, \
    .code_grown = host_code_grown, \
    .exclusive = host_exclusive, \
    .apic_msr_read = host_apic_msr_read, \
    .apic_msr_write = host_apic_msr_write, \
    .tpr = host_tpr, \
    .set_tpr = host_set_tpr, \
    .pv_msr_read = host_pv_msr_read, \
    .pv_msr_write = host_pv_msr_write, \
    .pv_refresh = host_pv_refresh, \
    .tsc = host_tsc, \
    .random = host_random, \
    .cpuid = host_cpuid, \
    .cpu_time = window_host_cpu_time, \
    .window_differs = window_host_differs, \
    .window_map = window_host_map, \
    .window_unmap = window_host_unmap, \
    .window_close = window_host_close, \
    .unimplemented = host_unimplemented, \
    .ferr = host_ferr, \
    .smm_changed = host_smm_changed,
/* clang-format on */

const RtHost tcg_host = {COMMON};

/* Events and new blocks, and blocks that run, are told one by one: chosen when a vCPU goes in, or
 * each would pay for the asking. */
const RtHost tcg_host_logs = {
    COMMON.log_interrupt = host_log_interrupt,
    .log_code = host_log_code,
    .log_made = host_log_made,
};

const RtHost tcg_host_exec = {
    COMMON.log_interrupt = host_log_interrupt,
    .log_exec = host_log_exec,
    .log_code = host_log_code,
};
