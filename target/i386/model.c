/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPU models and -cpu. Families, models, steppings, levels and feature lists are those that
 * QEMU 7.2 gives the same names; the x86-64-v2, -v3 and -v4 follow the psABI's micro-architecture
 * levels. Not modelled: versions of models ("-v1"), the PMU.
 */
#include "target/i386/model.h"

#include "target/i386/features.h"
#include "target/i386/pv.h"
#include "util/nearest.h"

#include <cpuid.h>
#include <string.h>

typedef struct ModelRow {
    const char *name, *about, *vendor, *model_id;
    uint32_t level, xlevel;
    uint16_t family, model, stepping;
    const char *features; /* names, blanks between; NULL: all that can be had */
} ModelRow;

/* clang-format off */
#define BASE     "fpu de pse tsc msr pae mce cx8 apic cmov pge pat mmx fxsr sse hypervisor "
#define BASE64   BASE "sep mtrr mca pse36 clflush sse2 pni syscall nx lm "
#define V2       BASE64 "cx16 lahf-lm popcnt ssse3 sse4.1 sse4.2 "
#define V3       V2 "avx avx2 bmi1 bmi2 f16c fma abm movbe xsave "
#define HASWELL  V3 "vme aes arat erms fsgsbase invpcid pcid pclmulqdq rdrand rdtscp smep tsc-deadline x2apic xsaveopt "

static const ModelRow rows[] = {
    {"max", "all that this engine can do on this host", "AuthenticAMD", "Rhea virtual CPU",
     0xd, 0x80000021, 6, 6, 3, NULL},
    {"host", "the same as max, with the name of the host's CPU", "AuthenticAMD", NULL, 0xd, 0x80000021, 6, 6, 3, NULL},
    {"base", "nothing but what is asked for", "AuthenticAMD", "", 0xd, 0x80000008, 6, 6, 3, ""},
    {"qemu64", "a plain 64-bit CPU", "AuthenticAMD", "QEMU Virtual CPU version 2.5+",
     0xd, 0x8000000a, 15, 107, 1, BASE64 "cx16 lahf-lm svm"},
    {"kvm64", "a plain 64-bit CPU", "GenuineIntel", "Common KVM processor", 0xd, 0x80000008, 15, 6, 1,
     BASE64 "vme cx16"},
    {"qemu32", "a plain 32-bit CPU", "GenuineIntel", "QEMU Virtual CPU version 2.5+",
     4, 0x80000004, 6, 6, 3, BASE "sep sse2 pni"},
    {"kvm32", "a plain 32-bit CPU", "GenuineIntel", "Common 32-bit KVM processor",
     5, 0x80000008, 15, 6, 1, BASE "vme sep mtrr mca pse36 clflush sse2 pni"},
    {"pentium3", "Intel Pentium III", "GenuineIntel", "", 3, 0, 6, 7, 3, BASE "vme sep mtrr mca pse36"},
    {"Nehalem", "Intel Core i7 of 2008", "GenuineIntel", "Intel Core i7 9xx (Nehalem Class Core i7)",
     0xb, 0x80000008, 6, 26, 3, V2 "vme"},
    {"Haswell-noTSX", "Intel Core of 2013", "GenuineIntel", "Intel Core Processor (Haswell, no TSX)",
     0xd, 0x80000008, 6, 60, 1, HASWELL},
    {"Skylake-Server-noTSX-IBRS", "Intel Xeon of 2017", "GenuineIntel", "Intel Xeon Processor (Skylake, IBRS, no TSX)",
     0xd, 0x80000008, 6, 85, 4, HASWELL "3dnowprefetch adx avx512bw avx512cd avx512dq avx512f avx512vl clwb pdpe1gb pku "
     "rdseed smap spec-ctrl xgetbv1 xsavec"},
    {"EPYC", "AMD EPYC of 2017", "AuthenticAMD", "AMD EPYC Processor", 0xd, 0x8000001e, 23, 1, 2,
     V3 "vme 3dnowprefetch adx aes arat clflushopt cr8legacy fsgsbase fxsr-opt misalignsse mmxext monitor osvw pclmulqdq "
     "pdpe1gb rdrand rdseed rdtscp sha-ni smap smep sse4a svm topoext xgetbv1 xsavec xsaveopt"},
    {"x86-64-v2", "micro-architecture level 2: SSE4.2", "AuthenticAMD", "Rhea x86-64-v2", 0xd, 0x80000008, 15, 107, 1,
     V2 "x2apic tsc-deadline"},
    {"x86-64-v3", "micro-architecture level 3: AVX2", "AuthenticAMD", "Rhea x86-64-v3", 0xd, 0x80000008, 15, 107, 1,
     V3 "x2apic tsc-deadline"},
    {"x86-64-v4", "micro-architecture level 4: AVX-512", "AuthenticAMD", "Rhea x86-64-v4", 0xd, 0x80000008, 15, 107, 1,
     V3 "x2apic tsc-deadline avx512f avx512bw avx512cd avx512dq avx512vl"},
};
/* clang-format on */

