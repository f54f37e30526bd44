/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the run-time library asks of the world around it, answered by one in which nothing happens:
 * tests copy the table and put in what they look at. `page` and whatever touches devices is theirs.
 */
#pragma once
#include "target/i386/rt/host.h"

extern const RtHost quiet_host;

/* RAM that a window can show: PhysPage.ram, and where it lies. Zeroed. */
struct Ram *quiet_ram(size_t bytes, uint8_t **host);
void quiet_ram_free(struct Ram *ram);
