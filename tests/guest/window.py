#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The direct window under a Linux guest that changes its mappings at random: window.py BUILD-FOLDER [--long]

window_work.c, which knows what each page must hold, runs with all user code in the window (x-window=always) and what is mapped
compared with the guest's page tables (x-window-check), then as a vCPU earns the window, soon (x-window=early), and with several CPUs.
Busybox's programs do the same in a 32-bit kernel whose page tables have two levels.
"""
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

from guest import Guest, GuestError, compile_static

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, 'bench'))
from image import Cpio  # noqa: E402

SHELL = 'rhea:/# '
ALWAYS = 'x-window=always,x-window-check=on'
SHORT = [(1, ALWAYS, 20000), (1, 'x-window=early', 120000), (2, 'x-window=always', 10000)]
LONG = [(1, ALWAYS, 3000000)] + [(cpus, options, 3000000) for cpus in (1, 2, 4)
                                 for options in ('x-window=always', 'x-window=early', 'x-window=always,x-stir=1')]


def initramfs(folder, base):
    """Busybox's, and behind it the program."""
    program, path = os.path.join(folder, 'window-work'), os.path.join(folder, 'initramfs')
    compile_static(os.path.join(HERE, 'window_work.c'), program)
    more = Cpio()
    with open(program, 'rb') as file:
        more.add('bin/window-work', 0o100755, file.read())
    shutil.copyfile(base, path)
    with open(path, 'ab') as file:
        file.write(bytes(-os.path.getsize(path) % 4) + gzip.compress(more.finish(), 1))
    return path


def figures_of(guest, cpus):
    """Ends the guest; how many pages were mapped in the windows, of which each CPU had one."""
    guest.send('\x01c')
    guest.expect('(qemu) ')
    figures = guest.run('info jit', '(qemu) ')
    guest.send('quit\n')
    guest.end(120)
    window = [tuple(map(int, f)) for f in re.findall(r'given (\d+) times.*mapped (\d+)\n', figures)]
    if len(window) != cpus or not all(given for given, _ in window):
        raise GuestError(f'the window was not used:\n{figures}')
    return sum(pages for _, pages in window)


def run(binary, kernel, ramdisk, case, seed, limit):
    """One boot; how many faults and calls of new code there were, and what the window did."""
    cpus, options, operations = case
    with Guest(binary, ['-accel', 'tcg,' + options, '-m', '256', '-smp', str(cpus), '-nographic', '-kernel', kernel, '-initrd', ramdisk,
                        '-append', 'console=ttyS0 quiet'], limit) as guest:
        guest.expect(SHELL)
        text = guest.run(f'window-work {seed} {operations} {cpus}')
        done = [tuple(map(int, f)) for f in re.findall(r': (\d+) faults, \d+ forks, (\d+) calls of new code, (\d+) wrong', text)]
        if len(done) != cpus or any(wrong for _, _, wrong in done):
            raise GuestError(text)
        pages = figures_of(guest, cpus)
    return sum(faults for faults, _, _ in done), sum(calls for _, calls, _ in done), pages


def lines_of(first, last):
    """What seq prints."""
    return [b'%d\n' % n for n in range(first, last + 1)]


def two_levels(binary, options, limit):
    """Programs whose results are known, in the kernel without PAE; how many pages were mapped."""
    files = subprocess.run([os.path.join(TOP, 'scripts/guest-files'), 'i386-nopae'], stdout=subprocess.PIPE, text=True, check=False)
    if files.returncode:
        return None
    kernel, ramdisk = files.stdout.split()
    work = {'seq 1 5000 | md5sum': hashlib.md5(b''.join(lines_of(1, 5000))).hexdigest() + '  -',
            'seq 1 2000 | sort -r | gzip | gunzip | md5sum': hashlib.md5(b''.join(sorted(lines_of(1, 2000), reverse=True))).hexdigest() + '  -',
            "awk 'BEGIN { for (i = 0; i < 400000; i++) s += i * i % 7; print s }'": str(sum(n * n % 7 for n in range(400000))),
            'for i in 1 2 3 4 5 6; do (true; echo $i | tr 1-6 a-f); done | tr -d "\\n"': 'abcdef'}
    with Guest(binary, ['-accel', 'tcg,' + options, '-m', '256', '-nographic', '-kernel', kernel, '-initrd', ramdisk,
                        '-append', 'console=ttyS0 quiet'], limit) as guest:
        guest.expect(SHELL)
        for command, wanted in work.items():
            got = guest.run(command)
            if got != wanted:
                raise GuestError(f'{command}: {got!r}, not {wanted!r}')
        return figures_of(guest, 1)


def main():
    """A line for each boot."""
    binary = os.path.join(sys.argv[1], 'rhea-system-x86_64')
    long, failed = '--long' in sys.argv, 0
    files = subprocess.run([os.path.join(TOP, 'scripts/guest-files'), 'amd64'], stdout=subprocess.PIPE, text=True, check=False)
    if files.returncode:
        print('skip window: no amd64 guest files')
        return 0
    kernel, base = files.stdout.split()
    with tempfile.TemporaryDirectory() as folder:
        ramdisk = initramfs(folder, base)
        for seed, case in enumerate(LONG if long else SHORT, 1):
            name = f'window: {case[0]} CPU(s), {case[1]}, {case[2]} operations on mappings'
            try:
                faults, calls, pages = run(binary, kernel, ramdisk, case, seed, 7200 if long else 300)
                print(f'ok   {name}: {faults} faults, {calls} calls of new code; {pages} pages mapped', flush=True)
            except (GuestError, subprocess.CalledProcessError) as why:
                failed = 1
                print(f'FAIL {name}: {why}', flush=True)
    for options in (ALWAYS, 'x-window=early'):
        name = f'window: page tables of two levels, {options}'
        try:
            pages = two_levels(binary, options, 7200 if long else 300)
            print(f'ok   {name}: {pages} pages mapped' if pages else 'skip window: no i386-nopae guest files', flush=True)
        except GuestError as why:
            failed = 1
            print(f'FAIL {name}: {why}', flush=True)
    return failed


if __name__ == '__main__':
    sys.exit(main())
