/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x87 instructions that store or load more than a number: environment and whole state, in the four
 * formats of SDM volume 1, figures 8-9 to 8-12 ("x87 FPU state image"), and FNINIT. The host does
 * them on a 32-bit protected-mode image in the scratch buffer; addresses and opcode are the
 * guest's, from c->s.fpu.
 */
#include "target/i386/decode/table.h"
#include "target/i386/rt/host.h"
#include "target/i386/rt/stub.h"

enum { ENV32 = 28, ENV16 = 14, ST_BYTES = 80, STATE32 = ENV32 + ST_BYTES };

static void host_do(Cpu *c, uint8_t opcode, uint8_t modrm)
{
    StubCode code = {.len = 2, .bytes = {opcode, modrm}};
    StubRegs r = {0};
    uint32_t trap;

    fpu_live(c);
    trap = stub_call(c, stub_find(c, &code, false), c->fpu->scratch, &r);
    if (trap) {
        stub_trap(c, trap);
    }
}

static bool real_format(const Cpu *c)
{
    return !(c->s.cr0 & CR0_PE) || c->s.rflags & FLAG_VM;
}

/* The last x87 instruction, as linear addresses of 20 or 32 bits. */
static uint32_t real_linear(uint16_t segment, uint64_t offset)
{
    return ((uint32_t)segment << 4) + (uint32_t)offset;
}

/* Words 3 to 6 of an environment, from c->s.fpu. */
static void pointers_out(const Cpu *c, uint32_t env[7])
{
    const X86Fpu *f = &c->s.fpu;
    uint32_t ip = real_linear(f->fcs, f->fip), dp = real_linear(f->fds, f->fdp);

    if (real_format(c)) {
        env[3] = ip & 0xffff;
        env[4] = (ip >> 16) << 12 | f->fop;
        env[5] = dp & 0xffff;
        env[6] = (dp >> 16) << 12;
    } else {
        env[3] = f->fip;
        env[4] = f->fcs | (uint32_t)f->fop << 16;
        env[5] = f->fdp;
        env[6] = f->fds | 0xffff0000u;
    }
}

static void pointers_in(Cpu *c, const uint32_t env[7], bool wide)
{
    X86Fpu *f = &c->s.fpu;

    if (real_format(c)) {
        f->fip = (env[3] & 0xffff) | (env[4] >> 12) << 16;
        f->fdp = (env[5] & 0xffff) | (env[6] >> 12) << 16;
        f->fcs = f->fds = 0;
        f->fop = env[4] & 0x7ff;
    } else {
        f->fip = env[3];
        f->fcs = env[4];
        f->fdp = env[5];
        f->fds = env[6];
        f->fop = wide ? env[4] >> 16 & 0x7ff : 0;
    }
}

/* The scratch buffer's environment to the guest's format; the numbers follow. Returns its size. */
static unsigned env_out(Cpu *c, unsigned opsize, uint8_t *out)
{
    uint32_t env[7];
    uint16_t narrow[7];

    __builtin_memcpy(env, c->fpu->scratch, 12); /* control, status, tags: reserved halves too */
    pointers_out(c, env);
    if (opsize != 2) {
        __builtin_memcpy(out, env, ENV32);
        return ENV32;
    }
    for (unsigned n = 0; n < 7; n++) {
        narrow[n] = env[n];
    }
    __builtin_memcpy(out, narrow, ENV16);
    return ENV16;
}

static unsigned env_in(Cpu *c, unsigned opsize, const uint8_t *in, uint32_t env[7])
{
    uint16_t narrow[7];

    if (opsize != 2) {
        __builtin_memcpy(env, in, ENV32);
        return ENV32;
    }
    __builtin_memcpy(narrow, in, ENV16);
    for (unsigned n = 0; n < 7; n++) {
        env[n] = narrow[n];
    }
    return ENV16;
}

static void run_store_state(Cpu *c, const Insn *i)
{
    bool all = i->op == OP_FNSAVE;
    unsigned bytes = (i->opsize == 2 ? ENV16 : ENV32) + (all ? ST_BYTES : 0), head;
    uint8_t out[STATE32];
    uint64_t linear;

    fpu_check(c, FPU_X87);
    linear = insn_linear(c, i, bytes, true);
    alignment_check(c, linear, i->opsize == 2 ? 2 : 4);
    mem_probe(c, linear, bytes, ACCESS_WRITE);
    host_do(c, all ? 0xdd : 0xd9, 0x37);
    head = env_out(c, i->opsize, out);
    if (all) {
        __builtin_memcpy(out + head, c->fpu->scratch + ENV32, ST_BYTES);
        c->s.fpu.fip = c->s.fpu.fdp = 0;
        c->s.fpu.fcs = c->s.fpu.fds = c->s.fpu.fop = 0;
    }
    mem_write_block(c, linear, out, bytes, ACCESS_WRITE);
}

static void run_load_state(Cpu *c, const Insn *i)
{
    bool all = i->op == OP_FRSTOR;
    unsigned bytes = (i->opsize == 2 ? ENV16 : ENV32) + (all ? ST_BYTES : 0), head;
    uint8_t in[STATE32];
    uint32_t env[7];
    uint64_t linear;

    fpu_check(c, FPU_X87);
    x87_wait(c);
    linear = insn_linear(c, i, bytes, false);
    alignment_check(c, linear, i->opsize == 2 ? 2 : 4);
    mem_read_block(c, linear, in, bytes, ACCESS_READ);
    head = env_in(c, i->opsize, in, env);
    __builtin_memset(c->fpu->scratch, 0, ENV32);
    __builtin_memcpy(c->fpu->scratch, env, 12);
    __builtin_memcpy(c->fpu->scratch + ENV32, in + head, all ? ST_BYTES : 0);
    host_do(c, all ? 0xdd : 0xd9, 0x27);
    pointers_in(c, env, i->opsize != 2);
}

static void run_fninit(Cpu *c, const Insn *i)
{
    fpu_check(c, FPU_X87);
    host_do(c, 0xdb, 0xe3);
    c->s.fpu.fip = c->s.fpu.fdp = 0;
    c->s.fpu.fcs = c->s.fpu.fds = c->s.fpu.fop = 0;
}

InsnRun *bind_x87_state(Cpu *c, Insn *i)
{
    switch (i->op) {
    case OP_FNSTENV:
    case OP_FNSAVE:
        return run_store_state;
    case OP_FLDENV:
    case OP_FRSTOR:
        return run_load_state;
    case OP_FNINIT:
        return run_fninit;
    default:
        return NULL;
    }
}
