#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sessions of the real gdb: session.py BUILD-FOLDER [--long] [NAME...]

Each test starts the emulator with its stub on a unix socket, and gdb with a script from this
folder, which prints a line `ok WHAT` or `FAIL WHAT` for everything that it looked at. gdb must end
with the line `end of the session`.
"""
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, 'tests/guest'))
from guest import Guest, GuestError  # noqa: E402

EXTENSION = os.path.join(TOP, 'scripts/rhea-gdb.py')


def gdb_run(folder, script, limit=120, **more):
    """gdb with a script; the environment tells it the rest. Its lines."""
    environment = dict(os.environ, GDB_SOCKET=os.path.join(folder, 'gdb'), GDB_FOLDER=folder,
                       GDB_EXTENSION=EXTENSION, **more)
    done = subprocess.run(['gdb', '-nx', '-q', '-batch', '-iex', 'set auto-load no', '-x', os.path.join(HERE, script)],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=environment, timeout=limit, check=False)
    return done.stdout.splitlines()


def judge(name, lines):
    """Print what a session found; how much of it was wrong."""
    told = [line for line in lines if line.startswith(('ok ', 'FAIL '))]
    failed = [line for line in told if line.startswith('FAIL')]
    if 'end of the session' not in lines or failed:
        print('\n'.join('     ' + line for line in lines[-40:]))
    if 'end of the session' not in lines:
        failed.append('FAIL the session broke off')
    for line in [line for line in told if line.startswith('ok')] + failed:
        word, _, rest = line.partition(' ')
        print(f'{word:4} gdb: {name}: {rest}')
    return len(failed)


def assemble(folder):
    """The ROM of sector.S; a table of its instructions: address -> (length, mnemonic)."""
    rom, elf = os.path.join(folder, 'rom'), os.path.join(folder, 'rom.elf')
    subprocess.run(['gcc', '-c', os.path.join(HERE, 'sector.S'), '-o', elf + '.o'], check=True)
    subprocess.run(['ld', '-Ttext=0xf0000', '-e', '0xf0000', elf + '.o', '-o', elf], check=True)
    subprocess.run(['objcopy', '-O', 'binary', '-j', '.text', elf, rom], check=True)
    symbols = {}
    for line in subprocess.run(['nm', elf], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines():
        at, _, name = line.split()
        symbols[name] = int(at, 16)
    parts = [('rom', 'i8086', 0xf0000, symbols['rom'] + 0x40), ('sector', 'i8086', 0x7c00, symbols['code32']),
             ('code32', 'i386', None, symbols['code64']), ('code64', 'x86-64', None, symbols['counter'])]
    table = {}
    for name, machine, base, end in parts:
        base = base or 0x7c00 + symbols[name] - symbols['sector']
        listing(elf, machine, symbols[name], end, base - symbols[name], table)
    listing(elf, 'i8086', 0xffff0, 0xffff5, 0xfff00000, table)
    symbols['at'] = {n: 0x7c00 + symbols[n] - symbols['sector'] for n in ('sector', 'code32', 'code64', 'again', 'counter')}
    return rom, symbols, table


def listing(elf, machine, start, end, moved, table):
    """What objdump makes of a stretch of code."""
    out = subprocess.run(['objdump', '-d', '-w', '-M', f'intel,{machine}', f'--start-address={start:#x}',
                          f'--stop-address={end:#x}', elf], stdout=subprocess.PIPE, text=True, check=True).stdout
    for line in out.splitlines():
        cells = line.split('\t')
        if len(cells) == 3:
            words = cells[2].split()
            table[int(cells[0].strip().rstrip(':'), 16) + moved] = (len(cells[1].split()), ' '.join(words))


def boot_sector(binary):
    """From the reset vector through 16-, 32- and 64-bit code."""
    with tempfile.TemporaryDirectory() as folder:
        rom, symbols, table = assemble(folder)
        with open(os.path.join(folder, 'table'), 'w', encoding='ascii') as file:
            for at, (length, text) in sorted(table.items()):
                file.write(f'{at:#x}\t{length}\t{text}\n')
        where = ' '.join(f'{name}={at:#x}' for name, at in symbols['at'].items())
        listening = os.path.join(folder, 'gdb')
        with Guest(binary, ['-accel', 'tcg', '-m', '16', '-bios', rom, '-nodefaults', '-display', 'none', '-S',
                            '-gdb', f'unix:{listening}'], 120) as guest:
            wait_for(listening, guest)
            return judge('boot sector', gdb_run(folder, 'sector_gdb.py', SECTOR_PLACES=where))


def blocks(name):
    """The examples of docs/user/debugging.md of that name: shell lines; (command, expected lines)."""
    shell, commands, inside = [], [], None
    with open(os.path.join(TOP, 'docs/user/debugging.md'), encoding='utf-8') as file:
        for line in file.read().splitlines():
            if line.startswith('```'):
                inside = line[3:] if inside is None else None
            elif inside == f'sh {name}':
                shell.append(line)
            elif inside == f'gdb {name}' and line.startswith('(gdb) '):
                commands.append((line[6:], []))
            elif inside == f'gdb {name}':
                commands[-1][1].append(line)
    return shell, commands


def likeness(line):
    """An expected line as an expression: ... is anything, blanks are any blanks."""
    return '.*'.join(r'\s+'.join(re.escape(word) for word in part.split()) for part in line.split('...'))


def example(folder, name):
    """Run an example's commands as a person would; each must print what the page says, in that order."""
    _, commands = blocks(name)
    script = os.path.join(folder, 'example')
    with open(script, 'w', encoding='utf-8') as file:
        for n, (command, _) in enumerate(commands):
            file.write(f'echo \\n@@@{n}\\n\n{command}\n')
    done = subprocess.run(['gdb', '-nx', '-q', '-batch', '-iex', 'set confirm off', '-iex', 'set width 0', '-iex',
                           'set disassembly-flavor intel', '-x', script], cwd=folder, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=200, check=False)
    told = dict(enumerate(re.split(r'^@@@\d+$', done.stdout, flags=re.M)[1:]))
    failed = 0
    for n, (command, wanted) in enumerate(commands):
        text, at, missing = told.get(n, ''), 0, None
        for line in wanted:
            found = re.search(likeness(line), text[at:])
            missing = missing if found else missing or line
            at += found.end() if found else 0
        good = n in told and not missing
        failed += not good
        print(f'{"ok  " if good else "FAIL"} gdb: the page\'s example: {command}')
        if not good:
            print(f'     {missing!r} is not in\n{text}')
    return failed


