/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MOVS STOS LODS CMPS SCAS INS OUTS with and without REP, and IN and OUT (SDM volume 2; volume 1,
 * "String operations", "Input/output"). Repetitions go in runs inside one page of source and
 * destination where these are RAM; between runs the registers are right, so a fault, a trap or an
 * interrupt finds the instruction half done as the manual describes.
 */
#include "target/i386/rt/host.h"
#include "target/i386/rt/operand.h"

ALWAYS uint64_t counter(const Cpu *c, const Insn *i, unsigned reg)
{
    return addr_wrap(c->s.gpr[reg], i->addrsize);
}

/* Move rSI or rDI by n elements, as DF says. */
ALWAYS void advance(Cpu *c, const Insn *i, unsigned reg, uint64_t n, unsigned size)
{
    uint64_t bytes = n * size;

    gpr_store(c, reg, c->s.gpr[reg] + (c->s.rflags & FLAG_DF ? -bytes : bytes), i->addrsize);
}

ALWAYS uint64_t source(Cpu *c, const Insn *i, unsigned size)
{
    return seg_linear(c, i->seg, counter(c, i, R_SI), size, false);
}

ALWAYS uint64_t destination(Cpu *c, const Insn *i, unsigned size, bool write)
{
    return seg_linear(c, SEG_ES, counter(c, i, R_DI), size, write);
}

ALWAYS uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How many elements from seg:reg on, in DF's direction, need no further check of segment or address
 * size, when the first has passed. */
static uint64_t room(const Cpu *c, const Insn *i, unsigned seg, unsigned reg, unsigned size)
{
    uint64_t offset = counter(c, i, reg);
    bool down = c->s.rflags & FLAG_DF;
    uint64_t left = (down ? offset : size_mask(i->addrsize) - offset) / size;
    uint64_t wrap = left + (left != ~0ull); /* all bytes there are do not fit into 64 bits */
    const X86Segment *s = &c->s.seg[seg];

    if (c->code_size == CODE_64 || (c->flat && seg < SEG_FS)) {
        return wrap;
    }
    if ((s->attr & (ATTR_CODE | ATTR_DOWN_CONFORM)) == ATTR_DOWN_CONFORM || offset > s->limit) {
        return 1;
    }
    return down ? wrap : least(wrap, (s->limit - offset + 1ull) / size);
}

/* How many elements are in the page, the first being whole in it. */
ALWAYS uint64_t in_page(const Cpu *c, uint64_t linear, unsigned size)
{
    uint64_t at = linear % GUEST_PAGE;

    return c->s.rflags & FLAG_DF ? at / size + 1 : (GUEST_PAGE - at) / size;
}

/* A run of at most `count` elements at seg:reg. */
ALWAYS uint64_t run_length(const Cpu *c, const Insn *i, unsigned seg, unsigned reg, uint64_t linear,
                           unsigned size, uint64_t count)
{
    return least(count, least(in_page(c, linear, size), room(c, i, seg, reg, size)));
}

/* ---- runs: do some of `count` elements, at least one; say how many ---- */

/* The host's own string instructions keep element order, so overlaps come out right. They go down
 * under the guest's DF; C code has it clear. */
#define HOST_STRING(text, ...)                   \
    switch (size) {                              \
    case 1:                                      \
        __asm__ volatile(text("b") __VA_ARGS__); \
        break;                                   \
    case 2:                                      \
        __asm__ volatile(text("w") __VA_ARGS__); \
        break;                                   \
    case 4:                                      \
        __asm__ volatile(text("l") __VA_ARGS__); \
        break;                                   \
    default:                                     \
        __asm__ volatile(text("q") __VA_ARGS__); \
    }
#define UP_MOVS(size)   "rep movs" size
#define DOWN_MOVS(size) "std; rep movs" size "; cld"
#define STOS(size)      "rep stos" size

