/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * X86State to and from the structures of Linux's KVM (Documentation/virt/kvm/api.rst), both ways:
 * general, segment, control and debug registers, FPU and XSAVE components, MSRs, local APIC, events
 * and multiprocessing state. The TSC moves as its offset to guest time, so that it stands while the
 * machine does.
 *
 * Not modelled: nested state (VMX and SVM are not offered to guests), CET and AMX components, an
 * exception whose delivery an exit interrupted (the instruction is executed again and raises it
 * again; the kernel has not moved the instruction pointer).
 */
#include "target/i386/kvm.h"

#include "softmmu/run/clock.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

/* ---- general registers ---- */

#define EACH_GPR(X) \
    X(rax, R_AX)    \
    X(rcx, R_CX)    \
    X(rdx, R_DX)    \
    X(rbx, R_BX)    \
    X(rsp, R_SP)    \
    X(rbp, R_BP)    \
    X(rsi, R_SI)    \
    X(rdi, R_DI) X(r8, 8) X(r9, 9) X(r10, 10) X(r11, 11) X(r12, 12) X(r13, 13) X(r14, 14) X(r15, 15)

void kvm_regs_get(const struct kvm_regs *from, X86State *to)
{
#define GET(field, n) to->gpr[n] = from->field;
    EACH_GPR(GET)
#undef GET
    to->rip = from->rip;
    to->rflags = from->rflags;
}

void kvm_regs_put(const X86State *from, struct kvm_regs *to)
{
#define PUT(field, n) to->field = from->gpr[n];
    EACH_GPR(PUT)
#undef PUT
    to->rip = from->rip;
    to->rflags = from->rflags;
}

/* ---- segments, control registers ---- */

void kvm_segment_get(const struct kvm_segment *from, X86Segment *to)
{
    bool present = from->present && !from->unusable;

    *to = (X86Segment){
        .selector = from->selector,
        .limit = from->limit,
        .base = from->base,
        .attr = (from->type & ATTR_TYPE) | (from->s ? ATTR_S : 0) | from->dpl << ATTR_DPL_SHIFT |
                (present ? ATTR_P : 0) | (from->avl ? ATTR_AVL : 0) | (from->l ? ATTR_L : 0) |
                (from->db ? ATTR_DB : 0) | (from->g ? ATTR_G : 0),
    };
}

void kvm_segment_put(const X86Segment *from, struct kvm_segment *to)
{
    *to = (struct kvm_segment){
        .base = from->base,
        .limit = from->limit,
        .selector = from->selector,
        .type = from->attr & ATTR_TYPE,
        .present = !!(from->attr & ATTR_P),
        .dpl = (from->attr & ATTR_DPL) >> ATTR_DPL_SHIFT,
        .db = !!(from->attr & ATTR_DB),
        .s = !!(from->attr & ATTR_S),
        .l = !!(from->attr & ATTR_L),
        .g = !!(from->attr & ATTR_G),
        .avl = !!(from->attr & ATTR_AVL),
        .unusable = !(from->attr & ATTR_P),
    };
}

#define EACH_SEGMENT(X) \
    X(es, SEG_ES)       \
    X(cs, SEG_CS)       \
    X(ss, SEG_SS) X(ds, SEG_DS) X(fs, SEG_FS) X(gs, SEG_GS) X(ldt, SEG_LDTR) X(tr, SEG_TR)

