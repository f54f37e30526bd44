/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the translator: one unit, a run of instructions of one page, or of two where it is a loop
 * over both or begins in between, that is entered at its top, in the making. Branches out of it may
 * be anywhere in it. Offsets are those in its first page; 4096 and more lie in the second.
 */
#pragma once
#include "target/i386/decode/table.h"
#include "target/i386/translate/asm.h"
#include "target/i386/translate/encode.h"
#include "target/i386/translate/translate.h"

enum {
    SCRATCH_A = H_BP,
    SCRATCH_B = H_R11,
    SCRATCH_C = H_CX,
    GUEST_SP = H_R8,
    GUEST_BP = H_R9,
    GUEST_CX = H_R10
};

/* base + index << scale + disp, in a segment. base, index: as in Insn */
typedef struct Address {
    uint8_t base, index, scale, seg, addrsize;
    int32_t disp;
} Address;

/* x87 instructions that are not written down yet: the last, and the last with an operand in memory.
 * -1: none. */
typedef struct X87Last {
    int16_t last, operand;
    bool before; /* one of them ran in the loop's round before */
    Address at;  /* the operand's, as registers stand now      */
} X87Last;

/* Pieces that stand behind the unit, out of the way. */
typedef enum ColdKind {
    COLD_FILL,     /* the TLB missed: fill, go back to try again                 */
    COLD_LINK,     /* leave for an address in this page; the branch may be patched */
    COLD_RIP,      /* leave for an address in this page                          */
    COLD_JUMP,     /* go to another page                                         */
    COLD_JUMPED,   /* leave for another page and remember the way                */
    COLD_ONE,      /* the interpreter runs the instruction                       */
    COLD_INDIRECT, /* ... and remembers where it went                            */
    COLD_BASED,    /* go to another page, or outside CS; size: 2: IP wraps */
    COLD_FPU,      /* the guest's FPU is not in the host's registers             */
    COLD_GUESS,    /* another addend than was guessed               */
    COLD_ALONE,    /* go on in the copy in which each access has its own check   */
} ColdKind;

typedef struct Cold {
    Hole hole;
    const uint8_t *back; /* COLD_FILL, COLD_FPU; COLD_JUMPED, COLD_INDIRECT: look again; or NULL */
    int32_t at; /* page offset: of the instruction, or where to go; COLD_ALONE, COLD_GUESS: which */
    int32_t from; /* COLD_BASED, COLD_JUMP: of the branch; COLD_JUMP: -1: it cannot fault */
    uint8_t kind, size;
    bool fpu_known;    /* COLD_LINK */
    bool backwards;    /* COLD_LINK */
    bool write, plain; /* COLD_FILL: FILL_ bits */
    uint8_t linear;    /* COLD_FILL: where the linear address is */
    int16_t sp;        /* what rSP is ahead of its register, see Unit.sp */
    int16_t recipe;    /* run before anything else; -1: flags are right */
    int16_t fault;     /* COLD_ONE: whose way out it is; -1: nobody's   */
    X87Last x87;       /* to be written down on the way out */
} Cold;

typedef struct UnitInsn {
    const Insn *i;
    uint16_t at; /* offset in the first page */
} UnitInsn;

/* What is looked at to know that an address lies in a chunk of the window. */
typedef enum Anchor { ANCHOR_SUM, ANCHOR_BASE, ANCHOR_INDEX, ANCHOR_NONE } Anchor;

/* A memory access of an instruction, as share.c sees it: accesses with one key are `at` apart. Of
 * the window: anchors with one key are `near` apart. */
typedef struct Access {
    uint64_t key, chunk;
    int64_t at, near;
    uint8_t insn, size;
    uint8_t anchor; /* Anchor; ANCHOR_NONE: the address is in chunk 0, or near it */
    bool write;
    uint8_t byte;    /* 1, 2: the base's, the index's value is below 256 */
    int64_t plus[2]; /* what of `at` is theirs                           */
} Access;

/* An anchor that has been looked at: it is in the chunk of a slot. */
typedef struct Within {
    uint64_t key;
    int64_t near;
    uint8_t slot, made, last; /* made: instruction that looked; last: that needs it */
} Within;

