/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the direct window: what window.c and window_policy.c share. */
#pragma once
#include "target/i386/rt/host.h"
#include "target/i386/rt/walk.h"

enum {
    WINDOW_AROUND = 128, /* pages of a large page that one fault maps */
    WINDOW_REACH_PAGE = REACH_PAGE,
    WINDOW_REACH_HUGE = REACH_HUGE,
    /* Microseconds, measured: a fault with its signal and mapping, without, an unmapping, a mapping
     * of many. */
    WINDOW_COST_FAULT = 7,
    WINDOW_COST_REFUSED = 3,
    WINDOW_COST_FORGET = 2,
    WINDOW_COST_MAP = 3,
};

WindowPage *window_find(Window *w, uint64_t linear);
/* Pages of RAM that follow one another, none of which is mapped, or one with other rights. false:
 * no file behind it, or no room. */
bool window_map(Cpu *c, uint64_t linear, const PhysPage *p, unsigned pages, unsigned bits);
/* Compare all pages with the tables, in a test mode, where a guest with one CPU has no flush
 * outstanding: in user code. */
void window_compare(Cpu *c);
void window_init_tags(Cpu *c);
/* Too much since the last sample: then it is dropped. */
bool window_too_dear(Cpu *c);
void window_empty(Cpu *c); /* all pages; tags and context stay */
