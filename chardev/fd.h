/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Back ends whose host end is a pair of descriptors: watching, reading, writing without waiting. */
#pragma once
#include "chardev/chardev.h"
#include "softmmu/run/run.h"

typedef struct FdChardev {
    Chardev chr;
    int in, out; /* -1: none; may be the same; closed in the end */
    GSource *in_source, *out_source;
    bool hungry; /* accept() was called: watch in */
    ssize_t (*receive)(struct FdChardev *f, void *data, size_t n); /* in place of read(), or NULL */
    size_t (*filter)(struct FdChardev *f, uint8_t *data, size_t n); /* of what is read, or NULL */
    void (*lost)(struct FdChardev *f); /* the other side has gone; NULL: it is just over       */
} FdChardev;

extern const ChardevClass FdChardev_class;

/* Take over descriptors and say that the host end is there. fd_close: it has gone. */
void fd_open(FdChardev *f, int in, int out);
void fd_close(FdChardev *f);

size_t fd_write(Chardev *chr, const uint8_t *data, size_t n);
void fd_wait(Chardev *chr);
void fd_accept(Chardev *chr);

/* A descriptor of its own for what fd shows, that does not wait: flags O_RDONLY, O_WRONLY. */
int fd_reopen(int fd, int flags);
