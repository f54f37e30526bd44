/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

#include <string.h>

/* Interrupt n goes to CS 0, IP 0x100 * n, where `iret` is unless a test says otherwise. */
static BareCpu *real_cpu(const uint8_t *code, const uint8_t *end)
{
    BareCpu *b = bare_new(CODE_16);

    for (unsigned n = 0; n < 64; n++) {
        b->ram[4 * n] = 0;
        b->ram[4 * n + 1] = 0x10 + n;
        b->ram[4 * n + 2] = b->ram[4 * n + 3] = 0;
        b->ram[0x1000 + 0x100 * n] = 0xcf;
    }
    b->c->s.idtr.limit = 0x3ff;
    bare_load(b, code, end);
    return b;
}

GUEST(nops, ".code16\nnop\nnop\nhlt");
GUEST(sti_nop, ".code16\nsti\nnop\nhlt");
GUEST(load_ss, ".code16\nxor %ax, %ax\nmov %ax, %ss\nnop\nhlt");

TEST("events: an interrupt goes through the vector table, pushes flags and address, and clears IF")
{
    BareCpu *b = real_cpu(nops, nops_end);

    b->c->s.rflags |= FLAG_IF;
    check(rt_can_interrupt(b->c), true);
    rt_interrupt(b->c, 8);
    check(b->c->s.rip, 0x1800);
    check(b->c->s.seg[SEG_CS].base, 0);
    check(b->c->s.rflags & FLAG_IF, 0);
    check(b->c->s.gpr[R_SP], 0x7000 - 6);
    check(b->ram[0x6ffe] | b->ram[0x6fff] << 8, 0x202);
    bare_free(b);
}

TEST("events: IRET ends the blocking of NMIs")
{
    BareCpu *b = real_cpu(nops, nops_end);

    check(rt_can_nmi(b->c), true);
    rt_nmi(b->c);
    check(b->c->s.rip, 0x1200);
    check(rt_can_nmi(b->c), false);
    bare_run(b);
    check(b->c->s.activity, CPU_HALTED);
    check(rt_can_nmi(b->c), true);
    bare_free(b);
}

TEST("events: the window opens one instruction behind STI, and an interrupt ends HLT")
{
    BareCpu *b = real_cpu(sti_nop, sti_nop_end);

    rt_want_window(b->c, true);
    check(bare_run(b), RT_KICK);
    check(b->c->s.rip, 2);
    rt_want_window(b->c, false);
    check(bare_run(b), RT_HALT);
    check(rt_can_interrupt(b->c), true);
    rt_interrupt(b->c, 8);
    check(b->c->s.activity, CPU_RUNNING);
    bare_free(b);
}

TEST("events: MOV SS keeps interrupts and NMIs away for one instruction")
{
    BareCpu *b = real_cpu(load_ss, load_ss_end);

    b->c->s.ss_shadow = true;
    b->c->s.rflags |= FLAG_IF;
    check(rt_can_interrupt(b->c), false);
    check(rt_can_nmi(b->c), false);
    b->c->s.ss_shadow = false;
    rt_want_window(b->c, true);
    check(bare_run(b), RT_KICK);
    check(rt_can_interrupt(b->c), true);
    bare_free(b);
}

GUEST(divide, ".code32\nxor %ecx, %ecx\ndiv %ecx\nhlt");

TEST("events: with an empty IDT a division by zero ends as a triple fault, told in words")
{
    BareCpu *b = bare_run_code(CODE_32, divide, divide_end, NULL);

    check(b->c->s.activity, CPU_SHUTDOWN);
    check(b->c->last_count, 3);
    check(b->c->last[0].vector, EXC_DE);
    check(b->c->last[1].vector, EXC_GP);
    check(b->c->last[1].error, EXC_DE * 8 + 2 + 1);
    check(b->c->last[2].vector, EXC_GP);
    check_str(b->c->why,
              "entry 0x8 of the IDT has type 0x0, which is no gate (its low half is 0x0)");
    bare_free(b);
}

