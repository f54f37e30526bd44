#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The same programs natively, under QEMU's TCG and under Rhea: a table with ratios and geometric means.

    bench/run.py [--only GROUP[/NAME],...] [--runs N] [--rhea 'BINARY [OPTION...]']... [--no-qemu]

The guests stay up and take turns, workload by workload, so that all see the same host; the medians of the
runs are compared. Time is the guest's CLOCK_MONOTONIC around the workload, checked against the host's clock at
the end. `--clock cpu` scales it with the share of the host's CPU that the emulator had meanwhile: the better
measure on a busy host. No clock shows that somebody else's hyperthread is on our core, for milliseconds or
seconds, which makes translated code up to 1.6 times slower and native code less so: `--least` takes the fastest
run of each instead of the median, as in `--clock wall --least --runs 25 --seconds 0.01`. A workload runs as many
units as take about --seconds; the table gives the time of as many as take a second natively. `=` behind a name:
arithmetic alone, no arrays. Groups with two threads are measured by the wall clock only.
"""
import argparse
import fnmatch
import json
import math
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TOP, 'tests/guest'), HERE]
import image  # pylint: disable=wrong-import-position
from guest import Guest, GuestError  # pylint: disable=wrong-import-position

# Group, title, what is asked of Rhea against QEMU.
GROUPS = [('int-steady', 'integer, steady', 2.2), ('int-short', 'integer, short-lived', 2.2), ('branches', 'branches', 3),
          ('fp', 'scalar FP', 15), ('x87', 'x87', 15), ('simd', 'SIMD', 30), ('memory', 'memory', 4),
          ('rep', 'memory: rep movs/stos', 15), ('os', 'operating system', 4), ('jit', 'JIT, self-modifying', 5),
          ('boot', 'kernel boot', 2), ('32-bit', '32-bit', 2.2), ('smp', 'SMP', None)]
HOST_TIMED = ['boot/amd64', '32-bit/boot-686-pae', '32-bit/real-mode']
PROMPT = 'rhea:/# '


def cpu_clock(pid):
    """Seconds of CPU that all threads of a process have had."""
    return time.clock_gettime(~pid << 3 | 2)


class Failed(Exception):
    """A workload that could not run, with the reason."""


class Subject:
    """One of those compared: its command, and the driver that runs under it."""

    def __init__(self, name, command, smp=1, limit=600):
        self.name, self.command, self.smp, self.limit = name, command, smp, limit
        self.guest = self.figures = None

    def start(self):
        """The driver, started if it is not there."""
        if self.guest is None:
            self.guest = Guest(self.command[0], self.command[1:], self.limit)
            self.guest.expect('bench: ready\n', 900)
            self.began = time.monotonic()
            self.guest_began = int(self.ask('clock')[0]) / 1e9
        return self.guest

    def end(self):
        """Ends the driver; returns guest seconds a host second."""
        if self.guest is None:
            return None
        try:
            passed = int(self.ask('clock')[0]) / 1e9 - self.guest_began
            rate = passed / (time.monotonic() - self.began)
        except GuestError:
            rate = None
        if self.name.startswith('rhea'):
            self.figures = self.engine()
        self.guest.__exit__()
        self.guest = None
        return rate

    def engine(self):
        """What Rhea says of its translator, if it has a monitor here; the driver is not heard any more."""
        try:
            self.guest.send('\x01c')
            self.guest.expect('(qemu) ', 20)
            self.guest.send('info jit\n')
            return self.guest.expect('(qemu) ', 20).split('\n')[1:-1]
        except GuestError:
            return None

    def ask(self, question):
        """The fields of the answer to a command."""
        self.guest.send(question + '\n')
        while True:
            self.guest.expect('\n')
            lines = self.guest.text[:self.guest.seen].rstrip('\n').rsplit('\n', 1)
            if lines[-1].startswith('= '):
                return lines[-1][2:].split()
            if lines[-1].startswith('! '):
                raise Failed(lines[-1][2:])

    def lines(self, question):
        """The answer of several lines."""
        self.guest.send(question + '\n')
        return re.findall(r'^[*|] (.*)$', self.guest.expect('\n.\n'), re.M)

    def measure(self, workload, count, seconds):
        """One run: (units, seconds, CPU seconds, checksum)."""
        guest = self.start()
        try:
            start, cpu = time.monotonic(), cpu_clock(guest.process.pid)
            reply = self.ask(f'run {workload} {count}' if count else f'try {workload} {int(seconds * 1e9)}')
            wall, cpu = time.monotonic() - start, cpu_clock(guest.process.pid) - cpu
        except GuestError as why:
            self.guest.__exit__()
            self.guest = None
            raise Failed(str(why).split('\n', maxsplit=1)[0] + ' ... ' + str(why)[-300:]) from why
        took = int(reply[1]) / 1e9
        cpu = int(reply[2]) / 1e9 if self.name == 'native' else took * cpu / wall
        return int(reply[0]), took, cpu, reply[3]


def boot(command, kind):
    """From the start of the process to the shell's prompt: as Subject.measure."""
    kernel, initramfs = guest_files(kind)
    with Guest(command[0], command[1:] + ['-kernel', kernel, '-initrd', initramfs, '-append', 'console=ttyS0 quiet'], 900) as guest:
        start = time.monotonic()
        guest.expect(PROMPT)
        return 1, time.monotonic() - start, cpu_clock(guest.process.pid), '0'


