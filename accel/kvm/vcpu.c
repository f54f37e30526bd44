/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vCPUs in the kernel: making one, running it, what its exits mean (Documentation/virt/kvm/api.rst,
 * section 5, "The kvm_run structure"). Exits for ports and MMIO are served here, in the loop around
 * KVM_RUN; what concerns everybody (stop, reset, errors) goes up to accel/common.
 *
 *   state newer here (changed) --push--> kernel --KVM_RUN--> newer there (stale) --pull--> here
 *
 * A kick sets immediate_exit, which the kernel looks at before it enters the guest, and sends the
 * signal, which brings it out: between them no moment is missed.
 *
 * Not modelled: the A20 gate (the kernel has no such mask).
 */
#include "accel/kvm/kvm.h"
#include "softmmu/run/clock.h"
#include "softmmu/run/run.h"
#include "target/i386/cpu.h"
#include "target/i386/disas.h"
#include "target/i386/model.h"
#include "target/i386/pv.h"
#include "target/i386/shutdown.h"
#include "util/trace.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- life ---- */

static bool setup_mce(const Kvm *k, KvmCpu *c)
{
    uint64_t caps = 0, want;

    if (!kvm_check(k, KVM_CAP_MCE) || ioctl(k->fd, KVM_X86_GET_MCE_CAP_SUPPORTED, &caps) < 0) {
        return false;
    }
    want = MIN((unsigned)kvm_check(k, KVM_CAP_MCE), MCE_BANKS) | (caps & (1 << 8));
    return ioctl(c->fd, KVM_X86_SETUP_MCE, &want) == 0;
}

/* Hyper-V's interrupt controller beside the local APIC; its timers need nothing more. */
static bool synic(Vcpu *cpu, KvmCpu *c, Error **err)
{
    struct kvm_enable_cap cap = {.cap = KVM_CAP_HYPERV_SYNIC2};

    return !(cpu_model(cpu)->hv & HV_SYNIC) || ioctl(c->fd, KVM_ENABLE_CAP, &cap) == 0 ||
           error_errno(err, errno, "hv-synic");
}

static bool tsc_frequency(Vcpu *cpu, const Kvm *k, KvmCpu *c, Error **err)
{
    uint64_t want = cpu_tsc_hz(cpu) / 1000, have = MAX(ioctl(c->fd, KVM_GET_TSC_KHZ, 0), 0);

    if (have && (want > have ? want - have : have - want) <= have / 4000) {
        return true; /* within 250 parts in a million nobody can tell */
    }
    if (have && ioctl(c->fd, KVM_SET_TSC_KHZ, want) < 0) {
        error_set(err, "this host's TSC runs at %" PRIu64 " kHz and cannot show %" PRIu64, have,
                  want);
        return error_hint(err, "leave out -cpu ...,tsc-frequency=, or use -accel tcg");
    }
    return true;
}

