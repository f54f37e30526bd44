/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other system instructions, and what they share: TLB and cache control, HLT, MONITOR, time
 * stamps, CPUID, SMAP's AC, protection keys (SDM volume 2; volume 3, "Protection").
 * Not modelled: caches (their instructions check and do nothing); performance counters, of which
 * there are none; MWAIT waits for nothing, as if the monitored line had been written at once.
 */
#include "target/i386/rt/host.h"
#include "target/i386/rt/sys.h"
#include "target/i386/rt/walk.h"

/* ---- operands ---- */

static uint64_t low_bytes(uint64_t value, unsigned size)
{
    return size == 8 ? value : value & ((1ull << 8 * size) - 1);
}

void gpr_write(Cpu *c, unsigned reg, unsigned size, uint64_t value)
{
    uint64_t *r = &c->s.gpr[reg & 15];

    if (size >= 4) {
        *r = low_bytes(value, size);
    } else {
        *r = (*r & ~((1ull << 8 * size) - 1)) | low_bytes(value, size);
    }
}

uint64_t sys_read(Cpu *c, const Insn *i, unsigned n, unsigned size)
{
    const Operand *o = &i->operand[n];

    switch (o->kind) {
    case OPERAND_GPR:
        return low_bytes(c->s.gpr[o->reg & 15], size);
    case OPERAND_MEM:
        return mem_read(c, insn_linear(c, i, size, false), size);
    default:
        return i->imm;
    }
}

void sys_write(Cpu *c, const Insn *i, unsigned n, unsigned size, uint64_t value)
{
    const Operand *o = &i->operand[n];

    if (o->kind == OPERAND_MEM) {
        mem_write(c, insn_linear(c, i, size, true), low_bytes(value, size), size);
    } else {
        gpr_write(c, o->reg, size, value);
    }
}

void need_cpl0(Cpu *c)
{
    if (c->cpl) {
        why(c, "a privileged instruction at level %x", c->cpl, 0, 0);
        raise_error(c, EXC_GP, 0);
    }
}

void need_protected(Cpu *c)
{
    if (real_mode(c)) {
        raise_fault(c, EXC_UD);
    }
}

/* ---- TLB and caches ---- */

static void run_invlpg(Cpu *c, const Insn *i)
{
    uint64_t linear = insn_offset(c, i);

    need_cpl0(c);
    linear += i->seg >= SEG_FS || c->code_size != CODE_64 ? c->s.seg[i->seg].base : 0;
    if (c->code_size != CODE_64) {
        linear = (uint32_t)linear;
    } else if (!canonical(c, linear)) {
        return;
    }
    tlb_flush_page(c, linear);
    c->block_break = true;
}

static void run_invpcid(Cpu *c, const Insn *i)
{
    uint64_t type, at, pcid, linear;
    bool pcide = c->s.cr4 & CR4_PCIDE;

    if (v86_mode(c)) {
        raise_error(c, EXC_GP, 0);
    }
    need_cpl0(c);
    type = low_bytes(c->s.gpr[i->operand[0].reg & 15], c->code_size == CODE_64 ? 8 : 4);
    at = insn_linear(c, i, 16, false);
    pcid = mem_read(c, at, 8);
    linear = mem_read(c, at + 8, 8);
    if (type > 3 || pcid >> 12 || (type < 2 && pcid && !pcide) ||
        (type == 0 && !canonical(c, linear))) {
        why(c, "INVPCID of type %x with PCID %x, address %x", type, pcid, linear);
        raise_error(c, EXC_GP, 0);
    }
    switch (type) {
    case 0:
        tlb_flush_pcid_page(c, pcid, linear);
        break;
    case 1:
        tlb_flush_pcid(c, pcid);
        break;
    case 2:
        tlb_flush(c);
        break;
    default:
        tlb_flush_pcids(c);
    }
    c->block_break = true;
}

