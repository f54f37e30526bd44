/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the system parts of the run-time library share: descriptors, events, task and mode changes.
 * SDM volume 3, "Protected-mode memory management", "Interrupt and exception handling", "Task
 * management".
 */
#pragma once
#include "target/i386/rt/mem.h"
#include "target/i386/rt/rt.h"

/* A descriptor as it is in memory. */
typedef struct Descriptor {
    uint32_t low, high;
    uint64_t at; /* its linear address */
} Descriptor;

enum { /* types of system descriptors */
       TYPE_TSS16 = 1,
       TYPE_LDT = 2,
       TYPE_TSS16_BUSY = 3,
       TYPE_CALL16 = 4,
       TYPE_TASK_GATE = 5,
       TYPE_INT16 = 6,
       TYPE_TRAP16 = 7,
       TYPE_TSS32 = 9,
       TYPE_TSS32_BUSY = 11,
       TYPE_CALL32 = 12,
       TYPE_INT32 = 14,
       TYPE_TRAP32 = 15,
       TYPE_BUSY = 2, /* the bit in TSS types */
};

static inline bool real_mode(const Cpu *c) /* or virtual-8086: segments are selector * 16 */
{
    return !(c->mode & MODE_PE);
}

static inline bool v86_mode(const Cpu *c)
{
    return c->mode & MODE_V86;
}

static inline bool long_mode(const Cpu *c) /* 64-bit or compatibility */
{
    return c->s.efer & EFER_LMA;
}

static inline bool null_selector(uint16_t selector)
{
    return !(selector & ~3);
}

static inline unsigned iopl(const Cpu *c)
{
    return c->s.rflags >> 12 & 3;
}

/* Error code for a selector: RPL replaced by EXT. */
static inline uint32_t selector_error(const Cpu *c, uint16_t selector)
{
    return (selector & 0xfffc) | c->external;
}

/* Fields of a descriptor's upper half. */
static inline uint16_t descriptor_attr(const Descriptor *d)
{
    return d->high >> 8 & 0xf0ff;
}

static inline unsigned descriptor_type(const Descriptor *d)
{
    return d->high >> 8 & 15;
}

static inline unsigned descriptor_dpl(const Descriptor *d)
{
    return d->high >> 13 & 3;
}

static inline bool descriptor_present(const Descriptor *d)
{
    return d->high & 0x8000;
}

static inline bool descriptor_code(const Descriptor *d) /* or data */
{
    return d->high & 0x800;
}

static inline bool descriptor_system(const Descriptor *d)
{
    return !(d->high & 0x1000);
}

uint64_t descriptor_base(const Descriptor *d); /* 32 bits; the rest of system ones: system_base() */
uint32_t descriptor_limit(const Descriptor *d); /* in bytes */

/* Read it from the GDT or LDT. false: beyond the table. Raises #PF. */
bool descriptor_read(Cpu *c, uint16_t selector, Descriptor *d);
/* ... or raise vector(selector). The selector may be null: then vector(EXT). */
void descriptor_fetch(Cpu *c, uint16_t selector, uint8_t vector, Descriptor *d);
/* In long mode system descriptors have 16 bytes: the whole base. */
uint64_t system_base(Cpu *c, uint16_t selector, const Descriptor *d);
/* Set the accessed bit in memory and in d. */
void descriptor_touch(Cpu *c, Descriptor *d);
/* The segment register that a descriptor makes; touches it. */
X86Segment segment_from(Cpu *c, uint16_t selector, Descriptor *d);
/* A segment of real or virtual-8086 mode. */
void segment_real(X86Segment *g, uint16_t selector);
void segment_v86(X86Segment *g, uint16_t selector);

/* Check a code segment to be entered by JMP, CALL, gates (RPL counts only where told) at level cpl.
 * Raises #GP, #NP with the selector. Whether code size bits are legal is checked as well. */
void code_check(Cpu *c, uint16_t selector, const Descriptor *d);
/* Load SS for a level: all checks with that vector for errors; raises #SS when not present. */
X86Segment stack_segment(Cpu *c, uint16_t selector, unsigned cpl, uint8_t vector);
/* Load one data segment register with all checks, without cpu_mode_changed(). */
X86Segment data_segment(Cpu *c, uint16_t selector);
/* The null SS of 64-bit code above level 3. */
X86Segment stack_null(uint16_t selector, unsigned cpl);
/* After a return to an outer level: ES, DS, FS, GS that are too privileged become null. */
void segments_revoke(Cpu *c, unsigned cpl);