/* A branch to an instruction farther behind in the unit. */
typedef struct Inner {
    uint8_t from, to;
    bool fpu_known, taken;         /* taken: it stays in the unit, in the first version    */
    uint8_t addend_of, held, made; /* what r11 holds there: as in Unit; a share's number + 1 */
    uint8_t *hole; /* in the first version; NULL: it leaves the unit, or has come to its place */
} Inner;

/* How registers, n of them being the instruction set's, stand at the branches to the unit's top:
 * that they have at the top plus `step` (bit n of steady), or something else. */
typedef struct Edges {
    bool any, unknown; /* unknown: one of them says nothing */
    uint8_t first, last;
    uint16_t steady;
    int64_t step[16]; /* the largest, without sign */
} Edges;

/* A range of addresses that one check has found in one page. */
typedef struct Share {
    uint64_t key; /* 0: none */
    int64_t low, high;
    uint8_t made, last; /* instruction that looked; last one that it is good for */
    bool write;         /* that page may be written         */
    bool kept;          /* the addend is in Cpu.share, too  */
} Share;

/* Instructions that were emitted twice: with shared checks, and alone. */
typedef struct Region {
    uint8_t first, last;
    bool garbage; /* at `join`           */
    struct Before {
        int recipe;
        bool garbage, fpu_known;
        X87Last x87;
    } before;
    uint8_t addend_of;   /* Unit.addend_of there  */
    const uint8_t *join; /* behind it, in the first version */
} Region;

/* Where an operand is on the host, its check done. */
typedef struct Place {
    uint8_t base, index; /* index: NO_INDEX: none */
    int32_t disp;
    uint8_t scale; /* 0 but where copy.c asks */
} Place;

/* Where a branch through a register, memory or the stack usually goes: offsets in the page. */
enum { USUAL_MAX = 2 };
typedef struct Usual {
    unsigned count;
    int32_t to[USUAL_MAX];
} Usual;

enum { NO_INDEX = H_SP, LOOP_MAX = 48, WITHINS = 16, INNERS = 8, HOIST_MAX = 6 };
enum { COLD_MAX = UNIT_MAX * 8, SHARES = SHARE_SLOTS, SHARE_RANGE = 255, REGIONS = UNIT_MAX / 2 };

/* The unit's first instructions where they are a loop, and what one round of it does to registers,
 * as far as they are as wide as the code. */
typedef struct Loop {
    bool there;
    uint8_t last;     /* its last instruction, the branch back to the unit's top */
    uint16_t steady;  /* registers that only move by a constant, which may be 0 */
    int64_t step[16]; /* that constant */
    uint64_t met;     /* instructions that branches in front of them lead to */
} Loop;

/* How an access of a loop moves, and the range that it stays in when that is taken away. */
typedef struct Motion {
    Address first; /* at the beginning of a round, without disp; a byte counts as 0 */
    int64_t step, low, high;
    uint8_t moving; /* what does: base 1, index 2; MOVES_BOTH */
    uint8_t byte;   /* ... by being a byte, any */
} Motion;

enum { MOVES_BOTH = 3 };

/* Accesses of a loop that stay together. What is in Cpu.share: where MOVES_BOTH the addend, else
 * that and all of the address that does not move. */
typedef struct Group {
    uint64_t key;
    Motion m;
    int32_t under; /* 32-bit code: how far below its value the register that moves is used */
    bool write;
    uint8_t members;
} Group;

/* The loop's second version, for as many rounds as its accesses stay in their pages (strip.c). */
typedef struct Strip {
    bool wanted, now; /* now: it is being emitted          */
    bool spoiled;     /* it cannot be                      */
    bool clocked;     /* its end is known by register `clock`, else by a count */
    uint8_t clock, temp, groups;
    uint16_t counter;
    int recipe;          /* at the loop's end; -1: none       */
    bool fpu_known;      /* there                             */
    bool x87;            /* a round's last x87 instruction is written down only on ways out */
    Hole hole;           /* the branch back in the first version ... */
    const uint8_t *back; /* ... and where it led           */
    const uint8_t *top;
    Group group[SHARES];
    int8_t of[LOOP_MAX * 2]; /* an access's group; -1: it is looked up */
    int8_t in_b, in_a;       /* groups that r11 and rbp are for; -1: none */
    bool lost_b, lost_a;     /* they cannot be: something else wanted them */
    Hole branch[LOOP_MAX];   /* from an instruction to ... */
    uint8_t to[LOOP_MAX];    /* ... the inside; 0: none    */
    uint64_t no_fpu;         /* instructions to which one leads from where the FPU is not known */
} Strip;

