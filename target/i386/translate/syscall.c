/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SYSCALL and SYSRET between 64-bit code of level 3 and level 0 (SDM volume 2): routines of the
 * code cache, which end with a look into the jump table of the other view
 * (docs/design/translator.md, "System code"). What they do not answer for is left to the
 * interpreter in front of the instruction: EFER.SCE is clear; EFLAGS.AC stays set (SYSCALL with
 * SMAP); SYSRET to an address that is not canonical, or is so only with 57 bits, to TF or AC, or
 * while an interrupt waits for IF; SYSRET to user code of the window with rSP where it does not
 * count on it, and in the test mode that gives every address space the window. TF, breakpoints and
 * watched data never come here: such modes are not translated.
 */
#include "target/i386/rt/rt.h"
#include "target/i386/translate/unit.h"

enum {
    OR = 1,
    AND = 4,
    SHL = 4,
    SHR = 5,
    SAR = 7,
    /* Bits 16 to 31 and 32 to 63 of a flat segment as these instructions load it. */
    ATTR_CODE64 = 0xa09b,
    ATTR_DATA = 0xc093,
    ATTR_DPL3 = 0x60,
    SYSRET_FLAGS = 0x3c7fd7,
    MODE_OF_LEVEL = MODE_USER | MODE_INNER | MODE_VIEW | MODE_STEP | MODE_WINDOW,
};

static void put_bytes(Emit *e, const uint8_t *bytes, unsigned n)
{
    for (unsigned k = 0; k < n; k++) {
        put8(e, bytes[k]);
    }
}

static void shift(Emit *e, unsigned how, unsigned reg, uint8_t by, bool wide)
{
    put_rex(e, wide, 0, 0, reg, false);
    put8(e, 0xc1);
    put_modrm_reg(e, how, reg);
    put8(e, by);
}

static void test_gs_imm(Emit *e, uint32_t at, uint32_t bits)
{
    gs_op(e, 0xf7, false, 0, at);
    put32(e, bits);
}

/* ---- flags and rax ---- */

/* rax to rbp; the six flags to ah and al. */
static void save_flags(Emit *e)
{
    static const uint8_t lahf_seto[] = {0x9f, 0x0f, 0x90, 0xc0};

    mov_rr(e, SCRATCH_A, H_AX);
    put_bytes(e, lahf_seto, sizeof lahf_seto);
}

/* From what save_flags() left in eax; rax is the guest's again, too. */
static void undo_flags(Emit *e)
{
    static const uint8_t add_sahf[] = {0x04, 0x7f, 0x9e}; /* add al, 0x7f: OF; sahf */

    put_bytes(e, add_sahf, sizeof add_sahf);
    mov_rr(e, H_AX, SCRATCH_A);
}

/* All of EFLAGS, without RF, to ecx. */
static void whole_flags(Emit *e)
{
    static const uint8_t join[] = {
        0x0f, 0xb6, 0xcc, /* movzx ecx, ah */
        0x0f, 0xb6, 0xc0, /* movzx eax, al */
        0xc1, 0xe0, 11,   /* shl eax, 11   */
        0x09, 0xc1,       /* or ecx, eax   */
    };

    put_bytes(e, join, sizeof join);
    load_gs32(e, H_AX, CPU_AT(s.rflags));
    alu_imm(e, AND, H_AX, ~(int32_t)(FLAGS_ARITH | FLAG_RF), false);
    alu_rr(e, 0x09, H_CX, H_AX, false);
}

/* From EFLAGS in eax; rax is the guest's again. Uses rcx. */
static void load_flags(Emit *e)
{
    static const uint8_t split[] = {
        0x0f, 0xb6, 0xc8, /* movzx ecx, al */
        0xc1, 0xe1, 8,    /* shl ecx, 8    */
        0xc1, 0xe8, 11,   /* shr eax, 11   */
        0x83, 0xe0, 1,    /* and eax, 1    */
        0x09, 0xc8,       /* or eax, ecx   */
    };

    put_bytes(e, split, sizeof split);
    undo_flags(e);
}

/* ---- what both do ---- */

/* ecx: a selector, of which 16 bits count: the segment's first word. Uses r11. */
static void load_segment(Emit *e, unsigned seg, uint16_t attr)
{
    uint32_t at = CPU_AT(s.seg) + seg * sizeof(X86Segment);

    movzx16(e, SCRATCH_C, SCRATCH_C);
    mov_imm(e, SCRATCH_B, (uint64_t)attr << 16 | 0xffffffffull << 32);
    alu_rr(e, 0x09, SCRATCH_B, SCRATCH_C, true);
    store_gs(e, at, SCRATCH_B);
    store_gs_imm(e, at + offsetof(X86Segment, base), 0, true);
}

