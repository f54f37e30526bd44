/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A test mode: between units, what a guest cannot see is done at random. The TLB is emptied, or
 * loses its write tags, or only its first level goes; decoded blocks go; the whole code cache goes;
 * units become as short or as long as chance has it, and come back or lead on; somebody seems to
 * want the CPU. All follows from Cpu.stir, so that a seed repeats a run as far as the guest does.
 * Not here: other vCPUs' timing.
 */
#include "target/i386/rt/block.h"
#include "target/i386/rt/host.h"
#include "target/i386/rt/rt.h"
#include "target/i386/rt/walk.h"
#include "target/i386/translate/translate.h"

static uint32_t next(Cpu *c)
{
    c->stir = c->stir * 6364136223846793005u + 1442695040888963407u;
    c->stir |= !c->stir;
    return c->stir >> 32;
}

static bool one_in(Cpu *c, uint32_t n)
{
    return next(c) % n == 0;
}

/* Short ones are as likely as long ones. */
static void new_units(Cpu *c)
{
    c->unit_max = 1 + next(c) % (1u << next(c) % 7);
    if (c->unit_max > UNIT_MAX) {
        c->unit_max = UNIT_MAX;
    }
    c->unlinked = c->host->lockstep || next(c) & 1 << 16;
    c->translate_after = next(c) >> 8 & 7;
}

static void flush_code(Cpu *c, void *opaque)
{
    trans_flush(opaque);
}

void stir(Cpu *c)
{
    if (one_in(c, 64)) {
        new_units(c);
    }
    switch (next(c) >> 8 & 0xfff) {
    case 0:
        if (one_in(c, 4)) {
            HOST_DO(c, exclusive, flush_code, c->code);
        }
        break;
    case 1:
        block_flush(c);
        break;
    case 2:
    case 3:
        cpu_kick(c);
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        tlb_rights_changed(c);
        break;
    case 8:
    case 9:
    case 10:
    case 11:
        tlb_drop_writes(c);
        window_drop(c);
        break;
    case 12:
    case 13:
    case 14:
    case 15:
        tlb_flush(c);
        break;
    default:
        break;
    }
}
