/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "target/i386/decode/insn.h"

/* The first instruction of n bytes as text, "mov rax, rbx", rip being its address; without Zydis,
 * or where there is no instruction, its bytes in hexadecimal. The caller frees it. Thread-safe. */
char *disassemble(CodeSize code, const uint8_t *bytes, unsigned n, uint64_t rip);
