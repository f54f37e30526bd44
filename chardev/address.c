/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses of socket chardevs: names resolved, listeners made. Not modelled: ranges of ports. */
#include "chardev/socket.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static bool unix_address(SocketChardev *s, Error **err)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&s->to[0].storage;
    size_t n = strlen(s->path);

    if (n + 1 + s->abstract > sizeof un->sun_path) {
        return error_set(err, "path=%s: is longer than %zu bytes", s->path,
                         sizeof un->sun_path - 1 - s->abstract);
    }
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path + s->abstract, s->path, n);
    s->to[0].length = offsetof(struct sockaddr_un, sun_path) + n + 1;
    s->addresses = 1;
    return true;
}

bool socket_resolve(SocketChardev *s, Error **err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = s->server ? AI_PASSIVE : 0};
    struct addrinfo *all = NULL;
    int code;

    if (s->path) {
        return unix_address(s, err);
    }
    hints.ai_family = s->ipv4 == s->ipv6 ? AF_UNSPEC : s->ipv4 ? AF_INET : AF_INET6;
    code = getaddrinfo(s->host && *s->host ? s->host : NULL, s->port, &hints, &all);
    if (code) {
        return error_set(err, "host=%s,port=%s: %s", s->host ?: "", s->port, gai_strerror(code));
    }
    for (struct addrinfo *a = all; a && s->addresses < MOST_ADDRESSES; a = a->ai_next) {
        memcpy(&s->to[s->addresses].storage, a->ai_addr, a->ai_addrlen);
        s->to[s->addresses++].length = a->ai_addrlen;
    }
    freeaddrinfo(all);
    return true;
}

/* A socket file that a former server left behind is replaced; any other file is not. */
static void remove_old(SocketChardev *s)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&s->to[0].storage;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct stat st;

    if (!lstat(s->path, &st) && S_ISSOCK(st.st_mode) &&
        connect(fd, (struct sockaddr *)un, s->to[0].length) && errno == ECONNREFUSED) {
        unlink(s->path);
    }
    close(fd);
}

static int listen_at(SocketChardev *s, const SocketAddress *a)
{
    int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

    if (a->any.sa_family != AF_UNIX) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    } else if (!s->abstract) {
        remove_old(s);
    }
    if (bind(fd, &a->any, a->length) || listen(fd, 1)) {
        int saved = errno;

        close(fd);
        errno = saved;
        return -1;
    }
    if (s->path && !s->abstract) { /* -daemonize leaves the working directory */
        s->own_path = g_canonicalize_filename(s->path, NULL);
    }
    return fd;
}

int socket_listen(SocketChardev *s, Error **err)
{
    int fd = -1;

    for (unsigned i = 0; i < s->addresses && fd < 0; i++) {
        fd = listen_at(s, &s->to[i]);
    }
    if (fd < 0 && s->path) {
        error_errno(err, errno, "path=%s", s->path);
    } else if (fd < 0) {
        error_errno(err, errno, "host=%s,port=%s", s->host ?: "", s->port);
    }
    return fd;
}
