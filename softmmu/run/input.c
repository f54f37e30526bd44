/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one door through which a machine hears of the world outside: bytes, packets, keys, finished
 * requests, and, when it asks, time and randomness. Recording and replay will stand here.
 *
 * Inputs are delivered in the order in which they came, each to an idle device, on the event loop's
 * thread; without a running loop, at once or at the next machine_poll().
 */
#include "softmmu/run/run_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

typedef struct Input {
    Object *to;
    void (*deliver)(Object *to, const void *data, size_t n);
    size_t n;
    uint8_t data[];
} Input;

void machine_input(Machine *m, InputKind kind, Object *to, const void *data, size_t n,
                   void (*deliver)(Object *to, const void *data, size_t n))
{
    Input *in = g_malloc(sizeof *in + n);

    in->to = to;
    object_ref(to);
    in->deliver = deliver;
    in->n = n;
    if (n) {
        memcpy(in->data, data, n);
    }
    pthread_mutex_lock(&m->run->inputs_mutex);
    g_queue_push_tail(&m->inputs, in);
    pthread_mutex_unlock(&m->run->inputs_mutex);
    if (run_elsewhere(m) || !run_deliver(m)) {
        run_ask(m, REQUEST_INPUT);
    }
}

static Input *first(Machine *m)
{
    pthread_mutex_lock(&m->run->inputs_mutex);
    Input *in = g_queue_peek_head(&m->inputs);
    pthread_mutex_unlock(&m->run->inputs_mutex);
    return in;
}

/* Only one thread delivers (the loop's, or a test's), so the head stays the head meanwhile. */
bool run_deliver(Machine *m)
{
    for (Input *in; (in = first(m));) {
        if (!object_enter(in->to)) {
            return false;
        }
        pthread_mutex_lock(&m->run->inputs_mutex);
        g_queue_pop_head(&m->inputs);
        pthread_mutex_unlock(&m->run->inputs_mutex);
        if (in->to->parent) { /* not unplugged meanwhile */
            in->deliver(in->to, in->data, in->n);
        }
        object_leave(in->to);
        object_unref(in->to);
        g_free(in);
    }
    return true;
}

void machine_poll(Machine *m)
{
    if (!m->run->looping) {
        run_carry_out(m);
    }
}

void machine_random(Machine *m, void *buf, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = getrandom((uint8_t *)buf + done, n - done, 0);

        if (got > 0) {
            done += got;
        } else if (errno != EINTR) {
            memset((uint8_t *)buf + done, 0,
                   n - done); /* a kernel without getrandom: none runs us */
            return;
        }
    }
}

int64_t machine_wall_time(Machine *m)
{
    return clock_now(machine_clock(m, CLOCK_WALL));
}
