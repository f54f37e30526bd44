/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interpreter's loop: find the block at rip, run its instructions, look up again. What is out
 * of the ordinary (shadows of STI and MOV SS, RF, single-step, breakpoints, HLT, open windows) is
 * looked at only when block_break says that something of the kind has happened (SDM volume 3,
 * "Debug, branch profile", "Masking exceptions and interrupts when switching stacks").
 * Not modelled: DEBUGCTL.LBR, the record of branches.
 */
#include "target/i386/decode/table.h"
#include "target/i386/rt/block.h"
#include "target/i386/rt/host.h"
#include "target/i386/rt/mem.h"
#include "target/i386/rt/rt.h"
#include "target/i386/translate/translate.h"

enum { DR6_BS = 1 << 14, DR7_RW0_SHIFT = 16, DEBUGCTL_LBR = 1, DEBUGCTL_BTF = 2 };

/* So often code without the direct window runs before it is translated for it. */
enum { WINDOW_AFTER = 16 };

void run_undefined(Cpu *c, const Insn *i)
{
    raise_fault(c, EXC_UD);
}

/* ---- out of the ordinary ---- */

static _Noreturn void raise_debug(Cpu *c)
{
    c->s.debugctl &= ~(uint64_t)(DEBUGCTL_LBR | DEBUGCTL_BTF);
    raise_fault(c, EXC_DB);
}

/* Instruction breakpoints come before the instruction, and not where RF or MOV SS holds them. */
static void breakpoints_check(Cpu *c)
{
    uint64_t linear = c->code_base + c->s.rip, hit = 0;

    if (c->code_size != CODE_64) {
        linear = (uint32_t)linear;
    }
    for (unsigned n = 0; n < 4; n++) {
        bool enabled = c->s.dr7 >> n * 2 & 3,
             on_execution = !(c->s.dr7 >> (DR7_RW0_SHIFT + n * 4) & 3);

        hit |= enabled && on_execution && c->s.dr[n] == linear ? 1u << n : 0;
    }
    if (hit) {
        c->s.dr6 = (c->s.dr6 & ~0xfull) | hit;
        raise_debug(c);
    }
}

static inline __attribute__((always_inline)) void insn_run(Cpu *c, const Insn *i)
{
    c->insn = i;
    c->next_rip = c->s.rip + i->len;
    i->run(c, i);
    c->s.rip = c->next_rip;
}

/* Whether the instruction was a branch, and taken. */
static bool branched(const Cpu *c, const Insn *i, uint64_t from)
{
    switch (i->op) {
    case OP_JCC:
    case OP_JCXZ:
    case OP_LOOP:
    case OP_LOOPE:
    case OP_LOOPNE:
        return c->s.rip != from + i->len;
    default:
        return insn_row(i)->attr & ROW_BRANCH;
    }
}

/* INT n and the like clear TF for their handler, which is not stepped into. */
static bool traps_single_step(const Cpu *c, const Insn *i, uint64_t from)
{
    if (unlikely(c->s.debugctl & DEBUGCTL_BTF) && !branched(c, i, from)) {
        return false;
    }
    switch (i->op) {
    case OP_INT:
    case OP_INT1:
    case OP_INT3:
    case OP_INTO:
    case OP_SYSCALL:
    case OP_SYSENTER:
        return c->s.rflags & FLAG_TF;
    default:
        return true;
    }
}

/* One instruction, with all that may surround it. */
static void step(Cpu *c)
{
    bool single = c->s.rflags & FLAG_TF;
    uint64_t from = c->s.rip;
    const Insn *i;

    if (!(c->s.rflags & FLAG_RF) && !c->s.ss_shadow && c->mode & MODE_STEP) {
        breakpoints_check(c);
    }
    i = block_find(c)->insn;
    c->s.rflags &= ~(uint64_t)FLAG_RF; /* a fault's image has it anyway */
    c->s.sti_shadow = c->s.ss_shadow = false;
    insn_run(c, i);
    c->retired++;
    if (single && traps_single_step(c, i, from)) {
        c->s.dr6_pending |= DR6_BS;
    }
    c->insn = NULL;
    c->block_break = true;
}

