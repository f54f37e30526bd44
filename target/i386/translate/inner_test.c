/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Units that go on behind RET and JMP, where they have branched to. */
#include "target/i386/translate/cache_host.h"
#include "target/i386/translate/translate.h"
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

enum { ROUNDS = 1000 };

/* clang-format off */
GUEST(early, ".code64\n 1: mov %ecx, %edi\n call 2f\n add %rax, %rdx\n dec %ecx\n jnz 1b\n hlt\n"
             " 2: push %rbx\n push %rbp\n mov %edi, %ebx\n test $1, %edi\n jne 3f\n lea (%rbx,%rbx), %eax\n"
             " pop %rbp\n pop %rbx\n ret\n .fill 9, 1, 0xcc\n"
             " 3: mov $7, %ebp\n mov (%rsi), %eax\n add %ebp, %eax\n pop %rbp\n pop %rbx\n ret");
GUEST(either, ".code64\n 1: mov %ecx, %eax\n and $3, %eax\n cmp $2, %eax\n ja 3f\n je 4f\n add $1, %rdx\n"
              " jmp 5f\n .fill 5, 1, 0xcc\n 3: add $0x100, %rdx\n mov (%rsi), %eax\n jmp 5f\n"
              " 4: add (%rsi), %rdx\n 5: adc $0, %rdx\n mov %rdx, 8(%rsi)\n dec %ecx\n jnz 1b\n hlt");
/* clang-format on */

static BareCpu *loaded(const uint8_t *code, const uint8_t *end)
{
    BareCpu *b = bare_new(CODE_64);

    if (!b->code) {
        b->c->code = b->code = code_cache_new(BARE_CACHE, NULL);
    }
    bare_load(b, code, end);
    b->c->s.gpr[R_SI] = BARE_DATA;
    b->c->s.gpr[R_CX] = ROUNDS;
    *(uint64_t *)(b->ram + BARE_DATA) = 5;
    return b;
}

TEST("translate: what a branch leads to behind a RET is part of the unit")
{
    BareCpu *b = loaded(early, early_end);

    check(bare_run(b), RT_HALT);
    check(b->c->s.gpr[R_DX], ROUNDS / 2 * (7 + 5) + (ROUNDS / 2) * (ROUNDS / 2 + 1) * 2);
    check(b->c->s.gpr[R_SP], BARE_STACK);
    check(b->c->entries < 40, true);
    bare_free(b);
}

TEST("translate: a fault in what a branch leads to behind a RET shows all registers as they are")
{
    BareCpu *b = loaded(early, early_end);
    X86State *s = &b->c->s;

    check(bare_run(b), RT_HALT);
    s->activity = CPU_RUNNING;
    s->rip = BARE_CODE;
    s->gpr[R_CX] = 3;
    s->gpr[R_SI] = 1ull << 40; /* is not there */
    s->gpr[R_BX] = 11;
    s->gpr[R_BP] = 12;
    bare_run(b);
    check(bare_fault(b), EXC_PF);
    check(b->c->last[0].cr2, 1ull << 40);
    check(s->gpr[R_SP], BARE_STACK - 24);
    check(s->gpr[R_BX], 3);
    check(s->gpr[R_BP], 7);
    check(*(uint64_t *)(b->ram + BARE_STACK - 16), 11);
    check(*(uint64_t *)(b->ram + BARE_STACK - 24), 12);
    bare_free(b);
}

TEST("translate: ways that part and meet in a unit, with flags that one of them has made")
{
    BareCpu *b = loaded(either, either_end);
    uint64_t sum = ROUNDS / 4 * 0x100;

    for (unsigned n = ROUNDS; n; n--) { /* the rest: 2 adds what lies there, 0 and 1 add 1 and CF */
        sum += (n & 3) == 2 ? 5 : 0;
        sum += (n & 3) < 2;
    }
    check(bare_run(b), RT_HALT);
    check(b->c->s.gpr[R_DX], sum);
    check(*(uint64_t *)(b->ram + BARE_DATA + 8), sum);
    check(b->c->entries < 40, true);
    bare_free(b);
}
