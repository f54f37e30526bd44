/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The run-time library's CPU: the guest's state, the software TLB and what follows from the state.
 * Everything in target/i386/rt is built for general registers only and calls nothing outside but
 * through `c->host` (host.h), because the guest's FPU lives in the host's registers meanwhile. So:
 * no glib, no libc, no floating point here; errors of the guest are raise()d, which never returns.
 *
 * Life of one instruction: s.rip is its address and next_rip that of the one behind it; handlers
 * that jump set next_rip; the loop stores it to s.rip when the handler is done. A handler that
 * faults leaves by raise_...() before anything visible has changed.
 */
#pragma once
#include "accel/debug.h"
#include "softmmu/memory/answer.h"
#include "softmmu/memory/code.h"
#include "target/i386/decode/insn.h"
#include "target/i386/feature.h"
#include "target/i386/rt/window.h"
#include "target/i386/state.h"

#include <stddef.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

enum { GUEST_PAGE = 4096, TLB_BITS = 14, TLB_SIZE = 1 << TLB_BITS };
enum { RAM_PIECE = 2 << 20, RAM_WARM = 32 }; /* RtHost.ram_warm */

/* What is added to every addend: the shift that leaves of a distance in a page nothing, so that
 * translated code finds the count of its shift in the addend it has loaded. */
enum { TLB_ADDEND = 12 };

enum { TLB_SKEW = 8 };

/* The pages of one view, direct-mapped: slot = linear page modulo TLB_SIZE. A tag is minus the
 * page's linear address, or tlb_no_tag(): address plus tag is the offset in the page. A write tag
 * is there only for RAM that may be written without telling anyone (no decoded code, not logged, no
 * ROM). The arrays are shifted against each other, lest one slot be in one cache set of all. */
typedef struct TlbTable {
    uint64_t read[TLB_SIZE], skew_read[TLB_SKEW];
    uint64_t write[TLB_SIZE], skew_write[TLB_SKEW];
    uint64_t addend[TLB_SIZE], skew_addend[TLB_SKEW]; /* host page - linear page + TLB_ADDEND */
    /* Slots with tags; those of them for global pages, and for pieces of large ones. */
    uint64_t used[TLB_SIZE / 64], global[TLB_SIZE / 64], large[TLB_SIZE / 64];
} TlbTable;

/* The tag of nothing. It belongs to a page of another slot, and not the next one, which an access
 * at this page's end reaches into: so it holds no address that is looked for in this slot, and none
 * of the bytes of an access that begins here. */
static inline uint64_t tlb_no_tag(unsigned slot)
{
    return -(uint64_t)(slot ^ 2) * GUEST_PAGE;
}

/* Data accesses go through the view that CPL, CR4.SMAP and EFLAGS.AC select. VIEW_SLOW is never
 * filled: everything goes the slow way (alignment checks on, data breakpoints armed). */
typedef enum { VIEW_USER, VIEW_KERNEL, VIEW_KERNEL_SMAP, VIEW_SLOW, VIEW_COUNT } View;

/* What an access is. ACCESS_SYSTEM may be added: descriptor tables, TSS: as CPL 0,
 * whatever CPL is. */
typedef enum { ACCESS_READ = 0, ACCESS_WRITE = 1, ACCESS_FETCH = 2, ACCESS_SYSTEM = 4 } AccessKind;

/* The second level: what the page tables say of linear pages, whoever may use them (tlb2.c). A key
 * is the linear page, 7 bits up, and below it the context whose page it is; 0: no entry. */
typedef struct Tlb2Entry {
    uint64_t key, page; /* page: physical, and TLB2_ bits */
} Tlb2Entry;

enum { TLB2_SETS = 2048, TLB2_LARGE_SETS = 64, TLB2_WAYS = 4, TLB2_CONTEXT_BITS = 19 };
enum { PCID_COUNT = 4096 };