static void gate(BareCpu *b, unsigned vector, uint16_t selector, uint32_t offset)
{
    uint64_t entry = (offset & 0xffff) | (uint64_t)selector << 16 | 0x8e00ull << 32 |
                     (uint64_t)(offset >> 16) << 48;

    memcpy(b->ram + 0x2000 + 8 * vector, &entry, 8);
    b->c->s.idtr = (X86Table){0x2000, 0x7ff};
}

TEST("events: #GP while #DE is delivered makes a double fault; its address is the instruction's")
{
    BareCpu *b = bare_new(CODE_32);

    gate(b, EXC_DE, 0x7000, 0);
    gate(b, EXC_DF, 8, BARE_CODE + 4); /* the HLT */
    bare_load(b, divide, divide_end);
    bare_run(b);
    check(b->c->s.activity, CPU_HALTED);
    check(b->c->s.gpr[R_SP], BARE_STACK - 16);
    check(b->ram[BARE_STACK - 16], 0);
    check(b->ram[BARE_STACK - 12], (BARE_CODE + 2) & 0xff);
    bare_free(b);
}

TEST("events: a benign fault while an interrupt is delivered is delivered itself, with EXT")
{
    BareCpu *b = bare_new(CODE_32);
    uint32_t error;

    gate(b, 0x20, 0x7000, 0); /* beyond the GDT */
    gate(b, EXC_GP, 8, BARE_CODE + 4);
    bare_load(b, divide, divide_end);
    rt_interrupt(b->c, 0x20);
    check(b->c->s.rip, BARE_CODE + 4);
    memcpy(&error, b->ram + BARE_STACK - 16, 4);
    check(error, 0x7001);
    bare_free(b);
}

GUEST(msr_round, ".code32\nmov $0x12345678, %eax\nmov %ebx, %edx\nwrmsr\nxor %eax, %eax\nxor %edx, "
                 "%edx\nrdmsr\nhlt");

/* Writes high:12345678 to an MSR and reads it back; -1: that faults. */
static int64_t msr_round_trip(uint32_t index, uint32_t high)
{
    uint64_t gpr[16] = {[R_CX] = index, [R_BX] = high};
    BareCpu *b = bare_run_code(CODE_32, msr_round, msr_round_end, gpr);
    int64_t value = b->c->s.gpr[R_AX] | b->c->s.gpr[R_DX] << 32;
    bool faulted = bare_fault(b) >= 0;

    bare_free(b);
    return faulted ? -1 : value;
}

TEST("MSRs: addresses are kept, SYSENTER_CS has 32 bits, bits that are not there fault")
{
    check(msr_round_trip(0xc0000082, 0x1abc), 0x1abc12345678);
    check(msr_round_trip(0xc0000082, 0x9abc), -1);
    check(msr_round_trip(0xc0000101, 0x1abc), 0x1abc12345678);
    check(msr_round_trip(0x174, 0x1abc), 0x12345678);
    check(msr_round_trip(0xc0000080, 0), -1);
    check(msr_round_trip(0x277, 0), -1); /* PAT: 0x78 is no memory type */
    check(msr_round_trip(0x12345678, 0), -1);
    check(msr_round_trip(0x17, 0), -1); /* read-only */
}

TEST("reset: twice is once, and INIT leaves MSRs, SMBASE and the cache bits of CR0 alone")
{
    BareCpu *b = bare_new(CODE_32);
    X86State first;

    rt_reset(b->c, false, true);
    first = b->c->s;
    rt_reset(b->c, false, true);
    check(memcmp(&first, &b->c->s, sizeof(first)), 0);
    check(b->c->s.seg[SEG_CS].base + b->c->s.rip, 0xfffffff0);
    b->c->s.lstar = 0x1234;
    b->c->s.smbase = 0x50000;
    b->c->s.cr0 = CR0_PE | CR0_ET | CR0_CD;
    rt_reset(b->c, true, false);
    check(b->c->s.lstar, 0x1234);
    check(b->c->s.smbase, 0x50000);
    check(b->c->s.cr0, CR0_ET | CR0_CD);
    check(b->c->s.activity, CPU_WAIT_SIPI);
    rt_sipi(b->c, 0x9f);
    check(b->c->s.activity, CPU_RUNNING);
    check(b->c->s.seg[SEG_CS].base + b->c->s.rip, 0x9f000);
    bare_free(b);
}
