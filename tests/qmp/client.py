# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of the monitor protocol on a plain socket."""
import json
import select
import socket
import time


class QmpError(Exception):
    """The error of a command: its class and its text."""

    def __init__(self, reply):
        super().__init__(f'{reply["class"]}: {reply["desc"]}')
        self.kind, self.text = reply['class'], reply['desc']


class Qmp:
    """One connection. Events that come meanwhile are kept in `events`."""

    used = set()  # names of commands that some client executed with success

    def __init__(self, path, negotiate=True, limit=60):
        self.limit = limit
        self.buffer = b''
        self.events = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.greeting = self.message()
        if negotiate:
            self('qmp_capabilities')

    def close(self):
        """The other side sees a hangup."""
        self.socket.close()

    def send(self, text):
        """Raw bytes."""
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def message(self, limit=None):
        """The next object; None at the end."""
        deadline = time.monotonic() + (limit or self.limit)
        while b'\r\n' not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                raise TimeoutError(f'no message within {limit or self.limit} s')
            data = self.socket.recv(1 << 16)
            if not data:
                return None
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b'\r\n')
        return json.loads(line)

    def reply(self):
        """The next message that is no event."""
        while True:
            message = self.message()
            if message is None or 'event' not in message:
                return message
            self.events.append(message)

    def __call__(self, command, **arguments):
        """Execute; names of arguments have - for _ where they end in no _."""
        return self.run(command, {name.replace('_', '-'): value for name, value in arguments.items()})

    def run(self, command, arguments):
        """Execute with arguments as they are; the result, or QmpError."""
        self.send(json.dumps({'execute': command, 'arguments': arguments, 'id': command}) + '\r\n')
        reply = self.reply()
        if reply is None:
            raise EOFError(f'the connection ended at {command}')
        if reply.get('id') != command:
            raise ValueError(f'the reply to {command} has another id: {reply}')
        if 'error' in reply:
            raise QmpError(reply['error'])
        Qmp.used.add(command)
        return reply['return']

    def event(self, name, limit=None):
        """The data of the next event of that name, of those kept or of those to come."""
        while True:
            for i, event in enumerate(self.events):
                if event['event'] == name:
                    del self.events[:i + 1]
                    return event.get('data', {})
            try:
                message = self.message(limit)
            except TimeoutError as why:
                raise TimeoutError(f'{name}: {why}') from why
            if message is None:
                raise EOFError(f'the connection ended without {name}')
            self.events.append(message)
