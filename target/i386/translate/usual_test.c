/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Branches through registers, memory and the stack whose usual targets are known (usual.c), against
 * the interpreter: registers, flags and memory must be the same, wherever they go, and the jump
 * table has not been asked for what is usual.
 */
#include "target/i386/translate/translate.h"
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

#include <string.h>

enum { ROUNDS = 640, FROM = 0x80000, TABLE = 0x60000, MISSING = 0xa0000 };

/* clang-format off */
#define FLAGS64 " pushf\n pop %r8\n xor %r8, %r9\n rol $3, %r9\n"
#define FLAGS32 " pushf\n pop %ebp\n xor %ebp, %edx\n rol $3, %edx\n"
/* Returns to 0x100 and 0x200 each round, to 0x300 and to the next page seldom. */
GUEST(returns, ".code64\n 1: add %rcx, %rax\n .org returns + 0xfb, 0x90\n call 2f\n" FLAGS64 " add $3, %rax\n .org returns + 0x1fb, 0x90\n call 2f\n" FLAGS64
               " test $31, %cl\n jnz 3f\n .org returns + 0x2fb, 0x90\n call 2f\n adc %rcx, %rdx\n jmp 4f\n 3: dec %ecx\n jnz 1b\n hlt\n"
               " 2: mov (%rsi), %rbx\n imul %rcx, %rbx\n add %rbx, %rax\n inc %rbx\n ret $0\n .org returns + 0x1000, 0x90\n"
               " 4: call 2b\n sbb %rcx, %rdx\n jmp 3b");
GUEST(returns_32, ".code32\n 1: add %ecx, %eax\n .org returns_32 + 0xfb, 0x90\n call 2f\n" FLAGS32 " add $3, %eax\n .org returns_32 + 0x1fb, 0x90\n call 2f\n" FLAGS32
                  " test $31, %cl\n jnz 3f\n .org returns_32 + 0x2fb, 0x90\n call 2f\n adc %ecx, %edx\n 3: dec %ecx\n jnz 1b\n hlt\n"
                  " 2: mov (%esi), %ebx\n imul %ecx, %ebx\n add %ebx, %eax\n inc %ebx\n ret");
/* Calls 0x200 by register, by memory, jumps to 0x280; seldom to 0x300, and 0x1000. */
GUEST(through, ".code64\n lea through + 0x200(%rip), %r12\n lea through + 0x300(%rip), %r13\n lea through + 0x280(%rip), %r14\n lea through + 0x1000(%rip), %r15\n lea through + 0x240(%rip), %rbp\n"
               " 1: mov %r12, %r10\n mov %r14, %r11\n test $1, %cl\n cmovz %rbp, %r10\n test $31, %cl\n cmovz %r13, %r10\n cmovz %r13, %r11\n test $63, %cl\n cmovz %r15, %r10\n"
               " mov %r10, (%rsi)\n push %rax\n pop %rbx\n add %rcx, %rax\n call *%r10\n .org through + 0x100, 0x90\n" FLAGS64 " imul %rcx, %rax\n call *(%rsi)\n" FLAGS64
               " add %rcx, %rax\n jmp *%r11\n .org through + 0x180, 0x90\n 2:" FLAGS64 " dec %ecx\n jnz 1b\n hlt\n"
               " .org through + 0x200, 0x90\n adc $5, %rdx\n ret\n .org through + 0x240, 0x90\n sbb $7, %rdx\n ret\n .org through + 0x280, 0x90\n sbb %rax, %rdx\n jmp 2b\n"
               " .org through + 0x300, 0x90\n cmp %r11, %r13\n lea 1(%rdx), %rdx\n jne 3f\n mov %r14, %r11\n 3: jc 2b\n cmp %rsp, %rdi\n je 2b\n ret\n"
               " .org through + 0x1000, 0x90\n rol $1, %rdx\n ret");
/* Four callers, of which none is usual. */
GUEST(many, ".code64\n 1: jmp 3f\n .org many + 0xfb, 0x90\n 3: call 2f\n jmp 3f\n .org many + 0x1fb, 0x90\n 3: call 2f\n jmp 3f\n .org many + 0x2fb, 0x90\n 3: call 2f\n"
            " jmp 3f\n .org many + 0x3fb, 0x90\n 3: call 2f\n dec %ecx\n jnz 1b\n hlt\n 2: ret");
