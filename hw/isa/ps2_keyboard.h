/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "qom/state.h"

enum { PS2_QUEUE = 16 };

/* Bytes on their way from a PS/2 device to its controller; what does not fit is lost. */
typedef struct Ps2Queue {
    uint8_t data[PS2_QUEUE], count;
} Ps2Queue;

void ps2_put(Ps2Queue *q, uint8_t byte);
uint8_t ps2_take(Ps2Queue *q); /* the oldest; there is one */

/* A keyboard as its controller sees it; embedded in the controller. */
typedef struct Ps2Keyboard {
    Ps2Queue out;
    uint8_t command; /* its parameter comes next; 0: none */
    uint8_t last;    /* sent last, for resend             */
    uint8_t set;     /* scan code set, 1 to 3             */
    uint8_t leds, rate;
    bool scans;
} Ps2Keyboard;

extern const StateField ps2_queue_state[], ps2_keyboard_state[];

void ps2_keyboard_reset(Ps2Keyboard *k);                 /* as after power-on, queue empty */
void ps2_keyboard_receive(Ps2Keyboard *k, uint8_t byte); /* from the host                  */
