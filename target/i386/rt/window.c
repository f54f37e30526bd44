/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The direct window's side in the run-time library (window.h).
 */
#include "target/i386/rt/cpu.h"

void window_clear(Window *w, unsigned slot)
{
    w->tag[slot] = WINDOW_NO_TAG;
    w->minus[slot] = -((uint64_t)WINDOW_NO_TAG << WINDOW_CHUNK_SHIFT);
    w->addend[slot] = WINDOW_ADDEND;
}

void window_set(Window *w, uint64_t linear, uint64_t host)
{
    unsigned slot = window_slot(linear);
    uint64_t chunk = linear & -WINDOW_CHUNK;

    w->tag[slot] = window_tag(linear);
    w->minus[slot] = -chunk;
    w->addend[slot] = host - chunk + WINDOW_ADDEND;
}

void window_init(Cpu *c)
{
    c->window = (Window){0};
    for (unsigned n = 0; n < WINDOW_SLOTS; n++) {
        window_clear(&c->window, n);
    }
}
