/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands in for the maker of host stubs until it is there, so that everything else can be linked:
 * a stub that is #UD. Weak: the real one wins; then this file goes.
 */
#include "target/i386/rt/stub.h"

__attribute__((weak)) void stub_encode(const Insn *i, StubCode *out)
{
    *out = (StubCode){.len = 2, .bytes = {0x0f, 0x0b}};
}