enum { DEFAULT_TSC_HZ = 2000000000, DEFAULT_PHYS_BITS = 40 };

const char *model_name(unsigned n)
{
    return n < G_N_ELEMENTS(rows) ? rows[n].name : NULL;
}

/* ---- features ---- */

/* Same spelling but for - and _. */
static bool same(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        if (*a != *b && !(strchr("-_", *a) && strchr("-_", *b))) {
            return false;
        }
    }
    return *a == *b;
}

static const FeatureRow *feature_find(const char *name)
{
    for (const FeatureRow *r = feature_rows; r->name; r++) {
        if (same(r->name, name) || (r->alias && same(r->alias, name))) {
            return r;
        }
    }
    return NULL;
}

const char *feature_name(X86Feature feature)
{
    for (const FeatureRow *r = feature_rows; r->name; r++) {
        if (r->feature == feature) {
            return r->name;
        }
    }
    return NULL;
}

static void host_features(X86Features *f)
{
    unsigned a, b, c, d;

    *f = (X86Features){0};
    if (__get_cpuid(1, &a, &b, &c, &d)) {
        f->word[WORD_1_EDX] = d;
        f->word[WORD_1_ECX] = c;
    }
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        f->word[WORD_7_EBX] = b;
        f->word[WORD_7_ECX] = c;
        f->word[WORD_7_EDX] = d;
    }
    if (__get_cpuid_count(7, 1, &a, &b, &c, &d)) {
        f->word[WORD_7_1_EAX] = a;
    }
    if (__get_cpuid_count(0xd, 1, &a, &b, &c, &d)) {
        f->word[WORD_D_1_EAX] = a;
    }
    if (__get_cpuid(0x80000001, &a, &b, &c, &d)) {
        f->word[WORD_8000_0001_EDX] = d;
        f->word[WORD_8000_0001_ECX] = c;
    }
    if (__get_cpuid(0x80000008, &a, &b, &c, &d)) {
        f->word[WORD_8000_0008_EBX] = b;
    }
}

/* AVX and AVX-512 need the host's kernel to save the registers. */
static void without_os_support(X86Features *f)
{
    uint32_t low = 0, high;

    if (feature_has(f, FEATURE_OSXSAVE)) {
        __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    }
    for (const FeatureRow *r = feature_rows; r->name; r++) {
        bool avx512 = !strncmp(r->name, "avx512", 6), avx = !strncmp(r->name, "avx", 3);

        if ((avx512 && (low & 0xe6) != 0xe6) || (avx && (low & 6) != 6)) {
            feature_set(f, r->feature, false);
        }
    }
    if ((low & 6) != 6) {
        feature_set(f, FEATURE_FMA, false);
        feature_set(f, FEATURE_F16C, false);
        feature_set(f, FEATURE_VAES, false);
        feature_set(f, FEATURE_VPCLMULQDQ, false);
    }
    if (!low) {
        feature_set(f, FEATURE_XSAVE, false);
    }
}

void model_offered(X86Features *out)
{
    X86Features host;

    host_features(&host);
    without_os_support(&host);
    *out = (X86Features){0};
    for (const FeatureRow *r = feature_rows; r->name; r++) {
        bool has = r->source == SOFT || r->source == TRUTH ||
                   (r->source == HOST && feature_has(&host, r->feature));

        feature_set(out, r->feature, has);
    }
}

