/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * While a device is asked, the vCPU is outside, and another one may empty the code cache: nobody
 * comes back to code that is gone. Here the device does it, and fills what was code with INT3.
 */
#include "target/i386/translate/translate.h"
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

#include <string.h>

static void empty(BareCpu *b)
{
    CodeCache *cache = b->code;

    if (cache) {
        trans_flush(cache);
        memset(cache->write + cache->fixed, 0xcc, cache->size - cache->fixed);
    }
}

static uint32_t port_read(Cpu *c, uint16_t port, unsigned size)
{
    empty(c->vcpu);
    return 5;
}

static void port_write(Cpu *c, uint16_t port, uint32_t value, unsigned size)
{
    empty(c->vcpu);
}

static uint64_t mmio_read(Cpu *c, uint64_t phys, unsigned size)
{
    empty(c->vcpu);
    return 7;
}

static void mmio_write(Cpu *c, uint64_t phys, uint64_t value, unsigned size)
{
    empty(c->vcpu);
}

/* clang-format off */
GUEST(ports, ".code64\n xor %eax, %eax\n 1: in $0x80, %eax\n add %rax, %rbx\n out %al, $0x81\n add $1, %rbx\n"
             " dec %ecx\n jnz 1b\n hlt");
GUEST(reads, ".code64\n 1: mov (%rsi), %eax\n add %rax, %rbx\n add (%rsi), %bl\n cmp %edx, 64(%rsi)\n setne %al\n"
             " movd (%rsi), %xmm0\n movd %xmm0, %eax\n add %rax, %rbx\n dec %ecx\n jnz 1b\n hlt");
GUEST(writes, ".code64\n 1: mov %eax, (%rsi)\n add $1, %rbx\n incl 8(%rsi)\n push (%rsi)\n pop %rax\n add %rax, %rbx\n"
              " movd %xmm0, (%rsi)\n lock xadd %edi, (%rsi)\n dec %ecx\n jnz 1b\n hlt");
GUEST(strings_of, ".code64\n 1: mov $0x800000, %esi\n mov $0x30000, %edi\n push %rcx\n mov $9, %ecx\n rep movsl\n"
                  " pop %rcx\n add -4(%rdi), %ebx\n dec %ecx\n jnz 1b\n hlt");
/* clang-format on */

static uint64_t sum(const uint8_t *from, const uint8_t *to)
{
    BareCpu *b = bare_new_as(CODE_64, true);
    uint64_t value;

    b->host.port_read = port_read;
    b->host.port_write = port_write;
    b->host.mmio_read = mmio_read;
    b->host.mmio_write = mmio_write;
    b->c->s.gpr[R_SI] = 0x800000;
    b->c->s.gpr[R_CX] = 20;
    bare_load(b, from, to);
    bare_run(b);
    check(bare_fault(b), -1);
    check(b->c->s.gpr[R_CX], 0);
    value = b->c->s.gpr[R_BX];
    bare_free(b);
    return value;
}

TEST("translate: a cache that is emptied while a device is asked is not come back to")
{
    check(sum(ports, ports_end), 20 * 6);
    check(sum(reads, reads_end) & 0xff, 20 * 21 & 0xff);
    check(sum(writes, writes_end), 20 * 8);
    check(sum(strings_of, strings_of_end), 20 * 7);
}
