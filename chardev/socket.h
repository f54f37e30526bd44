/* SPDX-License-Identifier: GPL-2.0-or-later */
/* socket: a unix or TCP socket, as a server or as a client. */
#pragma once
#include "chardev/fd.h"

#include <sys/socket.h>

enum { MOST_ADDRESSES = 8 };

typedef struct SocketAddress {
    union {
        struct sockaddr_storage storage;
        struct sockaddr any;
    };
    unsigned length; /* socklen_t */
} SocketAddress;

typedef struct SocketChardev {
    FdChardev fd;
    char *path, *host, *port, *passed;
    bool server, wait, telnet, nodelay, delay, abstract, ipv4, ipv6;
    uint32_t reconnect; /* seconds; 0: a lost connection is the end */

    int listener;   /* -1: a client                            */
    int connecting; /* in progress; -1: none                   */
    char *own_path; /* the socket that we made and remove          */
    SocketAddress to[MOST_ADDRESSES];
    unsigned addresses, next; /* of a client: where to go, which comes next */
    GSource *source;          /* waits for a client, a connection, or the time to try again */
    GSource *gone;            /* watches for a hangup while nobody reads */
    uint8_t iac, half; /* telnet: what of a command was read; half an escaped 0xff was written */
} SocketChardev;

extern const ChardevClass SocketChardev_class;

/* telnet.c (RFC 854, 856, 857, 858): greet a new client, take commands out, double 0xff. */
void telnet_greet(SocketChardev *s);
size_t telnet_filter(FdChardev *f, uint8_t *data, size_t n);
size_t telnet_write(Chardev *chr, const uint8_t *data, size_t n);

/* address.c: fill s->to; make a listening descriptor, -1 on failure. */
bool socket_resolve(SocketChardev *s, Error **err);
int socket_listen(SocketChardev *s, Error **err);
