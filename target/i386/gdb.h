/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The x86 CPU as gdb sees it: registers, their description, memory. */
#pragma once
#include "gdbstub/arch.h"

extern const GdbArch x86_gdb;
