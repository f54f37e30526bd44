/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Included ahead of every source of the run-time library and the decoder (-include): calls that the
 * compiler makes up for copies and comparisons of structures go to rt/libc.c, never to the C
 * library, whose versions use vector registers. Not a place for anything else.
 */
#pragma once
__asm__("memcpy = rt_memcpy\n\t"
        "memmove = rt_memmove\n\t"
        "memset = rt_memset\n\t"
        "memcmp = rt_memcmp\n\t"
        "bcmp = rt_memcmp");
