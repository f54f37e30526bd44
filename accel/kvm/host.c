/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's side of KVM (Documentation/virt/kvm/api.rst of Linux): the device node, the processor,
 * what the kernel offers to guests. Nothing here needs a vCPU.
 * Not modelled: nested virtualisation for the guest (VMX and SVM are not offered).
 */
#include "accel/kvm/kvm.h"
#include "target/i386/features.h"
#include "target/i386/model.h"
#include "target/i386/pv.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { CPUID_MAX = 256, MSRS_MAX = 1024, CPUID_VMX = 1 << 5, CPUID_SVM = 1 << 2 };

/* ---- the node ---- */

int kvm_refused(const char *path, int why, Error **err)
{
    switch (why) {
    case ENOENT:
    case ENXIO:
    case ENODEV:
        error_set(err, "%s: %s", path,
                  why == ENOENT ? "there is no such device" : "no driver answers");
        error_hint(err, "load the module (modprobe kvm_intel, or kvm_amd); in a container, "
                        "pass the device in (--device /dev/kvm)");
        break;
    case EACCES:
    case EPERM:
        error_set(err, "%s: no permission", path);
        error_hint(err, "join its group (sudo usermod -aG kvm $USER, then log in again); in "
                        "a container, also --device /dev/kvm and --group-add keep-groups");
        break;
    case EBUSY:
        error_set(err, "%s: busy", path);
        error_hint(err, "another hypervisor (VirtualBox, VMware) has the processor; stop it");
        break;
    default:
        error_errno(err, why, "%s", path);
    }
    return -1;
}

int kvm_open(const char *path, Error **err)
{
    int fd = open(path, O_RDWR | O_CLOEXEC), version;

    if (fd < 0) {
        return kvm_refused(path, errno, err);
    }
    version = ioctl(fd, KVM_GET_API_VERSION, 0);
    if (version != KVM_API_VERSION) {
        if (version < 0) {
            error_set(err, "%s: is not KVM's device", path);
        } else {
            error_set(err, "%s: KVM's interface is version %d, not %d", path, version,
                      KVM_API_VERSION);
        }
        error_hint(err, "it should be the character device 10:232 (mknod /dev/kvm c 10 232)");
        close(fd);
        return -1;
    }
    return fd;
}

/* ---- the processor ---- */

bool kvm_processor(Error **why_not)
{
    unsigned a, b, c = 0, d, guest = 0;

    if (__get_cpuid(1, &a, &b, &c, &d)) {
        guest = c >> 31;
        if (c & CPUID_VMX) {
            return true;
        }
    }
    if (__get_cpuid(0x80000001, &a, &b, &c, &d) && c & CPUID_SVM) {
        return true;
    }
    error_set(why_not, "this CPU shows neither VT-x nor AMD-V");
    return error_hint(
        why_not, guest ? "this host is a guest itself: its hypervisor must allow nesting "
                         "(kvm_intel or kvm_amd with nested=1, and a CPU model with vmx or svm)"
                       : "switch it on in the firmware's setup (VT-x, SVM)");
}

int kvm_check(const Kvm *k, unsigned cap)
{
    int got = ioctl(k->vm >= 0 ? k->vm : k->fd, KVM_CHECK_EXTENSION, cap);

    return MAX(got, 0);
}

bool kvm_read_lists(Kvm *k, Error **err)
{
    k->msrs = g_malloc0(sizeof *k->msrs + MSRS_MAX * sizeof k->msrs->indices[0]);
    k->msrs->nmsrs = MSRS_MAX;
    k->cpuid = g_malloc0(sizeof *k->cpuid + CPUID_MAX * sizeof k->cpuid->entries[0]);
    k->cpuid->nent = CPUID_MAX;
    if (ioctl(k->fd, KVM_GET_SUPPORTED_CPUID, k->cpuid) < 0) {
        return error_errno(err, errno, "KVM does not tell what CPUID it supports");
    }
    if (ioctl(k->fd, KVM_GET_MSR_INDEX_LIST, k->msrs) < 0) {
        k->msrs->nmsrs = 0;
        return error_errno(err, errno, "KVM does not tell which MSRs it has");
    }
    k->cpuid->nent = MIN(k->cpuid->nent, CPUID_MAX);
    k->msrs->nmsrs = MIN(k->msrs->nmsrs, MSRS_MAX);
    return true;
}

