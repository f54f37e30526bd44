/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blocks, and what is out of the ordinary around an instruction. */
#include "target/i386/rt/block.h"
#include "target/i386/rt/mem.h"
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

#include <string.h>

/* clang-format off */
GUEST(three, ".code64\n inc %eax\n inc %eax\n inc %eax\n hlt");
GUEST(crossing, ".code64\n mov $0x12345678, %eax\n hlt");
GUEST(in_the_dark, ".code64\n mov $0x3fffff, %eax\n jmp *%rax\n");
GUEST(reps, ".code64\n mov $0x30000, %edi\n mov $10000, %ecx\n rep stosb\n hlt");
GUEST(port_out, ".code64\n mov $0x55, %al\n out %al, $0x80\n in $0x80, %eax\n hlt");
GUEST(jumps, ".code64\n inc %eax\n jz 1f\n jmp 1f\n nop\n 1: inc %eax\n hlt");
GUEST(enables, ".code64\n sti\n inc %eax\n inc %eax\n hlt");
GUEST(loads_ss, ".code32\n mov %ss, %ecx\n mov %ecx, %ss\n inc %eax\n inc %eax\n hlt");
GUEST(illegal, ".code64\n inc %eax\n ud2\n hlt");
/* clang-format on */

static BareCpu *loaded(const uint8_t *code, const uint8_t *end)
{
    BareCpu *b = bare_new(CODE_64);

    bare_load(b, code, end);
    return b;
}

TEST("run: TF traps behind every instruction with DR6.BS")
{
    BareCpu *b = loaded(three, three_end);

    b->c->s.rflags |= FLAG_TF;
    rt_state_loaded(b->c);
    bare_run(b);
    check(bare_fault(b), EXC_DB);
    check(b->c->last[0].rip, BARE_CODE + 2);
    check(b->c->s.gpr[R_AX], 1);
    check(b->c->s.dr6 & 0x4000, 0x4000);
    bare_free(b);
}

TEST("run: with DEBUGCTL.BTF TF traps behind the first branch that is taken, and BTF is cleared")
{
    BareCpu *b = loaded(jumps, jumps_end);

    b->c->s.rflags |= FLAG_TF;
    b->c->s.debugctl = 2;
    rt_state_loaded(b->c);
    bare_run(b);
    check(bare_fault(b), EXC_DB);
    check(b->c->last[0].rip, BARE_CODE + 7);
    check(b->c->s.gpr[R_AX], 1);
    check(b->c->s.debugctl, 0);
    bare_free(b);
}

TEST("run: an instruction breakpoint stops in front, and RF lets it pass once")
{
    BareCpu *b = loaded(three, three_end);

    b->c->s.dr[1] = BARE_CODE + 4;
    b->c->s.dr7 |= 1 << 2;
    rt_state_loaded(b->c);
    bare_run(b);
    check(bare_fault(b), EXC_DB);
    check(b->c->last[0].rip, BARE_CODE + 4);
    check(b->c->s.gpr[R_AX], 2);
    check(b->c->s.dr6 & 15, 2);
    bare_free(b);
    b = loaded(three, three_end);
    b->c->s.dr[1] = BARE_CODE;
    b->c->s.dr7 |= 1 << 2;
    b->c->s.rflags |= FLAG_RF;
    rt_state_loaded(b->c);
    check(bare_run(b), RT_HALT);
    check(b->c->s.rflags & FLAG_RF, 0);
    bare_free(b);
}

TEST("run: a block is found again by linear and by physical address")
{
    BareCpu *b = loaded(three, three_end);
    uint8_t *kept;

    bare_run(b);
    kept = b->c->blocks->next;
    for (unsigned n = 0; n < 2; n++) {
        b->c->s.activity = CPU_RUNNING;
        b->c->s.rip = BARE_CODE;
        tlb_flush(b->c);
        bare_run(b);
    }
    check(b->c->s.gpr[R_AX], 9);
    check(b->c->blocks->next == kept, true);
    bare_free(b);
}

TEST("run: an instruction over two pages, and again after either of them has changed")
{
    BareCpu *b = loaded(three, three_end);

    memcpy(b->ram + 0x11ffe, crossing, (size_t)(crossing_end - crossing));
    for (unsigned n = 0; n < 3; n++) {
        b->c->s.activity = CPU_RUNNING;
        b->c->s.rip = 0x11ffe;
        bare_run(b);
        check(b->c->s.gpr[R_AX], n == 0 ? 0x12345678 : n == 1 ? 0x12345679 : 0x127a5679);
        phys_write(b->c, n == 0 ? 0x11fff : 0x12001, n == 0 ? 0x79 : 0x7a, 1);
    }
    bare_free(b);
}

TEST("run: code in a device is fetched byte by byte and never kept")
{
    BareCpu *b = loaded(in_the_dark, in_the_dark_end);

    b->ram[0x3fffff] = 0x05; /* add $imm32, %eax: the immediate is read from the device */
    bare_run(b);
    check(b->mmio_reads > 0, true);
    bare_free(b);
}

