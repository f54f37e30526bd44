/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Telnet on a socket chardev: RFC 854, with the options binary (856), echo (857) and suppress
 * go-ahead (858), so that a telnet client passes characters on as they are typed.
 *
 * What the client wills or wants is not answered. Not modelled: window sizes, terminal types.
 */
#include "chardev/socket.h"

enum { SE = 240, BRK = 243, SB = 250, WILL = 251, WONT, DO, DONT, IAC };
enum { BINARY = 0, ECHO = 1, SGA = 3 };

/* What was read of a command. */
enum { TEXT_STATE, IAC_STATE, OPTION_STATE, SUB_STATE, SUB_IAC_STATE };

void telnet_greet(SocketChardev *s)
{
    static const uint8_t hello[] = {IAC, WILL, ECHO,   IAC, WILL, SGA,
                                    IAC, WILL, BINARY, IAC, DO,   BINARY};

    s->iac = TEXT_STATE;
    s->half = 0;
    pthread_mutex_lock(&s->fd.chr.mutex);
    fd_write(&s->fd.chr, hello, sizeof hello);
    pthread_mutex_unlock(&s->fd.chr.mutex);
}

static bool after_iac(SocketChardev *s, uint8_t byte)
{
    s->iac = byte >= WILL && byte <= DONT ? OPTION_STATE : byte == SB ? SUB_STATE : TEXT_STATE;
    if (byte == BRK) {
        char_break(&s->fd.chr);
    }
    return byte == IAC;
}

/* Is the byte text? */
static bool telnet_byte(SocketChardev *s, uint8_t byte)
{
    switch (s->iac) {
    case IAC_STATE:
        return after_iac(s, byte);
    case OPTION_STATE:
        s->iac = TEXT_STATE;
        return false;
    case SUB_STATE:
        s->iac = byte == IAC ? SUB_IAC_STATE : SUB_STATE;
        return false;
    case SUB_IAC_STATE:
        s->iac = byte == SE ? TEXT_STATE : SUB_STATE;
        return false;
    default:
        s->iac = byte == IAC ? IAC_STATE : TEXT_STATE;
        return byte != IAC;
    }
}

size_t telnet_filter(FdChardev *f, uint8_t *data, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        if (telnet_byte((SocketChardev *)f, data[i])) {
            data[kept++] = data[i];
        }
    }
    return kept;
}

size_t telnet_write(Chardev *chr, const uint8_t *data, size_t n)
{
    static const uint8_t twice[] = {IAC, IAC};
    SocketChardev *s = (SocketChardev *)chr;
    size_t done = 0;

    while (done < n) {
        size_t plain = done, did;

        while (plain < n && data[plain] != IAC) {
            plain++;
        }
        did = fd_write(chr, data + done, plain - done);
        done += did;
        if (done < plain || done == n) {
            return done;
        }
        s->half += fd_write(chr, twice, 2 - s->half);
        if (s->half < 2) {
            return done;
        }
        s->half = 0;
        done++;
    }
    return done;
}