static void sregs_get(const struct kvm_sregs2 *from, X86State *to)
{
#define GET(field, n) kvm_segment_get(&from->field, &to->seg[n]);
    EACH_SEGMENT(GET)
#undef GET
    to->gdtr = (X86Table){from->gdt.base, from->gdt.limit};
    to->idtr = (X86Table){from->idt.base, from->idt.limit};
    to->cr0 = from->cr0;
    to->cr2 = from->cr2;
    to->cr3 = from->cr3;
    to->cr4 = from->cr4;
    to->efer = from->efer & (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
    if (from->flags & KVM_SREGS2_FLAGS_PDPTRS_VALID) {
        memcpy(to->pdpte, from->pdptrs, sizeof to->pdpte);
    }
}

static bool pae_paging(const X86State *s)
{
    return s->cr0 & CR0_PG && s->cr4 & CR4_PAE && !(s->efer & EFER_LMA);
}

static void sregs_put(const X86State *from, const LapicState *l, struct kvm_sregs2 *to)
{
#define PUT(field, n) kvm_segment_put(&from->seg[n], &to->field);
    EACH_SEGMENT(PUT)
#undef PUT
    to->gdt = (struct kvm_dtable){.base = from->gdtr.base, .limit = from->gdtr.limit};
    to->idt = (struct kvm_dtable){.base = from->idtr.base, .limit = from->idtr.limit};
    to->cr0 = from->cr0;
    to->cr2 = from->cr2;
    to->cr3 = from->cr3;
    to->cr4 = from->cr4;
    to->efer = from->efer;
    if (l) {
        to->cr8 = l->tpr >> 4;
        to->apic_base = l->base;
    }
    if (pae_paging(from)) {
        to->flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
        memcpy(to->pdptrs, from->pdpte, sizeof to->pdptrs);
    }
}

/* The old structure is the new one with a bitmap in place of the page-directory pointers. */
static bool sregs_ioctl(const KvmConvert *c, struct kvm_sregs2 *s, bool set)
{
    struct kvm_sregs old = {0};

    if (c->has_sregs2) {
        return ioctl(c->fd, set ? KVM_SET_SREGS2 : KVM_GET_SREGS2, s) >= 0;
    }
    G_STATIC_ASSERT(offsetof(struct kvm_sregs2, flags) ==
                    offsetof(struct kvm_sregs, interrupt_bitmap));
    memcpy(&old, s, offsetof(struct kvm_sregs2, flags));
    if (ioctl(c->fd, set ? KVM_SET_SREGS : KVM_GET_SREGS, &old) < 0) {
        return false;
    }
    memcpy(s, &old, offsetof(struct kvm_sregs2, flags));
    return true;
}

/* ---- FPU ---- */

enum { X_FCW, X_FSW = 2, X_FTW = 4, X_FOP = 6, X_FIP = 8, X_FDP = 16, X_MXCSR = 24, X_ST = 32 };
enum { X_XMM = 160, X_BV = 512, X_AVX = 576, FCW_AT_INIT = 0x37f, MXCSR_MASK = 0xffff };
enum {
    BIT_X87 = 1,
    BIT_SSE = 2,
    COMP_AVX = 2,
    COMP_K = 5,
    COMP_ZMM = 6,
    COMP_HI16 = 7,
    COMP_PKRU = 9
};

static uint64_t used(const KvmConvert *c, uint64_t bv, unsigned component)
{
    return component < 2 || c->offset[component] ? bv >> component & 1 : 0;
}

static void x87_get(const uint8_t *image, X86Fpu *f)
{
    memcpy(&f->fcw, image + X_FCW, 2);
    memcpy(&f->fsw, image + X_FSW, 2);
    f->ftw = image[X_FTW];
    memcpy(&f->fop, image + X_FOP, 2);
    f->fop &= 0x7ff;
    memcpy(&f->fip, image + X_FIP, 8);
    memcpy(&f->fdp, image + X_FDP, 8);
    for (unsigned n = 0; n < 8; n++) {
        memcpy(f->st[n], image + X_ST + 16 * n, 10);
    }
}

void kvm_xsave_get(const KvmConvert *c, const void *from, X86State *to)
{
    const uint8_t *image = from;
    X86Fpu *f = &to->fpu;
    uint64_t bv;

    memcpy(&bv, image + X_BV, 8);
    memset(f, 0, sizeof *f);
    f->fcw = FCW_AT_INIT;
    if (used(c, bv, 0)) {
        x87_get(image, f);
    }
    memcpy(&f->mxcsr, image + X_MXCSR, 4);
    for (unsigned n = 0; n < 16; n++) {
        if (used(c, bv, 1)) {
            memcpy(f->zmm[n], image + X_XMM + 16 * n, 16);
        }
        if (used(c, bv, COMP_AVX)) {
            memcpy(&f->zmm[n][2], image + c->offset[COMP_AVX] + 16 * n, 16);
        }
        if (used(c, bv, COMP_ZMM)) {
            memcpy(&f->zmm[n][4], image + c->offset[COMP_ZMM] + 32 * n, 32);
        }
        if (used(c, bv, COMP_HI16)) {
            memcpy(f->zmm[16 + n], image + c->offset[COMP_HI16] + 64 * n, 64);
        }
    }
    if (used(c, bv, COMP_K)) {
        memcpy(f->k, image + c->offset[COMP_K], sizeof f->k);
    }
    to->pkru = 0;
    if (used(c, bv, COMP_PKRU)) {
        memcpy(&to->pkru, image + c->offset[COMP_PKRU], 4);
    }
    f->xstate_bv = f->xinuse = bv;
}

static uint64_t all_components(const KvmConvert *c)
{
    uint64_t bits = BIT_X87 | BIT_SSE;

    for (unsigned n = COMP_AVX; n < XCOMPONENTS; n++) {
        bits |= c->offset[n] ? 1ull << n : 0;
    }
    return bits;
}

static void x87_put(const X86Fpu *f, uint8_t *image)
{
    memcpy(image + X_FCW, &f->fcw, 2);
    memcpy(image + X_FSW, &f->fsw, 2);
    image[X_FTW] = f->ftw;
    memcpy(image + X_FOP, &f->fop, 2);
    memcpy(image + X_FIP, &f->fip, 8);
    memcpy(image + X_FDP, &f->fdp, 8);
    for (unsigned n = 0; n < 8; n++) {
        memcpy(image + X_ST + 16 * n, f->st[n], 10);
    }
}

/* Every component is given, in use or not: the values say as much. But one that the guest has not
 * enabled in XCR0 could not be taken away by it, so what is all zeros there is left out. */
void kvm_xsave_put(const KvmConvert *c, const X86State *from, void *to)
{
    uint8_t *image = to;
    const X86Fpu *f = &from->fpu;
    uint64_t bv = all_components(c) & (from->fpu.xstate_bv | from->xcr0 | BIT_X87 | BIT_SSE);

    x87_put(f, image);
    memcpy(image + X_MXCSR, &f->mxcsr, 4);
    for (unsigned n = 0; n < 16; n++) {
        memcpy(image + X_XMM + 16 * n, f->zmm[n], 16);
        if (c->offset[COMP_AVX]) {
            memcpy(image + c->offset[COMP_AVX] + 16 * n, &f->zmm[n][2], 16);
        }
        if (c->offset[COMP_ZMM]) {
            memcpy(image + c->offset[COMP_ZMM] + 32 * n, &f->zmm[n][4], 32);
        }
        if (c->offset[COMP_HI16]) {
            memcpy(image + c->offset[COMP_HI16] + 64 * n, f->zmm[16 + n], 64);
        }
    }
    if (c->offset[COMP_K]) {
        memcpy(image + c->offset[COMP_K], f->k, sizeof f->k);
    }
    if (c->offset[COMP_PKRU]) {
        memcpy(image + c->offset[COMP_PKRU], &from->pkru, 4);
    }
    memcpy(image + X_BV, &bv, 8);
}

/* ---- events ---- */

void kvm_events_get(const struct kvm_vcpu_events *from, X86State *to)
{
    to->ss_shadow = from->interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS;
    to->sti_shadow = !to->ss_shadow && from->interrupt.shadow & KVM_X86_SHADOW_INT_STI;
    to->taken = from->interrupt.injected && !from->interrupt.soft ? 0x100 | from->interrupt.nr : 0;
    to->nmi_pending |= from->nmi.pending || from->nmi.injected;
    to->nmi_blocked = from->nmi.masked && !from->nmi.injected;
    to->smm = from->smi.smm;
    to->smi_blocked = from->smi.smm;
    to->smi_pending |= from->smi.pending;
    to->init_pending |= from->smi.latched_init;
    to->dr6_pending = 0;
}

void kvm_events_put(const X86State *from, struct kvm_vcpu_events *to)
{
    *to = (struct kvm_vcpu_events){
        .flags =
            KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_SMM,
        .interrupt = {.injected = from->taken >> 8,
                      .nr = from->taken,
                      .shadow = (from->ss_shadow ? KVM_X86_SHADOW_INT_MOV_SS : 0) |
                                (from->sti_shadow ? KVM_X86_SHADOW_INT_STI : 0)},
        .nmi = {.pending = from->nmi_pending, .masked = from->nmi_blocked},
        .smi = {.smm = from->smm, .pending = from->smi_pending},
    };
}

static void mp_get(uint32_t mp, X86State *to)
{
    to->activity = mp == KVM_MP_STATE_HALTED ? CPU_HALTED
                 : mp == KVM_MP_STATE_UNINITIALIZED || mp == KVM_MP_STATE_INIT_RECEIVED
                     ? CPU_WAIT_SIPI
                     : CPU_RUNNING;
}

static uint32_t mp_put(const X86State *from)
{
    return from->activity == CPU_HALTED    ? KVM_MP_STATE_HALTED
         : from->activity == CPU_WAIT_SIPI ? KVM_MP_STATE_INIT_RECEIVED
                                           : KVM_MP_STATE_RUNNABLE;
}

/* ---- MSRs ---- */

enum {
    MSR_TSC = 0x10,
    MSR_TSC_ADJUST = 0x3b,
    MSR_SMBASE = 0x9e,
    MSR_DEADLINE = 0x6e0,
    MSR_MC0_CTL = 0x400,
    MSR_MTRR_BASE0 = 0x200
};

#define ROW(index, field)                \
    {                                    \
        index, offsetof(X86State, field) \
    }

/* clang-format off */
static const struct KvmMsr rows[] = {
    ROW(0x174, sysenter_cs),      ROW(0x175, sysenter_esp),    ROW(0x176, sysenter_eip),
    ROW(0xc0000081, star),        ROW(0xc0000082, lstar),      ROW(0xc0000083, cstar),
    ROW(0xc0000084, sfmask),      ROW(0xc0000102, kernel_gs_base),
    ROW(0xc0000103, tsc_aux),     ROW(0x277, pat),             ROW(0x1a0, misc_enable),
    ROW(0x3a, feature_control),   ROW(0x48, spec_ctrl),        ROW(0x1d9, debugctl),
    ROW(0x34, smi_count),         ROW(0x8b, bios_sign_id),     ROW(0xda0, xss),
    ROW(0x2ff, mtrr_def_type),    ROW(0x250, mtrr_fixed[0]),   ROW(0x258, mtrr_fixed[1]),
    ROW(0x259, mtrr_fixed[2]),    ROW(0x268, mtrr_fixed[3]),   ROW(0x269, mtrr_fixed[4]),
    ROW(0x26a, mtrr_fixed[5]),    ROW(0x26b, mtrr_fixed[6]),   ROW(0x26c, mtrr_fixed[7]),
    ROW(0x26d, mtrr_fixed[8]),    ROW(0x26e, mtrr_fixed[9]),   ROW(0x26f, mtrr_fixed[10]),
    ROW(0x17a, mcg_status),       ROW(0x17b, mcg_ctl),         ROW(MSR_TSC_ADJUST, tsc_adjust),
    ROW(0x4b564d00, pv[0]),       ROW(0x4b564d01, pv[1]),      ROW(0x4b564d02, pv[2]),
    ROW(0x4b564d03, pv[3]),       ROW(0x4b564d04, pv[4]),      ROW(0x4b564d05, pv[5]),
    ROW(0x4b564d06, pv[6]),       ROW(0x40000000, hv_os),      ROW(0x40000001, hv_hypercall),
    ROW(0x40000021, hv_tsc),      ROW(0x40000073, hv_assist),  ROW(0x40000100, hv_crash[0]),
    ROW(0x40000101, hv_crash[1]), ROW(0x40000102, hv_crash[2]), ROW(0x40000103, hv_crash[3]),
    ROW(0x40000104, hv_crash[4]),
};
/* clang-format on */

typedef struct MsrBatch { /* struct kvm_msrs with room */
    uint32_t nmsrs, pad;
    struct kvm_msr_entry entry[KVM_MSR_ROWS];
} MsrBatch;

static bool msr_there(const KvmConvert *c, uint32_t index)
{
    MsrBatch b = {.nmsrs = 1, .entry[0].index = index};

    return ioctl(c->fd, KVM_GET_MSRS, &b) == 1;
}

static void msr_add(KvmConvert *c, uint32_t index, size_t field)
{
    if (c->msrs < KVM_MSR_ROWS - 2 && msr_there(c, index)) {
        c->msr[c->msrs++] = (struct KvmMsr){index, field};
    }
}

static void hv_synic_add(KvmConvert *c)
{
    enum {
        SCONTROL = 0x40000080,
        SIEFP = 0x40000082,
        SIMP,
        SINT0 = 0x40000090,
        STIMER0 = 0x400000b0
    };

    msr_add(c, SCONTROL, offsetof(X86State, hv_scontrol));
    msr_add(c, SIEFP, offsetof(X86State, hv_siefp));
    msr_add(c, SIMP, offsetof(X86State, hv_simp));
    for (unsigned i = 0; i < HV_SINTS; i++) {
        msr_add(c, SINT0 + i, offsetof(X86State, hv_sint[i]));
    }
    for (unsigned i = 0; i < HV_STIMERS; i++) { /* the count last: it may start the timer */
        msr_add(c, STIMER0 + 2 * i, offsetof(X86State, hv_stimer[i][0]));
        msr_add(c, STIMER0 + 2 * i + 1, offsetof(X86State, hv_stimer[i][1]));
    }
}

void kvm_convert_init(KvmConvert *c, const struct kvm_cpuid2 *supported, bool synic)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        msr_add(c, rows[i].index, rows[i].field);
    }
    for (unsigned i = 0; i < MTRR_VARIABLE; i++) {
        msr_add(c, MSR_MTRR_BASE0 + 2 * i, offsetof(X86State, mtrr_base[i]));
        msr_add(c, MSR_MTRR_BASE0 + 2 * i + 1, offsetof(X86State, mtrr_mask[i]));
    }
    for (unsigned i = 0; i < MCE_BANKS * 4; i++) {
        msr_add(c, MSR_MC0_CTL + i, offsetof(X86State, mce) + 8 * i);
    }
    if (synic) {
        hv_synic_add(c);
    }
    for (unsigned i = 0; i < supported->nent; i++) {
        const struct kvm_cpuid_entry2 *e = &supported->entries[i];

        if (e->function == 0xd && e->index >= COMP_AVX && e->index < XCOMPONENTS && e->eax &&
            e->ebx >= X_AVX && e->ebx + e->eax <= sizeof(struct kvm_xsave)) {
            c->offset[e->index] = e->ebx;
        }
    }
}

