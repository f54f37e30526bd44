/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log: what -d and -trace switch on, on stderr or in the file of -D.
 *
 * A switch is tested without a lock and costs one load and one branch:
 *     if (log_on(LOG_INT)) {
 *         log_printf("...\n");
 *     }
 */
#pragma once
#include "util/error.h"

/* The items of -d. */
typedef enum LogItem {
    LOG_INT = 1,          /* interrupts and exceptions, short    */
    LOG_CPU_RESET = 2,    /* CPU state before each reset         */
    LOG_GUEST_ERRORS = 4, /* what the guest does wrong           */
    LOG_UNIMP = 8,        /* what the guest uses and we lack     */
    LOG_IN_ASM = 16,      /* guest instructions when first met   */
    LOG_EXEC = 32,        /* each block before it runs           */
    LOG_OUT_ASM = 64,     /* host code of each unit when made    */
    LOG_NOCHAIN = 128,    /* not a log: units do not lead to one another */
    LOG_OP = 256,         /* there is none: said once            */
} LogItem;

/* Private to log.c and log_on(): one of the few mutable globals, a switch. */
extern unsigned log_items;

/* Is any of these items switched on? From any thread. */
static inline bool log_on(unsigned items)
{
    return __builtin_expect((__atomic_load_n(&log_items, __ATOMIC_RELAXED) & items) != 0, 0);
}

/* Write to the log, as one piece, from any thread; the text ends its lines itself. Unconditional:
 * the caller has asked log_on(). */
void log_printf(const char *fmt, ...) PRINTF(1, 2);

/* Switch on the items of a list, "int,cpu_reset,trace:uart.*"; "help" is the caller's. */
bool log_set(const char *items, Error **err);
void log_clear(void); /* all items off */

/* Where the log goes; %d in the name is the process id. NULL: stderr. */
bool log_open(const char *path, Error **err);

/* "-d help", "-trace help": one item a line. The caller frees it. */
char *log_help(void);
char *trace_help(void);

/* Switch trace points by a glob, "uart.*"; an error when no point has such a name. */
bool trace_switch(const char *pattern, bool on, Error **err);

/* At most ten lines in a second: embedded in what talks, zeroed at first. Not thread-safe. */
typedef struct LogLimit {
    int64_t second;
    unsigned lines, dropped;
} LogLimit;

/* May another line be written now? True also tells how many lines were dropped before it. */
bool log_limit(LogLimit *limit, int64_t now_ns, unsigned *dropped);
