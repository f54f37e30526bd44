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

/* How many bytes upward from seg:reg need no further check of segment or address size, when the
 * first element has passed. */
static uint64_t room(const Cpu *c, const Insn *i, unsigned seg, unsigned reg, unsigned size)
{
    uint64_t offset = counter(c, i, reg);
    uint64_t wrap = i->addrsize == 8 ? ~0ull : size_mask(i->addrsize) - offset + 1;
    const X86Segment *s = &c->s.seg[seg];

    if (c->code_size == CODE_64 || (c->flat && seg < SEG_FS)) {
        return wrap;
    }
    if ((s->attr & (ATTR_CODE | ATTR_DOWN_CONFORM)) == ATTR_DOWN_CONFORM || offset > s->limit) {
        return size;
    }
    return least(wrap, s->limit - offset + 1ull);
}

ALWAYS uint64_t in_page(uint64_t linear)
{
    return GUEST_PAGE - linear % GUEST_PAGE;
}

/* ---- runs: do some of `count` elements, at least one; say how many ---- */

/* The host's own string instructions keep element order, so overlaps come out right. */
#define HOST_STRING(text, ...)                         \
    switch (size) {                                    \
    case 1:                                            \
        __asm__ volatile("rep " text "b" __VA_ARGS__); \
        break;                                         \
    case 2:                                            \
        __asm__ volatile("rep " text "w" __VA_ARGS__); \
        break;                                         \
    case 4:                                            \
        __asm__ volatile("rep " text "l" __VA_ARGS__); \
        break;                                         \
    default:                                           \
        __asm__ volatile("rep " text "q" __VA_ARGS__); \
    }

ALWAYS uint64_t movs_run(Cpu *c, const Insn *i, unsigned size, uint64_t count)
{
    uint64_t from = source(c, i, size), to = destination(c, i, size, true), n = 1;
    void *src = tlb_reads(c->tlb, from, size), *dst = tlb_writes(c->tlb, to, size);

    if (count > 1 && !(c->s.rflags & FLAG_DF) && src && dst) {
        uint64_t bytes = least(in_page(from), in_page(to)), left;

        bytes = least(bytes, room(c, i, i->seg, R_SI, size));
        bytes = least(bytes, room(c, i, SEG_ES, R_DI, size));
        n = left = least(count, bytes / size);
        HOST_STRING("movs", : "+S"(src), "+D"(dst), "+c"(left) : : "memory")
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

    if (count > 1 && !(c->s.rflags & FLAG_DF) && dst) {
        uint64_t left;

        n = left = least(count, least(in_page(to), room(c, i, SEG_ES, R_DI, size)) / size);
        HOST_STRING("stos", : "+D"(dst), "+c"(left) : "a"(c->s.gpr[R_AX]) : "memory")
    } else {
        mem_write(c, to, c->s.gpr[R_AX], size);
    }
    advance(c, i, R_DI, n, size);
    return n;
}

ALWAYS uint64_t lods_run(Cpu *c, const Insn *i, unsigned size, uint64_t count)
{
    gpr_store(c, R_AX, mem_read(c, source(c, i, size), size), size);
    advance(c, i, R_SI, 1, size);
    return 1;
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
    v = HOST_CALL(c, port_read, port, size);
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
    HOST_DO(c, port_write, port, v, size);
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

/* One comparison: its flags. */
ALWAYS uint32_t cmps_one(Cpu *c, const Insn *i, unsigned size)
{
    uint64_t a = mem_read(c, source(c, i, size), size);
    uint64_t b = mem_read(c, destination(c, i, size, false), size);
    uint32_t ax;

    host_sub(a, b, size, &ax);
    advance(c, i, R_SI, 1, size);
    advance(c, i, R_DI, 1, size);
    return ax;
}

ALWAYS uint32_t scas_one(Cpu *c, const Insn *i, unsigned size)
{
    uint64_t b = mem_read(c, destination(c, i, size, false), size);
    uint32_t ax;

    host_sub(c->s.gpr[R_AX], b, size, &ax);
    advance(c, i, R_DI, 1, size);
    return ax;
}

/* clang-format off */
/* A fault in the middle leaves the flags as they were before the instruction. */
#define COMPARED(name, size)                                              \
    RUN(name##_##size) { flags_put(c, name##_one(c, i, size)); }          \
    RUN(rep_##name##_##size)                                              \
    {                                                                     \
        uint64_t count = counter(c, i, R_CX);                             \
        bool equal = i->prefix & PREFIX_REP;                              \
        uint32_t ax = flags_get(c);                                       \
                                                                          \
        while (count) {                                                   \
            ax = name##_one(c, i, size);                                  \
            gpr_store(c, R_CX, --count, i->addrsize);                     \
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
    v = HOST_CALL(c, port_read, port, size);
    gpr_store(c, R_AX, v, size);
}

RUN(out)
{
    uint16_t port = port_number(c, i, 0);
    unsigned size = i->operand[1].size;

    io_check(c, port, size);
    HOST_DO(c, port_write, port, gpr_load(c, R_AX, size), size);
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
