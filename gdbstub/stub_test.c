/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The stub with a CPU of two registers and a page of memory: what packets answer. */
#include "accel/fake/fake.h"
#include "gdbstub/gdbstub.h"
#include "gdbstub/packet.h"
#include "softmmu/run/run.h"
#include "target/i386/state.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

#include <string.h>

enum { PAGE_AT = 0x1000, PAGE_BYTES = 0x1000 };

typedef struct Bench {
    Board *b;
    Machine *m;
    Vcpu *cpu[2];
    size_t read; /* of what was sent */
    GString *answer;
} Bench;

static char *tiny_describe(Vcpu *cpu)
{
    return g_strdup("<target/>");
}

static size_t tiny_get(Vcpu *cpu, unsigned n, uint8_t *to)
{
    if (n > 1) {
        return 0;
    }
    memcpy(to, &cpu->state->gpr[n], 8);
    return 8;
}

static uint32_t tiny_set(Vcpu *cpu, unsigned reg, const uint8_t *from, size_t n)
{
    if (reg > 1 || n != 8) {
        return 0;
    }
    memcpy(&cpu->state->gpr[reg], from, n);
    return X86_GPR;
}

/* One page of RAM shows at PAGE_AT. */
static size_t inside(uint64_t addr, size_t n)
{
    uint64_t at = addr - PAGE_AT;

    return at < PAGE_BYTES ? MIN(n, PAGE_BYTES - at) : 0;
}

static size_t tiny_read(Vcpu *cpu, uint64_t addr, void *to, size_t n)
{
    n = inside(addr, n);
    mem_read(machine_space(cpu->dev.machine), (Access){.debug = true}, addr, to, n);
    return n;
}

static size_t tiny_write(Vcpu *cpu, uint64_t addr, const void *from, size_t n)
{
    n = inside(addr, n);
    mem_write(machine_space(cpu->dev.machine), (Access){.debug = true}, addr, from, n);
    return n;
}

static uint64_t tiny_pc(Vcpu *cpu)
{
    return cpu->state->rip;
}

static uint32_t tiny_set_pc(Vcpu *cpu, uint64_t pc)
{
    cpu->state->rip = pc;
    return X86_GPR;
}

static const char *tiny_activity(Vcpu *cpu)
{
    return "counting";
}

static bool tiny_sleeps(Vcpu *cpu)
{
    return false;
}

static const GdbArch tiny = {tiny_describe, tiny_get,    tiny_set,      tiny_read,  tiny_write,
                             tiny_pc,       tiny_set_pc, tiny_activity, tiny_sleeps};

static void bench_begin(Bench *x)
{
    g_autoptr(GString) log = g_string_new("");

    *x = (Bench){.b = board_new(), .answer = g_string_new("")};
    x->m = board_machine(x->b);
    accel_start(accel_pick(x->m, "fake", log, NULL), NULL);
    for (int i = 0; i < 2; i++) {
        x->cpu[i] = (Vcpu *)board_add(x->b, &Vcpu_class, NULL, "id", NUMBER(i), NULL);
        x->cpu[i]->state->gpr[0] = 0x1122334455667788 + i;
        x->cpu[i]->state->activity = CPU_RUNNING;
    }
    check(gdbstub_new(x->m, board_chardev(x->b), &tiny, NULL) != NULL, true);
}

static void bench_end(Bench *x)
{
    machine_pause(x->m, MACHINE_PAUSED);
    g_string_free(x->answer, TRUE);
}

/* Bytes in; then all that is to be done. */
static void feed(Bench *x, const void *data, size_t n)
{
    char_input(board_chardev(x->b), data, n);
    while (g_main_context_iteration(machine_context(x->m), FALSE)) {
    }
}

/* What was sent since the last time, without frames: '|' between packets. */
static const char *answer(Bench *x)
{
    const char *sent = char_sent(x->b) + x->read;
    Wire w;

    wire_init(&w);
    g_string_truncate(x->answer, 0);
    for (; *sent; sent++, x->read++) {
        if (wire_take(&w, *sent) == WIRE_PACKET) {
            g_string_append_printf(x->answer, "%s%.*s", x->answer->len ? "|" : "", (int)w.data->len,
                                   w.data->data);
        }
    }
    wire_free(&w);
    return x->answer->str;
}

static const char *ask(Bench *x, const char *packet)
{
    g_autoptr(GByteArray) out = g_byte_array_new();

    wire_put(out, packet, strlen(packet));
    feed(x, out->data, out->len);
    return answer(x);
}

/* The machine runs: until the stub has something to say. */
static const char *wait_answer(Bench *x)
{
    while (!*answer(x)) {
        g_main_context_iteration(machine_context(x->m), TRUE);
    }
    return x->answer->str;
}

/* A packet that lets the machine run: until it has stopped, which may be at once. */
static const char *ask_and_wait(Bench *x, const char *packet)
{
    return *ask(x, packet) ? x->answer->str : wait_answer(x);
}

