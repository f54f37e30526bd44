/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shared routines of the code cache: in, out, and what translated code calls. They stand at the
 * cache's beginning and stay when the rest is thrown away.
 * On the way the host's stack is aligned to 16 in translated code, so that routines that it calls
 * stand like C functions.
 */
#include "target/i386/rt/fpu.h"
#include "target/i386/translate/unit.h"

/* Registers of the guest that are in the host's: all but r8 to r11. */
static const uint8_t held[][2] = {
    {R_AX, H_AX},     {R_DX, H_DX},     {R_BX, H_BX}, {R_SI, H_SI}, {R_DI, H_DI}, {R_SP, GUEST_SP},
    {R_BP, GUEST_BP}, {R_CX, GUEST_CX}, {12, H_R12},  {13, H_R13},  {14, H_R14},  {15, H_R15},
};
enum {
    HELD = sizeof held / sizeof held[0],
    LAHF = 0x9f,
    SAHF = 0x9e,
    RET = 0xc3,
    PUSH = 0x50,
    POP = 0x58
};

typedef struct Routines {
    Emit e;
    CodeCache *cache;
    uint8_t *spill, *reload, *leave, *next;
} Routines;

static const uint8_t *run_view(const CodeCache *cache, const uint8_t *write)
{
    return cache->run + (write - cache->write);
}

static void put_bytes(Emit *e, const uint8_t *bytes, unsigned n)
{
    for (unsigned k = 0; k < n; k++) {
        put8(e, bytes[k]);
    }
}

static void stack_by(Emit *e, int8_t by)
{
    lea_base(e, H_SP, H_SP, by, true);
}

static void call_c(Emit *e, const void *function)
{
    mov_imm(e, H_AX, (uintptr_t)function);
    put8(e, 0xff);
    put_modrm_reg(e, 2, H_AX);
}

/* ---- registers and flags ---- */

/* Keeps rcx, rbp, r11. The six flags go into their places in rflags. */
static void make_spill(Routines *r)
{
    static const uint8_t flags[] = {
        LAHF, 0x0f, 0x90, 0xc0, /* seto al      */
        0x0f, 0xb6, 0xd4,       /* movzx edx, ah */
        0x0f, 0xb6, 0xc0,       /* movzx eax, al */
        0xc1, 0xe0, 11,         /* shl eax, 11  */
        0x09, 0xc2,             /* or edx, eax  */
    };
    Emit *e = &r->e;

    r->spill = e->at;
    for (unsigned n = 0; n < HELD; n++) {
        store_gs(e, CPU_AT(s.gpr) + 8 * held[n][0], held[n][1]);
    }
    put_bytes(e, flags, sizeof flags);
    load_gs32(e, H_AX, CPU_AT(s.rflags));
    alu_imm(e, 4, H_AX, ~(int32_t)FLAGS_ARITH, false);
    alu_rr(e, 0x09, H_AX, H_DX, false);
    store_gs32(e, CPU_AT(s.rflags), H_AX);
    put8(e, RET);
}

/* Keeps rbp, r11. */
static void make_reload(Routines *r)
{
    static const uint8_t flags[] = {
        0x0f, 0xb6, 0xc8, /* movzx ecx, al  */
        0xc1, 0xe1, 8,    /* shl ecx, 8     */
        0xc1, 0xe8, 11,   /* shr eax, 11    */
        0x83, 0xe0, 1,    /* and eax, 1     */
        0x09, 0xc8,       /* or eax, ecx    */
        0x04, 0x7f,       /* add al, 0x7f: OF */
        SAHF,
    };
    Emit *e = &r->e;

    r->reload = e->at;
    load_gs32(e, H_AX, CPU_AT(s.rflags));
    put_bytes(e, flags, sizeof flags);
    for (unsigned n = 0; n < HELD; n++) {
        load_gs(e, held[n][1], CPU_AT(s.gpr) + 8 * held[n][0]);
    }
    put8(e, RET);
}

/* ---- in and out ---- */

static void push_reg(Emit *e, unsigned reg)
{
    put_rex(e, false, 0, 0, reg, false);
    put8(e, PUSH | (reg & 7));
}

static void pop_reg(Emit *e, unsigned reg)
{
    put_rex(e, false, 0, 0, reg, false);
    put8(e, POP | (reg & 7));
}