def real_mode(command, rom, count, seconds):
    """The ROM's loop, timed from here: units are 10,000 rounds."""
    with Guest(command[0], command[1:] + ['-bios', rom], 120) as guest:
        guest.expect('R')
        shift = count.bit_length() - 1 if count else 0
        while True:
            start, cpu = time.monotonic(), cpu_clock(guest.process.pid)
            guest.send(chr(ord('0') + shift))
            guest.expect('.')
            took, cpu = time.monotonic() - start, cpu_clock(guest.process.pid) - cpu
            if count or took >= seconds * 0.7 or shift == 15:
                return 1 << shift, took, cpu, '0'
            shift += 1


def guest_files(kind):
    """The cached Debian kernel and its small initramfs."""
    return subprocess.run([os.path.join(TOP, 'scripts/guest-files'), kind], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.split()


class Bench:
    """All subjects, all results: results[subject][workload] = list of (units, seconds, CPU seconds)."""

    def __init__(self, args):
        self.args = args
        self.driver, self.work, self.initramfs, self.rom = image.build(args.folder)
        self.machines, self.loaded = {}, {}
        if not args.no_qemu and shutil.which('qemu-system-x86_64'):
            self.machines['qemu'] = ['qemu-system-x86_64', '-accel', 'tcg', '-cpu', 'max']
        elif not args.no_qemu:
            print('qemu-system-x86_64 is not installed: no comparison')
        rheas = args.rhea or [os.path.join(TOP, 'build-release/rhea-system-x86_64')]
        for n, text in enumerate(rheas if rheas != ['none'] else []):
            words = shlex.split(text)
            accel = [] if '-accel' in words else ['-accel', 'tcg']
            self.machines['rhea' + (str(n + 1) if n else '')] = words[:1] + accel + words[1:]
        self.results, self.sums, self.rates, self.shown, self.figures, self.failures = {}, {}, {}, {}, {}, []
        if args.load:
            with open(args.load, encoding='utf-8') as file:
                loaded = json.load(file)
            self.loaded = {name: loaded['results'][name] for name in loaded['results'] if not name.startswith('rhea')}
            self.results = {name: runs for name, runs in self.loaded.items() if name != 'native' or not args.native_again}
            self.sums = loaded['sums']
            self.machines.pop('qemu', None)

    def machine(self, name, cpus=1):
        """The command of an emulator without what it boots."""
        command = self.machines[name]
        return command + ['-m', '1024', '-nographic', '-no-reboot'] + (['-smp', str(cpus)] if cpus > 1 else [])

    def subjects(self, cpus):
        """Those compared, as drivers of workloads on that many CPUs."""
        kernel, _ = guest_files('amd64')
        if (self.args.native_again or not self.args.load) and not self.args.no_native:
            yield Subject('native', [self.driver, self.work])
        for name in self.machines:
            yield Subject(name, self.machine(name, cpus) + ['-kernel', kernel, '-initrd', self.initramfs, '-append',
                                                            'console=ttyS0 quiet panic=-1'], cpus)

    def names(self):
        """The workloads asked for."""
        with Guest(self.driver, [self.work]) as driver:
            driver.expect('ready\n')
            driver.send('list\n')
            found = re.findall(r'^\* (.*)$', driver.expect('\n.\n'), re.M)
        found += HOST_TIMED
        patterns = self.args.only.split(',') if self.args.only else ['*']
        return [name for name in found if any(fnmatch.fnmatch(name, p) or name.startswith(p + '/') for p in patterns)]

    def record(self, subject, workload, measured):
        """Keeps a result; compares checksums."""
        self.results.setdefault(subject, {}).setdefault(workload, []).append(measured[:3])
        known = self.sums.setdefault(workload, measured[3])
        if measured[3] != '0' and known not in ('0', measured[3]):
            self.failures.append(f'{subject}: {workload}: checksum {measured[3]}, elsewhere {known}')
        if known == '0':
            self.sums[workload] = measured[3]

    def attempt(self, subject, workload, function):
        """Runs one measurement; a failure is listed once."""
        try:
            self.record(subject, workload, function())
        except (Failed, GuestError) as why:
            text = f'{subject}: {workload}: {why}'
            if text not in self.failures:
                self.failures.append(text)
                print(text, flush=True)

    def count_before(self, subject, workload):
        """Units of the first run, 0 if there was none."""
        runs = self.results.get(subject, {}).get(workload)
        return runs[0][0] if runs else 0

    def run_driven(self, names, cpus):
        """Workloads inside the driver."""
        subjects = list(self.subjects(cpus))
        for number in range(self.args.runs):
            for workload in names:
                for subject in subjects[number % len(subjects):] + subjects[:number % len(subjects)]:
                    self.attempt(subject.name, workload, lambda s=subject, w=workload: s.measure(
                        w, self.count_before(s.name, w), self.args.seconds))
                self.progress(number, workload)
        for subject in subjects:
            if subject.guest and subject.name != 'native':
                self.shown[subject.name] = sorted(subject.lines('show /sys/devices/system/cpu/vulnerabilities'))
            rate = subject.end()
            if subject.figures:
                self.figures.setdefault(subject.name, []).append((cpus, subject.figures))
            if rate:
                self.rates[subject.name] = rate

    def run_host_timed(self, names):
        """Boots and the ROM."""
        for number in range(self.args.runs):
            for workload in names:
                for name in self.machines:
                    command = self.machine(name)
                    if workload.endswith('real-mode'):
                        self.attempt(name, workload, lambda c=command, n=name, w=workload: real_mode(
                            c, self.rom, self.count_before(n, w), self.args.seconds))
                    else:
                        kind = 'i386' if '686' in workload else 'amd64'
                        self.attempt(name, workload, lambda c=command, k=kind: boot(c, k))
                self.progress(number, workload)

    def progress(self, number, workload):
        """A line on a terminal, that a glance tells how far it is."""
        if sys.stderr.isatty():
            print(f'\r\033[K{number + 1}/{self.args.runs} {workload}', end='', file=sys.stderr, flush=True)

    def run(self):
        """Everything asked for."""
        names = self.names()
        one = [name for name in names if not name.startswith('smp/') and name not in HOST_TIMED]
        two = [name for name in names if name.startswith('smp/')]
        if one:
            self.run_driven(one, 1)
        if two:
            self.run_driven(two, 2)
        self.run_host_timed([name for name in names if name in HOST_TIMED])
        if sys.stderr.isatty():
            print('\r\033[K', end='', file=sys.stderr)
        return names

    def unit(self, subject, workload, results=None):
        """Seconds of a unit, the median (--least: the least), or None."""
        runs = (results or self.results).get(subject, {}).get(workload)
        which = 2 if self.args.clock == 'cpu' and not workload.startswith('smp/') else 1
        middle = min if self.args.least else statistics.median
        return middle(run[which] / run[0] for run in runs) if runs else None

    def today(self, subject, workload):
        """As unit(); what --native-again has of QEMU from a file is as much faster or slower as native code is now."""
        unit = self.unit(subject, workload)
        if subject != 'qemu' or not unit or not self.args.native_again:
            return unit
        then, now = self.unit('native', workload, self.loaded), self.unit('native', workload)
        return unit * now / then if then and now else unit


def mean(values):
    """The geometric mean, or None of nothing."""
    values = [value for value in values if value]
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def cell(value, width, mark=''):
    """A number that fits."""
    if value is None:
        return ' ' * (width - 1) + '-'
    text = f'{value:.2f}' if value < 100 else f'{value:.0f}'
    return (text + mark).rjust(width)


class Table:
    """The results as text."""

    def __init__(self, bench, names):
        self.bench, self.names = bench, names
        self.rheas = [name for name in bench.machines if name.startswith('rhea')]

    def ratios(self, workload):
        """Slower than native: QEMU, Rhea...; faster than QEMU: Rhea..."""
        unit = {name: self.bench.today(name, workload) for name in ['native', 'qemu'] + self.rheas}
        against = lambda a, b: unit[a] / unit[b] if unit[a] and unit[b] else None
        return ([against('qemu', 'native')] + [against(name, 'native') for name in self.rheas] +
                [against('qemu', name) for name in self.rheas])

    def line(self, title, values, more=''):
        """Columns: title, QEMU and Rhea against native, Rhea against QEMU."""
        gains = len(values) - len(self.rheas)
        cells = [cell(value, 9) for value in values[:gains]] + [
            cell(value, 10, '!' if value and value < 0.9 else ' ') for value in values[gains:]]
        print(f'{title:26}' + ''.join(cells) + more)

    def group(self, group, title, floor):
        """The lines of a group; returns all its ratios."""
        names = [name for name in self.names if name.startswith(group + '/')]
        rows = [(name, self.ratios(name)) for name in names]
        for name, values in rows:
            self.line('  ' + name, values)
        if rows:
            means = [mean(column) for column in zip(*(values for _, values in rows))]
            asked = f'   asked: {floor}' if floor else ''
            self.line(title, means, asked)
        return rows

    def scaling(self):
        """What two threads gain over one."""
        for kind in ('compute', 'bytes'):
            gains = {}
            for name in ['native', 'qemu'] + self.rheas:
                one, two = (self.bench.unit(name, f'smp/{kind}-{n}') for n in (1, 2))
                if one and two:
                    gains[name] = one / two
            if gains:
                print(f'two threads gain ({kind}): ' + ', '.join(f'{name} {gain:.2f}' for name, gain in gains.items()))

    def show(self):
        """Everything."""
        args = self.bench.args
        load = os.getloadavg()[0]
        print(f'{args.clock} clock, {"the least" if args.least else "medians"} of {args.runs}, {os.cpu_count()} host CPUs, load {load:.1f}'
              + (' (busy: prefer --clock cpu)' if load > os.cpu_count() + 0.5 and args.clock == 'wall' else ''))
        print(f'{"":26}' + ''.join(f'{n + "/nat":>9}' for n in ['qemu'] + self.rheas)
              + ''.join(f'{"qemu/" + n:>10}' for n in self.rheas))
        every = []
        for group in GROUPS:
            every += self.group(*group)
        if every:
            self.line('all', [mean(column) for column in zip(*(values for _, values in every))], '   asked: 5')
        self.scaling()
        for name, rate in self.bench.rates.items():
            if abs(rate - 1) > 0.02:
                print(f'{name}: its clock made {rate:.3f} seconds a second: its times are wrong')
        shown = {}
        for name, lines in self.bench.shown.items():
            shown.setdefault('\n'.join('    ' + line for line in lines), []).append(name)
        for lines, names in shown.items():
            print(f'vulnerabilities as {", ".join(names)} shows them:\n{lines}')
        for name, groups in self.bench.figures.items():
            for cpus, lines in groups:
                print(f'translator of {name} with -smp {cpus}:\n' + '\n'.join('    ' + line for line in lines))
        for failure in self.bench.failures:
            print(f'failed: {failure}')


def main():
    """Run, show, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', help='groups or names, with * and commas')
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--seconds', type=float, default=0.5, help='about how long one run takes')
    parser.add_argument('--clock', choices=['wall', 'cpu'], default='wall')
    parser.add_argument('--rhea', action='append', help='binary and options; several are columns side by side; none: baseline only')
    parser.add_argument('--no-qemu', action='store_true')
    parser.add_argument('--no-native', action='store_true')
    parser.add_argument('--load', help='take native and QEMU results from this file')
    parser.add_argument('--native-again', action='store_true', help='with --load: run native code again, and scale QEMU\'s figures by it')
    parser.add_argument('--least', action='store_true', help='compare the fastest runs, not the medians')
    parser.add_argument('--save', help='write all results to this file')
    parser.add_argument('--folder', default=os.path.join(tempfile.gettempdir(), f'rhea-bench-{os.getuid()}'),
                        help='where the guest is built')
    args = parser.parse_args()
    bench = Bench(args)
    names = bench.run()
    if args.save:
        with open(args.save, 'w', encoding='utf-8') as file:
            json.dump({'results': bench.results, 'sums': bench.sums}, file)
    Table(bench, names).show()
    return 1 if bench.failures else 0


if __name__ == '__main__':
    sys.exit(main())
