# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark's guest: compiles bench/guest and packs it with Debian's programs into an initramfs.

The same folder of programs runs natively, so that both execute the same machine code.
"""
import glob
import gzip
import lzma
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, 'guest')
PARTS = ['bench', 'program', 'integer', 'branch', 'fp', 'simd', 'memory', 'os', 'jit', 'smp']
WARN = ['-O2', '-Wall', '-Wextra', '-Wno-unused-parameter', '-Wno-missing-field-initializers']
PROGRAMS = ['/usr/bin/xz', '/usr/bin/gzip', '/usr/bin/python3.11', '/usr/bin/sqlite3', '/usr/bin/openssl', '/bin/busybox']
FILES = ['/usr/lib/ssl/openssl.cnf', '/etc/ssl/openssl.cnf']


class Cpio:
    """An initramfs in the `newc` format."""

    def __init__(self):
        self.data = bytearray()
        self.names = set()

    def add(self, name, mode, content=b'', device=(0, 0), mtime=0):
        """A file, folder, link or device; its folders come along. mtime: seconds since 1970."""
        name = name.strip('/')
        if name in self.names:
            return
        if '/' in name:
            self.add(os.path.dirname(name), 0o040755)
        self.names.add(name)
        fields = [len(self.names), mode, 0, 0, 1, mtime, len(content), 0, 0, *device, len(name) + 1, 0]
        self.data += b'070701' + b''.join(b'%08X' % field for field in fields) + name.encode() + b'\0'
        self.data += bytes(-len(self.data) % 4) + content + bytes(-len(content) % 4)

    def copy(self, path):
        """A file of this host at its own place, and where its links lead to. Python takes compiled code only of a source of the same age."""
        real = os.path.realpath(path)
        with open(real, 'rb') as file:
            self.add(path, 0o100755 if os.access(real, os.X_OK) else 0o100644, file.read(), mtime=int(os.path.getmtime(real)))

    def finish(self):
        """The archive."""
        self.add('TRAILER!!!', 0)
        return bytes(self.data)


def compile_guest(folder):
    """bench, bench32 and the real-mode ROM; again only if a source is newer."""
    newest = max(os.path.getmtime(path) for path in glob.glob(os.path.join(SOURCE, '*')))
    program, program32, rom = (os.path.join(folder, name) for name in ('bench', 'bench32', 'realmode.bin'))
    if all(os.path.exists(path) and os.path.getmtime(path) >= newest for path in (program, program32, rom)):
        return
    source = [os.path.join(SOURCE, part + '.c') for part in PARTS]
    subprocess.run(['gcc', '-static', *WARN, *source, '-o', program, '-lm', '-lpthread'], check=True)
    source = [os.path.join(SOURCE, part + '.c') for part in ('bench32', 'integer', 'branch')]
    subprocess.run(['gcc', '-m32', '-ffreestanding', '-nostdlib', '-static', '-fno-pie', '-no-pie', '-fno-stack-protector',
                    *WARN, *source, '-o', program32], check=True)
    subprocess.run(['gcc', '-c', os.path.join(SOURCE, 'realmode.S'), '-o', rom + '.o'], check=True)
    subprocess.run(['ld', '-Ttext=0', '-e', '0', '--oformat', 'binary', rom + '.o', '-o', rom], check=True)


def native_folder(folder):
    """The folder in which the driver runs natively, with all files that the workloads read."""
    work = os.path.join(folder, 'work')
    os.makedirs(work, exist_ok=True)
    with open(os.path.join(folder, 'bench32'), 'rb') as source, open(os.path.join(work, 'bench32'), 'wb') as copy:
        copy.write(source.read())
    os.chmod(os.path.join(work, 'bench32'), 0o755)
    subprocess.run([os.path.join(folder, 'bench'), work], input=b'off\n', check=True, stdout=subprocess.DEVNULL)
    with open(os.path.join(work, 'text'), 'rb') as file:
        text = file.read()
    with open(os.path.join(work, 'text.xz'), 'wb') as file:
        file.write(lzma.compress(text, preset=6))
    with open(os.path.join(work, 'text.gz'), 'wb') as file:
        file.write(gzip.compress(text, mtime=0))
    return work


def libraries(program):
    """The shared libraries of a program, its loader among them."""
    out = subprocess.run(['ldd', program], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
    return re.findall(r'(/\S+) \(0x', out)


def python_files(work):
    """What Python reads when it runs our script."""
    code = ("exec(open('work.py').read(), {'__name__': 'x'}); import sys\n"
            "print('\\n'.join(p for m in list(sys.modules.values()) for p in (getattr(m, '__file__', None), "
            "getattr(m, '__cached__', None)) if p))")
    out = subprocess.run(['/usr/bin/python3.11', '-S', '-E', '-c', code], cwd=work, text=True, stdout=subprocess.PIPE, check=True)
    return [path for path in out.stdout.split('\n') if path.startswith('/') and os.path.exists(path)]


def build(folder):
    """Builds everything in `folder`; returns the paths of driver, native folder, initramfs and ROM."""
    os.makedirs(folder, exist_ok=True)
    compile_guest(folder)
    work = native_folder(folder)
    archive = Cpio()
    with open(os.path.join(folder, 'bench'), 'rb') as file:
        archive.add('init', 0o100755, file.read())
    archive.add('dev', 0o040755)
    archive.add('dev/console', 0o020600, device=(5, 1))
    archive.add('dev/null', 0o020666, device=(1, 3))
    archive.add('tmp', 0o041777)
    for name in ('bench32', 'text.xz', 'text.gz'):
        with open(os.path.join(work, name), 'rb') as file:
            archive.add('tmp/' + name, 0o100755, file.read())
    for program in PROGRAMS:
        if not os.path.exists(program):
            print(f'bench: no {program}: its workloads will fail', file=sys.stderr)
            continue
        archive.copy(program)
        for library in libraries(program):
            archive.copy(library)
    for path in FILES + python_files(work):
        if os.path.exists(path):
            archive.copy(path)
    initramfs = os.path.join(folder, 'initramfs')
    with open(initramfs, 'wb') as file:
        file.write(archive.finish())
    return os.path.join(folder, 'bench'), work, initramfs, os.path.join(folder, 'realmode.bin')
