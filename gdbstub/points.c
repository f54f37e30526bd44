/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Breakpoints and watchpoints of one debugger, and the plans of the vCPUs made from them. */
#include "gdbstub/stub.h"

static int by_address(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static uint8_t access_of(PointKind kind)
{
    return kind == POINT_WRITE ? DEBUG_WRITE
         : kind == POINT_READ  ? DEBUG_READ
                               : DEBUG_READ | DEBUG_WRITE;
}

/* What the points come to; the caller keeps the old lists until no plan points to them. */
static void make_lists(GdbStub *s)
{
    s->breaks = g_new0(uint64_t, s->points->len);
    s->watches = g_new0(DebugWatch, s->points->len);
    s->break_count = s->watch_count = 0;
    for (guint i = 0; i < s->points->len; i++) {
        const Point *p = &g_array_index(s->points, Point, i);

        if (p->kind <= POINT_HARD) {
            s->breaks[s->break_count++] = p->addr;
        } else {
            s->watches[s->watch_count++] =
                (DebugWatch){p->addr, p->addr + p->length - 1, access_of(p->kind)};
        }
    }
    if (s->break_count) { /* an array of nothing is no array */
        qsort(s->breaks, s->break_count, sizeof *s->breaks, by_address);
    }
}

bool thread_plan(GdbStub *s, Thread *t, uint8_t step, Error **err)
{
    DebugPlan *next = &t->plan[!t->turn];
    bool empty = !step && !s->break_count && !s->watch_count;

    *next = (DebugPlan){s->breaks, s->watches, s->break_count, s->watch_count, step};
    if (!(empty && !t->cpu->plan) && !vcpu_debug(t->cpu, empty ? NULL : next, err)) {
        return false;
    }
    t->turn = !t->turn;
    return true;
}

static bool tell_all(GdbStub *s, Error **err)
{
    for (guint i = 0; i < s->threads->len; i++) {
        if (!thread_plan(s, s->threads->pdata[i], 0, err)) {
            return false;
        }
    }
    return true;
}

/* The points have changed. One of the engine's refusals takes back what was told before. */
static bool apply(GdbStub *s, Error **err)
{
    uint64_t *breaks = s->breaks;
    DebugWatch *watches = s->watches;
    unsigned break_count = s->break_count, watch_count = s->watch_count;
    bool good;

    threads_update(s);
    make_lists(s);
    good = tell_all(s, err);
    if (!good) {
        uint64_t *bad_breaks = s->breaks;
        DebugWatch *bad_watches = s->watches;

        s->breaks = breaks;
        s->watches = watches;
        s->break_count = break_count;
        s->watch_count = watch_count;
        tell_all(s, NULL);
        breaks = bad_breaks;
        watches = bad_watches;
    }
    g_free(breaks);
    g_free(watches);
    return good;
}

static int find(GdbStub *s, Point p)
{
    for (guint i = 0; i < s->points->len; i++) {
        const Point *q = &g_array_index(s->points, Point, i);

        if (q->kind == p.kind && q->addr == p.addr &&
            (p.kind <= POINT_HARD || q->length == p.length)) {
            return i;
        }
    }
    return -1;
}

bool point_is(GdbStub *s, PointKind kind, uint64_t addr)
{
    return find(s, (Point){kind, addr, 0}) >= 0;
}

bool point_add(GdbStub *s, Point p, Error **err)
{
    if (p.kind > POINT_HARD && (!p.length || p.addr + (p.length - 1) < p.addr)) {
        return error_set(
            err, "a watchpoint of %#" PRIx64 " bytes at %#" PRIx64 " ends behind the last address",
            p.length, p.addr);
    }
    if (find(s, p) >= 0) {
        return true;
    }
    if (s->points->len == POINTS_MAX) {
        return error_set(err, "there are %d breakpoints and watchpoints already", POINTS_MAX);
    }
    g_array_append_val(s->points, p);
    if (!apply(s, err)) {
        g_array_set_size(s->points, s->points->len - 1);
        return false;
    }
    return true;
}

bool point_remove(GdbStub *s, Point p)
{
    int at = find(s, p);

    if (at < 0) {
        return false;
    }
    g_array_remove_index(s->points, at);
    return apply(s, NULL);
}

void points_clear(GdbStub *s)
{
    if (s->points->len) {
        g_array_set_size(s->points, 0);
        apply(s, NULL);
    }
}