static uint64_t *field_of(X86State *s, size_t offset)
{
    return (uint64_t *)((char *)s + offset);
}

/* The TSC itself is not read: it runs on while the machine stands. What the guest did to it shows
 * in TSC_ADJUST, and so moves the offset. */
static bool msrs_pull(Vcpu *cpu, KvmConvert *c, Error **err)
{
    MsrBatch b = {.nmsrs = c->msrs};
    uint64_t before = c->tsc_adjust;

    for (unsigned i = 0; i < c->msrs; i++) {
        b.entry[i].index = c->msr[i].index;
    }
    int got = ioctl(c->fd, KVM_GET_MSRS, &b);
    for (int i = 0; i < got; i++) {
        *field_of(cpu->state, c->msr[i].field) = b.entry[i].data;
    }
    cpu->state->tsc_offset += cpu->state->tsc_adjust - before;
    c->tsc_adjust = cpu->state->tsc_adjust;
    return got == (int)c->msrs ||
           error_set(err, "MSR %#x cannot be read", got < 0 ? 0 : b.entry[got].index);
}

static bool msr_set(const KvmConvert *c, uint32_t index, uint64_t value)
{
    MsrBatch b = {.nmsrs = 1, .entry[0] = {.index = index, .data = value}};

    return ioctl(c->fd, KVM_SET_MSRS, &b) == 1;
}