static void run_cache(Cpu *c, const Insn *i)
{
    need_cpl0(c);
}

/* ---- waiting ---- */

static void run_hlt(Cpu *c, const Insn *i)
{
    need_cpl0(c);
    c->s.activity = CPU_HALTED;
    c->block_break = true;
}

static void run_monitor(Cpu *c, const Insn *i)
{
    if (c->cpl && i->op == OP_MONITOR) {
        raise_fault(c, EXC_UD);
    }
    if ((uint32_t)c->s.gpr[R_CX]) {
        raise_error(c, EXC_GP, 0);
    }
    mem_read(c,
             seg_linear(c, i->seg < SEG_LDTR ? i->seg : SEG_DS,
                        addr_wrap(c->s.gpr[R_AX], i->addrsize), 1, false),
             1);
}

static void run_mwait(Cpu *c, const Insn *i)
{
    if (c->cpl && i->op == OP_MWAIT) {
        raise_fault(c, EXC_UD);
    }
    if ((uint32_t)c->s.gpr[R_CX] & ~(i->op == OP_MWAIT ? 1u : 3u)) {
        raise_error(c, EXC_GP, 0);
    }
    __builtin_ia32_pause();
}

/* ---- time ---- */

static void set_pair(Cpu *c, uint64_t value)
{
    c->s.gpr[R_AX] = (uint32_t)value;
    c->s.gpr[R_DX] = value >> 32;
}

static void run_rdtsc(Cpu *c, const Insn *i)
{
    if (c->s.cr4 & CR4_TSD && c->cpl) {
        raise_error(c, EXC_GP, 0);
    }
    set_pair(c, rt_tsc(c));
    if (i->op == OP_RDTSCP) {
        c->s.gpr[R_CX] = (uint32_t)c->s.tsc_aux;
    }
}

static void run_rdpid(Cpu *c, const Insn *i)
{
    gpr_write(c, i->operand[0].reg, c->code_size == CODE_64 ? 8 : 4, (uint32_t)c->s.tsc_aux);
}

static void run_rdpmc(Cpu *c, const Insn *i)
{
    raise_error(c, EXC_GP, 0); /* at any level: there is no counter */
}

/* ---- identification ---- */

static void run_cpuid(Cpu *c, const Insn *i)
{
    uint32_t out[4] = {0};

    HOST_DO(c, cpuid, (uint32_t)c->s.gpr[R_AX], (uint32_t)c->s.gpr[R_CX], out);
    c->s.gpr[R_AX] = out[0];
    c->s.gpr[R_BX] = out[1];
    c->s.gpr[R_CX] = out[2];
    c->s.gpr[R_DX] = out[3];
}

/* ---- rights ---- */

static void run_access(Cpu *c, const Insn *i)
{
    if (c->cpl) {
        raise_fault(c, EXC_UD);
    }
    c->s.rflags &= ~(uint64_t)FLAG_AC;
    c->s.rflags |= i->op == OP_STAC ? FLAG_AC : 0;
    cpu_level_changed(c);
}

static void pkru_check(Cpu *c, bool write)
{
    if (!(c->s.cr4 & CR4_PKE)) {
        raise_fault(c, EXC_UD);
    }
    if ((uint32_t)c->s.gpr[R_CX] || (write && (uint32_t)c->s.gpr[R_DX])) {
        raise_error(c, EXC_GP, 0);
    }
}

static void run_rdpkru(Cpu *c, const Insn *i)
{
    pkru_check(c, false);
    set_pair(c, c->s.pkru);
}

static void run_wrpkru(Cpu *c, const Insn *i)
{
    pkru_check(c, true);
    pkru_set(c, c->s.gpr[R_AX]);
}

void pkru_set(Cpu *c, uint32_t value)
{
    if (c->s.pkru != value) {
        c->s.pkru = value;
        tlb_rights_changed(c);
        window_update(c);
    }
}

/* ---- I/O permission ---- */

