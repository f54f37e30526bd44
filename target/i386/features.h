/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "target/i386/feature.h"

#include <stddef.h>

typedef enum { NONE, SOFT, HOST, TRUTH } FeatureSource; /* see features.c */

typedef struct FeatureRow {
    const char *name, *alias; /* as -cpu spells it; another spelling, or NULL */
    X86Feature feature;
    FeatureSource source;
} FeatureRow;

extern const FeatureRow feature_rows[]; /* ends with a NULL name */
