/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Model-specific registers: those that Linux, the BSDs and Windows touch (SDM volume 4; APM
 * volume 2 for AMD's). One table: where each is kept, which bits it has, which feature it needs.
 * The APIC's (1B, 6E0, 800 to 8FF) are the local APIC's.
 * Not modelled: performance monitoring, RAPL, thermal and power control: they read 0 where
 * operating systems take them for granted, and raise #GP otherwise. MTRRs and PAT are storage.
 */
#include "target/i386/rt/host.h"
#include "target/i386/rt/sys.h"
#include "target/i386/rt/walk.h"

typedef enum {
    KIND_STATE,     /* a field of X86State: bits outside mask raise #GP         */
    KIND_CANONICAL, /* ... an address                                           */
    KIND_PAT,       /* ... memory types                                         */
    KIND_DROP,      /* ... bits outside mask are ignored                        */
    KIND_CONSTANT,  /* reads as mask; writes raise #GP                          */
    KIND_IGNORE,    /* reads as mask; writes are dropped                        */
    KIND_EFER,
    KIND_TSC,
    KIND_TSC_ADJUST,
    KIND_FEATURE_CONTROL,
    KIND_BIOS_SIGN,
    KIND_COMMAND, /* write-only */
    KIND_ARCH_CAPABILITIES,
} MsrKind;

typedef struct MsrRow {
    uint32_t index;
    uint16_t kind, feature, offset;
    uint64_t mask;
} MsrRow;

#define AT(field) offsetof(X86State, field)
#define SEG_BASE(n) \
    (offsetof(X86State, seg) + (n) * sizeof(X86Segment) + offsetof(X86Segment, base))

/* clang-format off */
static const MsrRow rows[] = { 
    {0x00000000, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* P5_MC_ADDR           */
    {0x00000001, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* P5_MC_TYPE           */
    {0x00000010, KIND_TSC,       FEATURE_TSC,     0, 0},
    {0x00000017, KIND_CONSTANT,  FEATURE_ALWAYS,  0, 0},                     /* PLATFORM_ID          */
    {0x0000002a, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* EBL_CR_POWERON       */
    {0x00000033, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* TEST_CTRL            */
    {0x00000034, KIND_STATE,     FEATURE_ALWAYS,  AT(smi_count), 0},
    {0x0000003a, KIND_FEATURE_CONTROL, FEATURE_ALWAYS, AT(feature_control), 0},
    {0x0000003b, KIND_TSC_ADJUST, FEATURE_TSC_ADJUST, AT(tsc_adjust), ~0ull},
    {0x00000048, KIND_STATE,     FEATURE_SPEC_CTRL, AT(spec_ctrl), 0x7},
    {0x00000049, KIND_COMMAND,   FEATURE_SPEC_CTRL, 0, 1},                   /* PRED_CMD             */
    {0x00000079, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* BIOS_UPDT_TRIG       */
    {0x0000008b, KIND_BIOS_SIGN, FEATURE_ALWAYS,  AT(bios_sign_id), ~0ull},
    {0x000000ce, KIND_CONSTANT,  FEATURE_ALWAYS,  0, 0},                     /* PLATFORM_INFO        */
    {0x000000cd, KIND_IGNORE,    FEATURE_ALWAYS,  0, 3},                     /* FSB_FREQ             */
    {0x000000e2, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* PKG_CST_CONFIG       */
    {0x000000e7, KIND_TSC,       FEATURE_TSC,     0, 0},                     /* MPERF                */
    {0x000000e8, KIND_TSC,       FEATURE_TSC,     0, 0},                     /* APERF                */
    {0x000000fe, KIND_CONSTANT,  FEATURE_MTRR,    0, 0x500 | MTRR_VARIABLE}, /* MTRRcap: WC, fixed   */
    {0x0000010a, KIND_ARCH_CAPABILITIES, FEATURE_ARCH_CAPABILITIES, 0, 0},
    {0x0000010b, KIND_COMMAND,   FEATURE_FLUSH_L1D, 0, 1},
    {0x00000119, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* BBL_CR_CTL           */
    {0x0000011e, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* BBL_CR_CTL3          */
    {0x00000140, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* MISC_FEATURE_ENABLES */
    {0x00000174, KIND_DROP,      FEATURE_SEP,     AT(sysenter_cs), 0xffffffff},
    {0x00000175, KIND_CANONICAL, FEATURE_SEP,     AT(sysenter_esp), 0},
    {0x00000176, KIND_CANONICAL, FEATURE_SEP,     AT(sysenter_eip), 0},
    {0x00000179, KIND_CONSTANT,  FEATURE_MCA,     0, 0x1000100 | MCE_BANKS}, /* MCG_CAP              */
    {0x0000017a, KIND_STATE,     FEATURE_MCA,     AT(mcg_status), 7},
    {0x0000017b, KIND_STATE,     FEATURE_MCA,     AT(mcg_ctl), ~0ull},
    {0x00000186, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* PERFEVTSEL0          */
    {0x00000187, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* PERFEVTSEL1          */
    {0x00000198, KIND_CONSTANT,  FEATURE_ALWAYS,  0, 1000ull | 4ull << 40},  /* PERF_STATUS          */
    {0x00000199, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* PERF_CTL             */
    {0x0000019a, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* CLOCK_MODULATION     */
    {0x0000019b, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* THERM_INTERRUPT      */
    {0x0000019c, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* THERM_STATUS         */
    {0x0000019d, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* THERM2_CTL           */
    {0x000001a0, KIND_DROP,      FEATURE_ALWAYS,  AT(misc_enable), 0x400c51889},
    {0x000001a2, KIND_CONSTANT,  FEATURE_ALWAYS,  0, 100 << 16},             /* TEMPERATURE_TARGET   */
    {0x000001ad, KIND_CONSTANT,  FEATURE_ALWAYS,  0, 0},                     /* TURBO_RATIO_LIMIT    */
    {0x000001b0, KIND_IGNORE,    FEATURE_ALWAYS,  0, 6},                     /* ENERGY_PERF_BIAS     */
    {0x000001c8, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* LBR_SELECT           */
    {0x000001c9, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* LASTBRANCH_TOS       */
    {0x000001d9, KIND_STATE,     FEATURE_ALWAYS,  AT(debugctl), 0x3},        /* LBR, BTF             */
    {0x000001db, KIND_CONSTANT,  FEATURE_ALWAYS,  0, 0},                     /* LASTBRANCHFROMIP     */
    {0x000001dc, KIND_CONSTANT,  FEATURE_ALWAYS,  0, 0},                     /* LASTBRANCHTOIP       */
    {0x000001dd, KIND_CONSTANT,  FEATURE_ALWAYS,  0, 0},                     /* LASTINTFROMIP        */
    {0x000001de, KIND_CONSTANT,  FEATURE_ALWAYS,  0, 0},                     /* LASTINTTOIP          */
    {0x000001fc, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* POWER_CTL            */
    {0x00000277, KIND_PAT,       FEATURE_PAT,     AT(pat), 0},
    {0x000002ff, KIND_STATE,     FEATURE_MTRR,    AT(mtrr_def_type), 0xcff},
    {0x00000606, KIND_CONSTANT,  FEATURE_ALWAYS,  0, 0},                     /* RAPL_POWER_UNIT      */
    {0x00000610, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* PKG_POWER_LIMIT      */
    {0x00000611, KIND_CONSTANT,  FEATURE_ALWAYS,  0, 0},                     /* PKG_ENERGY_STATUS    */
    {0x00000639, KIND_CONSTANT,  FEATURE_ALWAYS,  0, 0},                     /* PP0_ENERGY_STATUS    */
    {0x00000641, KIND_CONSTANT,  FEATURE_ALWAYS,  0, 0},                     /* PP1_ENERGY_STATUS    */
    {0x00000da0, KIND_STATE,     FEATURE_XSAVES,  AT(xss), 0},
    {0xc0000080, KIND_EFER,      FEATURE_ALWAYS,  AT(efer), 0},
    {0xc0000081, KIND_STATE,     FEATURE_SYSCALL, AT(star), ~0ull},
    {0xc0000082, KIND_CANONICAL, FEATURE_LM,      AT(lstar), 0},
    {0xc0000083, KIND_CANONICAL, FEATURE_LM,      AT(cstar), 0},
    {0xc0000084, KIND_DROP,      FEATURE_LM,      AT(sfmask), 0xffffffff},
    {0xc0000100, KIND_CANONICAL, FEATURE_LM,      SEG_BASE(SEG_FS), 0},
    {0xc0000101, KIND_CANONICAL, FEATURE_LM,      SEG_BASE(SEG_GS), 0},
    {0xc0000102, KIND_CANONICAL, FEATURE_LM,      AT(kernel_gs_base), 0},
    {0xc0000103, KIND_STATE,     FEATURE_RDTSCP,  AT(tsc_aux), 0xffffffff},
    {0xc0010004, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* PERF_CTR0            */
    {0xc0010010, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* SYS_CFG              */
    {0xc0010015, KIND_IGNORE,    FEATURE_ALWAYS,  0, 1 << 24},               /* HWCR: TscFreqSel     */
    {0xc001001f, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* NB_CFG1              */
    {0xc0010055, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* INT_PENDING          */
    {0xc0010063, KIND_CONSTANT,  FEATURE_ALWAYS,  0, 0},                     /* PSTATE_STATUS        */
    {0xc0010064, KIND_CONSTANT,  FEATURE_ALWAYS,  0, 0},                     /* PSTATE0              */
    {0xc0010112, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* TSEG base            */
    {0xc0010113, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* TSEG mask            */
    {0xc0010114, KIND_CONSTANT,  FEATURE_ALWAYS,  0, 0x18},                  /* VM_CR: SVM off       */
    {0xc0010140, KIND_CONSTANT,  FEATURE_OSVW,    0, 4},                     /* OSVW_ID_LENGTH       */
    {0xc0010141, KIND_CONSTANT,  FEATURE_OSVW,    0, 0},                     /* OSVW_STATUS          */
    {0xc0011020, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* LS_CFG               */
    {0xc0011021, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* IC_CFG               */
    {0xc0011022, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* DC_CFG               */
    {0xc0011023, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* BU_CFG               */
    {0xc0011029, KIND_IGNORE,    FEATURE_ALWAYS,  0, 2},                     /* DE_CFG: LFENCE waits */
    {0xc001102a, KIND_IGNORE,    FEATURE_ALWAYS,  0, 0},                     /* BU_CFG2              */
};
/* clang-format on */

static const MsrRow *row_find(const Cpu *c, uint32_t index)
{
    for (unsigned n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
        if (rows[n].index == index) {
            return cpu_has(c, rows[n].feature) ? &rows[n] : NULL;
        }
    }
    return NULL;
}

static uint64_t *field(Cpu *c, const MsrRow *row)
{
    return (uint64_t *)((char *)&c->s + row->offset);
}

static _Noreturn void refuse(Cpu *c, uint32_t index, uint64_t value)
{
    why(c, "model-specific register %x cannot be %x", index, value, 0);
    raise_error(c, EXC_GP, 0);
}

static bool memory_type(uint64_t type)
{
    return type < 8 && type != 2 && type != 3;
}

/* ---- MTRRs and machine-check banks ---- */

/* Those come in rows of equal registers. NULL: none of them. *valid: bits that may be set. */
static uint64_t *banked(Cpu *c, uint32_t index, uint64_t *valid)
{
    static const uint16_t fixed[MTRR_FIXED] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                                               0x26b, 0x26c, 0x26d, 0x26e, 0x26f};
    uint64_t address = ((1ull << c->phys_bits) - 1) & ~0xfffull;

    *valid = ~0ull;
    for (unsigned n = 0; n < MTRR_FIXED && cpu_has(c, FEATURE_MTRR); n++) {
        if (fixed[n] == index) {
            return &c->s.mtrr_fixed[n];
        }
    }
    if (index >= 0x200 && index < 0x200 + 2 * MTRR_VARIABLE && cpu_has(c, FEATURE_MTRR)) {
        *valid = index & 1 ? address | 0x800 : address | 0xff;
        return index & 1 ? &c->s.mtrr_mask[(index - 0x200) / 2]
                         : &c->s.mtrr_base[(index - 0x200) / 2];
    }
    if (index >= 0x400 && index < 0x400 + 4 * MCE_BANKS && cpu_has(c, FEATURE_MCA)) {
        return &c->s.mce[(index - 0x400) / 4][index & 3];
    }
    return NULL;
}

static bool is_mce(uint32_t index)
{
    return index >= 0x400 && index < 0x400 + 4 * MCE_BANKS;
}

static bool banked_legal(uint32_t index, uint64_t value)
{
    if (is_mce(index)) { /* CTL takes all zeros or ones; the others only zeros */
        return !value || (!(index & 3) && value == ~0ull) || (index & 3) > 1;
    }
    if (index >= 0x250) {
        for (unsigned n = 0; n < 8; n++) {
            if (!memory_type(value >> 8 * n & 0xff) || (value >> 8 * n & 0xff) == 7) {
                return false;
            }
        }
        return true;
    }
    return index & 1 || (memory_type(value & 0xff) && (value & 0xff) != 7);
}

/* ---- reading ---- */

static uint64_t arch_capabilities(const Cpu *c)
{
    return c->features->word[WORD_ARCH_CAP_LO] | (uint64_t)c->features->word[WORD_ARCH_CAP_HI]
                                                     << 32;
}

static uint64_t row_read(Cpu *c, const MsrRow *row)
{
    switch (row->kind) {
    case KIND_CONSTANT:
    case KIND_IGNORE:
        return row->mask;
    case KIND_TSC:
        return rt_tsc(c);
    case KIND_COMMAND:
        refuse(c, row->index, 0);
    case KIND_ARCH_CAPABILITIES:
        return arch_capabilities(c);
    default:
        return *field(c, row);
    }
}

static bool is_apic(uint32_t index)
{
    return index == 0x1b || index == 0x6e0 || (index >= 0x800 && index < 0x900);
}

static bool is_pv(const Cpu *c, uint32_t index)
{
    return x86_pv_msr(index) && c->host->pv_msr_read;
}

static _Noreturn void unknown(Cpu *c, const char *what, uint32_t index)
{
    HOST_DO(c, unimplemented, what, index);
    why(c, "there is no model-specific register %x", index, 0, 0);
    raise_error(c, EXC_GP, 0);
}

static uint64_t msr_read(Cpu *c, uint32_t index)
{
    const MsrRow *row;
    uint64_t value = 0, valid, *bank;

    if (is_apic(index)) {
        RtIo io = {.size = 8};

        if (rt_answer_of(c, c->apic_msrs, index, &io)) {
            return io.value;
        }
        if (!HOST_CALL(c, apic_msr_read, index, &value)) {
            refuse(c, index, 0);
        }
        return value;
    }
    if (is_pv(c, index)) {
        if (!HOST_CALL(c, pv_msr_read, index, &value)) {
            unknown(c, "read of model-specific register", index);
        }
        return value;
    }
    bank = banked(c, index, &valid);
    if (bank) {
        return *bank;
    }
    row = row_find(c, index);
    if (!row) {
        unknown(c, "read of model-specific register", index);
    }
    return row_read(c, row);
}

/* ---- writing ---- */

static void write_efer(Cpu *c, uint64_t value)
{
    uint64_t known = (cpu_has(c, FEATURE_SYSCALL) ? EFER_SCE : 0) |
                     (cpu_has(c, FEATURE_LM) ? EFER_LME | EFER_LMA : 0) |
                     (cpu_has(c, FEATURE_NX) ? EFER_NXE : 0);
    uint64_t changed = value ^ c->s.efer;

    if (value & ~known || (changed & EFER_LME && c->s.cr0 & CR0_PG)) {
        refuse(c, 0xc0000080, value);
    }
    c->s.efer = (value & ~(uint64_t)EFER_LMA) | (c->s.efer & EFER_LMA);
    if (changed & EFER_NXE) {
        tlb_flush(c);
    }
    cpu_mode_changed(c);
}

static void write_pat(Cpu *c, uint64_t value)
{
    for (unsigned n = 0; n < 8; n++) {
        if (!memory_type(value >> 8 * n & 0xff)) {
            refuse(c, 0x277, value);
        }
    }
    c->s.pat = value;
}

/* A deadline of the local APIC's timer stays at its TSC value when the TSC jumps. */
static void deadline_follows(Cpu *c)
{
    uint64_t deadline = 0;

    if (HOST_CALL(c, apic_msr_read, 0x6e0, &deadline) && deadline) {
        HOST_CALL(c, apic_msr_write, 0x6e0, deadline);
    }
    if (c->host->pv_refresh) {
        HOST_DO(c, pv_refresh);
    }
}

static void write_tsc(Cpu *c, const MsrRow *row, uint64_t value)
{
    uint64_t offset = value - HOST_CALL(c, tsc);

    if (row->index != 0x10) {
        return; /* MPERF, APERF: they run with the time stamp */
    }
    c->s.tsc_adjust += offset - c->s.tsc_offset;
    c->s.tsc_offset = offset;
    deadline_follows(c);
}

static void write_feature_control(Cpu *c, uint64_t value)
{
    if (c->s.feature_control & 1) {
        refuse(c, 0x3a, value);
    }
    c->s.feature_control = value;
}

static void row_write(Cpu *c, const MsrRow *row, uint64_t value)
{
    switch (row->kind) {
    case KIND_STATE:
        if (value & ~row->mask) {
            refuse(c, row->index, value);
        }
        *field(c, row) = value;
        break;
    case KIND_CANONICAL:
        if (!canonical(c, value)) {
            refuse(c, row->index, value);
        }
        *field(c, row) = value;
        break;
    case KIND_DROP:
    case KIND_BIOS_SIGN:
        *field(c, row) = value & row->mask;
        break;
    case KIND_PAT:
        write_pat(c, value);
        break;
    case KIND_EFER:
        write_efer(c, value);
        break;
    case KIND_TSC:
        write_tsc(c, row, value);
        break;
    case KIND_TSC_ADJUST:
        c->s.tsc_offset += value - c->s.tsc_adjust;
        c->s.tsc_adjust = value;
        deadline_follows(c);
        break;
    case KIND_FEATURE_CONTROL:
        write_feature_control(c, value);
        break;
    case KIND_IGNORE:
        break;
    case KIND_COMMAND:
        if (value & ~row->mask) {
            refuse(c, row->index, value);
        }
        break;
    default:
        refuse(c, row->index, value);
    }
}

static void msr_write(Cpu *c, uint32_t index, uint64_t value)
{
    const MsrRow *row;
    uint64_t valid, *bank;

    if (is_apic(index)) {
        RtIo io = {.value = value, .size = 8, .write = true};

        if (rt_answer_of(c, c->apic_msrs, index, &io)) {
            return;
        }
        if (!HOST_CALL(c, apic_msr_write, index, value)) {
            refuse(c, index, value);
        }
        c->block_break = true;
        return;
    }
    if (is_pv(c, index)) {
        if (!HOST_CALL(c, pv_msr_write, index, value)) {
            unknown(c, "write to model-specific register", index);
        }
        return;
    }
    bank = banked(c, index, &valid);
    if (bank) {
        if (value & ~valid || !banked_legal(index, value)) {
            refuse(c, index, value);
        }
        *bank = value;
        return;
    }
    row = row_find(c, index);
    if (!row) {
        unknown(c, "write to model-specific register", index);
    }
    row_write(c, row, value);
}

static void run_rdmsr(Cpu *c, const Insn *i)
{
    uint64_t value;

    need_cpl0(c);
    value = msr_read(c, c->s.gpr[R_CX]);
    c->s.gpr[R_AX] = (uint32_t)value;
    c->s.gpr[R_DX] = value >> 32;
}

static void run_wrmsr(Cpu *c, const Insn *i)
{
    need_cpl0(c);
    msr_write(c, c->s.gpr[R_CX], (uint32_t)c->s.gpr[R_AX] | c->s.gpr[R_DX] << 32);
}

InsnRun *bind_msr(Cpu *c, Insn *i)
{
    switch (i->op) {
    case OP_RDMSR:
        return run_rdmsr;
    case OP_WRMSR:
        return run_wrmsr;
    default:
        return NULL;
    }
}
