/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whoever wants a CPU gets it, whatever kind of loop it is in that never ends, and no loop goes on
 * when others have changed its code: a timer of CPU time kicks it, or changes the code, and only
 * moments of CPU time pass until it is there, strips included. A loop that is not left is one for
 * ever, so SIGALRM ends the process then.
 */
#include "target/i386/rt/mem.h"
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE = 300, AFTER_NS = 2000000, SOON_NS = 200000000, TIMES = 3 };

/* clang-format off */
GUEST(own_top, ".code64\n 1: inc %rax\n jmp 1b");
GUEST(own_top_if, ".code64\n 1: inc %rax\n cmp %rbx, %rbx\n je 1b\n hlt");
GUEST(two_units, ".code64\n 1: inc %rax\n jmp 2f\n .skip 100\n 2: inc %rbx\n jmp 1b");
GUEST(two_units_if, ".code64\n 1: inc %rax\n jmp 2f\n .skip 100\n 2: cmp %rbx, %rbx\n je 1b\n hlt");
GUEST(over_branch, ".code64\n 1: cmp %rbx, %rbx\n je 2f\n hlt\n 2: inc %rax\n jmp 1b");
GUEST(calls, ".code64\n 1: call 2f\n jmp 1b\n 2: inc %rax\n ret");
GUEST(calls_memory, ".code64\n lea 2f(%rip), %rdx\n mov %rdx, (%rsi)\n 1: call *(%rsi)\n jmp 1b\n 2: inc %rax\n ret");
GUEST(registers, ".code64\n lea 1f(%rip), %rdx\n 1: inc %rax\n jmp *%rdx");
GUEST(memory, ".code64\n lea 1f(%rip), %rdx\n mov %rdx, (%rsi)\n 1: inc %rax\n jmp *(%rsi)");
GUEST(returns_to, ".code64\n lea 1f(%rip), %rdx\n 1: inc %rax\n push %rdx\n ret");
GUEST(calls_to, ".code64\n lea 1f(%rip), %rdx\n mov %rsp, %rbp\n 1: inc %rax\n mov %rbp, %rsp\n call *%rdx");
GUEST(counts, ".code64\n 1: mov $5, %ecx\n inc %rax\n loop 1b\n jmp 1b");
GUEST(counts_two, ".code64\n 1: mov $5, %ecx\n jmp 2f\n .skip 100\n 2: inc %rax\n loop 1b");
GUEST(pages, ".code64\n jmp 1f\n .skip 0xff2\n 1: inc %rax\n .byte 0x48, 0x81, 0xc3, 1, 0, 0, 0\n cmp %rdx, %rdx\n je 1b\n hlt");
GUEST(pages_jump, ".code64\n 1: inc %rax\n jmp 2f\n .skip 0x1000\n 2: inc %rbx\n jmp 1b");
GUEST(still, ".code64\n 1: addq $1, (%rsi)\n add %rcx, 8(%rsi)\n inc %rcx\n cmp %rdx, %rdx\n je 1b\n hlt");
GUEST(strips, ".code64\n 2: mov %rsi, %rdi\n xor %ecx, %ecx\n 1: add %rax, (%rdi, %rcx, 8)\n inc %rcx\n"
              " cmp $1000, %rcx\n jne 1b\n jmp 2b");
GUEST(x87, ".code64\n fninit\n 2: lea -8(%rsi), %rdi\n fldl (%rdi)\n fstpl 0x800(%rdi)\n add $8, %rdi\n"
           " 1: fldl (%rdi)\n fstpl 0x800(%rdi)\n add $8, %rdi\n test $0x7ff, %edi\n jnz 1b\n jmp 2b");
GUEST(returns, ".code64\n lea 1f(%rip), %rdx\n mov %ss, %eax\n mov %cs, %ebx\n mov %rsp, %rbp\n 1: mov %rbp, %rsp\n"
               " push %rax\n push %rbp\n push $2\n push %rbx\n push %rdx\n iretq");
GUEST(levels_loop, ".code64\n 1: lea 2f(%rip), %rcx\n mov $2, %r11d\n sysretq\n 2: syscall");
GUEST(functions, ".code64\n 1: mov %ds, %eax\n mov %eax, %ds\n jmp 1b");
GUEST(devices, ".code64\n mov $0x800000, %esi\n 1: mov (%rsi), %eax\n jmp 1b");
GUEST(top32, ".code32\n 1: inc %eax\n jmp 1b");
GUEST(units32, ".code32\n 1: inc %eax\n jmp 2f\n .skip 100\n 2: cmp %ebx, %ebx\n je 1b\n hlt");
GUEST(calls32, ".code32\n 1: call 2f\n jmp 1b\n 2: inc %eax\n ret");
GUEST(top16, ".code16\n 1: inc %ax\n jmp 1b");
GUEST(units16, ".code16\n 1: inc %ax\n jmp 2f\n .skip 100\n 2: cmp %bx, %bx\n je 1b\n hlt");
GUEST(calls16, ".code16\n 1: call 2f\n jmp 1b\n 2: inc %ax\n ret");

typedef struct Loop {
    const uint8_t *from, *to;
} Loop;
#define LOOP(name) {name, name##_end}

