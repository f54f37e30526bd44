/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The code cache: what is told of it, for -d out_asm and perf, and what is linked. */
#include "target/i386/translate/cache_host.h"
#include "target/i386/translate/unit.h"
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

#include <string.h>

/* clang-format off */
GUEST(pieces, ".code64\n 1: add $1, %rbx\n call 2f\n dec %ecx\n jnz 1b\n hlt\n .org pieces + 0x100\n 2: push (%rsp)\n pop %rax\n ret");
/* Branches behind 0 to 15 bytes. */
GUEST(places, ".code64\n 1: .irp k,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n .skip \\k, 0xf5\n jmp 8f\n .skip 3, 0xcc\n 8:\n .endr\n"
              " dec %ecx\n jnz 1b\n hlt");
/* clang-format on */

typedef struct Told {
    unsigned pieces, wrong;
    uint32_t end;
} Told;

/* Each piece begins where the one before has ended. */
static void made(Cpu *c, uint64_t rip, const uint8_t *code, unsigned size)
{
    Told *told = ((BareCpu *)c->vcpu)->own;
    uint32_t from = code - c->code->run;

    told->pieces++;
    told->wrong += from != told->end;
    told->end = from + size;
}

TEST("translate: all code that is made is told, and no byte of it twice")
{
    BareCpu *b = bare_new_as(CODE_64, true);
    Told told = {.end = b->code->used};

    b->own = &told;
    b->host.log_made = made;
    bare_load(b, pieces, pieces_end);
    b->c->s.gpr[R_CX] = 100;
    bare_run(b);
    check(b->c->s.gpr[R_BX], 100);
    check(told.pieces > 1, true);
    check(told.wrong, 0);
    check(told.end, b->code->used);
    bare_free(b);
}

typedef struct Linked {
    unsigned links, torn, mixed;
} Linked;

static uint32_t word_at(const CodeCache *cache, uint32_t site)
{
    uint32_t word;

    memcpy(&word, cache->run + site, sizeof word);
    return word;
}

/* A unit runs; if it was left by a branch, that must lie as is asked, and leads to its own kind. */
static uint32_t watched(Cpu *c, const Trans *t)
{
    Linked *l = ((BareCpu *)c->vcpu)->own;
    TransExit exit = trans_run(c, t);
    uint32_t site = c->exit_site & ~(uint32_t)SITE_FLAGS, before = word_at(c->code, site);
    Trans other = *t;

    if (exit == TRANS_LINK) {
        l->links++;
        l->torn += ((uintptr_t)c->code->run + site) % 8 > 4;
        other.key.mode ^= MODE_WINDOW;
        trans_link(c, &other);
        l->mixed += word_at(c->code, site) != before;
    }
    return exit;
}

/* Others may be running the branch while it is written. */
TEST("translate: what is patched lies in eight bytes; code without the window never leads into it")
{
    BareCpu *b = bare_new_as(CODE_64, true);
    Linked l = {0};

    b->own = &l;
    b->host.lockstep = watched;
    for (unsigned most = 1; most < 20; most++) {
        trans_flush(b->code);
        b->c->unit_max = most;
        b->c->s.activity = CPU_RUNNING;
        bare_load(b, places, places_end);
        b->c->s.gpr[R_CX] = 3;
        bare_run(b);
        check(b->c->s.gpr[R_CX], 0);
    }
    check(l.links > 100, true);
    check(l.torn, 0);
    check(l.mixed, 0);
    bare_free(b);
}