typedef struct Unit {
    Emit e;
    Cpu *c;
    CodeCache *cache;
    unsigned count, now; /* instructions; the one in work */
    unsigned colds, faults, accesses, regions;
    uint32_t mode;
    uint8_t view;
    uint64_t page;          /* physical; the first */
    int32_t low, high;      /* TransKey.window */
    bool plain;             /* MODE_PLAIN */
    bool code64, fpu_known; /* fpu_known: in the host's registers from here on */
    bool wants_fpu;         /* the entry asks for it */
    uint8_t *fpu_stub;      /* where it leads if the FPU is away; NULL: to the cold piece itself */
    const uint8_t *look_up; /* where the last look into the jump table begins, if it may be repeated
                               with the same rbp; else NULL */
    /* Which instruction of the unit would give the present flags if it were run again, its operands
     * being what they were: then a check may overwrite them. -1: none. */
    int recipe;
    bool garbage; /* a check has overwritten them; there is a recipe */
    /* In a run of PUSH and POP rSP is GUEST_SP + sp: the register is changed once. */
    int16_t sp;
    uint8_t *
        out; /* in front of all: leaves for the top; so does the top when the page's code changes */
    uint8_t *far;    /* from the jump table, with the rip in rbp: sets page_rip */
    uint8_t *ask;    /* who wants us? then the entry */
    uint8_t *entry;  /* asks whether the FPU is there, if the unit needs it */
    uint8_t *top;    /* behind that */
    uint8_t *link;   /* where branches in the page lead, where there are two; else NULL */
    bool loops;      /* asks at the top */
    CodePage *page2; /* NULL: the unit has one page */
    uint64_t phys2;
    uint32_t version2;
    int32_t crossing; /* of an instruction that leaves the page and is not in the unit; -1: none */
    X87Last x87;
    X87Last x87_round; /* what a round of the loop leaves unwritten; last -1: nothing        */
    uint8_t x87_edge;  /* its branch back                                                    */
    bool x87_same;     /* in front of the instruction in work it was that                    */
    bool x87_carried;  /* in the first version it is not written at the branch back, so that its
                        * top may be entered only from there */

    /* Where nothing has been emitted since `frame_at`, this scratch register holds the guest's
     * register of the frame. */
    const uint8_t *frame_at;
    uint8_t frame_reg, frame_host;

    /* Shared checks */
    Share share[SHARES];
    Share *held;   /* whose addend is in r11; NULL: nobody's               */
    Share *linear; /* of whose range rbp holds the linear address linear_at */
    int64_t linear_at;
    bool undisturbed; /* the instruction in work has left rbp and r11 to them */
    bool alone;       /* emitting the version without shares                  */
    bool in_region;
    struct Before before; /* the instruction in work */
    Loop loop;
    Strip strip;

    /* The window (window.c) */
    bool window;         /* MODE_WINDOW                                        */
    bool direct;         /* the place of the access in work is in the window   */
    bool hoisted;        /* what the loop needs is looked at in front of it    */
    uint8_t addend_of;   /* slot + 1 whose addend r11 holds; 0: none's         */
    uint8_t loop_addend; /* ... at the top of such a loop                      */
    uint8_t slot_before; /* of the last check                                  */
    uint64_t linear_key; /* of the access whose address rbp holds, linear_at; 0: none */
    unsigned withins;
    bool called; /* the instruction in work has called a function of the interpreter's */
    uint64_t stray[(UNIT_MAX + 63) / 64]; /* instructions behind which rSP is looked at   */
    uint8_t *known;                       /* the entry for who knows that the FPU is there      */
    uint8_t *hoist;                       /* what window_hoist() looks at, and then the top     */
    uint8_t *top_out;                     /* where the top leads when the page's code changes   */
    Hole to_alone;                        /* from `known` to alone_top; NULL: none              */
    Hole astray[2 * HOIST_MAX];           /* LOOPs of those checks, to what leads there, too    */
    uint16_t small_at_top;                /* registers that are indices, looked at there        */
    unsigned astrays;
    uint8_t *alone_top; /* of the second version, of a loop; NULL: none       */
    Edges edges;
    Within within[WITHINS];
    unsigned inners;
    Inner inner[INNERS];

    /* As many of these as the counts above say; at the beginning what is above is 0, not they. */
    UnitInsn insn[UNIT_MAX];
    Cold cold[COLD_MAX];
    TransFault fault[FAULTS_MAX];
    Access access[UNIT_MAX * 2];
    uint16_t first_access[UNIT_MAX + 1]; /* of an instruction */
    Region region[REGIONS];
    uint8_t *alone_at[UNIT_MAX]; /* instructions, in the version without shares; NULL: not there */
} Unit;

