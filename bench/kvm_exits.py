#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What an exit costs under -accel kvm, beside Debian's QEMU: kvm_exits.py [--binary RHEA] [--boot]

Both run the same ROM (kvm_exits.S) under the same nested KVM (tests/guest/nested.py), while the outer
QEMU counts instructions, which are its guest's time: the TSC then counts instructions of the host's
kernel and of the emulator together, and a run can be repeated. --boot: also boots Linux under both
and prints the seconds (thousand million instructions) to the prompt.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, 'tests/guest'))
import nested  # pylint: disable=wrong-import-position
import rom  # pylint: disable=wrong-import-position

QEMU_FILES = ['kvmvapic.bin', 'linuxboot_dma.bin', 'linuxboot.bin']
ROM = ('-m 16 -bios /exits.rom -nodefaults -display none -chardev stdio,id=d -device '
       'isa-debugcon,iobase=0xe9,chardev=d -device isa-debug-exit')
COMMANDS = {'rhea': 'rhea -accel kvm', 'qemu': 'qemu -L /usr/share/qemu -L /usr/share/seabios -accel kvm,kernel-irqchip=split -cpu host'}
LINUX = ('-cpu qemu64 -m 256 -nodefaults -nographic -serial stdio -kernel /guest/kernel -initrd /guest/initramfs '
         '-append "console=ttyS0 quiet" -no-reboot')


def files(folder):
    """What the outer guest needs besides: the ROM and QEMU with its libraries."""
    qemu = '/usr/bin/' + nested.QEMU
    extra = [(rom.assemble(os.path.join(TOP, 'bench/kvm_exits.S'), folder), '/exits.rom'), (qemu, '/bin/qemu')]
    extra += [(path, path) for path in nested.libraries(qemu)]
    for name in QEMU_FILES:
        for where in ('/usr/share/qemu/', '/usr/share/seabios/'):
            if os.path.exists(where + name):
                extra.append((where + name, where + name))
    return extra


def boot_seconds(outer, command):
    """From start to the prompt, on the outer guest's clock; then off."""
    outer.send(f'cut -d" " -f1 /proc/uptime; {command} {LINUX}\n')
    start = float(re.search(r'\n([\d.]+)\n', outer.expect('rhea:/# ')).group(1))
    outer.send('poweroff -f\n')
    outer.expect(outer.prompt)
    outer.send('cut -d" " -f1 /proc/uptime\n')
    end = float(re.search(r'([\d.]+)\n', outer.expect(outer.prompt)).group(1))
    return end - start


def main():
    """A line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--binary', default=os.path.join(TOP, 'build-release/rhea-system-x86_64'))
    parser.add_argument('--boot', action='store_true')
    args = parser.parse_args()
    results, boots = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        more = ['-icount', 'shift=0,sleep=off']
        with nested.Outer(args.binary, folder, 1, files(folder), 1500, more) as outer:
            for name, command in COMMANDS.items():
                text = outer.sh(f'{command} {ROM}')
                results[name] = {kind: int(n) for kind, n in re.findall(r'([a-z-]+) (\d+)\n', text)}
            for name, command in COMMANDS.items():
                if args.boot:
                    boots[name] = boot_seconds(outer, command)
    print(f'{"instructions":14} {"rhea":>9} {"qemu":>9} {"ratio":>6}')
    for kind, mine in results['rhea'].items():
        other = results['qemu'].get(kind)
        print(f'{kind:14} {mine:9} {other or 0:9} {mine / other if other else 0:6.2f}')
    for name, seconds in boots.items():
        print(f'boot and off, {name}: {seconds:.1f} thousand million instructions')
    return 0


if __name__ == '__main__':
    sys.exit(main())
