/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How fast the interpreter is by itself: a few loops of 64-bit code on a bare CPU, in millions of
 * guest instructions per second of CPU time; and what paging costs: a page's refill of the TLB when
 * its entry is in the second level and when it must be walked for, and a load of CR3.
 * `rt-speed [seconds [refill]]`
 */
#include "tests/lib/barecpu.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/* clang-format off */
GUEST(registers, ".code64\n"
    "1: add %rbx, %rax\n lea 3(%rax,%rcx,2), %rdx\n xor %edx, %esi\n shr $3, %esi\n cmp %rsi, %rax\n"
    "   cmovb %rcx, %rdi\n test %al, %al\n jz 2f\n inc %ecx\n2: jmp 1b");
GUEST(memory, ".code64\n"
    "xor %ecx, %ecx\n"
    "1: mov 0x30000(,%rcx,8), %rax\n add %rax, 0x31000(,%rcx,8)\n movzbl 0x30000(%rcx), %edx\n"
    "   mov %edx, 0x30800(,%rcx,4)\n inc %ecx\n and $0xff, %ecx\n jmp 1b");
GUEST(calls, ".code64\n"
    "1: mov $5, %edi\n call 2f\n jmp 1b\n"
    "2: push %rbp\n mov %rsp, %rbp\n push %rbx\n sub $8, %rsp\n mov %edi, %ebx\n cmp $1, %edi\n jbe 3f\n"
    "   lea -1(%rdi), %edi\n call 2b\n add %ebx, %eax\n3: add $8, %rsp\n pop %rbx\n pop %rbp\n ret");
GUEST(locked, ".code64\n"
    "1: lock incl 0x30000\n mov $0, %eax\n lock cmpxchg %ecx, 0x30040\n gs movl 0x30000, %edx\n jmp 1b");
GUEST(vectors, ".code64\n"
    "1: movaps 0x30000, %xmm0\n addps %xmm1, %xmm0\n mulps 0x30010, %xmm0\n pxor %xmm2, %xmm3\n"
    "   movups %xmm0, 0x30020\n pshufd $0x1b, %xmm0, %xmm4\n movd %xmm4, %eax\n comiss %xmm1, %xmm0\n jmp 1b");
GUEST(x87, ".code64\n fninit\n"
    "1: fldl 0x30000\n fmull 0x30008\n fld1\n faddp\n fstpl 0x30010\n jmp 1b");

/* Page after page of rdx bytes from rbx, one line further in each lest they share cache sets; once
 * with loads from there, once from the first. */
#define PAGES(name, from) \
    GUEST(name, ".code64\n" \
        "1: mov %rbx, %rsi\n lea (%rbx,%rdx), %rdi\n" \
        "2: mov (" from "), %rax\n add $0x1040, %rsi\n cmp %rdi, %rsi\n jb 2b\n jmp 1b")
PAGES(pages, "%rsi");
PAGES(one_page, "%rbx");

/* A page at a time, by `text`, from rbx to rdi's page, going up or down. */
#define STRINGS(name, flags, first, text) \
    GUEST(name, ".code64\n" flags "\n xor %eax, %eax\n" \
        "1: mov $0x30" first ", %esi\n mov $0x32" first ", %edi\n mov $0x1000, %ecx\n" text "\n jmp 1b")
STRINGS(copy_up, "cld", "000", "rep movsb");
STRINGS(copy_down, "std", "fff", "rep movsb");
STRINGS(fill_up, "cld", "000", "rep stosb");
STRINGS(compare_up, "cld", "000", "repe cmpsb");
STRINGS(scan_up, "cld", "000", "repe scasb");

/* CR3 becomes r8, then r9; rdx bytes are touched after each. */
GUEST(spaces, ".code64\n"
    "1: mov %r8, %cr3\n xchg %r8, %r9\n mov %rbx, %rsi\n lea (%rbx,%rdx), %rdi\n"
    "2: mov (%rsi), %rax\n add $0x1040, %rsi\n cmp %rdi, %rsi\n jb 2b\n jmp 1b");
/* clang-format on */

typedef struct Loop {
    const char *name;
    const uint8_t *from, *end;
} Loop;

static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

enum { RUNS = 8 };

/* The loops never end: a timer's thread kicks the CPU. */
static void stop_running(union sigval cpu)
{
    cpu_kick(cpu.sival_ptr);
}

static double run_once(BareCpu *b, double seconds)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = stop_running};
    struct itimerspec when = {
        .it_value = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)}};
    timer_t timer;
    double start;

    event.sigev_value.sival_ptr = b->c;
    timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer);
    cpu_attended(b->c);
    b->c->retired = 0;
    start = cpu_seconds();
    timer_settime(timer, 0, &when, NULL);
    bare_run(b);
    timer_delete(timer);
    return (cpu_seconds() - start) / (double)b->c->retired;
}

/* Seconds of CPU time an instruction: the best of some, since others use the machine, too. */
static double run_for(BareCpu *b, double seconds)
{
    double best = run_once(b, seconds / RUNS);

    for (unsigned n = 1; n < RUNS; n++) {
        double now = run_once(b, seconds / RUNS);

        best = now < best ? now : best;
    }
    return best;
}

static void measure(const Loop *loop, double seconds)
{
    BareCpu *b = bare_new(CODE_64);

    bare_load(b, loop->from, loop->end);
    printf("%-10s %6.1f M/s\n", loop->name, 1 / run_for(b, seconds) / 1e6);
    bare_free(b);
}

