/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The run-time library: what the engine (accel/tcg) calls, and what its parts offer each other.
 * The engine owns the memory of the Cpu (page aligned) and calls on the vCPU's thread, inside.
 */
#pragma once
#include "target/i386/rt/cpu.h"

typedef enum {
    RT_KICK,     /* attention was set, or the window opened: look, then call again */
    RT_HALT,     /* HLT or MWAIT: s.activity says so                               */
    RT_DEBUG,    /* c->debug_hit says why; the caller clears it                    */
    RT_SHUTDOWN, /* triple fault: c->last and c->why tell the story                */
} RtExit;

/* After the memory was zeroed and host, features, vcpu, phys_bits, linear_bits were set. arena:
 * host memory for decoded blocks, zeroed, kept by the engine. */
void rt_init(Cpu *c, void *arena, size_t arena_bytes);

/* RESET, or INIT (SDM volume 3, "Processor state after reset"). bsp: it runs; else waits
 * for SIPI. */
void rt_reset(Cpu *c, bool init, bool bsp);
void rt_sipi(Cpu *c, uint8_t page); /* in CPU_WAIT_SIPI */

/* Run until something is wanted. Loads the guest's FPU when first needed, saves it on the
 * way out. */
RtExit rt_run(Cpu *c);

/* A debugger's plan, or NULL; it is kept, not copied. On the vCPU's thread or when it is parked. */
void rt_debug(Cpu *c, const DebugPlan *plan);

/* The state was changed from outside (load, push, debugger): derive everything anew. */
void rt_state_loaded(Cpu *c);
/* s.fpu is brought up to date from the save image, and back. */
void fpu_store_image(Cpu *c);
void fpu_load_image(Cpu *c);

/* On the vCPU's own thread, or by anyone with the world stopped. */
void tlb_drop_writes(Cpu *c); /* all write tags: pages became clean                       */
void tlb_drop_writes_to(Cpu *c, const uint8_t *host); /* those for one page: it got code */
void phys_forget(Cpu *c); /* PhysPages and TLB: they are asked for again */
void phys_flush(Cpu *c);  /* the memory map changed: forget PhysPages, TLB and blocks' addresses */

/* Interrupts, between calls of rt_run(). */
bool rt_can_interrupt(const Cpu *c);       /* IF set, no shadow                                */
void rt_want_window(Cpu *c, bool want);    /* rt_run() comes back when rt_can_interrupt()       */
void rt_interrupt(Cpu *c, uint8_t vector); /* external, acknowledged already; ends CPU_HALTED  */
bool rt_can_nmi(const Cpu *c);
void rt_nmi(Cpu *c);
bool rt_can_smi(const Cpu *c);
void rt_smi(Cpu *c);

/* ---- between the parts of the library ---- */

/* Debug traps (single-step, data and I/O breakpoints): set bits in s.dr6_pending and block_break;
 * the loop raises EXC_DB behind the instruction, or one later after MOV SS. Instruction breakpoints
 * set s.dr6 and raise EXC_DB in front of it. */

/* Handlers by instruction; NULL: not mine. The loop asks in this order when it has decoded one and
 * the model has its feature. They may specialise by operands, c->mode, and fill i->aux. */
InsnRun *bind_integer(Cpu *c, Insn *i);
InsnRun *bind_system(Cpu *c, Insn *i);
InsnRun *bind_vector(Cpu *c, Insn *i);     /* x87, MMX, SSE, AVX, FXSAVE, XSAVE ... */
void run_undefined(Cpu *c, const Insn *i); /* #UD */
void run_too_long(Cpu *c, const Insn *i);  /* #GP: more than 15 bytes */

/* Behind each store into RAM with a CodePage, and each look whether it may be written unnoticed. If
 * code was hit meanwhile, by whomever, what runs may be stale, and the store may be into it without
 * finding grains (softmmu/memory/code.h): the run of instructions ends behind this one. */
static inline void code_heed(Cpu *c)
{
    uint64_t hits = *c->code_hits;

    if (unlikely(hits != c->hits_seen)) {
        c->hits_seen = hits;
        c->block_break = true;
    }
}

/* May the loop go on although block_break is set? Then it is cleared. */
bool rt_ordinary(Cpu *c);

/* For lockstep: the instruction at rip, and nothing around it; a function that may unwind (false)
 * without leaving the caller. */
void run_one(Cpu *c);
bool rt_guarded(Cpu *c, void (*fn)(Cpu *c, void *opaque), void *opaque);
/* The same for what the guest has not asked for: false: there was an exception, which is forgotten,
 * CR2 with it. */
bool rt_tried(Cpu *c, void (*fn)(Cpu *c, void *opaque), void *opaque);

/* A test mode, when Cpu.stir is not 0: called between units, does at random what no guest may
 * notice. leaves. */
void stir(Cpu *c);

/* Deliver an interrupt or exception through the IVT, IDT or a task gate (except.c). May raise: the
 * loop then makes a double or triple fault of it. next: return address (s.rip for faults). On
 * return s and next_rip are those of the handler. */
void deliver(Cpu *c, uint8_t vector, EventKind kind, bool has_error, uint32_t error, uint64_t next);

/* After unwind() with exc_pending: deliver it, with #DF and shutdown rules. false: triple fault.
 * Sets up its own unwinding. */
bool deliver_pending(Cpu *c);

/* Load a segment register with all checks (MOV, POP, LDS ...). */
void seg_load(Cpu *c, unsigned seg, uint16_t selector);

/* Near branch: checks the limit or canonical form, #GP(0), then sets next_rip. size:
 * operand size. */
void jump_near(Cpu *c, uint64_t target, unsigned size);

/* Change PKRU (WRPKRU, XRSTOR): what the TLB remembers of rights goes. */
void pkru_set(Cpu *c, uint32_t value);

/* The answer of a device that is given without it (softmmu/memory/answer.h). false: call it. io has
 * size, and value to write. */
bool rt_answer(const Cpu *c, const RtRanges *ranges, uint64_t at, RtIo *io);

/* The same of one range, which may be NULL or have no answer. */
bool rt_answer_of(const Cpu *c, const RtRange *r, uint64_t at, RtIo *io);

/* A port, wherever its answer comes from; after io_check(). size: 1, 2, 4. */
uint32_t rt_in(Cpu *c, uint16_t port, unsigned size);
void rt_out(Cpu *c, uint16_t port, uint32_t value, unsigned size);

/* What RDTSC tells. */
uint64_t rt_tsc(Cpu *c);

/* I/O permission: IOPL and the TSS bitmap; #GP(0). */
void io_check(Cpu *c, uint16_t port, unsigned size);

/* #NM, #MF, #UD by CR0.EM/TS/MP/NE, CR4.OSFXSR/OSXSAVE, XCR0, as an instruction of that kind. */
typedef enum {
    FPU_X87,
    FPU_WAIT,
    FPU_MMX,
    FPU_SSE,
    FPU_AVX,
    FPU_AVX512,
    FPU_FXSAVE,
    FPU_XSAVE,
} FpuKind;
void fpu_check(Cpu *c, FpuKind kind);
void fpu_reset(Cpu *c, bool init);

/* Stack with the stack's own size and SS checks. rSP moves only when the access has succeeded. */
void push(Cpu *c, uint64_t value, unsigned size);
uint64_t pop(Cpu *c, unsigned size);
