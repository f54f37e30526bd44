/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/i386/cpuid.h"
#include "tests/lib/test.h"

#include <string.h>

static CpuModel model(const char *text)
{
    CpuModel m = {0};
    Error *err = NULL;

    check(model_parse(text, &m, &err), true);
    check_str(error_text(err), "");
    error_free(err);
    return m;
}

static void refused(const char *text, const char *why)
{
    CpuModel m;
    Error *err = NULL;

    check(model_parse(text, &m, &err), false);
    check_str(error_text(err), why);
    error_free(err);
}

static uint32_t ask(const char *text, CpuTopology t, uint32_t leaf, uint32_t sub, int reg)
{
    CpuModel m = model(text);
    CpuidInputs in = {.apic_id = 1, .xcr0 = 3, .apic_on = true};
    uint32_t out[4];

    cpuid_get(&m, &t, &in, leaf, sub, out);
    return out[reg];
}

static const CpuTopology one = {1, 1, 1, 1};

TEST("model: the default has long mode, NX and the truth about speculation")
{
    CpuModel m = model(NULL);

    check_str(m.name, "max");
    check(feature_has(&m.features, FEATURE_LM), true);
    check(feature_has(&m.features, FEATURE_NX), true);
    check(feature_has(&m.features, FEATURE_RDCL_NO), true);
    check(ask("max", one, 0x80000021, 0, 0), 1 << 8 | 1 << 6 | 1 << 2); /* AutoIBRS, null, LFENCE */
    check_str(m.missing, "");
}

TEST("model: features are added and taken away, in either spelling")
{
    CpuModel m = model("qemu64,+sse4_1,+ssse3,-svm,nx=off,popcnt");

    check(feature_has(&m.features, FEATURE_SSE4_1), true);
    check(feature_has(&m.features, FEATURE_POPCNT), true);
    check(feature_has(&m.features, FEATURE_NX), false);
    check_str(m.missing, "");
}

TEST("model: what a feature stands on is needed for it")
{
    CpuModel m = model("x86-64-v2,-xsave,+avx");

    check(feature_has(&m.features, FEATURE_AVX), false);
    check_str(m.missing, "avx");
}

TEST("model: a feature that is not implemented is missing, and refused with enforce")
{
    CpuModel m = model("qemu64");

    check_str(m.missing, "svm");
    refused("qemu64,enforce", "qemu64 cannot have here: svm");
}

TEST("model: wrong names and values are named")
{
    refused("qemu65", "there is no CPU model qemu65");
    refused("qemu64,+ss3", "there is no CPU feature ss3");
    refused("qemu64,nx=maybe", "nx=maybe is neither on nor off");
    refused("qemu64,family=many", "family=many is not a number up to 270");
    refused("qemu64,colour=red", "-cpu knows no property colour");
    refused("qemu64,phys-bits=20", "phys-bits=20 is below 32");
}

TEST("model: leaf 1 is what QEMU 7.2 shows: 78bfbfd for qemu64, with VME for CPUs that were built")
{
    check(ask("qemu64", one, 1, 0, 3), 0x078bfbfd);
    check(ask("kvm64", one, 1, 0, 3), 0x078bfbff);
    check(ask("Nehalem", one, 1, 0, 3), 0x078bfbff);
    check(ask("Haswell-noTSX", one, 1, 0, 3), 0x078bfbff);
    check(ask("EPYC", one, 1, 0, 3), 0x078bfbff);
    check(ask("Nehalem", one, 1, 0, 2), 0x80982201);
    check(ask("pentium3", one, 1, 0, 3), 0x0383fbff);
}

TEST("model: 32-bit models have no long mode")
{
    check(ask("qemu32", one, 0x80000001, 0, 3) >> 29 & 1, 0);
    check(ask("pentium3", one, 1, 0, 3) >> 26 & 1, 0); /* SSE2 */
}

TEST("cpuid: family, model and stepping take their places")
{
    check(ask("qemu64", one, 1, 0, 0), 0x60fb1);
    check(ask("EPYC", one, 1, 0, 0), 0x800f12);
    check(ask("Nehalem", one, 1, 0, 0), 0x106a3);
}

TEST("cpuid: the vendor and the name are read in their order")
{
    uint32_t out[4];
    CpuModel m = model("EPYC");
    CpuidInputs in = {0};

    cpuid_get(&m, &one, &in, 0, 0, out);
    check(!memcmp(&out[1], "Auth", 4) && !memcmp(&out[3], "enti", 4) && !memcmp(&out[2], "cAMD", 4),
          true);
    cpuid_get(&m, &one, &in, 0x80000002, 0, out);
    check(!memcmp(out, "AMD EPYC Process", 16), true);
}

TEST("cpuid: APIC IDs give each level its own bits")
{
    CpuTopology t = {2, 1, 3, 2};

    check(cpuid_apic_id(&t, 5), 5); /* core 2, thread 1 */
    check(cpuid_apic_id(&t, 6), 8); /* socket 1         */
    check(cpuid_apic_id(&t, 11), 13);
    check(ask("max", t, 0xb, 0, 0), 1);
    check(ask("max", t, 0xb, 1, 0), 3);
    check(ask("max", t, 0xb, 1, 1), 6);
}

TEST("cpuid: one CPU alone shows no hyper-threading, six do")
{
    CpuTopology t = {1, 1, 3, 2};

    check(ask("max", one, 1, 0, 3) >> 28 & 1, 0);
    check(ask("max", t, 1, 0, 3) >> 28 & 1, 1);
    check(ask("max", t, 1, 0, 1) >> 16 & 0xff, 8);
}

TEST("cpuid: OSXSAVE, OSPKE and the APIC bit follow the CPU that asks")
{
    CpuModel m = model("max");
    CpuidInputs in = {.cr4 = 1 << 18 | 1 << 22};
    uint32_t out[4];

    cpuid_get(&m, &one, &in, 1, 0, out);
    check(out[2] >> 27 & 1, 1);
    check(out[3] >> 9 & 1, 0);
    cpuid_get(&m, &one, &in, 7, 0, out);
    check(out[2] >> 4 & 1, 1);
}

TEST("cpuid: the XSAVE area grows with its components; PKRU is last")
{
    check(cpuid_xsave_size(3, false), 576);
    check(cpuid_xsave_size(7, false), 832);
    check(cpuid_xsave_size(0x207, false), 2696);
    check(cpuid_xsave_size(0x207, true), 840);
}

TEST("cpuid: leaves above the highest answer by vendor's custom")
{
    check(ask("qemu64", one, 0x77, 0, 0), 0);
    check(ask("Nehalem", one, 0x77, 0, 3), ask("Nehalem", one, 0xb, 0, 3));
    check(ask("max", one, 0x8000ffff, 0, 0), 0);
}
