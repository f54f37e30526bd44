#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What an idle guest costs: Debian's kernel at its shell's prompt, CPU time and wake-ups of the emulator.

    bench/idle.py [--rhea 'BINARY [OPTION...]']

Prints per cents of a host CPU and wake-ups a second over 20 seconds, with one and two guest CPUs.
"""
import argparse
import os
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, 'tests/guest'))
from guest import Guest  # pylint: disable=wrong-import-position

SECONDS = 20


def figures(pid):
    """CPU seconds, and how often its threads have slept."""
    sleeps = 0
    for task in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{task}/status', encoding='utf-8') as status:
            sleeps += int(next(line for line in status if line.startswith('voluntary_ctxt')).split()[1])
    return time.clock_gettime(~pid << 3 | 2), sleeps


def main():
    """Boots, waits, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rhea', default=os.path.join(TOP, 'build-release/rhea-system-x86_64') + ' -accel tcg',
                        help='binary and options')
    command = parser.parse_args().rhea.split()
    kernel, initramfs = subprocess.run([os.path.join(TOP, 'scripts/guest-files'), 'amd64'], check=True, text=True,
                                       stdout=subprocess.PIPE).stdout.split()
    for cpus in ('1', '2'):
        with Guest(command[0], command[1:] + ['-m', '512', '-smp', cpus, '-nographic', '-kernel', kernel, '-initrd', initramfs,
                                              '-append', 'console=ttyS0 quiet'], 900) as guest:
            guest.expect('rhea:/# ')
            time.sleep(3)  # it still puts things away
            before = figures(guest.process.pid)
            time.sleep(SECONDS)
            after = figures(guest.process.pid)
        print(f'{cpus} guest CPU(s): {(after[0] - before[0]) / SECONDS * 100:.2f} % of a host CPU, '
              f'{(after[1] - before[1]) / SECONDS:.1f} wake-ups a second')


main()