enum {
    TLB2_VALID = 1,
    TLB2_WRITABLE = 2,
    TLB2_USER = 4,
    TLB2_NO_EXECUTE = 8,
    TLB2_DIRTY = 16,
    TLB2_GLOBAL = 32,
    TLB2_LARGE = 64,
    TLB2_KEY_SHIFT = 7, /* 4 bits: protection key */
};
#define TLB2_ADDRESS 0x000ffffffffff000ull

/* A context is a PCID, or what is global, from one flush to the next. */
typedef struct Tlb2 {
    uint32_t context, global_context;
    uint32_t oldest, newest;      /* contexts of PCIDs below `oldest` have been flushed */
    uint32_t of_pcid[PCID_COUNT]; /* 0: none yet */
    /* In which GBs pages of 2 or 4 MB, and of 1 GB, were seen: bit (linear >> 30) % 64. */
    uint64_t large_at, huge_at;
    Tlb2Entry small[TLB2_SETS * TLB2_WAYS] __attribute__((aligned(64)));
    Tlb2Entry large[TLB2_LARGE_SETS * TLB2_WAYS]; /* pieces of 2 MB */
} Tlb2;

/* What is behind a page of guest-physical memory; filled by host->page. */
typedef struct PhysPage {
    uint64_t phys;           /* page address (A20 applied); ~0: none                        */
    uint8_t *host;           /* NULL: device or hole: host->mmio_read and mmio_write        */
    void *ram;               /* struct Ram, for host->dirty                                 */
    uint64_t ram_at;         /* offset in it                                               */
    CodePage *code;          /* NULL where there is no RAM                                  */
    _Atomic uint8_t *warmth; /* of each 2 MB of that RAM, ram_at 0 first; NULL: nobody asks  */
    bool readonly;           /* writes are dropped (ROM) or go to mmio_write (flash)        */
    bool logged;             /* some client wants to know of writes: host->dirty            */
    uint64_t before, after;  /* bytes around the page of which all this holds, too; whole pages */
} PhysPage;

/* A piece of RAM of one kind: what holds of its first page, continued. */
typedef struct PhysSpan {
    uint64_t first, bytes; /* 0 bytes: none */
    PhysPage page;
} PhysSpan;

enum { PHYS_CACHE = 256, PHYS_SPANS = 8 };

/* The device page that a view used last: as much a translation as those in its TlbTable. */
typedef struct DevicePage {
    uint64_t linear, phys; /* linear: ~0: none */
    bool writable;         /* else it was only read */
} DevicePage;

/* Where an event comes from: decides on error-code bits, DPL checks and RF (SDM volume 3,
 * "Interrupt and exception handling"). */
typedef enum {
    EVENT_EXCEPTION, /* raised by an instruction                       */
    EVENT_EXTERNAL,  /* interrupt or NMI                               */
    EVENT_INT_N,     /* INT n                                          */
    EVENT_INT3,      /* INT3, INTO: DPL is checked, no V86 redirection */
    EVENT_INT1,      /* INT1: as an exception, no DPL check            */
} EventKind;

typedef struct LastException { /* for the triple-fault report and -d int */
    uint8_t vector, kind;      /* EventKind */
    bool soft, has_error;
    uint16_t cs;
    uint32_t error;
    uint64_t rip, cr2, rsp;
    const char *why; /* as Cpu.why_format; NULL: the vector says it all */
    uint64_t why_value[3];
} LastException;

enum { LAST_EXCEPTIONS = 8 };

/* Bits of Cpu.mode; cpu_mode_changed() makes them. MODE_STEP: TF is set, an instruction breakpoint
 * armed, or a debugger steps, so the loop looks around after every instruction. */
