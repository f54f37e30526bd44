/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu-programs: random programs, run by the interpreter step by step and by the translator from the
 * same state; both must end with the same exception at the same place, with the same registers,
 * flags, FPU and memory. Every other program gets an exception of every kind in front of each of
 * its instructions in turn. A difference prints the program, cut down to what it needs. Options:
 * --programs N, --seed N, --only SEED (that program alone),
 * --code 16|32|64, --level 0|3, --loops (programs that have some only), --blocks (the interpreter
 * as it runs instead of the translator), --stir SEED (the translator's code, TLB and units are
 * flushed and split at random), --kick (another thread wants the CPU and sends signals all the
 * time),
 * --verbose.
 */
#include "target/i386/decode/table.h"
#include "target/i386/disas.h"
#include "target/i386/state.h"
#include "tests/cpu/programs.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct Run {
    uint64_t seed, only;
    unsigned programs, code, level;
    bool verbose, failed, kick, window, loops;
    uint64_t stir;
    Engine engine;
    pthread_t runner;
    _Atomic bool done;
    Interp *side[2];
    Outcome out[2];
    Program program;
    unsigned long ran, differ, strips, endless, ends[32];
    char what[400], in_work[80];
    timer_t patience;
} Run;

static void differ(Run *t, const char *name, unsigned n, uint64_t a, uint64_t b)
{
    size_t used = strlen(t->what);

    snprintf(t->what + used, sizeof(t->what) - used, " %s%u: %#llx and %#llx;", name, n,
             (unsigned long long)a, (unsigned long long)b);
}

static void load(Run *t, unsigned side)
{
    const Program *p = &t->program;
    Interp *i = t->side[side];
    uint8_t *code = interp_memory(i, CODE_BASE);

    memset(code, 0xcc, CODE_BYTES);
    memcpy(code + (p->at - CODE_BASE), p->bytes, p->used);
    for (unsigned page = 0; page < CODE_BYTES; page += 4096) {
        interp_code_written(i, CODE_BASE + page, 4096);
    }
    memcpy(interp_memory(i, DATA_BASE), p->data, DATA_BYTES);
    memcpy(interp_memory(i, STACK_BASE), p->stack, STACK_BYTES);
}

static void compare_area(Run *t, uint32_t base, unsigned bytes)
{
    const uint8_t *a = interp_memory(t->side[0], base), *b = interp_memory(t->side[1], base);

    for (unsigned n = 0; n < bytes && memcmp(a, b, bytes); n++) {
        if (a[n] != b[n]) {
            differ(t, "byte ", base + n, a[n], b[n]);
            return;
        }
    }
}

static void compare(Run *t)
{
    const Outcome *a = &t->out[0], *b = &t->out[1];

    if (a->vector != b->vector) {
        differ(t, "vector ", 0, a->vector, b->vector);
    }
    if (a->error != b->error) {
        differ(t, "error ", 0, a->error, b->error);
    }
    if (a->cr2 != b->cr2) {
        differ(t, "cr2 ", 0, a->cr2, b->cr2);
    }
    if (a->regs.rip != b->regs.rip) {
        differ(t, "rip ", 0, a->regs.rip, b->regs.rip);
    }
    if (a->regs.rflags != b->regs.rflags) {
        differ(t, "flags ", 0, a->regs.rflags, b->regs.rflags);
    }
    for (unsigned n = 0; n < 16; n++) {
        if (a->regs.gpr[n] != b->regs.gpr[n]) {
            differ(t, "gpr ", n, a->regs.gpr[n], b->regs.gpr[n]);
        }
    }
    /* Not MXCSR_MASK, which is there once the registers have been saved; and not the header:
     * whether a component is as INIT leaves it is known, or not, as the host likes. */
    image_normalize(t->out[0].regs.fpu);
    image_normalize(t->out[1].regs.fpu);
    for (unsigned n = 0; n < FPU_BYTES; n++) {
        if (a->regs.fpu[n] != b->regs.fpu[n] && (n < 28 || n >= 32) && (n < 464 || n >= 576)) {
            differ(t, "fpu byte ", n, a->regs.fpu[n], b->regs.fpu[n]);
            break;
        }
    }
    compare_area(t, DATA_BASE, DATA_BYTES);
    compare_area(t, STACK_BASE, STACK_BYTES);
    compare_area(t, CODE_BASE, CODE_BYTES);
}

