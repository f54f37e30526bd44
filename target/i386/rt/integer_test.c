/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interpreter's loop and integer instructions on a bare CPU. Every encoding with random
 * operands is compared with the host's CPU in tests/cpu; here is what that cannot see.
 */
#include "target/i386/rt/block.h"
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

#include <string.h>

/* clang-format off */
GUEST(sum_loop, ".code64\n"
    "xor %eax, %eax\n mov $1000, %ecx\n"
    "1: add %rcx, %rax\n dec %ecx\n jnz 1b\n hlt");
GUEST(calls, ".code64\n"
    "call 1f\n add $5, %eax\n hlt\n"
    "1: push %rbp\n mov %rsp, %rbp\n lea 7(%rdi,%rsi,4), %eax\n leave\n ret");
GUEST(calls_16, ".code16\n"
    "mov $0x1234, %ax\n push %ax\n call 1f\n pop %cx\n hlt\n"
    "1: pusha\n mov $1, %ax\n popa\n inc %ax\n ret");
GUEST(high_bytes, ".code32\n"
    "mov $0x11223344, %eax\n mov $0x80, %bl\n add %bl, %ah\n xchg %al, %ah\n hlt");
GUEST(strings, ".code64\n"
    "mov $0x30ff1, %edi\n mov $0xabcdef, %eax\n mov $5000, %ecx\n rep stosb\n"
    "mov $0x30ff1, %esi\n mov $0x35000, %edi\n mov $5000, %ecx\n rep movsb\n"
    "mov $0x35000, %edi\n mov $6000, %ecx\n repe scasb\n hlt");
GUEST(overlap, ".code64\n"
    "movl $0x64636261, 0x30000\n mov $0x30000, %esi\n mov $0x30004, %edi\n mov $12, %ecx\n"
    "rep movsb\n std\n mov $0x3000f, %esi\n mov $0x30011, %edi\n mov $16, %ecx\n rep movsb\n hlt");
GUEST(patches_itself, ".code64\n"
    "movb $7, 1f+1(%rip)\n1: mov $1, %al\n hlt");
GUEST(divide_by_zero, ".code64\n xor %ecx, %ecx\n mov $5, %eax\n cltd\n idiv %ecx\n hlt");
GUEST(divide_least, ".code64\n"
    "mov $0x8000000000000000, %rax\n cqo\n mov $1, %ecx\n idiv %rcx\n mov %rax, %rbx\n"
    "cqo\n mov $-1, %rcx\n idiv %rcx\n hlt");
GUEST(split_lock, ".code64\n"
    "lock incl 0x3003e\n lock addl $3, 0x30fff\n lock incl 0x30000000\n hlt");
GUEST(exchange_16, ".code64\n"
    "mov $0x30000, %edi\n lock cmpxchg16b (%rdi)\n jne 1f\n lock cmpxchg16b (%rdi)\n1: hlt");
GUEST(misaligned_16, ".code64\n lock cmpxchg16b 0x30008\n hlt");
GUEST(past_the_limit, ".code32\n jmp . + 0x200\n");
GUEST(bit_strings, ".code64\n"
    "mov $-9, %rax\n bts %rax, 0x30008\n mov $100, %eax\n btc %eax, 0x30000\n"
    "setc %dl\n hlt");
GUEST(frames, ".code32\n"
    "push $0x11\n mov %esp, %ebp\n enter $16, $3\n mov %esp, %eax\n leave\n hlt");
GUEST(jumps_to_itself, ".code64\n 1: inc %eax\n jmp 1b");
GUEST(decimal, ".code32\n"
    "mov $0x79, %al\n add $0x35, %al\n daa\n mov %al, %bl\n mov $0x23, %al\n sub $0x47, %al\n das\n"
    "mov %al, %bh\n mov $77, %al\n aam\n hlt");
/* clang-format on */

#define RUN_64(name) bare_run_code(CODE_64, name, name##_end, NULL)
#define RUN_32(name) bare_run_code(CODE_32, name, name##_end, NULL)
#define RUN_16(name) bare_run_code(CODE_16, name, name##_end, NULL)

static uint64_t word_at(const BareCpu *b, unsigned at)
{
    uint64_t v;

    memcpy(&v, b->ram + at, sizeof(v));
    return v;
}

TEST("interpreter: a loop runs to HLT and counts its instructions")
{
    BareCpu *b = RUN_64(sum_loop);

    check(b->c->s.gpr[R_AX], 500500);
    check(b->c->s.activity, CPU_HALTED);
    check(b->c->retired, b->code ? 0 : 3003); /* translated code is not counted */
    check(b->c->s.rip, BARE_CODE + (uint64_t)(sum_loop_end - sum_loop));
    check(b->c->s.rflags & (FLAG_ZF | FLAG_PF), FLAG_ZF | FLAG_PF);
    bare_free(b);
}

TEST("interpreter: near calls, frames and returns in 64-bit code")
{
    uint64_t gpr[16] = {[R_DI] = 100, [R_SI] = 3};
    BareCpu *b = bare_run_code(CODE_64, calls, calls_end, gpr);

    check(b->c->s.gpr[R_AX], 124);
    check(b->c->s.gpr[R_SP], BARE_STACK);
    bare_free(b);
}

TEST("interpreter: 16-bit calls and PUSHA use 16-bit words and SP")
{
    BareCpu *b = RUN_16(calls_16);

    check(b->c->s.gpr[R_AX], 0x1235);
    check(b->c->s.gpr[R_CX], 0x1234);
    check(b->c->s.gpr[R_SP], 0x7000);
    bare_free(b);
}

