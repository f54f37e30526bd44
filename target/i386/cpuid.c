/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What CPUID answers: the model's features, and what describes the machine (topology, caches, the
 * XSAVE area). SDM volume 2, CPUID; APM volume 3, appendix E.
 * Not modelled: leaves of paravirtual interfaces (4000_0000 names the hypervisor only), power and
 * performance monitoring (they answer zeros).
 */
#include "target/i386/cpuid.h"

#include "target/i386/pv.h"
#include "target/i386/state.h"

#include <string.h>

/* The layout that every Intel CPU with these components shows. PKRU is the last. */
const XsaveComponent xsave_component[10] = {
    [2] = {256, 576},   /* upper halves of YMM            */
    [5] = {64, 1088},   /* opmasks                        */
    [6] = {512, 1152},  /* upper halves of ZMM0 to 15     */
    [7] = {1024, 1664}, /* ZMM16 to 31                    */
    [9] = {8, 2688},    /* PKRU                           */
};

enum { LEGACY_AND_HEADER = 576 };

uint64_t cpuid_xcr0(const X86Features *f)
{
    uint64_t bits = 0;

    if (feature_has(f, FEATURE_XSAVE)) {
        bits = 3 | (feature_has(f, FEATURE_AVX) ? 4 : 0) |
               (feature_has(f, FEATURE_AVX512F) ? 0xe0 : 0) |
               (feature_has(f, FEATURE_PKU) ? 0x200 : 0);
    }
    return bits;
}

uint32_t cpuid_xsave_size(uint64_t components, bool compacted)
{
    uint32_t size = LEGACY_AND_HEADER;

    for (unsigned i = 2; i < G_N_ELEMENTS(xsave_component); i++) {
        const XsaveComponent *x = &xsave_component[i];

        if (x->size && components >> i & 1) {
            size = compacted ? size + x->size : (uint32_t)x->offset + x->size;
        }
    }
    return size;
}

/* ---- topology ---- */

static unsigned bits_for(unsigned n)
{
    return n > 1 ? 32 - __builtin_clz(n - 1) : 0;
}

static unsigned thread_bits(const CpuTopology *t)
{
    return bits_for(t->threads);
}

static unsigned package_bits(const CpuTopology *t)
{
    return thread_bits(t) + bits_for(t->cores) + bits_for(t->dies);
}

static unsigned per_package(const CpuTopology *t)
{
    return MAX(t->threads, 1) * MAX(t->cores, 1) * MAX(t->dies, 1);
}

uint32_t cpuid_apic_id(const CpuTopology *t, unsigned n)
{
    unsigned threads = MAX(t->threads, 1), cores = MAX(t->cores, 1), dies = MAX(t->dies, 1);
    unsigned thread = n % threads, core = n / threads % cores, die = n / threads / cores % dies;
    unsigned socket = n / threads / cores / dies;

    return thread | core << thread_bits(t) | die << (thread_bits(t) + bits_for(cores)) |
           socket << package_bits(t);
}

/* ---- leaves ---- */

typedef struct Ask {
    const CpuModel *m;
    const CpuTopology *t;
    const CpuidInputs *in;
    uint32_t subleaf, *out;
} Ask;

static void text_leaf(uint32_t *out, const char *text, unsigned at)
{
    char part[16] = {0};
    size_t n = strlen(text);

    if (n > at) {
        memcpy(part, text + at, MIN(n - at, sizeof part));
    }
    memcpy(out, part, sizeof part);
}

static void vendor_leaf(Ask a, uint32_t highest)
{
    a.out[0] = highest;
    memcpy(&a.out[1], a.m->vendor, 4);
    memcpy(&a.out[3], a.m->vendor + 4, 4);
    memcpy(&a.out[2], a.m->vendor + 8, 4);
}

uint32_t cpuid_signature(const CpuModel *m)
{
    uint32_t family = MIN(m->family, 15), extended = m->family - family;

    return m->stepping | (m->model & 15) << 4 | family << 8 | (m->model >> 4) << 16 |
           extended << 20;
}

