#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Simple guests under this host's own /dev/kvm beside the software engine: kvm_smoke.py BINARY

Some hosts have a /dev/kvm that only interprets: enough for 16- and 32-bit programs, and for SeaBIOS up
to the end of its search for something to boot, whose log must be the same as under the software engine.
Also what is said of device nodes that are none, and, where there is a KVM, of options that it does not take.
"""
import os
import re
import subprocess
import sys
import tempfile

import rom
from guest import Guest, GuestError

HERE = os.path.dirname(os.path.abspath(__file__))
WANTED = '!5050\nAB500500\n'


def output(binary, engine, path):
    """What the program prints under an engine, and the exit status."""
    done = subprocess.run([binary, '-accel', engine, '-m', '16', '-bios', path, '-display', 'none', '-serial', 'none',
                           '-chardev', 'stdio,id=d', '-device', 'isa-debugcon,iobase=0xe9,chardev=d', '-device',
                           'isa-debug-exit', '-no-reboot'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    return done.stdout, done.returncode, done.stderr


NO_NODES = [ # what it is, how a test's node is made (NULL: not at all), whether as another user, what is said
    ('a missing node', None, False, 'there is no such device', 'modprobe kvm_intel'),
    ('a node without a driver', os.makedev(10, 250), False, 'no driver answers', 'modprobe kvm_intel'),
    ('another device', os.makedev(1, 3), False, "is not KVM's device", 'mknod /dev/kvm c 10 232'),
    ('a node without permission', os.makedev(10, 232), True, 'no permission', 'usermod -aG kvm'),
]
OPTIONS = [ # arguments, what is said
    (['-accel', 'kvm,kernel-irqchip=off'], 'the local APICs are the kernel\'s\n.*kernel-irqchip=split'),
    (['-accel', 'kvm,kernel-irqchip=maybe'], 'wants one of on, off, split'),
    (['-accel', 'kvm,kernel-irqchip=on'], 'is taken as split'),
    (['-accel', 'kvm,dirty-ring-size=1000'], 'dirty-ring-size=1000 is no power of two of at least 1024'),
    (['-accel', 'kvm,kernel-irqchip=split,kvm-shadow-mem=64M', '-cpu', 'qemu64,+3dnow,enforce'],
     'cannot have here: .*3dnow.*\n.*leave out enforce'),
    (['-accel', 'kvm', '-cpu', 'max,+vmx'], '-cpu max: not to be had here: .*vmx'),
]


def says(binary, args, user=None, ask=''):
    """What the program says on its way to a monitor that quits."""
    args = [binary, '-S', '-m', '16', '-nodefaults', '-display', 'none', '-monitor', 'stdio'] + args
    done = subprocess.run(args, input=f'{ask}\nquit\n', stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
                          check=False, user=user)
    return done.stdout


def judge(name, said, wanted):
    """A line; 1 if the words are not there."""
    if re.search(wanted, said):
        print(f'ok   kvm: {name}: a clear word')
        return 0
    print(f'FAIL kvm: {name}: it said {said!r}, which has no {wanted!r}')
    return 1


def nodes(binary, folder):
    """Device nodes that are none. How many are not told clearly."""
    failed = 0
    for number, (name, device, other, said, hint) in enumerate(NO_NODES):
        path = f'{folder}/node{number}'
        try:
            if device:
                os.mknod(path, 0o20600, device)
            text = says(binary, ['-accel', f'kvm,device={path}'], 65534 if other else None)
        except PermissionError:
            print(f'skip kvm: {name}: this takes root')
            continue
        failed += judge(name, text, f'{path}: {re.escape(said)}.*\n.*{re.escape(hint)}')
    return failed


def without_smm(binary):
    """Where KVM has no SMM it cannot be asked for, nor can a machine that has it come to KVM."""
    said = says(binary, ['-accel', 'kvm', '-machine', 'smm=on'])
    if 'system management mode' not in said:
        print('skip kvm: a machine with SMM on a KVM without: this one has it')
        return 0
    return judge('smm=on', said, 'smm=on: .* has no system management mode on this host\n.*leave it out') + judge(
        'x_accel kvm with SMM', says(binary, ['-accel', 'tcg', '-cpu', 'qemu64'], ask='x_accel kvm'),
        'has no system management mode here')


def options(binary):
    """Options that KVM does not take, or takes in its own way."""
    return sum(judge(' '.join(args), says(binary, args), wanted) for args, wanted in OPTIONS)


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
        path = rom.assemble(os.path.join(HERE, 'kvm_smoke.S'), folder)
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
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        failed += nodes(binary, folder)
    if 'kvm' in engines:
        failed += options(binary) + without_smm(binary)
        failed += subprocess.run([os.path.join(os.path.dirname(binary), 'tests/kvm/kvm-guests')], check=False).returncode
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
