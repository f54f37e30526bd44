# SPDX-License-Identifier: GPL-2.0-or-later
"""Running the examples of a manual: blocks between ``` that begin with `$ rhea-system-x86_64` or `(qemu)`.

A block with a command line starts a machine with its monitor on a terminal; the blocks behind it go to that machine. Lines
behind a `(qemu)` line are what it prints: `...` stands for anything within a line, a line of `...` for any lines. KERNEL
and INITRD in a command line are those of the guest tests; `# wait TEXT` waits until the machine's console shows it.
"""
import os
import re
import subprocess

from terminal import Terminal

MOST_TRIES = 20
TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..')


class NoGuest(Exception):
    """No kernel to boot here."""


def guest_files():
    """The kernel and initramfs of the guest tests."""
    made = subprocess.run([os.path.join(TOP, 'scripts/guest-files'), 'amd64'], capture_output=True, text=True, check=False)
    if made.returncode:
        raise NoGuest(made.stderr.strip().split('\n')[-1])
    return made.stdout.split()[:2]


def blocks(path):
    """The lines of each block that is an example."""
    with open(path, encoding='utf-8') as file:
        for text in re.findall(r'^```\n(.*?)^```$', file.read(), re.M | re.S):
            if text.startswith(('$ rhea-system-x86_64', '(qemu)')):
                yield text.rstrip('\n').split('\n')


def pattern(lines):
    """What these lines of the manual stand for, as a regular expression."""
    parts = []
    for line in lines:
        if line.strip() == '...':
            parts.append(r'(?:.*\n)*?')
        else:
            parts.append('.*?'.join(re.escape(part) for part in line.split('...')) + r' *\n')
    return '^' + ''.join(parts) + r'\n*$'


def answers(lines):
    """(command, lines behind it) of a block."""
    command, shown = None, []
    for line in lines:
        if line.startswith('(qemu)'):
            if command is not None:
                yield command, shown
            command, shown = line[len('(qemu)'):].strip(), []
        elif command is not None:
            shown.append(line)
    if command is not None:
        yield command, shown


def start(program, line, guest):
    """The machine of a command line."""
    words = line.split()[2:]
    if 'KERNEL' in words:
        files = guest_files()
        words = [{'KERNEL': files[0], 'INITRD': files[1]}.get(word, word.strip('"')) for word in words]
    if guest:
        guest.__exit__()
    return Terminal(program, '-accel', 'tcg', *words)


def run(terminal, lines):
    """The commands of a block, compared with what the manual shows; a guest may need a while to come to rest."""
    for command, shown in answers(lines):
        for _ in range(MOST_TRIES):
            got = terminal.ask(command)
            if not shown or re.match(pattern(shown), got):
                break
        else:
            raise AssertionError(f'{command}: the manual says\n' + '\n'.join(shown) + f'\nand it gives\n{got}')


def check(program, path):
    """Every block of a manual."""
    terminal = None
    try:
        for lines in blocks(path):
            if lines[0].startswith('$'):
                terminal = start(program, lines[0], terminal)
                for line in lines:
                    if line.startswith('# wait '):
                        terminal.expect(line[len('# wait '):], 200)
                        terminal.monitor()
                if '-monitor' in lines[0]:
                    terminal.expect('(qemu) ')
            run(terminal, lines)
    finally:
        if terminal:
            terminal.__exit__()