/* In one go; behind one that is refused, on. */
static bool msrs_push(Vcpu *cpu, KvmConvert *c, Error **err)
{
    bool ok = true;

    for (unsigned first = 0; first < c->msrs;) {
        MsrBatch b = {.nmsrs = c->msrs - first};

        for (unsigned i = first; i < c->msrs; i++) {
            b.entry[i - first].index = c->msr[i].index;
            b.entry[i - first].data = *field_of(cpu->state, c->msr[i].field);
        }
        int done = ioctl(c->fd, KVM_SET_MSRS, &b);
        if (done < 0) {
            return error_errno(err, errno, "MSRs cannot be written");
        }
        first += done;
        if (first < c->msrs && ok && b.entry[done].data) { /* 0 is what one has that is not there */
            ok = error_set(err, "MSR %#x does not take %#" PRIx64, c->msr[first].index,
                           (uint64_t)*field_of(cpu->state, c->msr[first].field));
        }
        first++;
    }
    return ok;
}

static bool tsc_added(const KvmConvert *c, unsigned request, uint64_t *value)
{
    struct kvm_device_attr a = {
        .group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (uintptr_t)value};

    return ioctl(c->fd, request, &a) == 0;
}

/* What is added now, and how far that is from where guest time stands. */
static bool tsc_base_find(Vcpu *cpu, const KvmConvert *c, uint64_t *add)
{
    MsrBatch b = {.nmsrs = 1, .entry[0].index = MSR_TSC};

    if (!tsc_added(c, KVM_GET_DEVICE_ATTR, add) || ioctl(c->fd, KVM_GET_MSRS, &b) != 1) {
        return false; /* before Linux 5.16 */
    }
    *add += cpu_tsc(cpu) - b.entry[0].data;
    return true;
}

