/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What strip.c and attempt.c share. */
#pragma once
#include "target/i386/translate/unit.h"

/* In a strip, may flags be overwritten at the top? */
static inline bool strip_overwrites(const Strip *p)
{
    return p->clocked && p->recipe >= 0;
}

/* Where it is counted what was in vain. */
static inline uint32_t strip_counter_at(const Unit *u)
{
    return CPU_AT(strip_vain) + 4 * u->strip.counter;
}

/* The register that moves with the access, and alone says how far; REG_NONE: there is none. */
unsigned strip_mover(const Motion *m);
/* Flags are the guest's again, behind an attempt or a strip. */
void strip_flags_back(Unit *u);
/* The branch back of the first version comes here. */
void strip_attempt(Unit *u);