TEST("run: an interrupted REP keeps its place")
{
    BareCpu *b = loaded(reps, reps_end);

    b->c->s.rip = BARE_CODE + 10;
    b->c->s.gpr[R_DI] = 0x30000;
    b->c->s.gpr[R_CX] = 10000;
    b->c->s.rflags |= FLAG_TF; /* one element, then a trap */
    rt_state_loaded(b->c);
    bare_run(b);
    check(b->c->last[0].rip, BARE_CODE + 10);
    check(b->c->s.gpr[R_CX], 9999);
    check(b->c->s.gpr[R_DI], 0x30001);
    bare_free(b);
}

TEST("run: ports go to the host")
{
    BareCpu *b = loaded(port_out, port_out_end);

    b->port_value = 0x89abcdef;
    bare_run(b);
    check(b->port_log, 0x55);
    check(b->c->s.gpr[R_AX], 0x89abcdef);
    bare_free(b);
}

TEST("run: a bad opcode is #UD where it stands")
{
    BareCpu *b = loaded(illegal, illegal_end);

    bare_run(b);
    check(bare_fault(b), EXC_UD);
    check(b->c->last[0].rip, BARE_CODE + 2);
    bare_free(b);
}

TEST("run: the window opens when IF is set, not before")
{
    BareCpu *b = loaded(three, three_end);

    rt_want_window(b->c, true);
    check(bare_run(b), RT_HALT);
    b->c->s.activity = CPU_RUNNING;
    b->c->s.rip = BARE_CODE;
    b->c->s.rflags |= FLAG_IF;
    check(bare_run(b), RT_KICK);
    check(b->c->s.rip, BARE_CODE);
    bare_free(b);
}

TEST("run: behind STI one more instruction runs before the window opens")
{
    BareCpu *b = loaded(enables, enables_end);

    rt_want_window(b->c, true);
    check(bare_run(b), RT_KICK);
    check(b->c->s.gpr[R_AX], 1);
    check(b->c->s.sti_shadow, false);
    bare_free(b);
}

TEST("run: MOV SS holds the single-step trap back for one instruction")
{
    BareCpu *b = bare_new(CODE_32);

    bare_load(b, loads_ss, loads_ss_end);
    b->c->s.rip = BARE_CODE + 2;
    b->c->s.gpr[R_CX] = b->c->s.seg[SEG_SS].selector;
    b->c->s.rflags |= FLAG_TF;
    rt_state_loaded(b->c);
    bare_run(b);
    check(bare_fault(b), EXC_DB);
    check(b->c->last[0].rip, BARE_CODE + 5);
    check(b->c->s.gpr[R_AX], 1);
    bare_free(b);
}

TEST("blocks: the TLBs are told of a page once, and again when it was open for stores meanwhile")
{
    BareCpu *b = loaded(three, three_end);
    uint64_t linear = BARE_CODE;

    bare_run(b);
    check(b->code_pages, 1);
    bare_load(b, three, three_end); /* what was decoded is stale */
    b->c->s.activity = CPU_RUNNING;
    bare_run(b);
    check(b->code_pages, 1);
    bare_load(b, three, three_end);
    mem_write(b->c, linear + 100, 0, 4);
    check(tlb_writes(b->c->tlb, linear, 4) != NULL, true);
    b->c->s.activity = CPU_RUNNING;
    bare_run(b);
    check(b->code_pages, 2);
    check(tlb_writes(b->c->tlb, linear, 4) != NULL, false);
    bare_free(b);
}

TEST("blocks: code in one page leaves the write tags of others")
{
    BareCpu *b = loaded(three, three_end);

    mem_write(b->c, BARE_DATA, 0, 4);
    bare_run(b);
    check(b->code_pages, 1);
    check(tlb_writes(b->c->tlb, BARE_DATA, 4) != NULL, true);
    bare_free(b);
}

TEST("blocks: translated code is found again without being decoded, and decoded when it is "
     "interpreted")
{
    BareCpu *b = loaded(three, three_end);
    const Block *block;

    if (b->c->code) {
        bare_run(b);
        block_flush(b->c);
        b->c->s.activity = CPU_RUNNING;
        b->c->s.rip = BARE_CODE;
        block = block_find_code(b->c);
        check(block->count, 0);
        check(block->trans != NULL, true);
        check(block_find(b->c)->count, 4);
        check(block_find_code(b->c)->trans == block->trans, true);
        bare_run(b);
        check(b->c->s.gpr[R_AX], 6);
    }
    bare_free(b);
}

TEST("blocks: translated code that has been written to is not found again")
{
    BareCpu *b = loaded(three, three_end);

    if (b->c->code) {
        bare_run(b);
        block_flush(b->c);
        bare_load(b, illegal, illegal_end);
        check(block_find_code(b->c)->count > 0, true);
        b->c->s.activity = CPU_RUNNING;
        bare_run(b);
        check(bare_fault(b), EXC_UD);
    }
    bare_free(b);
}

