/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From linear to physical addresses: page walk and rights, for mem.c and tlb.c. */
#pragma once
#include "target/i386/rt/mem.h"

/* What the page tables say of a linear address. */
typedef struct Walk {
    uint64_t phys;              /* of the byte                                             */
    uint64_t entry[5], at[5];   /* the entries on the way, and their physical addresses    */
    uint8_t depth, entry_bytes; /* how many; 4 or 8                                        */
    bool writable, user, no_execute, global, large, dirty;
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

/* Translate, set A and D, check rights. Raises #PF. */
void walk(Cpu *c, uint64_t linear, AccessKind kind, Walk *w);

/* Why that page may not be accessed so: error-code bits; 0: it may. */
uint32_t walk_denied(const Cpu *c, const Walk *w, bool user, bool smap, unsigned kind);

/* PAE paging: load the four PDPTEs from CR3. false: a reserved bit is set; nothing is loaded. */
bool walk_load_pdptes(Cpu *c, uint64_t cr3);

/* The view whose rights such an access has. */
View mem_view(const Cpu *c, AccessKind kind);

/* Is it an address that the CPU can form: sign-extended from bit 47 or 56 in long mode? */
bool canonical(const Cpu *c, uint64_t linear);

void tlb_fill(Cpu *c, View view, uint64_t linear, const Walk *w, const PhysPage *p);