/* I/O breakpoints are traps: noted here, raised behind the instruction. */
static void io_breakpoints(Cpu *c, uint16_t port, unsigned size)
{
    static const uint8_t lengths[] = {1, 2, 8, 4};

    for (unsigned n = 0; n < 4 && c->s.cr4 & CR4_DE; n++) {
        unsigned length = lengths[c->s.dr7 >> (18 + 4 * n) & 3];
        uint64_t first = c->s.dr[n] & ~(uint64_t)(length - 1);
        bool on_io = c->s.dr7 >> 2 * n & 3 && (c->s.dr7 >> (16 + 4 * n) & 3) == 2;

        if (on_io && port < first + length && port + size > first) {
            c->s.dr6_pending |= 1 << n;
            c->block_break = true;
        }
    }
}

/* Does the TSS's bitmap let the program at these ports? */
static bool io_allowed(Cpu *c, uint16_t port, unsigned size)
{
    const X86Segment *tr = &c->s.seg[SEG_TR];
    uint32_t map, bits;

    if (!(tr->attr & 8) || tr->limit < 103) {
        return false;
    }
    map = mem_read_slow(c, tr->base + 102, 2, ACCESS_SYSTEM) + port / 8;
    if (map + 1 > tr->limit) {
        return false;
    }
    bits = mem_read_slow(c, tr->base + map, 2, ACCESS_SYSTEM) >> port % 8;
    return !(bits & ((1u << size) - 1));
}

void io_check(Cpu *c, uint16_t port, unsigned size)
{
    bool free = !(c->s.cr0 & CR0_PE) || (!v86_mode(c) && c->cpl <= iopl(c));

    if (!free && !io_allowed(c, port, size)) {
        why(c, "port %x is not allowed at level %x", port, c->cpl, 0);
        raise_error(c, EXC_GP, 0);
    }
    if (unlikely(c->s.dr7 & 0xff)) {
        io_breakpoints(c, port, size);
    }
}

void jump_near(Cpu *c, uint64_t target, unsigned size)
{
    target = addr_wrap(target, size);
    rip_check(c, &c->s.seg[SEG_CS], target);
    c->next_rip = target;
}

static void run_rsm(Cpu *c, const Insn *i)
{
    if (!c->s.smm) {
        raise_fault(c, EXC_UD);
    }
    smm_leave(c);
}

static InsnRun *bind_other(Cpu *c, Insn *i)
{
    switch (i->op) {
    case OP_INVLPG:
        return run_invlpg;
    case OP_INVPCID:
        return run_invpcid;
    case OP_WBINVD:
    case OP_WBNOINVD:
    case OP_INVD:
        return run_cache;
    case OP_HLT:
        return run_hlt;
    case OP_MONITOR:
    case OP_MONITORX:
        return run_monitor;
    case OP_MWAIT:
    case OP_MWAITX:
        return run_mwait;
    case OP_RDTSC:
    case OP_RDTSCP:
        return run_rdtsc;
    case OP_RDPID:
        return run_rdpid;
    case OP_RDPMC:
        return run_rdpmc;
    case OP_CPUID:
        return run_cpuid;
    case OP_STAC:
    case OP_CLAC:
        return run_access;
    case OP_RDPKRU:
        return run_rdpkru;
    case OP_WRPKRU:
        return run_wrpkru;
    case OP_RSM:
        return run_rsm;
    default:
        return NULL;
    }
}

InsnRun *bind_system(Cpu *c, Insn *i)
{
    static InsnRun *(*const families[])(Cpu *, Insn *) = {
        bind_far,     bind_return, bind_segment, bind_tables,
        bind_control, bind_calls,  bind_msr,     bind_other,
    };

    for (unsigned n = 0; n < sizeof(families) / sizeof(families[0]); n++) {
        InsnRun *run = families[n](c, i);

        if (run) {
            return run;
        }
    }
    return NULL;
}