TEST("interpreter: AH to BH are bits 8 to 15")
{
    BareCpu *b = RUN_32(high_bytes);

    check(b->c->s.gpr[R_AX], 0x112244b3);
    bare_free(b);
}

TEST("interpreter: REP STOS, MOVS and SCAS go over page borders")
{
    BareCpu *b = RUN_64(strings);

    check(b->ram[0x30ff0], 0);
    check(b->ram[0x30ff1 + 4999], 0xef);
    check(b->ram[0x30ff1 + 5000], 0);
    check(memcmp(b->ram + 0x30ff1, b->ram + 0x35000, 5000), 0);
    check(b->c->s.gpr[R_CX], 999); /* the first byte that differs counts */
    check(b->c->s.gpr[R_DI], 0x35000 + 5001);
    bare_free(b);
}

TEST("interpreter: overlapping REP MOVS repeats the pattern, and DF goes down")
{
    BareCpu *b = RUN_64(overlap);

    check(memcmp(b->ram + 0x30000, "ababcdabcdabcdabcd", 18), 0);
    check(b->c->s.gpr[R_DI], 0x30001);
    bare_free(b);
}

TEST("interpreter: a store into the block that runs is seen by the next instruction")
{
    BareCpu *b = RUN_64(patches_itself);

    check(b->c->s.gpr[R_AX], 7);
    check(b->code_pages > 0, true);
    bare_free(b);
}

TEST("interpreter: division by zero is #DE at the instruction, registers unchanged")
{
    BareCpu *b = RUN_64(divide_by_zero);

    check(bare_fault(b), EXC_DE);
    check(b->c->last[0].rip, BARE_CODE + 8);
    check(b->c->s.gpr[R_AX], 5);
    bare_free(b);
}

TEST("interpreter: the least quotient divides by 1 and faults by -1")
{
    BareCpu *b = RUN_64(divide_least);

    check(b->c->s.gpr[R_BX], INT64_MIN);
    check(bare_fault(b), EXC_DE);
    bare_free(b);
}

TEST("interpreter: locked accesses over a line and over pages stop the world, on a device they do "
     "not")
{
    BareCpu *b = RUN_64(split_lock);

    check(word_at(b, 0x3003e), 1);
    check(word_at(b, 0x30fff), 3);
    check(b->exclusives == 2 || (b->code && b->exclusives == 1),
          true); /* over a line: the host may */
    check(b->mmio_reads, 1);
    check(b->mmio_value, 0x30000001);
    bare_free(b);
}

TEST("interpreter: CMPXCHG16B swaps when equal, loads when not, faults when misaligned")
{
    uint64_t gpr[16] = {[R_BX] = 0x1111, [R_CX] = 0x2222};
    BareCpu *b = bare_run_code(CODE_64, exchange_16, exchange_16_end, gpr);

    check(word_at(b, 0x30000), 0x1111);
    check(word_at(b, 0x30008), 0x2222);
    check(b->c->s.gpr[R_AX], 0x1111);
    check(b->c->s.gpr[R_DX], 0x2222);
    check(b->c->s.rflags & FLAG_ZF, 0);
    bare_free(b);
    b = RUN_64(misaligned_16);
    check(bare_fault(b), EXC_GP);
    bare_free(b);
}

TEST("interpreter: a jump behind the limit of CS faults at the jump")
{
    BareCpu *b = bare_new(CODE_32);

    b->c->s.seg[SEG_CS].limit = BARE_CODE + 0x100;
    b->c->s.seg[SEG_CS].attr &= ~ATTR_G;
    bare_load(b, past_the_limit, past_the_limit_end);
    bare_run(b);
    check(bare_fault(b), EXC_GP);
    check(b->c->last[0].rip, BARE_CODE);
    bare_free(b);
}

TEST("interpreter: bit offsets in registers reach beyond the operand, both ways")
{
    BareCpu *b = RUN_64(bit_strings);

    check(b->ram[0x30006], 0x80);
    check(b->ram[0x3000c], 0x10);
    check(b->c->s.gpr[R_DX] & 0xff, 0);
    bare_free(b);
}

TEST("interpreter: ENTER copies the frame pointers of outer levels")
{
    BareCpu *b = RUN_32(frames);

    check(b->c->s.gpr[R_AX], BARE_STACK - 4 - 4 * 4 - 16);
    check(b->c->s.gpr[R_SP], BARE_STACK - 4);
    check((uint32_t)word_at(b, BARE_STACK - 8), BARE_STACK - 4);
    check((uint32_t)word_at(b, BARE_STACK - 20), BARE_STACK - 8);
    bare_free(b);
}

TEST("interpreter: decimal adjustments")
{
    BareCpu *b = RUN_32(decimal);

    check(b->c->s.gpr[R_BX], 0x7614);
    check(b->c->s.gpr[R_AX] & 0xffff, 0x0707);
    bare_free(b);
}

TEST("interpreter: an endless loop comes back when attention is wanted")
{
    BareCpu *b = bare_new(CODE_64);

    bare_load(b, jumps_to_itself, jumps_to_itself_end);
    cpu_kick(b->c);
    check(bare_run(b), RT_KICK);
    check(b->c->s.gpr[R_AX], 0);
    check(b->c->s.rip, BARE_CODE);
    bare_free(b);
}
