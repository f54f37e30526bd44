/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vCPU's memory through its page tables, without touching anything but what is to be written: for
 * disassembly, the debugger and the monitor. No rights are checked, no A or D bit is set (SDM
 * volume 3, "Paging").
 */
#include "target/i386/cpu.h"

enum { ENTRY_P = 1, ENTRY_LARGE = 0x80 };
#define ADDRESS_BITS 0x000ffffffffff000ull

static uint64_t entry(Vcpu *cpu, uint64_t phys, unsigned size)
{
    uint64_t value = 0;

    mem_read(&cpu->memory, (Access){.cpu = cpu, .debug = true, .smm = cpu->state->smm}, phys,
             &value, size);
    return value;
}

/* Levels from the top down, nine bits each; a large page may end the walk at levels 1 and 2. */
static bool walk_wide(Vcpu *cpu, uint64_t table, int level, uint64_t linear, uint64_t *phys)
{
    for (; level >= 0; level--) {
        unsigned shift = 12 + 9 * level;
        uint64_t e = entry(cpu, (table & ADDRESS_BITS) + (linear >> shift & 511) * 8, 8);
        uint64_t inside = (1ull << shift) - 1;

        if (!(e & ENTRY_P)) {
            return false;
        }
        if (!level || (level <= 2 && e & ENTRY_LARGE)) {
            *phys = (e & ADDRESS_BITS & ~inside) | (linear & inside);
            return true;
        }
        table = e;
    }
    return false;
}

static bool walk_narrow(Vcpu *cpu, uint32_t linear, uint64_t *phys)
{
    const X86State *s = cpu->state;
    uint32_t e = entry(cpu, (s->cr3 & ~0xfffull) + (linear >> 22) * 4, 4);

    if (!(e & ENTRY_P)) {
        return false;
    }
    if (e & ENTRY_LARGE && s->cr4 & CR4_PSE) {
        *phys = (e & 0xffc00000u) | (uint64_t)(e >> 13 & 0xff) << 32 | (linear & 0x3fffff);
        return true;
    }
    e = entry(cpu, (e & ~0xfffu) + (linear >> 12 & 1023) * 4, 4);
    *phys = (e & ~0xfffu) | (linear & 0xfff);
    return e & ENTRY_P;
}

bool cpu_translate(Vcpu *cpu, uint64_t linear, uint64_t *phys)
{
    const X86State *s = cpu->state;

    if (!(s->cr0 & CR0_PG)) {
        *phys = (uint32_t)linear;
        return true;
    }
    if (s->efer & EFER_LMA) {
        return walk_wide(cpu, s->cr3, s->cr4 & CR4_LA57 ? 4 : 3, linear, phys);
    }
    if (s->cr4 & CR4_PAE) {
        uint64_t pdpte = s->pdpte[linear >> 30 & 3];

        return pdpte & ENTRY_P && walk_wide(cpu, pdpte, 1, (uint32_t)linear, phys);
    }
    return walk_narrow(cpu, linear, phys);
}

/* Page by page; how many bytes could be moved. */
static unsigned move(Vcpu *cpu, uint64_t linear, uint8_t *bytes, unsigned n, bool write)
{
    Access by = {.cpu = cpu, .debug = true, .smm = cpu->state->smm};
    unsigned done = 0;

    while (done < n) {
        unsigned step = MIN(n - done, GUEST_PAGE - (linear + done) % GUEST_PAGE);
        MemResult result;
        uint64_t phys;

        if (!cpu_translate(cpu, linear + done, &phys)) {
            break;
        }
        phys &= cpu->state->a20 ? ~0ull : ~(1ull << 20);
        result = write ? mem_write(&cpu->memory, by, phys, bytes + done, step)
                       : mem_read(&cpu->memory, by, phys, bytes + done, step);
        if (result != MEM_OK) {
            break;
        }
        done += step;
    }
    return done;
}

unsigned cpu_peek(Vcpu *cpu, uint64_t linear, void *to, unsigned n)
{
    return move(cpu, linear, to, n, false);
}

unsigned cpu_poke(Vcpu *cpu, uint64_t linear, const void *from, unsigned n)
{
    return move(cpu, linear, (uint8_t *)from, n, true);
}
