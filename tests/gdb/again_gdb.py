# SPDX-License-Identifier: GPL-2.0-or-later
"""The second visit: a breakpoint in user mode, in one process of several."""
import os
import sys

import gdb

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from in_gdb import attach, check, go, run, session, value  # noqa: E402


def user_thread():
    """Continue for moments until a CPU is in user mode; its pc, and whose page tables it has."""
    for _ in range(200):
        for thread in gdb.selected_inferior().threads():
            thread.switch()
            if value('$cs') & 3 == 3:
                return value('$pc')
        run('stepi 50')
    return 0


def space():
    """The page tables in use, without the process-context identifier."""
    return value('$cr3') & ~0xfff


def body():
    """The session."""
    attach('extended-remote')
    at = user_thread()
    check(at != 0, True, 'a CPU in user mode')
    run(f'break *{at:#x}')
    spaces = set()
    for _ in range(60):
        go()
        spaces.add(space())
        if len(spaces) > 1:
            break
    check(len(spaces) > 1, True, 'a breakpoint in a program stops all its processes')
    run('delete')
    mine = spaces.pop()
    run(f'break *{at:#x} if ($cr3 & ~0xfff) == {mine:#x}')
    stops = []
    for _ in range(3):
        check(go(), gdb.BP_BREAKPOINT, 'with a condition on cr3 it stops')
        stops.append((value('$pc'), space()))
    check(stops, [(at, mine)] * 3, 'and only in the one process')
    run('delete')
    run('detach')


session(body)
