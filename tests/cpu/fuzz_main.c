/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu-fuzz: random bytes run as code by the translator and the interpreter behind it, from random
 * states, in real, protected (code and stacks of 16 and 32 bits), long, compatibility and
 * virtual-8086 mode, at levels 0 and 3, with random stack pointers, tables full of gates into more
 * random bytes, and page tables that the code may write; in every other round TLB and translated
 * code are flushed and split at random, too (x-stir). Among the bytes are loops over memory, that
 * strips may run; and half of the CPUs of 64-bit code give all user code the direct window.
 * Nothing is compared: the process must live. Options: --seconds N, --seed N (of the first round),
 * --rounds N (then the end, whatever the time).
 *
 * Rounds run in children, so that one that kills its process is known by its seed. Each lasts until
 * it halts, shuts down, or a timer of a few milliseconds of CPU time kicks the CPU; a child that
 * does not answer to the kick fails, too. SAME_CPU rounds use one CPU and code cache one after the
 * other, each from the state as after reset; the seed that is told is that of the first of them.
 */
#include "accel/tcg/window.h"
#include "tests/lib/barecpu.h"
#include "tests/lib/random.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    BATCH = 256,
    SAME_CPU = 16,
    ROUND_MS = 2,
    STUCK_SECONDS = 60,    /* of CPU time */
    ASLEEP_SECONDS = 1200, /* the host may have stopped us for a while */
    LOOPS = 24,            /* among the bytes */
    TABLES_BYTES = 0x4000,
    TABLE = 0x4000,
    CODE_SPAN = 0x4000
};

#define NO_STRIP ((uint64_t)-1) /* no end of one */

typedef struct Shared {
    volatile uint64_t seed, rounds, retired, entries, strips, windows;
} Shared;

static bool one_in(Random *r, unsigned n)
{
    return !random_below(r, n);
}

/* Bytes, now and then one that begins what programs are made of. */
static void fill_code(Random *r, uint8_t *at, unsigned bytes)
{
    static const uint8_t usual[] = {0x01, 0x03, 0x0f, 0x29, 0x31, 0x39, 0x48, 0x49, 0x4c, 0x50,
                                    0x58, 0x66, 0x74, 0x75, 0x81, 0x83, 0x85, 0x89, 0x8b, 0x8d,
                                    0x90, 0xa4, 0xab, 0xc3, 0xc4, 0xc5, 0xc7, 0xd9, 0xdd, 0xe8,
                                    0xe9, 0xeb, 0xf0, 0xf2, 0xf3, 0xf7, 0xff, 0x8e, 0xcf};

    for (unsigned n = 0; n < bytes; n++) {
        at[n] = one_in(r, 3) ? usual[random_bits(r) % sizeof(usual)] : random_bits(r);
    }
}

/* A loop of some instructions of which most access memory, its own bytes perhaps, with a step and a
 * condition; in one of four some byte is another one. */
static void put_loop(Random *r, uint8_t *at)
{
    static const uint8_t does[] = {0x01, 0x03, 0x29, 0x31, 0x39, 0x85, 0x89, 0x8b, 0x8d, 0x33};
    static const uint8_t base[] = {1, 2, 3, 5, 6, 7};
    static const uint8_t back[] = {0x72, 0x73, 0x75, 0x75, 0x75, 0x7c, 0x7f, 0x74};
    uint8_t *to = at, moving = base[random_below(r, sizeof base)];

    for (unsigned n = random_below(r, 6); n; n--) {
        uint8_t by = one_in(r, 2) ? moving : base[random_below(r, sizeof base)];

        *to++ = one_in(r, 4) ? 0x48 : 0x4c;
        *to++ = does[random_below(r, sizeof does)];
        *to++ = 0x40 | (random_bits(r) & 0x38) | by;
        *to++ = random_bits(r);
    }
    *to++ = 0x48; /* add, or cmp, of a register and a step */
    *to++ = 0x83;
    *to++ = (one_in(r, 8) ? 0xf8 : 0xc0) | moving;
    *to++ = 1u << random_below(r, 7);
    *to++ = 0x48; /* dec; cmp with a register */
    *to++ = one_in(r, 2) ? 0xff : 0x3b;
    *to++ = 0xc8 | base[random_below(r, sizeof base)];
    *to++ = back[random_below(r, sizeof back)];
    *to = at - (to + 1);
    if (one_in(r, 4)) {
        at[random_below(r, to - at)] = random_bits(r);
    }
}

static uint64_t address(Random *r)
{
    switch (random_bits(r) >> 40 & 7) {
    case 0:
        return random_bits(r);
    case 1:
        return random_bits(r) | 0xffff800000000000;
    case 2:
        return BARE_RAM - (random_bits(r) & 63);
    case 3:
        return BARE_TABLES + (random_bits(r) & 0x3fff);
    case 4:
        return BARE_CODE + (random_bits(r) & (CODE_SPAN - 1));
    default:
        return BARE_STACK + (random_bits(r) & 0xffff);
    }
}

