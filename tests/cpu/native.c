/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs one instruction natively: a signal carries the thread into it with every register as
 * wanted (the kernel loads what stands in the signal frame, CS included), and the INT3 behind it
 * or its own fault is the signal that carries it out. Linux x86-64 only (signal frame: fpregs is an
 * XSAVE image in standard format).
 * Not modelled: FS and GS bases, anything privileged.
 */
#include "tests/cpu/native.h"

#include "target/i386/state.h"

#include <asm/ldt.h>
#include <cpuid.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { SW_RESERVED = 464, SW_RESERVED_BYTES = 48, SIGNAL_STACK = 1 << 16 };

#define SS_CS ((greg_t)0xffff00000000ffffull)

/* Signal handlers have no argument of ours: the one run in progress of this process. */
static struct Run {
    const CpuRegs *in;
    Outcome *out;
    Selectors want;
    int phase;
    greg_t back[NGREG];
    uint8_t back_fpu[FPU_BYTES];
    Selectors selectors[3];
    uint64_t components;
    unsigned offset[8], image_bytes;
} run;

static struct sigaction old[NSIG];

static const uint8_t greg_of[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                    REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                    REG_R12, REG_R13, REG_R14, REG_R15};

uint64_t native_components(void)
{
    return run.components;
}

unsigned native_offset(unsigned component)
{
    return run.offset[component];
}

unsigned native_image_bytes(void)
{
    return run.image_bytes;
}

/* Which of AVX (2) and AVX-512 (5 to 7) the kernel lets programs have, and where. */
void native_find_components(void)
{
    unsigned a, b, c, d, low, high;

    run.image_bytes = 576;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) {
        return;
    }
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    for (unsigned n = 2; n < 8; n++) {
        if (low >> n & 0xe4 >> n & 1 && __get_cpuid_count(0xd, n, &a, &b, &c, &d) &&
            a + b <= FPU_BYTES) {
            run.components |= 1u << n;
            run.offset[n] = b;
            run.image_bytes = a + b > run.image_bytes ? a + b : run.image_bytes;
        }
    }
}

/* The image of the frame, but for the kernel's own words in it. */
static void put_fpu(uint8_t *frame, const uint8_t *image)
{
    memcpy(frame, image, SW_RESERVED);
    memcpy(frame + SW_RESERVED + SW_RESERVED_BYTES, image + SW_RESERVED + SW_RESERVED_BYTES,
           run.image_bytes - SW_RESERVED - SW_RESERVED_BYTES);
}

static void go_in(greg_t *reg, uint8_t *fpu)
{
    memcpy(run.back, reg, sizeof run.back);
    memcpy(run.back_fpu, fpu, run.image_bytes);
    for (unsigned n = 0; n < 16; n++) {
        reg[greg_of[n]] = run.in->gpr[n];
    }
    reg[REG_RIP] = run.in->rip;
    reg[REG_EFL] = run.in->rflags;
    reg[REG_CSGSFS] = (reg[REG_CSGSFS] & ~SS_CS) | run.want.cs | (greg_t)run.want.ss << 48;
    put_fpu(fpu, run.in->fpu);
}

static void come_out(greg_t *reg, uint8_t *fpu)
{
    Outcome *o = run.out;

    for (unsigned n = 0; n < 16; n++) {
        o->regs.gpr[n] = reg[greg_of[n]];
    }
    o->regs.rip = reg[REG_RIP];
    o->regs.rflags = reg[REG_EFL];
    o->vector = reg[REG_TRAPNO];
    o->error = reg[REG_ERR];
    o->cr2 = o->vector == EXC_PF ? reg[REG_CR2] : 0;
    o->regs.rip -= o->vector == EXC_BP;
    memset(o->regs.fpu, 0, FPU_BYTES);
    memcpy(o->regs.fpu, fpu, run.image_bytes);
    memcpy(reg, run.back, sizeof run.back);
    put_fpu(fpu, run.back_fpu);
}