/* What follows the unit's page now: asked for when it matters. */
typedef struct NextPage {
    bool asked, there;
    uint64_t phys;
} NextPage;

/* ---- the parts ---- */

static inline const UnitInsn *unit_now(const Unit *u)
{
    return &u->insn[u->now];
}

static inline int32_t unit_next(const Unit *u)
{
    return unit_now(u)->at + unit_now(u)->i->len;
}

/* Where a relative branch that ends at page offset `next` leads. */
static inline int64_t branch_target(const Insn *i, int64_t next)
{
    return next + (int32_t)i->imm;
}

/* The same of the nth instruction. */
static inline int64_t unit_target(const Unit *u, unsigned n)
{
    return branch_target(u->insn[n].i, u->insn[n].at + u->insn[n].i->len);
}

/* flags.c: what happens to flags */
bool recipe_possible(const Insn *i);
/* The checks of the instruction in work are done: have the flags right if they matter to it or
 * behind it, or at once: shown. A host fault's way out runs the recipe itself. */
void flags_settle(Unit *u, bool shown);
/* Would what a check overwrites have to be had again for the instruction in work, by more than one
 * instruction? Then it leaves them alone. */
bool flags_wanted(const Unit *u);
/* After the instruction in work has changed registers and flags. */
void recipe_follow(Unit *u);
/* Run it: flags are then what they were. */
void recipe_run(Unit *u, int recipe);

/* share.c: which accesses lie near one another. Values in keys: that of a register that is not
 * there, of rip, then those of the 16 registers at the unit's top. */
enum { VALUE_NONE = 1, VALUE_IP, VALUES };
enum { STRETCH_SHIFT = 56, FIRST_STRETCH = 1 }; /* keys' upper bits: part of the unit */
#define VALUE_STACK ((uint64_t)FIRST_STRETCH << STRETCH_SHIFT | (VALUES + R_SP))
void share_plan(Unit *u);
/* The nth access of the instruction in work, if it is as the plan says. NULL: check it alone. */
const Access *share_access(const Unit *u, unsigned n, unsigned size, bool write);
Share *share_find(Unit *u, const Access *a); /* one that holds it     */
Share *share_make(Unit *u, const Access *a); /* NULL: it has no company */
void share_drop(Unit *u);                    /* all of them            */

/* loop.c: u->loop: what a round does to registers. Goes in front of share_plan(), whose numbers of
 * accesses are the same. */
void loop_plan(Unit *u);
/* How the access moves from round to round. false: that is not known. */
bool loop_motion(const Unit *u, const Access *a, Motion *m);

/* strip.c: loops that run without checks. */
void strip_plan(Unit *u);                     /* calls loop_plan() */
void strip_way(Unit *u, const uint8_t *back); /* the loop's branch back was emitted just now */
void strip_branch(Unit *u, const Insn *i);    /* emits it, behind the first version */
bool strip_inside(Unit *u, const Insn *i);    /* emits a branch to the loop's inside */
/* In front of the instruction in work: if branches lead there, what is known is forgotten. */
void strip_meet(Unit *u);
/* An access of an instruction's, in a strip. false: look it up. */
bool strip_place(Unit *u, const Address *a, const Access *what, Place *p);
void strip_emit(Unit *u); /* behind the other versions */

