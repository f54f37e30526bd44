/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is told of translated code, for -d out_asm and perf. */
#include "target/i386/translate/cache_host.h"
#include "target/i386/translate/translate.h"
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

/* clang-format off */
GUEST(pieces, ".code64\n 1: add $1, %rbx\n call 2f\n dec %ecx\n jnz 1b\n hlt\n .org pieces + 0x100\n 2: push (%rsp)\n pop %rax\n ret");
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
