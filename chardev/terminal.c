/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The terminal of the process in raw mode, and back at every exit: when its owner goes, and on
 * exit() wherever that is called. Signals that end the program pass through the event loop.
 *
 * Not handled: SIGKILL, and a stop by Ctrl-Z (with signal=on) leaves the terminal raw until
 * SIGCONT.
 */
#include "chardev/terminal.h"

#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

/* Lives as long as the process: exit() may come later than its owner's end. */
struct Terminal {
    int fd;
    struct termios before;
    bool raw;
};

void terminal_restore(Terminal *t)
{
    if (t && t->raw) {
        t->raw = false;
        tcsetattr(t->fd, TCSANOW, &t->before);
    }
}

static void at_exit(int status, void *opaque)
{
    terminal_restore(opaque);
}

Terminal *terminal_raw(int fd, bool signals)
{
    struct termios raw;
    Terminal *t;

    if (!isatty(fd) || tcgetattr(fd, &raw)) {
        return NULL;
    }
    t = g_new0(Terminal, 1);
    *t = (Terminal){dup(fd), raw, true};
    on_exit(at_exit, t);
    raw.c_iflag &= ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    raw.c_oflag |= OPOST;
    raw.c_lflag &= ~(ECHO | ECHONL | ICANON | IEXTEN | (signals ? 0 : ISIG));
    raw.c_cflag = (raw.c_cflag & ~(CSIZE | PARENB)) | CS8;
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    tcsetattr(fd, TCSANOW, &raw);
    return t;
}
