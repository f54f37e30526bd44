# SPDX-License-Identifier: GPL-2.0-or-later
"""Running a guest under the emulator: start it, wait for what it prints, type at it.

Nothing here sleeps: every wait is for text or for the end of the process, with a limit.
"""
import os
import select
import subprocess
import time


class GuestError(Exception):
    """What was waited for did not come; carries the end of what the guest printed."""


def compile_static(source, program):
    """A C file as a program that needs nothing of the guest's."""
    subprocess.run(['gcc', '-O2', '-static', '-pthread', source, '-o', program], check=True)
    subprocess.run(['strip', program], check=False)


class Guest:
    """One emulator process with its standard input and output."""

    def __init__(self, binary, args, limit=300, pass_fds=()):
        self.args = [binary] + args
        self.limit = limit
        self.text = ''
        self.seen = 0
        self.latest = self.began = time.monotonic()
        self.before = 0
        self.process = subprocess.Popen(self.args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, pass_fds=pass_fds)
        os.set_blocking(self.process.stdout.fileno(), False)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stdin.close()

    def tail(self):
        """The end of what was printed, for messages."""
        return self.text[-1500:]

    def busy(self):
        """Seconds of CPU time that the emulator has had; 0 when it is gone."""
        try:
            with open(f'/proc/{self.process.pid}/stat', encoding='ascii') as file:
                fields = file.read().rsplit(')', 1)[1].split()
        except OSError:
            return 0
        return sum(map(int, fields[11:13])) / os.sysconf('SC_CLK_TCK')

    def lately(self):
        """What tells a guest that stands (no CPU time) or goes round (as much as there is) from a slow one."""
        now = time.monotonic()
        return (f'the last output came {now - self.latest:.0f} s ago, and the emulator has had {self.busy() - self.before:.0f} s '
                f'of CPU time in the {now - self.began:.0f} s since it was asked')

    def _wait(self, limit):
        """A wait begins; its deadline."""
        self.began, self.before = time.monotonic(), self.busy()
        return self.began + (limit or self.limit)

    def _read(self, deadline):
        """One round of reading; False at the end of the output."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise GuestError(f'not within the limit: {self.lately()}; the end of the output:\n{self.tail()}')
        ready, _, _ = select.select([self.process.stdout], [], [], left)
        if not ready:
            return True
        data = self.process.stdout.read(65536)
        if data == b'':
            return False
        if data:
            self.latest = time.monotonic()
            self.text += data.decode(errors='replace').replace('\r', '')
        return True

    def expect(self, wanted, limit=None):
        """Wait until the text appears behind what was waited for before; returns what stood between."""
        deadline = self._wait(limit)
        while True:
            at = self.text.find(wanted, self.seen)
            if at >= 0:
                between = self.text[self.seen:at]
                self.seen = at + len(wanted)
                return between
            if not self._read(deadline):
                raise GuestError(f'ended without {wanted!r}; the end of the output:\n{self.tail()}')

    def send(self, text):
        """Type at the guest."""
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def run(self, command, prompt='rhea:/# ', limit=None):
        """A command at the shell; returns what it printed."""
        self.send(command + '\n')
        self.expect('\n', limit)
        return self.expect(prompt, limit).strip()

    def end(self, limit=None):
        """Wait for the process to end by itself; returns its exit status."""
        deadline = self._wait(limit)
        while self._read(deadline):
            pass
        return self.process.wait(timeout=max(1, deadline - time.monotonic()))
