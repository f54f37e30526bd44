/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads, resuming and stopping: "Stop reply packets" and "vCont" in gdb's manual. All-stop only:
 * when one vCPU stops, the machine does. vCPUs that an action does not name are held meanwhile.
 * A step holds guest time still as long as the vCPU that steps is awake (Qqemu.sstep).
 */
#include "gdbstub/stub.h"

#include <string.h>

enum { SIGNAL_INT = 2, SIGNAL_QUIT = 3, SIGNAL_TRAP = 5, SIGNAL_ABRT = 6, SIGNAL_IO = 23 };

/* ---- threads ---- */

void threads_update(GdbStub *s)
{
    for (guint i = s->threads->len; i < machine_cpu_count(s->machine); i++) {
        Thread *t = g_new0(Thread, 1);

        t->cpu = machine_cpu(s->machine, i);
        g_ptr_array_add(s->threads, t);
    }
}

Thread *thread_at(GdbStub *s, unsigned place)
{
    return place < s->threads->len ? s->threads->pdata[place] : NULL;
}

Thread *thread_general(GdbStub *s)
{
    return thread_at(s, s->general == ALL_THREADS ? 0 : s->general);
}

void thread_name(GdbStub *s, unsigned place, GString *out)
{
    Thread *t = thread_at(s, place);

    if (t) {
        g_string_append_printf(out, "cpu%u, %s", t->cpu->id, s->arch->activity(t->cpu));
    }
}

/* ---- stopping ---- */

bool stub_stopped(GdbStub *s)
{
    MachineState state = machine_state(s->machine);

    return state != MACHINE_RUNNING && state != MACHINE_SUSPENDED;
}

/* The vCPUs stand: take what they stopped for, and let nothing of it work on when somebody else
 * resumes the machine. */
static void settle_threads(GdbStub *s)
{
    machine_hold_time(s->machine, false);
    for (guint i = 0; i < s->threads->len; i++) {
        Thread *t = s->threads->pdata[i];

        if (t->cpu->hit.reason) {
            t->hit = t->cpu->hit;
        }
        vcpu_hold(t->cpu, false);
        if (t->cpu->plan && t->cpu->plan->step) {
            thread_plan(s, t, 0, NULL);
        }
    }
}

void stub_stop(GdbStub *s)
{
    if (!stub_stopped(s)) {
        machine_pause(s->machine, MACHINE_PAUSED);
    }
    threads_update(s);
    settle_threads(s);
}

static unsigned signal_of(MachineState state)
{
    switch (state) {
    case MACHINE_DEBUG:
    case MACHINE_PRELAUNCH:
        return SIGNAL_TRAP;
    case MACHINE_SHUTDOWN:
        return SIGNAL_QUIT;
    case MACHINE_IO_ERROR:
        return SIGNAL_IO;
    case MACHINE_CRASHED:
    case MACHINE_INTERNAL_ERROR:
        return SIGNAL_ABRT;
    default:
        return SIGNAL_INT;
    }
}

/* Steps and breakpoints first: a watchpoint's news keeps. ALL_THREADS: nobody stopped. */
static unsigned who_stopped(GdbStub *s)
{
    unsigned best = ALL_THREADS;

    for (guint i = 0; i < s->threads->len; i++) {
        Thread *t = s->threads->pdata[i];

        if (t->hit.reason && (best == ALL_THREADS || t->hit.reason == DEBUG_STEPPED)) {
            best = i;
        }
    }
    return best;
}

static void reply_reason(GdbStub *s, const Thread *t)
{
    static const char *const watches[] = {"", "rwatch", "watch", "awatch"};

    if (t->hit.reason == DEBUG_WATCHED) {
        reply_text(s, "%s:%" PRIx64 ";", watches[t->hit.access & 3], t->hit.addr);
    } else if (t->hit.reason == DEBUG_BREAK) {
        if (point_is(s, POINT_SOFT, t->hit.addr) && s->swbreak) {
            reply_text(s, "swbreak:;");
        } else if (point_is(s, POINT_HARD, t->hit.addr) && s->hwbreak) {
            reply_text(s, "hwbreak:;");
        }
    }
}

void stub_status(GdbStub *s)
{
    unsigned place = who_stopped(s);
    Thread *t = thread_at(s, place);
    unsigned signal = t ? SIGNAL_TRAP : signal_of(machine_state(s->machine));

    if (t) {
        s->general = s->control = place;
    }
    reply_text(s, "T%02xthread:%x;", signal, (t ? place : s->general) + 1);
    if (t) {
        reply_reason(s, t);
    }
}

/* A breakpoint is met again by whoever still stands at it; what was watched is not. */
static void forget_hits(GdbStub *s, const Thread *told)
{
    for (guint i = 0; i < s->threads->len; i++) {
        Thread *t = s->threads->pdata[i];

        if (t == told || t->hit.reason != DEBUG_WATCHED) {
            t->hit.reason = DEBUG_NONE;
        }
    }
}

void stub_report(GdbStub *s)
{
    s->waiting = false;
    g_string_truncate(s->reply, 0);
    stub_status(s);
    stub_send(s, s->reply->str, s->reply->len);
}

/* ---- resuming ---- */

static bool steps(const Thread *t)
{
    return t->action == 's' || t->action == 'r';
}