/* A shadow, RF or TF: the next instruction is run alone. */
static bool wants_step(const Cpu *c)
{
    return c->mode & MODE_STEP || c->s.rflags & FLAG_RF || c->s.sti_shadow || c->s.ss_shadow;
}

/* RF alone, and no breakpoint that it holds back: it ends where the instruction begins, and that is
 * next. */
static bool only_rf(const Cpu *c)
{
    return c->s.rflags & FLAG_RF && !(c->mode & MODE_STEP) && !c->s.sti_shadow && !c->s.ss_shadow &&
           c->code && !c->host->lockstep && !c->host->log_exec;
}

/* Debug traps of the instruction before; held back behind MOV SS. */
static void traps_check(Cpu *c)
{
    if (c->s.dr6_pending && !c->s.ss_shadow) {
        c->s.dr6 |= c->s.dr6_pending;
        c->s.dr6_pending = 0;
        c->s.activity = CPU_RUNNING;
        raise_debug(c);
    }
}

/* An event that could not be taken when it came can be taken now. */
static bool event_due(const Cpu *c)
{
    if (unlikely(c->debug_step & DEBUG_NO_IRQ)) {
        return false;
    }
    return (c->want_window && rt_can_interrupt(c)) || (c->s.nmi_pending && rt_can_nmi(c)) ||
           (c->s.smi_pending && rt_can_smi(c));
}

/* An instruction, or the delivery of its exception, is done: all that a debugger's step does. */
static void stepped(Cpu *c)
{
    if (unlikely(c->debug_step) && !c->debug_hit.reason) {
        c->debug_hit.reason = DEBUG_STEPPED;
    }
}

/* true: leave the loop. */
static bool look_around(Cpu *c, RtExit *exit)
{
    c->block_break = false;
    if (unlikely(c->debug_hit.reason)) {
        *exit = RT_DEBUG;
        return true;
    }
    traps_check(c);
    if (c->s.activity != CPU_RUNNING) {
        c->block_break = true;
        *exit = c->s.activity == CPU_SHUTDOWN ? RT_SHUTDOWN : RT_HALT;
        return true;
    }
    if (!c->go || event_due(c)) {
        c->block_break = true;
        *exit = RT_KICK;
        return true;
    }
    if (only_rf(c)) {
        c->s.rflags &= ~(uint64_t)FLAG_RF;
    } else if (wants_step(c)) {
        step(c);
        stepped(c);
    }
    return false;
}

bool rt_ordinary(Cpu *c)
{
    if (c->debug_hit.reason || c->s.dr6_pending || c->s.activity != CPU_RUNNING || !c->go ||
        event_due(c) || wants_step(c)) {
        return false;
    }
    c->block_break = false;
    return true;
}

/* The interpreter runs what translated code does not: one instruction, out of its row. */
void run_one(Cpu *c)
{
    const Insn *i = block_find(c)->insn;

    insn_run(c, i);
    c->insn = NULL;
    c->retired++;
}

/* Only the last instruction of a block, or one that sets block_break, may change next_rip. */
static inline void block_run(Cpu *c, const Block *b)
{
    const Insn *i = b->insn, *end = i + b->count;
    uint64_t next = c->s.rip;

    if (unlikely(c->host->log_exec != NULL)) {
        HOST_DO(c, log_exec, c->s.rip);
    }
    for (;;) {
        c->insn = i;
        next += i->len;
        c->next_rip = next;
        i->run(c, i);
        if (++i == end || unlikely(c->block_break)) {
            break;
        }
        c->s.rip = next;
    }
    c->s.rip = c->next_rip;
    c->insn = NULL;
    c->retired += i - b->insn;
}

/* For the translator: the block that began at `from` was run. */
static inline void note_branch(Cpu *c, const Block *b, uint64_t from)
{
    const Insn *i = &b->insn[b->count - 1];

    if (went_kind(i) && b->code && !b->code2 && !c->block_break) {
        unsigned before = b->bytes - i->len;

        went_note(c, b->phys + before, from + before, c->s.rip);
    }
}

/* What is to be done with the code that is found next. */
typedef enum { THEN_NOTHING, THEN_LINK, THEN_REMEMBER } Then;

