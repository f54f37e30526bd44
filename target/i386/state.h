/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest CPU as every engine, snapshot and debugger sees it: all that software could observe
 * (SDM volume 3, "System architecture overview"; volume 1, "Basic execution environment").
 * Plain data, no pointers: target/i386/state.c describes each field by name.
 * The LAPIC is hw/intc/lapic.c's; the clocks are the machine's.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { R_AX, R_CX, R_DX, R_BX, R_SP, R_BP, R_SI, R_DI }; /* and 8 to 15 */
enum { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEG_COUNT };

/* A segment register with its hidden part. attr is bits 8 to 23 of the descriptor's upper half:
 * type 0-3, S 4, DPL 5-6, P 7, (limit 8-11 is 0 here), AVL 12, L 13, D/B 14, G 15. */
typedef struct X86Segment {
    uint16_t selector, attr;
    uint32_t limit; /* in bytes, granularity applied */
    uint64_t base;
} X86Segment;

enum {
    ATTR_TYPE = 0xf,
    ATTR_ACCESSED = 1,
    ATTR_WRITE_READ = 2,   /* data: writable; code: readable       */
    ATTR_DOWN_CONFORM = 4, /* data: expands down; code: conforming */
    ATTR_CODE = 8,
    ATTR_S = 0x10,
    ATTR_DPL_SHIFT = 5,
    ATTR_DPL = 0x60,
    ATTR_P = 0x80,
    ATTR_AVL = 0x1000,
    ATTR_L = 0x2000,
    ATTR_DB = 0x4000,
    ATTR_G = 0x8000,
};

typedef struct X86Table {
    uint64_t base;
    uint16_t limit;
} X86Table;

enum {
    FLAG_CF = 1 << 0,
    FLAG_ONE = 1 << 1, /* always set */
    FLAG_PF = 1 << 2,
    FLAG_AF = 1 << 4,
    FLAG_ZF = 1 << 6,
    FLAG_SF = 1 << 7,
    FLAG_TF = 1 << 8,
    FLAG_IF = 1 << 9,
    FLAG_DF = 1 << 10,
    FLAG_OF = 1 << 11,
    FLAG_IOPL = 3 << 12,
    FLAG_NT = 1 << 14,
    FLAG_RF = 1 << 16,
    FLAG_VM = 1 << 17,
    FLAG_AC = 1 << 18,
    FLAG_VIF = 1 << 19,
    FLAG_VIP = 1 << 20,
    FLAG_ID = 1 << 21,
    FLAGS_ARITH = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF,
};

enum {
    CR0_PE = 1 << 0,
    CR0_MP = 1 << 1,
    CR0_EM = 1 << 2,
    CR0_TS = 1 << 3,
    CR0_ET = 1 << 4,
    CR0_NE = 1 << 5,
    CR0_WP = 1 << 16,
    CR0_AM = 1 << 18,
    CR0_NW = 1 << 29,
    CR0_CD = 1 << 30,
};
#define CR0_PG (1u << 31)

enum {
    CR4_VME = 1 << 0,
    CR4_PVI = 1 << 1,
    CR4_TSD = 1 << 2,
    CR4_DE = 1 << 3,
    CR4_PSE = 1 << 4,
    CR4_PAE = 1 << 5,
    CR4_MCE = 1 << 6,
    CR4_PGE = 1 << 7,
    CR4_PCE = 1 << 8,
    CR4_OSFXSR = 1 << 9,
    CR4_OSXMMEXCPT = 1 << 10,
    CR4_UMIP = 1 << 11,
    CR4_LA57 = 1 << 12,
    CR4_VMXE = 1 << 13,
    CR4_FSGSBASE = 1 << 16,
    CR4_PCIDE = 1 << 17,
    CR4_OSXSAVE = 1 << 18,
    CR4_SMEP = 1 << 20,
    CR4_SMAP = 1 << 21,
    CR4_PKE = 1 << 22,
};

enum { EFER_SCE = 1 << 0, EFER_LME = 1 << 8, EFER_LMA = 1 << 10, EFER_NXE = 1 << 11 };

enum {
    EXC_DE,
    EXC_DB,
    EXC_NMI,
    EXC_BP,
    EXC_OF,
    EXC_BR,
    EXC_UD,
    EXC_NM,
    EXC_DF,
    EXC_CSO,
    EXC_TS,
    EXC_NP,
    EXC_SS,
    EXC_GP,
    EXC_PF,
    EXC_MF = 16,
    EXC_AC,
    EXC_MC,
    EXC_XM,
};