/* guess.c: loads that are waited for. */
bool guess_wanted(const Unit *u, bool write);    /* by the instruction in work */
void guess_emit(Unit *u);                        /* behind a check             */
void guess_emit_cold(Unit *u, const Cold *cold); /* COLD_GUESS                 */

/* window.c: accesses in the window (docs/design/translator.md, "The direct window") */
/* false: check it in the usual way. */
bool window_access(Unit *u, const Address *a, const Access *what, Place *p);
/* Have the checks of a loop's values done in front of its top, where the unit is one. 32-bit code
 * has none, and two versions only for the x87's sake. */
void window_hoist(Unit *u);
/* Where the checks' branches of one byte lead: emitted where nobody comes by. */
void window_lost(Unit *u);
/* In front of a branch to the unit's own top. */
void window_loop(Unit *u);
void window_addend(Unit *u, unsigned slot); /* to r11, if it is not there */
/* linear: a host register; behind it r11 is the slot's addend. */
void window_check(Unit *u, unsigned linear, unsigned slot, Cold *cold);

/* window_stack.c: rSP stays in its chunk. */
void stack_plan(Unit *u);
/* Behind the instruction in work, which did not end the unit. */
void stack_look(Unit *u);
/* rSP and a constant: such an address is not looked at. */
bool stack_address(const Unit *u, const Address *a);
Place stack_place(Unit *u, const Address *a);

/* inner.c: branches that stay in the unit */
bool inner_possible(const Insn *i); /* of that kind */
bool falls_through(const Insn *i);  /* may control go on behind it? */
/* Does the instruction in work name a place, by rip, that is farther from the page's beginning than
 * 32 bits say? Then it is the interpreter's, and the unit ends. */
bool unit_far(const Unit *u);
/* Does an instruction that ends at page offset `next` call what is at `top`? */
bool calls_near(const Insn *i, int64_t next, int64_t top);
/* Does the instruction in front of the nth lead to it? */
bool unit_falls_to(const Unit *u, unsigned n);
/* The instruction behind the one in work that stands at that page offset; -1: none does. */
int unit_behind(const Unit *u, int64_t at);
Inner *inner_branch(Unit *u); /* the branch in work, if it stays; the caller sets its hole */
/* In front of an instruction, in each version, where ways may meet. falls: there is one from the
 * instruction in front of it. false: there is none at all. */
bool inner_meet(Unit *u, bool falls);
void inners_end(Unit *u); /* branches to what the unit turned out not to have */

/* memory.c. After the check rbp + r11 - 12 is the host address; flags_settle() comes next. */
void emit_address(Unit *u, const Insn *i, unsigned to); /* linear, to rbp or elsewhere */
void emit_offset(Unit *u, const Insn *i, unsigned to);  /* without segment base: LEA */
void emit_sum(Unit *u, const Address *a, unsigned to);  /* ... of an operand, see address_of() */
Address address_of(const Unit *u, const Insn *i);       /* REG_IP is the page's first byte */
void emit_check(Unit *u, unsigned size, bool write);    /* rbp: linear */
/* The first part of a check of an address in a host register: r11 the addend, rcx what to add. */
void emit_entry(Unit *u, unsigned linear, bool write);
enum { MEM_DISP = -12 };
/* The same for the nth access of the instruction in work, with one check for several where that may
 * be: its memory operand, or [register + disp] on a stack as wide as the code. */
Place emit_access(Unit *u, unsigned n, unsigned size, bool write);
Place emit_access_stack(Unit *u, unsigned n, unsigned reg, int32_t disp, unsigned size, bool write);
/* Linear, segment base included; takes r11 where there is one. */
void emit_linear(Unit *u, const Address *a, unsigned to);
/* rbp or r11 holds something else now. */
void linear_lost(Unit *u);
void addend_lost(Unit *u);