/* Down is slow on hosts, and only needed where one side reaches into the other. */
ALWAYS void host_movs(bool down, void *to, const void *from, uint64_t n, unsigned size)
{
    uint64_t bytes = n * size, distance = (uintptr_t)to - (uintptr_t)from;

    if (down && distance >= bytes && -distance >= bytes) {
        to = (uint8_t *)to - (bytes - size);
        from = (const uint8_t *)from - (bytes - size);
        down = false;
    }
    if (unlikely(down)) {
        HOST_STRING(DOWN_MOVS, : "+S"(from), "+D"(to), "+c"(n) : : "memory", "cc")
    } else {
        HOST_STRING(UP_MOVS, : "+S"(from), "+D"(to), "+c"(n) : : "memory")
    }
}

ALWAYS void host_stos(bool down, void *to, uint64_t value, uint64_t n, unsigned size)
{
    if (down) {
        to = (uint8_t *)to - (n - 1) * size;
    }
    HOST_STRING(STOS, : "+D"(to), "+c"(n) : "a"(value) : "memory")
}

ALWAYS uint64_t movs_run(Cpu *c, const Insn *i, unsigned size, uint64_t count)
{
    uint64_t from = source(c, i, size), to = destination(c, i, size, true), n = 1;
    const void *src = tlb_reads(c->tlb, from, size);
    void *dst = tlb_writes(c->tlb, to, size);

    if (count > 1 && src && dst) {
        n = run_length(c, i, i->seg, R_SI, from, size, count);
        n = run_length(c, i, SEG_ES, R_DI, to, size, n);
        host_movs(c->s.rflags & FLAG_DF, dst, src, n, size);
    } else {
        mem_write(c, to, mem_read(c, from, size), size);
    }
    advance(c, i, R_SI, n, size);
    advance(c, i, R_DI, n, size);
    return n;
}

ALWAYS uint64_t stos_run(Cpu *c, const Insn *i, unsigned size, uint64_t count)
{
    uint64_t to = destination(c, i, size, true), n = 1;
    void *dst = tlb_writes(c->tlb, to, size);

    if (count > 1 && dst) {
        n = run_length(c, i, SEG_ES, R_DI, to, size, count);
        host_stos(c->s.rflags & FLAG_DF, dst, c->s.gpr[R_AX], n, size);
    } else {
        mem_write(c, to, c->s.gpr[R_AX], size);
    }
    advance(c, i, R_DI, n, size);
    return n;
}

/* Of a run in RAM only the last element is seen. */
ALWAYS uint64_t lods_run(Cpu *c, const Insn *i, unsigned size, uint64_t count)
{
    uint64_t from = source(c, i, size), n = 1;
    const uint8_t *src = tlb_reads(c->tlb, from, size);

    if (count > 1 && src) {
        uint64_t distance;

        n = run_length(c, i, i->seg, R_SI, from, size, count);
        distance = (n - 1) * size;
        src = c->s.rflags & FLAG_DF ? src - distance : src + distance;
        gpr_store(c, R_AX, host_load(src, size), size);
    } else {
        gpr_store(c, R_AX, mem_read(c, from, size), size);
    }
    advance(c, i, R_SI, n, size);
    return n;
}

/* The destination is checked before the port is read, which cannot be undone. */
ALWAYS uint64_t ins_run(Cpu *c, const Insn *i, unsigned size, uint64_t count)
{
    uint16_t port = c->s.gpr[R_DX];
    uint64_t to;
    uint32_t v;

    io_check(c, port, size);
    to = destination(c, i, size, true);
    mem_probe(c, to, size, ACCESS_WRITE);
    v = rt_in(c, port, size);
    mem_write(c, to, v, size);
    advance(c, i, R_DI, 1, size);
    return 1;
}

ALWAYS uint64_t outs_run(Cpu *c, const Insn *i, unsigned size, uint64_t count)
{
    uint16_t port = c->s.gpr[R_DX];
    uint32_t v;

    io_check(c, port, size);
    v = mem_read(c, source(c, i, size), size);
    rt_out(c, port, v, size);
    advance(c, i, R_SI, 1, size);
    return 1;
}

/* ---- repetition ---- */

/* Half done: come back to the same instruction, with RF as the manual has it. */
static void pause_here(Cpu *c)
{
    c->next_rip = c->s.rip;
    c->s.rflags |= FLAG_RF;
    c->block_break = true;
}

/* Someone wants to look between two repetitions. */
ALWAYS bool interrupted(const Cpu *c)
{
    return !c->go || c->block_break || c->mode & MODE_STEP;
}

