/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between lockstep.c, which runs, and lockstep_compare.c, which compares. */
#pragma once
#include "accel/tcg/lockstep.h"
#include "target/i386/rt/fpu.h"
#include "target/i386/rt/rt.h"
#include "target/i386/translate/translate.h"

enum { PAGES = 96, TOLD = 64, SEEN_BITS = 18 };

typedef enum { PHASE_OFF, PHASE_FIRST, PHASE_SECOND } Phase;

typedef struct Copy {
    PhysPage page;
    bool changed; /* by the first run */
    uint8_t before[GUEST_PAGE], after[GUEST_PAGE];
} Copy;

typedef struct End { /* how a run ended */
    X86State s;
    bool unwound, pending, has_error, block_break;
    uint8_t vector;
    uint32_t error, exit;
    uint64_t cr2;
    uint8_t *image;
} End;

struct Lockstep {
    RtHost host; /* first: c->host leads here */
    const RtHost *real;
    Cpu *c;
    Phase phase;
    bool skip;
    bool element;       /* one step of a repetition is running */
    bool others;        /* there are other vCPUs: they stand still while this one is compared */
    bool barred, plain; /* a device was wanted: all is taken back, the unit runs uncompared */
    unsigned often, pages, told, told_at;
    uint64_t random, compared, skipped, differ;
    uint64_t unknown; /* flags that the manual leaves undefined, as things stand */
    Copy copy[PAGES];
    uint64_t tell[TOLD];
    X86State before;
    uint8_t *image_before;
    End first;
    uint32_t seen[1 << SEEN_BITS];
};

/* Is the interpreter where the unit left, with the same registers? */
bool lockstep_arrived(Lockstep *l);

/* What both runs of a unit have left; unwound: how the second ended. */
void lockstep_compare(Lockstep *l, const Trans *t, bool unwound);

/* Say that they differ, with the unit's instructions; the first few times. */
void lockstep_differs(Lockstep *l, const Trans *t, const char *how);