static bool tsc_base(Vcpu *cpu, const KvmConvert *c, uint64_t *add)
{
    KvmTscBase *base = c->tsc_base;

    pthread_mutex_lock(&base->mutex);
    base->known = base->known || tsc_base_find(cpu, c, &base->add);
    bool known = base->known;
    *add = base->add;
    pthread_mutex_unlock(&base->mutex);
    return known;
}

void kvm_tsc_forget(KvmTscBase *base)
{
    pthread_mutex_lock(&base->mutex);
    base->known = false;
    pthread_mutex_unlock(&base->mutex);
}

/* Through the offset, for a write of the TSC that is within a second of where the kernel expects it
 * moves nothing: it takes that for an attempt to make the vCPUs agree. Older kernels have no other
 * way. TSC_ADJUST would move with a guest's write of the TSC, but not with ours. */
bool kvm_tsc_push(Vcpu *cpu, KvmConvert *c, Error **err)
{
    uint64_t tsc, add;

    c->tsc_adjust = cpu->state->tsc_adjust;
    if (tsc_base(cpu, c, &add)) {
        add += cpu->state->tsc_offset;
        if (tsc_added(c, KVM_SET_DEVICE_ATTR, &add)) {
            return true;
        }
    }
    tsc = cpu_tsc(cpu) + cpu->state->tsc_offset;
    return msr_set(c, MSR_TSC, tsc) || error_errno(err, errno, "the TSC cannot be set");
}

