#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian kernels with translated code compared with the interpreter, unit by unit: lockstep.py BUILD-FOLDER [--long]

Each case is a kernel, how many CPUs, options of the engine, and the text at which it ends. Without x-lockstep the boot itself is
what is looked at: x-stir flushes TLB and code and splits units at random (target/i386/rt/stir.c).
"""
import os
import re
import signal
import subprocess
import sys

from guest import Guest, GuestError

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


SHELL = 'rhea:/# '
SHORT = [('amd64', 1, 'x-lockstep=2', SHELL), ('amd64', 1, 'x-lockstep=1,x-stir=1', 'Memory: '), ('amd64', 2, 'x-stir=2', SHELL),
         ('amd64', 1, 'x-lockstep=1,x-window=always', SHELL), ('i386', 1, 'x-lockstep=4,x-window=always', SHELL)]
LONG = [(kernel, cpus, options, SHELL) for kernel in ('amd64', 'i386') for cpus in (1, 2)
        for options in ('x-lockstep=4', 'x-lockstep=2,x-window=always', 'x-stir=6,x-window=always', 'x-lockstep=2,x-stir=3', 'x-stir=4', 'x-stir=5,one-insn-per-tb=on')]


def boot(binary, case, limit):
    """Boots until the text comes; (runs compared, complaints)."""
    kind, cpus, options, wanted = case
    files = subprocess.run([os.path.join(TOP, 'scripts/guest-files'), kind], stdout=subprocess.PIPE, text=True, check=True)
    kernel, initramfs = files.stdout.split()
    with Guest(binary, ['-accel', 'tcg,' + options, '-m', '256', '-smp', str(cpus), '-nographic', '-kernel', kernel, '-initrd',
                        initramfs, '-append', 'console=ttyS0 earlyprintk=ttyS0'], limit) as guest:
        guest.expect(wanted)
        guest.process.send_signal(signal.SIGTERM)
        guest.end(120)
        figures = re.findall(r'lockstep: (\d+) runs compared, \d+ not comparable, (\d+) differ', guest.text)
        if len(figures) != (cpus if 'lockstep' in options else 0):
            raise GuestError(f'no figures; the end of the output:\n{guest.tail()}')
        at = guest.text.find('lockstep differs')
        return sum(int(f[0]) for f in figures), guest.text[at:at + 2000] if any(int(f[1]) for f in figures) else ''


def main():
    """A line for each boot."""
    binary = os.path.join(sys.argv[1], 'rhea-system-x86_64')
    failed = 0
    for case in LONG if '--long' in sys.argv else SHORT:
        kind, cpus, options, wanted = case
        name = f'lockstep: {kind} kernel, {cpus} CPU(s), {options}, until {wanted!r}'
        try:
            compared, complaints = boot(binary, case, 600 if '--long' not in sys.argv else 7200)
        except (GuestError, subprocess.CalledProcessError) as why:
            compared, complaints = 0, str(why)
        if complaints or ('lockstep' in options and not compared):
            failed = 1
            print(f'FAIL {name}: {complaints}', flush=True)
        else:
            print(f'ok   {name}' + (f': {compared} runs of translated code as interpreted' if compared else ''), flush=True)
    return failed


if __name__ == '__main__':
    sys.exit(main())