/* ---- what needs what (SDM volume 2, CPUID notes): a feature goes with what it stands on ---- */

typedef struct Need {
    X86Feature feature, needs;
} Need;

static const Need needs[] = {
    {FEATURE_SSE, FEATURE_FXSR},
    {FEATURE_SSE2, FEATURE_SSE},
    {FEATURE_SSE3, FEATURE_SSE2},
    {FEATURE_SSSE3, FEATURE_SSE3},
    {FEATURE_SSE4_1, FEATURE_SSSE3},
    {FEATURE_SSE4_2, FEATURE_SSE4_1},
    {FEATURE_AES, FEATURE_SSE2},
    {FEATURE_PCLMULQDQ, FEATURE_SSE2},
    {FEATURE_SHA_NI, FEATURE_SSE2},
    {FEATURE_AVX, FEATURE_XSAVE},
    {FEATURE_AVX2, FEATURE_AVX},
    {FEATURE_FMA, FEATURE_AVX},
    {FEATURE_F16C, FEATURE_AVX},
    {FEATURE_VAES, FEATURE_AVX},
    {FEATURE_VPCLMULQDQ, FEATURE_AVX},
    {FEATURE_AVX_VNNI, FEATURE_AVX2},
    {FEATURE_AVX512F, FEATURE_AVX2},
    {FEATURE_AVX512DQ, FEATURE_AVX512F},
    {FEATURE_AVX512BW, FEATURE_AVX512F},
    {FEATURE_AVX512CD, FEATURE_AVX512F},
    {FEATURE_AVX512VL, FEATURE_AVX512F},
    {FEATURE_AVX512_IFMA, FEATURE_AVX512F},
    {FEATURE_AVX512_VBMI, FEATURE_AVX512BW},
    {FEATURE_AVX512_VBMI2, FEATURE_AVX512BW},
    {FEATURE_AVX512_VNNI, FEATURE_AVX512F},
    {FEATURE_AVX512_BITALG, FEATURE_AVX512BW},
    {FEATURE_AVX512_BF16, FEATURE_AVX512BW},
    {FEATURE_AVX512_VPOPCNTDQ, FEATURE_AVX512F},
    {FEATURE_AVX512_VP2INTERSECT, FEATURE_AVX512F},
    {FEATURE_XSAVEOPT, FEATURE_XSAVE},
    {FEATURE_XSAVEC, FEATURE_XSAVE},
    {FEATURE_XGETBV1, FEATURE_XSAVE},
    {FEATURE_XSAVES, FEATURE_XSAVEC},
    {FEATURE_LA57, FEATURE_LM},
    {FEATURE_LAHF_LM, FEATURE_LM},
    {FEATURE_SYSCALL, FEATURE_LM},
    {FEATURE_FSGSBASE, FEATURE_LM},
    {FEATURE_PCID, FEATURE_LM},
    {FEATURE_X2APIC, FEATURE_APIC},
    {FEATURE_TSC_DEADLINE, FEATURE_APIC},
};

static void drop_dependents(X86Features *f)
{
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < G_N_ELEMENTS(needs); i++) {
            if (!feature_has(f, needs[i].needs)) {
                feature_set(f, needs[i].feature, false);
            }
        }
    }
}

/* ---- -cpu ---- */

typedef struct Parse {
    CpuModel *model;
    X86Features asked; /* by the model or by name */
    const CpuOffer *offer;
    bool enforce, check, hidden;
} Parse;

static void ask_all(Parse *p, const ModelRow *row)
{
    g_auto(GStrv) names = g_strsplit(row->features, " ", -1);

    for (int i = 0; names[i]; i++) {
        const FeatureRow *r = *names[i] ? feature_find(names[i]) : NULL;

        if (r) {
            feature_set(&p->asked, r->feature, true);
        }
    }
}

