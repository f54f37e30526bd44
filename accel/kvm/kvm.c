/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine kvm as the machine sees it: Linux's KVM (Documentation/virt/kvm/api.rst) with its
 * local APICs in the kernel and PIC, IOAPIC and PIT ours ("split"). Here: choosing it, making the
 * VM, its options. The rest: host.c (what the host can do, CPUID), slots.c (memory), irq.c, vcpu.c,
 * and target/i386/kvm.c (registers).
 *
 * Not modelled: PIC, IOAPIC and PIT in the kernel (kernel-irqchip=on means split, and says so), the
 * shadow MMU's size (kvm-shadow-mem is accepted), encrypted guests.
 */
#include "accel/kvm/kvm.h"

#include "qom/prop.h"
#include "softmmu/run/clock.h"
#include "softmmu/run/run.h"
#include "util/log.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Pages that VT-x without "unrestricted guest" needs, in the hole below the BIOS. */
static const uint64_t identity_page = 0xfeffc000, tss_pages = 0xfeffd000;

static const char node[] = "/dev/kvm";

/* ---- choosing ---- */

static const char *node_of(const Accel *a)
{
    const char *device = a ? ((const Kvm *)a)->device : NULL;

    return device && *device ? device : node;
}

static bool kvm_usable(const Accel *a, Error **why_not)
{
    int fd = kvm_open(node_of(a), why_not);

    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

/* Some hosts have the device but interpret what they cannot run: nobody should get that unasked. */
static bool kvm_preferred(Error **why_not)
{
    return kvm_processor(why_not);
}

/* ---- the VM ---- */

static bool make_vm(Kvm *k, Error **err)
{
    do {
        k->vm = ioctl(k->fd, KVM_CREATE_VM, 0);
    } while (k->vm < 0 && errno == EINTR);
    if (k->vm < 0 && errno == EBUSY) { /* where the processor is asked for, not at opening */
        kvm_refused(node_of(&k->accel), errno, err);
        return false;
    }
    return k->vm >= 0 || error_errno(err, errno, "KVM makes no virtual machine");
}

static bool need(const Kvm *k, unsigned cap, const char *what, Error **err)
{
    if (kvm_check(k, cap)) {
        return true;
    }
    error_set(err, "this kernel's KVM has no %s", what);
    return error_hint(err, "Linux 4.14 or later has; or use -accel tcg");
}

static bool needs(const Kvm *k, Error **err)
{
    return need(k, KVM_CAP_USER_MEMORY, "memory slots", err) &&
           need(k, KVM_CAP_SPLIT_IRQCHIP, "split interrupt controller", err) &&
           need(k, KVM_CAP_IMMEDIATE_EXIT, "immediate exit", err) &&
           need(k, KVM_CAP_SIGNAL_MSI, "interrupt messages", err) &&
           need(k, KVM_CAP_XSAVE, "access to the FPU's state", err) &&
           need(k, KVM_CAP_VCPU_EVENTS, "access to pending events", err);
}

static bool enable(Kvm *k, unsigned cap, uint64_t value)
{
    struct kvm_enable_cap e = {.cap = cap, .args[0] = value};

    return ioctl(k->vm, KVM_ENABLE_CAP, &e) == 0;
}

static bool enable_ring(Kvm *k, Error **err)
{
    unsigned most = kvm_check(k, KVM_CAP_DIRTY_LOG_RING) / sizeof(struct kvm_dirty_gfn);

    if (!k->dirty_ring) {
        return true;
    }
    if (k->dirty_ring & (k->dirty_ring - 1) || k->dirty_ring < 1024) {
        return error_set(err, "dirty-ring-size=%u is no power of two of at least 1024",
                         k->dirty_ring);
    }
    if (k->dirty_ring > most) {
        return most ? error_set(err, "dirty-ring-size=%u: the kernel takes %u at most",
                                k->dirty_ring, most)
                    : error_set(err, "dirty-ring-size: this kernel has no dirty rings");
    }
    if (!enable(k, KVM_CAP_DIRTY_LOG_RING, k->dirty_ring * sizeof(struct kvm_dirty_gfn))) {
        return error_errno(err, errno, "dirty-ring-size=%u", k->dirty_ring);
    }
    k->ring_pages = k->dirty_ring;
    return true;
}

enum { IRQCHIP_ON, IRQCHIP_OFF, IRQCHIP_SPLIT_ASKED };

static bool enable_irqchip(Kvm *k, Error **err)
{
    if (k->irqchip == IRQCHIP_OFF) {
        error_set(err, "kernel-irqchip=off is not offered: the local APICs are the kernel's");
        return error_hint(err, "leave it out, or use kernel-irqchip=split");
    }
    if (k->irqchip == IRQCHIP_ON) {
        log_printf("kvm: kernel-irqchip=on is taken as split: PIC, IOAPIC and PIT are ours\n");
    }
    return enable(k, KVM_CAP_SPLIT_IRQCHIP, KVM_IOAPIC_PINS) ||
           error_errno(err, errno, "the kernel's interrupt controllers cannot be split");
}

/* Intel's processors want a page of tables and three of a TSS for real mode, before there is a
 * vCPU; AMD's want nothing and say that all is well. */
static bool place_pages(Kvm *k, Error **err)
{
    uint64_t identity = identity_page;

    if (kvm_check(k, KVM_CAP_SET_IDENTITY_MAP_ADDR) &&
        ioctl(k->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0) {
        return error_errno(err, errno, "KVM does not take its page at %#" PRIx64, identity_page);
    }
    if (kvm_check(k, KVM_CAP_SET_TSS_ADDR) &&
        ioctl(k->vm, KVM_SET_TSS_ADDR, (unsigned long)tss_pages) < 0) {
        return error_errno(err, errno, "KVM does not take its TSS at %#" PRIx64, tss_pages);
    }
    return true;
}

static void look_around(Kvm *k)
{
    k->run_bytes = MAX(ioctl(k->fd, KVM_GET_VCPU_MMAP_SIZE, 0), (int)sizeof(struct kvm_run));
    k->max_slots = kvm_check(k, KVM_CAP_NR_MEMSLOTS) ?: 32;
    k->has_smm = kvm_check(k, KVM_CAP_X86_SMM) && kvm_check(k, KVM_CAP_MULTI_ADDRESS_SPACE) > 1;
    k->has_readonly = kvm_check(k, KVM_CAP_READONLY_MEM);
    k->has_debugregs = kvm_check(k, KVM_CAP_DEBUGREGS);
    k->has_xcrs = kvm_check(k, KVM_CAP_XCRS);
    k->routing = g_malloc0(sizeof *k->routing + KVM_ROUTES * sizeof k->routing->entries[0]);
}

static bool kvm_start(Accel *a, Error **err)
{
    Kvm *k = (Kvm *)a;

    k->fd = kvm_open(node_of(a), err);
    if (k->fd < 0 || !needs(k, err) || !make_vm(k, err)) {
        return false;
    }
    look_around(k);
    a->no_smm = !k->has_smm;
    if (!kvm_read_lists(k, err) || !enable_ring(k, err) || !enable_irqchip(k, err) ||
        !place_pages(k, err)) {
        return false;
    }
    kvm_coalesce_start(k);
    kvm_slots_listen(k);
    return true;
}

static void kvm_init(Object *obj)
{
    Kvm *k = (Kvm *)obj;

    k->fd = k->vm = -1;
    pthread_mutex_init(&k->clock_mutex, NULL);
    pthread_mutex_init(&k->tsc_base.mutex, NULL);
}

static void kvm_finalize(Object *obj)
{
    Kvm *k = (Kvm *)obj;

    kvm_slots_stop(k);
    if (k->vm >= 0) {
        close(k->vm);
    }
    if (k->fd >= 0) {
        close(k->fd);
    }
    g_free(k->msrs);
    g_free(k->cpuid);
    g_free(k->routing);
    pthread_mutex_destroy(&k->clock_mutex);
    pthread_mutex_destroy(&k->tsc_base.mutex);
}

static IrqChip kvm_irqchip(Accel *a)
{
    return IRQCHIP_SPLIT;
}

static bool kvm_supported(Accel *a, X86Features *out, Error **err)
{
    kvm_supported_features((Kvm *)a, out);
    return true;
}

static uint64_t kvm_tsc_hz(Accel *a)
{
    Kvm *k = (Kvm *)a;
    int khz = kvm_check(k, KVM_CAP_GET_TSC_KHZ) ? ioctl(k->vm, KVM_GET_TSC_KHZ, 0) : 0;

    return khz > 0 ? khz * 1000ull : 0;
}

/* While the machine stands so does this clock: vcpu.c holds it. Where only the vCPUs stood, and
 * guest time went on, it has gone on, too. */
int64_t kvm_held_clock(const Kvm *k)
{
    return k->clock_ns + clock_now(machine_clock(k->accel.machine, CLOCK_GUEST)) - k->held_at;
}

static int64_t kvm_clock_get(Accel *a)
{
    Kvm *k = (Kvm *)a;
    struct kvm_clock_data now = {0};
    int64_t held = -1;

    pthread_mutex_lock(&k->clock_mutex);
    if (k->clock_held) {
        held = kvm_held_clock(k);
    }
    pthread_mutex_unlock(&k->clock_mutex);
    if (held >= 0) {
        return held;
    }
    return ioctl(k->vm, KVM_GET_CLOCK, &now) == 0 ? (int64_t)now.clock : 0;
}

static void kvm_clock_set(Accel *a, int64_t ns)
{
    Kvm *k = (Kvm *)a;

    pthread_mutex_lock(&k->clock_mutex);
    k->clock_ns = ns;
    k->held_at = clock_now(machine_clock(a->machine, CLOCK_GUEST));
    k->clock_held = true; /* until a vCPU runs */
    pthread_mutex_unlock(&k->clock_mutex);
}

static const char *const irqchips[] = {"on", "off", "split", NULL};

static const Prop kvm_props[] = {
    PROP_ROW(Kvm, "kernel-irqchip", irqchip, &prop_enum,
             "whose interrupt controllers: split (on is taken as split)",
             .dflt = IRQCHIP_SPLIT_ASKED, .choices = irqchips),
    PROP_TEXT(Kvm, device, NULL, "KVM's device node, unless it is /dev/kvm"),
    PROP_AS(Kvm, "dirty-ring-size", dirty_ring, 0,
            "entries of each vCPU's ring of written pages; 0: bitmaps", .max = 1 << 16),
    PROP_AS(Kvm, "kvm-shadow-mem", shadow_mem, 0, "accepted; the kernel chooses", .max = 1ll << 40,
            .unit = UNIT_BYTES),
    PROP_END,
};

const AccelClass Kvm_class = {
    .class = {"kvm-accel", "hardware: VT-x or AMD-V through Linux's KVM", &Accel_class.class,
              sizeof(Kvm), kvm_props, .init = kvm_init, .finalize = kvm_finalize, .alias = "kvm"},
    .caps = ACCEL_DIRTY_LOG | ACCEL_STEP,
    .usable = kvm_usable,
    .preferred = kvm_preferred,
    .supported = kvm_supported,
    .enlightenments = kvm_enlightenments,
    .tsc_hz = kvm_tsc_hz,
    .start = kvm_start,
    .irqchip = kvm_irqchip,
    .vcpu_create = kvm_vcpu_create,
    .vcpu_destroy = kvm_vcpu_destroy,
    .vcpu_run = kvm_vcpu_run,
    .vcpu_kick = kvm_vcpu_kick,
    .vcpu_thread = kvm_vcpu_thread,
    .pull = kvm_pull,
    .push = kvm_push,
    .prepare = kvm_prepare,
    .irq_window = kvm_irq_window,
    .irq_inject = kvm_irq_inject,
    .nmi = kvm_nmi,
    .smi = kvm_smi,
    .init = kvm_init_event,
    .msi = kvm_msi,
    .route = kvm_route,
    .irqfd = kvm_irqfd,
    .clock_get = kvm_clock_get,
    .clock_set = kvm_clock_set,
    .debug = kvm_debug,
};
CLASS(Kvm);
