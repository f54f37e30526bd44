#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian kernels with translated code compared with the interpreter, unit by unit: lockstep.py BUILD-FOLDER [--long]

Short: the 64-bit kernel until it has found its memory. Long: 64 and 32 bits to the shell.
"""
import os
import re
import signal
import subprocess
import sys

from guest import Guest, GuestError

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def boot(binary, kind, wanted, limit):
    """Boots until that text comes; (runs compared, complaints)."""
    files = subprocess.run([os.path.join(TOP, 'scripts/guest-files'), kind], stdout=subprocess.PIPE, text=True, check=True)
    kernel, initramfs = files.stdout.split()
    with Guest(binary, ['-accel', 'tcg,x-lockstep=2', '-m', '256', '-nographic', '-kernel', kernel, '-initrd', initramfs,
                        '-append', 'console=ttyS0 earlyprintk=ttyS0'], limit) as guest:
        guest.expect(wanted)
        guest.process.send_signal(signal.SIGTERM)
        guest.end(120)
        figures = re.search(r'lockstep: (\d+) runs compared, \d+ not comparable, (\d+) differ', guest.text)
        if not figures:
            raise GuestError(f'no figures; the end of the output:\n{guest.tail()}')
        at = guest.text.find('lockstep differs')
        return int(figures.group(1)), guest.text[at:at + 2000] if int(figures.group(2)) else ''


def main():
    """A line for each boot."""
    binary = os.path.join(sys.argv[1], 'rhea-system-x86_64')
    cases = [('amd64', 'Memory: ', 600)]
    if '--long' in sys.argv:
        cases = [('amd64', 'rhea:/# ', 7200), ('i386', 'rhea:/# ', 7200)]
    failed = 0
    for kind, wanted, limit in cases:
        try:
            compared, complaints = boot(binary, kind, wanted, limit)
        except (GuestError, subprocess.CalledProcessError) as why:
            compared, complaints = 0, str(why)
        if complaints or not compared:
            failed = 1
            print(f'FAIL lockstep: {kind} kernel: {complaints}', flush=True)
        else:
            print(f'ok   lockstep: {kind} kernel until {wanted!r}: {compared} runs of translated code as interpreted', flush=True)
    return failed


if __name__ == '__main__':
    sys.exit(main())
