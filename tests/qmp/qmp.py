#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The monitor protocol on a running program: qmp.py --binary B [--guest] [NAME...]

Prints a line a test. Without --guest: machines whose guest is SeaBIOS or nothing. With it: Debian's
kernel, and every command of the schema must have been used by some test.
"""
import argparse
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, 'tests/guest'))

from client import Qmp, QmpError  # noqa: E402
from guest import Guest, GuestError  # noqa: E402

TESTS = []


class Skip(Exception):
    """This host lacks something that the test needs."""


def test(guest=False):
    """Lists a test; its name is the function's, its sentence the docstring."""
    def add(function):
        TESTS.append((function, guest))
        return function
    return add


def check(got, want, what):
    """A test's assertion."""
    if got != want:
        raise GuestError(f'{what} is {got!r}, not {want!r}')


def refused(qmp, text, command, kind='GenericError', **arguments):
    """The command fails with that class, and its text names what is wrong."""
    try:
        qmp(command, **arguments)
    except QmpError as why:
        check((why.kind, text in why.text), (kind, True), f'the error {why} with {text!r}')
        return
    raise GuestError(f'{command} {arguments} was accepted')


class Emulator:
    """A program with monitors at sockets of its own folder, which listen already: they are passed to it."""

    def __init__(self, binary, *args, monitors=1):
        self.folder = tempfile.mkdtemp(prefix='rhea-qmp-')
        self.paths = [self.file(f'qmp{i}') for i in range(monitors)]
        argv = [] if '-machine' in args else ['-accel', 'tcg']
        argv += ['-display', 'none']
        listening = []
        for i, path in enumerate(self.paths):
            listening.append(socket.socket(socket.AF_UNIX))
            listening[i].bind(path)
            listening[i].listen()
            argv += ['-chardev', f'socket,id=mon{i},fd={listening[i].fileno()},server=on,wait=off', '-mon', f'chardev=mon{i},mode=control']
        self.guest = Guest(binary, argv + list(args), 120, pass_fds=[s.fileno() for s in listening])
        for one in listening:
            one.close()
        self.qmp = Qmp(self.paths[0], negotiate=False)
        if self.qmp.greeting is None:
            self.guest.end(5)
            raise GuestError(f'ended at once: {self.guest.tail()}')
        self.qmp('qmp_capabilities')

    def file(self, name):
        """A path in the folder."""
        return os.path.join(self.folder, name)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.qmp.close()
        self.guest.__exit__()
        shutil.rmtree(self.folder)


def firmware(binary, *more, **rest):
    """A PC that waits at its start, without a display."""
    return Emulator(binary, '-S', '-nodefaults', *more, **rest)


# ---- the protocol ----


@test()
def greeting(binary):
    """The greeting names the version; errors name unknown commands and the nearest right one."""
    with firmware(binary) as e:
        check(e.qmp.greeting['QMP']['capabilities'], ['oob'], 'what is offered')
        check(e.qmp('query-version')['qemu'], {'major': 7, 'minor': 2, 'micro': 0}, 'the version')
        refused(e.qmp, 'did you mean query-status?', 'query-statuz', 'CommandNotFound')
        names = [c['name'] for c in e.qmp('query-commands')]
        check(names, sorted(names), 'the order of commands')


@test()
def schema(binary):
    """query-qmp-schema names every command, and every type that it mentions is there."""
    with firmware(binary) as e:
        entries = {entry['name']: entry for entry in e.qmp('query-qmp-schema')}
        for command in e.qmp('query-commands'):
            check(entries[command['name']]['meta-type'], 'command', command['name'])
        for entry in entries.values():
            named = [entry.get(key) for key in ('arg-type', 'ret-type', 'element-type') if key in entry]
            named += [m['type'] for m in entry.get('members', []) if 'type' in m] + [v['type'] for v in entry.get('variants', [])]
            check([name for name in named if name not in entries], [], f'unknown types of {entry["name"]}')
        check([f for f in entries['device_add']['features'] if f == 'json-cli-hotplug'], ['json-cli-hotplug'], 'its features')


def wrong_values(entries, kind):
    """Values that a type does not take."""
    entry = entries[kind]
    if entry['meta-type'] == 'builtin' and entry['json-type'] == 'value':
        return []
    if entry['meta-type'] == 'enum':
        return [3, 'no-such-value']
    good = {'string': 'text', 'int': 1, 'boolean': True, 'number': 1.5}
    mine = entry.get('json-type', {'array': 'array', 'object': 'object'}.get(entry['meta-type']))
    bad = [value for name, value in good.items() if name != mine and not (mine == 'number' and name == 'int')]
    return bad + ([] if mine == 'array' else [[]]) + ([] if mine == 'object' else [{}])


