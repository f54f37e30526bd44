/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Translated code that lies in two pages, the second of which is changed, moved or taken away. */
#include "target/i386/translate/cache_host.h"
#include "target/i386/translate/translate.h"
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

#include <string.h>

enum { TABLE = 0xc000, SECOND = BARE_CODE + GUEST_PAGE, OTHER = BARE_CODE + 3 * GUEST_PAGE };

/* clang-format off */
GUEST(over, ".code64\n .org over + 0xff0\n loop_top:\n lea 1(%rbx), %rbx\n .fill 8, 1, 0x90\n"
            " lea 0x12345678(%rax), %rax\n dec %ecx\n jnz loop_top\n hlt");
GUEST(remaps, ".code64\n 1: call 2f\n add %ebx, %eax\n xorl $0x2000, 0xc088\n invlpg 0x11000\n"
              " dec %ecx\n jnz 1b\n hlt\n .org remaps + 0xffd\n 2: mov $0x11, %ebx\n ret");
GUEST(writes, ".code64\n 1: call 2f\n add %ebx, %eax\n incb 0x11000\n dec %ecx\n jnz 1b\n hlt\n"
              " .org writes + 0xffd\n 2: mov $0x11, %ebx\n ret");
GUEST(jumps, ".code64\n 1: add $2, %eax\n jmp 2f\n .org jumps + 0xfee\n 3: dec %ecx\n jnz 1b\n hlt\n"
             " .org jumps + 0xffc\n 2: lea 0x12345678(%rbx), %rbx\n jmp 3b");
GUEST(reads_up, ".code64\n .org reads_up + 0xf00\n .byte 0x48, 0x8d, 5\n .long 0x7fffff00\n mov %rax, %rbx\n"
                " .byte 0x48, 0x8b, 5\n .long 0x7fffff00\n hlt");
