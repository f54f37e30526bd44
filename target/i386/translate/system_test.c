/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System instructions that are emitted, and page faults where the TLB missed, in translated code
 * whatever TEST_TRANSLATE says (on a host without BMI2: interpreted).
 */
#include "target/i386/rt/mem.h"
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

/* clang-format off */
GUEST(enables, ".code64\n cli\n sti\n inc %eax\n pushf\n pop %rdx\n cli\n inc %eax\n hlt");
GUEST(pushes, ".code64\n xor %ebx, %ebx\n std\n stc\n pushf\n pop %rax\n cld\n clc\n pushf\n pop %r9\n adc %ebx, %ebx\n hlt");
GUEST(lifts, ".code64\n stac\n mov (%rsi), %eax\n pushf\n clac\n mov (%rsi), %ebx\n hlt");
GUEST(swaps, ".code64\n cmp %eax, %eax\n swapgs\n setz %dl\n hlt");
GUEST(reads_cr, ".code64\n mov %cr2, %rax\n mov %cr3, %r9\n mov %cr4, %rdi\n hlt");
GUEST(reads_keys, ".code64\n xor %ecx, %ecx\n mov $-1, %rdx\n rdpkru\n inc %ecx\n rdpkru\n hlt");
GUEST(absent, ".code64\n stc\n mov $7, %ebx\n add %ebx, 0x40000123\n hlt");
/* clang-format on */

static BareCpu *translated(const uint8_t *code, const uint8_t *end)
{
    BareCpu *b = bare_new_as(CODE_64, true);

    bare_load(b, code, end);
    return b;
}

TEST("translated STI: what follows sees IF; an interrupt that waits comes behind the instruction "
     "after")
{
    BareCpu *b = translated(enables, enables_end);

    check(bare_run(b), RT_HALT);
    check(b->c->s.gpr[R_AX], 2);
    check(b->c->s.gpr[R_DX] & FLAG_IF, FLAG_IF);
    check(b->c->s.rflags & FLAG_IF, 0);
    bare_free(b);
    b = translated(enables, enables_end);
    rt_want_window(b->c, true);
    check(bare_run(b), RT_KICK);
    check(b->c->s.gpr[R_AX], 1);
    check(rt_can_interrupt(b->c), true);
    bare_free(b);
}

TEST("translated PUSHF: arithmetic flags and DF as they are then, and they stay")
{
    BareCpu *b = translated(pushes, pushes_end);

    check(bare_run(b), RT_HALT);
    check(b->c->s.gpr[R_AX], FLAG_ONE | FLAG_CF | FLAG_ZF | FLAG_PF | FLAG_DF);
    check(b->c->s.gpr[9], FLAG_ONE | FLAG_ZF | FLAG_PF);
    check(b->c->s.gpr[R_BX], 0);
    bare_free(b);
}

TEST("translated STAC and CLAC: a user page is open to the kernel between them, with CR4.SMAP")
{
    BareCpu *b = translated(lifts, lifts_end);

    b->c->s.cr4 |= CR4_SMAP;
    b->c->s.gpr[R_SI] = BARE_CODE;
    b->c->s.gpr[R_BX] = 0;
    rt_state_loaded(b->c);
    bare_run(b);
    check(bare_fault(b), EXC_PF);
    check(b->c->last[0].rip, BARE_CODE + 9);
    check(b->c->s.gpr[R_AX], *(uint32_t *)lifts);
    check(b->c->s.gpr[R_BX], 0);
    check(*(uint64_t *)(b->ram + BARE_STACK - 8) & FLAG_AC, FLAG_AC);
    bare_free(b);
}

TEST("translated SWAPGS exchanges the bases, and no flags")
{
    BareCpu *b = translated(swaps, swaps_end);

    b->c->s.seg[SEG_GS].base = 0x1234;
    b->c->s.kernel_gs_base = 0xffffffff80000000;
    check(bare_run(b), RT_HALT);
    check(b->c->s.seg[SEG_GS].base, 0xffffffff80000000);
    check(b->c->s.kernel_gs_base, 0x1234);
    check(b->c->s.gpr[R_DX] & 0xff, 1);
    bare_free(b);
}

TEST("translated reads of control registers and PKRU; RDPKRU with rCX not 0 is #GP")
{
    BareCpu *b = translated(reads_cr, reads_cr_end);

    b->c->s.cr2 = 0x123456789a;
    check(bare_run(b), RT_HALT);
    check(b->c->s.gpr[R_AX], 0x123456789a);
    check(b->c->s.gpr[9], b->c->s.cr3);
    check(b->c->s.gpr[R_DI], b->c->s.cr4);
    bare_free(b);
    b = translated(reads_keys, reads_keys_end);
    b->c->s.cr4 |= CR4_PKE;
    b->c->s.pkru = 0x89abcdec; /* key 0 may do all */
    rt_state_loaded(b->c);
    bare_run(b);
    check(bare_fault(b), EXC_GP);
    check(b->c->s.gpr[R_CX], 1);
    check(b->c->s.gpr[R_AX], 0x89abcdec);
    check(b->c->s.gpr[R_DX], 0);
    bare_free(b);
}

TEST(
    "translated: the page fault of a read-modify-write has address and W, and nothing has happened")
{
    BareCpu *b = translated(absent, absent_end);

    bare_run(b);
    check(bare_fault(b), EXC_PF);
    check(b->c->last[0].error, 2);
    check(b->c->last[0].cr2, 0x40000123);
    check(b->c->last[0].rip, BARE_CODE + 6);
    check(b->c->s.rflags & FLAG_CF, FLAG_CF);
    bare_free(b);
}

/* rdi: aligned. */
GUEST(aligns, ".code64\n mov $20, %ecx\n 1: mov 1(%rdi), %eax\n dec %ecx\n jnz 1b\n pushf\n orl "
              "$0x40000, (%rsp)\n popf\n"
              " mov (%rdi), %ebx\n mov $20, %ecx\n jmp 1b");

TEST("alignment checks: code that was translated without them faults once EFLAGS.AC asks for them")
{
    for (unsigned how = 0; how < 3; how++) { /* interpreted, translated, with the window */
        BareCpu *b = bare_new_as(CODE_64, how);

        b->c->s.cr0 |= CR0_AM;
        b->c->window.always = bare_window(b) && how == 2;
        bare_load(b, aligns, aligns_end);
        b->c->s.gpr[R_DI] = BARE_DATA;
        check(bare_run(b), RT_SHUTDOWN);
        check(bare_fault(b), EXC_AC);
        check(b->c->last[0].rip, BARE_CODE + 5);
        check(b->c->s.gpr[R_CX], 20);
        bare_free(b);
    }
}