/* The guest's register in a host register; loads r8 to r11 to the scratch given. */
unsigned guest_reg(Unit *u, unsigned reg, unsigned scratch);
static inline bool in_frame(unsigned reg)
{
    return reg >= 8 && reg < 12;
}
extern const uint8_t host_of[16]; /* HOST_NONE: in the frame */
/* To a scratch register; without a load if it is in one. */
void frame_fetch(Unit *u, unsigned reg, unsigned to);
static inline void frame_holds(Unit *u, unsigned reg, unsigned host)
{
    u->frame_at = u->e.at;
    u->frame_reg = reg;
    u->frame_host = host;
}

/* May the operand be reached without looking at its segment? */
bool segment_plain(const Unit *u, const Insn *i, bool write);

/* segment.c: an offset in rbp becomes a linear address; who may not be reached leaves. */
void emit_segment(Unit *u, unsigned seg, unsigned addrsize, unsigned size, bool write);
/* Offset, segment and TLB check of the memory operand, whatever its segment. */
void emit_operand_check(Unit *u, const Insn *i, unsigned size, bool write);
/* rSP + disp as far as the stack is wide, checked; move_stack() afterwards */
void emit_stack_check(Unit *u, int32_t disp, unsigned size, bool write);
void move_stack(Unit *u, int32_t by);
bool emit_stack_based(Unit *u);              /* as emit_stack() */
bool emit_branch_based(Unit *u, bool *ends); /* as emit_branch() */
void emit_based_far(Unit *u, int32_t at, int32_t from, bool wraps);

/* copy.c: the guest's instruction on mapped operands. false: not this one */
bool emit_copy(Unit *u);
/* If the unit will want the FPU: have it in the host's registers before its top. */
void emit_fpu_first(Unit *u);
void emit_fpu_stub(Unit *u);                      /* less than 100 bytes in front of that */
bool copy_possible(const Unit *u, const Insn *i); /* true: it is tried           */
bool copy_may_write(const Insn *i, unsigned n);   /* operand n, 0 or 1           */
bool copy_writes(const Insn *i);                  /* the memory operand          */
bool frame_used(const Insn *i);                   /* it names r8 to r11 or AH    */
/* x87.c: FIP, FDP and so on */
void x87_passed(Unit *u, bool memory); /* the instruction in work has run              */
void x87_before(Unit *u);              /* ... is about to be emitted                   */
void x87_settle(Unit *u);              /* somebody may look                            */
void x87_write(Unit *u, X87Last what); /* the same on a way out; uses rcx, and r11     */
void x87_plan(Unit *u);                /* u->x87_round                                 */
/* Is it unwritten at the branch in work, which leads to the top? */
bool x87_kept(const Unit *u);
/* call.c: the interpreter's function; last: the unit ends here */
void emit_call(Unit *u, bool last);
/* stack.c: false: not this one */
bool emit_stack(Unit *u);
/* In front of the instruction in work, in the first version: rSP's register is made right, unless
 * the instruction does with Unit.sp. */
void sp_before(Unit *u);
void sp_settle(Unit *u); /* at once */
void sp_moves(Unit *u, int32_t by);
/* PUSH, POP, LEAVE, near branch of the code's own width in the flat model. */
bool stack_plain(const Unit *u, const Insn *i);
static inline unsigned width(const Unit *u)
{
    return u->code64 ? 8 : 4;
}
bool does_nothing(const Insn *i);
/* system.c: false: not this one; *ends: the unit ends here */
bool emit_system(Unit *u, bool *ends);
/* string.c: false: not this one */
bool emit_string(Unit *u);
/* flow.c: true: it was a branch, and emitted. */
bool emit_branch(Unit *u, bool *ends);
/* Who branches backwards, and who jumps through the table, leads where it is asked who wants the
 * CPU: so a branch is one, and a round asks once. A loop's unit asks behind its top, another in
 * front of its entry; the way out stands before that: behind the unit it would be too far away. */
uint8_t *emit_way_out(Unit *u);
void emit_ask(Unit *u, const uint8_t *out);
void emit_go(Unit *u, int32_t at);
bool in_page(const Unit *u, int32_t at); /* ... where a branch may lead directly */
void emit_jcc(Unit *u, const Insn *i);
void emit_count_branch(Unit *u, const Insn *i);
void emit_leave_next(Unit *u); /* go on behind the instruction in work */
/* To another unit of the page, or by way of its links to this. */
void emit_link(Unit *u, int32_t at);
void emit_target(Unit *u, int32_t at, unsigned to); /* rip of a page offset */

