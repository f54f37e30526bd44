/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -qtest: a test program drives the machine with lines of text, as QEMU's qtest protocol has them:
 *
 *   outb|outw|outl ADDR VALUE        inb|inw|inl ADDR                    ports
 *   writeb|w|l|q ADDR VALUE          readb|w|l|q ADDR                    memory as the first CPU
 * sees it write ADDR SIZE 0xHEX            read ADDR SIZE                      memset ADDR SIZE
 * VALUE b64write ADDR SIZE BASE64        b64read ADDR SIZE                   endianness clock_step
 * [NS]                  clock_set NS                        only with -accel qtest
 *   irq_intercept_in|out PATH        inputs or outputs of a device: from then on `IRQ raise N`
 *
 * Each line is answered by OK, with a value where there is one, or by FAIL and a reason. Wires that
 * are listened to work on; their changes are told ahead of the answer of the command that made
 * them. Of an output a pulse that is over within one command is not told; of an input it is.
 * Not here: set_irq_in, module_load, the commands of other architectures.
 */
#include "accel/qtest/socket.h"

#include "accel/accel.h"
#include "hw/core/irq.h"
#include "softmmu/run/run.h"
#include "util/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MOST_WORDS = 5, MOST_BYTES = 16 << 20, MOST_LINE = 3 * MOST_BYTES, MOST_BACKLOG = 1 << 20 };

typedef struct Wire {
    bool high;
    uint64_t rises;
} Wire;

typedef struct Session {
    Monitor *mon;
    Machine *machine;
    GString *line; /* what came of it so far */
    bool too_long;
    Device *device; /* whose wires are listened to, with a reference; NULL: none */
    bool outputs;
    GArray *wires;         /* Wire */
    unsigned at;           /* while they are gone through */
    GString *answer;       /* of the command that runs; its wires are told first */
    GSource *watch;        /* looks at them whenever the event loop has done something */
    FILE *log;             /* NULL: none */
    struct timespec begun; /* for the log */
} Session;

/* ---- answering ---- */

static void record(Session *s, char side, const char *text)
{
    struct timespec now;

    if (s->log) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        fprintf(s->log, "[%c +%.6f] %s\n", side,
                now.tv_sec - s->begun.tv_sec + (now.tv_nsec - s->begun.tv_nsec) / 1e9, text);
        fflush(s->log);
    }
}

static void send_line(Session *s, const char *text)
{
    record(s, 'S', text);
    monitor_write(s->mon, text, strlen(text));
    monitor_write(s->mon, "\n", 1);
}

PRINTF(2, 3) static void say(Session *s, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_string_vprintf(s->answer, format, ap);
    va_end(ap);
}

static void fail(Session *s, const char *why, const char *what)
{
    say(s, "FAIL %s%s%s", why, what ? ": " : "", what ?: "");
}

static bool number(const char *text, uint64_t *to)
{
    char *end;

    errno = 0;
    *to = g_ascii_strtoull(text, &end, 0);
    return *text && !*end && !errno;
}

/* A number, or the answer that it is none. */
static bool need(Session *s, const char *text, uint64_t *to)
{
    bool good = text && number(text, to);

    if (!good) {
        fail(s, text ? "not a number" : "a number is missing", text);
    }
    return good;
}

/* ---- wires ---- */

static void tell(Session *s, unsigned n, bool high)
{
    g_autofree char *text = g_strdup_printf("IRQ %s %u", high ? "raise" : "lower", n);

    send_line(s, text);
}

/* One wire as it is now. Rises in between were pulses, but for one that lasts. */
static void compare(Session *s, bool high, uint64_t rises)
{
    Wire now = {high, rises}, *old;
    unsigned n = s->at++;

    if (n >= s->wires->len) {
        g_array_append_val(s->wires, now);
        return;
    }
    old = &g_array_index(s->wires, Wire, n);
    for (uint64_t k = MIN(rises - old->rises, 1000); k--;) {
        if (old->high) {
            tell(s, n, false);
        }
        tell(s, n, true);
        old->high = true;
    }
    if (old->high != high) {
        tell(s, n, high);
    }
    *old = now;
}

static void each_input(const Pin *pin, unsigned n, bool level, uint64_t rises, void *opaque)
{
    compare(opaque, level, rises);
}

static void each_output(const Pin *pin, unsigned n, bool level, void *opaque)
{
    compare(opaque, level, 0);
}