/* To 0xef5 of a page 2 GB on; at first where the test says. */
#define UP(name, text) \
    GUEST(name, ".code64\n jmp *%rax\n .org " #name " + 0xef5, 0x90\n 1: hlt\n .org " #name " + 0xff0, 0x90\n " text)
UP(jumps_up, ".byte 0xe9\n .long 0x7fffff00");
UP(calls_up, ".byte 0xe8\n .long 0x7fffff00");
UP(branches_up, ".byte 0x0f, 0x85\n .long 0x7ffffeff");
GUEST(pushes, ".code64\n 1: push %rax\n push %rbx\n lea 1(%rdx), %rdx\n push $5\n push %rcx\n"
              " pop %rsi\n pop %rdi\n cmp $5, %rdi\n pop %rbx\n pop %rax\n dec %ecx\n jnz 1b\n hlt");
/* The translator asks what follows the page; the guest does not. */
GUEST(ends, ".code64\n mov %rcx, %cr2\n jmp 1f\n .org ends + 0xff4\n 1: dec %ecx\n jnz 1b\n mov %cr2, %rax\n hlt");
/* clang-format on */

/* The first 2 MB in small pages. */
static BareCpu *loaded(const uint8_t *code, const uint8_t *end, unsigned rounds)
{
    BareCpu *b = bare_new(CODE_64);
    uint64_t *pd = (uint64_t *)(b->ram + BARE_TABLES + 0x3000);

    if (!b->code) {
        b->c->code = b->code = code_cache_new(BARE_CACHE, NULL);
    }
    for (uint64_t n = 0; n < 512; n++) {
        ((uint64_t *)(b->ram + TABLE))[n] = n << 12 | 0x67;
    }
    pd[0] = TABLE | 7;
    tlb_flush(b->c);
    bare_load(b, code, end);
    memcpy(b->ram + OTHER, b->ram + SECOND, GUEST_PAGE);
    b->c->s.gpr[R_CX] = rounds;
    return b;
}

static void map_second(BareCpu *b, uint64_t entry)
{
    ((uint64_t *)(b->ram + TABLE))[SECOND >> 12] = entry;
    tlb_flush_page(b->c, SECOND);
}

static void run_loop(BareCpu *b, unsigned rounds)
{
    b->c->s.activity = CPU_RUNNING;
    b->c->s.rip = BARE_CODE + 0xff0;
    b->c->s.gpr[R_AX] = 0;
    b->c->s.gpr[R_CX] = rounds;
    bare_run(b);
}

TEST("translate: a loop over two pages stays in translated code")
{
    BareCpu *b = loaded(over, over_end, 0);

    run_loop(b, 1000);
    check(b->c->s.gpr[R_AX], 1000 * 0x12345678ull);
    check(b->c->s.gpr[R_BX], 1000);
    check(b->c->entries < 20, true);
    bare_free(b);
}

TEST(
    "translate: a loop over two pages is another one when the second is moved, and when it is back")
{
    BareCpu *b = loaded(over, over_end, 0);

    b->ram[OTHER + 1] = 0x35; /* the displacement's third byte */
    for (unsigned n = 0; n < 4; n++) {
        map_second(b, (n & 1 ? OTHER : SECOND) | 0x67);
        run_loop(b, 100);
        check(b->c->s.gpr[R_AX], 100 * (n & 1 ? 0x12355678ull : 0x12345678ull));
    }
    bare_free(b);
}

TEST("translate: where the second page is not there, the instruction faults with its address")
{
    BareCpu *b = loaded(over, over_end, 0);

    for (unsigned n = 0; n < 2; n++) {
        run_loop(b, 100);
        check(bare_fault(b), n ? EXC_PF : -1);
        map_second(b, 0);
    }
    check(b->c->last[0].rip, BARE_CODE + 0xffc);
    check(b->c->last[0].cr2, SECOND);
    check(b->c->s.gpr[R_AX], 0);
    check(b->c->s.gpr[R_BX], 101);
    bare_free(b);
}

TEST("translate: a page that is not there shows rSP in the middle of a run of PUSH")
{
    BareCpu *b = loaded(pushes, pushes_end, 100);
    X86State *s = &b->c->s;

    check(bare_run(b), RT_HALT);
    check(s->gpr[R_DX], 100);
    for (unsigned n = 0; n < 4; n++) { /* before the first PUSH, and behind 1, 2, 3 */
        s->activity = CPU_RUNNING;
        s->rip = BARE_CODE;
        s->gpr[R_CX] = 1;
        s->gpr[R_SP] = SECOND + GUEST_PAGE + 8 * n;
        b->c->last_count = 0;
        map_second(b, 0);
        bare_run(b);
        check(bare_fault(b), EXC_PF);
        check(b->c->last[0].cr2, SECOND + GUEST_PAGE - 8);
        check(b->c->last[0].rip, BARE_CODE + (n == 3 ? 8 : n == 2 ? 6 : n));
        check(s->gpr[R_SP], SECOND + GUEST_PAGE);
        check(s->gpr[R_DX], 100 + (n > 2 ? 2 : n > 1 ? 1 : 0));
    }
    bare_free(b);
}

TEST("translate: INVLPG of the second page counts for what begins in the first")
{
    BareCpu *b = loaded(remaps, remaps_end, 1000);

    b->ram[OTHER] = 1; /* 0x10011 */
    check(bare_run(b), RT_HALT);
    check(b->c->s.gpr[R_AX], 500 * 0x11 + 500 * 0x10011);
    check(b->c->entries < 1000 * 8, true);
    bare_free(b);
}

TEST("translate: code that writes to the second page runs what it has written")
{
    BareCpu *b = loaded(writes, writes_end, 200);

    check(bare_run(b), RT_HALT);
    check(b->c->s.gpr[R_AX], 200 * 0x11 + 0x10000 * (200 * 199 / 2));
    bare_free(b);
}

TEST("translate: branches to an instruction in two pages go through the table")
{
    BareCpu *b = loaded(jumps, jumps_end, 1000);

    check(bare_run(b), RT_HALT);
    check(b->c->s.gpr[R_AX], 2000);
    check(b->c->s.gpr[R_BX], 1000 * 0x12345678ull);
    check(b->c->entries < 20, true);
    bare_free(b);
}

TEST("translate: an instruction over two pages where CS begins in the middle of one")
{
    static const uint32_t bases[] = {0, 0x5ab, 0xfff};
    BareCpu *b = bare_new(CODE_32);

    b->c->code = b->code ? b->code : (b->code = code_cache_new(BARE_CACHE, NULL));
    memcpy(b->ram + BARE_CODE, over, (size_t)(over_end - over));
    for (unsigned n = 0; n < 3; n++) {
        b->c->s.seg[SEG_CS].base = bases[n];
        b->c->s.activity = CPU_RUNNING;
        b->c->s.rip = BARE_CODE + 0xffd - bases[n]; /* lea, its REX left out */
        b->c->s.gpr[R_AX] = 0;
        b->c->s.gpr[R_CX] = 1;
        rt_state_loaded(b->c);
        check(bare_run(b), RT_HALT);
        check(b->c->s.gpr[R_AX], 0x12345678);
    }
    bare_free(b);
}

TEST("translate: two vCPUs that share code and the first page, but not the second")
{
    BareCpu *b = loaded(over, over_end, 0), *two = bare_new(CODE_64);
    uint64_t *own = (uint64_t *)(b->ram + BARE_STACK); /* the other's tables */

    memcpy(own, b->ram + BARE_TABLES + 0x1000, 3 * GUEST_PAGE);
    memcpy(own + 3 * 512, b->ram + TABLE, GUEST_PAGE);
    own[0] = (BARE_STACK + GUEST_PAGE) | 7;
    own[512] = (BARE_STACK + 2 * GUEST_PAGE) | 7;
    own[1024] = (BARE_STACK + 3 * GUEST_PAGE) | 7;
    own[3 * 512 + (SECOND >> 12)] = OTHER | 0x67;
    b->ram[OTHER + 1] = 0x35;
    two->c->vcpu = b;
    two->c->code = b->code;
    phys_flush(two->c);
    two->c->s.cr3 = BARE_STACK;
    rt_state_loaded(two->c);
    for (unsigned n = 0; n < 3; n++) {
        run_loop(b, 100);
        check(b->c->s.gpr[R_AX], 100 * 0x12345678ull);
        two->c->s.activity = CPU_RUNNING;
        two->c->s.rip = BARE_CODE + 0xff0;
        two->c->s.gpr[R_AX] = 0;
        two->c->s.gpr[R_CX] = 100;
        rt_run(two->c);
        check(two->c->s.gpr[R_AX], 100 * 0x12355678ull);
    }
    bare_free(two);
    bare_free(b);
}

TEST("translate: a loop by a page's end, behind which there is none, leaves CR2 alone")
{
    BareCpu *b = loaded(ends, ends_end, 1000);

    map_second(b, 0);
    check(bare_run(b), RT_HALT);
    check(b->c->s.gpr[R_AX], 1000);
    bare_free(b);
}

static void run_at(BareCpu *b, uint64_t rip)
{
    b->c->s.activity = CPU_RUNNING;
    b->c->s.rip = rip;
    b->c->s.gpr[R_SP] = BARE_STACK;
    bare_run(b);
}

/* RAM lies here, 2 GB on, and 2 GB in front. */
static BareCpu *three_times(const uint8_t *code, const uint8_t *end, uint64_t here)
{
    BareCpu *b = loaded(code, end, 0);
    uint64_t *pdpt = (uint64_t *)(b->ram + BARE_SMALL) + (here >> 30) % 512;

    bare_map_small(b, here, 0);
    pdpt[2] = pdpt[-2] = pdpt[0];
    return b;
}

/* The jump table knows what lies in front. */
static void run_up(const uint8_t *code, const uint8_t *end, uint64_t pushed)
{
    const uint64_t here = 0x555555400000, gb = 1 << 30;
    BareCpu *b = three_times(code, end, here);

    for (unsigned n = 0; n < 3; n++) {
        b->c->s.gpr[R_AX] = here - 2 * gb + BARE_CODE + 0xef5;
        run_at(b, here + BARE_CODE);
        check(b->c->s.rip, here - 2 * gb + BARE_CODE + 0xef6);
        run_at(b, here + BARE_CODE + 0xff0);
        check(bare_fault(b), -1);
        check(b->c->s.rip, here + 2 * gb + BARE_CODE + 0xef6);
        check(b->c->s.gpr[R_SP], BARE_STACK - pushed);
    }
    bare_free(b);
}

TEST("translate: branches by so nearly 2 GB that they lead farther from the page's beginning")
{
    run_up(jumps_up, jumps_up_end, 0);
    run_up(calls_up, calls_up_end, 8);
    run_up(branches_up, branches_up_end, 0);
}

TEST(
    "translate: operands so nearly 2 GB behind rip that they are farther from the page's beginning")
{
    const uint64_t here = 0x555555400000, next = here + BARE_CODE + 0xf07;
    BareCpu *b = three_times(reads_up, reads_up_end, here);

    for (unsigned n = 0; n < 2; n++) {
        run_at(b, next - 7);
        check(bare_fault(b), -1);
        check(b->c->s.gpr[R_BX], next + 0x7fffff00);
        check(memcmp(&b->c->s.gpr[R_AX], b->ram + BARE_CODE + 0xe11, 8), 0);
    }
    bare_free(b);
}
