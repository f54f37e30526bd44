# SPDX-License-Identifier: GPL-2.0-or-later
"""A boot sector, instruction by instruction from the reset vector."""
import os
import re
import subprocess
import sys

import gdb

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from in_gdb import FOLDER, attach, check, check_text, go, run, session, value  # noqa: E402

PLACES = {p.split('=')[0]: int(p.split('=')[1], 16) for p in os.environ['SECTOR_PLACES'].split()}
# objdump's and the emulator's disassembler call these by different names.
SAME = {'jmpf': 'jmp', 'ljmp': 'jmp', 'movabs': 'mov', 'lgdtd': 'lgdt', 'movsw': 'movs', 'stosd': 'stos'}


def words(text):
    """The instruction's name, prefixes aside."""
    found = [SAME.get(w, w) for w in re.split(r'[\s,]+', text.lower()) if w not in ('rep', 'data32', 'addr32')]
    return found[0]


def expected():
    """What objdump makes of the sector."""
    table = {}
    with open(os.path.join(FOLDER, 'table'), encoding='ascii') as file:
        for line in file:
            at, length, text = line.rstrip('\n').split('\t')
            table[int(at, 16)] = (int(length), words(text))
    return table


def shown(pc):
    """How many bytes gdb takes for the instruction there, and its name."""
    lines = run(f'x/2i {pc:#x}').splitlines()
    at = [int(re.match(r'(?:=>)?\s*(0x[0-9a-f]+)', line).group(1), 16) for line in lines]
    return at[1] - at[0], words(lines[0].split(':', 1)[1].strip())


def walk(table, end):
    """Step to an address; where gdb and objdump differ."""
    seen, wrong = 0, []
    while value('$pc') != end and seen < 200:
        pc = value('$pc')
        seen += 1
        if shown(pc) != table.get(pc):
            wrong.append(f'{pc:#x}: {shown(pc)} is not {table.get(pc)}')
        if re.search(r'\brep\b', run('x/i $pc')):
            run(f'stepi {value("$rcx") & 0xffff}')
        else:
            run('stepi')
    return seen, wrong


def body():
    """The session."""
    attach()
    table = expected()
    check(value('$pc'), 0xfffffff0, 'the first instruction is at the reset vector')
    check(value('$raw_rip'), 0xfff0, 'the register itself holds the offset')
    run('break *0x7c00')
    stepped, wrong = walk(table, PLACES['sector'])
    check(wrong, [], 'the ROM\'s 16-bit code is disassembled right')
    check(stepped > 10, True, 'it was stepped through')
    check(value('$code_bits'), 16, 'the sector begins in 16-bit code')
    run('delete')
    stepped, wrong = walk(table, PLACES['code32'])
    check(wrong, [], 'the sector\'s 16-bit code is disassembled right')
    check(value('$bx'), 0x1234, 'pushed and popped')
    check((value('$code_bits'), value('$cr0') & 1), (32, 1), 'protected mode')
    stepped, wrong = walk(table, PLACES['code64'])
    check(wrong, [], '32-bit code is disassembled right')
    check((value('$code_bits'), value('$efer') >> 10 & 1), (64, 1), 'long mode')
    stepped, wrong = walk(table, PLACES['again'])
    check(wrong, [], '64-bit code is disassembled right')
    check(value('$r8'), 0x1122334455667788, 'a 64-bit register')
    loop()
    tables()
    modules()
    run('detach')


def loop():
    """Points of all kinds in the loop at the end."""
    counter = PLACES['counter']
    run(f'watch *(long *){counter:#x}')
    check(go(), gdb.BP_HARDWARE_WATCHPOINT, 'a write watchpoint of eight bytes')
    check(value(f'{{long}}{counter:#x}'), 1, 'the value has changed')
    check(value('$pc'), PLACES['again'] + 3, 'it stops behind the store')
    run('delete')
    run(f'rwatch *(char *){counter + 1:#x}')
    check(go(), gdb.BP_READ_WATCHPOINT, 'a read watchpoint of one byte')
    run('delete')
    run(f'awatch *(long *){counter:#x}')
    check(go(), gdb.BP_ACCESS_WATCHPOINT, 'an access watchpoint')
    run('delete')
    run(f'hbreak *{PLACES["again"] + 6:#x}')
    run('continue')
    check(value('$pc'), PLACES['again'] + 6, 'a hardware breakpoint')
    run('delete')
    run('set $r9 = 0')
    run(f'set {{long}}{counter:#x} = 1000')
    run(f'break *{PLACES["again"] + 6:#x} if {{long}}{counter:#x} >= 1010')
    run('continue')
    check(value(f'{{long}}{counter:#x}'), 1010, 'memory that was written counts on; a condition')
    check(value('$r9'), 10 * 0x1122334455667788 & (1 << 64) - 1, 'a register that was written, too')
    run('delete')
    run(f'set $pc = {PLACES["code64"]:#x}')
    run('stepi')
    check(value('$rax'), 0x1122334455667788, 'pc that was written')


def tables():
    """The extension's commands."""
    check_text(run('rhea pagetable 0x7c00'), r'(?s)0x7c00|7c00', 'rhea pagetable')
    check_text(run('rhea gdt'), 'code', 'rhea gdt')
    check_text(run('monitor info status'), 'paused', 'the monitor answers')


def modules():
    """A list as Linux keeps it: the head, and one module whose layout is to be found out."""
    head, module = 0x60000, 0x60100
    base, quad = 0xffffffffc0200000, lambda *n: b''.join(x.to_bytes(8, 'little') for x in n)
    write = gdb.selected_inferior().write_memory
    write(head, quad(module + 8, module + 8))
    write(module, quad(0, head, head) + b'some_driver'.ljust(56, b'\0'))
    write(module + 0x180, quad(base, 0x2000 << 32 | 0x5000))
    with open(f'{FOLDER}/list.txt', 'w', encoding='ascii') as file:
        file.write(f'{head:016x} D modules\n')
    subprocess.run([f'{os.path.dirname(os.environ["GDB_EXTENSION"])}/kallsyms-elf', f'{FOLDER}/list.txt',
                    f'{FOLDER}/list.elf'], check=True)
    run(f'symbol-file {FOLDER}/list.elf')
    check_text(run('rhea modules'), rf'some_driver +{base:#x} +20480', 'rhea modules tells name, address and size')


session(body)