/* The guest's AC flag may be set: nothing unaligned before it is cleared. */
static void on_signal(int number, siginfo_t *info, void *context)
{
    ucontext_t *u = context;

    __asm__ volatile("pushfq; andq $~0x40000, (%%rsp); popfq" : : : "cc", "memory");
    if (run.phase == 1) {
        run.phase = 2;
        go_in(u->uc_mcontext.gregs, (uint8_t *)u->uc_mcontext.fpregs);
    } else if (run.phase == 2) {
        run.phase = 0;
        come_out(u->uc_mcontext.gregs, (uint8_t *)u->uc_mcontext.fpregs);
    } else if (old[number].sa_flags & SA_SIGINFO) {
        old[number].sa_sigaction(number, info, context); /* the interpreter's stubs */
    } else {
        signal(number, SIG_DFL);
    }
}

Selectors native_selectors(CodeSize code)
{
    return run.selectors[code];
}

/* DS and ES are not in a signal frame. */
static void load_data_segments(uint16_t selector)
{
    __asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"((uint32_t)selector) : "memory");
}

void native_run(CodeSize code, const CpuRegs *regs, Outcome *out)
{
    run.in = regs;
    run.out = out;
    run.want = run.selectors[code];
    run.phase = 1;
    load_data_segments(run.want.ds);
    __asm__ volatile("pushfq; andq %0, (%%rsp); popfq; int3"
                     :
                     : "i"(~(FLAG_NT | FLAG_ID)) /* signal frames do not carry these two in */
                     : "memory", "cc");
    load_data_segments(0);
}

static bool map_at(uint64_t at, unsigned bytes, int protection)
{
    void *p = mmap((void *)at, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
                   -1, 0);

    return p == (void *)at;
}

static void fill_read_only(void)
{
    for (unsigned n = 0; n < READ_BYTES; n++) {
        *(uint8_t *)(uintptr_t)(READ_BASE + n) = n * 7;
    }
    mprotect((void *)READ_BASE, READ_BYTES, PROT_READ);
}

bool native_open(const char **why)
{
    static const int numbers[] = {SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    struct sigaction action = {.sa_sigaction = on_signal,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    stack_t stack = {.ss_sp = aligned_alloc(64, SIGNAL_STACK), .ss_size = SIGNAL_STACK};

    if (!map_at(CODE_BASE, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC) ||
        !map_at(DATA_BASE, DATA_BYTES, PROT_READ | PROT_WRITE) ||
        !map_at(READ_BASE, READ_BYTES, PROT_READ | PROT_WRITE) ||
        !map_at(STACK_BASE, STACK_BYTES, PROT_READ | PROT_WRITE)) {
        *why = "the test's addresses are taken";
        return false;
    }
    if (!stack.ss_sp || sigaltstack(&stack, NULL)) {
        *why = "no signal stack";
        return false;
    }
    for (unsigned n = 0; n < sizeof numbers / sizeof *numbers; n++) {
        sigaction(numbers[n], &action, &old[numbers[n]]);
    }
    fill_read_only();
    native_find_components();
    __asm__("mov %%cs, %0" : "=r"(run.selectors[CODE_64].cs));
    __asm__("mov %%ss, %0" : "=r"(run.selectors[CODE_64].ss));
    return true;
}

static uint16_t ldt_entry(unsigned entry, uint32_t base, bool wide, bool code)
{
    struct user_desc d = {
        .entry_number = entry,
        .base_addr = base,
        .limit = wide ? 0xfffff : 0xffff,
        .seg_32bit = wide,
        .contents = code ? MODIFY_LDT_CONTENTS_CODE : MODIFY_LDT_CONTENTS_DATA,
        .limit_in_pages = wide,
        .useable = 1,
    };

    return syscall(SYS_modify_ldt, 1, &d, sizeof d) ? 0 : entry * 8 + 7;
}

bool native_open_legacy(const char **why)
{
    Selectors *s = run.selectors;

    s[CODE_32].cs = ldt_entry(0, 0, true, true);
    s[CODE_32].ds = s[CODE_32].ss = ldt_entry(1, 0, true, false);
    s[CODE_16].cs = ldt_entry(2, CODE_BASE, false, true);
    s[CODE_16].ds = ldt_entry(3, DATA_BASE, false, false);
    s[CODE_16].ss = ldt_entry(4, STACK_BASE, false, false);
    if (!s[CODE_32].cs || !s[CODE_32].ds || !s[CODE_16].cs || !s[CODE_16].ds || !s[CODE_16].ss) {
        *why = "this kernel has no modify_ldt";
        return false;
    }
    return true;
}