static Then run_code(Cpu *c, const Trans *t)
{
    switch (unlikely(c->host->lockstep != NULL) ? HOST_CALL(c, lockstep, t) : trans_run(c, t)) {
    case TRANS_LINK:
        return THEN_LINK;
    case TRANS_JUMP:
        return THEN_REMEMBER;
    case TRANS_INDIRECT:
        run_one(c);
        return THEN_REMEMBER;
    case TRANS_ONE:
        run_one(c);
        return THEN_NOTHING;
    default:
        return THEN_NOTHING;
    }
}

/* ---- which code ---- */

/* Code without the direct window in a mode with it: it leaves where it is asked who wants the CPU,
 * that is before it gets to code of the window, which counts on where rSP is. */
static Then run_outside(Cpu *c, const Trans *t)
{
    Then then;

    c->go = 0;
    then = run_code(c, t);
    cpu_go_on(c);
    return then;
}

/* Decode what t, which begins at s.rip, was made of, so that a unit with the window is no shorter;
 * decoded code may have been forgotten meanwhile. Of one page: nothing here leaves the gate but to
 * say that a page has code, and then it is left at that. */
static void decode_like(Cpu *c, void *opaque)
{
    const Trans *t = opaque;
    const Block *b = block_find(c), *next;
    unsigned at = b->phys % GUEST_PAGE;

    if (b == block_loose(c->blocks)) {
        return;
    }
    for (unsigned insns = b->count; insns < t->insns; insns += b->count) {
        at += b->bytes;
        next = at < GUEST_PAGE ? block_at(c, b->page | at) : NULL;
        if (at >= GUEST_PAGE || (!next && (!block_ahead(c, at, &next) || !next))) {
            break;
        }
        b = next;
        if (!b->trans) {
            ((Block *)b)->runs = 0; /* it has a unit without, and counts as that */
        }
    }
}

/* A unit for the direct window like t, which is one without. */
static const Trans *window_unit(Cpu *c, const Block **b, const Trans *t)
{
    rt_tried(c, decode_like, (void *)t);
    *b = block_find(c);
    if (*b != block_loose(c->blocks)) {
        ((Block *)*b)->runs = UINT8_MAX;
    }
    return trans_find(c, (Block *)*b);
}

/* With the window come units of its own, for code that runs much; the rest goes on in what it has
 * without, looked up each time it is branched to. What code with the window branches to directly
 * needs half as much. NULL: there is none without. */
static const Trans *code_outside(Cpu *c, const Block **b, bool linked)
{
    const Trans *t = trans_known(c, c->mode ^ MODE_WINDOW, (*b)->code, (*b)->phys);

    if (!t) {
        return NULL;
    }
    if (!(*b)->code2 && !t->page2 && !c->window.always && !c->host->lockstep) {
        uint32_t *times = &((Block *)*b)->outside;

        *times += linked && trans_left_window(c) ? WINDOW_AFTER / 2 : 1;
        if (*times < WINDOW_AFTER) {
            return t;
        }
    }
    return window_unit(c, b, t);
}

/* The block's code, once it has run often enough. */
static inline const Trans *code_for(Cpu *c, const Block **b, bool linked)
{
    const Trans *t = NULL;

    if (likely((*b)->runs >= c->translate_after)) {
        if (unlikely(!(c->mode & MODE_PLAIN))) { /* the place in CS matters */
            return trans_find(c, (Block *)*b);
        }
        if (!(*b)->code2 && (*b)->trans) {
            return (*b)->trans;
        }
        if ((*b)->count) {
            return trans_find(c, (Block *)*b);
        }
    }
    if (c->mode & MODE_WINDOW) {
        t = code_outside(c, b, linked);
    }
    if (!t && !(*b)->count) {
        *b = block_find(c);
    }
    if (!t && (*b)->runs < c->translate_after) {
        ((Block *)*b)->runs++;
    }
    return t;
}

/* What comes before each look-up. false: leave the loop. */
static inline __attribute__((always_inline)) bool goes_on(Cpu *c, RtExit *exit)
{
    while (unlikely(c->block_break)) {
        if (look_around(c, exit)) {
            return false;
        }
    }
    *exit = RT_KICK;
    return likely(c->go);
}

