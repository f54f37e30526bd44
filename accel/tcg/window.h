/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "target/i386/rt/host.h"

/* Host address space for the vCPU's window, after rt_init(). areas: counts the mappings of all
 * windows, of which there may be `most`. false: there is no room; it runs without. */
bool window_reserve(Cpu *c, _Atomic int64_t *areas, uint32_t most);
void window_release(Cpu *c);

/* How many mappings all windows of the process may have together. */
uint32_t window_area_limit(void);

/* RtHost: see there. */
bool window_host_map(Cpu *c, uintptr_t at, const PhysPage *p, uint64_t bytes, bool write);
uint64_t window_host_cpu_time(Cpu *c);
void window_host_differs(Cpu *c, uint64_t linear, const char *what);
bool window_host_unmap(Cpu *c, uintptr_t at, uint64_t bytes);
bool window_host_close(Cpu *c, uintptr_t at, uint64_t bytes);
