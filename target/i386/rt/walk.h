/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From linear to physical addresses: page walk and rights, for mem.c and tlb.c. */
#pragma once
#include "target/i386/rt/mem.h"
#include "target/i386/rt/rights.h"

/* Translate, set A and D, check rights. Raises #PF. */
void walk(Cpu *c, uint64_t linear, AccessKind kind, Walk *w);

/* PAE paging: load the four PDPTEs from CR3. false: a reserved bit is set; nothing is loaded. */
bool walk_load_pdptes(Cpu *c, uint64_t cr3);

/* The view whose rights such an access has. */
View mem_view(const Cpu *c, AccessKind kind);

void tlb_fill(Cpu *c, View view, uint64_t linear, const Walk *w, const PhysPage *p);