static void leaf_1(Ask a)
{
    const X86Features *f = &a.m->features;

    a.out[0] = cpuid_signature(a.m);
    a.out[1] = a.in->apic_id << 24 | 8 << 8; /* CLFLUSH: 8 quadwords */
    a.out[2] = f->word[WORD_1_ECX];
    a.out[3] = f->word[WORD_1_EDX];
    if (a.in->cr4 & CR4_OSXSAVE) {
        a.out[2] |= 1u << FEATURE_OSXSAVE % 32;
    }
    if (!a.in->apic_on) {
        a.out[3] &= ~(1u << FEATURE_APIC % 32);
    }
    if (per_package(a.t) > 1) {
        a.out[1] |= MIN(1u << package_bits(a.t), 255) << 16;
        a.out[3] |= 1u << FEATURE_HT % 32;
    }
}

/* Descriptors of leaf 2 (SDM, table "Encoding of CPUID leaf 2 descriptors"): 32 KB data and
 * instruction caches, 2 MB of second level; what they are is in leaf 4. */
static void leaf_2(Ask a)
{
    a.out[0] = 1;
    a.out[3] = 0x2c307d;
}

/* Deterministic caches: size, ways; line 64. */
static void cache_leaf(Ask a, bool amd)
{
    static const struct {
        uint8_t type, level, ways;
        uint32_t sets;
        bool shared;
    } cache[] = {{1, 1, 8, 64, false},
                 {2, 1, 8, 64, false},
                 {3, 2, 16, 512, false},
                 {3, 3, 16, 16384, true}};

    if (a.subleaf >= G_N_ELEMENTS(cache)) {
        return;
    }
    unsigned sharing =
        cache[a.subleaf].shared ? (1u << package_bits(a.t)) : (1u << thread_bits(a.t));
    unsigned cores = amd ? 0 : (1u << (package_bits(a.t) - thread_bits(a.t))) - 1;

    a.out[0] = cache[a.subleaf].type | cache[a.subleaf].level << 5 | 1 << 8 | (sharing - 1) << 14 |
               MIN(cores, 63) << 26;
    a.out[1] = 63 | (cache[a.subleaf].ways - 1) << 22;
    a.out[2] = cache[a.subleaf].sets - 1;
    a.out[3] = cache[a.subleaf].shared ? 2 : 0; /* inclusive */
}

static void leaf_7(Ask a)
{
    const uint32_t *w = a.m->features.word;

    if (a.subleaf == 0) {
        a.out[0] = w[WORD_7_1_EAX] ? 1 : 0;
        a.out[1] = w[WORD_7_EBX];
        a.out[2] = w[WORD_7_ECX] | (a.in->cr4 & CR4_PKE ? 1u << FEATURE_OSPKE % 32 : 0);
        a.out[3] = w[WORD_7_EDX];
    } else if (a.subleaf == 1) {
        a.out[0] = w[WORD_7_1_EAX];
    }
}

static void leaf_b(Ask a)
{
    static const uint8_t type[] = {1, 2, 0};
    unsigned level = MIN(a.subleaf, 2);

    a.out[2] = (a.subleaf & 0xff) | type[level] << 8;
    a.out[3] = a.in->apic_id;
    if (level < 2) {
        a.out[0] = level ? package_bits(a.t) : thread_bits(a.t);
        a.out[1] = level ? per_package(a.t) : MAX(a.t->threads, 1);
    }
}

static void leaf_d(Ask a)
{
    uint64_t all = cpuid_xcr0(&a.m->features);

    if (!all) {
        return;
    }
    if (a.subleaf == 0) {
        a.out[0] = all;
        a.out[1] = cpuid_xsave_size(a.in->xcr0, false);
        a.out[2] = cpuid_xsave_size(all, false);
        a.out[3] = all >> 32;
    } else if (a.subleaf == 1) {
        a.out[0] = a.m->features.word[WORD_D_1_EAX];
        a.out[1] =
            a.out[0] & 10 ? cpuid_xsave_size(a.in->xcr0 | a.in->xss, true) : 0; /* XSAVEC, XSAVES */
    } else if (a.subleaf < G_N_ELEMENTS(xsave_component) && all >> a.subleaf & 1) {
        a.out[0] = xsave_component[a.subleaf].size;
        a.out[1] = xsave_component[a.subleaf].offset;
    }
}

/* Bits of leaf 1's EDX that AMD repeats in 8000_0001 (APM volume 3, E.4.2). */
enum { REPEATED = 0x0183f3ff };

