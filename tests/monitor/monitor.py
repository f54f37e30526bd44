#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The monitor at a terminal: a guest in 16-, 32- and 64-bit code, the keys, and the manual's examples.

usage: monitor.py PROGRAM ROM [--long]; ROM is modes.S assembled.
"""
import json
import os
import subprocess
import sys
import tempfile

from terminal import CTRL_A, Nothing, Terminal
import manual

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM, ROM = (os.path.abspath(name) for name in sys.argv[1:3])
BOARD = ['-nographic', '-bios', ROM, '-accel', 'tcg', '-m', '8']


def has(text, *parts):
    """Each part is in the text."""
    for part in parts:
        assert part in text, f'{part!r} is not in:\n{text}'


def code(terminal, address):
    """Where the guest loops now, disassembled by its CPU's mode."""
    text = terminal.ask('x/1i $pc')
    assert f'{address >> 12:05x}' in text.split(':')[0], text
    return terminal.ask(f'x/2i {address:#x}')


def modes():
    """Ctrl-A C leads to the monitor and back; x/i knows 16-, 32- and 64-bit code as the guest goes through them"""
    with Terminal(PROGRAM, *BOARD) as t:
        t.expect('mode16\n')
        t.keys(CTRL_A + 'c')
        has(t.expect('(qemu) '), "monitor - type 'help' for more information")
        has(code(t, 0xf8000), 'b8 16 16 ', 'mov ax, 0x1616', 'mov edx, 0x3FD')
        has(t.ask('info registers'), 'EIP=0000', 'CS =f000 000f0000', 'CR0=')
        t.keys(CTRL_A + 'c')
        t.keys('a')  # the guest's
        t.expect('mode32\n')
        t.monitor()
        has(code(t, 0xf9000), 'b8 32 32 32 32 ', 'mov eax, 0x32323232')
        has(t.ask('info registers'), 'EIP=000f90', 'CS32 [-RA]')
        has(t.ask('info mem'), 'PG disabled')
        t.keys(CTRL_A + 'ca')
        t.expect('mode64\n')
        t.monitor()
        has(code(t, 0xfa000), '48 b8 64 64 64 64 64 64 64 64 ', 'mov rax, 0x6464646464646464')
        paging(t)
        t.keys(CTRL_A + 'ca')
        t.expect('modeok\n')
        t.keys(CTRL_A + 'x')
        assert t.end() == 0


def paging(t):
    """In 64-bit code: page tables, tables of descriptors, the last exception."""
    has(t.ask('info registers'), 'RIP=00000000000fa0', 'CS64 [-RA]', 'TSS64-busy')
    has(t.ask('info mem'), '0000000000000000-0000000000400000 0000000000400000 urw')
    has(t.ask('info pagetable 0xfa000'), '4-level paging, CR3 0x10000', 'PTE  [250]', 'user   execute: allowed')
    has(t.ask('info pagetable 0x600010'), '  PDE  [  3]', 'not present', 'user   write  : page fault, error code 0x6')
    has(t.ask('gva2gpa 0xfa010'), 'gpa: 0xfa010')
    has(t.ask('info gdt'), '64-bit TSS, busy, base 0000000000003000')
    has(t.ask('info idt 14'), '64-bit interrupt gate')
    has(t.ask('info exceptions'), '0x0e page fault, error code 0 (read of 0x600010, not present)',
        'the level 0x2 page entry 0 for 0x600010 is not present')
    has(t.ask('print/x $rsp & ~0xfff'), '0x')