TEST("gdb: packets are acknowledged, refused and repeated until QStartNoAckMode")
{
    Bench x;

    bench_begin(&x);
    feed(&x, "$qC#b4", 6);
    check_str(char_sent(x.b), "+$QC1#c5");
    feed(&x, "-", 1);
    check_str(char_sent(x.b), "+$QC1#c5$QC1#c5");
    feed(&x, "$qC#b5", 6);
    check_str(char_sent(x.b), "+$QC1#c5$QC1#c5-");
    ask(&x, "QStartNoAckMode");
    feed(&x, "$qC#b5$qC#b4", 12);
    check(g_str_has_suffix(char_sent(x.b), "+$OK#9a$QC1#c5"), true);
    bench_end(&x);
}

TEST("gdb: registers are read and written, one by one and all at once, of the thread that was "
     "chosen")
{
    Bench x;

    bench_begin(&x);
    check_str(ask(&x, "g"), "88776655443322110000000000000000");
    check_str(ask(&x, "Hg2"), "OK");
    check_str(ask(&x, "p0"), "8977665544332211");
    check_str(ask(&x, "P1=0102030405060708"), "OK");
    check(x.cpu[1]->state->gpr[1], 0x0807060504030201);
    check_str(ask(&x, "G11000000000000002200000000000000"), "OK");
    check(x.cpu[1]->state->gpr[0], 0x11);
    check_str(ask(&x, "p2"), "E16");
    check_str(ask(&x, "P0=01"), "E16");
    check_str(ask(&x, "P0=0"), "E16");
    check_str(ask(&x, "G11"), "E16");
    check_str(ask(&x, "Hg3"), "E16");
    bench_end(&x);
}

TEST("gdb: memory is read and written as text and as bytes, as far as it goes")
{
    Bench x;

    bench_begin(&x);
    check_str(ask(&x, "M1ffc,4:01020304"), "OK");
    check_str(ask(&x, "m1ffc,8"), "01020304");
    check_str(ask(&x, "m2000,1"), "E0e");
    check_str(ask(&x, "X1ffe,2:AB"), "OK");
    check_str(ask(&x, "x1ffe,2"), "bAB");
    check_str(ask(&x, "X1ffe,0:"), "OK");
    check_str(ask(&x, "X1ffe,4:ABCD"), "E0e");
    bench_end(&x);
}

TEST(
    "gdb: malformed packets are errors, unknown ones empty, and huge lengths no more than a packet")
{
    static const char *const bad[] = {"m",
                                      "m10",
                                      "m10,",
                                      "m,4",
                                      "mg,4",
                                      "m0,4x",
                                      "m11112222333344445,4",
                                      "M1000,2:01",
                                      "M1000,1:0g",
                                      "M1000,ffffffffffffffff:00",
                                      "X1000,3:ab",
                                      "Z0",
                                      "Z0,",
                                      "Z0,1000",
                                      "Z2,1000,0",
                                      "Z2,ffffffffffffffff,2",
                                      "P",
                                      "P0",
                                      "p",
                                      "Hg",
                                      "vCont;",
                                      "vCont;x",
                                      "vCont;s:",
                                      "vCont;C",
                                      "vCont;r1000",
                                      "qXfer:features:read:target.xml:0"};
    Bench x;

    bench_begin(&x);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        const char *said = ask(&x, bad[i]), *words = strchr(said, '|'); /* some are explained */

        check(words ? words[1] : *said, 'E');
    }
    check(strlen(ask(&x, "m1000,ffffffffffffffff")), 2 * PAGE_BYTES);
    check(g_str_has_prefix(char_sent(x.b), "+"), true);
    check_str(ask(&x, "vNothing"), "");
    check_str(ask(&x, "Z7,1,1"), "");
    check_str(ask(&x, "qXfer:auxv:read::0,100"), "");
    check(machine_state(x.m), MACHINE_PRELAUNCH);
    bench_end(&x);
}

TEST("gdb: a document comes in parts")
{
    Bench x;

    bench_begin(&x);
    check_str(ask(&x, "qXfer:features:read:target.xml:0,4"), "m<tar");
    check_str(ask(&x, "qXfer:features:read:target.xml:4,100"), "lget/>");
    check_str(ask(&x, "qXfer:features:read:target.xml:ffffffff,100"), "l");
    check_str(ask(&x, "qXfer:features:read:other.xml:0,100"), "E00");
    bench_end(&x);
}

TEST("gdb: threads are vCPUs")
{
    Bench x;

    bench_begin(&x);
    check_str(ask(&x, "qfThreadInfo"), "m1,2");
    check_str(ask(&x, "qsThreadInfo"), "l");
    check_str(ask(&x, "T2"), "OK");
    check_str(ask(&x, "T3"), "E03");
    check(strstr(ask(&x, "qXfer:threads:read::0,1000"), "name=\"cpu1\">counting<") != NULL, true);
    bench_end(&x);
}