static const ModelRow *row_find(const char *name, Error **err)
{
    Nearest near = {.wrong = name};

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        nearest_try(&near, rows[i].name);
        if (!strcmp(rows[i].name, name)) {
            return &rows[i];
        }
    }
    error_set(err, "there is no CPU model %s", name);
    if (near.best) {
        error_hint(err, "did you mean %s? -cpu help lists them", near.best);
    } else {
        error_hint(err, "-cpu help lists them");
    }
    return NULL;
}

static void host_model_id(CpuModel *m)
{
    unsigned *text = (unsigned *)m->model_id, a = 0;

    for (unsigned i = 0; i < 3; i++) {
        __get_cpuid(0x80000002 + i, &text[4 * i], &text[4 * i + 1], &text[4 * i + 2], &a);
        text[4 * i + 3] = a;
    }
}

/* Guests choose code by vendor and family, and hardware behaves as its own vendor's does. */
static void host_identity(CpuModel *m)
{
    unsigned a = 0, b = 0, c = 0, d = 0;

    __get_cpuid(0, &a, &b, &c, &d);
    memcpy(m->vendor, (unsigned[]){b, d, c}, 12);
    __get_cpuid(1, &a, &b, &c, &d);
    m->stepping = a & 15;
    m->model = (a >> 4 & 15) | (a >> 12 & 0xf0);
    m->family = (a >> 8 & 15) + (a >> 20 & 0xff);
}

/* Every guest gets KVM's clock, as far as it can be had, unless it shall see no hypervisor. */
static void ask_clock(Parse *p)
{
    static const X86Feature clock[] = {FEATURE_KVM_CLOCK, FEATURE_KVM_NOPIODELAY,
                                       FEATURE_KVM_CLOCK_STABLE};

    for (unsigned i = 0; i < G_N_ELEMENTS(clock); i++) {
        feature_set(&p->asked, clock[i],
                    feature_has(&p->asked, FEATURE_HYPERVISOR) &&
                        feature_has(&p->offer->features, clock[i]));
    }
}

static void start_model(Parse *p, const ModelRow *row)
{
    CpuModel *m = p->model;

    *m = (CpuModel){.level = row->level,
                    .xlevel = row->xlevel,
                    .family = row->family,
                    .model = row->model,
                    .stepping = row->stepping,
                    .tsc_hz = p->offer->tsc_hz ?: DEFAULT_TSC_HZ,
                    .phys_bits = p->offer->phys_bits ? MIN(p->offer->phys_bits, DEFAULT_PHYS_BITS)
                                                     : DEFAULT_PHYS_BITS,
                    .hypervisor_leaf = true};
    g_strlcpy(m->name, row->name, sizeof m->name);
    g_strlcpy(m->vendor, row->vendor, sizeof m->vendor);
    if (row->model_id) {
        g_strlcpy(m->model_id, row->model_id, sizeof m->model_id);
    } else {
        host_model_id(m);
    }
    if (row->features) {
        ask_all(p, row);
        ask_clock(p);
    } else {
        p->asked = p->offer->features;
        if (p->offer->hardware) {
            host_identity(m);
        }
        feature_set(&p->asked, FEATURE_HT, false); /* the topology says */
        feature_set(&p->asked, FEATURE_CMP_LEGACY, false);
        feature_set(&p->asked, FEATURE_TOPOEXT, false);
        feature_set(&p->asked, FEATURE_SS, false);
    }
}

static bool flag_value(const char *key, const char *text, bool *to, Error **err)
{
    if (!strcmp(text, "on") || !strcmp(text, "yes") || !strcmp(text, "true")) {
        *to = true;
    } else if (!strcmp(text, "off") || !strcmp(text, "no") || !strcmp(text, "false")) {
        *to = false;
    } else {
        return error_set(err, "%s=%s is neither on nor off", key, text);
    }
    return true;
}

static bool number_value(const char *key, const char *text, uint64_t max, uint64_t *to, Error **err)
{
    char *end;

    *to = g_ascii_strtoull(text, &end, 0);
    if (!g_ascii_isdigit(*text) || *end || *to > max) {
        return error_set(err, "%s=%s is not a number up to %" PRIu64, key, text, max);
    }
    return true;
}

typedef struct NumberKey {
    const char *name;
    size_t offset, size;
    uint64_t max;
} NumberKey;