/* jumps.c. rbp: rip wanted. Leaves to at, of kind, when it is not known. */
void emit_jump(Unit *u, ColdKind kind, int32_t at);
/* In two parts, with less than 100 bytes in between: r11 and rbp are what the look-up left. */
Hole emit_jump_lookup(Unit *u);
void emit_jump_hit(Unit *u, Hole miss, ColdKind kind, int32_t at);
/* The same with more in between, when r11 and rbp are something else by then. */
void emit_jump_keep(Unit *u, ColdKind kind, int32_t at);
void emit_jump_kept(Unit *u);
void emit_jump_far(Unit *u, int32_t at);                 /* all of it, to a page offset */
void emit_branch_far(Unit *u, int32_t at, int32_t from); /* the same by the branch at `from` */

/* usual.c: where the branch in work usually goes; none: nothing is known. */
Usual usual_find(const Unit *u);
/* rbp: where it goes now: to the nth place? A branch that is taken if not, within 127 bytes. In
 * turn: between them nothing may change rcx on that way. Takes r11. */
Hole usual_other(Unit *u, const Usual *k, unsigned n);
Hole usual_other_far(Unit *u, const Usual *k, unsigned n); /* ... anywhere */

/* gather.c */
void unit_gather(Unit *u, const Block *b, NextPage *next);
bool unit_ahead(Cpu *c, const Block *b);   /* in front of that */
bool next_page_is(Cpu *c, NextPage *next); /* asks, if that has not been done */
/* Does an instruction from `first` on lead to the top of the unit? */
bool leads_back(const Unit *u, unsigned first);

/* unit.c */
void unit_emit(Unit *u);
bool unit_emit_next(Unit *u); /* the instruction in work; false: the unit ends behind it */

/* cold.c */
Cold *cold_add(Unit *u, ColdKind kind, Hole hole, int32_t at);
void colds_emit(Unit *u); /* behind all versions */
void unit_fault_begin(Unit *u);
void unit_fault_end(Unit *u);
/* Around the host's instruction that accesses a Place. */
static inline void place_begin(Unit *u)
{
    if (u->direct) {
        unit_fault_begin(u);
    }
}

static inline void place_end(Unit *u)
{
    if (u->direct) {
        unit_fault_end(u);
    }
}

void region_extend(Unit *u, unsigned last); /* from the instruction in work on: two versions */
void emit_call_routine(Unit *u, const uint8_t *routine); /* executable view */
void emit_jmp_routine(Unit *u, const uint8_t *routine);

/* Of Cpu.exit_site: the FPU is in the host's registers there; it is a branch backwards. */
enum { SITE_FPU = 1u << 31, SITE_BACK = 1u << 30, SITE_FLAGS = SITE_FPU | SITE_BACK };

/* syscall.c: false: not this one */
bool emit_syscall(Unit *u, bool *ends);
void syscall_routines(Emit *e, CodeCache *cache);

/* entry.c: writes the shared routines; bytes that they take. */
uint32_t trans_routines(CodeCache *cache);

/* next.c. Called from translated code with all in Cpu.s. */

/* When the TLB has no entry for an access of the instruction at s.rip. info: size << 16, and bits.
 * FILL_ONE: the interpreter must run the instruction. FILL_NEXT: its page fault has been delivered,
 * go on at next_rip. Does not raise. */
enum { FILL_WRITE = 1 << 24, FILL_PLAIN = 1 << 25 }; /* plain: no other fault can come before #PF */
enum { FILL_ONE, FILL_DONE, FILL_NEXT };
uint32_t trans_fill(Cpu *c, uint64_t linear, uint32_t info);

/* Have the jump table know where the code at rip is. false: the loop must find out, or the
 * interpreter. Nothing else changes, and nobody may take a page away meanwhile. */
bool trans_resolve(Cpu *c, uint64_t rip);

/* The code at next_rip, where the guest goes on; NULL: leave, nobody knows or something else is
 * wanted first. s.rip is next_rip then. */
const void *trans_next(Cpu *c);