/* ---- CPUID ---- */

const struct kvm_cpuid_entry2 *kvm_supported_leaf(const Kvm *k, uint32_t leaf, uint32_t subleaf)
{
    for (unsigned i = 0; i < k->cpuid->nent; i++) {
        const struct kvm_cpuid_entry2 *e = &k->cpuid->entries[i];

        if (e->function == leaf &&
            (e->index == subleaf || !(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX))) {
            return e;
        }
    }
    return NULL;
}

static uint64_t feature_msr(const Kvm *k, uint32_t index)
{
    struct { /* struct kvm_msrs with room */
        uint32_t nmsrs, pad;
        struct kvm_msr_entry entry;
    } one = {.nmsrs = 1, .entry.index = index};

    return ioctl(k->fd, KVM_GET_MSRS, &one) == 1 ? one.entry.data : 0;
}

/* What the kernel does itself with its LAPIC, whatever the processor has. */
static void add_kernels_own(const Kvm *k, X86Features *f)
{
    feature_set(f, FEATURE_HYPERVISOR, true);
    feature_set(f, FEATURE_APIC, true);
    feature_set(f, FEATURE_ARAT, true);
    feature_set(f, FEATURE_TSC_DEADLINE, kvm_check(k, KVM_CAP_TSC_DEADLINE_TIMER));
    feature_set(f, FEATURE_VMX, false);
    feature_set(f, FEATURE_SVM, false);
    feature_set(f, FEATURE_OSXSAVE, false);
    feature_set(f, FEATURE_OSPKE, false);
}

void kvm_supported_features(const Kvm *k, X86Features *out)
{
    static const struct {
        X86Word word;
        uint8_t reg; /* 0: EAX ... 3: EDX */
        uint32_t leaf, subleaf;
    } words[] = {
        {WORD_1_EDX, 3, 1, 0},
        {WORD_1_ECX, 2, 1, 0},
        {WORD_7_EBX, 1, 7, 0},
        {WORD_7_ECX, 2, 7, 0},
        {WORD_7_EDX, 3, 7, 0},
        {WORD_7_1_EAX, 0, 7, 1},
        {WORD_8000_0001_EDX, 3, 0x80000001, 0},
        {WORD_8000_0001_ECX, 2, 0x80000001, 0},
        {WORD_8000_0007_EDX, 3, 0x80000007, 0},
        {WORD_8000_0008_EBX, 1, 0x80000008, 0},
        {WORD_D_1_EAX, 0, 0xd, 1},
        {WORD_6_EAX, 0, 6, 0},
        {WORD_KVM_EAX, 0, 0x40000001, 0},
        {WORD_8000_0021_EAX, 0, 0x80000021, 0},
    };
    X86Features known = {0};
    uint64_t caps;

    *out = (X86Features){0};
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        const struct kvm_cpuid_entry2 *e = kvm_supported_leaf(k, words[i].leaf, words[i].subleaf);

        if (e) {
            const uint32_t reg[] = {e->eax, e->ebx, e->ecx, e->edx};
            out->word[words[i].word] = reg[words[i].reg];
        }
    }
    caps = feature_has(out, FEATURE_ARCH_CAPABILITIES) ? feature_msr(k, 0x10a) : 0;
    out->word[WORD_ARCH_CAP_LO] = caps;
    out->word[WORD_ARCH_CAP_HI] = caps >> 32;
    add_kernels_own(k, out);
    for (const FeatureRow *r = feature_rows; r->name; r++) { /* bits without a name stay hidden */
        feature_set(&known, r->feature, true);
    }
    for (unsigned w = 0; w < WORD_COUNT; w++) {
        out->word[w] &= known.word[w];
    }
}

