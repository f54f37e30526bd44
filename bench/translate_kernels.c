/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the pieces of translated code cost, on loops written by hand as the translator would emit
 * them: checked loads and stores with and without flags, tables at a constant place against a
 * loaded base, guest registers that live in memory, polls for interrupts. `translate-kernels`
 * Not here: what a whole program makes of it; the caches here always hit.
 */
#include <asm/prctl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* ---- the state that GS points to ---- */

enum { ENTRIES = 1024, SKEW = 8, PAGE = 4096, RUNS = 200, TURNS = 10000, HIT = 1, MOST = 16 };
#define LINEAR 0x00007f1234567000ull /* of the guest's page */
#define TARGET 0x1000                /* where the guest's indirect jump goes: slot 1 */

typedef struct State {
    uint64_t attention, quiet; /* not 0 and 0: nothing to do */
    uint64_t mask, table;      /* which bits of an address are the slot; where the tables are */
    uint64_t gpr[4], saved;    /* guest R8 to R11 */
    uint64_t top;              /* 1 << 63 */
    uint64_t pad[502];
    uint64_t read[ENTRIES + SKEW], write[ENTRIES + SKEW], addend[ENTRIES + SKEW];
    uint64_t jump_tag[ENTRIES], jump_code[ENTRIES];
} State;

/* clang-format off */
__asm__(
    ".set ATTENTION, 0\n .set QUIET, 8\n .set MASK, 16\n .set TABLE, 24\n .set GPR8, 32\n .set GPR9, 40\n"
    ".set SAVED, 64\n .set TOP, 72\n .set READ, 4096\n .set WRITE, READ + 8 * 1032\n .set ADDEND, WRITE + 8 * 1032\n"
    ".set JUMP_TAG, ADDEND + 8 * 1032\n .set JUMP_CODE, JUMP_TAG + 8 * 1024\n");
_Static_assert(__builtin_offsetof(State, read) == 4096, "READ");
_Static_assert(__builtin_offsetof(State, saved) == 64, "SAVED");
_Static_assert(__builtin_offsetof(State, jump_tag) == 4096 + 3 * 8 * 1032, "JUMP_TAG");

/* ---- ways to check an access: its host address is -12(%rbp,%r11) afterwards ---- */

__asm__(
    ".macro slot_of ea\n lea \\ea, %rbp\n pext %gs:MASK, %rbp, %r11\n .endm\n"
    ".macro entry tag\n mov %gs:\\tag(,%r11,8), %rcx\n mov %gs:ADDEND(,%r11,8), %r11\n .endm\n"

    /* without flags */
    ".macro check_free ea, tag=READ, size=8\n slot_of \"\\ea\"\n entry \\tag\n"
    " lea \\size-1(%rcx,%rbp), %rcx\n shrx %r11, %rcx, %rcx\n jrcxz 9f\n jmp model_slow\n9:\n .endm\n"

    /* ... and with a branch that is not taken: all ones only inside the page, of which PDEP finds the
     * 64th; the way out hides in an immediate, since JRCXZ does not reach far */
    ".macro check_pdep ea, tag=READ, size=8\n slot_of \"\\ea\"\n entry \\tag\n"
    " lea \\size-4097(%rcx,%rbp), %rcx\n sarx %r11, %rcx, %rcx\n lea -12(%rbp,%r11), %rbp\n"
    " mov %gs:TOP, %r11\n pdep %rcx, %r11, %rcx\n jrcxz 8f\n .byte 0x48, 0xb9\n8: .byte 0xe9\n"
    " .long model_slow - . - 4\n .byte 0, 0, 0\n .endm\n"

    /* where flags are dead */
    ".macro check_flags ea, tag=READ, size=8\n slot_of \"\\ea\"\n entry \\tag\n"
    " add %rbp, %rcx\n cmp $4096-\\size, %rcx\n ja model_slow\n .endm\n"

    /* ... kept by lahf and seto */
    ".macro check_lahf ea, tag=READ, size=8\n slot_of \"\\ea\"\n mov %rax, %gs:SAVED\n lahf\n seto %al\n"
    " entry \\tag\n add %rbp, %rcx\n cmp $4096-\\size, %rcx\n ja model_slow\n"
    " add $127, %al\n sahf\n mov %gs:SAVED, %rax\n .endm\n"

    /* ... kept on the stack */
    ".macro check_push ea, tag=READ, size=8\n slot_of \"\\ea\"\n pushfq\n entry \\tag\n add %rbp, %rcx\n"
    " cmp $4096-\\size, %rcx\n ja model_slow\n popfq\n .endm\n"

    /* the table's base loaded from the state each time; flags dead, and without flags */
    ".macro based ea, tag\n slot_of \"\\ea\"\n mov %gs:TABLE, %rcx\n lea (%rcx,%r11,8), %r11\n"
    " mov \\tag-READ(%r11), %rcx\n mov ADDEND-READ(%r11), %r11\n .endm\n"
    ".macro check_based ea, tag=READ, size=8\n based \"\\ea\", \\tag\n add %rbp, %rcx\n"
    " cmp $4096-\\size, %rcx\n ja model_slow\n .endm\n"
    ".macro check_based_free ea, tag=READ, size=8\n based \"\\ea\", \\tag\n"
    " lea \\size-1(%rcx,%rbp), %rcx\n shrx %r11, %rcx, %rcx\n jrcxz 9f\n jmp model_slow\n9:\n .endm\n"

    ".text\nmodel_slow: ud2\n");

