/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A world without devices for the run-time library (quiethost.h). */
#include "tests/lib/quiethost.h"

#include "accel/tcg/window.h"
#include "softmmu/memory/memory_impl.h"
#include "target/i386/rt/rt.h"

static uint64_t mmio_read(Cpu *c, uint64_t phys, unsigned size)
{
    return ~0ull;
}

static void mmio_write(Cpu *c, uint64_t phys, uint64_t value, unsigned size)
{
}

static uint32_t port_read(Cpu *c, uint16_t port, unsigned size)
{
    return ~0u;
}

static void port_write(Cpu *c, uint16_t port, uint32_t value, unsigned size)
{
}

static void dirty(Cpu *c, const PhysPage *page, unsigned offset, unsigned size)
{
}

static void code_page(Cpu *c, const uint8_t *host)
{
    tlb_drop_writes_to(c, host);
}

static void exclusive(Cpu *c, void (*fn)(Cpu *c, void *opaque), void *opaque)
{
    fn(c, opaque);
}

static bool apic_read(Cpu *c, uint32_t index, uint64_t *value)
{
    *value = 0;
    return true;
}

static bool apic_write(Cpu *c, uint32_t index, uint64_t value)
{
    return true;
}

static uint8_t tpr(Cpu *c)
{
    return 0;
}

static void set_tpr(Cpu *c, uint8_t tpr)
{
}

static uint64_t tsc(Cpu *c)
{
    return c->retired;
}

static bool random_number(Cpu *c, uint64_t *value)
{
    *value = 0x0123456789abcdef;
    return true;
}

static void cpuid(Cpu *c, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    out[0] = out[1] = out[2] = out[3] = 0;
}

static void log_interrupt(Cpu *c, const LastException *e)
{
}

static void unimplemented(Cpu *c, const char *what, uint64_t value)
{
}

static void smm_changed(Cpu *c)
{
}

struct Ram *quiet_ram(size_t bytes, uint8_t **host)
{
    Ram *ram = ram_new("test", bytes, RAM_SHARED, NULL);

    *host = ram ? ram->host : NULL;
    return ram;
}

void quiet_ram_free(struct Ram *ram)
{
    ram_unref(ram);
}

const RtHost quiet_host = {
    .mmio_read = mmio_read,
    .mmio_write = mmio_write,
    .port_read = port_read,
    .port_write = port_write,
    .dirty = dirty,
    .code_page = code_page,
    .exclusive = exclusive,
    .apic_msr_read = apic_read,
    .apic_msr_write = apic_write,
    .tpr = tpr,
    .set_tpr = set_tpr,
    .tsc = tsc,
    .random = random_number,
    .cpuid = cpuid,
    .log_interrupt = log_interrupt,
    .cpu_time = window_host_cpu_time,
    .window_differs = window_host_differs,
    .window_map = window_host_map,
    .window_unmap = window_host_unmap,
    .window_close = window_host_close,
    .unimplemented = unimplemented,
    .smm_changed = smm_changed,
};
