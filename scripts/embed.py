#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Turn a file into a C array: embed.py INPUT OUTPUT NAME."""
import sys

source, target, name = sys.argv[1:]
with open(source, 'rb') as f:
    data = f.read()
lines = [', '.join(f'0x{b:02x}' for b in data[i:i + 16]) for i in range(0, len(data), 16)]
with open(target, 'w') as f:
    f.write('/* Made by scripts/embed.py. */\n#include <stdint.h>\n')
    f.write(f'static const uint8_t {name}[{len(data)}] = {{\n    ' + ',\n    '.join(lines) + '};\n')
