/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of gdbstub/: one debugger's connection. All on the event loop's thread. */
#pragma once
#include "chardev/chardev.h"
#include "gdbstub/arch.h"
#include "gdbstub/packet.h"
#include "softmmu/run/run.h"

/* Z0 to Z4: by software, by hardware (the same here), on writes, reads, accesses. */
typedef enum { POINT_SOFT, POINT_HARD, POINT_WRITE, POINT_READ, POINT_ACCESS } PointKind;
enum { POINTS_MAX = 4096 };

typedef struct Point {
    PointKind kind;
    uint64_t addr, length;
} Point;

/* A vCPU as gdb's thread: its number is the vCPU's place plus one. */
typedef struct Thread {
    Vcpu *cpu;
    DebugPlan plan[2]; /* one is the engine's, the other is the next one's place */
    unsigned turn;
    char action; /* of the last resumption: c, s, r (range), or 0: it stays          */
    uint64_t range, range_end; /* r: report nothing while pc is in here                        */
    DebugHit hit;              /* what it stopped for; kept until gdb has heard of it          */
} Thread;

typedef struct GdbStub {
    Object obj;
    Machine *machine;
    const GdbArch *arch;
    Chardev *chr;
    GSource *source;
    MachineHook hook;
    Wire wire;
    GByteArray *in;     /* bytes that were not looked at yet */
    GString *reply;     /* data of the answer that is being made */
    GByteArray *packet; /* the last that was sent, in case it is wanted again */
    char *description;
    GPtrArray *threads; /* Thread *, one a vCPU */
    GArray *points;     /* Point */
    uint64_t *breaks;   /* what the threads' plans point to */
    DebugWatch *watches;
    unsigned break_count, watch_count;
    unsigned general, control; /* threads chosen by Hg and Hc: places; control may be ALL_THREADS */
    uint8_t sstep;             /* DEBUG_ bits of a step: Qqemu.sstep */
    bool no_ack, swbreak, hwbreak, physical, extended;
    bool silent;    /* the packet has no answer, or had it already         */
    bool waiting;   /* gdb waits for a stop                                */
    bool resuming;  /* the machine's resumption is our own                 */
    bool restarted; /* a reset that gdb asked for and waits for            */
    bool leaving;   /* the connection came or went: forget the last one    */
    bool changed;   /* the machine stopped or started: look                */
    bool said_bye;  /* the machine has ended                               */
} GdbStub;

enum { ALL_THREADS = ~0u };

/* ---- answering (stub.c) ---- */

PRINTF(2, 3) void reply_text(GdbStub *s, const char *format, ...);
void reply_bytes(GdbStub *s, const void *data, size_t n); /* as they are */
void reply_hex(GdbStub *s, const void *data, size_t n);
void reply_error(GdbStub *s, unsigned number); /* E.. */
/* A packet in between: console output. */
void stub_say(GdbStub *s, const char *text, size_t n);
void stub_send(GdbStub *s, const void *data, size_t n);

/* ---- reading packets (parse.c) ---- */

bool parse_number(const char **at, uint64_t *to);        /* hexadecimal, 1 to 16 digits */
bool parse_skip(const char **at, char c);                /* is the next character that one? */
size_t parse_hex(const char *at, size_t n, uint8_t *to); /* n digits; how many bytes; 0: no */

/* A thread by gdb's number: "p1.2", "2"; 0 and -1: any (the first) and all. */
bool parse_thread(GdbStub *s, const char **at, unsigned *place);

/* ---- packets ---- */

void packet_run(GdbStub *s, const char *data, size_t n); /* commands.c; makes the reply or none */
void query_run(GdbStub *s, const char *data, size_t n);  /* query.c: q and Q */

/* ---- threads, running (run.c) ---- */

void threads_update(GdbStub *s);               /* a Thread for every vCPU */
Thread *thread_at(GdbStub *s, unsigned place); /* NULL: none */
Thread *thread_general(GdbStub *s);
void thread_name(GdbStub *s, unsigned place, GString *out);

/* Let threads go by their actions; gdb waits from now on. */
void stub_resume(GdbStub *s);
/* The machine stands; say why. */
void stub_report(GdbStub *s);
void stub_status(GdbStub *s); /* the answer to ?: as stub_report, without waiting */
bool stub_stopped(GdbStub *s);
/* Stop it, if it runs. */
void stub_stop(GdbStub *s);
/* The machine stopped or started, by whomever. */
void stub_look(GdbStub *s);
/* gdb leaves: no breakpoints, no steps, nobody held. */
void stub_let_go(GdbStub *s);

/* Run a vCONT's text: "c", "s:1;c". false: malformed. */
bool resume_parse(GdbStub *s, const char *text);

/* ---- breakpoints (points.c) ---- */

/* Add or remove; the engines know at once. false: see err, nothing has changed. */
bool point_add(GdbStub *s, Point p, Error **err);
bool point_remove(GdbStub *s, Point p);
void points_clear(GdbStub *s);
bool point_is(GdbStub *s, PointKind kind, uint64_t addr);
/* Give a thread its plan: the points, and step bits. */
bool thread_plan(GdbStub *s, Thread *t, uint8_t step, Error **err);
