/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include <stdint.h>

/* Guest code in the assembler's words, made by the compiler: GUEST(name, ".code32\n...") at file
 * level, then the bytes from name to name_end: bare_load(b, name, name_end). */
#define GUEST(name, text)                                                  \
    __asm__(".pushsection .rodata\n" #name ":\n" text "\n" #name "_end:\n" \
            ".code64\n.popsection\n");                                     \
    extern const uint8_t name[] __attribute__((visibility("hidden")));     \
    extern const uint8_t name##_end[] __attribute__((visibility("hidden")))
