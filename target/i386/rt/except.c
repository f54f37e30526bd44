/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exceptions and interrupts: raising, double and triple faults, and what the engine injects
 * (SDM volume 3, "Interrupt and exception handling", table 6-5 for double faults).
 * Delivery itself is in deliver.c.
 */
#include "target/i386/rt/host.h"
#include "target/i386/rt/sys.h"

/* ---- raising ---- */

static void pend(Cpu *c, uint8_t vector, EventKind kind, bool has_error, uint32_t error)
{
    c->exc_vector = vector;
    c->exc_kind = kind;
    c->exc_has_error = has_error;
    c->exc_error = error;
    c->exc_pending = true;
}

_Noreturn void unwind(Cpu *c)
{
    c->external = false;
    __builtin_longjmp(c->unwind, 1);
}

_Noreturn void raise_fault(Cpu *c, uint8_t vector)
{
    pend(c, vector, EVENT_EXCEPTION, false, 0);
    unwind(c);
}

_Noreturn void raise_error(Cpu *c, uint8_t vector, uint32_t error)
{
    pend(c, vector, EVENT_EXCEPTION, true, error);
    unwind(c);
}

void pend_page_fault(Cpu *c, uint64_t linear, uint32_t error)
{
    c->s.cr2 = c->exc_cr2 = linear;
    pend(c, EXC_PF, EVENT_EXCEPTION, true, error);
}

_Noreturn void raise_page_fault(Cpu *c, uint64_t linear, uint32_t error)
{
    pend_page_fault(c, linear, error);
    unwind(c);
}

/* ---- the story of a shutdown ---- */

static unsigned put_hex(char *to, unsigned at, unsigned room, uint64_t value)
{
    unsigned digits = 1;

    while (digits < 16 && value >> 4 * digits) {
        digits++;
    }
    if (at + digits + 2 > room) {
        return at;
    }
    to[at++] = '0';
    to[at++] = 'x';
    while (digits--) {
        to[at++] = "0123456789abcdef"[value >> 4 * digits & 15];
    }
    return at;
}

/* The newest of the last exceptions of which something is known. */
static const LastException *last_explained(const Cpu *c)
{
    for (unsigned n = 1; n <= c->last_count && n <= LAST_EXCEPTIONS; n++) {
        const LastException *e = &c->last[(c->last_count - n) % LAST_EXCEPTIONS];

        if (e->why) {
            return e;
        }
    }
    return NULL;
}

void why_write(Cpu *c)
{
    const LastException *e = last_explained(c);
    const char *f = e ? e->why : "";
    unsigned at = 0, value = 0;

    for (; *f && at < sizeof(c->why) - 1; f++) {
        if (f[0] == '%' && f[1] == 'x') {
            at = put_hex(c->why, at, sizeof(c->why) - 1, e->why_value[value % 3]);
            value++;
            f++;
        } else {
            c->why[at++] = *f;
        }
    }
    c->why[at] = 0;
}

static LastException describe(const Cpu *c)
{
    return (LastException){
        .vector = c->exc_vector,
        .kind = c->exc_kind,
        .soft = c->exc_kind == EVENT_INT_N || c->exc_kind == EVENT_INT3,
        .has_error = c->exc_has_error,
        .cs = c->s.seg[SEG_CS].selector,
        .error = c->exc_error,
        .rip = c->s.rip,
        .cr2 = c->s.cr2,
        .rsp = c->s.gpr[R_SP],
        .why = c->why_format,
        .why_value = {c->why_value[0], c->why_value[1], c->why_value[2]},
    };
}

static void note(Cpu *c)
{
    if (c->exc_kind == EVENT_EXCEPTION) {
        c->last[c->last_count % LAST_EXCEPTIONS] = describe(c);
        c->why_format = NULL; /* what comes next has reasons of its own */
        c->last_count =
            c->last_count == 2 * LAST_EXCEPTIONS - 1 ? LAST_EXCEPTIONS : c->last_count + 1;
    }
}

/* ---- double faults ---- */

typedef enum { CLASS_BENIGN, CLASS_CONTRIBUTORY, CLASS_PAGE_FAULT, CLASS_DOUBLE } EventClass;

