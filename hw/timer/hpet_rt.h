/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the HPET publishes for answers without it; plain C. */
#pragma once
#include "softmmu/memory/answer.h"

typedef struct HpetCount {
    RtVersion version;
    _Atomic bool runs;
    _Atomic uint64_t counter, base; /* the count at guest time `base` */
} HpetCount;

/* data: a HpetCount. */
RtAnswer hpet_answer;
