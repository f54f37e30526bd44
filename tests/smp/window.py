#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""litmus.c at level 3 with all user code in the direct window: window.py BUILD-FOLDER ROUNDS

As 32- and 64-bit code, with two CPUs and four, and while TLB, windows and code are flushed at random. When the guest is done, `info
jit` must say that each CPU had the window and its data in it. More options go to the program (RHEA_OPTIONS).
"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'guest'))
from guest import Guest, GuestError  # noqa: E402

DATA = 10  # pages that every CPU uses: the cells, the stack
# Name, CPUs, options of the guest's build and of the engine, and whether the window is still there at the end.
BOOTS = [('32 bits', 2, ['-DUSER'], 'x-window=always', True), ('64 bits', 2, ['-DUSER', '-m64'], 'x-window=always', True),
         ('64 bits, four', 4, ['-DUSER', '-m64'], 'x-window=always', True),
         ('64 bits, stirred', 2, ['-DUSER', '-m64'], 'x-window=always,x-stir=11', False),
         ('32 bits, stirred', 2, ['-DUSER'], 'x-window=always,x-stir=12', False)]


def boot(build, cpus, engine, rom):
    """What the guest printed, and `info jit`."""
    binary = os.environ.get('RHEA_BINARY', os.path.join(build, 'rhea-system-x86_64'))
    args = ['-accel', 'tcg,' + engine, '-m', '64', '-smp', str(cpus), '-display', 'none', '-serial', 'none', '-no-reboot', '-bios', rom,
            '-chardev', 'stdio,id=text,mux=on', '-mon', 'chardev=text', '-device', 'isa-debugcon,iobase=0xe9,chardev=text']
    with Guest(binary, args + os.environ.get('RHEA_OPTIONS', '').split(), 3000) as guest:
        text = guest.expect('DONE\n')
        guest.send('\x01c')
        guest.expect('(qemu) ')
        figures = guest.run('info jit', '(qemu) ')
        guest.send('quit\n')
        guest.end(120)
    return text, figures


def check(name, text, figures, cpus, kept):
    """A line for each test; False: something is wrong."""
    results = re.findall(r'^(?:\(qemu\) )?(PASS|FAIL) (.*)', text, re.M)  # the monitor's first prompt is in between
    window = [tuple(map(int, f)) for f in re.findall(r'given (\d+) times.*; (\d+) pages in .*mapped (\d+)\n', figures)]
    used = len(window) == cpus and all(given and (pages if kept else mapped) >= DATA for given, pages, mapped in window)
    for verdict, what in results:
        print(f'{"ok  " if verdict == "PASS" else "FAIL"} litmus: window, {name}: {what}')
    if used:
        print(f'ok   litmus: window, {name}: pages mapped: {", ".join(str(mapped) for _, _, mapped in window)}', flush=True)
    else:
        print(f'FAIL litmus: window, {name}: it was not used:\n{figures}', flush=True)
    if not results:
        print(f'FAIL litmus: window, {name}: the guest told of no test:\n{text}', flush=True)
    return used and results and all(verdict == 'PASS' for verdict, _ in results)


def main():
    """Each boot."""
    build, rounds = sys.argv[1], sys.argv[2]
    failed = 0
    for name, cpus, options, engine, kept in BOOTS:
        rom = os.path.join(build, 'litmus-window.bin')
        subprocess.run([os.path.join(HERE, 'build-guest'), os.path.join(HERE, 'litmus.c'), rom, f'-DCPUS={cpus}', f'-DROUNDS={rounds}', '-DSTAY'] + options,
                       check=True)
        try:
            text, figures = boot(build, cpus, engine, rom)
            if 'no window' in figures:
                print(f'skip litmus: window, {name}: this host has no room for it')
            else:
                failed |= not check(name, text, figures, cpus, kept)
        except GuestError as why:
            failed = 1
            print(f'FAIL litmus: window, {name}: {why}', flush=True)
    return failed


if __name__ == '__main__':
    sys.exit(main())