/* true: both agree. */
static bool run_both(Run *t)
{
    t->what[0] = 0;
    timer_settime(t->patience, 0, &(struct itimerspec){.it_value.tv_sec = 60}, NULL);
    for (unsigned n = 0; n < 2; n++) {
        load(t, n);
        interp_segments(t->side[n], t->program.based, t->program.odd);
        if (!interp_run(t->side[n], t->program.code, &t->program.in, &t->out[n]) && n == 0) {
            t->endless++;
            return true;
        }
    }
    compare(t);
    return !t->what[0];
}

static void print_program(const Program *p)
{
    for (unsigned n = 0, item = 0; n < p->used;) {
        Insn i;
        char *text = disassemble(p->code, p->bytes + n, p->used - n, p->at + n);
        unsigned length = decode(p->code, p->bytes + n, p->used - n, &i) == DECODE_OK ? i.len : 1;

        while (item < p->items && p->start[item] < n) {
            item++;
        }
        if (p->bytes[n] != 0x90) {
            printf("   %s %#llx: %s   ", item < p->items && p->start[item] == n ? "*" : " ",
                   (unsigned long long)p->at + n, text);
            for (unsigned k = 0; k < length; k++) {
                printf("%02x", p->bytes[n + k]);
            }
            printf("\n");
        }
        free(text);
        n += length;
    }
}

/* Items that are not needed for the difference become NOPs. */
static void cut_down(Run *t)
{
    Program *p = &t->program;

    for (unsigned n = p->items; n-- > 0;) {
        uint8_t kept[PROGRAM_BYTES];
        unsigned length = p->start[n + 1] - p->start[n];

        memcpy(kept, p->bytes + p->start[n], length);
        memset(p->bytes + p->start[n], 0x90, length);
        if (run_both(t)) {
            memcpy(p->bytes + p->start[n], kept, length);
        }
    }
    run_both(t);
}

/* true: they agree. */
static bool one_program(Run *t, uint64_t seed, CodeSize code, ProgramException exception,
                        unsigned at)
{
    Random r = {seed};

    snprintf(t->in_work, sizeof(t->in_work), "seed %#llx, exception %d at %u: no end\n",
             (unsigned long long)seed, exception, at);
    program_make(&r, code, t->side[0], exception, at, &t->program);
    if (t->loops && !t->program.loops) {
        return true;
    }
    t->ran++;
    if (run_both(t)) {
        t->strips += interp_strips(t->side[1]);
        t->ends[t->out[0].vector & 31]++;
        return true;
    }
    t->differ++;
    printf("differs: seed %#llx, exception %d at %u:%s\n", (unsigned long long)seed, exception, at,
           t->what);
    if (t->differ <= 5 || t->verbose) {
        cut_down(t);
        printf("   cut down:%s\n", t->what);
        for (unsigned n = 0; t->verbose && n < 16; n++) {
            uint64_t xmm[2];

            memcpy(xmm, t->program.in.fpu + 160 + 16 * n, 16);
            printf("   gpr %2u %016llx  xmm %016llx %016llx\n", n,
                   (unsigned long long)t->program.in.gpr[n], (unsigned long long)xmm[1],
                   (unsigned long long)xmm[0]);
        }
        print_program(&t->program);
    }
    return false;
}

static void run_code(Run *t, CodeSize code, unsigned level, const char *name)
{
    t->ran = t->differ = t->strips = t->endless = 0;
    memset(t->ends, 0, sizeof(t->ends));
    interp_level(t->side[0], level);
    interp_level(t->side[1], level);
    for (unsigned n = 0; n < t->programs && t->differ < 40; n++) {
        uint64_t seed = t->seed * 1000003 + n * 3 + code;

        if (t->only && t->only != seed) {
            continue;
        }
        if (!one_program(t, seed, code, EXCEPTION_NONE, 0)) {
            continue;
        }
        for (unsigned at = 0; n % 2 && at < t->program.items; at++) {
            if (!one_program(t, seed, code, 1 + (n / 2 + at) % (EXCEPTION_COUNT - 1), at)) {
                break;
            }
        }
    }
    printf("%s programs: %s-bit code at level %u: %lu programs (seed %llu) end alike",
           t->differ ? "FAIL" : "ok", name, level, t->ran - t->differ - t->endless,
           (unsigned long long)t->seed);
    if (t->strips) {
        printf(", %lu of them with strips", t->strips);
    }
    if (t->endless) {
        printf(", %lu have no end and are not compared", t->endless);
    }
    printf(t->differ ? ", %lu differ\n" : "\n", t->differ);
    if (t->verbose) {
        for (unsigned n = 0; n < 32; n++) {
            if (t->ends[n]) {
                printf("   %lu end with vector %u\n", t->ends[n], n);
            }
        }
    }
    fflush(stdout);
    t->failed |= t->differ;
}