/* Gates of all kinds, most of them good, into the code. */
static void fill_gates(Random *r, BareCpu *b, CodeSize code)
{
    unsigned bytes = code == CODE_16 ? 4 : code == CODE_32 ? 8 : 16;

    for (unsigned n = 0; n < 256; n++) {
        uint64_t to = BARE_CODE + (random_bits(r) & (CODE_SPAN - 1));
        uint64_t gate = (to & 0xffff) | (code == CODE_64 ? 0x18ull : 8ull) << 16 | 0x8e00ull << 32 |
                        to >> 16 << 48;
        uint64_t high = 0;

        if (code == CODE_16) {
            gate = (to & 0xf) | (to >> 4) << 16;
        }
        if (one_in(r, 3)) {
            gate |= 0x6000ull << 32;
        }
        if (one_in(r, 32)) {
            gate ^= random_bits(r) & random_bits(r);
        }
        memcpy(b->ram + TABLE + n * bytes, &gate, bytes > 8 ? 8 : bytes);
        if (bytes == 16) {
            memcpy(b->ram + TABLE + n * bytes + 8, &high, 8);
        }
    }
    b->c->s.idtr.base = TABLE;
    b->c->s.idtr.limit = 256 * bytes - 1;
}

static void level_three(BareCpu *b)
{
    static const uint64_t user[] = {0x00cffb000000ffff, 0x00cff3000000ffff, 0x00affb000000ffff};
    X86State *s = &b->c->s;

    memcpy(b->ram + BARE_TABLES + 8, user, sizeof(user)); /* the same selectors, DPL 3 */
    for (unsigned n = 0; n < SEG_LDTR; n++) {
        s->seg[n].attr |= ATTR_DPL;
        s->seg[n].selector |= 3;
    }
}

static void virtual_8086(BareCpu *b)
{
    X86State *s = &b->c->s;

    s->rflags |= FLAG_VM | FLAG_IOPL;
    for (unsigned n = 0; n < SEG_LDTR; n++) {
        s->seg[n] = (X86Segment){
            0x1000, ATTR_P | ATTR_S | ATTR_DPL | ATTR_WRITE_READ | ATTR_ACCESSED, 0xffff, 0x10000};
    }
    s->rip &= 0xffff;
}

/* 16-bit protected mode; compatibility mode. */
static void narrow(Random *r, X86State *s, CodeSize code)
{
    s->seg[SEG_CS].attr &= ~(code == CODE_64 ? ATTR_L : ATTR_DB);
    if (one_in(r, 2)) {
        s->seg[SEG_SS].attr &= ~ATTR_DB;
    }
    if (code == CODE_64) {
        s->seg[SEG_CS].attr |= ATTR_G | (one_in(r, 2) ? ATTR_DB : 0);
        s->seg[SEG_CS].limit = ~0u;
    }
}

static void random_state(Random *r, BareCpu *b, CodeSize code)
{
    X86State *s = &b->c->s;

    for (unsigned n = 0; n < 16; n++) {
        s->gpr[n] = one_in(r, 4) ? random_bits(r) : address(r);
    }
    s->gpr[R_CX] &= one_in(r, 4) ? ~0ull : 0xff;
    s->rip = code == CODE_16 ? random_bits(r) & (CODE_SPAN - 1)
                             : BARE_CODE + (random_bits(r) & (CODE_SPAN - 1));
    s->rflags = FLAG_ONE |
                (random_bits(r) & (FLAGS_ARITH | FLAG_DF | FLAG_IF | FLAG_AC | FLAG_NT)) |
                (one_in(r, 20) ? FLAG_TF : 0);
    s->cr0 |= random_bits(r) & (CR0_WP | CR0_AM | CR0_MP) & (one_in(r, 2) ? ~0u : 0);
    s->cr4 |= random_bits(r) & (CR4_PGE | CR4_OSXSAVE | CR4_FSGSBASE | CR4_OSFXSR | CR4_OSXMMEXCPT);
    s->xcr0 = 7;
    if (code == CODE_16) {
        s->seg[SEG_CS].selector = BARE_CODE >> 4;
        s->seg[SEG_CS].base = BARE_CODE;
    } else if (one_in(r, 3)) {
        level_three(b);
    } else if (code == CODE_32 && one_in(r, 4)) {
        virtual_8086(b);
    }
    if (code != CODE_16 && !(s->rflags & FLAG_VM) && one_in(r, 4)) {
        narrow(r, s, code);
    }
    for (unsigned n = 0; code == CODE_32 && n < SEG_LDTR && one_in(r, 6); n++) { /* not flat */
        s->seg[n].limit = random_bits(r) & 0xfffff;
    }
}

static void kick(union sigval cpu)
{
    cpu_kick(cpu.sival_ptr);
}

static void run(BareCpu *b)
{
    for (unsigned n = 0; n < 50; n++) {
        RtExit exit = bare_run(b);

        if (!b->c->go || (exit != RT_KICK && exit != RT_DEBUG)) {
            return;
        }
    }
}

