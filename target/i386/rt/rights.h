/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What page tables allow (SDM volume 3, "Paging"): for the walker and for who looks from
 * outside. */
#pragma once
#include "target/i386/rt/cpu.h"

/* What the page tables say of a linear address. */
typedef struct Walk {
    uint64_t phys;              /* of the byte                                             */
    uint64_t entry[5], at[5];   /* the entries on the way, and their physical addresses    */
    uint8_t depth, entry_bytes; /* how many; 4 or 8                                        */
    bool writable, user, no_execute, global, dirty;
    bool large, huge; /* more than 4 KB; and more than 4 MB */
    bool keep;        /* it may be remembered */
    uint8_t key;
} Walk;

enum { /* page-fault error code */
       FAULT_PRESENT = 1,
       FAULT_WRITE = 2,
       FAULT_USER = 4,
       FAULT_RESERVED = 8,
       FAULT_FETCH = 16,
       FAULT_KEY = 32,
};

/* Why that page may not be accessed so: error-code bits; 0: it may. */
uint32_t walk_denied(const Cpu *c, const Walk *w, bool user, bool smap, unsigned kind);

/* Is it an address that the CPU can form: sign-extended from bit 47 or 56 in long mode? */
bool canonical(const Cpu *c, uint64_t linear);