/* ---- local APIC (SDM volume 3, table 11-1) ---- */

enum {
    A_ID = 0x20,
    A_VERSION = 0x30,
    A_TPR = 0x80,
    A_LDR = 0xd0,
    A_DFR = 0xe0,
    A_SVR = 0xf0,
    A_ISR = 0x100,
    A_TMR = 0x180,
    A_IRR = 0x200,
    A_ESR = 0x280,
    A_ICR = 0x300,
    A_TIMER = 0x320,
    A_INITIAL = 0x380,
    A_CURRENT = 0x390,
    A_DIVIDE = 0x3e0,
    A_VERSION_VALUE = 0x50014
};
enum { BASE_X2APIC = 1 << 10, TIMER_DEADLINE = 2 << 17 };

/* The order of LapicState.lvt. */
static const uint16_t lvt_at[LVTS] = {
    [LVT_TIMER] = A_TIMER, [LVT_THERMAL] = 0x330, [LVT_PERF] = 0x340,
    [LVT_LINT0] = 0x350,   [LVT_LINT1] = 0x360,   [LVT_ERROR] = 0x370};

static uint32_t apic_get(const struct kvm_lapic_state *l, unsigned at)
{
    uint32_t value;

    memcpy(&value, l->regs + at, 4);
    return value;
}

static void apic_put(struct kvm_lapic_state *l, unsigned at, uint32_t value)
{
    memcpy(l->regs + at, &value, 4);
}

static int64_t tick_ns(uint32_t divide)
{
    return 1 << (((divide & 3) + (divide >> 1 & 4) + 1) & 7);
}

void kvm_lapic_get(const struct kvm_lapic_state *from, int64_t now, LapicState *to)
{
    uint32_t left = apic_get(from, A_CURRENT);

    to->id = apic_get(from, A_ID) >> 24;
    to->tpr = apic_get(from, A_TPR) & 0xff;
    to->ldr = apic_get(from, A_LDR);
    to->dfr = apic_get(from, A_DFR);
    to->svr = apic_get(from, A_SVR);
    to->esr = apic_get(from, A_ESR);
    for (unsigned n = 0; n < 8; n++) {
        to->isr[n] = apic_get(from, A_ISR + 16 * n);
        to->tmr[n] = apic_get(from, A_TMR + 16 * n);
        to->irr[n] = apic_get(from, A_IRR + 16 * n);
    }
    for (unsigned n = 0; n < LVTS; n++) {
        to->lvt[n] = apic_get(from, lvt_at[n]);
    }
    to->icr[0] = apic_get(from, A_ICR);
    to->icr[1] = apic_get(from, A_ICR + 16);
    to->initial = apic_get(from, A_INITIAL);
    to->divide = apic_get(from, A_DIVIDE) & 0xb;
    to->expires = 0;
    if (to->initial && left && !(to->lvt[LVT_TIMER] & TIMER_DEADLINE)) {
        to->expires = MAX(now, 0) + left * tick_ns(to->divide);
    }
}

void kvm_lapic_put(const LapicState *from, int64_t now, struct kvm_lapic_state *to)
{
    int64_t left = from->expires > now ? (from->expires - now) / tick_ns(from->divide) : 0;

    memset(to, 0, sizeof *to);
    apic_put(to, A_ID, from->id << 24);
    apic_put(to, A_VERSION, A_VERSION_VALUE);
    apic_put(to, A_TPR, from->tpr);
    apic_put(to, A_LDR, from->ldr);
    apic_put(to, A_DFR, from->dfr);
    apic_put(to, A_SVR, from->svr);
    apic_put(to, A_ESR, from->esr);
    for (unsigned n = 0; n < 8; n++) {
        apic_put(to, A_ISR + 16 * n, from->isr[n]);
        apic_put(to, A_TMR + 16 * n, from->tmr[n]);
        apic_put(to, A_IRR + 16 * n, from->irr[n]);
    }
    for (unsigned n = 0; n < LVTS; n++) {
        apic_put(to, lvt_at[n], from->lvt[n]);
    }
    apic_put(to, A_ICR, from->icr[0]);
    apic_put(to, A_ICR + 16, from->icr[1]);
    apic_put(to, A_INITIAL, from->initial);
    apic_put(to, A_DIVIDE, from->divide);
    if (from->expires && !(from->lvt[LVT_TIMER] & TIMER_DEADLINE)) {
        apic_put(to, A_CURRENT, MIN(MAX(left, 1), from->initial));
    }
}