/* A stack that is not the current one yet: pushes go below sp, nothing else changes. */
typedef struct Stack {
    X86Segment ss;
    uint64_t sp;
    unsigned width; /* bytes of the pointer: 2, 4, 8 */
    uint8_t cpl;    /* who pushes */
    uint32_t error; /* of #SS when it is full */
} Stack;

Stack stack_current(Cpu *c);
void stack_push(Cpu *c, Stack *k, uint64_t value, unsigned size);
uint64_t stack_pop(Cpu *c, Stack *k, unsigned size);
void stack_set(Cpu *c, const Stack *k); /* SS and rSP become those */

/* Only rSP: a pointer of that width. */
void stack_move(Cpu *c, uint64_t sp, unsigned width);
/* Which pointer a stack has that is entered together with that code segment. */
unsigned stack_width(const Cpu *c, const X86Segment *cs, const X86Segment *ss);

/* The stack that the TSS holds for a level: a new one, SS checked (#TS). */
Stack tss_stack(Cpu *c, unsigned cpl);
/* A long-mode stack pointer: ist 1 to 7, or 0 for the one of the level. */
uint64_t tss_pointer64(Cpu *c, unsigned cpl, unsigned ist);

/* Set CS (its DPL becomes cpl, SS.DPL must be right already), next_rip and all that follows. */
void code_set(Cpu *c, X86Segment cs, unsigned cpl, uint64_t rip);
/* #GP(0) unless rip is inside the segment, or canonical. */
void rip_check(Cpu *c, const X86Segment *cs, uint64_t rip);

/* EFLAGS from an image: the bits that may change at this CPL and IOPL, by operand size. */
void flags_load(Cpu *c, uint64_t image, unsigned size);

typedef enum { TASK_JUMP, TASK_CALL, TASK_RETURN, TASK_EVENT } TaskReason;

/* Switch to the task whose TSS is at selector. next: return address of the old one. */
void task_switch(Cpu *c, uint16_t selector, TaskReason reason, uint64_t next, bool has_error,
                 uint32_t error);

/* Interrupt redirection of virtual-8086 mode extensions: does INT n stay in the 8086 program? */
bool v86_redirected(Cpu *c, uint8_t vector);

/* Deliver as in real mode, through the table at base (0 in V86 mode). */
void deliver_real(Cpu *c, uint8_t vector, uint64_t table, uint64_t next);

/* fast.c: the usual case; false: it is another, and nothing has happened. soft: INT n; error: its
 * code, or NULL. May raise what the TSS is found to lack. */
bool iret_usual(Cpu *c);
bool deliver_usual(Cpu *c, uint8_t vector, bool soft, uint64_t flags, const uint32_t *error,
                   uint64_t next);

/* What was wrong, in words, into c->why. */
void why_write(Cpu *c);

/* Handlers by operation, for bind_system(); NULL: not of this file. */
InsnRun *bind_far(Cpu *c, Insn *i);
InsnRun *bind_return(Cpu *c, Insn *i);
InsnRun *bind_segment(Cpu *c, Insn *i);
InsnRun *bind_control(Cpu *c, Insn *i);
InsnRun *bind_msr(Cpu *c, Insn *i);
InsnRun *bind_calls(Cpu *c, Insn *i);
InsnRun *bind_tables(Cpu *c, Insn *i);

/* smm.c */
void smm_leave(Cpu *c);

/* Operands of system instructions. */
uint64_t sys_read(Cpu *c, const Insn *i, unsigned n, unsigned size);              /* r/m or imm */
void sys_write(Cpu *c, const Insn *i, unsigned n, unsigned size, uint64_t value); /* r/m        */
void gpr_write(Cpu *c, unsigned reg, unsigned size, uint64_t value);
void need_cpl0(Cpu *c);               /* #GP(0)             */
void need_protected(Cpu *c);          /* #UD in real and V86 mode */
void sys_cr0(Cpu *c, uint64_t value); /* MOV CR0, LMSW, task switches: checks, #GP(0) */
