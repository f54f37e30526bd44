#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Simple guests under this host's own /dev/kvm beside the software engine: kvm_smoke.py BINARY

Some hosts have a /dev/kvm that only interprets: enough for 16- and 32-bit programs, and for SeaBIOS up
to the end of its search for something to boot, whose log must be the same as under the software engine.
"""
import os
import re
import subprocess
import sys
import tempfile

from guest import Guest, GuestError

HERE = os.path.dirname(os.path.abspath(__file__))
WANTED = '!5050\nAB500500\n'


def rom(folder):
    """The program, assembled."""
    made = [os.path.join(folder, name) for name in ('smoke.o', 'smoke.elf', 'smoke.rom')]
    subprocess.run(['gcc', '-m32', '-c', '-o', made[0], os.path.join(HERE, 'kvm_smoke.S')], check=True)
    subprocess.run(['ld', '-m', 'elf_i386', '-Ttext', '0', '-e', '0', '-o', made[1], made[0]], check=True)
    subprocess.run(['objcopy', '-O', 'binary', '-j', '.text', made[1], made[2]], check=True)
    return made[2]


def output(binary, engine, path):
    """What the program prints under an engine, and the exit status."""
    done = subprocess.run([binary, '-accel', engine, '-m', '16', '-bios', path, '-display', 'none', '-serial', 'none',
                           '-chardev', 'stdio,id=d', '-device', 'isa-debugcon,iobase=0xe9,chardev=d', '-device',
                           'isa-debug-exit', '-no-reboot'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    return done.stdout, done.returncode, done.stderr


def firmware(binary, engine):
    """SeaBIOS's log until it gives up; what depends on the host's TSC is left out."""
    with Guest(binary, ['-accel', engine, '-m', '32', '-display', 'none', '-serial', 'none', '-net', 'none', '-monitor',
                        'none', '-chardev', 'stdio,id=d', '-device', 'isa-debugcon,iobase=0x402,chardev=d'],
               limit=60) as guest:
        return re.sub(r'\d+ MHz|Mhz=\d+', 'MHz', guest.expect('No bootable device.'))


def compare_firmware(binary, engines):
    """The number of engines under which SeaBIOS says something else than under the first."""
    failed, first = 0, None
    for engine in engines:
        try:
            said = firmware(binary, engine)
            first = first or said
            if said != first:
                raise GuestError(f'it says something else than under {engines[0]}:\n{said[-1500:]}')
            print(f'ok   kvm: SeaBIOS under {engine}, {len(said.splitlines())} lines')
        except GuestError as why:
            failed += 1
            print(f'FAIL kvm: SeaBIOS under {engine}: {why}')
    return failed


def main():
    """A line for each engine and program."""
    binary = sys.argv[1]
    help_text = subprocess.run([binary, '-accel', 'help'], stdout=subprocess.PIPE, text=True, check=True).stdout
    engines = ['tcg', 'kvm']
    if 'kvm      cannot be used' in help_text:
        line = next(line for line in help_text.splitlines() if line.startswith('kvm'))
        print(f'skip kvm: {line}')
        engines = ['tcg']
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        path = rom(folder)
        for engine in engines:
            try:
                text, status, errors = output(binary, engine, path)
            except subprocess.TimeoutExpired:
                text, status, errors = '', None, 'nothing within a minute'
            if (text, status) == (WANTED, 7):
                print(f'ok   kvm: 16- and 32-bit code under {engine}')
            else:
                failed += 1
                print(f'FAIL kvm: under {engine} it printed {text!r} and ended with {status}: {errors}')
    failed += compare_firmware(binary, engines)
    if 'kvm' in engines:
        failed += subprocess.run([os.path.join(os.path.dirname(binary), 'tests/kvm/kvm-guests')], check=False).returncode
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