/* News of another vCPU from the last stop that gdb has not heard and that still counts. */
static bool news_waits(GdbStub *s)
{
    unsigned place = who_stopped(s);
    Thread *t = thread_at(s, place);
    PointKind kinds[] = {0, POINT_READ, POINT_WRITE, POINT_ACCESS};

    if (!t || t->hit.reason != DEBUG_WATCHED) {
        return false;
    }
    for (guint i = 0; i < s->points->len; i++) {
        const Point *p = &g_array_index(s->points, Point, i);

        if (p->kind == kinds[t->hit.access & 3] && t->hit.addr - p->addr < p->length) {
            return true;
        }
    }
    t->hit.reason = DEBUG_NONE;
    return false;
}

/* Plans and holds by the actions; false: the engine refuses. */
static bool prepare(GdbStub *s, Error **err)
{
    bool still = false, moves = true;

    for (guint i = 0; i < s->threads->len; i++) {
        Thread *t = s->threads->pdata[i];

        if (!thread_plan(s, t, steps(t) ? s->sstep | DEBUG_STEP : 0, err)) {
            return false;
        }
        vcpu_hold(t->cpu, !t->action);
        still |= steps(t);
        moves &= !steps(t) || s->arch->sleeps(t->cpu);
    }
    machine_hold_time(s->machine, still && !moves && s->sstep & DEBUG_NO_TIMER);
    return true;
}

static void let_run(GdbStub *s)
{
    Error *err = NULL;

    s->waiting = true;
    s->resuming = true;
    if (!prepare(s, &err) || !machine_resume(s->machine, &err)) {
        g_autofree char *text = g_strdup_printf("%s\n", error_text(err));

        error_free(err);
        settle_threads(s);
        stub_say(s, text, strlen(text));
        stub_report(s);
    }
    s->resuming = false;
}

void stub_resume(GdbStub *s)
{
    s->silent = true; /* the stop is the answer */
    if (news_waits(s)) {
        stub_report(s);
        return;
    }
    forget_hits(s, NULL);
    let_run(s);
}

/* Is the stop nothing but one more instruction of a range? */
static bool steps_on(GdbStub *s)
{
    unsigned place = who_stopped(s);
    Thread *t = thread_at(s, place);
    uint64_t pc;

    if (!t || t->hit.reason != DEBUG_STEPPED || t->action != 'r' ||
        machine_state(s->machine) != MACHINE_DEBUG) {
        return false;
    }
    for (guint i = 0; i < s->threads->len; i++) {
        const Thread *other = s->threads->pdata[i];

        if (other != t && other->hit.reason) {
            return false;
        }
    }
    pc = s->arch->pc(t->cpu);
    return pc >= t->range && pc < t->range_end && !point_is(s, POINT_SOFT, pc) &&
           !point_is(s, POINT_HARD, pc);
}

void stub_look(GdbStub *s)
{
    if (!s->waiting || !stub_stopped(s)) {
        return;
    }
    settle_threads(s);
    if (steps_on(s)) {
        forget_hits(s, NULL);
        let_run(s);
        return;
    }
    stub_report(s);
    forget_hits(s, thread_at(s, s->general));
}

void stub_let_go(GdbStub *s)
{
    Error *err = NULL;
    bool runs = !stub_stopped(s) && !s->said_bye;

    s->waiting = false;
    if (runs) { /* vCPUs must stand while their plans change */
        machine_pause(s->machine, MACHINE_PAUSED);
    }
    points_clear(s);
    settle_threads(s);
    forget_hits(s, NULL);
    for (guint i = 0; i < s->threads->len; i++) {
        ((Thread *)s->threads->pdata[i])->hit.reason = DEBUG_NONE;
    }
    if (runs && !machine_resume(s->machine, &err)) {
        error_free(err);
    }
}

/* ---- vCont ---- */

typedef struct Action {
    char what;
    uint64_t range, range_end;
    unsigned place;
} Action;

/* "c", "C05", "s", "S05", "rSTART,END", each with an optional ":thread" */
static bool action_parse(GdbStub *s, const char **at, Action *a)
{
    uint64_t signal;

    *a = (Action){.what = g_ascii_tolower(**at), .place = ALL_THREADS};
    if (!**at || !strchr("cCsSr", **at)) {
        return false;
    }
    bool has_signal = g_ascii_isupper(*(*at)++);
    if (has_signal && !parse_number(at, &signal)) {
        return false;
    }
    if (a->what == 'r' && (!parse_number(at, &a->range) || !parse_skip(at, ',') ||
                           !parse_number(at, &a->range_end))) {
        return false;
    }
    return !parse_skip(at, ':') || parse_thread(s, at, &a->place);
}

/* The leftmost action that names a thread is its. */
static void action_give(GdbStub *s, const Action *a)
{
    for (guint i = 0; i < s->threads->len; i++) {
        Thread *t = s->threads->pdata[i];

        if (!t->action && (a->place == ALL_THREADS || a->place == i)) {
            t->action = a->what;
            t->range = a->range;
            t->range_end = a->range_end;
        }
    }
}

bool resume_parse(GdbStub *s, const char *text)
{
    threads_update(s);
    for (guint i = 0; i < s->threads->len; i++) {
        ((Thread *)s->threads->pdata[i])->action = 0;
    }
    do {
        Action a;

        if (!action_parse(s, &text, &a)) {
            return false;
        }
        action_give(s, &a);
    } while (parse_skip(&text, ';'));
    return !*text;
}