static void one_round(BareCpu *b, CodeSize code, uint64_t seed, timer_t timer)
{
    Random r = {seed};
    struct itimerspec soon = {.it_value = {0, ROUND_MS * 1000000}};
    unsigned loops[LOOPS];

    fill_code(&r, b->ram + BARE_CODE, CODE_SPAN);
    for (unsigned n = 0; n < LOOPS; n++) {
        loops[n] = random_below(&r, CODE_SPAN - 64);
        put_loop(&r, b->ram + BARE_CODE + loops[n]);
    }
    for (unsigned n = 0; n < 0x8000; n += 8) {
        uint64_t value = one_in(&r, 2) ? address(&r) : random_bits(&r);

        memcpy(b->ram + BARE_STACK + n, &value, 8);
    }
    for (unsigned at = 0; at < BARE_RAM / GUEST_PAGE; at++) {
        code_written(&b->pages[at], &b->code_hits, 0, GUEST_PAGE);
    }
    fill_gates(&r, b, code);
    random_state(&r, b, code);
    if (!one_in(&r, 4)) {
        b->c->s.rip += loops[random_below(&r, LOOPS)] - b->c->s.rip % CODE_SPAN;
    }
    b->c->stir = seed & 1 ? seed << 32 | 1 : 0;
    rt_state_loaded(b->c);
    cpu_attended(b->c);
    timer_settime(timer, 0, &soon, NULL);
    run(b);
}

/* Its timer's thread may still be about to kick it, so it is left to the child's end. */
typedef struct Used {
    BareCpu *b;
    CodeSize code;
    X86State s;
    uint8_t tables[TABLES_BYTES];
    timer_t timer;
} Used;

static void used_new(Used *u, CodeSize code, bool window)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = kick};

    u->b = bare_new_as(code, true);
    u->code = code;
    if (code == CODE_64 && window) {
        u->b->c->window.always = window_reserve(u->b->c, &u->b->areas, 1000);
    }
    u->s = u->b->c->s;
    memcpy(u->tables, u->b->ram + BARE_TABLES, TABLES_BYTES);
    event.sigev_value.sival_ptr = u->b->c;
    timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &u->timer);
}

static void used_again(Used *u)
{
    rt_reset(u->b->c, false, true);
    u->b->c->s = u->s;
    memcpy(u->b->ram + BARE_TABLES, u->tables, TABLES_BYTES);
}

static void batch(Shared *shared, uint64_t seed, unsigned rounds)
{
    static Used u;
    struct itimerval stuck = {.it_value = {STUCK_SECONDS, 0}};

    for (unsigned n = 0; n < rounds; n++) {
        if (n % SAME_CPU == 0) {
            used_new(&u, (seed + n) / SAME_CPU % 3, (seed + n) / SAME_CPU / 3 % 2);
            shared->seed = seed + n;
        }
        setitimer(ITIMER_VIRTUAL, &stuck, NULL);
        alarm(ASLEEP_SECONDS);
        used_again(&u);
        u.b->c->strip_end = NO_STRIP;
        one_round(u.b, u.code, seed + n, u.timer);
        shared->strips += u.b->c->strip_end != NO_STRIP;
        shared->rounds++;
        if ((n + 1) % SAME_CPU == 0 || n + 1 == rounds) {
            timer_delete(u.timer);
            shared->retired += u.b->c->retired;
            shared->entries += u.b->c->entries;
            shared->windows += u.b->c->window.figures.pages;
        }
    }
}

static bool run_batch(Shared *shared, uint64_t seed, unsigned rounds)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        batch(shared, seed, rounds);
        _exit(0);
    }
    waitpid(child, &status, 0);
    if (status) {
        printf("FAIL fuzz: one of the rounds from seed %llu on ends the process with signal %d\n",
               (unsigned long long)shared->seed, WTERMSIG(status));
        fflush(stdout);
    }
    return !status;
}

int main(int argc, char **argv)
{
    Shared *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t seed = 1, seconds = 20, rounds = ~0ull, failures = 0;
    time_t end;

    for (int n = 1; n + 1 < argc; n += 2) {
        uint64_t value = strtoull(argv[n + 1], NULL, 0);

        *(!strcmp(argv[n], "--seed")      ? &seed
          : !strcmp(argv[n], "--seconds") ? &seconds
                                          : &rounds) = value;
    }
    end = time(NULL) + (time_t)seconds;
    while (time(NULL) < end && shared->rounds < rounds && failures < 10) {
        uint64_t left = rounds - shared->rounds;

        failures += !run_batch(shared, seed, left < BATCH ? (unsigned)left : BATCH);
        seed = shared->seed + SAME_CPU;
    }
    printf("%s fuzz: %llu rounds of random code, %llu instructions interpreted, %llu times "
           "translated code was entered, %llu rounds had strips, %llu pages mapped in windows\n",
           failures || !shared->entries ? "FAIL" : "ok", (unsigned long long)shared->rounds,
           (unsigned long long)shared->retired, (unsigned long long)shared->entries,
           (unsigned long long)shared->strips, (unsigned long long)shared->windows);
    return failures || !shared->entries;
}
