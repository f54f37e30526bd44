# SPDX-License-Identifier: GPL-2.0-or-later
"""The boot sector under -accel kvm: the processor's debug registers and single steps instead of ours.

Breakpoints stand at writes of control registers. KVM itself executes these and looks for breakpoints
there; elsewhere the processor must, and the AMD-V of Debian 12's QEMU does not load the debug
registers of a nested guest. So watchpoints may be skipped here.
"""
import os
import sys

import gdb

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from in_gdb import attach, check, go, run, session, value  # noqa: E402

PLACES = {p.split('=')[0]: int(p.split('=')[1], 16) for p in os.environ['SECTOR_PLACES'].split()}
COUNTER = PLACES['counter']
LOOP, STORED, CR4_WRITE = 0x6000, 0x6003, 0x6006
# incq (%rdi); add %r8, %r9; mov %rax, %cr4; jmp LOOP
CODE = bytes.fromhex('48ff07 4d01c1 0f22e0 ebf5')


def body():
    """The session."""
    run('set remotetimeout 60')  # an emulator in an emulator answers when it can
    attach()
    check(value('$pc'), 0xfffffff0, 'the first instruction is at the reset vector')
    run('stepi')
    check(value('$pc'), 0xf0000, 'a step from there')
    reach('write16', 'a hardware breakpoint in 16-bit code')
    check(value('$bx'), 0x1234, 'a register')
    run('stepi')
    run('stepi')
    check((value('$pc'), value('$code_bits')), (PLACES['code32'], 32), 'steps into protected mode')
    reach('write32', 'a hardware breakpoint in 32-bit code')
    run('stepi')
    run('stepi')
    check((value('$pc'), value('$code_bits')), (PLACES['code64'], 64), 'steps into long mode')
    run('stepi 4')
    check((value('$pc'), value('$r8')), (PLACES['again'], 0x1122334455667788), 'steps there')
    loop()
    few()
    run(f'set {{long}}{COUNTER:#x} = 0x5000000000000000')
    run('detach')


def reach(name, what):
    """Continue to a place."""
    run(f'hbreak *{PLACES[name]:#x}')
    check((go(), value('$pc')), (gdb.BP_HARDWARE_BREAKPOINT, PLACES[name]), what)
    run('delete')


def loop():
    """A loop that gdb writes; points of all kinds there."""
    gdb.selected_inferior().write_memory(LOOP, CODE)
    run(f'set $rax = {value("$cr4"):#x}')
    run('set $r9 = 0')
    run(f'set $pc = {LOOP:#x}')
    run(f'set {{long}}{COUNTER:#x} = 1000')
    run(f'break *{CR4_WRITE:#x} if {{long}}{COUNTER:#x} >= 1003')
    check(go(), gdb.BP_BREAKPOINT, 'a breakpoint with a condition, in code that gdb wrote')
    check(value(f'{{long}}{COUNTER:#x}'), 1003, 'memory that was written counts on')
    check(value('$r9'), 3 * 0x1122334455667788, 'a register that was written, too')
    run('delete')
    run(f'hbreak *{CR4_WRITE:#x}')
    run(f'watch *(long *){COUNTER:#x}')
    if go() == gdb.BP_HARDWARE_BREAKPOINT:
        print('skip watchpoints: this AMD-V loads no debug registers for its guests')
    else:
        check(value('$pc'), STORED, 'a watchpoint stops behind the store')
    check(value(f'{{long}}{COUNTER:#x}'), 1004, 'the value has changed')
    run('delete')


def few():
    """One breakpoint more than the processor has."""
    for n in range(5):
        run(f'hbreak *{0x600 + n:#x}')
    told = ''
    try:
        gdb.execute('continue')  # what gdb says goes to the standard error
    except gdb.error as why:
        told = str(why)
    check(told, 'Command aborted.', 'the fifth breakpoint is refused')
    run('delete')
    run('stepi')
    check(LOOP <= value('$pc') < LOOP + len(CODE), True, 'and nothing is lost')


session(body)
