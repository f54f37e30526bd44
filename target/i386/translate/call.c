/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions that are calls of the interpreter's functions: the shared routine puts the registers
 * into Cpu.s, calls, and takes them back unless the function wants the loop to look around.
 */
#include "target/i386/translate/unit.h"

/* The record outlives the decoded block that it comes from; NULL: no room. */
static const Insn *keep_insn(Unit *u, const Insn *i)
{
    CodeCache *cache = u->cache;
    Insn *to = (Insn *)(cache->data + cache->data_used);

    if (cache->data_size - cache->data_used < sizeof *to) {
        u->e.full = true;
        return NULL;
    }
    cache->data_used += sizeof *to;
    *to = *i;
    return to;
}

void emit_call(Unit *u, bool last)
{
    Emit *e = &u->e;
    const Insn *i = keep_insn(u, unit_now(u)->i);

    flags_settle(u, true);
    mov_imm(e, SCRATCH_B, (uintptr_t)i);
    mov_imm(e, SCRATCH_C, unit_next(u));
    emit_call_routine(u, last ? u->cache->call_last : u->cache->call);
    u->fpu_known = false;
    u->called = true;
}
