/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Locks: order, recursion, letting go of all at once. */
#include "tests/lib/test.h"
#include "util/lock.h"

#include <glib.h>
#include <sys/wait.h>
#include <unistd.h>

TEST("lock: what ranks below a held lock is not allowed, the held one and higher ones are")
{
    Lock machine, device, engine;

    lock_init(&machine, LOCK_MACHINE);
    lock_init(&device, LOCK_DEVICE);
    lock_init(&engine, LOCK_ENGINE);
    lock_take(&machine);
    lock_take(&device);
    check(lock_allowed(&machine), true);
    check(lock_allowed(&engine), true);
    lock_drop(&machine);
    check(lock_allowed(&machine), false);
    lock_drop(&device);
    check(lock_allowed(&machine), true);
}

TEST("lock: breaking the order ends the program")
{
    Lock machine, device;
    int status = 0;

    lock_init(&machine, LOCK_MACHINE);
    lock_init(&device, LOCK_DEVICE);
    pid_t child = fork();
    if (!child) {
        close(2);
        lock_take(&device);
        lock_take(&machine);
        _exit(0);
    }
    waitpid(child, &status, 0);
    check(WIFSIGNALED(status), true);
}

static void *try(void *lock)
{
    lock_take(lock);
    lock_drop(lock);
    return NULL;
}

TEST("lock: a lock taken twice is let go of and taken back as often")
{
    Lock lock;

    lock_init(&lock, LOCK_MACHINE);
    check(lock_yield(&lock), 0);
    lock_take(&lock);
    lock_take(&lock);
    unsigned times = lock_yield(&lock);
    check(times, 2);
    g_thread_join(g_thread_new("try", try, &lock));
    lock_retake(&lock, times);
    check(lock.depth, 2);
    lock_yield(&lock);
}