static const Loop user64[] = {
    LOOP(own_top), LOOP(own_top_if), LOOP(two_units), LOOP(two_units_if), LOOP(over_branch), LOOP(calls),
    LOOP(calls_memory), LOOP(registers), LOOP(memory), LOOP(counts), LOOP(counts_two), LOOP(pages),
    LOOP(pages_jump), LOOP(still), LOOP(strips), LOOP(devices), LOOP(x87),
};
static const Loop usual64[] = {LOOP(calls), LOOP(calls_memory), LOOP(registers), LOOP(memory), LOOP(returns_to), LOOP(calls_to)};
static const Loop kernel64[] = {LOOP(returns), LOOP(levels_loop), LOOP(functions)};
static const Loop code32[] = {LOOP(top32), LOOP(units32), LOOP(calls32)};
static const Loop code16[] = {LOOP(top16), LOOP(units16), LOOP(calls16)};
/* clang-format on */

static int64_t cpu_time(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static _Atomic int64_t kicked_at;
static _Atomic bool changed;

static void kick(union sigval cpu)
{
    kicked_at = cpu_time();
    cpu_kick(cpu.sival_ptr);
}

static timer_t timer_new(void (*fn)(union sigval data), void *data)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = fn};
    timer_t timer = NULL;

    event.sigev_value.sival_ptr = data;
    check(timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer), 0);
    return timer;
}

/* At the tops of `x87`'s two loops, or behind the HLT there: the store was the last, eight
 * bytes before. */
static void look_at_pointers(const BareCpu *b)
{
    enum { AGAIN = BARE_CODE + 2, TOP = BARE_CODE + 18, STORE = 0x59f };
    const X86State *s = &b->c->s;
    bool there = s->rip == TOP || s->rip == TOP + 1 || s->rip == AGAIN || s->rip == AGAIN + 1;

    if (s->fpu.fop == STORE && there) {
        check(s->fpu.fdp, s->gpr[R_DI] + 0x800 - 8);
    }
}

static RtExit run_until(BareCpu *b, timer_t timer)
{
    struct itimerspec soon = {.it_value = {0, AFTER_NS}};
    RtExit exit;

    cpu_attended(b->c);
    timer_settime(timer, 0, &soon, NULL);
    exit = bare_run(b);
    look_at_pointers(b);
    return exit;
}

/* The second time all units are there and linked. */
static void leave_often(BareCpu *b)
{
    timer_t timer = timer_new(kick, b->c);

    for (unsigned n = 0; n < TIMES; n++) {
        check(run_until(b, timer), RT_KICK);
        check(cpu_time() - kicked_at < SOON_NS, true);
        check(bare_fault(b), -1);
    }
    timer_delete(timer);
}

/* All becomes HLT, as if a device or another CPU had written it. */
static void change(union sigval cpu)
{
    BareCpu *b = cpu.sival_ptr;

    memset(b->ram + BARE_CODE, 0xf4, 2 * GUEST_PAGE);
    code_written(&b->pages[BARE_CODE / GUEST_PAGE], &b->code_hits, 0, GUEST_PAGE);
    code_written(&b->pages[BARE_CODE / GUEST_PAGE + 1], &b->code_hits, 0, GUEST_PAGE);
    changed = true;
}

static void change_code(BareCpu *b)
{
    timer_t timer = timer_new(change, b);
    RtExit exit;

    changed = false;
    exit = run_until(b, timer);
    check(exit == RT_HALT || exit == RT_SHUTDOWN, true);
    while (!changed) {
    }
    timer_delete(timer);
}

/* Data where no window is, so that what was guessed of their address is wrong. */
static void move_data(BareCpu *b)
{
    const uint64_t tables = (BARE_TABLES + 0x2000) | 7;

    memcpy(b->ram + BARE_TABLES + 0x1000 + 256 * 8, &tables, sizeof tables);
    b->c->s.gpr[R_SI] |= 0xffff800000000000;
}

/* after: as Cpu.translate_after */
static BareCpu *loaded(CodeSize size, const Loop *loop, bool window, unsigned after)
{
    BareCpu *b = bare_new_as(size, true);

    b->c->translate_after = after;
    b->c->s.gpr[R_SI] = BARE_DATA;
    b->c->s.efer |= EFER_SCE;
    b->c->s.star = 0x0013000800000000;
    b->c->s.lstar = BARE_CODE;
    if (window) {
        b->c->window.always = bare_window(b);
    }
    bare_load(b, loop->from, loop->to);
    return b;
}

static void each(CodeSize size, const Loop *loops, unsigned count, bool window, unsigned after)
{
    alarm(PATIENCE);
    for (unsigned n = 0; n < count; n++) {
        BareCpu *b = loaded(size, &loops[n], window, after);

        leave_often(b);
        if (size == CODE_64) {
            move_data(b);
            leave_often(b);
        }
        change_code(b);
        check(window && b->c->code ? b->c->window.figures.promotions > 0 : true, true);
        bare_free(b);
    }
    alarm(0);
}

#define ALL(size, loops, window, after) \
    each(size, loops, sizeof(loops) / sizeof *(loops), window, after)

TEST("translate: every kind of loop without end is left for whoever wants the CPU, and when its "
     "code "
     "is changed by others")
{
    ALL(CODE_64, user64, false, 0);
    ALL(CODE_64, kernel64, false, 0);
    ALL(CODE_32, code32, false, 0);
    ALL(CODE_16, code16, false, 0);
}

TEST("window: every kind of loop without end is left for whoever wants the CPU, and when its code "
     "is changed by others")
{
    ALL(CODE_64, user64, true, 0);
}

TEST("usual: a loop by a return, a call or a jump whose target is known is left, too")
{
    ALL(CODE_64, usual64, false, 8);
    ALL(CODE_64, usual64, true, 8);
}
