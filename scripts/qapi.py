#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Read the schema of the monitor protocol and write what follows from it.

    qapi.py OUTPUT-FOLDER SCHEMA...

writes types.h (C types), commands.h (what handlers look like), events.h (one sender an event),
tables.c (tables for qapi/marshal.c, wrappers around handlers), schema.c (query-qmp-schema) and
qmp-reference.md. The language of the schema is explained in docs/design/monitor.md.
"""
import json
import os
import re
import sys

BUILTIN = {  # name: (C type, kind, JSON type)
    'bool': ('bool', 'BOOL', 'boolean'), 'str': ('char *', 'TEXT', 'string'),
    'int': ('int64_t', 'INT', 'int'), 'int8': ('int8_t', 'INT', 'int'),
    'int16': ('int16_t', 'INT', 'int'), 'int32': ('int32_t', 'INT', 'int'),
    'int64': ('int64_t', 'INT', 'int'), 'uint8': ('uint8_t', 'UINT', 'int'),
    'uint16': ('uint16_t', 'UINT', 'int'), 'uint32': ('uint32_t', 'UINT', 'int'),
    'uint64': ('uint64_t', 'UINT', 'int'), 'size': ('uint64_t', 'UINT', 'int'),
    'number': ('double', 'NUMBER', 'number'), 'any': ('struct json_object *', 'ANY', 'value'),
}
KEYWORDS = {'default', 'static', 'class', 'int', 'enum', 'register', 'switch', 'case', 'signed', 'unix'}
MADE = 'Made by scripts/qapi.py from the schema in qapi/.'


class Broken(Exception):
    """The schema is wrong: where and why."""


def c_name(name):
    """A name of the protocol as a C identifier."""
    name = re.sub(r'[^A-Za-z0-9]', '_', name)
    return name + '_' if name in KEYWORDS else ('q_' + name if name[0].isdigit() else name)


def camel(name):
    """device_add or query-status as a type's name."""
    return ''.join(part[:1].upper() + part[1:] for part in re.split(r'[-_]', name.lower() if name.isupper() or '_' in name and name.upper() == name else name))


def constant(enum, value):
    """RunState, guest-panicked: RUN_STATE_GUEST_PANICKED."""
    words = re.sub(r'([a-z0-9])([A-Z])', r'\1_\2', enum)
    return (words + '_' + re.sub(r'[^A-Za-z0-9]', '_', value)).upper()


class Member:
    """A named value of a struct, a value of an enum, a case of a union."""

    def __init__(self, name, kind, about):
        self.optional = name.endswith('?')
        self.name = name.rstrip('?')
        self.type = kind
        self.about = about


class Thing:
    """A definition of the schema."""

    def __init__(self, kind, name, where):
        self.kind, self.name, self.where = kind, name, where
        self.about, self.base, self.tag, self.ret, self.flags = [], None, None, None, []
        self.members, self.cases, self.features = [], [], []
        self.section = None


HEAD = re.compile(r'^(struct|enum|union|alternate|command|event) ([A-Za-z0-9_-]+)'
                  r'(?: : ([A-Za-z0-9]+))?(?: on ([a-z-]+))?(?: -> (\[?[A-Za-z0-9]+\]?))?(?: \(([a-z0-9, -]+)\))?$')
LINE = re.compile(r'^  (case |feature )?([A-Za-z0-9_.-]+\??)(?:: (\[?[A-Za-z0-9]+\]?))?(?: - (.*))?$')


