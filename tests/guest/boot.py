#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots real guests from Debian packages: boot.py --binary B [--long] [NAME...]

Prints a line a test: `ok NAME`, `FAIL NAME: why` or `skip NAME: why`.
"""
import argparse
import os
import subprocess
import sys
import tempfile

from guest import Guest, GuestError

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
PROMPT = 'rhea:/# '
TESTS = []


class Skip(Exception):
    """This host lacks something that the test needs."""


def test(long=False):
    """Lists a test; its name is the function's, its sentence the docstring."""
    def add(function):
        TESTS.append((function, long))
        return function
    return add


def check(got, want, what):
    """A test's assertion."""
    if got != want:
        raise GuestError(f'{what} is {got!r}, not {want!r}')


def linux(binary, kind, *more, append='', limit=600):
    """The Debian kernel of that kind with the busybox initramfs."""
    done = subprocess.run([os.path.join(TOP, 'scripts/guest-files'), kind], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Skip(f'no {kind} guest files: {done.stderr.strip().splitlines()[-1:]}')
    kernel, initramfs = done.stdout.split()
    return Guest(binary, ['-accel', 'tcg', '-m', '512', '-nographic', '-kernel', kernel, '-initrd',
                          initramfs, '-append', f'console=ttyS0 {append}'] + list(more), limit)


def shell(guest):
    """At the prompt the guest computes: interactive both ways."""
    guest.expect(PROMPT)
    check(guest.run('echo answer-$((6 * 7))'), 'answer-42', 'the answer')


def power_off(guest):
    """poweroff -f ends the process with status 0."""
    guest.send('poweroff -f\n')
    check(guest.end(), 0, 'the exit status')


@test()
def seabios_banner(binary):
    """SeaBIOS speaks on the debug port and, with -nographic, on serial."""
    with Guest(binary, ['-accel', 'tcg', '-nographic', '-no-reboot'], 120) as guest:
        guest.expect('SeaBIOS (version')
        guest.expect('No bootable device.')
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, 'debug')
        with Guest(binary, ['-accel', 'tcg', '-nographic', '-chardev', f'file,id=d,path={log}', '-device',
                            'isa-debugcon,iobase=0x402,chardev=d'], 120) as guest:
            guest.expect('No bootable device.')
        with open(log, encoding='utf-8', errors='replace') as file:
            check('SeaBIOS (version' in file.read(), True, 'the banner on the debug port')


@test()
def triple_fault(binary):
    """A triple fault tells its story and, with -no-reboot, ends the process."""
    rom = bytearray(b'\x90' * 65536)
    rom[0xfff0:0xfff5] = b'\xea\x00\xe0\x00\xf0'  # jmp 0xf000:0xe000
    rom[0xe000:0xe007] = b'\x2e\x0f\x01\x1e\x00\xe1\xcc'  # lidt cs:[0xe100]; int3
    rom[0xe100:0xe106] = bytes(6)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'rom')
        with open(path, 'wb') as file:
            file.write(rom)
        with Guest(binary, ['-accel', 'tcg', '-bios', path, '-display', 'none', '-serial', 'none', '-no-reboot'], 60) as guest:
            guest.expect('triple fault')
            guest.expect('general protection, error code 0x1a at f000:0000e006')
            guest.expect('what was wrong: vector 0x8 is beyond the interrupt vector table, whose limit is 0x0')
            check(guest.end(), 0, 'the exit status')


def resident_beside_ram(pid):
    """Megabytes resident beside the guest's RAM: a file that is mapped in several places, or else the largest mapping.

    Proportional: the code cache is mapped twice, and its pages count once.
    """
    mappings, of_ram = [], False  # [size, resident, whether it is the file]
    with open(f'/proc/{pid}/smaps', encoding='utf-8', errors='replace') as file:
        for line in file:
            field, _, value = line.partition(':')
            if field == 'Size':
                mappings.append([int(value.split()[0]), 0, of_ram])
            elif field == 'Pss':
                mappings[-1][1] = int(value.split()[0])
            elif '-' in field.split(' ')[0]:
                of_ram = '/memfd:pc.ram' in line
    ram = sum(resident for _, resident, of_ram in mappings if of_ram) or max(mappings)[1]
    return (sum(resident for _, resident, _ in mappings) - ram) // 1024


