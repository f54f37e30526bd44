/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From linear to physical addresses: page walk and rights, for mem.c and tlb.c. */
#pragma once
#include "target/i386/rt/mem.h"
#include "target/i386/rt/rights.h"

/* Translate, set A and D, check rights. false: page fault, with that error code. */
bool walk_try(Cpu *c, uint64_t linear, AccessKind kind, Walk *w, uint32_t *fault);

/* What the tables say now: nothing is set, checked or remembered. false: no page. */
bool walk_look(Cpu *c, uint64_t linear, Walk *w);

/* PAE paging: load the four PDPTEs from CR3. false: a reserved bit is set; nothing is loaded. */
bool walk_load_pdptes(Cpu *c, uint64_t cr3);

/* The same from the second level of the TLB, where that knows the page. */
bool mem_look_up_try(Cpu *c, uint64_t linear, AccessKind kind, Walk *w, uint32_t *fault);

/* The view whose rights such an access has. */
View mem_view(const Cpu *c, AccessKind kind);

/* The second level (tlb2.c). Keys of contexts; see Tlb2. */
void tlb2_flush(Cpu *c);                 /* everything                                    */
void tlb2_flush_pcids(Cpu *c);           /* all but global pages                          */
void tlb2_cr3_loaded(Cpu *c, bool keep); /* the context is that of CR3's PCID     */
void tlb2_flush_pcid(Cpu *c, unsigned pcid);
void tlb2_flush_page(Cpu *c, unsigned pcid, uint64_t linear, bool global_too);
unsigned tlb2_pcid(const Cpu *c);            /* the current one, or 0 */
uint64_t tlb2_find(Cpu *c, uint64_t linear); /* page and TLB2_ bits of the 4 KB piece; 0: none */
void tlb2_insert(Cpu *c, uint64_t linear, const Walk *w);
/* The size of the largest page that may be remembered of an address: its upper bits begin there. */
enum { REACH_PAGE = 12, REACH_LARGE = 22, REACH_HUGE = 30 };
static inline unsigned tlb2_reach(const Cpu *c, uint64_t linear)
{
    unsigned gb = linear >> 30 & 63;

    return c->tlb2.huge_at >> gb & 1  ? REACH_HUGE
         : c->tlb2.large_at >> gb & 1 ? REACH_LARGE - !!(c->s.cr4 & CR4_PAE)
                                      : REACH_PAGE;
}

/* Give the first level tags for that page, as its rights and what lies there allow. A page whose
 * writes are logged is marked, and gets a write tag, when the access is a write. */
void tlb_fill(Cpu *c, View view, uint64_t linear, const Walk *w, AccessKind kind);

/* Host address of a byte of RAM that can be read there, its page's bytes behind it; NULL: ask
 * phys_page(). */
uint8_t *phys_host(Cpu *c, uint64_t phys);
