/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPU models: named lists of features, and what -cpu makes of them. A model shows only what this
 * engine implements on this host; what a named model should have and cannot is listed in `missing`.
 */
#pragma once
#include "target/i386/feature.h"
#include "util/error.h"

typedef struct CpuModel {
    char name[32], vendor[13], model_id[49];
    uint32_t level, xlevel; /* highest CPUID leaves */
    uint32_t family, model, stepping;
    uint8_t phys_bits, linear_bits;
    uint64_t tsc_hz;
    bool hypervisor_leaf; /* 4000_0000 is there */
    X86Features features;
    uint32_t hv, hv_spinlocks; /* Hyper-V's enlightenments (pv.h), retries before it is told */
    char hv_vendor[13];        /* "": the usual                                           */
    char missing[256]; /* names of features asked for and not to be had, blanks between; or "" */
} CpuModel;

/* What an engine can give: nothing that is not in it is shown to a guest. */
typedef struct CpuOffer {
    X86Features features;
    uint64_t tsc_hz;   /* what the TSC counts in unless the user says; 0: the model's default */
    uint8_t phys_bits; /* the most that addresses can have; 0: any                            */
    uint32_t hv;       /* Hyper-V's enlightenments (pv.h)                                     */
    bool hardware;     /* it is the host's own CPU: max and host have its vendor and family   */
} CpuOffer;

/* Parse what -cpu takes: "Haswell-noTSX,+aes,-avx2,smap=off,enforce=on"; NULL: the default. offer
 * NULL: look at the words only, whatever can be had. */
bool model_resolve(const char *text, const CpuOffer *offer, CpuModel *out, Error **err);

/* The same with what the software engine offers. */
bool model_parse(const char *text, CpuModel *out, Error **err);

/* -cpu help: models, then features. The caller frees it. */
char *model_help(void);

/* Models in order, for introspection: NULL at the end. */
const char *model_name(unsigned n);

/* The name of a feature as -cpu spells it, or NULL. */
const char *feature_name(X86Feature feature);

/* What the software engine can offer on this host, at most. Thread-safe. */
void model_offered(X86Features *out);