enum {
    MODE_CODE = 3, /* CodeSize of CS       */
    MODE_USER = 4, /* CPL is 3             */
    MODE_FLAT = 8, /* Cpu.flat             */
    MODE_STACK_SHIFT = 4,
    MODE_STACK = 3 << MODE_STACK_SHIFT, /* 0: 2 bytes, 1: 4, 2: 8 */
    MODE_PE = 64,                       /* protected mode, not virtual-8086 */
    MODE_V86 = 128,
    MODE_STEP = 256,
    MODE_VIEW_SHIFT = 9,
    MODE_VIEW = 3 << MODE_VIEW_SHIFT, /* View of data accesses */
    /* Control registers let x87 and MMX, SSE, AVX, AVX-512 run. */
    MODE_X87 = 1 << 11,
    MODE_SSE = 1 << 12,
    MODE_AVX = 1 << 13,
    MODE_AVX512 = 1 << 14,
    MODE_FS_WIDE = 1 << 15, /* outside 64-bit code: readable, writable, without limit */
    MODE_GS_WIDE = 1 << 16,
    MODE_ES_WIDE = 1 << 17,
    MODE_SS_WIDE = 1 << 18,
    MODE_DS_WIDE = 1 << 19,
    MODE_64K = 1 << 20,   /* ES SS DS FS GS: readable, writable, 64 KB or more */
    MODE_PLAIN = 1 << 21, /* 64-bit code, or 32-bit code whose CS has no base and no limit */
    MODE_SEGMENTS = MODE_FLAT | 127 << 15, /* all that data segments decide about, and more */
    MODE_INNER = 1 << 24,                  /* CPL is 1 or 2 */
    MODE_SMAP = 1 << 25,                   /* CR4.SMAP      */
    MODE_PKE = 1 << 26,                    /* CR4.PKE       */
    MODE_WINDOW = 1 << 27, /* user code, of 64 bits or flat, whose address space is Cpu.window's */
};

/* Where rips lead in translated code, for each view; see target/i386/translate. The slot is what
 * PEXT takes from the rip by JUMP_MASK. An entry is two words, so that it lies in one line of the
 * host's cache: the tag in the word of its slot, which is minus the rip, to which outside 64-bit
 * code 2^32 times the base of CS is added; and in the next slot's word the address of the code. So
 * the next slot is empty; that few rips lie two or three bytes apart makes it a small loss. */
enum { JUMP_SLOTS = 131072, JUMP_SHIFT = 1, JUMP_NEAR = 32768, JUMP_VIEWS = VIEW_SLOW };
enum { JUMP_MASK = (JUMP_SLOTS - 1) << JUMP_SHIFT };

enum { SHARE_SLOTS = 6, STRIP_COUNTERS = 256, GUESSES = 64 };

/* An addend that was right last time, and minus it. wait: wrong guesses before it is judged;
 * when: the time-stamp counter's low half as it was last. */
typedef struct Guess {
    uint64_t addend, minus;
    uint32_t wait, when;
} Guess;

/* Cpu.answers */
enum { RT_MEMORY, RT_PORTS };

/* Cpu.flags_but: all flags but one, for translated code that changes it. */
enum { FLAG_BUT_IF, FLAG_BUT_DF, FLAG_BUT_AC };

typedef struct JumpTable {
    uint64_t word[JUMP_SLOTS + TLB_SKEW];
    uint64_t used[JUMP_SLOTS / 64], global[JUMP_SLOTS / 64]; /* slots; those of global pages */
    uint64_t any[JUMP_SLOTS / 64 / 64];                      /* words of `used` that are not 0 */
    uint64_t near[JUMP_NEAR / 64]; /* pages that rips lie in, as bits: linear page % JUMP_NEAR */
    uint32_t mode;
    uint64_t limit; /* of CS */
    bool based;     /* may hold tags of code with a base */
} JumpTable;