def keys():
    """line editing, history and completion over the terminal"""
    with Terminal(PROGRAM, *BOARD, '-S', '-monitor', 'stdio', '-serial', 'null', '-display', 'none') as t:
        t.expect('(qemu) ')
        t.keys('info st\t\r')
        has(t.expect('\n'), 'info status ')
        has(t.expect('(qemu) '), 'VM status: paused (prelaunch)')
        t.keys('\x1b[A\x1b[D\x7f\x7fus\r')  # the line before, its end spoiled and mended
        has(t.expect('VM status: paused (prelaunch)\n(qemu) '), 'info status')
        t.keys('\x15')
        has(t.ask('info nam\t\x01\x0bprint 1+2'), '0x3')
        t.keys('info t\t')
        has(t.expect('trace-events'), 'tlb')
        t.keys('\x15')
        t.keys('quit\r')
        assert t.end() == 0


def steering():
    """stop, cont and log act on a running guest; -d items can be switched while it runs"""
    with tempfile.TemporaryDirectory() as folder, Terminal(PROGRAM, *BOARD) as t:
        log = os.path.join(folder, 'log')
        t.expect('mode16\n')
        t.monitor()
        has(t.ask('stop') + t.ask('info status'), 'VM status: paused')
        before = t.ask('info jit')
        assert before == t.ask('info jit'), 'a stopped guest executes'
        t.ask(f'logfile {log}')
        t.ask('log exec')
        t.ask('cont')
        while not os.path.exists(log) or os.path.getsize(log) < 1000:
            has(t.ask('info status'), 'VM status: running')
        t.ask('log none')
        has(open(log, encoding='utf-8').read(), 'cpu0: 0xf000:0x80')
        size = os.path.getsize(log)
        t.ask('info status')
        assert size == os.path.getsize(log), 'log none: the log grows'
        has(t.ask('system_reset'), '')
        t.keys(CTRL_A + 'c')
        t.expect('mode16\n')
        t.monitor()
        t.keys('quit\r')
        assert t.end() == 0


def hotplug():
    """device_add and device_del; a wrong name gets the nearest right one"""
    with Terminal(PROGRAM, *BOARD, '-S', '-monitor', 'stdio', '-serial', 'null', '-display', 'none') as t:
        t.expect('(qemu) ')
        assert t.ask('device_add pci-testdev,id=one') == ''
        has(t.ask('info pci'), 'id "one"')
        has(t.ask('device_add pci-testdv'), 'Error: there is no device pci-testdv\ndid you mean pci-testdev?')
        t.keys('device_del o\t\r')
        has(t.expect('(qemu) '), 'device_del one')
        t.keys('quit\r')
        assert t.end() == 0


def qmp():
    """human-monitor-command and a person at the terminal get the same words"""
    with Terminal(PROGRAM, *BOARD, '-S', '-monitor', 'stdio', '-serial', 'null', '-display', 'none') as t:
        t.expect('(qemu) ')
        person = t.ask('info mtree -f')
        t.keys('quit\r')
        assert t.end() == 0
    out = subprocess.run([PROGRAM, *BOARD, '-S', '-qmp', 'stdio', '-serial', 'null', '-display', 'none', '-monitor', 'none'], input=(
        '{"execute":"qmp_capabilities"}{"execute":"human-monitor-command","arguments":{"command-line":"info mtree -f"}}'
        '{"execute":"quit"}'), capture_output=True, text=True, timeout=60, check=True).stdout
    answers = [json.loads(line) for line in out.split('\n') if line]
    words = [answer['return'] for answer in answers if isinstance(answer.get('return'), str)]
    assert words == [person.replace('\n', '\r\n')], words


def examples():
    """docs/user/monitor.md: every example gives what the manual shows"""
    manual.check(PROGRAM, os.path.join(HERE, '../../docs/user/monitor.md'))


def main():
    """All of them, a line each."""
    failed = 0
    for test in (modes, keys, steering, hotplug, qmp, examples):
        try:
            test()
            print(f'ok   monitor: {test.__doc__}', flush=True)
        except manual.NoGuest as why:
            print(f'skip monitor: {test.__doc__}: {why}', flush=True)
        except (AssertionError, Nothing, OSError, subprocess.SubprocessError) as why:
            print(f'FAIL monitor: {test.__doc__}\n{why}', flush=True)
            failed += 1
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
