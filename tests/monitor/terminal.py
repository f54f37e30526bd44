# SPDX-License-Identifier: GPL-2.0-or-later
"""A person at the program's terminal: a pty, keys, the monitor's prompt. Waits are for text only."""
import fcntl
import os
import pty
import select
import signal
import termios
import time

PROMPT = '(qemu) '
CTRL_A = '\x01'


class Nothing(Exception):
    """What was waited for did not come; carries the end of what was shown."""


class Terminal:
    """The program on a terminal of its own."""

    def __init__(self, program, *args, limit=60):
        self.limit = limit
        self.text = ''
        self.seen = 0
        self.status = None
        self.master, slave = pty.openpty()
        self.pid = os.fork()
        if not self.pid:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for fd in range(3):
                os.dup2(slave, fd)
            os.execv(program, [program, *args])
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.master)

    def keys(self, keys):
        """Type."""
        os.write(self.master, keys.encode())

    def _read(self, deadline):
        ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise Nothing(f'nothing more within {self.limit} s; the end:\n{self.text[-1500:]}')
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the other side is closed
            data = b''
        self.text += data.decode(errors='replace').replace('\r', '')
        return data

    def expect(self, wanted, limit=None):
        """Wait until the text appears behind what was waited for before; returns what stood between."""
        deadline = time.monotonic() + (limit or self.limit)
        while True:
            at = self.text.find(wanted, self.seen)
            if at >= 0:
                between = self.text[self.seen:at]
                self.seen = at + len(wanted)
                return between
            if not self._read(deadline):
                raise Nothing(f'ended without {wanted!r}; the end:\n{self.text[-1500:]}')

    def monitor(self):
        """Ctrl-A C, and the prompt."""
        self.keys(CTRL_A + 'c')
        self.expect(PROMPT)

    def ask(self, line, limit=None):
        """A command of the monitor; returns what it printed."""
        self.keys(line + '\r')
        self.expect('\n', limit)
        return self.expect(PROMPT, limit)

    def end(self):
        """The exit status, once the program has ended by itself."""
        deadline = time.monotonic() + self.limit
        while self._read(deadline):
            pass
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status