static const uint8_t preserved[] = {H_BX, H_BP, H_R12, H_R13, H_R14, H_R15};

/* uint32_t enter(Cpu *c, const void *code); gs is the Cpu already */
static void make_enter(Routines *r)
{
    Emit *e = &r->e;

    r->cache->enter = (void *)run_view(r->cache, e->at);
    for (unsigned n = 0; n < sizeof preserved; n++) {
        push_reg(e, preserved[n]);
    }
    stack_by(e, -8);
    mov_rr(e, SCRATCH_B, H_SI);
    call_to(e, r->reload);
    jmp_reg(e, SCRATCH_B);

    r->leave = e->at; /* all spilled, eax: why */
    stack_by(e, 8);
    for (unsigned n = sizeof preserved; n-- > 0;) {
        pop_reg(e, preserved[n]);
    }
    put8(e, RET);
}

/* rcx: page offset to s.rip or next_rip */
static void store_rip(Emit *e, uint32_t where)
{
    put8(e, 0x65);
    put_rex(e, true, H_CX, 0, 0, false);
    put8(e, 0x03); /* add rcx, gs:page_rip */
    put_modrm_gs(e, H_CX, CPU_AT(page_rip));
    store_gs(e, where, H_CX);
}

static const uint8_t *make_leave(Routines *r, TransExit why, bool site)
{
    Emit *e = &r->e;
    const uint8_t *at = run_view(r->cache, e->at);

    call_to(e, r->spill);
    store_rip(e, CPU_AT(s.rip));
    if (site) {
        store_gs32(e, CPU_AT(exit_site), SCRATCH_B);
    }
    mov_imm(e, H_AX, why);
    jmp_to(e, r->leave);
    return at;
}

/* ---- what translated code calls ---- */

/* Out of a routine: its return address goes. */
static void leave_from_call(Routines *r, TransExit why)
{
    stack_by(&r->e, 8);
    mov_imm(&r->e, H_AX, why);
    jmp_to(&r->e, r->leave);
}

/* Tail of routines behind which the guest goes on elsewhere, at next_rip and perhaps in another
 * mode: all is spilled, and the return address goes. */
static void make_next(Routines *r)
{
    Emit *e = &r->e;
    Hole unknown;

    r->next = e->at;
    stack_by(e, 8);
    load_gs(e, H_DI, CPU_AT(self));
    call_c(e, (const void *)trans_next);
    alu_rr(e, 0x85, H_AX, H_AX, true);
    unknown = jcc32(e, CC_E);
    mov_rr(e, SCRATCH_B, H_AX);
    load_gs(e, SCRATCH_A, CPU_AT(s.rip));
    call_to(e, r->reload);
    jmp_reg(e, SCRATCH_B);
    fill32(e, unknown, e->at);
    mov_imm(e, H_AX, TRANS_JUMP);
    jmp_to(e, r->leave);
}

/* rbp: linear address, r11: page offset of the instruction, size << 16, FILL_ bits. */
static void make_fill(Routines *r)
{
    Emit *e = &r->e;

    r->cache->fill = run_view(r->cache, e->at);
    call_to(e, r->spill);
    movzx16(e, SCRATCH_C, SCRATCH_B);
    store_rip(e, CPU_AT(s.rip));
    load_gs(e, H_DI, CPU_AT(self));
    mov_rr(e, H_SI, SCRATCH_A);
    mov_rr32(e, H_DX, SCRATCH_B);
    stack_by(e, -8);
    call_c(e, (const void *)trans_fill);
    stack_by(e, 8);
    alu_imm(e, 7, H_AX, FILL_DONE, false);
    jcc_to(e, CC_E, r->reload);
    jcc_to(e, CC_A, r->next);
    leave_from_call(r, TRANS_ONE);
}

/* rbp: rip, rcx: page offset to go on at by the loop. Comes back where the jump table knows rbp. */
static const uint8_t *make_resolve(Routines *r, TransExit why)
{
    Emit *e = &r->e;
    const uint8_t *at = run_view(r->cache, e->at);

    call_to(e, r->spill);
    mov_rr(e, H_BX, SCRATCH_C);
    load_gs(e, H_DI, CPU_AT(self));
    mov_rr(e, H_SI, SCRATCH_A);
    stack_by(e, -8);
    call_c(e, (const void *)trans_resolve);
    stack_by(e, 8);
    put_bytes(e, (const uint8_t[]){0x84, 0xc0}, 2); /* test al, al */
    jcc_to(e, CC_NE, r->reload);
    mov_rr(e, SCRATCH_C, H_BX);
    store_rip(e, CPU_AT(s.rip));
    leave_from_call(r, why);
    return at;
}

