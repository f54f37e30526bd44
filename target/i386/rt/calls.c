/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fast system calls and the bases of FS and GS (SDM volume 2, SYSCALL, SYSRET, SYSENTER, SYSEXIT,
 * SWAPGS, RDFSBASE; APM volume 3 for SYSCALL outside 64-bit code, which only AMD's processors
 * have).
 */
#include "target/i386/rt/host.h"
#include "target/i386/rt/sys.h"
#include "target/i386/rt/walk.h"

enum {
    ATTR_CODE64 = 0xa09b, /* at DPL 0; SEG_DPL3 is added for level 3 */
    ATTR_CODE32 = 0xc09b,
    ATTR_DATA = 0xc093,
    ATTR_DPL3 = 0x60,
};

static X86Segment flat(uint16_t selector, uint16_t attr)
{
    return (X86Segment){.selector = selector, .attr = attr, .limit = 0xffffffff};
}

static void enter(Cpu *c, uint16_t cs, bool wide, uint64_t rip)
{
    c->s.seg[SEG_SS] = flat((cs & ~3u) + 8, ATTR_DATA);
    code_set(c, flat(cs & ~3u, wide ? ATTR_CODE64 : ATTR_CODE32), 0, rip);
}

/* Selectors of level 3. */
static void leave(Cpu *c, uint16_t cs, uint16_t ss, bool wide, uint64_t rip)
{
    c->s.seg[SEG_SS] = flat(ss | 3, ATTR_DATA | ATTR_DPL3);
    code_set(c, flat(cs | 3, (wide ? ATTR_CODE64 : ATTR_CODE32) | ATTR_DPL3), 3, rip);
}

static bool amd(Cpu *c)
{
    uint32_t leaf[4] = {0};

    HOST_DO(c, cpuid, 0, 0, leaf);
    return leaf[1] == 0x68747541; /* "Auth" */
}

static void canonical_or_gp(Cpu *c, uint64_t address)
{
    if (!canonical(c, address)) {
        why(c, "the address %x is not canonical", address, 0, 0);
        raise_error(c, EXC_GP, 0);
    }
}

static void run_syscall(Cpu *c, const Insn *i)
{
    uint64_t rip = c->code_size == CODE_64 ? c->s.lstar : c->s.cstar;

    if (!(c->s.efer & EFER_SCE) || real_mode(c) || (c->code_size != CODE_64 && !amd(c))) {
        raise_fault(c, EXC_UD);
    }
    c->s.gpr[R_CX] = c->next_rip;
    if (long_mode(c)) {
        c->s.gpr[11] = c->s.rflags & ~(uint64_t)FLAG_RF;
        c->s.rflags &= ~(c->s.sfmask | FLAG_RF);
        c->s.rflags |= FLAG_ONE;
    } else {
        rip = (uint32_t)c->s.star;
        c->s.rflags &= ~(uint64_t)(FLAG_IF | FLAG_RF | FLAG_VM);
    }
    enter(c, c->s.star >> 32, long_mode(c), rip);
}

static void run_sysret(Cpu *c, const Insn *i)
{
    uint16_t base = c->s.star >> 48 & 0xfffc;
    bool wide = i->opsize == 8;

    if (!(c->s.efer & EFER_SCE) || real_mode(c) || (c->code_size != CODE_64 && !amd(c))) {
        raise_fault(c, EXC_UD);
    }
    need_cpl0(c);
    if (wide) {
        canonical_or_gp(c, c->s.gpr[R_CX]);
    }
    if (long_mode(c)) {
        c->s.rflags = (c->s.gpr[11] & 0x3c7fd7) | FLAG_ONE;
    } else {
        c->s.rflags |= FLAG_IF;
    }
    leave(c, base + (wide ? 16 : 0), base + 8, wide,
          wide ? c->s.gpr[R_CX] : (uint32_t)c->s.gpr[R_CX]);
}

static void run_sysenter(Cpu *c, const Insn *i)
{
    bool wide = long_mode(c);

    if (!(c->s.cr0 & CR0_PE) || !(c->s.sysenter_cs & 0xfffc)) {
        raise_error(c, EXC_GP, 0);
    }
    c->s.rflags &= ~(uint64_t)(FLAG_VM | FLAG_IF | FLAG_RF);
    c->s.gpr[R_SP] = wide ? c->s.sysenter_esp : (uint32_t)c->s.sysenter_esp;
    enter(c, c->s.sysenter_cs, wide, wide ? c->s.sysenter_eip : (uint32_t)c->s.sysenter_eip);
}

static void run_sysexit(Cpu *c, const Insn *i)
{
    uint16_t base = c->s.sysenter_cs & 0xfffc;
    bool wide = i->opsize == 8;

    if (!(c->s.cr0 & CR0_PE) || !base || c->cpl) {
        raise_error(c, EXC_GP, 0);
    }
    if (wide) {
        canonical_or_gp(c, c->s.gpr[R_CX]);
        canonical_or_gp(c, c->s.gpr[R_DX]);
    }
    c->s.gpr[R_SP] = wide ? c->s.gpr[R_CX] : (uint32_t)c->s.gpr[R_CX];
    leave(c, base + (wide ? 32 : 16), base + (wide ? 40 : 24), wide,
          wide ? c->s.gpr[R_DX] : (uint32_t)c->s.gpr[R_DX]);
}

static void run_swapgs(Cpu *c, const Insn *i)
{
    uint64_t base = c->s.seg[SEG_GS].base;

    if (c->code_size != CODE_64) {
        raise_fault(c, EXC_UD);
    }
    need_cpl0(c);
    c->s.seg[SEG_GS].base = c->s.kernel_gs_base;
    c->s.kernel_gs_base = base;
}

static X86Segment *base_segment(Cpu *c, const Insn *i)
{
    if (c->code_size != CODE_64 || !(c->s.cr4 & CR4_FSGSBASE)) {
        raise_fault(c, EXC_UD);
    }
    return &c->s.seg[i->op == OP_RDFSBASE || i->op == OP_WRFSBASE ? SEG_FS : SEG_GS];
}

static void run_read_base(Cpu *c, const Insn *i)
{
    gpr_write(c, i->operand[0].reg, i->opsize, base_segment(c, i)->base);
}

static void run_write_base(Cpu *c, const Insn *i)
{
    X86Segment *g = base_segment(c, i);
    uint64_t base = sys_read(c, i, 0, i->opsize);

    canonical_or_gp(c, base);
    g->base = base;
}

InsnRun *bind_calls(Cpu *c, Insn *i)
{
    switch (i->op) {
    case OP_SYSCALL:
        return run_syscall;
    case OP_SYSRET:
        return run_sysret;
    case OP_SYSENTER:
        return run_sysenter;
    case OP_SYSEXIT:
        return run_sysexit;
    case OP_SWAPGS:
        return run_swapgs;
    case OP_RDFSBASE:
    case OP_RDGSBASE:
        return run_read_base;
    case OP_WRFSBASE:
    case OP_WRGSBASE:
        return run_write_base;
    default:
        return NULL;
    }
}