static EventClass class_of(uint8_t vector)
{
    switch (vector) {
    case EXC_DE:
    case EXC_TS:
    case EXC_NP:
    case EXC_SS:
    case EXC_GP:
        return CLASS_CONTRIBUTORY;
    case EXC_PF:
        return CLASS_PAGE_FAULT;
    case EXC_DF:
        return CLASS_DOUBLE;
    default:
        return CLASS_BENIGN;
    }
}

/* A second event while the first is delivered: becomes #DF where the table says so. false: the
 * third in a row. */
static bool combine(Cpu *c)
{
    EventClass first = c->delivering ? class_of(c->delivering - 1) : CLASS_BENIGN;
    EventClass second = class_of(c->exc_vector);

    if (first == CLASS_DOUBLE && second != CLASS_BENIGN) {
        return false;
    }
    if ((first == CLASS_CONTRIBUTORY && second == CLASS_CONTRIBUTORY) ||
        (first == CLASS_PAGE_FAULT && second != CLASS_BENIGN)) {
        pend(c, EXC_DF, EVENT_EXCEPTION, true, 0);
    }
    return true;
}

static void shut_down(Cpu *c)
{
    c->s.activity = CPU_SHUTDOWN;
    c->exc_pending = false;
    c->block_break = true;
    why_write(c);
}

/* One try; leaves by unwind() if the delivery faults. */
static void deliver_once(Cpu *c)
{
    bool exception = c->exc_kind == EVENT_EXCEPTION;

    c->exc_pending = false;
    c->delivering = exception ? c->exc_vector + 1 : EXC_NMI + 1;
    deliver(c, c->exc_vector, c->exc_kind, c->exc_has_error, c->exc_error, c->s.rip);
    c->s.rip = c->next_rip;
}

/* Delivering #AC may raise #AC, for ever (at level 3, on a stack that is not aligned): processors
 * hang then, but we may be wanted elsewhere. */
enum { ENDLESS = 100 };

bool deliver_pending(Cpu *c)
{
    void *outer[5];
    volatile bool good = true;
    volatile unsigned tries = 0;

    __builtin_memcpy(outer, c->unwind, sizeof(outer));
    if (__builtin_setjmp(c->unwind)) {
        __asm__ volatile("" : : : "memory");
    }
    if (++tries > ENDLESS && !c->go) {
        c->exc_pending = false; /* the instruction starts again when rt_run() is called next */
    }
    if (c->exc_pending) {
        note(c);
        good = combine(c);
        if (good) {
            deliver_once(c);
        } else {
            shut_down(c);
        }
    }
    c->delivering = 0;
    c->insn = NULL;
    __builtin_memcpy(c->unwind, outer, sizeof(outer));
    return good;
}

/* ---- interrupts from outside ---- */

static bool awake(const Cpu *c)
{
    return c->s.activity == CPU_RUNNING || c->s.activity == CPU_HALTED;
}

static void inject(Cpu *c, uint8_t vector)
{
    c->s.activity = CPU_RUNNING;
    pend(c, vector, EVENT_EXTERNAL, false, 0);
    c->insn = NULL;
    deliver_pending(c);
}

bool rt_can_interrupt(const Cpu *c)
{
    return c->s.rflags & FLAG_IF && !c->s.sti_shadow && !c->s.ss_shadow && awake(c) &&
           !c->exc_pending;
}

void rt_want_window(Cpu *c, bool want)
{
    c->want_window = want;
    c->block_break = true;
}

void rt_interrupt(Cpu *c, uint8_t vector)
{
    window_sample(c);
    inject(c, vector);
}

bool rt_can_nmi(const Cpu *c)
{
    bool shut = c->s.activity == CPU_SHUTDOWN && !c->s.smm;

    return !c->s.nmi_blocked && !c->s.ss_shadow && (awake(c) || shut) && !c->exc_pending;
}

void rt_nmi(Cpu *c)
{
    c->s.nmi_blocked = true;
    c->s.nmi_pending = false;
    inject(c, EXC_NMI);
}

bool rt_can_smi(const Cpu *c)
{
    return !c->s.smm && !c->s.smi_blocked && c->s.activity != CPU_WAIT_SIPI && !c->s.ss_shadow &&
           !c->exc_pending;
}