def at_home(folder):
    """A folder in which the page's commands work."""
    for name in ('scripts', 'tests'):
        os.symlink(os.path.join(TOP, name), os.path.join(folder, name))


def page(binary):
    """The boot sector of docs/user/debugging.md, word by word."""
    with tempfile.TemporaryDirectory() as folder:
        at_home(folder)
        shell = '\n'.join(blocks('sector')[0]) + '\nwait $!\n'
        path = os.path.dirname(os.path.abspath(binary)) + ':' + os.environ['PATH']
        with subprocess.Popen(['sh', '-e', '-c', shell], cwd=folder, env=dict(os.environ, PATH=path),
                              start_new_session=True, stdin=subprocess.DEVNULL) as machine:
            end = time.monotonic() + 30
            while not os.path.exists(os.path.join(folder, 'gdb.sock')) and time.monotonic() < end:
                select.select([], [], [], 0.02)
            try:
                failed = example(folder, 'sector')
                machine.wait(20)  # the example kills it
            finally:
                if machine.poll() is None:
                    os.killpg(machine.pid, signal.SIGKILL)
        return failed


class Wire:
    """The protocol itself, for what gdb would not say."""

    def __init__(self, address):
        end = time.monotonic() + 20
        self.data = b''
        while True:
            self.socket = socket.socket()
            self.socket.settimeout(20)
            try:
                self.socket.connect(address)
                return
            except ConnectionRefusedError:  # it has not started to listen
                if time.monotonic() > end:
                    raise
                select.select([], [], [], 0.02)

    def send(self, text):
        """One packet."""
        self.socket.sendall(f'${text}#{sum(text.encode()) & 255:02x}'.encode())

    def receive(self):
        """The next packet."""
        while True:
            found = re.search(rb'\$([^#]*)#..', self.data, re.S)
            if found:
                self.data = self.data[found.end():]
                return found.group(1).decode()
            more = self.socket.recv(65536)
            if not more:
                raise GuestError('the stub has hung up')
            self.data += more

    def ask(self, text):
        """A packet and its answer."""
        self.send(text)
        return self.receive()

    def close(self):
        """Without a word."""
        self.socket.close()