uint32_t kvm_enlightenments(Accel *a)
{
    const Kvm *k = (const Kvm *)a;
    g_autofree struct kvm_cpuid2 *list =
        g_malloc0(sizeof *list + CPUID_MAX * sizeof list->entries[0]);
    uint32_t leaf[2][4] = {0};

    list->nent = CPUID_MAX;
    if (!kvm_check(k, KVM_CAP_SYS_HYPERV_CPUID) ||
        ioctl(k->fd, KVM_GET_SUPPORTED_HV_CPUID, list) < 0) {
        return 0; /* before Linux 5.11 it cannot be told without a vCPU */
    }
    for (unsigned i = 0; i < MIN(list->nent, CPUID_MAX); i++) {
        const struct kvm_cpuid_entry2 *e = &list->entries[i];

        if (e->function == 0x40000003 || e->function == 0x40000004) {
            memcpy(leaf[e->function - 0x40000003], (uint32_t[]){e->eax, e->ebx, e->ecx, e->edx},
                   16);
        }
    }
    return pv_hv_offered(leaf[0], leaf[1]);
}

/* ---- what one vCPU shows ---- */

typedef struct Leaves {
    struct kvm_cpuid2 *list;
    Vcpu *cpu;
} Leaves;

static const uint32_t *add_leaf(Leaves *l, uint32_t leaf, uint32_t subleaf, bool indexed)
{
    struct kvm_cpuid_entry2 *e = &l->list->entries[l->list->nent];
    const struct kvm_cpuid_entry2 *kernels = kvm_supported_leaf(kvm_of(l->cpu), leaf, subleaf);
    uint32_t out[4];

    if (l->list->nent == CPUID_MAX) {
        return &l->list->entries[CPUID_MAX - 1].eax;
    }
    cpu_cpuid(l->cpu, leaf, subleaf, out);
    if (leaf == 0xd && subleaf > 1 && out[0] && kernels) { /* where this processor puts it */
        out[0] = kernels->eax;
        out[1] = kernels->ebx;
        out[2] = kernels->ecx;
    }
    if (leaf == 0xd && subleaf == 0 && kernels && out[2] > 576 + 256) {
        out[2] = kernels->ecx;
    }
    *e = (struct kvm_cpuid_entry2){.function = leaf,
                                   .index = subleaf,
                                   .flags = indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
                                   .eax = out[0],
                                   .ebx = out[1],
                                   .ecx = out[2],
                                   .edx = out[3]};
    l->list->nent++;
    return &e->eax;
}

/* Leaves with subleaves: until one says that there are no more. */
static void add_indexed(Leaves *l, uint32_t leaf)
{
    switch (leaf) {
    case 4:
    case 0x8000001d:
        for (unsigned n = 0; n < 8 && *add_leaf(l, leaf, n, true) & 31; n++) {
        }
        break;
    case 7:
        for (unsigned n = 0, last = *add_leaf(l, leaf, 0, true); n < MIN(last, 2); n++) {
            add_leaf(l, leaf, n + 1, true);
        }
        break;
    case 0xb:
        for (unsigned n = 0; n < 3; n++) {
            add_leaf(l, leaf, n, true);
        }
        break;
    case 0xd:
        for (unsigned n = 0; n < 10; n++) {
            add_leaf(l, leaf, n, true);
        }
        break;
    default:
        add_leaf(l, leaf, 0, false);
    }
}

static void add_range(Leaves *l, uint32_t first, uint32_t most)
{
    uint32_t out[4];

    cpu_cpuid(l->cpu, first, 0, out);
    for (uint32_t leaf = first; leaf <= out[0] && leaf - first <= most; leaf++) {
        add_indexed(l, leaf);
    }
}

bool kvm_set_cpuid(Vcpu *cpu, Error **err)
{
    KvmCpu *c = cpu->engine;
    g_autofree struct kvm_cpuid2 *list =
        g_malloc0(sizeof *list + CPUID_MAX * sizeof list->entries[0]);
    Leaves l = {list, cpu};

    add_range(&l, 0, 0x20);
    if (cpu_model(cpu)->hypervisor_leaf) {
        add_range(&l, 0x40000000, 0x20);
        add_range(&l, 0x40000100, 1);
    }
    add_range(&l, 0x80000000, 0x22);
    return ioctl(c->fd, KVM_SET_CPUID2, list) == 0 ||
           error_errno(err, errno, "KVM does not take the CPUID of -cpu %s", cpu_model(cpu)->name);
}
