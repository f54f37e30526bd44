#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""KVM for real on hosts without VT-x: nested.py --binary B [--shell] [--smp N] [NAME...]

Debian's QEMU, which emulates AMD-V, boots Debian's kernel with KVM's modules from an initramfs that
holds our program with its libraries and firmware; in there it boots the same kernel with
-accel kvm. Prints `ok NAME`, `FAIL NAME: why` or `skip NAME: why`. --shell: the outer guest's shell
on this terminal, for work on the engine.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from guest import Guest, GuestError, compile_static

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, 'tests/gdb'))
import session  # noqa: E402
QEMU = 'qemu-system-x86_64'
GDB_LIMIT, PAUSE = 120, 8 # seconds
HYPERV = ('kvm=off,hv-relaxed,hv-vapic,hv-time,hv-vpindex,hv-runtime,hv-frequencies,hv-reset,hv-synic,hv-stimer,'
          'hv-stimer-direct,hv-tlbflush,hv-ipi')
FIRMWARE = ['/usr/share/seabios/bios-256k.bin']
INIT = r'''#!/bin/sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/ TERM=linux PS1='outer:\w# '
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in irqbypass kvm kvm-amd; do insmod /modules/$module.ko; done
echo 3 >/proc/sys/kernel/printk
cd /
setsid cttyhack sh
poweroff -f
'''


class Skip(Exception):
    """This host lacks something that the test needs."""