# Where Ctrl-C must work: code at 0x7c00, and what it does.
PLACES = [(b'\xeb\xfe', 'an endless loop'), (b'\xfa\xf4\xeb\xfc', 'a CPU halted for ever'),
          (b'\xb9\xff\xff\xf3\xac\xeb\xf9', 'repeated loads'), (b'\xe4\x60\xeb\xfc', 'reads of a device'),
          (b'\xbc\x00\x7c\x0f\x0b', 'exceptions without end')]


def interrupts(binary):
    """Ctrl-C stops whatever the guest does; over TCP; who comes back after a broken connection."""
    port = socket.create_server(('127.0.0.1', 0))
    address = port.getsockname()
    port.close()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        rom, _, _ = assemble(folder)
        with Guest(binary, ['-accel', 'tcg', '-m', '16', '-bios', rom, '-nodefaults', '-display', 'none', '-S', '-smp', '2',
                            '-gdb', f'tcp:127.0.0.1:{address[1]}'], 60):
            wire = Wire(address)
            wire.ask('Z0,7c00,1')
            told = wire.ask('vCont;c')
            failed += say(told.startswith('T05thread:1'), 'the sector is reached', told)
            wire.ask('z0,7c00,1')
            for code, what in PLACES:
                wire.ask(f'M7c00,{len(code):x}:{code.hex()}')
                wire.ask('P10=007c000000000000')
                wire.ask('M18,4:007c0000')  # the handler of bad opcodes is the code itself
                wire.send('vCont;c')
                select.select([], [], [], 0.1)
                wire.socket.sendall(b'\3')
                told = wire.receive()
                there = 0x7c00 <= int.from_bytes(bytes.fromhex(wire.ask('p10')), 'little') < 0x7c00 + len(code)
                failed += say(told.startswith('T02') and there, f'Ctrl-C stops {what}', told)
            first = wire.ask('g')
            wire.ask('Z0,7c00,1')
            wire.send('vCont;c')
            wire.receive()
            wire.close()
            wire = Wire(address)
            told = wire.ask('?')
            failed += say(told.startswith('T'), 'after a broken connection the stub hears the next', told)
            failed += say(len(wire.ask('g')) == len(first), 'and all registers are there', '')
            wire.send('vCont;c')
            select.select([], [], [], 0.1)
            wire.socket.sendall(b'\3')
            told = wire.receive()
            failed += say(told.startswith('T02'), 'the first one\'s breakpoints are gone', told)
            wire.ask('vKill;1')
    return failed


def say(good, what, told):
    """One line; 1: it failed."""
    print(f'{"ok  " if good else "FAIL"} gdb: {what}' + ('' if good else f': {told!r}'))
    return 0 if good else 1


# What the session and its backtraces need of the kernel's symbols; all of them take a minute to print.
WANTED = (' [tTwW] .*(sys_|syscall|vfs|ksys|exc|entry|asm_|schedule|idle|secondary|start_kernel|tick|timer|jiffies|'
          'irq|interrupt|mwait|halt|hlt|rest_init|cpu_startup|hrtimer)| (jiffies_64|init_uts_ns|modules|'
          '_text|_stext|_etext|__(start|stop)_orc.*|orc_lookup|idt_table)$')


