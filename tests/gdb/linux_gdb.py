# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's kernel with two CPUs: the first visit of gdb."""
import os
import re
import sys

import gdb

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from in_gdb import FOLDER, attach, check, check_text, go, run, session, value  # noqa: E402

CALL = '__x64_sys_getppid'


def place():
    """The function that the thread is in."""
    return re.split(r'[ +]', run('info symbol $pc'))[0]


def body():
    """The session."""
    attach()
    run(f'symbol-file {FOLDER}/kernel.elf')
    check(len(gdb.selected_inferior().threads()), 2, 'two CPUs are two threads')
    check_text(run('info threads'), r'"cpu0".*"cpu1"|"cpu1".*"cpu0"', 'threads have names')
    system_call()
    variable()
    one_thread()
    offset()
    change()
    run('detach')


def system_call():
    """Break at a kernel symbol, look back, finish."""
    run(f'break {CALL}')
    check(go(), gdb.BP_BREAKPOINT, 'a breakpoint at a system call')
    check(place(), CALL, 'it stops there')
    trace = run('backtrace')
    check_text(trace, rf'#0 .*{CALL}.*do_syscall_64.*entry_SYSCALL_64', 'the backtrace leads to the entry')
    run('finish')
    check(place(), 'do_syscall_64', 'finish ends behind the call')
    run('set $rax = 4242')
    before = value('$pc')
    run('stepi')
    check(value('$pc') != before, True, 'a step moves on')
    check(place(), 'do_syscall_64', 'and runs no interrupt handler')
    run('delete')


def variable():
    """A watched variable."""
    before = value('*(long *)&jiffies_64')
    run('watch *(long *)&jiffies_64')
    check(go(), gdb.BP_HARDWARE_WATCHPOINT, 'a watched variable')
    check(value('*(long *)&jiffies_64') > before, True, 'it has grown')
    trace = run('backtrace')
    check_text(trace, r'timer|tick', 'somebody in the timer code has written it')
    check_text(trace, r'asm_sysvec_apic_timer_interrupt|asm_common_interrupt', 'the backtrace goes through the interrupt')
    run('delete')


def one_thread():
    """One CPU moves, the other stands."""
    run('set scheduler-locking on')
    threads = sorted(gdb.selected_inferior().threads(), key=lambda t: t.num)
    places = []
    for thread in threads:
        thread.switch()
        places.append(value('$raw_rip'))
    threads[0].switch()
    for _ in range(3):
        run('stepi')
    threads[1].switch()
    check(value('$raw_rip'), places[1], 'one thread steps, the other stands')
    run('set scheduler-locking replay')
    threads[0].switch()


def offset():
    """Symbols as the kernel was linked, moved by what the interrupt table tells."""
    here = value(f"(long)&'{CALL}'")
    run(f'rhea kaslr {FOLDER}/moved.elf')
    check(value(f"(long)&'{CALL}'"), here, 'rhea kaslr finds how far the kernel was moved')
    check(value('$kaslr_offset'), 0x3000000, 'and says it')
    run(f'symbol-file {FOLDER}/kernel.elf')


def change():
    """Memory that is modified shows in the guest."""
    names = gdb.selected_inferior().read_memory(value('(long)&init_uts_ns'), 256).tobytes()
    at = value('(long)&init_uts_ns') + names.index(b'Linux\0')
    gdb.selected_inferior().write_memory(at, b'Rhino')
    check_text(run('rhea idt 14'), 'e', 'rhea idt')
    check_text(run('rhea exceptions'), r'#PF|page fault|exception', 'rhea exceptions')


session(body)
