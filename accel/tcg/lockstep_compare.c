/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the two runs of a unit have left behind, compared: exception, registers, FPU, the pages that
 * were touched; and what differs, in words. Flags that the manual leaves undefined, the FPU's
 * instruction pointers, and A and D bits of an instruction that is left to the interpreter may
 * differ.
 */
#include "accel/tcg/lockstep_impl.h"
#include "target/i386/disas.h"

#include <glib.h>
#include <inttypes.h>
#include <string.h>

enum { DIFFERENCES = 20 };

/* ---- saying what differs ---- */

static void say(Lockstep *l, const char *what, uint64_t at, uint64_t translated,
                uint64_t interpreted)
{
    g_printerr("   %s %#" PRIx64 ": translated %#" PRIx64 ", interpreted %#" PRIx64 "\n", what, at,
               translated, interpreted);
}

static void say_code(Lockstep *l, const Trans *t)
{
    PhysPage p;
    unsigned at = t->phys % GUEST_PAGE;

    l->real->page(l->c, t->phys & -(uint64_t)GUEST_PAGE, &p);
    for (unsigned n = 0; p.host && n < t->insns && at < GUEST_PAGE; n++) {
        Insn i;
        g_autofree char *text = disassemble(l->c->code_size, p.host + at, GUEST_PAGE - at,
                                            l->before.rip + at - t->phys % GUEST_PAGE);

        if (decode(l->c->code_size, p.host + at, GUEST_PAGE - at, &i) != DECODE_OK) {
            break;
        }
        g_printerr("   %s\n", text);
        at += i.len;
    }
}

void lockstep_differs(Lockstep *l, const Trans *t, const char *how)
{
    if (l->differ++ < DIFFERENCES) {
        g_printerr("lockstep differs: %s; unit at %#" PRIx64 " (physical %#" PRIx64
                   "), mode %#x, left by %u%s\n",
                   how, l->before.rip, t->phys, t->key.mode, l->first.exit,
                   l->first.unwound ? ", unwound" : "");
        say_code(l, t);
    }
}

/* ---- comparing ---- */

/* A unit that has run STI runs the next instruction, too, or leaves it to run_one(): the shadow is
 * not told. */
bool lockstep_arrived(Lockstep *l)
{
    X86State *s = &l->first.s;
    uint64_t kept = s->rflags;
    bool same, shadow = s->sti_shadow;

    s->rflags = (kept & ~l->unknown) | (l->c->s.rflags & l->unknown);
    s->sti_shadow |= l->c->s.sti_shadow;
    same = !memcmp(s, &l->c->s, offsetof(X86State, fpu));
    s->rflags = kept;
    s->sti_shadow = shadow;
    return same;
}

static void compare_state(Lockstep *l, const Trans *t)
{
    const X86State *a = &l->first.s, *b = &l->c->s;

    if (lockstep_arrived(l)) {
        return;
    }
    lockstep_differs(l, t, "state");
    for (unsigned n = 0; n < 16; n++) {
        if (a->gpr[n] != b->gpr[n]) {
            say(l, "gpr", n, a->gpr[n], b->gpr[n]);
        }
    }
    if (a->rip != b->rip) {
        say(l, "rip", 0, a->rip, b->rip);
    }
    if (a->rflags != b->rflags) {
        say(l, "rflags", 0, a->rflags, b->rflags);
    }
    for (unsigned n = 0; n < offsetof(X86State, fpu); n++) {
        if (((const uint8_t *)a)[n] != ((const uint8_t *)b)[n]) {
            say(l, "state's byte", n, ((const uint8_t *)a)[n], ((const uint8_t *)b)[n]);
            break;
        }
    }
}

/* Components that are as INIT leaves them, or that nobody wrote: one thing. */
static void normalize(const FpuHost *f, uint8_t *image)
{
    uint64_t present = ~0ull;

    memset(image + FX_FOP, 0, 2);
    memset(image + FX_FIP, 0, 16); /* of our own code */
    if (f->save_mask) {
        memcpy(&present, image + XSAVE_BV, 8);
        memset(image + XSAVE_BV, 0, 8);
    }
    if (!(present & XSTATE_X87)) {
        memset(image, 0, 24);
        memset(image + FX_ST, 0, 128);
        image[0] = 0x7f;
        image[1] = 3;
    }
    if (!(present & XSTATE_SSE)) {
        memset(image + FX_XMM, 0, 256);
    }
    if (f->save_mask & XSTATE_AVX && !(present & XSTATE_AVX)) {
        memset(image + f->offset[2], 0, 256);
    }
}

static void compare_fpu(Lockstep *l, const Trans *t)
{
    const FpuHost *f = l->c->fpu;
    unsigned bytes = f->save_mask & XSTATE_AVX ? f->offset[2] + 256 : FX_BYTES;
    g_autofree uint8_t *a = g_memdup2(l->first.image, f->image_bytes);
    g_autofree uint8_t *b = g_memdup2(f->image, f->image_bytes);

    normalize(f, a);
    normalize(f, b);
    for (unsigned n = 0; n < bytes && memcmp(a, b, bytes); n++) {
        if (a[n] != b[n]) {
            lockstep_differs(l, t, "FPU");
            say(l, "byte", n, a[n], b[n]);
            return;
        }
    }
}

/* The translated check of an instruction that is then left to the interpreter marks the page as
 * accessed, and dirty if it was to be written, in page-table entries. */
static bool only_marked(const Lockstep *l, unsigned at, uint8_t translated, uint8_t interpreted)
{
    enum { MARKS = 0x60 };
    bool left = l->first.exit == TRANS_ONE || l->first.exit == TRANS_INDIRECT;

    return left && at % 4 == 0 && !((translated ^ interpreted) & ~MARKS) &&
           !(interpreted & ~translated);
}

static void compare_pages(Lockstep *l, const Trans *t)
{
    for (unsigned n = 0; n < l->pages; n++) {
        const Copy *p = &l->copy[n];
        const uint8_t *wanted = p->changed ? p->after : p->before;

        for (unsigned at = 0; at < GUEST_PAGE && memcmp(wanted, p->page.host, GUEST_PAGE); at++) {
            if (wanted[at] != p->page.host[at] &&
                !only_marked(l, at, wanted[at], p->page.host[at])) {
                lockstep_differs(l, t, "memory");
                say(l, "physical", p->page.phys + at, wanted[at], p->page.host[at]);
                return;
            }
        }
    }
}

void lockstep_compare(Lockstep *l, const Trans *t, bool unwound)
{
    const End *a = &l->first;
    const Cpu *c = l->c;

    l->compared++;
    if (a->unwound != unwound ||
        (unwound &&
         (a->pending != c->exc_pending ||
          (a->pending && (a->vector != c->exc_vector || a->has_error != c->exc_has_error ||
                          (a->has_error && a->error != c->exc_error) ||
                          (a->vector == EXC_PF && a->cr2 != c->exc_cr2)))))) {
        lockstep_differs(l, t, "exception");
        say(l, "vector", 0, a->unwound ? a->vector : ~0ull, unwound ? c->exc_vector : ~0ull);
        say(l, "address", 0, a->cr2, c->exc_cr2);
        say(l, "error", 0, a->error, c->exc_error);
    }
    compare_state(l, t);
    compare_fpu(l, t);
    compare_pages(l, t);
}