/* A kernel: RSI is the data's address, R15 the turns left; everything else is its own. */
#define KERNEL(NAME, BEFORE, BODY, AFTER) \
    void NAME(uint64_t turns, uint64_t data); \
    __asm__(".text\n.balign 64\n" #NAME ":\n push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n" \
            " mov %rdi, %r15\n mov %rsi, %rax\n xor %ebx, %ebx\n xor %edx, %edx\n mov $7, %r8d\n" BEFORE \
            "\n.balign 32\n1:\n" BODY "\n sub $1, %r15\n jnz 1b\n" \
            " pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n" AFTER)

#define ACCESSES(WAY, AT) \
    KERNEL(sum_##WAY, "", ".irp k,0,8,16,24,32,40,48,56\n check_" #WAY " \"\\k(%rsi)\"\n mov " AT ", %rdx\n" \
           " add %rdx, %rbx\n .endr\n", ""); \
    KERNEL(chase_##WAY, "", ".rept 8\n check_" #WAY " \"(%rax)\"\n mov " AT ", %rax\n .endr\n", ""); \
    KERNEL(copy_##WAY, "", ".irp k,0,8,16,24\n check_" #WAY " \"\\k(%rsi)\"\n mov " AT ", %rdx\n" \
           " check_" #WAY " \"256+\\k(%rsi)\", WRITE\n mov %rdx, " AT "\n .endr\n", "")

KERNEL(sum_native, "", ".irp k,0,8,16,24,32,40,48,56\n mov \\k(%rsi), %rdx\n add %rdx, %rbx\n .endr\n", "");
KERNEL(chase_native, "", ".rept 8\n mov (%rax), %rax\n .endr\n", "");
KERNEL(copy_native, "", ".irp k,0,8,16,24\n mov \\k(%rsi), %rdx\n mov %rdx, 256+\\k(%rsi)\n .endr\n", "");
ACCESSES(free, "-12(%rbp,%r11)");
ACCESSES(pdep, "(%rbp)");
ACCESSES(flags, "-12(%rbp,%r11)");
ACCESSES(lahf, "-12(%rbp,%r11)");
ACCESSES(push, "-12(%rbp,%r11)");
ACCESSES(based, "-12(%rbp,%r11)");
ACCESSES(based_free, "-12(%rbp,%r11)");
KERNEL(sum_shared, "", "check_flags \"(%rsi)\", READ, 64\n"
       ".irp k,0,8,16,24,32,40,48,56\n mov \\k-12(%rbp,%r11), %rdx\n add %rdx, %rbx\n .endr\n", "");

/* ---- guest registers in memory ---- */

KERNEL(reads_register, "", ".rept 8\n add %r8, %rax\n add %rbx, %rdx\n .endr\n", "");
KERNEL(reads_loaded, "", ".rept 8\n mov %gs:GPR8, %r11\n add %r11, %rax\n add %rbx, %rdx\n .endr\n", "");
KERNEL(reads_operand, "", ".rept 8\n add %gs:GPR8, %rax\n add %rbx, %rdx\n .endr\n", "");
KERNEL(writes_register, "", ".rept 8\n lea 1(%rax), %r8\n add %rbx, %rdx\n .endr\n", "");
KERNEL(writes_stored, "", ".rept 8\n lea 1(%rax), %r11\n mov %r11, %gs:GPR8\n add %rbx, %rdx\n .endr\n", "");
KERNEL(chain_register, "", ".rept 8\n lea 3(%r8,%rbx), %r8\n add %rbx, %rdx\n .endr\n", "");
KERNEL(chain_memory, "", ".rept 8\n mov %gs:GPR8, %r11\n lea 3(%r11,%rbx), %r11\n mov %r11, %gs:GPR8\n"
       " add %rbx, %rdx\n .endr\n", "");
KERNEL(chain_kept, "", ".rept 4\n mov %gs:GPR8, %r11\n lea 3(%r11,%rbx), %r11\n lea 3(%r11,%rbx), %r11\n"
       " mov %r11, %gs:GPR8\n add %rbx, %rdx\n add %rbx, %rdx\n .endr\n", "");
/* One instruction in eight names such a register, in turns reading and changing it. */
#define AROUND "lea 3(%rax,%rbx), %rdx\n xor %edx, %edi\n shr $3, %edi\n cmp %rdi, %rax\n cmovb %rbx, %r12\n test %al, %al\n add %rdx, %r13\n"
KERNEL(mixed_register, "", ".rept 4\n" AROUND "add %r8, %rax\n" AROUND "add %rax, %r9\n .endr\n", "");
KERNEL(mixed_memory, "", ".rept 4\n" AROUND "mov %gs:GPR8, %r11\n add %r11, %rax\n" AROUND
       "mov %gs:GPR9, %r11\n add %rax, %r11\n mov %r11, %gs:GPR9\n .endr\n", "");

/* ---- polls ---- */

#define WORK "add %rbx, %rax\n lea 3(%rax), %rdx\n xor %edx, %edi\n"
KERNEL(edge_none, "", WORK, "");
KERNEL(edge_cmp, "", WORK "cmpl $0, %gs:QUIET\n jne model_slow\n", "");
KERNEL(edge_jrcxz_not_taken, "", WORK "mov %gs:ATTENTION, %rcx\n jrcxz 8f\n", "8: jmp model_slow\n");
KERNEL(edge_jrcxz_taken, "", WORK "mov %gs:QUIET, %rcx\n jrcxz 9f\n jmp model_slow\n9:\n", "");

/* An indirect jump whose target the jump cache has; the tag is minus the target. */
#define GO_BEFORE "lea 5f(%rip), %rcx\n mov %rcx, %gs:JUMP_CODE+8\n mov $0x1000, %r14d\n"
#define GO_FIND   "mov %r14, %rbp\n pext %gs:MASK, %rbp, %r11\n mov %gs:JUMP_TAG(,%r11,8), %rcx\n"
#define GO_FREE   GO_FIND "lea (%rcx,%rbp), %rcx\n jrcxz 9f\n jmp model_slow\n9:\n"
#define GO        "jmp *%gs:JUMP_CODE(,%r11,8)\n .balign 16\n5:\n"
KERNEL(go_native, GO_BEFORE "mov %rcx, %r14\n", WORK "jmp *%r14\n .balign 16\n5:\n", "");
KERNEL(go_none, GO_BEFORE, WORK GO_FREE GO, "");
KERNEL(go_flags, GO_BEFORE, WORK GO_FIND "add %rbp, %rcx\n jnz model_slow\n" GO, "");
KERNEL(go_cmp, GO_BEFORE, WORK GO_FREE "cmpl $0, %gs:QUIET\n jne model_slow\n" GO, "");
KERNEL(go_jrcxz_not_taken, GO_BEFORE, WORK GO_FREE "mov %gs:ATTENTION, %rcx\n jrcxz 8f\n" GO, "8: jmp model_slow\n");
KERNEL(go_jrcxz_taken, GO_BEFORE, WORK GO_FREE "mov %gs:QUIET, %rcx\n jrcxz 9f\n jmp model_slow\n9:\n" GO, "");

/* ---- the table of them ---- */

typedef struct Kernel {
    const char *group, *name;
    void (*run)(uint64_t turns, uint64_t data);
    unsigned units; /* accesses, instructions, edges in a turn */
    bool linear;    /* wants the guest's address, else the host's */
} Kernel;

#define WAYS(LOOP, GROUP) \
    {GROUP, "native", LOOP##_native, 8}, {GROUP, "check without flags", LOOP##_free, 8, true}, \
    {GROUP, "check without flags, not taken", LOOP##_pdep, 8, true}, \
    {GROUP, "check, flags dead", LOOP##_flags, 8, true}, {GROUP, "check, lahf and sahf", LOOP##_lahf, 8, true}, \
    {GROUP, "check, pushf and popf", LOOP##_push, 8, true}, \
    {GROUP, "check without flags, base loaded", LOOP##_based_free, 8, true}, \
    {GROUP, "check, flags dead, base loaded", LOOP##_based, 8, true}

static const Kernel kernels[] = {
    WAYS(sum, "load and add"),
    {"load and add", "one check for eight, flags dead", sum_shared, 8, true},
    WAYS(chase, "pointer chase"),
    WAYS(copy, "load, store (each)"),
    {"read of a guest register", "host register", reads_register, 8},
    {"read of a guest register", "loaded from memory", reads_loaded, 8},
    {"read of a guest register", "memory operand", reads_operand, 8},
    {"write of a guest register", "host register", writes_register, 8},
    {"write of a guest register", "stored to memory", writes_stored, 8},
    {"chain through a guest register", "host register", chain_register, 8},
    {"chain through a guest register", "loaded and stored", chain_memory, 8},
    {"chain through a guest register", "... once for two", chain_kept, 8},
    {"16 instructions, 2 of them name R8 or R9", "host registers", mixed_register, 4},
    {"16 instructions, 2 of them name R8 or R9", "loaded and stored", mixed_memory, 4},
    {"loop of 5 instructions", "no poll", edge_none, 1},
    {"loop of 5 instructions", "cmp, jne (not taken)", edge_cmp, 1},
    {"loop of 5 instructions", "mov, jrcxz not taken", edge_jrcxz_not_taken, 1},
    {"loop of 5 instructions", "mov, jrcxz taken", edge_jrcxz_taken, 1},
    {"indirect jump", "native", go_native, 1},
    {"indirect jump", "jump cache, no flags, no poll", go_none, 1},
    {"indirect jump", "jump cache, flags dead, no poll", go_flags, 1},
    {"indirect jump", "jump cache, cmp and jne", go_cmp, 1},
    {"indirect jump", "jump cache, mov, jrcxz not taken", go_jrcxz_not_taken, 1},
    {"indirect jump", "jump cache, mov, jrcxz taken", go_jrcxz_taken, 1},
};
/* clang-format on */

/* ---- running them ---- */

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double unit_ns(const Kernel *k, uint64_t data)
{
    double start = now_ns();

    k->run(TURNS, data);
    return (now_ns() - start) / TURNS / k->units;
}

/* The best of many short runs, each kernel of the group in turn: others use this machine, too. */
static void group_run(const Kernel *k, unsigned count, const uint64_t data[2])
{
    double best[MOST];

    printf("%s\n", k->group);
    for (unsigned n = 0; n < RUNS * count; n++) {
        double ns = unit_ns(&k[n % count], data[k[n % count].linear]);

        if (n < count || ns < best[n % count]) {
            best[n % count] = ns;
        }
    }
    for (unsigned n = 0; n < count; n++) {
        printf("    %-36s %6.2f ns  %5.2f\n", k[n].name, best[n], best[n] / best[0]);
    }
}

static State *state_new(const uint64_t *page)
{
    size_t size = (sizeof(State) + PAGE - 1) & ~(size_t)(PAGE - 1);
    State *s = aligned_alloc(PAGE, size);
    unsigned slot = LINEAR / PAGE % ENTRIES;

    if (!s) {
        exit(1);
    }
    for (unsigned n = 0; n < size / 8; n++) {
        ((uint64_t *)s)[n] = 1ull << 63; /* tags that nothing has */
    }
    s->top = 1ull << 63;
    s->attention = 1;
    s->quiet = 0;
    s->mask = (uint64_t)(ENTRIES - 1) * PAGE;
    s->table = (uint64_t)(uintptr_t)s->read;
    s->read[slot] = s->write[slot] = -LINEAR;
    s->addend[slot] = (uint64_t)(uintptr_t)page - LINEAR + 12;
    s->jump_tag[HIT] = -(uint64_t)TARGET;
    return s;
}

int main(void)
{
    uint64_t *guest = aligned_alloc(PAGE, PAGE), *host = aligned_alloc(PAGE, PAGE);
    const uint64_t data[2] = {(uint64_t)(uintptr_t)host, LINEAR};
    unsigned total = sizeof kernels / sizeof kernels[0];
    State *s;

    if (!guest || !host) {
        return 1;
    }
    guest[0] = LINEAR; /* pointers to themselves */
    host[0] = data[0];
    s = state_new(guest);
    if (syscall(SYS_arch_prctl, ARCH_SET_GS, s)) {
        perror("translate-kernels: GS cannot be set");
        return 1;
    }
    for (unsigned n = 0, end; n < total; n = end) {
        for (end = n; end < total && !strcmp(kernels[end].group, kernels[n].group); end++) {
        }
        group_run(&kernels[n], end - n, data);
    }
    free(s);
    free(guest);
    free(host);
    return 0;
}
