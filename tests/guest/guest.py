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

    def _read(self, deadline):
        """One round of reading; False at the end of the output."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise GuestError(f'nothing more within {self.limit} s; the end of the output:\n{self.tail()}')
        ready, _, _ = select.select([self.process.stdout], [], [], left)
        if not ready:
            return True
        data = self.process.stdout.read(65536)
        if data == b'':
            return False
        if data:
            self.text += data.decode(errors='replace').replace('\r', '')
        return True

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
        deadline = time.monotonic() + (limit or self.limit)
        while self._read(deadline):
            pass
        return self.process.wait(timeout=max(1, deadline - time.monotonic()))