/* Tell what has changed since the last time. */
static void look(Session *s)
{
    Lock *lock = machine_lock(s->machine);

    if (!s->device) {
        return;
    }
    s->at = 0;
    lock_take(lock);
    if (s->outputs) {
        irq_each_output(s->device, each_output, s);
    } else {
        irq_each_input(s->device, each_input, s);
    }
    lock_drop(lock);
}

/* Wires change by host I/O, too: prepare is called whenever the loop goes round. */
typedef struct WatchSource {
    GSource source;
    Session *session;
} WatchSource;

static gboolean watch_prepare(GSource *source, gint *timeout)
{
    *timeout = -1;
    look(((WatchSource *)source)->session);
    return FALSE;
}

static gboolean watch_never(GSource *source)
{
    return FALSE;
}

/* GLib takes it as not constant, though it never writes to it. */
static const GSourceFuncs watch_funcs = {.prepare = watch_prepare, .check = watch_never};

static void watch(Session *s)
{
    if (!s->watch) {
        s->watch = g_source_new((GSourceFuncs *)&watch_funcs, sizeof(WatchSource));
        ((WatchSource *)s->watch)->session = s;
        g_source_attach(s->watch, machine_context(s->machine));
    }
}

static void intercept(Session *s, char **word, bool outputs)
{
    Error *err = NULL;
    Object *obj =
        word[1] ? object_resolve((Object *)s->machine, word[1], &Device_class, &err) : NULL;

    if (!obj) {
        fail(s, err ? error_text(err) : "a path is missing", NULL);
        error_free(err);
        return;
    }
    if (s->device && (s->device != (Device *)obj || s->outputs != outputs)) {
        fail(s, "wires are listened to already", s->device->obj.name);
        return;
    }
    if (!s->device) {
        object_ref(obj);
        s->device = (Device *)obj;
        s->outputs = outputs;
        look(s); /* how they stand is no news */
        watch(s);
    }
    say(s, "OK");
}

static void intercept_in(Session *s, char **word)
{
    intercept(s, word, false);
}

static void intercept_out(Session *s, char **word)
{
    intercept(s, word, true);
}

/* ---- ports and memory ---- */

static unsigned size_of(char letter)
{
    return letter == 'b' ? 1 : letter == 'w' ? 2 : letter == 'l' ? 4 : 8;
}

static Access by(Session *s)
{
    return (Access){.cpu = machine_cpu_count(s->machine) ? machine_cpu(s->machine, 0) : NULL};
}

static AddressSpace *memory(Session *s)
{
    return machine_cpu_count(s->machine) ? &machine_cpu(s->machine, 0)->memory
                                         : machine_space(s->machine);
}

/* inb 0x60 */
static void port_in(Session *s, char **word)
{
    unsigned size = size_of(word[0][2]);
    uint64_t at, value = 0;

    if (need(s, word[1], &at)) {
        mem_read(machine_port_space(s->machine), by(s), at & 0xffff, &value, size);
        say(s, "OK 0x%04" PRIx64, value);
    }
}

static void port_out(Session *s, char **word)
{
    unsigned size = size_of(word[0][3]);
    uint64_t at, value;

    if (need(s, word[1], &at) && need(s, word[2], &value)) {
        mem_write(machine_port_space(s->machine), by(s), at & 0xffff, &value, size);
        say(s, "OK");
    }
}

/* readq 0x1000 */
static void value_read(Session *s, char **word)
{
    uint64_t at, value = 0;

    if (need(s, word[1], &at)) {
        mem_read(memory(s), by(s), at, &value, size_of(word[0][4]));
        say(s, "OK 0x%016" PRIx64, value);
    }
}

static void value_write(Session *s, char **word)
{
    uint64_t at, value;

    if (need(s, word[1], &at) && need(s, word[2], &value)) {
        mem_write(memory(s), by(s), at, &value, size_of(word[0][5]));
        say(s, "OK");
    }
}

/* ADDR SIZE; the answer says what is wrong with them. */
static bool range(Session *s, char **word, uint64_t *at, uint64_t *n)
{
    if (!need(s, word[1], at) || !need(s, word[2], n)) {
        return false;
    }
    if (*n > MOST_BYTES) {
        fail(s, "too many bytes at once", word[2]);
        return false;
    }
    return true;
}