typedef struct Cpu {
    X86State s;

    uint64_t next_rip;
    const Insn *insn; /* running; NULL between                                            */
    TlbTable *tlb;    /* of the current view: tlb_view[view]                              */
    uint8_t view, cpl;
    uint8_t code_size;   /* CodeSize of CS                                                   */
    uint8_t stack_size;  /* bytes of the stack pointer: 2, 4, 8                              */
    bool flat;           /* ES CS SS DS: base 0 and no limit (or 64-bit): skip the checks    */
    bool want_window;    /* rt_want_window()                                                 */
    bool takes_turns;    /* only one vCPU runs at a time: PAUSE ends rt_run()                */
    uint32_t mode;       /* mode key: MODE_, all that decoding and binding depend on         */
    uint64_t code_base;  /* of CS: linear address of rip 0; 0 in 64-bit code                 */
    uint64_t code_limit; /* of CS: the highest rip; ~0 in 64-bit code                       */
    /* For translated code outside 64-bit mode: the last byte that may be read, and written, in ES
     * CS SS DS FS GS; -2^33: leave all to the interpreter (no access, expand-down). */
    int64_t reach[6][2];
    uint64_t code_tag; /* code_base << 32: part of the jump tables' tags                     */
    uint64_t zero;     /* always 0: the base or index register that is not there           */
    _Atomic uint32_t kicked; /* since cpu_attended(); first written, then go */
    _Atomic uint32_t go; /* 0: leave rt_run() before the next instruction, see cpu_kick()      */
    /* End this run of decoded instructions after the current one, then look at all that is out of
     * the ordinary: shadows, RF, TF, breakpoints, pending debug traps, activity, open window. Set
     * by whatever changes one of these, IF, or the mode, and by stores into code. */
    bool block_break;
    bool fpu_live;    /* the guest's FPU is in the host's registers                       */
    bool fpu_away;    /* ... is not: for translated code                                  */
    uint64_t retired; /* instructions, for figures                                        */

    /* Exceptions in flight: raise_...() fills these and unwinds to the loop. */
    void *unwind[5];              /* __builtin_setjmp's */
    uint8_t exc_vector, exc_kind; /* exc_kind: EventKind */
    bool exc_pending, exc_has_error;
    uint32_t exc_error;
    uint64_t exc_cr2;
    uint8_t delivering; /* vector being delivered plus 1, for double faults; 0: none */
    LastException last[LAST_EXCEPTIONS];
    unsigned last_count;
    bool external; /* the event being delivered is not an instruction's: EXT in error codes */
    const char *why_format; /* what was wrong last, see why(); %x stands for a value */
    uint64_t why_value[3];
    char why[160]; /* the same in words, written when the CPU shuts down */

    const DebugPlan *debug; /* rt_debug(); NULL: neither breakpoints nor watches */
    uint8_t debug_step;     /* DEBUG_ bits of the plan */
    DebugHit debug_hit;     /* a reason: rt_run() comes back before the next instruction */

    const struct RtHost *host;
    void *vcpu; /* struct Vcpu, for the host side */
    const X86Features *features;
    uint32_t signature;             /* CPUID 1, EAX: in EDX after reset */
    uint8_t phys_bits, linear_bits; /* 36 to 52; 48 or 57: what the model has */

    /* Answers without the world; none: it is always asked (answer.h). */
    RtClock clock;
    RtRanges answers[2];             /* RT_MEMORY, RT_PORTS                       */
    const RtRange *apic, *apic_msrs; /* NULL: ask the world               */
    uint64_t tsc_hz;                 /* 0: the time stamp is the world's to tell */

    struct BlockCache *blocks; /* decoded code (block.c)  */
    struct FpuHost *fpu;       /* save image, stubs       */

    PhysPage phys[PHYS_CACHE] __attribute__((aligned(64)));
    PhysSpan span[PHYS_SPANS];
    unsigned span_next, span_last; /* where the next one goes; the one that helped last */
    uint64_t pointer_phys;         /* of the last mem_pointer_slow()                       */
    uint64_t tlb_mask;             /* the bits of a linear address that select the slot */
    TlbTable tlb_view[VIEW_COUNT] __attribute__((aligned(64)));
    DevicePage device[VIEW_COUNT];
    Tlb2 tlb2;
    Window window;

    /* Translated code */
    struct CodeCache *code; /* NULL: the interpreter only                              */
    struct Cpu *self;
    uint64_t code_generation; /* of the cache, which the jump tables hold                */
    CodeHits *code_hits;      /* the machine's                                           */
    uint64_t hits_seen;       /* by code_heed()                                          */
    uint64_t page_rip;        /* rip of the first byte of the page that runs             */
    uint64_t flags_but[3], flags_arith, flags_pushed; /* constants: masks of EFLAGS, FLAG_BUT_ */
    uint64_t df_mask, page_mask, many_mask;           /* constants: FLAG_DF ... string.c */
    uint64_t jump_mask, jump_rip, pushed; /* of the instruction that runs               */
    uint64_t push_to;                     /* ... on the host: where a call pushes       */
    uint64_t share[SHARE_SLOTS];          /* addends of pages that accesses in work share         */
    /* strip.c: where the strip ends, and minus where it began; a register; how much was in vain */
    uint64_t strip_end, strip_began, strip_save;
    uint32_t strip_vain[STRIP_COUNTERS];
    Guess guess[GUESSES]; /* guess.c */
    uint64_t guess_save[2];
    uint32_t exit_site;       /* where the branch is that left, in the cache             */
    uint32_t translate_after; /* how often a block is interpreted first                  */
    uint16_t unit_max;        /* instructions of a unit at most                          */
    bool unlinked;            /* translated code comes back after every unit             */
    uint64_t stir;            /* random numbers of a test mode, see stir(); 0: off       */
    uint32_t store_gap;       /* PAUSEs between a store's check and the store: a test mode */
    uint64_t entries, fills;  /* figures */
    Insn call_insn;           /* whose function is called                                */
    JumpTable jumps[JUMP_VIEWS];
} Cpu;