static bool make(Vcpu *cpu, Kvm *k, KvmCpu *c, Error **err)
{
    c->fd = ioctl(k->vm, KVM_CREATE_VCPU, (unsigned long)cpu->id);
    if (c->fd < 0) {
        int why = errno;

        error_errno(err, why, "KVM makes no vCPU %u", cpu->id);
        return why == EEXIST
                 ? false
                 : error_hint(err, "it has room for %d, with IDs below %d",
                              kvm_check(k, KVM_CAP_MAX_VCPUS), kvm_check(k, KVM_CAP_MAX_VCPU_ID));
    }
    c->run = mmap(NULL, k->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
    if (c->run == MAP_FAILED) {
        c->run = NULL;
        return error_errno(err, errno, "vCPU %u cannot be mapped", cpu->id);
    }
    c->convert = (KvmConvert){.fd = c->fd,
                              .tsc_base = &k->tsc_base,
                              .has_sregs2 = kvm_check(k, KVM_CAP_SREGS2),
                              .has_xcrs = k->has_xcrs,
                              .has_debugregs = k->has_debugregs};
    setup_mce(k, c);
    if (!kvm_set_cpuid(cpu, err) || !synic(cpu, c, err) || !tsc_frequency(cpu, k, c, err) ||
        !kvm_ring_map(cpu, err)) {
        return false;
    }
    kvm_convert_init(&c->convert, k->cpuid, cpu_model(cpu)->hv & HV_SYNIC);
    return true;
}

bool kvm_vcpu_create(Vcpu *cpu, Error **err)
{
    KvmCpu *c = g_new0(KvmCpu, 1);

    c->fd = c->given = -1;
    c->parked = true; /* time begins with the first run */
    cpu->engine = c;
    cpu->changed = X86_ALL;
    if (make(cpu, kvm_of(cpu), c, err)) {
        return true;
    }
    kvm_vcpu_destroy(cpu);
    return false;
}

void kvm_vcpu_destroy(Vcpu *cpu)
{
    KvmCpu *c = cpu->engine;

    if (c->ring) {
        munmap(c->ring, kvm_of(cpu)->ring_pages * sizeof *c->ring);
    }
    if (c->run) {
        munmap(c->run, kvm_of(cpu)->run_bytes);
    }
    if (c->fd >= 0) {
        close(c->fd);
    }
    g_free(c);
    cpu->engine = NULL;
}

void kvm_vcpu_thread(Vcpu *cpu, bool begins)
{
    if (begins) {
        ((KvmCpu *)cpu->engine)->thread = pthread_self();
    }
}

void kvm_vcpu_kick(Vcpu *cpu)
{
    KvmCpu *c = cpu->engine;

    if (c && c->run) {
        __atomic_store_n(&c->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
        if (vcpu_current() != cpu && atomic_load(&c->in_kernel)) {
            pthread_kill(c->thread, SIGRTMIN);
        }
    }
}

/* ---- the state ---- */

static void complain(Vcpu *cpu, const char *what, Error *err)
{
    g_printerr("kvm: cpu %u: %s: %s\n", cpu->id, what, error_text(err));
    error_free(err);
}

/* A vector that was handed over but not yet delivered is not among the kernel's events. Delivery
 * would have moved both registers. */
static void remember_given(Vcpu *cpu, KvmCpu *c)
{
    X86State *s = cpu->state;

    if (c->given >= 0 && !s->taken && s->rip == c->given_rip && s->gpr[R_SP] == c->given_rsp) {
        s->taken = 0x100 | c->given;
    }
}

/* kvmclock stands while the machine does; the first vCPU that stops or goes on sees to it. */
static void clock_hold(Kvm *k, bool hold)
{
    struct kvm_clock_data now = {0};

    pthread_mutex_lock(&k->clock_mutex);
    if (hold && !k->clock_held && ioctl(k->vm, KVM_GET_CLOCK, &now) == 0) {
        k->clock_ns = now.clock;
        k->held_at = clock_now(machine_clock(k->accel.machine, CLOCK_GUEST));
        k->clock_held = true;
        kvm_tsc_forget(&k->tsc_base);
    } else if (!hold && k->clock_held) {
        now.clock = kvm_held_clock(k);
        ioctl(k->vm, KVM_SET_CLOCK, &now);
        k->clock_held = false;
    }
    pthread_mutex_unlock(&k->clock_mutex);
}

/* Parked, everything is pulled; then time and events go on from the state. */
void kvm_pull(Vcpu *cpu, uint32_t sections)
{
    KvmCpu *c = cpu->engine;
    uint32_t want = sections & cpu->stale;
    Error *err = NULL;

    if (want && !kvm_state_pull(cpu, &c->convert, want, &err)) {
        complain(cpu, "its state cannot be read", err);
    }
    if (want & X86_EVENTS) {
        remember_given(cpu, c);
    }
    if (want & X86_CONTROL) {
        cpu_mode_changed(cpu_rt(cpu)); /* for disassembly: which kind of code it is */
    }
    cpu->stale &= ~want;
    if (sections == X86_ALL) {
        if (vcpu_current() == cpu) {
            kvm_coalesce_flush(cpu);
        }
        clock_hold(kvm_of(cpu), true);
        c->parked = true;
        cpu->changed |= X86_EVENTS;
    }
}

void kvm_push(Vcpu *cpu, uint32_t sections)
{
    cpu->changed |= sections;
    cpu->stale &= ~sections;
}

/* Before the kernel is asked anything about the guest, and before the guest runs. */
static void flush(Vcpu *cpu, KvmCpu *c)
{
    uint32_t changed = cpu->changed;
    Error *err = NULL;

    if (c->parked) {
        c->parked = false;
        clock_hold(kvm_of(cpu), false);
        if (!(changed & X86_MSRS) && !kvm_tsc_push(cpu, &c->convert, &err)) {
            complain(cpu, "time", err);
            err = NULL;
        }
    }
    if (!changed) {
        return;
    }
    if (changed & X86_EVENTS) {
        c->run->ready_for_interrupt_injection = 0;
        c->run->if_flag = 0;
        c->given = -1;
    }
    if (!kvm_state_push(cpu, &c->convert, changed, &err)) {
        complain(cpu, "its state cannot be set", err);
    }
    cpu->changed = 0;
}

/* A message that arrives in front of the local APIC's state would be overwritten by it, or refused
 * by one that is not yet switched on. From here on the kernel's state is the newer one. */
void kvm_prepare(Vcpu *cpu)
{
    flush(cpu, cpu->engine);
    cpu->stale = X86_ALL;
}

/* ---- interrupts ---- */

bool kvm_irq_window(Vcpu *cpu, bool want)
{
    KvmCpu *c = cpu->engine;
    bool open;

    flush(cpu, c);
    open = c->run->ready_for_interrupt_injection && c->run->if_flag;
    c->run->request_interrupt_window = want && !open;
    return open;
}

void kvm_irq_inject(Vcpu *cpu, uint8_t vector)
{
    KvmCpu *c = cpu->engine;
    struct kvm_interrupt interrupt = {vector};
    struct kvm_regs regs = {0};

    if (ioctl(c->fd, KVM_INTERRUPT, &interrupt) == 0) {
        ioctl(c->fd, KVM_GET_REGS, &regs);
        c->given = vector;
        c->given_rip = regs.rip;
        c->given_rsp = regs.rsp;
    }
    c->run->ready_for_interrupt_injection = 0;
}

/* The kernel holds both back while they are blocked. */
bool kvm_nmi(Vcpu *cpu)
{
    KvmCpu *c = cpu->engine;

    flush(cpu, c);
    return ioctl(c->fd, KVM_NMI) == 0;
}

bool kvm_smi(Vcpu *cpu)
{
    KvmCpu *c = cpu->engine;

    flush(cpu, c);
    if (kvm_of(cpu)->has_smm && ioctl(c->fd, KVM_SMI) < 0) {
        guest_unimp(&cpu->dev, "a system management interrupt under this kernel");
    }
    return true;
}

void kvm_init_event(Vcpu *cpu)
{
    enum { MSI_BASE = 0xfee00000, INIT = 5 << 8, ASSERT = 1 << 14 };

    flush(cpu, cpu->engine);
    kvm_msi(cpu->accel, (MsiMessage){.addr = MSI_BASE | cpu->id << 12, .data = INIT | ASSERT});
}

/* ---- exits ---- */

static Access access_of(Vcpu *cpu, const KvmCpu *c)
{
    return (Access){.cpu = cpu, .smm = c->run->flags & KVM_RUN_X86_SMM};
}

static void serve_port(Vcpu *cpu, KvmCpu *c)
{
    AddressSpace *ports = machine_port_space(cpu->dev.machine);
    struct kvm_run *r = c->run;
    uint8_t *data = (uint8_t *)r + r->io.data_offset;
    Access by = access_of(cpu, c);

    kvm_coalesce_flush(cpu);
    for (uint32_t n = 0; n < r->io.count; n++, data += r->io.size) {
        if (r->io.direction == KVM_EXIT_IO_IN) {
            mem_read(ports, by, r->io.port, data, r->io.size);
        } else {
            mem_write(ports, by, r->io.port, data, r->io.size);
        }
    }
}

static void serve_mmio(Vcpu *cpu, KvmCpu *c)
{
    struct kvm_run *r = c->run;
    Access by = access_of(cpu, c);
    AddressSpace *as =
        by.smm && kvm_of(cpu)->has_smm ? &kvm_of(cpu)->smm_space : machine_space(cpu->dev.machine);

    kvm_coalesce_flush(cpu);
    if (r->mmio.is_write) {
        mem_write(as, by, r->mmio.phys_addr, r->mmio.data, MIN(r->mmio.len, 8));
    } else {
        mem_read(as, by, r->mmio.phys_addr, r->mmio.data, MIN(r->mmio.len, 8));
    }
}

static void serve_eoi(Vcpu *cpu, uint8_t vector)
{
    if (cpu->intc_ops && cpu->intc_ops->eoi) {
        cpu->intc_ops->eoi(cpu->intc, vector);
    }
}

static void add_code(Vcpu *cpu, GString *out)
{
    const X86State *s = cpu->state;
    uint8_t bytes[15];
    unsigned n = cpu_peek(cpu, s->seg[SEG_CS].base + s->rip, bytes, sizeof bytes);

    g_string_append(out, "instruction bytes there:");
    for (unsigned i = 0; i < n; i++) {
        g_string_append_printf(out, " %02x", bytes[i]);
    }
    g_string_append(out, n ? "\n" : " not in memory\n");
}

/* What the kernel said, the instruction and the registers: all that a report needs. */
static void report(Vcpu *cpu, KvmCpu *c, VcpuExit *exit, const char *what)
{
    g_autoptr(GString) out = g_string_new("");
    g_autofree char *registers = NULL;

    kvm_pull(cpu, X86_ALL & ~X86_LAPIC);
    registers = cpu_registers(cpu->state);
    g_string_append_printf(out, "%s\n", what);
    add_code(cpu, out);
    g_string_append(out, registers);
    *exit = (VcpuExit){.kind = EXIT_ERROR, .error.text = g_intern_string(out->str)};
}

static void internal_error(Vcpu *cpu, KvmCpu *c, VcpuExit *exit)
{
    struct kvm_run *r = c->run;
    g_autofree char *what = NULL;

    if (r->internal.suberror == KVM_INTERNAL_ERROR_EMULATION) {
        what = g_strdup("KVM could not execute an instruction that it has to emulate");
    } else {
        what = g_strdup_printf("KVM reports internal error %u", r->internal.suberror);
    }
    report(cpu, c, exit, what);
}

static void fail_entry(Vcpu *cpu, KvmCpu *c, VcpuExit *exit)
{
    g_autofree char *what =
        g_strdup_printf("the processor refuses to run the guest, reason %#" PRIx64,
                        (uint64_t)c->run->fail_entry.hardware_entry_failure_reason);

    report(cpu, c, exit, what);
}

static void system_event(const struct kvm_run *r, VcpuExit *exit)
{
    exit->kind = EXIT_SYSTEM;
    exit->system.what = r->system_event.type == KVM_SYSTEM_EVENT_RESET    ? SYSTEM_RESET
                      : r->system_event.type == KVM_SYSTEM_EVENT_SHUTDOWN ? SYSTEM_OFF
                                                                          : SYSTEM_CRASH;
}

/* What the kernel does not serve of Hyper-V is VMBus, which nobody has here: calls of it are not
 * known, and where the controller's pages are is the kernel's affair. */
static void serve_hyperv(struct kvm_run *r)
{
    enum { INVALID_HYPERCALL_CODE = 2 };

    if (r->hyperv.type == KVM_EXIT_HYPERV_HCALL) {
        r->hyperv.u.hcall.result = INVALID_HYPERCALL_CODE;
    }
}

/* true: served here, run on. */
static bool serve(Vcpu *cpu, KvmCpu *c, VcpuExit *exit)
{
    struct kvm_run *r = c->run;

    switch (r->exit_reason) {
    case KVM_EXIT_IO:
        serve_port(cpu, c);
        return true;
    case KVM_EXIT_MMIO:
        serve_mmio(cpu, c);
        return true;
    case KVM_EXIT_IOAPIC_EOI:
        serve_eoi(cpu, r->eoi.vector);
        return true;
    case KVM_EXIT_HYPERV:
        serve_hyperv(r);
        return true;
    case KVM_EXIT_DIRTY_RING_FULL:
        kvm_ring_harvest(kvm_of(cpu));
        return true;
    case KVM_EXIT_IRQ_WINDOW_OPEN:
        exit->kind = EXIT_IRQ_WINDOW;
        return false;
    case KVM_EXIT_SHUTDOWN:
        kvm_pull(cpu, X86_ALL & ~X86_LAPIC);
        shutdown_report(cpu);
        exit->kind = EXIT_SHUTDOWN;
        return false;
    case KVM_EXIT_SYSTEM_EVENT:
        system_event(r, exit);
        return false;
    case KVM_EXIT_DEBUG:
        *exit = (VcpuExit){.kind = EXIT_DEBUG, .debug = kvm_debug_hit(cpu)};
        return false;
    case KVM_EXIT_INTERNAL_ERROR:
        internal_error(cpu, c, exit);
        return false;
    case KVM_EXIT_FAIL_ENTRY:
        fail_entry(cpu, c, exit);
        return false;
    case KVM_EXIT_INTR:
        exit->kind = EXIT_KICK;
        return false;
    default:
        report(cpu, c, exit, "KVM comes back for a reason that is not known here");
        return false;
    }
}

static bool failed(Vcpu *cpu, KvmCpu *c, VcpuExit *exit, int why)
{
    g_autofree char *what = NULL;

    if (why == EINTR || why == EAGAIN) {
        exit->kind = EXIT_KICK;
        return false;
    }
    what = g_strdup_printf("KVM cannot run the guest: %s", g_strerror(why));
    report(cpu, c, exit, what);
    return false;
}

/* Is there anything that only the loop around us sees to? A line that is high waits for its window,
 * which the kernel reports. */
static bool wanted_outside(Vcpu *cpu, const KvmCpu *c)
{
    uint32_t e = atomic_load(&cpu->events);

    return e & ~VCPU_INTR || (e & VCPU_INTR && !c->run->request_interrupt_window) || cpu->work ||
           __atomic_load_n(&c->run->immediate_exit, __ATOMIC_SEQ_CST);
}

/* One round. An access that was served is taken up by the next round, even by one that is not to
 * enter the guest: so the loop ends behind a round without one, and the state is whole. */
static bool round_trip(Vcpu *cpu, KvmCpu *c, VcpuExit *exit)
{
    int got, why;

    vcpu_enter(cpu);
    atomic_store(&c->in_kernel, true);
    got = ioctl(c->fd, KVM_RUN, 0);
    why = errno;
    atomic_store(&c->in_kernel, false);
    vcpu_leave(cpu);
    cpu->stale = X86_ALL;
    if (got < 0) {
        return failed(cpu, c, exit, why);
    }
    c->given = -1;
    return serve(cpu, c, exit);
}

void kvm_vcpu_run(Vcpu *cpu, VcpuExit *exit)
{
    KvmCpu *c = cpu->engine;

    flush(cpu, c);
    while (round_trip(cpu, c, exit)) {
        if (wanted_outside(cpu, c)) {
            __atomic_store_n(&c->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
        }
    }
    __atomic_store_n(&c->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
}
