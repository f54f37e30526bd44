/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs that write programs: functions made again and again, code that is patched while it is in
 * use, data beside code, code that runs once.
 */
#include "bench.h"

#include <string.h>
#include <sys/mman.h>

enum { CODE_BYTES = 1 << 20 };

typedef uint64_t (*Function)(uint64_t n);

static void code_prepare(uint8_t *arena)
{
    mprotect(arena, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC);
}

static uint8_t *bytes(uint8_t *at, const void *from, size_t count)
{
    memcpy(at, from, count);
    return at + count;
}

/* A function of random arithmetic on rax, whose argument is in rdi: about `length` instructions. */
static uint8_t *emit(uint8_t *at, uint64_t *random, uint32_t length)
{
    at = bytes(at, "\x48\x89\xf8", 3); /* mov rax, rdi */
    for (uint32_t n = 0; n < length; n++) {
        uint64_t r = next_random(random);
        uint32_t immediate = (uint32_t)(r >> 32);

        switch (r % 5) {
        case 0:
            at = bytes(bytes(at, "\x48\x05", 2), &immediate, 4); /* add rax, imm32 */
            break;
        case 1:
            at = bytes(bytes(at, "\x48\x35", 2), &immediate, 4); /* xor rax, imm32 */
            break;
        case 2:
            at = bytes(at, "\x48\xc1\xc8\x0b", 4); /* ror rax, 11 */
            break;
        case 3:
            at = bytes(at, "\x48\x8d\x44\x47\x03", 5); /* lea rax, [rdi+rax*2+3] */
            break;
        case 4:
            at = bytes(at, "\xa8\x10\x74\x03\x48\xff\xc0", 7); /* test al, 16; jz over; inc rax */
            break;
        }
    }
    *at++ = 0xc3;
    return at;
}

/* A unit: a function of 100 instructions is written over the one before and called 200 times. */
static uint64_t make_and_run(uint8_t *arena, uint64_t count)
{
    uint64_t random = 21, sum = 0;

    for (uint64_t n = 0; n < count; n++) {
        emit(arena, &random, 100);
        for (uint64_t i = 0; i < 200; i++) {
            sum += ((Function)(void *)arena)(i);
        }
    }
    return sum;
}

/* A unit: 64 functions of 30 instructions made behind each other, each called at once, then all ten
 * times. */
static uint64_t make_many(uint8_t *arena, uint64_t count)
{
    uint64_t random = 22, sum = 0;
    uint8_t *starts[64], *at = arena;

    for (uint64_t n = 0; n < count; n++) {
        if (at > arena + CODE_BYTES - (64 << 9)) {
            at = arena;
        }
        for (uint32_t i = 0; i < 64; i++) {
            starts[i] = at;
            at = emit(at, &random, 30);
            sum += ((Function)(void *)starts[i])(n);
        }
        for (uint32_t i = 0; i < 640; i++) {
            sum += ((Function)(void *)starts[i & 63])(i);
        }
    }
    return sum;
}

/* A unit: the constant in a loop's body is patched, then the loop runs 1000 times. */
static uint64_t patch_constant(uint8_t *arena, uint64_t count)
{
    /* xor eax, eax; 1: add rax, imm32; dec rdi; jnz 1b; ret */
    static const uint8_t code[] = "\x31\xc0\x48\x05\x01\x00\x00\x00\x48\xff\xcf\x75\xf5\xc3";
    uint64_t sum = 0;

    memcpy(arena, code, sizeof(code));
    for (uint64_t n = 0; n < count; n++) {
        uint32_t constant = (uint32_t)(n & 0xffff);

        memcpy(arena + 4, &constant, 4);
        sum += ((Function)(void *)arena)(1000);
    }
    return sum;
}

/* A unit: 100 calls of a function that changes its own next instruction. */
static uint64_t patch_self(uint8_t *arena, uint64_t count)
{
    /* lea rdx, [rip+5]; mov [rdx], edi at the immediate of: mov eax, imm32; ret */
    static const uint8_t code[] = "\x48\x8d\x15\x03\x00\x00\x00\x89\x3a\xb8\x00\x00\x00\x00\xc3";
    uint64_t sum = 0;

    memcpy(arena, code, sizeof(code));
    for (uint64_t n = 0; n < count * 100; n++) {
        sum += ((Function)(void *)arena)(n & 0xffffff);
    }
    return sum;
}

/* A unit: 1000 calls of a function that counts in a word on its own page. */
static uint64_t data_beside(uint8_t *arena, uint64_t count)
{
    /* add [rip+0x200], rdi; mov rax, [rip+0x1f9]; ret */
    static const uint8_t code[] = "\x48\x01\x3d\x00\x02\x00\x00\x48\x8b\x05\xf9\x01\x00\x00\xc3";
    uint64_t sum = 0;

    memcpy(arena, code, sizeof(code));
    memset(arena + 0x200, 0, 64);
    for (uint64_t n = 0; n < count * 1000; n++) {
        sum = ((Function)(void *)arena)(n);
    }
    return sum;
}

/* A unit: 4000 instructions of fresh code that run once, on pages that just came. */
static uint64_t run_once(uint8_t *arena, uint64_t count)
{
    uint64_t random = 23, sum = 0;

    for (uint64_t n = 0; n < count; n++) {
        uint8_t *pages =
            mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        uint8_t *starts[80], *at = pages;

        for (uint32_t i = 0; i < 80; i++) {
            starts[i] = at;
            at = emit(at, &random, 50);
        }
        mprotect(pages, 65536, PROT_READ | PROT_EXEC);
        for (uint32_t i = 0; i < 80; i++) {
            sum += ((Function)(void *)starts[i])(n);
        }
        munmap(pages, 65536);
    }
    return sum;
}

/* clang-format off */
const Workload jit_workloads[] = {
    {"jit", "make-run", make_and_run, code_prepare},
    {"jit", "make-many", make_many, code_prepare},
    {"jit", "patch-constant", patch_constant, code_prepare},
    {"jit", "patch-self", patch_self, code_prepare},
    {"jit", "data-beside", data_beside, code_prepare},
    {"jit", "run-once", run_once},
    {0},
};
/* clang-format on */