@test()
def ill_typed(binary):
    """Every argument of every command refuses values of other types, and every command unknown arguments, by name."""
    with firmware(binary) as e:
        entries = {entry['name']: entry for entry in e.qmp('query-qmp-schema')}
        tried = 0
        for command in [c['name'] for c in e.qmp('query-commands')]:
            if command == 'qmp_capabilities':
                continue
            members = entries[entries[command]['arg-type']]['members']
            given = {m['name']: m['type'] for m in members}
            for name, kind in given.items():
                for value in wrong_values(entries, kind):
                    # what comes before it in the schema must be there and right
                    good = {'str': 'x', 'int': 1, 'bool': False, 'size': 1}
                    before = {m['name']: good[m['type']] if m['type'] in good else entries[m['type']].get('values', [None])[0] for m in members[:[m['name'] for m in members].index(name)] if 'default' not in m}
                    if any(entries[given[n]]['meta-type'] in ('object', 'array') for n in before):
                        continue
                    try:
                        e.qmp.run(command, {**before, name: value})
                        raise GuestError(f'{command} takes {name}={value!r}')
                    except QmpError as why:
                        check(f'parameter {name}' in why.text, True, f'{command} {name}={value!r}: {why}: it names the argument')
                    tried += 1
            if command in ('device_add', 'object-add'):
                continue
            try:
                required = [m['name'] for m in members if 'default' not in m]
                e.qmp.run(command, {'no-such-argument': 1})
                raise GuestError(f'{command} takes no-such-argument')
            except QmpError as why:
                check('no-such-argument' in why.text or any(name in why.text for name in required), True, f'{command}: {why}: it names the argument')
        check(tried > 200, True, f'{tried} wrong values above 200')


