/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The conversions between X86State and the kernel's structures; no KVM is needed. */
#include "target/i386/kvm.h"
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

TEST("kvm: general registers, flags and the instruction pointer go there and back")
{
    X86State *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);
    struct kvm_regs regs = {0};

    for (unsigned n = 0; n < 16; n++) {
        a->gpr[n] = 0x1111111111111111ull * n;
    }
    a->rip = 0xffffffff80001234;
    a->rflags = FLAG_ONE | FLAG_IF | FLAG_CF;
    kvm_regs_put(a, &regs);
    check(regs.rsp, a->gpr[R_SP]);
    kvm_regs_get(&regs, b);
    check(memcmp(a, b, sizeof *a), 0);
    free(a);
    free(b);
}

TEST("kvm: a segment's hidden part goes there and back; a null one is unusable")
{
    const X86Segment code = {0x33, ATTR_P | ATTR_S | ATTR_DPL | 0xb | ATTR_L | ATTR_G, ~0u, 0};
    X86Segment back, null = {0};
    struct kvm_segment s;

    kvm_segment_put(&code, &s);
    check(s.dpl == 3 && s.l && !s.db && s.type == 0xb && !s.unusable, true);
    kvm_segment_get(&s, &back);
    check(memcmp(&code, &back, sizeof back), 0);
    kvm_segment_put(&null, &s);
    check(s.unusable && !s.present, true);
}

static uint8_t pattern(unsigned at)
{
    return at * 7 + 3;
}

TEST("kvm: x87, SSE and AVX registers go into the host's layout and come back")
{
    KvmConvert c = {.offset = {[2] = 576}};
    X86State *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);
    uint8_t *image = calloc(1, sizeof(struct kvm_xsave));

    a->xcr0 = 7;
    a->fpu.fcw = 0x27f;
    a->fpu.fsw = 0x3800;
    a->fpu.ftw = 0x80;
    a->fpu.mxcsr = 0x1f80;
    for (unsigned n = 0; n < 16; n++) {
        for (unsigned at = 0; at < 32; at++) {
            ((uint8_t *)a->fpu.zmm[n])[at] = pattern(32 * n + at);
        }
    }
    memset(a->fpu.st[2], 0x5a, 10);
    kvm_xsave_put(&c, a, image);
    check(image[576 + 16 * 3], pattern(32 * 3 + 16));
    kvm_xsave_get(&c, image, b);
    check(memcmp(a->fpu.zmm, b->fpu.zmm, sizeof a->fpu.zmm), 0);
    check(memcmp(a->fpu.st, b->fpu.st, sizeof a->fpu.st), 0);
    check(b->fpu.fsw, 0x3800);
    check(b->fpu.xstate_bv, 7);
    free(a);
    free(b);
    free(image);
}

TEST("kvm: a component that is not in use comes back as INIT leaves it, whatever the bytes say")
{
    KvmConvert c = {.offset = {[2] = 576}};
    X86State *s = calloc(1, sizeof *s);
    uint8_t *image = calloc(1, sizeof(struct kvm_xsave));

    memset(image, 0xee, 512);
    memset(image + 576, 0xee, 256);
    kvm_xsave_get(&c, image, s);
    check(s->fpu.fcw, 0x37f);
    check(s->fpu.zmm[1][0], 0);
    check(s->fpu.zmm[1][2], 0);
    free(s);
    free(image);
}

TEST("kvm: an interrupt that was acknowledged but not delivered is part of the state")
{
    struct kvm_vcpu_events e = {.interrupt = {.injected = 1, .nr = 0x31}}, back;
    X86State *s = calloc(1, sizeof *s);

    kvm_events_get(&e, s);
    check(s->taken, 0x131);
    kvm_events_put(s, &back);
    check(back.interrupt.injected && back.interrupt.nr == 0x31, true);
    e = (struct kvm_vcpu_events){.nmi = {.injected = 1, .masked = 1}};
    kvm_events_get(&e, s);
    check(s->nmi_pending && !s->nmi_blocked && !s->taken, true);
    free(s);
}

TEST("kvm: the local APIC's timer keeps what is left of its time")
{
    LapicState a = {.id = 3, .svr = 0x1ff, .initial = 1000, .divide = 3, .expires = 50800}, b = {0};
    struct kvm_lapic_state image;

    a.irr[1] = 0x80000001;
    a.lvt[LVT_TIMER] = 0x200ef;
    a.lvt[LVT_LINT1] = 0x400;
    kvm_lapic_put(&a, 50000, &image); /* divided by 16: 50 ticks are left */
    kvm_lapic_get(&image, 90000, &b);
    check(b.expires, 90800);
    check(b.id, 3);
    check(b.irr[1], 0x80000001);
    check(b.lvt[LVT_TIMER], 0x200ef);
    check(b.lvt[LVT_LINT1], 0x400);
    kvm_lapic_put(&a, 60000, &image); /* it is late: at once, not never */
    kvm_lapic_get(&image, 0, &b);
    check(b.expires, 16);
}
