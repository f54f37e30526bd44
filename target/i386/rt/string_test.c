/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Repeated string instructions against element by element, over page borders, overlaps
 * and faults. */
#include "tests/lib/barecpu.h"
#include "tests/lib/test.h"

#include <string.h>
#include <unistd.h>

enum {
    AT = 0x200000, /* pages of 4 KB; one of them is absent */
    PAGES = 6,
    ABSENT = 4,
    BYTES = PAGES * GUEST_PAGE,
    PAGE_TABLE = 0x40000,
    MOVS = 0xa4,
    CMPS = 0xa6,
    STOS = 0xaa,
    LODS = 0xac,
    SCAS = 0xae,
};

typedef struct Case {
    uint8_t op;
    unsigned size;
    bool down, equal;
    uint64_t ax, cx, si, di;
} Case;

typedef struct Machine { /* what an instruction changes */
    uint64_t ax, cx, si, di, a, b;
    bool fault, compared;
    uint8_t memory[BYTES];
} Machine;

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 24;
}

static bool present(uint64_t at, unsigned size)
{
    return (at - AT) / GUEST_PAGE != ABSENT && (at + size - 1 - AT) / GUEST_PAGE != ABSENT;
}

static uint64_t element(const Machine *m, uint64_t at, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, m->memory + (at - AT), size);
    return value;
}

static bool uses_source(uint8_t op)
{
    return op == MOVS || op == CMPS || op == LODS;
}

/* One element. false: it faults, or ends the repetition. */
static bool one(Machine *m, const Case *t)
{
    uint64_t step = t->down ? -(uint64_t)t->size : t->size, mask = ~0ull >> (64 - 8 * t->size);

    if ((uses_source(t->op) && !present(m->si, t->size)) ||
        (t->op != LODS && !present(m->di, t->size))) {
        m->fault = true;
        return false;
    }
    m->a = uses_source(t->op) ? element(m, m->si, t->size) : m->ax & mask;
    m->b = t->op == LODS ? 0 : element(m, m->di, t->size);
    m->compared = t->op == CMPS || t->op == SCAS;
    if (t->op == MOVS || t->op == STOS) {
        memcpy(m->memory + (m->di - AT), &m->a, t->size);
    }
    if (t->op == LODS) {
        m->ax = t->size == 4 ? m->a : (m->ax & ~mask) | m->a;
    }
    m->si += uses_source(t->op) ? step : 0;
    m->di += t->op == LODS ? 0 : step;
    m->cx--;
    return !m->compared || (m->a == m->b) == t->equal;
}

static void run_reference(Machine *m, const Case *t)
{
    m->ax = t->ax;
    m->cx = t->cx;
    m->si = t->si;
    m->di = t->di;
    while (m->cx && one(m, t)) {
    }
}

/* [66] F3 or F2 [REX.W] op, HLT */
static unsigned encode(uint8_t *code, const Case *t)
{
    unsigned n = 0;

    if (t->size == 2) {
        code[n++] = 0x66;
    }
    code[n++] = t->equal ? 0xf3 : 0xf2;
    if (t->size == 8) {
        code[n++] = 0x48;
    }
    code[n++] = t->op + (t->size > 1);
    code[n++] = 0xf4;
    return n;
}

static BareCpu *strings_new(void)
{
    BareCpu *b = bare_new(CODE_64);
    uint64_t *pd = (uint64_t *)(b->ram + BARE_TABLES + 0x3000);
    uint64_t *pt = (uint64_t *)(b->ram + PAGE_TABLE);

    pd[1] = PAGE_TABLE | 7;
    for (unsigned n = 0; n < PAGES; n++) {
        pt[n] = n == ABSENT ? 0 : (AT + n * GUEST_PAGE) | 7;
    }
    return b;
}

/* touch: both pages are in the TLB already, for it is emptied when the guest is loaded. */
static void run_touched(BareCpu *b, const Case *t, bool touch)
{
    static const uint8_t touching[] = {
        0x80, 0x07, 0, /* add byte [rdi], 0 */
        0x80, 0x3e, 0, /* cmp byte [rsi], 0 */
    };
    uint8_t code[16];
    unsigned n = touch ? sizeof touching : 0;
    X86State *s = &b->c->s;

    memcpy(code, touching, sizeof touching);
    n += encode(code + n, t);

    s->gpr[R_AX] = t->ax;
    s->gpr[R_CX] = t->cx;
    s->gpr[R_SI] = t->si;
    s->gpr[R_DI] = t->di;
    s->rflags = FLAG_ONE | (t->down ? FLAG_DF : 0);
    s->activity = CPU_RUNNING;
    b->c->last_count = 0;
    bare_load(b, code, code + n);
    bare_run(b);
}

static void run_guest(BareCpu *b, const Case *t)
{
    run_touched(b, t, false);
}

