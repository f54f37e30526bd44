# SPDX-License-Identifier: GPL-2.0-or-later
"""Rhea's extension of gdb 13 or later, loaded by rhea-gdb.py:

- 16- and 32-bit code is disassembled as what it is, in any session: by the emulator itself
  (`monitor x/i`), whenever the thread is not in 64-bit code.
- `rhea pagetable ADDR | mem | tlb | gdt | ldt | idt | tss | exceptions | registers`: what the
  emulator's monitor tells of the vCPU that gdb looks at.
- `rhea kaslr VMLINUX`: load the symbols of a Linux kernel where it was really put.
- `rhea modules [FOLDER]`: list Linux's modules, and load the symbols of those whose .ko is there.
- Backtraces through Linux's kernel by its own ORC tables, so that no debug information is needed
  (`rhea orc off` switches that off).

Not here: modules of kernels before 4.5 and after 6.3 without debug information, ORC before 4.14.
"""
import os
import re

import gdb
import gdb.disassembler
import gdb.unwinder

U64 = (1 << 64) - 1
MODULE_SPACE = (0xffffffffc0000000, 0xffffffffff000000)


def monitor(command):
    """What a command of the emulator's monitor prints."""
    return gdb.execute('monitor ' + command, to_string=True)


def register(frame, name):
    """A register of a frame as a number; None: it has none of that name."""
    try:
        return int(frame.read_register(name)) & U64
    except (ValueError, gdb.error):
        return None


def symbol(name):
    """The address of a symbol, None: there is none."""
    try:
        return int(gdb.parse_and_eval(f"(unsigned long)&'{name}'")) & U64
    except gdb.error:
        return None


def memory(address, size):
    """Bytes of the guest."""
    return gdb.selected_inferior().read_memory(address, size).tobytes()


def number(address, size=8, signed=False):
    """A number in the guest's memory."""
    return int.from_bytes(memory(address, size), 'little', signed=signed)


# ---- disassembly ----

LINE = re.compile(r'^0x[0-9a-f]+:\s+((?:[0-9a-f]{2} )+)\s*(.*?)\s*$', re.M)


class ModeDisassembler(gdb.disassembler.Disassembler):
    """Asks the emulator where gdb would take the code for 64-bit code."""

    def __init__(self):
        super().__init__('rhea')

    def __call__(self, info):
        try:
            bits = register(gdb.newest_frame(), 'code_bits')
            found = LINE.search(monitor(f'x/1i {info.address:#x}')) if bits in (16, 32) else None
        except gdb.error:
            found = None
        if not found:
            return None
        return gdb.disassembler.DisassemblerResult(len(found.group(1).split()), found.group(2))


# ---- commands ----

class Rhea(gdb.Command):
    """What the emulator knows of the guest."""

    def __init__(self):
        super().__init__('rhea', gdb.COMMAND_DATA, prefix=True)


