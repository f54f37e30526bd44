/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What known.c, share.c and loop.c share: what is known of registers along a unit. */
#pragma once
#include "target/i386/translate/unit.h"

/* What is known of a register: value number `of`, plus a constant. byte: the value is below 256. */
typedef struct Known {
    uint16_t of;
    bool small; /* from -2^31 to 2^32, or not much beyond */
    bool byte;
    int64_t plus;
} Known;

typedef struct Knowledge {
    Known reg[16];
    uint16_t values;   /* numbers given so far */
    uint8_t stretch;   /* part of the unit in which accesses may share */
    uint8_t stretches; /* ... of how many */
    bool code64;
} Knowledge;

/* At a unit's top the value of register n is FIRST_VALUE + n. */
enum { FIRST_VALUE = VALUES };
/* Constants that leave a small value small. */
enum { SMALL_PLUS = 1 << 24 };

Knowledge known_at_top(const Unit *u);
/* Nothing is any more, and accesses behind this share nothing with those in front of it. */
void known_forget(Knowledge *k);
/* What the instruction in work makes of it. */
void known_follow(const Unit *u, Knowledge *k, const Insn *i);
/* Two ways meet. */
void known_meet(Knowledge *k, const Knowledge *other);
/* rip behind the instruction in work */
Known known_ip(const Unit *u);
bool known_small(Known k); /* constant included */

/* share.c: to u->access what the instruction in work accesses. false: what is known ends here, for
 * the interpreter's function may run. */
bool share_accesses(Unit *u, const Knowledge *k, const Insn *i);

/* loop.c: to u->edges how registers stand if the instruction in work leads to the unit's top. */
void loop_edge(Unit *u, const Knowledge *k);

static inline unsigned known_width(const Knowledge *k)
{
    return k->code64 ? 8 : 4;
}