class Schema:
    """All files together."""

    def __init__(self, paths):
        self.things, self.by_name, self.sections = [], {}, []
        for path in paths:
            with open(path, encoding='utf-8') as file:
                self.read(path, file.read().splitlines())
        for thing in self.things:
            self.check(thing)

    def read(self, path, lines):
        """The definitions of one file."""
        about, thing, last = [], None, None
        for number, line in enumerate(lines, 1):
            where = f'{path}:{number}'
            if line.startswith('== '):
                self.sections.append(line[3:])
                about, thing = [], None
            elif line.startswith('#'):
                about.append(line[1:].strip())
                thing = None
            elif not line.strip():
                about = [] if thing is None else about
                thing = None
            elif line.startswith('    ') and last:
                last.about += ' ' + line.strip()
            elif line.startswith('  ') and thing:
                last = self.member(thing, line, where)
            else:
                thing = self.head(line, where, about)
                about, last = [], None

    def head(self, line, where, about):
        """struct NAME : BASE, command NAME -> RESULT (FLAGS), ..."""
        match = HEAD.match(line)
        if not match:
            raise Broken(f'{where}: not understood: {line}')
        thing = Thing(match[1], match[2], where)
        thing.base, thing.tag, thing.ret = match[3], match[4], match[5]
        thing.flags = re.split(', *', match[6]) if match[6] else []
        thing.about = [x for x in about if not x.startswith('SPDX')]
        thing.section = self.sections[-1] if self.sections else None
        if not thing.about:
            raise Broken(f'{where}: {thing.name} is not explained')
        if thing.name in self.by_name:
            raise Broken(f'{where}: {thing.name} was defined before')
        self.things.append(thing)
        self.by_name[thing.name] = thing
        return thing

    @staticmethod
    def member(thing, line, where):
        """A line below a definition."""
        match = LINE.match(line)
        if not match:
            raise Broken(f'{where}: not understood: {line}')
        if not match[4] and not match[1]:
            raise Broken(f'{where}: {match[2]} is not explained')
        member = Member(match[2], match[3], match[4] or '')
        if match[1] == 'case ':
            thing.cases.append(member)
        elif match[1]:
            thing.features.append(member)
        else:
            thing.members.append(member)
        return member

    def check(self, thing):
        """Every type that is named exists."""
        for name in [m.type for m in thing.members + thing.cases if m.type] + [thing.ret, thing.base]:
            if name and name.strip('[]') not in BUILTIN and name.strip('[]') not in self.by_name:
                raise Broken(f'{thing.where}: there is no type {name}')
        for member in thing.members:
            if thing.kind != 'enum' and not member.type:
                raise Broken(f'{thing.where}: {member.name} has no type')

    def kind(self, name):
        """struct, enum ...; 'builtin', 'list'."""
        return 'list' if name[0] == '[' else 'builtin' if name in BUILTIN else self.by_name[name].kind

    def fields(self, thing):
        """Members, those of the base first."""
        return (self.fields(self.by_name[thing.base]) if thing.base else []) + thing.members

    def of(self, *kinds):
        """Definitions of these kinds, in order."""
        return [t for t in self.things if t.kind in kinds]

    # ---- C types ----

    def c_type(self, name):
        """How a value of that type is declared, ending so that a name may follow."""
        if name[0] == '[':
            return self.list_name(name) + ' '
        if name in BUILTIN:
            text = BUILTIN[name][0]
            return text if text.endswith('*') else text + ' '
        return name + ' '

    @staticmethod
    def list_name(name):
        """[CommandInfo]: CommandInfoList."""
        inner = name.strip('[]')
        return (camel(inner) if inner in BUILTIN else inner) + 'List'

    def by_pointer(self, member):
        """Structs that may be missing are pointers; so types may contain themselves."""
        return member.optional and self.kind(member.type) in ('struct', 'union', 'alternate')

    def has(self, member):
        """Does a flag say whether it is there? Pointers and lists say it themselves."""
        if not member.optional or self.by_pointer(member):
            return False
        return not (member.type in ('str', 'any'))

    def arg_name(self, thing):
        """The struct of a command's arguments or an event's data; None: there are none."""
        if thing.kind == 'command':
            return thing.base or (camel(thing.name) + 'Args' if thing.members or 'open' in thing.flags else None)
        return (camel(thing.name) + 'Event') if thing.members else None

    def declare(self, member):
        """The lines of a struct for it."""
        lines = [f'    bool has_{c_name(member.name)};'] if self.has(member) else []
        star = '*' if self.by_pointer(member) else ''
        return lines + [f'    {self.c_type(member.type)}{star}{c_name(member.name)};']

    def struct(self, name, thing):
        """A C struct for a struct, a union, an alternate, arguments."""
        lines = [f'struct {name} {{']
        if thing.kind == 'alternate':
            lines += ['    int which; /* index of the member that is there */', '    union {']
            lines += [f'        {self.c_type(m.type)}{c_name(m.name)};' for m in thing.members] + ['    } u;']
        else:
            for member in self.fields(thing):
                lines += self.declare(member)
            if thing.cases:
                lines += ['    union {'] + [f'        {m.type} {c_name(m.name)};' for m in thing.cases] + ['    } u;']
            if 'open' in thing.flags:
                lines += ['    struct json_object *all; /* with what else was given */']
            if len(lines) == 1:
                lines += ['    char nothing;']
        return lines + ['};']

    def structs(self):
        """(C name, definition) of all, those inside others first."""
        done, order = set(), []

        def add(name, thing):
            if name in done:
                return
            done.add(name)
            for member in self.fields(thing) + thing.cases:
                inner = member.type
                if inner and self.kind(inner) in ('struct', 'union', 'alternate') and not self.by_pointer(member):
                    add(inner, self.by_name[inner])
            order.append((name, thing))

        for thing in self.of('struct', 'union', 'alternate'):
            add(thing.name, thing)
        for thing in self.of('command', 'event'):
            if self.arg_name(thing) and not thing.base:
                add(self.arg_name(thing), thing)
        return order

    def lists(self):
        """All list types that are used."""
        used = {m.type for t in self.things for m in t.members if m.type} | {t.ret for t in self.things if t.ret}
        return sorted(name for name in used if name[0] == '[')

    def types_h(self):
        """types.h"""
        out = ['#pragma once', '#include "qapi/marshal.h"', '']
        for thing in self.of('enum'):
            out += [f'typedef enum {thing.name} {{'] + [f'    {constant(thing.name, m.name)},' for m in thing.members]
            out += [f'}} {thing.name};', '']
        out += [f'typedef struct {name} {name};' for name, _ in self.structs()] + ['']
        out += [f'typedef struct {self.list_name(n)} {{\n    unsigned n;\n    {self.c_type(n[1:-1])}*item;\n}} {self.list_name(n)};'
                for n in self.lists()] + ['']
        for name, thing in self.structs():
            out += self.struct(name, thing) + ['']
        for thing in self.of('enum', 'struct', 'union', 'alternate'):
            out.append(f'extern const QapiType qapi_{thing.name};')
        out += [f'extern const QapiType qapi_{name};' for name, t in self.structs() if t.kind in ('command', 'event')]
        out += [f'extern const QapiType qapi_{self.list_name(n)};' for n in self.lists()]
        return out

    # ---- commands and events ----

    def ret_pointer(self, thing):
        """How a handler gets the place for its result."""
        return self.c_type(thing.ret) + '*' if thing.ret else None

    def prototype(self, thing):
        """The handler of a command."""
        args = ['Monitor *mon' if 'session' in thing.flags else 'Machine *m']
        if self.arg_name(thing):
            args.append(f'const {self.arg_name(thing)} *arg')
        if thing.ret:
            args.append(self.ret_pointer(thing) + 'ret')
        return f'bool qmp_{c_name(thing.name)}({", ".join(args)}, Error **err)'

    def commands_h(self):
        """commands.h"""
        out = ['#pragma once', '#include "qapi/types.h"', '#include "softmmu/run/machine.h"', '',
               'typedef struct Monitor Monitor;', '',
               '/* Handlers: on the event loop, without locks. A result begins zeroed; the caller frees it',
               ' * with qapi_clear(), after failures too. */']
        return out + [self.prototype(t) + ';' for t in self.of('command')]

    def events_h(self):
        """events.h"""
        out = ['#pragma once', '#include "qapi/types.h"', '#include "softmmu/run/machine.h"', '',
               '/* Tell all monitors, from any thread, with or without locks. */']
        for thing in self.of('event'):
            arg = self.arg_name(thing)
            out.append(f'void event_{c_name(thing.name.lower())}(Machine *m{f", const {arg} *data" if arg else ""});')
        return out

    def type_ref(self, name):
        """The address of a type's table."""
        if name[0] == '[':
            return f'&qapi_{self.list_name(name)}'
        return f'&qapi_{camel(name)}_' if name in BUILTIN else f'&qapi_{name}'

    def row(self, owner, member):
        """A QapiMember."""
        name = c_name(member.name)
        has = f'offsetof({owner}, has_{name})' if self.has(member) else '-1'
        return (f'    {{"{member.name}", {self.type_ref(member.type)}, offsetof({owner}, {name}), {has}, '
                f'{int(member.optional)}, {int(self.by_pointer(member))}}},')

    def struct_table(self, name, thing):
        """The tables of one struct."""
        if thing.kind == 'alternate':
            rows = [f'    {{"{m.name}", {self.type_ref(m.type)}, offsetof({name}, u.{c_name(m.name)}), -1, 0, 0}},' for m in thing.members]
            return ([f'static const QapiMember members_{name}[] = {{'] + rows + ['    {0}};'] +
                    [f'const QapiType qapi_{name} = {{"{thing.name}", QAPI_ALTERNATE, sizeof({name}), .members = members_{name},',
                     f'    .tag = offsetof({name}, which)}};'])
        out = [f'static const QapiMember members_{name}[] = {{'] + [self.row(name, m) for m in self.fields(thing)] + ['    {0}};']
        extra = ''
        if thing.cases:
            tag = next(m for m in self.fields(thing) if m.name == thing.tag)
            values = [m.name for m in self.by_name[tag.type].members]
            out += [f'static const QapiCase cases_{name}[] = {{']
            out += [f'    {{{values.index(m.name)}, {self.type_ref(m.type)}, offsetof({name}, u.{c_name(m.name)})}},' for m in thing.cases]
            out += ['    {0}};']
            extra = f', .cases = cases_{name}, .tag = offsetof({name}, {c_name(thing.tag)})'
        if 'open' in thing.flags:
            extra += f', .open = true, .all = offsetof({name}, all)'
        return out + [f'const QapiType qapi_{name} = {{"{name}", QAPI_STRUCT, sizeof({name}), .members = members_{name}{extra}}};']

    def tables_c(self):
        """tables.c"""
        out = ['#include "qapi/commands.h"', '#include "qapi/events.h"', '#include "monitor/monitor.h"', '']
        used = {n.strip('[]') for t in self.things for n in [m.type for m in t.members] + [t.ret] if n}
        for name, (kind, what, _) in BUILTIN.items():
            if name not in used:
                continue
            out.append(f'static const QapiType qapi_{camel(name)}_ = {{"{name}", QAPI_{what}, sizeof({kind})}};')
        for thing in self.of('enum'):
            values = ', '.join(f'"{m.name}"' for m in thing.members)
            out += [f'static const char *const values_{thing.name}[] = {{{values}, NULL}};',
                    f'const QapiType qapi_{thing.name} = {{"{thing.name}", QAPI_ENUM, sizeof({thing.name}), .values = values_{thing.name}}};']
        out += [f'const QapiType qapi_{self.list_name(n)} = {{"{n}", QAPI_LIST, sizeof({self.list_name(n)}), .element = {self.type_ref(n[1:-1])}}};'
                for n in self.lists()]
        for name, thing in self.structs():
            out += self.struct_table(name, thing)
        return out + self.wrappers() + self.senders()

    def wrappers(self):
        """Handlers as functions of one type, and the list of commands."""
        out = ['']
        for t in self.of('command'):
            args = ['mon' if 'session' in t.flags else 'monitor_machine(mon)']
            args += ['arg'] if self.arg_name(t) else []
            args += ['ret'] if t.ret else []
            out += [f'static bool run_{c_name(t.name)}(Monitor *mon, const void *arg, void *ret, Error **err)', '{',
                    f'    return qmp_{c_name(t.name)}({", ".join(args)}, err);', '}']
        out += ['const QapiCommand qapi_commands[] = {']
        for t in sorted(self.of('command'), key=lambda t: t.name):
            arg = f'&qapi_{self.arg_name(t)}' if self.arg_name(t) else 'NULL'
            flags = ''.join(f', .{c_name(f)} = true' for f in t.flags if f in ('oob', 'first', 'preconfig'))
            out.append(f'    {{"{t.name}", {arg}, {self.type_ref(t.ret) if t.ret else "NULL"}, run_{c_name(t.name)}{flags}}},')
        return out + ['    {0}};']

    def senders(self):
        """A function for each event."""
        out = ['']
        for t in self.of('event'):
            arg, low = self.arg_name(t), c_name(t.name.lower())
            rate = next((f for f in t.flags if f.startswith('rate')), None)
            key = rate[4:].strip() if rate else ''
            out += [f'static const QapiEvent row_{low} = {{"{t.name}", {f"&qapi_{arg}" if arg else "NULL"}, {int(bool(rate))}, '
                    + (f'"{key}"' if key else 'NULL') + '};',
                    f'void event_{low}(Machine *m{f", const {arg} *data" if arg else ""})', '{',
                    f'    qapi_emit(m, &row_{low}, {"data" if arg else "NULL"});', '}']
        return out

    # ---- query-qmp-schema ----

    def info_members(self, members):
        """SchemaInfoObjectMember"""
        out = []
        for m in members:
            entry = {'name': m.name, 'type': m.type}
            if m.optional:
                entry['default'] = None
            out.append(entry)
        return out

    def info(self, t):
        """The SchemaInfo entries of a definition."""
        entry = {'name': t.name, 'meta-type': {'struct': 'object', 'union': 'object'}.get(t.kind, t.kind)}
        entries = [entry]
        if t.features:
            entry['features'] = [m.name for m in t.features]
        if t.kind == 'enum':
            entry['members'] = [{'name': m.name} for m in t.members]
            entry['values'] = [m.name for m in t.members]
        elif t.kind == 'alternate':
            entry['members'] = [{'type': m.type} for m in t.members]
        elif t.kind in ('struct', 'union'):
            entry['members'] = self.info_members(self.fields(t))
            if t.cases:
                given = {m.name: m.type for m in t.cases}
                tag = next(m for m in self.fields(t) if m.name == t.tag)
                entry['tag'] = t.tag
                entry['variants'] = [{'case': m.name, 'type': given.get(m.name, 'q_empty')} for m in self.by_name[tag.type].members]
        else:
            arg = self.arg_name(t) or 'q_empty'
            entry['arg-type'] = arg
            if t.kind == 'command':
                entry['ret-type'] = t.ret or 'q_empty'
                if 'oob' in t.flags:
                    entry['allow-oob'] = True
            if arg != 'q_empty' and not t.base:
                entries.append({'name': arg, 'meta-type': 'object', 'members': self.info_members(t.members)})
        return entries

    def schema_c(self):
        """schema.c: the answer of query-qmp-schema as a text."""
        entries = [{'name': name, 'meta-type': 'builtin', 'json-type': row[2]} for name, row in BUILTIN.items()]
        entries.append({'name': 'q_empty', 'meta-type': 'object', 'members': []})
        entries += [{'name': n, 'meta-type': 'array', 'element-type': n[1:-1]} for n in self.lists()]
        for t in self.things:
            entries += self.info(t)
        lines = [json.dumps(e).replace('\\', '\\\\').replace('"', '\\"') for e in entries]
        return (['#include "qapi/marshal.h"', '', 'const char qapi_schema[] =', '    "["'] +
                [f'    "{line}{"," if i + 1 < len(lines) else ""}"' for i, line in enumerate(lines)] + ['    "]";'])

    # ---- reference ----

    def member_lines(self, members, title):
        """A list of members for the reference."""
        if not members:
            return []
        out = [f'{title}:', '']
        for m in members:
            kind = f' (`{m.type}`{", may be missing" if m.optional else ""})' if m.type else ''
            out.append(f'- `{m.name}`{kind}: {m.about}' if m.about else f'- `{m.name}`{kind}')
        return out + ['']

    def reference(self):
        """qmp-reference.md"""
        out = ['# Commands, events and types of QMP', '', 'Made from the schema when Rhea is built. The protocol itself: docs/user/qmp.md.', '']
        for section in self.sections:
            out += [f'## {section}', '']
            for t in [t for t in self.things if t.section == section]:
                out += [f'### {t.name}', '', f'*{t.kind}*' + (f', returns `{t.ret}`' if t.ret else '') +
                        (', may run out of band' if 'oob' in t.flags else '') +
                        (', at most once a second' if any(f.startswith('rate') for f in t.flags) else ''), '']
                out += ['\n'.join(t.about), '']
                if t.base:
                    out += [f'Has what [{t.base}](#{t.base.lower()}) has.', '']
                out += self.member_lines(t.members, {'enum': 'Values', 'command': 'Arguments', 'event': 'Data'}.get(t.kind, 'Members'))
                if 'open' in t.flags:
                    out += ['Further arguments are properties.', '']
                out += self.member_lines(t.cases, f'By `{t.tag}`, also the members of')
                out += self.member_lines(t.features, 'Features')
        return out


def main():
    """Write all files."""
    folder, paths = sys.argv[1], sys.argv[2:]
    try:
        schema = Schema(paths)
    except Broken as why:
        sys.exit(f'qapi.py: {why}')
    os.makedirs(folder, exist_ok=True)
    for name, lines in (('types.h', schema.types_h()), ('commands.h', schema.commands_h()), ('events.h', schema.events_h()),
                        ('tables.c', schema.tables_c()), ('schema.c', schema.schema_c()), ('qmp-reference.md', schema.reference())):
        head = [] if name.endswith('.md') else [f'/* {MADE} */']
        with open(os.path.join(folder, name), 'w', encoding='utf-8') as file:
            file.write('\n'.join(head + lines) + '\n')


if __name__ == '__main__':
    main()