def guest_files(kind):
    """Kernel and initramfs of that kind."""
    done = subprocess.run([os.path.join(TOP, 'scripts/guest-files'), kind], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Skip(f'no {kind} guest files: {done.stderr.strip().splitlines()[-1:]}')
    return done.stdout.split()


def libraries(binary):
    """Shared libraries of a program, as paths."""
    out = subprocess.run(['ldd', binary], stdout=subprocess.PIPE, text=True, check=True).stdout
    return re.findall(r'(/\S+)', out)


def put(root, source, path=None):
    """A file into the tree, at its own path unless told otherwise."""
    target = root + (path or source)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copyfile(os.path.realpath(source), target)
    shutil.copymode(os.path.realpath(source), target)


def archive(root, path, mode='wb'):
    """A tree as an initramfs; mode 'ab': behind another."""
    with open(path, mode) as out:
        listing = subprocess.run(['find', '.'], cwd=root, stdout=subprocess.PIPE, check=True).stdout
        subprocess.run(['cpio', '--quiet', '-o', '-H', 'newc', '-R', '0:0'], cwd=root, input=listing,
                       stdout=out, check=True)


def inner_initramfs(busybox, folder):
    """Busybox's, and behind it the work."""
    path, root = os.path.join(folder, 'inner'), os.path.join(folder, 'inner-root')
    os.makedirs(root + '/bin')
    compile_static(os.path.join(HERE, 'nested_work.c'), root + '/bin/nested-work')
    shutil.copyfile(busybox, path)
    with open(path, 'ab') as file:
        file.write(bytes(-os.path.getsize(path) % 4))
    archive(root, path, 'ab')
    shutil.rmtree(root)
    return path


def initramfs(binary, folder, extra=()):
    """The outer guest's: returns its path."""
    kernel, inner = guest_files('nested')
    cache = os.path.dirname(kernel)
    root = os.path.join(folder, 'root')
    for name in ('bin', 'proc', 'sys', 'dev', 'tmp'):
        os.makedirs(os.path.join(root, name), exist_ok=True)
    put(root, os.path.join(cache, 'busybox-static/bin/busybox'), '/bin/busybox')
    os.symlink('busybox', os.path.join(root, 'bin/sh'))
    for module in ('irqbypass', 'kvm', 'kvm-amd'):
        put(root, f'{cache}/modules/{module}.ko', f'/modules/{module}.ko')
    put(root, kernel, '/guest/kernel')
    put(root, inner_initramfs(inner, folder), '/guest/initramfs')
    put(root, binary, '/bin/rhea')
    subprocess.run(['strip', '-g', root + '/bin/rhea'], check=False)
    for path in libraries(binary) + FIRMWARE:
        put(root, path)
    for source, path in extra:
        put(root, source, path)
    with open(root + '/init', 'w', encoding='ascii') as file:
        file.write(INIT)
    os.chmod(root + '/init', 0o755)
    path = os.path.join(folder, 'initramfs')
    archive(root, path)
    shutil.rmtree(root)
    return kernel, path


def outer_args(kernel, ramdisk, smp):
    """QEMU's command line. On a busy host QEMU's 8254 comes too late for the kernel's check of it, which then panics
    ("IO-APIC + timer doesn't work!"); any panic ends QEMU, so nobody waits for a prompt behind one. Its tick is periodic: with one that is
    set anew each time, one boot of some twenty stood still in one vCPU's loop, and the kernel did not give the other its turn until a key was hit."""
    return ['-accel', 'tcg', '-cpu', 'max', '-m', '2G', '-smp', str(smp), '-nodefaults', '-nographic',
            '-no-reboot', '-serial', 'stdio', '-monitor', 'none', '-kernel', kernel, '-initrd', ramdisk, '-append',
            'console=ttyS0 quiet mitigations=off tsc=reliable no_timer_check nohz=off highres=off panic=-1']


class Outer(Guest):
    """The outer guest at its shell."""

    prompt = 'outer:/# '

    def __init__(self, binary, folder, smp=1, extra=(), limit=300, options=()):
        if not shutil.which(QEMU):
            raise Skip(f'{QEMU} is not installed')
        super().__init__(QEMU, outer_args(*initramfs(binary, folder, extra), smp) + list(options), limit)
        self.expect(self.prompt)

    def sh(self, command, limit=None):
        """A command of the outer shell; what it printed."""
        return self.run(command, self.prompt, limit)


# The outer QEMU (7.2) does not intercept XSETBV of its AMD-V's guests, so its guest's KVM never hears which XCR0
# they chose: it answers CPUID's leaf 0xd for XCR0 = 1, and Linux, which compares, gives XSAVE up (the same under
# Debian's QEMU in Rhea's place). So Linux boots there without XSAVE; AVX under KVM is small_guests' affair,
# whose XCR0 KVM is told from outside.
LINUX = ('rhea -accel kvm -cpu max,-xsave -m 256 -nographic -kernel /guest/kernel -initrd /guest/initramfs '
         '-append "console=ttyS0 quiet" ')


def check(got, want, what):
    """A test's assertion."""
    if got != want:
        raise GuestError(f'{what} is {got!r}, not {want!r}')


def boot(outer, options):
    """Linux to its shell under KVM."""
    outer.send(LINUX + options + '\n')
    outer.expect('rhea:/# ')
    check(outer.run('echo answer-$((6 * 7))'), 'answer-42', 'the answer')


def off(outer):
    """The inner guest powers off."""
    outer.send('poweroff -f\n')
    outer.expect(outer.prompt)


def works(outer, smp):
    """The work in a guest with so many CPUs."""
    boot(outer, f'-smp {smp}')
    check(outer.run('grep -c ^processor /proc/cpuinfo'), str(smp), 'the number of CPUs')
    check(outer.run('nested-work 3').splitlines()[-1], 'work done', 'the end of the work')
    check(outer.run('dmesg | grep -A 3 "BUG:\\|WARNING:\\|Oops"'), '', 'what the kernel complains of')
    off(outer)


def linux_one(outer):
    """Linux boots with one vCPU to a shell, works (time, FPU, signals) and powers off."""
    works(outer, 1)


def linux_two(outer):
    """With two vCPUs FPU state moves between them, and time is the same on both."""
    works(outer, 2)


def monitor(outer, *commands):
    """Commands at the inner monitor, which Ctrl-A C reaches; what they printed."""
    outer.send('\x01c')
    outer.expect('(qemu) ')
    said = [outer.run(command, '(qemu) ').removeprefix(command) for command in commands]
    outer.send('\x01c')
    return said


def engine_changes(outer):
    """While it works the guest moves from KVM to the software engine and back; the state suffices."""
    boot(outer, '-smp 2 -cpu x86-64-v2')
    outer.send('nested-work 6\n')
    outer.expect('round 2: fpu right, time right')
    check(monitor(outer, 'stop', 'x_accel tcg', 'cont'), [''] * 3, 'what the monitor said')
    outer.expect('round 4: fpu right, time right')
    check(monitor(outer, 'stop', 'x_accel kvm', 'cont'), [''] * 3, 'what the monitor said')
    outer.expect('work done')
    outer.expect('rhea:/# ')
    off(outer)


def nmis(outer):
    """How many each of two vCPUs has had; what the kernel says meanwhile is passed over."""
    said = outer.run("sed -n 's/^ *NMI: *\\([0-9]*\\) *\\([0-9]*\\) .*/had \\1 \\2/p' /proc/interrupts")
    return [int(n) for n in re.search(r'^had (\d+) (\d+)$', said, re.M).groups()]


def send_nmi(outer):
    """An NMI from the monitor."""
    before = nmis(outer)
    check(monitor(outer, 'nmi'), [''], 'what the monitor said')
    outer.expect('NMI received') # by one of them, for a reason that it does not know
    check(nmis(outer), [n + 1 for n in before], 'the numbers of NMIs')


def uptime(outer):
    """The guest's age in seconds; what the kernel says meanwhile is passed over."""
    return float(re.search(r'^up ([\d.]+)$', outer.run('echo up $(cut -d" " -f1 /proc/uptime)'), re.M).group(1))


def nmi_and_pause(outer):
    """An NMI reaches each vCPU once; a guest that was stopped has not aged."""
    boot(outer, '-smp 2')
    send_nmi(outer)
    first = uptime(outer)
    outer.send('\x01c')
    outer.expect('(qemu) ')
    outer.run('stop', '(qemu) ')
    end = time.monotonic() + PAUSE
    while time.monotonic() < end:
        check('paused' in outer.run('info status', '(qemu) '), True, 'that it still stands')
    outer.run('cont', '(qemu) ')
    outer.send('\x01c\n')
    outer.expect('rhea:/# ')
    aged = uptime(outer) - first
    check(aged < PAUSE, True, f'that it aged less than the {PAUSE} s that it stood, but {aged} s')
    check(outer.run('nested-work 2').splitlines()[-1], 'work done', 'the end of the work')
    check(outer.run('dmesg | grep -i "stall\\|skewed\\|backwards"'), '', 'what the kernel complains of')
    off(outer)


def resets(outer):
    """The guest resets itself, then the monitor resets it; both times it boots again with all vCPUs."""
    boot(outer, '-smp 2')
    outer.send('reboot -f\n')
    outer.expect('rhea:/# ')
    check(outer.run('grep -c ^processor /proc/cpuinfo'), '2', 'the number of CPUs')
    outer.send('\x01c')
    outer.expect('(qemu) ')
    outer.send('system_reset\n\x01c')
    outer.expect('rhea:/# ')
    check(outer.run('nested-work 1').splitlines()[-1], 'work done', 'the end of the work')
    off(outer)


def hyperv(outer):
    """Linux finds Hyper-V's enlightenments, those among them that only the kernel serves, and works with them."""
    boot(outer, f'-smp 2 -cpu max,-xsave,{HYPERV}')
    said = outer.run('dmesg | grep -i hyper-v')
    for words in ('Hypervisor detected: Microsoft Hyper-V', 'Using hypercall for remote TLB flush', 'Using IPI hypercalls'):
        check(words in said, True, f'{words!r} in {said!r}')
    check('hyperv' in outer.run('cat /sys/devices/system/clocksource/*/current_clocksource'), True, 'whose clock is used')
    check(outer.run('nested-work 3').splitlines()[-1], 'work done', 'the end of the work')
    said = monitor(outer, 'stop', 'x_accel tcg', 'cont')[1]
    check('hv-synic is not offered by this engine' in said, True, f'why it cannot leave KVM: {said!r}')
    check(outer.run('nested-work 1').splitlines()[-1], 'work done', 'the end of the work')
    off(outer)


def engine_refuses(outer):
    """A CPU with a feature that the other engine lacks stays where it is; the feature is named."""
    outer.send('rhea -accel kvm -S -cpu max,+3dnowext -m 64 -display none -serial none -monitor stdio\n')
    outer.expect('(qemu) ')
    said = outer.run('x_accel tcg', '(qemu) ')
    check('does not offer the guest\'s CPU feature 3dnowext' in said, True, f'its name in {said!r}')
    outer.send('quit\n')
    outer.expect(outer.prompt)


def gdb_session(outer):
    """gdb on the host steers a boot sector in the inner guest, by the outer one's second serial port."""
    if not shutil.which('gdb'):
        raise Skip('gdb is not installed')
    outer.sh('stty -F /dev/ttyS1 115200 raw -echo clocal')
    outer.send('rhea -accel kvm -cpu max,-xsave -m 16 -bios /guest/sector -nodefaults -display none -S '
               '-monitor stdio -gdb pipe:/dev/ttyS1\n')
    outer.expect('(qemu) ')
    try:
        lines = session.gdb_run(outer.folder, 'kvm_gdb.py', GDB_LIMIT, SECTOR_PLACES=outer.places)
    except subprocess.TimeoutExpired as why:
        said = (why.stdout or b'').decode(errors='replace')
        raise GuestError(f'gdb has not ended within {GDB_LIMIT} s; it said:\n{said[-1500:]}') from why
    check(session.judge('kvm', lines), 0, 'the number of failures')
    check('KVM has four debug registers' in '\n'.join(lines), True, 'that gdb tells why a breakpoint is refused')
    for line in [line for line in lines if line.startswith('skip ')]:
        print(f'skip nested: gdb_session: {line[5:]}')
    check('running' in outer.run('info status', '(qemu) '), True, 'the guest goes on')
    at = re.search(r'counter=(\S+)', outer.places).group(1)
    seen = {outer.run(f'xp /1gx {at}', '(qemu) ').split()[-1] for _ in range(20)}
    check(len(seen) > 1 and min(seen) > '0x5', True, f'that the loop counts on: {seen}')
    outer.send('quit\n')
    outer.expect(outer.prompt)


def small_guests(outer):
    """The program kvm-guests: written pages, doorbells, NMI, SMI, slots, pauses, with a KVM that is one."""
    said = outer.sh('kvm-guests')
    check(re.findall(r'^(?:FAIL|skip).*|.*\.c:\d+:.*', said, re.M), [], f'what fails or is not run in {said!r}')
    check(' 0 failed' in said, True, f'its end in {said!r}')


TESTS = [small_guests, engine_changes, engine_refuses, gdb_session, linux_one, linux_two, hyperv, nmi_and_pause, resets]


def with_sector(binary, folder, smp):
    """The outer guest with the boot sector of tests/gdb, and a second serial port for gdb."""
    rom, symbols, table = session.assemble(folder)
    places = dict(symbols['at'])
    places['write16'], places['write32'] = [at for at in sorted(table) if table[at][1] == 'mov cr0,eax']
    small = os.path.join(os.path.dirname(binary), 'tests/kvm/kvm-guests')
    outer = Outer(binary, folder, smp, [(rom, '/guest/sector'), (small, '/bin/kvm-guests')],
                  options=['-serial', f'unix:{folder}/gdb,server=on,wait=off'])
    outer.folder = folder
    outer.places = ' '.join(f'{name}={at:#x}' for name, at in places.items())
    return outer


def run_tests(binary, names, smp):
    """All in one outer guest; how many failed."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder, with_sector(binary, folder, smp) as outer:
        check('No' in outer.sh('ls /dev/kvm'), False, 'the absence of /dev/kvm')
        for test in TESTS:
            name = test.__name__
            if names and name not in names:
                continue
            try:
                test(outer)
                print(f'ok   nested: {name}: {test.__doc__}', flush=True)
            except Skip as why:
                print(f'skip nested: {name}: {why}', flush=True)
            except GuestError as why:
                print(f'FAIL nested: {name}: {why}', flush=True)
                return failed + 1 # nobody knows where the outer guest stands now
    return failed


def main():
    """Run what was named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--binary', required=True)
    parser.add_argument('--shell', action='store_true')
    parser.add_argument('--smp', type=int, default=1)
    parser.add_argument('names', nargs='*')
    args = parser.parse_args()
    if args.shell:
        with tempfile.TemporaryDirectory() as folder:
            return subprocess.call([QEMU] + outer_args(*initramfs(args.binary, folder), args.smp))
    try:
        return 1 if run_tests(args.binary, args.names, args.smp) else 0
    except Skip as why:
        print(f'skip nested: {why}')
        return 0
    except GuestError as why:
        print(f'FAIL nested: {why}')
        return 1


if __name__ == '__main__':
    sys.exit(main())
