/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pty: a new pseudo-terminal whose name is announced on stderr; programs like screen and libvirt
 * open it. While nobody has, what is written is dropped; that is looked for once a second.
 */
#include "chardev/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <termios.h>
#include <unistd.h>

typedef struct PtyChardev {
    FdChardev fd;
    int master;
    char *path; /* of the slave */
    GSource *looking;
} PtyChardev;

static void look_later(PtyChardev *p);

/* The kernel says POLLHUP while no slave is open. */
static bool peer(PtyChardev *p)
{
    struct pollfd poll_for = {p->master, POLLIN, 0};

    return poll(&poll_for, 1, 0) >= 0 && !(poll_for.revents & POLLHUP);
}

static gboolean look(gpointer opaque)
{
    PtyChardev *p = opaque;

    if (!peer(p)) {
        return G_SOURCE_CONTINUE;
    }
    g_source_unref(p->looking);
    p->looking = NULL;
    fd_open(&p->fd, dup(p->master), dup(p->master));
    return G_SOURCE_REMOVE;
}

static void look_later(PtyChardev *p)
{
    p->looking = g_timeout_source_new(200);
    g_source_set_callback(p->looking, look, p, NULL);
    g_source_attach(p->looking, machine_context(machine_of(&p->fd.chr.obj)));
}

static void pty_lost(FdChardev *f)
{
    fd_close(f);
    f->hungry = true;
    char_opened(&f->chr, false);
    look_later((PtyChardev *)f);
}

static bool pty_complete(Object *obj, Error **err)
{
    PtyChardev *p = (PtyChardev *)obj;
    char name[64];
    struct termios raw;
    int slave;

    if (openpty(&p->master, &slave, name, NULL, NULL)) {
        p->master = -1;
        return error_errno(err, errno, "cannot make a pseudo-terminal");
    }
    tcgetattr(slave, &raw);
    cfmakeraw(&raw);
    tcsetattr(slave, TCSAFLUSH, &raw);
    close(slave);
    fcntl(p->master, F_SETFL, O_NONBLOCK);
    fcntl(p->master, F_SETFD, FD_CLOEXEC);
    g_free(p->path);
    p->path = g_strdup(name);
    p->fd.lost = pty_lost;
    g_printerr("char device redirected to %s (label %s)\n", name, obj->name);
    look_later(p);
    return true;
}

static char *pty_where(Chardev *chr)
{
    return g_strconcat("pty:", ((PtyChardev *)chr)->path, NULL);
}

static void pty_init(Object *obj)
{
    ((PtyChardev *)obj)->master = -1;
}

static void pty_finalize(Object *obj)
{
    PtyChardev *p = (PtyChardev *)obj;

    if (p->looking) {
        g_source_destroy(p->looking);
        g_source_unref(p->looking);
    }
    if (p->master >= 0) {
        close(p->master);
    }
}

static const Prop pty_props[] = {
    PROP_TEXT(PtyChardev, path, NULL, "its name; chosen by the host"),
    PROP_END,
};

static const ChardevClass PtyChardev_class = {
    .class = {"chardev-pty", "a new pseudo-terminal", &FdChardev_class.class, sizeof(PtyChardev),
              pty_props, .init = pty_init, .finalize = pty_finalize, .complete = pty_complete},
    .write = fd_write,
    .wait = fd_wait,
    .accept = fd_accept,
    .where = pty_where,
};
CLASS(PtyChardev);
