/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Breakpoints, watchpoints and single steps of a debugger, on a bare CPU. */
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

/* clang-format off */
GUEST(counts, ".code64\n inc %eax\n inc %eax\n inc %eax\n hlt");
GUEST(stores, ".code64\n mov $0x30000, %edi\n mov %eax, (%rdi)\n mov 8(%rdi), %ecx\n incl 16(%rdi)\n hlt");
GUEST(fills, ".code64\n mov $0x30000, %edi\n mov $16, %ecx\n rep stosb\n hlt");
GUEST(far_away, ".code64\n 1: inc %eax\n cmp $5, %eax\n jne 1b\n hlt");
GUEST(faults, ".code64\n ud2\n");
GUEST(calls, ".code64\n 1: call 2f\n dec %ecx\n jnz 1b\n hlt\n .org calls + 0x1000\n 2: cmp $50, %ecx\n je 3f\n ret\n 3: inc %eax\n ret");
GUEST(halts, ".code64\n hlt\n inc %eax\n");
/* clang-format on */

typedef struct Session {
    BareCpu *b;
    Cpu *c;
    DebugPlan plan;
    uint64_t at[4];
    DebugWatch watch[4];
} Session;

static void session_begin(Session *s, const uint8_t *code, const uint8_t *end)
{
    *s = (Session){.b = bare_new(CODE_64)};
    s->c = s->b->c;
    s->plan.breaks = s->at;
    s->plan.watches = s->watch;
    bare_load(s->b, code, end);
}

static RtExit go(Session *s, unsigned breaks, unsigned watches, uint8_t how)
{
    s->plan.break_count = breaks;
    s->plan.watch_count = watches;
    s->plan.step = how;
    rt_debug(s->c, &s->plan);
    return rt_run(s->c);
}

TEST("debug: a breakpoint stops in front of its instruction, each time, and a step leaves it")
{
    Session s;

    session_begin(&s, counts, counts_end);
    s.at[0] = BARE_CODE + 2;
    for (unsigned n = 0; n < 2; n++) {
        check(go(&s, 1, 0, 0), RT_DEBUG);
        check(s.c->debug_hit.reason, DEBUG_BREAK);
        check(s.c->debug_hit.addr, BARE_CODE + 2);
        check(s.c->s.gpr[R_AX], 1);
    }
    check(go(&s, 1, 0, DEBUG_STEP), RT_DEBUG);
    check(s.c->debug_hit.reason, DEBUG_STEPPED);
    check(s.c->s.rip, BARE_CODE + 4);
    check(go(&s, 1, 0, 0), RT_HALT);
    bare_free(s.b);
}

TEST("debug: code that ran before its breakpoint was set stops, and runs on when that is gone")
{
    Session s;

    session_begin(&s, far_away, far_away_end);
    check(go(&s, 0, 0, 0), RT_HALT);
    s.c->s.activity = CPU_RUNNING;
    s.c->s.rip = BARE_CODE;
    s.c->s.gpr[R_AX] = 0;
    s.at[0] = BARE_CODE + 2;
    check(go(&s, 1, 0, 0), RT_DEBUG);
    check(s.c->s.gpr[R_AX], 1);
    rt_debug(s.c, NULL);
    check(rt_run(s.c), RT_HALT);
    check(s.c->s.gpr[R_AX], 5);
    bare_free(s.b);
}

/* What has no breakpoint in the page is left by the jump table, where there is code. */
TEST("debug: a breakpoint in a page that is entered again and again, by code that was translated")
{
    Session s;

    session_begin(&s, calls, calls_end);
    for (unsigned n = 0; n < 2; n++) {
        s.c->s.activity = CPU_RUNNING;
        s.c->s.rip = BARE_CODE;
        s.c->s.gpr[R_CX] = 100;
        s.at[0] = BARE_CODE + 0x1006;
        check(go(&s, n, 0, 0), n ? RT_DEBUG : RT_HALT);
        check(s.c->s.gpr[R_AX], 1);
    }
    check(s.c->s.rip, BARE_CODE + 0x1006);
    check(s.c->s.gpr[R_CX], 50);
    bare_free(s.b);
}

