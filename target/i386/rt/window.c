/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The direct window's side in the run-time library (window.h).
 */
#include "target/i386/rt/cpu.h"

void window_init(Cpu *c)
{
    c->window = (Window){0};
    for (unsigned n = 0; n < WINDOW_SLOTS; n++) {
        c->window.tag[n] = WINDOW_NO_TAG;
    }
}