@test()
def linux_amd64(binary):
    """The cloud kernel boots to a shell with one CPU, runs commands, powers off."""
    with linux(binary, 'amd64') as guest:
        shell(guest)
        check(guest.run('grep -c ^processor /proc/cpuinfo'), '1', 'the number of CPUs')
        resident = resident_beside_ram(guest.process.pid)
        check(resident < 40, True, f'{resident} MB resident beside the guest\'s RAM below 40')
        check(guest.run('dmesg | grep -c "BUG:\\|WARNING:\\|Oops"'), '0', 'complaints of the kernel')
        guest.run('ln -s /sys/devices/system/cpu/vulnerabilities /v')
        check(guest.run('cat /v/meltdown /v/mds').split('\n'), ['Not affected', 'Not affected'], 'page-table isolation, cleared buffers')
        check(guest.run('grep -ci retpoline /v/spectre_v2'), '0', 'retpolines')
        power_off(guest)


@test()
def linux_amd64_smp(binary):
    """With -smp 2 both CPUs come up and run."""
    with linux(binary, 'amd64', '-smp', '2') as guest:
        shell(guest)
        check(guest.run('cat /sys/devices/system/cpu/online'), '0-1', 'the CPUs online')
        out = guest.run('for i in 1 2 3 4; do taskset 2 echo ran; done | sort | uniq -c')
        check(out.split(), ['4', 'ran'], 'what ran on the second CPU')
        resident = resident_beside_ram(guest.process.pid)
        check(resident < 40, True, f'{resident} MB resident beside the guest\'s RAM below 40')
        power_off(guest)


@test()
def linux_reboot(binary):
    """-no-reboot: a guest that reboots ends the process with status 0."""
    with linux(binary, 'amd64', '-no-reboot') as guest:
        shell(guest)
        guest.send('reboot -f\n')
        check(guest.end(), 0, 'the exit status')


@test(long=True)
def linux_reboot_again(binary):
    """reboot brings the same guest up again through SeaBIOS."""
    with linux(binary, 'amd64') as guest:
        shell(guest)
        guest.send('reboot -f\n')
        guest.expect('SeaBIOS (version')
        shell(guest)
        power_off(guest)


@test()
def linux_i386_pae(binary):
    """The 686-pae kernel boots to a shell."""
    with linux(binary, 'i386') as guest:
        shell(guest)
        check(guest.run('uname -m'), 'i686', 'the architecture')
        power_off(guest)


@test(long=True)
def linux_i386_nopae(binary):
    """The 686 kernel without PAE boots to a shell on a CPU without long mode."""
    with linux(binary, 'i386-nopae', '-cpu', 'qemu32') as guest:
        shell(guest)
        check(guest.run('uname -m'), 'i686', 'the architecture')
        power_off(guest)


@test()
def memtest(binary):
    """memtest86+ passes its tests up to the one that waits."""
    image = '/boot/memtest86+x64.bin'
    if not os.path.exists(image):
        raise Skip(f'no {image} (package memtest86+)')
    with Guest(binary, ['-accel', 'tcg', '-m', '16', '-nographic', '-kernel', image, '-append',
                        'console=ttyS0,115200'], 300) as guest:
        guest.expect('#10 [')  # earlier ones may be over between two looks at the screen
        guest.expect('Errors: 0')


def main():
    """Run what was named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--binary', required=True)
    parser.add_argument('--long', action='store_true', help='the long tests too')
    parser.add_argument('names', nargs='*')
    args = parser.parse_args()
    failed = 0
    for function, long in TESTS:
        name = function.__name__
        if args.names and name not in args.names:
            continue
        if long and not args.long and not args.names:
            print(f'skip guest: {name}: only with --long', flush=True)
            continue
        try:
            function(args.binary)
            print(f'ok   guest: {name}: {function.__doc__}', flush=True)
        except Skip as why:
            print(f'skip guest: {name}: {why}', flush=True)
        except GuestError as why:
            failed += 1
            print(f'FAIL guest: {name}: {why}', flush=True)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