static void compare(BareCpu *b, const Case *t, const Machine *want)
{
    const X86State *s = &b->c->s;
    unsigned top = 8 * t->size - 1;

    check(bare_fault(b), want->fault ? EXC_PF : -1);
    check(s->gpr[R_CX], want->cx);
    check(s->gpr[R_SI], want->si);
    check(s->gpr[R_DI], want->di);
    check(s->gpr[R_AX], want->ax);
    check(memcmp(b->ram + AT, want->memory, BYTES), 0);
    if (want->compared && !want->fault) {
        check((s->rflags & FLAG_ZF) != 0, want->a == want->b);
        check((s->rflags & FLAG_CF) != 0, want->a < want->b);
        check((s->rflags & FLAG_SF) != 0, (want->a - want->b) >> top & 1);
    }
}

static uint64_t somewhere(uint64_t *random)
{
    uint64_t border = AT + (1 + next_random(random) % 4) * GUEST_PAGE;

    switch (next_random(random) % 3) {
    case 0:
        return border - next_random(random) % 24;
    case 1:
        return border + next_random(random) % 24;
    default:
        return border + next_random(random) % (GUEST_PAGE / 2);
    }
}

static Case any_case(uint64_t *random)
{
    static const uint8_t ops[] = {MOVS, CMPS, STOS, LODS, SCAS};
    Case t = {
        .op = ops[next_random(random) % 5],
        .size = 1u << next_random(random) % 4,
        .down = next_random(random) & 1,
        .equal = next_random(random) & 1,
        .ax = next_random(random) % 2 ? 0x0101010101010101 : next_random(random),
    };

    t.cx = next_random(random) % (next_random(random) % 2 ? 40 : 3000 / t.size);
    t.si = somewhere(random);
    t.di = next_random(random) % 2 ? somewhere(random) : t.si + next_random(random) % 32 - 16;
    return t;
}

/* Mostly one value, so that comparisons go on; some differ. */
static void fill(BareCpu *b, Machine *m, uint64_t *random)
{
    memset(m->memory, 1, BYTES);
    for (unsigned n = next_random(random) % 8; n > 0; n--) {
        m->memory[next_random(random) % BYTES] = (uint8_t)next_random(random);
    }
    memcpy(b->ram + AT, m->memory, BYTES);
}

TEST(
    "strings: repeated, in any direction and size, over borders, overlaps and faults, they do what "
    "element by element does")
{
    BareCpu *b = strings_new();
    uint64_t random = 1;

    for (unsigned n = 0; n < 3000; n++) {
        Case t = any_case(&random);
        Machine want = {0};

        fill(b, &want, &random);
        run_reference(&want, &t);
        run_touched(b, &t, n & 1 && present(t.si, 1) && present(t.di, 1));
        compare(b, &t, &want);
    }
    bare_free(b);
}

/* 100 elements from the first address up, from the last one down. */
static void at_the_end(uint8_t op, unsigned size, bool down)
{
    enum { COUNT = 100 };
    BareCpu *b = strings_new();
    uint64_t *pd = (uint64_t *)(b->ram + BARE_TABLES + 0x3000);
    uint64_t at = down ? -(uint64_t)size : 0, step = down ? -(uint64_t)size : size;
    Case t = {op, size, down, true, 0, COUNT, at, at};

    pd[511] = 0xe7; /* the last 2 MB, too, are the first ones of RAM */
    *(uint64_t *)(b->ram + BARE_TABLES + 0x1000 + 511 * 8) = (BARE_TABLES + 0x2000) | 7;
    *(uint64_t *)(b->ram + BARE_TABLES + 0x2000 + 511 * 8) = (BARE_TABLES + 0x3000) | 7;
    run_touched(b, &t, true);
    check(b->c->s.gpr[R_CX], 0);
    check(b->c->s.gpr[R_SI], uses_source(op) ? at + COUNT * step : at);
    check(b->c->s.gpr[R_DI], op == LODS ? at : at + COUNT * step);
    check(bare_fault(b), -1);
    bare_free(b);
}

TEST("strings: repetitions that begin at the first address, or down at the last, come to an end")
{
    static const uint8_t ops[] = {MOVS, CMPS, STOS, LODS, SCAS};

    alarm(300);
    for (unsigned n = 0; n < 5 * 4 * 2; n++) {
        at_the_end(ops[n / 8], 1u << n / 2 % 4, n & 1);
    }
    alarm(0);
}

TEST("strings: a repetition into decoded code is seen by the page's version")
{
    BareCpu *b = strings_new();
    CodePage *page = &b->pages[(AT + GUEST_PAGE) / GUEST_PAGE];
    Case t = {STOS, 1, false, true, 0x90, 100, 0, AT + GUEST_PAGE + 60};
    uint32_t version = code_mark(page, code_grains(100, 1)).version;

    run_guest(b, &t);
    check(page->version, version + 1);
    check(b->ram[AT + GUEST_PAGE + 159], 0x90);
    check(b->c->s.gpr[R_CX], 0);
    bare_free(b);
}

TEST("strings: a page is done between two looks at what wants attention")
{
    BareCpu *b = strings_new();
    Case t = {MOVS, 8, false, true, 0, 1000, AT, AT + 2 * GUEST_PAGE + 8};

    mem_read(b->c, t.si, 1);
    run_guest(b, &t);
    check(b->c->s.gpr[R_CX], 0);
    cpu_kick(b->c);
    run_guest(b, &t);
    check(b->c->s.gpr[R_CX], 1000);
    check(b->c->s.rip, BARE_CODE);
    bare_free(b);
}
