/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stub cache and what surrounds a stub: finding it by its bytes, making it, calling it, and
 * what a trap of the host inside it means (SDM volume 2, "Instruction format", "VEX prefix";
 * volume 1, "x87 FPU exception handling in software": native and MS-DOS compatibility mode).
 * The cache is a bump allocator; when it is full it is emptied, and instructions bound before find
 * their stubs anew because the generation has changed.
 */
#include "target/i386/rt/stub.h"

#include "target/i386/rt/host.h"
#include "target/i386/rt/walk.h"

static uint32_t hash(const StubCode *code, bool flags)
{
    uint32_t h = 2166136261u ^ flags;

    for (unsigned n = 0; n < code->len; n++) {
        h = (h ^ code->bytes[n]) * 16777619u;
    }
    return h ^ h >> 15;
}

static void cache_empty(FpuHost *f)
{
    __builtin_memset(f->slot, 0, sizeof f->slot);
    f->code_used = 16; /* place 0 means: none */
    f->stubs = 0;
    f->generation = (f->generation + 1) & 0xffffff;
}

/* New code was written through the other mapping: SDM volume 3, "Handling self- and
 * cross-modifying code", wants a serializing instruction. */
static void serialize(void)
{
    uint32_t a = 0, b, c = 0, d;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d) : : "memory");
}

static void stub_write(FpuHost *f, Stub *s)
{
    static const uint8_t push_flags[] = {0x9c, 0x5e}; /* pushfq; pop rsi */
    uint8_t *to = f->code_write + f->code_used;
    unsigned len = s->len & 31;

    s->at = f->code_used;
    __builtin_memcpy(to, s->key, len);
    if (s->len & 32) {
        __builtin_memcpy(to + len, push_flags, 2);
        len += 2;
    }
    to[len++] = 0xc3;
    f->code_used += (len + 15) & ~15u;
    f->stubs++;
    serialize();
}

uint32_t stub_find(Cpu *c, const StubCode *code, bool flags)
{
    FpuHost *f = c->fpu;
    uint8_t len = code->len | (flags ? 32 : 0);
    Stub *s;

    if (unlikely(!f->code_used || f->stubs > STUB_SLOTS * 3 / 4 ||
                 f->code_used > STUB_CACHE - 64)) {
        cache_empty(f);
    }
    for (uint32_t h = hash(code, flags);; h++) {
        s = &f->slot[h % STUB_SLOTS];
        if (!s->at) {
            break;
        }
        if (s->len == len && !__builtin_memcmp(s->key, code->bytes, code->len)) {
            return s->at;
        }
    }
    s->len = len;
    __builtin_memcpy(s->key, code->bytes, code->len);
    stub_write(f, s);
    return s->at;
}

void stub_bind(Cpu *c, Insn *i, uint64_t flags)
{
    StubCode code;
    uint64_t at;

    stub_encode(i, c->code_size == CODE_64, &code);
    at = stub_find(c, &code, flags & STUB_FLAGS);
    i->aux = at | (uint64_t)c->fpu->generation << 24 | flags << AUX_SHIFT;
}

/* ---- traps ---- */

/* CR0.NE clear: the CPU says FERR# and stops until an interrupt, which is IRQ 13, comes. */
static _Noreturn void ferr(Cpu *c)
{
    if (c->host->ferr) {
        HOST_DO(c, ferr);
    }
    unwind(c);
}

_Noreturn void stub_trap(Cpu *c, uint32_t trap)
{
    switch (trap - 1) {
    case EXC_DE:
        raise_fault(c, EXC_DE);
    case EXC_MF:
        if (c->s.cr0 & CR0_NE) {
            raise_fault(c, EXC_MF);
        }
        ferr(c);
    case EXC_XM:
        raise_fault(c, c->s.cr4 & CR4_OSXMMEXCPT ? EXC_XM : EXC_UD);
    default:
        raise_fault(c, EXC_UD);
    }
}

void x87_wait(Cpu *c)
{
    if (unlikely(fpu_status(c) & FSW_ES)) {
        stub_trap(c, EXC_MF + 1);
    }
}