static bool lapic_pull(Vcpu *cpu, KvmConvert *c, Error **err)
{
    LapicState *l = cpu->intc ? lapic_kept(cpu->intc) : NULL;
    MsrBatch b = {.nmsrs = 1, .entry[0].index = MSR_DEADLINE};
    struct kvm_lapic_state image;
    struct kvm_sregs2 s = {0};

    if (!l) {
        return true;
    }
    if (ioctl(c->fd, KVM_GET_LAPIC, &image) < 0 || !sregs_ioctl(c, &s, false)) {
        return error_errno(err, errno, "the local APIC cannot be read");
    }
    kvm_lapic_get(&image, clock_now(cpu->clock), l);
    l->base = s.apic_base;
    l->deadline = ioctl(c->fd, KVM_GET_MSRS, &b) == 1 ? b.entry[0].data : 0;
    if (l->deadline && l->lvt[LVT_TIMER] & TIMER_DEADLINE && cpu->tsc_due) {
        l->expires = MAX(cpu->tsc_due(cpu, l->deadline), 1);
    }
    return true;
}

/* After the TSC: the deadline is one of its values. */
static bool lapic_push(Vcpu *cpu, KvmConvert *c, Error **err)
{
    LapicState *l = cpu->intc ? lapic_kept(cpu->intc) : NULL;
    struct kvm_lapic_state image;

    if (!l) {
        return true;
    }
    kvm_lapic_put(l, clock_now(cpu->clock), &image);
    if (ioctl(c->fd, KVM_SET_LAPIC, &image) < 0) {
        return error_errno(err, errno, "the local APIC cannot be written");
    }
    if (l->lvt[LVT_TIMER] & TIMER_DEADLINE) {
        msr_set(c, MSR_DEADLINE, l->deadline);
    }
    return true;
}

/* ---- all together ---- */

static void pdpte_from_memory(Vcpu *cpu)
{
    X86State *s = cpu->state;

    if (pae_paging(s)) {
        mem_read(machine_space(cpu->dev.machine), (Access){.debug = true}, s->cr3 & 0xffffffe0,
                 s->pdpte, sizeof s->pdpte);
    }
}

static bool pull_registers(Vcpu *cpu, KvmConvert *c, uint32_t sections, Error **err)
{
    X86State *s = cpu->state;
    struct kvm_regs regs;
    struct kvm_sregs2 sregs = {0};

    if (sections & X86_GPR) {
        if (ioctl(c->fd, KVM_GET_REGS, &regs) < 0) {
            return error_errno(err, errno, "registers cannot be read");
        }
        kvm_regs_get(&regs, s);
    }
    if (sections & (X86_SEGS | X86_CONTROL)) {
        if (!sregs_ioctl(c, &sregs, false)) {
            return error_errno(err, errno, "segment registers cannot be read");
        }
        sregs_get(&sregs, s);
        if (!c->has_sregs2) {
            pdpte_from_memory(cpu);
        }
    }
    return true;
}

static bool pull_control(KvmConvert *c, X86State *s, Error **err)
{
    struct kvm_debugregs debug;
    struct kvm_xcrs xcrs;

    if (c->has_debugregs) {
        if (ioctl(c->fd, KVM_GET_DEBUGREGS, &debug) < 0) {
            return error_errno(err, errno, "debug registers cannot be read");
        }
        memcpy(s->dr, debug.db, sizeof s->dr);
        s->dr6 = debug.dr6;
        s->dr7 = debug.dr7;
    }
    if (c->has_xcrs && ioctl(c->fd, KVM_GET_XCRS, &xcrs) == 0 && xcrs.nr_xcrs) {
        s->xcr0 = xcrs.xcrs[0].value;
    }
    return true;
}

/* In front of all others: asked for the sleep state, the kernel takes an INIT or start-up message
 * that waits, and so changes registers. */