/* Level, view, mode and what follows; the mode to ecx. */
static void enter_level(Emit *e, uint8_t cpl, View view)
{
    store_gs8_imm(e, CPU_AT(cpl), cpl);
    store_gs8_imm(e, CPU_AT(view), view);
    load_gs(e, SCRATCH_C, CPU_AT(self));
    lea_base(e, SCRATCH_C, SCRATCH_C, CPU_AT(tlb_view) + view * sizeof(TlbTable), true);
    store_gs(e, CPU_AT(tlb), SCRATCH_C);
    load_gs32(e, SCRATCH_C, CPU_AT(mode));
    alu_imm(e, AND, SCRATCH_C, ~(int32_t)MODE_OF_LEVEL, false);
    alu_imm(e, OR, SCRATCH_C, (cpl ? MODE_USER : 0) | view << MODE_VIEW_SHIFT, false);
    if (cpl) {
        gs_op(e, 0x0b, false, SCRATCH_C, CPU_AT(window.mode));
    }
    store_gs32(e, CPU_AT(mode), SCRATCH_C);
}

/* Where the guest goes on. */
typedef struct Target {
    uint32_t field; /* of Cpu; 0: it is in r10 */
} Target;

static void load_target(Emit *e, Target to, unsigned reg)
{
    if (to.field) {
        load_gs(e, reg, to.field);
    } else {
        mov_rr(e, reg, GUEST_CX);
    }
}

/* eax: EFLAGS, ecx: the mode. */
static void go_to(Emit *e, const CodeCache *cache, View view, Target to)
{
    uint32_t table = CPU_AT(jumps) + view * sizeof(JumpTable);
    Hole unknown[3];

    gs_op(e, 0x3b, false, SCRATCH_C, table + offsetof(JumpTable, mode));
    unknown[0] = jcc32(e, CC_NE);
    load_target(e, to, SCRATCH_C);
    pext_gs(e, SCRATCH_B, SCRATCH_C, CPU_AT(jump_mask));
    put8(e, 0x65); /* add rcx, gs:[r11 * 8 + word] */
    put_rex(e, true, SCRATCH_C, SCRATCH_B, 0, false);
    put8(e, 0x03);
    put_modrm_index(e, SCRATCH_C, 0xff, SCRATCH_B, 3, table + offsetof(JumpTable, word));
    unknown[1] = jcc32(e, CC_NE);
    cmp_gs8_imm(e, CPU_AT(go), 0);
    unknown[2] = jcc32(e, CC_E);
    load_flags(e);
    load_target(e, to, SCRATCH_A);
    jmp_gs_index(e, SCRATCH_B, table + offsetof(JumpTable, word[1]));
    for (unsigned n = 0; n < 3; n++) {
        fill32(e, unknown[n], e->at);
    }
    load_target(e, to, SCRATCH_C);
    store_gs(e, CPU_AT(next_rip), SCRATCH_C);
    load_flags(e);
    jmp_to(e, cache->write + (cache->go_next - cache->run));
}

/* The interpreter's: nothing has changed but eax, whose flags are as saved, and rcx. r11: the page
 * offset of the instruction in its lower 16 bits. */
static void leave_to_interpreter(Emit *e, const CodeCache *cache, const Hole *odd, unsigned count)
{
    for (unsigned n = 0; n < count; n++) {
        fill32(e, odd[n], e->at);
    }
    undo_flags(e);
    movzx16(e, SCRATCH_C, SCRATCH_B);
    jmp_to(e, cache->write + (cache->leave_one - cache->run));
}

/* ---- the two ---- */

/* r11: page offsets of the instruction and, 16 bits up, of the one behind it. */
static void make_syscall(Emit *e, const CodeCache *cache, View view)
{
    Hole odd[2];
    unsigned odds = 0;

    save_flags(e);
    test_gs_imm(e, CPU_AT(s.efer), EFER_SCE);
    odd[odds++] = jcc32(e, CC_E);
    if (view == VIEW_KERNEL_SMAP) {
        load_gs32(e, SCRATCH_C, CPU_AT(s.sfmask));
        put8(e, 0xf7); /* not ecx */
        put_modrm_reg(e, 2, SCRATCH_C);
        gs_op(e, 0x23, false, SCRATCH_C, CPU_AT(s.rflags));
        put8(e, 0xf7); /* test ecx, AC */
        put_modrm_reg(e, 0, SCRATCH_C);
        put32(e, FLAG_AC);
        odd[odds++] = jcc32(e, CC_NE);
    }
    mov_rr32(e, GUEST_CX, SCRATCH_B);
    shift(e, SHR, GUEST_CX, 16, false);
    gs_op(e, 0x03, true, GUEST_CX, CPU_AT(page_rip));
    whole_flags(e);
    store_gs(e, CPU_AT(s.gpr[11]), SCRATCH_C);
    load_gs32(e, H_AX, CPU_AT(s.sfmask));
    put8(e, 0xf7); /* not eax */
    put_modrm_reg(e, 2, H_AX);
    alu_rr(e, 0x21, H_AX, SCRATCH_C, false);
    alu_imm(e, OR, H_AX, FLAG_ONE, false);
    store_gs(e, CPU_AT(s.rflags), H_AX);
    load_gs(e, SCRATCH_C, CPU_AT(s.star));
    shift(e, SHR, SCRATCH_C, 32, true);
    alu_imm(e, AND, SCRATCH_C, 0xfffc, false);
    load_segment(e, SEG_CS, ATTR_CODE64);
    alu_imm(e, 0, SCRATCH_C, 8, false);
    load_segment(e, SEG_SS, ATTR_DATA);
    enter_level(e, 0, view);
    go_to(e, cache, view, (Target){CPU_AT(s.lstar)});
    leave_to_interpreter(e, cache, odd, odds);
}

