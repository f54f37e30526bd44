/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rhea-system-x86_64: a command line becomes a plan, the plan a machine, the machine runs.
 *
 * Exit status: 0 when the guest or the user ended it, 1 with one sentence on stderr when it could
 * not start.
 */
#include "softmmu/daemon.h"
#include "softmmu/plan.h"
#include "softmmu/run/run.h"
#include "util/log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static void say(const Plan *p, const char *text)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *time = g_date_time_format(now, "%Y-%m-%dT%H:%M:%S.%fZ ");

    fprintf(stderr, "%s%s: %s\n", p->timestamps ? time : "", g_get_prgname(), text);
}

static int failed(const Plan *p, Error *err)
{
    say(p, error_text(err));
    if (*error_hint_text(err)) {
        say(p, error_hint_text(err));
    }
    error_free(err);
    return 1;
}

static bool logs_on(const Plan *p, Error **err)
{
    if (p->log_file && !log_open(p->log_file, err)) {
        return error_prefix(err, "-D %s: ", p->log_file);
    }
    if (p->log_items && !log_set(p->log_items, err)) {
        return error_prefix(err, "-d %s: ", p->log_items);
    }
    for (guint i = 0; i < p->traces->len; i++) {
        if (!trace_switch(p->traces->pdata[i], true, err)) {
            return error_prefix(err, "-trace %s: ", (char *)p->traces->pdata[i]);
        }
    }
    return true;
}

/* From here on they end the machine and not the process: the event loop takes them, so that files
 * are removed and the terminal is given back. Threads made later block them, too. */
static void defer_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* Everything between a good plan and the end of its machine. */
static int run(Plan *p, Error **err)
{
    int parent = -1, pid = -1, status;
    Machine *m;

    if (p->daemonize && (parent = daemon_begin(err)) < 0) {
        return 1;
    }
    defer_signals();
    if (p->process_name) {
        prctl(PR_SET_NAME, p->process_name);
    }
    if (!logs_on(p, err) || !(m = plan_build(p, err))) {
        return 1;
    }
    if (p->pid_file) { /* the background has another working directory */
        char *full = g_canonicalize_filename(p->pid_file, NULL);

        g_free(p->pid_file);
        p->pid_file = full;
    }
    if (p->pid_file && (pid = pid_file_write(p->pid_file, err)) < 0) {
        machine_free(m);
        return 1;
    }
    if (parent >= 0) {
        daemon_ready(parent);
    }
    status = machine_run(m);
    machine_free(m);
    if (pid >= 0) {
        unlink(p->pid_file);
        close(pid);
    }
    return status;
}

int main(int argc, char **argv)
{
    Plan *p = plan_new();
    Error *err = NULL;
    int status = 0;

    signal(SIGPIPE, SIG_IGN); /* a peer that goes away is no reason to end */
    g_set_prgname("rhea-system-x86_64");
    if (plan_parse(p, argc - 1, argv + 1, &err)) {
        if (p->answer || p->print) {
            g_autofree char *text = p->answer ? g_strdup(p->answer) : plan_print(p);

            fputs(text, stdout);
        } else {
            status = run(p, &err);
        }
    }
    if (err) {
        status = failed(p, err);
    }
    plan_free(p);
    return status;
}
