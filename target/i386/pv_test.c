/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/i386/cpu.h"
#include "target/i386/pv.h"
#include "tests/lib/board.h"
#include "tests/lib/test.h"

#include <string.h>

static CpuModel model(const char *text)
{
    CpuModel m = {0};
    Error *err = NULL;

    check(model_parse(text, &m, &err), true);
    check_str(error_text(err), "");
    return m;
}

static void signature(const char *text, uint32_t leaf, const char *want)
{
    CpuModel m = model(text);
    uint32_t out[4] = {0};
    char name[13] = "";

    pv_cpuid(&m, leaf, out);
    memcpy(name, &out[1], 12);
    check_str(name, want);
}

TEST("pv: max shows KVM's leaf; kvm=off and -hypervisor hide it; Hyper-V's comes first")
{
    CpuModel hidden = model("max,kvm=off");

    signature("max", 0x40000000, "KVMKVMKVM");
    signature("max,hv-relaxed", 0x40000000, "Microsoft Hv");
    signature("max,hv-relaxed,hv-vendor-id=abc", 0x40000000, "abc");
    signature("max,hv-relaxed", 0x40000100, "KVMKVMKVM");
    check(hidden.hypervisor_leaf, false);
    check(feature_has(&hidden.features, FEATURE_KVM_CLOCK), false);
    check(feature_has(&hidden.features, FEATURE_HYPERVISOR), true);
}

TEST(
    "pv: enlightenments set their privileges and recommendations; unknown ones are refused by name")
{
    CpuModel m = model("qemu64,hv-time,hv_vpindex=on,hv-spinlocks=0x1fff,hv-relaxed");
    uint32_t out[4] = {0};
    Error *err = NULL;

    pv_cpuid(&m, 0x40000003, out);
    check(out[0], 1 << 1 | 1 << 5 | 1 << 6 | 1 << 9);
    pv_cpuid(&m, 0x40000004, out);
    check(out[0], 1 << 5);
    check(out[1], 0x1fff);
    check(model_parse("max,hv-evmcs", &m, &err), false);
    check_str(error_text(err), "hv-evmcs is not offered here");
    error_free(err);
}

TEST("pv: what only a kernel serves is refused by name by the software engine, and needs its base")
{
    const CpuOffer kernel = {.hv = HV_ALL};
    CpuModel m = {0};
    Error *err = NULL;
    uint32_t out[4] = {0};

    check(model_parse("max,hv-vpindex,hv-synic", &m, &err), false);
    check_str(error_text(err), "hv-synic is not offered by this engine");
    error_free(err);
    err = NULL;
    check(model_resolve("max,hv-synic", &kernel, &m, &err), false);
    check_str(error_text(err), "hv-synic needs hv-vpindex");
    error_free(err);
    check(model_resolve("max,hv-vpindex,hv-synic,hv-ipi", &kernel, &m, NULL), true);
    pv_cpuid(&m, 0x40000003, out);
    check(out[0], 1 << 2 | 1 << 5 | 1 << 6);
    pv_cpuid(&m, 0x40000004, out);
    check(out[0], 1 << 10 | 1 << 11);
}

TEST("pv: a kernel offers an enlightenment when it shows all of its bits")
{
    uint32_t privileges[4] = {1 << 1 | 1 << 2 | 1 << 6}, none[4] = {0};

    check(pv_hv_offered(none, none), HV_SPINLOCKS);
    check(pv_hv_offered(privileges, none), HV_SPINLOCKS | HV_VPINDEX);
    privileges[0] |= 1 << 9;
    privileges[1] |= 1 << 4 | 1 << 5;
    check(pv_hv_offered(privileges, none), HV_SPINLOCKS | HV_VPINDEX | HV_TIME | HV_SYNIC);
}

static Vcpu *cpu_of(Machine *m, const char *text)
{
    Error *err = NULL;
    Vcpu *cpu = cpu_create(m, text, 0, &err);

    check_str(error_text(err), "");
    return cpu;
}

TEST("pv: kvmclock tells the same time as the guest's clock, at the TSC's rate")
{
    Board *b = board_new();
    Machine *m = board_machine(b);
    Vcpu *cpu = cpu_of(m, "max,tsc-frequency=2000000000");

    clock_step(b, 5000000);
    check(pv_msr_write(cpu, 0x4b564d01, 0x2001), true);
    uint64_t tsc = mem_get(b, 0x2008, 8), ns = mem_get(b, 0x2010, 8);
    uint32_t mul = mem_get(b, 0x2018, 4);
    int8_t shift = mem_get(b, 0x201c, 1);
    check(mem_get(b, 0x2000, 4), 2);
    check(tsc + 0, cpu_tsc(cpu) + cpu->state->tsc_offset);
    check(ns, 5000000);
    check((((unsigned __int128)2000000 << 8 >> (8 - shift)) * mul) >> 32, 1000000);
    check(pv_msr_write(cpu, 0x4b564d02, 1), false); /* page faults are no business of ours */
}

TEST("pv: Hyper-V's counter, page and registers agree, and a register needs its enlightenment")
{
    Board *b = board_new();
    Vcpu *cpu = cpu_of(board_machine(b), "max,hv-time,hv-vpindex,tsc-frequency=2000000000");
    uint64_t value = 1;

    clock_step(b, 5000000);
    check(pv_msr_read(cpu, 0x40000020, &value), true);
    check(value, 50000);
    check(pv_msr_write(cpu, 0x40000021, 0x3001), true);
    uint64_t scale = mem_get(b, 0x3008, 8), offset = mem_get(b, 0x3010, 8);
    uint64_t tsc = cpu_tsc(cpu) + cpu->state->tsc_offset;
    check(((unsigned __int128)tsc * scale >> 64) + offset, 50000);
    check(pv_msr_read(cpu, 0x40000002, &value), true);
    check(value, 0);
    check(pv_msr_read(cpu, 0x40000022, &value), false);
    check(pv_msr_write(cpu, 0x40000003, 1), false);
}
