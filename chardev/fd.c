/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Back ends whose host end is a pair of descriptors.
 *
 * The event loop watches `in` only while the front end has taken all earlier bytes, and `out` only
 * while bytes wait. Sources are made and dropped under the chardev's mutex, because vCPU threads
 * begin waits and end them.
 */
#include "chardev/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

static GSource *watch(FdChardev *f, int fd, GIOCondition on, GUnixFDSourceFunc fn)
{
    GSource *s = g_unix_fd_source_new(fd, on);

    g_source_set_callback(s, (GSourceFunc)(void (*)(void))fn, f, NULL);
    g_source_attach(s, machine_context(machine_of(&f->chr.obj)));
    return s;
}

static void unwatch(GSource **s)
{
    if (*s) {
        g_source_destroy(*s);
        g_source_unref(*s);
        *s = NULL;
    }
}

/* ---- out ---- */

static gboolean writable(gint fd, GIOCondition condition, gpointer opaque)
{
    FdChardev *f = opaque;

    pthread_mutex_lock(&f->chr.mutex);
    unwatch(&f->out_source);
    pthread_mutex_unlock(&f->chr.mutex);
    char_drain(&f->chr);
    return G_SOURCE_REMOVE;
}

/* An error means that nobody reads: the reading side will find out, the bytes are gone. */
size_t fd_write(Chardev *chr, const uint8_t *data, size_t n)
{
    FdChardev *f = (FdChardev *)chr;
    size_t done = 0;

    while (done < n && f->out >= 0) {
        ssize_t did = write(f->out, data + done, n - done);

        if (did >= 0) {
            done += did;
        } else if (errno == EAGAIN) {
            if (!f->out_source) {
                f->out_source = watch(f, f->out, G_IO_OUT | G_IO_ERR | G_IO_HUP, writable);
            }
            return done;
        } else if (errno != EINTR) {
            break;
        }
    }
    return n;
}

void fd_wait(Chardev *chr)
{
    struct pollfd p = {((FdChardev *)chr)->out, POLLOUT, 0};

    poll(&p, 1, 100);
}

/* ---- in ---- */

static gboolean readable(gint fd, GIOCondition condition, gpointer opaque)
{
    FdChardev *f = opaque;
    uint8_t data[4096];
    ssize_t n = f->receive ? f->receive(f, data, sizeof data) : read(fd, data, sizeof data);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return G_SOURCE_CONTINUE;
    }
    pthread_mutex_lock(&f->chr.mutex);
    f->hungry = false;
    unwatch(&f->in_source);
    pthread_mutex_unlock(&f->chr.mutex);
    if (n <= 0) {
        if (f->lost) {
            f->lost(f);
        }
        return G_SOURCE_REMOVE;
    }
    n = f->filter ? f->filter(f, data, n) : (size_t)n;
    if (n) {
        char_input(&f->chr, data, n);
    } else {
        fd_accept(&f->chr);
    }
    return G_SOURCE_REMOVE;
}

void fd_accept(Chardev *chr)
{
    FdChardev *f = (FdChardev *)chr;

    pthread_mutex_lock(&chr->mutex);
    f->hungry = true;
    if (f->in >= 0 && !f->in_source) {
        f->in_source = watch(f, f->in, G_IO_IN | G_IO_ERR | G_IO_HUP, readable);
    }
    pthread_mutex_unlock(&chr->mutex);
}

/* ---- life ---- */

int fd_reopen(int fd, int flags)
{
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
    struct stat st;
    int own = -1;

    /* A description of our own: the shell's would stay non-blocking after us. */
    if (!fstat(fd, &st) && (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode))) {
        own = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    }
    return own >= 0 ? own : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

void fd_open(FdChardev *f, int in, int out)
{
    pthread_mutex_lock(&f->chr.mutex);
    f->in = in;
    f->out = out;
    pthread_mutex_unlock(&f->chr.mutex);
    char_opened(&f->chr, true);
    if (f->hungry) {
        fd_accept(&f->chr);
    }
}

void fd_close(FdChardev *f)
{
    pthread_mutex_lock(&f->chr.mutex);
    unwatch(&f->in_source);
    unwatch(&f->out_source);
    if (f->in >= 0) {
        close(f->in);
    }
    if (f->out >= 0 && f->out != f->in) {
        close(f->out);
    }
    f->in = f->out = -1;
    pthread_mutex_unlock(&f->chr.mutex);
}

static void fd_init(Object *obj)
{
    FdChardev *f = (FdChardev *)obj;

    f->in = f->out = -1;
}

/* The last lines of a guest still go out, unless nobody takes them for a second. */
static void flush(FdChardev *f)
{
    struct pollfd p = {f->out, POLLOUT, 0};
    GByteArray *out = f->chr.out;

    while (out->len && f->chr.open && f->out >= 0 && poll(&p, 1, 1000) > 0) {
        g_byte_array_remove_range(out, 0, fd_write(&f->chr, out->data, out->len));
    }
}

static void fd_finalize(Object *obj)
{
    flush((FdChardev *)obj);
    fd_close((FdChardev *)obj);
}

const ChardevClass FdChardev_class = {
    .class = {"chardev-fd", "descriptors", &Chardev_class.class, sizeof(FdChardev), .init = fd_init,
              .finalize = fd_finalize},
};