class Told(gdb.Command):
    """A topic of the monitor's `info`."""

    def __init__(self, topic, about):
        self.__doc__ = about
        self.topic = topic
        super().__init__('rhea ' + topic, gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        if self.topic == 'pagetable':
            argument = hex(int(gdb.parse_and_eval(argument or '$pc')) & U64)
        gdb.write(monitor(f'info {self.topic} {argument}'))


# ---- Linux ----

def idt_handler(vector):
    """Where the vector's gate leads in 64-bit mode."""
    entry = number(register(gdb.newest_frame(), 'idtr_base') + 16 * vector, 16)
    return entry & 0xffff | (entry >> 48 & 0xffff) << 16 | (entry >> 64 & 0xffffffff) << 32


class Kaslr(gdb.Command):
    """rhea kaslr VMLINUX: load the symbols of a Linux kernel where it was put.

The distance is that of the handler of vector 0 (division errors), which the interrupt descriptor
table tells, from its place in the file; so the kernel must have set up its table."""

    def __init__(self):
        super().__init__('rhea kaslr', gdb.COMMAND_FILES, gdb.COMPLETE_FILENAME)

    def invoke(self, argument, from_tty):
        path = os.path.expanduser(argument.strip())
        gdb.execute(f'symbol-file {path}', to_string=True)
        linked = symbol('asm_exc_divide_error') or symbol('divide_error')
        if linked is None:
            raise gdb.GdbError(f'{path} has no symbol asm_exc_divide_error or divide_error')
        offset = idt_handler(0) - linked & U64
        if offset:
            gdb.execute(f'symbol-file {path} -o {offset:#x}', to_string=True)
        gdb.set_convenience_variable('kaslr_offset', offset)
        gdb.write(f'the kernel is {offset:#x} above where it was linked\n')


def module_base(at):
    """Where a module's code lies: of struct module without its type. It is the first pointer to the
    start of a page in the modules' space that is followed by the sizes of the whole and of the
    code, whole pages both."""
    data = memory(at, 1024)
    for place in range(0, len(data) - 24, 8):
        base = int.from_bytes(data[place:place + 8], 'little')
        size = int.from_bytes(data[place + 8:place + 12], 'little')
        text = int.from_bytes(data[place + 12:place + 16], 'little')
        if MODULE_SPACE[0] <= base < MODULE_SPACE[1] and not (base | size | text) & 0xfff and \
                0 < text <= size < 1 << 28:
            return base, size
    return None, 0


def modules():
    """Name, address and size of each module: struct module begins with its state, the list, and the
    name."""
    head = symbol('modules')
    if head is None:
        raise gdb.GdbError('there is no symbol `modules`: load the kernel\'s symbols first')
    at = number(head)
    for _ in range(4096):
        if at == head:
            return
        name = memory(at + 16, 56).split(b'\0')[0].decode(errors='replace')
        yield (name, *module_base(at - 8))
        at = number(at)


class Modules(gdb.Command):
    """rhea modules [FOLDER]: list Linux's modules; load the symbols of those whose .ko lies in or
below FOLDER."""

    def __init__(self):
        super().__init__('rhea modules', gdb.COMMAND_FILES, gdb.COMPLETE_FILENAME)

    def invoke(self, argument, from_tty):
        files = {}
        for folder, _, names in os.walk(os.path.expanduser(argument.strip())) if argument else ():
            files.update({n[:-3].replace('-', '_'): os.path.join(folder, n) for n in names if n.endswith('.ko')})
        for name, base, size in modules():
            where = f'{base:#x} {size:>8}' if base else 'at an unknown address'
            gdb.write(f'{name:24} {where} {files.get(name, "")}\n')
            if base and name in files:
                gdb.execute(f'add-symbol-file {files[name]} {base:#x}', to_string=True)


# ---- ORC: Documentation/x86/orc-unwinder.rst of Linux; arch/x86/include/asm/orc_types.h ----

UNDEFINED, PREV_SP, DX, DI, BP, SP, R10, R13, BP_INDIRECT, SP_INDIRECT = range(10)
BASES = {DX: 'rdx', DI: 'rdi', BP: 'rbp', SP: 'rsp', R10: 'r10', R13: 'r13', BP_INDIRECT: 'rbp', SP_INDIRECT: 'rsp'}
PT_REGS = ['r15', 'r14', 'r13', 'r12', 'rbp', 'rbx', 'r11', 'r10', 'r9', 'r8', 'rax', 'rcx', 'rdx',
           'rsi', 'rdi', None, 'rip', None, 'eflags', 'rsp']


class OrcFrameId:
    """What tells frames apart: the stack before the call, and the function."""

    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


def function_start(pc):
    """Where the function around an address begins, as far as symbols tell."""
    found = re.search(r'<.*\+(\d+)>$', gdb.format_address(pc))
    return pc - int(found.group(1)) if found else pc


class OrcUnwinder(gdb.unwinder.Unwinder):
    """Callers in Linux's kernel, by the table that it carries for itself.

    gdb asks while it makes a frame, so nothing here may need one: no expressions, no selected frame.
    Symbols are looked up when they come."""

    def __init__(self):
        super().__init__('rhea-orc')
        self.table = None
        self.left_for = set()  # stacks (of 16 KB) below one from which they were reached
        gdb.events.cont.connect(lambda event: self.left_for.clear())

    def load(self, event=None):
        """Look for the table's symbols."""
        names = ['__start_orc_unwind_ip', '__stop_orc_unwind_ip', '__start_orc_unwind', '_text', '_etext']
        found = [symbol(n) for n in names]
        late = symbol('__start_orc_header') is not None  # 6.4: types are numbered anew
        self.table = None if None in found else (*found, late)
        gdb.invalidate_cached_frames()

    def entry(self, pc):
        """What the table says of an address: offsets, bases, type."""
        if not self.table or not self.table[3] <= pc < self.table[4]:
            return None
        ips, end, entries, _, _, late = self.table
        low, high = 0, (end - ips) // 4
        while high - low > 1:
            middle = (low + high) // 2
            at = ips + 4 * middle
            if at + number(at, 4, True) <= pc:
                low = middle
            else:
                high = middle
        data = memory(entries + 6 * low, 6)
        bits = int.from_bytes(data[4:6], 'little')
        kind = (bits >> 8 & 7) - 2 if late else bits >> 8 & 3  # 0 call, 1 registers, 2 interrupt frame
        return (int.from_bytes(data[0:2], 'little', signed=True), int.from_bytes(data[2:4], 'little', signed=True),
                bits & 15, bits >> 4 & 15, kind)

    def __call__(self, pending):
        pc, sp, bp = (register(pending, n) for n in ('rip', 'rsp', 'rbp'))
        if pc is None or sp is None or pc >> 47 != 0x1ffff or register(pending, 'code_bits') not in (64, None):
            return None
        try:
            # A return address may be behind the function's end; where a frame was interrupted, it is not.
            orc = self.entry(pc if pending.level() == 0 else pc - 1)
            return self.unwind(pending, orc, pc, sp, bp) if orc else None
        except gdb.MemoryError:
            return None

    def unwind(self, pending, orc, pc, sp, bp):
        """The caller's registers."""
        sp_offset, bp_offset, sp_base, bp_base, kind = orc
        if sp_base not in BASES or kind not in (0, 1, 2):
            return None
        base = register(pending, BASES[sp_base])
        if base is None:
            return None
        cfa = base + sp_offset & U64
        if sp_base == BP_INDIRECT:
            cfa = number(cfa)
        elif sp_base == SP_INDIRECT:
            cfa = number(base) + sp_offset & U64
        values = {}
        if kind == 0:
            values = {'rip': number(cfa - 8), 'rsp': cfa, 'rbp': bp}
        elif kind == 1:
            values = {n: number(cfa + 8 * i) for i, n in enumerate(PT_REGS) if n}
        else:
            values = {'rip': number(cfa), 'rsp': number(cfa + 24), 'rbp': bp}
        if kind == 0 and bp_base == PREV_SP:
            values['rbp'] = number(cfa + bp_offset)
        elif kind == 0 and bp_base == BP:
            values['rbp'] = number(bp + bp_offset)
        def typed(name, value):
            model = pending.read_register(name).type
            return gdb.Value(value.to_bytes(8, 'little')[:model.sizeof], model)

        # gdb takes a frame below its callee's for a mistake; but interrupts have stacks of their own.
        for other in (cfa, values['rsp']):
            if other < sp and values['rip'] >> 47 == 0x1ffff:
                self.left_for.add(other >> 14)
        place = 0xffffffffff000000 | cfa & 0xffffff if cfa >> 14 in self.left_for else cfa
        info = pending.create_unwind_info(OrcFrameId(typed('rsp', place), typed('rip', function_start(pc))))
        for name, value in values.items():
            if value is not None:
                info.add_saved_register(name, typed(name, value))
        return info


class Orc(gdb.Command):
    """rhea orc on|off: backtraces by Linux's ORC tables."""

    def __init__(self, unwinder):
        self.unwinder = unwinder
        super().__init__('rhea orc', gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        if argument not in ('on', 'off'):
            raise gdb.GdbError('rhea orc on|off')
        self.unwinder.enabled = argument == 'on'
        gdb.invalidate_cached_frames()


def main():
    """Everything in its place; sourced twice, the second takes the first's."""
    gdb.disassembler.register_disassembler(ModeDisassembler())
    unwinder = OrcUnwinder()
    gdb.unwinder.register_unwinder(None, unwinder, replace=True)
    gdb.events.new_objfile.connect(unwinder.load)
    gdb.events.clear_objfiles.connect(unwinder.load)
    unwinder.load()
    Rhea()
    for topic, about in (('pagetable', 'rhea pagetable ADDR: every level for an address, and what an access would do.'),
                         ('mem', 'Ranges that are mapped.'), ('tlb', 'Each mapped page.'),
                         ('gdt', 'The global descriptor table.'), ('ldt', 'The local descriptor table.'),
                         ('idt', 'rhea idt [VECTOR]: the interrupt descriptor table.'),
                         ('tss', 'The task state segment.'), ('exceptions', 'The last exceptions, and why.'),
                         ('registers', 'All registers, as the monitor shows them.')):
        Told(topic, about)
    Kaslr()
    Modules()
    Orc(unwinder)


main()