TEST("gdb: a thread steps, the other is held; the next time it runs, and an interrupt stops both")
{
    Bench x;

    bench_begin(&x);
    x.cpu[0]->state->rip = 0x500;
    check_str(ask_and_wait(&x, "vCont;s:1"), "T05thread:1;");
    check(((FakeCpu *)x.cpu[1]->engine)->runs, 0);
    check(machine_state(x.m), MACHINE_DEBUG);
    check_str(ask(&x, "vCont;c"), "");
    while (!((FakeCpu *)x.cpu[1]->engine)->runs) {
        g_thread_yield();
    }
    feed(&x, "\3", 1);
    check_str(answer(&x), "T02thread:1;");
    check(machine_state(x.m), MACHINE_PAUSED);
    bench_end(&x);
}

TEST("gdb: a step over a range is told when it has left it")
{
    Bench x;

    bench_begin(&x);
    x.cpu[0]->state->rip = 0x500; /* where it stays */
    ask(&x, "vCont;r500,510:1");
    for (unsigned runs = 0; (runs = ((FakeCpu *)x.cpu[0]->engine)->runs) < 5;) {
        g_main_context_iteration(machine_context(x.m), TRUE);
    }
    check_str(answer(&x), "");
    x.cpu[0]->state->rip = 0x510;
    check_str(wait_answer(&x), "T05thread:1;");
    bench_end(&x);
}

TEST("gdb: a watchpoint's news names kind and address; a second vCPU's comes with the next "
     "resumption")
{
    Bench x;

    bench_begin(&x);
    check_str(ask(&x, "Z2,1000,4"), "OK");
    ask(&x, "vCont;c");
    ((FakeCpu *)x.cpu[0]->engine)->hit = DEBUG_WATCHED;
    ((FakeCpu *)x.cpu[1]->engine)->hit = DEBUG_WATCHED;
    while (!x.cpu[0]->held || !x.cpu[1]->held) {
        g_thread_yield();
    }
    check_str(wait_answer(&x), "T05thread:1;watch:1000;");
    check_str(ask(&x, "c"), "T05thread:2;watch:1000;");
    bench_end(&x);
}

TEST("gdb: what an engine cannot do is an error with its words, and what there was stays")
{
    Bench x;

    bench_begin(&x);
    check_str(ask(&x, "Z0,10,1"), "OK");
    check_str(ask(&x, "Z1,20,1"), "OK");
    check(x.cpu[0]->plan->break_count, 2);
    check_str(ask(&x, "Z0,30,1"), "E.points.there are two breakpoints only");
    check(x.cpu[0]->plan->break_count, 2);
    check(x.cpu[1]->plan->breaks[1], 0x20);
    check_str(ask(&x, "z0,10,1"), "OK");
    check_str(ask(&x, "z1,20,1"), "OK");
    check(x.cpu[0]->plan == NULL, true);
    bench_end(&x);
}

TEST("gdb: who detaches leaves no breakpoint, and the machine runs")
{
    Bench x;

    bench_begin(&x);
    ask(&x, "Z0,10,1");
    check_str(ask(&x, "D"), "OK");
    check(machine_state(x.m), MACHINE_RUNNING);
    machine_pause(x.m, MACHINE_PAUSED);
    check(x.cpu[0]->plan == NULL, true);
    bench_end(&x);
}

TEST("gdb: a connection that breaks takes its breakpoints along and leaves the machine standing")
{
    Bench x;

    bench_begin(&x);
    ask(&x, "Z0,10,1");
    char_opened(board_chardev(x.b), false);
    while (g_main_context_iteration(machine_context(x.m), FALSE)) {
    }
    check(x.cpu[0]->plan == NULL, true);
    check(machine_state(x.m), MACHINE_PRELAUNCH);
    bench_end(&x);
}

TEST("gdb: killed in extended mode the machine stands, and `run` resets it")
{
    Bench x;

    bench_begin(&x);
    check_str(ask(&x, "!"), "OK");
    ask(&x, "Z0,10,1");
    check_str(ask(&x, "vKill;1"), "OK");
    check(x.cpu[0]->plan == NULL, true);
    check(machine_shutdown_reason(x.m), SHUTDOWN_NONE);
    check_str(ask_and_wait(&x, "vRun;"), "T05thread:1;");
    bench_end(&x);
}

TEST("gdb: step bits and physical memory are QEMU's")
{
    Bench x;

    bench_begin(&x);
    check_str(ask(&x, "qqemu.sstepbits"), "ENABLE=1,NOIRQ=2,NOTIMER=4");
    check_str(ask(&x, "qqemu.sstep"), "0x7");
    check_str(ask(&x, "Qqemu.sstep=1"), "OK");
    check_str(ask(&x, "qqemu.sstep"), "0x1");
    check_str(ask(&x, "Qqemu.sstep=8"), "E16");
    check_str(ask(&x, "m2000,1"), "E0e");
    check_str(ask(&x, "Qqemu.PhyMemMode:1"), "OK");
    check_str(ask(&x, "qqemu.PhyMemMode"), "1");
    bench_end(&x);
}
