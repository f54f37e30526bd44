/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The usual case of IRETQ and of delivery ends as the general one, which watched data ask for. */
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

#include <string.h>

enum { IDT = BARE_DATA, TSS = BARE_DATA + 0x1000, INNER = BARE_DATA + 0x3000 };
enum { ON_FAULT = 0x80, ON_INT = 0xc0, ON_USER = 0x100, ON_TRAP = 0x140 };

/* rbx rounds: a page fault, INT 64 with a stack of its own, to level 3 and back by INT 65, a trap
 * gate. What the handlers find is added up in r8 to r15. */
GUEST(events,
      ".code64\n 1: stc\n mov 0x40000123, %eax\n int $64\n int $66\n"
      " push $0x2b\n push $0x31230\n push %rsi\n push $0x33\n lea 2f(%rip), %rax\n push %rax\n "
      "iretq\n"
      "2: int $65\n hlt\n 3: mov %rbp, %rsp\n dec %ebx\n jnz 1b\n hlt\n"
      ".org events + 0x80\n pop %rax\n add %rax, %r8\n add (%rsp), %r9\n add 16(%rsp), %r10\n"
      " addq $7, (%rsp)\n iretq\n"
      ".org events + 0xc0\n add %rsp, %r11\n add 24(%rsp), %r12\n pushf\n pop %rax\n add %rax, "
      "%r13\n iretq\n"
      ".org events + 0x100\n add 32(%rsp), %r14\n add 16(%rsp), %r15\n add %rsp, %r11\n jmp 3b\n"
      ".org events + 0x140\n pushf\n pop %rax\n add %rax, %r13\n add 32(%rsp), %r14\n iretq");

static void gate(BareCpu *b, unsigned vector, unsigned offset, unsigned type, unsigned ist)
{
    uint64_t at = BARE_CODE + offset;
    uint64_t *to = (uint64_t *)(b->ram + IDT + 16 * vector);

    to[0] = (at & 0xffff) | (uint64_t)(b->c->s.seg[SEG_CS].selector & 0xfff8) << 16 |
            (uint64_t)ist << 32 | (uint64_t)type << 40 | at >> 16 << 48;
    to[1] = at >> 32;
}

static void stack_of(BareCpu *b, unsigned at, uint64_t stack)
{
    memcpy(b->ram + TSS + at, &stack, sizeof stack);
}

static BareCpu *made(const DebugPlan *plan, uint64_t flags)
{
    BareCpu *b = bare_new(CODE_64);
    X86State *s = &b->c->s;
    uint64_t *gdt = (uint64_t *)(b->ram + s->gdtr.base);

    bare_load(b, events, events_end);
    gdt[5] = 0x00cff3000000ffff;
    gdt[6] = 0x00affb000000ffff;
    s->gdtr.limit = 0x37;
    s->idtr = (X86Table){.base = IDT, .limit = 0x7ff};
    gate(b, EXC_PF, ON_FAULT, 0x8e, 0);
    gate(b, 64, ON_INT, 0x8e, 1);
    gate(b, 65, ON_USER, 0xee, 0);
    gate(b, 66, ON_TRAP, 0x8f, 0);
    s->seg[SEG_TR] = (X86Segment){.selector = 0x40, .attr = 0x8b, .limit = 103, .base = TSS};
    stack_of(b, 4, INNER - 8); /* RSP0, IST1: not aligned in a TSS */
    stack_of(b, 36, INNER - 0x403);
    s->gpr[R_BX] = 20;
    s->gpr[R_BP] = s->gpr[R_SP];
    s->gpr[R_SI] = flags;
    rt_state_loaded(b->c);
    rt_debug(b->c, plan);
    return b;
}

static void both(uint64_t flags)
{
    static const DebugWatch nothing = {0x50000, 0x50000, DEBUG_WRITE};
    DebugPlan plan = {.watches = &nothing, .watch_count = 1};
    BareCpu *a, *b;

    a = made(&plan, flags);
    b = made(NULL, flags);
    check(bare_run(a), bare_run(b));
    for (unsigned n = 0; n < 16; n++) {
        check(a->c->s.gpr[n], b->c->s.gpr[n]);
    }
    for (unsigned n = 0; n < 6; n++) {
        check(a->c->s.seg[n].selector, b->c->s.seg[n].selector);
        check(a->c->s.seg[n].attr, b->c->s.seg[n].attr);
        check(a->c->s.seg[n].limit, b->c->s.seg[n].limit);
        check(a->c->s.seg[n].base, b->c->s.seg[n].base);
    }
    check(a->c->s.rip, b->c->s.rip);
    check(a->c->s.rflags, b->c->s.rflags);
    check(a->c->cpl, b->c->cpl);
    check(a->c->mode, b->c->mode);
    check(b->c->s.gpr[R_BX], 0);
    bare_free(a);
    bare_free(b);
}

TEST("IRETQ and delivery in 64-bit mode: the usual case is as the general one")
{
    both(FLAG_ONE | FLAG_CF | FLAG_ID | FLAG_DF);
    both(FLAG_ONE | FLAG_IF | FLAG_RF);
    both(FLAG_ONE | FLAG_AC);
    both(FLAG_ONE | FLAG_IOPL | FLAG_VIF);
    both(FLAG_ONE | FLAG_TF);
}