#define NUMBER_KEY(name, field, max)                                         \
    {                                                                        \
        name, offsetof(CpuModel, field), sizeof(((CpuModel *)0)->field), max \
    }

static const NumberKey number_keys[] = {
    NUMBER_KEY("level", level, UINT32_MAX),         NUMBER_KEY("xlevel", xlevel, UINT32_MAX),
    NUMBER_KEY("min-level", level, UINT32_MAX),     NUMBER_KEY("min-xlevel", xlevel, UINT32_MAX),
    NUMBER_KEY("family", family, 255 + 15),         NUMBER_KEY("model", model, 255),
    NUMBER_KEY("stepping", stepping, 15),           NUMBER_KEY("phys-bits", phys_bits, 52),
    NUMBER_KEY("tsc-frequency", tsc_hz, INT64_MAX),
};

/* Accepted because command lines carry them; they change nothing here. */
static const char *const ignored[] = {"migratable",
                                      "pmu",
                                      "host-phys-bits",
                                      "host-cache-info",
                                      "l3-cache",
                                      "legacy-cache",
                                      "fill-mtrr-mask",
                                      "lmce",
                                      "kvm-pv-enforce-cpuid",
                                      NULL};

/* Hyper-V's: some carry a value. hv-passthrough: all there are. */
static bool set_hv(Parse *p, const char *key, const char *text, Error **err)
{
    bool lacking, on;
    uint32_t bit = pv_hv_bit(key, &lacking);
    uint64_t n;

    if (same(key, "hv-vendor-id")) {
        return strlen(text) <= 12 ? g_strlcpy(p->model->hv_vendor, text, 13) < 13
                                  : error_set(err, "%s=%s has more than twelve letters", key, text);
    }
    if (bit == HV_SPINLOCKS) {
        if (!number_value(key, text, UINT32_MAX, &n, err)) {
            return false;
        }
        p->model->hv_spinlocks = n;
        p->model->hv |= bit;
        return true;
    }
    if (!flag_value(key, text, &on, err)) {
        return false;
    }
    if (same(key, "hv-passthrough")) {
        bit = p->offer->hv & HV_ALL & ~HV_SPINLOCKS;
    } else if (lacking && on) {
        return error_set(err, "%s is not offered here", key);
    } else if (!bit && !lacking) {
        return error_set(err, "-cpu knows no property %s", key);
    }
    p->model->hv = on ? p->model->hv | bit : p->model->hv & ~bit;
    return true;
}

static bool set_key(Parse *p, const char *key, const char *text, Error **err)
{
    CpuModel *m = p->model;
    uint64_t n;
    bool on;

    for (unsigned i = 0; i < G_N_ELEMENTS(number_keys); i++) {
        if (same(number_keys[i].name, key)) {
            if (!number_value(key, text, number_keys[i].max, &n, err)) {
                return false;
            }
            memcpy((char *)m + number_keys[i].offset, &n, number_keys[i].size);
            return true;
        }
    }
    if (!strcmp(key, "vendor")) {
        return strlen(text) == 12 ? g_strlcpy(m->vendor, text, sizeof m->vendor) > 0
                                  : error_set(err, "vendor=%s has not twelve letters", text);
    }
    if (same(key, "model-id")) {
        g_strlcpy(m->model_id, text, sizeof m->model_id);
        return true;
    }
    if (!strcmp(key, "enforce") || !strcmp(key, "check")) {
        return flag_value(key, text, *key == 'e' ? &p->enforce : &p->check, err);
    }
    if (!strcmp(key, "kvm")) {
        return flag_value(key, text, &on, err) && ((p->hidden = !on), true);
    }
    if (g_strv_contains(ignored, key)) {
        return true;
    }
    if (g_str_has_prefix(key, "hv-") || g_str_has_prefix(key, "hv_")) {
        return set_hv(p, key, text, err);
    }
    return error_set(err, "-cpu knows no property %s", key);
}