/* As another CPU does it: the immediate of the instruction behind CPUID is changed. */
static void change_code(Cpu *c, uint16_t port, uint32_t value, unsigned size)
{
    BareCpu *b = c->vcpu;

    b->ram[BARE_CODE + 5] = 2;
    code_written(&b->pages[BARE_CODE / GUEST_PAGE], &b->code_hits, 5, 1);
}

GUEST(serial, ".code64\n out %al, $0x80\n cpuid\n mov $1, %ebx\n hlt");

TEST("run: behind CPUID the code is looked at again: another CPU may have changed it")
{
    BareCpu *b = loaded(serial, serial_end);

    b->host.port_write = change_code;
    check(bare_run(b), RT_HALT);
    check(b->c->s.gpr[R_BX], 2);
    bare_free(b);
}

/* ... with what it was, so that no code counts as marked. */
static void rewrite_code(Cpu *c, uint16_t port, uint32_t value, unsigned size)
{
    BareCpu *b = c->vcpu;

    code_written(&b->pages[BARE_CODE / GUEST_PAGE], c->code_hits, 0, 1);
}

GUEST(own_next, ".code64\n out %al, $0x80\n movb $2, 1f+1(%rip)\n 1: mov $1, %ebx\n hlt");
GUEST(own_beside, ".code64\n out %al, $0x80\n movb $2, 1f+0x800(%rip)\n movb $2, 1f+1(%rip)\n"
                  " 1: mov $1, %ebx\n hlt");
GUEST(own_locked, ".code64\n out %al, $0x80\n lock incb 1f+1(%rip)\n 1: mov $1, %ebx\n hlt");
GUEST(own_repeated, ".code64\n mov $2, %al\n lea 1f+1(%rip), %rdi\n mov $1, %ecx\n"
                    " out %al, $0x80\n rep stosb\n 1: mov $1, %ebx\n hlt");

static void own_store(const uint8_t *code, const uint8_t *end)
{
    for (unsigned translated = 0; translated < 2; translated++) {
        BareCpu *b = bare_new_as(CODE_64, translated);

        bare_load(b, code, end);
        b->host.port_write = rewrite_code;
        check(bare_run(b), RT_HALT);
        check(b->c->s.gpr[R_BX], 2);
        bare_free(b);
    }
}

TEST("run: a store into the code that runs is seen, also if another CPU's has just hit the page")
{
    own_store(own_next, own_next_end);
    own_store(own_beside, own_beside_end);
    own_store(own_locked, own_locked_end);
    own_store(own_repeated, own_repeated_end);
}

/* The branch runs at 0x7ffffffff000 and goes beyond. */
static void beyond(const uint8_t *code, const uint8_t *end)
{
    BareCpu *b = loaded(code, end);
    uint64_t *pml4 = (uint64_t *)(b->ram + BARE_TABLES + 0x1000), last = 0x7ffffffff000;
    uint64_t *pdpt = (uint64_t *)(b->ram + BARE_DATA), *pd = pdpt + 512, *pt = pd + 512;

    pml4[255] = BARE_DATA | 7;
    pdpt[511] = (BARE_DATA + 0x1000) | 7;
    pd[511] = (BARE_DATA + 0x2000) | 7;
    pt[511] = BARE_CODE | 7;
    b->c->s.rip = last;
    b->c->s.rflags |= FLAG_ZF;
    b->c->s.gpr[R_CX] = 5;
    bare_run(b);
    check(bare_fault(b), EXC_GP);
    check(b->c->last[0].rip, last + 1);
    check(b->c->s.gpr[R_SP], BARE_STACK);
    check(b->c->s.gpr[R_CX], 5);
    bare_free(b);
}

GUEST(jmp_beyond, ".code64\n nop\n jmp .+0x1000\n hlt");
GUEST(call_beyond, ".code64\n nop\n call .+0x1000\n hlt");
GUEST(je_beyond, ".code64\n nop\n je .+0x1000\n hlt");

TEST("run: a near branch to where no address is canonical faults itself, and changes nothing")
{
    beyond(jmp_beyond, jmp_beyond_end);
    beyond(call_beyond, call_beyond_end);
    beyond(je_beyond, je_beyond_end);
}

GUEST(calls64, ".code64\n mov $9, %ecx\n 1: push $5\n mov -8(%rsp), %rdx\n call 2f\n pop %rax\n "
               "dec %ecx\n jnz 1b\n"
               " hlt\n .fill 4096, 1, 0x90\n 2: ret");
GUEST(calls32, ".code32\n mov $9, %ecx\n 1: push $5\n mov -4(%esp), %edx\n call 2f\n pop %eax\n "
               "dec %ecx\n jnz 1b\n"
               " hlt\n .fill 4096, 1, 0x90\n 2: ret");

static void calls(CodeSize code, const uint8_t *from, const uint8_t *end)
{
    BareCpu *b = bare_run_code(code, from, end, NULL);

    check(bare_fault(b), -1);
    check(b->c->s.gpr[R_SP], BARE_STACK);
    check(b->c->s.gpr[R_AX], 5);
    bare_free(b);
}

TEST("run: calls to another page, behind a push, come back")
{
    calls(CODE_64, calls64, calls64_end);
    calls(CODE_32, calls32, calls32_end);
}