GUEST(own_top, ".code64\n lea 1f(%rip), %rbx\n xor %eax, %eax\n 1: push %rbx\n add %rcx, %rax\n dec %ecx\n jz 2f\n ret\n 2: pop %rbx\n hlt");
GUEST(fibs, ".code64\n mov $14, %edi\n call 1f\n hlt\n 1: push %rbp\n push %rbx\n sub $8, %rsp\n mov %edi, %ebx\n cmp $1, %edi\n jbe 2f\n"
            " lea -1(%rdi), %edi\n jmp 3f\n .org fibs + 0x7b, 0x90\n 3: call 1b\n mov %eax, %ebp\n lea -2(%rbx), %edi\n .org fibs + 0x9b, 0x90\n call 1b\n lea (%rbp,%rax), %ebx\n 2: mov %ebx, %eax\n"
            " add $8, %rsp\n pop %rbx\n pop %rbp\n ret");
/* At the top of its stack nothing can be pushed; at the last of ROUNDS. */
GUEST(pushes, ".code64\n lea 2f(%rip), %rbx\n mov %rbx, (%rsi)\n 1: add %rcx, %rax\n cmp $1, %ecx\n cmove %rdi, %rsp\n call *(%rsi)\n adc $0, %rdx\n dec %ecx\n"
              " jnz 1b\n hlt\n 2: ret");
/* Calls a function, and changes what it returns to. */
GUEST(changes, ".code64\n lea 3f(%rip), %rbx\n 1: call 2f\n 3: add $1, %rax\n dec %ecx\n jnz 1b\n test %edx, %edx\n jz 4f\n mov %dl, 3(%rbx)\n"
               " mov $100, %ecx\n xor %edx, %edx\n jmp 1b\n 4: hlt\n .org changes + 0x400, 0x90\n 2: ret");
/* clang-format on */

typedef struct Run {
    const uint8_t *code, *end;
    CodeSize size;
    uint64_t to, other; /* rdi, rdx */
    bool window;
} Run;

static BareCpu *loaded(const Run *r, bool translated)
{
    BareCpu *b = bare_new_as(r->size, translated);
    uint64_t *table = (uint64_t *)(b->ram + TABLE);

    b->c->translate_after = 8; /* where branches go is known by then */
    for (uint64_t n = 0; n < 512; n++) {
        table[n] = n == MISSING >> 12 ? 0 : n << 12 | 0x67;
    }
    if (r->size == CODE_64) {
        ((uint64_t *)(b->ram + BARE_TABLES + 0x3000))[0] = TABLE | 7;
    }
    if (r->window) {
        b->c->window.always = bare_window(b) && translated;
    }
    bare_load(b, r->code, r->end);
    b->c->s.gpr[R_SI] = FROM;
    b->c->s.gpr[R_DI] = r->to;
    b->c->s.gpr[R_DX] = r->other;
    b->c->s.gpr[R_CX] = ROUNDS;
    *(uint64_t *)(b->ram + FROM) = 0x123456789abcdef1;
    tlb_flush(b->c);
    return b;
}

static void same(const BareCpu *a, const BareCpu *b)
{
    for (unsigned n = 0; n < 16; n++) {
        check(b->c->s.gpr[n], a->c->s.gpr[n]);
    }
    check(b->c->s.rip, a->c->s.rip);
    check(b->c->s.rflags, a->c->s.rflags);
    check(b->c->last_count, a->c->last_count);
    check(bare_fault(b), bare_fault(a));
    check(b->c->last[0].rip, a->c->last[0].rip);
    check(b->c->last[0].cr2, a->c->last[0].cr2);
    check(memcmp(a->ram + BARE_CODE, b->ram + BARE_CODE, TABLE - BARE_CODE), 0);
    check(memcmp(a->ram + FROM, b->ram + FROM, BARE_RAM - FROM), 0);
}

/* Interpreted and translated; the second, behind it. */
static BareCpu *run_both(Run r)
{
    BareCpu *a = loaded(&r, false), *b = loaded(&r, true);

    bare_run(a);
    bare_run(b);
    same(a, b);
    bare_free(a);
    return b;
}