static bool pull_events(KvmConvert *c, X86State *s, Error **err)
{
    MsrBatch b = {.nmsrs = 1, .entry[0].index = MSR_SMBASE};
    struct kvm_vcpu_events events;
    struct kvm_mp_state mp;

    if (ioctl(c->fd, KVM_GET_MP_STATE, &mp) < 0 || ioctl(c->fd, KVM_GET_VCPU_EVENTS, &events) < 0) {
        return error_errno(err, errno, "events cannot be read");
    }
    kvm_events_get(&events, s);
    mp_get(mp.mp_state, s);
    if (ioctl(c->fd, KVM_GET_MSRS, &b) == 1) {
        s->smbase = b.entry[0].data;
    }
    return true;
}

bool kvm_state_pull(Vcpu *cpu, KvmConvert *c, uint32_t sections, Error **err)
{
    struct kvm_xsave image;
    bool ok = !(sections & X86_EVENTS) || pull_events(c, cpu->state, err);

    ok = ok && pull_registers(cpu, c, sections, err);
    if (ok && sections & X86_CONTROL) {
        ok = pull_control(c, cpu->state, err);
    }
    if (ok && sections & X86_FPU) {
        ok = ioctl(c->fd, KVM_GET_XSAVE, &image) == 0 ||
             error_errno(err, errno, "the FPU cannot be read");
        if (ok) {
            kvm_xsave_get(c, &image, cpu->state);
        }
    }
    if (ok && sections & X86_MSRS) {
        ok = msrs_pull(cpu, c, err);
    }
    return ok && (!(sections & X86_LAPIC) || lapic_pull(cpu, c, err));
}

static bool push_registers(Vcpu *cpu, KvmConvert *c, uint32_t sections, Error **err)
{
    struct kvm_regs regs = {0};
    struct kvm_sregs2 sregs = {0};
    LapicState *l = cpu->intc ? lapic_kept(cpu->intc) : NULL;

    if (sections & (X86_SEGS | X86_CONTROL | X86_LAPIC)) {
        if (!sregs_ioctl(c, &sregs, false)) {
            return error_errno(err, errno, "segment registers cannot be read");
        }
        sregs.flags = 0;
        sregs_put(cpu->state, sections & X86_LAPIC ? l : NULL, &sregs);
        if (!sregs_ioctl(c, &sregs, true)) {
            return error_errno(err, errno, "segment and control registers do not fit");
        }
    }
    if (sections & X86_GPR) {
        kvm_regs_put(cpu->state, &regs);
        return ioctl(c->fd, KVM_SET_REGS, &regs) == 0 ||
               error_errno(err, errno, "registers cannot be written");
    }
    return true;
}

static bool push_control(KvmConvert *c, const X86State *s, Error **err)
{
    struct kvm_debugregs debug = {.dr6 = s->dr6, .dr7 = s->dr7};
    struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs[0].value = s->xcr0};

    memcpy(debug.db, s->dr, sizeof debug.db);
    if (c->has_xcrs && ioctl(c->fd, KVM_SET_XCRS, &xcrs) < 0) {
        return error_errno(err, errno, "XCR0 cannot be %#" PRIx64, s->xcr0);
    }
    return !c->has_debugregs || ioctl(c->fd, KVM_SET_DEBUGREGS, &debug) == 0 ||
           error_errno(err, errno, "debug registers cannot be written");
}

static bool push_events(KvmConvert *c, X86State *s, Error **err)
{
    struct kvm_mp_state mp = {mp_put(s)};
    struct kvm_vcpu_events events;

    kvm_events_put(s, &events);
    msr_set(c, MSR_SMBASE, s->smbase); /* refused by a kernel without SMM, where it is nothing */
    return (ioctl(c->fd, KVM_SET_MP_STATE, &mp) == 0 &&
            ioctl(c->fd, KVM_SET_VCPU_EVENTS, &events) == 0) ||
           error_errno(err, errno, "events cannot be written");
}

bool kvm_state_push(Vcpu *cpu, KvmConvert *c, uint32_t sections, Error **err)
{
    struct kvm_xsave image = {0};
    bool ok = push_registers(cpu, c, sections, err);

    if (ok && sections & X86_CONTROL) {
        ok = push_control(c, cpu->state, err);
    }
    if (ok && sections & X86_FPU) {
        kvm_xsave_put(c, cpu->state, &image);
        ok = ioctl(c->fd, KVM_SET_XSAVE, &image) == 0 ||
             error_errno(err, errno, "the FPU cannot be written");
    }
    if (ok && sections & X86_MSRS) {
        ok = msrs_push(cpu, c, err);
        ok = kvm_tsc_push(cpu, c, err) && ok;
    }
    if (ok && sections & X86_LAPIC) {
        ok = lapic_push(cpu, c, err);
    }
    return ok && (!(sections & X86_EVENTS) || push_events(c, cpu->state, err));
}