/* r11: the instruction, rcx: page offset behind it. It is copied, for while its function is outside
 * the cache may be emptied; then there is nothing to come back to. */
static const uint8_t *make_call(Routines *r, bool last)
{
    Emit *e = &r->e;
    const uint8_t *at = run_view(r->cache, e->at);

    call_to(e, r->spill);
    store_rip(e, CPU_AT(next_rip));
    load_base(e, H_AX, SCRATCH_B, offsetof(Insn, len), 1);
    alu_rr(e, 0x29, H_CX, H_AX, true);
    store_gs(e, CPU_AT(s.rip), H_CX);
    for (unsigned n = 0; n < sizeof(Insn); n += 8) {
        load_base(e, H_AX, SCRATCH_B, n, 8);
        store_gs(e, CPU_AT(call_insn) + n, H_AX);
    }
    load_gs(e, H_DI, CPU_AT(self));
    lea_base(e, H_SI, H_DI, CPU_AT(call_insn), true);
    store_gs(e, CPU_AT(insn), H_SI);
    stack_by(e, -8);
    gs_op(e, 0xff, false, 2, CPU_AT(call_insn) + offsetof(Insn, run));
    stack_by(e, 8);
    store_gs_imm(e, CPU_AT(insn), 0, true);
    if (last) {
        jmp_to(e, r->next);
        return at;
    }
    load_gs(e, H_AX, CPU_AT(code));
    load_base(e, H_AX, H_AX, offsetof(CodeCache, generation), 8);
    gs_op(e, 0x3b, true, H_AX, CPU_AT(code_generation));
    jcc_to(e, CC_NE, r->next);
    cmp_gs8_imm(e, CPU_AT(block_break), 0);
    jcc_to(e, CC_NE, r->next);
    jmp_to(e, r->reload);
    return at;
}

/* From translated code itself, which has set next_rip. */
static void make_go_next(Routines *r)
{
    r->cache->go_next = run_view(r->cache, r->e.at);
    stack_by(&r->e, -8);
    call_to(&r->e, r->spill);
    jmp_to(&r->e, r->next);
}

static void make_fpu(Routines *r)
{
    Emit *e = &r->e;

    r->cache->fpu = run_view(r->cache, e->at);
    call_to(e, r->spill);
    load_gs(e, H_DI, CPU_AT(self));
    stack_by(e, -8);
    call_c(e, (const void *)fpu_enter);
    stack_by(e, 8);
    jmp_to(e, r->reload);
}

uint32_t trans_routines(CodeCache *cache)
{
    Routines r = {.e = {cache->write, cache->write + cache->size, false}, .cache = cache};

    make_spill(&r);
    make_reload(&r);
    make_enter(&r);
    cache->leave_rip = make_leave(&r, TRANS_LOOKUP, false);
    cache->leave_link = make_leave(&r, TRANS_LINK, true);
    cache->leave_one = make_leave(&r, TRANS_ONE, false);
    cache->leave_indirect = make_leave(&r, TRANS_INDIRECT, false);
    cache->leave_jump = make_leave(&r, TRANS_JUMP, false);
    make_next(&r);
    make_fill(&r);
    cache->resolve_indirect = make_resolve(&r, TRANS_INDIRECT);
    cache->resolve_jump = make_resolve(&r, TRANS_JUMP);
    cache->call = make_call(&r, false);
    cache->call_last = make_call(&r, true);
    make_fpu(&r);
    make_go_next(&r);
    syscall_routines(&r.e, cache);
    return r.e.at - cache->write;
}

/* ---- to a routine from translated code: both views are as far apart ---- */

static int32_t distance(const Unit *u, const uint8_t *routine)
{
    return (routine - u->cache->run) - (u->e.at + 4 - u->cache->write);
}

void emit_call_routine(Unit *u, const uint8_t *routine)
{
    put8(&u->e, 0xe8);
    put32(&u->e, distance(u, routine));
}

void emit_jmp_routine(Unit *u, const uint8_t *routine)
{
    put8(&u->e, 0xe9);
    put32(&u->e, distance(u, routine));
}
