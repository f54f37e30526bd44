/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The integer and branch workloads in 32-bit code, without a C library: bench32 NAME COUNT prints
 * the checksum. segments is a loop in code and data segments that have a base and a limit.
 */
#include "bench.h"

typedef struct Descriptor {
    uint32_t entry, base, limit, flags;
} Descriptor;

enum {
    SYS_EXIT = 1,
    SYS_WRITE = 4,
    SYS_MODIFY_LDT = 123,
    ARENA32_BYTES = 8 << 20,
    DATA32 = 1,
    CODE32 = 1 | 2 << 1
};

static int system_call(int number, uint32_t one, const void *two, uint32_t three)
{
    int result;

    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(one), "c"(two), "d"(three)
                     : "memory");
    return result;
}

/* Sets an entry of the LDT; flags are those of struct user_desc: bit 0 for 32 bits, bits 1 and 2
 * the contents. */
static uint32_t segment(uint32_t n, const void *base, uint32_t limit, uint32_t flags)
{
    Descriptor d = {n, (uint32_t)(uintptr_t)base, limit, flags};

    system_call(SYS_MODIFY_LDT, 1, &d, sizeof(d));
    return n << 3 | 7;
}

/* A unit: 1000 rounds of a loop over 256 words, in a code segment and a data segment with bases and
 * limits. 32-bit ones: Debian's amd64 kernels are built without CONFIG_X86_16BIT and refuse others
 * (16-bit code is measured by real-mode). There and back by far jumps: QEMU's far calls and returns
 * reach the stack with the rights of the kernel, which SMAP forbids. */
static uint64_t segments32(uint8_t *arena, uint64_t count)
{
    extern const uint8_t code32[] __attribute__((visibility("hidden")));
    uint32_t code = segment(0, code32, 0xff, CODE32), data = segment(1, arena, 0x3ff, DATA32);
    uint64_t target = (uint64_t)code << 32, back;
    uint32_t sum = 0;
    uint16_t cs;

    __asm__("mov %%cs, %0" : "=r"(cs));
    back = (uint64_t)cs << 32;

    for (uint64_t n = 0; n < count; n++) {
        uint32_t left = 1000;

        __asm__ volatile("mov %w[data], %%es\n movl $1f, (%[back])\n ljmp *%[target]\n"
                         "1: push %%ds\n pop %%es"
                         : "+c"(left), "+a"(sum)
                         : [data] "r"(data), [target] "m"(target), [back] "S"(&back)
                         : "edx", "edi", "memory", "cc");
    }
    return sum;
}

__asm__(".pushsection .text\n"
        "code32: xor %edi, %edi\n"
        "1: mov %es:(%edi), %dx\n add %dx, %ax\n rol $1, %ax\n mov %ax, %es:0x200(%edi)\n"
        "   add $2, %edi\n and $0x1ff, %edi\n jnz 2f\n inc %eax\n 2: dec %ecx\n jnz 1b\n"
        "   ljmp *(%esi)\n"
        ".popsection");

static int same(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

void *memset(void *to, int value, size_t bytes)
{
    uint8_t *at = to;

    while (bytes--) {
        *at++ = (uint8_t)value;
        __asm__("" : "+r"(at));
    }
    return to;
}

static void print(uint64_t value)
{
    char text[17];

    for (int n = 15; n >= 0; n--, value >>= 4) {
        text[n] = "0123456789abcdef"[value & 15];
    }
    text[16] = '\n';
    system_call(SYS_WRITE, 1, text, 17);
}

/* The stack as the kernel left it: the number of arguments, then they. */
__attribute__((used, noreturn)) static void begin(uint32_t *stack)
{
    static uint8_t arena[ARENA32_BYTES] __attribute__((aligned(4096)));
    static const Workload segments[] = {{"32-bit", "segments", segments32}, {0}};
    const Workload *tables[] = {integer_workloads, branch_workloads, segments};
    uint64_t count = 0;

    for (const char *digit = (const char *)(uintptr_t)stack[3]; stack[0] == 3 && *digit; digit++) {
        count = count * 10 + (uint64_t)(*digit - '0');
    }
    for (int n = 0; n < 3 && count; n++) {
        for (const Workload *w = tables[n]; w->name; w++) {
            if (same(w->name, (const char *)(uintptr_t)stack[2])) {
                if (w->prepare) {
                    w->prepare(arena);
                }
                print(w->run(arena, count));
                system_call(SYS_EXIT, 0, NULL, 0);
            }
        }
    }
    system_call(SYS_EXIT, 1, NULL, 0);
    __builtin_unreachable();
}

__asm__(".globl _start\n_start: mov %esp, %eax\n and $-16, %esp\n sub $12, %esp\n push %eax\n call "
        "begin\n hlt");
