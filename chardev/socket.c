/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * socket: a unix or TCP socket, or one that was passed, as a server or as a client.
 *
 *   server: LISTENING --client--> CONNECTED --hangup--> LISTENING
 *   client: CONNECTING --> CONNECTED --hangup--> (reconnect) WAITING --time--> CONNECTING
 *
 * One client at a time; what is written while there is none is dropped. Descriptors that come over
 * a unix socket wait for char_take_fd(). Not modelled: TLS, websockets.
 */
#include "chardev/socket.h"

#include "qom/value.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void listen_again(SocketChardev *s);
static void try_connect(SocketChardev *s);

/* ---- sources ---- */

static void drop(GSource **source)
{
    if (*source) {
        g_source_destroy(*source);
        g_source_unref(*source);
        *source = NULL;
    }
}

static void attach(SocketChardev *s, GSource **at, GSource *source, GSourceFunc fn)
{
    drop(at);
    *at = source;
    g_source_set_callback(source, fn, s, NULL);
    g_source_attach(source, machine_context(machine_of(&s->fd.chr.obj)));
}

static void watch(SocketChardev *s, GSource **at, int fd, GIOCondition on, GUnixFDSourceFunc fn)
{
    attach(s, at, g_unix_fd_source_new(fd, on), (GSourceFunc)(void (*)(void))fn);
}

/* ---- connected, lost ---- */

static void lost(FdChardev *f)
{
    SocketChardev *s = (SocketChardev *)f;

    drop(&s->gone);
    fd_close(f);
    f->hungry = true; /* for the next client */
    char_opened(&f->chr, false);
    if (s->listener >= 0) {
        listen_again(s);
    } else if (s->reconnect) {
        try_connect(s);
    }
}

/* A hangup is seen even while no front end reads; bytes that came before it are read first. */
static gboolean hung_up(gint fd, GIOCondition condition, gpointer opaque)
{
    SocketChardev *s = opaque;
    int unread = 0;

    drop(&s->gone);
    if (ioctl(fd, FIONREAD, &unread) || !unread) {
        lost(&s->fd);
    }
    return G_SOURCE_REMOVE;
}

