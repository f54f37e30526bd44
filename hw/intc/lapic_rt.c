/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC's hot registers (SDM volume 3, 11.4.4, 11.6.1, 11.8.3.1, 11.8.5), for its own vCPU
 * and from the run-time library (softmmu/memory/answer.h): the task priority, the end of an
 * edge-triggered interrupt, the interrupt command's halves but for what sends. All else is
 * lapic_regs.c's.
 *
 * ISR, TPR and ICR are the vCPU's own: other threads change only IRR and TMR, under the lock (INIT
 * resets all, with the world stopped). What makes a pending interrupt deliverable must tell the
 * vCPU, so it goes the ordinary way: nothing may be pending. Whoever makes an interrupt pending
 * looks at ISR and TPR afterwards, with a fence in between, as there is one here: one of the two
 * sees the other.
 */
#include "hw/intc/lapic_state.h"

enum { BASE_EXTD = 1 << 10, BASE_EN = 1 << 11 };

#define LOAD(at)         __atomic_load_n(&(at), __ATOMIC_RELAXED)
#define STORE(at, value) __atomic_store_n(&(at), (value), __ATOMIC_RELAXED)

static bool any_pending(const LapicState *s)
{
    uint32_t any = 0;

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (unsigned n = 0; n < 8; n++) {
        any |= LOAD(s->irr[n]);
    }
    return any;
}

static bool tpr_write(LapicState *s, uint32_t value)
{
    if (value > 0xff) {
        return false;
    }
    STORE(s->tpr, value);
    return !any_pending(s); /* else it is written again */
}

/* The highest vector in service is done. */
static bool eoi_write(LapicState *s)
{
    for (unsigned n = 8; n--;) {
        uint32_t word = LOAD(s->isr[n]), top = word ? 1u << (31 - __builtin_clz(word)) : 0;

        if (!top) {
            continue;
        }
        if (LOAD(s->tmr[n]) & top || any_pending(s)) {
            return false;
        }
        STORE(s->isr[n], word & ~top);
        if (any_pending(s)) { /* it came just now: as if we had not been here */
            STORE(s->isr[n], word);
            return false;
        }
        return true;
    }
    return true;
}

static bool write(LapicState *s, const RtIo *io)
{
    switch (io->offset) {
    case LAPIC_TPR:
        return tpr_write(s, io->value);
    case LAPIC_EOI:
        return !io->value && eoi_write(s);
    case LAPIC_ICR_HIGH:
        STORE(s->icr[1], io->value & 0xff000000);
        return true;
    default:
        return false;
    }
}

bool lapic_msr_answer(void *data, const RtClock *clock, RtIo *io)
{
    LapicState *s = data;
    RtIo as_page = {.offset = io->offset << 4, .value = io->value, .size = 4, .write = io->write};
    bool x2apic = (s->base & (BASE_EN | BASE_EXTD)) == (BASE_EN | BASE_EXTD);

    if (!x2apic || (as_page.offset != LAPIC_TPR && as_page.offset != LAPIC_EOI)) {
        return false; /* the ICR is one there */
    }
    if (!lapic_answer(s, clock, &as_page)) {
        return false;
    }
    io->value = as_page.value;
    return true;
}

bool lapic_answer(void *data, const RtClock *clock, RtIo *io)
{
    LapicState *s = data;

    if (io->size != 4) {
        return false;
    }
    if (io->write) {
        return write(s, io);
    }
    switch (io->offset) {
    case LAPIC_TPR:
        io->value = LOAD(s->tpr);
        return true;
    case LAPIC_ICR:
        io->value = LOAD(s->icr[0]);
        return true;
    case LAPIC_ICR_HIGH:
        io->value = LOAD(s->icr[1]);
        return true;
    default:
        return false;
    }
}
