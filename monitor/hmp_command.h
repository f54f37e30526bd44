/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The monitor's commands for people (HMP): "info registers", "x/10i $pc". One line in, text out;
 * terminals, QMP's human-monitor-command and gdb's `monitor` all come through hmp_line().
 *
 * A command is a row of a table; every file lists its own table, so a device's commands stand where
 * the device is known. Names, arguments and layouts are QEMU's where it has the command.
 */
#pragma once
#include "accel/accel.h"

/* /FMT of x, xp, print, i: how many, as what (x d u o c i), bytes of one (1 2 4 8). */
typedef struct HmpFormat {
    unsigned count;
    char letter;
    uint8_t size;
} HmpFormat;

/* A person's place at the machine, from one line to the next. Zeroed but for m and out. */
typedef struct Hmp {
    Machine *m;
    GString *out;     /* what the commands print; lines end with \n */
    unsigned cpu;     /* what the command `cpu` chose: an index of machine_cpu() */
    HmpFormat format; /* of this command; letter 0: none was given               */
    HmpFormat last;   /* of the x before                                         */
    const char *at;   /* the rest of the line                                    */
    void *terminal;   /* whose `quit` ends more than the machine; may be NULL    */
} Hmp;

/* Words to choose from, when a person presses Tab. */
typedef struct HmpWords {
    const char *begin; /* what is there of the word: others are not offered */
    GPtrArray *list;   /* char *, freed with it */
} HmpWords;

typedef struct HmpCommand {
    const char *name;  /* "quit|q": other names behind bars */
    const char *args;  /* "[-a] ADDR", for the help; NULL: none */
    const char *about; /* one line */
    /* Read arguments by the functions below, print to h->out. Runs on the event loop's thread. */
    bool (*run)(Hmp *h, Error **err);
    void (*complete)(Hmp *h, HmpWords *words); /* of its arguments; may be NULL */
    bool info;                                 /* `info NAME` */
    bool looks;   /* vCPUs are held and the machine's lock is taken meanwhile */
    bool formats; /* takes /FMT */
} HmpCommand;

/* clang-format off */
#define HMP_COMMANDS(table) /* static const HmpCommand table[] = {..., {0}} */ \
    static const HmpCommand *const table##_at __attribute__((used, section("hmp"))) = table
/* clang-format on */

/* Run one line; errors are printed like all else. On the event loop's thread, without locks. */
void hmp_line(Hmp *h, const char *line);

/* What could stand in place of the last word of a line: NULL-terminated, sorted, for g_strfreev().
 * *from: where in the line that word begins. */
char **hmp_complete(Hmp *h, const char *line, size_t *from);

/* ---- for commands ---- */

/* The chosen vCPU; NULL: the machine has none. */
Vcpu *hmp_cpu(Hmp *h, Error **err);

void hmp_skip(Hmp *h);              /* blanks */
bool hmp_more(Hmp *h);              /* is anything left? */
bool hmp_flag(Hmp *h, char letter); /* is the next word -LETTER? */
char *hmp_word(Hmp *h);             /* the next word, or NULL; the caller frees it */
char *hmp_rest(Hmp *h);             /* all that is left; the caller frees it */
bool hmp_need_word(Hmp *h, const char *what, char **to, Error **err);

/* The next expression: numbers, $registers, + - * / % & | ^ ~ ( ), 'c'. As in QEMU + and - bind
 * least, then & | ^. false: what is wrong with it, or it is missing. */
bool hmp_number(Hmp *h, uint64_t *to, Error **err);

/* A register by name, without $: rax, eax, ax, al, rip, pc (linear), cs, cr3 ... vCPU parked. */
bool hmp_register(const X86State *s, const char *name, uint64_t *to);

/* Offer a word if it begins as the person's does; copied. */
void hmp_offer(HmpWords *words, const char *word);
void hmp_offer_commands(HmpWords *words, bool info);

PRINTF(2, 3) static inline void hmp_say(Hmp *h, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    g_string_append_vprintf(h->out, fmt, ap);
    va_end(ap);
}
