#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""From reset to the shell prompt: wall time, CPU time, instructions a CPU second, memory.

boot.py [--binary RHEA] [--runs N] [--cpus N]: the quickstart guest under Rhea's translator, its
interpreter alone and, where it is installed, under `qemu-system-x86_64 -accel tcg`, in turns, so that
all see the same host; medians, and the ratios from this one run. Instructions are those interpreted:
translated code does not count, so only the interpreter has a rate.
"""
import argparse
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, 'tests/guest'))
from guest import Guest  # pylint: disable=wrong-import-position


def measure(binary, arguments, figures):
    """One boot: (wall seconds, CPU seconds, resident MB, instructions or None)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    with Guest(binary, arguments, 900) as guest:
        guest.expect('rhea:/# ')
        wall = time.monotonic() - start
        with open(f'/proc/{guest.process.pid}/status', encoding='ascii') as status:
            resident = int(re.search(r'VmRSS:\s+(\d+)', status.read()).group(1)) // 1024
        guest.send('poweroff -f\n')
        guest.end()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    count = None
    if figures and os.path.exists(figures):
        with open(figures, encoding='utf-8') as file:
            count = sum(int(n) for n in re.findall(r'(\d+) instructions', file.read()))
    return wall, cpu, resident, count


def main():
    """Both emulators in turns; a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--binary', default=os.path.join(TOP, 'build-release/rhea-system-x86_64'))
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--cpus', default='1')
    args = parser.parse_args()
    kernel, initramfs = subprocess.run([os.path.join(TOP, 'scripts/guest-files'), 'amd64'], check=True, text=True,
                                       stdout=subprocess.PIPE).stdout.split()
    guest = ['-m', '512', '-smp', args.cpus, '-nographic', '-kernel', kernel, '-initrd', initramfs,
             '-append', 'console=ttyS0 quiet']
    programs = {'rhea': (args.binary, ['-accel', 'tcg']), 'interp': (args.binary, ['-accel', 'tcg,interpreter=on'])}
    if shutil.which('qemu-system-x86_64'):
        programs['qemu'] = ('qemu-system-x86_64', ['-accel', 'tcg', '-cpu', 'max'])
    else:
        print('qemu-system-x86_64 is not installed: no comparison')
    results = {name: [] for name in programs}
    with tempfile.TemporaryDirectory() as folder:
        figures = os.path.join(folder, 'figures')
        for _ in range(args.runs):
            for name, (binary, engine) in programs.items():
                more = engine + (['-trace', 'tcg.figures', '-D', figures] if name == 'interp' else [])
                results[name].append(measure(binary, guest + more, figures if name == 'interp' else None))
                if os.path.exists(figures):
                    os.remove(figures)
    medians = {}
    print(f'{"":6} {"prompt s":>9} {"CPU s":>8} {"RSS MB":>7} {"Minsn/CPU s":>12}   medians of {args.runs}')
    for name, runs in results.items():
        wall, cpu, resident = (statistics.median(run[i] for run in runs) for i in range(3))
        rate = statistics.median(run[3] / run[1] / 1e6 for run in runs) if runs[0][3] else None
        medians[name] = cpu
        print(f'{name:6} {wall:9.1f} {cpu:8.1f} {resident:7.0f} {rate and f"{rate:12.0f}" or "":>12}')
    if 'qemu' in medians:
        print(f'CPU time of rhea / qemu: {medians["rhea"] / medians["qemu"]:.2f}')
    print(f'CPU time of rhea / its interpreter: {medians["rhea"] / medians["interp"]:.2f}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