/* In 32-bit code, rSP's upper half is not 0. */
static inline bool window_narrow(const Cpu *c)
{
    return c->code_size != CODE_64 && c->s.gpr[R_SP] >> 32;
}

/* User code whose address space has the window, but rSP is not where such code counts on it:
 * window_update(). */
static inline bool window_astray(const Cpu *c)
{
    return c->cpl == 3 && c->window.mode &&
           (c->window.tag[WINDOW_STACK] != window_tag(c->s.gpr[R_SP]) || window_narrow(c));
}

/* Make rt_run() come back soon, from any thread or a signal handler; and not again. */
static inline void cpu_kick(Cpu *c)
{
    c->kicked = 1;
    c->go = 0;
}

static inline void cpu_attended(Cpu *c)
{
    c->kicked = 0;
    c->go = 1;
}

/* Go on, after the vCPU's own thread has cleared Cpu.go for a while, unless there was a kick. */
static inline void cpu_go_on(Cpu *c)
{
    c->go = 1;
    if (c->kicked) {
        c->go = 0;
    }
}

/* Raise a fault at the current instruction. Never returns: unwinds to the loop. */
_Noreturn void raise_fault(Cpu *c, uint8_t vector);
_Noreturn void raise_error(Cpu *c, uint8_t vector, uint32_t error);
_Noreturn void raise_page_fault(Cpu *c, uint64_t linear, uint32_t error);
/* The same without leaving the caller, who sees to the delivery. */
void pend_page_fault(Cpu *c, uint64_t linear, uint32_t error);
_Noreturn void
unwind(Cpu *c); /* leave the instruction without an exception: it starts again later */

/* Remember why an exception is about to be raised: a sentence without full stop, in which each %x
 * becomes one of the values. Cheap: only the pointer and the numbers are kept. */
static inline void why(Cpu *c, const char *format, uint64_t a, uint64_t b, uint64_t d)
{
    c->why_format = format;
    c->why_value[0] = a;
    c->why_value[1] = b;
    c->why_value[2] = d;
}

/* Derive cpl, view, code_size, flat, stack_size and mode from the state, after anything they depend
 * on has changed (segments, CR0, CR4, EFER, EFLAGS.AC/VM/TF, DR7, XCR0, SMM). Ends the block. */
void cpu_mode_changed(Cpu *c);
/* The same where nothing but a data segment register has changed, SS not; ends the block only if
 * other code is to run now. */
void cpu_segment_changed(Cpu *c, unsigned seg);
/* The same, cheaper between pieces of 64-bit code, where nothing but CS, SS and EFLAGS has
 * changed. */
void cpu_level_changed(Cpu *c);

static inline bool cpu_has(const Cpu *c, X86Feature f)
{
    return feature_has(c->features, f);
}
