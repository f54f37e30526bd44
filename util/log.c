/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log: items of -d, trace points of -trace, and where both are written.
 *
 * Each log_printf() is one write(), so lines of several threads do not mix. The switches and the
 * descriptor are the only mutable globals. Not modelled: address filters (-dfilter), the other
 * back ends of QEMU's -trace.
 */
#include "util/log.h"

#include "util/nearest.h"
#include "util/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern TracePoint *const __start_traces[] __attribute__((weak));
extern TracePoint *const __stop_traces[] __attribute__((weak));

unsigned log_items;
static int log_fd = STDERR_FILENO;

typedef struct LogName {
    unsigned item;
    const char *name, *about;
} LogName;

/* clang-format off */
static const LogName names[] = {
    {LOG_IN_ASM,       "in_asm",       "guest instructions of each block when it is first met"},
    {LOG_INT,          "int",          "interrupts and exceptions in short form"},
    {LOG_OUT_ASM,      "out_asm",      "host instructions that guest code is translated to"},
    {LOG_OP,           "op",           "accepted; there is no intermediate form: decoded instructions are it (in_asm)"},
    {LOG_NOCHAIN,      "nochain",      "translated code is not linked: it comes back after every piece (its own loops stay)"},
    {LOG_EXEC,         "exec",         "each block before it is interpreted, as all is then (many lines; no out_asm)"},
    {LOG_CPU_RESET,    "cpu_reset",    "the CPU's state before it is reset"},
    {LOG_UNIMP,        "unimp",        "what the guest uses and this program lacks"},
    {LOG_GUEST_ERRORS, "guest_errors", "what the guest does wrong, at most ten lines a second from a device"},
};
/* clang-format on */

/* ---- writing ---- */

static void write_all(int fd, const char *text, size_t n)
{
    while (n) {
        ssize_t did = write(fd, text, n);

        if (did < 0 && errno != EINTR) {
            return; /* a log that cannot be written is no reason to stop a machine */
        }
        text += MAX(did, 0);
        n -= MAX(did, 0);
    }
}

static void log_vprintf(const char *prefix, const char *fmt, va_list ap)
{
    int saved = errno;
    g_autoptr(GString) text = g_string_new(prefix);

    g_string_append_vprintf(text, fmt, ap);
    if (prefix) {
        g_string_append_c(text, '\n');
    }
    write_all(__atomic_load_n(&log_fd, __ATOMIC_RELAXED), text->str, text->len);
    errno = saved;
}

void log_printf(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_vprintf(NULL, fmt, ap);
    va_end(ap);
}

bool log_open(const char *path, Error **err)
{
    int fd = STDERR_FILENO, old;

    if (path) {
        g_auto(GStrv) part = g_strsplit(path, "%d", 2);
        g_autofree char *pid = g_strdup_printf("%d", getpid());
        g_autofree char *name = g_strjoinv(pid, part);

        fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
        if (fd < 0) {
            return error_errno(err, errno, "cannot write log file %s", name);
        }
    }
    old = __atomic_exchange_n(&log_fd, fd, __ATOMIC_SEQ_CST);
    if (old != STDERR_FILENO) {
        close(old);
    }
    return true;
}

/* ---- items ---- */

static bool item_find(const char *name, unsigned *item, Error **err)
{
    Nearest near = {name};

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        nearest_try(&near, names[i].name);
        if (!strcmp(names[i].name, name)) {
            *item |= names[i].item;
            return true;
        }
    }
    error_set(err, "there is no log item %s", name);
    return near.best ? error_hint(err, "did you mean %s? '-d help' lists them", near.best)
                     : error_hint(err, "'-d help' lists them");
}

bool log_set(const char *items, Error **err)
{
    g_auto(GStrv) name = g_strsplit(items, ",", -1);
    unsigned on = 0;

    for (int i = 0; name[i]; i++) {
        if (!strcmp(name[i], "all")) {
            on |= ~0u;
        } else if (g_str_has_prefix(name[i], "trace:")) {
            if (!trace_switch(name[i] + strlen("trace:"), true, err)) {
                return false;
            }
        } else if (!item_find(name[i], &on, err)) {
            return false;
        }
    }
    __atomic_fetch_or(&log_items, on, __ATOMIC_RELAXED);
    return true;
}

void log_clear(void)
{
    __atomic_store_n(&log_items, 0, __ATOMIC_RELAXED);
}

char *log_help(void)
{
    GString *out = g_string_new("Items of -d, separated by commas:\n");

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        g_string_append_printf(out, "  %-14s %s\n", names[i].name, names[i].about);
    }
    g_string_append_printf(out, "  %-14s %s\n", "all", "everything above");
    g_string_append_printf(out, "  %-14s %s\n", "trace:PATTERN", "as -trace PATTERN");
    return g_string_free(out, FALSE);
}

/* ---- trace points ---- */

void trace_emit(const TracePoint *point, const char *fmt, ...)
{
    g_autofree char *prefix = g_strdup_printf("%s ", point->name);
    va_list ap;

    va_start(ap, fmt);
    log_vprintf(prefix, fmt, ap);
    va_end(ap);
}

bool trace_switch(const char *pattern, bool on, Error **err)
{
    Nearest near = {pattern};
    bool any = false;

    for (TracePoint *const *p = __start_traces; p < __stop_traces; p++) {
        nearest_try(&near, (*p)->name);
        if (!fnmatch(pattern, (*p)->name, 0)) {
            __atomic_store_n(&(*p)->on, on, __ATOMIC_RELAXED);
            any = true;
        }
    }
    if (any) {
        return true;
    }
    error_set(err, "no trace point matches %s", pattern);
    return near.best ? error_hint(err, "did you mean %s? '-trace help' lists them", near.best)
                     : error_hint(err, "'-trace help' lists them");
}

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* One name may stand at several places of the code. */
char *trace_help(void)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    GString *out = g_string_new(NULL);

    for (TracePoint *const *p = __start_traces; p < __stop_traces; p++) {
        g_ptr_array_add(all, (void *)(*p)->name);
    }
    g_ptr_array_sort(all, by_name);
    for (guint i = 0; i < all->len; i++) {
        if (!i || strcmp(all->pdata[i], all->pdata[i - 1])) {
            g_string_append_printf(out, "%s\n", (char *)all->pdata[i]);
        }
    }
    return g_string_free(out, FALSE);
}

/* ---- limits ---- */

bool log_limit(LogLimit *limit, int64_t now_ns, unsigned *dropped)
{
    int64_t second = now_ns / 1000000000 + 1; /* zero is "never" */

    *dropped = 0;
    if (limit->second != second) {
        *dropped = limit->dropped;
        *limit = (LogLimit){.second = second};
    }
    if (limit->lines == 10) {
        limit->dropped++;
        return false;
    }
    limit->lines++;
    return true;
}