/* With a code cache: translated code where there is some, else the interpreter. */
static RtExit loop_translated(Cpu *c)
{
    RtExit exit;
    Then then = THEN_NOTHING;

    for (;;) {
        const Block *b;
        const Trans *t;

        if (unlikely(c->stir)) {
            stir(c);
        }
        if (unlikely(window_astray(c))) {
            window_update(c);
        }
        if (unlikely(c->block_break) &&
            then == THEN_LINK) { /* from code of another mode, perhaps */
            then = THEN_NOTHING;
        }
        if (!goes_on(c, &exit)) {
            return exit;
        }
        b = block_find_code(c);
        t = code_for(c, &b, then == THEN_LINK);
        if (unlikely(c->code_generation !=
                     c->code->generation)) { /* it was emptied: now, or just */
            trans_forget(c);
            then = THEN_NOTHING; /* exit_site is somebody else's now */
            continue;
        }
        if (!t) {
            uint64_t from = c->s.rip;

            then = THEN_NOTHING;
            if (likely(!c->block_break)) { /* else it may have been forgotten meanwhile */
                block_run(c, b);
                note_branch(c, b, from);
            }
            continue;
        }
        if (unlikely(c->unlinked)) {
            then = THEN_NOTHING;
        }
        if (then == THEN_LINK) {
            trans_link(c, t);
        } else if (then == THEN_REMEMBER) {
            jump_insert(c, t);
        }
        then = likely(t->key.mode == c->mode) ? run_code(c, t) : run_outside(c, t);
    }
}

static RtExit loop(Cpu *c)
{
    RtExit exit;

    while (goes_on(c, &exit)) {
        block_run(c, block_find(c));
    }
    return exit;
}

bool rt_guarded(Cpu *c, void (*fn)(Cpu *c, void *opaque), void *opaque)
{
    void *outer[5];

    __builtin_memcpy(outer, c->unwind, sizeof outer);
    if (__builtin_setjmp(c->unwind)) {
        __builtin_memcpy(c->unwind, outer, sizeof outer);
        c->insn = NULL;
        return false;
    }
    fn(c, opaque);
    __builtin_memcpy(c->unwind, outer, sizeof outer);
    return true;
}

bool rt_tried(Cpu *c, void (*fn)(Cpu *c, void *opaque), void *opaque)
{
    uint64_t cr2 = c->s.cr2;
    bool done = rt_guarded(c, fn, opaque);

    if (!done) {
        c->exc_pending = false;
        c->s.cr2 = cr2;
    }
    return done;
}

/* false: an instruction was left by unwind(). */
static __attribute__((noinline)) bool loop_guarded(Cpu *c, RtExit *exit)
{
    if (__builtin_setjmp(c->unwind)) {
        return false;
    }
    *exit = c->code && !c->host->log_exec ? loop_translated(c) : loop(c);
    return true;
}

RtExit rt_run(Cpu *c)
{
    RtExit exit = RT_KICK;

    c->block_break = true;
    if (c->code) {
        trans_thread(c);
    }
    for (;;) {
        if (c->exc_pending) {
            if (!deliver_pending(c)) {
                exit = RT_SHUTDOWN;
                break;
            }
            stepped(c);
        }
        if (loop_guarded(c, &exit)) {
            break;
        }
        c->insn = NULL;
        c->block_break = true;
        cpu_go_on(c); /* run_outside() was left */
    }
    gate_out(c);
    return exit;
}

void rt_init(Cpu *c, void *arena, size_t arena_bytes)
{
    c->self = c;
    c->unit_max = UNIT_MAX;
    c->jump_mask = JUMP_MASK;
    c->flags_but[FLAG_BUT_IF] = ~(uint64_t)FLAG_IF;
    c->flags_but[FLAG_BUT_DF] = ~(uint64_t)FLAG_DF;
    c->flags_but[FLAG_BUT_AC] = ~(uint64_t)FLAG_AC;
    c->flags_arith = FLAGS_ARITH;
    c->flags_pushed = ~(uint64_t)(FLAGS_ARITH | FLAG_VM | FLAG_RF);
    c->df_mask = FLAG_DF;
    c->page_mask = GUEST_PAGE - 1;
    c->many_mask = ~15ull;
    c->fpu_away = !c->fpu_live;
    cpu_attended(c);
    block_init(c, arena, arena_bytes);
    tlb_init(c);
    phys_flush(c);
}
