#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds and runs every test; the last line is `N passed, N failed, N skipped`.

Each step is a command whose lines `ok ...`, `FAIL ...` and `skip ...: why` are counted. A command
that ends badly without a FAIL line counts as one failure. Full output: build-check/STEP.log.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOGS = os.path.join(TOP, 'build-check')
PLAIN, SAN = (os.path.join(LOGS, name) for name in ('plain', 'san'))
BINARY = os.path.join(PLAIN, 'rhea-system-x86_64')


def build(folder, *options, env=None):
    """A step that configures and builds a folder."""
    setup = [] if os.path.exists(os.path.join(folder, 'build.ninja')) else [
        ['meson', 'setup', folder, TOP, *options]]
    return setup + [['ninja', '-C', folder]], env


def steps(long):
    """Name, commands, environment, seconds allowed."""
    san_env = {'ASAN_OPTIONS': 'detect_stack_use_after_return=0', 'UBSAN_OPTIONS': 'halt_on_error=1:print_stacktrace=1'}
    more = ['--long'] if long else []
    plain, _ = build(PLAIN, '--buildtype=release', '-Ddebug=true', '-Dwerror=true')
    san, _ = build(SAN, '--buildtype=debugoptimized', '-Db_sanitize=address,undefined', '-Db_lundef=false', '-Dwerror=true')
    yield 'style', [[sys.executable, 'scripts/style.py']], None, 120
    yield 'build', plain, None, 1800
    yield 'build-sanitized', san, {'CC': 'clang-14'}, 1800
    yield 'unit', [[os.path.join(PLAIN, 'unit-tests')]], None, 900
    yield 'unit-translated', [[os.path.join(PLAIN, 'unit-tests')]], {'TEST_TRANSLATE': '1'}, 900
    yield 'unit-sanitized', [[os.path.join(SAN, 'unit-tests')]], san_env, 1800
    for name in sorted(extra_steps()):
        yield name, [[os.path.join(TOP, 'tests/steps', name), PLAIN, *more]], None, 7200 if long else 1200
    yield 'guest', [[sys.executable, 'tests/guest/boot.py', '--binary', BINARY, *more]], None, 14400 if long else 2400


def extra_steps():
    """tests/steps holds one executable a step: STEP BUILD-FOLDER [--long]."""
    folder = os.path.join(TOP, 'tests/steps')
    return os.listdir(folder) if os.path.isdir(folder) else []


def run(name, commands, env, limit, log):
    """Runs the commands of a step, copying lines that say something; returns the three counts."""
    counts = {'ok': 0, 'FAIL': 0, 'skip': 0}
    status = 0
    deadline = time.monotonic() + limit
    for command in commands:
        if not shutil.which(command[0]):
            print(f'   {name}: there is no {command[0]}: its build failed', flush=True)
            status = 127
            break
        with subprocess.Popen(command, cwd=TOP, env={**os.environ, **(env or {})}, text=True, errors='replace',
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
            timer = threading.Timer(max(1, deadline - time.monotonic()), child.kill)
            timer.start()
            for line in child.stdout:
                log.write(line)
                word = re.match(r'(ok|FAIL|skip)\s', line)
                if word:
                    counts[word.group(1)] += 1
                if word and word.group(1) != 'ok':
                    print(f'   {line.rstrip()}', flush=True)
            timer.cancel()
            status = child.wait()
        if status:
            break
    if status and not counts['FAIL']:
        counts['FAIL'] = 1
        if time.monotonic() > deadline:
            print(f'   {name}: stopped after {limit} s', flush=True)
        print(f'   FAIL {name}: {commands[0][0]} ended with status {status}; see {log.name}', flush=True)
        with open(log.name, encoding='utf-8', errors='replace') as file:
            print(''.join(file.readlines()[-40:]), flush=True)
    elif not status and name.startswith('build'):
        counts['ok'] = 1
    return counts


def main():
    """All steps, or those that were named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--long', action='store_true', help='the long forms too')
    parser.add_argument('steps', nargs='*')
    args = parser.parse_args()
    os.makedirs(LOGS, exist_ok=True)
    total = {'ok': 0, 'FAIL': 0, 'skip': 0}
    for name, commands, env, limit in steps(args.long):
        if args.steps and name not in args.steps and not name.startswith('build'):
            continue
        start = time.monotonic()
        print(f'==> {name}', flush=True)
        with open(os.path.join(LOGS, f'{name}.log'), 'w', encoding='utf-8', buffering=1) as log:
            counts = run(name, commands, env, limit, log)
        print(f'    {counts["ok"]} ok, {counts["FAIL"]} failed, {counts["skip"]} skipped '
              f'({time.monotonic() - start:.0f} s)', flush=True)
        for key, value in counts.items():
            total[key] += value
    print(f'{total["ok"]} passed, {total["FAIL"]} failed, {total["skip"]} skipped')
    return 1 if total['FAIL'] or not total['ok'] else 0


if __name__ == '__main__':
    sys.exit(main())
