#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules of the house that no compiler checks: one `ok` or `FAIL` line a rule.

Exceptions stand in scripts/style-exceptions, a line each: RULE PATH reason.
"""
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MAX_FILE, MAX_FUNCTION = 1000, 100
RULES = []


def rule(function):
    """Lists a rule: a function from (path, lines) to complaints."""
    RULES.append(function)
    return function


def is_code(path):
    """C sources and headers."""
    return path.endswith(('.c', '.h'))


def is_test(path):
    """Tests and tools may do what the program may not."""
    return path.endswith('_test.c') or path.startswith(('tests/', 'bench/', 'tools/', 'scripts/'))


@rule
def licence(path, lines):
    """every source file says its licence in its first two lines"""
    if path.endswith(('.c', '.h', '.S', '.py', '.asl', 'meson.build')) and not any('SPDX-License-Identifier' in x for x in lines[:2]):
        yield 'no SPDX line'


@rule
def file_size(path, lines):
    """no file has more than 1,000 lines"""
    if path.endswith(('.c', '.h', '.S', '.py')) and len(lines) > MAX_FILE:
        yield f'{len(lines)} lines'


@rule
def function_size(path, lines):
    """no function has more than 100 lines"""
    start, name, last = None, '', ''
    for number, line in enumerate(lines):
        if not path.endswith('.c'):
            return
        if line == '{':
            start, name = number, last
        elif line == '}' and start is not None:
            if number - start > MAX_FUNCTION:
                yield f'{name[:60]}: {number - start} lines'
            start = None
        elif line and line[0] not in ' \t{}':
            last = line


@rule
def mutable_globals(path, lines):
    """nothing is global and mutable but trace switches and the current vCPU"""
    pattern = re.compile(r'^(static )?[A-Za-z_][A-Za-z0-9_ *]* \**[a-z_][a-z0-9_]*(\[[^]]*\])*( = [^(]*)?;$')
    fine = re.compile(r'^(extern|typedef|const|static const|return|struct \w+;|enum|union|goto|_Static_assert|'
                      r'static _Thread_local|static __thread|static inline)')
    for line in lines:
        if path.endswith('.c') and not is_test(path) and pattern.match(line) and not fine.match(line) and 'const' not in line:
            yield line


@rule
def guest_asserts(path, lines):
    """devices and the CPU hold no assert"""
    for line in lines:
        if path.startswith(('hw/', 'target/')) and is_code(path) and not is_test(path) and re.search(r'\b(g_)?assert\w*\(|\babort\(', line) and '_Static_assert' not in line:
            yield line.strip()


@rule
def long_lines(path, lines):
    """no line of C has more than 120 columns outside tables"""
    fenced = False
    for number, line in enumerate(lines):
        if 'clang-format o' in line:
            fenced = 'off' in line
        if is_code(path) and not fenced and len(line) > 120:
            yield f'line {number + 1} has {len(line)} columns'


def exceptions():
    """(rule, path) pairs that are excused, each with its reason."""
    path = os.path.join(TOP, 'scripts/style-exceptions')
    if not os.path.exists(path):
        return set()
    with open(path, encoding='utf-8') as file:
        return {tuple(line.split()[:2]) for line in file if line.strip() and not line.startswith('#')}


def main():
    """All rules over all files that git knows."""
    names = subprocess.run(['git', 'ls-files'], cwd=TOP, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    excused = exceptions()
    failed = 0
    files = []
    for name in names:
        if name.endswith(('.c', '.h', '.S', '.py', '.asl', 'meson.build')) and os.path.exists(os.path.join(TOP, name)):
            with open(os.path.join(TOP, name), encoding='utf-8') as file:
                files.append((name, file.read().splitlines()))
    for function in RULES:
        wrong = [f'{name}: {what}' for name, lines in files if (function.__name__, name) not in excused
                 for what in function(name, lines)]
        print(f'{"FAIL" if wrong else "ok  "} style: {function.__doc__}')
        print(''.join(f'     {line}\n' for line in wrong), end='')
        failed += bool(wrong)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