static void block_read(Session *s, char **word)
{
    uint64_t at, n;

    if (!range(s, word, &at, &n)) {
        return;
    }
    g_autofree uint8_t *bytes = g_malloc0(n + 1);
    mem_read(memory(s), by(s), at, bytes, n);
    if (word[0][0] == 'b') {
        g_autofree char *text = g_base64_encode(bytes, n);

        say(s, "OK %s", text);
        return;
    }
    g_autoptr(GString) text = g_string_sized_new(2 * n);
    for (uint64_t i = 0; i < n; i++) {
        g_string_append_printf(text, "%02x", bytes[i]);
    }
    say(s, "OK 0x%s", text->str);
}

/* "0x0011aabb": two digits a byte; what is missing is 0. */
static bool hexadecimal(const char *text, uint8_t *to, uint64_t n)
{
    if (!text || text[0] != '0' || text[1] != 'x') {
        return false;
    }
    text += 2;
    for (uint64_t i = 0; i < n && *text; i++, text += 2) {
        if (!g_ascii_isxdigit(text[0]) || !g_ascii_isxdigit(text[1])) {
            return false;
        }
        to[i] = g_ascii_xdigit_value(text[0]) << 4 | g_ascii_xdigit_value(text[1]);
    }
    return true;
}

static bool base64(const char *text, uint8_t *to, uint64_t n)
{
    gsize had = 0;
    g_autofree guchar *bytes = text ? g_base64_decode(text, &had) : NULL;

    if (bytes && had == n) {
        memcpy(to, bytes, n);
    }
    return bytes && had == n;
}

static void block_write(Session *s, char **word)
{
    uint64_t at, n;

    if (!range(s, word, &at, &n)) {
        return;
    }
    g_autofree uint8_t *bytes = g_malloc0(n + 1);
    if (!(word[0][0] == 'b' ? base64(word[3], bytes, n) : hexadecimal(word[3], bytes, n))) {
        fail(s, "these are not the bytes", word[3]);
        return;
    }
    mem_write(memory(s), by(s), at, bytes, n);
    say(s, "OK");
}

static void block_fill(Session *s, char **word)
{
    uint64_t at, n, value;

    if (!range(s, word, &at, &n) || !need(s, word[3], &value)) {
        return;
    }
    g_autofree uint8_t *bytes = g_malloc(n + 1);
    memset(bytes, value, n);
    mem_write(memory(s), by(s), at, bytes, n);
    say(s, "OK");
}

/* ---- the clock ---- */

/* The queue of timers that is due first: the machine's, or a vCPU's own. */
static Clock *first_clock(Session *s, int64_t *due)
{
    Clock *first = machine_clock(s->machine, CLOCK_GUEST);

    *due = clock_next(first);
    for (unsigned i = 0; i < machine_cpu_count(s->machine); i++) {
        Clock *own = machine_cpu(s->machine, i)->clock;
        int64_t next = own ? clock_next(own) : -1;

        if (next >= 0 && (*due < 0 || next < *due)) {
            *due = next;
            first = own;
        }
    }
    return first;
}

/* Timers fire in the order of their times, whosever they are. */
static void step_to(Session *s, int64_t to)
{
    Clock *base = machine_clock(s->machine, CLOCK_GUEST), *clock;
    int64_t due;

    while ((clock = first_clock(s, &due)) && due >= 0 && due <= to) {
        if (clock != base) {
            clock_run(base, due);
        }
        clock_run(clock, due);
    }
    clock_run(base, to);
    say(s, "OK %" PRId64, clock_now(base));
}

static bool stepped(Session *s)
{
    if (clock_is_real(machine_clock(s->machine, CLOCK_GUEST))) {
        fail(s, "the clock runs by itself: it is stepped with -accel qtest", NULL);
        return false;
    }
    return true;
}

static void clock_step(Session *s, char **word)
{
    int64_t now = clock_now(machine_clock(s->machine, CLOCK_GUEST)), due;
    uint64_t ns = 0;

    if (!stepped(s) || (word[1] && !need(s, word[1], &ns))) {
        return;
    }
    if (!word[1]) {
        first_clock(s, &due);
        ns = MAX(due - now, 0);
    }
    if (ns > (uint64_t)(INT64_MAX - now)) {
        fail(s, "that is behind the end of time", word[1]);
        return;
    }
    step_to(s, now + ns);
}

static void clock_to(Session *s, char **word)
{
    uint64_t ns;

    if (stepped(s) && need(s, word[1], &ns)) {
        step_to(s, MIN(ns, INT64_MAX));
    }
}