/* Bytes a nanosecond. */
static void measure_string(const Loop *loop, double seconds)
{
    BareCpu *b = bare_new(CODE_64);

    bare_load(b, loop->from, loop->end);
    printf("%-10s %6.2f GB/s\n", loop->name, GUEST_PAGE / (5 * run_for(b, seconds)) / 1e9);
    bare_free(b);
}

/* ---- paging ---- */

enum {
    LARGE_RAM = 80 << 20, /* at physical LARGE_AT, in pages of 4 KB from linear LARGE_LINEAR */
    LARGE_AT = 16 << 20,
    LARGE_LINEAR = 1 << 30,
    TABLES = 0x100000,
};

static uint8_t *large_ram; /* in the host's large pages, where it has them, as a machine's is */
static CodePage large_code[LARGE_RAM / GUEST_PAGE];

static void large_page(Cpu *c, uint64_t phys, PhysPage *out)
{
    uint64_t at = (phys & -(uint64_t)GUEST_PAGE) - LARGE_AT;

    if (at >= LARGE_RAM) {
        ((void (*)(Cpu *, uint64_t, PhysPage *))((BareCpu *)c->vcpu)->own)(c, phys, out);
        return;
    }
    *out = (PhysPage){.phys = at + LARGE_AT, .host = large_ram + at};
    out->code = &large_code[at / GUEST_PAGE];
    out->before = at;
    out->after = LARGE_RAM - GUEST_PAGE - at;
}

static BareCpu *paging_new(const uint8_t *code, const uint8_t *end, uint64_t bytes)
{
    BareCpu *b = bare_new(CODE_64);
    uint64_t *pml4 = (uint64_t *)(b->ram + BARE_TABLES + 0x1000);
    uint64_t *pdpt = (uint64_t *)(b->ram + BARE_TABLES + 0x2000);
    uint64_t *pd = (uint64_t *)(b->ram + TABLES), *pt = pd + 1024;

    if (!large_ram) {
        large_ram = aligned_alloc(2 << 20, LARGE_RAM);
        madvise(large_ram, LARGE_RAM, MADV_HUGEPAGE);
        memset(large_ram, 1, LARGE_RAM);
    }
    pdpt[1] = TABLES | 7;
    pd[512] = pml4[0]; /* another PML4 */
    for (unsigned n = 0; n < LARGE_RAM / GUEST_PAGE; n++) {
        pd[n / 512] = (TABLES + 0x2000 + n / 512 * GUEST_PAGE) | 7;
        pt[n] = (LARGE_AT + n * GUEST_PAGE) | 0x67;
    }
    b->own = (void *)b->host.page;
    b->host.page = large_page;
    b->c->s.gpr[R_BX] = LARGE_LINEAR;
    b->c->s.gpr[R_DX] = bytes;
    b->c->s.cr4 |= CR4_PCIDE;
    bare_load(b, code, end);
    return b;
}

/* What a page costs, in ns, of that many after another. */
static void measure_refill(const char *name, unsigned mb, double seconds)
{
    BareCpu *b = paging_new(pages, pages_end, (uint64_t)mb << 20);
    BareCpu *one = paging_new(one_page, one_page_end, (uint64_t)mb << 20);
    double cost = 4 * (run_for(b, seconds) - run_for(one, seconds));

    printf("%-10s %6.1f ns a page of %u MB\n", name, cost * 1e9, mb);
    bare_free(b);
    bare_free(one);
}

static void measure_spaces(const char *name, unsigned pages_touched, uint64_t keep, double seconds)
{
    BareCpu *b = paging_new(spaces, spaces_end, (uint64_t)pages_touched * GUEST_PAGE);

    b->c->s.gpr[8] = (TABLES + 0x1000) | 1 | keep;
    b->c->s.gpr[9] = (BARE_TABLES + 0x1000) | 2 | keep;
    printf("%-10s %6.1f ns a load of CR3 and %u pages\n", name,
           (4 * pages_touched + 5) * run_for(b, seconds) * 1e9, pages_touched);
    bare_free(b);
}

int main(int argc, char **argv)
{
    const Loop loops[] = {
        {"registers", registers, registers_end},
        {"memory", memory, memory_end},
        {"calls", calls, calls_end},
        {"locked", locked, locked_end},
        {"vectors", vectors, vectors_end},
        {"x87", x87, x87_end},
    };
    const Loop strings[] = {
        {"movs up", copy_up, copy_up_end}, {"movs down", copy_down, copy_down_end},
        {"stos", fill_up, fill_up_end},    {"cmps", compare_up, compare_up_end},
        {"scas", scan_up, scan_up_end},
    };
    double seconds = argc > 1 ? atof(argv[1]) : 0.5;

    for (unsigned n = 0; argc < 3 && n < sizeof(loops) / sizeof(loops[0]); n++) {
        measure(&loops[n], seconds);
    }
    for (unsigned n = 0; argc < 3 && n < sizeof(strings) / sizeof(strings[0]); n++) {
        measure_string(&strings[n], seconds);
    }
    measure_refill("second", 24, seconds);
    measure_refill("walk", 64, seconds);
    measure_spaces("cr3", 1, 0, seconds);
    measure_spaces("cr3", 64, 0, seconds);
    measure_spaces("cr3 pcid", 64, 1ull << 63, seconds);
    return 0;
}
