/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host side of the FPU: the code cache mapped twice, once writable and once executable (W^X); the
 * XSAVE image with the host's layout (SDM volume 1, "XSAVE-managed features", CPUID 0DH), which
 * differs between vendors; SIGFPE and SIGILL of a stub, which become the guest's exception.
 * A stub that faults goes on at its return address with the trap number in r8 (stub.c); translated
 * code is left in front of the instruction, which the interpreter then runs, unless the fault was
 * one of the direct window: then the page is mapped, and the instruction runs again.
 * Not modelled: AMX and other components with XFD; huge pages for the cache.
 */
#include "target/i386/rt/stub_host.h"

#include "target/i386/rt/fpu.h"
#include "target/i386/translate/translate.h"
#include "util/map.h"

#include <cpuid.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

/* What the signal handler looks at; it has nothing else to find its CPU by. */
static _Thread_local const Cpu *attached;

static bool host_has_xsave(void)
{
    unsigned a, b, c, d;

    return __get_cpuid(1, &a, &b, &c, &d) && c & bit_OSXSAVE;
}

uint64_t fpu_host_components(void)
{
    uint32_t low, high;

    if (!host_has_xsave()) {
        return XSTATE_X87 | XSTATE_SSE;
    }
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low & (XSTATE_X87 | XSTATE_SSE | XSTATE_AVX | XSTATE_AVX512);
}

static void host_layout(FpuHost *f)
{
    uint8_t fx[FX_BYTES] __attribute__((aligned(16)));
    unsigned a, b, c, d;

    memset(fx, 0, sizeof fx);
    __asm__("fxsave64 %0" : "+m"(fx));
    memcpy(&f->mxcsr_mask, fx + FX_MXCSR_MASK, 4);
    if (!f->mxcsr_mask) {
        f->mxcsr_mask = 0xffbf; /* SDM volume 1, "Guidelines for writing to the MXCSR" */
    }
    f->image_bytes = FX_BYTES;
    if (host_has_xsave()) {
        f->save_mask = fpu_host_components();
        __cpuid_count(0xd, 0, a, b, c, d);
        f->image_bytes = b;
        for (unsigned n = 2; n < XSTATE_COUNT; n++) {
            if (f->save_mask >> n & 1) {
                __cpuid_count(0xd, n, a, b, c, d);
                f->offset[n] = b;
            }
        }
    }
}

bool fpu_host_new(Cpu *c, Error **err)
{
    FpuHost *f = calloc(1, sizeof *f);

    c->fpu = f;
    if (!f) {
        return error_set(err, "no memory for the FPU");
    }
    host_layout(f);
    f->image = aligned_alloc(64, (f->image_bytes + 4095) & ~63u);
    f->scratch = aligned_alloc(64, STUB_SCRATCH);
    if (!f->image || !f->scratch || !map_twice(STUB_CACHE, &f->code_write, &f->code_run)) {
        fpu_host_free(c);
        return error_set(err, "no memory for the FPU's code");
    }
    memset(f->image, 0, f->image_bytes);
    memset(f->scratch, 0, STUB_SCRATCH);
    return true;
}

void fpu_host_free(Cpu *c)
{
    FpuHost *f = c->fpu;

    if (f) {
        map_free(f->code_write, STUB_CACHE);
        map_free(f->code_run, STUB_CACHE);
        free(f->image);
        free(f->scratch);
        free(f);
    }
    c->fpu = NULL;
}

/* ---- host faults ---- */

enum { TRAP_PAGE_FAULT = 14, ERROR_WRITE = 2 };

/* A page of the direct window was met; gs is the CPU that runs. */
static bool in_window(const greg_t *reg)
{
    Cpu *c;

    if (reg[REG_TRAPNO] != TRAP_PAGE_FAULT) {
        return false;
    }
    __asm__ volatile("rdgsbase %0" : "=r"(c));
    return window_fault(c, reg[REG_CR2], reg[REG_ERR] & ERROR_WRITE);
}

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    greg_t *reg = ((ucontext_t *)context)->uc_mcontext.gregs;
    const FpuHost *f = attached ? attached->fpu : NULL;
    uintptr_t at = (uintptr_t)reg[REG_RIP], leave;
    uint32_t page_offset;

    if (f && at - (uintptr_t)f->code_run < STUB_CACHE) {
        reg[REG_R8] = reg[REG_TRAPNO] + 1;
        reg[REG_RIP] = *(greg_t *)reg[REG_RSP]; /* where the stub would have returned to */
        reg[REG_RSP] += 8;
    } else if (attached && attached->code &&
               trans_fault(attached->code, at, &page_offset, &leave)) {
        if (in_window(reg)) {
            return; /* the instruction once more */
        }
        reg[REG_RCX] = page_offset;
        reg[REG_RIP] = leave;
    } else {
        signal(signal_number, SIG_DFL); /* not a stub: happens again, and ends the program */
    }
}

static void install_handlers(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    sigemptyset(&action.sa_mask);
    sigaction(SIGFPE, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    sigaction(SIGSEGV, &action, NULL); /* alignment of vectors, in translated code */
    sigaction(SIGBUS, &action, NULL);  /* addresses that are none, by way of rbp   */
}

bool fpu_host_attach(Cpu *c, Error **err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    size_t bytes = getauxval(AT_MINSIGSTKSZ) + 64 * 1024;
    stack_t stack = {.ss_size = bytes};

    if (attached) { /* another vCPU of this thread: its signal stack serves both */
        attached = c;
        return true;
    }
    stack.ss_sp = malloc(bytes);
    if (!stack.ss_sp || sigaltstack(&stack, NULL)) {
        free(stack.ss_sp);
        return error_set(err, "no signal stack of %zu bytes", bytes);
    }
    pthread_once(&once, install_handlers);
    attached = c;
    return true;
}

void fpu_host_detach(Cpu *c)
{
    stack_t off = {.ss_flags = SS_DISABLE}, was;

    (void)c;
    attached = NULL;
    if (!sigaltstack(&off, &was)) {
        free(was.ss_sp);
    }
}