void x87_remember(Cpu *c, const Insn *i, bool memory, uint64_t offset)
{
    X86Fpu *f = &c->s.fpu;

    f->fip = c->s.rip;
    f->fcs = c->s.seg[SEG_CS].selector;
    f->fop = (i->opcode & 7) << 8 | i->modrm;
    if (memory) {
        f->fdp = offset;
        f->fds = c->s.seg[i->seg].selector;
    }
}

/* A number of 10 bytes wants the alignment of 8, one of 32 that of 16. */
void alignment_check_slow(Cpu *c, uint64_t linear, unsigned size)
{
    bool armed = c->s.cr0 & CR0_AM && c->s.rflags & FLAG_AC && c->cpl == 3;
    unsigned grain = size == 10 ? 8 : size > 16 ? 16 : size;

    if (armed && linear & (grain - 1) && (c->code_size != CODE_64 || canonical(c, linear))) {
        raise_error(c, EXC_AC, 0);
    }
}

/* ---- registers to memory of ours ---- */

static void vector_move(Cpu *c, unsigned reg, unsigned bytes, void *memory, uint8_t opcode,
                        bool vex)
{
    /* MOVUPS [rdi], xmm: its VEX form clears what it does not load. */
    StubCode code = {.len = 0};
    StubRegs r = {0};
    bool wide = vex || bytes > 16;

    if (bytes > 32) {
        code.len = 4;
        code.bytes[0] = 0x62;
        code.bytes[1] = (reg & 8 ? 0 : 0x80) | 0x60 | (reg & 16 ? 0 : 0x10) | 1;
        code.bytes[2] = 0x7c;
        code.bytes[3] = 0x48;
    } else if (wide) {
        code.bytes[code.len++] = 0xc5;
        code.bytes[code.len++] = (reg < 8 ? 0x80 : 0) | 0x78 | (bytes > 16 ? 4 : 0);
    } else {
        if (reg >= 8) {
            code.bytes[code.len++] = 0x44;
        }
        code.bytes[code.len++] = 0x0f;
    }
    code.bytes[code.len++] = opcode;
    code.bytes[code.len++] = (reg & 7) << 3 | 7;
    stub_call(c, stub_find(c, &code, false), memory, &r);
}

void vector_get(Cpu *c, unsigned reg, unsigned bytes, void *to)
{
    uint8_t *scratch = c->fpu->scratch + STUB_SCRATCH - 64;

    vector_move(c, reg, bytes, scratch, 0x11, bytes > 16);
    __builtin_memcpy(to, scratch, bytes);
}

void vector_set(Cpu *c, unsigned reg, unsigned bytes, const void *from, bool vex)
{
    uint8_t *scratch = c->fpu->scratch + STUB_SCRATCH - 64;

    __builtin_memcpy(scratch, from, bytes);
    vector_move(c, reg, bytes, scratch, 0x10, vex);
}

/* KMOVQ, or KMOVW: k to [rdi] (91) or back (90). */
static void mask_move(Cpu *c, unsigned reg, uint8_t opcode)
{
    bool wide = cpu_has(c, FEATURE_AVX512BW);
    StubCode code = {.len = 5, .bytes = {0xc4, 0xe1, wide ? 0xf8 : 0x78, opcode, reg << 3 | 7}};
    StubRegs r = {0};

    stub_call(c, stub_find(c, &code, false), c->fpu->scratch + STUB_SCRATCH - 64, &r);
}

uint64_t mask_get(Cpu *c, unsigned reg)
{
    uint64_t *scratch = (uint64_t *)(c->fpu->scratch + STUB_SCRATCH - 64);

    *scratch = 0;
    mask_move(c, reg, 0x91);
    return *scratch;
}

void mask_set(Cpu *c, unsigned reg, uint64_t value)
{
    *(uint64_t *)(c->fpu->scratch + STUB_SCRATCH - 64) = value;
    mask_move(c, reg, 0x90);
}
