/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event loop: a GLib main context of the machine's own, one timerfd for each clock (GLib itself
 * counts in milliseconds), a source for requests, and the signals that end a program.
 */
#include "softmmu/run/run_impl.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* ---- clocks ---- */

static void arm(ClockFd *c, bool fired)
{
    const Clock *clock = c->machine->clock[c->kind];
    bool wall = c->kind == CLOCK_WALL;

    pthread_mutex_lock(&c->mutex);
    int64_t first = clock_next(clock), due = first < 0 ? -1 : clock_to_host(clock, first);
    c->armed = fired ? -1 : c->armed;
    if (c->fd >= 0 && due != c->armed) {
        struct itimerspec when = {0};

        if (due >= 0) { /* all zero would disarm it */
            when.it_value = (struct timespec){due / 1000000000, MAX(due % 1000000000, 1)};
        }
        timerfd_settime(c->fd, TFD_TIMER_ABSTIME | (wall ? TFD_TIMER_CANCEL_ON_SET : 0), &when,
                        NULL);
        c->armed = due;
    }
    pthread_mutex_unlock(&c->mutex);
}

static void changed(void *opaque)
{
    arm(opaque, false);
}

void clock_kick(Machine *m, ClockKind kind)
{
    arm(&m->run->clock[kind], false);
}

static gboolean due(gint fd, GIOCondition condition, gpointer opaque)
{
    ClockFd *c = opaque;
    Clock *clock = c->machine->clock[c->kind];
    uint64_t times;

    /* ECANCELED: somebody set the wall clock; what is due by the new time runs now. */
    if (read(fd, &times, sizeof times) == sizeof times || errno == ECANCELED) {
        clock_run(clock, clock_now(clock));
        arm(c, true);
    }
    return G_SOURCE_CONTINUE;
}

static void watch_fd(Machine *m, int fd, GUnixFDSourceFunc fn, void *opaque)
{
    GSource *s = g_unix_fd_source_new(fd, G_IO_IN);

    g_source_set_callback(s, (GSourceFunc)(void (*)(void))fn, opaque, NULL);
    g_source_attach(s, m->run->context);
    g_source_unref(s);
}

void machine_clock_real(Machine *m, ClockKind kind)
{
    ClockFd *c = &m->run->clock[kind];
    int id = kind == CLOCK_WALL ? CLOCK_REALTIME : CLOCK_MONOTONIC;

    if (c->fd < 0) {
        c->fd = timerfd_create(id, TFD_CLOEXEC | TFD_NONBLOCK);
        clock_make_real(m->clock[kind]);
        clock_on_change(m->clock[kind], changed, c);
        watch_fd(m, c->fd, due, c);
        arm(c, false);
    }
}

void machine_clocks_real(Machine *m)
{
    for (ClockKind kind = CLOCK_GUEST; kind <= CLOCK_WALL; kind++) {
        machine_clock_real(m, kind);
    }
}

/* ---- requests ---- */

typedef struct RequestSource {
    GSource source;
    Machine *machine;
} RequestSource;

static gboolean requests_check(GSource *source)
{
    return ((RequestSource *)source)->machine->run->pending != 0;
}

static gboolean requests_prepare(GSource *source, gint *timeout)
{
    *timeout = -1;
    return requests_check(source);
}

static gboolean requests_dispatch(GSource *source, GSourceFunc fn, gpointer opaque)
{
    run_carry_out(((RequestSource *)source)->machine);
    return G_SOURCE_CONTINUE;
}

/* GLib keeps a pointer to it, and takes it as not constant, though it never writes to it. */
static const GSourceFuncs request_funcs = {
    .prepare = requests_prepare,
    .check = requests_check,
    .dispatch = requests_dispatch,
};

Run *run_new(Machine *m)
{
    Run *run = g_new0(Run, 1);

    run->context = g_main_context_new();
    run->requests = g_source_new((GSourceFuncs *)&request_funcs, sizeof(RequestSource));
    ((RequestSource *)run->requests)->machine = m;
    g_source_attach(run->requests, run->context);
    pthread_mutex_init(&run->inputs_mutex, NULL);
    for (int i = 0; i < 3; i++) {
        run->clock[i] = (ClockFd){.machine = m, .kind = i, .fd = -1, .armed = -1};
        pthread_mutex_init(&run->clock[i].mutex, NULL);
    }
    return run;
}

void run_free(Run *run)
{
    g_source_destroy(run->requests);
    g_source_unref(run->requests);
    g_main_context_unref(run->context);
    for (int i = 0; i < 3; i++) {
        if (run->clock[i].fd >= 0) {
            close(run->clock[i].fd);
        }
        pthread_mutex_destroy(&run->clock[i].mutex);
    }
    pthread_mutex_destroy(&run->inputs_mutex);
    g_free(run);
}

GMainContext *machine_context(Machine *m)
{
    return m->run->context;
}

bool run_elsewhere(Machine *m)
{
    return m->run->looping && m->run->thread != g_thread_self();
}

/* ---- signals ---- */

static gboolean signalled(gint fd, GIOCondition condition, gpointer opaque)
{
    struct signalfd_siginfo info;

    if (read(fd, &info, sizeof info) == sizeof info) {
        g_printerr("%s: ending on signal %u\n", g_get_prgname() ?: "rhea", info.ssi_signo);
        machine_request_shutdown(opaque, SHUTDOWN_SIGNAL);
    }
    return G_SOURCE_CONTINUE;
}

/* Those that are not ignored (nohup). Other threads must block them too. */
static int signals_open(sigset_t *before)
{
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
    sigset_t set;

    sigemptyset(&set);
    for (unsigned i = 0; i < G_N_ELEMENTS(ending); i++) {
        struct sigaction now;

        if (!sigaction(ending[i], NULL, &now) && now.sa_handler != SIG_IGN) {
            sigaddset(&set, ending[i]);
        }
    }
    pthread_sigmask(SIG_BLOCK, &set, before);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* ---- the run ---- */

int machine_run(Machine *m)
{
    Run *run = m->run;
    sigset_t before;
    int signals = signals_open(&before);
    Error *err = NULL;

    g_main_context_push_thread_default(run->context);
    run->thread = g_thread_self();
    run->looping = true;
    watch_fd(m, signals, signalled, m);
    if (m->config.start_paused && m->engine) {
        m->engine->ready(m);
    } else if (!m->config.start_paused && !machine_resume(m, &err)) {
        error_free(err);
    }
    while (!run->ended) {
        g_main_context_iteration(run->context, TRUE);
    }
    run->looping = false;
    g_source_destroy(g_main_context_find_source_by_user_data(run->context, m));
    close(signals);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    g_main_context_pop_thread_default(run->context);
    return run->status;
}