@test()
def clients(binary):
    """Two clients at once, one of which reads nothing: it costs the other no event, and little memory."""
    with firmware(binary, monitors=2) as e:
        slow = Qmp(e.paths[1])

        def resident():
            with open(f'/proc/{e.guest.process.pid}/statm', encoding='ascii') as file:
                return int(file.read().split()[1]) * 4 // 1024
        before = resident()
        rounds = 15000
        for _ in range(rounds // 50):
            e.qmp.send(('{"execute":"cont"}{"execute":"stop"}' * 50))
            replies = 0
            while replies < 100:
                replies += 'return' in e.qmp.reply()
        names = [event['event'] for event in e.qmp.events]
        check((names.count('STOP'), names.count('RESUME')), (rounds, rounds), 'the events of the fast client')
        check(resident() - before < 12, True, f'{resident() - before} MB more below 12')
        seen = [slow.message()['event'] for _ in range(1000)]
        check(seen, ['RESUME', 'STOP'] * 500, 'what the slow one finds first')
        slow.close()


@test()
def one_after_another(binary):
    """A client may go and another come, which negotiates anew."""
    with firmware(binary) as e:
        e.qmp('query-status')
        e.qmp.close()
        e.qmp = Qmp(e.paths[0], negotiate=False)
        refused(e.qmp, 'qmp_capabilities', 'query-status', 'CommandNotFound')
        e.qmp('qmp_capabilities')
        check(e.qmp('query-status')['status'], 'prelaunch', 'the state')


@test()
def out_of_band(binary):
    """A command out of band is answered before those that wait; only some may be."""
    with firmware(binary) as e:
        e.qmp.close()
        e.qmp = Qmp(e.paths[0], negotiate=False)
        e.qmp('qmp_capabilities', enable=['oob'])
        e.qmp.send('{"execute":"query-status","id":1}{"execute":"query-status","id":2}{"exec-oob":"query-status","id":3}')
        replies = [e.qmp.reply() for _ in range(3)]
        check([r['id'] for r in replies], [3, 1, 2], 'the order of replies')
        check('out of band' in replies[0]['error']['desc'], True, 'the first is refused')


@test()
def transports(binary):
    """-qmp on stdio, TCP and a pty, -mon at a passed descriptor; -qmp-pretty."""
    base = [binary, '-accel', 'tcg', '-display', 'none', '-S', '-nodefaults']
    quit_ = '{"execute":"qmp_capabilities"}{"execute":"quit"}'
    for option in ('-qmp', '-qmp-pretty'):
        done = subprocess.run(base + [option, 'stdio'], input=quit_.encode(), stdout=subprocess.PIPE, timeout=60, check=True)
        check(done.stdout.count(b'\r\n') >= 3, True, f'{option}: three lines end in CR LF')
        check(b'\n    "' in done.stdout or b'\n  "' in done.stdout, option == '-qmp-pretty', f'{option}: lines are indented')
    here, there = socket.socketpair()
    there.set_inheritable(True)
    with subprocess.Popen(base + ['-chardev', f'socket,id=c,fd={there.fileno()}', '-mon', 'chardev=c,mode=control,pretty=off'],
                          pass_fds=[there.fileno()]) as process:
        there.close()
        here.sendall(quit_.encode())
        check(process.wait(60), 0, 'the exit status')
    text = b''
    while chunk := here.recv(4096):
        text += chunk
    check(b'"host-qmp-quit"' in text, True, 'the event at the end')
    with socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
    with firmware(binary, '-qmp', f'tcp:127.0.0.1:{port},server=on,wait=off', '-qmp', 'pty') as e:
        with socket.create_connection(('127.0.0.1', port)) as tcp, tcp.makefile('rb') as lines:
            tcp.sendall(b'{"execute":"qmp_capabilities","id":1}')
            check([b'"QMP"' in lines.readline(), lines.readline()], [True, b'{"return":{},"id":1}\r\n'], 'TCP')
        pty = next(c['filename'] for c in e.qmp('query-chardev') if c['filename'].startswith('pty:'))
        with open(pty[4:], 'r+b', buffering=0) as terminal:
            text = b''
            while b'\r\n' not in text:
                text += terminal.read(4096)
            check(b'"QMP"' in text, True, 'the greeting at the pty')


# ---- queries ----


@test()
def none_machine(binary):
    """A machine without a board answers what management programs ask when they probe."""
    with Emulator(binary, '-S', '-no-user-config', '-nodefaults', '-nographic', '-machine', 'none,accel=kvm:tcg') as e:
        q = e.qmp
        check(q('query-target'), {'arch': 'x86_64'}, 'the target')
        check(sorted(q('query-kvm')), ['enabled', 'present'], 'members of query-kvm')
        types = [t['name'] for t in q('qom-list-types')]
        for name in ('tcg-accel', 'isa-serial', 'max-x86_64-cpu', 'memory-backend-memfd', 'pvpanic'):
            check(name in types, True, f'{name} among the types')
        for name in ('virtio-blk-pci', 'usb-host', 'ICH9-LPC'):
            refused(q, name, 'device-list-properties', 'DeviceNotFound', typename=name)
        names = [p['name'] for p in q('device-list-properties', typename='PIIX4_PM')]
        check({'disable_s3', 'disable_s4'} - set(names), set(), 'missing properties of PIIX4_PM')
        names = [p['name'] for p in q('qom-list-properties', typename='max-x86_64-cpu')]
        check('unavailable-features' in names, True, 'unavailable-features of a CPU')
        check('prealloc-threads' in [p['name'] for p in q('qom-list-properties', typename='memory-backend-file')], True,
              'prealloc-threads of a memory back end')
        machines = {m['name']: m for m in q('query-machines')}
        check((machines['pc-i440fx-7.2']['alias'], machines['pc-i440fx-7.2']['default-ram-id']), ('pc', 'pc.ram'), 'the PC')
        models = {m['name']: m for m in q('query-cpu-definitions')}
        check((models['max']['typename'], models['max']['unavailable-features']), ('max-x86_64-cpu', []), 'model max')
        check('svm' in models['qemu64']['unavailable-features'], True, 'svm is not to be had')
        check([q('query-cpus-fast'), q('query-iothreads'), q('query-jobs'), q('query-hotpluggable-cpus')], [[]] * 4, 'what there is none of')


@test()
def management_start(binary):
    """What libvirt sends between the start of a process and `cont` has answers of the shape that it needs."""
    with firmware(binary, '-no-shutdown', '-chardev', 'pty,id=charserial0', '-device', 'isa-serial,chardev=charserial0,id=serial0,index=0') as e:
        q = e.qmp
        names = [c['capability'] for c in q('query-migrate-capabilities')]
        check(names, ['events'], 'capabilities of a migration')
        q('migrate-set-capabilities', capabilities=[{'capability': 'events', 'state': True}])
        check(q('query-migrate-capabilities'), [{'capability': 'events', 'state': True}], 'them, set')
        serial = next(c for c in q('query-chardev') if c['label'] == 'charserial0')
        check((serial['filename'].startswith('pty:/dev/pts/'), serial['frontend-open']), (True, True), 'the serial port')
        cpu = q('query-cpus-fast')[0]
        check(isinstance(cpu['thread-id'], int) and cpu['cpu-index'] == 0, True, 'the CPU')
        flags = [row['name'] for row in q('qom-list', path=cpu['qom-path']) if row['type'] == 'bool']
        check(len(flags) > 100, True, f'{len(flags)} features above 100')
        for name in flags:
            check(q('qom-get', path=cpu['qom-path'], property=name) in (True, False), True, name)
        check(q('qom-get', path=cpu['qom-path'], property='unavailable-features'), [], 'features that it lacks')
        check((q('query-iothreads'), q('query-named-block-nodes', flat=True), q('query-block')), ([], [], []), 'threads and disks')
        check([(r['name'], r['type']) for r in q('qom-list', path='/machine/peripheral')][1:], [('serial0', 'child<isa-serial>')], 'the devices')
        q('cont')
        q.event('RESUME')


@test()
def cpu_models(binary):
    """Expansions follow the properties that are given; a feature that is switched off takes with it what stands on it."""
    with firmware(binary) as e:
        def expand(kind, **model):
            return e.qmp('query-cpu-model-expansion', type=kind, model=model)['model']
        full = expand('static', name='max', props={'migratable': False})
        check((full['name'], full['props']['lm'], full['props']['sse2']), ('base', True, True), 'max')
        check(expand('full', name='max', props={'avx': False})['props']['avx2'], False, 'avx2 without avx')
        check(expand('full', name='qemu64')['name'], 'qemu64', 'the name of a full expansion')
        refused(e.qmp, 'did you mean max?', 'query-cpu-model-expansion', type='full', model={'name': 'mux'})


@test()
def machine_queries(binary):
    """Name, UUID, memory, CPUs and their places are those of the command line."""
    uuid = '5a1b0c9e-0001-4c5d-9e00-000000000001'
    with firmware(binary, '-name', 'guest=me', '-uuid', uuid, '-m', '64', '-smp', '2,sockets=2,cores=1,threads=1') as e:
        q = e.qmp
        check(q('query-name'), {'name': 'me'}, 'the name')
        check(q('query-uuid'), {'UUID': uuid}, 'the UUID')
        check(q('query-memory-size-summary')['base-memory'], 64 << 20, 'the memory')
        check(q('query-current-machine'), {'wakeup-suspend-support': True}, 'the machine')
        cpus = q('query-cpus-fast')
        check([(c['cpu-index'], c['props']['socket-id'], c['target']) for c in cpus], [(0, 0, 'x86_64'), (1, 1, 'x86_64')], 'the CPUs')
        check([c['vcpus-count'] for c in q('query-hotpluggable-cpus')], [1, 1], 'places for CPUs')
        threads = [c['thread-id'] for c in q('query-cpus-fast')]
        check([os.path.exists(f'/proc/{e.guest.process.pid}/task/{t}') for t in threads], [True, True], 'the threads are there')
        check(len(set(threads)), 2, 'the number of threads')
        options = {o['option']: {p['name'] for p in o['parameters']} for o in q('query-command-line-options')}
        check('hpet' in options['machine'] and 'path' in options['chardev'], True, 'parameters of options')
        check(len(q('query-command-line-options', option='machine')), 1, 'one option')
        refused(q, 'no-such', 'query-command-line-options', option='no-such')


@test()
def pci(binary):
    """query-pci shows what the machine has, and where the firmware has put it."""
    with Emulator(binary, '-nodefaults', '-device', 'pci-testdev,id=t,addr=5', '-chardev', 'stdio,id=d',
                  '-device', 'isa-debugcon,iobase=0x402,chardev=d') as e:
        e.guest.expect('No bootable device')
        devices = {(d['slot'], d['function']): d for d in e.qmp('query-pci')[0]['devices']}
        check(devices[0, 0]['id']['vendor'], 0x8086, 'the host bridge\'s vendor')
        mine = devices[5, 0]
        check((mine['qdev_id'], mine['id']['vendor']), ('t', 0x1b36), 'the device')
        check([r['address'] > 0 for r in mine['regions']], [True] * len(mine['regions']), 'where it answers')


# ---- objects ----


@test()
def objects(binary):
    """Objects are made, seen, changed where that may be, and removed."""
    with firmware(binary) as e:
        q = e.qmp
        q('object-add', **{'qom-type': 'memory-backend-ram', 'id': 'm0', 'size': 1 << 20})
        check([(p['name'], p['type']) for p in q('qom-list', path='/objects')][1:], [('m0', 'child<memory-backend-ram>')], 'the objects')
        check((q('qom-get', path='/objects/m0', property='size'), q('qom-get', path='m0', property='type')),
              (1 << 20, 'memory-backend-ram'), 'its size and type')
        refused(q, 'cannot change', 'qom-set', path='/objects/m0', property='size', value=1)
        refused(q, 'sice', 'qom-get', path='/objects/m0', property='sice')
        refused(q, '/objects/m1', 'qom-list', 'DeviceNotFound', path='/objects/m1')
        refused(q, 'is taken', 'object-add', **{'qom-type': 'memory-backend-ram', 'id': 'm0', 'size': 1 << 20})
        refused(q, 'memory-backend-ram', 'object-add', **{'qom-type': 'memory-backend-rom', 'id': 'm2'})
        q('object-del', id='m0')
        refused(q, 'm0', 'object-del', id='m0')
        check(q('qom-get', path='/machine/cpu0', property='unavailable-features'), [], 'features that the CPU lacks')
        check(q('qom-get', path='/machine/cpu0', property='lm'), True, 'its long mode')


@test()
def live_property(binary):
    """qom-set changes a property that may change while the machine runs: memory is left out of core dumps."""
    with firmware(binary, '-object', 'memory-backend-ram,id=m,size=48M') as e:
        for value in (False, True):
            e.qmp('qom-set', path='/objects/m', property='dump', value=value)
            check(e.qmp('qom-get', path='m', property='dump'), value, 'the property')
            with open(f'/proc/{e.guest.process.pid}/smaps', encoding='utf-8', errors='replace') as file:
                flags = re.search(r'Size: +49152 kB.*?VmFlags:([^\n]*)', file.read(), re.S)[1].split()
            check('dd' in flags, not value, 'the flag of the memory that it is not dumped')


@test()
def used_memory(binary):
    """Memory that the machine uses is not removed."""
    with firmware(binary, '-object', 'memory-backend-ram,id=pc.ram,size=64M', '-m', '64', '-machine', 'memory-backend=pc.ram,accel=tcg') as e:
        refused(e.qmp, 'in use', 'object-del', id='pc.ram')


@test()
def hotplug_refusals(binary):
    """A device that no bus takes now, an unknown one, a taken id: refused, and nothing is left behind."""
    with firmware(binary) as e:
        q = e.qmp
        refused(q, 'takes no devices while the machine runs', 'device_add', driver='isa-debugcon', id='d')
        refused(q, 'did you mean pci-testdev?', 'device_add', driver='pci-testdevice', id='d')
        refused(q, 'no property colour', 'device_add', driver='pci-testdev', id='d', colour=3)
        q('device_add', driver='pci-testdev', id='d')
        refused(q, 'is taken', 'device_add', driver='pci-testdev', id='d')
        refused(q, 'no device e', 'device_del', 'DeviceNotFound', id='e')
        refused(q, 'cannot be unplugged', 'device_del', id='/machine/cpu0')
        check([p['name'] for p in q('qom-list', path='/machine/peripheral')], ['type', 'd'], 'the devices')


# ---- chardevs ----


@test()
def chardevs(binary):
    """Back ends come, lead elsewhere, and go; ring buffers are read and written."""
    with firmware(binary, '-chardev', 'ringbuf,id=r', '-chardev', 'null,id=n', '-device', 'isa-serial,chardev=n,id=s') as e:
        q = e.qmp
        check(any(b['name'] == 'socket' for b in q('query-chardev-backends')), True, 'socket among the back ends')
        q('ringbuf-write', device='r', data='hello ')
        q('ringbuf-write', device='r', data='d29ybGQ=', format='base64')
        check(q('ringbuf-read', device='r', size=5), 'hello', 'the first bytes')
        check(q('ringbuf-read', device='r', size=100, format='base64'), 'IHdvcmxk', 'the rest')
        refused(q, 'no ring buffer', 'ringbuf-read', device='n', size=1)
        pty = q('chardev-add', id='p', backend={'type': 'pty', 'data': {}})['pty']
        path = e.file('sock')
        q('chardev-add', id='u', backend={'type': 'socket', 'data': {'addr': {'type': 'unix', 'data': {'path': path}}, 'wait': False}})
        where = {c['label']: c['filename'] for c in q('query-chardev')}
        check((where['p'], where['u']), (f'pty:{pty}', f'disconnected:unix:{path},server=on'), 'where they lead')
        q('chardev-remove', id='p')
        refused(q, 'no character device p', 'chardev-remove', id='p')
        refused(q, 'in use', 'chardev-remove', id='n')
        q('chardev-change', id='n', backend={'type': 'ringbuf', 'data': {'size': 1024}})
        check({c['label']: (c['filename'], c['frontend-open']) for c in q('query-chardev')}['n'], ('ringbuf', True), 'the serial port\'s')
        q('chardev-send-break', id='n')
        refused(q, 'which keeps it', 'chardev-change', id='mon0', backend={'type': 'null', 'data': {}})


# ---- life ----


@test()
def one_instruction(binary):
    """-singlestep shows in query-status."""
    with firmware(binary, '-singlestep') as e:
        check(e.qmp('query-status')['singlestep'], True, 'one instruction at a time')


@test()
def life(binary):
    """Stop, cont, reset, power button, quit: states, events and their reasons."""
    with firmware(binary) as e:
        q = e.qmp
        check(q('query-status'), {'running': False, 'singlestep': False, 'status': 'prelaunch'}, 'the state at first')
        q('cont')
        q.event('RESUME')
        q('stop')
        q.event('STOP')
        check(q('query-status')['status'], 'paused', 'the state')
        q('system_reset')
        check(q.event('RESET'), {'guest': False, 'reason': 'host-qmp-system-reset'}, 'the reset')
        q('system_powerdown')
        q.event('POWERDOWN')
        refused(q, 'does not sleep', 'system_wakeup')
        q('cont')
        q('quit')
        check(q.event('SHUTDOWN'), {'guest': False, 'reason': 'host-qmp-quit'}, 'the end')
        check((q.message(), e.guest.end()), (None, 0), 'what follows, and the exit status')


@test()
def actions(binary):
    """set-action: a reset ends the machine, and the end is a pause."""
    with firmware(binary) as e:
        e.qmp('set-action', reboot='shutdown', shutdown='pause')
        e.qmp('cont')
        e.qmp('system_reset')
        check(e.qmp.event('SHUTDOWN')['reason'], 'host-qmp-system-reset', 'the reason')
        e.qmp.event('STOP')
        check(e.qmp('query-status')['status'], 'shutdown', 'the state')
        refused(e.qmp, 'reset it first', 'cont')


@test()
def panic(binary):
    """A crash of the guest pauses the machine, as set-action asked; cont is refused, a reset starts it again."""
    with firmware(binary, '-device', 'pvpanic') as e:
        e.qmp('set-action', panic='pause')
        e.qmp('cont')
        e.qmp('human-monitor-command', command_line='o/b 0x505 1')
        check(e.qmp.event('GUEST_PANICKED')['action'], 'pause', 'what was done')
        e.qmp.event('STOP')
        check(e.qmp('query-status')['status'], 'guest-panicked', 'the state')
        refused(e.qmp, 'reset it first', 'cont')
        e.qmp('system_reset')
        e.qmp.event('RESET')
        e.qmp('cont')
        check(e.qmp('query-status')['status'], 'running', 'the state')


@test()
def trace(binary):
    """Trace points are found by pattern, switched on and off."""
    with firmware(binary) as e:
        q = e.qmp
        check([t['state'] for t in q('trace-event-get-state', name='rtc.*')], ['disabled'], 'the clock\'s')
        q('trace-event-set-state', name='rtc.*', enable=True)
        check(q('trace-event-get-state', name='rtc.set'), [{'name': 'rtc.set', 'state': 'enabled', 'vcpu': False}], 'rtc.set')
        refused(q, 'rtc.none', 'trace-event-get-state', name='rtc.none')
        refused(q, 'rtc.none', 'trace-event-set-state', name='rtc.none', enable=True)
        q('trace-event-set-state', name='rtc.none', enable=True, ignore_unavailable=True)


@test()
def memory_files(binary):
    """pmemsave and memsave write what the CPU sees; the reset vector holds a jump."""
    with firmware(binary) as e:
        path = e.file('mem')
        e.qmp('pmemsave', val=0xfffffff0, size=16, filename=path)
        with open(path, 'rb') as file:
            vector = file.read()
        check((len(vector), vector[0]), (16, 0xea), 'the reset vector')
        e.qmp('memsave', val=0xfffffff0, size=16, filename=path, cpu_index=0)
        with open(path, 'rb') as file:
            check(file.read(), vector, 'the same through the CPU')
        refused(e.qmp, 'cpu-index', 'memsave', val=0, size=1, filename=path, cpu_index=7)
        refused(e.qmp, 'no/such', 'pmemsave', val=0, size=1, filename='/no/such/file')


def elf_loads(path):
    """(class, machine, [(offset, linear, physical, size)], {note names}) of a core file."""
    with open(path, 'rb') as file:
        head = file.read(64)
        wide = head[4] == 2
        machine, = struct.unpack_from('<H', head, 18)
        at, = struct.unpack_from('<Q', head, 32) if wide else struct.unpack_from('<I', head, 28)
        size, count = struct.unpack_from('<HH', head, 54 if wide else 42)
        loads, notes = [], b''
        for i in range(count):
            file.seek(at + i * size)
            if wide:
                kind, _, offset, linear, physical, length = struct.unpack('<IIQQQQ', file.read(40))
            else:
                kind, offset, linear, physical, length = struct.unpack('<IIIII', file.read(20))
            if kind == 4:
                file.seek(offset)
                notes = file.read(length)
            else:
                loads.append((offset, linear, physical, length))
    return wide, machine, loads, notes


@test()
def dump(binary):
    """A dump of a machine in real mode is a 32-bit core file that holds its memory; begin and length choose a part."""
    with firmware(binary, '-m', '16') as e:
        q, path = e.qmp, e.file('core')
        check(q('query-dump-guest-memory-capability'), {'formats': ['elf']}, 'the formats')
        check(q('query-dump')['status'], 'none', 'the dump before')
        q('dump-guest-memory', paging=False, protocol=f'file:{path}')
        result = q.event('DUMP_COMPLETED')['result']
        check(q('query-dump'), result, 'the dump afterwards')
        check((result['status'], result['completed']), ('completed', result['total']), 'the dump')
        wide, machine, loads, notes = elf_loads(path)
        check((wide, machine, notes.count(b'CORE\0'), notes.count(b'QEMU\0')), (False, 3, 1, 1), 'the file')
        check(loads[0][1:3], (0, 0), 'where memory begins')
        q('dump-guest-memory', paging=False, protocol=f'file:{path}', begin=1 << 20, length=1 << 20, detach=True)
        q.event('DUMP_COMPLETED')
        check([load[1:] for load in elf_loads(path)[2]], [(1 << 20, 1 << 20, 1 << 20)], 'one megabyte')
        refused(q, 'begin', 'dump-guest-memory', paging=True, protocol=f'file:{path}', begin=0, length=1)
        refused(q, 'tcp:x', 'dump-guest-memory', paging=False, protocol='tcp:x')


@test()
def descriptors(binary):
    """A descriptor is passed with getfd, kept by name, dumped into, closed; none is left open."""
    with firmware(binary, '-m', '1') as e:
        folder = f'/proc/{e.guest.process.pid}/fd'

        def pass_fd(file, name):
            socket.send_fds(e.qmp.socket, [json.dumps({'execute': 'getfd', 'arguments': {'fdname': name}}).encode()], [file.fileno()])
            return e.qmp.reply()
        before = len(os.listdir(folder))
        refused(e.qmp, 'no descriptor came', 'getfd', fdname='x')
        with open(e.file('core'), 'w+b') as file:
            check(pass_fd(file, 'dump'), {'return': {}}, 'the reply')
            check(pass_fd(file, 'dump'), {'return': {}}, 'the reply for the same name')
            check(len(os.listdir(folder)), before + 1, 'the descriptors')
            e.qmp('dump-guest-memory', paging=False, protocol='fd:dump', detach=True)
            check(e.qmp.event('DUMP_COMPLETED')['result']['status'], 'completed', 'the dump')
            check(elf_loads(e.file('core'))[1], 3, 'the machine in the file')
            refused(e.qmp, 'no descriptor dump', 'dump-guest-memory', paging=False, protocol='fd:dump')
            pass_fd(file, 'other')
            e.qmp('closefd', fdname='other')
            refused(e.qmp, 'other', 'closefd', fdname='other')
            check('begins with no digit' in pass_fd(file, '1')['error']['desc'], True, 'a number as the name is refused')
        Qmp.used.add('getfd')
        check(len(os.listdir(folder)), before, 'the descriptors in the end')


@test()
def human(binary):
    """human-monitor-command answers as the monitor for people does."""
    with firmware(binary) as e:
        check('CR0=' in e.qmp('human-monitor-command', command_line='info registers'), True, 'info registers')


# ---- with Linux ----


def linux(binary, *more, append=''):
    """Debian's kernel at its shell, on the program's standard input and output."""
    done = subprocess.run([os.path.join(TOP, 'scripts/guest-files'), 'amd64'], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False)
    if done.returncode:
        raise Skip(f'no guest files: {done.stderr.strip().splitlines()[-1:]}')
    kernel, initramfs = done.stdout.split()
    e = Emulator(binary, '-nodefaults', '-m', '256', '-serial', 'stdio', '-kernel', kernel, '-initrd', initramfs,
                 '-append', f'console=ttyS0 nokaslr {append}', *more)
    try:
        e.guest.expect('rhea:/# ')
    except GuestError:
        e.__exit__()
        raise
    return e


def gdb_reads(path, *commands):
    """What gdb prints for a core file."""
    if not shutil.which('gdb'):
        raise Skip('gdb is not there')
    args = [word for command in commands for word in ('-ex', command)]
    return subprocess.run(['gdb', '-nx', '-batch', '-ex', f'core-file {path}'] + args, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120, check=False).stdout


def hotplug(e):
    """Devices come and go, and the guest sees it."""
    def count(ids):
        return e.guest.run(f'grep -l {ids} /sys/bus/pci/devices/*/device | wc -l')

    e.guest.run('dmesg -n 1')
    check(count('0x0005'), '0', 'pci-testdevs at first')
    e.qmp('device_add', driver='pci-testdev', id='t')
    while count('0x0005') != '1':
        pass
    e.qmp('device_del', id='t')
    check(e.qmp.event('DEVICE_DELETED'), {'device': 't', 'path': '/machine/peripheral/t'}, 'the event')
    check(count('0x0005'), '0', 'pci-testdevs in the end')


def dumped(e):
    """gdb finds the kernel's banner in a dump, at its linear address, and the CPU's registers."""
    path = e.file('core')
    running = e.qmp('query-status')['running']
    e.qmp('dump-guest-memory', paging=True, protocol=f'file:{path}')
    check(e.qmp.event('DUMP_COMPLETED')['result']['status'], 'completed', 'the dump')
    check((running, e.qmp('query-status')['running']), (True, True), 'the machine runs before and after')
    wide, machine, loads, notes = elf_loads(path)
    check((wide, machine, notes.count(b'CORE\0'), notes.count(b'QEMU\0')), (True, 62, 1, 1), 'the file')
    address = e.guest.run("grep ' linux_banner$' /proc/kallsyms").split()[0]
    text = gdb_reads(path, f'x/s 0x{address}', 'info registers cs', 'info threads')
    check('Linux version' in text, True, f'the banner in\n{text}')
    check(bool(re.search(r'cs\s+0x(10|33)\b', text)), True, f'CS in\n{text}')
    e.qmp('dump-guest-memory', paging=False, protocol=f'file:{path}')
    physical = next(p + int(address, 16) - v for _, v, p, n in loads if v <= int(address, 16) < v + n)
    check('Linux version' in gdb_reads(path, f'x/s {physical:#x}'), True, 'the banner at its physical address')
    e.qmp('memsave', val=int(address, 16) - (1 << 64), size=13, filename=path)
    with open(path, 'rb') as file:
        check(file.read(), b'Linux version', 'the banner by memsave')


def panicked(e):
    """A plugged pvpanic-pci is told of a crash; set-action says that it does nothing."""
    e.qmp('set-action', panic='none')
    e.qmp('device_add', driver='pvpanic-pci', id='p')
    while not (found := re.search('(/sys/.*)/device', e.guest.run('grep -l 0x0011 /sys/bus/pci/devices/*/device'))):
        pass
    folder = found[1]
    e.guest.run(f'echo 1 > {folder}/enable; devmem $(head -n 1 {folder}/resource | cut -d " " -f 1) 8 1')
    check(e.qmp.event('GUEST_PANICKED'), {'action': 'run'}, 'the event')
    check(e.qmp('query-status')['status'], 'running', 'the state')
    e.qmp('device_del', id='p')
    check(e.qmp.event('DEVICE_DELETED')['device'], 'p', 'what was unplugged')


def slept(e):
    """S3: SUSPEND, system_wakeup, WAKEUP, and the guest goes on."""
    e.guest.send('echo mem > /sys/power/state; echo woke-$((20 + 3))\n')
    e.qmp.event('SUSPEND')
    check(e.qmp('query-status')['status'], 'suspended', 'the state')
    e.qmp('system_wakeup')
    e.qmp.event('WAKEUP')
    e.guest.expect('woke-23\n')
    e.guest.expect('rhea:/# ')


@test(guest=True)
def guest_linux(binary):
    """Linux: devices plugged and unplugged, dumps that gdb reads, an NMI, its clock, sleep, the power button."""
    with linux(binary) as e:
        hotplug(e)
        dumped(e)
        panicked(e)
        e.qmp('inject-nmi')
        e.guest.expect('Dazed and confused, but trying to continue')
        e.guest.run('')
        e.guest.run('hwclock -w -u; date -u -s @2000000000; hwclock -w -u')
        offset = e.qmp.event('RTC_CHANGE')['offset']
        while abs(offset) < 1000000:
            offset = e.qmp.event('RTC_CHANGE', 5)['offset']
        slept(e)
        e.guest.send('poweroff -f\n')
        check(e.qmp.event('SHUTDOWN'), {'guest': True, 'reason': 'guest-shutdown'}, 'the end')
        check(e.guest.end(), 0, 'the exit status')


@test(guest=True)
def all_commands(binary):
    """Every command of the schema was used by a test above."""
    with firmware(binary) as e:
        missing = {c['name'] for c in e.qmp('query-commands')} - Qmp.used
        check(missing, set(), 'commands without a test')


def main():
    """Run what was named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--binary', required=True)
    parser.add_argument('--guest', action='store_true', help='with Linux, too')
    parser.add_argument('names', nargs='*')
    args = parser.parse_args()
    failed = 0
    for function, guest in TESTS:
        name = function.__name__
        if (args.names and name not in args.names) or (guest and not args.guest and not args.names):
            continue
        try:
            function(args.binary)
            print(f'ok   qmp: {name}: {function.__doc__}', flush=True)
        except Skip as why:
            print(f'skip qmp: {name}: {why}', flush=True)
        except (GuestError, QmpError, TimeoutError, EOFError, ValueError, subprocess.SubprocessError, KeyError) as why:
            failed += 1
            print(f'FAIL qmp: {name}: {why!r}', flush=True)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