static void leaf_80000001(Ask a)
{
    const uint32_t *w = a.m->features.word;
    bool amd = !strcmp(a.m->vendor, "AuthenticAMD");

    a.out[0] = cpuid_signature(a.m);
    a.out[2] = w[WORD_8000_0001_ECX];
    a.out[3] = w[WORD_8000_0001_EDX] | (amd ? w[WORD_1_EDX] & REPEATED : 0);
    if (amd && per_package(a.t) > 1 && a.t->threads <= 1) {
        a.out[2] |= 1u << FEATURE_CMP_LEGACY % 32;
    }
}

static void leaf_80000008(Ask a)
{
    a.out[0] = a.m->phys_bits;
    if (feature_has(&a.m->features, FEATURE_LM)) {
        a.out[0] |= (uint32_t)a.m->linear_bits << 8;
    } else {
        a.out[0] = MIN(a.m->phys_bits, 36) | 32 << 8;
    }
    a.out[1] = a.m->features.word[WORD_8000_0008_EBX];
    if (per_package(a.t) > 1) {
        a.out[2] = (per_package(a.t) - 1) | package_bits(a.t) << 12;
    }
}

static void leaf_8000001e(Ask a)
{
    if (feature_has(&a.m->features, FEATURE_TOPOEXT)) {
        a.out[0] = a.in->apic_id;
        a.out[1] = (a.in->apic_id >> thread_bits(a.t) & 0xff) | (MAX(a.t->threads, 1) - 1) << 8;
        a.out[2] = a.in->apic_id >> package_bits(a.t) & 0xff;
    }
}

static void extended(Ask a, uint32_t leaf)
{
    switch (leaf) {
    case 0x80000000:
        vendor_leaf(a, a.m->xlevel);
        break;
    case 0x80000001:
        leaf_80000001(a);
        break;
    case 0x80000002 ... 0x80000004:
        text_leaf(a.out, a.m->model_id, 16 * (leaf - 0x80000002));
        break;
    case 0x80000005: /* first-level caches: 32 KB, 8 ways, lines of 64; TLBs of 255 entries */
        a.out[0] = a.out[1] = 0x01ff01ff;
        a.out[2] = a.out[3] = 32 << 24 | 8 << 16 | 1 << 8 | 64;
        break;
    case 0x80000006: /* second level: 512 KB, 16 ways; third: 16 MB */
        a.out[1] = 0x42004200;
        a.out[2] = 512 << 16 | 8 << 12 | 1 << 8 | 64;
        a.out[3] = 32 << 18 | 8 << 12 | 1 << 8 | 64;
        break;
    case 0x80000007:
        a.out[3] = a.m->features.word[WORD_8000_0007_EDX];
        break;
    case 0x80000008:
        leaf_80000008(a);
        break;
    case 0x8000001d:
        if (feature_has(&a.m->features, FEATURE_TOPOEXT)) {
            cache_leaf(a, true);
        }
        break;
    case 0x8000001e:
        leaf_8000001e(a);
        break;
    case 0x80000021:
        a.out[0] = a.m->features.word[WORD_8000_0021_EAX];
        break;
    }
}

static void basic(Ask a, uint32_t leaf)
{
    switch (leaf) {
    case 0:
        vendor_leaf(a, a.m->level);
        break;
    case 1:
        leaf_1(a);
        break;
    case 2:
        leaf_2(a);
        break;
    case 4:
        cache_leaf(a, false);
        break;
    case 6:
        a.out[0] = a.m->features.word[WORD_6_EAX];
        break;
    case 7:
        leaf_7(a);
        break;
    case 0xb:
        leaf_b(a);
        break;
    case 0xd:
        leaf_d(a);
        break;
    }
}

/* A leaf above the highest answers as the highest basic one does (Intel) or zeros (AMD). */
void cpuid_get(const CpuModel *m, const CpuTopology *t, const CpuidInputs *in, uint32_t leaf,
               uint32_t subleaf, uint32_t out[4])
{
    Ask a = {m, t, in, subleaf, out};

    memset(out, 0, 16);
    if (leaf >> 16 == 0x4000 && m->hypervisor_leaf) {
        pv_cpuid(m, leaf, out);
    } else if (leaf >> 16 == 0x8000) {
        if (leaf <= m->xlevel || leaf == 0x80000000) {
            extended(a, leaf);
        }
    } else if (leaf <= m->level) {
        basic(a, leaf);
    } else if (!strcmp(m->vendor, "GenuineIntel")) {
        basic(a, m->level);
    }
}