def kernel_symbols(folder, text):
    """Symbol files: one as it is, one of a kernel that was linked 48 MB below."""
    lines = text.splitlines()
    moved = [f'{int(l[:16], 16) - 0x3000000:016x}{l[16:]}' for l in lines if l.startswith('ffffffff')]
    for name, content in (('kernel', lines), ('moved', moved)):
        path = os.path.join(folder, name)
        with open(path + '.txt', 'w', encoding='ascii') as file:
            file.write('\n'.join(content) + '\n')
        subprocess.run([os.path.join(TOP, 'scripts/kallsyms-elf'), path + '.txt', path + '.elf'], check=True)


def linux(binary):
    """Debian's kernel: breakpoints, a variable, threads, changes, detaching and coming back."""
    done = subprocess.run([os.path.join(TOP, 'scripts/guest-files'), 'amd64'], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print('skip gdb: linux: no guest files:', *done.stderr.strip().splitlines()[-1:])
        return 0
    kernel, initramfs = done.stdout.split()
    with tempfile.TemporaryDirectory() as folder:
        listening = os.path.join(folder, 'gdb')
        with Guest(binary, ['-accel', 'tcg', '-m', '256', '-smp', '2', '-nographic', '-kernel', kernel, '-initrd',
                            initramfs, '-append', 'console=ttyS0 quiet', '-gdb', f'unix:{listening}'], 600) as guest:
            guest.expect('rhea:/# ')
            kernel_symbols(folder, guest.run(f'grep -E "{WANTED}" /proc/kallsyms'))
            guest.send('while :; do sh -c "echo parent \\$PPID"; usleep 100000; done &\n')
            failed = judge('linux', gdb_run(folder, 'linux_gdb.py'))
            guest.expect('parent 4242')
            print('ok   gdb: linux: a register that was changed shows in the guest')
            guest.send('kill $!\n')
            guest.expect('rhea:/# ')
            told = guest.run('uname -s')
            print(f'{"ok  " if "Rhino" in told else "FAIL"} gdb: linux: so does memory')
            guest.send('while :; do sh -c "echo parent \\$PPID" >/dev/null; usleep 100000; done &\n')
            guest.expect('rhea:/# ')
            at_home(folder)
            os.symlink(listening, os.path.join(folder, 'gdb.sock'))
            failed += example(folder, 'linux')
            guest.send('kill $!; for i in 1 2 3; do sh -c "while :; do :; done" & done\n')
            guest.expect('rhea:/# ')
            failed += judge('linux, again', gdb_run(folder, 'again_gdb.py'))
            guest.send('echo still $((6 * 7))\n')
            guest.expect('still 42')
            print('ok   gdb: linux: the guest goes on when gdb has left')
            return failed + ('Rhino' not in told)


def wait_for(path, guest):
    """Until the emulator listens there."""
    end = time.monotonic() + 20
    while not os.path.exists(path):
        if guest.process.poll() is not None or time.monotonic() > end:
            raise GuestError('the emulator does not listen')
        select.select([], [], [], 0.02)


TESTS = [boot_sector, page, interrupts, linux]


def main():
    """All tests, or those named."""
    build, names = sys.argv[1], [n for n in sys.argv[2:] if not n.startswith('--')]
    binary = os.path.join(build, 'rhea-system-x86_64')
    if not shutil.which('gdb'):
        print('skip gdb: gdb is not installed')
        return 0
    failed = 0
    for test in TESTS:
        if not names or test.__name__ in names:
            try:
                failed += test(binary) or 0
            except (GuestError, subprocess.SubprocessError, OSError) as error:
                failed += 1
                print(f'FAIL gdb: {test.__name__}: {error}')
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
