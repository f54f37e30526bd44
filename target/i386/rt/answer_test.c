/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers of devices, guest time and the task priority, as the run-time library comes to them. */
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

enum { DEVICE = BARE_RAM + 0x1000, PORT = 0x608 };

/* Answers reads below offset 8 with the offset, and keeps what is written there. */
static bool low_half(void *data, const RtClock *clock, RtIo *io)
{
    uint64_t *kept = data;

    if (io->offset >= 8) {
        return false;
    }
    *kept = io->write ? io->value : *kept;
    io->value = io->write ? io->value : 0x50 + io->offset;
    return true;
}

GUEST(ports, ".code64\n mov $0x608, %edx\n in %dx, %eax\n mov %eax, %ebx\n mov $7, %eax\n"
             " out %eax, %dx\n mov $0x610, %edx\n out %eax, %dx\n hlt");

TEST("answers: a port's comes from the range that covers it, or else from the world")
{
    BareCpu *b = bare_new(CODE_64);
    uint64_t kept = 0;

    b->c->answers[RT_PORTS] = (RtRanges){1, {{PORT, 16, 0, low_half, &kept}}};
    bare_load(b, ports, ports_end);
    bare_run(b);
    check(b->c->s.gpr[R_BX], 0x50);
    check(kept, 7);
    check(b->port_writes, 1);
    bare_free(b);
}

TEST("answers: a device page's; what goes past the range or is declined reaches the device")
{
    BareCpu *b = bare_new(CODE_64);
    uint64_t kept = 0;

    b->c->answers[RT_MEMORY] = (RtRanges){1, {{DEVICE, 10, 0, low_half, &kept}}};
    check(mem_read(b->c, DEVICE + 4, 4), 0x54);
    mem_write(b->c, DEVICE, 9, 8);
    check(kept, 9);
    check(b->mmio_reads + b->mmio_writes, 0);
    check(mem_read(b->c, DEVICE + 7, 4), DEVICE + 7);
    check(mem_read(b->c, DEVICE + 9, 1), (DEVICE + 9) & 0xff);
    check(b->mmio_reads, 2);
    bare_free(b);
}

TEST("answers: what is known of a device page is forgotten with its translation")
{
    BareCpu *b = bare_new(CODE_64);
    uint64_t *pd = (uint64_t *)(b->ram + BARE_TABLES + 0x3000), at = BARE_RAM + 0x10;

    b->ram[0x200010] = 0x77;
    check(mem_read(b->c, at, 1), at & 0xff);
    check(mem_read(b->c, at, 1), at & 0xff);
    pd[BARE_RAM >> 21] = 0x200000 | 0xe7;
    tlb_flush_page(b->c, at);
    check(mem_read(b->c, at, 1), 0x77);
    check(b->mmio_reads, 2);
    bare_free(b);
}

TEST("answers: a device page that was read is looked up again before it is written")
{
    BareCpu *b = bare_new(CODE_64);
    uint64_t *pd = (uint64_t *)(b->ram + BARE_TABLES + 0x3000);

    pd[BARE_RAM >> 21] &= ~2ull; /* read only */
    b->c->s.cr0 |= CR0_WP;
    tlb_rights_changed(b->c);
    check(mem_read(b->c, DEVICE, 4), (uint32_t)DEVICE);
    check(device_page(b->c, b->c->view, DEVICE, false) != NULL, true);
    check(device_page(b->c, b->c->view, DEVICE, true) == NULL, true);
    bare_free(b);
}

GUEST(loop, ".code64\n mov $0x401010, %esi\n mov $100, %ecx\n"
            "1: add (%rsi), %eax\n mov %eax, 8(%rsi)\n dec %ecx\n jnz 1b\n hlt");

TEST("answers: a loop over device registers reads and writes each once a round")
{
    BareCpu *b = bare_run_code(CODE_64, loop, loop_end, NULL);

    check(b->mmio_reads, 100);
    check(b->mmio_writes, 100);
    check(b->c->s.gpr[R_AX], (uint32_t)(100 * 0x401010));
    check(b->mmio_value, (uint32_t)(100 * 0x401010));
    bare_free(b);
}

static uint8_t get_tpr(Cpu *c)
{
    return 0x74;
}

static void put_tpr(Cpu *c, uint8_t tpr)
{
    ((BareCpu *)c->vcpu)->port_value = tpr;
}

GUEST(cr8, ".code64\n mov %cr8, %rbx\n mov $5, %eax\n mov %rax, %cr8\n hlt");

TEST("answers: CR8 is the upper half of the task priority")
{
    BareCpu *b = bare_new(CODE_64);

    b->host.tpr = get_tpr;
    b->host.set_tpr = put_tpr;
    bare_load(b, cr8, cr8_end);
    bare_run(b);
    check(b->c->s.gpr[R_BX], 7);
    check(b->port_value, 0x50);
    bare_free(b);
}

TEST("answers: the time stamp is guest time at the model's frequency, to the last tick")
{
    BareCpu *b = bare_new(CODE_64);
    _Atomic int64_t now = 1152921504606846975, offset = 0; /* 2^60 - 1 */

    b->c->clock = (RtClock){.now = &now, .offset = &offset};
    b->c->tsc_hz = 3579545001;
    b->c->s.tsc_offset = 11;
    check(rt_tsc(b->c), (uint64_t)((unsigned __int128)now * b->c->tsc_hz / 1000000000) + 11);
    now = 0;
    check(rt_tsc(b->c), 11);
    bare_free(b);
}
