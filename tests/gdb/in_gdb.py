# SPDX-License-Identifier: GPL-2.0-or-later
"""What the scripts of this folder share inside gdb: attaching, looking, telling."""
import os
import re
import traceback

import gdb

FOLDER = os.environ['GDB_FOLDER']


def run(command):
    """A command's output."""
    return gdb.execute(command, to_string=True)


def value(expression):
    """An expression as a number."""
    return int(gdb.parse_and_eval(expression)) & (1 << 64) - 1


def check(got, want, what):
    """One thing that was looked at."""
    if got == want:
        print(f'ok {what}')
    else:
        print(f'FAIL {what}: {got!r} is not {want!r}')


def check_text(got, pattern, what):
    """The same, by a regular expression."""
    if re.search(pattern, got, re.S):
        print(f'ok {what}')
    else:
        print(f'FAIL {what}: {pattern!r} is not in {got!r}')


def go(command='continue'):
    """Resume; the kind of breakpoint that it stopped for, None: another reason."""
    kinds = []

    def stopped(event):
        kinds.extend(b.type for b in getattr(event, 'breakpoints', []))
    gdb.events.stop.connect(stopped)
    try:
        run(command)
    finally:
        gdb.events.stop.disconnect(stopped)
    return kinds[0] if kinds else None


def attach(kind='remote'):
    """Connect as a person would, with the extension."""
    for setting in ('confirm off', 'pagination off', 'width 0', 'height 0', 'architecture i386:x86-64',
                    'disassembly-flavor intel'):
        run('set ' + setting)
    run('source ' + os.environ['GDB_EXTENSION'])
    run(f'target {kind} {os.environ["GDB_SOCKET"]}')


def session(body):
    """Everything else around a script's body."""
    try:
        body()
    except gdb.error:
        traceback.print_exc()
        print('FAIL the session raised an error')
    else:
        print('end of the session')
