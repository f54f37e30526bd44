#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A test program on the socket of -qtest, as those written for QEMU work: qtest.py BINARY

It listens, the emulator connects; each test is a function whose first line is printed.
"""
import base64
import os
import socket
import subprocess
import sys
import tempfile


class Machine:
    """An emulator without a CPU, and the connection to it."""

    def __init__(self, *options):
        self.folder = tempfile.TemporaryDirectory()
        path = os.path.join(self.folder.name, 'qtest')
        self.log = path + '.log'
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen(1)
        server.settimeout(20)
        self.process = subprocess.Popen([BINARY, '-accel', 'qtest', '-display', 'none', '-nodefaults', '-qtest',
                                         f'unix:{path}', '-qtest-log', self.log, *options])
        connection, _ = server.accept()
        connection.settimeout(20)
        server.close()
        self.file = connection.makefile('rw', encoding='ascii', newline='\n')
        connection.close()
        self.irqs = []

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.file.close()
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()

    def ask(self, line):
        """A command's answer without OK; news of wires are kept."""
        self.file.write(line + '\n')
        self.file.flush()
        while True:
            words = self.file.readline().split()
            if not words or words[0] == 'FAIL':
                raise AssertionError(f'{line}: {" ".join(words)}')
            if words[0] == 'OK':
                return words[1] if len(words) > 1 else ''
            self.irqs.append((words[1], int(words[2])))

    def number(self, line):
        """The same as a number."""
        return int(self.ask(line), 0)


def check(got, want):
    """A test's assertion."""
    assert got == want, f'{got!r} is not {want!r}'


def test_config_space():
    """the host bridge shows its identity in configuration space"""
    with Machine() as m:
        m.ask('outl 0xcf8 0x80000000')
        check(m.number('inl 0xcfc'), 0x12378086)


def test_rtc():
    """the clock of the machine has CMOS memory behind two ports"""
    with Machine() as m:
        m.ask('outb 0x70 0x50')
        m.ask('outb 0x71 0xa5')
        m.ask('outb 0x70 0x50')
        check(m.number('inb 0x71'), 0xa5)


def test_timer_interrupt():
    """the interval timer raises input 2 of the I/O APIC when the clock is stepped"""
    with Machine() as m:
        m.ask('irq_intercept_in ioapic')
        for line in ['outb 0x43 0x34', 'outb 0x40 0xa9', 'outb 0x40 0x04']:
            m.ask(line)
        before = len(m.irqs)
        check(m.number('clock_step 3000000'), 3000000)
        check([n for what, n in m.irqs[before:] if what == 'raise'][:2], [2, 2])


def test_memory():
    """memory keeps what is written, ROM does not"""
    with Machine('-m', '16') as m:
        data = bytes(range(256)) * 16
        m.ask('b64write 0x100000 4096 ' + base64.b64encode(data).decode())
        check(bytes.fromhex(m.ask('read 0x100000 4096')[2:]), data)
        before = m.number('readl 0xfffffff0')
        m.ask('writel 0xfffffff0 0')
        check(m.number('readl 0xfffffff0'), before)
        check(m.number('readl 0xfee00030') & 0xff, 0x14)  # the first CPU sees its local APIC


def test_log():
    """-qtest-log holds both sides"""
    with Machine() as m:
        m.ask('endianness')
        with open(m.log, encoding='ascii') as file:
            text = file.read()
        assert '] endianness' in text and '] OK little' in text, text


def main():
    """All of them."""
    failed = 0
    for name, test in sorted(globals().items()):
        if name.startswith('test_'):
            try:
                test()
                print('ok   qtest:', test.__doc__)
            except (AssertionError, OSError, ValueError) as error:
                failed += 1
                print(f'FAIL qtest: {test.__doc__}: {error}')
    return failed > 0


BINARY = os.path.abspath(sys.argv[1])
sys.exit(main())