static ssize_t receive(FdChardev *f, void *data, size_t n)
{
    union {
        char room[CMSG_SPACE(CHAR_FDS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {data, n};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t got = recvmsg(f->in, &message, MSG_CMSG_CLOEXEC);

    for (struct cmsghdr *c = got >= 0 ? CMSG_FIRSTHDR(&message) : NULL; c;
         c = CMSG_NXTHDR(&message, c)) {
        bool rights = c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS;
        size_t fds = rights ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;

        for (size_t i = 0; i < fds; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            char_pass_fd(&f->chr, fd);
        }
    }
    return got;
}

static void connected(SocketChardev *s, int fd)
{
    int on = s->nodelay || !s->delay;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* a unix socket says no */
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fd_open(&s->fd, fd, fd);
    watch(s, &s->gone, fd, G_IO_HUP | G_IO_ERR, hung_up);
    if (s->telnet) {
        telnet_greet(s);
    }
}

/* ---- server ---- */

static gboolean client_came(gint fd, GIOCondition condition, gpointer opaque)
{
    SocketChardev *s = opaque;
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (client < 0) {
        return G_SOURCE_CONTINUE; /* it went away meanwhile */
    }
    drop(&s->source);
    connected(s, client);
    return G_SOURCE_REMOVE;
}

static void listen_again(SocketChardev *s)
{
    watch(s, &s->source, s->listener, G_IO_IN, client_came);
}

/* Signals that are to end the program may be blocked already. */
static bool ending(void)
{
    sigset_t set;

    sigpending(&set);
    return sigismember(&set, SIGTERM) || sigismember(&set, SIGINT) || sigismember(&set, SIGHUP);
}

static bool wait_for_client(SocketChardev *s, Error **err)
{
    struct pollfd p = {s->listener, POLLIN, 0};
    int client = -1;

    g_printerr("%s: chardev %s waits for a connection\n", g_get_prgname() ?: "rhea",
               s->fd.chr.obj.name);
    while (client < 0) {
        if (ending()) {
            return error_set(err, "interrupted while waiting for a connection");
        }
        if (poll(&p, 1, 200) > 0) {
            client = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        }
    }
    connected(s, client);
    return true;
}

static bool start_server(SocketChardev *s, int passed, Error **err)
{
    s->listener = passed >= 0 ? passed : socket_listen(s, err);
    if (s->listener < 0) {
        return false;
    }
    fcntl(s->listener, F_SETFL, fcntl(s->listener, F_GETFL) | O_NONBLOCK);
    fcntl(s->listener, F_SETFD, FD_CLOEXEC);
    if (s->wait) {
        return wait_for_client(s, err);
    }
    listen_again(s);
    return true;
}

/* ---- client ---- */

static gboolean time_to_try(gpointer opaque)
{
    try_connect(opaque);
    return G_SOURCE_REMOVE;
}

static void try_later(SocketChardev *s)
{
    s->next = 0;
    attach(s, &s->source, g_timeout_source_new_seconds(s->reconnect), time_to_try);
}

static gboolean connect_ended(gint fd, GIOCondition condition, gpointer opaque)
{
    SocketChardev *s = opaque;
    int code = 0;
    socklen_t n = sizeof code;

    drop(&s->source);
    s->connecting = -1;
    if (!getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &n) && !code) {
        s->next = 0;
        connected(s, fd);
    } else {
        close(fd);
        try_connect(s);
    }
    return G_SOURCE_REMOVE;
}

/* Without waiting; the addresses in turn, then a pause. */
static void try_connect(SocketChardev *s)
{
    while (s->next < s->addresses) {
        const SocketAddress *a = &s->to[s->next++];
        int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (!connect(fd, &a->any, a->length)) {
            drop(&s->source);
            s->next = 0;
            connected(s, fd);
            return;
        }
        if (errno == EINPROGRESS) {
            s->connecting = fd;
            watch(s, &s->source, fd, G_IO_OUT | G_IO_ERR | G_IO_HUP, connect_ended);
            return;
        }
        close(fd);
    }
    try_later(s);
}

/* At the start a client without reconnect= must succeed. */
static bool connect_now(SocketChardev *s, Error **err)
{
    for (unsigned i = 0; i < s->addresses; i++) {
        const SocketAddress *a = &s->to[i];
        int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (!connect(fd, &a->any, a->length)) {
            connected(s, fd);
            return true;
        }
        close(fd);
    }
    return s->path ? error_errno(err, errno, "path=%s", s->path)
                   : error_errno(err, errno, "host=%s,port=%s", s->host, s->port);
}

/* ---- life ---- */

static bool passed_fd(SocketChardev *s, int *fd, Error **err)
{
    Number n = -1;
    int type;
    socklen_t size = sizeof type;

    if (!value_number(&TEXT(s->passed), UNIT_NONE, &n) || n < 0 || n > INT_MAX) {
        return error_set(err, "fd=%s: wants the number of a descriptor", s->passed);
    }
    *fd = n;
    if (getsockopt(*fd, SOL_SOCKET, SO_TYPE, &type, &size) || type != SOCK_STREAM) {
        *fd = -1;
        return error_errno(err, errno, "fd=%s", s->passed);
    }
    return true;
}

static bool check_options(SocketChardev *s, Error **err)
{
    int ways = !!s->path + !!s->port + !!s->passed;

    if (ways != 1) {
        return error_set(err, "wants one of path=, host= with port=, and fd=");
    }
    if (s->server && s->reconnect) {
        return error_set(err, "reconnect=%u: is for clients, and this is a server", s->reconnect);
    }
    if (!s->server && !s->passed && !s->path && !s->host) {
        return error_set(err, "host is missing");
    }
    return true;
}

static bool socket_complete(Object *obj, Error **err)
{
    SocketChardev *s = (SocketChardev *)obj;
    int passed = -1;

    s->fd.lost = lost;
    s->fd.receive = receive;
    s->fd.filter = s->telnet ? telnet_filter : NULL;
    if (!check_options(s, err) || (s->passed && !passed_fd(s, &passed, err)) ||
        (!s->passed && !socket_resolve(s, err))) {
        return false;
    }
    if (s->server) {
        return start_server(s, passed, err);
    }
    if (passed >= 0) {
        connected(s, passed);
        return true;
    }
    if (s->reconnect) {
        try_connect(s);
        return true;
    }
    return connect_now(s, err);
}

static size_t socket_write(Chardev *chr, const uint8_t *data, size_t n)
{
    return ((SocketChardev *)chr)->telnet ? telnet_write(chr, data, n) : fd_write(chr, data, n);
}

/* As QEMU says it: clients of management programs look at the beginning. */
static char *socket_where(Chardev *chr)
{
    SocketChardev *s = (SocketChardev *)chr;
    const char *away = chr->open ? "" : "disconnected:", *server = s->server ? ",server=on" : "";

    if (s->path) {
        return g_strdup_printf("%sunix:%s%s", away, s->path, server);
    }
    if (s->passed) {
        return g_strdup_printf("%sfd:%s%s", away, s->passed, server);
    }
    return g_strdup_printf("%s%s:%s:%s%s", away, s->telnet ? "telnet" : "tcp", s->host ?: "",
                           s->port, server);
}

static void socket_init(Object *obj)
{
    ((SocketChardev *)obj)->listener = ((SocketChardev *)obj)->connecting = -1;
}

static void socket_finalize(Object *obj)
{
    SocketChardev *s = (SocketChardev *)obj;

    drop(&s->source);
    drop(&s->gone);
    if (s->connecting >= 0) {
        close(s->connecting);
    }
    if (s->listener >= 0) {
        close(s->listener);
    }
    if (s->own_path) {
        unlink(s->own_path);
        g_free(s->own_path);
    }
}

static const Prop socket_props[] = {
    PROP_TEXT(SocketChardev, path, NULL, "a unix socket"),
    PROP(SocketChardev, abstract, false, "path is an abstract name, not a file"),
    PROP_TEXT(SocketChardev, host, NULL, "name or address; of a server: empty for all"),
    PROP_TEXT(SocketChardev, port, NULL, "TCP port, number or name"),
    PROP(SocketChardev, ipv4, false, "IPv4 only"),
    PROP(SocketChardev, ipv6, false, "IPv6 only"),
    PROP_AS(SocketChardev, "fd", passed, 0, "the number of an open descriptor"),
    PROP(SocketChardev, server, false, "wait for others to connect"),
    PROP(SocketChardev, wait, true, "of a server: go on when the first has connected"),
    PROP(SocketChardev, telnet, false, "speak the telnet protocol"),
    PROP(SocketChardev, nodelay, false, "send small packets at once"),
    PROP(SocketChardev, delay, true, "the opposite of nodelay"),
    PROP(SocketChardev, reconnect, 0, "seconds until a lost connection is tried again",
         .max = 3600),
    PROP_END,
};

const ChardevClass SocketChardev_class = {
    .class = {"chardev-socket", "a unix or TCP socket", &FdChardev_class.class,
              sizeof(SocketChardev), socket_props, .init = socket_init, .finalize = socket_finalize,
              .complete = socket_complete},
    .write = socket_write,
    .wait = fd_wait,
    .accept = fd_accept,
    .where = socket_where,
};
CLASS(SocketChardev);
