# SPDX-License-Identifier: GPL-2.0-or-later
"""ROMs of our own for guests: one file of the assembler's, with rom.inc's pieces."""
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


def assemble(source, folder):
    """The ROM made from that file, in that folder."""
    name = os.path.splitext(os.path.basename(source))[0]
    made = [os.path.join(folder, f'{name}.{kind}') for kind in ('o', 'elf', 'rom')]
    subprocess.run(['gcc', '-m32', '-I', HERE, '-c', '-o', made[0], source], check=True)
    subprocess.run(['ld', '-m', 'elf_i386', '-Ttext', '0', '-e', '0', '-o', made[1], made[0]], check=True)
    subprocess.run(['objcopy', '-O', 'binary', '-j', '.text', made[1], made[2]], check=True)
    return made[2]