/* SDM volume 3, "Activity state". */
typedef enum { CPU_RUNNING, CPU_HALTED, CPU_WAIT_SIPI, CPU_SHUTDOWN } X86Activity;

/* Registers of the FXSAVE image and the extended components, in a layout of our own. */
typedef struct X86Fpu {
    uint16_t fcw, fsw; /* fsw.TOP is right */
    uint8_t ftw;       /* abridged: 1: register (physical) is in use */
    uint16_t fop;
    uint64_t fip, fdp;
    uint16_t fcs, fds;
    uint32_t mxcsr;
    uint64_t st[8][2]; /* ST(0) to ST(7), 80 bits each */
    uint64_t zmm[32][8];
    uint64_t k[8];
    uint64_t xstate_bv, xinuse; /* components modified since INIT (XSAVE header; XGETBV 1) */
} X86Fpu;

enum { MTRR_VARIABLE = 8, MTRR_FIXED = 11, MCE_BANKS = 10, HV_SINTS = 16, HV_STIMERS = 4 };

typedef struct X86State {
    /* X86_GPR */
    uint64_t gpr[16];
    uint64_t rip;    /* of the instruction that runs next, without CS.base */
    uint64_t rflags; /* whole, always valid between instructions           */

    /* X86_SEGS */
    X86Segment seg[SEG_COUNT];
    X86Table gdtr, idtr;

    /* X86_CONTROL */
    uint64_t cr0, cr2, cr3, cr4, efer, xcr0;
    uint64_t dr[4], dr6, dr7;
    uint32_t pkru;
    uint64_t pdpte[4]; /* PAE paging: loaded with CR3 */

    /* X86_EVENTS */
    uint8_t activity; /* X86Activity */
    bool sti_shadow;  /* the instruction before was STI: no interrupts now        */
    bool ss_shadow;   /* ... MOV SS or POP SS: no interrupts, no debug traps now  */
    bool nmi_blocked, smi_blocked, init_pending, nmi_pending, smi_pending;
    bool smm, a20; /* a20: bit 20 of addresses goes out */
    uint32_t smbase;
    uint64_t dr6_pending; /* debug conditions held back by ss_shadow */
    uint16_t taken;       /* 0x100 | vector of an external interrupt that was acknowledged and comes
                           * before       the next instruction; 0: none */

    /* X86_MSRS */
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t tsc_offset, tsc_adjust, tsc_aux, pat, misc_enable, feature_control;
    uint64_t spec_ctrl, debugctl, smi_count, bios_sign_id, xss;
    uint64_t mtrr_def_type, mtrr_fixed[MTRR_FIXED], mtrr_base[MTRR_VARIABLE],
        mtrr_mask[MTRR_VARIABLE];
    uint64_t mcg_status, mcg_ctl, mce[MCE_BANKS][4];
    uint64_t pv[8]; /* KVM's: 0x4b564d00 to 0x4b564d07 */
    uint64_t hv_os, hv_hypercall, hv_tsc, hv_assist, hv_crash[5]; /* Hyper-V's: pv.c */
    uint64_t hv_scontrol, hv_siefp, hv_simp, hv_sint[HV_SINTS];   /* ... served by kernels only */
    uint64_t hv_stimer[HV_STIMERS][2];                            /* configuration, count       */

    X86Fpu fpu; /* X86_FPU; stale while the engine has it in the host's registers */
} X86State;

/* Sections, for AccelClass.pull and push. */
enum {
    X86_GPR = 1,
    X86_SEGS = 2,
    X86_CONTROL = 4,
    X86_EVENTS = 8,
    X86_MSRS = 16,
    X86_FPU = 32,
    X86_LAPIC = 64,
    X86_ALL = 127,
};

/* Is it one of the paravirtual registers (pv.c)? */
static inline bool x86_pv_msr(uint32_t index)
{
    return index == 0x11 || index == 0x12 || index >> 8 == 0x4b564d || index - 0x40000000 < 0x200;
}

static inline unsigned x86_cpl(const X86State *s)
{
    return s->seg[SEG_SS].attr >> ATTR_DPL_SHIFT & 3; /* SDM volume 3: SS.DPL is the CPL */
}
