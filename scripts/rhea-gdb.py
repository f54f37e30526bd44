# SPDX-License-Identifier: GPL-2.0-or-later
"""(gdb) source rhea-gdb.py: loads rhea_gdb.py from beside it, as a module, so that its names stay
out of the person's own. Sourced again, it loads that anew."""
import importlib
import os
import sys


def _load(folder):
    sys.path.insert(0, folder)
    try:
        if 'rhea_gdb' in sys.modules:
            importlib.reload(sys.modules['rhea_gdb'])
        else:
            importlib.import_module('rhea_gdb')
    finally:
        sys.path.remove(folder)


# Not __file__: sourced by another script that would be the other's.
_load(os.path.dirname(os.path.abspath(os.path.expanduser(sys._getframe().f_code.co_filename))))