/* User code of the window finds rSP in its chunk. Overwrites flags. */
static Hole astray(Emit *e)
{
    Hole none, odd;

    load_gs32(e, SCRATCH_C, CPU_AT(window.mode));
    none = jrcxz8(e);
    rorx(e, SCRATCH_C, GUEST_SP, WINDOW_CHUNK_SHIFT, true);
    cmp16_gs(e, SCRATCH_C, CPU_AT(window.tag[WINDOW_STACK]));
    odd = jcc32(e, CC_NE);
    fill8(e, none);
    return odd;
}

/* r11: page offset of the instruction. */
static void make_sysret(Emit *e, const CodeCache *cache)
{
    Hole odd[6];

    save_flags(e);
    cmp_gs8_imm(e, CPU_AT(window.always), 0);
    odd[4] = jcc32(e, CC_NE);
    test_gs_imm(e, CPU_AT(s.efer), EFER_SCE);
    odd[0] = jcc32(e, CC_E);
    test_gs_imm(e, CPU_AT(s.gpr[11]), FLAG_TF | FLAG_AC);
    odd[1] = jcc32(e, CC_NE);
    cmp_gs8_imm(e, CPU_AT(want_window), 0);
    odd[2] = jcc32(e, CC_NE);
    mov_rr(e, SCRATCH_C, GUEST_CX);
    shift(e, SHL, SCRATCH_C, 16, true);
    shift(e, SAR, SCRATCH_C, 16, true);
    alu_rr(e, 0x39, SCRATCH_C, GUEST_CX, true);
    odd[3] = jcc32(e, CC_NE);
    odd[5] = astray(e);
    load_gs32(e, H_AX, CPU_AT(s.gpr[11]));
    alu_imm(e, AND, H_AX, SYSRET_FLAGS, false);
    alu_imm(e, OR, H_AX, FLAG_ONE, false);
    store_gs(e, CPU_AT(s.rflags), H_AX);
    load_gs(e, SCRATCH_C, CPU_AT(s.star));
    shift(e, SHR, SCRATCH_C, 48, true);
    alu_imm(e, AND, SCRATCH_C, 0xfffc, false);
    alu_imm(e, 0, SCRATCH_C, 8 | 3, false);
    load_segment(e, SEG_SS, ATTR_DATA | ATTR_DPL3);
    alu_imm(e, 0, SCRATCH_C, 8, false);
    load_segment(e, SEG_CS, ATTR_CODE64 | ATTR_DPL3);
    enter_level(e, 3, VIEW_USER);
    go_to(e, cache, VIEW_USER, (Target){0});
    leave_to_interpreter(e, cache, odd, 6);
}

static const uint8_t *run_view(const CodeCache *cache, const Emit *e)
{
    return cache->run + (e->at - cache->write);
}

void syscall_routines(Emit *e, CodeCache *cache)
{
    align(e, 16);
    cache->syscall[0] = run_view(cache, e);
    make_syscall(e, cache, VIEW_KERNEL);
    align(e, 16);
    cache->syscall[1] = run_view(cache, e);
    make_syscall(e, cache, VIEW_KERNEL_SMAP);
    align(e, 16);
    cache->sysret = run_view(cache, e);
    make_sysret(e, cache);
}

/* ---- in a unit ---- */

/* Only what is 64-bit code and goes back to 64-bit code, between levels 3 and 0. */
bool emit_syscall(Unit *u, bool *ends)
{
    const Insn *i = unit_now(u)->i;

    if (!u->code64 || u->mode & (MODE_INNER | MODE_STEP)) {
        return false;
    }
    flags_settle(u, true);
    x87_settle(u);
    if (i->op == OP_SYSCALL && u->mode & MODE_USER) {
        mov_imm(&u->e, SCRATCH_B, unit_now(u)->at | unit_next(u) << 16);
        emit_jmp_routine(u, u->cache->syscall[u->mode & MODE_SMAP ? 1 : 0]);
    } else if (i->op == OP_SYSRET && i->opsize == 8 && !(u->mode & MODE_USER)) {
        mov_imm(&u->e, SCRATCH_B, unit_now(u)->at);
        emit_jmp_routine(u, u->cache->sysret);
    } else {
        return false;
    }
    *ends = true;
    return true;
}