/* The port's permission is looked at even when the count is 0. */
ALWAYS void ins_first(Cpu *c, unsigned size)
{
    io_check(c, c->s.gpr[R_DX], size);
}

ALWAYS void outs_first(Cpu *c, unsigned size)
{
    io_check(c, c->s.gpr[R_DX], size);
}

ALWAYS void movs_first(Cpu *c, unsigned size)
{
}

ALWAYS void stos_first(Cpu *c, unsigned size)
{
}

ALWAYS void lods_first(Cpu *c, unsigned size)
{
}

/* clang-format off */
#define REPEATED(name, size)                                              \
    RUN(name##_##size) { name##_run(c, i, size, 1); }                     \
    RUN(rep_##name##_##size)                                              \
    {                                                                     \
        uint64_t count = counter(c, i, R_CX);                             \
                                                                          \
        name##_first(c, size);                                            \
        while (count) {                                                   \
            count -= name##_run(c, i, size, c->mode & MODE_STEP ? 1 : count); \
            gpr_store(c, R_CX, count, i->addrsize);                       \
            if (count && unlikely(interrupted(c))) {                      \
                pause_here(c);                                            \
                return;                                                   \
            }                                                             \
        }                                                                 \
    }
#define STRING(name)                                                      \
    REPEATED(name, 1) REPEATED(name, 2) REPEATED(name, 4) REPEATED(name, 8) \
    static InsnRun *const name##_table[2][SIZE_COUNT] = {                 \
        {name##_1, name##_2, name##_4, name##_8},                         \
        {rep_##name##_1, rep_##name##_2, rep_##name##_4, rep_##name##_8}};
STRING(movs)
STRING(stos)
STRING(lods)
STRING(ins)
STRING(outs)
/* clang-format on */

/* ---- comparisons ---- */

/* How many pairs of elements up to the first whose being equal is not what is asked for;
 * at most n. */
ALWAYS uint64_t pairs_alike(const uint8_t *a, const uint8_t *b, bool equal, bool down, uint64_t n,
                            unsigned size)
{
    intptr_t step = down ? -(intptr_t)size : (intptr_t)size;
    uint64_t done = 0;

    if (equal && !down) { /* many at once */
        for (; (n - done) * size >= 8 && host_load(a, 8) == host_load(b, 8); done += 8 / size) {
            a += 8;
            b += 8;
        }
    }
    for (; done < n && (host_load(a, size) == host_load(b, size)) == equal; done++) {
        a += step;
        b += step;
    }
    return done;
}

ALWAYS uint64_t elements_alike(const uint8_t *a, uint64_t value, bool equal, bool down, uint64_t n,
                               unsigned size)
{
    intptr_t step = down ? -(intptr_t)size : (intptr_t)size;
    uint64_t done = 0;

    for (; done < n && (host_load(a, size) == value) == equal; done++) {
        a += step;
    }
    return done;
}

/* Some of `count` comparisons, at least one, up to the first that ends the repetition. *n: how many
 * were made. Gives the flags of the last. */
ALWAYS uint32_t cmps_run(Cpu *c, const Insn *i, unsigned size, bool equal, uint64_t count,
                         uint64_t *n)
{
    uint64_t from = source(c, i, size), to = destination(c, i, size, false), a, b;
    const uint8_t *one = tlb_reads(c->tlb, from, size), *two = tlb_reads(c->tlb, to, size);
    bool down = c->s.rflags & FLAG_DF;
    uint32_t ax;

    *n = 1;
    if (count > 1 && one && two) {
        uint64_t most = run_length(c, i, i->seg, R_SI, from, size, count), last;

        most = run_length(c, i, SEG_ES, R_DI, to, size, most);
        *n = least(pairs_alike(one, two, equal, down, most, size) + 1, most);
        last = (*n - 1) * size;
        a = host_load(down ? one - last : one + last, size);
        b = host_load(down ? two - last : two + last, size);
    } else {
        a = mem_read(c, from, size);
        b = mem_read(c, to, size);
    }
    host_sub(a, b, size, &ax);
    advance(c, i, R_SI, *n, size);
    advance(c, i, R_DI, *n, size);
    return ax;
}

ALWAYS uint32_t scas_run(Cpu *c, const Insn *i, unsigned size, bool equal, uint64_t count,
                         uint64_t *n)
{
    uint64_t to = destination(c, i, size, false), b;
    uint64_t value = c->s.gpr[R_AX] & size_mask(size);
    const uint8_t *at = tlb_reads(c->tlb, to, size);
    bool down = c->s.rflags & FLAG_DF;
    uint32_t ax;

    *n = 1;
    if (count > 1 && at) {
        uint64_t most = run_length(c, i, SEG_ES, R_DI, to, size, count), last;

        *n = least(elements_alike(at, value, equal, down, most, size) + 1, most);
        last = (*n - 1) * size;
        b = host_load(down ? at - last : at + last, size);
    } else {
        b = mem_read(c, to, size);
    }
    host_sub(value, b, size, &ax);
    advance(c, i, R_DI, *n, size);
    return ax;
}

/* clang-format off */
/* A fault in the middle leaves the flags as they were before the instruction. Memory that another
 * CPU changes meanwhile may end a run early: the flags tell. */
#define COMPARED(name, size)                                              \
    RUN(name##_##size)                                                    \
    {                                                                     \
        uint64_t n;                                                       \
                                                                          \
        flags_put(c, name##_run(c, i, size, true, 1, &n));                \
    }                                                                     \
    RUN(rep_##name##_##size)                                              \
    {                                                                     \
        uint64_t count = counter(c, i, R_CX), n;                          \
        bool equal = i->prefix & PREFIX_REP;                              \
        uint32_t ax = flags_get(c);                                       \
                                                                          \
        while (count) {                                                   \
            ax = name##_run(c, i, size, equal, c->mode & MODE_STEP ? 1 : count, &n); \
            count -= n;                                                   \
            gpr_store(c, R_CX, count, i->addrsize);                       \
            if (!(ax >> 8 & FLAG_ZF) == equal) {                          \
                break;                                                    \
            }                                                             \
            if (count && unlikely(interrupted(c))) {                      \
                pause_here(c);                                            \
                break;                                                    \
            }                                                             \
        }                                                                 \
        flags_put(c, ax);                                                 \
    }
#define COMPARISON(name)                                                  \
    COMPARED(name, 1) COMPARED(name, 2) COMPARED(name, 4) COMPARED(name, 8) \
    static InsnRun *const name##_table[2][SIZE_COUNT] = {                 \
        {name##_1, name##_2, name##_4, name##_8},                         \
        {rep_##name##_1, rep_##name##_2, rep_##name##_4, rep_##name##_8}};
COMPARISON(cmps)
COMPARISON(scas)
/* clang-format on */

/* ---- ports ---- */

static uint16_t port_number(const Cpu *c, const Insn *i, unsigned n)
{
    return i->operand[n].kind == OPERAND_IMM ? (uint8_t)i->imm : (uint16_t)c->s.gpr[R_DX];
}

RUN(in)
{
    uint16_t port = port_number(c, i, 1);
    unsigned size = i->operand[0].size;
    uint32_t v;

    io_check(c, port, size);
    v = rt_in(c, port, size);
    gpr_store(c, R_AX, v, size);
}

RUN(out)
{
    uint16_t port = port_number(c, i, 0);
    unsigned size = i->operand[1].size;

    io_check(c, port, size);
    rt_out(c, port, gpr_load(c, R_AX, size), size);
}

/* clang-format off */
InsnRun *bind_string(Cpu *c, const Insn *i)
{
    unsigned at = size_index(i->opsize), port_at = at > 2 ? 2 : at;
    bool rep = i->prefix & (PREFIX_REP | PREFIX_REPNE);

    switch (i->op) {
    case OP_MOVS: return movs_table[rep][at];
    case OP_STOS: return stos_table[rep][at];
    case OP_LODS: return lods_table[rep][at];
    case OP_CMPS: return cmps_table[rep][at];
    case OP_SCAS: return scas_table[rep][at];
    case OP_INS:  return ins_table[rep][port_at];
    case OP_OUTS: return outs_table[rep][port_at];
    case OP_IN:   return in;
    case OP_OUT:  return out;
    default:      return NULL;
    }
}
/* clang-format on */