TEST("debug: breakpoints and watchpoints leave pages without them as fast as before")
{
    Session s;

    session_begin(&s, stores, stores_end);
    s.at[0] = BARE_CODE + GUEST_PAGE;
    s.watch[0] = (DebugWatch){BARE_DATA + GUEST_PAGE, BARE_DATA + GUEST_PAGE, DEBUG_WRITE};
    check(go(&s, 1, 1, 0), RT_HALT);
    check(tlb_writes(s.c->tlb, BARE_DATA, 4) != NULL, true);
    check(s.c->debug_hit.reason, DEBUG_NONE);
    bare_free(s.b);
}

TEST("debug: a write watchpoint stops behind the write; a watched page has no TLB tag")
{
    Session s;

    session_begin(&s, stores, stores_end);
    s.watch[0] = (DebugWatch){BARE_DATA + 3, BARE_DATA + 9, DEBUG_WRITE};
    check(go(&s, 0, 1, 0), RT_DEBUG);
    check(s.c->debug_hit.reason, DEBUG_WATCHED);
    check(s.c->debug_hit.addr, BARE_DATA + 3);
    check(s.c->s.rip, BARE_CODE + 7);
    check(tlb_reads(s.c->tlb, BARE_DATA, 4) != NULL, false);
    check(go(&s, 0, 1, 0), RT_HALT); /* the read is not meant */
    bare_free(s.b);
}

TEST("debug: read and access watchpoints see reads, and both halves of read-modify-write")
{
    Session s;

    session_begin(&s, stores, stores_end);
    s.watch[0] = (DebugWatch){BARE_DATA + 8, BARE_DATA + 8, DEBUG_READ | DEBUG_WRITE};
    s.watch[1] = (DebugWatch){BARE_DATA + 16, BARE_DATA + 16, DEBUG_READ};
    check(go(&s, 0, 2, 0), RT_DEBUG);
    check(s.c->debug_hit.access, DEBUG_READ | DEBUG_WRITE);
    check(go(&s, 0, 2, 0), RT_DEBUG);
    check(s.c->debug_hit.access, DEBUG_READ);
    check(s.c->debug_hit.addr, BARE_DATA + 16);
    check(s.b->ram[BARE_DATA + 16], 1);
    bare_free(s.b);
}

TEST("debug: a repeated store stops behind the element that was watched")
{
    Session s;

    session_begin(&s, fills, fills_end);
    s.watch[0] = (DebugWatch){BARE_DATA + 5, BARE_DATA + 5, DEBUG_WRITE};
    check(go(&s, 0, 1, 0), RT_DEBUG);
    check(s.c->s.gpr[R_CX], 10);
    check(s.c->s.rip, BARE_CODE + 10);
    bare_free(s.b);
}

TEST("debug: a step of a repeated store is one element")
{
    Session s;

    session_begin(&s, fills, fills_end);
    for (unsigned n = 0; n < 4; n++) {
        check(go(&s, 0, 0, DEBUG_STEP), RT_DEBUG);
    }
    check(s.c->s.gpr[R_CX], 14);
    check(s.c->s.rip, BARE_CODE + 10);
    bare_free(s.b);
}

TEST("debug: a step over HLT ends behind it, with the CPU halted")
{
    Session s;

    session_begin(&s, halts, halts_end);
    check(go(&s, 0, 0, DEBUG_STEP), RT_DEBUG);
    check(s.c->s.rip, BARE_CODE + 1);
    check(s.c->s.activity, CPU_HALTED);
    bare_free(s.b);
}

TEST("debug: a quiet step takes no open window for a reason to leave")
{
    Session s;

    session_begin(&s, counts, counts_end);
    s.c->s.rflags |= FLAG_IF;
    rt_want_window(s.c, true);
    check(go(&s, 0, 0, DEBUG_STEP | DEBUG_NO_IRQ), RT_DEBUG);
    check(s.c->s.gpr[R_AX], 1);
    check(go(&s, 0, 0, DEBUG_STEP), RT_KICK);
    bare_free(s.b);
}

TEST("debug: a step into a fault without a handler is the shutdown, not a step")
{
    Session s;

    session_begin(&s, faults, faults_end);
    check(go(&s, 0, 0, DEBUG_STEP), RT_SHUTDOWN);
    check(bare_fault(s.b), EXC_UD);
    bare_free(s.b);
}