#define RUN_AS(as, name, ...) \
    run_both((Run){.code = name, .end = name##_end, .size = as, __VA_ARGS__})
#define RUN(name, ...) RUN_AS(CODE_64, name, __VA_ARGS__)

/* Does the jump table know that place in the code? */
static bool in_table(const BareCpu *b, unsigned at)
{
    uint64_t rip = BARE_CODE + at;

    return b->code && b->c->jumps[b->c->view].word[jump_slot(rip)] + rip == 0;
}

TEST("usual: returns to callers of the page go by branches, those to others by the table, and no "
     "flag is lost")
{
    for (unsigned window = 0; window < 2; window++) {
        BareCpu *b = RUN(returns, .window = window);

        check(in_table(b, 0x100), false);
        check(in_table(b, 0x200), false);
        check(in_table(b, 0x300), b->code != NULL);
        check(in_table(b, 0x1005), b->code != NULL);
        bare_free(b);
    }
}

TEST("usual: a function with many callers returns by the table alone")
{
    BareCpu *b = RUN(many);

    for (unsigned at = 0x100; at <= 0x400; at += 0x100) {
        check(in_table(b, at), b->code != NULL);
    }
    bare_free(b);
}

TEST("usual: returns in 32-bit code")
{
    BareCpu *b = RUN_AS(CODE_32, returns_32, .to = 0);

    check(in_table(b, 0x100), false);
    check(in_table(b, 0x200), false);
    check(in_table(b, 0x300), b->code != NULL);
    bare_free(b);
}

TEST("usual: calls and jumps through registers and memory, to the usual place, to another, to "
     "another page")
{
    for (unsigned window = 0; window < 2; window++) {
        BareCpu *b = RUN(through, .window = window, .to = BARE_STACK);

        check(in_table(b, 0x200), false);
        check(in_table(b, 0x240), false);
        check(in_table(b, 0x280), false);
        check(in_table(b, 0x300), b->code != NULL);
        check(in_table(b, 0x1000), b->code != NULL);
        bare_free(b);
    }
}

TEST("usual: a return to the unit's own top")
{
    BareCpu *b = RUN(own_top);

    check(b->c->s.gpr[R_AX], ROUNDS * (ROUNDS + 1) / 2);
    bare_free(b);
}

TEST("usual: a function that calls itself twice returns behind both calls, seen or not")
{
    BareCpu *b = RUN(fibs);

    check(b->c->s.gpr[R_AX], 377);
    check(in_table(b, 0x80), false);
    check(in_table(b, 0xa0), false);
    bare_free(b);
}

TEST("usual: a page fault of the push shows the state in front of the call")
{
    for (unsigned n = 0; n < 6; n++) {
        bare_free(RUN(pushes, .to = MISSING + 8 * (n / 2), .window = n & 1));
        bare_free(RUN(pushes, .to = MISSING + 0x1000 + 8 * (n / 2), .window = n & 1));
    }
}

TEST("usual: what a function returns to is changed")
{
    for (unsigned window = 0; window < 2; window++) {
        BareCpu *b = RUN(changes, .window = window, .other = 5);

        check(b->c->s.gpr[R_AX], ROUNDS + 500);
        bare_free(b);
    }
}

TEST("usual: where branches went is counted by place, old times count less, and another page is "
     "elsewhere")
{
    BareCpu *b = bare_new(CODE_64);
    const Went *w;

    check(went_find(b->c, 0x1234) == NULL, true);
    went_note(b->c, 0x1234, 0x7234, 0x7010);
    went_note(b->c, 0x1234, 0x7234, 0x8010);
    for (unsigned n = 0; n < 300; n++) {
        went_note(b->c, 0x1234, 0x7234, 0x7020);
    }
    w = went_find(b->c, 0x1234);
    check(w->to[1], 0x20);
    check(w->at[1], 300 - 255 + 127);
    check(w->at[0] + w->elsewhere, 0);
    bare_free(b);
}

TEST("usual: places beyond those that are counted, and other pages, are elsewhere")
{
    BareCpu *b = bare_new(CODE_64);

    for (unsigned n = 0; n < WENT_PLACES + 2; n++) {
        went_note(b->c, 0x1234, 0x7234, 0x7000 + n);
    }
    went_note(b->c, 0x1234, 0x7234, 0x9001);
    check(went_find(b->c, 0x1234)->elsewhere, 3);
    check(went_find(b->c, 0x1234)->at[0], 1);
    bare_free(b);
}