static bool set_feature(Parse *p, const char *name, bool on, Error **err)
{
    const FeatureRow *r = feature_find(name);

    if (!r) {
        Nearest near = {.wrong = name};

        for (const FeatureRow *f = feature_rows; f->name; f++) {
            nearest_try(&near, f->name);
        }
        error_set(err, "there is no CPU feature %s", name);
        return near.best ? error_hint(err, "did you mean %s? -cpu help lists them", near.best)
                         : false;
    }
    feature_set(&p->asked, r->feature, on);
    return true;
}

static bool parse_item(Parse *p, const char *item, Error **err)
{
    g_auto(GStrv) pair = g_strsplit(item, "=", 2);
    bool on;

    if (*item == '+' || *item == '-') {
        return set_feature(p, item + 1, *item == '+', err);
    }
    if (!pair[0]) {
        return error_set(err, "-cpu has an empty property");
    }
    if (feature_find(pair[0])) {
        return flag_value(pair[0], pair[1] ?: "on", &on, err) && set_feature(p, pair[0], on, err);
    }
    return set_key(p, pair[0], pair[1] ?: "on", err);
}

/* What was asked for and can be had; the rest goes to missing. */
static bool resolve(Parse *p, Error **err)
{
    CpuModel *m = p->model;
    g_autoptr(GString) lacking = g_string_new("");

    if (p->hidden || !feature_has(&p->asked, FEATURE_HYPERVISOR)) {
        p->asked.word[WORD_KVM_EAX] = 0;
    }
    for (int w = 0; w < WORD_COUNT; w++) {
        m->features.word[w] = p->asked.word[w] & p->offer->features.word[w];
    }
    drop_dependents(&m->features);
    for (const FeatureRow *r = feature_rows; r->name; r++) {
        if (feature_has(&p->asked, r->feature) && !feature_has(&m->features, r->feature)) {
            g_string_append_printf(lacking, "%s%s", lacking->len ? " " : "", r->name);
        }
    }
    g_strlcpy(m->missing, lacking->str, sizeof m->missing);
    m->hypervisor_leaf = feature_has(&m->features, FEATURE_HYPERVISOR) && (!p->hidden || m->hv);
    m->linear_bits = feature_has(&m->features, FEATURE_LA57) ? 57 : 48;
    if (!pv_hv_check(m->hv, p->offer->hv, err)) {
        return false;
    }
    if (m->phys_bits < 32) {
        return error_set(err, "phys-bits=%u is below 32", m->phys_bits);
    }
    if (p->enforce && lacking->len) {
        error_set(err, "%s cannot have here: %s", m->name, lacking->str);
        return error_hint(err, "leave out enforce, or take these features away (-cpu %s,-FEATURE)",
                          m->name);
    }
    return true;
}

bool model_resolve(const char *text, const CpuOffer *offer, CpuModel *out, Error **err)
{
    static const CpuOffer all = {.features.word = {[0 ... WORD_COUNT - 1] = ~0u}, .hv = HV_ALL};
    g_auto(GStrv) item = g_strsplit(text && *text ? text : "max", ",", -1);
    const ModelRow *row = row_find(item[0], err);
    Parse p = {.model = out, .offer = offer ?: &all};

    if (!row) {
        return false;
    }
    start_model(&p, row);
    for (int i = 1; item[i]; i++) {
        if (!parse_item(&p, item[i], err)) {
            return false;
        }
    }
    return resolve(&p, err);
}

bool model_parse(const char *text, CpuModel *out, Error **err)
{
    CpuOffer offer = {.hv = HV_SOFT};

    model_offered(&offer.features);
    return model_resolve(text, &offer, out, err);
}

char *model_help(void)
{
    GString *out = g_string_new("CPU models:\n");
    X86Features offered;
    unsigned column = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_string_append_printf(out, "  %-26s %s\n", rows[i].name, rows[i].about);
    }
    g_string_append(out, "\nCPU features that can be had here:\n ");
    model_offered(&offered);
    for (const FeatureRow *r = feature_rows; r->name; r++) {
        if (feature_has(&offered, r->feature)) {
            column += strlen(r->name) + 1;
            g_string_append_printf(out, "%s%s", column > 76 ? "\n  " : " ", r->name);
            column = column > 76 ? strlen(r->name) + 1 : column;
        }
    }
    g_string_append(out, "\n");
    return g_string_free(out, FALSE);
}
