/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stdio: standard input and output of the process; a terminal is raw meanwhile. file and pipe:
 * bytes to a file, bytes through one FIFO or two.
 */
#include "chardev/fd.h"
#include "chardev/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- stdio ---- */

typedef struct StdioChardev {
    FdChardev fd;
    bool signal;
    Terminal *terminal;
} StdioChardev;

static bool taken(Object *all, Object *self)
{
    for (Object *c = all->children; c; c = c->next) {
        if (c != self && c->class == self->class) {
            return true;
        }
    }
    return false;
}

static bool stdio_complete(Object *obj, Error **err)
{
    StdioChardev *s = (StdioChardev *)obj;

    if (taken(obj->parent, obj)) {
        error_set(err, "standard input and output are in use already");
        return error_hint(err, "mux=on shares one stdio between several devices");
    }
    s->terminal = terminal_raw(STDIN_FILENO, s->signal);
    fd_open(&s->fd, fd_reopen(STDIN_FILENO, O_RDONLY), fd_reopen(STDOUT_FILENO, O_WRONLY));
    return true;
}

static void stdio_finalize(Object *obj)
{
    terminal_restore(((StdioChardev *)obj)->terminal);
}

static const Prop stdio_props[] = {
    PROP(StdioChardev, signal, true, "Ctrl-C and its like are signals for this program"),
    PROP_END,
};

static const ChardevClass StdioChardev_class = {
    .class = {"chardev-stdio", "standard input and output", &FdChardev_class.class,
              sizeof(StdioChardev), stdio_props, .finalize = stdio_finalize,
              .complete = stdio_complete},
    .write = fd_write,
    .wait = fd_wait,
    .accept = fd_accept,
};
CLASS(StdioChardev);

/* ---- file, pipe ---- */

typedef struct FileChardev {
    FdChardev fd;
    char *path;
    bool append;
} FileChardev;

static bool file_complete(Object *obj, Error **err)
{
    FileChardev *f = (FileChardev *)obj;
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (f->append ? O_APPEND : O_TRUNC);
    int fd;

    if (!f->path) {
        return error_set(err, "path is missing");
    }
    fd = open(f->path, flags, 0666);
    if (fd < 0) {
        return error_errno(err, errno, "path=%s", f->path);
    }
    fd_open(&f->fd, -1, fd);
    return true;
}

static const Prop file_props[] = {
    PROP_TEXT(FileChardev, path, NULL, "the file"),
    PROP(FileChardev, append, false, "keep what the file holds"),
    PROP_END,
};

static const ChardevClass FileChardev_class = {
    .class = {"chardev-file", "writes a file", &FdChardev_class.class, sizeof(FileChardev),
              file_props, .complete = file_complete},
    .write = fd_write,
    .wait = fd_wait,
    .accept = fd_accept,
};
CLASS(FileChardev);

/* Opened for both directions, so that it neither waits for a peer nor ends with one. */
static int fifo_open(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd >= 0 && (fstat(fd, &st) || !(S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))) {
        close(fd);
        errno = ESPIPE;
        return -1;
    }
    return fd;
}

static bool pipe_complete(Object *obj, Error **err)
{
    FileChardev *f = (FileChardev *)obj;
    g_autofree char *in_path = NULL, *out_path = NULL;
    int in, out;

    if (!f->path) {
        return error_set(err, "path is missing");
    }
    in_path = g_strconcat(f->path, ".in", NULL);
    out_path = g_strconcat(f->path, ".out", NULL);
    in = fifo_open(in_path);
    out = fifo_open(out_path);
    if (in < 0 || out < 0) {
        if (in >= 0) {
            close(in);
        }
        if (out >= 0) {
            close(out);
        }
        in = out = fifo_open(f->path);
    }
    if (in < 0) {
        error_errno(err, errno, "path=%s", f->path);
        return error_hint(err, "'mkfifo %s.in %s.out' makes a pair", f->path, f->path);
    }
    fd_open(&f->fd, in, out);
    return true;
}

static const Prop pipe_props[] = {
    PROP_TEXT(FileChardev, path, NULL, "the FIFO, or the beginning of PATH.in and PATH.out"),
    PROP_END,
};

static const ChardevClass PipeChardev_class = {
    .class = {"chardev-pipe", "one FIFO or two", &FdChardev_class.class, sizeof(FileChardev),
              pipe_props, .complete = pipe_complete},
    .write = fd_write,
    .wait = fd_wait,
    .accept = fd_accept,
};
CLASS(PipeChardev);