/* ---- lines ---- */

static void endianness(Session *s, char **word)
{
    say(s, "OK little");
}

typedef struct Command {
    const char *name;
    void (*run)(Session *s, char **word);
} Command;

static const Command *command_find(const char *name)
{
    static const Command commands[] = {
        {"inb", port_in},           {"inw", port_in},
        {"inl", port_in},           {"outb", port_out},
        {"outw", port_out},         {"outl", port_out},
        {"readb", value_read},      {"readw", value_read},
        {"readl", value_read},      {"readq", value_read},
        {"writeb", value_write},    {"writew", value_write},
        {"writel", value_write},    {"writeq", value_write},
        {"read", block_read},       {"write", block_write},
        {"b64read", block_read},    {"b64write", block_write},
        {"memset", block_fill},     {"clock_step", clock_step},
        {"clock_set", clock_to},    {"irq_intercept_in", intercept_in},
        {"endianness", endianness}, {"irq_intercept_out", intercept_out},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (!strcmp(commands[i].name, name)) {
            return &commands[i];
        }
    }
    return NULL;
}

static void run_line(Session *s)
{
    char *word[MOST_WORDS + 1] = {NULL};
    g_auto(GStrv) all = NULL;
    unsigned n = 0;
    const Command *c;

    record(s, 'R', s->line->str);
    all = g_strsplit_set(s->line->str, " \t\r", -1);
    for (char **w = all; *w && n < MOST_WORDS; w++) {
        if (**w) {
            word[n++] = *w;
        }
    }
    c = n ? command_find(word[0]) : NULL;
    if (c) {
        c->run(s, word);
    } else {
        fail(s, "there is no such command", n ? word[0] : NULL);
    }
    look(s);
    send_line(s, s->answer->str);
}

static void line_ended(Session *s)
{
    if (s->too_long) {
        send_line(s, "FAIL the line is too long");
    } else {
        run_line(s);
    }
    g_string_truncate(s->line, 0);
    s->too_long = false;
}

static size_t qtest_take(Monitor *mon, void *session, const uint8_t *data, size_t n)
{
    Session *s = session;

    for (size_t i = 0; i < n; i++) {
        if (data[i] == '\n') {
            line_ended(s);
        } else if (s->line->len < MOST_LINE) {
            g_string_append_c(s->line, data[i]);
        } else {
            s->too_long = true;
        }
    }
    return n;
}

/* ---- life ---- */

/* What all sessions of a machine share. */
typedef struct Qtest {
    Object obj;
    FILE *log;
} Qtest;

static void qtest_finalize(Object *obj)
{
    g_clear_pointer(&((Qtest *)obj)->log, fclose);
}

static const Class Qtest_class = {
    "qtest",       "drives a machine for a test", &Object_class,
    sizeof(Qtest), .finalize = qtest_finalize,
};
CLASS(Qtest);

static FILE *log_of(Machine *m)
{
    return CAST(Qtest, object_child(object_root((Object *)m), "qtest"))->log;
}

static void *qtest_open(Monitor *mon)
{
    Session *s = g_new0(Session, 1);

    s->mon = mon;
    s->machine = monitor_machine(mon);
    s->line = g_string_new("");
    s->answer = g_string_new("");
    s->log = log_of(s->machine);
    s->wires = g_array_new(FALSE, FALSE, sizeof(Wire));
    clock_gettime(CLOCK_MONOTONIC, &s->begun);
    return s;
}

static void qtest_close(Monitor *mon, void *session)
{
    Session *s = session;

    if (s->watch) {
        g_source_destroy(s->watch);
        g_source_unref(s->watch);
    }
    if (s->device) {
        object_unref(&s->device->obj);
    }
    g_array_free(s->wires, TRUE);
    g_string_free(s->line, TRUE);
    g_string_free(s->answer, TRUE);
    g_free(s);
}

static const MonitorMode qtest_mode = {
    .name = "qtest",
    .open = qtest_open,
    .close = qtest_close,
    .take = qtest_take,
};

bool qtest_serve(Machine *m, Chardev *chr, const char *log, Error **err)
{
    Qtest *q = (Qtest *)object_new(&Qtest_class, object_root((Object *)m), "qtest");

    if (log && strcmp(log, "none") && !(q->log = fopen(log, "we"))) {
        return error_errno(err, errno, "-qtest-log %s", log);
    }
    return monitor_new(m, "qtest", chr, &qtest_mode, false, err);
}