/* ---- endless programs ---- */

static void on_alarm(int number, siginfo_t *info, void *context)
{
    const Run *t = info->si_value.sival_ptr;

    _exit(write(1, t->in_work, strlen(t->in_work)) < 0 ? 2 : 1);
}

static void watch(Run *t)
{
    struct sigaction action = {.sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO};
    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM, .sigev_value.sival_ptr = t};

    sigaction(SIGALRM, &action, NULL);
    timer_create(CLOCK_MONOTONIC, &event, &t->patience);
}

/* ---- somebody who wants the CPU at any moment ---- */

static void on_signal(int number)
{
}

static void *kick(void *opaque)
{
    Run *t = opaque;
    Random r = {t->seed};

    while (!t->done) {
        for (unsigned n = random_below(&r, 1u << random_below(&r, 12)); n; n--) {
            __builtin_ia32_pause();
        }
        interp_kick(t->side[1]);
        if (random_below(&r, 8) == 0) {
            pthread_kill(t->runner, SIGUSR1);
        }
    }
    return NULL;
}

static void kick_begin(Run *t, pthread_t *thread)
{
    struct sigaction action = {.sa_handler = on_signal};

    sigaction(SIGUSR1, &action, NULL);
    t->runner = pthread_self();
    pthread_create(thread, NULL, kick, t);
}

static void kick_end(Run *t, pthread_t thread)
{
    t->done = true;
    pthread_join(thread, NULL);
}

static bool options(Run *t, int argc, char **argv)
{
    for (int n = 1; n < argc; n++) {
        const char *value = n + 1 < argc ? argv[n + 1] : "";

        if (!strcmp(argv[n], "--verbose")) {
            t->verbose = true;
        } else if (!strcmp(argv[n], "--kick")) {
            t->kick = true;
        } else if (!strcmp(argv[n], "--loops")) {
            t->loops = true;
        } else if (!strcmp(argv[n], "--window")) {
            t->window = true;
        } else if (!strcmp(argv[n], "--stir")) {
            t->stir = strtoull(value, NULL, 0), n++;
        } else if (!strcmp(argv[n], "--blocks")) {
            t->engine = ENGINE_BLOCKS;
        } else if (!strcmp(argv[n], "--programs")) {
            t->programs = atoi(value), n++;
        } else if (!strcmp(argv[n], "--only")) {
            t->only = strtoull(value, NULL, 0), n++;
        } else if (!strcmp(argv[n], "--seed")) {
            t->seed = strtoull(value, NULL, 0), n++;
        } else if (!strcmp(argv[n], "--code")) {
            t->code = atoi(value), n++;
        } else if (!strcmp(argv[n], "--level")) {
            t->level = atoi(value), n++;
        } else {
            fprintf(stderr, "cpu-programs: unknown option %s\n", argv[n]);
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"16", "32", "64"};
    Run *t = calloc(1, sizeof(*t));
    pthread_t kicker;
    bool failed;

    t->programs = 60;
    t->seed = 1;
    t->level = 1; /* both */
    t->engine = ENGINE_TRANSLATOR;
    if (!options(t, argc, argv)) {
        return 2;
    }
    watch(t);
    native_find_components();
    t->side[0] = interp_new(ENGINE_STEPS);
    t->side[1] = interp_new(t->engine);
    interp_stir(t->side[1], t->stir);
    if (t->window && !interp_window(t->side[1])) {
        printf("skip cpu-programs: no address space for the window\n");
        return 0;
    }
    if (t->kick) {
        kick_begin(t, &kicker);
    }
    for (CodeSize code = CODE_16; code <= CODE_64; code++) {
        for (unsigned level = 0; level <= 3; level += 3) {
            if ((!t->code || t->code == 16u << code) && (t->level == 1 || t->level == level)) {
                run_code(t, code, level, names[code]);
            }
        }
    }
    failed = t->failed;
    if (t->kick) {
        kick_end(t, kicker);
    }
    interp_free(t->side[0]);
    interp_free(t->side[1]);
    free(t);
    return failed;
}
